use super::*;
use crate::store::{
    entry::{Clock, Counts, Entry as LogEntry, Placed, Sender},
    log::{Batch, Log},
};
use std::path::Path;

const SESSION: u64 = 7;

fn placed(rows: &[(u64, &str, &str)]) -> Vec<Placed> {
    rows.iter().map(|(place, name, value)| Placed(*place, Record::new(name, "A", value, 60))).collect()
}

fn change(number: u64, before: &[(u64, &str, &str)], after: &[(u64, &str, &str)]) -> LogEntry {
    let (before, after) = (placed(before), placed(after));
    LogEntry { number, at: Clock(1000 * number, 0), by: format!("test {number}"), before, after, ..LogEntry::default() }
}

/// A log with these entries, each in a segment of its own if `split`.
fn written(folder: &Path, entries: &[LogEntry], split: bool) -> Archive {
    let mut log = Log::create(folder, SESSION, 1).unwrap();
    for entry in entries {
        let mut batch = Batch::default();
        batch.push(crate::record::json::to_vec(entry).unwrap());
        log.append(&batch).unwrap();
        if split {
            log.roll(entry.number + 1).unwrap();
        }
    }
    Archive::new(folder, SESSION)
}

fn entries() -> Vec<LogEntry> {
    let mut seen = change(3, &[], &[]);
    seen.peer = Some(Sender { node_id: "b".into(), seq: 1, applied: 0, hash: String::new(), refused: None });
    let mut theirs = change(4, &[(1, "a.test", "192.0.2.2")], &[]);
    theirs.peer = seen.peer.clone();
    vec![
        change(1, &[], &[(1, "a.test", "192.0.2.1")]),
        change(2, &[(1, "a.test", "192.0.2.1")], &[(1, "A.test", "192.0.2.2"), (2, "b.test", "192.0.2.3")]),
        change(3, &[(2, "b.test", "192.0.2.3")], &[]),
        seen,
        theirs,
    ]
}

fn numbers(history: &History) -> Vec<u64> {
    history.changes.iter().map(|past| past.number).collect()
}

fn asked(name: &str, limit: usize) -> Asked {
    Asked { name: name.into(), limit, ..Asked::default() }
}

#[test]
fn changes_are_told_newest_first_over_segments_old_and_live() {
    for split in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let archive = written(folder.path(), &entries(), split);
        archive.retire(3).unwrap();
        let all = look_up(&archive, 4, &asked("", 0)).unwrap();
        assert_eq!((numbers(&all), all.more, all.oldest), (vec![4, 3, 2, 1], false, Some((1, 1000))));
        assert_eq!(all.changes[0].node_id.as_deref(), Some("b"));
        assert_eq!(all.changes[2].names.len(), 2);
        let of_a = look_up(&archive, 4, &asked("A.TEST.", 0)).unwrap();
        assert_eq!(numbers(&of_a), [4, 2, 1]);
        let steps = of_a.changes[1].steps();
        let value = |record: Option<&Record>| record.map(|record| record.value().to_owned());
        assert_eq!(steps.len(), 1, "the other name is not told");
        assert_eq!(value(steps[0].before).as_deref(), Some("192.0.2.1"));
        assert_eq!(value(steps[0].after).as_deref(), Some("192.0.2.2"));
        let two = look_up(&archive, 4, &asked("a.test", 2)).unwrap();
        assert_eq!((numbers(&two), two.more), (vec![4, 2], true));
        assert_eq!(numbers(&look_up(&archive, 2, &asked("", 0)).unwrap()), [2, 1], "nothing that is not shown yet");
        let older = Asked { before: 4, ..asked("a.test", 0) };
        assert_eq!(numbers(&look_up(&archive, 4, &older).unwrap()), [2, 1]);
        let none = Asked { kind: "TXT".into(), ..asked("a.test", 0) };
        assert_eq!(numbers(&look_up(&archive, 4, &none).unwrap()), [0; 0]);
    }
}

#[test]
fn a_change_is_found_by_its_number_and_so_is_who_touched_a_record_last() {
    let folder = tempfile::tempdir().unwrap();
    let archive = written(folder.path(), &entries(), true);
    let second = super::change(&archive, 2, 100).unwrap().unwrap();
    assert_eq!((second.before.len(), second.after.len(), second.more), (1, 2, 0));
    assert_eq!(super::change(&archive, 2, 1).unwrap().unwrap().more, 1);
    assert!(super::change(&archive, 9, 100).unwrap().is_none());
    let is_b = |record: &Record| record.name() == "b.test";
    assert_eq!(newest_of(&archive, 4, 1, &is_b).unwrap(), Some(3));
    assert_eq!(newest_of(&archive, 4, 3, &is_b).unwrap(), None);
}

#[test]
fn large_entries_are_read_row_by_row_and_say_how_much_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..20_000).map(|number| format!("n{number}.test")).collect();
    let rows: Vec<_> = names.iter().zip(1..).map(|(name, place)| (place, name.as_str(), "192.0.2.1")).collect();
    let large = change(1, &[], &rows);
    assert!(crate::record::json::to_vec(&large).unwrap().len() > SMALL);
    let archive = written(folder.path(), &[large], false);
    let all = look_up(&archive, 1, &asked("", 0)).unwrap();
    let past = &all.changes[0];
    assert_eq!((past.added, past.after.len() as u64 + past.more), (20_000, 20_000));
    let one = look_up(&archive, 1, &asked("n19999.test", 0)).unwrap();
    assert_eq!((one.changes[0].after.len(), one.changes[0].more), (1, 0));
}

#[test]
fn a_change_of_everything_is_told_whoever_asks() {
    let folder = tempfile::tempdir().unwrap();
    let mut whole = change(2, &[], &[]);
    whole.whole = Some(Counts { removed: 5, added: 70_000 });
    let archive = written(folder.path(), &[change(1, &[], &[(1, "a.test", "192.0.2.1")]), whole], false);
    let history = look_up(&archive, 2, &asked("a.test", 0)).unwrap();
    assert_eq!((numbers(&history), history.changes[0].added), (vec![2, 1], 70_000));
}

#[test]
fn damage_hides_the_damaged_entry_and_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let archive = written(folder.path(), &entries(), true);
    let path = folder.path().join(format!("log-{:020}", 2));
    let mut octets = std::fs::read(&path).unwrap();
    let last = octets.len() - 3;
    octets[last] ^= 1;
    std::fs::write(&path, octets).unwrap();
    assert_eq!(numbers(&look_up(&archive, 4, &asked("", 0)).unwrap()), [4, 3, 1]);
}
