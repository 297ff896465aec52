//! Claims about the `server` commands, made with the real binary against a control plane that follows a script.

use crate::support::{Node, script};

#[test]
fn a_setting_arrives_as_it_was_typed() {
    let node = Node::start();
    for (words, asked) in [
        (&["set", "api", "true"][..], "set api=true"),
        (&["set", "cluster_peers", "192.0.2.2:7946,", "192.0.2.3"], "set cluster_peers=192.0.2.2:7946, 192.0.2.3"),
        (&["set", "api_auth_token", ""], "set api_auth_token="),
        (&["set", "cluster_auth_token", "--", "-starts with a dash"], "set cluster_auth_token=-starts with a dash"),
        (&["set", "api_rate_limit_rps", "-1"], "set api_rate_limit_rps=-1"),
        (&["set", "log.log_severity", "?"], "set log.log_severity=?"),
        (&["save"], "save"),
        (&["load"], "load"),
    ] {
        let ran = node.run(&[&["server"], words].concat());
        assert_eq!((ran.code, ran.out.trim_end(), ran.err.as_str()), (0, asked, ""), "{words:?}");
        let ran = node.run(&[&["--json", "server"], words].concat());
        let expected = serde_json::json!({"messages": [asked]});
        assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.out).unwrap(), expected, "{words:?}");
    }
    let refused = node.run(&["server", "set", "wrong", "1"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert_eq!(refused.err, "error: `wrong` is no key of dnsplane.json; did you mean `port`?\n");
    assert_eq!(node.run(&["server", "set", "api"]).code, 2);
}

#[test]
fn settings_are_listed_one_a_line() {
    let node = Node::start();
    let shown = node.run(&["server", "config"]).out;
    let lines: Vec<_> = shown.lines().collect();
    assert_eq!(lines[0], "# /etc/dnsplane.json");
    assert_eq!(lines[1], "api                = true    # not saved");
    assert_eq!(lines[2], "cluster_auth_token = (secret)");
    assert_eq!(lines[3], "log.log_severity   = info");
    let json: serde_json::Value = serde_json::from_str(&node.run(&["--json", "server", "config"]).out).unwrap();
    assert_eq!((&json["unsaved"][0], &json["settings"]["log"]["log_severity"]), (&"api".into(), &"info".into()));
}

#[test]
fn settings_change_at_the_prompt_too() {
    let node = Node::start();
    let ran = script(&node.socket, &[], "server\nset cluster_auth_token 'two words'\nset api ''\nsave\nload\nset ?\n");
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(node.asked(), ["set cluster_auth_token=two words", "set api=", "save", "load"]);
    assert!(ran.out.contains("server load"), "help explains the difference: {}", ran.out);
}

#[test]
fn an_older_control_plane_is_told_apart_from_something_else() {
    let node = Node::older();
    for words in [
        "cluster conflicts",
        "cluster restore 7",
        "cluster peer add x",
        "cluster push config x",
        "server config",
        "server set api true",
        "server save",
        "server load",
    ] {
        let ran = node.run(&words.split(' ').collect::<Vec<_>>());
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{words}");
        assert_eq!(
            ran.err,
            "error: this control plane (version 0.1.0) is older than this dnsplanectl and does not know the command; \
             upgrade dnsplane-cluster and restart it\n"
        );
    }
    assert_eq!(node.run(&["cluster", "status"]).code, 0, "what it knows still works");
}
