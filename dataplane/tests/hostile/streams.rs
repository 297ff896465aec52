//! A TCP stream yields the same messages however it is cut into pieces, and the stream of replies fits it.

use super::{replies::COOKIES, walk::walk, world};
use dnsplane_dns::{
    Asker, Known, Outcome, Transport, answer,
    listen::framing::{PREFIX, next_message},
};
use std::net::{IpAddr, Ipv4Addr};

/// No message needs a longer buffer.
const BUFFER: usize = PREFIX + 65_535;

/// The first octet chooses the sizes of the pieces, the rest is the stream.
pub(crate) fn check(input: &[u8]) {
    let Some((cut, stream)) = input.split_first() else { return };
    let whole = messages(stream, |_| stream.len().max(1));
    let step = usize::from(cut & 0x3f);
    let pieces = messages(stream, |number| if cut & 0x40 == 0 { step + 1 } else { 1 + (number * 7 + step) % 61 });
    assert_eq!(pieces, whole);
    let used: usize = whole.iter().map(|message| PREFIX + message.len()).sum();
    assert!(used <= stream.len());
    let rest = &stream[used..];
    let missing = rest.len() < PREFIX || rest.len() < PREFIX + (usize::from(rest[0]) << 8 | usize::from(rest[1]));
    assert!(missing, "a whole message was left behind");
    let replies = replies(&whole);
    assert!(replies.len() <= whole.len());
    for (reply, message) in replies.iter().zip(&whole) {
        assert_eq!(reply[..2], message[..2], "replies come in the order of their queries");
        walk(reply);
    }
}

/// Reads the stream as a connection does: as much as there is room for, then every message that is there.
fn messages(stream: &[u8], size: impl Fn(usize) -> usize) -> Vec<Vec<u8>> {
    let (mut buffer, mut messages, mut rest) = (Vec::new(), Vec::new(), stream);
    for number in 0.. {
        let room = BUFFER - buffer.len();
        assert!(room > 0, "a full buffer that holds no message");
        let (piece, after) = rest.split_at(size(number).min(room).min(rest.len()));
        if piece.is_empty() {
            break;
        }
        rest = after;
        buffer.extend_from_slice(piece);
        let mut used = 0;
        while let Some(message) = next_message(&buffer[used..]) {
            assert_eq!(message.as_ptr(), buffer[used + PREFIX..].as_ptr(), "the message is right behind its length");
            messages.push(message.to_vec());
            used += PREFIX + message.len();
        }
        buffer.drain(..used);
    }
    messages
}

/// What a connection would write: all replies in one buffer, up to the first message that is no query.
fn replies(messages: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 99));
    let asker =
        Asker { transport: Transport::Tcp, address, now: world::NOW, cookies: &COOKIES, known: Known::default() };
    let mut write = Vec::new();
    // A short stream can ask for a large record set again and again; a connection writes before that is much.
    for message in messages.iter().take(64) {
        let start = write.len();
        write.extend_from_slice(&[0; PREFIX]);
        if answer(message, &asker, world::rich(), &mut write) == Outcome::Dropped {
            write.truncate(start);
            break;
        }
        let length = u16::try_from(write.len() - start - PREFIX).expect("a reply that a length can say");
        write[start..start + PREFIX].copy_from_slice(&length.to_be_bytes());
    }
    let (mut replies, mut rest) = (Vec::new(), &write[..]);
    while let Some(reply) = next_message(rest) {
        replies.push(reply.to_vec());
        rest = &rest[PREFIX + reply.len()..];
    }
    assert!(rest.is_empty(), "octets behind the last reply");
    replies
}
