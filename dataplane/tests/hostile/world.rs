//! The records that hostile questions are asked of: some of everything that takes a path of its own.

use dnsplane_dns::{
    Builder, Cache, Rules, Snapshot,
    filter::BlockList,
    resolve::{Security, Wanted, cache::About},
};
use dnsplane_proto::{
    CacheRules, Generation, Name, RecordData, RecordSet, RecordType as T, Server, Upstream, Upstreams, Way,
    block_list::{HashKey, Packing, Scope, value},
};
use std::sync::{Arc, LazyLock};

/// The time of all questions; cookies are made and judged by it.
pub(crate) const NOW: u32 = 1_600_000_000;

/// A snapshot, whether all RDATA in it is what its type says, and what is remembered of names that are not ours.
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) sound: bool,
    pub(crate) cache: Option<Cache>,
}

static WORLDS: LazyLock<Vec<World>> = LazyLock::new(|| {
    let rules = Rules::default;
    let identity = |length| Some(vec![b'i'; length].into());
    let sound = |snapshot| World { snapshot, sound: true, cache: None };
    vec![
        sound(build(rules(), &[zones(), large()].concat())),
        sound(build(
            Rules {
                max_udp_payload: 4096,
                refuse_any: true,
                missing_type_is_nodata: false,
                auto_ptr: true,
                identity: identity(5),
                ..rules()
            },
            &[zones(), large()].concat(),
        )),
        sound(build(Rules { max_udp_payload: 65_535, ..rules() }, &[zones(), large(), root()].concat())),
        sound(build(
            Rules { max_udp_payload: 512, auto_ptr: true, identity: identity(255), ..rules() },
            &[zones(), large()].concat(),
        )),
        sound(build(Rules { local_records: false, ..rules() }, &zones())),
        sound(Snapshot::empty()),
        World {
            snapshot: build(Rules { auto_ptr: true, ..rules() }, &[zones(), root(), unsound()].concat()),
            sound: false,
            cache: None,
        },
        resolving(build(networks(), &[zones(), large(), elsewhere()].concat())),
        resolving(build(Rules { local_records: false, max_udp_payload: 65_535, ..networks() }, &[])),
    ]
});

/// Some clients may have names resolved, and some may not.
fn networks() -> Rules {
    let networks = ["127.0.0.0/8", "192.0.2.0/24"].map(|text| text.parse().expect("a network"));
    Rules { networks: networks.into(), stale: 10_000, prefetch: true, ..Rules::default() }
}

/// Aliases that lead to names which are not ours.
fn elsewhere() -> Vec<Row> {
    let aliases =
        [("toknown.lab.test", "known.example"), ("tonew.lab.test", "new.example"), ("toads.lab.test", "ads.example")];
    aliases.iter().map(|(owner, target)| row(owner, T::CNAME, wire(target))).collect()
}

/// The same with upstreams, block lists, and a memory in which there is something of each kind.
pub(crate) fn resolving(mut snapshot: Snapshot) -> World {
    let server = Server { name: "one".to_owned(), address: "192.0.2.53:53".parse().expect("one"), way: Way::Udp };
    let corp = vec![Name::from_wire(&wire("corp.test")).expect("a name")];
    let upstreams = [vec![], corp].map(|domains| Upstream { server: server.clone(), domains, fallback: None });
    snapshot.upstreams = Arc::new(Upstreams { upstreams: upstreams.into(), ..Upstreams::default() });
    let hash_key = HashKey::default();
    let table = |names: &[(&str, Scope)]| {
        let mut packing = Packing::new(hash_key, names.len());
        names.iter().for_each(|(name, scope)| packing.push(&wire(name), value(*scope, 0)));
        packing.finish()
    };
    let blocked = table(&[("ads.example", Scope::Whole), ("wild.example", Scope::Below)]);
    let allowed = table(&[("good.ads.example", Scope::Whole)]);
    let list = BlockList::new(hash_key, blocked, allowed, vec!["list".into()], vec![vec![0]]);
    snapshot.block_list = Some(Arc::new(list.expect("sound")));
    let cache = Cache::default();
    cache.obey(Some(CacheRules { octets: 8 << 20, least_ttl: 0, stale: 10_000, prefetch: true }));
    for (name, kind, message) in super::upstream::remembered() {
        for (dnssec_ok, checking_disabled) in [(false, false), (true, false), (false, true), (true, true)] {
            let wanted = Wanted { name: wire(name).into(), kind: T(kind), dnssec_ok, checking_disabled };
            let about = About { source: "one".into(), security: Security::Secure, now: NOW, at_most: u32::MAX };
            cache.insert(&wanted, &message, &about).expect("an answer");
        }
    }
    World { snapshot, sound: true, cache: Some(cache) }
}

/// One of the worlds.
pub(crate) fn world(choice: u8) -> &'static World {
    &WORLDS[usize::from(choice) % WORLDS.len()]
}

/// The first of them.
pub(crate) fn rich() -> &'static Snapshot {
    &WORLDS[0].snapshot
}

type Row = (Vec<u8>, T, u32, Vec<u8>);

