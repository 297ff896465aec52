use super::{eventually_faults, faults, plan, replace, zone};
use dnsplane_tests::{Node, node::TERMINATION_LIMIT};
use serde_json::json;
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    time::{Duration, Instant},
};

/// Far below what a reader without bounds would need for these files, and above what a node needs that has others.
const MOST_KIB: u64 = 400 << 10;

/// Has the node read, which takes a bounded time and memory whatever it finds.
#[track_caller]
fn load(node: &mut Node) -> String {
    let start = Instant::now();
    let ended = node.ctl(&["record", "load"]);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}: {ended:?}", start.elapsed());
    let held = node.control().resident_kib();
    assert!(held < MOST_KIB, "{held} KiB: {ended:?}");
    ended.said()
}

#[test]
fn hostile_files_are_refused_with_file_and_line_and_others_are_served() {
    let mut node = plan("hostile", json!({"refresh_interval_seconds": 3600}))
        .file("zones/good.test.db", &zone("www A 192.0.2.1\n"))
        .start();
    node.eventually_answers("www.good.test", "A", &["192.0.2.1"]);
    let secret = node.path("secret");
    fs::write(&secret, "secret A 192.0.2.9\n").expect("it can be written");

    node.write("zones/up.test.db", &zone("$INCLUDE ../secret\n"));
    node.write("zones/abs.test.db", &zone(&format!("$INCLUDE {}\n", secret.display())));
    symlink("..", node.path("zones/out")).expect("a link can be made");
    node.write("zones/link.test.db", &zone("$INCLUDE out/secret\n"));
    symlink("../secret", node.path("zones/away.test.db")).expect("a link can be made");
    node.write("zones/loop.test.db", &zone("$INCLUDE loop.test.db\n"));
    node.write("zones/one", "$INCLUDE two\n");
    node.write("zones/two", "$INCLUDE one\n");
    node.write("zones/two.test.db", &zone("$INCLUDE one\n"));
    node.write("zones/gen.test.db", &zone("$GENERATE 0-2000000000 h$ A 192.0.2.1\n"));
    node.write("zones/many.test.db", &zone(&"$GENERATE 0-65535 a$b$c$d$ TXT \"$\"\n".repeat(2_000)));
    node.write("zones/paren.test.db", &zone(&format!("x TXT (\n{}", "\"a\"\n".repeat(600_000))));
    fs::create_dir(node.path("zones/folder.test.db")).expect("a folder can be made");
    nix::unistd::mkfifo(&node.path("zones/pipe.test.db"), nix::sys::stat::Mode::S_IRWXU).expect("a pipe can be made");
    for (name, octets) in [("line", 500_u64 << 20), ("huge", 1 << 30)] {
        let path = node.path(&format!("zones/{name}.test.db"));
        fs::write(&path, zone("")).expect("it can be written");
        File::options().write(true).open(&path).and_then(|file| file.set_len(octets)).expect("a sparse file");
    }
    load(&mut node);
    let found = faults(&node);
    for (beginning, words) in [
        ("abs.test.db:5 ", "is not below"),
        ("away.test.db:0 ", "is not below"),
        ("gen.test.db:5 ", "65"),
        ("huge.test.db:0 ", "at most 512 MiB"),
        ("line.test.db:5 ", "is longer than 1 MiB"),
        ("link.test.db:5 ", "is not below"),
        ("loop.test.db:5 ", ""),
        ("many.test.db:", ""),
        ("paren.test.db:", ""),
        ("pipe.test.db:0 ", "is no file"),
        ("two:1 ", ""),
        ("up.test.db:5 ", "is not below"),
    ] {
        let is_told = found.iter().any(|fault| fault.starts_with(beginning) && fault.contains(words));
        assert!(is_told, "{beginning}{words}: {found:#?}");
    }
    node.eventually_answers("www.good.test", "A", &["192.0.2.1"]);
    for name in ["secret.up.test", "secret.abs.test", "secret.link.test", "h1.gen.test", "ns.line.test"] {
        node.eventually_answers(name, "A", &[]);
    }
    // A large good file beside them is read, and a restart among them takes its time, too.
    replace(&node, "zones/good.test.db", &zone("www A 192.0.2.2\n"));
    load(&mut node);
    node.eventually_answers("www.good.test", "A", &["192.0.2.2"]);
    assert!(node.control().terminate(TERMINATION_LIMIT).is_some(), "{}", node.logs());
    node.start_control();
    node.wait_ready();
    node.eventually_answers("www.good.test", "A", &["192.0.2.2"]);
}

#[test]
fn a_bad_include_of_a_good_file_leaves_it_as_it_was_with_what_it_included() {
    let mut node = plan("include", json!({}))
        .file("zones/one.test.db", &zone("$INCLUDE hosts\n"))
        .file("zones/hosts", "www A 192.0.2.1\n")
        .start();
    node.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    replace(&node, "zones/hosts", "www A 192.0.2.2\nbad line here\n");
    eventually_faults(&mut node, &["hosts:2 "]);
    node.eventually_answers("www.one.test", "A", &["192.0.2.1"]);
    replace(&node, "zones/hosts", "www A 192.0.2.2\n");
    node.eventually_answers("www.one.test", "A", &["192.0.2.2"]);
    assert_eq!(node.records_source()["fault_count"], 0);
}
