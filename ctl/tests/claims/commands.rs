//! Claims about dnsplanectl, made with the real binary against a control plane that follows a script.

use crate::support::{Node, ctl, finish, run, script};
use std::{
    io::{Read, Write},
    os::unix::{fs::PermissionsExt, net::UnixListener, process::CommandExt},
    path::Path,
    process::Stdio,
    thread,
};

#[test]
fn a_record_arrives_as_it_was_typed() {
    let node = Node::start();
    for (words, asked) in [
        ("record add www.example 192.0.2.1", "add |www.example|A|192.0.2.1|default"),
        ("record add 2001:db8::1 www.example", "add |www.example|AAAA|2001:db8::1|default"),
        ("record add example mx 10 mail.example 300", "add |example|MX|10 mail.example|300"),
        ("record add --ttl 5 example TXT one two", "add |example|TXT|one two|5"),
        ("record add example TXT one two --ttl 5", "add |example|TXT|one two|5"),
        ("record add example TXT -- -all", "add |example|TXT|-all|default"),
        ("record update --id x1 www.example A 192.0.2.9", "update x1|www.example|A|192.0.2.9|default"),
        ("record remove www.example", "remove |www.example|||false"),
        ("record rm --all www.example a", "remove |www.example|A||true"),
        ("record remove www.example 192.0.2.1", "remove |www.example||192.0.2.1|false"),
        ("record remove --id x1", "remove x1||||false"),
        ("record list mx", "list |MX"),
        ("records list d www", "list www|"),
        ("cluster sync", "pull "),
    ] {
        let ran = node.run(&words.split(' ').collect::<Vec<_>>());
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{words}");
        assert_eq!(node.asked().last().map(String::as_str), Some(asked), "{words}");
    }
    let ran = node.run(&["record", "add", "www.example", "192.0.2.1"]);
    assert_eq!(ran.out, "add: www.example\n");
    assert!(node.run(&["record", "add", "same.example", "192.0.2.1"]).out.contains("like that already"));
}

