//! Walks over a reply octet by octet, without a library: what remains to be checked when a parser is content.

/// One record of a reply.
#[derive(Debug)]
pub(crate) struct Walked {
    pub(crate) kind: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    pub(crate) rdata: Vec<u8>,
}

/// The sections of a reply.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) question: Vec<u8>,
    pub(crate) sections: [Vec<Walked>; 3],
}

/// Panics unless the counts of the header fit the records exactly, and every owner name is one.
pub(crate) fn walk(reply: &[u8]) -> Reply {
    let number = |at: usize| usize::from(reply[at]) << 8 | usize::from(reply[at + 1]);
    let mut at = 12;
    assert!(number(4) <= 1, "more than one question");
    if number(4) == 1 {
        at = name(reply, at) + 4;
    }
    let question = reply[12..at].to_vec();
    let sections = [6, 8, 10].map(|count| {
        let records = (0..number(count)).map(|_| {
            at = name(reply, at);
            let length = number(at + 8);
            let fixed: [u8; 8] = reply[at..at + 8].try_into().expect("eight octets");
            let rdata = reply[at + 10..at + 10 + length].to_vec();
            at += 10 + length;
            let [kind_high, kind_low, class_high, class_low, ttl @ ..] = fixed;
            Walked {
                kind: u16::from_be_bytes([kind_high, kind_low]),
                class: u16::from_be_bytes([class_high, class_low]),
                ttl: u32::from_be_bytes(ttl),
                rdata,
            }
        });
        records.collect()
    });
    assert_eq!(at, reply.len(), "octets behind the last record");
    Reply { question, sections }
}

/// Where the name that starts here ends. Pointers must lead to a place in front of them (RFC 1035 §4.1.4).
fn name(reply: &[u8], start: usize) -> usize {
    let (mut at, mut end, mut octets) = (start, None, 0);
    loop {
        let length = usize::from(reply[at]);
        match length {
            0 => {
                assert!(octets < 255, "a name of more than 255 octets");
                return end.unwrap_or(at + 1);
            }
            1..=63 => {
                octets += length + 1;
                at += length + 1;
            }
            192.. => {
                let to = (length & 0x3f) << 8 | usize::from(reply[at + 1]);
                assert!((12..at).contains(&to), "a pointer at {at} to {to}");
                end = end.or(Some(at + 2));
                at = to;
            }
            _ => panic!("a label of type {length:#x} at {at}"),
        }
    }
}
