//! Inputs to begin with: every kind of query, and every way to break one that the RFCs know of.

use super::{
    replies::{COOKIES, asker},
    world::wire,
};
use dnsplane_dns::answer as reply_to;

const A: u16 = 1;
const OPT: u16 = 41;

/// A header with these flags and counts.
pub(crate) fn header(flags: u16, counts: [u16; 4]) -> Vec<u8> {
    let mut header = vec![0xbe, 0xef];
    header.extend(flags.to_be_bytes());
    header.extend(counts.map(u16::to_be_bytes).concat());
    header
}

/// A question.
pub(crate) fn question(name: &[u8], kind: u16) -> Vec<u8> {
    [name, &kind.to_be_bytes(), &[0, 1]].concat()
}

/// A record, or with type 41 an OPT.
pub(crate) fn record(owner: &[u8], kind: u16, class: u16, ttl: u32, rdata: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rdata.len()).expect("short");
    [owner, &kind.to_be_bytes(), &class.to_be_bytes(), &ttl.to_be_bytes(), &length.to_be_bytes(), rdata].concat()
}

/// An OPT record with these options.
pub(crate) fn opt(payload: u16, ttl: u32, options: &[(u16, &[u8])]) -> Vec<u8> {
    let option = |(code, content): &(u16, &[u8])| {
        [&code.to_be_bytes(), &u16::try_from(content.len()).expect("short").to_be_bytes(), *content].concat()
    };
    record(&[0], OPT, payload, ttl, &options.iter().flat_map(option).collect::<Vec<_>>())
}

/// A plain query.
pub(crate) fn query(name: &[u8], kind: u16) -> Vec<u8> {
    [header(0x0100, [1, 0, 0, 0]), question(name, kind)].concat()
}

/// A query with an OPT record.
pub(crate) fn with_edns(name: &[u8], kind: u16, opt: &[u8]) -> Vec<u8> {
    [&header(0x0100, [1, 0, 0, 1])[..], &question(name, kind), opt].concat()
}

/// Labels of `length` octets until the name takes `octets` in all.
pub(crate) fn name_of(octets: usize) -> Vec<u8> {
    let mut name = Vec::new();
    while name.len() + 1 < octets {
        let label = (octets - name.len() - 2).min(63);
        name.push(label as u8);
        name.resize(name.len() + label, b'n');
    }
    name.push(0);
    name
}

/// Queries as people send them.
fn sound() -> Vec<Vec<u8>> {
    let names = [
        "www.lab.test",
        "WwW.LaB.tEsT",
        "lab.test",
        "test",
        "",
        "nope.lab.test",
        "deep.lab.test",
        "alias.lab.test",
        "far.lab.test",
        "gone.lab.test",
        "ping.lab.test",
        "self.lab.test",
        "tocut.lab.test",
        "x.old.lab.test",
        "old.lab.test",
        "a.inner.lab.test",
        "x.left.lab.test",
        "x.grow.lab.test",
        "abcdefghijklmnop.long.lab.test",
        "any.wild.lab.test",
        "way.wild.lab.test",
        "x.way.wild.lab.test",
        "y.star.lab.test",
        "y.twist.lab.test",
        "x.y.lab.test",
        "*.wild.lab.test",
        "x.*.lab.test",
        "www.cut.lab.test",
        "cut.lab.test",
        "x.cut.cut.lab.test",
        "_sip._udp.lab.test",
        "web.lab.test",
        "odd.lab.test",
        "loose.test",
        "nas.home",
        "tv.home",
        "pc.home.arpa",
        "b.home.arpa",
        "x.loosecut.test",
        "c0.lab.test",
        "big.lab.test",
        "huge.lab.test",
        "toohuge.lab.test",
        "many.lab.test",
        "x.manycut.lab.test",
        "tolongest.lab.test",
        "unknown.example",
        "below.sub.lab.test",
        "7.2.0.192.in-addr.arpa",
        "localhost",
        "x.localhost",
        "invalid",
        "a.onion",
        "1.0.0.127.in-addr.arpa",
        "version.bind",
        "id.server",
        "2.2.0.192.in-addr.arpa",
        "cutoff.lab.test",
        "beyond.lab.test",
        "pointer.lab.test",
        "x.cut1.lab.test",
        "void.lab.test",
    ];
    let kinds = [A, 2, 5, 6, 12, 15, 16, 28, 33, 39, 43, 64, 65, 249, 250, 251, 252, 253, 254, 255, 65_280, 0, OPT];
    let mut queries: Vec<_> = names.iter().map(|name| query(&wire(name), A)).collect();
    let chosen = ["www.lab.test", "lab.test", "x.cut.lab.test", "many.lab.test", "cutoff.lab.test"];
    queries.extend(chosen.iter().flat_map(|name| kinds.iter().map(|kind| query(&wire(name), *kind))));
    let sizes = [0, 511, 512, 513, 1232, 4096, 65_535];
    queries.extend(sizes.iter().map(|size| with_edns(&wire("big.lab.test"), 16, &opt(*size, 0, &[]))));
    queries.extend(sizes.iter().map(|size| with_edns(&wire("many.lab.test"), 15, &opt(*size, 1 << 15, &[]))));
    queries
}

