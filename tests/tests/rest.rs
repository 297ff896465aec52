//! The REST API as scripts know it: paths, codes, bodies, tokens.

use dnsplane_tests::{Node, Plan, Record, program::check_config};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
};

/// Sends a request with these header lines; the whole reply as text.
fn raw(node: &Node, request: &str, headers: &[&str]) -> String {
    let mut stream = TcpStream::connect(node.api()).expect("the API listens");
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    write!(stream, "{request} HTTP/1.1\r\nHost: api\r\nConnection: close\r\n{headers}\r\n").expect("it is sent");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    reply
}

fn status(reply: &str) -> &str {
    reply.split_whitespace().nth(1).unwrap_or_default()
}

#[test]
fn a_token_is_asked_for_everywhere_but_in_health_checks() {
    let mut node = Plan::new("a").with(&json!({"api_auth_token": "open sesame"})).start_control();
    node.wait_healthy();
    let refused = raw(&node, "GET /dns/records", &[]);
    assert!(refused.starts_with("HTTP/1.1 401"), "{refused}");
    assert!(refused.to_lowercase().contains("www-authenticate: bearer realm=\"dnsplane\""), "{refused}");
    assert!(refused.ends_with("{\"error\":\"unauthorized\"}\n"), "{refused}");
    for header in ["Authorization: bearer open sesame", "X-API-Token: open sesame"] {
        assert_eq!(status(&raw(&node, "GET /dns/records", &[header])), "200", "{header}");
    }
    for header in ["Authorization: Bearer open", "Authorization: Basic open sesame", "X-API-Token: "] {
        assert_eq!(status(&raw(&node, "GET /dns/records", &[header])), "401", "{header}");
    }
    for path in ["GET /health", "HEAD /health", "GET /ready"] {
        assert_ne!(status(&raw(&node, path, &[])), "401", "{path}");
    }
    assert_eq!(status(&raw(&node, "POST /dns/records/reload", &[])), "401");
}

#[test]
fn an_address_that_others_can_reach_needs_a_token() {
    let config = |extra: Value| {
        let mut config = json!({"api": true, "api_bind": "0.0.0.0", "apiport": "8080"});
        for (key, value) in extra.as_object().expect("an object") {
            config[key] = value.clone();
        }
        check_config(&config.to_string()).0
    };
    let refused = config(json!({}));
    assert_ne!(refused.code, Some(0));
    assert!(refused.said().contains("api_auth_token"), "{}", refused.said());
    assert_eq!(config(json!({"api_auth_token": "t"})).code, Some(0));
    assert_eq!(config(json!({"api_allow_unauthenticated": true})).code, Some(0));
}

#[test]
fn unknown_paths_and_methods_are_told_as_ever() {
    let node = Node::start("a");
    let unknown = raw(&node, "GET /nothing", &[]);
    assert!(status(&unknown) == "404" && unknown.to_lowercase().contains("content-type: text/plain"), "{unknown}");
    let method = raw(&node, "PATCH /dns/records", &[]);
    assert!(status(&method) == "405" && method.to_lowercase().contains("allow: "), "{method}");
}

#[test]
fn a_listing_says_what_it_was_filtered_by_and_null_when_nothing_fits() {
    let node = Node::start("a");
    node.add(&Record::a("www.example", "192.0.2.7"));
    let list = |query: &str| node.request("GET", &format!("/dns/records{query}"), None).json();
    assert_eq!(list("?name=WWW&type=a")["filter"], "name=WWW&type=a");
    assert_eq!(list("?name=WWW&type=a")["records"][0]["name"], "www.example");
    assert_eq!(list("?type=TXT")["records"], Value::Null);
    assert_eq!(list("?details=yes")["detailed"], true);
    assert_eq!(node.request("GET", "/dns/records?type=BOGUS", None).status, 400);
}

#[test]
fn edits_have_the_codes_and_bodies_that_scripts_know() {
    let node = Node::start("a");
    let record = json!({"name": "www.example.", "type": "a", "value": "192.0.2.7"});
    for expected in ["added", "exists already"] {
        let reply = node.request("POST", "/dns/records", Some(&record));
        assert_eq!((reply.status, &reply.json()["status"]), (201, &json!("record added")), "{reply:?}");
        assert!(reply.json()["messages"].to_string().contains(expected), "{reply:?}");
    }
    let id = node.record_objects()[0]["id"].clone();
    let with_id = json!({"id": id, "name": "www.example", "type": "A", "value": "192.0.2.8", "ttl": 60});
    let reply = node.request("PUT", "/dns/records", Some(&with_id));
    assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("record updated")), "{reply:?}");
    assert_eq!(node.records(), [Record::a("www.example", "192.0.2.8")]);
    for bad in [json!({"id": "none", "name": "x", "type": "A", "value": "192.0.2.1"}), json!({"name": "x"})] {
        let reply = node.request("PUT", "/dns/records", Some(&bad));
        assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid arguments")), "{reply:?}");
    }
    let reply = node.request("POST", "/dns/records", Some(&json!({"name": 1})));
    assert_eq!((reply.status, &reply.json()["error"]), (400, &json!("invalid input")), "{reply:?}");
    let reply = node.request("DELETE", "/dns/records?name=www.example", None);
    assert_eq!((reply.status, &reply.json()["status"]), (200, &json!("record deleted")), "{reply:?}");
    assert_eq!(node.records(), []);
}

#[test]
fn the_dashboards_data_can_be_switched_off() {
    let mut node = Plan::new("a").with(&json!({"stats_dashboard_enabled": false})).start_control();
    node.wait_healthy();
    assert_eq!(status(&raw(&node, "GET /stats/dashboard/data", &[])), "404");
}
