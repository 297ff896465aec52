//! Claims about the `cache` commands and `tools explain`, made with the real binary against a control plane that follows a
//! script.

use crate::support::Node;

#[test]
fn what_is_remembered_is_listed_with_what_was_not_heard() {
    let node = Node::start();
    let ran = node.run(&["cache", "list", "example"]);
    assert_eq!((ran.code, node.asked()), (0, vec!["cache example".to_owned()]));
    for text in ["www.example", "192.0.2.53:53", "1 of 2 answers", "data plane host/8 does not answer"] {
        assert!(ran.out.contains(text), "`{text}` in {}", ran.out);
    }
    let json: serde_json::Value = serde_json::from_str(&node.run(&["--json", "cache", "list"]).out).unwrap();
    assert_eq!(json["cache"][0]["dns_record"]["ttl"], 30);
    let figures = node.run(&["cache", "stats"]).out;
    assert!(figures.contains("host/7") && figures.contains("1000"), "{figures}");
}

#[test]
fn a_name_or_everything_is_forgotten_and_nothing_by_accident() {
    let node = Node::start();
    for (words, code, asked) in [
        (&["cache", "flush", "www.example"][..], 0, "flush www.example|false|false"),
        (&["cache", "flush", "example", "--below"], 0, "flush example|true|false"),
        (&["cache", "flush", "--all"], 0, "flush |false|true"),
        (&["cache", "clear"], 0, "flush |true|true"),
        (&["cache", "flush", "bad.example"], 4, "flush bad.example|false|false"),
    ] {
        let ran = node.run(words);
        assert_eq!((ran.code, node.asked().last().map(String::as_str)), (code, Some(asked)), "{words:?}: {}", ran.err);
    }
    let before = node.asked().len();
    assert_eq!((node.run(&["cache", "flush"]).code, node.asked().len()), (2, before));
}

#[test]
fn an_explanation_says_which_step_answers_and_why() {
    let node = Node::start();
    let ran = node.run(&["tools", "explain", "www.example", "AAAA", "--client", "192.0.2.9"]);
    assert_eq!((ran.code, node.asked()), (0, vec!["explain www.example|AAAA|192.0.2.9".to_owned()]));
    assert!(ran.out.contains("refused") && ran.out.contains("no upstream is configured"), "{}", ran.out);
    let silent = node.run(&["tools", "explain", "bad.example"]);
    assert!(silent.code == 4 && silent.out.contains("it does not answer"), "{} {}", silent.code, silent.out);
}
