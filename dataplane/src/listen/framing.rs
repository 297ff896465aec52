//! Messages in a stream: each has its length in front (RFC 1035 §4.2.2). No socket, so that the fuzzer can have it.

/// Octets of the length in front of each message.
pub const PREFIX: usize = 2;

/// The first message of the buffer, if all of it is there.
pub fn next_message(buffer: &[u8]) -> Option<&[u8]> {
    let (length, rest) = buffer.split_first_chunk::<PREFIX>()?;
    rest.get(..usize::from(u16::from_be_bytes(*length)))
}
