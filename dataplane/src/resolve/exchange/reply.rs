//! Whether a message is a reply to a query. All that is looked at before the engine has it.

use super::ExchangeError;
use crate::message::{HEADER, Header, Question};

/// Octets of a message over a connection (RFC 1035 §4.2.2).
pub(super) const MAX_MESSAGE: usize = 65_535;

/// A query of one question that can be sent: its question, as it is.
pub(super) fn question(query: &[u8]) -> Result<&[u8], ExchangeError> {
    let whole = query.len() <= MAX_MESSAGE && query.get(4..6) == Some([0, 1].as_slice());
    let question = Question::parse(query).map_err(|_| ExchangeError::BadQuery)?;
    if whole { Ok(question.wire) } else { Err(ExchangeError::BadQuery) }
}

/// The query with another id.
pub(super) fn with_id(message: &[u8], id: [u8; 2]) -> Vec<u8> {
    let mut message = message.to_vec();
    if let Some(place) = message.first_chunk_mut() {
        *place = id;
    }
    message
}

/// Whether the message is a reply to this question: QR, opcode QUERY, and the question itself, whose case may differ
/// (RFC 4343). A server that cannot read a question may leave it out (RFC 1035 §4.1.1 leaves that open); then only its refusal
/// counts.
pub(super) fn answers(reply: &[u8], question: &[u8]) -> bool {
    let Some(header) = Header::parse(reply) else { return false };
    if reply.len() > MAX_MESSAGE || !header.is_response() || header.opcode() != 0 {
        return false;
    }
    match [reply[4], reply[5]] {
        [0, 1] => Question::parse(reply).is_ok_and(|found| found.wire.eq_ignore_ascii_case(question)),
        [0, 0] => reply.len() == HEADER && reply[3] & 0x0f != 0,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: &[u8] = b"\x01A\x00\x00\x01\x00\x01";

    fn message(flags: [u8; 2], count: u8, rest: &[u8]) -> Vec<u8> {
        [&[7, 7], flags.as_slice(), &[0, count, 0, 0, 0, 0, 0, 0], rest].concat()
    }

    #[test]
    fn only_a_response_to_the_same_question_is_a_reply() {
        let table: [(&[u8], bool); 9] = [
            (&message([0x81, 0x80], 1, QUESTION), true),
            (&message([0x81, 0x80], 1, b"\x01a\x00\x00\x01\x00\x01"), true),
            (&message([0x01, 0x80], 1, QUESTION), false),
            (&message([0xa1, 0x80], 1, QUESTION), false),
            (&message([0x81, 0x80], 1, b"\x01b\x00\x00\x01\x00\x01"), false),
            (&message([0x81, 0x80], 1, b"\x01a\x00\x00\x1c\x00\x01"), false),
            (&message([0x81, 0x80], 2, QUESTION), false),
            (&message([0x81, 0x84], 0, b""), true),
            (&message([0x81, 0x80], 0, b""), false),
        ];
        for (reply, expected) in table {
            assert_eq!(answers(reply, QUESTION), expected, "{reply:02x?}");
        }
        assert!(!answers(b"\x00", QUESTION));
    }

    #[test]
    fn what_is_sent_has_one_question() {
        assert_eq!(question(&message([1, 0], 1, QUESTION)).ok(), Some(QUESTION));
        assert!(question(&message([1, 0], 2, QUESTION)).is_err());
        assert!(question(&message([1, 0], 1, b"\x01")).is_err());
        assert!(question(b"").is_err());
    }
}
