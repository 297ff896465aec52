//! Where the release binaries are, and how to run one to its end.

use crate::wait::within;
use std::{
    env, fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Duration,
};

/// Longest run of a program that is expected to end by itself.
const RUN_LIMIT: Duration = Duration::from_secs(60);

/// What a program said and how it ended.
#[derive(Debug)]
pub struct Ended {
    /// Exit code; `None` if a signal ended it.
    pub code: Option<i32>,
    /// Everything on standard output.
    pub stdout: String,
    /// Everything on standard error.
    pub stderr: String,
}

impl Ended {
    /// Both outputs, for claims that do not care which one a sentence went to.
    pub fn said(&self) -> String {
        format!("{}{}", self.stdout, self.stderr)
    }

    /// Fails unless the program succeeded; returns what it printed.
    #[track_caller]
    pub fn success(self) -> String {
        assert_eq!(self.code, Some(0), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self.stdout
    }
}

/// The path of one of our release binaries: in `DNSPLANE_BIN_DIR`, or in `release` beside the profile that this test was
/// built with (which follows `CARGO_TARGET_DIR`).
pub fn binary(name: &str) -> PathBuf {
    let path = bin_dir().join(name);
    assert!(path.is_file(), "{} is missing: run `cargo build --release --bins` first", path.display());
    path
}

/// The root of the workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ lies in the workspace").to_owned()
}

/// The folder of the release binaries.
pub fn bin_dir() -> PathBuf {
    if let Some(named) = env::var_os("DNSPLANE_BIN_DIR") {
        return named.into();
    }
    let this = env::current_exe().expect("a running program has a path");
    // target/PROFILE/deps/replicate-0123 and target/PROFILE/examples/bench
    let target = this.ancestors().nth(3).expect("a test program lies three folders below the target folder");
    target.join("release")
}

/// Runs a program to its end, with `input` on its standard input.
pub fn run(mut command: Command, input: &str) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let input = input.to_owned();
    // Not joined: a program may end without reading what it was given.
    thread::spawn(move || stdin.write_all(input.as_bytes()));
    let stdout = drain(child.stdout.take().expect("stdout is piped"));
    let stderr = drain(child.stderr.take().expect("stderr is piped"));
    let status = within(RUN_LIMIT, || match child.try_wait() {
        Ok(Some(status)) => Ok(status),
        Ok(None) => Err("still running".to_owned()),
        Err(error) => Err(error.to_string()),
    });
    if status.is_err() {
        child.kill().expect("our own child can be killed");
        child.wait().expect("our own child can be waited for");
    }
    let [stdout, stderr] = [stdout, stderr].map(|pipe| pipe.join().expect("a pipe is read to its end"));
    match status {
        Ok(status) => Ended { code: status.code(), stdout, stderr },
        Err(_) => panic!("{command:?} did not end within {RUN_LIMIT:?}\nstdout: {stdout}\nstderr: {stderr}"),
    }
}

/// Runs `dnsplane-cluster --check` on a file with this text, in a folder with nothing else; returns how that ended and
/// the names of the files that are there afterwards.
pub fn check_config(text: &str) -> (Ended, Vec<String>) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let config = dir.path().join("dnsplane.json");
    fs::write(&config, text).expect("the temporary folder is writable");
    let mut command = Command::new(binary("dnsplane-cluster"));
    command.arg("--config").arg(&config).arg("--check").current_dir(dir.path());
    let ended = run(command, "");
    let mut files: Vec<_> = fs::read_dir(dir.path())
        .expect("the temporary folder is readable")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    files.sort();
    (ended, files)
}

fn drain(mut pipe: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        pipe.read_to_end(&mut bytes).expect("a pipe can be read");
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_given_its_input_and_its_outputs_are_kept_apart() {
        let mut command = Command::new("sh");
        command.args(["-c", "cat; echo sorry >&2; exit 3"]);
        let ended = run(command, "hello");
        assert_eq!((ended.code, ended.stdout.as_str(), ended.stderr.as_str()), (Some(3), "hello", "sorry\n"));
        assert_eq!(ended.said(), "hellosorry\n");
    }
}