#[test]
fn json_is_all_that_standard_output_holds() {
    let node = Node::start();
    for (words, expected) in [
        ("record add www.example 192.0.2.1", r#"{"changed":true,"messages":["add: www.example"],"number":8}"#),
        (
            "cluster pull 192.0.2.2:7946",
            r#"{"outcomes":[{"ok":true,"peer":"192.0.2.2:7946","text":"applied 3 records"}]}"#,
        ),
        (
            "cluster join",
            r#"{"dial_address":"192.0.2.1:7946","enabled":true,"listen":"0.0.0.0:7946","node_id":"node-a","token_sha256":"ab12"}"#,
        ),
    ] {
        let ran = node.run(&[&words.split(' ').collect::<Vec<_>>()[..], &["--json"]].concat());
        assert_eq!((ran.code, ran.err.as_str(), ran.out.trim_end()), (0, "", expected), "{words}");
    }
    let listed: serde_json::Value = serde_json::from_str(&node.run(&["--json", "record", "list"]).out).unwrap();
    assert_eq!(listed[1]["name"], "host1.example");
    assert_eq!(listed[1]["ttl"], 300);
    let empty = Node::with_records(0).run(&["--json", "record", "list"]);
    assert_eq!(empty.out, "[]\n");
    let status: serde_json::Value = serde_json::from_str(&node.run(&["--json", "cluster", "status"]).out).unwrap();
    assert_eq!(status["local_seq"], 12);
    let refused = node.run(&["--json", "record", "add", "refused.example", "192.0.2.1"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
}

#[test]
fn long_listings_come_whole() {
    let node = Node::with_records(12_345);
    let ran = node.run(&["record", "list"]);
    assert_eq!(ran.code, 0);
    assert!(ran.out.ends_with("12345 records\n"), "{}", &ran.out[ran.out.len() - 100..]);
    assert_eq!(ran.out.matches("192.0.2.1").count(), 12_345);
    let listed: serde_json::Value = serde_json::from_str(&node.run(&["--json", "record", "list"]).out).unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 12_345);
}

#[test]
fn a_reader_that_goes_away_ends_the_listing_quietly() {
    let node = Node::with_records(200_000);
    let mut command = ctl();
    command.arg("--socket").arg(&node.socket).args(["record", "list"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut pipe = child.stdout.take().unwrap();
    pipe.read_exact(&mut [0; 100]).unwrap();
    drop(pipe);
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8(output.stderr).unwrap().as_str()), (Some(0), ""));
}

#[test]
fn people_get_tables_and_sentences() {
    let node = Node::start();
    let listed = node.run(&["record", "list", "details"]).out;
    for word in ["NAME", "host1.example", "300", "id-1", "2026-05-04T09:30:00Z", "2 records"] {
        assert!(listed.contains(word), "`{word}` in {listed}");
    }
    let cluster = node.run(&["cluster", "status"]).out;
    for word in ["node-a", "sequence", "12", "lww_per_node", "192.0.2.2:7946", "yes, 3 ms", "unauthorized", "future"] {
        assert!(cluster.contains(word), "`{word}` in {cluster}");
    }
    let server = node.run(&["server", "status"]).out;
    for word in ["0.1.0", "ready", "log_bytes 10", "host/7", "udp 127.0.0.1:9", "port 53 is taken"] {
        assert!(server.contains(word), "`{word}` in {server}");
    }
    let join = node.run(&["cluster", "info"]).out;
    assert!(join.contains("ab12") && join.contains("server set cluster_peers 192.0.2.1:7946"), "{join}");
}

#[test]
fn exit_codes_tell_refusals_slips_and_partial_success_apart() {
    let node = Node::start();
    let refused = node.run(&["record", "add", "refused.example", "192.0.2.1"]);
    assert_eq!((refused.code, refused.err.as_str()), (1, "error: this node rejects local writes\n"));
    let slip = node.run(&["record", "add", "www.example", "CNMAE", "x"]);
    assert_eq!(slip.code, 2);
    assert!(slip.err.contains("did you mean CNAME?"), "{}", slip.err);
    assert!(node.run(&["recrod", "list"]).err.contains("'record'"));
    assert_eq!(node.run(&["record", "remove"]).code, 2);
    let asked_before = node.asked();
    let partly = node.run(&["cluster", "pull", "good:1", "bad:1"]);
    assert_eq!(partly.code, 4);
    assert!(partly.out.contains("connection refused") && partly.out.contains("applied 3 records"), "{}", partly.out);
    assert_eq!(asked_before.len() + 1, node.asked().len());
    let checked = node.run(&["record", "check"]);
    assert_eq!(checked.code, 4);
    assert!(checked.out.contains("the preference is missing"), "{}", checked.out);
    assert!(checked.out.contains("no. 1") && checked.out.contains("id-1"), "each is named: {}", checked.out);
    assert_eq!(Node::with_records(0).run(&["record", "check"]).code, 0);
    let warned = Node::with_records(1);
    assert_eq!(warned.run(&["record", "check"]).code, 0, "a warning alone is no failure");
    assert_eq!(warned.run(&["record", "check", "--strict"]).code, 4);
    assert_eq!(warned.run(&["--json", "record", "check", "--strict"]).code, 4);
}

#[test]
fn history_tells_who_did_what_where_and_an_undo_is_asked_about() {
    let node = Node::start();
    let shown = node.run(&["record", "history", "www.example", "a", "--limit", "5", "--before", "9"]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    for part in ["7  ", "2026-05-04T09:30:00Z", "peer node-b", "www.example 60 A 192.0.2.1  →  www.example 300 A"] {
        assert!(shown.out.contains(part), "{part} is missing: {}", shown.out);
    }
    assert_eq!(node.run(&["record", "history", "--limit", "0"]).code, 2);
    assert_eq!(node.run(&["record", "undo", "7"]).code, 2, "there is no terminal to ask at");
    let dry = node.run(&["record", "undo", "7", "--dry-run"]);
    assert_eq!((dry.code, dry.out.as_str()), (0, "goes: www.example 60 A 192.0.2.1\n"));
    assert_eq!(node.run(&["record", "undo", "7", "--yes"]).code, 0);
    let refused = node.run(&["record", "undo", "3", "-y"]);
    assert_eq!((refused.code, refused.err.as_str()), (1, "error: change 3 cannot be undone; undo change 4 first\n"));
    let asked = node.asked();
    let asked: Vec<_> = asked.iter().map(String::as_str).collect();
    assert_eq!(asked, ["history www.example|a|5|9", "undo 7|true", "undo 7|false", "undo 3|false"]);
}

#[test]
fn help_documents_the_exit_codes() {
    let help = finish(ctl().arg("--help"));
    assert_eq!((help.code, help.err.as_str()), (0, ""));
    assert!(help.out.contains("Exit codes:") && help.out.contains("DNSPLANE_SOCKET"), "{}", help.out);
    assert!(finish(ctl().args(["record", "add", "?"])).out.contains("--ttl"));
    assert_eq!(finish(ctl().arg("--version")).out, concat!("dnsplanectl ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn the_environment_names_the_socket_and_the_flag_wins() {
    let node = Node::start();
    let ran = finish(ctl().env("DNSPLANE_SOCKET", &node.socket).args(["record", "list"]));
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ran = finish(ctl().env("DNSPLANE_SOCKET", &node.socket).args(["record", "list", "--socket", "/nowhere/x"]));
    assert_eq!(ran.code, 3);
}

fn unreachable(socket: &Path, because: &str) {
    let ran = run(socket, &["record", "add", "www.example", "192.0.2.1"]);
    assert_eq!((ran.code, ran.out.as_str()), (3, ""), "{}", ran.err);
    assert!(ran.err.contains(&socket.display().to_string()), "{}", ran.err);
    assert!(ran.err.contains(because), "`{because}` in {}", ran.err);
    assert_eq!(ran.err.lines().count(), 1, "{}", ran.err);
}

#[test]
fn a_wrong_socket_path_gets_the_sentence_that_fits() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    unreachable(&path("none.sock"), "the socket does not exist");
    drop(UnixListener::bind(path("dead.sock")).unwrap());
    unreachable(&path("dead.sock"), "nobody listens");
    std::fs::write(path("file"), "text").unwrap();
    unreachable(&path("file"), "this is a file");
    unreachable(folder.path(), "this is a folder");
    unreachable(&path(&"x".repeat(120)), "too long");
    unreachable(&path("with space.sock"), "the socket does not exist");
}

#[test]
fn a_socket_without_permission_says_so() {
    let node = Node::start();
    // Root may open everything, so the tests' root becomes nobody; the binary must be where nobody can read it.
    let shared = tempfile::tempdir().unwrap();
    std::fs::set_permissions(shared.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let binary = shared.path().join("dnsplanectl");
    std::fs::copy(env!("CARGO_BIN_EXE_dnsplanectl"), &binary).unwrap();
    let mut command = std::process::Command::new(&binary);
    command.arg("--socket").arg(&node.socket).args(["record", "list"]);
    if nix::unistd::geteuid().is_root() {
        command.uid(65534).gid(65534);
    } else {
        std::fs::set_permissions(node.folder.path(), PermissionsExt::from_mode(0o000)).unwrap();
    }
    let ran = finish(&mut command);
    std::fs::set_permissions(node.folder.path(), PermissionsExt::from_mode(0o700)).unwrap();
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("permission denied"), "{}", ran.err);
}

/// Takes connections and treats each as told.
fn listener(folder: &Path, treat: fn(std::os::unix::net::UnixStream)) -> std::path::PathBuf {
    let socket = folder.join("other.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let stream = stream.unwrap();
            thread::spawn(move || treat(stream));
        }
    });
    socket
}

#[test]
fn a_socket_of_something_else_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    // The terminal of existing nodes: reads a line, then greets.
    let socket = listener(folder.path(), |mut stream| {
        let mut line = [0; 16];
        stream.read_exact(&mut line).unwrap();
        let _ = stream.write_all(b"dnsplane-tui 1.4.193\nWelcome to the terminal of this node, type help for help\n");
        let _ = stream.read(&mut [0; 1024]);
    });
    unreachable(&socket, "not the admin socket of a dnsplane control plane");
}

#[test]
fn a_broken_connection_leaves_no_false_certainty() {
    let folder = tempfile::tempdir().unwrap();
    let socket = listener(folder.path(), |mut stream| {
        let _ = stream.read(&mut [0; 16]);
    });
    unreachable(&socket, "closes the connection without an answer; it is not known whether");
}

#[test]
fn a_control_plane_that_dies_during_a_command_leaves_the_outcome_open() {
    let folder = tempfile::tempdir().unwrap();
    let socket = listener(folder.path(), |mut stream| {
        // An empty SETTINGS frame, as a gRPC server begins; then the end, before any reply.
        let _ = stream.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]);
        let _ = stream.read(&mut [0; 1024]);
    });
    unreachable(&socket, "the connection broke before the answer came");
}

