//! The files of resources that are one message: magic, checksum, generation, and the message as it came over the feed, with
//! what this version does not know in it. So a later version finds in it what its generation promises.

use super::{FileError, ignored, read_whole, write_aside};
use crate::feed::{Loaded, Whole};
use bytes::Bytes;
use dnsplane_proto::Generation;
use std::{
    ops::Range,
    path::{Path, PathBuf},
};

const CHECKSUM: Range<usize> = 8..12;
const SESSION: Range<usize> = 12..20;
const NUMBER: Range<usize> = 20..HEAD;
/// What comes before the message.
const HEAD: usize = 28;

/// Where a resource lies, and what its file starts with.
fn place(folder: &Path, whole: Whole) -> (PathBuf, &'static [u8; 8]) {
    let (name, magic) = match whole {
        Whole::Settings => ("settings", b"dnspset1"),
        Whole::Upstreams => ("upstreams", b"dnspups1"),
        Whole::BlockList => ("block_list", b"dnspblk1"),
    };
    (folder.join(name), magic)
}

pub(super) fn write(folder: &Path, whole: Whole, generation: Generation, message: &[u8]) -> Result<(), FileError> {
    let (path, magic) = place(folder, whole);
    let generation = [generation.session.to_le_bytes(), generation.number.to_le_bytes()].concat();
    let mut checksum = crc32fast::Hasher::new();
    checksum.update(&generation);
    checksum.update(message);
    let checksum = checksum.finalize().to_le_bytes();
    write_aside(&path, |file| {
        [&magic[..], &checksum, &generation, message].iter().try_for_each(|part| file.write_all(part))
    })
}

/// What the file holds, if there is one. Damage is logged, and as good as no file.
pub(super) fn load(folder: &Path, whole: Whole) -> Option<(Generation, Loaded)> {
    read(folder, whole).unwrap_or_else(|error| {
        ignored(&error);
        None
    })
}

pub(super) fn read(folder: &Path, whole: Whole) -> Result<Option<(Generation, Loaded)>, FileError> {
    let (path, magic) = place(folder, whole);
    let Some(bytes) = read_whole(&path)? else {
        return Ok(None);
    };
    let bytes = Bytes::from(bytes);
    if bytes.len() < HEAD || !bytes.starts_with(magic) {
        return Err(FileError::damaged(&path, "it does not start as it should"));
    }
    let number = |at: Range<usize>| bytes[at].iter().rev().fold(0, |number, octet| number << 8 | u64::from(*octet));
    if u64::from(crc32fast::hash(&bytes[CHECKSUM.end..])) != number(CHECKSUM) {
        return Err(FileError::damaged(&path, "its checksum does not match"));
    }
    let generation = Generation { session: number(SESSION), number: number(NUMBER) };
    let loaded = whole.read(bytes.slice(HEAD..)).map_err(|error| FileError::damaged(&path, crate::chain(&error)))?;
    Ok(Some((generation, loaded)))
}
