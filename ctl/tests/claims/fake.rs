//! A control plane that says what the tests want it to say.

use dnsplane_proto::pb::admin::{
    AdblockEdit, AdblockFilter, AdblockName, AdblockNames, CacheFlushRequest, CacheQuery, CheckRequest, ClearRequest,
    ConfigRequest, ConflictsRequest, Document, EditReply, ExplainReply, ExplainRequest, Explained, ExportPart,
    ExportRequest, ExportSummary, Filter, HistoryRequest, ImportEvent, ImportLine, ImportPart, ImportSummary,
    JoinReply, JoinRequest, LoadRequest, PeerReply, PeerRequest, Problem, PullOutcome, PullReply, PullRequest,
    PushRequest, Record, RecordEdit, RestoreRequest, SaveRequest, Selection, ServerEdit, ServerSelection, ServersReply,
    SetRequest, SettingsReply, StatusRequest, UndoRequest, admin_server::Admin, export_part, import_event, import_line,
    import_part,
};
use std::sync::{Arc, Mutex};
use tokio_stream::{Stream, wrappers::ReceiverStream};
use tonic::{Request, Response, Status, Streaming};

const CONFLICTS: &str = r#"[
    {"id":8,"at":"2026-05-04T09:31:00Z","kind":"refused","reason":"node-c is not an allowed writer",
        "winner":{"node_id":"node-c","seq":4,"timestamp_unix":1},"via":"192.0.2.3:7946","informed":false,
        "lost":[],"won":[],"lost_deletions":[],"more":0},
    {"id":7,"at":"2026-05-04T09:30:00Z","kind":"overwritten","winner":{"node_id":"node-b","seq":3,"timestamp_unix":1},
        "via":"192.0.2.2:7946","informed":false,"lost":[{"name":"www.example","type":"A","value":"192.0.2.1","ttl":60}],
        "won":[],"lost_deletions":[{"name":"old.example","type":"A"}],"more":0}]"#;

const HISTORY: &str = r#"{"changes":[
    {"number":7,"at":"2026-05-04T09:30:00.5Z","by":"peer node-b (192.0.2.2:7946)","node_id":"node-b","local":false,
        "removed":1,"added":1,"names":["www.example"],"more":0,"records":[
        {"before":{"name":"www.example","type":"A","value":"192.0.2.1","ttl":60},
            "after":{"name":"www.example","type":"A","value":"192.0.2.1","ttl":300}}]}],
    "more":false,"oldest":7,"oldest_at":"2026-05-04T09:30:00.5Z"}"#;

const BLOCK_LISTS: &str = r#"{"sources":[{"Source":"added by hand","Count":2,"From":"hand","Exceptions":1},
    {"Source":"https://lists.example/ads","Count":7,"From":"configuration","Skipped":3,"FirstSkipped":"line 9: not a domain name",
        "Updated":"2026-05-04T09:30:00.5Z","Error":"cannot fetch https://lists.example/ads: connection refused"},
    {"Source":"good.txt","Count":4,"Allow":true,"From":"loaded"}],"count":8,"paused_until":"2026-05-04T09:35:00Z"}"#;

const BLOCKED: &str = r#"{"name":"x.ads.example","blocked":false,
    "blocked_by":[{"source":"https://lists.example/ads","entry":"ads.example"}],
    "allowed_by":[{"source":"good.txt","entry":"*.ads.example"}]}"#;

const REMEMBERED: &str = r#"{"all":2,"cache":[{"dns_record":
    {"name":"www.example","type":"A","ttl":30,"value":"1 record","source":"192.0.2.53:53"}}],
    "problems":["data plane host/8 does not answer"]}"#;

const CACHES: &str = r#"{"data_planes":[{"data_plane":"host/7","entries":2,"octets":300,"most_octets":1000,"hits":5,
    "misses":2,"stale_hits":1,"renewals":0}]}"#;

const CONFIG: &str = r#"{"path":"/etc/dnsplane.json","unsaved":["api"],
    "settings":{"api":true,"cluster_auth_token":"(secret)","log":{"log_severity":"info"}}}"#;

