//! A control plane that says what the tests want it to say, and the means to run the real dnsplanectl against it.

use dnsplane_proto::pb::admin::{
    CheckRequest, Document, EditReply, Filter, JoinReply, JoinRequest, Problem, PullOutcome, PullReply, PullRequest,
    Record, RecordEdit, Selection, StatusRequest,
    admin_server::{Admin, AdminServer},
};
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};
use tempfile::TempDir;
use tokio_stream::{Stream, wrappers::UnixListenerStream};
use tonic::{Request, Response, Status, transport::Server};

/// A served socket; the server ends with the test process.
pub(crate) struct Node {
    pub(crate) folder: TempDir,
    pub(crate) socket: PathBuf,
    fake: Fake,
}

/// Answers every call; remembers what was asked, one line each.
#[derive(Clone, Default)]
struct Fake {
    asked: Arc<Mutex<Vec<String>>>,
    records: usize,
}

impl Node {
    pub(crate) fn start() -> Self {
        Self::with_records(2)
    }

    pub(crate) fn with_records(records: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("dnsplane.sock");
        let fake = Fake { records, ..Fake::default() };
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
        self.fake.asked.lock().unwrap().clone()
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

impl Fake {
    fn note(&self, text: String) {
        self.asked.lock().unwrap().push(text);
    }

    fn edit(&self, deed: &str, edit: RecordEdit) -> Result<Response<EditReply>, Status> {
        let ttl = edit.ttl.map_or("default".to_owned(), |ttl| ttl.to_string());
        self.note(format!("{deed} {}|{}|{}|{}|{ttl}", edit.id, edit.name, edit.r#type, edit.value));
        match edit.name.as_str() {
            "refused.example" => Err(Status::failed_precondition("this node rejects local writes")),
            "same.example" => Ok(Response::new(EditReply { changed: false, messages: vec![], number: 7 })),
            name => {
                Ok(Response::new(EditReply { changed: true, messages: vec![format!("{deed}: {name}")], number: 8 }))
            }
        }
    }
}

type Items<T> = Result<Response<tokio_stream::Iter<Box<dyn Iterator<Item = Result<T, Status>> + Send>>>, Status>;

fn items<T: 'static>(items: impl Iterator<Item = T> + Send + 'static) -> Items<T>
where
    tokio_stream::Iter<Box<dyn Iterator<Item = Result<T, Status>> + Send>>: Stream,
{
    let items: Box<dyn Iterator<Item = Result<T, Status>> + Send> = Box::new(items.map(Ok));
    Ok(Response::new(tokio_stream::iter(items)))
}

#[tonic::async_trait]
impl Admin for Fake {
    type ListRecordsStream = tokio_stream::Iter<Box<dyn Iterator<Item = Result<Record, Status>> + Send>>;
    type CheckRecordsStream = tokio_stream::Iter<Box<dyn Iterator<Item = Result<Problem, Status>> + Send>>;

    async fn add_record(&self, edit: Request<RecordEdit>) -> Result<Response<EditReply>, Status> {
        self.edit("add", edit.into_inner())
    }

    async fn update_record(&self, edit: Request<RecordEdit>) -> Result<Response<EditReply>, Status> {
        self.edit("update", edit.into_inner())
    }

    async fn remove_records(&self, selection: Request<Selection>) -> Result<Response<EditReply>, Status> {
        let it = selection.into_inner();
        self.note(format!("remove {}|{}|{}|{}|{}", it.id, it.name, it.r#type, it.value, it.all));
        Ok(Response::new(EditReply { changed: true, messages: vec!["removed 1 record".to_owned()], number: 9 }))
    }

    async fn list_records(&self, filter: Request<Filter>) -> Items<Record> {
        let filter = filter.into_inner();
        self.note(format!("list {}|{}", filter.name_contains, filter.r#type));
        items((0..self.records).map(|number| Record {
            id: format!("id-{number}"),
            name: format!("host{number}.example"),
            r#type: "A".to_owned(),
            value: "192.0.2.1".to_owned(),
            ttl: 300,
            mac: String::new(),
            added_on: "2026-05-04T09:30:00Z".to_owned(),
            updated_on: String::new(),
        }))
    }

    async fn check_records(&self, _: Request<CheckRequest>) -> Items<Problem> {
        let problem = |number| Problem {
            name: format!("bad{number}.example"),
            r#type: "MX".to_owned(),
            value: "mail".to_owned(),
            reason: "the preference is missing".to_owned(),
        };
        items((0..self.records).map(problem))
    }

    async fn cluster_status(&self, _: Request<StatusRequest>) -> Result<Response<Document>, Status> {
        let json = r#"{"node_id":"node-a","local_seq":12,"sync_policy":"lww_per_node","replica_only":false,"future":1,
            "peers":[{"address":"192.0.2.2:7946","reachable":true,"last_probe_rtt_ms":3,"last_pull_error":"unauthorized"}]}"#;
        Ok(Response::new(Document { json: json.to_owned() }))
    }

    async fn cluster_pull(&self, pull: Request<PullRequest>) -> Result<Response<PullReply>, Status> {
        let peers = pull.into_inner().peers;
        self.note(format!("pull {}", peers.join(",")));
        let outcome = |peer: &String| PullOutcome {
            peer: peer.clone(),
            ok: !peer.starts_with("bad"),
            text: if peer.starts_with("bad") { "connection refused" } else { "applied 3 records" }.to_owned(),
        };
        Ok(Response::new(PullReply { outcomes: peers.iter().map(outcome).collect() }))
    }

    async fn cluster_join(&self, _: Request<JoinRequest>) -> Result<Response<JoinReply>, Status> {
        Ok(Response::new(JoinReply {
            enabled: true,
            node_id: "node-a".to_owned(),
            listen: "0.0.0.0:7946".to_owned(),
            dial_address: "192.0.2.1:7946".to_owned(),
            token_sha256: "ab12".to_owned(),
        }))
    }

    async fn server_status(&self, _: Request<StatusRequest>) -> Result<Response<Document>, Status> {
        let json = r#"{"version":"0.1.0","ready":true,"records":2,"store":{"log_bytes":10},
            "data_planes":[{"follower":"host/7","listening":["udp 127.0.0.1:9"]}],"problems":["port 53 is taken"]}"#;
        Ok(Response::new(Document { json: json.to_owned() }))
    }
}
