//! Whose counts are one.

use crate::{encode::Rcode, message::HEADER, wire_name};
use std::net::IpAddr;

/// What is counted together.
#[derive(Hash)]
pub(super) struct Key<'a> {
    /// The upper bits of an address; an IPv4 address as IPv6 writes it.
    network: u128,
    /// What the reply says, unless all count the same.
    says: Option<(u16, [&'a [u8]; 2])>,
}

impl<'a> Key<'a> {
    /// All of one client.
    pub(super) fn client(address: IpAddr) -> Self {
        Self { network: network(address, 32, 64), says: None }
    }

    /// Replies that say the same to one network.
    pub(super) fn saying(address: IpAddr, rcode: Rcode, reply: &'a [u8]) -> Self {
        Self { network: network(address, 24, 56), says: Some((rcode as u16, first_record(reply))) }
    }
}

/// The address without what is behind so many bits.
fn network(address: IpAddr, bits_of_four: u32, bits_of_six: u32) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => {
            let octets = u32::from(address) & (u32::MAX << (32 - bits_of_four));
            0xffff_0000_0000 | u128::from(octets)
        }
        IpAddr::V6(address) => u128::from(address) & (u128::MAX << (128 - bits_of_six)),
    }
}

/// The first record of a reply, without its owner and its TTL, which counts down in what was remembered. For any name that a wildcard covers it is the same, for any that does not
/// exist it is the SOA of the zone, and for any below a zone cut the first of its servers: so asking for ever new names does
/// not make replies that count anew. An OPT record is none: the client decides what is in it.
fn first_record(reply: &[u8]) -> [&[u8]; 2] {
    const KIND_AND_CLASS: usize = 4;
    const TTL: usize = 4;
    const LENGTH: usize = 2;
    let record = || {
        let question = reply.get(HEADER..)?;
        let after = question.get(wire_name::split(question)?.len() + 4..)?;
        // Records of ours begin with a pointer, or with a name that the question does not end in; an OPT record with the root.
        let (kind, after) = after.get(owner(after)?..)?.split_at_checked(KIND_AND_CLASS)?;
        let content = after.get(TTL..)?;
        let length = usize::from(u16::from_be_bytes(*content.first_chunk()?));
        Some([kind, content.get(..LENGTH + length)?])
    };
    record().unwrap_or_default()
}

/// Where an owner name that is not the root ends.
fn owner(name: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *name.get(at)? {
            0 => return Some(at + 1).filter(|_| at > 0),
            0xc0.. => return Some(at + 2),
            length => at += usize::from(length) + 1,
        }
    }
}
