//! The shapes that fields of RDATA have: each is read from words, and checked in octets.

use super::{
    digits, location, service,
    words::{BadText, Word, Words},
};
use dnsplane_proto::{InvalidName, Name, RecordType, name::MAX_NAME};
use std::{
    borrow::Cow,
    net::{Ipv4Addr, Ipv6Addr},
};

/// Octets of one character-string (RFC 1035 §3.3).
const MAX_STRING: usize = 255;

/// How one field is written and laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    U8,
    U16,
    U32,
    /// Seconds, or BIND's `1h30m`.
    Period,
    /// Seconds since 1970, or `YYYYMMDDHHmmSS` (RFC 4034 §3.2).
    Moment,
    Ipv4,
    Ipv6,
    /// A name, absolute from the root, case kept, not compressed.
    Host,
    /// One character-string.
    Text,
    /// Character-strings to the end; long ones are split.
    Texts,
    /// One word, laid out to the end without a length (CAA, URI).
    Remainder,
    /// Letters and digits behind a length (CAA).
    Tag,
    /// Hexadecimal to the end.
    Hex,
    /// Base 64 to the end.
    Base64,
    /// Hexadecimal behind a length, `-` for none (NSEC3).
    Salt,
    /// Base 32 behind a length (NSEC3).
    Hash,
    /// A record type.
    Kind,
    /// Record types to the end, as a bitmap (RFC 4034 §4.1.2).
    Kinds,
    /// A DNSSEC algorithm, number or mnemonic.
    Algorithm,
    /// A certificate type, number or mnemonic (RFC 4398 §2.1).
    Certificate,
    /// Octets in hexadecimal, joined by `-`.
    Eui(usize),
    /// Address prefixes to the end (RFC 3123).
    Prefixes,
    /// `key=value` to the end (RFC 9460).
    Services,
    /// Degrees and metres (RFC 1876).
    Location,
}

/// Why a field cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// There is no word left for it.
    Missing,
    /// Its text (bounded by whoever shows it), and why it does not do.
    Bad(String, Cow<'static, str>),
    /// The text cannot be cut into words.
    Text(BadText),
}

impl From<BadText> for Fault {
    fn from(fault: BadText) -> Self {
        Self::Text(fault)
    }
}

/// A fault in one word.
pub(super) fn bad(word: &str, why: impl Into<Cow<'static, str>>) -> Fault {
    Fault::Bad(word.to_owned(), why.into())
}