fn build(rules: Rules, rows: &[Row]) -> Snapshot {
    let mut sets: Vec<RecordSet> = Vec::new();
    for (owner, kind, ttl, rdata) in rows {
        let owner = Name::from_wire(owner).expect("an owner name");
        let data = RecordData { ttl: *ttl, rdata: rdata.clone().into() };
        match sets.iter_mut().find(|set| set.owner == owner && set.kind == *kind) {
            Some(set) => set.data.push(data),
            None => sets.push(RecordSet { owner, kind: *kind, data: vec![data] }),
        }
    }
    let mut builder = Builder::new();
    sets.iter().for_each(|set| builder.apply(set).expect("usable"));
    builder.finish(Generation { session: 1, number: 1 }, rules)
}

/// A name in wire form; not through `Name`, which would lower-case it.
pub(crate) fn wire(text: &str) -> Vec<u8> {
    let labels = text.split('.').filter(|label| !label.is_empty());
    let mut wire: Vec<u8> = labels.flat_map(|label| [&[label.len() as u8], label.as_bytes()].concat()).collect();
    wire.push(0);
    wire
}

fn soa(minimum: u32) -> Vec<u8> {
    let numbers = [1u32, 3600, 600, 86400, minimum].map(u32::to_be_bytes).concat();
    [wire("ns1.lab.test"), wire("hostmaster.lab.test"), numbers].concat()
}

fn row(owner: &str, kind: T, rdata: impl AsRef<[u8]>) -> Row {
    (wire(owner), kind, 300, rdata.as_ref().to_vec())
}

fn host(owner: &str, last: u8) -> [Row; 2] {
    [row(owner, T::A, [192, 0, 2, last]), row(owner, T::AAAA, [[0x20, 1, 0x0d, 0xb8, 0, 0, 0, last]; 2].concat())]
}

/// Zones, cuts, aliases, wildcards, loose names.
fn zones() -> Vec<Row> {
    let mut rows = vec![
        row("lab.test", T::SOA, soa(60)),
        row("lab.test", T::NS, wire("ns1.lab.test")),
        row("lab.test", T::NS, wire("ns.elsewhere.example")),
        row("lab.test", T::MX, [&[0, 10][..], &wire("Mail.lab.test")].concat()),
        row("sub.lab.test", T::SOA, soa(3600)),
        row("below.sub.lab.test", T::TXT, b"\x05below"),
        row("a.deep.lab.test", T::A, [192, 0, 2, 3]),
        // Aliases: a plain one, one that leaves, one to nowhere, loops.
        row("alias.lab.test", T::CNAME, b"\x03WWW\x03lab\x04test\x00"),
        row("far.lab.test", T::CNAME, wire("host.elsewhere.example")),
        row("gone.lab.test", T::CNAME, wire("nothing.here.lab.test")),
        row("ping.lab.test", T::CNAME, wire("pong.lab.test")),
        row("pong.lab.test", T::CNAME, wire("PING.lab.test")),
        row("self.lab.test", T::CNAME, wire("self.lab.test")),
        row("tocut.lab.test", T::CNAME, wire("www.cut.lab.test")),
        // DNAME: a plain one, one into itself, a pair, one that makes names too long.
        row("old.lab.test", T::DNAME, wire("deep.lab.test")),
        row("inner.lab.test", T::DNAME, wire("x.inner.lab.test")),
        row("left.lab.test", T::DNAME, wire("right.lab.test")),
        row("right.lab.test", T::DNAME, wire("left.lab.test")),
        row("grow.lab.test", T::DNAME, wire("more.and.more.grow.lab.test")),
        row("long.lab.test", T::DNAME, [&[63; 64][..], &[63; 64], &[63; 64], &wire("lab.test")].concat()),
        // Wildcards, also over aliases, below a cut and with something in their way.
        row("*.wild.lab.test", T::A, [192, 0, 2, 5]),
        row("*.wild.lab.test", T::MX, [&[0, 5][..], &wire("mail.lab.test")].concat()),
        row("in.the.way.wild.lab.test", T::TXT, b"\x02in"),
        row("*.star.lab.test", T::CNAME, wire("www.lab.test")),
        row("*.twist.lab.test", T::CNAME, wire("again.twist.lab.test")),
        row("*.*.lab.test", T::TXT, b"\x04star"),
        // Cuts: servers inside, outside and beside; one that is signed; one below another.
        row("cut.lab.test", T::NS, wire("ns.cut.lab.test")),
        row("cut.lab.test", T::NS, wire("ns1.lab.test")),
        row("cut.lab.test", T::NS, wire("ns.elsewhere.example")),
        row("cut.lab.test", T::DS, [&[0, 1, 8, 2][..], &[7; 32]].concat()),
        row("www.cut.lab.test", T::A, [192, 0, 2, 66]),
        row("cut.cut.lab.test", T::NS, wire("ns.cut.cut.lab.test")),
        row("*.cut.lab.test", T::A, [192, 0, 2, 67]),
        // Types whose RDATA names hosts.
        row("_sip._udp.lab.test", T::SRV, [&[0, 1, 0, 2, 19, 196][..], &wire("mail.lab.test")].concat()),
        row("_sip._udp.lab.test", T::SRV, [&[0, 1, 0, 2, 19, 197][..], &wire("self.lab.test")].concat()),
        row("web.lab.test", T::HTTPS, [0, 1, 0, 0, 1, 0, 3, 2, b'h', b'2']),
        row("web.lab.test", T::SVCB, [&[0, 1][..], &wire("www.lab.test")].concat()),
        row("odd.lab.test", T(65_280), b"anything"),
        row("odd.lab.test", T(65_281), b""),
        // Loose names.
        row("loose.test", T::A, [192, 0, 2, 4]),
        row("nas.home", T::CNAME, wire("loose.test")),
        row("tv.home", T::CNAME, wire("unknown.example")),
        row("*.home.arpa", T::A, [192, 0, 2, 8]),
        row("a.b.home.arpa", T::TXT, b"\x01b"),
        row("loosecut.test", T::NS, wire("ns.loosecut.test")),
        row("7.2.0.192.in-addr.arpa", T::PTR, wire("www.lab.test")),
        row("localhost", T::A, [127, 0, 0, 1]),
    ];
    let hosts = ["www.lab.test", "ns1.lab.test", "mail.lab.test", "ns.cut.lab.test", "ns.cut.cut.lab.test"];
    rows.extend(hosts.iter().zip(1..).flat_map(|(owner, last)| host(owner, last)));
    rows.extend(host("ns.loosecut.test", 77));
    for at in 0..20 {
        rows.push(row(&format!("c{at}.lab.test"), T::CNAME, wire(&format!("c{}.lab.test", at + 1))));
    }
    rows
}

