//! What a message from outside may look like: RFC 1035 and RFC 2181 on names and counts, RFC 6891 on OPT. Where the RFCs
//! leave it open, NSD 4.6, Knot 3.2 and BIND 9.18 were asked the same, and we do what most of them do.

#[expect(dead_code, reason = "shared with the fuzz targets; only the parts that make messages are used here")]
mod hostile;

use dnsplane_dns::{Outcome, Rcode, answer};
use hostile::{
    replies,
    seeds::{header, name_of, opt, query, question, record},
    views,
    world::wire,
};

/// What one message is answered, over UDP: the RCODE, or `None` without reply. All that must hold for any message is
/// checked on the way.
#[track_caller]
fn rcode(message: &[u8]) -> Option<Rcode> {
    views::check(message);
    replies::check(&[&[0, 0], message].concat());
    let (asker, world) = replies::asker([0, 0]);
    let mut reply = Vec::new();
    match answer(message, &asker, &world.snapshot, &mut reply) {
        Outcome::Dropped | Outcome::Withheld => None,
        Outcome::ToRenew(..) | Outcome::Unresolved(_) => panic!("there is no upstream"),
        Outcome::Replied(replied) => Some(replied.rcode),
    }
}

/// Each message, why it is what it is, and the RCODE.
#[track_caller]
fn table(rcode_of_all: Rcode, messages: &[(&str, Vec<u8>)]) {
    for (why, message) in messages {
        assert_eq!(rcode(message), Some(rcode_of_all), "{why}");
    }
}

fn www() -> Vec<u8> {
    question(&wire("www.lab.test"), 1)
}

fn message(counts: [u16; 4], parts: &[&[u8]]) -> Vec<u8> {
    [header(0x0100, counts), parts.concat()].concat()
}

/// A record behind the question with this owner.
fn with_owner(owner: &[u8]) -> Vec<u8> {
    message([1, 0, 0, 1], &[&www(), &record(owner, 1, 1, 0, &[192, 0, 2, 1])])
}

/// A pointer to the octets at this distance behind the question.
fn pointer(behind_question: usize) -> [u8; 2] {
    [0xc0, (12 + www().len() + behind_question) as u8]
}

#[test]
fn rfc1035_s4_1_4_a_pointer_in_the_question_has_nothing_to_point_to() {
    table(
        Rcode::FormErr,
        &[
            ("to itself", query(b"\xc0\x0c", 1)),
            ("to the label in front of it", query(b"\x03www\xc0\x0c", 1)),
            ("into the header", query(b"\x03www\xc0\x04", 1)),
            ("forward", [query(b"\xc0\x12", 1), wire("www.lab.test")].concat()),
            ("half of one", message([1, 0, 0, 0], &[b"\xc0"])),
        ],
    );
}

#[test]
fn rfc1035_s4_1_4_pointers_behind_the_question_lead_to_a_prior_name() {
    table(
        Rcode::NoError,
        &[
            ("to the question's name", with_owner(b"\xc0\x0c")),
            ("to one of its ancestors", with_owner(b"\x01a\xc0\x10")),
            ("to the root", with_owner(b"\xc0\x19")),
            (
                "to a name that ends in a pointer",
                message(
                    [1, 0, 0, 2],
                    &[&www(), &record(b"\x01a\xc0\x0c", 1, 1, 0, b"abcd"), &record(&pointer(0), 1, 1, 0, b"abcd")],
                ),
            ),
        ],
    );
    table(
        Rcode::FormErr,
        &[
            ("to itself", with_owner(&pointer(0))),
            ("to the label in front of it", with_owner(&[&b"\x01a"[..], &pointer(0)].concat())),
            ("forward", with_owner(&pointer(20))),
            ("behind the end", with_owner(b"\xff\xff")),
            ("into the header", with_owner(b"\xc0\x00")),
            (
                "to a pointer that leads back",
                message(
                    [1, 0, 0, 2],
                    &[&www(), &record(&[0], 1, 1, 0, &pointer(17)), &record(&pointer(11), 1, 1, 0, b"abcd")],
                ),
            ),
        ],
    );
}

#[test]
fn rfc1035_s2_3_4_names_have_255_octets_and_labels_63() {
    let below = |name: Vec<u8>| {
        // In a zone of ours, so that an answer and a FORMERR differ.
        let sub = wire("sub.lab.test");
        let mut front = name;
        front.truncate(front.len() - 1);
        [front, sub].concat()
    };
    let label = |length: u8| below([&[length][..], &vec![b'l'; length.into()], &[0]].concat());
    // The zone's name takes 13 octets more than the root.
    let names = [254, 255, 256].map(|octets| below(name_of(octets - 13)));
    assert_eq!([names[0].len(), names[1].len(), names[2].len()], [254, 255, 256]);
    table(
        Rcode::NxDomain,
        &[
            ("254 octets", query(&names[0], 1)),
            ("255 octets", query(&names[1], 1)),
            ("a label of 63", query(&label(63), 1)),
        ],
    );
    table(
        Rcode::FormErr,
        &[
            ("256 octets", query(&names[2], 1)),
            ("a label of 64", query(&label(64), 1)),
            ("a label longer than the message", query(b"\x3fwww", 1)),
            ("256 octets, behind the question", with_owner(&names[2])),
            ("256 octets through a pointer", with_owner(&[&name_of(243)[..242], b"\xc0\x0c"].concat())),
        ],
    );
    table(
        Rcode::NoError,
        &[("255 octets through a pointer", with_owner(&[&name_of(242)[..241], b"\xc0\x0c"].concat()))],
    );
}

