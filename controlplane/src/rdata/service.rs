//! Service parameters of SVCB and HTTPS (RFC 9460 §2 and §7).
//!
//! A parameter is `key` or `key=value`; the value may be in quotes behind the `=`. They are laid out in ascending order
//! of their keys, whatever the order of the text.

use super::{
    digits,
    present::quoted,
    shape::{Fault, bad, ipv4, ipv6, number, push_number},
    words::{Word, Words},
};
use std::net::{Ipv4Addr, Ipv6Addr};

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6HINT: u16 = 6;
const OHTTP: u16 = 8;

/// Keys by name (IANA registry of service parameter keys).
const KEYS: [(&str, u16); 9] = [
    ("mandatory", MANDATORY),
    ("alpn", ALPN),
    ("no-default-alpn", NO_DEFAULT_ALPN),
    ("port", PORT),
    ("ipv4hint", IPV4HINT),
    ("ech", ECH),
    ("ipv6hint", IPV6HINT),
    ("dohpath", 7),
    ("ohttp", OHTTP),
];

/// Reads all parameters that are left.
pub(super) fn read(words: &mut Words<'_>, into: &mut Vec<u8>) -> Result<(), Fault> {
    let mut parameters: Vec<(u16, Vec<u8>)> = Vec::new();
    while let Some(word) = words.next()? {
        let (name, value) = match word.text.split_once('=') {
            Some((name, "")) => (name, Some(quoted_behind(words)?)),
            Some((name, value)) => (name, Some(Word { text: value, ..word })),
            None => (word.text, None),
        };
        let key =
            key(name).filter(|_| !word.quoted).ok_or_else(|| bad(name, "is not a known parameter or keyNNNNN"))?;
        let mut octets = Vec::new();
        if let Some(value) = value {
            value.octets(&mut octets)?;
        }
        parameters.push((key, laid_out(key, octets).map_err(|fault| named(name, fault))?));
    }
    parameters.sort_by_key(|(key, _)| *key);
    for pair in parameters.windows(2) {
        if pair[0].0 == pair[1].0 {
            return Err(bad(&name_of(pair[0].0), "is given twice"));
        }
    }
    agree(&parameters)?;
    for (key, value) in parameters {
        let length = u16::try_from(value.len()).map_err(|_| bad(&name_of(key), "is too long"))?;
        into.extend(key.to_be_bytes());
        into.extend(length.to_be_bytes());
        into.extend(value);
    }
    Ok(())
}

/// Keys ascend, and lengths fit (RFC 9460 §2.2).
pub(super) fn check(mut octets: &[u8]) -> Option<&[u8]> {
    let mut least = 0_u32;
    while let [k1, k2, l1, l2, rest @ ..] = octets {
        let key = u32::from(u16::from_be_bytes([*k1, *k2]));
        if key < least {
            return None;
        }
        least = key + 1;
        octets = rest.get(usize::from(u16::from_be_bytes([*l1, *l2]))..)?;
    }
    Some(octets)
}

/// The text of parameters that are known to be laid out as such; `None` if a value is not what its key wants.
pub(super) fn present(mut octets: &[u8], into: &mut String) -> Option<()> {
    let start = into.len();
    while let [k1, k2, l1, l2, rest @ ..] = octets {
        let key = u16::from_be_bytes([*k1, *k2]);
        let (value, next) = rest.split_at_checked(usize::from(u16::from_be_bytes([*l1, *l2])))?;
        if into.len() > start {
            into.push(' ');
        }
        into.push_str(&name_of(key));
        if !value.is_empty() {
            into.push('=');
            present_value(key, value, into)?;
        }
        octets = next;
    }
    Some(())
}

fn present_value(key: u16, value: &[u8], into: &mut String) -> Option<()> {
    let pair = |octets: &[u8]| Some(u16::from_be_bytes(octets.try_into().ok()?));
    let listed = |items: Vec<String>, into: &mut String| into.push_str(&items.join(","));
    match key {
        MANDATORY => listed(value.chunks(2).map(|key| pair(key).map(name_of)).collect::<Option<_>>()?, into),
        ALPN => {
            let (mut list, mut rest) = (Vec::new(), value);
            while let [length, after @ ..] = rest {
                let (item, next) = after.split_at_checked(usize::from(*length))?;
                if !list.is_empty() {
                    list.push(b',');
                }
                for &octet in item {
                    if matches!(octet, b',' | b'\\') {
                        list.push(b'\\');
                    }
                    list.push(octet);
                }
                rest = next;
            }
            quoted(&list, into);
        }
        PORT => push_number(pair(value)?.into(), into),
        IPV4HINT => {
            let address = |octets: &[u8]| Some(Ipv4Addr::from(<[u8; 4]>::try_from(octets).ok()?).to_string());
            listed(value.chunks(4).map(address).collect::<Option<_>>()?, into);
        }
        IPV6HINT => {
            let address = |octets: &[u8]| Some(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).to_string());
            listed(value.chunks(16).map(address).collect::<Option<_>>()?, into);
        }
        ECH => digits::push_base64(value, into),
        _ => quoted(value, into),
    }
    Some(())
}

