//! Runs `git`, so that it depends on nothing of this machine, never asks anybody anything, and leaves nothing running.
//!
//! It gets an environment and settings of ours alone, and a password through a variable that only its helper reads: what
//! stands on a command line everybody on this machine can read. A run that is dropped is killed with all that it started.

use super::address::Address;
use crate::aside;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use std::{
    env,
    ffi::OsString,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    task::JoinHandle,
};

/// What of our own environment it gets: where programs, keys and certificates are, and how to reach the web.
const KEPT: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "TMPDIR",
    "SSH_AUTH_SOCK",
    "GIT_SSH_COMMAND",
    "GIT_SSL_CAINFO",
    "GIT_SSL_CAPATH",
    "http_proxy",
    "https_proxy",
    "HTTPS_PROXY",
    "all_proxy",
    "ALL_PROXY",
    "no_proxy",
    "NO_PROXY",
];
/// Octets that are kept of what it complains of.
const MOST_COMPLAINTS: u64 = 16 << 10;
/// Characters of a complaint that people are shown.
const LONGEST_COMPLAINT: usize = 300;

/// How `git` behaves. No setting of the machine or of a user counts beside these.
const SETTINGS: &str = r#"# Written by dnsplane-cluster at each start.
[core]
	hooksPath = /dev/null
	attributesFile = /dev/null
	fsmonitor = false
	sshCommand = ssh -oBatchMode=yes -oConnectTimeout=10
[init]
	defaultBranch = none
	templateDir =
[protocol]
	allow = never
[protocol "file"]
	allow = always
[protocol "git"]
	allow = always
[protocol "ssh"]
	allow = always
[protocol "https"]
	allow = always
[safe]
	# Whoever wrote the path into our configuration means the repository that is there, whoever owns it.
	directory = *
[gc]
	auto = 0
[maintenance]
	auto = false
[fetch]
	unpackLimit = 1
	recurseSubmodules = false
[http]
	lowSpeedLimit = 1
	lowSpeedTime = 30
[credential]
	helper =
"#;

/// Answers one question of Git's, about one server.
const HELPER: &str = r#"	helper = "!f() { test \"$1\" = get && printf 'username=%s\\npassword=%s\\n' \"$DNSPLANE_GIT_USERNAME\" \"$DNSPLANE_GIT_PASSWORD\"; }; f"
"#;

/// `git` and the repository that it works on.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) repository: PathBuf,
    settings: PathBuf,
    address: Address,
}

/// Why a run came to nothing; goes on after what we wanted to do.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("the program `git` cannot be started: {0}; install it, or take another type of records source")]
    Start(io::Error),
    #[error("the output of `git` cannot be used: {0}")]
    Pipe(#[from] io::Error),
    #[error("our damaged or old copy cannot be removed: {0}")]
    Copy(io::Error),
    #[error("it is more than {0} MiB")]
    TooMuch(u64),
    /// What it complained of.
    #[error("{0}")]
    Said(String),
}

impl Program {
    /// Writes our settings beside the repository.
    pub(super) fn new(repository: PathBuf, address: Address) -> io::Result<Self> {
        let settings = repository.with_extension("settings");
        let mut file = aside::create(&settings)?;
        file.write_all(SETTINGS.as_bytes())?;
        // Who asked for http gets it; nobody is led from https to http.
        let http = if address.is_plain() { "always" } else { "user" };
        write!(file, "[protocol \"http\"]\n\tallow = {http}\n")?;
        if let Some(server) = address.server() {
            write!(file, "[credential \"{server}\"]\n{HELPER}")?;
        }
        file.persist(&settings)?;
        Ok(Self { repository, settings, address })
    }

    /// What it fetches from.
    pub(super) fn address(&self) -> &str {
        self.address.plain()
    }

    /// Runs it to its end; what it said, if that is no more than so many octets.
    pub(super) async fn run(&self, arguments: &[&str], most: u64) -> Result<Vec<u8>, Failure> {
        self.run_in(&self.repository, arguments, most).await
    }

    /// The same, for questions that a damaged repository is not to spoil.
    pub(super) async fn run_apart(&self, arguments: &[&str], most: u64) -> Result<Vec<u8>, Failure> {
        self.run_in(&self.repository.with_extension("none"), arguments, most).await
    }

