//! The canonical order of names (RFC 4034 §6.1): label by label from the root, without case.

use dnsplane_proto::Name;

/// Octets that compare as the names do. Those of a name begin those of all names below it, and of no others.
pub(crate) fn key(name: &Name) -> Vec<u8> {
    let mut key = Vec::with_capacity(name.as_wire().len() + 2);
    let labels: Vec<_> = name.labels().collect();
    for label in labels.into_iter().rev() {
        for &octet in label {
            match octet {
                // Below all others, and yet above the end of a label.
                0 | 1 => key.extend([1, octet + 1]),
                _ => key.push(octet),
            }
        }
        key.push(0);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc4034_s6_1_names_are_in_canonical_order() {
        let names = [
            ".",
            "example",
            "a.example",
            "yljkjljk.a.example",
            "Z.a.example",
            "zABC.a.EXAMPLE",
            "z.example",
            r"\000.z.example",
            r"\001.z.example",
            r"\001\000.z.example",
            r"\002.z.example",
            "*.z.example",
            r"\200.z.example",
        ];
        let keys: Vec<_> = names.iter().map(|name| key(&Name::parse(name).unwrap())).collect();
        assert!(keys.is_sorted(), "{keys:?}");
    }

    proptest::proptest! {
        #[test]
        fn a_name_is_at_or_below_another_if_its_key_begins_with_that_of_the_other(
            one in proptest::collection::vec(proptest::collection::vec(0..4_u8, 1..3), 0..4),
            other in proptest::collection::vec(proptest::collection::vec(0..4_u8, 1..3), 0..3),
        ) {
            let name = |labels: &[Vec<u8>]| {
                let mut wire: Vec<u8> = labels.iter().flat_map(|label| [vec![label.len() as u8], label.clone()].concat()).collect();
                wire.push(0);
                Name::from_wire(&wire).unwrap()
            };
            let (one, other) = (name(&one), name(&other));
            proptest::prop_assert_eq!(one.is_at_or_below(&other), key(&one).starts_with(&key(&other)));
        }
    }
}
