//! The content hash by which nodes tell whether they agree, computed once more: nothing here is shared with the control
//! plane, so that a mistake there does not go unnoticed because it is made on both sides.
//!
//! SHA-256 of each record's canonical form – lower-case name, type, value, each closed by a zero octet, and the TTL as
//! four octets –, read as little-endian numbers, added up modulo 2²⁵⁶ and shown as 64 hexadecimal digits.

use crate::record::Record;
use sha2::{Digest, Sha256};

/// The content hash of these records, as status and frames show it.
pub fn hash(records: &[Record]) -> String {
    let mut sum = [0_u8; 32];
    for record in records {
        add(&mut sum, &digest(record));
    }
    sum.iter().rev().map(|octet| format!("{octet:02x}")).collect()
}

/// One record's part. Values of types whose spelling the control plane tidies otherwise than [`Record`] are not taken.
fn digest(record: &Record) -> [u8; 32] {
    let known = ["A", "AAAA", "CNAME", "NS", "PTR", "TXT"].contains(&record.kind.as_str());
    assert!(known, "the harness does not know the canonical form of {record}");
    let mut sha = Sha256::new();
    for text in [&record.name, &record.kind, &record.value] {
        sha.update(text.as_bytes());
        sha.update([0]);
    }
    sha.update(u32::try_from(record.ttl).expect("a TTL has 32 bits").to_be_bytes());
    sha.finalize().into()
}

/// Adds one little-endian number to another; what does not fit is lost.
fn add(sum: &mut [u8; 32], other: &[u8; 32]) {
    let mut carry = 0;
    for (octet, addend) in sum.iter_mut().zip(other) {
        let total = u16::from(*octet) + u16::from(*addend) + carry;
        (*octet, carry) = (total as u8, total >> 8);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn carries_go_up_and_the_last_one_is_lost() {
        let mut sum = [0xff; 32];
        let mut one = [0; 32];
        one[0] = 1;
        add(&mut sum, &one);
        assert_eq!(sum, [0; 32]);
        add(&mut sum, &one);
        assert_eq!(sum, one);
    }

    #[test]
    fn order_does_not_matter_and_content_does() {
        let [one, two] = ["192.0.2.1", "192.0.2.2"].map(|address| Record::a("a.test", address));
        let later = Record { ttl: 61, ..one.clone() };
        assert_eq!(hash(&[one.clone(), two.clone()]), hash(&[two.clone(), one.clone()]));
        let alone = [one, two, later].map(|record| hash(&[record]));
        assert!(alone[0] != alone[1] && alone[0] != alone[2] && alone[1] != alone[2], "{alone:?}");
        assert_eq!(hash(&[]), "0".repeat(64));
    }
}
