//! Records → bodies of transfer parts, each at most [`MAX_PART`] octets, with their checksum.

use crate::{
    record::{reverse, wire_owner},
    records::{Records, Row},
    store::SetKey,
};
use bytes::Bytes;
use dnsplane_proto::{MAX_PART, RecordSet, RecordType, pb::feed as pb};
use prost::Message;
use sha2::{Digest, Sha256};
use std::{collections::HashSet, net::IpAddr, sync::Arc};

/// Octets of data in one record set. A reply carries at most 65,535, so that more could never be answered.
const MAX_SET: usize = 60_000;

/// Cuts a stream of record sets into parts.
pub(super) struct Parts<F> {
    emit: F,
    sets: pb::RecordSets,
    size: usize,
    sha: Sha256,
    count: u64,
}

impl<F: FnMut(Bytes) -> Result<(), Gone>> Parts<F> {
    pub(super) fn new(emit: F) -> Self {
        Self { emit, sets: pb::RecordSets::default(), size: 0, sha: Sha256::new(), count: 0 }
    }

    /// All record sets of a store.
    pub(super) fn push_all(&mut self, records: &Records) -> Result<(), Gone> {
        let mut rows: Vec<&Arc<Row>> = Vec::new();
        for row in records.iter() {
            if rows.first().is_some_and(|first| !same_set(first, row)) {
                self.push_rows(records, &rows)?;
                rows.clear();
            }
            rows.push(row);
        }
        self.push_rows(records, &rows)
    }

    /// The named sets as they are now; those without records remove theirs.
    pub(super) fn push_touched(&mut self, records: &Records, touched: &[SetKey]) -> Result<(), Gone> {
        let mut seen = HashSet::new();
        for key in touched.iter().filter(|key| key.kind != RecordType(0)) {
            let set = match address(&key.name, key.kind) {
                Some(address) if !seen.insert(address) => continue,
                Some(address) => wire_set(of_address(records, address)),
                None => wire_set(records.of_set(&key.name, key.kind).iter()),
            };
            let removed =
                || Some(RecordSet { owner: wire_owner(&key.name, key.kind)?, kind: key.kind, data: Vec::new() });
            if let Some(set) = set.or_else(removed) {
                self.push(set)?;
            }
        }
        Ok(())
    }

    /// Emits the last part; returns what the receiver must find.
    pub(super) fn finish(mut self) -> Result<pb::End, Gone> {
        self.flush()?;
        Ok(pb::End { sha256: self.sha.finalize().to_vec().into(), count: self.count })
    }

    fn push_rows(&mut self, records: &Records, rows: &[&Arc<Row>]) -> Result<(), Gone> {
        let Some(first) = rows.first() else { return Ok(()) };
        let set = match first.record.kind().and_then(|kind| address(first.record.name(), kind)) {
            // Of the sets that are one to a data plane, the first brings the others along.
            Some(address) if of_address(records, address).next().is_some_and(|row| !same_set(row, first)) => None,
            Some(address) => wire_set(of_address(records, address)),
            None => wire_set(rows.iter().copied()),
        };
        set.map_or(Ok(()), |set| self.push(set))
    }

