//! A question as it is sent to a server, and whether what came back is a reply to it.
//!
//! Letters are sent in random case, and must come back so: whoever forges a reply without having seen the question has to
//! guess each of them, beside the id and the port (RFC 5452 §4, draft-vixie-dnsext-dns0x20).

use crate::{message::HEADER, resolve::Wanted};
use dnsplane_proto::RecordType;

/// The largest UDP reply that we ask for: what fits a packet everywhere.
const PAYLOAD: u16 = 1232;
const CLASS_IN: [u8; 2] = [0, 1];
const RD: u8 = 1;
const QR: u8 = 0x80;
const TC: u8 = 2;
const CD: u8 = 0x10;
const DO: u8 = 0x80;

/// How a question is put.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Put {
    /// Of the message.
    pub(crate) id: u16,
    /// A letter at octet `n` of the name is a capital if bit `n` modulo 64 is set.
    pub(crate) case: u64,
    /// With an OPT record.
    pub(crate) edns: bool,
    /// The answer will be validated here: what that takes is asked for, and that nobody else does it (RFC 6840 §5.9).
    pub(crate) validates: bool,
}

/// What a message says to whoever put a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// NOERROR or NXDOMAIN.
    Answer,
    /// It does not fit: TC.
    Truncated,
    /// Another RCODE.
    Code(u8),
    /// A reply, but its letters are not in the case they were sent in.
    WrongCase,
    /// No reply to this question.
    Stranger,
}

/// Appends the question.
pub(crate) fn write(wanted: &Wanted, put: Put, out: &mut Vec<u8>) {
    let [high, low] = put.id.to_be_bytes();
    let flags = if wanted.checking_disabled || put.validates { CD } else { 0 };
    out.extend_from_slice(&[high, low, RD, flags, 0, 1, 0, 0, 0, 0, 0, u8::from(put.edns)]);
    out.extend(wanted.name.iter().enumerate().map(|(at, octet)| in_case(*octet, at, put.case)));
    out.extend_from_slice(&wanted.kind.0.to_be_bytes());
    out.extend_from_slice(&CLASS_IN);
    if put.edns {
        let [kind, payload] = [RecordType::OPT.0, PAYLOAD].map(u16::to_be_bytes);
        let flags = if wanted.dnssec_ok || put.validates { DO } else { 0 };
        out.extend_from_slice(&[0, kind[0], kind[1], payload[0], payload[1], 0, 0, flags, 0, 0, 0]);
    }
}

/// The id of a message.
pub(crate) fn id(message: &[u8]) -> Option<u16> {
    message.first_chunk().map(|id| u16::from_be_bytes(*id))
}

/// What a message with the right id says to whoever put this question.
pub(crate) fn judge(wanted: &Wanted, put: Put, message: &[u8]) -> Heard {
    let Some((header, rest)) = message.split_first_chunk::<HEADER>() else { return Heard::Stranger };
    let (name, rest) = rest.split_at(wanted.name.len().min(rest.len()));
    let opcode = header[2] >> 3 & 0x0f;
    let fits = header[2] & QR != 0
        && opcode == 0
        && header[4..6] == [0, 1]
        && name.eq_ignore_ascii_case(&wanted.name)
        && rest.starts_with(&[wanted.kind.0.to_be_bytes(), CLASS_IN].concat());
    if !fits {
        return Heard::Stranger;
    }
    let is_as_sent = |(at, (sent, came)): (usize, (&u8, &u8))| in_case(*sent, at, put.case) == *came;
    if !wanted.name.iter().zip(name).enumerate().all(is_as_sent) {
        return Heard::WrongCase;
    }
    match header[3] & 0x0f {
        _ if header[2] & TC != 0 => Heard::Truncated,
        0 | 3 => Heard::Answer,
        code => Heard::Code(code),
    }
}

/// Lengths of labels are below the letters, so they stay as they are.
fn in_case(octet: u8, at: usize, case: u64) -> u8 {
    if case >> (at & 63) & 1 == 1 { octet.to_ascii_uppercase() } else { octet }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            name: b"\x03www\x07example\x00"[..].into(),
            kind: RecordType::AAAA,
            dnssec_ok: true,
            checking_disabled: false,
        }
    }

    const PUT: Put = Put { id: 0xabcd, case: 0b1010, edns: true, validates: false };

    /// A reply with this third and fourth octet.
    fn reply(flags: [u8; 2]) -> Vec<u8> {
        let mut message = Vec::new();
        write(&wanted(), PUT, &mut message);
        message[2..4].copy_from_slice(&flags);
        message
    }

    #[test]
    fn a_question_is_what_resolvers_ask() {
        let mut message = Vec::new();
        write(&wanted(), PUT, &mut message);
        let expected = b"\xab\xcd\x01\x00\x00\x01\x00\x00\x00\x00\x00\x01\x03WwW\x07example\x00\x00\x1c\x00\x01\
            \x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00";
        assert_eq!(message.escape_ascii().to_string(), expected.escape_ascii().to_string());
        let plain = Wanted { checking_disabled: true, ..wanted() };
        message.clear();
        write(&plain, Put { edns: false, ..PUT }, &mut message);
        assert_eq!((message[3], message[11], message.len()), (0x10, 0, 12 + 13 + 4));
        message.clear();
        write(&Wanted { dnssec_ok: false, ..wanted() }, Put { validates: true, ..PUT }, &mut message);
        assert_eq!((message[3], message[message.len() - 4]), (0x10, 0x80), "CD and DO");
    }

    #[test]
    fn rfc5452_s9_1_only_what_repeats_the_question_is_a_reply() {
        for (why, flags, expected) in [
            ("NOERROR", [0x81, 0x80], Heard::Answer),
            ("NXDOMAIN", [0x81, 0x83], Heard::Answer),
            ("TC", [0x83, 0x80], Heard::Truncated),
            ("SERVFAIL", [0x81, 0x82], Heard::Code(2)),
            ("a query", [0x01, 0x00], Heard::Stranger),
            ("another opcode", [0xa0, 0x00], Heard::Stranger),
        ] {
            assert_eq!(judge(&wanted(), PUT, &reply(flags)), expected, "{why}");
        }
        let good = reply([0x81, 0x80]);
        for (why, at, octet, expected) in [
            ("two questions", 5, 2, Heard::Stranger),
            ("no question", 5, 0, Heard::Stranger),
            ("another case", 13, b'w', Heard::WrongCase),
            ("another name", 13, b'v', Heard::Stranger),
            ("another type", 26, 1, Heard::Stranger),
            ("another class", 28, 3, Heard::Stranger),
        ] {
            let mut message = good.clone();
            message[at] = octet;
            assert_eq!(judge(&wanted(), PUT, &message), expected, "{why}");
        }
        for length in 0..good.len() - 11 {
            assert_eq!(judge(&wanted(), PUT, &good[..length]), Heard::Stranger, "{length} octets");
        }
    }
}
