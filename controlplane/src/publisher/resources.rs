//! The resources that are one message each: encoded once for all data planes, and numbered by their content, so that a
//! restart with the same configuration sends nothing.

use crate::{block_list::Merged, blocking::beside};
use bytes::Bytes;
use dnsplane_proto::{Generation, MAX_PART, Settings, Upstreams, block_list::Packed, pb::feed as pb};
use prost::{
    Message,
    encoding::{WireType, encode_key, encode_varint},
};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tokio::sync::watch;

/// Where a resource's newest state is found; `None` as long as nobody knows it: then data planes keep what they have.
type Newest = watch::Receiver<Option<Arc<Numbered>>>;

/// What data planes get beside records; clones share it.
#[derive(Clone)]
pub struct Resources {
    pub(super) settings: Newest,
    pub(super) upstreams: Newest,
    pub(super) block_list: Newest,
}

/// A resource as it is sent.
pub(super) struct Numbered {
    pub(super) generation: Generation,
    /// One message, cut into bodies of at most [`MAX_PART`] octets.
    pub(super) parts: Vec<Bytes>,
    pub(super) end: pb::End,
    pub(super) octets: u64,
}

impl Resources {
    /// Follows these. A block list that is `None` is not known yet; one without names blocks nothing.
    pub fn follow(
        settings: watch::Receiver<Arc<Settings>>,
        upstreams: watch::Receiver<Arc<Upstreams>>,
        block_list: watch::Receiver<Option<Arc<Merged>>>,
    ) -> Self {
        Self {
            settings: follow(settings, |settings| Some(Numbered::settings(settings))),
            upstreams: follow(upstreams, |upstreams| Some(Numbered::upstreams(upstreams))),
            block_list: follow(block_list, |merged| merged.as_deref().map(Numbered::block_list)),
        }
    }

    /// The newest generation of settings, upstreams and block list, as far as there is one.
    pub fn generations(&self) -> [Option<Generation>; 3] {
        let newest = |of: &Newest| of.borrow().as_deref().map(|numbered| numbered.generation);
        [newest(&self.settings), newest(&self.upstreams), newest(&self.block_list)]
    }
}

impl Numbered {
    fn settings(settings: &Settings) -> Self {
        Self::of(&[pb::Settings::from(settings.clone()).encode_to_vec().into()])
    }

    fn upstreams(upstreams: &Upstreams) -> Self {
        Self::of(&[pb::Upstreams::from(upstreams).encode_to_vec().into()])
    }

    /// The tables are many megabytes: they are cut where they lie. Protobuf fields may come in any order, one after the other.
    fn block_list(merged: &Merged) -> Self {
        let combinations = merged.combinations.iter().map(|sources| pb::Combination { sources: sources.clone() });
        let small = pb::BlockList {
            sources: merged.sources.iter().map(ToString::to_string).collect(),
            combinations: combinations.collect(),
            key: if merged.blocked.hashes.is_empty() { Bytes::new() } else { merged.key.0.to_vec().into() },
            ..pb::BlockList::default()
        };
        let mut pieces = vec![small.encode_to_vec().into()];
        pieces.extend(table(3, &merged.blocked));
        pieces.extend(table(4, &merged.allowed));
        Self::of(&pieces)
    }

    /// The pieces in a row are one message.
    fn of(pieces: &[Bytes]) -> Self {
        let (mut parts, mut sha) = (Vec::new(), Sha256::new());
        for mut rest in pieces.iter().cloned() {
            while !rest.is_empty() {
                let part = rest.split_to(rest.len().min(MAX_PART));
                sha.update(&part);
                parts.push(part);
            }
        }
        let digest = sha.finalize();
        let session = digest.iter().take(8).fold(0, |session, octet| session << 8 | u64::from(*octet));
        Self {
            generation: Generation { session, number: 1 },
            octets: parts.iter().map(|part| part.len() as u64).sum(),
            parts,
            end: pb::End { sha256: digest.to_vec().into(), count: 1 },
        }
    }
}

/// The pieces of a field that is a table: none if that has no names.
fn table(number: u32, table: &Packed) -> Vec<Bytes> {
    if table.hashes.is_empty() {
        return Vec::new();
    }
    let depths = Bytes::copy_from_slice(&table.depths.to_le_bytes());
    let inner = [(1, &table.hashes), (2, &table.values), (3, &depths)];
    let mut pieces: Vec<_> = inner.into_iter().flat_map(|(number, of)| [field(number, of), of.clone()]).collect();
    let octets = pieces.iter().map(Bytes::len).sum();
    pieces.insert(0, head(number, octets));
    pieces
}

/// What stands before the octets of a field.
fn field(number: u32, octets: &Bytes) -> Bytes {
    if octets.is_empty() { Bytes::new() } else { head(number, octets.len()) }
}

