//! Reverse names (RFC 1035 §3.5, RFC 3596 §2.5): the numbers of an address in reverse order, below `in-addr.arpa` or
//! `ip6.arpa`.

use crate::wire_name::{self, MAX_LABELS};

const IN_ADDR_ARPA: &[u8] = b"\x07in-addr\x04arpa\x00";
const IP6_ARPA: &[u8] = b"\x03ip6\x04arpa\x00";
/// Labels of either.
const ROOT_LABELS: usize = 2;
const OCTETS: usize = 4;
const NIBBLES: usize = 32;

/// What a name below `in-addr.arpa` or `ip6.arpa` says.
pub(super) struct Arpa {
    pub(super) family: Family,
    /// The octets or nibbles next to the root, in the order of the address.
    numbers: [u8; NIBBLES],
    count: usize,
    /// Labels in front of them.
    others: usize,
    /// Where each label starts, the root included.
    starts: [u8; MAX_LABELS + 1],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Arpa {
    /// Reads a name in lower-case wire form; `None` if it is none of these.
    pub(super) fn parse(name: &[u8]) -> Option<Self> {
        // Nearly all other names end here.
        let (family, root, most) = if name.ends_with(IN_ADDR_ARPA) {
            (Family::V4, IN_ADDR_ARPA, OCTETS)
        } else if name.ends_with(IP6_ARPA) {
            (Family::V6, IP6_ARPA, NIBBLES)
        } else {
            return None;
        };
        let mut arpa = Self { family, numbers: [0; NIBBLES], count: 0, others: 0, starts: [0; MAX_LABELS + 1] };
        let mut labels = 0usize;
        for (start, at) in arpa.starts.iter_mut().zip(wire_name::suffixes(name)) {
            *start = at as u8;
            labels += 1;
        }
        let in_front = labels.checked_sub(ROOT_LABELS + 1)?;
        // What ends like the root might do so in the middle of a label.
        if usize::from(arpa.starts[in_front]) != name.len() - root.len() {
            return None;
        }
        for label in arpa.starts[..in_front].iter().rev().take(most) {
            let Some(number) = label_at(name, *label).and_then(|label| family.number(label)) else { break };
            arpa.numbers[arpa.count] = number;
            arpa.count += 1;
        }
        arpa.others = in_front - arpa.count;
        Some(arpa)
    }

    /// The numbers that it begins or ends with, in the order of the address.
    pub(super) fn numbers(&self) -> &[u8] {
        &self.numbers[..self.count]
    }

    /// Whether there is nothing in front of the numbers.
    pub(super) fn is_plain(&self) -> bool {
        self.others == 0
    }

    /// Where the name of so many numbers starts in this one.
    pub(super) fn start(&self, numbers: usize) -> usize {
        let label = (self.others + self.count).saturating_sub(numbers);
        usize::from(self.starts[label])
    }

    /// The address that it stands for: four octets or sixteen.
    pub(super) fn address(&self) -> Option<Address> {
        let mut octets = [0; 16];
        match (self.family, self.is_plain(), self.count) {
            (Family::V4, true, OCTETS) => {
                octets[..OCTETS].copy_from_slice(self.numbers());
                Some(Address { octets, length: OCTETS })
            }
            (Family::V6, true, NIBBLES) => {
                for (octet, pair) in octets.iter_mut().zip(self.numbers.as_chunks::<2>().0) {
                    *octet = pair[0] << 4 | pair[1];
                }
                Some(Address { octets, length: octets.len() })
            }
            _ => None,
        }
    }

    /// Whether it is an ancestor of names that stand for addresses.
    pub(super) fn is_part(&self) -> bool {
        let whole = if self.family == Family::V4 { OCTETS } else { NIBBLES };
        self.is_plain() && self.count < whole
    }
}

impl Family {
    /// A label as a number, if it is written in the one way that counts: an octet without zeros in front, or a nibble.
    fn number(self, label: &[u8]) -> Option<u8> {
        match (self, label) {
            (Self::V6, [digit]) => char::from(*digit).to_digit(16).map(|nibble| nibble as u8),
            (Self::V4, [_] | [b'1'..=b'9', _] | [b'1'..=b'9', _, _]) => label.iter().try_fold(0u8, |number, digit| {
                let digit = char::from(*digit).to_digit(10)? as u8;
                number.checked_mul(10)?.checked_add(digit)
            }),
            _ => None,
        }
    }
}

/// An address, four octets or sixteen.
pub(super) struct Address {
    octets: [u8; 16],
    length: usize,
}

impl Address {
    pub(super) fn octets(&self) -> &[u8] {
        &self.octets[..self.length]
    }
}

/// The label that starts here.
fn label_at(name: &[u8], start: u8) -> Option<&[u8]> {
    let start = usize::from(start);
    name.get(start + 1..start + 1 + usize::from(*name.get(start)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnsplane_proto::Name;

    fn parse(text: &str) -> Option<Arpa> {
        Arpa::parse(Name::parse(text).unwrap().as_wire())
    }

    fn address(text: &str) -> Option<Vec<u8>> {
        parse(text)?.address().map(|address| address.octets().to_vec())
    }

    #[test]
    fn rfc1035_s3_5_four_octets_in_reverse_order_are_an_address() {
        assert_eq!(address("50.2.0.192.in-addr.arpa"), Some(vec![192, 0, 2, 50]));
        assert_eq!(address("255.255.255.255.IN-ADDR.ARPA"), Some(vec![255; 4]));
        for other in [
            "2.0.192.in-addr.arpa",
            "in-addr.arpa",
            "arpa",
            ".",
            "050.2.0.192.in-addr.arpa",
            "00.2.0.192.in-addr.arpa",
            "256.2.0.192.in-addr.arpa",
            "300.2.0.192.in-addr.arpa",
            "1000.2.0.192.in-addr.arpa",
            "+5.2.0.192.in-addr.arpa",
            "x.2.0.192.in-addr.arpa",
            "1.50.2.0.192.in-addr.arpa",
            "50.2.0.192.in-addr.arpa.lab",
            "50.2.0.192.ip6.arpa",
            // The label holds an octet 7 and the text behind it.
            r"50.2.0.192.x\007in-addr.arpa",
        ] {
            assert_eq!(address(other), None, "{other}");
        }
    }

    #[test]
    fn rfc3596_s2_5_thirty_two_nibbles_in_reverse_order_are_an_address() {
        let reversed = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2";
        let expected = "2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap().octets().to_vec();
        assert_eq!(address(&format!("{}.IP6.ARPA", reversed.to_uppercase())), Some(expected));
        for other in [
            format!("{}.ip6.arpa", &reversed[2..]),
            format!("0.{reversed}.ip6.arpa"),
            format!("g{}.ip6.arpa", &reversed[1..]),
            format!("01{}.ip6.arpa", &reversed[1..]),
            format!("{reversed}.in-addr.arpa"),
        ] {
            assert_eq!(address(&other), None, "{other}");
        }
    }

    #[test]
    fn what_is_next_to_the_root_counts_whatever_is_in_front() {
        let arpa = parse("a.b.2.0.192.in-addr.arpa").unwrap();
        assert_eq!((arpa.numbers(), arpa.is_plain(), arpa.is_part()), (&[192, 0, 2][..], false, false));
        // "a" and "b" take four octets, and each of 2, 0 two.
        assert_eq!((arpa.start(3), arpa.start(1)), (4, 8));
        let arpa = parse("0.192.in-addr.arpa").unwrap();
        assert!(arpa.is_plain() && arpa.is_part());
        assert!(!parse("50.2.0.192.in-addr.arpa").unwrap().is_part() && parse("ip6.arpa").unwrap().is_part());
        let most = parse(&format!("{}in-addr.arpa", "1.".repeat(120))).unwrap();
        assert_eq!((most.numbers(), most.is_plain()), (&[1; 4][..], false));
    }
}
