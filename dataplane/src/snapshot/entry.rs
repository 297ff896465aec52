//! One name and its record sets, as bytes: written by the builder, copied into replies as they stand.
//!
//! ```text
//! 0  name length   u8
//! 1  flags         u8      what is here: see [`Flags`]
//! 2  record sets   u16
//! 4  name                  wire form, lower case
//!    children      u32     names directly below this one that have an entry; only if the flags say so
//!    record sets, each     type u16, records u16, octets u16, then the records
//!                          (octets 0xFFFF: the real number follows, u32)
//!    padding to 4
//! ```
//! Most names have no children and one small record set, so every octet here is a megabyte in a large store.
//!
//! Integers of ours are little-endian. Records are wire format from the owner on; the owner is always the compression
//! pointer 0xC00C, which in a reply stands for the name of the question (RFC 1035 §4.1.4).

use dnsplane_proto::RecordType;

/// What every stored record starts with: a pointer to the first octet behind the message header.
pub(crate) const OWNER_IS_QUESTION: [u8; 2] = [0xc0, 0x0c];
/// Owner pointer, type, class, TTL and RDATA length of a stored record.
pub(crate) const RECORD_HEADER: usize = 12;
/// SERIAL, REFRESH, RETRY, EXPIRE, MINIMUM of an SOA (RFC 1035 §3.3.13).
pub(crate) const SOA_NUMBERS: usize = 20;

/// What a stored record of class IN starts with; `octets` of RDATA follow (RFC 1035 §4.1.3).
pub(crate) fn record_header(kind: RecordType, ttl: u32, octets: usize) -> [u8; RECORD_HEADER] {
    let mut header = [0; RECORD_HEADER];
    header[..2].copy_from_slice(&OWNER_IS_QUESTION);
    header[2..4].copy_from_slice(&kind.0.to_be_bytes());
    header[4..6].copy_from_slice(&[0, 1]);
    header[6..10].copy_from_slice(&ttl.to_be_bytes());
    header[10..].copy_from_slice(&(octets as u16).to_be_bytes());
    header
}

/// The TTL of a stored record.
pub(crate) fn ttl(record: &[u8]) -> u32 {
    record.get(6..10).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_be_bytes)
}

/// Entries start at multiples of this, so that a table slot of 24 bits reaches further.
pub(super) const ALIGN: usize = 4;

const HEADER: usize = 4;
const CHILDREN: usize = 4;
const SET_HEADER: usize = 6;
/// Sets of this many octets or more have a longer header.
const LONG: usize = 0xffff;
const LONG_HEADER: usize = SET_HEADER + 4;

/// What a lookup wants to know of a name before it looks at the record sets.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Flags(u8);

impl Flags {
    /// There is an SOA: a zone starts here.
    const APEX: u8 = 1;
    /// There is a CNAME.
    const ALIAS: u8 = 2;
    /// There are NS records.
    const SERVERS: u8 = 4;
    /// There is a DNAME.
    const REDIRECT: u8 = 8;
    /// The entry has a place for the number of children.
    const PARENT: u8 = 16;

    /// Those that [`Marks`](super::marks::Marks) count.
    pub(crate) fn marks(self) -> (bool, bool) {
        (self.is_apex(), self.is_break())
    }

    pub(crate) fn is_apex(self) -> bool {
        self.0 & Self::APEX != 0
    }

    /// Another server has what is at and below this name (if it is inside a zone): NS, and no SOA.
    pub(crate) fn is_cut(self) -> bool {
        self.0 & (Self::SERVERS | Self::APEX) == Self::SERVERS
    }

    /// Names below this one are to be found elsewhere.
    pub(crate) fn is_redirect(self) -> bool {
        self.0 & Self::REDIRECT != 0
    }

    pub(crate) fn is_break(self) -> bool {
        self.is_cut() || self.is_redirect()
    }

    fn with(self, kind: RecordType) -> Self {
        Self(
            self.0
                | match kind {
                    RecordType::SOA => Self::APEX,
                    RecordType::CNAME => Self::ALIAS,
                    RecordType::NS => Self::SERVERS,
                    RecordType::DNAME => Self::REDIRECT,
                    _ => 0,
                },
        )
    }
}

/// A name that exists: it owns records, or a name below it does (an empty non-terminal, RFC 4592 §2.2.2).
#[derive(Clone, Copy)]
pub struct Entry<'a> {
    bytes: &'a [u8],
}

