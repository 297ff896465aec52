use super::*;
use glob::Pattern;
use std::{collections::BTreeMap, fs, os::unix::fs::symlink};
use tempfile::TempDir;

/// A folder of zone files, and whoever reads it: all of a set, kept up to date as a store would.
struct Folder {
    place: TempDir,
    files: FilesOfZones,
    held: BTreeMap<String, usize>,
    /// Whether the last reading was whole.
    whole: bool,
}

const SOA: &str = "@ 60 SOA ns host 1 2 3 4 5\n";

impl Folder {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("zones")).unwrap();
        let files = Self::files(&place);
        Self { place, files, held: BTreeMap::new(), whole: false }
    }

    fn files(place: &TempDir) -> FilesOfZones {
        let zones = ZoneFiles { include: vec![Pattern::new("*.db").unwrap()], named_conf: None };
        FilesOfZones::new("the zone files".to_owned(), place.path().join("zones"), zones, &place.path().join("store"))
    }

    fn path(&self, file: &str) -> PathBuf {
        self.place.path().join("zones").join(file)
    }

    fn write(&self, file: &str, lines: &str) {
        fs::create_dir_all(self.path(file).parent().unwrap()).unwrap();
        fs::write(self.path(file), format!("{SOA}{lines}")).unwrap();
    }

    /// Reads once and takes what was read; returns the faults, or why nothing was read.
    fn read(&mut self) -> Result<Vec<String>, String> {
        let reading = self.files.read().map_err(|error| error.to_string())?;
        let Some(reading) = reading else { return Ok(self.faults()) };
        let text =
            |record: &Record| format!("{} {} {} {}", record.name(), record.ttl, record.type_text(), record.value());
        match reading.content {
            Content::Whole(all) => {
                self.whole = true;
                self.held.clear();
                let mut seen = std::collections::HashSet::new();
                for record in &all {
                    if seen.insert((
                        record.name().to_ascii_lowercase(),
                        record.kind(),
                        record.normalised_value().into_owned(),
                    )) {
                        self.held.insert(text(record), 1);
                    }
                }
            }
            Content::Change { gone, came } => {
                self.whole = false;
                let mut next = self.held.clone();
                let fits = gone.iter().all(|record| next.remove(&text(record)).is_some())
                    && came.iter().all(|record| next.insert(text(record), 1).is_none());
                if !fits {
                    self.files.taken(None);
                    return self.read();
                }
                self.held = next;
            }
        }
        self.files.taken(Some(self.held.len()));
        Ok(self.faults())
    }

    fn faults(&self) -> Vec<String> {
        self.files.faults.first().iter().map(ToString::to_string).collect()
    }

    /// Names of what is held, but for those of SOA records.
    fn names(&self) -> Vec<String> {
        let names = self.held.keys().filter(|text| !text.contains(" SOA "));
        names.map(|text| text.split(' ').next().unwrap().to_owned()).collect()
    }

    fn restart(&mut self) {
        self.files.keep();
        self.files = Self::files(&self.place);
    }
}

#[test]
fn a_file_that_changes_is_told_as_what_changed_and_others_are_not_read() {
    let mut folder = Folder::new();
    folder.write("a.test.db", "w A 192.0.2.1\nx A 192.0.2.1\n");
    folder.write("b.test.db", "w A 192.0.2.1\n");
    assert_eq!(folder.read(), Ok(vec![]));
    assert_eq!((folder.names(), folder.whole), (vec!["w.a.test".into(), "w.b.test".into(), "x.a.test".into()], true));
    folder.write("a.test.db", "w A 192.0.2.2\ny A 192.0.2.1\n");
    folder.write("c.test.db", "w A 192.0.2.1\n");
    fs::remove_file(folder.path("b.test.db")).unwrap();
    assert_eq!(folder.read(), Ok(vec![]));
    assert_eq!((folder.names(), folder.whole), (vec!["w.a.test".into(), "w.c.test".into(), "y.a.test".into()], false));
    assert!(folder.held.contains_key("w.a.test 60 A 192.0.2.2"), "{:?}", folder.held);
    // From here on its copy is of this version.
    folder.write("a.test.db", "z A 192.0.2.2\n");
    assert_eq!(folder.read(), Ok(vec![]));
    assert_eq!(folder.names(), ["w.c.test", "z.a.test"]);
}

#[test]
fn a_file_with_a_bad_line_is_served_as_it_was_also_after_a_restart() {
    let mut folder = Folder::new();
    folder.write("a.test.db", "w A 192.0.2.1\n");
    folder.write("b.test.db", "w A 192.0.2.1\n");
    folder.read().unwrap();
    folder.write("a.test.db", "w A 192.0.2.1\nv A 192.0.2\n");
    folder.write("b.test.db", "v A 192.0.2.1\n");
    folder.write("c.test.db", "w A nowhere\n");
    let faults = folder.read().unwrap();
    assert!(
        faults[0].starts_with("a.test.db, line 3: ") && faults[0].ends_with("served as it was when it was last good"),
        "{faults:?}"
    );
    assert!(faults[1].starts_with("c.test.db, line 2: ") && faults[1].ends_with("it was never good"), "{faults:?}");
    assert_eq!(folder.names(), ["v.b.test", "w.a.test"]);
    folder.restart();
    assert_eq!(folder.read().unwrap(), faults);
    assert_eq!((folder.names(), folder.whole), (vec!["v.b.test".into(), "w.a.test".into()], true));
    folder.write("a.test.db", "w A 192.0.2.1\nv A 192.0.2.5\n");
    assert_eq!(folder.read().unwrap().len(), 1);
    assert_eq!(folder.names(), ["v.a.test", "v.b.test", "w.a.test"]);
    assert!(!folder.whole);
}