fn head(number: u32, octets: usize) -> Bytes {
    let mut head = Vec::new();
    encode_key(number, WireType::LengthDelimited, &mut head);
    encode_varint(octets as u64, &mut head);
    head.into()
}

/// Encodes each new state, large ones beside the runtime. Ends when nobody looks any more.
fn follow<T: Clone + Send + Sync + 'static>(
    mut states: watch::Receiver<T>,
    encode: impl Fn(&T) -> Option<Numbered> + Clone + Send + 'static,
) -> Newest {
    let (sender, newest) = watch::channel(None);
    tokio::spawn(async move {
        loop {
            let (state, encode) = (states.borrow_and_update().clone(), encode.clone());
            let numbered = beside(move || encode(&state).map(Arc::new)).await;
            sender.send_if_modified(|known| {
                let generation = |of: &Option<Arc<Numbered>>| of.as_deref().map(|numbered| numbered.generation);
                let changed = numbered.is_some() && generation(known) != generation(&numbered);
                if changed {
                    *known = numbered;
                }
                changed
            });
            let more = tokio::select! {
                changed = states.changed() => changed.is_ok(),
                () = sender.closed() => return,
            };
            if !more {
                // Whoever made the states has ended; the last one holds.
                return sender.closed().await;
            }
        }
    });
    newest
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnsplane_proto::block_list::HashKey;

    #[test]
    fn a_block_list_in_parts_is_one_message() {
        let merged = Merged {
            key: HashKey([7; 16]),
            blocked: Packed {
                hashes: (0..3 * MAX_PART + 5).map(|at| at as u8).collect(),
                values: Bytes::from_static(b"values"),
                depths: 6,
            },
            allowed: Packed { hashes: Bytes::from_static(b"allowed"), values: Bytes::from_static(b"more"), depths: 0 },
            sources: vec!["one".into(), "two".into()],
            combinations: vec![vec![0], vec![0, 1]],
        };
        let numbered = Numbered::block_list(&merged);
        assert!(numbered.parts.iter().all(|part| part.len() <= MAX_PART));
        let whole = numbered.parts.concat();
        assert_eq!((numbered.octets, &numbered.end.sha256[..]), (whole.len() as u64, &Sha256::digest(&whole)[..]));
        let read = pb::BlockList::decode(&whole[..]).unwrap();
        for (read, table) in [(read.blocked, &merged.blocked), (read.allowed, &merged.allowed)] {
            let read = read.unwrap();
            assert_eq!((read.hashes, read.values), (table.hashes.clone(), table.values.clone()));
            assert_eq!(read.depths, table.depths.to_le_bytes()[..]);
        }
        assert_eq!(read.key, merged.key.0[..]);
        assert_eq!(read.sources, ["one", "two"]);
        assert_eq!(read.combinations.iter().map(|one| one.sources.clone()).collect::<Vec<_>>(), merged.combinations);
        assert_eq!(Numbered::block_list(&merged).generation, numbered.generation, "the same content, the same number");
        let other = Merged { sources: vec!["one".into(), "three".into()], ..merged };
        assert_ne!(Numbered::block_list(&other).generation, numbered.generation);
        let nothing = Numbered::block_list(&Merged::default());
        assert_eq!(pb::BlockList::decode(&nothing.parts.concat()[..]).unwrap(), pb::BlockList::default());
    }

    fn settings_like_any() -> Settings {
        pb::Settings { max_udp_payload: 1232, ..pb::Settings::default() }.try_into().unwrap()
    }

    #[tokio::test]
    async fn what_is_followed_is_known_by_its_content() {
        let (_settings, settings) = watch::channel(Arc::new(settings_like_any()));
        let (upstreams, upstreams_seen) = watch::channel(Arc::new(Upstreams::default()));
        let (lists, lists_seen) = watch::channel(None);
        let mut resources = Resources::follow(settings, upstreams_seen, lists_seen);
        resources.upstreams.wait_for(Option::is_some).await.unwrap();
        assert_eq!(resources.generations()[2], None, "nobody knows of block lists yet");
        let first = resources.generations()[1];
        upstreams.send_replace(Arc::new(Upstreams { roots: Bytes::from_static(b"x"), ..Upstreams::default() }));
        let differs = |numbered: &Option<Arc<Numbered>>| numbered.as_deref().map(|one| one.generation) != first;
        resources.upstreams.wait_for(differs).await.unwrap();
        lists.send_replace(Some(Arc::new(Merged::default())));
        resources.block_list.wait_for(Option::is_some).await.unwrap();
        drop(lists);
        let known = resources.block_list.borrow().is_some();
        assert!(known && resources.block_list.has_changed().is_ok(), "the last state holds");
    }
}
