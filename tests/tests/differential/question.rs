//! Questions as chance makes them, about what is in a zone and what is not quite.

use crate::{
    kinds,
    zone::{LONG, MAX_NAME, OUTSIDE, Zone, ancestors},
};
use dnsplane_tests::{Random, rival::UDP_PAYLOAD};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

const RD: u16 = 0x0100;
const IN: u16 = 1;

/// A question and the bits around it.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Labels with dots between and none behind; the root is empty.
    pub(crate) name: String,
    pub(crate) kind: u16,
    pub(crate) class: u16,
    pub(crate) opcode: u8,
    /// The rest of the header's second word.
    pub(crate) flags: u16,
    pub(crate) edns: Option<Edns>,
    pub(crate) tcp: bool,
    /// Where the name comes from.
    pub(crate) about: &'static str,
}

/// What the OPT record says.
#[derive(Clone, Debug)]
pub(crate) struct Edns {
    pub(crate) payload: u16,
    pub(crate) version: u8,
    pub(crate) dnssec_ok: bool,
    pub(crate) options: &'static [u8],
}

/// NSID, padding, and one that nobody knows.
const OPTIONS: &[&[u8]] = &[b"", b"", b"\x00\x03\x00\x00", b"\x00\x0c\x00\x04\x00\x00\x00\x00", b"\xff\xf0\x00\x02ab"];

impl Question {
    /// Ordinary: an existing class, a query.
    pub(crate) fn is_plain(&self) -> bool {
        self.class == IN && self.opcode == 0 && self.edns.as_ref().is_none_or(|edns| edns.version == 0)
    }

    /// The message with this id.
    pub(crate) fn bytes(&self, id: u16) -> Vec<u8> {
        let mut out = id.to_be_bytes().to_vec();
        out.extend((self.flags | u16::from(self.opcode) << 11).to_be_bytes());
        out.extend([0, 1, 0, 0, 0, 0, 0, u8::from(self.edns.is_some())]);
        for label in self.name.split('.').filter(|label| !label.is_empty()) {
            out.push(label.len() as u8);
            out.extend_from_slice(label.as_bytes());
        }
        out.push(0);
        out.extend(self.kind.to_be_bytes());
        out.extend(self.class.to_be_bytes());
        if let Some(edns) = &self.edns {
            out.extend([0, 0, 41]);
            out.extend(edns.payload.to_be_bytes());
            out.extend([0, edns.version, u8::from(edns.dnssec_ok) << 7, 0]);
            out.extend((edns.options.len() as u16).to_be_bytes());
            out.extend_from_slice(edns.options);
        }
        out
    }
}

/// As a command that asks the same.
impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dig {}. -t TYPE{} -c CLASS{}", self.name, self.kind, self.class)?;
        f.write_str(if self.flags & RD == 0 { " +norec" } else { " +rec" })?;
        match &self.edns {
            None => f.write_str(" +noedns")?,
            Some(edns) => {
                write!(f, " +edns={} +bufsize={}", edns.version, edns.payload)?;
                f.write_str(if edns.dnssec_ok { " +dnssec" } else { "" })?;
            }
        }
        f.write_str(if self.tcp { " +tcp" } else { "" })?;
        if self.opcode != 0 {
            write!(f, " +opcode={}", self.opcode)?;
        }
        write!(f, " # {} {}", kinds::mnemonic(self.kind), self.about)
    }
}

/// What can be asked about one zone.
pub(crate) struct Questions {
    /// Names that are there, with their types, hidden ones too.
    there: Vec<(String, Vec<u16>)>,
    /// Names in values, and names above the names that are there.
    near: Vec<String>,
    /// The zone's and that of the one below it.
    apexes: Vec<String>,
    /// DNAMEs.
    redirects: Vec<String>,
}

