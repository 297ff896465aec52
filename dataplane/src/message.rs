//! Views over the bytes of a query: header, question, EDNS. Nothing is copied and nothing is allocated.
//!
//! The bytes come from strangers. What is not exactly a query is [`Malformed`] as a whole: we never guess what was meant.
//! Compression pointers are legal in names behind the question (RFC 1035 §4.1.4). They must lead backwards, and are followed
//! only to see whether there is a name; so no packet can make us loop. In the question there is nothing before it that a
//! pointer could mean. Octets behind the last record are not looked at.

mod edns;

pub use edns::{Cookie, Edns};

use crate::wire_name::{self, MAX_NAME};
use dnsplane_proto::RecordType;

/// Octets of a message header (RFC 1035 §4.1.1).
pub(crate) const HEADER: usize = 12;
const MAX_LABEL: u8 = 63;
/// Labels and pointers behind the question: more than any query that means well has, so few that none costs much.
const MAX_STEPS: usize = 1024;
/// Type, class, TTL and RDATA length behind an owner name.
const RECORD_FIXED: usize = 10;

/// The bytes are not a well-formed query: FORMERR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The first twelve octets (RFC 1035 §4.1.1, RFC 2535 §6.1).
#[derive(Clone, Copy, Debug)]
pub struct Header<'a> {
    octets: &'a [u8; HEADER],
}

impl<'a> Header<'a> {
    /// `None`: the message is shorter than a header.
    pub fn parse(message: &'a [u8]) -> Option<Self> {
        message.first_chunk().map(|octets| Self { octets })
    }

    /// QR: this is a response.
    pub fn is_response(&self) -> bool {
        self.octets[2] & 0x80 != 0
    }

    /// OPCODE; 0 is QUERY.
    pub fn opcode(&self) -> u8 {
        self.octets[2] >> 3 & 0x0f
    }

    /// What a reply repeats: the id, …
    pub(crate) fn id(&self) -> [u8; 2] {
        [self.octets[0], self.octets[1]]
    }

    /// … OPCODE and RD (RFC 1035 §4.1.1), …
    pub(crate) fn opcode_and_rd(&self) -> u8 {
        self.octets[2] & 0x79
    }

    /// … and CD (RFC 4035 §3.2.2).
    pub(crate) fn checking_disabled(&self) -> u8 {
        self.octets[3] & 0x10
    }

    /// RD: the client wants names resolved that are not ours (RFC 1035 §4.1.1).
    pub fn recursion_desired(&self) -> bool {
        self.octets[2] & 0x01 != 0
    }

    /// AD: the client wants to know whether an answer is authentic (RFC 6840 §5.7).
    pub fn authentic_data(&self) -> bool {
        self.octets[3] & 0x20 != 0
    }

    fn counts(&self) -> [u16; 4] {
        std::array::from_fn(|at| u16::from_be_bytes([self.octets[4 + 2 * at], self.octets[5 + 2 * at]]))
    }
}

/// A query of one question.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// Its header.
    pub header: Header<'a>,
    /// Its question.
    pub question: Question<'a>,
    /// What its OPT record says, if it has one.
    pub edns: Option<Edns<'a>>,
}

/// Name, type and class (RFC 1035 §4.1.2).
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The name as it was sent, in its own case.
    pub name: &'a [u8],
    /// QTYPE.
    pub kind: RecordType,
    /// QCLASS; 1 is IN.
    pub class: u16,
    /// The question as it was sent.
    pub wire: &'a [u8],
}

impl<'a> Query<'a> {
    /// Reads a message whose header says that it is a query.
    pub fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let header = Header::parse(message).ok_or(Malformed)?;
        let [questions, answers, authorities, additionals] = header.counts();
        if questions != 1 {
            return Err(Malformed);
        }
        let question = Question::parse(message)?;
        let (mut at, mut steps) = (HEADER + question.wire.len(), MAX_STEPS);
        // IXFR sends an SOA in the authority section (RFC 1995 §3); nothing before the additional section concerns us.
        // Each record takes at least eleven octets, so the counts cannot make this loop longer than the message.
        for _ in 0..u32::from(answers) + u32::from(authorities) {
            let (record, end) = Record::read(message, at, &mut steps)?;
            if record.kind == RecordType::OPT {
                return Err(Malformed); // it belongs to the additional section (RFC 6891 §6.1.1)
            }
            at = end;
        }
        let mut edns = None;
        for _ in 0..additionals {
            let (record, end) = Record::read(message, at, &mut steps)?;
            at = end;
            if record.kind == RecordType::OPT && edns.replace(Edns::parse(&record)?).is_some() {
                return Err(Malformed); // more than one OPT (RFC 6891 §6.1.1)
            }
        }
        Ok(Self { header, question, edns })
    }
}

