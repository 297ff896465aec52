//! A second reading of queries, written from the RFCs alone, without a thought for speed. What the data plane's own views
//! say is compared with it.

/// What a well-formed query with one question says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) name: Vec<u8>,
    pub(crate) kind: u16,
    pub(crate) class: u16,
    pub(crate) edns: Option<Opt>,
}

/// What an OPT record says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opt {
    pub(crate) payload: u16,
    pub(crate) version: u8,
    pub(crate) dnssec_ok: bool,
    /// Code and content of each option.
    pub(crate) options: Vec<(u16, Vec<u8>)>,
}

/// `None`: not a well-formed query of one question.
pub(crate) fn read(message: &[u8]) -> Option<Reading> {
    let mut bytes = Bytes { message, at: 4, steps: 0 };
    let counts = [bytes.number()?, bytes.number()?, bytes.number()?, bytes.number()?];
    if counts[0] != 1 {
        return None;
    }
    let name = bytes.question_name()?;
    let (kind, class) = (bytes.number()?, bytes.number()?);
    let mut found = None;
    for (section, count) in counts.into_iter().enumerate().skip(1) {
        for _ in 0..count {
            let opt = bytes.record()?;
            if let Some(opt) = opt {
                // RFC 6891 §6.1.1: in the additional section, and once.
                if section != 3 || found.is_some() {
                    return None;
                }
                found = Some(opt);
            }
        }
    }
    // Octets behind the last record are nobody's.
    Some(Reading { name, kind, class, edns: found })
}

struct Bytes<'a> {
    message: &'a [u8],
    at: usize,
    /// Labels, pointers and ends of the names behind the question so far.
    steps: usize,
}

impl Bytes<'_> {
    fn take(&mut self, octets: usize) -> Option<Vec<u8>> {
        let taken = self.message.get(self.at..self.at + octets)?.to_vec();
        self.at += octets;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        self.take(2).map(|octets| u16::from(octets[0]) << 8 | u16::from(octets[1]))
    }

    /// RFC 1035 §3.1: labels of 1 to 63 octets, then the root; 255 octets at most. There is nothing in front of the
    /// question that a compression pointer could point to (§4.1.4).
    fn question_name(&mut self) -> Option<Vec<u8>> {
        let mut name = Vec::new();
        loop {
            let length = self.take(1)?[0];
            name.push(length);
            if length == 0 {
                return (name.len() <= 255).then_some(name);
            }
            if length > 63 {
                return None;
            }
            name.extend(self.take(length.into())?);
        }
    }

    /// A name that may have pointers in it; whether it is just the root. Pointers lead to a place before the part of the
    /// name that they end (RFC 1035 §4.1.4). Names may take 1024 steps in all, so that none costs much.
    fn owner(&mut self) -> Option<bool> {
        let mut parts = vec![self.at];
        let (mut here, mut octets) = (Self { ..*self }, 0);
        loop {
            let length = here.take(1)?[0];
            self.steps += 1;
            if self.steps > 1024 {
                return None;
            }
            match length {
                0 => break,
                1..=63 => {
                    here.take(length.into())?;
                    octets += 1 + usize::from(length);
                }
                192.. => {
                    let to = usize::from(length & 63) * 256 + usize::from(here.take(1)?[0]);
                    if parts.len() == 1 {
                        self.at = here.at;
                    }
                    if to < 12 || to >= *parts.last()? {
                        return None;
                    }
                    parts.push(to);
                    here.at = to;
                }
                // RFC 6891 §5: label type 01 is obsolete; 10 was never given out.
                _ => return None,
            }
        }
        if parts.len() == 1 {
            self.at = here.at;
        }
        (octets < 255).then_some(octets == 0)
    }

    /// The content of the record if it is an OPT.
    fn record(&mut self) -> Option<Option<Opt>> {
        let at_root = self.owner()?;
        let (kind, class, ttl) = (self.number()?, self.number()?, self.take(4)?);
        let length = self.number()?;
        let rdata = self.take(length.into())?;
        if kind != 41 {
            return Some(None);
        }
        if !at_root {
            return None;
        }
        let mut inner = Bytes { message: &rdata, at: 0, steps: 0 };
        let mut options = Vec::new();
        while inner.at < rdata.len() {
            let (code, length) = (inner.number()?, inner.number()?);
            options.push((code, inner.take(length.into())?));
        }
        // RFC 7873 §5.2.2: the first COOKIE counts, and its length must be right.
        let cookie = options.iter().find(|(code, _)| *code == COOKIE);
        if COOKIES_COUNT && cookie.is_some_and(|(_, cookie)| !matches!(cookie.len(), 8 | 16..=40)) {
            return None;
        }
        Some(Some(Opt { payload: class, version: ttl[1], dnssec_ok: ttl[2] & 0x80 != 0, options }))
    }
}

/// RFC 7873 §4.
pub(crate) const COOKIE: u16 = 10;
/// Whether a COOKIE of a wrong length spoils the message.
const COOKIES_COUNT: bool = true;