/// All records of one name and type, ready to be copied into a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Set<'a> {
    /// Type of every record.
    pub kind: RecordType,
    /// How many records there are; 65,535 stands for that many or more, which no message could carry.
    pub count: u16,
    /// The records in wire format, owner 0xC00C.
    pub wire: &'a [u8],
}

impl<'a> Entry<'a> {
    /// The entry that starts where `bytes` starts; `bytes` may go on behind it.
    pub(super) fn at(bytes: &'a [u8]) -> Self {
        Self { bytes }
    }

    /// The owner name, wire form, lower case.
    #[inline]
    pub fn name(&self) -> &'a [u8] {
        self.bytes.get(HEADER..HEADER + usize::from(self.octet(0))).unwrap_or_default()
    }

    /// How many names directly below this one have an entry.
    pub fn children(&self) -> u32 {
        let at = self.after_name();
        let octets = self.bytes.get(at..at + CHILDREN).filter(|_| self.counts_children());
        octets.and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_le_bytes)
    }

    /// Whether a zone starts here: there is an SOA.
    pub fn is_apex(&self) -> bool {
        self.flags().is_apex()
    }

    /// Whether there is a CNAME.
    pub fn is_alias(&self) -> bool {
        self.flags().0 & Flags::ALIAS != 0
    }

    /// Whether no records are here: the name exists only because of a name below it.
    pub fn is_empty_non_terminal(&self) -> bool {
        self.set_count() == 0
    }

    /// The record set of this type.
    #[inline]
    pub fn set(&self, kind: RecordType) -> Option<Set<'a>> {
        self.sets().find(|set| set.kind == kind)
    }

    /// All record sets, ordered by type number.
    #[inline]
    pub fn sets(&self) -> Sets<'a> {
        let rest = self.bytes.get(self.sets_at()..).unwrap_or_default();
        Sets { rest, left: self.set_count() }
    }

    /// Octets that the entry takes in its shard, padding included.
    pub(super) fn size(&self) -> usize {
        let sets: usize = self.sets().map(|set| set_header(set.wire.len()) + set.wire.len()).sum();
        (self.sets_at() + sets).next_multiple_of(ALIGN)
    }

    /// The entry without what follows it.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes.get(..self.size()).unwrap_or(self.bytes)
    }

    pub(crate) fn flags(&self) -> Flags {
        Flags(self.octet(1))
    }

    /// Whether there is a place for the number of children.
    pub(super) fn counts_children(&self) -> bool {
        self.flags().0 & Flags::PARENT != 0
    }

    fn after_name(&self) -> usize {
        HEADER + usize::from(self.octet(0))
    }

    #[inline]
    fn sets_at(&self) -> usize {
        self.after_name() + if self.counts_children() { CHILDREN } else { 0 }
    }

    fn set_count(&self) -> u16 {
        u16::from_le_bytes([self.octet(2), self.octet(3)])
    }

    fn octet(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or_default()
    }
}

/// Iterator over the record sets of an [`Entry`].
#[derive(Clone)]
pub struct Sets<'a> {
    rest: &'a [u8],
    left: u16,
}

impl<'a> Iterator for Sets<'a> {
    type Item = Set<'a>;

    #[inline]
    fn next(&mut self) -> Option<Set<'a>> {
        self.left = self.left.checked_sub(1)?;
        let (header, rest) = self.rest.split_first_chunk::<SET_HEADER>()?;
        let [kind_low, kind_high, count_low, count_high, length @ ..] = *header;
        let (length, rest) = match usize::from(u16::from_le_bytes(length)) {
            LONG => rest.split_first_chunk().map(|(length, rest)| (u32::from_le_bytes(*length) as usize, rest))?,
            length => (length, rest),
        };
        let (wire, rest) = rest.split_at_checked(length)?;
        self.rest = rest;
        let kind = RecordType(u16::from_le_bytes([kind_low, kind_high]));
        Some(Set { kind, count: u16::from_le_bytes([count_low, count_high]), wire })
    }
}

impl<'a> Set<'a> {
    /// The records one by one, each from its owner pointer to the end of its RDATA.
    pub fn records(&self) -> impl Iterator<Item = &'a [u8]> + use<'a> {
        let mut rest = self.wire;
        std::iter::from_fn(move || {
            let length = u16::from_be_bytes([*rest.get(10)?, *rest.get(11)?]);
            let (record, after) = rest.split_at_checked(RECORD_HEADER + usize::from(length))?;
            rest = after;
            Some(record)
        })
    }
}

