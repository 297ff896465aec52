//! Sends a file to the control plane, piece by piece, from a thread of its own: a pipe may be slow, and a file on a disk that
//! is asleep as well.

use crate::{args::Import, client::Failure};
use dnsplane_proto::pb::admin::{ImportEnd, ImportPart, import_part::Part};
use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::{mpsc, oneshot};

/// Octets of a piece.
const PIECE: usize = 256 << 10;

/// A file that is open.
pub(super) struct Upload {
    name: PathBuf,
    from: Box<dyn Read + Send>,
    octets: Option<u64>,
}

/// A file on its way.
pub(super) struct Sent {
    name: PathBuf,
    outcome: oneshot::Receiver<io::Result<()>>,
}

impl Upload {
    /// Opens the file: what cannot be read is told before anybody is asked for anything.
    pub(super) fn open(import: &Import) -> Result<Self, Failure> {
        let name = import.file.clone();
        if import.is_standard_input() {
            return Ok(Self { name, from: Box::new(io::stdin()), octets: None });
        }
        let opened = File::open(&name).and_then(|file| Ok((file.metadata()?, file)));
        match opened {
            Ok((metadata, _)) if metadata.is_dir() => Err(unreadable(&name, &"it is a folder")),
            Ok((metadata, file)) => {
                Ok(Self { name, from: Box::new(file), octets: metadata.is_file().then_some(metadata.len()) })
            }
            Err(error) => Err(unreadable(&name, &error)),
        }
    }

    /// Its size, if that is known beforehand.
    pub(super) fn octets(&self) -> Option<u64> {
        self.octets
    }

    /// Sends it; `counter` says how much of it has gone.
    pub(super) fn send(self, parts: mpsc::Sender<ImportPart>, counter: Arc<AtomicU64>) -> Sent {
        let Self { name, mut from, .. } = self;
        let (told, outcome) = oneshot::channel();
        // Not joined: nobody waits for standard input when the server has said no.
        std::thread::spawn(move || {
            let sent = pieces(&mut *from, |piece| {
                counter.fetch_add(piece.len() as u64, Ordering::Relaxed);
                parts.blocking_send(part(Part::Text(piece))).is_ok()
            });
            let failed = sent.is_err();
            // Nobody may be left to tell.
            let _ = told.send(sent);
            if !failed {
                let _ = parts.blocking_send(part(Part::End(ImportEnd {})));
            }
        });
        Sent { name, outcome }
    }
}

impl Sent {
    /// Why the file did not get through, if that was our fault.
    pub(super) fn failure(&mut self) -> Option<Failure> {
        match self.outcome.try_recv() {
            Ok(Err(error)) => Some(unreadable(&self.name, &error)),
            _ => None,
        }
    }
}

/// Reads to the end, unless `take` has enough.
fn pieces(from: &mut dyn Read, mut take: impl FnMut(Vec<u8>) -> bool) -> io::Result<()> {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        from.take(PIECE as u64).read_to_end(&mut piece)?;
        if piece.is_empty() || !take(piece) {
            return Ok(());
        }
    }
}

pub(super) fn part(part: Part) -> ImportPart {
    ImportPart { part: Some(part) }
}

fn unreadable(name: &std::path::Path, why: &dyn std::fmt::Display) -> Failure {
    Failure::Usage(format!("cannot read {}: {why}", name.display()))
}