#[test]
fn rfc6891_s5_label_types_01_and_10_are_not_understood() {
    let owners: [&[u8]; 4] = [b"\x41a\x00", b"\x7fa\x00", b"\x81a\x00", b"\xbfa\x00"];
    for owner in owners {
        assert_eq!(rcode(&query(owner, 1)), Some(Rcode::FormErr), "{owner:x?} in the question");
        assert_eq!(rcode(&with_owner(owner)), Some(Rcode::FormErr), "{owner:x?} behind the question");
    }
}

#[test]
fn octets_behind_the_last_record_are_not_looked_at() {
    let edns = opt(1232, 0, &[]);
    table(
        Rcode::NoError,
        &[
            ("behind the question", message([1, 0, 0, 0], &[&www(), &[0]])),
            ("behind the OPT", message([1, 0, 0, 1], &[&www(), &edns, &[0xff; 40]])),
            ("an OPT that is not counted", message([1, 0, 0, 0], &[&www(), &edns])),
        ],
    );
    // One that is not counted asks for nothing.
    let (asker, world) = replies::asker([0, 0]);
    let mut reply = Vec::new();
    answer(&message([1, 0, 0, 0], &[&www(), &edns]), &asker, &world.snapshot, &mut reply);
    assert_eq!(reply[10..12], [0, 0]);
}

#[test]
fn rfc1035_s4_1_1_counts_say_what_there_is() {
    let edns = opt(1232, 0, &[]);
    table(
        Rcode::FormErr,
        &[
            ("no question", message([0, 0, 0, 0], &[])),
            ("two questions", message([2, 0, 0, 0], &[&www(), &www()])),
            ("a question is missing", message([1, 0, 0, 0], &[])),
            ("half of the question is missing", message([1, 0, 0, 0], &[&www()[..10]])),
            ("an answer is missing", message([1, 1, 0, 0], &[&www()])),
            ("a record is missing", message([1, 0, 0, 2], &[&www(), &edns])),
            ("all counts are as high as can be", message([1, 65_535, 65_535, 65_535], &[&www(), &edns])),
            ("RDATA is cut off", message([1, 0, 0, 1], &[&www(), &record(&[0], 1, 1, 0, b"abcd")[..14]])),
        ],
    );
    let extra = record(b"\xc0\x0c", 1, 1, 0, b"abcd");
    table(
        Rcode::NoError,
        &[
            ("a record where nobody needs one", message([1, 1, 1, 1], &[&www(), &extra, &extra, &extra])),
            ("a record before the OPT", message([1, 0, 0, 2], &[&www(), &extra, &edns])),
            ("a record behind the OPT", message([1, 0, 0, 2], &[&www(), &edns, &extra])),
        ],
    );
}

#[test]
fn rfc6891_s6_1_1_one_opt_at_the_root_in_the_additional_section() {
    let edns = opt(1232, 0, &[]);
    table(
        Rcode::FormErr,
        &[
            ("two", message([1, 0, 0, 2], &[&www(), &edns, &edns])),
            ("two, not side by side", message([1, 0, 0, 3], &[&www(), &edns, &record(&[0], 1, 1, 0, b"abcd"), &edns])),
            ("in the answer section", message([1, 1, 0, 0], &[&www(), &edns])),
            ("in the authority section", message([1, 0, 1, 0], &[&www(), &edns])),
            ("in the answer section too", message([1, 1, 0, 1], &[&www(), &edns, &edns])),
            ("of another name", message([1, 0, 0, 1], &[&www(), b"\x01a", &edns])),
            ("of the question's name", message([1, 0, 0, 1], &[&www(), b"\xc0\x0c", &edns[1..]])),
            ("with half an option", message([1, 0, 0, 1], &[&www(), &opt(1232, 0, &[(3, b"abcd")])[..17]])),
            ("version 1 is no excuse", message([1, 0, 0, 2], &[&www(), &opt(1232, 1 << 16, &[]), &edns])),
        ],
    );
    table(Rcode::NoError, &[("the root through a pointer", message([1, 0, 0, 1], &[&www(), b"\xc0\x19", &edns[1..]]))]);
    table(Rcode::BadVers, &[("version 1", message([1, 0, 0, 1], &[&www(), &opt(1232, 1 << 16, &[])]))]);
}

#[test]
fn what_is_no_query_gets_no_reply() {
    assert_eq!(rcode(&[]), None);
    assert_eq!(rcode(&message([1, 0, 0, 0], &[])[..11]), None);
    for flags in [0x8000, 0x8180, 0xf800, 0xffff] {
        assert_eq!(rcode(&[header(flags, [1, 0, 0, 0]), www()].concat()), None, "{flags:x}");
    }
}

#[test]
fn other_flags_of_a_query_change_nothing() {
    for flags in [0x0000, 0x0400, 0x0200, 0x0080, 0x0070, 0x000f, 0x07ff] {
        assert_eq!(rcode(&[header(flags, [1, 0, 0, 0]), www()].concat()), Some(Rcode::NoError), "{flags:x}");
    }
}
