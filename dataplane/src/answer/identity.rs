//! Which server is this? Questions of class CH that name servers answer about themselves (RFC 4892), and only if the operator
//! has said what to answer: nothing is told to strangers by default.

use super::lookup::RDATA_AT;
use crate::{
    encode::{Encoder, Section},
    message::{HEADER, Question},
    snapshot::{Set, entry::record_header},
};
use dnsplane_proto::{MAX_IDENTITY, RecordType};

pub(super) const CLASS_CH: u16 = 3;
const NAMES: [&[u8]; 4] =
    [b"\x02id\x06server\x00", b"\x08hostname\x04bind\x00", b"\x07version\x06server\x00", b"\x07version\x04bind\x00"];

/// Answers a question of class CH; `false` if it is another one.
pub(super) fn answer(question: &Question<'_>, identity: &[u8], encoder: &mut Encoder<'_>) -> bool {
    let about_us = NAMES.iter().any(|name| name.eq_ignore_ascii_case(question.name));
    let length = identity.len();
    if !about_us || !matches!(question.kind, RecordType::TXT | RecordType::ANY) || length > MAX_IDENTITY {
        return false;
    }
    let mut record = [0; RDATA_AT + 1 + MAX_IDENTITY];
    // TTL 0: this is about now.
    record[..RDATA_AT].copy_from_slice(&record_header(RecordType::TXT, 0, length + 1));
    record[4..6].copy_from_slice(&CLASS_CH.to_be_bytes());
    record[RDATA_AT] = length as u8;
    record[RDATA_AT + 1..][..length].copy_from_slice(identity);
    encoder.authoritative();
    let text = Set { kind: RecordType::TXT, count: 1, wire: &record[..RDATA_AT + 1 + length] };
    let _ = encoder.set(Section::Answer, HEADER, &text);
    true
}
