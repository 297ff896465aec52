//! Claims about one owner of settings and its file.

use super::{in_force::InForce, *};
use crate::store::{Opening, Store};
use serde_json::json;
use std::fs;
use tempfile::TempDir;

/// Settings over a file of its own.
struct Fixture {
    settings: InForce,
    updates: Updates,
    path: PathBuf,
    store: Store,
    _folder: TempDir,
}

const FILE: &str = "{\n  \"//\": \"kept\",\n  \"dns_port\": \"5301\",\n  \"x_ours\": {\"a\" : [1,2]},\n  \"stats_dashboard_enabled\": false,\n  \"cluster_peers\": [\"192.0.2.1:7946\"],\n  \"api\": true\n}\n";

impl Fixture {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dnsplane.json");
        fs::write(&path, text).unwrap();
        let opening = Opening {
            folder: folder.path().join("store"),
            records_file: folder.path().join("dnsrecords.json"),
            pretty: false,
            seed: Default::default(),
        };
        let (store, _) = Store::open(opening, CancellationToken::new()).unwrap();
        let here = Surroundings { root: true, ..Surroundings::default() };
        let loaded = Config::load_in(&path, &here).unwrap();
        let (settings, updates) = InForce::new(&path, loaded, here, store.clone());
        Self { settings, updates, path, store, _folder: folder }
    }

    fn file(&self) -> String {
        fs::read_to_string(&self.path).unwrap()
    }

    fn set(&mut self, key: &str, text: &str) -> String {
        self.settings.set(key, text).unwrap_or_else(|error| panic!("{key} {text}: {error}")).join("\n")
    }

    fn refused(&mut self, key: &str, text: &str) -> String {
        self.settings.set(key, text).unwrap_err().to_string()
    }

    fn value(&self, key: &str) -> Value {
        let shown = self.settings.shown().unwrap();
        shown.settings.into_iter().find(|(known, _)| *known == key).unwrap().1
    }

    fn unsaved(&self) -> Vec<&'static str> {
        self.settings.shown().unwrap().unsaved
    }

    fn change(&mut self, key: &'static str, value: Value) -> Result<Vec<String>, SettingsError> {
        self.settings.change(|_| Ok(vec![(Setting::named(key).unwrap(), Some(value))])).map(|(_, messages)| messages)
    }
}

#[tokio::test]
async fn what_is_set_is_in_force_at_once_and_in_the_file_when_saved() {
    let mut node = Fixture::new(FILE);
    let said = node.set("cluster_replica_only", "true");
    assert!(said.starts_with("`cluster_replica_only` is true now\nit is not in "), "{said}");
    assert!(node.updates.cluster.borrow().replica_only);
    node.set("port", "5302");
    assert_eq!(node.updates.answering.borrow().listen[0].port(), 5302);
    assert_eq!((node.file().as_str(), node.unsaved()), (FILE, vec!["cluster_replica_only", "port"]));
    assert_eq!((node.value("port"), node.value("stats_dashboard_enabled")), (json!("5302"), json!(false)));

    node.settings.save().unwrap();
    let wanted = FILE.replace("5301", "5302").replace(
        "\"cluster_peers\": [\"192.0.2.1:7946\"],",
        "\"cluster_peers\": [\"192.0.2.1:7946\"],\n  \"cluster_replica_only\": true,",
    );
    assert_eq!((node.file(), node.unsaved()), (wanted, vec![]));
    assert!(node.settings.save().unwrap()[0].starts_with("nothing to save"));
}

#[tokio::test]
async fn what_does_not_do_is_refused_with_the_sentence_of_a_check() {
    let mut node = Fixture::new(FILE);
    for (key, text, sentence) in [
        // The file has it under its old name.
        ("port", "http", "`dns_port` is `http`, which is no port (0 to 65535)"),
        ("api", "yes", "`api` must be true or false, not \"yes\""),
        ("cluster_peers", "[1]", "`cluster_peers[0]` must be text in quotes: write \"1\", not 1"),
        ("cluster_sync_interval_seconds", "5.0", "must be a whole number"),
        ("cluster_peer", "x", "unknown key `cluster_peer`; did you mean `cluster_peers`?"),
        ("api_bind", "0.0.0.0", "`api_bind` opens the API on 0.0.0.0 to everybody who can reach it"),
    ] {
        let said = node.refused(key, text);
        assert!(said.contains(sentence), "{key} {text}: {said}");
    }
    assert_eq!((node.file().as_str(), node.unsaved()), (FILE, vec![]));
}

