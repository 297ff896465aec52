//! The settings file: magic, checksum, generation, and the message as it came over the feed.

use super::{FileError, read_whole, write_aside};
use dnsplane_proto::{Generation, Settings, pb::feed as pb};
use prost::Message;
use std::path::{Path, PathBuf};

const MAGIC: &[u8; 8] = b"dnspset1";

fn path(folder: &Path) -> PathBuf {
    folder.join("settings")
}

pub(super) fn write(folder: &Path, generation: Generation, settings: &Settings) -> Result<(), FileError> {
    let mut body = Vec::new();
    body.extend_from_slice(&generation.session.to_le_bytes());
    body.extend_from_slice(&generation.number.to_le_bytes());
    body.extend_from_slice(&pb::Settings::from(settings.clone()).encode_to_vec());
    write_aside(&path(folder), |file| {
        file.write_all(MAGIC)?;
        file.write_all(&crc32fast::hash(&body).to_le_bytes())?;
        file.write_all(&body)
    })
}

pub(super) fn read(folder: &Path) -> Result<Option<(Generation, Settings)>, FileError> {
    let path = path(folder);
    let Some(bytes) = read_whole(&path)? else {
        return Ok(None);
    };
    let parts = bytes.strip_prefix(MAGIC).and_then(|rest| rest.split_first_chunk::<4>());
    let (checksum, body) = parts.ok_or_else(|| FileError::damaged(&path, "it does not start as it should"))?;
    if crc32fast::hash(body) != u32::from_le_bytes(*checksum) {
        return Err(FileError::damaged(&path, "its checksum does not match"));
    }
    let generation =
        body.split_first_chunk::<8>().and_then(|(session, rest)| Some((session, rest.split_first_chunk()?)));
    let (session, (number, message)) = generation.ok_or_else(|| FileError::damaged(&path, "it is cut short"))?;
    let generation = Generation { session: u64::from_le_bytes(*session), number: u64::from_le_bytes(*number) };
    let wire = pb::Settings::decode(message).map_err(|error| FileError::damaged(&path, error.to_string()))?;
    let settings = Settings::try_from(wire).map_err(|error| FileError::damaged(&path, error.to_string()))?;
    Ok(Some((generation, settings)))
}
