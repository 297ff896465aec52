//! Puts the records of a file beside those held, name by name.
//!
//! Records are the same if a resolver sees no difference: owner and names in values without case, data in wire form. So
//! `10 mail.lab.test` and `10 mail.lab.test.` are one, as are a PTR of `192.0.2.1` and of `1.2.0.192.in-addr.arpa`.

use super::{Item, address, changed, describe, scope};
use crate::{
    check::neighbours,
    rdata,
    record::{Record, cmp_names, reverse},
    records::{Records, Row, name_hash},
};
use bytes::Bytes;
use dnsplane_proto::RecordType;
use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// What comparing finds, group by group.
#[derive(Default)]
pub(super) struct Found {
    /// Differences with their places in the file.
    pub(super) places: Vec<(usize, Item)>,
    /// Addresses of rows that the file has, too, or puts something else in the place of.
    pub(super) held: HashSet<usize, foldhash::fast::RandomState>,
    pub(super) unchanged: usize,
    pub(super) repeated: usize,
    /// Whether the file says TTLs.
    pub(super) has_ttls: bool,
}

/// Records of a file that have one owner, by their places in it.
pub(super) struct Group<'a> {
    owner: Cow<'a, str>,
    places: Vec<u32>,
}

impl<'a> Group<'a> {
    /// All records, grouped by owner, each group in the order of the file.
    pub(super) fn all(wanted: &'a [Record]) -> impl Iterator<Item = Self> {
        let owner = |place: u32| owner(&wanted[place as usize]);
        let mut keys: Vec<(u64, u32)> =
            (0..).take(wanted.len()).map(|place| (name_hash(&owner(place)), place)).collect();
        keys.sort_unstable_by(|a, b| {
            a.0.cmp(&b.0).then_with(|| cmp_names(&owner(a.1), &owner(b.1))).then(a.1.cmp(&b.1))
        });
        let mut from = 0;
        std::iter::from_fn(move || {
            let first = *keys.get(from)?;
            let name = owner(first.1);
            let same =
                keys[from..].iter().take_while(|key| key.0 == first.0 && cmp_names(&owner(key.1), &name).is_eq());
            let places: Vec<u32> = same.map(|key| key.1).collect();
            from += places.len();
            Some(Self { owner: name, places })
        })
    }

    /// Compares them with what is held of their name.
    pub(super) fn compare(
        &self,
        records: &Records,
        wanted: &[Record],
        scope: Option<&scope::Within<'_>>,
        found: &mut Found,
    ) {
        let mut name = AtName::of(records, &self.owner);
        let mut left = Vec::new();
        let mut seen = HashSet::<(RecordType, Bytes), foldhash::fast::RandomState>::default();
        for &place in &self.places {
            let record = &wanted[place as usize];
            let wire = wire(record);
            match name.matching(records, record, wire.as_ref()) {
                Some(row) if !found.held.insert(address(row)) => found.repeated += 1,
                Some(row) => match changed(row, record, false, found.has_ttls) {
                    Some(next) => found.places.push((place as usize, Item::Changed(Arc::clone(row), next))),
                    None => found.unchanged += 1,
                },
                None => match wire {
                    Some(wire) if self.places.len() == 1 || seen.insert(wire.clone()) => left.push(place),
                    Some(_) => found.repeated += 1,
                    None => found.places.push((place as usize, refused(place, record))),
                },
            }
        }
        if left.is_empty() {
            return;
        }
        place(left, &name, wanted, scope, found);
    }
}

