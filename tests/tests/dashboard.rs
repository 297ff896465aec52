//! The dashboard as a browser without its script sees it, and its data.

use dnsplane_tests::{
    Cluster, Node, Plan, Record,
    node::TOKEN,
    peer::{Listener, Script},
};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

const PAGE: &str = "/stats/dashboard";

/// A reply with its headers.
#[derive(Debug)]
struct Answer {
    status: u16,
    /// Lower-case names.
    headers: Vec<(String, String)>,
    body: String,
}

impl Answer {
    fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// `name=value` of the cookie that it sets.
    fn cookie(&self) -> String {
        self.header("set-cookie").split(';').next().unwrap_or_default().to_owned()
    }
}

/// One request as a browser sends it.
fn browse(node: &Node, method: &str, path: &str, headers: &[&str], form: &str) -> Answer {
    let mut stream = TcpStream::connect(node.api()).expect("the API listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a read timeout above zero can be set");
    let more: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let kind = if form.is_empty() { "" } else { "Content-Type: application/x-www-form-urlencoded\r\n" };
    let length = form.len();
    let head = "Host: node\r\nConnection: close\r\nAccept: text/html,*/*\r\n";
    write!(stream, "{method} {path} HTTP/1.1\r\n{head}{kind}Content-Length: {length}\r\n{more}\r\n{form}")
        .expect("it is sent");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("a reply");
    let (head, body) = reply.split_once("\r\n\r\n").expect("a head and a body");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|code| code.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(':'));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned())).collect();
    Answer { status: status.expect("a status"), headers, body: body.to_owned() }
}

fn get(node: &Node, path: &str) -> Answer {
    browse(node, "GET", path, &[], "")
}

/// The value of each `href`, `src` and `action`.
fn addresses(page: &str) -> Vec<String> {
    let attributes = [" href=\"", " src=\"", " action=\""];
    let found = attributes.iter().flat_map(|attribute| page.split(attribute).skip(1));
    found.map(|rest| rest.split('"').next().unwrap_or_default().to_owned()).collect()
}

#[test]
fn the_page_is_complete_without_its_script() {
    let mut cluster = Cluster::start(2);
    let (a, b) = cluster.pair();
    a.add(&Record::a("www.example", "192.0.2.7"));
    b.eventually_answers("www.example", "A", &["192.0.2.7"]);
    let status = a.eventually("the push is confirmed and the data plane serves it", |a| {
        let status = a.cluster_status();
        let confirmed = status["peers"][0]["acknowledged_seq"] == status["local_seq"];
        let ready = a.request("GET", "/ready", None).status == 200;
        if confirmed && ready { Ok(status) } else { Err(status.to_string()) }
    });
    let page = get(a, PAGE);
    assert_eq!(page.status, 200, "{page:?}");
    let (seq, hash) = (status["local_seq"].to_string(), status["content_hash"].as_str().unwrap_or("?").to_owned());
    let peer = b.peer().to_string();
    let words = [
        "<title>a · dnsplane</title>",
        &seq,
        &hash,
        "lww_per_node",
        &a.peer().to_string(),
        &peer,
        ">b<",
        "all confirmed",
        "our protocol",
        "1 record at generation",
        "serves the newest records",
        "queries are answered from the newest records",
        "dnsrecords.json",
        "JavaScript",
    ];
    for words in words {
        assert!(page.body.contains(words), "{words}: {}", page.body);
    }
    assert!(page.body.ends_with("</html>"));
}