const SERVERS: &str = r#"{"servers":[
    {"address":"192.0.2.53","port":"53","active":true,"name":"192.0.2.53:53"},
    {"address":"192.0.2.54","port":"853","transport":"DoT","active":true,"domain_whitelist":["corp.test","lab.test"],
        "fallback_address":"192.0.2.55","name":"tls://192.0.2.54:853"},
    {"address":"192.0.2.56","port":"x","active":true,"name":"192.0.2.56:x","problem":"`port` is `x`"},
    {"address":"192.0.2.57","port":"53","active":false,"name":"192.0.2.57:53"}],
    "upstream_health":[
    {"name":"192.0.2.53:53","address_port":"192.0.2.53:53","unhealthy":true,"consecutive_failures":3,
        "last_probe_error":"timed out","transport":"udp","role":"upstream","queries":9,"failures":3},
    {"name":"tls://192.0.2.54:853","address_port":"192.0.2.54:853","unhealthy":false,"transport":"dot","role":"upstream",
        "last_success_at":"2026-05-04T09:30:00Z","rtt_ms":12.34,"queries":100,"failures":0},
    {"name":"192.0.2.99:53","address_port":"192.0.2.99:53","unhealthy":false,"transport":"udp","role":"last_resort",
        "queries":0,"failures":0}],
    "messages":["servers file `x`, server 3 (192.0.2.56:x): `port` is `x`; it is not asked"]}"#;

/// One record comes, one changes, and there is one more of these than is told.
fn difference() -> Vec<import_event::Event> {
    let record = |name: &str, ttl| Record {
        name: name.to_owned(),
        r#type: "A".to_owned(),
        value: "192.0.2.1".to_owned(),
        ttl,
        ..Record::default()
    };
    let line = |kind: import_line::Kind, before, after| {
        import_event::Event::Line(ImportLine { kind: kind.into(), before, after, ..ImportLine::default() })
    };
    vec![
        import_event::Event::Progress("comparing".to_owned()),
        line(import_line::Kind::Added, None, Some(record("new\u{1b}.example", 60))),
        line(import_line::Kind::Changed, Some(record("a.example", 60)), Some(record("a.example", 61))),
        import_event::Event::Summary(ImportSummary { added: 1, changed: 2, number: 7, ..ImportSummary::default() }),
    ]
}

/// Answers every call; remembers what was asked, one line each.
#[derive(Clone)]
pub(crate) struct Fake {
    asked: Arc<Mutex<Vec<String>>>,
    records: usize,
    /// Whether it lacks the calls that came after the first.
    older: bool,
}

impl Fake {
    pub(crate) fn new(records: usize, older: bool) -> Self {
        Self { asked: Arc::default(), records, older }
    }

    /// What was asked so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// A server that lacks a call says so without a word.
    fn is_newer(&self) -> Result<(), Status> {
        if self.older { Err(Status::unimplemented("")) } else { Ok(()) }
    }

    /// Peers whose name begins with `bad` do nothing that they are asked for.
    fn peer(&self, deed: &str, address: &str, rest: &str) -> Result<Response<PeerReply>, Status> {
        self.is_newer()?;
        self.note(format!("{deed} {address}|{rest}"));
        let (ok, end) = if address.starts_with("bad") { (false, "connection refused") } else { (true, "done") };
        Ok(Response::new(PeerReply { ok, messages: vec![format!("{deed} here: done"), format!("there: {end}")] }))
    }

    fn settings(&self, deed: &str) -> Result<Response<SettingsReply>, Status> {
        self.is_newer()?;
        self.note(deed.to_owned());
        match deed.contains("wrong") {
            true => Err(Status::invalid_argument("`wrong` is no key of dnsplane.json; did you mean `port`?")),
            false => Ok(Response::new(SettingsReply { messages: vec![deed.to_owned()] })),
        }
    }

