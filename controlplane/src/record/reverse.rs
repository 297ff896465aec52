//! Two ways to write whose name a PTR record gives: existing nodes use the address itself as the owner name, everybody else
//! its reverse name (RFC 1035 §3.5, RFC 3596 §2.5). A record keeps the text it was written with; data planes are given the
//! reverse name for both.

use std::net::{IpAddr, Ipv6Addr};

const V4_ROOT: &str = ".in-addr.arpa";
const V6_ROOT: &str = ".ip6.arpa";

/// The reverse name of an address, without the last dot.
pub fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}{V4_ROOT}")
        }
        IpAddr::V6(address) => {
            let digits = full(address).bytes().rev().filter(|byte| *byte != b':').map(char::from).collect::<Vec<_>>();
            let mut name = String::with_capacity(2 * digits.len() + V6_ROOT.len());
            for digit in digits {
                name.push(digit);
                name.push('.');
            }
            name + &V6_ROOT[1..]
        }
    }
}

/// The address that the owner name of a PTR record stands for, written either way.
pub fn address(name: &str) -> Option<IpAddr> {
    written_as_address(name).or_else(|| {
        let lower = name.to_ascii_lowercase();
        let address = match (lower.strip_suffix(V4_ROOT), lower.strip_suffix(V6_ROOT)) {
            (Some(octets), _) => {
                let octets: Vec<_> = octets.rsplit('.').collect();
                octets.join(".").parse().ok().map(IpAddr::V4)
            }
            (_, Some(nibbles)) => from_nibbles(nibbles).map(IpAddr::V6),
            (None, None) => None,
        };
        address.filter(|address| reverse_name(*address) == lower)
    })
}

/// The address that the name is, if it is written in one of the ways of [`spellings`].
pub fn written_as_address(name: &str) -> Option<IpAddr> {
    let address: IpAddr = name.parse().ok()?;
    spellings(address).iter().any(|text| text.eq_ignore_ascii_case(name)).then_some(address)
}

/// The texts that stand for an address as an owner name; case does not matter. A set has to be found by its name, so these
/// are all that count: of an IPv6 address the usual one, and the two without `::`.
pub fn spellings(address: IpAddr) -> Vec<String> {
    let mut all = vec![address.to_string()];
    if let IpAddr::V6(address) = address {
        for text in [address.segments().map(|segment| format!("{segment:x}")).join(":"), full(address)] {
            if !all.contains(&text) {
                all.push(text);
            }
        }
    }
    all.push(reverse_name(address));
    all
}

/// All 32 digits.
fn full(address: Ipv6Addr) -> String {
    address.segments().map(|segment| format!("{segment:04x}")).join(":")
}

fn from_nibbles(text: &str) -> Option<Ipv6Addr> {
    let mut bits = 0u128;
    for nibble in text.rsplit('.') {
        bits = bits << 4 | u128::from(nibble.parse::<char>().ok()?.to_digit(16)?);
    }
    Some(Ipv6Addr::from_bits(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa";

    #[test]
    fn rfc1035_s3_5_and_rfc3596_s2_5_an_address_and_its_reverse_name_are_one() {
        for (text, reverse) in [("192.0.2.50", "50.2.0.192.in-addr.arpa"), ("2001:db8::1", LONG)] {
            let parsed = text.parse().unwrap();
            assert_eq!(reverse_name(parsed), reverse);
            for name in spellings(parsed) {
                assert_eq!(address(&name), Some(parsed), "{name}");
                assert_eq!(address(&name.to_uppercase()), Some(parsed), "{name}");
                assert_eq!(written_as_address(&name).is_some(), name != reverse, "{name}");
            }
        }
        let spelled = spellings("2001:DB8::1".parse().unwrap());
        assert_eq!(spelled[..3], ["2001:db8::1", "2001:db8:0:0:0:0:0:1", "2001:0db8:0000:0000:0000:0000:0000:0001"]);
        assert_eq!(spellings("::ffff:192.0.2.1".parse().unwrap())[0], "::ffff:192.0.2.1");
    }

    #[test]
    fn other_names_are_no_addresses() {
        for name in [
            "",
            ".",
            "192.0.2",
            "192.0.2.050",
            "2.0.192.in-addr.arpa",
            "050.2.0.192.in-addr.arpa",
            "1.50.2.0.192.in-addr.arpa",
            "in-addr.arpa",
            "x.ip6.arpa",
            &LONG[2..],
            &format!("0.{LONG}"),
            "2001:db8:0::1",
            "fe80::1%eth0",
            "host.lab",
        ] {
            assert_eq!(address(name), None, "{name}");
        }
    }
}
