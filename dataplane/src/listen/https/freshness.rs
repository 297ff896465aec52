//! For how long caches of HTTP may keep a reply (RFC 8484 §5.1).

use crate::message::HEADER;
use dnsplane_proto::RecordType;

/// The least TTL of the answers; of a negative answer, how long that holds (RFC 2308 §5). Else 0.
pub(super) fn seconds(reply: &[u8]) -> u32 {
    least(reply).unwrap_or(0)
}

fn least(reply: &[u8]) -> Option<u32> {
    const NXDOMAIN: u8 = 3;
    let header = reply.first_chunk::<HEADER>()?;
    let count = |at: usize| u16::from_be_bytes([header[at], header[at + 1]]);
    let (questions, answers, authorities) = (count(4), count(6), count(8));
    if !matches!(header[3] & 0x0f, 0 | NXDOMAIN) {
        return None;
    }
    let mut rest = &reply[HEADER..];
    for _ in 0..questions {
        rest = behind_name(rest)?.get(4..)?;
    }
    let mut least = None::<u32>;
    for number in 0..u32::from(answers) + u32::from(authorities) {
        let (fixed, after) = behind_name(rest)?.split_first_chunk::<10>()?;
        let [kind_high, kind_low, _, _, ttl @ .., high, low] = *fixed;
        let (rdata, after) = after.split_at_checked(u16::from_be_bytes([high, low]).into())?;
        let (kind, ttl) = (RecordType(u16::from_be_bytes([kind_high, kind_low])), u32::from_be_bytes(ttl));
        if number < u32::from(answers) {
            least = Some(least.map_or(ttl, |least| least.min(ttl)));
        } else if least.is_none() && kind == RecordType::SOA {
            least = Some(ttl.min(u32::from_be_bytes(*rdata.last_chunk()?)));
        }
        rest = after;
    }
    least
}

/// What follows the name at the beginning.
fn behind_name(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        match *rest.first()? {
            0 => return rest.get(1..),
            0xc0.. => return rest.get(2..),
            length => rest = rest.get(usize::from(length) + 1..)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reply about `a.` with these records: section, type, TTL, RDATA.
    fn reply(rcode: u8, records: &[(u8, u8, u32, &[u8])]) -> Vec<u8> {
        let of = |section| records.iter().filter(|record| record.0 == section).count() as u8;
        let mut reply = vec![0, 0, 0x80, rcode, 0, 1, 0, of(1), 0, of(2), 0, of(3), 1, b'a', 0, 0, 1, 0, 1];
        for (_, kind, ttl, rdata) in records {
            reply.extend_from_slice(&[0xc0, 12, 0, *kind, 0, 1]);
            reply.extend_from_slice(&ttl.to_be_bytes());
            reply.extend_from_slice(&[0, rdata.len() as u8]);
            reply.extend_from_slice(rdata);
        }
        reply
    }

    #[test]
    fn rfc8484_s5_1_caches_keep_a_reply_as_long_as_its_shortest_answer() {
        const A: u8 = 1;
        const SOA: u8 = 6;
        let soa = [&[0; 18][..], &60u32.to_be_bytes()].concat();
        for (seconds_expected, reply) in [
            (
                30,
                reply(0, &[(1, A, 300, &[1, 2, 3, 4]), (1, A, 30, &[1, 2, 3, 4]), (2, 2, 5, &[0]), (3, A, 1, &[0; 4])]),
            ),
            (60, reply(0, &[(2, SOA, 300, &soa)])),
            (20, reply(3, &[(2, SOA, 20, &soa)])),
            (300, reply(3, &[(1, 5, 300, &[0]), (2, SOA, 20, &soa)])),
            (0, reply(2, &[(1, A, 300, &[1, 2, 3, 4])])),
            (0, reply(0, &[(2, 2, 300, &[0])])),
            (0, reply(0, &[])),
        ] {
            assert_eq!(seconds(&reply), seconds_expected, "{reply:?}");
            for cut in 0..reply.len() {
                seconds(&reply[..cut]);
            }
        }
    }
}