    async fn run_in(&self, repository: &Path, arguments: &[&str], most: u64) -> Result<Vec<u8>, Failure> {
        let (running, _, stdout) = self.start(repository, arguments)?;
        // Before the end is waited for: who has too much to say does not end.
        let said = take(stdout, most).await?.ok_or(Failure::TooMuch(most >> 20))?;
        running.ended().await?;
        Ok(said)
    }

    /// What these objects hold, one after the other.
    pub(super) fn contents(&self, ids: &[&str]) -> Result<Contents, Failure> {
        let (running, mut stdin, stdout) = self.start(&self.repository, &["cat-file", "--batch"])?;
        let asked: String = ids.iter().flat_map(|id| [*id, "\n"]).collect();
        // Beside the reading: neither pipe holds all of it. Ends with the process.
        tokio::spawn(async move {
            let _ = stdin.write_all(asked.as_bytes()).await;
        });
        Ok(Contents { running, stdout: BufReader::new(stdout) })
    }

    fn start(&self, repository: &Path, arguments: &[&str]) -> Result<(Running, ChildStdin, ChildStdout), Failure> {
        let mut command = Command::new("git");
        command.args(arguments).env_clear().envs(kept()).current_dir("/");
        command.env("GIT_DIR", repository).env("GIT_CONFIG_GLOBAL", &self.settings);
        let fixed = [
            ("LC_ALL", "C"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_ATTR_NOSYSTEM", "1"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", "true"),
            ("SSH_ASKPASS", "true"),
            ("GIT_LITERAL_PATHSPECS", "1"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_OPTIONAL_LOCKS", "0"),
        ];
        command.envs(fixed);
        if let Some((name, password)) = self.address.login() {
            command.env("DNSPLANE_GIT_USERNAME", name).env("DNSPLANE_GIT_PASSWORD", password);
        }
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(Failure::Start)?;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let group = Group { child, over: false };
        let absent = || io::Error::other("a pipe is missing");
        let (stdin, stdout, stderr) =
            (stdin.ok_or_else(absent)?, stdout.ok_or_else(absent)?, stderr.ok_or_else(absent)?);
        Ok((Running { group, complaints: tokio::spawn(complaints(stderr)) }, stdin, stdout))
    }
}

/// A run that is under way.
struct Running {
    group: Group,
    complaints: JoinHandle<String>,
}

/// Objects that are being read.
pub(super) struct Contents {
    running: Running,
    stdout: BufReader<ChildStdout>,
}

impl Contents {
    /// What the next one holds.
    pub(super) async fn next(&mut self) -> Result<Vec<u8>, Failure> {
        Ok(object(&mut self.stdout).await?)
    }

    /// Waits for the end.
    pub(super) async fn end(self) -> Result<(), Failure> {
        self.running.ended().await
    }
}

impl Running {
    /// Waits for the end; a failure is told in the words of the program.
    async fn ended(mut self) -> Result<(), Failure> {
        let complaints = self.complaints.await.unwrap_or_default();
        let status: ExitStatus = self.group.child.wait().await?;
        self.group.over = true;
        match status.success() {
            true => Ok(()),
            false if complaints.is_empty() => Err(Failure::Said(format!("`git` ended with {status}"))),
            false => Err(Failure::Said(complaints)),
        }
    }
}

/// A process and all that it starts; killed when dropped, unless it is over.
struct Group {
    child: Child,
    over: bool,
}

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.child.id().and_then(|id| i32::try_from(id).ok()).filter(|_| !self.over);
        if let Some(leader) = leader {
            // If that fails it has just ended.
            let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
        }
    }
}

fn kept() -> impl Iterator<Item = (&'static str, OsString)> {
    KEPT.iter().filter_map(|name| Some((*name, env::var_os(name)?)))
}

/// All of a stream; `None` if it is longer.
async fn take(stream: impl AsyncRead + Unpin, most: u64) -> io::Result<Option<Vec<u8>>> {
    let mut octets = Vec::new();
    stream.take(most + 1).read_to_end(&mut octets).await?;
    Ok((octets.len() as u64 <= most).then_some(octets))
}

