//! Claims about texts of which little changed.

use super::*;

/// Lines that make a zone file with all sorts of state in it.
fn some_line() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec!["a", "b", "www", "@", "*.x", "c.other.", "a\\.b"]);
    prop_oneof![
        8 => (word.clone(), 0..6_u8).prop_map(|(name, octet)| format!("{name} A 192.0.2.{octet}")),
        4 => (0..6_u8).prop_map(|octet| format!(" A 192.0.2.{octet}")),
        2 => (word.clone(), 1..4_u32).prop_map(|(name, ttl)| format!("{name} {ttl} MX 10 mail")),
        1 => word.clone().prop_map(|name| format!("$ORIGIN {name}.test.")),
        1 => (1..4_u32).prop_map(|ttl| format!("$TTL {ttl}")),
        1 => word.clone().prop_map(|name| format!("{name} TXT ( \"a\"\n \"b\" ) ; x")),
        1 => word.prop_map(|name| format!("$GENERATE 1-3 {name}$ A 192.0.2.$")),
        1 => Just("; comment".to_owned()),
        1 => Just(String::new()),
    ]
}

fn sorted(mut records: Vec<String>) -> Vec<String> {
    records.sort();
    records
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn changes_are_the_difference_of_two_whole_readings(
        lines in prop::collection::vec(some_line(), 0..40),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0..4_usize, prop::collection::vec(some_line(), 0..3)), 1..4),
        one_zone: bool,
        last_break: bool,
    ) {
        let start = Start { one_zone, ..start("test") };
        let head = "@ SOA a b 1 2 3 4 5";
        let text = |lines: &[String]| format!("{head}\n{}{}", lines.join("\n"), if last_break { "\n" } else { "" });
        let old = text(&lines);
        let mut changed = lines;
        for (at, length, new) in edits {
            let at = at.index(changed.len() + 1);
            let end = (at + length).min(changed.len());
            changed.splice(at..end, new);
        }
        let new = text(&changed);
        let (before, after) = (read(&old, &start), read(&new, &start));
        match changes(old.as_bytes(), new.as_bytes(), &before.marks, &start) {
            None => {}
            Some(Changes { gone, came, .. }) => {
                prop_assert!(after.faults.count() == 0 && after.left_out.count() == 0);
                let list = |records: Vec<Record>| shown(&Parsed { records, ..Parsed::default() });
                let (gone, came) = (list(gone), list(came));
                let mut left = shown(&before);
                for record in gone {
                    let at = left.iter().position(|other| *other == record);
                    prop_assert!(at.is_some(), "{} was not there", record);
                    left.swap_remove(at.unwrap());
                }
                left.extend(came);
                prop_assert_eq!(sorted(left), sorted(shown(&after)));
            }
        }
    }
}

/// A zone of so many lines.
fn large(lines: usize) -> String {
    let line = |at: usize| format!("host{at} 300 IN A 10.{}.{}.{}\n", at >> 16 & 255, at >> 8 & 255, at & 255);
    format!("$TTL 60\n@ SOA ns host 1 2 3 4 5\n{}", (0..lines).map(line).collect::<String>())
}

#[test]
fn a_changed_line_of_many_is_found_without_reading_the_others() {
    let start = Start { one_zone: true, ..start("test") };
    let old = large(20_000);
    let marks = read(&old, &start).marks;
    // A new serial at the top and lines changed, gone and new far from it.
    let new = old.replace("host 1 2", "host 2 2").replace("host10000 300", "host10000 301");
    let new = new.replace("host15000 300 IN A 10.0.58.152\n", "").replace("host19000 ", "new A 192.0.2.1\nhost19000 ");
    let told = changes(old.as_bytes(), new.as_bytes(), &marks, &start).unwrap();
    let list = |records| shown(&Parsed { records, ..Parsed::default() });
    assert_eq!(
        list(told.gone),
        [
            "host10000.test 300 A 10.0.39.16",
            "host15000.test 300 A 10.0.58.152",
            "test 60 SOA ns.test. host.test. 1 2 3 4 5",
        ]
    );
    assert_eq!(
        list(told.came),
        ["host10000.test 301 A 10.0.39.16", "new.test 60 A 192.0.2.1", "test 60 SOA ns.test. host.test. 2 2 3 4 5",]
    );
    // The marks that come of it are as good as those of a whole reading.
    let again = read(&new, &start).marks;
    assert!(told.marks.along.len() >= again.along.len() / 2);
    let mut files = NoFiles;
    let mut reader = reader::Reader::new(&start, &mut files);
    let (mut at, mut state) = (0, again.along[0].state.clone());
    for mark in &told.marks.along {
        while at < mark.at {
            at = reader.step(new.as_bytes(), at, &mut state);
        }
        assert_eq!((at, &state), (mark.at, &mark.state));
    }
    let newer = new.replace("host19999 ", "host2000 ");
    let more = changes(new.as_bytes(), newer.as_bytes(), &told.marks, &start).unwrap();
    assert_eq!((more.gone.len(), more.came.len()), (1, 1));
}

#[test]
fn what_has_effects_beyond_its_line_is_not_told_cheaply() {
    let start = Start { one_zone: true, ..start("test") };
    let old = large(140_000);
    let marks = read(&old, &start).marks;
    let tell = |new: &str| changes(old.as_bytes(), new.as_bytes(), &marks, &start).is_some();
    assert!(tell(&old));
    assert!(!tell(&old.replace("$TTL 60", "$TTL 61")), "though no line of these needs it");
    assert!(!tell(&old.replace("@ SOA", "$ORIGIN x.test.\n@ SOA")));
    assert!(!tell(&old.replace("host7 300", "$INCLUDE x\nhost7 300")));
    assert!(!tell(&old.replace("host7 300", "host7 300 x")));
    assert!(!tell(&old.replace("host7 300", "host7.other. 300")));
    assert!(!tell(""));
    let bad = read("@ SOA a b 1 2 3 4 5\nx", &start).marks;
    assert!(changes(b"@ SOA a b 1 2 3 4 5\nx", b"@ SOA a b 1 2 3 4 5\n", &bad, &start).is_none());
}
