//! Claims about validation, with zones that BIND's tools signed, as an independent resolver passes them on.

use dnsplane_dns::resolve::{
    Failure, Security, Wanted,
    exchange::{Client, Trust},
    validate::{Bogus, Validator},
};
use dnsplane_proto::{Name, RecordType, Server, TrustAnchor, Validation, Way};
use dnsplane_tests::Signed;
use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Record, RecordType as Kind},
    serialize::binary::BinEncodable,
};
use std::{
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

const A: RecordType = RecordType(1);
const NS: RecordType = RecordType(2);
const MX: RecordType = RecordType(15);
const AAAA: RecordType = RecordType(28);
const DS: RecordType = RecordType(43);
const DNSKEY: RecordType = RecordType(48);

/// What an answer must turn out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Secure,
    Insecure,
    Bogus(u16),
}
use Is::{Bogus as Wrong, Insecure, Secure};

/// Questions, and what validating their answers must come to (RFC 4035 §4.3; codes of RFC 8914 §4).
const TABLE: &[(&str, RecordType, Is)] = &[
    // Data, in zones with NSEC and NSEC3, and with each algorithm.
    ("www.secure.tree", A, Secure),
    ("mail.secure.tree", MX, Secure),
    ("www.hashed.tree", A, Secure),
    ("secure.tree", DS, Secure),
    ("secure.tree", DNSKEY, Secure),
    ("hashed.tree", DNSKEY, Secure),
    ("tree", DS, Secure),
    (".", DNSKEY, Secure),
    (".", NS, Secure),
    // Aliases, within a zone and to others. A chain is as good as its worst part.
    ("alias.secure.tree", A, Secure),
    ("far.secure.tree", A, Secure),
    ("leaves.secure.tree", A, Insecure),
    ("broken.secure.tree", A, Wrong(6)),
    ("nowhere.secure.tree", A, Secure),
    ("nodata.secure.tree", AAAA, Secure),
    ("www.moved.secure.tree", A, Secure),
    ("missing.moved.secure.tree", A, Secure),
    // Wildcards, with the proof that nothing is closer.
    ("x.wild.secure.tree", A, Secure),
    ("x.y.wild.secure.tree", A, Secure),
    ("x.wild.secure.tree", AAAA, Secure),
    ("x.wildalias.secure.tree", A, Secure),
    ("x.wild.hashed.tree", A, Secure),
    ("x.y.wild.hashed.tree", A, Secure),
    ("x.wild.hashed.tree", AAAA, Secure),
    // What is not there.
    ("www.secure.tree", AAAA, Secure),
    ("www.secure.tree", DS, Secure),
    ("missing.secure.tree", A, Secure),
    ("deep.missing.secure.tree", A, Secure),
    ("between.secure.tree", A, Secure),
    ("www.hashed.tree", AAAA, Secure),
    ("missing.hashed.tree", A, Secure),
    ("deep.missing.hashed.tree", A, Secure),
    ("between.hashed.tree", A, Secure),
    ("down.below.hashed.tree", A, Secure),
    ("no-such-tld", A, Secure),
    ("unsigned.tree", DS, Secure),
    // Zones that are not signed, and the one that might have such below it.
    ("www.plain", A, Insecure),
    ("missing.plain", A, Insecure),
    ("www.unsigned.tree", A, Insecure),
    ("www.unsigned.tree", AAAA, Insecure),
    ("missing.unsigned.tree", A, Insecure),
    ("www.optout.tree", A, Secure),
    ("www.child.optout.tree", A, Insecure),
    ("missing.child.optout.tree", A, Insecure),
    ("child.optout.tree", DS, Insecure),
    ("missing.optout.tree", A, Insecure),
    ("www.costly.tree", A, Secure),
    ("missing.costly.tree", A, Insecure),
    // Zones that are wrong.
    ("www.past.tree", A, Wrong(7)),
    ("www.future.tree", A, Wrong(8)),
    ("www.altered.tree", A, Wrong(6)),
    ("fine.altered.tree", A, Secure),
    ("www.stripped.tree", A, Wrong(9)),
    ("missing.stripped.tree", A, Wrong(9)),
    ("www.otherkeys.tree", A, Wrong(9)),
    ("www.undenied.tree", A, Secure),
    ("missing.undenied.tree", A, Wrong(12)),
    ("www.undenied.tree", AAAA, Wrong(12)),
    ("x.wild.undenied.tree", A, Wrong(12)),
];

/// The zones, a client of the resolver above them, and a validator that trusts their root.
struct World {
    _signed: Signed,
    client: Client,
    fetched: AtomicUsize,
}

impl World {
    fn start() -> Self {
        let signed = Signed::start();
        let server = Server { name: "resolver".to_owned(), address: signed.resolver(), way: Way::Tcp };
        let client = Client::new(&server, &Trust::new(b""));
        Self { _signed: signed, client, fetched: AtomicUsize::new(0) }
    }

