//! One transfer of the feed: Begin, Parts, End. Checked while it arrives; nothing of it is served before its End.
//!
//! A transfer that must be refused is still read to its end, because the stream goes on behind it; only nothing is built
//! from it any more.

use crate::{Builder, Snapshot, builder::Unusable};
use bytes::Bytes;
use dnsplane_proto::{Generation, InvalidMessage, MAX_PART, RecordSet, Settings, pb::feed as pb};
use prost::Message;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A difference up to this size is kept for the journal; after a larger one the whole copy is written anew.
const MAX_JOURNALED: usize = 8 << 20;

/// Why a transfer was not installed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// An older generation of the same session.
    #[error("{offered} is older than {serving}, which is served")]
    Older {
        /// What was sent.
        offered: Generation,
        /// What is served.
        serving: Generation,
    },
    /// A difference that starts elsewhere.
    #[error("the difference starts at {from}, but {serving} is served")]
    OtherBase {
        /// Where it starts.
        from: Generation,
        /// What is served.
        serving: Generation,
    },
    /// What arrived is not what was sent.
    #[error("the checksum does not match")]
    Checksum,
    /// Record sets are missing, or there are too many.
    #[error("{found} record sets arrived instead of {expected}")]
    Count {
        /// As End says.
        expected: u64,
        /// As counted.
        found: u64,
    },
    /// A part over the agreed size.
    #[error("a part of {0} octets")]
    LargePart(usize),
    /// A body that is not the message it should be.
    #[error("a part cannot be decoded")]
    Decode(#[from] prost::DecodeError),
    /// A field that is not what it should be.
    #[error(transparent)]
    Message(#[from] InvalidMessage),
    /// A record set that cannot be answered from.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// Something that a later version knows.
    #[error("this version does not know resource {0}")]
    Unknown(i32),
    /// A difference where only a whole makes sense.
    #[error("settings are sent whole")]
    PartialSettings,
}

impl Refusal {
    /// Whether starting from a whole transfer may help.
    pub fn calls_for_whole(&self) -> bool {
        !matches!(self, Self::Older { .. } | Self::Unknown(_))
    }
}

/// A transfer that is complete and sound.
pub enum Complete {
    /// New settings.
    Settings(Generation, Settings),
    /// New records, and what the copy on disk needs to know.
    Records {
        /// The builder, ready to be finished.
        builder: Box<Builder>,
        /// The generation that it amounts to.
        generation: Generation,
        /// A difference: where it starts, and its bodies unless they were too large to keep.
        difference: Option<(Generation, Option<Vec<Bytes>>)>,
    },
    /// What is served anyway.
    AlreadyServing(Generation),
}

/// A transfer that is arriving.
pub struct Transfer {
    resource: i32,
    generation: Generation,
    checksum: Sha256,
    count: u64,
    content: Content,
    refusal: Option<Refusal>,
}

enum Content {
    Settings(Vec<u8>),
    Records {
        builder: Box<Builder>,
        from: Option<Generation>,
        bodies: Option<Vec<Bytes>>,
        octets: usize,
    },
    /// Read, but not used.
    Ignored,
}

impl Transfer {
    /// Starts reading. `serving` is what is served of this resource.
    pub fn begin(begin: &pb::Begin, serving: Option<Generation>, snapshot: &Arc<Snapshot>) -> Self {
        let generation = begin.generation.unwrap_or_default().into();
        let from = begin.from.map(Generation::from);
        let mut transfer = Self {
            resource: begin.resource,
            generation,
            checksum: Sha256::new(),
            count: 0,
            content: Content::Ignored,
            refusal: None,
        };
        match transfer.check_begin(from, serving) {
            Err(refusal) => transfer.refusal = Some(refusal),
            Ok(()) if serving == Some(generation) => {}
            Ok(()) if begin.resource() == pb::Resource::Settings => transfer.content = Content::Settings(Vec::new()),
            Ok(()) => {
                let builder = if from.is_some() { Builder::on(snapshot) } else { Builder::new() };
                let (builder, bodies) = (Box::new(builder), from.map(|_| Vec::new()));
                transfer.content = Content::Records { builder, from, bodies, octets: 0 };
            }
        }
        transfer
    }

    /// Which resource this is about.
    pub fn resource(&self) -> i32 {
        self.resource
    }

    /// The records of one part go into the snapshot in the making.
    pub fn add(&mut self, body: Bytes) {
        if self.refusal.is_some() {
            return;
        }
        self.checksum.update(&body);
        if let Err(refusal) = self.take(body) {
            self.refuse(refusal);
        }
    }

    /// What has become of it.
    pub fn end(mut self, end: &pb::End) -> Result<Complete, Refusal> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        if self.checksum.finalize_reset()[..] != end.sha256[..] {
            return Err(Refusal::Checksum);
        }
        let count_matters = matches!(self.content, Content::Records { .. });
        if count_matters && self.count != end.count {
            return Err(Refusal::Count { expected: end.count, found: self.count });
        }
        match self.content {
            Content::Ignored => Ok(Complete::AlreadyServing(self.generation)),
            Content::Settings(body) => {
                let settings = pb::Settings::decode(&body[..])?;
                Ok(Complete::Settings(self.generation, settings.try_into()?))
            }
            Content::Records { builder, from, bodies, .. } => {
                let difference = from.map(|from| (from, bodies));
                Ok(Complete::Records { builder, generation: self.generation, difference })
            }
        }
    }

    fn check_begin(&self, from: Option<Generation>, serving: Option<Generation>) -> Result<(), Refusal> {
        let known = [pb::Resource::Settings as i32, pb::Resource::Records as i32];
        if !known.contains(&self.resource) {
            return Err(Refusal::Unknown(self.resource));
        }
        let held = serving.filter(|serving| serving.session == self.generation.session);
        if let Some(serving) = held.filter(|serving| self.generation.number < serving.number) {
            return Err(Refusal::Older { offered: self.generation, serving });
        }
        let Some(from) = from.filter(|_| serving != Some(self.generation)) else {
            return Ok(());
        };
        if self.resource == pb::Resource::Settings as i32 {
            return Err(Refusal::PartialSettings);
        }
        let serving = serving.unwrap_or_default();
        if from == serving && from.session == self.generation.session {
            Ok(())
        } else {
            Err(Refusal::OtherBase { from, serving })
        }
    }

    fn take(&mut self, body: Bytes) -> Result<(), Refusal> {
        if body.len() > MAX_PART {
            return Err(Refusal::LargePart(body.len()));
        }
        match &mut self.content {
            Content::Ignored => {}
            Content::Settings(whole) if whole.len() + body.len() > MAX_PART => {
                return Err(Refusal::LargePart(whole.len() + body.len()));
            }
            Content::Settings(whole) => whole.extend_from_slice(&body),
            Content::Records { builder, bodies, octets, .. } => {
                for set in pb::RecordSets::decode(body.clone())?.sets {
                    builder.apply(&RecordSet::try_from(set)?)?;
                    self.count += 1;
                }
                *octets += body.len();
                if *octets > MAX_JOURNALED {
                    *bodies = None;
                }
                if let Some(bodies) = bodies {
                    bodies.push(body);
                }
            }
        }
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refusal = Some(refusal);
        // Frees what was built so far.
        self.content = Content::Ignored;
    }
}
