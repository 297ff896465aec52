use super::*;
use crate::{
    record::Record,
    source::{Faults, Read, Reading},
    store::{OpenError, Opening, Seed, Store},
};
use std::sync::Mutex;
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// What the source says: names of records, `None` for nothing new, or why it cannot be read.
type Said = Result<Option<Vec<&'static str>>, &'static str>;

struct Scripted {
    says: Arc<Mutex<Said>>,
    memory: serde_json::Value,
}

impl Source for Scripted {
    fn what(&self) -> String {
        "the script".to_owned()
    }

    fn read(&mut self) -> Read<'_> {
        Box::pin(async {
            let said = self.says.lock().unwrap().clone();
            let Some(names) = said.map_err(|why| SourceError(why.to_owned()))? else { return Ok(None) };
            self.memory = serde_json::Value::from("seen");
            let records = names.into_iter().map(|name| Record::new(name, "A", "192.0.2.1", 60)).collect();
            Ok(Some(Reading::whole(records, Faults::default(), "v".to_owned())))
        })
    }

    fn taken(&mut self, _: Option<usize>) {}

    fn memory(&self) -> serde_json::Value {
        self.memory.clone()
    }
}

struct Node {
    store: Store,
    keeper: JoinHandle<()>,
    shutdown: CancellationToken,
    says: Arc<Mutex<Said>>,
    /// What the source was reminded of.
    reminded: Option<serde_json::Value>,
}

/// Opens a store; the writer of a stopped node gives its lock up a moment later.
async fn open<T>(mut open: impl FnMut() -> Result<T, OpenError>) -> T {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match open() {
            Err(OpenError::Locked { .. }) if Instant::now() < deadline => {
                tokio::time::sleep(Duration::from_millis(2)).await
            }
            opened => return opened.unwrap(),
        }
    }
}

impl Node {
    async fn start(folder: &TempDir, identity: &str, says: Said) -> Self {
        let says = Arc::new(Mutex::new(says));
        let reminded = Arc::new(Mutex::new(None));
        let shutdown = CancellationToken::new();
        let (store, keeper) = open(|| {
            let (says, told) = (Arc::clone(&says), Arc::clone(&reminded));
            let following = Following {
                kind: "url",
                identity: identity.to_owned(),
                refresh: Duration::from_secs(3600),
                make: Box::new(move |memory| {
                    told.lock().unwrap().clone_from(&memory);
                    Box::new(Scripted { says, memory: memory.unwrap_or_default() })
                }),
            };
            Store::follow(folder.path().to_owned(), &Seed::default(), following, shutdown.clone())
        })
        .await;
        let reminded = reminded.lock().unwrap().clone();
        Self { store, keeper, shutdown, says, reminded }
    }

    async fn stop(self) {
        self.shutdown.cancel();
        self.keeper.await.unwrap();
    }

    fn names(&self) -> Vec<String> {
        self.store.view().records.in_order().iter().map(|row| row.record.name().to_owned()).collect()
    }

    fn says(&self, next: Said) {
        *self.says.lock().unwrap() = next;
    }
}

#[tokio::test]
async fn a_source_that_was_never_read_leaves_nothing_to_be_told_to_anybody() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder, "one", Err("nobody is there")).await;
    node.store.source_looked_at().await;
    assert!(!node.store.has_records());
    let problems = node.store.source_problems();
    assert!(problems[0].starts_with("nobody is there; data planes are told of no records"), "{problems:?}");
    node.says(Ok(Some(vec![])));
    // An empty set is one; it is looked for again without being asked to.
    node.store.records_known().await;
    assert!(node.store.has_records());
    assert_eq!((node.names().len(), node.store.source_problems()), (0, vec![]));
    node.stop().await;
}

#[tokio::test]
async fn what_was_read_is_served_until_it_can_be_read_again() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder, "one", Ok(Some(vec!["a.test", "b.test"]))).await;
    node.store.records_known().await;
    let first = node.store.view().generation.number;
    assert!(node.store.view().own.seq > 0, "whoever follows a source has authority over its records");
    node.says(Ok(Some(vec!["b.test", "c.test"])));
    let edited = node.store.reload().await.unwrap();
    assert!(edited.changed && edited.generation.number == first + 1, "{edited:?}");
    assert_eq!(edited.messages[0], "1 records taken from the script, 1 replaced or removed");
    node.says(Ok(None));
    assert_eq!(node.store.reload().await.unwrap().messages, ["the script says what it said before"]);
    node.says(Err("it broke"));
    let failed = node.store.reload().await.unwrap_err().to_string();
    assert!(failed.starts_with("it broke; what it said ") && failed.ends_with(" ago is served"), "{failed}");
    assert_eq!(node.names(), ["b.test", "c.test"]);
    node.stop().await;

    let node = Node::start(&folder, "one", Err("it broke")).await;
    assert_eq!(node.reminded, Some("seen".into()));
    assert!(node.store.has_records(), "at once");
    assert_eq!(node.names(), ["b.test", "c.test"]);
    node.store.source_looked_at().await;
    let problems = node.store.source_problems();
    assert!(problems[0].starts_with("it broke; what it said "), "{problems:?}");
    node.stop().await;
}

#[tokio::test]
async fn another_source_replaces_everything_once_it_was_read() {
    let folder = tempfile::tempdir().unwrap();
    let node = Node::start(&folder, "one", Ok(Some(vec!["a.test"]))).await;
    // The note is written before this returns.
    node.store.reload().await.unwrap();
    node.stop().await;
    let node = Node::start(&folder, "two", Err("not now")).await;
    assert_eq!((node.reminded.clone(), node.names()), (None, vec!["a.test".to_owned()]));
    node.store.source_looked_at().await;
    let problems = node.store.source_problems();
    assert!(problems[0].ends_with("not now; what is served is from before it was configured"), "{problems:?}");
    node.says(Ok(Some(vec!["z.test"])));
    node.store.reload().await.unwrap();
    assert_eq!(node.names(), ["z.test"]);
    node.stop().await;

    // A file takes over: what it says replaces all of it.
    let file = folder.path().join("dnsrecords.json");
    std::fs::write(&file, r#"{"records": [{"name": "f.test", "type": "A", "value": "192.0.2.1", "ttl": 1}]}"#).unwrap();
    let opening =
        Opening { folder: folder.path().to_owned(), records_file: file, pretty: false, seed: Seed::default() };
    let shutdown = CancellationToken::new();
    let (store, keeper) = open(|| Store::open(opening.clone(), shutdown.clone())).await;
    store.reload().await.unwrap();
    let names: Vec<_> = store.view().records.iter().map(|row| row.record.name().to_owned()).collect();
    assert_eq!(names, ["f.test"]);
    shutdown.cancel();
    keeper.await.unwrap();
}