    async fn ask(&self, wanted: Wanted) -> Result<Vec<u8>, Failure> {
        let head = [7, 7, 1, 0x10, 0, 1, 0, 0, 0, 0, 0, 1];
        let kind = wanted.kind.0.to_be_bytes();
        let opt = [0, 0, 41, 4, 208, 0, 0, 0x80, 0, 0, 0];
        let query = [&head[..], &wanted.name, &kind, &[0, 1], &opt].concat();
        let reply = self.client.exchange(&query, Instant::now() + Duration::from_secs(20)).await;
        self.fetched.fetch_add(1, Relaxed);
        reply.map_err(|_| Failure::Silence)
    }

    async fn message(&self, name: &str, kind: RecordType) -> Message {
        Message::from_vec(&self.ask(wanted(name, kind)).await.expect("a reply")).expect("a message")
    }

    /// What a zone's keys, or its DS records, are, as anchors. Only those that sign keys.
    async fn anchors(&self, zone: &str, kind: RecordType) -> Vec<TrustAnchor> {
        let message = self.message(zone, kind).await;
        let of_kind = message.answers.iter().filter(|record| u16::from(record.record_type()) == kind.0);
        let anchors = of_kind.map(|record| TrustAnchor {
            owner: Name::parse(zone).expect("a name"),
            kind,
            rdata: record.data.to_bytes().expect("RDATA").into(),
        });
        anchors.filter(|anchor| kind != DNSKEY || anchor.rdata.starts_with(&[1, 1])).collect()
    }

    async fn validator(&self, strict: bool) -> Validator {
        Validator::new(&Validation { strict, anchors: self.anchors(".", DNSKEY).await })
    }

    async fn judge(
        &self,
        validator: &Validator,
        name: &str,
        kind: RecordType,
        message: &[u8],
    ) -> Result<Security, Bogus> {
        let verdict = validator.validate(&wanted(name, kind), message, now(), |wanted| self.ask(wanted)).await;
        verdict.map(|verdict| verdict.security)
    }

    /// Asks and validates.
    async fn is(&self, validator: &Validator, name: &str, kind: RecordType) -> (Is, String) {
        let message = self.ask(wanted(name, kind)).await.expect("a reply");
        match self.judge(validator, name, kind, &message).await {
            Ok(Security::Secure) => (Secure, String::new()),
            Ok(Security::Insecure) => (Insecure, String::new()),
            Ok(Security::Unchecked) => panic!("{name} {kind} was not looked at"),
            Err(bogus) => (Wrong(bogus.code), bogus.why),
        }
    }
}

fn wanted(name: &str, kind: RecordType) -> Wanted {
    let name = Name::parse(name).expect("a name").as_wire().into();
    Wanted { name, kind, dnssec_ok: true, checking_disabled: true }
}

fn now() -> u32 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("a time after 1970").as_secs() as u32
}

