//! The means to run the real dnsplanectl, against a control plane that says what the tests want it to say.

use crate::fake::Fake;
use dnsplane_proto::pb::admin::admin_server::AdminServer;
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
};
use tempfile::TempDir;
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;

/// A served socket; the server ends with the test process.
pub(crate) struct Node {
    pub(crate) folder: TempDir,
    pub(crate) socket: PathBuf,
    fake: Fake,
}

impl Node {
    pub(crate) fn start() -> Self {
        Self::with_records(2)
    }

    pub(crate) fn with_records(records: usize) -> Self {
        Self::serve(Fake::new(records, false))
    }

    /// A control plane of before the calls for conflicts, peers, pushes and settings.
    pub(crate) fn older() -> Self {
        Self::serve(Fake::new(2, true))
    }

    fn serve(fake: Fake) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("dnsplane.sock");
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let service = AdminServer::new(fake.clone());
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                listener.set_nonblocking(true).unwrap();
                let incoming = UnixListenerStream::new(tokio::net::UnixListener::from_std(listener).unwrap());
                Server::builder().add_service(service).serve_with_incoming(incoming).await.unwrap();
            });
        });
        Self { folder, socket, fake }
    }

    pub(crate) fn run(&self, words: &[&str]) -> Ran {
        run(&self.socket, words)
    }

    /// What the server was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.fake.asked()
    }
}

/// How a run of dnsplanectl ended.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

pub(crate) fn ctl() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dnsplanectl"));
    command.env_remove("DNSPLANE_SOCKET").stdin(Stdio::null());
    command
}

pub(crate) fn run(socket: &Path, words: &[&str]) -> Ran {
    finish(ctl().arg("--socket").arg(socket).args(words))
}

pub(crate) fn finish(command: &mut Command) -> Ran {
    let output = command.output().unwrap();
    Ran {
        code: output.status.code().expect("an exit code, not a signal"),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs dnsplanectl without a command, with these lines on standard input.
pub(crate) fn script(socket: &Path, options: &[&str], lines: &str) -> Ran {
    let mut command = ctl();
    command.arg("--socket").arg(socket).args(options);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Ran {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