#[tokio::test]
async fn doors_that_are_bound_at_start_are_named_and_the_value_is_kept_for_then() {
    let mut node = Fixture::new(FILE);
    for (key, text) in [
        ("feed_socket", "other.sock"),
        ("apiport", "1"),
        ("log.log_severity", "debug"),
        ("file_locations.records_source.location", "r.json"),
    ] {
        let said = node.set(key, text);
        assert!(said.contains(&format!("`{key}` takes effect at the next start")), "{said}");
    }
    assert_eq!(
        node.settings.shown().unwrap().at_next_start,
        ["feed_socket", "api", "api_bind", "apiport", "file_locations.records_source.location", "log.log_severity"]
    );
    let back = node.set("feed_socket", "feed.sock");
    assert!(!back.contains("next start") && !back.contains("not in"), "{back}");
    assert!(!node.unsaved().contains(&"feed_socket"), "it is what the file says again");
    assert!(node.set("axfr_enabled", "true").contains("warning: `axfr_enabled` is accepted and not used yet"));
}

#[tokio::test]
async fn a_source_that_may_only_be_read_refuses_writes_at_once() {
    let mut node = Fixture::new("{\"file_locations\": {\"dnsrecords\": \"mine.json\"}}");
    node.set("file_locations.records_source.read_only", "true");
    assert!(
        node.store.read_only().is_some_and(|reason| reason.contains("mine.json alone")),
        "{:?}",
        node.store.read_only()
    );
    node.settings.load().unwrap();
    assert_eq!(node.store.read_only(), None);
}

#[tokio::test]
async fn loading_takes_the_file_and_drops_what_was_not_saved() {
    let mut node = Fixture::new(FILE);
    node.set("cluster_replica_only", "true");
    fs::write(&node.path, FILE.replace("5301", "5303")).unwrap();
    let said = node.settings.load().unwrap().join("\n");
    assert!(said.contains("what was set and not saved is gone: `cluster_replica_only`"), "{said}");
    assert!(!node.updates.cluster.borrow().replica_only);
    assert_eq!(node.updates.answering.borrow().listen[0].port(), 5303);

    fs::write(&node.path, "{\"port\": 53}").unwrap();
    assert!(
        node.settings.load().unwrap_err().to_string().contains("dnsplane.json:1:10: `port` must be text in quotes")
    );
    assert_eq!(node.updates.answering.borrow().listen[0].port(), 5303);
}

#[tokio::test]
async fn an_edit_by_hand_is_kept_by_a_save_and_takes_effect_when_loaded() {
    let mut node = Fixture::new(FILE);
    node.set("cluster_replica_only", "true");
    let edited = FILE.replace("5301", "5304");
    fs::write(&node.path, &edited).unwrap();
    let said = node.settings.save().unwrap().join("\n");
    assert!(said.contains("had been edited since it was read"), "{said}");
    assert!(node.file().contains("5304") && node.file().contains("\"cluster_replica_only\": true"));
    assert_eq!(node.updates.answering.borrow().listen[0].port(), 5301);
    let said = node.change("cluster_admin", json!(true)).unwrap().join("\n");
    assert!(said.contains("had been edited since it was read"), "still: {said}");
    node.settings.load().unwrap();
    assert_eq!(node.updates.answering.borrow().listen[0].port(), 5304);
    assert!(node.updates.cluster.borrow().admin && node.updates.cluster.borrow().replica_only);

    node.set("cluster_replica_only", "false");
    fs::write(&node.path, "{\"port\": ").unwrap();
    let said = node.settings.save().unwrap_err().to_string();
    assert!(said.contains("it was left as it is") && node.file() == "{\"port\": ", "{said}");
    fs::remove_file(&node.path).unwrap();
    assert!(node.settings.save().unwrap_err().to_string().contains("cannot read configuration"));
}