impl<'a> Question<'a> {
    /// The question right behind the header.
    pub(crate) fn parse(message: &'a [u8]) -> Result<Self, Malformed> {
        let bytes = message.get(HEADER..).ok_or(Malformed)?;
        let end = wire_name::split(bytes).ok_or(Malformed)?.len();
        let [kind_high, kind_low, class_high, class_low] = *bytes[end..].first_chunk::<4>().ok_or(Malformed)?;
        Ok(Self {
            name: &bytes[..end],
            kind: RecordType(u16::from_be_bytes([kind_high, kind_low])),
            class: u16::from_be_bytes([class_high, class_low]),
            wire: &bytes[..end + 4],
        })
    }
}

/// A record behind the question. Its RDATA is not looked into.
struct Record<'a> {
    /// Its owner is the root.
    of_root: bool,
    kind: RecordType,
    class: u16,
    ttl: [u8; 4],
    rdata: &'a [u8],
}

impl<'a> Record<'a> {
    /// The record at this place of the message, and where it ends.
    fn read(message: &'a [u8], at: usize, steps: &mut usize) -> Result<(Self, usize), Malformed> {
        let (fixed_at, of_root) = owner(message, at, steps)?;
        let (fixed, rest) = message[fixed_at..].split_first_chunk::<RECORD_FIXED>().ok_or(Malformed)?;
        let [kind_high, kind_low, class_high, class_low, ttl @ .., length_high, length_low] = *fixed;
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let rdata = rest.get(..length).ok_or(Malformed)?;
        let kind = RecordType(u16::from_be_bytes([kind_high, kind_low]));
        let class = u16::from_be_bytes([class_high, class_low]);
        Ok((Self { of_root, kind, class, ttl, rdata }, fixed_at + RECORD_FIXED + length))
    }
}

