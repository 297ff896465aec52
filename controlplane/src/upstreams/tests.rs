//! Claims about the list of servers and its file: one owner, hand edits, edits, settings.

use super::{book::Book, *};
use crate::config::Probing;
use bytes::Bytes;
use dnsplane_proto::{Name, Probes, Server, Way};
use serde_json::{Value, json};
use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, time::Duration};
use tempfile::TempDir;

/// A list over a file of its own.
struct Fixture {
    book: Book,
    path: PathBuf,
    _folder: TempDir,
}

const FILE: &str = r#"{"dnsservers":[{"address":"192.0.2.1","port":"53","active":true,"x_ours":{"b":1,"a":2},"local_resolver":false,"adblocker":false,"last_used":"2026-05-04T09:30:00Z","last_success":"2026-05-04T09:30:01Z"},"what is this",{"address":"192.0.2.2","port":"x","active":true},{"address":"192.0.2.1","port":"5353","active":false}],"x_beside":[1, 2]}"#;

fn forwarding(servers: PathBuf) -> Arc<Forwarding> {
    let probes = Probes { every: Duration::from_secs(30), failures: 3, name: Name::parse("google.com").unwrap() };
    let probing = Probing { enabled: false, probes };
    Arc::new(Forwarding {
        servers,
        last_resort: None,
        roots: Bytes::new(),
        probing,
        pretty: false,
        own: vec!["127.0.0.1:53".parse().unwrap()],
    })
}

impl Fixture {
    fn new(text: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dnsservers.json");
        if let Some(text) = text {
            fs::write(&path, text).unwrap();
        }
        let book = Book::open(forwarding(path.clone())).unwrap();
        Self { book, path, _folder: folder }
    }

