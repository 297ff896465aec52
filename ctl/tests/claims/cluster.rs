//! Claims about the `cluster` commands, made with the real binary against a control plane that follows a script.

use crate::support::{Node, ctl, finish, script};

#[test]
fn a_command_about_peers_arrives_as_it_was_typed() {
    let node = Node::start();
    for (words, asked) in [
        ("cluster peer add 192.0.2.2:7946", "peer add 192.0.2.2:7946|"),
        ("cluster peer add 192.0.2.2 full", "peer add 192.0.2.2|full"),
        ("cluster peer add 192.0.2.2 readonly", "peer add 192.0.2.2|readonly"),
        ("cluster peer remove 192.0.2.2", "peer remove 192.0.2.2|"),
        ("cluster peer rm 192.0.2.2", "peer remove 192.0.2.2|"),
        ("cluster peer set-role 192.0.2.2 full", "peer role 192.0.2.2|full"),
        ("cluster push records 192.0.2.2", "push 192.0.2.2|RECORDS"),
        ("cluster push config 192.0.2.2", "push 192.0.2.2|CONFIG"),
        ("cluster conflicts", "conflicts false"),
        ("cluster conflicts --all", "conflicts true"),
        ("cluster restore 7", "restore 7||"),
        ("cluster restore 7 www.example", "restore 7|www.example|"),
        ("cluster restore 7 www.example A", "restore 7|www.example|A"),
    ] {
        let ran = node.run(&words.split(' ').collect::<Vec<_>>());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words}");
        assert_eq!(node.asked().last().map(String::as_str), Some(asked), "{words}");
    }
    let asked = node.asked().len();
    for slip in [
        "cluster peer",
        "cluster peer add",
        "cluster peer add 192.0.2.2 writer",
        "cluster peer set-role 192.0.2.2",
        "cluster push 192.0.2.2",
        "cluster push records",
        "cluster restore www.example",
        "cluster restore 7 www.example A 192.0.2.1",
    ] {
        let ran = node.run(&slip.split(' ').collect::<Vec<_>>());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{slip}");
    }
    assert_eq!(node.asked().len(), asked, "a slip of the keyboard reaches no server");
}

#[test]
fn what_a_peer_did_not_do_is_told_and_is_exit_code_4() {
    let node = Node::start();
    for words in [
        "peer add bad:1 full",
        "peer remove bad:1",
        "peer set-role bad:1 full",
        "push records bad:1",
        "push config bad:1",
    ] {
        let ran = node.run(&[&["cluster"], &words.split(' ').collect::<Vec<_>>()[..]].concat());
        assert_eq!((ran.code, ran.err.as_str()), (4, ""), "{words}");
        assert!(ran.out.ends_with(" here: done\nthere: connection refused\n"), "{words}: {}", ran.out);
    }
    let ran = node.run(&["--json", "cluster", "push", "records", "bad:1"]);
    assert_eq!(ran.code, 4);
    assert_eq!(ran.out, "{\"messages\":[\"push here: done\",\"there: connection refused\"],\"ok\":false}\n");
    let ran = node.run(&["cluster", "peer", "set-role", "192.0.2.2", "full", "--json"]);
    assert_eq!(ran.out, "{\"messages\":[\"peer role here: done\",\"there: done\"],\"ok\":true}\n");
    assert_eq!(script(&node.socket, &[], "cluster\npush records bad:1\nstatus\n").code, 4);
}

#[test]
fn conflicts_are_a_table_for_people_and_the_servers_list_for_programs() {
    let node = Node::start();
    let shown = node.run(&["cluster", "conflicts"]).out;
    for words in [
        "ID",
        "node-c is not an allowed writer",
        "refused",
        "overwritten",
        "node-b",
        "www.example A 192.0.2.1",
        "the deletion of old.example A",
        "days ago",
        "cluster restore ID",
    ] {
        assert!(shown.contains(words), "`{words}` in {shown}");
    }
    let json: serde_json::Value = serde_json::from_str(&node.run(&["--json", "cluster", "conflicts"]).out).unwrap();
    assert_eq!((&json[0]["id"], &json[1]["lost"][0]["ttl"]), (&8.into(), &60.into()), "{json}");
    let none = Node::with_records(0);
    assert!(none.run(&["cluster", "conflicts"]).out.starts_with("no conflicts"));
    assert_eq!(none.run(&["cluster", "conflicts", "--json"]).out, "[]\n");
}

#[test]
fn a_restored_record_is_told_and_a_conflict_that_is_not_there_refused() {
    let node = Node::start();
    assert_eq!(node.run(&["cluster", "restore", "7"]).out, "restored 1 record\n");
    let json = node.run(&["--json", "cluster", "restore", "7"]).out;
    assert_eq!(json, "{\"changed\":true,\"messages\":[\"restored 1 record\"],\"number\":9}\n");
    let refused = node.run(&["cluster", "restore", "8"]);
    assert_eq!((refused.code, refused.err.as_str()), (1, "error: there is no conflict 8\n"));
}

#[test]
fn commands_of_commands_work_at_the_prompt_with_and_without_their_context() {
    let node = Node::start();
    let ran = script(
        &node.socket,
        &[],
        "cluster peer add 192.0.2.2 full\ncluster\npeer set-role 192.0.2.2 readonly\npush config 192.0.2.2\nconflicts\n\
         restore 7 www.example\npeer\npeer ?\npush h\nserver set api false\nset-role x full\n",
    );
    let asked = [
        "peer add 192.0.2.2|full",
        "peer role 192.0.2.2|readonly",
        "push 192.0.2.2|CONFIG",
        "conflicts false",
        "restore 7|www.example|",
        "set api=false",
    ];
    assert_eq!(node.asked(), asked);
    assert_eq!(ran.code, 2, "the last line is a slip");
    assert_eq!(ran.err, "line 11: error: `set-role` is a command of `cluster peer`: type `cluster peer set-role`\n");
    assert_eq!(ran.out.matches("set-role").count(), 2, "{}", ran.out);
    assert!(ran.out.contains("records") && ran.out.contains("restored 1 record"), "{}", ran.out);
}

#[test]
fn help_reaches_the_commands_of_commands() {
    for words in [&["cluster", "peer", "?"][..], &["cluster", "help", "peer"], &["?", "cluster", "peer"]] {
        let help = finish(ctl().args(words));
        assert_eq!((help.code, help.err.as_str()), (0, ""), "{words:?}");
        assert!(help.out.contains("set-role"), "{words:?}: {}", help.out);
    }
    assert!(finish(ctl().args(["cluster", "peer", "add", "?"])).out.contains("readonly"));
}