/// Where the owner name at this place ends, and whether it is the root. Each pointer must lead to a place before the part
/// of the name that it stands in, as NSD, Knot and BIND demand too; loops are not possible then. Each step is taken from
/// `steps`.
fn owner(message: &[u8], start: usize, steps: &mut usize) -> Result<(usize, bool), Malformed> {
    let (mut part, mut at, mut octets, mut end) = (start, start, 0, None);
    loop {
        *steps = steps.checked_sub(1).ok_or(Malformed)?;
        match *message.get(at).ok_or(Malformed)? {
            0 => return Ok((end.unwrap_or(at + 1), octets == 0)),
            length @ 1..=MAX_LABEL => {
                octets += usize::from(length) + 1;
                at += usize::from(length) + 1;
            }
            high @ 0xc0.. => {
                let low = *message.get(at + 1).ok_or(Malformed)?;
                let to = usize::from(high & 0x3f) << 8 | usize::from(low);
                if !(HEADER..part).contains(&to) {
                    return Err(Malformed);
                }
                end = end.or(Some(at + 2));
                (part, at) = (to, to);
            }
            _ => return Err(Malformed),
        }
        if octets >= MAX_NAME {
            return Err(Malformed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Header with these counts, then the bytes.
    fn message(counts: [u8; 4], rest: &[u8]) -> Vec<u8> {
        let mut message = vec![0xab, 0xcd, 1, 0];
        counts.iter().for_each(|count| message.extend([0, *count]));
        message.extend_from_slice(rest);
        message
    }

    const QUESTION: &[u8] = b"\x03WwW\x00\x00\x01\x00\x01";
    const OPT: &[u8] = b"\x00\x00\x29\x10\x00\x00\x00\x80\x00\x00\x00";

    #[test]
    fn a_query_is_understood() {
        let bytes = message([1, 0, 0, 1], &[QUESTION, OPT].concat());
        let query = Query::parse(&bytes).expect("well-formed");
        assert_eq!(query.question.name, b"\x03WwW\x00");
        assert_eq!((query.question.kind, query.question.class), (RecordType::A, 1));
        assert_eq!(
            query.edns,
            Some(Edns {
                payload: 4096,
                version: 0,
                dnssec_ok: true,
                cookie: None,
                keepalive: false,
                wants_identity: false,
                padding: false
            })
        );
        assert_eq!((query.header.opcode(), query.header.is_response()), (0, false));
    }

    #[test]
    fn rfc1035_s4_1_and_rfc6891_s6_1_what_is_not_a_query_is_malformed() {
        let long_name = [&[b"\x3f".as_slice(), &[b'a'; 63]].concat().repeat(4)[..], b"\x00\x00\x01\x00\x01"].concat();
        let opt = |rdata: &[u8]| [&OPT[..9], &[0, rdata.len() as u8], rdata].concat();
        for (why, counts, rest) in [
            ("no question", [0, 0, 0, 0], vec![]),
            ("two questions", [2, 0, 0, 0], [QUESTION, QUESTION].concat()),
            ("question missing", [1, 0, 0, 0], vec![]),
            ("class cut", [1, 0, 0, 0], QUESTION[..8].to_vec()),
            ("label goes on behind the end", [1, 0, 0, 0], b"\x09www".to_vec()),
            ("pointer in the question", [1, 0, 0, 0], b"\xc0\x0c\x00\x01\x00\x01".to_vec()),
            ("reserved label type", [1, 0, 0, 0], b"\x41a\x00\x00\x01\x00\x01".to_vec()),
            ("name over 255 octets", [1, 0, 0, 0], long_name),
            (
                "pointer to itself",
                [1, 0, 0, 1],
                [QUESTION, b"\xc0\x15\x00\x01\x00\x01\x00\x00\x00\x00\x00\x00"].concat(),
            ),
            ("record missing", [1, 0, 0, 1], QUESTION.to_vec()),
            ("record missing in authority", [1, 0, 9, 0], QUESTION.to_vec()),
            ("two OPT", [1, 0, 0, 2], [QUESTION, OPT, OPT].concat()),
            ("OPT not at the root", [1, 0, 0, 1], [QUESTION, b"\x01a", OPT].concat()),
            ("option cut", [1, 0, 0, 1], [QUESTION, &opt(b"\x00\x0a\x00\x08abc")].concat()),
            ("client cookie cut", [1, 0, 0, 1], [QUESTION, &opt(b"\x00\x0a\x00\x07abcdefg")].concat()),
            ("server cookie cut", [1, 0, 0, 1], [QUESTION, &opt(b"\x00\x0a\x00\x0fabcdefgh1234567")].concat()),
            (
                "server cookie too long",
                [1, 0, 0, 1],
                [QUESTION, &opt(&[&b"\x00\x0a\x00\x29"[..], &[7; 41]].concat())].concat(),
            ),
            ("OPT in the answer section", [1, 1, 0, 0], [QUESTION, OPT].concat()),
            ("OPT in the authority section", [1, 0, 1, 0], [QUESTION, OPT].concat()),
            ("option header cut", [1, 0, 0, 1], [QUESTION, &opt(b"\x00\x0a\x00")].concat()),
        ] {
            assert_eq!(Query::parse(&message(counts, &rest)).err(), Some(Malformed), "{why}");
        }
    }

    #[test]
    fn rfc7873_s4_a_cookie_is_the_clients_and_perhaps_ours() {
        let options = b"\x00\x0b\x00\x00\x00\x0a\x00\x10abcdefgh12345678";
        let opt = [&OPT[..9], &[0, options.len() as u8], options].concat();
        let bytes = message([1, 0, 0, 1], &[QUESTION, &opt].concat());
        let edns = Query::parse(&bytes).expect("fine").edns.expect("there");
        assert_eq!(edns.cookie, Some(Cookie { client: b"abcdefgh", server: b"12345678" }));
        assert!(edns.keepalive);
    }

    #[test]
    fn rfc6891_s6_1_2_unknown_options_are_skipped() {
        let options = b"\x00\x0a\x00\x08abcdefgh\xff\xfe\x00\x00";
        let opt = [&OPT[..9], &[0, options.len() as u8], options].concat();
        assert!(Query::parse(&message([1, 0, 0, 1], &[QUESTION, &opt].concat())).expect("fine").edns.is_some());
    }

    #[test]
    fn names_that_together_take_too_many_steps_are_malformed() {
        let record =
            |labels: usize| [&b"\x01a".repeat(labels)[..], b"\x00\x00\x10\x00\x01\x00\x00\x00\x00\x00\x00"].concat();
        for (labels, records, fine) in [(100, 10, true), (100, 11, false), (0, 200, true)] {
            let bytes = message([1, 0, 0, records], &[QUESTION, &record(labels).repeat(records.into())].concat());
            assert_eq!(Query::parse(&bytes).is_ok(), fine, "{records} records of {labels} labels");
        }
    }

    #[test]
    fn rfc1995_s3_records_before_the_opt_are_stepped_over() {
        let soa = b"\xc0\x0c\x00\x06\x00\x01\x00\x00\x00\x00\x00\x02ab";
        let bytes = message([1, 0, 1, 1], &[QUESTION, soa, OPT].concat());
        assert!(Query::parse(&bytes).expect("fine").edns.is_some());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = Query::parse(&bytes);
        }

        #[test]
        fn no_damage_panics(at in 0usize..60, with: u8, cut in 0usize..60) {
            let mut bytes = message([1, 0, 0, 1], &[QUESTION, OPT].concat());
            if let Some(octet) = bytes.get_mut(at) {
                *octet = with;
            }
            bytes.truncate(cut);
            let _ = Query::parse(&bytes);
        }
    }
}