impl Shape {
    /// Reads the words that belong to the field and appends its octets.
    pub(super) fn read(self, words: &mut Words<'_>, into: &mut Vec<u8>) -> Result<(), Fault> {
        match self {
            Self::Texts => return read_texts(words, into),
            Self::Hex => return joined(words, into, digits::hex),
            Self::Base64 => return joined(words, into, digits::base64),
            Self::Kinds => return read_kinds(words, into),
            Self::Prefixes => return read_prefixes(words, into),
            Self::Services => return service::read(words, into),
            Self::Location => return location::read(words, into),
            _ => {}
        }
        let word = words.next()?.ok_or(Fault::Missing)?;
        let text = word.text;
        match self {
            Self::U8 => into.push(number(text)?),
            Self::U16 => into.extend(number::<u16>(text)?.to_be_bytes()),
            Self::U32 => into.extend(number::<u32>(text)?.to_be_bytes()),
            Self::Period => into.extend(period(text)?.to_be_bytes()),
            Self::Moment => into.extend(moment(text)?.to_be_bytes()),
            Self::Ipv4 => into.extend(ipv4(text)?.octets()),
            Self::Ipv6 => into.extend(ipv6(text)?.octets()),
            Self::Host => host(text, words.origin(), into)?,
            Self::Text => behind_length(into, |into| Ok(word.octets(into)?), text)?,
            Self::Remainder => word.octets(into)?,
            Self::Tag if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
                return Err(bad(text, "is not made of letters and digits"));
            }
            Self::Tag => behind_length(into, |into| Ok(word.octets(into)?), text)?,
            Self::Salt if text == "-" => into.push(0),
            Self::Salt => {
                behind_length(into, |into| digits::hex(text.as_bytes(), into).map_err(|why| bad(text, why)), text)?
            }
            Self::Hash => {
                behind_length(into, |into| digits::base32(text.as_bytes(), into).map_err(|why| bad(text, why)), text)?
            }
            Self::Kind => into.extend(kind(text)?.0.to_be_bytes()),
            Self::Algorithm => into.push(mnemonic(text, ALGORITHMS)?),
            Self::Certificate => into.extend(mnemonic::<u16>(text, CERTIFICATES)?.to_be_bytes()),
            Self::Eui(octets) => eui(text, octets, into)?,
            _ => {}
        }
        Ok(())
    }

    /// Takes the field's octets off the front; `None` if they are not of this shape.
    pub(super) fn check(self, octets: &[u8]) -> Option<&[u8]> {
        match self {
            Self::U8 | Self::Algorithm => octets.get(1..),
            Self::U16 | Self::Kind | Self::Certificate => octets.get(2..),
            Self::U32 | Self::Period | Self::Moment | Self::Ipv4 => octets.get(4..),
            Self::Ipv6 => octets.get(16..),
            Self::Eui(length) => octets.get(length..),
            Self::Host => check_host(octets),
            Self::Text | Self::Salt => octets.get(1 + usize::from(*octets.first()?)..),
            Self::Tag | Self::Hash => octets.get(1 + usize::from(*octets.first().filter(|length| **length > 0)?)..),
            Self::Texts => {
                let mut rest = Self::Text.check(octets)?;
                while !rest.is_empty() {
                    rest = Self::Text.check(rest)?;
                }
                Some(rest)
            }
            Self::Hex | Self::Base64 => (!octets.is_empty()).then_some(&[]),
            Self::Remainder => Some(&[]),
            Self::Kinds => check_kinds(octets),
            Self::Prefixes => check_prefixes(octets),
            Self::Services => service::check(octets),
            Self::Location => location::check(octets),
        }
    }

    /// Whether the field takes at least one word.
    pub(super) fn needs_a_word(self) -> bool {
        !matches!(self, Self::Kinds | Self::Prefixes | Self::Services)
    }

    /// Whether the field takes all words that are left.
    pub(super) fn takes_the_rest(self) -> bool {
        use Shape::{Base64, Hex, Kinds, Location, Prefixes, Services, Texts};
        matches!(self, Texts | Hex | Base64 | Kinds | Prefixes | Services | Location)
    }
}

/// Mnemonics of DNSSEC algorithms (IANA registry).
const ALGORITHMS: &[(&str, u16)] = &[
    ("DELETE", 0),
    ("RSAMD5", 1),
    ("DH", 2),
    ("DSA", 3),
    ("RSASHA1", 5),
    ("DSA-NSEC3-SHA1", 6),
    ("RSASHA1-NSEC3-SHA1", 7),
    ("RSASHA256", 8),
    ("RSASHA512", 10),
    ("ECC-GOST", 12),
    ("ECDSAP256SHA256", 13),
    ("ECDSAP384SHA384", 14),
    ("ED25519", 15),
    ("ED448", 16),
    ("INDIRECT", 252),
    ("PRIVATEDNS", 253),
    ("PRIVATEOID", 254),
];

/// Mnemonics of certificate types (RFC 4398 §2.1).
const CERTIFICATES: &[(&str, u16)] = &[
    ("PKIX", 1),
    ("SPKI", 2),
    ("PGP", 3),
    ("IPKIX", 4),
    ("ISPKI", 5),
    ("IPGP", 6),
    ("ACPKIX", 7),
    ("IACPKIX", 8),
    ("URI", 253),
    ("OID", 254),
];

/// A decimal number that fits; no sign.
pub(super) fn number<T: TryFrom<u64>>(text: &str) -> Result<T, Fault> {
    let value = Some(text).filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    value.and_then(|text| text.parse::<u64>().ok()).and_then(|value| T::try_from(value).ok()).ok_or_else(|| {
        let most = (1_u128 << (8 * size_of::<T>())) - 1;
        bad(text, format!("is not a number from 0 to {most}"))
    })
}

/// Appends a number in decimal digits.
pub(super) fn push_number(number: u32, into: &mut String) {
    let (mut digits, mut at, mut left) = ([b'0'; 10], 10, number);
    while left > 0 || at == 10 {
        at -= 1;
        digits[at] += (left % 10) as u8;
        left /= 10;
    }
    into.extend(digits[at..].iter().map(|digit| char::from(*digit)));
}

fn mnemonic<T: TryFrom<u64>>(text: &str, known: &[(&str, u16)]) -> Result<T, Fault> {
    let found = known.iter().find(|(mnemonic, _)| mnemonic.eq_ignore_ascii_case(text));
    match found.and_then(|(_, value)| T::try_from(u64::from(*value)).ok()) {
        Some(value) => Ok(value),
        None => number(text).map_err(|_| bad(text, "is neither a number that fits nor a known mnemonic")),
    }
}

