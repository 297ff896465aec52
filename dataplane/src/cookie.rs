//! Server cookies (RFC 7873, RFC 9018): a client that shows one again has shown that it receives what is sent to its address.

use siphasher::sip::SipHasher24;
use std::{hash::Hasher, net::IpAddr};

/// Octets of a client cookie (RFC 7873 §4).
pub(crate) const CLIENT: usize = 8;
/// Octets of a server cookie of ours (RFC 9018 §4).
pub(crate) const SERVER: usize = 16;
/// Version 1, then three reserved octets (RFC 9018 §4.1, §4.2).
const VERSION: [u8; 4] = [1, 0, 0, 0];
/// Seconds for which a server cookie counts (RFC 9018 §4.3).
const MOST_AGE: u32 = 3600;
/// A cookie may be from the future by so many seconds, as servers of one secret need not have the same time.
const MOST_EARLY: u32 = 300;

/// Makes server cookies. The secret is ours alone and lasts as long as the process: a client that shows a cookie of an
/// earlier one is simply given a new one.
pub struct Cookies {
    secret: [u8; 16],
}

impl Cookies {
    /// With this secret.
    pub fn with_secret(secret: [u8; 16]) -> Self {
        Self { secret }
    }

    /// With a secret drawn at random.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut secret = [0; 16];
        getrandom::fill(&mut secret)?;
        Ok(Self { secret })
    }

    /// The server cookie for a client's cookie and address, at a time in seconds since 1970 (RFC 9018 §4.3, §4.4).
    pub(crate) fn server(&self, client: &[u8; CLIENT], address: IpAddr, now: u32) -> [u8; SERVER] {
        let mut cookie = [0; SERVER];
        cookie[..4].copy_from_slice(&VERSION);
        cookie[4..8].copy_from_slice(&now.to_be_bytes());
        let mut hasher = SipHasher24::new_with_key(&self.secret);
        hasher.write(client);
        hasher.write(&cookie[..8]);
        match address {
            IpAddr::V4(address) => hasher.write(&address.octets()),
            IpAddr::V6(address) => hasher.write(&address.octets()),
        }
        cookie[8..].copy_from_slice(&hasher.finish().to_le_bytes());
        cookie
    }
}

impl Cookies {
    /// Whether a server cookie is one that we gave to this client at this address, not long ago (RFC 9018 §4.3).
    pub(crate) fn is_ours(&self, client: &[u8; CLIENT], server: &[u8], address: IpAddr, now: u32) -> bool {
        let Some(made) = server.get(4..8).and_then(|octets| octets.try_into().ok()).map(u32::from_be_bytes) else {
            return false;
        };
        // In serial number arithmetic, as the clock wraps.
        let (age, early) = (now.wrapping_sub(made), made.wrapping_sub(now));
        let expected = self.server(client, address, made);
        // All octets are looked at, however early two differ: the time taken tells nothing.
        let differs = server.iter().zip(&expected).fold(0, |differs, (one, other)| differs | (one ^ other));
        (age <= MOST_AGE || early <= MOST_EARLY) && server.len() == SERVER && differs == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn octets<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
    }

    #[test]
    fn rfc9018_s4_3_a_cookie_counts_for_an_hour_and_for_its_client_alone() {
        let cookies = Cookies::with_secret([3; 16]);
        let (address, other): (IpAddr, IpAddr) = ("192.0.2.1".parse().unwrap(), "192.0.2.2".parse().unwrap());
        let (client, made) = (b"abcdefgh", u32::MAX - 10);
        let server = cookies.server(client, address, made);
        for (after, ours) in [(0, true), (3600, true), (3601, false), (-300, true), (-301, false)] {
            let now = made.wrapping_add_signed(after);
            assert_eq!(cookies.is_ours(client, &server, address, now), ours, "after {after} s");
        }
        assert!(!cookies.is_ours(client, &server, other, made));
        assert!(!cookies.is_ours(b"abcdefgi", &server, address, made));
        assert!(!Cookies::with_secret([4; 16]).is_ours(client, &server, address, made));
        for length in 0..SERVER {
            assert!(!cookies.is_ours(client, &server[..length], address, made), "{length} octets");
        }
        assert!(!cookies.is_ours(client, &[&server[..], &[0]].concat(), address, made));
        for at in 0..SERVER {
            let mut forged = server;
            forged[at] ^= 1;
            assert!(!cookies.is_ours(client, &forged, address, made), "octet {at}");
        }
    }

    #[test]
    fn rfc9018_appendix_a_cookies_are_the_ones_printed_there() {
        for (secret, client, address, now, cookie) in [
            (
                "e5e973e5a6b2a43f48e7dc849e37bfcf",
                "2464c4abcf10c957",
                "198.51.100.100",
                1_559_731_985,
                "010000005cf79f111f8130c3eee29480",
            ),
            (
                "445536bcd2513298075a5d379663c962",
                "22681ab97d52c298",
                "2001:db8:220:1:59de:d0f4:8769:82b8",
                1_559_741_961,
                "010000005cf7c609a6bb79d16625507a",
            ),
        ] {
            let cookies = Cookies::with_secret(octets(secret));
            assert_eq!(cookies.server(&octets(client), address.parse().unwrap(), now), octets(cookie));
        }
    }
}
