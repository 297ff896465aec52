//! Upstream servers over REST and dnsplanectl: shapes that scripts know, defects that ours does not have, and what is kept.

use dnsplane_tests::{
    Node, Plan,
    http::{self, Reply},
    node::TERMINATION_LIMIT,
    program::check_config,
};
use serde_json::{Value, json};
use std::fs;

fn call(node: &Node, method: &str, path: &str, body: Value) -> Reply {
    let body = Some(&body).filter(|body| !body.is_null());
    http::request(node.api(), method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"))
}

/// Makes a change that must do.
#[track_caller]
fn done(node: &Node, method: &str, path: &str, body: Value) -> Value {
    let reply = call(node, method, path, body);
    assert!(matches!(reply.status, 200 | 201), "{method} {path}: {reply:?}");
    reply.json()
}

fn file(node: &Node) -> Value {
    let text = fs::read_to_string(node.path("dnsservers.json")).expect("the file is there");
    serde_json::from_str(&text).expect("it is JSON")
}

/// Names of the servers that health knows of.
fn known(node: &Node) -> Vec<String> {
    let health = call(node, "GET", "/dns/upstreams/health", Value::Null).json();
    let all = health["upstreams"].as_array().expect("a list").iter();
    all.map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
}

/// Waits until health knows of these: settings reach the list of servers a moment after they were set.
#[track_caller]
fn eventually_known(node: &mut Node, names: &[&str]) {
    node.eventually(&format!("{names:?} are known"), |node| {
        let known = known(node);
        if known == names { Ok(()) } else { Err(format!("{known:?}")) }
    });
}

#[test]
fn rest_has_the_shapes_that_scripts_know() {
    let node = Plan::new("a").start_control();
    let empty = done(&node, "GET", "/dns/servers", Value::Null);
    let expected = json!({
        "servers": [], "upstream_health": [], "upstream_health_check_enabled": false,
        "upstream_health_check_failures": 3, "upstream_health_check_interval_seconds": 30
    });
    assert_eq!(empty, expected);
    assert!(!node.path("dnsservers.json").exists(), "nothing was changed yet");

    let reply = call(&node, "POST", "/dns/servers", json!({"address": "192.0.2.53", "port": "53"}));
    assert_eq!(
        (reply.status, reply.body.as_str()),
        (201, "{\"status\":\"server added\",\"messages\":[\"192.0.2.53:53 added\"]}\n")
    );
    let listed = done(&node, "GET", "/dns/servers", Value::Null);
    let never = "0001-01-01T00:00:00Z";
    let row = json!({"address": "192.0.2.53", "port": "53", "active": true, "local_resolver": true, "adblocker": false,
        "last_used": never, "last_success": never, "name": "192.0.2.53:53"});
    assert_eq!(listed["servers"], json!([row]));
    let health = json!([{"address_port": "192.0.2.53:53", "unhealthy": false, "consecutive_failures": 0,
        "name": "192.0.2.53:53", "transport": "udp", "role": "upstream", "queries": 0, "failures": 0, "spoofed": 0}]);
    assert_eq!(listed["upstream_health"], health);
    let report = done(&node, "GET", "/dns/upstreams/health", Value::Null);
    assert_eq!((&report["upstreams"], &report["upstream_health_check_query_name"]), (&health, &json!("google.com.")));

    let updated = done(&node, "PUT", "/dns/servers/192.0.2.53", json!({"active": false}));
    assert_eq!(
        (&updated["status"], &updated["messages"][0]),
        (&json!("server updated"), &json!("192.0.2.53:53 updated; it is not active"))
    );
    assert_eq!(known(&node), [""; 0], "only active ones are asked");
    let removed = done(&node, "DELETE", "/dns/servers/192.0.2.53", Value::Null);
    assert_eq!(removed["status"], "server removed");
    assert_eq!(file(&node), json!({"dnsservers": []}));
}

#[test]
fn what_existing_nodes_lose_is_kept_or_taken_away_as_asked() {
    let node = Plan::new("a").start_control();
    let dot = json!({"address": "192.0.2.1", "port": 8853, "transport": "dot", "tls_name": "dns.example",
        "domain_whitelist": ["corp.test"], "fallback_address": "192.0.2.2"});
    done(&node, "POST", "/dns/servers", dot);
    let row = |node: &Node| file(node)["dnsservers"][0].clone();
    assert_eq!(
        (&row(&node)["transport"], &row(&node)["port"]),
        (&json!("dot"), &json!("8853")),
        "a number is a port, too"
    );
    done(&node, "PUT", "/dns/servers/192.0.2.1", json!({"active": true, "fallback_port": 54}));
    assert_eq!(row(&node)["port"], "8853", "a port that is not given stays");
    assert_eq!(known(&node), ["tls://192.0.2.1:8853", "192.0.2.2:54"]);
    done(
        &node,
        "PUT",
        "/dns/servers/192.0.2.1",
        json!({"domain_whitelist": [], "fallback_address": "", "fallback_port": ""}),
    );
    let row = row(&node);
    assert!(row.get("domain_whitelist").is_none() && row.get("fallback_address").is_none(), "{row}");
    assert_eq!(known(&node), ["tls://192.0.2.1:8853"]);

    let url = json!({"address": "192.0.2.3", "doh_url": "https://dns.example/dns-query"});
    let said = done(&node, "POST", "/dns/servers", url);
    assert_eq!(said["messages"][1], "`transport` is doh, because a `doh_url` was given");
    let health = done(&node, "GET", "/dns/upstreams/health", Value::Null);
    assert_eq!(health["upstreams"][1]["address_port"], "https://dns.example/dns-query");

    done(&node, "POST", "/dns/servers", json!({"address": "2001:db8::1"}));
    done(&node, "POST", "/dns/servers", json!({"address": "2001:db8::1", "port": "5353"}));
    done(&node, "POST", "/dns/servers", json!({"address": "2001:db8::1", "transport": "tcp"}));
    let several = call(&node, "DELETE", "/dns/servers/2001:db8::1", Value::Null);
    assert_eq!(several.status, 400);
    assert!(
        several.body.contains(
            "several servers have this address ([2001:db8::1]:53, [2001:db8::1]:5353, tcp://[2001:db8::1]:53)"
        ),
        "{several:?}"
    );
    done(&node, "DELETE", "/dns/servers/2001%3Adb8%3A%3A1?port=5353", Value::Null);
    done(&node, "DELETE", "/dns/servers/2001:db8::1?port=53&transport=udp", Value::Null);
    done(&node, "DELETE", "/dns/servers/2001:DB8:0::1", Value::Null);
    done(&node, "POST", "/dns/servers", json!({"address": "https://192.0.2.9/q"}));
    done(&node, "DELETE", "/dns/servers/https%3A%2F%2F192.0.2.9%2Fq", Value::Null);
    assert_eq!(known(&node).len(), 2);
}

#[test]
fn bad_input_is_told_in_sentences() {
    let node = Plan::new("a").start_control();
    for (method, path, body, status, sentence) in [
        ("POST", "/dns/servers", json!({}), 400, "`address` is missing; write the IP address of the server"),
        (
            "POST",
            "/dns/servers",
            json!({"address": "dns.example"}),
            400,
            "`address` is `dns.example`, which is not an IP address",
        ),
        (
            "POST",
            "/dns/servers",
            json!({"address": "https://dns.example/q"}),
            400,
            "give the IP address of `dns.example` as the address and the URL as `doh_url`",
        ),
        (
            "POST",
            "/dns/servers",
            json!({"address": "192.0.2.1", "port": "70000"}),
            400,
            "`port` is `70000`, which is no port (1 to 65535)",
        ),
        (
            "POST",
            "/dns/servers",
            json!({"address": "192.0.2.1", "transport": "tls"}),
            400,
            "`transport` is `tls`; write udp, tcp, dot, doh or doq",
        ),
        (
            "POST",
            "/dns/servers",
            json!({"address": "192.0.2.1", "active": "yes"}),
            400,
            "`active` must be true or false, not \\\"yes\\\"",
        ),
        ("POST", "/dns/servers", json!([]), 400, "invalid input"),
        ("PUT", "/dns/servers/192.0.2.1", json!({"active": false}), 400, "there is no server `192.0.2.1`"),
        ("DELETE", "/dns/servers/192.0.2.1", Value::Null, 400, "there is no server `192.0.2.1`"),
        ("POST", "/dns/servers/192.0.2.1", Value::Null, 405, ""),
    ] {
        let reply = call(&node, method, path, body.clone());
        assert!(reply.status == status && reply.body.contains(sentence), "{method} {path} {body}: {reply:?}");
    }
    assert!(!node.path("dnsservers.json").exists());
}

#[test]
fn dnsplanectl_changes_and_lists_servers() {
    let node = Plan::new("a").with(&json!({"fallback_server_ip": "192.0.2.99"})).start_control();
    node.ctl(&["dns", "add", "192.0.2.53"]).success();
    node.ctl(&["dns", "add", "192.0.2.54", "5353", "whitelist:corp.test,lab.test", "localresolver:false"]).success();
    node.ctl(&["dns", "add", "192.0.2.55", "--transport", "dot", "--tls-name", "dns.example"]).success();
    let listed = node.ctl(&["dns", "list"]).success();
    for word in ["192.0.2.53:53", "corp.test lab.test", "tls://192.0.2.55:853", "last resort"] {
        assert!(listed.contains(word), "{word}: {listed}");
    }
    let document: Value = serde_json::from_str(&node.ctl(&["--json", "dns", "list"]).success()).expect("JSON");
    assert_eq!(document, done(&node, "GET", "/dns/servers", Value::Null));
    node.ctl(&["dns", "update", "192.0.2.54", "whitelist:", "active:off"]).success();
    assert_eq!(
        file(&node)["dnsservers"][1],
        json!({"address": "192.0.2.54", "port": "5353", "active": false, "local_resolver": false,
        "adblocker": false, "last_used": "0001-01-01T00:00:00Z", "last_success": "0001-01-01T00:00:00Z"})
    );
    let refused = node.ctl(&["dns", "add", "dns.example"]);
    assert_eq!(refused.code, Some(1));
    assert!(refused.said().contains("is not an IP address"), "{}", refused.said());
    node.ctl(&["dns", "remove", "192.0.2.53"]).success();
    node.ctl(&["dns", "clear"]).success();
    assert_eq!(known(&node), ["192.0.2.99:53"]);
}

#[test]
fn a_file_of_an_existing_node_is_used_and_survives_changes_and_restarts() {
    let text = include_str!("../vectors/files/servers/dnsservers.json");
    let mut node = Plan::new("a")
        .with(&json!({"file_locations": {
            "records_source": {"type": "file", "location": "dnsrecords.json"}, "dnsservers": "etc/servers.json"}}))
        .prepare();
    fs::create_dir(node.path("etc")).expect("a folder");
    node.write("etc/servers.json", text);
    node.start_control();
    node.wait_healthy();
    assert_eq!(known(&node), ["192.0.2.53:53", "[2001:db8::53]:853", "192.0.2.55:53"]);
    done(&node, "POST", "/dns/servers", json!({"address": "192.0.2.60"}));
    done(&node, "DELETE", "/dns/servers/192.0.2.60", Value::Null);
    let kept = fs::read_to_string(node.path("etc/servers.json")).expect("it is there");
    assert_eq!(kept.trim_end(), text.trim_end(), "to the letter");
    done(&node, "PUT", "/dns/servers/1.1.1.1", json!({"active": true}));
    node.control().terminate(TERMINATION_LIMIT);
    node.start_control();
    node.wait_healthy();
    assert_eq!(known(&node)[0], "1.1.1.1:53");
}

#[test]
fn edits_by_hand_are_noticed_and_mistakes_in_them_told() {
    let mut node = Plan::new("a").start_control();
    node.write("dnsservers.json", "{\"dnsservers\":[{\"address\":\"192.0.2.1\",\"active\":true}]}");
    eventually_known(&mut node, &["192.0.2.1:53"]);
    node.write("dnsservers.json", "{\"dnsservers\":[\n{\"address\":}]}");
    let problems = |node: &Node| node.server_status()["problems"].to_string();
    node.eventually("the mistake is told", |node| {
        if problems(node).contains("line 2 column 12") { Ok(()) } else { Err(problems(node)) }
    });
    assert_eq!(known(&node), ["192.0.2.1:53"], "what was there goes on");
    let refused = call(&node, "POST", "/dns/servers", json!({"address": "192.0.2.2"}));
    assert!(refused.status == 500 && refused.body.contains("line 2 column 12"), "{refused:?}");
    node.write(
        "dnsservers.json",
        "{\"dnsservers\":[{\"address\":\"192.0.2.1\",\"active\":true},{\"address\":\"x\",\"active\":true}]}",
    );
    let loaded = node.ctl(&["dns", "load"]).success();
    assert!(loaded.contains("server 2 (x): `address` is `x`, which is not an IP address"), "{loaded}");
    assert!(problems(&node).contains("server 2 (x)"), "{}", problems(&node));

    node.control().terminate(TERMINATION_LIMIT);
    node.write("dnsservers.json", "[]");
    node.start_control();
    node.eventually("it does not start without its servers", |node| {
        node.control().ended().map(|_| ()).ok_or_else(String::new)
    });
    assert!(node.control().said().contains("dnsservers.json"), "{}", node.control().said());
}

#[test]
fn resolver_settings_are_checked_and_take_effect_at_once() {
    let (refused, _) =
        check_config(r#"{"dns_allow_recursion": ["lan"], "timeout": 100, "fallback_server_ip": "dns.example"}"#);
    assert_ne!(refused.code, Some(0));
    for sentence in [
        "`dns_allow_recursion` names `lan`, which is no network",
        "`timeout` is 100; write a whole number from 0 to 60",
        "`fallback_server_ip` is `dns.example`",
    ] {
        assert!(refused.said().contains(sentence), "{sentence}: {}", refused.said());
    }
    let mut node = Plan::new("a").start_control();
    node.ctl(&["server", "set", "fallback_server_ip", "192.0.2.1"]).success();
    eventually_known(&mut node, &["192.0.2.1:53"]);
    node.ctl(&["server", "set", "upstream_health_check_failures", "5"]).success();
    node.ctl(&["server", "set", "fallback_server_transport", "dot"]).success();
    eventually_known(&mut node, &["tls://192.0.2.1:853"]);
    let health = done(&node, "GET", "/dns/upstreams/health", Value::Null);
    assert_eq!(health["upstream_health_check_failures"], 5);
    let refused = node.ctl(&["server", "set", "upstream_ca_file", "none.pem"]);
    assert!(refused.said().contains("which cannot be read"), "{}", refused.said());
}

/// A node that serves `zone.` with `www.zone.` at this address, to be asked by others.
fn server(zone: &str, address: &str) -> Node {
    let node = Node::start("upstream");
    node.ctl(&["record", "add", zone, "SOA", "ns", "host", "1", "3600", "600", "86400", "60"]).success();
    node.ctl(&["record", "add", &format!("www.{zone}"), "A", address]).success();
    node
}

/// Waits until a question gets these addresses, or, if there are none, this code.
#[track_caller]
fn eventually_gets(node: &mut Node, name: &str, code: u16, addresses: &[&str]) {
    node.eventually(&format!("{name} gets code {code} and {addresses:?}"), |node| {
        let reply = node.ask(name, "A");
        let same = u16::from(reply.code()) == code && reply.values() == addresses;
        if same { Ok(()) } else { Err(format!("{} {:?}", u16::from(reply.code()), reply.values())) }
    });
}

#[test]
fn a_server_is_asked_from_the_moment_it_is_added_until_it_is_removed() {
    let (general, corp) = (server("example", "192.0.2.1"), server("corp.example", "10.0.0.1"));
    let (general_port, corp_port) = (general.dns().port().to_string(), corp.dns().port().to_string());
    let mut node = Node::start("a");
    eventually_gets(&mut node, "www.example", 5, &[]);
    node.ctl(&["dns", "add", "127.0.0.1", &general_port]).success();
    eventually_gets(&mut node, "www.example", 0, &["192.0.2.1"]);
    eventually_gets(&mut node, "www.corp.example", 3, &[]);
    // Split DNS: the name goes to the server that has it for itself, and to nobody else.
    node.ctl(&["dns", "add", "127.0.0.1", &corp_port, "whitelist:corp.example"]).success();
    eventually_gets(&mut node, "www.corp.example", 0, &["10.0.0.1"]);
    let queries = |node: &Node, port: &str| {
        let health = call(node, "GET", "/dns/upstreams/health", Value::Null).json();
        let all = health["upstreams"].as_array().cloned().unwrap_or_default();
        let one = all.into_iter().find(|one| one["name"] == format!("127.0.0.1:{port}"));
        one.unwrap_or_else(|| panic!("{port} is not there: {health}"))
    };
    node.eventually("health tells of both", |node| {
        let seen = [&general_port, &corp_port].map(|port| queries(node, port));
        let asked = seen.iter().all(|one| one["queries"].as_u64() > Some(0) && one["last_success_at"].is_string());
        if asked { Ok(()) } else { Err(format!("{seen:?}")) }
    });
    node.ctl(&["dns", "remove", "127.0.0.1", &general_port]).success();
    eventually_gets(&mut node, "www.example", 5, &[]);
    eventually_gets(&mut node, "www.corp.example", 0, &["10.0.0.1"]);
}

#[test]
fn the_last_resort_answers_for_general_names_alone() {
    let last = server("example", "192.0.2.1");
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let silent = nobody.local_addr().expect("an address").port().to_string();
    let mut node = Plan::new("a")
        .with(&json!({"fallback_server_ip": "127.0.0.1", "fallback_server_port": last.dns().port().to_string(), "timeout": 1}))
        .start();
    eventually_gets(&mut node, "www.example", 0, &["192.0.2.1"]);
    node.ctl(&["dns", "add", "127.0.0.1", &silent, "whitelist:example"]).success();
    eventually_gets(&mut node, "www.example", 2, &[]);
}