#[test]
fn what_two_files_say_is_taken_from_the_later_and_stays_while_one_says_it() {
    let mut folder = Folder::new();
    folder.write("a.db", "$ORIGIN t.\nw 1 A 192.0.2.1\nonly A 192.0.2.1\n");
    fs::write(folder.path("b.db"), "$ORIGIN t.\nb SOA ns host 1 2 3 4 5\nw.t. 2 A 192.0.2.1\n").unwrap();
    fs::write(folder.path("a.db"), "$ORIGIN t.\n@ SOA ns host 1 2 3 4 5\nw 1 A 192.0.2.1\n").unwrap();
    let faults = folder.read().unwrap();
    assert!(faults.iter().any(|fault| fault.starts_with("b.db, line 3: ")), "out of its zone: {faults:?}");
    fs::write(folder.path("b.db"), "$ORIGIN t.\n@ SOA ns host 1 2 3 4 5\nw 2 A 192.0.2.1\n").unwrap();
    let faults = folder.read().unwrap();
    assert!(faults.iter().any(|fault| fault.contains("has the zone t., as `a.db` has")), "{faults:?}");
    assert!(folder.held.contains_key("w.t 2 A 192.0.2.1"), "{:?}", folder.held);
    fs::write(folder.path("b.db"), "$ORIGIN t.\n@ SOA ns host 1 2 3 4 5\nv 2 A 192.0.2.1\n").unwrap();
    folder.read().unwrap();
    assert!(
        folder.held.contains_key("w.t 1 A 192.0.2.1") && folder.held.contains_key("v.t 2 A 192.0.2.1"),
        "{:?}",
        folder.held
    );
}

#[test]
fn a_folder_without_zones_is_refused_and_so_is_one_of_which_none_is_good() {
    let mut folder = Folder::new();
    let none = folder.read().unwrap_err();
    assert!(none.contains("no file there has a name like `*.db`"), "{none}");
    fs::write(folder.path("a.test.db"), "x A 192.0.2.1\n").unwrap();
    let bad = folder.read().unwrap_err();
    assert!(bad.contains("a.test.db") && bad.contains("SOA"), "{bad}");
    folder.write("a.test.db", "x A 192.0.2.1\n");
    folder.read().unwrap();
    fs::rename(folder.path(""), folder.place.path().join("gone")).unwrap();
    assert!(folder.read().unwrap_err().starts_with("cannot read the zone files: "));
    fs::rename(folder.place.path().join("gone"), folder.path("")).unwrap();
    assert_eq!(folder.read(), Ok(vec![]));
    assert_eq!(folder.names(), ["x.a.test"]);
}

#[test]
fn included_files_count_as_part_of_the_file_and_lead_nowhere_else() {
    let mut folder = Folder::new();
    folder.write("a.test.db", "$INCLUDE sub/hosts\n");
    fs::create_dir(folder.path("sub")).unwrap();
    fs::write(folder.path("sub/hosts"), "w A 192.0.2.1\n").unwrap();
    assert_eq!(folder.read(), Ok(vec![]));
    assert_eq!(folder.names(), ["w.a.test"]);
    fs::write(folder.path("sub/hosts"), "w A 192.0.2.1\nv A 192.0.2.1\n").unwrap();
    assert_eq!(folder.read(), Ok(vec![]));
    assert_eq!(folder.names(), ["v.a.test", "w.a.test"]);
    fs::write(folder.path("sub/hosts"), "w A x\n").unwrap();
    let faults = folder.read().unwrap();
    assert!(faults[0].starts_with("sub/hosts, line 1: "), "{faults:?}");
    folder.restart();
    assert_eq!(folder.read().unwrap(), faults);
    assert_eq!(folder.names(), ["v.a.test", "w.a.test"]);
    fs::write(folder.place.path().join("secret"), "w A 192.0.2.9\n").unwrap();
    symlink(folder.place.path(), folder.path("out")).unwrap();
    for name in ["../secret", "out/secret", "/etc/passwd"] {
        folder.write("a.test.db", &format!("$INCLUDE {name}\n"));
        let faults = folder.read().unwrap();
        assert!(faults[0].starts_with("a.test.db, line 2: ") && faults[0].contains("is not below"), "{faults:?}");
    }
    // A file that is not there yet is looked for again.
    folder.write("a.test.db", "$INCLUDE later\n");
    assert_eq!(folder.read().unwrap().len(), 1);
    fs::write(folder.path("later"), "l A 192.0.2.1\n").unwrap();
    assert_eq!(folder.read(), Ok(vec![]));
    assert_eq!(folder.names(), ["l.a.test"]);
}

#[test]
fn a_reading_that_was_not_taken_is_followed_by_a_whole_one() {
    let mut folder = Folder::new();
    folder.write("a.test.db", "w A 192.0.2.1\n");
    folder.read().unwrap();
    folder.write("a.test.db", "v A 192.0.2.1\n");
    assert!(folder.files.read().unwrap().is_some());
    folder.files.taken(None);
    folder.read().unwrap();
    assert_eq!((folder.names(), folder.whole), (vec!["v.a.test".into()], true));
}
