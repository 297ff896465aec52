//! What our node is sent.

use crate::{delta, eventually_holds, full, many, now};
use dnsplane_tests::{
    Node, Plan, Record, content,
    node::TOKEN,
    peer::{Heard, Wire},
};
use serde_json::{Value, json};
use std::time::Duration;

/// Longest wait for a reply.
const LIMIT: Duration = Duration::from_secs(15);

/// A node that has been written to, and what it holds.
fn node() -> (Node, Vec<Record>) {
    let node = Plan::new("ours").start_control();
    let own = Record::a("own.example", "192.0.2.1");
    node.add(&own);
    (node, vec![own])
}

/// Sends a frame and waits for its acknowledgement.
#[track_caller]
fn acknowledged(wire: &mut Wire, payload: &str) -> Value {
    wire.say(payload);
    let ack = wire.hear_json(LIMIT);
    assert_eq!(ack["type"], "records_ack", "{ack}");
    ack
}

#[test]
fn features_agreed_are_those_that_both_know() {
    let (node, _) = node();
    for (offered, agreed) in [
        (vec!["keep", "ack"], vec!["keep", "ack"]),
        (vec!["delta", "something of the future"], vec!["delta"]),
        (vec![], vec![]),
    ] {
        let (_wire, mut answered) = Wire::greeted(node.peer(), TOKEN, "hand", &offered);
        answered.sort();
        let mut agreed: Vec<String> = agreed.into_iter().map(str::to_owned).collect();
        agreed.sort();
        assert_eq!(answered, agreed);
    }
}

#[test]
fn every_verdict_is_acknowledged_with_the_hash_that_the_node_has_then() {
    let (node, _) = node();
    let (mut wire, _) = Wire::greeted(node.peer(), TOKEN, "hand", &["ack"]);
    let records = many("r", 3);
    let seq = now() + 1;
    let ack = acknowledged(&mut wire, &full("hand", seq, &records));
    let wanted = json!(["hand", seq, "applied", content::hash(&records)]);
    assert_eq!(json!([ack["node_id"], ack["seq"], ack["verdict"], ack["hash"]]), wanted, "{ack}");
    eventually_holds(&node, &records);
    let repeat = acknowledged(&mut wire, &full("hand", seq, &records));
    assert_eq!((&repeat["verdict"], &repeat["hash"]), (&json!("duplicate"), &ack["hash"]), "{repeat}");
    // Empty and hardly written is not meant (R9).
    let refused = acknowledged(&mut wire, &full("stranger", 1, &[]));
    assert_eq!((&refused["verdict"], &refused["hash"]), (&json!("refused"), &ack["hash"]), "{refused}");
    assert!(refused["reason"].as_str().is_some_and(|reason| reason.len() > 10), "{refused}");
    eventually_holds(&node, &records);
}

#[test]
fn a_delta_is_applied_on_its_base_and_nowhere_else() {
    let (node, _) = node();
    let (mut wire, _) = Wire::greeted(node.peer(), TOKEN, "hand", &["ack", "delta"]);
    let first = many("r", 5);
    let seq = now() + 1;
    assert_eq!(acknowledged(&mut wire, &full("hand", seq, &first))["verdict"], "applied");
    let mut second = first[1..].to_vec();
    second[0].ttl = 5;
    second.push(Record::new("alias.example", "CNAME", "r00001.example", 60));
    let ack = acknowledged(&mut wire, &delta("hand", seq + 1, &first, &second).to_string());
    assert_eq!((&ack["verdict"], &ack["hash"]), (&json!("applied"), &json!(content::hash(&second))), "{ack}");
    eventually_holds(&node, &second);

    let third = [second.clone(), many("t", 1)].concat();
    let mut bad_base = delta("hand", seq + 2, &second, &third);
    bad_base["base_hash"] = json!(content::hash(&first));
    let mut bad_result = delta("hand", seq + 2, &second, &third);
    bad_result["hash"] = json!(content::hash(&first));
    for (what, frame) in [("another base", bad_base), ("another result", bad_result)] {
        let ack = acknowledged(&mut wire, &frame.to_string());
        assert_eq!(
            (&ack["verdict"], &ack["hash"]),
            (&json!("need_full"), &json!(content::hash(&second))),
            "{what}: {ack}"
        );
        assert_eq!(node.records().len(), second.len(), "{what}: something of it was applied");
    }
    // One that does not say what it starts from cannot be read: it is passed over like every frame of that kind (R8).
    let mut no_base = delta("hand", seq + 2, &second, &third);
    no_base["base_hash"] = Value::Null;
    wire.say(&no_base.to_string());
    wire.expect_nothing_but_pong(LIMIT);
    assert_eq!(node.cluster_status()["inbound"]["bad_frames"], 1);
    assert_eq!(node.records().len(), second.len());
    // None of them took its sequence away from the snapshot that has to follow.
    assert_eq!(acknowledged(&mut wire, &full("hand", seq + 2, &third))["verdict"], "applied");
    eventually_holds(&node, &third);
}

