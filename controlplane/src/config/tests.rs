//! Claims about whole files: those of existing nodes, each key's effect, and each complaint's sentence.

use super::*;
use std::{fs, os::unix::fs::PermissionsExt, time::Duration};

/// Loads `text` as a file of a folder of its own.
fn load(text: &str) -> Result<Loaded, ConfigError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dnsplane.json");
    fs::write(&path, text).unwrap();
    let surroundings = Surroundings { root: true, temporary: Some("/scratch".into()), ..Surroundings::default() };
    let mut loaded = Config::load_in(&path, &surroundings)?;
    // So that expectations can be written down.
    for path in [&mut loaded.config.folder, &mut loaded.config.feed_socket, &mut loaded.config.admin_socket] {
        if let Ok(inside) = path.strip_prefix(folder.path()) {
            *path = Path::new("/here").join(inside);
        }
    }
    let RecordsSource::File { path: records, .. } = &mut loaded.config.records else { panic!("a file") };
    if let Ok(inside) = records.strip_prefix(folder.path()) {
        *records = Path::new("/here").join(inside);
    }
    for warning in &mut loaded.warnings {
        *warning = warning.replace(folder.path().to_str().unwrap(), "/here");
    }
    Ok(loaded)
}

fn config(text: &str) -> Config {
    load(text).unwrap_or_else(|error| panic!("{text}: {error}")).config
}

/// The complaint about `text`, without its folder.
fn complaint(text: &str) -> String {
    let complaint = load(text).expect_err(text).to_string();
    let words = complaint.split_inclusive([' ', '\n', '`']);
    words
        .map(|word| {
            word.rfind('/')
                .filter(|_| word.starts_with('/') && word.contains("dnsplane.json"))
                .map_or(word, |at| &word[at + 1..])
        })
        .collect()
}

fn records(path: impl Into<PathBuf>) -> RecordsSource {
    RecordsSource::File { path: path.into(), read_only: false }
}

