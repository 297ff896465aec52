//! Messages of upstreams, for tests: made by hickory-proto, which compresses names in its own way, from lines of text.

use hickory_proto::{
    op::{Edns, Message, OpCode, Query, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, AAAA, CNAME, MX, NS, NULL, PTR, SOA, SRV, TXT, opt::EdnsOption},
    },
};

/// What an upstream sends.
#[derive(Clone)]
pub(crate) struct Made {
    pub(crate) message: Message,
}

/// A reply to this question that has nothing in it yet.
pub(crate) fn reply_to(name: &str, kind: RecordType) -> Made {
    let mut message = Message::response(0x1234, OpCode::Query);
    message.metadata.recursion_available = true;
    message.add_query(Query::query(self::name(name), kind));
    Made { message }
}

impl Made {
    /// With these records in the answer section: `owner TTL TYPE value`.
    pub(crate) fn answers(mut self, lines: &[&str]) -> Self {
        self.message.add_answers(lines.iter().map(|line| record(line)));
        self
    }

    pub(crate) fn authorities(mut self, lines: &[&str]) -> Self {
        self.message.add_authorities(lines.iter().map(|line| record(line)));
        self
    }

    pub(crate) fn rcode(mut self, code: u16) -> Self {
        self.message.metadata.response_code = ResponseCode::from((code >> 4) as u8, (code & 15) as u8);
        self
    }

    pub(crate) fn extended_error(mut self, code: u16) -> Self {
        let mut edns = Edns::new();
        edns.set_max_payload(1232).options_mut().insert(EdnsOption::Unknown(15, code.to_be_bytes().to_vec()));
        self.message.set_edns(edns);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.message.to_vec().expect("a message")
    }
}

pub(crate) fn name(text: &str) -> Name {
    let mut name = Name::from_ascii(text).expect("a name");
    name.set_fqdn(true);
    name
}

pub(crate) fn record(line: &str) -> Record {
    let words: Vec<&str> = line.split(' ').collect();
    let [owner, ttl, kind, value @ ..] = &words[..] else { panic!("{line}") };
    let number = |at: usize| value[at].parse().expect("a number");
    let data = match *kind {
        "A" => RData::A(A(value[0].parse().expect("an address"))),
        "AAAA" => RData::AAAA(AAAA(value[0].parse().expect("an address"))),
        "CNAME" => RData::CNAME(CNAME(name(value[0]))),
        "NS" => RData::NS(NS(name(value[0]))),
        "PTR" => RData::PTR(PTR(name(value[0]))),
        "MX" => RData::MX(MX::new(number(0), name(value[1]))),
        "SRV" => RData::SRV(SRV::new(number(0), number(1), number(2), name(value[3]))),
        "TXT" => RData::TXT(TXT::new(vec![value.join(" ")])),
        // Its MINIMUM is what matters.
        "SOA" => RData::SOA(SOA::new(
            name(&format!("ns.{}", owner.trim_start_matches('.'))),
            name("root.net"),
            1,
            2,
            3,
            4,
            value[0].parse().expect("a number"),
        )),
        "DNAME" => other(39, wire(value[0])),
        // The type that is covered, and the signer.
        "RRSIG" => other(46, [&number(0).to_be_bytes()[..], &[8; 16], &wire(value[1]), &[7; 32]].concat()),
        "NSEC" => other(47, [&wire(value[0])[..], &[0, 1, 0x40]].concat()),
        other => panic!("{other}"),
    };
    Record::from_rdata(name(owner), ttl.parse().expect("a TTL"), data)
}

fn other(code: u16, rdata: Vec<u8>) -> RData {
    RData::Unknown { code: RecordType::from(code), rdata: NULL::with(rdata) }
}

fn wire(text: &str) -> Vec<u8> {
    dnsplane_proto::Name::encode(text).expect("a name")
}