/// Sets that fit a datagram with EDNS only, a stream only, and nothing at all; and a longest name.
fn large() -> Vec<Row> {
    let mut rows = Vec::new();
    for at in 0..20u8 {
        rows.push(row("big.lab.test", T::TXT, [vec![100], vec![b'a' + at; 100]].concat()));
        rows.push(row("huge.lab.test", T::TXT, [vec![250], vec![at; 250]].concat().repeat(12)));
        rows.push(row("many.lab.test", T::MX, [&[0, at][..], &wire(&format!("mx{at}.lab.test"))].concat()));
        rows.extend(host(&format!("mx{at}.lab.test"), 100 + at));
        rows.push(row("manycut.lab.test", T::NS, wire(&format!("ns{at}.manycut.lab.test"))));
        rows.extend(host(&format!("ns{at}.manycut.lab.test"), 130 + at));
    }
    for at in 0..23u8 {
        rows.push(row("toohuge.lab.test", T::TXT, [vec![255], vec![at; 255]].concat().repeat(11)));
    }
    let longest = [&[&[61; 62][..], &[62; 63], &[63; 64]].concat()[..], &[52; 53], &wire("x.lab.test")].concat();
    assert_eq!(longest.len(), 254);
    rows.push((longest.clone(), T::A, 1, vec![192, 0, 2, 9]));
    rows.push(row("tolongest.lab.test", T::CNAME, longest));
    rows
}

/// A zone above all others.
fn root() -> Vec<Row> {
    let [a, aaaa] = host("", 200);
    vec![row("", T::SOA, soa(5)), row("", T::NS, wire("ns1.lab.test")), a, aaaa, row("*", T::TXT, b"\x03all")]
}

/// RDATA that is not what its type says, as far as a snapshot takes it. It is served as it stands.
fn unsound() -> Vec<Row> {
    let hosts = [T::NS, T::MX, T::SRV, T::SVCB, T::HTTPS, T::A, T::AAAA, T::PTR, T::TXT];
    let cut = hosts.iter().flat_map(|kind| {
        (0..4).map(|length| row("cutoff.lab.test", *kind, &[&[0, 1, 63][..], &[9; 9]].concat()[..length]))
    });
    let beyond = hosts.iter().map(|kind| row("beyond.lab.test", *kind, [0, 1, 0, 0, 0, 0, 63, b'a']));
    let pointer = hosts.iter().map(|kind| row("pointer.lab.test", *kind, [0, 1, 0, 0, 0, 0, 0xc0, 0x0c]));
    let direct = hosts.iter().map(|kind| row("direct.lab.test", *kind, [0xc0, 0x0c]));
    let empty = hosts.iter().map(|kind| row("void.lab.test", *kind, []));
    let owner = |(number, mut row): (usize, Row)| {
        // Each in a name of its own, so that a set is not the only one there.
        let label = [1, b'a' + (number % 26) as u8];
        row.0 = [&label[..], &row.0].concat();
        row
    };
    let rows: Vec<Row> = cut.chain(beyond).chain(pointer).chain(direct).chain(empty).collect();
    let alone = rows.clone().into_iter().filter(|row| row.1 != T::NS).enumerate().map(owner);
    let rows = rows.iter().filter(|row| row.1 != T::NS).cloned();
    let cuts = [vec![], vec![0xc0, 0x0c], vec![63, 1]]
        .into_iter()
        .zip(1..)
        .map(|(rdata, number)| row(&format!("cut{number}.lab.test"), T::NS, rdata));
    rows.chain(alone).chain(cuts).collect()
}