    fn push(&mut self, set: RecordSet) -> Result<(), Gone> {
        let set = pb::RecordSet::from(set);
        // Key and length of the element: at most 1 + 4 octets at these sizes.
        let size = set.encoded_len() + 5;
        if self.size + size > MAX_PART {
            self.flush()?;
        }
        self.size += size;
        self.count += 1;
        self.sets.sets.push(set);
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Gone> {
        if self.sets.sets.is_empty() {
            return Ok(());
        }
        let body = Bytes::from(self.sets.encode_to_vec());
        self.sets.sets.clear();
        self.size = 0;
        self.sha.update(&body);
        (self.emit)(body)
    }
}

/// The receiver of parts is no longer there.
#[derive(Debug)]
pub(super) struct Gone;

/// The address of which PTR records of this name give the name.
fn address(name: &str, kind: RecordType) -> Option<IpAddr> {
    (kind == RecordType::PTR).then(|| reverse::address(name)).flatten()
}

/// All PTR records of an address, whichever way their owner is written.
fn of_address(records: &Records, address: IpAddr) -> impl Iterator<Item = &Arc<Row>> {
    reverse::spellings(address).into_iter().flat_map(|name| records.of_set(&name, RecordType::PTR))
}

/// Rows of one name and type in wire form, in the order of the store; `None` if none of them can be served. Of rows that say
/// the same, which those of an address may in two ways of writing it, the first stays.
fn wire_set<'a>(rows: impl Iterator<Item = &'a Arc<Row>>) -> Option<RecordSet> {
    let mut rows: Vec<_> = rows.collect();
    if rows.len() > 1 {
        rows.sort_unstable_by_key(|row| row.order);
    }
    let mut set: Option<RecordSet> = None;
    let mut size = 0;
    let mut said = HashSet::new();
    if rows.first().is_some_and(|first| rows.iter().any(|row| !same_set(first, row))) {
        rows.retain(|row| said.insert(row.record.normalised_value()));
    }
    for (owner, kind, data) in rows.into_iter().filter_map(|row| row.record.to_wire()) {
        size += data.rdata.len() + 12;
        if size > MAX_SET {
            break;
        }
        set.get_or_insert_with(|| RecordSet { owner, kind, data: Vec::new() }).data.push(data);
    }
    set
}