#[tokio::test]
async fn each_answer_is_what_its_zones_make_of_it() {
    let world = World::start();
    let validator = world.validator(true).await;
    let mut wrong = Vec::new();
    for (name, kind, expected) in TABLE {
        let (is, why) = world.is(&validator, name, *kind).await;
        println!("{name} {kind}: {is:?} {why}");
        if is != *expected {
            wrong.push(format!("{name} {kind}: {is:?} instead of {expected:?}: {why}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");

    messages_that_were_changed_on_the_way_are_bogus(&world, &validator).await;
    no_bit_can_be_changed_so_that_other_data_is_secure(&world, &validator).await;
    what_is_known_of_zones_is_not_asked_again(&world, &validator).await;
    what_cannot_be_told_is_bogus_if_the_rules_are_strict(&world).await;
    trust_may_begin_at_a_ds_record_or_below_the_root(&world).await;
}

async fn messages_that_were_changed_on_the_way_are_bogus(world: &World, validator: &Validator) {
    let unsigned = |records: &mut Vec<Record>| records.retain(|record| record.record_type() != Kind::RRSIG);
    let mut bare = world.message("www.secure.tree", A).await;
    unsigned(&mut bare.answers);
    let mut no_name = world.message("www.secure.tree", AAAA).await;
    no_name.metadata.response_code = ResponseCode::NXDomain;
    let other_denial = world.message("missing.secure.tree", A).await;
    let other_hashed_denial = world.message("missing.hashed.tree", A).await;
    let mut emptied = world.message("www.secure.tree", A).await;
    emptied.answers.clear();
    let mut borrowed = world.message("www.secure.tree", A).await;
    let name = world.message("www.hashed.tree", A).await.answers[0].name.clone();
    borrowed.answers.iter_mut().for_each(|record| record.name = name.clone());
    let mut expanded = world.message("x.wild.secure.tree", A).await;
    expanded.authorities.clear();
    let mut many = world.message("www.secure.tree", A).await;
    let one = many.answers[0].clone();
    many.answers.extend((0..100).map(|nth| {
        let mut record = one.clone();
        record.name = record.name.prepend_label(format!("n{nth}")).expect("a name");
        record
    }));
    let table = [
        ("a signature taken out", "www.secure.tree", A, &bare, 10),
        ("NODATA as NXDOMAIN", "www.secure.tree", AAAA, &no_name, 12),
        ("the denial of another name", "www.secure.tree", A, &other_denial, 12),
        ("the hashed denial of another name", "www.hashed.tree", A, &other_hashed_denial, 12),
        ("the answer taken out", "www.secure.tree", A, &emptied, 12),
        ("another zone's data", "www.hashed.tree", A, &borrowed, 10),
        ("a wildcard without proof", "x.wild.secure.tree", A, &expanded, 12),
        ("too much of it", "www.secure.tree", A, &many, 6),
    ];
    for (what, name, kind, message, code) in table {
        let bogus = world.judge(validator, name, kind, &message.to_vec().expect("a message")).await;
        let bogus = bogus.expect_err(what);
        assert_eq!(bogus.code, code, "{what}: {bogus}");
    }
}

async fn no_bit_can_be_changed_so_that_other_data_is_secure(world: &World, validator: &Validator) {
    let questions =
        [("www.secure.tree", A), ("far.secure.tree", A), ("x.wild.secure.tree", A), ("missing.hashed.tree", A)];
    for (name, kind) in questions {
        let octets = world.ask(wanted(name, kind)).await.expect("a reply");
        let original = Message::from_vec(&octets).expect("a message");
        let signed = |record: &&Record| record.record_type() != Kind::RRSIG;
        let said = |message: &Message| message.answers.iter().filter(signed).count();
        let mut secure = 0;
        for bit in 0..octets.len() * 8 {
            let mut changed = octets.clone();
            changed[bit / 8] ^= 1 << (bit % 8);
            let unreachable = |_| async { Err::<Vec<u8>, _>(Failure::Silence) };
            let verdict = validator.validate(&wanted(name, kind), &changed, now(), unreachable).await;
            if !matches!(verdict, Ok(verdict) if verdict.security == Security::Secure) {
                continue;
            }
            secure += 1;
            let message = Message::from_vec(&changed).expect("what is secure can be read");
            assert_eq!(message.metadata.response_code, original.metadata.response_code, "{name}, bit {bit}");
            assert!(said(&message) >= said(&original), "{name}, bit {bit}: {message}");
            for record in message.answers.iter().filter(signed) {
                let mut all = original.answers.iter().chain(&original.authorities);
                let known = all.any(|other| other.name == record.name && other.data == record.data);
                assert!(known, "{name}, bit {bit}: {record}");
            }
        }
        assert!(secure > 0, "{name}: TTLs, for one, may change");
    }
}

async fn what_is_known_of_zones_is_not_asked_again(world: &World, validator: &Validator) {
    let before = world.fetched.load(Relaxed);
    for (name, kind) in [("www.hashed.tree", A), ("x.wild.secure.tree", A), ("www.unsigned.tree", A)] {
        world.is(validator, name, kind).await;
    }
    // Those that the questions themselves are.
    assert_eq!(world.fetched.load(Relaxed) - before, 3);
}

async fn what_cannot_be_told_is_bogus_if_the_rules_are_strict(world: &World) {
    let message = world.ask(wanted("www.secure.tree", A)).await.expect("a reply");
    for strict in [true, false] {
        let validator = world.validator(strict).await;
        let unreachable = |_| async { Err::<Vec<u8>, _>(Failure::Silence) };
        let verdict = validator.validate(&wanted("www.secure.tree", A), &message, now(), unreachable).await;
        match verdict {
            Err(bogus) if strict => {
                assert_eq!(bogus.code, 5);
                assert_eq!(bogus.why, "the DNSKEY records of . cannot be had: no upstream replied in time");
            }
            Ok(verdict) if !strict => assert_eq!(verdict.security, Security::Unchecked),
            other => panic!("strict {strict}: {other:?}"),
        }
        // What failed is not remembered.
        assert_eq!(world.is(&validator, "www.secure.tree", A).await.0, Secure);
    }
}

async fn trust_may_begin_at_a_ds_record_or_below_the_root(world: &World) {
    for (zone, kind) in [("secure.tree", DS), ("secure.tree", DNSKEY)] {
        let anchors = world.anchors(zone, kind).await;
        assert!(!anchors.is_empty());
        let validator = Validator::new(&Validation { strict: true, anchors });
        assert_eq!(world.is(&validator, "www.secure.tree", A).await.0, Secure);
        assert_eq!(world.is(&validator, "missing.secure.tree", A).await.0, Secure);
        assert_eq!(world.is(&validator, "www.hashed.tree", A).await.0, Insecure, "nobody vouches for it");
        assert_eq!(world.is(&validator, "far.secure.tree", A).await.0, Insecure);
    }
    let other = world.anchors("hashed.tree", DS).await.into_iter();
    let anchors =
        other.map(|anchor| TrustAnchor { owner: Name::parse("secure.tree").expect("a name"), ..anchor }).collect();
    let validator = Validator::new(&Validation { strict: true, anchors });
    assert_eq!(world.is(&validator, "www.secure.tree", A).await.0, Wrong(9));
    let built_in = Validator::new(&Validation { strict: true, anchors: Vec::new() });
    assert_eq!(world.is(&built_in, "www.secure.tree", A).await.0, Wrong(9), "our root is not the real one");
}