#[test]
fn a_delta_is_judged_like_a_snapshot() {
    let (node, own) = node();
    let (mut wire, _) = Wire::greeted(node.peer(), TOKEN, "hand", &["ack", "delta"]);
    let more = [own.clone(), many("r", 1)].concat();
    let seq = now() + 1;
    assert_eq!(acknowledged(&mut wire, &delta("hand", seq, &own, &more).to_string())["verdict"], "applied");
    eventually_holds(&node, &more);
    let less = acknowledged(&mut wire, &delta("hand", seq - 1, &more, &own).to_string());
    assert_eq!(less["verdict"], "duplicate", "an older sequence: {less}");
    let ours = acknowledged(&mut wire, &delta("ours", seq + 1, &more, &own).to_string());
    assert_eq!(ours["verdict"], "refused", "the node's own id: {ours}");
    eventually_holds(&node, &more);
}

/// The frames of a snapshot in parts.
fn chunks(node_id: &str, seq: u64, records: &[Record], per_part: usize) -> Vec<Value> {
    let mut frames = vec![json!({
        "type": "records_begin", "node_id": node_id, "seq": seq, "timestamp_unix": seq / 1000,
        "count": records.len(), "hash": content::hash(records),
    })];
    frames.extend(
        records.chunks(per_part).map(
            |part| json!({"type": "records_part", "records": part.iter().map(Record::to_json).collect::<Vec<_>>()}),
        ),
    );
    frames.push(json!({"type": "records_end"}));
    frames
}

/// Sends frames one after another.
fn say_all(wire: &mut Wire, frames: &[Value]) {
    frames.iter().for_each(|frame| wire.say(&frame.to_string()));
}

#[test]
fn a_snapshot_in_parts_is_applied_as_one_or_not_at_all() {
    let (node, own) = node();
    let records = many("r", 2_500);
    let seq = now() + 1;
    let frames = chunks("hand", seq, &records, 500);

    // Cut in the middle.
    let (mut wire, _) = Wire::greeted(node.peer(), TOKEN, "hand", &["ack", "chunk"]);
    say_all(&mut wire, &frames[..4]);
    drop(wire);
    // Begun twice, ended without a beginning, a part too few, a wrong hash, and parts of more than it said.
    let (mut wire, _) = Wire::greeted(node.peer(), TOKEN, "hand", &["ack", "chunk"]);
    say_all(&mut wire, &frames[5..]);
    let mut bad_hash = frames.clone();
    bad_hash[0]["hash"] = json!(content::hash(&records[1..]));
    let mut too_many = frames.clone();
    too_many[0]["count"] = json!(10);
    let mut too_few = frames.clone();
    too_few.remove(2);
    for (what, frames) in [("another hash", bad_hash), ("too many", too_many), ("too few", too_few)] {
        let (mut wire, _) = Wire::greeted(node.peer(), TOKEN, "hand", &["ack", "chunk"]);
        say_all(&mut wire, &frames);
        match wire.hear(LIMIT) {
            Heard::Closed => {}
            Heard::Frame(text) => {
                let ack: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
                let verdict = ack["verdict"].as_str().unwrap_or_default();
                assert!(["refused", "need_full"].contains(&verdict), "{what}: {ack}");
            }
            Heard::Nothing => panic!("{what}: no word"),
        }
        assert_eq!(node.records(), own, "{what}");
    }
    assert_eq!(node.records(), own);

    // The same, whole, on a connection of its own and with a part of nothing.
    let (mut wire, _) = Wire::greeted(node.peer(), TOKEN, "hand", &["ack", "chunk"]);
    let mut whole = frames;
    whole.insert(3, json!({"type": "records_part", "records": []}));
    say_all(&mut wire, &whole[..whole.len() - 1]);
    assert_eq!(node.records(), own, "parts are applied before the end");
    let ack = acknowledged(&mut wire, &whole[whole.len() - 1].to_string());
    assert_eq!((&ack["verdict"], &ack["hash"]), (&json!("applied"), &json!(content::hash(&records))), "{ack}");
    eventually_holds(&node, &records);
}

