//! Git repositories.

use crate::{LOOK_LIMIT, eventually_says, look, look_fails, plan, records, start_again};
use dnsplane_tests::{Document, GitServer, Node, Record, Repository, eventually};
use serde_json::{Value, json};
use std::{fs, net::TcpListener, os::unix::fs::symlink};

fn document(address: &str) -> String {
    Document::of(&records(address)).body
}

/// A repository with a document in it.
fn repository() -> Repository {
    let repository = Repository::new();
    repository.commit("dnsrecords.json", &document("192.0.2.7"));
    repository
}

fn node(location: &str, more: &Value) -> Node {
    let mut source = json!({"type": "git", "location": location});
    let keys = more.as_object().cloned().unwrap_or_default();
    source.as_object_mut().expect("an object").extend(keys);
    plan("a", source).start()
}

#[test]
fn each_commit_that_changes_records_is_one_change() {
    let repository = repository();
    let mut node = node(&repository.url(), &Value::Null);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    let before = node.generation();
    let commit = repository.commit("README", "about\n");
    node.eventually("the commit is seen", |node| {
        let source = node.records_source();
        let version = source["version"].as_str().unwrap_or_default();
        if version.contains(&commit[..10]) && version.contains("change README") {
            Ok(())
        } else {
            Err(source.to_string())
        }
    });
    assert_eq!(node.generation(), before);
    repository.commit("dnsrecords.json", &document("192.0.2.8"));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
    assert_eq!(node.generation(), before + 1);
    let reply = node.request("POST", "/dns/records", Some(&Record::a("new.dns.test", "192.0.2.1").to_json()));
    assert!(reply.status == 403 && reply.body.contains("Git repository"), "{reply:?}");
}

#[test]
fn whatever_happens_to_a_repository_the_last_good_commit_is_served() {
    let repository = repository();
    let mut node = node(&repository.url(), &json!({"branch": "main"}));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);

    repository.commit("dnsrecords.json", "{\"records\": [\n{]}");
    look_fails(&node, "dnsrecords.json` of commit ");
    look_fails(&node, "line 2, column 2");
    repository.commit("dnsrecords.json", "<html>");
    look_fails(&node, "line 1, column 1");
    repository.git(&["rm", "--quiet", "dnsrecords.json"]);
    repository.commit_all("remove it");
    look_fails(&node, "holds no `dnsrecords.json`");
    symlink("/etc/passwd", repository.work().join("dnsrecords.json")).expect("a link");
    repository.commit_all("link it");
    look_fails(&node, "is a link");
    fs::remove_file(repository.work().join("dnsrecords.json")).expect("it is there");
    repository.bare(&["update-ref", "-d", "refs/heads/main"]);
    look_fails(&node, "there is no branch `main` in it");
    let (path, away) = (repository.path(), repository.root().join("away"));
    fs::rename(&path, &away).expect("it can be moved");
    look_fails(&node, "does not appear to be a git repository");
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    assert_eq!(node.records().len(), 50);

    fs::rename(&away, &path).expect("it can be moved back");
    repository.commit("dnsrecords.json", &document("192.0.2.8"));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
    assert_eq!(node.records_source()["problem"], "");
}

#[test]
fn a_repository_without_commits_is_read_as_soon_as_it_has_one() {
    let repository = Repository::empty();
    let mut node = plan("a", json!({"type": "git", "location": repository.url()})).prepare();
    node.start_control();
    node.start_data();
    node.wait_healthy();
    eventually_says(&mut node, "it has no commit on the branch that is checked out there");
    repository.commit("dnsrecords.json", &document("192.0.2.7"));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    let version = node.records_source()["version"].to_string();
    assert!(version.contains("change dnsrecords.json"), "{version}");
}

#[test]
fn a_branch_that_was_rewritten_is_followed() {
    let repository = repository();
    let mut node = node(&repository.url(), &Value::Null);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    repository.git(&["checkout", "--quiet", "--orphan", "other"]);
    repository.commit("dnsrecords.json", &document("192.0.2.8"));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
    repository.git(&["commit", "--quiet", "--amend", "-m", "amended"]);
    repository.commit("dnsrecords.json", &document("192.0.2.9"));
    repository.git(&["reset", "--quiet", "--hard", "HEAD~1"]);
    repository.push("main");
    look(&node);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
}

