//! Server cookies (RFC 7873, RFC 9018): a client that shows one again has shown that it receives what is sent to its address.

use siphasher::sip::SipHasher24;
use std::{hash::Hasher, net::IpAddr};

/// Octets of a client cookie (RFC 7873 §4).
pub(crate) const CLIENT: usize = 8;
/// Octets of a server cookie of ours (RFC 9018 §4).
pub(crate) const SERVER: usize = 16;
/// Version 1, then three reserved octets (RFC 9018 §4.1, §4.2).
const VERSION: [u8; 4] = [1, 0, 0, 0];

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

#[cfg(test)]
mod tests {
    use super::*;

    fn octets<const N: usize>(text: &str) -> [u8; N] {
        std::array::from_fn(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
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