/// Options that clients send, and some that they should not.
fn edns() -> Vec<Vec<u8>> {
    let server_cookie = |from: [u8; 2]| {
        let mut reply = Vec::new();
        let asked = with_edns(&[0], A, &opt(1232, 0, &[(10, b"abcdefgh")]));
        let (asker, world) = asker(from);
        reply_to(&asked, &asker, &world.snapshot, &mut reply);
        reply.split_off(reply.len() - 24)
    };
    let _ = &*COOKIES;
    let (young, old, other) = (server_cookie([0, 0]), server_cookie([0, 12]), server_cookie([0, 1]));
    let long = [7; 41];
    let lists: Vec<Vec<(u16, &[u8])>> = vec![
        vec![(10, b"abcdefgh")],
        vec![(10, &young)],
        vec![(10, &old)],
        vec![(10, &other)],
        vec![(10, b"abcdefg")],
        vec![(10, b"abcdefgh1234567")],
        vec![(10, &long[..40])],
        vec![(10, &long)],
        vec![(10, b"")],
        vec![(10, b"abcdefgh"), (10, b"x")],
        vec![(11, b"")],
        vec![(11, b"\x00\x64")],
        vec![(3, b""), (8, b"\x00\x01\x18\x00\xc0\x00\x02"), (12, &[0; 60])],
        vec![(15, b"\x00\x0f"), (65_001, b"local")],
    ];
    let mut queries: Vec<_> =
        lists.iter().map(|list| with_edns(&wire("www.lab.test"), A, &opt(1232, 0, list))).collect();
    queries.push(with_edns(&name_of(255), A, &opt(512, 0, &[(3, b""), (10, b"abcdefgh"), (11, b"")])));
    for ttl in [0x0001_0000, 0x00ff_0000, 0xff00_0000, 0x0000_ffff] {
        queries.push(with_edns(&wire("www.lab.test"), A, &opt(1232, ttl, &[])));
    }
    queries
}

