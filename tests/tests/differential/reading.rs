//! Replies as they come from the wire, in a form in which they can be compared. Independent of any DNS library: what one
//! cannot parse could not be compared.

use crate::kinds;
use std::fmt;

/// A reply.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// With the upper bits from OPT (RFC 6891 §6.1.3).
    pub(crate) rcode: u16,
    pub(crate) aa: bool,
    pub(crate) tc: bool,
    /// In the order of the message.
    pub(crate) answer: Vec<Record>,
    pub(crate) authority: Vec<Record>,
    /// Without OPT.
    pub(crate) additional: Vec<Record>,
}

/// A record; names are in lower case and written out.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Record {
    pub(crate) owner: String,
    pub(crate) kind: u16,
    pub(crate) class: u16,
    pub(crate) ttl: u32,
    /// RDATA, or the name if it is nothing else.
    pub(crate) data: String,
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { owner, kind, class, ttl, data } = self;
        write!(f, "{owner}. {ttl} {}{} {data}", if *class == 1 { "" } else { "CLASS? " }, kinds::mnemonic(*kind))
    }
}

/// Reads a whole message; `None` if it is not one.
pub(crate) fn read(message: &[u8]) -> Option<Said> {
    let mut reader = Reader { message, at: 0 };
    let [_, flags, questions, answers, authorities, additionals] = reader.words()?;
    for _ in 0..questions {
        reader.name()?;
        reader.words::<2>()?;
    }
    let mut section = |count| (0..count).map(|_| reader.record()).collect::<Option<Vec<_>>>();
    let (answer, authority, mut additional) = (section(answers)?, section(authorities)?, section(additionals)?);
    let opt = additional.iter().position(|record| record.kind == kinds::number("OPT"));
    let upper = opt.map_or(0, |at| additional.remove(at).ttl >> 24) as u16;
    let rcode = upper << 4 | flags & 0x0f;
    let complete = reader.at == message.len();
    complete.then_some(Said { rcode, aa: flags & 0x0400 != 0, tc: flags & 0x0200 != 0, answer, authority, additional })
}

struct Reader<'m> {
    message: &'m [u8],
    at: usize,
}

impl<'m> Reader<'m> {
    fn take(&mut self, length: usize) -> Option<&'m [u8]> {
        let octets = self.message.get(self.at..self.at + length)?;
        self.at += length;
        Some(octets)
    }

    fn words<const N: usize>(&mut self) -> Option<[u16; N]> {
        let octets = self.take(2 * N)?;
        Some(std::array::from_fn(|at| u16::from_be_bytes([octets[2 * at], octets[2 * at + 1]])))
    }

    /// A name, pointers followed (RFC 1035 §4.1.4).
    fn name(&mut self) -> Option<String> {
        let (mut labels, mut jumped_from) = (Vec::new(), None);
        loop {
            let length = self.take(1)?[0];
            match length {
                0 => break,
                1..64 => labels.push(String::from_utf8_lossy(self.take(length.into())?).to_ascii_lowercase()),
                192.. => {
                    let low = self.take(1)?[0];
                    let to = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    // Backwards only, so that this ends.
                    if to >= self.at - 2 {
                        return None;
                    }
                    jumped_from.get_or_insert(self.at);
                    self.at = to;
                }
                _ => return None,
            }
        }
        self.at = jumped_from.unwrap_or(self.at);
        Some(labels.join("."))
    }

    fn record(&mut self) -> Option<Record> {
        let owner = self.name()?;
        let [kind, class, ttl_high, ttl_low, length] = self.words()?;
        let end = self.at + usize::from(length);
        let (before, names) = names_in(kind);
        let mut data = hex(self.take(before)?);
        for _ in 0..names {
            data = format!("{data} {}.", self.name()?);
        }
        let rest = self.take(end.checked_sub(self.at)?)?;
        let data = format!("{data} {}", hex(rest)).trim().to_owned();
        Some(Record { owner, kind, class, ttl: u32::from(ttl_high) << 16 | u32::from(ttl_low), data })
    }
}

/// How many octets of RDATA come before how many names. Names in these types may be compressed (RFC 3597 §4).
fn names_in(kind: u16) -> (usize, usize) {
    match kinds::mnemonic(kind).as_str() {
        "NS" | "CNAME" | "PTR" | "DNAME" => (0, 1),
        "SOA" | "RP" => (0, 2),
        "MX" | "AFSDB" | "KX" | "SVCB" | "HTTPS" => (2, 1),
        "SRV" => (6, 1),
        _ => (0, 0),
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
