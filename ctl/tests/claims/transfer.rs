//! Claims about `record export` and `record import`.

use crate::support::Node;
use std::{fs, os::unix::fs::PermissionsExt};

#[test]
fn an_export_is_a_whole_file_or_none() {
    let node = Node::start();
    let ran = node.run(&["record", "export"]);
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "one\ntwo\n", ""));
    assert_eq!(node.asked(), ["export json|"]);
    let file = node.folder.path().join("lab.zone");
    fs::write(&file, "before").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let name = file.to_str().unwrap();
    let ran = node.run(&["record", "export", "--zone", "short.example", name]);
    assert_eq!(ran.code, 1, "{ran:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "before", "a text without an end replaces nothing");
    let ran = node.run(&["record", "export", "--zone", "lab.example", name]);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.starts_with("2 records written to "), "{ran:?}");
    assert_eq!(node.asked().last().map(String::as_str), Some("export zone|lab.example"), "the name tells the format");
    assert_eq!(fs::read_to_string(&file).unwrap(), "one\ntwo\n");
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read_dir(node.folder.path()).unwrap().count(), 2, "nothing else is left beside it");
}

#[test]
fn what_a_format_cannot_say_is_told_beside_the_text() {
    let ran = Node::start().run(&["record", "export", "--format", "hosts", "-"]);
    assert_eq!((ran.code, ran.out.as_str()), (4, "one\ntwo\n"));
    assert!(ran.err.contains("1 of 3 records") && ran.err.contains("a.example MX"), "{ran:?}");
}

#[test]
fn an_import_shows_the_difference_and_is_confirmed_once() {
    let node = Node::start();
    let file = node.folder.path().join("some.zone");
    let text = "x".repeat(600_000);
    fs::write(&file, &text).unwrap();
    let name = file.to_str().unwrap();
    let start = format!("import zone|{name}|lab.example|true|20");
    let words = ["record", "import", "--origin", "lab.example", "--replace", name];
    let ran = node.run(&[&words[..], &["--dry-run"]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(node.asked(), [&start, "octets 600000"]);
    let lines: Vec<_> = ran.out.lines().collect();
    let shown = [
        "+ new\\u{1b}.example 60 A 192.0.2.1",
        "~ a.example 60 A 192.0.2.1 -> TTL 61",
        "… and 1 more; --all shows them",
        "1 added, 2 changed, 0 removed, 0 refused, 0 unchanged",
        "nothing was changed",
    ];
    assert_eq!(lines, shown);
    let ran = node.run(&[&words[..], &["--yes", "--all", "--json"]].concat());
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((&told["applied"], &told["number"]), (&true.into(), &8.into()), "{told}");
    assert_eq!(told["changed"][0]["after"]["ttl"], 61, "{told}");
    assert!(node.asked()[2].ends_with("|true|0"), "all are asked for: {:?}", node.asked());
    assert_eq!(node.asked().last().map(String::as_str), Some("confirmed 7"));
}

#[test]
fn an_import_that_cannot_go_on_is_told_before_anybody_is_asked() {
    let node = Node::start();
    for (words, part) in [
        ("record import some.zone", "--yes"),
        ("record import --yes records.txt", "--format"),
        ("record import --yes /nonexistent.zone", "/nonexistent.zone"),
        ("record import --yes --format zone /", "folder"),
        ("record import --yes --dry-run some.zone", "--dry-run"),
    ] {
        let ran = node.run(&words.split(' ').collect::<Vec<_>>());
        assert!(ran.code == 2 && ran.err.contains(part), "{words}: {ran:?}");
    }
    let ran = crate::support::script(&node.socket, &[], "record import --yes --format zone -\n");
    assert!(ran.code == 2 && ran.err.contains("name one"), "a script is not its own file: {ran:?}");
    assert!(node.asked().is_empty());
}
