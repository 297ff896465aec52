//! Names in wire form, uncompressed: walking from a name to its ancestors (RFC 1035 §3.1).

/// A name of 255 octets has at most 127 labels, the root not counted.
pub(crate) const MAX_LABELS: usize = 127;
/// Octets of a name (RFC 1035 §2.3.4).
pub(crate) const MAX_NAME: usize = 255;
const MAX_LABEL: u8 = 63;

/// Where the name and each of its ancestors start, the root last.
#[inline]
pub(crate) fn suffixes(name: &[u8]) -> impl Iterator<Item = usize> + '_ {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let at = next?;
        let length = usize::from(*name.get(at)?);
        next = (length > 0).then_some(at + length + 1);
        Some(at)
    })
}

/// How many labels the name has, the root not counted.
#[inline]
pub(crate) fn labels(name: &[u8]) -> usize {
    suffixes(name).count().saturating_sub(1)
}

/// The uncompressed name at the start of `bytes`; `None` if there is none.
#[inline]
pub(crate) fn split(bytes: &[u8]) -> Option<&[u8]> {
    let mut at = 0;
    while at < MAX_NAME {
        match *bytes.get(at)? {
            0 => return bytes.get(..=at),
            length @ 1..=MAX_LABEL => at += usize::from(length) + 1,
            _ => return None,
        }
    }
    None
}

/// Whether `name` is `ancestor` or below it; case does not matter.
pub(crate) fn is_at_or_below(name: &[u8], ancestor: &[u8]) -> bool {
    let Some(start) = name.len().checked_sub(ancestor.len()) else { return false };
    suffixes(name).any(|at| at == start) && name[start..].eq_ignore_ascii_case(ancestor)
}

/// A name as the index knows it: names compare without case (RFC 1035 §2.3.3, RFC 4343). On the stack.
pub(crate) struct LowerName {
    octets: [u8; MAX_NAME],
    length: usize,
}

impl LowerName {
    /// From wire form, which is cut off at 255 octets.
    #[inline]
    pub(crate) fn new(wire: &[u8]) -> Self {
        let mut octets = [0; MAX_NAME];
        let length = wire.len().min(MAX_NAME);
        octets[..length].copy_from_slice(&wire[..length]);
        // Length octets are at most 63, so they are not letters and stay as they are.
        octets[..length].make_ascii_lowercase();
        Self { octets, length }
    }

    #[inline]
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_has_itself_and_the_root_among_its_suffixes() {
        assert_eq!(suffixes(b"\x01a\x02bc\x00").collect::<Vec<_>>(), [0, 2, 5]);
        assert_eq!(suffixes(b"\x00").collect::<Vec<_>>(), [0]);
        assert_eq!((labels(b"\x01a\x02bc\x00"), labels(b"\x00"), labels(b"")), (2, 0, 0));
        assert_eq!(suffixes(b"\x05ab").collect::<Vec<_>>(), [0], "a name that is cut short ends there");
    }

    #[test]
    fn a_name_is_split_from_what_follows_it() {
        assert_eq!(split(b"\x01a\x00rest"), Some(&b"\x01a\x00"[..]));
        for bytes in [&b""[..], b"\x01", b"\x01a", b"\xc0\x0c", b"\x41a\x00"] {
            assert_eq!(split(bytes), None, "{bytes:?}");
        }
        let most = [&b"\x3f"[..], &[b'a'; 63]].concat().repeat(3);
        assert_eq!(split(&[&most[..], b"\x3d", &[b'a'; 61], b"\x00"].concat()).map(<[u8]>::len), Some(255));
        assert_eq!(split(&[&most[..], b"\x3e", &[b'a'; 62], b"\x00"].concat()), None);
    }

    #[test]
    fn ancestry_follows_label_borders() {
        assert!(is_at_or_below(b"\x01a\x01b\x00", b"\x01B\x00") && is_at_or_below(b"\x01b\x00", b"\x01b\x00"));
        assert!(is_at_or_below(b"\x01a\x00", b"\x00") && !is_at_or_below(b"\x01b\x00", b"\x01a\x01b\x00"));
        assert!(!is_at_or_below(b"\x03a\x01b\x00", b"\x01b\x00"), "inside a label");
    }
}