impl Questions {
    pub(crate) fn about(zone: &Zone) -> Self {
        let records = zone.all_records();
        let mut there: BTreeMap<&str, BTreeSet<u16>> = BTreeMap::new();
        let mut near: BTreeSet<String> = BTreeSet::from([String::new()]);
        for record in &records {
            there.entry(&record.name).or_default().insert(kinds::number(&record.kind));
            near.extend(ancestors(&record.name).map(str::to_owned));
            let names = record.value.split(' ').filter(|word| word.ends_with(".example"));
            near.extend(names.map(str::to_owned));
        }
        let redirects = records.iter().filter(|record| record.kind == "DNAME").map(|record| record.name.clone());
        Self {
            redirects: redirects.collect(),
            apexes: [zone].into_iter().chain(zone.child.as_deref()).map(|zone| zone.origin.clone()).collect(),
            there: there.into_iter().map(|(name, kinds)| (name.to_owned(), kinds.into_iter().collect())).collect(),
            near: near.into_iter().collect(),
        }
    }

    /// One of very many.
    pub(crate) fn one(&self, random: &mut Random) -> Question {
        let (name, kinds, about) = self.name(random);
        let name = if name.len() > MAX_NAME { self.there[0].0.clone() } else { name };
        let edns = random.one_in(2).then(|| Edns {
            payload: *random.one_of(&[UDP_PAYLOAD, UDP_PAYLOAD, UDP_PAYLOAD, 1232, 512]),
            version: u8::from(random.one_in(40)),
            dnssec_ok: random.one_in(3),
            options: OPTIONS[random.within(0..OPTIONS.len() as u64) as usize],
        });
        Question {
            name: if random.one_in(5) { mix_case(random, &name) } else { name },
            kind: kinds::to_ask(random, kinds),
            class: if random.one_in(40) { *random.one_of(&[0, 3, 4, 254, 255, 65280]) } else { IN },
            opcode: if random.one_in(60) { *random.one_of(&[1, 2, 3, 4, 5, 6, 15]) } else { 0 },
            flags: flags(random),
            edns,
            // What does not fit into a datagram is compared here.
            tcp: random.one_in(4),
            about,
        }
    }

    /// A name, the types it has, and where it comes from.
    fn name(&self, random: &mut Random) -> (String, &[u16], &'static str) {
        let (there, kinds) = random.one_of(&self.there);
        let label = *random.one_of(&["a", "b", "q", "www", "*", "x.y", "deep.under.q", "m.*"]);
        match random.within(0..20) {
            0..6 => (there.clone(), kinds, "there"),
            6..8 => (random.one_of(&self.near).clone(), kinds, "near"),
            8..12 => (format!("{label}.{there}"), kinds, "below"),
            12..14 => match there.split_once('.') {
                Some((_, parent)) => (format!("{label}.{parent}"), kinds, "beside"),
                None => (there.clone(), kinds, "there"),
            },
            14..16 => (there.replacen('*', label, 1), kinds, "instead of a star"),
            16 => (format!("{label}.{}", random.one_of(&self.near)), kinds, "below what is near"),
            17 if !self.redirects.is_empty() => {
                let redirect = random.one_of(&self.redirects);
                let room = (MAX_NAME.saturating_sub(redirect.len())) / (LONG.len() + 1);
                let labels = random.within(0..room as u64 + 1);
                let front: String = (0..labels).map(|_| format!("{LONG}.")).collect();
                (format!("{front}{label}.{redirect}"), kinds, "below a DNAME")
            }
            18 if random.one_in(10) => ("www.test".to_owned(), kinds, "a special name"),
            18 => ((*random.one_of(OUTSIDE)).to_owned(), kinds, "outside"),
            _ => (random.one_of(&self.apexes).clone(), kinds, "an apex"),
        }
    }
}

/// RD as often as not; at times bits that mean nothing in a query.
fn flags(random: &mut Random) -> u16 {
    let strange = if random.one_in(20) { *random.one_of(&[0x0400, 0x0200, 0x0080, 0x0040, 0x0020, 0x0010]) } else { 0 };
    strange | if random.one_in(2) { RD } else { 0 }
}

fn mix_case(random: &mut Random, name: &str) -> String {
    name.chars().map(|letter| if random.one_in(2) { letter.to_ascii_uppercase() } else { letter }).collect()
}
