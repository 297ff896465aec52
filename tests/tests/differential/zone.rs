//! Zones as chance makes them, with everything that answers can depend on.

mod aliases;
mod deeds;

use crate::{kinds, reading};
use dnsplane_tests::{Random, Record, rival};
use std::collections::{BTreeMap, BTreeSet};

/// Few, so that names meet; `*` also where it means nothing.
const LABELS: &[&str] = &["a", "b", "c", "d", "www", "_tcp", "_sip", "0", "xn--bcher-kva", "*", LONG];
/// As long as a label may be.
pub(crate) const LONG: &str = "l23456789-123456789-123456789-123456789-123456789-123456789-123";
/// Names in nobody's zone.
pub(crate) const OUTSIDE: &[&str] = &["host.outside.example", "ns.far.example", "example", "www.elsewhere"];
/// What a name can have in text (RFC 1035 §2.3.4).
pub(crate) const MAX_NAME: usize = 253;
/// Owners are not longer, so that there is room in front of them.
const MAX_LENGTH: usize = 180;

/// A zone, and perhaps one below it on the same server.
#[derive(Debug)]
pub(crate) struct Zone {
    /// What it was made from; a zone below another one has that one's.
    pub(crate) seed: u64,
    pub(crate) origin: String,
    pub(crate) records: BTreeSet<Record>,
    pub(crate) child: Option<Box<Zone>>,
    /// What has been done to it, for those who want to know that nothing is missing.
    pub(crate) deeds: BTreeSet<&'static str>,
}

impl Zone {
    /// The zone of a seed.
    pub(crate) fn of(seed: u64) -> Self {
        let mut random = Random::of(seed);
        // Not below `test`, which has a meaning of its own (RFC 6761 §6.2).
        let mut maker = Maker::new(&format!("s{seed}.example"), &mut random);
        if maker.random.one_in(8) {
            maker.redirect_apex();
            return maker.finish();
        }
        maker.add_servers();
        for _ in 0..maker.random.within(8..40) {
            maker.deed();
        }
        if maker.random.one_in(3) {
            maker.add_child();
        }
        maker.finish()
    }

    /// The zone and the one below it as zone files.
    pub(crate) fn files(&self) -> Vec<rival::Zone> {
        // As in our records, every name is one from the root.
        let lines: String = self.records.iter().map(line).collect();
        let own = rival::Zone { origin: self.origin.clone(), text: format!("$ORIGIN .\n{lines}") };
        [own].into_iter().chain(self.child.iter().flat_map(|child| child.files())).collect()
    }

    /// Whether a name is at or below the apex.
    pub(crate) fn holds(&self, name: &str) -> bool {
        name.strip_suffix(&self.origin).is_some_and(|front| front.is_empty() || front.ends_with('.'))
    }

    /// Whether a name has records of this type, or a wildcard does that could stand in for it.
    pub(crate) fn may_have(&self, answer: &reading::Record) -> bool {
        self.all_records().iter().any(|record| {
            kinds::number(&record.kind) == answer.kind && (record.name == answer.owner || record.name.starts_with("*."))
        })
    }

    /// Everything, once.
    pub(crate) fn all_records(&self) -> Vec<Record> {
        let mut all = self.records.clone();
        all.extend(self.child.iter().flat_map(|child| child.all_records()));
        all.into_iter().collect()
    }
}

fn line(record: &Record) -> String {
    let Record { name, kind, value, ttl } = record;
    format!("{name} {ttl} IN {kind} {value}\n")
}

/// Everything that can be done to a zone.
pub(crate) fn deeds() -> impl Iterator<Item = &'static str> {
    let single = deeds::ALL.iter().map(|(_, name, _)| *name);
    single.chain([deeds::REDIRECT_OF_APEX, deeds::CHILD])
}

/// What a name is for, which says what else it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    Data,
    /// CNAME: nothing else.
    Alias,
    /// DNAME: nothing below.
    Redirect,
    /// NS: what is below belongs to others.
    Cut,
}

/// A zone in the making.
struct Maker<'r> {
    random: &'r mut Random,
    origin: String,
    roles: BTreeMap<String, Role>,
    ttls: BTreeMap<(String, String), u64>,
    records: BTreeSet<Record>,
    child: Option<Box<Zone>>,
    deeds: BTreeSet<&'static str>,
    /// Names outside.
    beyond: Vec<String>,
}

