use super::*;
use crate::check::neighbours;
use crate::store::{Conflicts, OwnWrites};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn view(records: &[Record]) -> View {
    let rows = records.iter().cloned().zip(1..).map(|(record, order)| Row::new(record, order, 1, true));
    View {
        generation: Generation { session: 1, number: 1 },
        records: Records::from_rows(rows),
        own: OwnWrites::default(),
        seen: Arc::default(),
        head: None,
        foreign: 0,
        conflicts: Arc::new(Conflicts::default()),
    }
}

/// Records from lines of name, TTL, type and value.
fn records(lines: &[&str]) -> Vec<Record> {
    let record = |line: &&str| {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap();
        let (name, ttl, kind, value) = (word(), word(), word(), word());
        Record::new(name, kind, value, ttl.parse().unwrap())
    };
    lines.iter().map(record).collect()
}

fn compare(view: &View, records: &[Record], replace: Option<&Scope>) -> Import {
    Import::of(view, File { records, replace, has_ttls: true })
}

/// What an import comes to, a line each.
fn told(import: &Import) -> Vec<String> {
    let said = |item: &Item| match item {
        Item::Added(record) => format!("+ {} {}", describe(record), record.ttl),
        Item::Changed(row, record) => {
            format!("{} {} -> {} {}", describe(&row.record), row.record.ttl, record.value(), record.ttl)
        }
        Item::Removed(row) => format!("- {}", describe(&row.record)),
        Item::Refused(place, reason) => format!("{place}: {reason}"),
    };
    import.items.iter().map(said).collect()
}

fn compared(held: &[&str], file: &[&str], replace: Option<Scope>) -> Vec<String> {
    told(&compare(&view(&records(held)), &records(file), replace.as_ref()))
}

fn everything() -> Option<Scope> {
    Some(Scope::default())
}

fn zone(name: &str) -> Option<Scope> {
    Some(Scope { zone: Some(name.parse().unwrap()), ..Scope::default() })
}

#[test]
fn what_a_resolver_cannot_tell_apart_is_the_same_record_and_keeps_its_spelling() {
    let held = [
        "lab.test 60 MX 10 mail.lab.test",
        "192.0.2.1 60 PTR www.lab.test",
        "a.test 60 AAAA 2001:db8::1",
        "x 60 BOGUS y",
    ];
    let same = [
        "LAB.test. 60 MX  10  Mail.lab.TEST.",
        "1.2.0.192.in-addr.arpa 60 PTR www.lab.test.",
        "a.test 60 AAAA 2001:DB8:0::1",
        "x 60 BOGUS y",
    ];
    assert_eq!(compared(&held, &same, everything()), [""; 0]);
    let import = compare(&view(&records(&held)), &records(&same), None);
    assert_eq!((import.unchanged, import.repeated), (4, 0));
    let import = compare(&view(&records(&same)), &records(&held), None);
    assert_eq!((import.unchanged, import.repeated), (4, 0), "the other way round as well");
    let later = ["lab.test 61 MX 10 mail.lab.test.", "lab.test 99 MX 10 MAIL.lab.test"];
    let import = compare(&view(&records(&held)), &records(&later), None);
    assert_eq!(told(&import), ["lab.test MX 10 mail.lab.test 60 -> 10 mail.lab.test 61"]);
    assert_eq!(import.repeated, 1);
}

#[test]
fn a_file_without_ttls_leaves_those_of_held_records_alone() {
    let held = view(&records(&["a.test 60 A 192.0.2.1", "b.test 60 CNAME c.test"]));
    let file = records(&["a.test 3600 A 192.0.2.1", "new.test 3600 A 192.0.2.1"]);
    let import = Import::of(&held, File { records: &file, replace: None, has_ttls: false });
    assert_eq!(told(&import), ["+ new.test A 192.0.2.1 3600"]);
}

