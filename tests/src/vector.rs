//! The captured dialogues in `tests/vectors/frames`; `tests/vectors/README.md` describes their form.

use serde_json::Value;
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

/// One captured dialogue.
#[derive(Clone, Debug)]
pub struct Vector {
    /// File name without its ending.
    pub name: String,
    /// Who opened the connection.
    pub direction: Direction,
    /// Settings of the node.
    pub config: Value,
    /// Frames in the order seen.
    pub frames: Vec<Frame>,
    /// What followed.
    pub then: Then,
    /// The whole document, for keys that only some vectors have.
    pub document: Value,
}

/// Who opened the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// A test program; `server` is the node.
    Inbound,
    /// The node; `client` is the node.
    Outbound,
    /// Both ends are nodes.
    Between,
}

/// What followed the last frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The node closed.
    Closed,
    /// The connection was still usable.
    Open,
    /// The last client frame got no reply, and the connection was still usable.
    Silent,
}

/// One frame of a dialogue.
#[derive(Clone, Debug)]
pub struct Frame {
    /// Whether the connecting side sent it.
    pub from_client: bool,
    /// Length and payload, as on the wire.
    pub wire: Vec<u8>,
    /// The payload's text, when it is text.
    pub text: Option<String>,
}

impl Frame {
    /// The payload as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let text = self.text.as_deref().expect("the frame is text");
        serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

impl Vector {
    /// Frames that the connecting side sent.
    pub fn client(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(|frame| frame.from_client)
    }

    /// Frames that the listening side sent.
    pub fn server(&self) -> impl Iterator<Item = &Frame> {
        self.frames.iter().filter(|frame| !frame.from_client)
    }

    /// The records of the last `records_full` that the given side sent.
    #[track_caller]
    pub fn records_from(&self, client: bool) -> Value {
        let frames = self.frames.iter().rev().filter(|frame| frame.from_client == client && frame.text.is_some());
        let mut full = frames.map(Frame::json).filter(|json| json["type"] == "records_full");
        full.next().unwrap_or_else(|| panic!("{}: no records_full", self.name))["records"].clone()
    }
}

/// The folder of the vectors.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors")
}

/// The text of a captured file.
#[track_caller]
pub fn file(path: &str) -> String {
    let path = folder().join("files").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All captured dialogues by name.
pub fn all() -> BTreeMap<String, Vector> {
    let folder = folder().join("frames");
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let vectors: BTreeMap<_, _> = entries
        .map(|entry| read(&entry.expect("a folder entry").path()))
        .map(|vector| (vector.name.clone(), vector))
        .collect();
    assert!(vectors.len() > 100, "only {} vectors in {}", vectors.len(), folder.display());
    vectors
}

/// One captured dialogue.
#[track_caller]
pub fn named(name: &str) -> Vector {
    read(&folder().join("frames").join(format!("{name}.json")))
}

#[track_caller]
fn read(path: &Path) -> Vector {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let document: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let word = |key: &str| document[key].as_str().unwrap_or_else(|| panic!("{}: no `{key}`", path.display()));
    Vector {
        name: word("name").to_owned(),
        direction: match word("direction") {
            "inbound" => Direction::Inbound,
            "outbound" => Direction::Outbound,
            "between" => Direction::Between,
            other => panic!("{}: direction {other}", path.display()),
        },
        config: document["config"].clone(),
        frames: document["frames"].as_array().expect("frames are a list").iter().map(read_frame).collect(),
        then: match word("then") {
            "closed" => Then::Closed,
            "open" => Then::Open,
            "silent" => Then::Silent,
            other => panic!("{}: then {other}", path.display()),
        },
        document,
    }
}

#[track_caller]
fn read_frame(object: &Value) -> Frame {
    let text = object["json"].as_str().map(str::to_owned);
    let mut wire = unhex(object["hex_prefix"].as_str().expect("a frame has a prefix"));
    match (&text, object["body_hex"].as_str()) {
        (Some(text), None) => wire.extend_from_slice(text.as_bytes()),
        (None, Some(hex)) => wire.extend(unhex(hex)),
        (None, None) => {}
        (Some(_), Some(_)) => panic!("a frame with two bodies: {object}"),
    }
    Frame { from_client: object["from"] == "client", wire, text }
}

fn unhex(text: &str) -> Vec<u8> {
    let digits = text.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(&String::from_utf8_lossy(pair), 16).expect("hexadecimal digits")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vector_is_understood_and_its_prefix_fits_its_body() {
        for (name, vector) in all() {
            for frame in &vector.frames {
                let announced = u32::from_be_bytes(frame.wire[..4].try_into().unwrap()) as usize;
                assert!(frame.wire.len() == 4 || frame.wire.len() == 4 + announced, "{name}");
            }
        }
    }

    #[test]
    fn bytes_that_are_not_text_are_taken_from_hexadecimal() {
        let vector = named("apply-invalid-utf8");
        let odd = vector.client().nth(1).unwrap();
        assert!(odd.text.is_none());
        assert!(odd.wire.windows(2).any(|pair| pair == [0xff, 0xfe]));
        assert_eq!(vector.records_from(false)[0]["name"], "u.lab.test");
    }
}