/// The value in quotes that may stand directly behind `key=`.
fn quoted_behind<'a>(words: &mut Words<'a>) -> Result<Word<'a>, Fault> {
    let mut ahead = words.clone();
    match ahead.next()? {
        Some(word) if word.glued && word.quoted => {
            *words = ahead;
            Ok(word)
        }
        _ => Ok(Word { text: "", quoted: false, glued: false }),
    }
}

fn key(name: &str) -> Option<u16> {
    let known = KEYS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
    known.map(|(_, key)| *key).or_else(|| number(name.strip_prefix("key")?).ok())
}

fn name_of(key: u16) -> String {
    let known = KEYS.iter().find(|(_, known)| *known == key);
    known.map_or_else(|| format!("key{key}"), |(name, _)| (*name).to_owned())
}

/// Puts the parameter's name before its bad value.
fn named(name: &str, fault: Fault) -> Fault {
    match fault {
        Fault::Bad(text, why) => Fault::Bad(format!("{name}={text}"), why),
        other => other,
    }
}

/// The wire form of a value whose escapes are resolved.
fn laid_out(key: u16, value: Vec<u8>) -> Result<Vec<u8>, Fault> {
    let text = || String::from_utf8_lossy(&value).into_owned();
    if value.is_empty() && matches!(key, MANDATORY | ALPN | PORT | IPV4HINT | ECH | IPV6HINT) {
        return Err(bad("", "has no value"));
    }
    let mut octets = Vec::new();
    match key {
        MANDATORY => octets = mandatory(&text())?,
        ALPN => {
            for item in items(&value) {
                let length = u8::try_from(item.len()).ok().filter(|length| *length > 0);
                octets.push(length.ok_or_else(|| bad(&text(), "has an item that is empty or over 255 octets"))?);
                octets.extend(item);
            }
        }
        NO_DEFAULT_ALPN | OHTTP if !value.is_empty() => return Err(bad(&text(), "takes no value")),
        PORT => octets.extend(number::<u16>(&text())?.to_be_bytes()),
        IPV4HINT => {
            for item in text().split(',') {
                octets.extend(ipv4(item)?.octets());
            }
        }
        IPV6HINT => {
            for item in text().split(',') {
                octets.extend(ipv6(item)?.octets());
            }
        }
        ECH => digits::base64(&value, &mut octets).map_err(|why| bad(&text(), why))?,
        _ => octets = value,
    }
    Ok(octets)
}

/// Keys in ascending order, none twice and `mandatory` not among them (RFC 9460 §8).
fn mandatory(text: &str) -> Result<Vec<u8>, Fault> {
    let keys: Option<Vec<u16>> = text.split(',').map(key).collect();
    let mut keys = keys.ok_or_else(|| bad(text, "names an unknown parameter"))?;
    keys.sort_unstable();
    if keys.contains(&MANDATORY) || keys.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(bad(text, "names `mandatory` itself, or a parameter twice"));
    }
    Ok(keys.into_iter().flat_map(u16::to_be_bytes).collect())
}

/// Parts of a list: a comma separates unless a backslash stands before it (RFC 9460 appendix A.1).
fn items(value: &[u8]) -> Vec<Vec<u8>> {
    let mut items = vec![Vec::new()];
    let mut octets = value.iter().copied();
    while let Some(octet) = octets.next() {
        match (octet, items.last_mut()) {
            (b',', _) => items.push(Vec::new()),
            (b'\\', Some(item)) => item.extend(octets.next()),
            (_, Some(item)) => item.push(octet),
            (_, None) => {}
        }
    }
    items
}

/// What `mandatory` names is there, and `no-default-alpn` does not stand without `alpn` (RFC 9460 §7.1.1, §8).
fn agree(parameters: &[(u16, Vec<u8>)]) -> Result<(), Fault> {
    let has = |key: u16| parameters.iter().any(|(other, _)| *other == key);
    if has(NO_DEFAULT_ALPN) && !has(ALPN) {
        return Err(bad("no-default-alpn", "needs alpn beside it"));
    }
    let Some((_, mandatory)) = parameters.first().filter(|(key, _)| *key == MANDATORY) else { return Ok(()) };
    for key in mandatory.chunks_exact(2).map(|octets| u16::from_be_bytes([octets[0], octets[1]])) {
        if !has(key) {
            return Err(bad(&name_of(key), "is mandatory but not given"));
        }
    }
    Ok(())
}