#[test]
fn a_silent_socket_is_given_up_on() {
    let folder = tempfile::tempdir().unwrap();
    let socket = listener(folder.path(), |mut stream| while stream.read(&mut [0; 1024]).is_ok_and(|read| read > 0) {});
    unreachable(&socket, "says nothing");
}

#[test]
fn another_grpc_service_is_recognised() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("feed.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    listener.set_nonblocking(true).unwrap();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::UnixListener::from_std(listener).unwrap();
            let incoming = tokio_stream::wrappers::UnixListenerStream::new(listener);
            let routes = tonic::service::Routes::default();
            tonic::transport::Server::builder().add_routes(routes).serve_with_incoming(incoming).await.unwrap();
        });
    });
    unreachable(&socket, "feed socket");
}

#[test]
fn a_script_runs_to_its_end_and_reports_the_gravest_result() {
    let node = Node::start();
    let ran = script(
        &node.socket,
        &[],
        "# a comment\n\nrecord\nadd example TXT 'a b' --ttl 5\nlits\ncluster pull bad:1\n..\nserver status\nadd x\n\
         record add refused.example 192.0.2.1\ncluster\njoin\n",
    );
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert_eq!(node.asked(), ["add |example|TXT|\"a b\"|5", "pull bad:1", "add |refused.example|A|192.0.2.1|default"]);
    for sentence in [
        "line 5: error: there is no `lits` here; did you mean `list`?",
        "line 9: error: `add` is a command of several contexts",
        "line 10: error: this node rejects local writes",
    ] {
        assert!(ran.err.contains(sentence), "`{sentence}` in {}", ran.err);
    }
    assert!(ran.out.contains("0.1.0") && ran.out.contains("ab12"), "{}", ran.out);
    assert_eq!(script(&node.socket, &[], "record list\ncluster pull bad:1").code, 4);
    assert_eq!(script(&node.socket, &[], "exit\nnonsense\n").code, 0);
    assert_eq!(script(&node.socket, &[], "nonsense\n").code, 2);
    assert_eq!(script(Path::new("/nowhere/x"), &[], "record list\nnonsense\n").code, 3);
    let json = script(&node.socket, &["--json"], "cluster join\nrecord list\n").out;
    for document in serde_json::Deserializer::from_str(&json).into_iter::<serde_json::Value>() {
        document.unwrap();
    }
}