#[tokio::test]
async fn a_change_is_in_force_and_saved_and_leaves_other_unsaved_settings_alone() {
    let mut node = Fixture::new(FILE);
    node.set("port", "5305");
    node.set("cluster_peers", "192.0.2.9");
    node.change("cluster_peers", json!([])).unwrap();
    assert_eq!(node.unsaved(), ["port"]);
    assert!(node.updates.cluster.borrow().peers.is_empty());
    assert_eq!(node.file(), FILE.replace("[\"192.0.2.1:7946\"]", "[]"));
    assert_eq!(node.updates.answering.borrow().listen[0].port(), 5305);

    let refused = node.change("cluster_sync_interval_seconds", json!(-1)).unwrap_err().to_string();
    assert_eq!(refused, "`cluster_sync_interval_seconds` is -1; write 0 for none, or a number of seconds");
    assert_eq!(node.file(), FILE.replace("[\"192.0.2.1:7946\"]", "[]"));
    assert_eq!(node.updates.cluster.borrow().sync_interval, None);
}

#[tokio::test]
async fn a_change_that_cannot_be_saved_is_not_put_in_force() {
    let mut node = Fixture::new(FILE);
    fs::remove_file(&node.path).unwrap();
    fs::create_dir(&node.path).unwrap();
    assert!(node.change("cluster_replica_only", json!(true)).is_err());
    assert!(!node.updates.cluster.borrow().replica_only);
}

#[tokio::test]
async fn a_token_that_guards_an_open_door_goes_only_with_the_door() {
    let open = "{\"api\": true, \"api_bind\": \"0.0.0.0\", \"api_auth_token\": \"s3cret\"}";
    for steps in [
        &[("api", "false")][..],
        &[("api_bind", ""), ("api_auth_token", "")],
        &[("api_allow_unauthenticated", "true"), ("api_auth_token", "")],
    ] {
        let mut node = Fixture::new(open);
        for (key, text) in steps {
            let said = node.set(key, text);
            assert!(!said.contains("s3cret"), "{said}");
        }
        assert!(node.updates.token.borrow().as_ref().is_some_and(|token| token.matches("s3cret")), "{steps:?}");
        assert!(!node.settings.shown().unwrap().at_next_start.is_empty(), "{steps:?}");
    }
    let mut node = Fixture::new("{\"api\": true, \"api_auth_token\": \"s3cret\"}");
    node.set("api_auth_token", "other");
    assert!(node.updates.token.borrow().as_ref().is_some_and(|token| token.matches("other")));
    node.set("api_auth_token", "");
    assert_eq!(*node.updates.token.borrow(), None, "loopback alone needs none");
}

#[tokio::test]
async fn nobody_is_shown_a_secret() {
    let mut node = Fixture::new("{\"cluster_auth_token\": \"s3cret-1\", \"api_auth_token\": \"\"}");
    let mut said = node.set("cluster_admin_token", "s3cret-2");
    said += &node.set("cluster_auth_token", "\"s3cret-3\"");
    said += &node.settings.save().unwrap().join("\n");
    said += &node.refused("cluster_listen_addr", "x");
    said += &serde_json::to_string(&node.settings.shown().unwrap()).unwrap();
    fs::write(&node.path, "{\n\"cluster_auth_token\":\n\n[\"s3cret-4\"]}").unwrap();
    said += &node.settings.load().unwrap_err().to_string();
    said += &node.settings.save().err().map(|error| error.to_string()).unwrap_or_default();
    fs::write(&node.path, "{\n\"cluster_auth_token\":\n\"s3cret-4").unwrap();
    said += &node.settings.load().unwrap_err().to_string();
    assert!(!said.contains("s3cret"), "{said}");
    assert_eq!(node.value("cluster_auth_token"), json!("(secret)"));
    assert_eq!(node.value("api_auth_token"), json!("(none)"));
}

#[test]
fn a_peer_may_not_shut_everybody_out() {
    let empty = cluster::SharedSettings { token: Some(Secret::new(" ")), ..Default::default() };
    assert!(changes(empty).unwrap_err().contains("an empty cluster_auth_token"));
    assert!(changes(cluster::SharedSettings::default()).is_ok_and(|changes| changes.is_empty()));
}