#[test]
fn rules_hold_over_what_comes_out_and_not_against_what_was_there() {
    let held = ["www.test 60 CNAME host.test", "old.test 60 A 192.0.2.1"];
    let file = ["www.test 60 A 192.0.2.7", "old.test 60 CNAME www.test"];
    let replaced = [
        "+ www.test A 192.0.2.7 60",
        "+ old.test CNAME www.test 60",
        "- www.test CNAME host.test",
        "- old.test A 192.0.2.1",
    ];
    assert_eq!(compared(&held, &file, everything()), replaced);
    let refused = compared(&held, &file, None);
    assert_eq!(refused.len(), 2);
    assert!(refused[0].starts_with("0: nothing stands beside a CNAME"), "{refused:?}");
    assert!(refused[1].starts_with("1: a CNAME stands alone"), "{refused:?}");
    let twice = compared(
        &[],
        &["a.test 1 CNAME b.test", "a.test 1 CNAME c.test", "a.test 1 RRSIG \\# 0", "a.test 1 A 192.0.2.1"],
        None,
    );
    assert!(twice[0].starts_with("+ a.test CNAME b.test"), "the first one wins: {twice:?}");
    assert!(twice[1].starts_with("1: a name has at most one CNAME"), "{twice:?}");
    assert!(twice.last().unwrap().starts_with("3: nothing stands beside a CNAME"), "{twice:?}");
}

#[test]
fn a_name_has_one_soa_and_one_alias_so_those_of_the_file_take_their_place() {
    let held = ["test 60 SOA ns.test. h.test. 1 2 3 4 5", "www.test 60 CNAME a.test"];
    let file = ["test 60 SOA ns.test. h.test. 2 2 3 4 5", "www.test 60 CNAME b.test"];
    for replace in [None, everything(), zone("test")] {
        let told = compared(&held, &file, replace);
        assert_eq!(
            told,
            [
                "test SOA ns.test. h.test. 1 2 3 4 5 60 -> ns.test. h.test. 2 2 3 4 5 60",
                "www.test CNAME a.test 60 -> b.test 60"
            ]
        );
    }
}

#[test]
fn a_file_replaces_within_its_scope_only() {
    let held = [
        "lab.test 60 SOA ns.test. h.test. 1 2 3 4 5",
        "old.lab.test 60 A 192.0.2.1",
        "sub.lab.test 60 SOA ns.test. h.test. 1 2 3 4 5",
        "www.sub.lab.test 60 A 192.0.2.2",
        "labtest 60 A 192.0.2.3",
        r"a\.lab.test 60 A 192.0.2.4",
    ];
    let file = ["lab.test 60 SOA ns.test. h.test. 1 2 3 4 5"];
    assert_eq!(compared(&held, &file, zone("LAB.test")), ["- old.lab.test A 192.0.2.1"]);
    assert_eq!(compared(&held, &file, everything()).len(), 5);
    assert_eq!(compared(&held, &file, None), [""; 0]);
    let addresses = Scope { zone: None, kinds: &[dnsplane_proto::RecordType::A] };
    assert_eq!(compared(&held, &[], Some(addresses)).len(), 4, "a format that knows addresses alone leaves the rest");
}

#[test]
fn what_add_refuses_is_refused_with_its_place_and_the_rest_is_taken() {
    let file = [
        "a.test 60 A nonsense",
        "b.test 60 A 192.0.2.1",
        "c.test 60 BOGUS x",
        "d.test 60 ANY x",
        "e e.test 60 A 192.0.2.1",
    ];
    let mut file = records(&file[..4]);
    file.push(Record::new("bad name", "A", "192.0.2.1", 60));
    let told = told(&compare(&view(&[]), &file, None));
    for (line, start) in told.iter().zip(["0: value: A", "+ b.test", "2: type: `BOGUS`", "3: ", "4: name: "]) {
        assert!(line.starts_with(start), "{line}");
    }
    assert_eq!(told.len(), 5);
}