#[test]
fn over_http_a_login_goes_to_the_server_alone_and_nothing_is_sent_while_nothing_changes() {
    let repository = repository();
    let server = GitServer::start_for(repository.root(), "Basic bWU6czNjcmV0");
    let mut node = node(&server.url("me:s3cret", "dns.git"), &Value::Null);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    let (requests, transfers) = (server.requests(), server.transfers());
    assert_eq!(transfers, 1);
    eventually("the server is asked again", LOOK_LIMIT, || {
        assert_eq!(of("s3cret"), 0, "a password on a command line is no secret");
        if server.requests() > requests + 6 { Ok(()) } else { Err(server.requests().to_string()) }
    });
    assert_eq!(server.transfers(), transfers);
    repository.commit("dnsrecords.json", &document("192.0.2.8"));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
    assert_eq!(server.transfers(), transfers + 1);
    drop(server);
    look_fails(&node, "unable to access");
    let kept = fs::read_dir(node.path("store")).expect("a folder").flatten().map(|entry| entry.path());
    let kept = kept.filter(|path| path.is_file()).filter_map(|path| fs::read(path).ok());
    let kept: Vec<_> = kept.map(|octets| String::from_utf8_lossy(&octets).into_owned()).collect();
    for said in kept.into_iter().chain([node.server_status().to_string(), node.control().said()]) {
        assert!(!said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_server_that_wants_another_login_is_told_and_nobody_is_asked() {
    let repository = repository();
    let server = GitServer::start_for(repository.root(), "Basic bm90aGluZw==");
    let mut node = plan("a", json!({"type": "git", "location": server.url("me:s3cret", "dns.git")})).prepare();
    node.start_control();
    node.wait_healthy();
    let said = eventually_says(&mut node, "Authentication failed");
    assert!(!said.to_string().contains("s3cret"), "{said}");
}

#[test]
fn a_web_server_that_knows_nothing_of_git_will_do() {
    let repository = repository();
    repository.bare(&["update-server-info"]);
    let server = GitServer::start_dumb(repository.root());
    let mut node = node(&server.url("", "dns.git"), &Value::Null);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    repository.commit("dnsrecords.json", &document("192.0.2.8"));
    repository.bare(&["update-server-info"]);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
}

#[test]
fn a_server_that_says_nothing_is_given_up_and_no_process_is_left() {
    let repository = repository();
    let server = GitServer::start(repository.root());
    let url = server.url("", "dns.git");
    let mut node = node(&url, &Value::Null);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    server.be_silent(true);
    eventually("the look is given up", LOOK_LIMIT, || {
        let source = node.records_source();
        let problem = source["problem"].as_str().unwrap_or_default();
        if problem.contains("cannot read the Git repository") { Ok(()) } else { Err(source.to_string()) }
    });
    server.be_silent(false);
    repository.commit("dnsrecords.json", &document("192.0.2.8"));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
    server.be_silent(true);
    eventually("a look is under way", LOOK_LIMIT, || if of(&url) > 0 { Ok(()) } else { Err(String::new()) });
    node.control().terminate(LOOK_LIMIT).expect("it stops");
    eventually("nothing is left", LOOK_LIMIT, || if of(&url) == 0 { Ok(()) } else { Err(of(&url).to_string()) });
}

/// Processes on whose command line this stands.
fn of(words: &str) -> usize {
    let processes = fs::read_dir("/proc").expect("there is /proc").flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.filter(|line| String::from_utf8_lossy(line).contains(words)).count()
}

#[test]
fn a_damaged_copy_is_made_anew() {
    let repository = repository();
    let mut node = node(&repository.url(), &Value::Null);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    let copy = node.path("store/source.git");
    for (address, damage) in
        [("192.0.2.8", "packs"), ("192.0.2.9", "lock"), ("192.0.2.10", "all"), ("192.0.2.11", "many")]
    {
        match damage {
            "packs" => {
                for entry in fs::read_dir(copy.join("objects/pack")).expect("packs").flatten() {
                    fs::remove_file(entry.path()).expect("a pack can be removed");
                    fs::write(entry.path(), "nonsense").expect("a pack can be written");
                }
            }
            "many" => (0..60).for_each(|number| {
                fs::write(copy.join(format!("objects/pack/{number}.pack")), "").expect("a pack can be written");
            }),
            "lock" => fs::write(copy.join("shallow.lock"), "").expect("a lock can be left"),
            _ => fs::remove_dir_all(&copy).and_then(|()| fs::write(&copy, "a file")).expect("it can be replaced"),
        }
        repository.commit("dnsrecords.json", &document(address));
        node.eventually_answers("www.dns.test", "A", &[address]);
    }
    let packs = fs::read_dir(copy.join("objects/pack")).expect("packs").count();
    assert!(packs < 10, "a copy of many packs is made anew: {packs}");
}

#[test]
fn no_look_takes_longer_than_a_minute() {
    // Takes connections and says nothing.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("git://{}/dns.git", listener.local_addr().expect("a bound socket has an address"));
    let mut node = plan("a", json!({"type": "git", "location": url})).prepare();
    node.start_control();
    node.wait_healthy();
    eventually("the look is given up", LOOK_LIMIT, || {
        let source = node.records_source();
        let given_up = source["problem"].as_str().is_some_and(|problem| problem.contains("it takes longer than 60 s"));
        if given_up { Ok(()) } else { Err(source.to_string()) }
    });
}

#[test]
fn a_node_that_starts_while_the_repository_is_gone_answers_from_what_it_read_before() {
    let repository = repository();
    let mut node = node(&repository.url(), &Value::Null);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    let (path, away) = (repository.path(), repository.root().join("away"));
    fs::rename(&path, &away).expect("it can be moved");
    start_again(&mut node);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    let said = eventually_says(&mut node, "ago is served");
    assert!(said["age_seconds"].is_u64(), "{said}");
    fs::rename(&away, &path).expect("it can be moved back");
    repository.commit("dnsrecords.json", &document("192.0.2.8"));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
}

#[test]
fn another_branch_in_the_configuration_is_another_source() {
    let repository = repository();
    repository.git(&["checkout", "--quiet", "-b", "live"]);
    fs::write(repository.work().join("dnsrecords.json"), document("192.0.2.8")).expect("it can be written");
    repository.git(&["commit", "--quiet", "--all", "-m", "live"]);
    repository.push("live");
    let mut node = node(&repository.url(), &Value::Null);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    let mut source = node.config()["file_locations"].clone();
    source["records_source"]["branch"] = json!("live");
    node.configure(&json!({"file_locations": source}));
    start_again(&mut node);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
}

const ZONE: &str = "$TTL 300\n@ SOA ns.dns.test. root.dns.test. 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n";

#[test]
fn a_folder_is_read_as_zone_files_and_each_keeps_its_last_good_version() {
    let repository = Repository::new();
    repository.commit("zones/dns.test.db", &format!("{ZONE}www A 192.0.2.7\n$INCLUDE hosts/more\n"));
    repository.commit("zones/hosts/more", "more A 192.0.2.11\n");
    repository.commit("zones/other.test.db", &format!("$ORIGIN other.test.\n{ZONE}www A 192.0.2.17\n"));
    let mut node = node(&repository.url(), &json!({"path": "zones"}));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    node.eventually_answers("more.dns.test", "A", &["192.0.2.11"]);
    let before = node.generation();

    repository.commit("zones/dns.test.db", &format!("{ZONE}www A 192.0.2.8\n"));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
    node.eventually_answers("more.dns.test", "A", &[]);
    assert_eq!(node.generation(), before + 1);

    fs::write(repository.work().join("zones/other.test.db"), format!("$ORIGIN other.test.\n{ZONE}www A 192.0.2.18\n"))
        .expect("it can be written");
    symlink("/etc/hosts", repository.work().join("zones/link.test.db")).expect("a link");
    repository.commit("zones/dns.test.db", &format!("{ZONE}www A 192.0.2.9\nbad A nonsense\n"));
    node.eventually_answers("www.other.test", "A", &["192.0.2.18"]);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
    let said = node.records_source();
    let faults = said["faults"].to_string();
    assert!(
        faults.contains("\"line\":6") && faults.contains("dns.test.db") && faults.contains("symbolic link"),
        "{said}"
    );
    assert_eq!(said["problem"], "", "{said}");
    start_again(&mut node);
    node.eventually_answers("www.dns.test", "A", &["192.0.2.8"]);
    node.eventually("the faults are told again", |node| {
        let said = node.records_source();
        if said["faults"].to_string().contains("\"line\":6") { Ok(()) } else { Err(said.to_string()) }
    });

    fs::remove_file(repository.work().join("zones/link.test.db")).expect("it is there");
    repository.commit("zones/dns.test.db", &format!("{ZONE}www A 192.0.2.10\n"));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.10"]);
    assert_eq!(node.records_source()["fault_count"], 0);
}

#[test]
fn names_that_lead_out_of_a_folder_lead_nowhere() {
    let repository = Repository::new();
    repository.commit("dns.test.db", &format!("{ZONE}www A 192.0.2.7\n"));
    let good = repository.git(&["rev-parse", "HEAD:dns.test.db"]);
    // What no Git would make, but for somebody who wants to.
    let blob = repository.git_with(&["hash-object", "-w", "--stdin"], &format!("{ZONE}evil A 192.0.2.66\n"));
    let above = repository.git_with(&["mktree"], &format!("100644 blob {}\tevil.test.db\n", blob.trim()));
    let entries = format!("040000 tree {}\t..\n100644 blob {}\tdns.test.db\n", above.trim(), good.trim());
    let tree = repository.git_with(&["mktree"], &entries);
    let commit = repository.git_with(&["commit-tree", "-m", "evil", tree.trim()], "");
    let bare = repository.path().display().to_string();
    repository.git(&["push", "--quiet", "--force", &bare, &format!("{}:refs/heads/main", commit.trim())]);

    let mut node = node(&repository.url(), &json!({"path": "."}));
    node.eventually_answers("www.dns.test", "A", &["192.0.2.7"]);
    let said = node.records_source();
    assert!(said["faults"].to_string().contains("../evil.test.db"), "{said}");
    let files = fs::read_dir(node.path("store/source.files")).expect("the files of a commit").flatten();
    assert_eq!(files.count(), 1, "nothing beside the folder");
    assert_eq!(node.records().len(), 4);
}
