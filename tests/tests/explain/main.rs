//! `dnsplanectl tools explain`: which step answers, and why.

use dnsplane_tests::{
    Node, Plan, Record, Signed,
    upstream::{Says, Script, Upstream},
};
use serde_json::{Value, json};

/// What the only data plane says.
fn explain(node: &Node, words: &[&str]) -> Value {
    let text = node.ctl(&[&["--json", "tools", "explain"], words].concat()).success();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// That this step answers, and that the sentence holds these words.
#[track_caller]
fn explains(node: &Node, words: &[&str], step: &str, because: &[&str]) {
    let said = explain(node, words);
    assert_eq!(said["step"], step, "{words:?}: {said}");
    let sentence = said["because"].as_str().unwrap_or_default();
    for part in because {
        assert!(sentence.contains(part), "`{part}` in `{sentence}`");
    }
}

fn behind(upstream: &Upstream, keys: &Value) -> Plan {
    let address = upstream.address();
    let plan = Plan::new("explain").with(&json!({
        "fallback_server_ip": address.ip().to_string(),
        "fallback_server_port": address.port().to_string(),
        "cache_records": true,
        "stale_while_revalidate": true,
    }));
    plan.with(keys)
}

#[test]
fn each_step_explains_itself() {
    let (general, corp) = (Upstream::start(Script::default()), Upstream::start(Script::default()));
    let mut node = behind(&general, &json!({})).records(&[Record::a("own.example", "192.0.2.1")]).start();
    let corp = corp.address();
    node.ctl(&["dns", "add", &corp.ip().to_string(), &corp.port().to_string(), "whitelist:corp.example"]).success();
    node.request("POST", "/adblock/domains", Some(&json!({"domain": "ads.example"})));
    node.eventually_answers("ads.example", "A", &["0.0.0.0"]);
    explains(&node, &["own.example"], "local", &[]);
    explains(&node, &["localhost"], "special", &["6761"]);
    explains(&node, &["x.ads.example", "MX"], "blocked", &["ads.example"]);
    let server = corp.to_string();
    node.eventually("the server for corp.example is known", |node| match explain(node, &["www.corp.example"]) {
        said if said["because"].as_str().is_some_and(|text| text.contains(&server)) => Ok(()),
        said => Err(said.to_string()),
    });
    explains(&node, &["mail.corp.example"], "upstream", &[&server, "corp.example"]);
    explains(&node, &["mail.corp.example"], "cache", &[&server]);
    explains(&node, &["www.example"], "upstream", &[&general.address().to_string()]);
    explains(&node, &["www.example", "--client", "203.0.113.9"], "refused", &["203.0.113.9"]);
}

#[test]
fn a_stale_answer_says_how_old_it_is() {
    let upstream = Upstream::start(Script { says: Says::Address([192, 0, 2, 7], 1), ..Script::default() });
    let mut node = behind(&upstream, &json!({"timeout": 1})).start();
    node.eventually_answers("www.example", "A", &["192.0.2.7"]);
    upstream.change(|script| script.says = Says::Nothing);
    node.eventually("the answer is past its time", |node| {
        let said = explain(node, &["www.example"]);
        if said["step"] == "stale" { Ok(()) } else { Err(said.to_string()) }
    });
    explains(&node, &["www.example"], "stale", &[&upstream.address().to_string()]);
    assert_eq!(node.ask("www.example", "A").message.answers[0].ttl, 1, "RFC 8767 §4");
}

#[test]
fn a_bogus_answer_says_what_is_wrong_with_it() {
    let signed = Signed::start();
    let resolver = signed.resolver();
    let node = Plan::new("explain")
        .with(&json!({
            "fallback_server_ip": resolver.ip().to_string(),
            "fallback_server_port": resolver.port().to_string(),
            "dnssec_validate": true,
            "dnssec_trust_anchor_file": "root.key",
            "timeout": 4,
        }))
        .file("root.key", &signed.anchor(".", "DNSKEY"))
        .start();
    explains(&node, &["www.past.tree"], "none", &["expired"]);
    explains(&node, &["www.secure.tree"], "upstream", &[]);
}