#[test]
fn ids_are_kept_where_they_are_free_and_made_where_they_are_not() {
    let with_id = |name: &str, id: &str, mac: &str| {
        let given = |text: &str| (!text.is_empty()).then(|| text.into());
        Record::with_details(
            name,
            "A",
            "192.0.2.1",
            60,
            Details { id: given(id), mac: given(mac), ..Details::default() },
        )
    };
    let held = view(&[with_id("held.test", "one", ""), with_id("gone.test", "two", "")]);
    let file = [
        with_id("held.test", "other", "02:00:5e:10:00:01"),
        with_id("a.test", "ONE", ""),
        with_id("b.test", "two", "x"),
        with_id("c.test", "three", ""),
        with_id("d.test", "Three", ""),
        with_id("e.test", "", ""),
    ];
    let ids = |replace: Option<Scope>| {
        let import = compare(&held, &file, replace.as_ref());
        let plan = import.into_plan();
        let added = plan.added.into_iter().map(|(_, record)| (record.name().to_owned(), record));
        added.collect::<BTreeMap<_, _>>()
    };
    let replaced = ids(everything());
    let id = |name: &str| replaced[name].id().unwrap();
    assert_eq!((id("held.test"), id("b.test"), id("c.test")), ("one", "two", "three"), "the id of what goes is free");
    assert_eq!(replaced["held.test"].details().mac.as_deref(), Some("02:00:5e:10:00:01"));
    for minted in ["a.test", "d.test", "e.test"] {
        assert_eq!(id(minted).len(), 36, "{minted}");
        assert!(replaced[minted].details().added_on.is_some());
    }
    assert_eq!(ids(None)["b.test"].id().unwrap().len(), 36, "what stays keeps its id");
}

proptest! {
    /// Whatever was there, a file that replaces everything leaves nothing but itself, breaks no rule, and has nothing to do a
    /// second time.
    #[test]
    fn a_file_that_replaces_leaves_nothing_but_itself(before in some_records(), file in some_records()) {
        let held = apply(&view(&[]), compare(&view(&[]), &before, None));
        let import = compare(&held, &file, Some(&Scope::default()));
        let refused = import.counts()[3];
        let after = apply(&held, import);
        let (told, kept) = (wires(&file), wires(after.records.iter().map(|row| &row.record)));
        prop_assert!(kept.iter().all(|wire| told.contains(wire)), "{kept:?} of {told:?}");
        let distinct = kept.iter().collect::<HashSet<_>>();
        prop_assert_eq!(distinct.len(), kept.len(), "nothing twice");
        let rows: Vec<_> = after.records.iter().collect();
        let owner = |row: &Row| row.record.to_wire().map(|(owner, ..)| owner);
        for (row, other) in rows.iter().flat_map(|row| rows.iter().map(move |other| (row, other))) {
            if !Arc::ptr_eq(row, other) && owner(row) == owner(other) {
                prop_assert_eq!(neighbours(row.record.kind(), other.record.kind()), None, "{:?} {:?}", row, other);
            }
        }
        let again = compare(&after, &file, Some(&Scope::default()));
        prop_assert_eq!(again.counts(), [0, 0, 0, refused]);
        prop_assert_eq!(again.unchanged + again.repeated + refused, file.len());
    }
}

fn apply(view: &View, import: Import) -> View {
    let plan = import.into_plan();
    let added = plan.added.into_iter().zip(100..);
    let added = added.map(|((order, record), new)| Arc::new(Row::new(record, order.unwrap_or(new), 2, true)));
    View { records: view.records.with(&plan.removed, &added.collect::<Vec<_>>()), ..view.clone() }
}

/// Records as resolvers see them: names in values without case.
fn wires<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<String> {
    let wire = |record: &Record| {
        let (owner, kind, data) = record.to_wire()?;
        Some(format!("{owner} {kind} {:?}", data.rdata).to_ascii_lowercase())
    };
    records.into_iter().filter_map(wire).collect()
}

/// Few names and values, so that they meet.
fn some_records() -> impl Strategy<Value = Vec<Record>> {
    let name =
        prop::sample::select(vec!["a.test", "A.Test.", "b.a.test", "192.0.2.1", "1.2.0.192.in-addr.arpa", "bad name"]);
    let data = prop::sample::select(vec![
        ("A", "192.0.2.1"),
        ("A", "192.0.2.2"),
        ("A", "x"),
        ("CNAME", "b.test"),
        ("CNAME", "c.test."),
        ("MX", "1 m"),
        ("MX", "1 m."),
        ("PTR", "a.test"),
        ("PTR", "a.test."),
        ("SOA", "a b 1 2 3 4 5"),
        ("SOA", "a b 2 2 3 4 5"),
        ("TXT", "a"),
        ("TXT", "\"a\""),
        ("DNAME", "d.test"),
        ("DNAME", "e.test"),
    ]);
    let record = (name, data, 1_u32..3).prop_map(|(name, (kind, value), ttl)| Record::new(name, kind, value, ttl));
    prop::collection::vec(record, 0..12)
}
