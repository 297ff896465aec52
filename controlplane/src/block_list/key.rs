//! Names as lists write them → keys, and back.
//!
//! A key is a name with its labels turned round, the root's side first, each with its length in front: `ads.example.` is
//! `\x07example\x03ads`. So in order, what is below a name follows it. `*.example.com` keeps its star as the last label of
//! the key: nothing that a name may hold sorts before it, so that a star follows its own name and precedes whatever else is
//! below.

use dnsplane_proto::{
    block_list::Scope,
    name::{MAX_LABEL, MAX_NAME},
};
use std::borrow::Cow;

/// What ends the key of `*.example.com`.
const STAR: &[u8] = b"\x01*";

/// Why some text is no name that could be blocked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotAName {
    /// It has characters that names in lists do not have, or labels that are empty or too long.
    #[error("not a domain name")]
    Malformed,
    /// It is an address.
    #[error("an address, which is never asked for by name")]
    Address,
}

/// Writes the key of a name into `key`, whatever that held. A dot at the end and capitals make no difference.
pub(super) fn write(name: &[u8], scope: Scope, key: &mut Vec<u8>) -> Result<(), NotAName> {
    key.clear();
    let ascii = ascii(name)?;
    let name = ascii.strip_suffix(b".").unwrap_or(&ascii);
    for label in name.rsplit(|octet| *octet == b'.') {
        let sound = label.iter().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'));
        if label.is_empty() || label.len() > MAX_LABEL || !sound {
            return Err(NotAName::Malformed);
        }
        key.push(label.len() as u8);
        key.extend(label.iter().map(u8::to_ascii_lowercase));
    }
    // No top-level domain is a number (RFC 3696 §2).
    if key[1..=usize::from(key[0])].iter().all(u8::is_ascii_digit) {
        return Err(NotAName::Address);
    }
    if scope == Scope::Below {
        key.extend_from_slice(STAR);
    }
    // The root label is not part of a key.
    if key.len() < MAX_NAME { Ok(()) } else { Err(NotAName::Malformed) }
}

/// The key of the name without its star, and the scope that goes with it.
pub(super) fn split(key: &[u8]) -> (&[u8], Scope) {
    key.strip_suffix(STAR).map_or((key, Scope::Whole), |name| (name, Scope::Below))
}

/// Writes the name that has this key, in wire form, into `wire`, whatever that held.
pub(super) fn wire(key: &[u8], wire: &mut Vec<u8>) {
    wire.clear();
    wire.resize(key.len() + 1, 0);
    let (mut at, mut end) = (0, key.len());
    while let Some(length) = key.get(at) {
        let label = &key[at..key.len().min(at + 1 + usize::from(*length))];
        wire[end - label.len()..end].copy_from_slice(label);
        at += label.len();
        end -= label.len();
    }
}

/// The keys that cover a name, those nearest to the root first: each of its ancestors, with a star too, and itself.
pub(super) fn covering(key: &[u8]) -> impl Iterator<Item = Vec<u8>> + '_ {
    let mut at = 0;
    let ends = std::iter::from_fn(move || {
        at += usize::from(*key.get(at)?) + 1;
        Some(at.min(key.len()))
    });
    ends.flat_map(|end| {
        let star = (end < key.len()).then(|| [&key[..end], STAR].concat());
        std::iter::once(key[..end].to_vec()).chain(star)
    })
}

/// The name as lists write it, with its star.
pub(super) fn text(key: &[u8]) -> String {
    let mut labels = Vec::new();
    let mut rest = key;
    while let Some((length, after)) = rest.split_first() {
        let (label, next) = after.split_at(usize::from(*length).min(after.len()));
        labels.push(String::from_utf8_lossy(label));
        rest = next;
    }
    labels.reverse();
    labels.join(".")
}

/// Names in other scripts become what is asked for on the wire (RFC 5891); whoever wants U-labels writes UTF-8.
fn ascii(name: &[u8]) -> Result<Cow<'_, [u8]>, NotAName> {
    if name.is_ascii() {
        return Ok(Cow::Borrowed(name));
    }
    let text = std::str::from_utf8(name).map_err(|_| NotAName::Malformed)?;
    let plain = |character: char| {
        !character.is_ascii() || character.is_ascii_alphanumeric() || matches!(character, '-' | '_' | '.')
    };
    if !text.chars().all(plain) {
        return Err(NotAName::Malformed);
    }
    let url = reqwest::Url::parse(&format!("http://{text}/")).map_err(|_| NotAName::Malformed)?;
    Ok(Cow::Owned(url.host_str().unwrap_or_default().as_bytes().to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str, scope: Scope) -> Result<Vec<u8>, NotAName> {
        let mut key = vec![1, 2, 3];
        write(name.as_bytes(), scope, &mut key).map(|()| key)
    }

    #[test]
    fn names_become_keys_in_every_spelling() {
        let ads = b"\x07example\x03ads".to_vec();
        for text in ["ads.example", "ADS.Example", "ads.example."] {
            assert_eq!(key(text, Scope::Whole), Ok(ads.clone()), "{text}");
        }
        assert_eq!(key("zip", Scope::Whole), Ok(b"\x03zip".to_vec()));
        assert_eq!(key("_dmarc.a-b.example", Scope::Whole), Ok(b"\x07example\x03a-b\x06_dmarc".to_vec()));
        assert_eq!(key("bücher.example", Scope::Whole), key("xn--bcher-kva.example", Scope::Whole));
        assert_eq!(key("BÜCHER.example.", Scope::Whole), key("xn--bcher-kva.example", Scope::Whole));
        for name in ["", ".", "..", "a..b", ".a", "a b", "a*b", "*.a", "a/b", "a:1", "ü/b", "ü@b", "\u{fffd}.a"] {
            assert_eq!(key(name, Scope::Whole), Err(NotAName::Malformed), "{name}");
        }
        for name in ["192.0.2.1", "1.2", "7", "a.0"] {
            assert_eq!(key(name, Scope::Whole), Err(NotAName::Address), "{name}");
        }
        let label = "x".repeat(63);
        assert!(key(&label, Scope::Whole).is_ok() && key(&format!("{label}x"), Scope::Whole).is_err());
        let longest = format!("{label}.{label}.{label}.{}", "x".repeat(61));
        assert_eq!(key(&longest, Scope::Whole).map(|key| key.len()), Ok(254), "255 octets with the root label");
        assert!(key(&format!("{longest}x"), Scope::Whole).is_err());
    }

    #[test]
    fn a_key_becomes_the_name_that_it_was() {
        let mut name = vec![1, 2, 3];
        for text in ["zip", "ads.example", "a.bc.def"] {
            wire(&key(text, Scope::Whole).unwrap(), &mut name);
            assert_eq!(name, dnsplane_proto::Name::parse(text).unwrap().as_wire(), "{text}");
        }
    }

    #[test]
    fn a_star_is_part_of_the_key_and_of_the_text() {
        let key = key("ads.example", Scope::Below).unwrap();
        assert_eq!(key, b"\x07example\x03ads\x01*");
        assert_eq!(split(&key), (&b"\x07example\x03ads"[..], Scope::Below));
        assert_eq!(split(b"\x07example"), (&b"\x07example"[..], Scope::Whole));
        let covering: Vec<_> = covering(b"\x07example\x03ads").map(|key| text(&key)).collect();
        assert_eq!(covering, ["example", "*.example", "ads.example"]);
        assert_eq!((text(&key), text(b"\x07example")), ("*.ads.example".to_owned(), "example".to_owned()));
    }
}