/// Writes an entry. `sets` must come in the order of their type numbers.
pub(super) fn write<'a>(out: &mut Vec<u8>, name: &[u8], children: u32, sets: impl Iterator<Item = Set<'a>>) -> Flags {
    let start = out.len();
    out.extend_from_slice(&[name.len() as u8, 0, 0, 0]);
    out.extend_from_slice(name);
    let (mut flags, mut count) = (Flags::default(), 0u16);
    if children > 0 {
        flags.0 |= Flags::PARENT;
        out.extend_from_slice(&children.to_le_bytes());
    }
    for set in sets {
        flags = flags.with(set.kind);
        count += 1;
        out.extend_from_slice(&set.kind.0.to_le_bytes());
        out.extend_from_slice(&set.count.to_le_bytes());
        out.extend_from_slice(&(set.wire.len().min(LONG) as u16).to_le_bytes());
        if set.wire.len() >= LONG {
            out.extend_from_slice(&(set.wire.len() as u32).to_le_bytes());
        }
        out.extend_from_slice(set.wire);
    }
    out.resize(start + (out.len() - start).next_multiple_of(ALIGN), 0);
    out[start + 1] = flags.0;
    out[start + 2..start + 4].copy_from_slice(&count.to_le_bytes());
    flags
}

fn set_header(octets: usize) -> usize {
    if octets < LONG { SET_HEADER } else { LONG_HEADER }
}

/// Overwrites the number of children of the entry that starts where `bytes` starts, which must have a place for it.
pub(super) fn set_children(bytes: &mut [u8], children: u32) {
    let entry = Entry::at(bytes);
    if entry.counts_children() {
        let at = entry.after_name();
        bytes[at..at + CHILDREN].copy_from_slice(&children.to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A_RECORD: &[u8] = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01";

    #[test]
    fn what_was_written_is_read() {
        let two = [A_RECORD, A_RECORD].concat();
        let sets = [
            Set { kind: RecordType::A, count: 2, wire: &two },
            Set { kind: RecordType::SOA, count: 1, wire: A_RECORD },
        ];
        let mut bytes = vec![9; 4];
        write(&mut bytes, b"\x01a\x00", 7, sets.iter().copied());
        let entry = Entry::at(&bytes[4..]);
        assert_eq!((entry.name(), entry.children(), entry.size()), (&b"\x01a\x00"[..], 7, bytes.len() - 4));
        assert!(entry.is_apex() && !entry.is_alias() && !entry.is_empty_non_terminal());
        assert!(entry.sets().eq(sets));
        assert_eq!(entry.set(RecordType::A).expect("there").records().collect::<Vec<_>>(), [A_RECORD, A_RECORD]);
        assert_eq!(entry.set(RecordType::AAAA), None);
    }

    #[test]
    fn sets_of_any_size_are_told_apart() {
        for length in [0, 1, LONG - 1, LONG, LONG + 1, 1 << 20] {
            let wire = vec![7; length];
            let sets = [
                Set { kind: RecordType::A, count: 2, wire: &wire },
                Set { kind: RecordType::TXT, count: 1, wire: A_RECORD },
            ];
            let mut bytes = Vec::new();
            write(&mut bytes, b"\x01a\x00", 0, sets.iter().copied());
            let entry = Entry::at(&bytes);
            assert!(entry.sets().eq(sets), "{length}");
            assert_eq!(entry.size(), bytes.len(), "{length}");
        }
    }

    #[test]
    fn an_ns_set_is_a_cut_unless_a_zone_starts_there() {
        let flags = |kinds: &[RecordType]| {
            write(&mut Vec::new(), b"\x00", 0, kinds.iter().map(|kind| Set { kind: *kind, count: 0, wire: b"" }))
        };
        use RecordType as T;
        assert!(flags(&[T::NS]).is_cut() && !flags(&[T::NS, T::SOA]).is_cut() && !flags(&[T::A]).is_cut());
        assert!(flags(&[T::NS, T::SOA]).is_apex() && !flags(&[T::NS, T::SOA]).is_break());
        assert!(flags(&[T::SOA, T::DNAME]).is_break() && flags(&[T::DNAME]).is_redirect());
    }

    #[test]
    fn bytes_that_end_early_are_not_read_past_their_end() {
        let mut bytes = Vec::new();
        write(&mut bytes, b"\x01a\x00", 3, [Set { kind: RecordType::A, count: 1, wire: A_RECORD }].into_iter());
        for length in 0..bytes.len() {
            let entry = Entry::at(&bytes[..length]);
            let _ = (entry.name(), entry.children(), entry.size(), entry.sets().count());
        }
    }
}