fn same_set(a: &Row, b: &Row) -> bool {
    a.record.kind() == b.record.kind() && a.record.name().eq_ignore_ascii_case(b.record.name())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    fn records(list: &[(&str, &str, &str)]) -> Records {
        let rows = list.iter().zip(1..);
        let rows =
            rows.map(|((name, kind, value), order)| Row::new(Record::new(name, kind, value, 60), order, 0, true));
        Records::from_rows(rows)
    }

    fn encode(
        push: impl FnOnce(&mut Parts<&mut dyn FnMut(Bytes) -> Result<(), Gone>>) -> Result<(), Gone>,
    ) -> (Vec<RecordSet>, pb::End, Vec<usize>) {
        let mut bodies: Vec<Bytes> = Vec::new();
        let mut emit = |body: Bytes| {
            bodies.push(body);
            Ok(())
        };
        let mut parts: Parts<&mut dyn FnMut(Bytes) -> Result<(), Gone>> = Parts::new(&mut emit);
        push(&mut parts).unwrap();
        let end = parts.finish().unwrap();
        let sets = bodies.iter().flat_map(|body| pb::RecordSets::decode(body.clone()).unwrap().sets);
        (sets.map(|set| set.try_into().unwrap()).collect(), end, bodies.iter().map(Bytes::len).collect())
    }

    #[test]
    fn rows_become_sets_and_what_cannot_be_served_stays_behind() {
        let records = records(&[
            ("a.test", "A", "192.0.2.2"),
            ("A.test", "A", "192.0.2.1"),
            ("a.test", "TXT", "x"),
            ("a.test", "MX", "broken"),
            ("bad name", "A", "192.0.2.1"),
        ]);
        let (sets, end, _) = encode(|parts| parts.push_all(&records));
        assert_eq!((sets.len(), end.count), (2, 2));
        let a = sets.iter().find(|set| set.kind == RecordType::A).unwrap();
        assert_eq!(a.data.iter().map(|data| data.rdata[3]).collect::<Vec<_>>(), [2, 1], "in the order of the store");
    }

    #[test]
    fn a_touched_set_that_is_gone_is_sent_without_data() {
        let records = records(&[("a.test", "A", "192.0.2.2")]);
        let key = |name: &str| SetKey { name: name.into(), kind: RecordType::A };
        let (sets, ..) = encode(|parts| parts.push_touched(&records, &[key("a.test"), key("b.test")]));
        assert_eq!(sets.iter().map(|set| set.data.len()).collect::<Vec<_>>(), [1, 0]);
    }

    /// Each set as `owner TYPE values`.
    fn said(sets: &[RecordSet]) -> Vec<String> {
        let value =
            |data: &dnsplane_proto::RecordData| dnsplane_proto::Name::from_wire(&data.rdata).unwrap().to_string();
        let mut sets: Vec<_> = sets
            .iter()
            .map(|set| {
                let values: Vec<_> = set.data.iter().map(value).collect();
                format!("{} {} {}", set.owner, set.kind, values.join(" "))
            })
            .collect();
        sets.sort();
        sets
    }

    #[test]
    fn ptr_records_of_an_address_are_one_set_whichever_way_it_is_written() {
        let all = [
            ("50.2.0.192.in-addr.arpa", "PTR", "a.test"),
            ("192.0.2.50", "PTR", "b.test"),
            ("192.0.2.50", "PTR", "A.test."),
            ("50.2.0.192.IN-ADDR.ARPA", "PTR", "c.test"),
            ("192.0.2.51", "PTR", "d.test"),
            ("52.2.0.192.in-addr.arpa", "PTR", "e.test"),
            ("2001:DB8::1", "PTR", "f.test"),
            ("2001:db8:0:0:0:0:0:1", "PTR", "g.test"),
            // A name like any other for other types.
            ("192.0.2.50", "CNAME", "h.test"),
        ];
        let six = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa.";
        let expected = [
            format!("{six} PTR f.test. g.test."),
            "192.0.2.50. CNAME h.test.".to_owned(),
            "50.2.0.192.in-addr.arpa. PTR a.test. b.test. c.test.".to_owned(),
            "51.2.0.192.in-addr.arpa. PTR d.test.".to_owned(),
            "52.2.0.192.in-addr.arpa. PTR e.test.".to_owned(),
        ];
        let whole = records(&all);
        assert_eq!(said(&encode(|parts| parts.push_all(&whole)).0), expected);
        let key = |name: &str, kind| SetKey { name: name.to_ascii_lowercase().into(), kind };
        let touched: Vec<_> = all.iter().map(|(name, kind, _)| key(name, kind.parse().unwrap())).collect();
        assert_eq!(said(&encode(|parts| parts.push_touched(&whole, &touched)).0), expected, "each once");

        // One way of writing it goes, the other stays; then that goes, too.
        for (left, values) in [(&all[..1], "a.test."), (&all[1..3], "b.test. a.test."), (&[], "")] {
            for name in ["192.0.2.50", "50.2.0.192.in-addr.arpa"] {
                let (left, key) = (records(left), key(name, RecordType::PTR));
                let (sets, ..) = encode(|parts| parts.push_touched(&left, &[key]));
                assert_eq!(said(&sets), [format!("50.2.0.192.in-addr.arpa. PTR {values}")], "{name}");
            }
        }
    }

    #[test]
    fn parts_stay_below_their_limit_and_sets_below_theirs() {
        let names: Vec<_> = (0..40_000).map(|n| format!("host{n}.example.test")).collect();
        let mut list: Vec<_> = names.iter().map(|name| (name.as_str(), "A", "192.0.2.1")).collect();
        let big: Vec<_> = (0..20_000).map(|n| format!("10.0.{}.{}", n / 250, n % 250)).collect();
        list.extend(big.iter().map(|value| ("big.test", "A", value.as_str())));
        let (sets, end, sizes) = encode(|parts| parts.push_all(&records(&list)));
        assert_eq!((sets.len(), end.count), (40_001, 40_001));
        assert!(sizes.len() > 1 && sizes.iter().all(|size| *size <= MAX_PART), "{sizes:?}");
        assert!(sets.iter().any(|set| set.data.len() == MAX_SET / 16));
    }
}
