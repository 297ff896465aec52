//! `cluster_state.json`: who we are to our peers, and which of their snapshots we have seen.
//!
//! The change log is the durable truth. This file is kept for people, for existing nodes that may take over this folder,
//! and so that a lost log does not make us a stranger. A file that cannot be read is never replaced: a new identity or
//! forgotten sequences could bring deleted records back.

use crate::store::{Seed, View};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// Name of the file, beside `dnsplane.json`.
pub const FILE_NAME: &str = "cluster_state.json";

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct State {
    /// Our id: generated once, unless the configuration gives another.
    #[serde(default)]
    pub node_id: String,
    /// Our last sequence.
    #[serde(default)]
    pub local_seq: u64,
    /// Last sequence seen of each sender.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub peer_seq: BTreeMap<String, u64>,
    /// Time of the last winner under `global_lww`.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub last_global_lww_unix: i64,
    /// Node of the last winner under `global_lww`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub last_global_lww_node_id: String,
    /// Keys that are not ours; kept.
    #[serde(flatten)]
    pub other: Map<String, Value>,
}

fn is_zero(seconds: &i64) -> bool {
    *seconds == 0
}

/// Why the file cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {reason}; the cluster stays off until it can be read and this daemon is restarted")]
    Read {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// It is not what it should be.
    #[error(
        "`{path}` is not a cluster state file: {reason}; the cluster stays off until it is repaired, or moved away to join as a new node, and this daemon is restarted"
    )]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        reason: String,
    },
    /// No id could be made up.
    #[error("cannot make up a node id: {0}")]
    NoRandomness(String),
}

impl State {
    /// Reads the file of this folder. Without one, this is a new node with an id of its own, not yet written.
    pub fn read(folder: &Path) -> Result<Self, StateError> {
        let path = folder.join(FILE_NAME);
        crate::aside::sweep(&path);
        let mut state = match fs::read(&path) {
            Ok(bytes) => Self::parse(&bytes).map_err(|reason| StateError::Invalid { path, reason })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            Err(error) => return Err(StateError::Read { path, reason: error.to_string() }),
        };
        if state.node_id.is_empty() {
            state.node_id = generated_id()?;
        }
        Ok(state)
    }

    /// Keys match without case and `null` is absent, as existing nodes read it.
    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let given: Map<String, Value> = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let known = ["node_id", "local_seq", "peer_seq", "last_global_lww_unix", "last_global_lww_node_id"];
        let mut tidy = Map::new();
        for (key, value) in given.into_iter().filter(|(_, value)| !value.is_null()) {
            let name = known.iter().find(|known| known.eq_ignore_ascii_case(&key));
            tidy.insert(name.map_or(key, |name| (*name).to_owned()), value);
        }
        let fault = |error: serde_path_to_error::Error<serde_json::Error>| match error.path().to_string().as_str() {
            "." => error.inner().to_string(),
            path => format!("`{path}`: {}", error.inner()),
        };
        serde_path_to_error::deserialize(Value::Object(tidy)).map_err(fault)
    }

    /// What the store starts from.
    pub fn seed(&self) -> Seed {
        let winner = Some(self.last_global_lww_node_id.clone()).filter(|id| *id != self.node_id && !id.is_empty());
        Seed { local_seq: self.local_seq, peer_seq: self.peer_seq.clone(), winner: (winner, self.last_global_lww_unix) }
    }

    /// The same file, as things stand now.
    pub(super) fn brought_up_to(&self, node_id: &str, view: &View) -> Self {
        let mut next = self.clone();
        next.node_id = node_id.to_owned();
        next.local_seq = view.own.seq;
        next.peer_seq = view.seen.iter().map(|(sender, seen)| (sender.clone(), seen.seq)).collect();
        if let Some(head) = &view.head {
            next.last_global_lww_unix = head.timestamp;
            head.writer(node_id).clone_into(&mut next.last_global_lww_node_id);
        }
        next
    }

    /// Replaces the file of this folder: written aside, on disk, renamed, and the folder on disk as well.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        let mut aside = crate::aside::create(&folder.join(FILE_NAME))?;
        aside.as_file().set_permissions(fs::Permissions::from_mode(0o600))?;
        serde_json::to_writer_pretty(&mut aside, self)?;
        aside.flush()?;
        aside.as_file().sync_all()?;
        aside.persist(folder.join(FILE_NAME)).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    }
}

/// `node-` and 16 hexadecimal digits, as existing nodes make them.
fn generated_id() -> Result<String, StateError> {
    getrandom::u64()
        .map(|number| format!("node-{number:016x}"))
        .map_err(|error| StateError::NoRandomness(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<State, StateError> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(FILE_NAME), text).unwrap();
        State::read(folder.path())
    }

    #[test]
    fn a_file_comes_back_as_it_was_with_the_keys_we_do_not_know() {
        let text = "{\n  \"node_id\": \"ring-1\",\n  \"local_seq\": 2,\n  \"peer_seq\": {\n    \"ring-2\": 18446744073709551615\n  },\n  \"later\": [\n    1\n  ]\n}";
        let state = read(text).unwrap();
        assert_eq!(state.seed().peer_seq["ring-2"], u64::MAX);
        let folder = tempfile::tempdir().unwrap();
        state.write(folder.path()).unwrap();
        let path = folder.path().join(FILE_NAME);
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
    }

    #[test]
    fn a_new_folder_gets_an_id_and_only_what_is_known_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let state = State::read(folder.path()).unwrap();
        assert!(state.node_id.strip_prefix("node-").is_some_and(|digits| digits.len() == 16));
        assert_ne!(State::read(folder.path()).unwrap().node_id, state.node_id);
        state.write(folder.path()).unwrap();
        let text = fs::read_to_string(folder.path().join(FILE_NAME)).unwrap();
        assert_eq!(text, format!("{{\n  \"node_id\": \"{}\",\n  \"local_seq\": 0\n}}", state.node_id));
        assert_eq!(State::read(folder.path()), Ok(state));
    }

    #[test]
    fn what_cannot_be_understood_is_refused_with_the_place() {
        for (text, place) in [
            ("", "line 1"),
            ("[]", "line 1"),
            ("{\"node_id\":\"a\",", "line 1"),
            ("{\"local_seq\":-1}", "`local_seq`"),
            ("{\"local_seq\":1.0}", "`local_seq`"),
            ("{\"peer_seq\":{\"b\":\"3\"}}", "peer_seq"),
        ] {
            let refused = read(text).unwrap_err().to_string();
            assert!(refused.contains(place), "{text}: {refused}");
        }
        let lenient = read("{\"Node_ID\":\"a\",\"peer_seq\":null,\"LOCAL_SEQ\":7}").unwrap();
        assert_eq!((lenient.node_id.as_str(), lenient.local_seq), ("a", 7));
    }
}
