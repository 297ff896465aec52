//! Claims about the `dns` commands, made with the real binary against a control plane that follows a script.

use crate::support::{Node, script};

#[test]
fn words_and_options_say_the_same() {
    let node = Node::start();
    for (words, asked) in [
        ("add 192.0.2.1", "add address=192.0.2.1"),
        (
            "add 192.0.2.1 5353 active:false whitelist:a.test,b.test",
            "add address=192.0.2.1 port=5353 active=false whitelist=a.test,b.test",
        ),
        ("add 192.0.2.1 doh_url:https://dns.example/q", "add address=192.0.2.1 doh_url=https://dns.example/q"),
        (
            "add 2001:db8::1 --transport dot --tls-name dns.example --whitelist a.test --active true --port 8853",
            "add address=2001:db8::1 port=8853 transport=dot tls_name=dns.example active=true domain_whitelist=a.test",
        ),
        (
            "update 192.0.2.1 5353 whitelist: --fallback-address 192.0.2.9",
            "update 192.0.2.1|| port=5353 whitelist= fallback_address=192.0.2.9",
        ),
        ("update 192.0.2.1 --at-port 53 --at-transport tcp --port 54", "update 192.0.2.1|53|tcp port=54"),
        ("remove 192.0.2.1", "remove 192.0.2.1||"),
        ("rm 192.0.2.1 5353 --transport udp", "remove 192.0.2.1|5353|udp"),
        ("clear", "clear"),
        ("load", "load"),
    ] {
        let words: Vec<_> = std::iter::once("dns").chain(words.split(' ')).collect();
        let ran = node.run(&words);
        assert_eq!((ran.code, ran.out.trim_end(), ran.err.as_str()), (0, asked, ""), "{words:?}");
        let ran = node.run(&[&["--json"], &words[..]].concat());
        let expected = serde_json::json!({"changed": true, "messages": [asked]});
        assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.out).unwrap(), expected, "{words:?}");
    }
    let saved = node.run(&["dns", "save"]);
    assert_eq!((saved.code, saved.out.as_str()), (0, "nothing to save: every change is saved at once\n"));
}

#[test]
fn a_slip_of_the_keyboard_is_told_as_such() {
    let node = Node::start();
    for words in [
        &["add"][..],
        &["add", "192.0.2.1", "fast"],
        &["add", "192.0.2.1", "active:true", "53"],
        &["remove"],
        &["add", "192.0.2.1", "--transport", "tls"],
    ] {
        let ran = node.run(&[&["dns"], words].concat());
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{words:?}");
    }
    assert_eq!(node.asked(), [""; 0]);
}

#[test]
fn servers_are_listed_with_their_health() {
    let node = Node::start();
    let ran = node.run(&["dns", "list"]);
    let lines: Vec<Vec<&str>> =
        ran.out.lines().map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()).collect();
    assert_eq!(ran.code, 0);
    assert_eq!(lines[0], ["SERVER", "TRANSPORT", "ASKED", "DOMAINS", "FALLBACK", "HEALTH", "RTT", "QUERIES", "FAILED"]);
    assert_eq!(
        lines[1],
        ["192.0.2.53:53", "udp", "yes", "all", "-", "down (3 failures in a row: timed out)", "-", "9", "3"]
    );
    assert_eq!(
        lines[2],
        ["tls://192.0.2.54:853", "dot", "yes", "corp.test lab.test", "192.0.2.55", "up", "12.3 ms", "100", "0"]
    );
    assert_eq!(lines[3][..3], ["192.0.2.56:x", "udp", "no: see below"]);
    assert_eq!(lines[4][..3], ["192.0.2.57:53", "udp", "no"]);
    assert_eq!(lines[5], ["192.0.2.99:53", "udp", "last resort", "-", "-", "not asked yet", "-", "0", "0"]);
    assert_eq!(lines[6], ["warning: servers file `x`, server 3 (192.0.2.56:x): `port` is `x`; it is not asked"]);
}

#[test]
fn the_prompt_has_the_context() {
    let node = Node::start();
    let ran = script(
        &node.socket,
        &[],
        "dns\nadd 192.0.2.1 active:false\nupdate 192.0.2.1 whitelist:\n..\ndns remove 192.0.2.1\n",
    );
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    assert_eq!(
        node.asked(),
        ["add address=192.0.2.1 active=false", "update 192.0.2.1|| whitelist=", "remove 192.0.2.1||"]
    );
}

#[test]
fn an_older_control_plane_says_that_it_is_older() {
    let node = Node::older();
    for words in ["list", "add 192.0.2.1", "update 192.0.2.1 active:no", "remove 192.0.2.1", "clear", "load"] {
        let ran = node.run(&std::iter::once("dns").chain(words.split(' ')).collect::<Vec<_>>());
        assert_eq!((ran.code, ran.out.as_str()), (1, ""), "{words}");
        assert!(ran.err.contains("is older than this dnsplanectl"), "{}", ran.err);
    }
}