#[test]
fn the_page_brings_everything_with_it_and_allows_nothing_else() {
    let node = Node::start("a");
    let page = get(&node, PAGE);
    let policy = page.header("content-security-policy");
    for words in ["default-src 'none'", "style-src 'self'", "script-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(words), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!((page.header("cache-control"), page.header("x-content-type-options")), ("no-store", "nosniff"));
    for inline in [" style=", "<style", " onclick=", "javascript:", "http://", "https://"] {
        assert!(!page.body.contains(inline), "{inline}: {}", page.body);
    }
    let addresses = addresses(&page.body);
    assert!(addresses.len() >= 3, "{addresses:?}");
    for address in addresses {
        assert!(address.starts_with(PAGE), "{address}");
        let file = get(&node, &address);
        assert!(
            file.status == 200 && !file.body.is_empty() && !file.header("content-type").is_empty(),
            "{address}: {file:?}"
        );
    }
    assert_eq!(get(&node, "/stats/dashboard/").header("location"), PAGE);
    assert_eq!(get(&node, "/stats/dashboard/nothing").status, 404);
}

#[test]
fn a_strangers_node_id_is_shown_as_text() {
    let evil = "<script>alert(1)</script>\"'&";
    let records = json!([{"name": "www.example", "type": "A", "value": "192.0.2.7", "ttl": 60}]);
    let snapshot =
        json!({"type": "records_full", "node_id": evil, "seq": 5, "timestamp_unix": 1_790_000_000, "records": records});
    let peer = Listener::start(Script { on_pull: snapshot.to_string(), ..Script::default() });
    let mut node = Plan::new("a").peers(&[peer.address()]).start_control();
    node.eventually("the peer's id is known", |node| {
        let known = node.peer_status(peer.address());
        if known["node_id"] == evil { Ok(()) } else { Err(known.to_string()) }
    });
    let page = get(&node, PAGE).body;
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{page}");
    assert_eq!(page.matches("<script").count(), 1, "only our own: {page}");
}

#[test]
fn with_a_token_a_browser_signs_in_once_and_may_only_look() {
    let plan = Plan::new("a").with(&json!({"api_auth_token": "open sesame+&"}));
    let mut node = plan.start_control();
    let refused = get(&node, PAGE);
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("www-authenticate"), "Bearer realm=\"dnsplane\"");
    assert!(refused.body.contains("type=\"password\"") && refused.body.contains("method=\"post\""), "{}", refused.body);
    assert!(!refused.body.contains("id=\"live\""), "nothing of the node is shown before");
    for address in addresses(&refused.body).iter().filter(|address| !address.ends_with("/login")) {
        assert_eq!(get(&node, address).status, 200, "{address}");
    }
    let sign_in = |node: &Node, form: &str| browse(node, "POST", "/stats/dashboard/login", &[], form);
    for wrong in ["token=open", "token=", "token=open+sesame", "other=1", "%%%"] {
        let answer = sign_in(&node, wrong);
        assert_eq!((answer.status, answer.header("set-cookie")), (401, ""), "{wrong}");
        assert!(answer.body.contains("role=\"alert\""), "{wrong}: {}", answer.body);
    }
    assert!(sign_in(&node, "token=open").body.contains("That is not the token of this node"));

    let signed_in = sign_in(&node, "token=open+sesame%2B%26");
    assert_eq!((signed_in.status, signed_in.header("location")), (303, PAGE), "{signed_in:?}");
    let set = signed_in.header("set-cookie");
    for words in ["HttpOnly", "SameSite=Strict", "Path=/stats/dashboard", "Max-Age="] {
        assert!(set.contains(words), "{set}");
    }
    assert!(!set.contains("sesame"), "{set}");
    let cookie = format!("Cookie: other=1; {}", signed_in.cookie());
    let with = |node: &Node, method: &str, path: &str| browse(node, method, path, &[&cookie], "").status;
    let page = browse(&node, "GET", PAGE, &[&cookie], "");
    assert!(page.status == 200 && page.body.contains("Sign out"), "{page:?}");
    for secret in ["sesame", TOKEN] {
        assert!(!page.body.contains(secret), "{}", page.body);
    }
    assert_eq!(with(&node, "GET", "/stats/dashboard/data"), 200);
    for (method, path) in [
        ("GET", "/dns/records"),
        ("POST", "/dns/records"),
        ("DELETE", "/dns/records?name=x"),
        ("POST", PAGE),
        ("GET", "/stats/dashboards"),
    ] {
        assert_eq!(with(&node, method, path), 401, "{method} {path}");
    }
    let forged = cookie.replace('.', ".0");
    assert_eq!(browse(&node, "GET", PAGE, &[&forged], "").status, 401);
    // Scripts go on as ever: the token in a header, JSON when it is missing, and never a token in an address.
    assert_eq!(browse(&node, "GET", PAGE, &["X-API-Token: open sesame+&"], "").status, 200);
    let data = get(&node, "/stats/dashboard/data");
    assert_eq!((data.status, data.body.as_str()), (401, "{\"error\":\"unauthorized\"}\n"));
    assert_eq!(get(&node, "/stats/dashboard?access_token=open%20sesame%2B%26").status, 401);

    let out = browse(&node, "POST", "/stats/dashboard/logout", &[&cookie], "");
    assert_eq!((out.status, out.cookie().as_str()), (303, "dnsplane_dashboard="));
    assert!(out.header("set-cookie").contains("Max-Age=0"));

    node.configure(&json!({"api_auth_token": "another"}));
    node.control().signal(Signal::SIGHUP);
    node.eventually("another token ends the session", |node| match browse(node, "GET", PAGE, &[&cookie], "").status {
        401 => Ok(()),
        status => Err(format!("{status}")),
    });
    assert!(!node.control().said().contains("sesame"));
}

