//! Questions nobody thought of, asked of our node and of another server with the same zone.
//!
//! Compared are response code, AA, answers and the SOA of the authority section. Where the other server does something
//! that we do differently on purpose, the comparison says so: it does not follow CNAMEs, and it adds the zone's NS
//! records to some positive answers.

use crate::oracle::Oracle;
use dnsplane_tests::{Plan, Record, dns::Question};
use std::collections::BTreeSet;

const ZONE: &str = "zone.test";
const KINDS: &[&str] = &["A", "AAAA", "CNAME", "MX", "NS", "PTR", "SOA", "SRV", "TXT"];
/// Labels that names are made of: few, so that what is asked for is often there, and of lengths that matter.
const LABELS: &[&str] = &["a", "b", "www", "_tcp", "xn--bcher-kva", "0", "UPPER", LONG];
const LONG: &str = "l23456789-123456789-123456789-123456789-123456789-123456789-123";

/// Numbers that look random and are the same in every run (SplitMix64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    /// A name of the zone of up to three labels, or the zone itself.
    fn name(&mut self) -> String {
        let labels = self.below(4);
        let labels: String = (0..labels).map(|_| format!("{}.", LABELS[self.below(LABELS.len())])).collect();
        format!("{labels}{ZONE}")
    }
}

/// A zone without delegations and wildcards, which the other server treats as it likes.
fn zone(dice: &mut Dice) -> Vec<Record> {
    // TTL and MINIMUM of the SOA are equal: the other server gives negative answers the former, not the smaller one.
    let soa = "ns1.zone.test. hostmaster.zone.test. 7 3600 600 86400 300";
    let mut records =
        BTreeSet::from([Record::new(ZONE, "SOA", soa, 300), Record::new(ZONE, "NS", "ns1.zone.test.", 300)]);
    let mut aliases: BTreeSet<String> = BTreeSet::new();
    for _ in 0..40 {
        let name = dice.name().to_ascii_lowercase();
        let taken = records.iter().any(|record| record.name == name);
        if dice.below(6) == 0 && !taken {
            aliases.insert(name.clone());
            records.insert(Record::new(&name, "CNAME", &dice.name(), 300));
        } else if !aliases.contains(&name) {
            let number = dice.below(250);
            let (kind, value) = match dice.below(5) {
                0 => ("AAAA", format!("2001:db8::{number:x}")),
                1 => ("MX", format!("{number} {}.", dice.name())),
                2 => ("SRV", format!("{number} 1 {number} {}.", dice.name())),
                3 => ("TXT", format!("\"text {number}\"")),
                _ => ("A", format!("192.0.2.{number}")),
            };
            records.insert(Record::new(&name, kind, &value, 300));
        }
    }
    records.into_iter().collect()
}

#[test]
fn an_independent_server_gives_the_same_answers() {
    let mut dice = Dice(1);
    let records = zone(&mut dice);
    let node = Plan::new("compared").records(&records).start();
    let oracle = Oracle::start(ZONE, &records);
    let mut followed = 0;
    for _ in 0..4000 {
        let (name, kind) = (dice.name(), KINDS[dice.below(KINDS.len())]);
        let ours = node.ask(&name, kind);
        let theirs = Question::new(&name, kind).udp(oracle.address).expect("the other server answers");
        let context = format!("{name} {kind}: ours {}, theirs {}", ours.summary(), theirs.summary());
        assert_eq!(ours.message.metadata.authoritative, theirs.message.metadata.authoritative, "{context}");
        assert_eq!(ours.message.queries, theirs.message.queries, "{context}");
        if kind != "CNAME" && theirs.answers().iter().any(|line| line.contains(" CNAME ")) {
            followed += 1;
            assert!(theirs.answers().iter().all(|line| ours.answers().contains(line)), "{context}");
            continue;
        }
        assert_eq!(ours.code(), theirs.code(), "{context}");
        assert_eq!(ours.answers(), theirs.answers(), "{context}");
        let soa = |lines: Vec<String>| lines.into_iter().filter(|line| line.contains(" SOA ")).collect::<Vec<_>>();
        assert_eq!(soa(ours.authorities()), soa(theirs.authorities()), "{context}");
    }
    assert!(followed > 20, "only {followed} questions met a CNAME");
}

#[test]
fn the_dice_cover_what_they_should() {
    let mut dice = Dice(1);
    let records = zone(&mut dice);
    let oracle = Oracle::start(ZONE, &records);
    let mut kinds = BTreeSet::new();
    for _ in 0..500 {
        let reply = Question::new(&dice.name(), KINDS[dice.below(KINDS.len())]).udp(oracle.address).expect("an answer");
        kinds.insert((format!("{:?}", reply.code()), reply.message.answers.is_empty()));
    }
    // Positive, NODATA and NXDOMAIN.
    assert_eq!(kinds.len(), 3, "{kinds:?}");
}
