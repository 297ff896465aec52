//! What is blocked.

use super::{behind, counts, nsd};
use dnsplane_tests::dns::Question;
use hickory_proto::op::ResponseCode;
use serde_json::json;

#[test]
fn a_blocked_name_is_blocked_at_once_for_every_type_also_if_it_was_remembered() {
    let upstream = nsd("");
    let mut node = behind(upstream.address()).start();
    assert_eq!(node.ask("ads.up.example", "A").values(), ["192.0.2.66"]);
    let added = node.request("POST", "/adblock/domains", Some(&json!({"domain": "ads.up.example"})));
    assert_eq!(added.status, 201, "{added:?}");
    node.eventually_answers("ads.up.example", "A", &["0.0.0.0"]);
    assert_eq!(node.ask("x.ads.up.example", "AAAA").values(), ["::"]);
    for kind in ["HTTPS", "MX", "TXT"] {
        let reply = node.ask("ads.up.example", kind);
        assert_eq!((reply.code(), reply.answers().len()), (ResponseCode::NoError, 0), "{kind}");
    }
    let told = Question::new("ads.up.example", "A").edns(1232).udp(node.dns()).expect("a reply");
    // EXTENDED-DNS-ERROR 15, Blocked (RFC 8914 §4.16).
    assert!(told.bytes.windows(6).any(|octets| octets[..2] == [0, 15] && octets[4..] == [0, 15]), "{told:?}");
    counts(&mut node, "forwarded", 1);
    assert_eq!(node.ask("mail.up.example", "AAAA").values(), ["2001:db8::25"], "others are not");
}
