use super::*;

fn new(name: &str, kind: &str, value: &str) -> NewRecord {
    NewRecord { name: name.into(), kind: kind.into(), value: value.into(), ..NewRecord::default() }
}

/// A store with these edits applied.
fn store(edits: &[Edit]) -> Records {
    edits.iter().fold(Records::default(), |records, edit| apply(&records, edit).expect("accepted"))
}

fn apply(records: &Records, edit: &Edit) -> Result<Records, EditRefused> {
    let plan = plan(records, edit)?;
    let added = plan.added.into_iter().map(|(order, record)| Arc::new(Row::new(record, order.unwrap_or(99), 1, true)));
    Ok(records.with(&plan.removed, &added.collect::<Vec<_>>()))
}

fn refusal(records: &Records, edit: Edit) -> String {
    plan(records, &edit).expect_err("refused").to_string()
}

#[test]
fn adding_what_is_there_changes_nothing_and_says_so() {
    let records = store(&[Edit::Add(new("www.test.", "a", " 192.0.2.1 "))]);
    let again = plan(&records, &Edit::Add(NewRecord { ttl: Some(5), ..new("WWW.test", "A", "192.0.2.1") })).unwrap();
    assert!(again.is_empty());
    assert!(again.messages[0].contains("exists already with TTL 3600"), "{:?}", again.messages);
}

#[test]
fn an_added_record_has_an_id_and_a_time() {
    let records = store(&[Edit::Add(new("www.test", "A", "192.0.2.1"))]);
    let row = records.iter().next().unwrap();
    assert_eq!(row.record.id().map(str::len), Some(36));
    assert!(row.record.details().added_on.is_some());
    assert_eq!(row.record.ttl, DEFAULT_TTL);
}

#[test]
fn updating_keeps_id_and_place_and_adds_what_is_missing() {
    let records = store(&[Edit::Add(NewRecord { id: Some("one".into()), ..new("www.test", "A", "192.0.2.1") })]);
    let by_identity = Edit::Update(NewRecord { ttl: Some(60), ..new("www.test", "A", "192.0.2.1") });
    let next = apply(&records, &by_identity).unwrap();
    let row = next.by_id("ONE").unwrap();
    assert_eq!((row.record.ttl, row.order), (60, 99));
    assert!(row.record.details().updated_on.is_some());
    let by_id = Edit::Update(NewRecord { id: Some("one".into()), ..new("www.test", "A", "192.0.2.9") });
    let next = apply(&records, &by_id).unwrap();
    assert_eq!(next.by_id("one").unwrap().record.value(), "192.0.2.9");
    assert_eq!(next.len(), 1);
    assert_eq!(apply(&records, &Edit::Update(new("new.test", "A", "192.0.2.1"))).unwrap().len(), 2);
    assert!(plan(&records, &Edit::Update(new("www.test", "A", "192.0.2.1"))).unwrap().is_empty());
}

#[test]
fn each_refusal_names_the_field_or_the_rule() {
    let records = store(&[
        Edit::Add(new("alias.test", "CNAME", "www.test")),
        Edit::Add(NewRecord { id: Some("one".into()), ..new("www.test", "A", "192.0.2.1") }),
        Edit::Add(new("www.test", "A", "192.0.2.2")),
        Edit::Add(new("test", "SOA", "ns.test. admin.test. 1 2 3 4 5")),
    ]);
    for (edit, part) in [
        (Edit::Add(new("", "A", "192.0.2.1")), "name"),
        (Edit::Add(new("bad name", "A", "192.0.2.1")), "white space"),
        (Edit::Add(new("a.test", "BOGUS", "x")), "type: `BOGUS`"),
        (Edit::Add(new("a.test", "ANY", "x")), "only in questions"),
        (Edit::Add(new("a.test", "A", "::1")), "value: "),
        (Edit::Add(new("a.test", "MX", "mail.test")), "value: "),
        (Edit::Add(new("alias.test", "A", "192.0.2.1")), "RFC 1034 §3.6.2"),
        (Edit::Add(new("WWW.test", "CNAME", "x.test")), "RFC 1034 §3.6.2"),
        (Edit::Add(new("alias.test", "CNAME", "x.test")), "at most one CNAME"),
        (Edit::Add(new("test", "SOA", "ns.test. admin.test. 2 2 3 4 5")), "one SOA"),
        (Edit::Add(NewRecord { id: Some("one".into()), ..new("b.test", "A", "192.0.2.1") }), "belongs to"),
        (
            Edit::Update(NewRecord { id: Some("two".into()), ..new("b.test", "A", "192.0.2.1") }),
            "no record has the id `two`",
        ),
        (Edit::Update(NewRecord { id: Some("one".into()), ..new("www.test", "A", "192.0.2.2") }), "as another record"),
        (Edit::Remove(Selection::default()), "an id or a name"),
        (Edit::Remove(Selection { name: Some("none.test".into()), ..Selection::default() }), "no record matches"),
        (Edit::Remove(Selection { name: Some("www.test".into()), ..Selection::default() }), "2 records match"),
    ] {
        let sentence = refusal(&records, edit);
        assert!(sentence.contains(part), "{sentence:?} should contain {part:?}");
    }
}

#[test]
fn records_are_removed_by_id_by_value_or_all_of_a_name() {
    let records = store(&[
        Edit::Add(NewRecord { id: Some("one".into()), ..new("www.test", "A", "192.0.2.1") }),
        Edit::Add(new("www.test", "A", "192.0.2.2")),
        Edit::Add(new("www.test", "TXT", "hello")),
    ]);
    let left = |selection| apply(&records, &Edit::Remove(selection)).unwrap().len();
    assert_eq!(left(Selection { id: Some("one".into()), ..Selection::default() }), 2);
    assert_eq!(
        left(Selection { name: Some("WWW.test.".into()), value: Some("192.0.2.2".into()), ..Selection::default() }),
        2
    );
    assert_eq!(left(Selection { name: Some("www.test".into()), kind: Some("txt".into()), ..Selection::default() }), 2);
    assert_eq!(left(Selection { name: Some("www.test".into()), all: true, ..Selection::default() }), 0);
}

#[test]
fn a_difference_turns_one_list_into_the_other_and_leaves_kept_sets_alone() {
    let records = store(&[
        Edit::Add(new("a.test", "A", "192.0.2.1")),
        Edit::Add(new("b.test", "A", "192.0.2.1")),
        Edit::Add(new("c.test", "A", "192.0.2.1")),
    ]);
    let a = records.of_name("a.test")[0].record.clone();
    let wanted = [a.clone(), Record::new("b.test", "A", "192.0.2.1", 7), Record::new("d.test", "A", "192.0.2.4", 1), a];
    let plan = difference(&records, wanted.to_vec(), &HashSet::new());
    assert_eq!((plan.removed.len(), plan.added.len()), (2, 2), "b changes, c goes, d comes, a stays");
    let keep = HashSet::from([super::super::SetKey::of(&Record::new("C.test", "A", "x", 1))]);
    let plan = difference(&records, wanted.to_vec(), &keep);
    assert_eq!((plan.removed.len(), plan.added.len()), (1, 2), "c is kept");
}