    fn file(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    /// Names of what data planes are told to ask.
    fn told(&self) -> Vec<String> {
        self.book.watch().borrow().upstreams.iter().map(|upstream| upstream.server.name.clone()).collect()
    }

    fn add(&mut self, fields: Value) -> Result<Vec<String>, String> {
        self.edit(Edit::Add(patch(&fields)))
    }

    fn update(&mut self, address: &str, port: Option<&str>, fields: Value) -> Result<Vec<String>, String> {
        self.edit(Edit::Update(selection(address, port), patch(&fields)))
    }

    fn remove(&mut self, address: &str, port: Option<&str>) -> Result<Vec<String>, String> {
        self.edit(Edit::Remove(selection(address, port)))
    }

    fn edit(&mut self, edit: Edit) -> Result<Vec<String>, String> {
        self.book.edit(edit).map(|edited| edited.messages).map_err(|error| error.to_string())
    }
}

fn patch(fields: &Value) -> Patch {
    Patch::from_json(fields.as_object().unwrap()).unwrap().0
}

fn selection(address: &str, port: Option<&str>) -> Selection {
    Selection { address: address.to_owned(), port: port.map(str::to_owned), transport: None }
}

#[test]
fn a_row_that_does_not_do_is_named_not_asked_and_kept() {
    let mut node = Fixture::new(Some(FILE));
    assert_eq!(node.told(), ["192.0.2.1:53"]);
    let problems = node.book.problems();
    let path = node.path.display();
    let said = [
        format!("servers file `{path}`, server 2 (what is no server): it is no object in braces; it is not asked"),
        format!(
            "servers file `{path}`, server 3 (192.0.2.2:x): `port` is `x`, which is no port (1 to 65535); it is not asked"
        ),
    ];
    assert_eq!(problems, said);
    node.add(json!({"address": "192.0.2.9"})).unwrap();
    let added = r#",{"address":"192.0.2.9","port":"53","active":true,"local_resolver":true,"adblocker":false,"last_used":"0001-01-01T00:00:00Z","last_success":"0001-01-01T00:00:00Z"}],"x_beside""#;
    assert_eq!(node.file().trim_end(), FILE.replace("],\"x_beside\"", added));
    assert_eq!(node.told(), ["192.0.2.1:53", "192.0.2.9:53"]);
}

#[test]
fn a_file_that_is_not_there_is_written_by_the_first_change_for_its_owner_alone() {
    let mut node = Fixture::new(None);
    assert!(node.told().is_empty() && !node.path.exists() && node.book.problems().is_empty());
    node.add(json!({"address": "192.0.2.1", "transport": "dot", "tls_name": "dns.example"})).unwrap();
    let row = r#"{"address":"192.0.2.1","port":"853","transport":"dot","active":true,"local_resolver":true,"adblocker":false,"tls_name":"dns.example","last_used":"0001-01-01T00:00:00Z","last_success":"0001-01-01T00:00:00Z"}"#;
    assert_eq!(node.file().trim_end(), format!("{{\"dnsservers\":[{row}]}}"));
    assert_eq!(fs::metadata(&node.path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(node.path.parent().unwrap()).unwrap().count(), 1, "nothing is left aside");
    let again = Book::open(forwarding(node.path.clone())).unwrap();
    assert_eq!(again.watch().borrow().upstreams, node.book.watch().borrow().upstreams);
}

#[test]
fn only_what_is_given_changes_and_nothing_takes_away() {
    let row = |text: &str| format!("{{\"dnsservers\":[{text}]}}");
    let whole = r#"{"address":"192.0.2.1","port":"5353","active":true,"domain_whitelist":["corp.test"],"fallback_address":"192.0.2.3","fallback_port":"53","x":1}"#;
    for (change, wanted) in [
        (json!({"active": false}), whole.replace("true", "false")),
        (json!({"domain_whitelist": []}), whole.replace(r#""domain_whitelist":["corp.test"],"#, "")),
        (
            json!({"fallback_address": "", "fallback_port": ""}),
            whole.replace(r#","fallback_address":"192.0.2.3","fallback_port":"53""#, ""),
        ),
        (json!({"port": ""}), whole.replace("5353", "53")),
        (json!({"port": 54}), whole.replace("5353", "54")),
        (json!({"address": "192.0.2.7"}), whole.replace("192.0.2.1", "192.0.2.7")),
        (json!({"transport": "tcp"}), whole.replace(r#","x":1"#, r#","x":1,"transport":"tcp""#)),
        (json!({"active": null, "address": "192.0.2.1"}), whole.to_owned()),
    ] {
        let mut node = Fixture::new(Some(&row(whole)));
        node.update("192.0.2.1", None, change.clone()).unwrap_or_else(|error| panic!("{change}: {error}"));
        assert_eq!(node.file().trim_end(), row(&wanted), "{change}");
    }
}

#[test]
fn rows_of_one_address_are_told_apart_by_port_and_transport() {
    let mut node = Fixture::new(Some(FILE));
    let several =
        "several servers have this address (192.0.2.1:53, 192.0.2.1:5353): say which by its port, or its transport";
    assert_eq!(node.remove("192.0.2.1", None), Err(several.to_owned()));
    assert_eq!(node.update("192.0.2.1", None, json!({"active": false})), Err(several.to_owned()));
    // As scripts for existing nodes send it: the whole row.
    let whole = json!({"address": "192.0.2.1", "port": "5353", "active": true});
    assert_eq!(node.update("192.0.2.1", None, whole), Ok(vec!["192.0.2.1:5353 updated".to_owned()]));
    assert_eq!(node.told(), ["192.0.2.1:53", "192.0.2.1:5353"]);
    let taken = node.update("192.0.2.1", Some("5353"), json!({"port": "53"}));
    assert_eq!(taken, Err("192.0.2.1:53 is there already, in another row".to_owned()));
    assert_eq!(node.remove("192.0.2.1", Some("53")), Ok(vec!["192.0.2.1:53 removed".to_owned()]));
    assert_eq!(node.remove("192.0.2.1", None), Ok(vec!["192.0.2.1:5353 removed".to_owned()]));
    assert_eq!(node.remove("192.0.2.1", None), Err("there is no server `192.0.2.1`".to_owned()));
    assert_eq!(node.remove("192.0.2.2", None), Ok(vec!["192.0.2.2:x removed".to_owned()]), "also one that does not do");
    assert_eq!(node.edit(Edit::Clear), Ok(vec!["1 server removed".to_owned()]));
    assert_eq!(node.file().trim_end(), r#"{"dnsservers":[],"x_beside":[1, 2]}"#);
}

#[test]
fn addresses_match_in_every_spelling() {
    for (written, asked) in [("2001:db8::1", "[2001:DB8:0::1]"), ("https://192.0.2.1/Q", "HTTPS://192.0.2.1/Q")] {
        let mut node = Fixture::new(None);
        node.add(json!({"address": written})).unwrap();
        node.remove(asked, None).unwrap_or_else(|error| panic!("{asked}: {error}"));
        assert!(node.told().is_empty());
    }
}

#[test]
fn what_does_not_do_is_refused_and_changes_nothing() {
    let mut node = Fixture::new(Some(FILE));
    for (fields, sentence) in [
        (json!({}), "`address` is missing"),
        (json!({"address": "dns.example"}), "`address` is `dns.example`, which is not an IP address"),
        (json!({"address": "192.0.2.9", "transport": "tls"}), "`transport` is `tls`; write udp, tcp, dot, doh or doq"),
        (json!({"address": "192.0.2.9", "doh_url": "https://"}), "`doh_url` is `https://`"),
        (json!({"address": "192.0.2.9", "domain_whitelist": ["a..b"]}), "names `a..b`, which is no domain"),
        (json!({"address": "192.0.2.9", "fallback_address": "x"}), "`fallback_address` is `x`"),
        (
            json!({"address": "192.0.2.1", "adblocker": true, "domain_whitelist": ["a"]}),
            "192.0.2.1:53 is there already, with other settings",
        ),
    ] {
        let said = node.add(fields.clone()).unwrap_err();
        assert!(said.contains(sentence), "{fields}: {said}");
    }
    assert_eq!(node.add(json!({"address": "192.0.2.1"})), Ok(vec!["192.0.2.1:53 is there already".to_owned()]));
    assert_eq!((node.file().as_str(), node.told()), (FILE, vec!["192.0.2.1:53".to_owned()]));
}

#[test]
fn a_url_means_dns_over_https() {
    let mut node = Fixture::new(None);
    let said = node.add(json!({"address": "192.0.2.1", "doh_url": "https://dns.example/dns-query"})).unwrap();
    let name = "https://dns.example/dns-query at 192.0.2.1:443";
    assert_eq!(said, [format!("{name} added"), "`transport` is doh, because a `doh_url` was given".to_owned()]);
    assert_eq!(node.told(), [name]);
}

#[test]
fn an_edit_by_hand_is_taken_in_and_never_lost() {
    let mut node = Fixture::new(Some(r#"{"dnsservers":[]}"#));
    fs::write(&node.path, r#"{"dnsservers":[{"address":"192.0.2.5","active":true}]}"#).unwrap();
    node.add(json!({"address": "192.0.2.6"})).unwrap();
    assert_eq!(node.told(), ["192.0.2.5:53", "192.0.2.6:53"], "an edit looks first");

    let broken = "{\"dnsservers\":[\n{\"address\":}]}";
    fs::write(&node.path, broken).unwrap();
    node.book.look();
    assert_eq!(node.told(), ["192.0.2.5:53", "192.0.2.6:53"]);
    assert!(node.book.problems()[0].contains("line 2 column 12"), "{:?}", node.book.problems());
    assert!(node.add(json!({"address": "192.0.2.7"})).unwrap_err().contains("line 2 column 12"));
    assert_eq!(node.file(), broken, "what cannot be read is not written over");
    assert!(Book::open(forwarding(node.path.clone())).is_err(), "nor does a node start without its servers");

    fs::write(&node.path, r#"{"dnsservers":[{"address":"192.0.2.8","active":true}]}"#).unwrap();
    node.book.look();
    assert_eq!((node.told(), node.book.problems()), (vec!["192.0.2.8:53".to_owned()], vec![]));
    fs::remove_file(&node.path).unwrap();
    node.book.look();
    assert!(node.told().is_empty());
}

#[test]
fn settings_go_along_with_the_list_and_may_name_another_file() {
    let mut node = Fixture::new(Some(FILE));
    let mut updates = node.book.watch();
    updates.borrow_and_update();
    node.book.settle(forwarding(node.path.clone()));
    assert!(!updates.has_changed().unwrap(), "nothing new wakes nobody");
    let last = Server { name: "192.0.2.99:53".to_owned(), address: "192.0.2.99:53".parse().unwrap(), way: Way::Udp };
    let elsewhere = node.path.with_file_name("other.json");
    let settings = Forwarding {
        last_resort: Some(last.clone()),
        roots: Bytes::from_static(b"PEM"),
        ..(*forwarding(elsewhere.clone())).clone()
    };
    node.book.settle(Arc::new(settings));
    let told = updates.borrow_and_update().clone();
    assert_eq!((told.upstreams.len(), &told.last_resort, &told.roots[..]), (0, &Some(last), &b"PEM"[..]));
    node.add(json!({"address": "192.0.2.1"})).unwrap();
    assert!(elsewhere.exists());
    assert_eq!(node.file(), FILE);
}

#[test]
fn a_node_that_is_told_to_ask_itself_does_not() {
    let mut node = Fixture::new(None);
    let told = node.add(json!({"address": "127.0.0.1"})).unwrap();
    assert!(node.told().is_empty());
    let path = node.path.display();
    let said = format!("servers file `{path}`, server 1 (127.0.0.1:53): it is this node itself; it is not asked");
    assert_eq!(told, ["127.0.0.1:53 added".to_owned(), format!("warning: {said}")]);
    assert_eq!(node.book.problems(), [said]);
    node.add(json!({"address": "127.0.0.1", "port": "5353"})).unwrap();
    assert_eq!(node.told(), ["127.0.0.1:5353"]);
}

#[test]
fn there_is_an_end_to_servers() {
    let rows: Vec<_> =
        (0..300).map(|n| json!({"address": format!("192.0.{}.{}", n / 200, n % 200 + 1), "active": true})).collect();
    let mut node = Fixture::new(Some(&json!({"dnsservers": rows}).to_string()));
    assert_eq!(node.told().len(), 256);
    let problems = node.book.problems();
    assert_eq!(problems.len(), 11, "many complaints are counted");
    assert!(problems[10].ends_with("34 more complaints like these"), "{}", problems[10]);
    assert!(node.add(json!({"address": "198.51.100.1"})).unwrap_err().contains("256 servers already"));
}
