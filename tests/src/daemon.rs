//! One running process: started, signalled and watched by its id; never left behind.

use crate::wait::within;
use nix::{
    sys::signal::{self, Signal},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::Duration,
};

/// Lines of a log that a failed wait shows.
const TAIL_LINES: usize = 25;

/// A daemon that this test started. It is killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    child: Child,
    log: PathBuf,
    /// Where this run's part of the log starts; earlier runs wrote to the same file.
    log_from: u64,
}

impl Daemon {
    /// Starts a program with its outputs appended to `log`.
    pub fn start(mut command: Command, log: &Path) -> Self {
        let file = File::options().create(true).append(true).open(log).expect("a log file can be opened");
        let log_from = file.metadata().expect("an open file has a size").len();
        let stderr = file.try_clone().expect("a file handle can be copied");
        let child = command
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(stderr)
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
        Self { child, log: log.to_owned(), log_from }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, unless the process has ended.
    pub fn signal(&mut self, signal: Signal) {
        if self.ended().is_none() {
            signal::kill(Pid::from_raw(self.child.id().cast_signed()), signal).expect("our own child can be signalled");
        }
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        self.child.wait().expect("our own child can be waited for");
    }

    /// SIGTERM; how it ended, or `None` if it has not within `limit`.
    pub fn terminate(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.signal(Signal::SIGTERM);
        self.wait(limit)
    }

    /// How it ended, or `None` if it has not within `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        within(limit, || self.ended().ok_or_else(String::new)).ok()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("our own child can be asked for")
    }

    /// What this run has written so far.
    pub fn said(&self) -> String {
        let mut bytes = Vec::new();
        let read = File::open(&self.log).and_then(|mut file| {
            file.seek(SeekFrom::Start(self.log_from))?;
            file.read_to_end(&mut bytes)
        });
        read.expect("our own log file can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The last lines it has written.
    pub fn tail(&self) -> String {
        let said = self.said();
        let lines: Vec<_> = said.lines().collect();
        lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
    }

    /// Memory that it holds now, in KiB (`VmRSS`).
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0");
        line.trim().trim_end_matches("kB").trim().parse().unwrap_or(0)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // A stopped process must still be killable, which SIGKILL is.
        self.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, log: &Path) -> Daemon {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Daemon::start(command, log)
    }

    #[test]
    fn a_second_run_does_not_show_the_words_of_the_first() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        let first = shell("echo one; exit 4", &log).wait(Duration::from_secs(10)).unwrap();
        assert_eq!(first.code(), Some(4));
        let mut second = shell("echo two", &log);
        second.wait(Duration::from_secs(10)).unwrap();
        assert_eq!(second.said(), "two\n");
    }

    #[test]
    fn a_dropped_daemon_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let daemon = shell("exec sleep 600", &dir.path().join("log"));
        let id = daemon.id();
        assert!(daemon.resident_kib() > 0);
        drop(daemon);
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }
}