/// Messages that break a rule. The RFC that has it is named where the tests of rules use the same ones.
fn broken() -> Vec<Vec<u8>> {
    let (www, opt) = (question(&wire("www.lab.test"), A), opt(1232, 0, &[]));
    let message = |counts, parts: &[&[u8]]| [header(0x0100, counts), parts.concat()].concat();
    let pointed = record(b"\xc0\x0c", A, 1, 0, &[1, 2, 3, 4]);
    let into_itself = record(b"\xc0\x1e", A, 1, 0, &[1, 2, 3, 4]);
    let mut messages = vec![
        message([1, 0, 0, 2], &[&www, &opt, &opt]),
        message([1, 1, 0, 0], &[&www, &opt]),
        message([1, 0, 1, 0], &[&www, &opt]),
        message([1, 0, 0, 1], &[&www, b"\x01a", &opt]),
        message([1, 0, 0, 1], &[&www, b"\xc0\x0c", &opt[1..]]),
        message([1, 0, 0, 2], &[&www, &pointed, &opt]),
        message([1, 0, 0, 1], &[&www, &into_itself]),
        message([1, 1, 1, 1], &[&www, &pointed, &pointed, &opt]),
        message([1, 0, 0, 0], &[&www, b"\x00"]),
        message([1, 0, 0, 0], &[&www, &opt]),
        message([1, 0, 0, 9], &[&www, &opt]),
        message([2, 0, 0, 0], &[&www, &www]),
        message([0, 0, 0, 0], &[]),
        message([0, 0, 0, 1], &[&opt]),
        message([65_535; 4], &[&www]),
    ];
    let names: [&[u8]; 7] =
        [b"\xc0\x0c", b"\xc0\x0e\xc0\x0c", b"\x01a\xc0\x0c", b"\x41a\x00", b"\x81a\x00", b"\x40", b"\x03www"];
    messages.extend(names.iter().map(|name| query(name, A)));
    messages.extend([254, 255, 256, 257].map(|octets| query(&name_of(octets), A)));
    messages.extend([63u8, 64].map(|label| query(&[&[label][..], &vec![b'l'; label.into()], &[0]].concat(), A)));
    let whole = with_edns(&wire("www.lab.test"), A, &self::opt(1232, 0, &[(10, b"abcdefgh")]));
    messages.extend((0..whole.len()).map(|length| whole[..length].to_vec()));
    for flags in [0x8180, 0x0000, 0x0110, 0x2100, 0x2800, 0x1000, 0x7800, 0x07ff] {
        messages.push([header(flags, [1, 0, 0, 1]), www.clone(), opt.clone()].concat());
    }
    let mut chaos = query(&wire("version.bind"), 16);
    *chaos.last_mut().expect("a class") = 3;
    messages.push(chaos);
    let mut server = query(&wire("id.server"), 16);
    *server.last_mut().expect("a class") = 3;
    messages.push(server);
    messages
}

/// Inputs of the target `views`.
pub(crate) fn views() -> Vec<Vec<u8>> {
    [sound(), edns(), broken()].concat()
}

/// Inputs of the target `answer`: over each transport, of several worlds.
pub(crate) fn answer() -> Vec<Vec<u8>> {
    let from = |how: u8, who: u8| move |query: Vec<u8>| [&[how, who][..], &query].concat();
    let mut inputs: Vec<_> =
        sound().into_iter().flat_map(|query| [0u8, 1, 5, 12].map(|how| from(how, 0)(query.clone()))).collect();
    inputs.extend(edns().into_iter().flat_map(|query| {
        [(0u8, 0u8), (1, 1), (2, 12), (6, 0), (7, 0)].map(|(how, who)| from(how, who)(query.clone()))
    }));
    // RDATA that ends before the host that it should name.
    for label in b'a'..=b'z' {
        let names = ["cutoff", "beyond", "pointer", "direct", "void"].map(|name| wire(&format!("x.{name}.lab.test")));
        let asked = names.map(|mut name| {
            name[1] = label;
            query(&name, 255)
        });
        inputs.extend(asked.map(from(12, 0)));
    }
    inputs.extend(broken().into_iter().flat_map(|query| [0u8, 2].map(|how| from(how, 0)(query.clone()))));
    inputs
}

/// Inputs of the target `framing`.
pub(crate) fn framing() -> Vec<Vec<u8>> {
    let framed =
        |message: &Vec<u8>| [&u16::try_from(message.len()).expect("short").to_be_bytes(), &message[..]].concat();
    let all: Vec<Vec<u8>> = [sound(), edns()].concat().iter().map(framed).collect();
    let mut streams: Vec<_> = all.chunks(12).map(<[_]>::concat).collect();
    streams.extend([vec![], vec![0], vec![0, 0], vec![0, 0, 0, 1], vec![255, 255, 1], all[0][..9].to_vec()]);
    streams.push([&[0, 11][..], &[0; 11], &all[0]].concat());
    streams.iter().flat_map(|stream| [0u8, 1, 0x47].map(|cut| [&[cut][..], stream].concat())).collect()
}
