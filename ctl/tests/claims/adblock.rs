//! Claims about `dnsplanectl adblock`.

use crate::support::Node;

#[test]
fn each_change_arrives_as_it_was_typed() {
    let node = Node::start();
    let path = std::env::current_dir().unwrap().join("Cargo.toml");
    let loaded = format!("Some(Load({:?}))", path.display().to_string());
    for (words, asked) in [
        (
            "adblock add ads.example *.track.example",
            r#"Some(Add(AdblockNames { names: ["ads.example", "*.track.example"] }))"#,
        ),
        ("adblock remove ads.example", r#"Some(Remove(AdblockNames { names: ["ads.example"] }))"#),
        ("adblock rm ads.example", r#"Some(Remove(AdblockNames { names: ["ads.example"] }))"#),
        ("adblock allow good.example", r#"Some(Allow(AdblockNames { names: ["good.example"] }))"#),
        ("adblock disallow good.example", r#"Some(Disallow(AdblockNames { names: ["good.example"] }))"#),
        ("adblock load https://lists.example/ads", r#"Some(Load("https://lists.example/ads"))"#),
        ("adblock load Cargo.toml", loaded.as_str()),
        ("adblock unload ads.txt", r#"Some(Unload("ads.txt"))"#),
        ("adblock clear", "Some(Clear(AdblockEverything))"),
        ("adblock pause", "Some(Pause(5))"),
        ("adblock pause 90", "Some(Pause(90))"),
        ("adblock resume", "Some(Pause(0))"),
    ] {
        let ran = node.run(&words.split(' ').collect::<Vec<_>>());
        assert_eq!((ran.code, ran.err.as_str(), ran.out.trim_end()), (0, "", asked), "{words}");
    }
    assert_eq!(node.run(&["adblock", "pause", "0"]).code, 2);
    assert_eq!(node.run(&["adblock", "add"]).code, 2);
}

#[test]
fn lists_are_a_table_and_what_is_wrong_with_them_sentences() {
    let out = Node::start().run(&["adblock", "list"]).out;
    for said in [
        "allow:good.txt",
        "2026-05-04T09:30:00Z",
        "https://lists.example/ads: cannot fetch",
        "skipped line 9: not a domain name",
        "8 names in all",
        "nothing is blocked until 2026-05-04T09:35:00Z",
    ] {
        assert!(out.contains(said), "{said}: {out}");
    }
}

#[test]
fn names_are_a_line_each_or_one_document() {
    let node = Node::with_records(2);
    assert_eq!(node.run(&["adblock", "domains"]).out, "a0.example\nb0.example\na1.example\nb1.example\n");
    assert_eq!(node.asked().last().map(String::as_str), Some("domains "));
    let json: serde_json::Value = serde_json::from_str(&node.run(&["--json", "adblock", "domains", "x"]).out).unwrap();
    assert_eq!(json, serde_json::json!(["a0.example", "b0.example", "a1.example", "b1.example"]));
    assert_eq!(node.asked().last().map(String::as_str), Some("domains x"));
    assert_eq!(Node::with_records(0).run(&["--json", "adblock", "domains"]).out, "[]\n");
}

#[test]
fn a_name_says_what_blocks_it_and_what_lets_it_through() {
    let out = Node::start().run(&["adblock", "check", "x.ads.example"]).out;
    assert!(out.starts_with("x.ads.example is on a block list and let through\n"), "{out}");
    let lines: Vec<_> = out.lines().skip(2).map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines, ["blocks ads.example https://lists.example/ads", "lets through *.ads.example good.txt"]);
}
