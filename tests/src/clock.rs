//! A wall clock that is wrong on purpose, and can be set while a daemon runs.
//!
//! libfaketime stands between a program and the system's clocks. Only the wall clock is changed: the monotonic one, by
//! which timeouts and pauses are measured, is left alone, as it is on a machine whose clock an operator sets.

use std::{fs, path::Path, process::Command, sync::Arc};
use tempfile::TempDir;

/// Where Debian's package libfaketime puts its library; the folder in between names the architecture.
const LIBRARY: &str = "faketime/libfaketime.so.1";

/// A clock, so many seconds ahead of the machine's or behind it. Copies are the same clock.
#[derive(Clone, Debug)]
pub struct Clock {
    dir: Arc<TempDir>,
}

impl Clock {
    /// A clock that is ahead by so many seconds, or behind if below zero.
    pub fn ahead(seconds: i64) -> Self {
        let dir = tempfile::Builder::new().prefix("dnsplane-clock-").tempdir().expect("a temporary folder");
        let clock = Self { dir: Arc::new(dir) };
        clock.set_ahead(seconds);
        clock
    }

    /// Sets it; programs that look at it see the new time from then on.
    pub fn set_ahead(&self, seconds: i64) {
        // Aside and renamed: a program may read at any moment.
        let aside = self.dir.path().join("aside");
        fs::write(&aside, format!("{seconds:+}\n")).expect("the temporary folder is writable");
        fs::rename(&aside, self.dir.path().join("offset")).expect("the temporary folder is writable");
    }

    /// Makes a program see this clock.
    pub(crate) fn show_to(&self, command: &mut Command) {
        command.env("LD_PRELOAD", library());
        command.env("FAKETIME_TIMESTAMP_FILE", self.dir.path().join("offset"));
        // Read again at every look, so that a step is seen at once.
        command.env("FAKETIME_NO_CACHE", "1");
        command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
        command.env("NO_FAKE_STAT", "1");
    }
}

/// The path of the library.
fn library() -> String {
    let candidates = fs::read_dir("/usr/lib").expect("/usr/lib can be read").flatten();
    let found =
        candidates.map(|entry| entry.path().join(LIBRARY)).find(|path: &std::path::PathBuf| Path::is_file(path));
    let found = found.expect("libfaketime is missing: apt-get install libfaketime");
    found.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::program::run;
    use std::time::{SystemTime, UNIX_EPOCH};

    #[test]
    fn a_program_sees_the_clock_that_it_is_shown() {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64;
        let clock = Clock::ahead(-3600);
        for ahead in [-3600, 86_400] {
            clock.set_ahead(ahead);
            let mut command = Command::new("date");
            command.arg("+%s");
            clock.show_to(&mut command);
            let seen: i64 = run(command, "").success().trim().parse().unwrap();
            assert!((seen - now - ahead).abs() < 60, "{seen}, not {now} {ahead:+}");
        }
    }
}