pub(super) fn period(text: &str) -> Result<u32, Fault> {
    let refusal = || bad(text, "is not a time (seconds, or such as 1h30m) below 2^32 seconds");
    let (mut total, mut count, mut digits) = (0_u64, 0_u64, 0);
    for byte in text.bytes() {
        let unit = match byte.to_ascii_lowercase() {
            digit @ b'0'..=b'9' if digits < 10 => {
                (count, digits) = (count * 10 + u64::from(digit - b'0'), digits + 1);
                continue;
            }
            b's' => 1,
            b'm' => 60,
            b'h' => 3600,
            b'd' => 86_400,
            b'w' => 604_800,
            _ => return Err(refusal()),
        };
        if digits == 0 {
            return Err(refusal());
        }
        total = total.saturating_add(count * unit);
        (count, digits) = (0, 0);
    }
    if text.is_empty() { Err(refusal()) } else { u32::try_from(total.saturating_add(count)).map_err(|_| refusal()) }
}

fn moment(text: &str) -> Result<u32, Fault> {
    if text.len() != 14 {
        return number(text);
    }
    let refusal = || bad(text, "is not a time such as 20300101000000");
    let time = jiff::civil::DateTime::strptime("%Y%m%d%H%M%S", text).map_err(|_| refusal())?;
    let seconds = time.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| refusal())?.timestamp().as_second();
    Ok(seconds.rem_euclid(1 << 32) as u32) // serial number arithmetic, RFC 4034 §3.1.5
}

pub(super) fn ipv4(text: &str) -> Result<Ipv4Addr, Fault> {
    text.parse().map_err(|_| {
        let padded = text.split('.').any(|part| part.len() > 1 && part.starts_with('0'));
        let four = text.split('.').count() == 4;
        let why = "is not an IPv4 address";
        bad(text, if padded && four { "is not an IPv4 address: a part has a leading zero" } else { why })
    })
}

pub(super) fn ipv6(text: &str) -> Result<Ipv6Addr, Fault> {
    text.parse().map_err(|_| bad(text, "is not an IPv6 address"))
}

fn host(text: &str, origin: Option<&[u8]>, into: &mut Vec<u8>) -> Result<(), Fault> {
    below(text, origin, into).map_err(|fault| match fault {
        NotBelow::NoOrigin => bad(text, fault.to_string()),
        NotBelow::Invalid(fault) => bad(text, format!("is not a domain name: {fault}")),
    })
}

/// Why a name cannot be completed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotBelow {
    /// Nothing has said what relative names lie below.
    #[error("is a relative name, and there is no origin: write it with its last dot, or a `$ORIGIN` before it")]
    NoOrigin,
    /// It is no name.
    #[error(transparent)]
    Invalid(#[from] InvalidName),
}

/// Appends a name in wire form, completed with the origin unless it ends with a dot (RFC 1035 §5.1); `@` is the origin.
fn below(text: &str, origin: Option<&[u8]>, into: &mut Vec<u8>) -> Result<(), NotBelow> {
    let start = into.len();
    if text != "@" {
        into.extend(Name::encode(text)?);
        if is_absolute(text) {
            return Ok(());
        }
        into.pop(); // the root
    }
    into.extend_from_slice(origin.ok_or(NotBelow::NoOrigin)?);
    if into.len() - start > MAX_NAME { Err(InvalidName::TooLong.into()) } else { Ok(()) }
}

/// Whether a name ends with a dot that is none of its last label.
pub(crate) fn is_absolute(text: &str) -> bool {
    text.strip_suffix('.').is_some_and(|rest| rest.bytes().rev().take_while(|&byte| byte == b'\\').count() % 2 == 0)
}

fn check_host(octets: &[u8]) -> Option<&[u8]> {
    let mut end = 0;
    loop {
        match *octets.get(end)? {
            0 => break,
            length => end += 1 + usize::from(length),
        }
    }
    let (name, rest) = octets.split_at_checked(end + 1)?;
    Name::from_wire(name).ok().map(|_| rest)
}

/// Appends what `write` writes behind an octet with its length.
fn behind_length(
    into: &mut Vec<u8>,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), Fault>,
    text: &str,
) -> Result<(), Fault> {
    let at = into.len();
    into.push(0);
    write(into)?;
    into[at] = u8::try_from(into.len() - at - 1).map_err(|_| bad(text, "is longer than 255 octets"))?;
    Ok(())
}

