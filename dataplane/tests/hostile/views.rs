//! The views over a query agree with the second reading, and look at nothing outside the message.

use super::reference::{self, COOKIE, Opt};
use dnsplane_dns::message::{Edns, Header, Query};

/// The input is a message.
pub(crate) fn check(message: &[u8]) {
    let header = Header::parse(message);
    assert_eq!(header.is_some(), message.len() >= 12);
    if let Some(header) = header {
        assert_eq!(header.is_response(), message[2] & 0x80 != 0);
        assert_eq!(header.opcode(), message[2] >> 3 & 15);
    }
    let expected = if header.is_some() { reference::read(message) } else { None };
    let query = Query::parse(message);
    assert_eq!(query.is_ok(), expected.is_some(), "{query:?} or {expected:?}");
    let (Ok(query), Some(expected)) = (query, expected) else { return };
    let question = query.question;
    assert_eq!(question.name, expected.name);
    assert_eq!((question.kind.0, question.class), (expected.kind, expected.class));
    assert_eq!(question.wire, &message[12..12 + expected.name.len() + 4]);
    match (query.edns, expected.edns) {
        (Some(edns), Some(opt)) => compare(&edns, &opt),
        (edns, opt) => assert!(edns.is_none() && opt.is_none(), "{edns:?} or {opt:?}"),
    }
}

fn compare(edns: &Edns<'_>, opt: &Opt) {
    assert_eq!((edns.payload, edns.version, edns.dnssec_ok), (opt.payload, opt.version, opt.dnssec_ok));
    let first = |code| opt.options.iter().find(|(other, _)| *other == code).map(|(_, content)| &content[..]);
    let cookie = edns.cookie.map(|cookie| [cookie.client, cookie.server].concat());
    assert_eq!(cookie.as_deref(), first(COOKIE));
    assert_eq!((edns.keepalive, edns.wants_identity), (first(11).is_some(), first(3).is_some()));
}