#[test]
fn without_a_token_there_is_nothing_to_sign_in_to() {
    let node = Plan::new("a").start_control();
    let page = get(&node, PAGE);
    assert!(page.status == 200 && !page.body.contains("Sign out"), "{page:?}");
    let answer = browse(&node, "POST", "/stats/dashboard/login", &[], "token=x");
    assert_eq!((answer.status, answer.header("location"), answer.header("set-cookie")), (303, PAGE, ""));
}

#[test]
fn a_dashboard_that_is_off_is_not_found() {
    for token in ["", "t"] {
        let off = json!({"stats_dashboard_enabled": false, "api_auth_token": token});
        let node = Plan::new("a").with(&off).start_control();
        for path in [PAGE, "/stats/dashboard/data", "/stats/dashboard/app.css"] {
            let answer = browse(&node, "GET", path, &["X-API-Token: t"], "");
            assert_eq!((answer.status, answer.header("content-type")), (404, "text/plain; charset=utf-8"), "{path}");
            assert_eq!(answer.body, "404 page not found\n");
        }
        if !token.is_empty() {
            assert!(!get(&node, PAGE).body.contains("<form"), "there is nothing to sign in to");
        }
    }
}

#[test]
fn the_data_has_the_keys_and_types_of_existing_nodes() {
    let mut cluster = Cluster::start_with(
        2,
        &json!({
            "cluster_discovery_srv": "lab.test", "cluster_advertise_addr": "192.0.2.1:7946",
        }),
    );
    let (a, b) = cluster.pair();
    // One after the other: writes that cross would replace each other.
    a.add(&Record::a("www.example", "192.0.2.7"));
    a.eventually("the push is confirmed", |a| {
        let peer = a.peer_status(b.peer());
        if peer["last_outbound_ok"].is_string() { Ok(()) } else { Err(peer.to_string()) }
    });
    b.add(&Record::a("mail.example", "192.0.2.8"));
    let data = a.eventually("everything has happened once", |a| {
        let data = a.request("GET", "/stats/dashboard/data", None).json();
        let peer = &data["cluster"]["peers"][0];
        let keys = ["last_outbound_ok", "last_inbound_ok", "last_probe_ok", "last_probe_rtt_ms"];
        let all = keys.iter().all(|key| !peer[key].is_null()) && data["cluster"]["discovery_last_error"].is_string();
        if all { Ok(data) } else { Err(data.to_string()) }
    });
    let is = |value: &Value, kind: &str| match kind {
        "bool" => value.is_boolean(),
        "integer" => value.is_u64(),
        "text" => value.is_string(),
        "time" => value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
        "list" => value.is_array(),
        _ => false,
    };
    let check = |object: &Value, keys: &[(&str, &str)]| {
        for (key, kind) in keys {
            assert!(is(&object[key], kind), "{key} is no {kind}: {object}");
        }
    };
    check(&data["build"], &[("version", "text")]);
    check(
        &data["cluster"],
        &[
            ("enabled", "bool"),
            ("node_id", "text"),
            ("listen_addr", "text"),
            ("advertise_addr", "text"),
            ("replica_only", "bool"),
            ("cluster_admin", "bool"),
            ("peers", "list"),
            ("local_seq", "integer"),
            ("sync_policy", "text"),
            ("cluster_discovery_srv", "text"),
            ("cluster_discovery_interval_seconds", "integer"),
            ("discovery_last_error", "text"),
            ("static_peer_count", "integer"),
            ("srv_peer_count", "integer"),
            ("effective_peer_count", "integer"),
        ],
    );
    check(
        &data["cluster"]["peers"][0],
        &[
            ("address", "text"),
            ("last_outbound_ok", "time"),
            ("last_inbound_ok", "time"),
            ("last_probe_ok", "time"),
            ("last_probe_rtt_ms", "integer"),
            ("reachable", "bool"),
            ("source", "text"),
        ],
    );
    let alone = Plan::new("alone").with(&json!({"cluster_enabled": false})).start_control();
    let cluster = alone.cluster_status();
    assert!(
        cluster.as_object().is_some_and(|cluster| cluster.contains_key("peers")) && cluster["peers"].is_null(),
        "{cluster}"
    );
    assert!(get(&alone, PAGE).body.contains("The cluster is off"));
}