fn read_texts(words: &mut Words<'_>, into: &mut Vec<u8>) -> Result<(), Fault> {
    let mut octets = Vec::new();
    let mut any = false;
    while let Some(word) = words.next()? {
        any = true;
        octets.clear();
        word.octets(&mut octets)?;
        if octets.is_empty() {
            into.push(0);
        }
        for piece in octets.chunks(MAX_STRING) {
            into.push(piece.len() as u8);
            into.extend_from_slice(piece);
        }
    }
    if any { Ok(()) } else { Err(Fault::Missing) }
}

/// Reads the digits of all words that are left as if they were one.
fn joined(
    words: &mut Words<'_>,
    into: &mut Vec<u8>,
    read: fn(&[u8], &mut Vec<u8>) -> Result<(), digits::Why>,
) -> Result<(), Fault> {
    let mut text = String::new();
    while let Some(word) = words.next()? {
        text.push_str(word.text);
    }
    if text.is_empty() {
        return Err(Fault::Missing);
    }
    read(text.as_bytes(), into).map_err(|why| bad(&text, why))
}

fn kind(text: &str) -> Result<RecordType, Fault> {
    text.parse().map_err(|_| bad(text, "is not a record type"))
}

fn read_kinds(words: &mut Words<'_>, into: &mut Vec<u8>) -> Result<(), Fault> {
    let mut kinds = Vec::new();
    while let Some(word) = words.next()? {
        kinds.push(kind(word.text)?.0);
    }
    kinds.sort_unstable();
    for window in kinds.chunk_by(|one, next| one >> 8 == next >> 8) {
        let length = usize::from(window[window.len() - 1] & 0xff) / 8 + 1;
        into.extend([(window[0] >> 8) as u8, length as u8]);
        let at = into.len();
        into.resize(at + length, 0);
        for kind in window {
            into[at + usize::from(kind & 0xff) / 8] |= 0x80 >> (kind & 7);
        }
    }
    Ok(())
}

fn check_kinds(mut octets: &[u8]) -> Option<&[u8]> {
    let mut next_window = 0;
    while let [window, length @ 1..=32, rest @ ..] = octets {
        if u16::from(*window) < next_window {
            return None;
        }
        next_window = u16::from(*window) + 1;
        octets = rest.get(usize::from(*length)..)?;
    }
    Some(octets)
}

fn eui(text: &str, octets: usize, into: &mut Vec<u8>) -> Result<(), Fault> {
    let refusal = || bad(text, format!("is not {octets} pairs of hexadecimal digits joined by `-`"));
    let start = into.len();
    for pair in text.split('-') {
        if pair.len() != 2 {
            return Err(refusal());
        }
        digits::hex(pair.as_bytes(), into).map_err(|_| refusal())?;
    }
    if into.len() - start == octets { Ok(()) } else { Err(refusal()) }
}

fn read_prefixes(words: &mut Words<'_>, into: &mut Vec<u8>) -> Result<(), Fault> {
    while let Some(Word { text, .. }) = words.next()? {
        let refusal = || bad(text, "is not a prefix such as 1:192.0.2.0/24 or !2:2001:db8::/32");
        let (negated, prefix) = text.strip_prefix('!').map_or((0, text), |rest| (0x80, rest));
        let (family, prefix) = prefix.split_once(':').ok_or_else(refusal)?;
        let (address, bits) = prefix.split_once('/').ok_or_else(refusal)?;
        let (family, mut address, most) = match family {
            "1" => (1_u16, ipv4(address)?.octets().to_vec(), 32),
            "2" => (2, ipv6(address)?.octets().to_vec(), 128),
            _ => return Err(refusal()),
        };
        let bits = Some(number::<u8>(bits)?).filter(|bits| *bits <= most).ok_or_else(refusal)?;
        while address.last() == Some(&0) {
            address.pop(); // trailing zero octets are not sent, RFC 3123 §4
        }
        into.extend(family.to_be_bytes());
        into.extend([bits, negated | address.len() as u8]);
        into.extend(address);
    }
    Ok(())
}

fn check_prefixes(mut octets: &[u8]) -> Option<&[u8]> {
    while let [_, _, _, length, rest @ ..] = octets {
        octets = rest.get(usize::from(length & 0x7f)..)?;
    }
    Some(octets)
}