impl<'r> Maker<'r> {
    /// A zone with an SOA.
    fn new(origin: &str, random: &'r mut Random) -> Self {
        let mut maker = Self {
            random,
            origin: origin.to_owned(),
            roles: BTreeMap::from([(origin.to_owned(), Role::Data)]),
            ttls: BTreeMap::new(),
            records: BTreeSet::new(),
            child: None,
            deeds: BTreeSet::new(),
            beyond: OUTSIDE.iter().map(ToString::to_string).collect(),
        };
        let minimum = maker.random.within(1..4) * 300;
        maker.add(origin, "SOA", &format!("ns.{origin} hostmaster.{origin} 1 3600 600 86400 {minimum}"));
        maker
    }

    fn finish(self) -> Zone {
        let Self { origin, records, child, deeds, .. } = self;
        let seed = self.random.seed();
        Zone { seed, origin, records, child, deeds }
    }

    /// Its own servers, in it and perhaps elsewhere. BIND wants addresses of those in it.
    fn add_servers(&mut self) {
        let (apex, server) = (self.origin.clone(), format!("ns.{}", self.origin));
        self.add(&apex, "NS", &server);
        self.add(&server, "A", "192.0.2.53");
        self.roles.insert(server, Role::Data);
        if self.random.one_in(2) {
            self.add(&apex, "NS", "ns.far.example");
        }
    }

    /// One thing, as often as it deserves.
    fn deed(&mut self) {
        let mut left = self.random.within(0..deeds::ALL.iter().map(|(weight, ..)| weight).sum());
        for (weight, name, deed) in deeds::ALL {
            if left < *weight {
                deed(self);
                self.deeds.insert(name);
                return;
            }
            left -= weight;
        }
    }

    /// Adds a record, unless a name in it would be too long or there would be data beside an alias (RFC 1034 §3.6.2) or below
    /// a DNAME (RFC 6672 §2.4). Records
    /// of a set have one TTL (RFC 2181 §5.2).
    fn add(&mut self, name: &str, kind: &str, value: &str) {
        let role = |name: &str| self.roles.get(name).copied();
        let beside_alias = role(name) == Some(Role::Alias) && kind != "CNAME";
        let is_too_long = value.split(' ').any(|word| word.len() > MAX_NAME && word.contains('.'));
        if beside_alias || is_too_long || ancestors(name).any(|above| role(above) == Some(Role::Redirect)) {
            return;
        }
        let chance = self.random.within(1..6) * 120;
        let ttl = *self.ttls.entry((name.to_owned(), kind.to_owned())).or_insert(chance);
        // Not through `Record::new`, which takes dots away that mean something.
        let (name, kind, value) = (name.to_owned(), kind.to_owned(), value.to_owned());
        self.records.insert(Record { name, kind, value, ttl });
    }

    /// A name that is not there yet, below one that may have something below it.
    fn fresh(&mut self) -> String {
        for _ in 0..20 {
            let parent = self.data_name();
            let labels = self.random.within(1..4);
            let front: String = (0..labels).map(|_| format!("{}.", self.random.one_of(LABELS))).collect();
            let name = format!("{front}{parent}");
            if self.is_free(&name) {
                return name;
            }
        }
        // There is always room here.
        let number = self.roles.len();
        format!("n{number}.{}", self.origin)
    }

    /// A name at which anything may be put: neither there nor below what hides it.
    fn is_free(&self, name: &str) -> bool {
        let hides = |ancestor: &str| matches!(self.roles.get(ancestor), Some(Role::Redirect | Role::Cut));
        name.len() <= MAX_LENGTH && !self.roles.contains_key(name) && !ancestors(name).any(hides)
    }

    /// A name that has something below it.
    fn has_descendants(&self, name: &str) -> bool {
        let suffix = format!(".{name}");
        self.roles.keys().any(|other| other.ends_with(&suffix))
    }

    /// The apex, or a name with data.
    fn data_name(&mut self) -> String {
        let of_data = self.roles.iter().filter(|(_, role)| **role == Role::Data).map(|(name, _)| name.clone());
        let names: Vec<_> = of_data.collect();
        if self.random.one_in(3) { self.origin.clone() } else { self.random.one_of(&names).clone() }
    }

    /// A name that something may point to: there, not there, hidden, or outside.
    fn target(&mut self) -> String {
        let names: Vec<_> = self.roles.keys().cloned().collect();
        let known = self.random.one_of(&names).clone();
        match self.random.within(0..10) {
            0 => self.random.one_of(&self.beyond).clone(),
            1 | 2 => format!("{}.{known}", *self.random.one_of(&["q", "a", "www", "x.y"])),
            3 => self.fresh(),
            // What a wildcard makes.
            4 | 5 => {
                let label = *self.random.one_of(&["q", "a", "x.y"]);
                known.replacen('*', label, 1)
            }
            _ => known,
        }
    }
}

/// Names above a name, up to the root.
pub(crate) fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    std::iter::successors(Some(name), |name| name.split_once('.').map(|(_, parent)| parent)).skip(1)
}