    /// Says what was asked: which server, and its keys.
    fn servers(&self, deed: &str, edit: ServerEdit) -> Result<Response<ServersReply>, Status> {
        self.is_newer()?;
        let which = edit.which.map(|which| format!(" {}|{}|{}", which.address, which.port, which.transport));
        let keys = edit.keys.iter().map(|key| format!(" {}={}", key.name, key.value)).collect::<String>();
        let said = format!("{deed}{}{keys}", which.unwrap_or_default());
        self.note(said.clone());
        Ok(Response::new(ServersReply { changed: true, messages: vec![said] }))
    }

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
    type ExportRecordsStream = tokio_stream::Iter<Box<dyn Iterator<Item = Result<ExportPart, Status>> + Send>>;
    type ImportRecordsStream = ReceiverStream<Result<ImportEvent, Status>>;
    type AdblockDomainsStream = tokio_stream::Iter<Box<dyn Iterator<Item = Result<AdblockNames, Status>> + Send>>;
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
            severity: if number == 0 { "warning" } else { "error" }.to_owned(),
            rule: "unservable".to_owned(),
            id: if number == 0 { String::new() } else { format!("id-{number}") },
            place: number as u64 + 1,
        };
        items((0..self.records).map(problem))
    }

    async fn load_records(&self, _: Request<LoadRequest>) -> Result<Response<EditReply>, Status> {
        self.is_newer()?;
        self.note("load".to_owned());
        let messages = vec!["2 records taken from the URL `https://records.test/`, 1 replaced or removed".to_owned()];
        Ok(Response::new(EditReply { changed: true, messages, number: 9 }))
    }

    async fn record_history(&self, which: Request<HistoryRequest>) -> Result<Response<Document>, Status> {
        self.is_newer()?;
        let it = which.into_inner();
        self.note(format!("history {}|{}|{}|{}", it.name, it.r#type, it.limit, it.before));
        Ok(Response::new(Document { json: HISTORY.to_owned() }))
    }

    async fn undo_change(&self, which: Request<UndoRequest>) -> Result<Response<EditReply>, Status> {
        let it = which.into_inner();
        self.note(format!("undo {}|{}", it.number, it.dry_run));
        if it.number == 3 {
            return Err(Status::invalid_argument("change 3 cannot be undone; undo change 4 first"));
        }
        let messages = vec!["goes: www.example 60 A 192.0.2.1".to_owned()];
        Ok(Response::new(EditReply { changed: true, messages, number: 9 }))
    }

    async fn export_records(&self, wanted: Request<ExportRequest>) -> Items<ExportPart> {
        let ExportRequest { format, zone } = wanted.into_inner();
        self.note(format!("export {format}|{zone}"));
        let text = |text: &str| ExportPart { part: Some(export_part::Part::Text(text.as_bytes().to_vec())) };
        let left_out = u64::from(format == "hosts");
        let reasons = vec!["`a.example MX 10 b`: a file of hosts has addresses only".to_owned(); left_out as usize];
        let summary = ExportSummary { records: 2, left_out, reasons };
        let end = ExportPart { part: Some(export_part::Part::Summary(summary)) };
        // A server that stops in the middle has no summary.
        let parts = [text("one\n"), text("two\n")].into_iter().chain((zone != "short.example").then_some(end));
        items(parts.collect::<Vec<_>>().into_iter())
    }

    async fn import_records(
        &self,
        parts: Request<Streaming<ImportPart>>,
    ) -> Result<Response<Self::ImportRecordsStream>, Status> {
        let mut parts = parts.into_inner();
        let (events, stream) = tokio::sync::mpsc::channel(16);
        let fake = self.clone();
        tokio::spawn(async move {
            let mut octets = 0;
            while let Ok(Some(ImportPart { part: Some(part) })) = parts.message().await {
                match part {
                    import_part::Part::Start(start) => fake.note(format!(
                        "import {}|{}|{}|{}|{}",
                        start.format, start.file, start.zone, start.replace, start.most
                    )),
                    import_part::Part::Text(text) => octets += text.len(),
                    import_part::Part::End(_) => {
                        fake.note(format!("octets {octets}"));
                        for event in difference() {
                            let _ = events.send(Ok(ImportEvent { event: Some(event) })).await;
                        }
                    }
                    import_part::Part::Confirmation(confirmation) => {
                        fake.note(format!("confirmed {}", confirmation.number));
                        let reply = EditReply { changed: true, messages: vec!["imported".to_owned()], number: 8 };
                        let event = import_event::Event::Done(reply);
                        let _ = events.send(Ok(ImportEvent { event: Some(event) })).await;
                        return;
                    }
                }
            }
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn adblock_edit(&self, edit: Request<AdblockEdit>) -> Result<Response<SettingsReply>, Status> {
        self.settings(&format!("{:?}", edit.into_inner().deed))
    }

    async fn adblock_lists(&self, _: Request<StatusRequest>) -> Result<Response<Document>, Status> {
        self.is_newer()?;
        Ok(Response::new(Document { json: BLOCK_LISTS.to_owned() }))
    }

    async fn adblock_domains(&self, filter: Request<AdblockFilter>) -> Items<AdblockNames> {
        self.note(format!("domains {}", filter.get_ref().contains));
        items(
            (0..self.records)
                .map(|number| AdblockNames { names: vec![format!("a{number}.example"), format!("b{number}.example")] }),
        )
    }

    async fn adblock_check(&self, name: Request<AdblockName>) -> Result<Response<Document>, Status> {
        self.note(format!("check {}", name.get_ref().name));
        Ok(Response::new(Document { json: BLOCKED.to_owned() }))
    }

    async fn cache_list(&self, query: Request<CacheQuery>) -> Result<Response<Document>, Status> {
        self.is_newer()?;
        self.note(format!("cache {}", query.get_ref().name));
        Ok(Response::new(Document { json: REMEMBERED.to_owned() }))
    }

    async fn cache_flush(&self, flush: Request<CacheFlushRequest>) -> Result<Response<PeerReply>, Status> {
        let CacheFlushRequest { name, below, all } = flush.into_inner();
        self.note(format!("flush {name}|{below}|{all}"));
        let ok = !name.starts_with("bad");
        Ok(Response::new(PeerReply { ok, messages: vec!["host/7 has forgotten 1 answer".to_owned()] }))
    }

    async fn cache_stats(&self, _: Request<StatusRequest>) -> Result<Response<Document>, Status> {
        self.is_newer()?;
        Ok(Response::new(Document { json: CACHES.to_owned() }))
    }

    async fn explain(&self, asked: Request<ExplainRequest>) -> Result<Response<ExplainReply>, Status> {
        let ExplainRequest { name, r#type, client } = asked.into_inner();
        self.note(format!("explain {name}|{}|{client}", r#type));
        let silent = name.starts_with("bad");
        let explained = Explained {
            data_plane: "host/7".to_owned(),
            step: "refused".to_owned(),
            because: "no upstream is configured".to_owned(),
            // REFUSED, and nothing else.
            reply: vec![0, 1, 0x81, 5, 0, 0, 0, 0, 0, 0, 0, 0],
            micros: 12,
            failed: if silent { "it does not answer".to_owned() } else { String::new() },
        };
        Ok(Response::new(ExplainReply { explained: vec![explained] }))
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

    async fn cluster_conflicts(&self, asked: Request<ConflictsRequest>) -> Result<Response<Document>, Status> {
        self.is_newer()?;
        self.note(format!("conflicts {}", asked.get_ref().all));
        let json = if self.records == 0 { "[]" } else { CONFLICTS };
        Ok(Response::new(Document { json: json.to_owned() }))
    }

    async fn cluster_restore(&self, lost: Request<RestoreRequest>) -> Result<Response<EditReply>, Status> {
        self.is_newer()?;
        let lost = lost.into_inner();
        self.note(format!("restore {}|{}|{}", lost.id, lost.name, lost.r#type));
        match lost.id {
            7 => Ok(Response::new(EditReply {
                changed: true,
                messages: vec!["restored 1 record".to_owned()],
                number: 9,
            })),
            id => Err(Status::invalid_argument(format!("there is no conflict {id}"))),
        }
    }

    async fn cluster_peer_add(&self, peer: Request<PeerRequest>) -> Result<Response<PeerReply>, Status> {
        self.peer("peer add", &peer.get_ref().address, &peer.get_ref().role)
    }

    async fn cluster_peer_remove(&self, peer: Request<PeerRequest>) -> Result<Response<PeerReply>, Status> {
        self.peer("peer remove", &peer.get_ref().address, &peer.get_ref().role)
    }

    async fn cluster_peer_role(&self, peer: Request<PeerRequest>) -> Result<Response<PeerReply>, Status> {
        self.peer("peer role", &peer.get_ref().address, &peer.get_ref().role)
    }

    async fn cluster_push(&self, push: Request<PushRequest>) -> Result<Response<PeerReply>, Status> {
        self.peer("push", &push.get_ref().address, push.get_ref().what().as_str_name())
    }

    async fn server_config(&self, _: Request<ConfigRequest>) -> Result<Response<Document>, Status> {
        self.is_newer()?;
        Ok(Response::new(Document { json: CONFIG.to_owned() }))
    }

    async fn server_set(&self, setting: Request<SetRequest>) -> Result<Response<SettingsReply>, Status> {
        self.settings(&format!("set {}={}", setting.get_ref().key, setting.get_ref().value))
    }

    async fn server_save(&self, _: Request<SaveRequest>) -> Result<Response<SettingsReply>, Status> {
        self.settings("save")
    }

    async fn server_load(&self, _: Request<LoadRequest>) -> Result<Response<SettingsReply>, Status> {
        self.settings("load")
    }

    async fn dns_servers(&self, _: Request<StatusRequest>) -> Result<Response<Document>, Status> {
        self.is_newer()?;
        Ok(Response::new(Document { json: SERVERS.to_owned() }))
    }

    async fn dns_server_add(&self, edit: Request<ServerEdit>) -> Result<Response<ServersReply>, Status> {
        self.servers("add", edit.into_inner())
    }

    async fn dns_server_update(&self, edit: Request<ServerEdit>) -> Result<Response<ServersReply>, Status> {
        self.servers("update", edit.into_inner())
    }

    async fn dns_server_remove(&self, which: Request<ServerSelection>) -> Result<Response<ServersReply>, Status> {
        self.servers("remove", ServerEdit { which: Some(which.into_inner()), keys: Vec::new() })
    }

    async fn dns_servers_clear(&self, _: Request<ClearRequest>) -> Result<Response<ServersReply>, Status> {
        self.servers("clear", ServerEdit::default())
    }

    async fn dns_servers_load(&self, _: Request<LoadRequest>) -> Result<Response<ServersReply>, Status> {
        self.servers("load", ServerEdit::default())
    }
}