/// Finds a place for the records that are not held yet, or says why there is none.
fn place(left: Vec<u32>, name: &AtName<'_>, wanted: &[Record], scope: Option<&scope::Within<'_>>, found: &mut Found) {
    // Of each kind one that stays, to check against and to name.
    let mut kinds: Vec<(RecordType, Cow<'_, str>)> = Vec::new();
    let mut single: Vec<&Arc<Row>> = Vec::new();
    for row in &name.rows {
        let kind = row.record.kind().unwrap_or(RecordType(0));
        let stays = found.held.contains(&address(row));
        if !stays && is_single(row.record.kind()) {
            single.push(row);
        }
        let goes = !stays && scope.is_some_and(|scope| scope.covers(&row.record));
        if !goes && !kinds.iter().any(|(other, _)| *other == kind) {
            kinds.push((kind, Cow::Owned(describe(&row.record))));
        }
    }
    for place in left {
        let record = &wanted[place as usize];
        let kind = record.kind().unwrap_or(RecordType(0));
        // A name has one SOA, one CNAME and one DNAME: the file's takes the place of the one held.
        let same: Vec<_> = single.iter().filter(|row| row.record.kind() == Some(kind)).copied().collect();
        let old = if let [row] = same[..] { Some(row) } else { None };
        let broken = kinds.iter().filter(|(other, _)| old.is_none() || *other != kind);
        let broken = broken.filter_map(|(other, shown)| Some((neighbours(Some(kind), Some(*other))?, shown))).next();
        if let Some((rule, shown)) = broken {
            found
                .places
                .push((place as usize, Item::Refused(place as usize, format!("{rule}; here is {shown} already"))));
            continue;
        }
        if !kinds.iter().any(|(other, _)| *other == kind) {
            kinds.push((kind, Cow::Owned(describe(record))));
        }
        let item = match old.and_then(|row| Some((row, changed(row, record, true, found.has_ttls)?))) {
            Some((row, next)) => {
                found.held.insert(address(row));
                single.retain(|row| row.record.kind() != Some(kind));
                Item::Changed(Arc::clone(row), next)
            }
            None => Item::Added(record.clone()),
        };
        found.places.push((place as usize, item));
    }
}

/// What is held of one name.
struct AtName<'a> {
    rows: Vec<&'a Arc<Row>>,
    /// By their data; made when the first record is looked for among several rows.
    by_data: Option<HashMap<(RecordType, Bytes), &'a Arc<Row>, foldhash::fast::RandomState>>,
}

impl<'a> AtName<'a> {
    fn of(records: &'a Records, owner: &str) -> Self {
        let mut rows: Vec<_> = records.of_name(owner).iter().collect();
        for other in scope::other_spellings(owner) {
            rows.extend(records.of_set(&other, RecordType::PTR));
        }
        Self { rows, by_data: None }
    }

    /// The row that says the same, if there is one.
    fn matching(
        &mut self,
        records: &'a Records,
        record: &Record,
        wire: Option<&(RecordType, Bytes)>,
    ) -> Option<&'a Arc<Row>> {
        if self.rows.is_empty() {
            return None;
        }
        // Also what nobody can read is the same if it is the same text.
        records.get(record).or_else(|| {
            let rows = &self.rows;
            let by_data = self.by_data.get_or_insert_with(|| {
                // Of two rows with the same data the first is meant.
                let rows = rows.iter().rev();
                rows.filter_map(|row| Some((self::wire(&row.record)?, *row))).collect()
            });
            by_data.get(wire?).copied()
        })
    }
}

/// Types of which a name has at most one.
fn is_single(kind: Option<RecordType>) -> bool {
    matches!(kind, Some(RecordType::SOA | RecordType::CNAME | RecordType::DNAME))
}

fn refused(place: u32, record: &Record) -> Item {
    let fault = record.fault().unwrap_or_else(|| "it cannot be served".to_owned());
    Item::Refused(place as usize, fault)
}

/// The name under which data planes have the record.
fn owner(record: &Record) -> Cow<'_, str> {
    if record.kind() == Some(RecordType::PTR)
        && let Some(address) = reverse::written_as_address(record.name())
    {
        return Cow::Owned(reverse::reverse_name(address));
    }
    Cow::Borrowed(record.name())
}

/// Type and data, names in it without case; `None` for what cannot be served.
///
/// Only octets of names are made lower case: their lengths are below every letter.
fn wire(record: &Record) -> Option<(RecordType, Bytes)> {
    let kind = record.kind().filter(|_| record.is_servable())?;
    let data = rdata::parse(kind, record.value()).ok()?;
    let names = match kind {
        RecordType::NS | RecordType::CNAME | RecordType::PTR | RecordType::DNAME => 0..data.len(),
        RecordType::MX => 2..data.len(),
        RecordType::SRV => 6..data.len(),
        // Five numbers of four octets come last.
        RecordType::SOA => 0..data.len().saturating_sub(20),
        _ => 0..0,
    };
    if !data.get(names.clone())?.iter().any(u8::is_ascii_uppercase) {
        return Some((kind, data));
    }
    let mut octets = data.to_vec();
    octets[names].make_ascii_lowercase();
    Some((kind, octets.into()))
}