#[test]
fn a_part_of_more_than_a_mebibyte_is_refused() {
    let (mut node, own) = node();
    let records = many("r", 30_000);
    let frames = chunks("hand", now() + 1, &records, records.len());
    assert!(frames[1].to_string().len() > 3 << 19);
    let (mut wire, _) = Wire::greeted(node.peer(), TOKEN, "hand", &["ack", "chunk"]);
    say_all(&mut wire, &frames);
    let heard = wire.hear(LIMIT);
    assert!(!matches!(&heard, Heard::Frame(text) if text.contains("applied")), "{heard:?}");
    assert_eq!(node.records(), own);
    node.eventually("the status says what was wrong", |node| {
        let inbound = node.cluster_status()["inbound"].clone();
        let told = inbound["bad_frames"].as_u64() > Some(0) || inbound["peers"]["hand"]["last_refusal"].is_string();
        if told { Ok(()) } else { Err(inbound.to_string()) }
    });
}

#[test]
fn frames_of_a_feature_that_was_not_agreed_are_passed_over() {
    let (node, own) = node();
    let more = [own.clone(), many("r", 2)].concat();
    let seq = now() + 1;
    let plain = Wire::authenticated(node.peer(), TOKEN);
    let (none, _) = Wire::greeted(node.peer(), TOKEN, "hand", &[]);
    let (others, _) = Wire::greeted(node.peer(), TOKEN, "hand", &["keep", "relay"]);
    for mut wire in [plain, none, others] {
        wire.say(&delta("hand", seq, &own, &more).to_string());
        say_all(&mut wire, &chunks("hand", seq, &more, 1));
        wire.say(&json!({"type": "records_ack", "node_id": "ours", "seq": seq, "verdict": "applied"}).to_string());
        wire.expect_nothing_but_pong(LIMIT);
        assert_eq!(node.records(), own);
        // What is not of a feature is still understood, and not acknowledged where that was not agreed.
        wire.say(&full("hand", 1, &[]));
        wire.expect_nothing_but_pong(LIMIT);
    }
    assert_eq!(node.records(), own);
}

#[test]
fn pongs_carry_the_content_hash_where_keep_was_agreed() {
    let (node, own) = node();
    let (mut kept, _) = Wire::greeted(node.peer(), TOKEN, "hand", &["keep"]);
    assert_eq!(kept.expect_nothing_but_pong(LIMIT)["hash"], content::hash(&own));
    let mut plain = Wire::authenticated(node.peer(), TOKEN);
    assert_eq!(plain.expect_nothing_but_pong(LIMIT), json!({"type": "pong"}));
}

#[test]
fn a_pull_is_answered_in_parts_where_that_was_agreed() {
    let own = many("r", 20_000);
    let node = Plan::new("ours").records(&own).start_control();
    node.add(&Record::a("gone.example", "192.0.2.1"));
    node.delete("gone.example");
    let (mut wire, _) = Wire::greeted(node.peer(), TOKEN, "hand", &["ack", "chunk"]);
    wire.say(r#"{"type":"pull"}"#);
    let first = wire.hear_json(LIMIT);
    assert_eq!((&first["type"], &first["hash"]), (&json!("records_begin"), &json!(content::hash(&own))), "{first}");
    assert_eq!(first["count"], own.len(), "{first}");
    let (mut records, mut parts) = (Vec::new(), 0);
    loop {
        let Heard::Frame(text) = wire.hear(LIMIT) else { panic!("the snapshot stops after {parts} parts") };
        let next: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        if next["type"] == "records_end" {
            break;
        }
        assert_eq!(next["type"], "records_part");
        assert!(text.len() <= 1 << 20, "a part of {} octets", text.len());
        records.extend(Record::list(&next["records"]));
        parts += 1;
    }
    assert!(parts > 1, "all in one part");
    records.sort();
    assert_eq!(records, own);
    // Without that feature it is one frame.
    let (mut wire, _) = Wire::greeted(node.peer(), TOKEN, "hand", &["ack"]);
    wire.say(r#"{"type":"pull"}"#);
    let whole = wire.hear_json(LIMIT);
    assert_eq!((&whole["type"], Record::list(&whole["records"]).len()), (&json!("records_full"), own.len()));
}
