//! Names out of an upstream's message. They may be compressed, and whoever sent them may mean ill.

use crate::wire_name::MAX_NAME;

/// Labels and pointers of one name: as many labels as a name can have, and as many pointers. More pointers than labels make
/// no sense.
const MAX_STEPS: usize = 256;
const MAX_LABEL: u8 = 63;

/// Appends the name that starts at this place of the message to `out`, uncompressed, and returns where it ends in the
/// message. `None`: there is no name. Each pointer must lead to a place before the part of the name that it stands in (RFC 1035
/// §4.1.4), so there are no loops; and as many pointers as a message has room for are not followed.
pub(super) fn expand(message: &[u8], start: usize, out: &mut Vec<u8>) -> Option<usize> {
    let (mut part, mut at, mut end) = (start, start, None);
    let before = out.len();
    for _ in 0..MAX_STEPS {
        match *message.get(at)? {
            0 => {
                out.push(0);
                return Some(end.unwrap_or(at + 1));
            }
            length @ 1..=MAX_LABEL => {
                let label = message.get(at..=at + usize::from(length))?;
                // The root needs an octet, too.
                if out.len() - before + label.len() >= MAX_NAME {
                    return None;
                }
                out.extend_from_slice(label);
                at += label.len();
            }
            high @ 0xc0.. => {
                let to = usize::from(high & 0x3f) << 8 | usize::from(*message.get(at + 1)?);
                if to >= part {
                    return None;
                }
                end = end.or(Some(at + 2));
                (part, at) = (to, to);
            }
            _ => return None,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(message: &[u8], start: usize) -> Option<(Vec<u8>, usize)> {
        let mut out = b"before".to_vec();
        let end = expand(message, start, &mut out)?;
        Some((out.strip_prefix(b"before").expect("still there").to_vec(), end))
    }

    #[test]
    fn rfc1035_s4_1_4_pointers_lead_backwards() {
        let message = b"\x01a\x00\x01b\xc0\x00\x01c\xc0\x03\xc0\x0b";
        assert_eq!(expanded(message, 0), Some((b"\x01a\x00".to_vec(), 3)));
        assert_eq!(expanded(message, 3), Some((b"\x01b\x01a\x00".to_vec(), 7)));
        assert_eq!(expanded(message, 7), Some((b"\x01c\x01b\x01a\x00".to_vec(), 11)));
        assert_eq!(expanded(message, 11), None, "to itself");
        for bad in [&b""[..], b"\x01", b"\x01a", b"\xc0", b"\xc0\x00", b"\x41a\x00", b"\x01a\xc0\x00", b"\x80\x00"] {
            assert_eq!(expanded(bad, 0), None, "{bad:?}");
        }
    }

    #[test]
    fn rfc1035_s2_3_4_a_name_has_255_octets_at_most_also_when_put_together() {
        let long = [&b"\x3f"[..], &[b'a'; 63]].concat().repeat(3);
        let fits = [&long[..], b"\x3d", &[b'a'; 61], b"\x00"].concat();
        let over = [&long[..], b"\x3e", &[b'a'; 62], b"\x00"].concat();
        assert_eq!(expanded(&fits, 0).map(|(name, _)| name.len()), Some(255));
        assert_eq!(expanded(&over, 0), None);
        let put_together = [&fits[..], b"\x01b\xc0\x00"].concat();
        assert_eq!(expanded(&put_together, 255), None);
    }

    #[test]
    fn a_ladder_of_pointers_is_not_climbed_for_ever() {
        let ladder: Vec<u8> = std::iter::once(0)
            .chain((0..2000u16).flat_map(|rung| {
                let to = if rung == 0 { 0 } else { 2 * rung - 1 };
                (0xc000 | to).to_be_bytes()
            }))
            .collect();
        assert!(expanded(&ladder, 101).is_some());
        assert_eq!(expanded(&ladder, 3999), None);
    }
}
