//! One transfer of the feed: Begin, Parts, End. Checked while it arrives; nothing of it is served before its End.
//!
//! A transfer that must be refused is still read to its end, because the stream goes on behind it; only nothing is built
//! from it any more.

mod message;
mod refusal;

pub use message::Loaded;
pub(crate) use message::{Content, Whole};
pub use refusal::Refusal;

use crate::{Builder, Snapshot};
use bytes::Bytes;
use dnsplane_proto::{Generation, MAX_PART, RecordSet, pb::feed as pb};
use message::Gathering;
use prost::Message;
use sha2::{Digest, Sha256};
use std::sync::Arc;

/// A difference up to this size is kept for the journal; after a larger one the whole copy is written anew.
const MAX_JOURNALED: usize = 8 << 20;

/// A transfer that is complete and sound.
pub enum Complete {
    /// A resource that is one message.
    Whole(Generation, Loaded),
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
    content: Arriving,
    refusal: Option<Refusal>,
}

enum Arriving {
    Whole(Gathering),
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
            content: Arriving::Ignored,
            refusal: None,
        };
        match (transfer.check_begin(from, serving), Whole::of(begin.resource())) {
            (Err(refusal), _) => transfer.refusal = Some(refusal),
            (Ok(()), _) if serving == Some(generation) => {}
            (Ok(()), Some(whole)) => transfer.content = Arriving::Whole(Gathering::new(whole)),
            (Ok(()), None) => {
                let builder = if from.is_some() { Builder::on(snapshot) } else { Builder::new() };
                let (builder, bodies) = (Box::new(builder), from.map(|_| Vec::new()));
                transfer.content = Arriving::Records { builder, from, bodies, octets: 0 };
            }
        }
        transfer
    }

    /// Which resource this is about.
    pub fn resource(&self) -> i32 {
        self.resource
    }

    /// The content of one part goes into what is in the making.
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
        let count_matters = matches!(self.content, Arriving::Records { .. });
        if count_matters && self.count != end.count {
            return Err(Refusal::Count { expected: end.count, found: self.count });
        }
        match self.content {
            Arriving::Ignored => Ok(Complete::AlreadyServing(self.generation)),
            Arriving::Whole(gathered) => Ok(Complete::Whole(self.generation, gathered.read()?)),
            Arriving::Records { builder, from, bodies, .. } => {
                let difference = from.map(|from| (from, bodies));
                Ok(Complete::Records { builder, generation: self.generation, difference })
            }
        }
    }

    fn check_begin(&self, from: Option<Generation>, serving: Option<Generation>) -> Result<(), Refusal> {
        let resource = pb::Resource::try_from(self.resource).unwrap_or_default();
        let whole = Whole::of(resource);
        if whole.is_none() && resource != pb::Resource::Records {
            return Err(Refusal::Unknown(self.resource));
        }
        let held = serving.filter(|serving| serving.session == self.generation.session);
        if let Some(serving) = held.filter(|serving| self.generation.number < serving.number) {
            return Err(Refusal::Older { offered: self.generation, serving });
        }
        let Some(from) = from.filter(|_| serving != Some(self.generation)) else {
            return Ok(());
        };
        if let Some(whole) = whole {
            return Err(Refusal::Partial(whole.name()));
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
            Arriving::Ignored => {}
            Arriving::Whole(gathering) => gathering.add(&body)?,
            Arriving::Records { builder, bodies, octets, .. } => {
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
        self.content = Arriving::Ignored;
    }
}