/// One answer of `cat-file --batch`: a line with id, type and size, the content, and the end of a line.
async fn object(stdout: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut line = String::new();
    (&mut *stdout).take(200).read_line(&mut line).await?;
    let size = line.trim_end().rsplit(' ').next().and_then(|size| size.parse::<u64>().ok());
    let size = size.ok_or_else(|| io::Error::other(format!("an object is missing (`{}`)", line.trim_end())))?;
    let mut content = Vec::new();
    (&mut *stdout).take(size + 1).read_to_end(&mut content).await?;
    match content.pop() {
        Some(b'\n') if content.len() as u64 == size => Ok(content),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// The first of what it complains of, as one sentence; the rest is read and forgotten.
async fn complaints(mut stderr: impl AsyncRead + Unpin) -> String {
    let mut octets = Vec::new();
    // What was read before an error is what there is.
    let _ = (&mut stderr).take(MOST_COMPLAINTS).read_to_end(&mut octets).await;
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    sentence(&String::from_utf8_lossy(&octets))
}

/// What Git and the other side wrote, in one line and without what a terminal would obey.
fn sentence(complaints: &str) -> String {
    let lines = complaints.lines().map(str::trim).take_while(|line| !line.starts_with("Please make sure"));
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("hint:") && !line.starts_with("warning:"));
    let bare = lines.map(|line| ["fatal: ", "error: "].iter().find_map(|kind| line.strip_prefix(kind)).unwrap_or(line));
    let joined = bare.collect::<Vec<_>>().join("; ");
    let shown: String =
        joined.trim_end_matches('.').chars().filter(|c| !c.is_control()).take(LONGEST_COMPLAINT).collect();
    if shown.len() < joined.trim_end_matches('.').len() && shown.chars().count() == LONGEST_COMPLAINT {
        shown + "…"
    } else {
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Remote;
    use std::time::Duration;

    fn git(folder: &Path) -> Program {
        let address = Address::new(&Remote::new("https://me:secret@git.test/dns.git")).unwrap();
        Program::new(folder.join("source.git"), address).unwrap()
    }

    #[test]
    fn complaints_become_one_sentence_that_no_terminal_obeys() {
        let complaints =
            "warning: x\nremote: \x1b[31mno\nfatal: repository 'a' not found.\n\nPlease make sure you\nmay\n";
        assert_eq!(sentence(complaints), "remote: [31mno; repository 'a' not found");
        assert_eq!(sentence(&"é".repeat(400)).chars().count(), LONGEST_COMPLAINT + 1);
        assert_eq!(sentence(""), "");
    }

    #[tokio::test]
    async fn settings_and_login_are_ours_and_nothing_secret_is_on_disk() {
        let folder = tempfile::tempdir().unwrap();
        let git = git(folder.path());
        let said = git.run(&["config", "--list"], 1 << 20).await.unwrap();
        let said = String::from_utf8(said).unwrap();
        assert!(
            said.contains("protocol.allow=never") && said.contains("credential.https://git.test.helper=!f"),
            "{said}"
        );
        let settings = std::fs::read_to_string(folder.path().join("source.settings")).unwrap();
        assert!(!settings.contains("secret") && said.lines().count() < 30, "{said}");
        assert!(matches!(git.run(&["config", "--list"], 10).await, Err(Failure::TooMuch(_))));
        let failed = git.run(&["rev-parse", "HEAD"], 1 << 20).await.unwrap_err().to_string();
        assert!(failed.contains("not a git repository"), "{failed}");
    }

    #[tokio::test]
    async fn a_run_that_is_dropped_takes_what_it_started_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let (git, note) = (git(folder.path()), folder.path().join("pid"));
        let script = format!("alias.wait=!echo $$ > '{}'; sleep 600", note.display());
        let arguments = ["-c", &script, "wait"];
        let waiting = git.run(&arguments, 1 << 20);
        let noted = async {
            while std::fs::read_to_string(&note).unwrap_or_default().trim().is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            ended = waiting => panic!("{ended:?}"),
            () = noted => {}
        }
        let shell = std::fs::read_to_string(&note).unwrap();
        let place = format!("/proc/{}/cmdline", shell.trim());
        // A killed process that nobody has waited for yet has no command line any more.
        let there = || std::fs::read(&place).is_ok_and(|line| !line.is_empty());
        tokio::time::timeout(Duration::from_secs(10), async {
            while there() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
        .await
        .unwrap();
    }
}
