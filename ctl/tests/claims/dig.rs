//! Claims about `tools dig`, made with the real binary and a DNS server of a few lines.

use crate::support::{Ran, ctl, finish};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, UdpSocket},
    thread,
    time::Instant,
};

/// Octets of the question section, which starts after the header (RFC 1035 §4.1.2).
fn question(query: &[u8]) -> &[u8] {
    let mut at = 12;
    while query[at] != 0 {
        at += usize::from(query[at]) + 1;
    }
    &query[12..at + 5]
}

fn reply(query: &[u8], flags: [u8; 2], answers: &[&[u8]]) -> Vec<u8> {
    let count = u16::try_from(answers.len()).unwrap().to_be_bytes();
    let header = [&query[..2], &flags, &[0, 1], &count, &[0; 4]].concat();
    [&header[..], question(query), &answers.concat()].concat()
}

const A: &[u8] = &[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 7];
const TXT: &[u8] = &[0xc0, 12, 0, 16, 0, 1, 0, 0, 0, 60, 0, 6, 2, b'a', b'"', 2, b'b', b'c'];

/// A port that is free for both: the one that UDP is given may have a TCP connection of somebody else on it.
fn sockets() -> (UdpSocket, TcpListener) {
    let pair = || {
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = TcpListener::bind(udp.local_addr().unwrap());
        tcp.map(|tcp| (udp, tcp))
    };
    (0..100).find_map(|_| pair().ok()).expect("one of a hundred ports is free for UDP and TCP")
}

/// Answers by the first letter of the name.
fn server() -> SocketAddr {
    let (udp, tcp) = sockets();
    let address = udp.local_addr().unwrap();
    let start = Instant::now();
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        loop {
            let (length, client) = udp.recv_from(&mut buffer).unwrap();
            let query = &buffer[..length];
            let message = match query[13] {
                b'n' => reply(query, [0x85, 0x03], &[]),
                b'r' => reply(query, [0x81, 0x05], &[]),
                b't' => reply(query, [0x87, 0x00], &[]),
                b's' => reply(query, [0x85, 0x00], &[TXT]),
                b'l' if start.elapsed().as_millis() < 300 => reply(query, [0x85, 0x03], &[]),
                b'f' => {
                    let mut forged = reply(query, [0x85, 0x05], &[]);
                    forged[0] ^= 0xff;
                    udp.send_to(&forged, client).unwrap();
                    udp.send_to(b"junk", client).unwrap();
                    reply(query, [0x85, 0x00], &[A])
                }
                _ => reply(query, [0x85, 0x00], &[A]),
            };
            udp.send_to(&message, client).unwrap();
        }
    });
    thread::spawn(move || {
        for stream in tcp.incoming() {
            let mut stream = stream.unwrap();
            let mut length = [0; 2];
            stream.read_exact(&mut length).unwrap();
            let mut query = vec![0; usize::from(u16::from_be_bytes(length))];
            stream.read_exact(&mut query).unwrap();
            let message = reply(&query, [0x85, 0x00], &[A, A]);
            stream.write_all(&u16::try_from(message.len()).unwrap().to_be_bytes()).unwrap();
            stream.write_all(&message).unwrap();
        }
    });
    address
}

fn dig(server: SocketAddr, words: &[&str]) -> Ran {
    finish(ctl().args(["tools", "dig"]).args(words).arg(format!("@{server}")))
}

#[test]
fn an_answer_is_shown_with_how_it_came() {
    let ran = dig(server(), &["www.example"]);
    assert_eq!((ran.code, ran.err.as_str()), (0, ""));
    for word in ["www.example.", "60", "A", "192.0.2.7", "NOERROR, 1 answer (aa rd)", "over UDP"] {
        assert!(ran.out.contains(word), "`{word}` in {}", ran.out);
    }
    assert_eq!(dig(server(), &["--short", "www.example"]).out, "192.0.2.7\n");
    assert_eq!(dig(server(), &["--short", "TXT", "strings.example"]).out, "\"a\\\"\" \"bc\"\n");
}

#[test]
fn json_holds_the_whole_message() {
    let ran = dig(server(), &["--json", "www.example", "a"]);
    let value: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(value["rcode"], "NOERROR");
    assert_eq!(value["question"]["type"], "A");
    assert_eq!(value["answers"][0]["value"], "192.0.2.7");
    assert_eq!(value["flags"], serde_json::json!(["aa", "rd"]));
}

#[test]
fn a_name_that_does_not_exist_is_an_answer_and_a_refusal_is_not() {
    let absent = dig(server(), &["nothing.example"]);
    assert_eq!(absent.code, 0);
    assert!(absent.out.contains("NXDOMAIN, no answers"), "{}", absent.out);
    let refused = dig(server(), &["refused.example"]);
    assert_eq!(refused.code, 1);
    assert!(refused.out.contains("REFUSED"), "{}", refused.out);
}

#[test]
fn rfc7766_s5_a_truncated_reply_is_asked_for_again_over_tcp() {
    let ran = dig(server(), &["truncated.example"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("2 answers") && ran.out.contains("over TCP"), "{}", ran.out);
}

#[test]
fn rfc5452_s9_replies_to_other_questions_are_passed_over() {
    assert_eq!(dig(server(), &["--short", "forged.example"]).out, "192.0.2.7\n");
}

#[test]
fn until_waits_for_the_value_and_gives_up_with_what_it_saw() {
    let server = server();
    assert_eq!(dig(server, &["--short", "--until", "192.0.2.7", "later.example"]).out, "192.0.2.7\n");
    let ran = dig(server, &["--until", "192.0.2.8", "--within", "1", "www.example"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("last seen: NOERROR, 1 answer"), "{}", ran.err);
}

#[test]
fn a_server_that_is_not_there_is_a_sentence() {
    let gone = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = dig(gone, &["www.example"]);
    assert_eq!(ran.code, 3);
    assert!(ran.err.contains("nothing listens there"), "{}", ran.err);
}

#[test]
fn without_a_server_the_node_is_asked_where_it_answers() {
    let node = crate::support::Node::start();
    let ran = node.run(&["tools", "dig", "www.example"]);
    assert!(ran.err.contains("127.0.0.1:9"), "{}", ran.err);
    assert_eq!(ran.code, 3);
}