fn sockets(listen: &[SocketAddr]) -> String {
    listen.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

#[test]
fn an_empty_object_means_the_defaults() {
    let Loaded { config, warnings, .. } = load("{}").unwrap();
    assert_eq!(warnings, [""; 0]);
    assert!(config.unused.is_empty());
    assert_eq!(config.feed_socket, Path::new("/here/feed.sock"));
    assert_eq!(config.admin_socket, Path::new("/scratch/dnsplane.socket"));
    assert_eq!(config.records, records("/here/dnsrecords.json"));
    assert_eq!(sockets(&config.answering.listen), "0.0.0.0:53 [::]:53");
    let answering = &config.answering;
    assert_eq!((answering.max_udp_payload, answering.refuse_any), (1232, false));
    assert!(answering.local_records && answering.missing_type_is_nodata && config.dashboard);
    assert!(!answering.auto_ptr && answering.identity.is_empty());
    assert!(config.api.is_none() && !config.pretty_json);
    assert_eq!(config.log, Severity::Info);
    let cluster = &config.cluster;
    assert!(!(cluster.enabled || cluster.replica_only || cluster.reject_local_writes || cluster.admin));
    assert_eq!((sockets(&cluster.listen).as_str(), cluster.listen_addr.as_str()), ("0.0.0.0:7946 [::]:7946", ":7946"));
    assert!(cluster.peers.is_empty() && cluster.token.is_empty() && cluster.admin_token.is_none());
    assert!(cluster.node_id.is_none() && cluster.advertise.is_none() && cluster.discovery.is_none());
    assert_eq!(
        (cluster.pull_every, cluster.policy, cluster.invalid_records),
        (None, SyncPolicy::LwwPerNode, InvalidRecords::Skip)
    );
}

#[test]
fn null_is_the_same_as_absent() {
    for (prefix, names) in keys::known() {
        let nulls = names.iter().map(|name| format!("\"{name}\": null")).collect::<Vec<_>>().join(", ");
        let object = format!("{{{nulls}}}");
        let text = match prefix {
            "" => object,
            "file_locations.records_source." => format!("{{\"file_locations\": {{\"records_source\": {object}}}}}"),
            other => format!("{{\"{}\": {object}}}", other.trim_end_matches('.')),
        };
        let loaded = load(&text).unwrap();
        assert_eq!((loaded.warnings, loaded.config.unused), (vec![], vec![]), "{text}");
    }
}

#[test]
fn each_key_has_its_effect() {
    let listen = |text| sockets(&config(text).answering.listen);
    assert_eq!(listen(r#"{"port": "5353"}"#), "0.0.0.0:5353 [::]:5353");
    assert_eq!(listen(r#"{"dns_port": "5353", "dns_bind": "127.0.0.1, ::1"}"#), "127.0.0.1:5353 [::1]:5353");
    assert_eq!(listen(r#"{"dns_port": "1", "port": "2", "dns_bind": "127.0.0.1"}"#), "127.0.0.1:2");
    let answering = config(
        r#"{"dns_refuse_any": true, "dns_max_edns_udp_payload": 4096, "local_records_enabled": false, "local_missing_type": "forward"}"#,
    )
    .answering;
    assert_eq!((answering.refuse_any, answering.max_udp_payload), (true, 4096));
    assert!(!answering.local_records && !answering.missing_type_is_nodata);
    let answering =
        config(r#"{"dns_identity": "ns1 é", "DNSRecordSettings": {"Auto_Build_Ptr_From_A": true}}"#).answering;
    assert_eq!((&*answering.identity, answering.auto_ptr), ("ns1 é".as_bytes(), true));

    let api =
        |text| config(text).api.map(|api| (sockets(&api.listen), api.token.map(|token| token.expose().to_owned())));
    assert_eq!(api(r#"{"api": true}"#), Some(("127.0.0.1:8080 [::1]:8080".into(), None)));
    assert_eq!(
        api(r#"{"api_enabled": true, "rest_port": "0", "api_bind": "localhost"}"#),
        Some(("127.0.0.1:0 [::1]:0".into(), None))
    );
    assert_eq!(api(r#"{"api": false, "api_enabled": true, "api_bind": "0.0.0.0"}"#), None);
    assert_eq!(
        api(r#"{"api": true, "apiport": "80", "api_bind": "0.0.0.0", "api_auth_token": " t "}"#),
        Some(("0.0.0.0:80".into(), Some("t".into())))
    );
    assert_eq!(
        api(r#"{"api": true, "api_bind": "::", "api_allow_unauthenticated": true}"#),
        Some(("[::]:8080".into(), None))
    );

    let paths = |text: &str| {
        let config = config(text);
        let RecordsSource::File { path: records, .. } = config.records else { panic!("a file") };
        [config.feed_socket, config.admin_socket, records].map(|path| path.to_str().unwrap().to_owned())
    };
    let of = |records: &str| {
        format!("{{\"feed_socket\": \"unix:f\", \"server_socket\": \"/s\", \"file_locations\": {records}}}")
    };
    for (locations, records) in [
        (r#"{"records_source": {"type": "file", "location": "/r.json"}}"#, "/r.json"),
        (r#"{"records_source": {"Type": "file", "LOCATION": "sub/r.json"}}"#, "/here/sub/r.json"),
        (r#"{"dnsrecords": "old.json"}"#, "/here/old.json"),
        (r#"{"dnsrecords_file": "old.json"}"#, "/here/old.json"),
        (r#"{"dnsrecords": "old.json", "records_source": {"read_only": true}}"#, "/here/old.json"),
        (r#"{"dnsrecords": "old.json", "records_source": {"location": "new.json"}}"#, "/here/new.json"),
    ] {
        assert_eq!(paths(&of(locations)), ["/here/f", "/s", records], "{locations}");
    }
    assert_eq!(config(r#"{"client_socket_path": "s"}"#).admin_socket, Path::new("/here/s"));
    let read_only = config(r#"{"file_locations": {"records_source": {"READ_ONLY": true}}}"#).records;
    assert_eq!(read_only, RecordsSource::File { path: "/here/dnsrecords.json".into(), read_only: true });
    assert!(config(r#"{"pretty_json": true}"#).pretty_json);
    assert!(!config(r#"{"stats_dashboard_enabled": false}"#).dashboard);
    for (text, severity) in
        [("none", Severity::None), ("WARN", Severity::Warn), ("trace", Severity::Trace), ("", Severity::Info)]
    {
        assert_eq!(config(&format!("{{\"log\": {{\"Log_Severity\": \"{text}\"}}}}")).log, severity);
    }
}

#[test]
fn each_cluster_key_has_its_effect() {
    let cluster = config(
        r#"{"cluster_enabled": true, "cluster_listen_addr": "127.0.0.1:7", "cluster_advertise_addr": "a.example:7",
            "cluster_peers": [" b:7 ", "", "c:7", "b:7"], "cluster_auth_token": " s ", "cluster_node_id": "n",
            "cluster_sync_interval_seconds": 60, "cluster_replica_only": true, "cluster_reject_local_writes": true,
            "cluster_admin": true, "cluster_admin_token": "t", "cluster_sync_policy": "Primary_Writer",
            "cluster_allowed_writer_node_ids": ["w", " "], "cluster_invalid_records": "reject",
            "cluster_discovery_srv": "_d._tcp.example", "cluster_discovery_interval_seconds": 0,
            "cluster_discovery_servers": ["192.0.2.1", "[::1]:5353", "::1"]}"#,
    )
    .cluster;
    assert!(cluster.enabled && cluster.replica_only && cluster.reject_local_writes && cluster.admin);
    assert_eq!((sockets(&cluster.listen).as_str(), cluster.listen_addr.as_str()), ("127.0.0.1:7", "127.0.0.1:7"));
    assert_eq!(cluster.advertise.as_deref(), Some("a.example:7"));
    assert_eq!(cluster.peers, ["b:7", "c:7"]);
    assert_eq!((cluster.token.expose(), cluster.node_id.as_deref()), ("s", Some("n")));
    assert_eq!(cluster.pull_every, Some(Duration::from_secs(60)));
    assert!(cluster.admin_token.is_some_and(|token| token.matches("t")));
    assert_eq!((cluster.policy, cluster.allowed_writers), (SyncPolicy::PrimaryWriter, vec!["w".to_owned()]));
    assert_eq!(cluster.invalid_records, InvalidRecords::Reject);
    let discovery = cluster.discovery.unwrap();
    assert_eq!((discovery.srv.as_str(), discovery.every), ("_d._tcp.example", None));
    assert_eq!(sockets(&discovery.servers), "192.0.2.1:53 [::1]:5353 [::1]:53");
    let discovery = config(r#"{"cluster_discovery_srv": "_d._tcp.example"}"#).cluster.discovery.unwrap();
    assert_eq!(discovery.every, Some(Duration::from_secs(60)));
    assert_eq!(config(r#"{"cluster_sync_policy": "GLOBAL_LWW"}"#).cluster.policy, SyncPolicy::GlobalLww);
}

#[test]
fn a_complaint_says_where_what_and_what_to_write() {
    for (text, sentence) in [
        ("", "configuration `dnsplane.json` is empty; write `{}` for all defaults, or delete it to have one created"),
        (
            " \n",
            "configuration `dnsplane.json` is empty; write `{}` for all defaults, or delete it to have one created",
        ),
        ("[]", "dnsplane.json:1:1: `the whole file` must be an object in braces\n  | []\n  | ^"),
        (
            "{\n  \"port\": 53\n}",
            "dnsplane.json:2:11: `port` must be text in quotes: write \"53\", not 53\n  |   \"port\": 53\n  |           ^",
        ),
        (
            "{\"api\": \"TRUE\"}",
            "dnsplane.json:1:9: `api` must be true or false: write true, not \"TRUE\"\n  | {\"api\": \"TRUE\"}\n  |         ^",
        ),
        (
            "{\"api\": \"yes\"}",
            "dnsplane.json:1:9: `api` must be true or false, not \"yes\"\n  | {\"api\": \"yes\"}\n  |         ^",
        ),
        (
            "{\"timeout\": \"2\"}",
            "dnsplane.json:1:13: `timeout` must be a whole number: write 2, not \"2\"\n  | {\"timeout\": \"2\"}\n  |             ^",
        ),
        (
            "{\"timeout\": 2.0}",
            "dnsplane.json:1:13: `timeout` must be a whole number, without a decimal point: write 2, not 2.0\n  | {\"timeout\": 2.0}\n  |             ^",
        ),
        (
            "{\"dns_rrl_slip\": true}",
            "dnsplane.json:1:18: `dns_rrl_slip` must be a number, not true\n  | {\"dns_rrl_slip\": true}\n  |                  ^",
        ),
        (
            "{\"cluster_peers\": \"b:7\"}",
            "dnsplane.json:1:19: `cluster_peers` must be a list in brackets: write [\"b:7\"], not \"b:7\"\n  | {\"cluster_peers\": \"b:7\"}\n  |                   ^",
        ),
        (
            "{\"cluster_peers\": [\"a\", 7]}",
            "dnsplane.json:1:25: `cluster_peers[1]` must be text in quotes: write \"7\", not 7\n  | {\"cluster_peers\": [\"a\", 7]}\n  |                         ^",
        ),
        (
            "{\"log\": \"debug\"}",
            "dnsplane.json:1:9: `log` must be an object in braces, not \"debug\"\n  | {\"log\": \"debug\"}\n  |         ^",
        ),
        (
            "{\"log\": [\"x\"]}",
            "dnsplane.json:1:9: `log` must be an object in braces\n  | {\"log\": [\"x\"]}\n  |         ^",
        ),
        (
            "{\"log\": {\"LOG_DIR\": 1}}",
            "dnsplane.json:1:21: `log.log_dir` must be text in quotes: write \"1\", not 1\n  | {\"log\": {\"LOG_DIR\": 1}}\n  |                     ^",
        ),
        ("{\"cluster_auth_token\": 1234}", "dnsplane.json:1:24: `cluster_auth_token` must be text in quotes"),
        (
            "{\n  \"port\": \"53\"\n  \"api\": true\n}",
            "dnsplane.json:3:3: not valid JSON: expected `,` or `}` (is a comma or a bracket missing before this?)\n  |   \"api\": true\n  |   ^",
        ),
        (
            "{\"port\": \"53\",}",
            "dnsplane.json:1:15: not valid JSON: trailing comma (no comma after the last entry)\n  | {\"port\": \"53\",}\n  |               ^",
        ),
        ("{\"\u{e9}\": x}", "dnsplane.json:1:7: not valid JSON: expected value\n  | {\"\u{e9}\": x}\n  |       ^"),
        (
            "{port: 1}",
            "dnsplane.json:1:2: not valid JSON: key must be a string (keys stand in double quotes; comments are keys that begin with \"//\")\n  | {port: 1}\n  |  ^",
        ),
        (
            "{\"port\": \"http\"}",
            "dnsplane.json:1:10: `port` is `http`, which is no port (0 to 65535)\n  | {\"port\": \"http\"}\n  |          ^",
        ),
        (
            "{\"dns_max_edns_udp_payload\": 511}",
            "dnsplane.json:1:30: `dns_max_edns_udp_payload` is 511; write a number from 512 to 65535, or 0 for 1232\n  | {\"dns_max_edns_udp_payload\": 511}\n  |                              ^",
        ),
        (
            "{\"local_missing_type\": \"x\"}",
            "dnsplane.json:1:24: `local_missing_type` is `x`; write `nodata` or `forward`\n  | {\"local_missing_type\": \"x\"}\n  |                        ^",
        ),
        (
            "{\"dns_bind\": \"eth0\"}",
            "dnsplane.json:1:14: `dns_bind` names `eth0`, which is not an IP address\n  | {\"dns_bind\": \"eth0\"}\n  |              ^",
        ),
        (
            "{\"cluster_sync_interval_seconds\": -1}",
            "dnsplane.json:1:35: `cluster_sync_interval_seconds` is -1; write 0 for none, or a number of seconds\n  | {\"cluster_sync_interval_seconds\": -1}\n  |                                   ^",
        ),
        (
            "{\"feed_socket\": \"/s\",\n\"server_socket\": \"/s\"}",
            "dnsplane.json:1:17: `feed_socket` is the same path as `server_socket`; they are two sockets\n  | {\"feed_socket\": \"/s\",\n  |                 ^",
        ),
    ] {
        assert_eq!(complaint(text), sentence, "{text}");
    }
    let open = complaint("{\"api\": true, \"api_bind\": \"127.0.0.1,0.0.0.0\"}");
    assert!(
        open.contains("`api_bind` opens the API on 0.0.0.0") && open.contains("api_allow_unauthenticated"),
        "{open}"
    );
    for kind in ["url", "git", "bind_dir"] {
        let nowhere = complaint(&format!("{{\"file_locations\": {{\"records_source\": {{\"type\": \"{kind}\"}}}}}}"));
        assert!(nowhere.contains("`file_locations.records_source.location` is missing; write "), "{nowhere}");
    }
    let login = r#"{"file_locations": {"records_source": {"type": "url", "location": "ftp://me:s3cret@dns.test/r"}}}"#;
    let login = complaint(login);
    assert!(login.contains("ftp://***@dns.test/r") && !login.contains("s3cret"), "{login}");
    let long = complaint(&format!("{{\"feed_socket\": \"/{}\"}}", "x".repeat(107)));
    assert!(long.contains("is a path of 108 octets; a socket's path has at most 107"), "{long}");
    for misspelt in ["cluster_auth_tokn", "Cluster_Admin_Toekn", "api_auth_toke"] {
        let said = complaint(&format!("{{\"{misspelt}\": \"s3cret\", \"port\": 1}}"));
        assert!(said.contains("`port` must be text") && !said.contains("s3cret"), "{said}");
    }
    let cut = complaint("{\"cluster_auth_token\": \"s3cret");
    assert!(cut.contains("is a closing brace or quote missing?") && !cut.contains("s3cret"), "{cut}");
}

#[test]
fn every_problem_is_told_at_once_in_the_order_of_the_file() {
    let complaint =
        complaint("{\n\"timeout\": \"x\",\n\"port\": 53,\n\"log\": {\"log_dir\": 1},\n\"cluster_peers\": [1, 2]\n}");
    let places: Vec<&str> = complaint.lines().filter(|line| line.starts_with("dnsplane.json")).collect();
    let starts = [
        "dnsplane.json:2:12: `timeout`",
        "dnsplane.json:3:9: `port`",
        "dnsplane.json:4:20: `log.log_dir`",
        "dnsplane.json:5:19: `cluster_peers[0]`",
    ];
    assert_eq!(places.len(), starts.len(), "{complaint}");
    assert!(places.iter().zip(starts).all(|(place, start)| place.starts_with(start)), "{complaint}");
}

#[test]
fn unreadable_files_are_named_with_the_reason() {
    let error = Config::load(Path::new("/no/such/dnsplane.json")).unwrap_err();
    assert_eq!(error.to_string(), "cannot read configuration `/no/such/dnsplane.json`");
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("No such file or directory"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dnsplane.json");
    fs::write(&path, b"{\"port\": \"\xff\"}").unwrap();
    assert!(
        Config::load(&path).unwrap_err().to_string().ends_with("is not UTF-8 text: octet 10 is the first that is not")
    );
}

#[test]
fn odd_but_usable_files_are_warned_about() {
    for (text, warning) in [
        ("{\n\"prot\": \"53\"}", "/here/dnsplane.json:2: unknown key `prot` has no effect; did you mean `port`?"),
        ("{\"x_key\": {\"a\": [1]}}", "/here/dnsplane.json:1: unknown key `x_key` has no effect"),
        (
            "{\"log\": {\"log_sevrity\": \"info\"}}",
            "/here/dnsplane.json:1: unknown key `log.log_sevrity` has no effect; did you mean `log.log_severity`?",
        ),
        (
            "{\"file_locations\": {\"Cache\": \"x\"}}",
            "/here/dnsplane.json:1: unknown key `file_locations.Cache` has no effect; did you mean `file_locations.cache`?",
        ),
        (
            "{\"file_locations\": {\"records_source\": {\"locatoin\": \"x\"}}}",
            "/here/dnsplane.json:1: unknown key `file_locations.records_source.locatoin` has no effect; did you mean `file_locations.records_source.location`?",
        ),
        (
            "{\"DNSRecordSettings\": {\"auto_ptr\": true}}",
            "/here/dnsplane.json:1: unknown key `DNSRecordSettings.auto_ptr` has no effect",
        ),
        (
            "{\"port\": \"1\",\n\"port\": \"2\"}",
            "/here/dnsplane.json:2: `port` is there a second time; this one counts",
        ),
        (
            "{\"server_tcp\": \"0.0.0.0:8053\"}",
            "`server_tcp` is `0.0.0.0:8053`, which stays off: remote administration without TLS is not built; write \"\"",
        ),
        (
            "{\"cluster_sync_policy\": \"newest\"}",
            "`cluster_sync_policy` is `newest`, which is none of lww_per_node, primary_writer and global_lww: taken as lww_per_node",
        ),
        (
            "{\"log\": {\"log_severity\": \"loud\"}}",
            "`log.log_severity` is `loud`, which is none of none, error, warn, info, debug and trace: taken as info",
        ),
        (
            "{\"cluster_enabled\": true}",
            "`cluster_auth_token` is empty: every peer is refused, and every peer refuses us",
        ),
        (
            "{\"cluster_enabled\": true, \"cluster_auth_token\": \"t\", \"cluster_sync_policy\": \"Primary_Writer\"}",
            "`cluster_allowed_writer_node_ids` is empty: under `primary_writer` nothing that peers send is applied",
        ),
        (
            "{\"cluster_enabled\": true, \"cluster_auth_token\": \"t\", \"cluster_admin\": true}",
            "`cluster_admin` is true and `cluster_admin_token` is empty: no peer lets us change its settings",
        ),
        (
            "{\"cluster_enabled\": true, \"cluster_auth_token\": \"t\", \"cluster_peers\": [\"a\", \"::1\", \"[::1]:7\", \"b:x\"]}",
            "peer `b:x` of `cluster_peers` cannot be dialled: write a host or `host:port`, such as `192.0.2.2:7946` or `[2001:db8::2]:7946`",
        ),
    ] {
        assert_eq!(load(text).unwrap().warnings, [warning], "{text}");
    }
    assert_eq!(config("{\"port\": \"1\", \"port\": \"2\"}").answering.listen[0].port(), 2);
}

#[test]
fn comments_are_accepted_in_silence_and_kept() {
    let text = "{\"//\": \"a\", \"//port\": 1, \"_comment\": [], \"_comment_2\": {}, \"log\": {\"//x\": {\"y\": 1}}}";
    let loaded = load(text).unwrap();
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(loaded.text, text);
}

#[test]
fn keys_without_effect_are_listed_when_they_ask_for_something() {
    let unused = |text| config(text).unused;
    assert_eq!(unused(r#"{"fallback_server_ip": "1.1.1.1", "full_stats": true}"#), ["full_stats"]);
    assert_eq!(unused(r#"{"pprof_enabled": false, "axfr_enabled": true, "full_stats": false}"#), ["axfr_enabled"]);
    assert_eq!(unused(r#"{"fallback_server_ip": ""}"#), [""; 0]);
}

#[test]
fn files_of_existing_nodes_load() {
    for (name, text) in [
        ("admin/after", include_str!("../../../tests/vectors/files/admin/dnsplane.after.json")),
        ("admin/before", include_str!("../../../tests/vectors/files/admin/dnsplane.before.json")),
        ("all-keys/saved-by-node", include_str!("../../../tests/vectors/files/all-keys/dnsplane.saved-by-node.json")),
        (
            "all-keys/written-by-hand",
            include_str!("../../../tests/vectors/files/all-keys/dnsplane.written-by-hand.json"),
        ),
        ("first-run", include_str!("../../../tests/vectors/files/first-run/dnsplane.json")),
        ("ring", include_str!("../../../tests/vectors/files/ring/dnsplane.json")),
    ] {
        let loaded = load(text).unwrap_or_else(|error| panic!("{name}: {error}"));
        // Keys that start with x_ were put there to be unknown.
        let unknown =
            loaded.warnings.iter().filter(|warning| warning.contains("unknown key") && !warning.contains("`x_"));
        assert_eq!(unknown.count(), 0, "{name}: {:?}", loaded.warnings);
        assert!(loaded.config.admin_socket.is_absolute(), "{name}");
    }
    let loaded = load(include_str!("../../../tests/vectors/files/all-keys/dnsplane.written-by-hand.json")).unwrap();
    assert_eq!(sockets(&loaded.config.answering.listen), "127.0.0.1:5351");
    assert_eq!(loaded.config.cluster.policy, SyncPolicy::PrimaryWriter);
    assert_eq!(loaded.config.records, records("/srv/dnsplane/node-k/dnsrecords.json"));
    let ring = config(include_str!("../../../tests/vectors/files/ring/dnsplane.json"));
    assert_eq!(ring.cluster.peers, ["127.0.0.1:7141", "127.0.0.1:7142"]);
}

#[test]
fn the_default_file_is_private_loads_in_silence_and_never_replaces_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dnsplane.json");
    Config::create_default(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left aside");
    let Loaded { config, warnings, .. } = Config::load(&path).unwrap();
    assert_eq!((warnings, config.unused), (vec![], vec![]));
    assert_eq!(config.admin_socket, Surroundings::of_this_process().admin_socket());
    assert!(config.api.is_some_and(|api| api.listen.iter().all(|address| address.ip().is_loopback())));
    assert_eq!(config.records, records(folder.path().join("dnsrecords.json")));

    fs::write(&path, "{}").unwrap();
    let refusal = Config::create_default(&path).unwrap_err();
    assert_eq!(refusal.to_string(), format!("cannot create configuration `{}`", path.display()));
    assert_eq!(fs::read_to_string(&path).unwrap(), "{}");
    assert!(Config::create_default(&folder.path().join("none/dnsplane.json")).is_err());
}

#[test]
fn secrets_do_not_show_in_a_printed_configuration() {
    let config = config(
        r#"{"api": true, "api_auth_token": "s3cret", "cluster_auth_token": "s3cret", "cluster_admin_token": "s3cret"}"#,
    );
    assert!(!format!("{config:?}").contains("s3cret"));
}

#[test]
fn the_manual_names_every_key_and_its_examples_load() {
    let manual = include_str!("../../../docs/configuration.md");
    for (prefix, names) in keys::known() {
        for name in names {
            assert!(manual.contains(&format!("`{name}`")), "docs/configuration.md does not mention `{prefix}{name}`");
        }
    }
    let examples: Vec<&str> = manual.split("```json\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    assert!(examples.len() >= 3, "there are examples");
    for example in examples {
        let loaded = load(example).unwrap_or_else(|error| panic!("{example}\n{error}"));
        assert_eq!(loaded.warnings, [""; 0], "{example}");
    }
}

proptest::proptest! {
    #[test]
    fn damaged_files_get_a_complaint_and_never_panic(
        at in 0..1500_usize,
        cut in 0..40_usize,
        piece in "[\\[\\]{}\",:\\\\/a1\u{e9} \n-]{0,6}|null|true|\\{\\}|\\[1\\]|\"x\"",
    ) {
        let whole = include_str!("../../../tests/vectors/files/all-keys/dnsplane.written-by-hand.json");
        let (start, end) = (at.min(whole.len()), (at + cut).min(whole.len()));
        let damaged = format!("{}{piece}{}", &whole[..start], &whole[end..]);
        match load(&damaged) {
            Ok(loaded) => proptest::prop_assert_eq!(loaded.text, damaged),
            Err(error) => proptest::prop_assert!(error.to_string().contains("dnsplane.json")),
        }
    }
}
