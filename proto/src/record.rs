//! Records as the planes exchange them, and the numbers that say how new they are.

use crate::name::Name;
use bytes::Bytes;
use std::{fmt, str::FromStr};

/// A record type, known or not (RFC 3597).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u16);

/// Declares the types we know by mnemonic, in one table for both directions.
macro_rules! record_types {
    ($($mnemonic:ident = $number:literal),* $(,)?) => {
        impl RecordType {
            $(#[doc = concat!("Type ", stringify!($mnemonic), ".")] pub const $mnemonic: Self = Self($number);)*

            /// The mnemonic of the IANA registry, if we know one.
            pub fn mnemonic(self) -> Option<&'static str> {
                match self.0 { $($number => Some(stringify!($mnemonic)),)* _ => None }
            }

            fn from_mnemonic(text: &str) -> Option<Self> {
                $(if text.eq_ignore_ascii_case(stringify!($mnemonic)) { return Some(Self($number)); })*
                None
            }
        }
    };
}

record_types! {
    // The most frequent first: text is compared with one after the other.
    A = 1, AAAA = 28, NS = 2, CNAME = 5, MX = 15, TXT = 16, PTR = 12, SRV = 33, RRSIG = 46, NSEC = 47, NSEC3 = 50, SOA = 6,
    MD = 3, MF = 4, MB = 7, MG = 8, MR = 9, NULL = 10, WKS = 11, HINFO = 13, MINFO = 14, RP = 17, AFSDB = 18, X25 = 19,
    ISDN = 20, RT = 21, NSAP = 22, SIG = 24, KEY = 25, PX = 26, GPOS = 27, LOC = 29, NXT = 30, EID = 31, NIMLOC = 32,
    ATMA = 34, NAPTR = 35, KX = 36, CERT = 37, A6 = 38, DNAME = 39, SINK = 40, OPT = 41, APL = 42, DS = 43, SSHFP = 44,
    IPSECKEY = 45, DNSKEY = 48, DHCID = 49, NSEC3PARAM = 51, TLSA = 52, SMIMEA = 53, HIP = 55, NINFO = 56, RKEY = 57,
    TALINK = 58, CDS = 59, CDNSKEY = 60, OPENPGPKEY = 61, CSYNC = 62, ZONEMD = 63, SVCB = 64, HTTPS = 65, SPF = 99,
    UINFO = 100, UID = 101, GID = 102, UNSPEC = 103, NID = 104, L32 = 105, L64 = 106, LP = 107, EUI48 = 108, EUI64 = 109,
    TKEY = 249, TSIG = 250, IXFR = 251, AXFR = 252, MAILB = 253, MAILA = 254, ANY = 255, URI = 256, CAA = 257, AVC = 258,
    DOA = 259, AMTRELAY = 260, RESINFO = 261, WALLET = 262, TA = 32768, DLV = 32769,
}

impl RecordType {
    /// Types that exist only in questions or in the message itself, never as data of a zone (RFC 6895 §3.1).
    pub fn is_meta(self) -> bool {
        self.0 == 0 || self == Self::OPT || (128..=255).contains(&self.0)
    }
}

/// The text is neither a mnemonic we know nor `TYPE` and a number.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a record type we know; write unknown ones as TYPE and a number")]
pub struct UnknownType(pub String);

impl FromStr for RecordType {
    type Err = UnknownType;

    /// A mnemonic, or `TYPE123` (RFC 3597 §5); case does not matter.
    fn from_str(text: &str) -> Result<Self, UnknownType> {
        if let Some(known) = Self::from_mnemonic(text) {
            return Ok(known);
        }
        if text.eq_ignore_ascii_case("NSAP-PTR") {
            return Ok(Self(23)); // no name of ours can be spelt like that
        }
        let number = text.get(..4).filter(|head| head.eq_ignore_ascii_case("TYPE")).map(|_| &text[4..]);
        number
            .filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
            .and_then(|digits| digits.parse().ok())
            .map(Self)
            .ok_or_else(|| UnknownType(text.to_owned()))
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(text) => f.pad(text),
            None => f.pad(&format!("TYPE{}", self.0)),
        }
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One record of a set: what remains when name and type are taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordData {
    /// Seconds. Kept for each record, though a set should agree on one (RFC 2181 §5.2): we never change it on the way.
    pub ttl: u32,
    /// RDATA in wire form, names inside uncompressed; at most 65,535 octets.
    pub rdata: Bytes,
}

/// All records of one name and type. Without data it stands for "there is no such set" in a difference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSet {
    /// Owner name.
    pub owner: Name,
    /// Type of every record of the set.
    pub kind: RecordType,
    /// The records, in the order in which they are answered.
    pub data: Vec<RecordData>,
}

/// How new something is: which numbering, and which number in it.
///
/// Only numbers of one session can be compared; after a session change everything is sent again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Generation {
    /// Drawn at random when a numbering starts.
    pub session: u64,
    /// Grows by one with each change.
    pub number: u64,
}

impl fmt::Display for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{:08x}", self.number, self.session >> 32)
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_and_written_by_mnemonic_or_number() {
        assert_eq!("aaaa".parse(), Ok(RecordType::AAAA));
        assert_eq!("TYPE65280".parse(), Ok(RecordType(65280)));
        assert_eq!("type1".parse::<RecordType>().map(|kind| kind.to_string()), Ok("A".to_owned()));
        assert_eq!(RecordType(65280).to_string(), "TYPE65280");
        for text in ["", "TYPE", "TYPE70000", "TYPE-1", "TYPE+5", "bogus", "é€"] {
            assert_eq!(text.parse::<RecordType>(), Err(UnknownType(text.to_owned())));
        }
    }

    #[test]
    fn meta_types_are_not_data() {
        assert!(RecordType::ANY.is_meta() && RecordType::OPT.is_meta() && RecordType::AXFR.is_meta());
        assert!(!RecordType::CAA.is_meta() && !RecordType::SPF.is_meta());
    }
}
