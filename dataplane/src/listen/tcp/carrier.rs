//! What carries a connection: a TCP stream, or TLS in one.

use crate::listen::framing::PREFIX;
use std::io::{self, BufRead};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    net::TcpStream,
};
use tokio_rustls::server::TlsStream;

/// A read buffer holds one message of the largest size, or many usual ones.
const READ_BUFFER: usize = PREFIX + u16::MAX as usize;
/// Room for further queries before a read.
pub(super) const READ_AHEAD: usize = 16 << 10;

/// What a connection needs of what carries it.
pub(in crate::listen) trait Carrier: AsyncRead + AsyncWrite + Unpin + Send {
    /// Moves what has arrived, and was not handed out by the read before, to the end of `read`: up to `room` octets.
    fn take_arrived(&mut self, read: &mut Vec<u8>, room: usize);
}

impl Carrier for TcpStream {
    fn take_arrived(&mut self, _: &mut Vec<u8>, _: usize) {}
}

impl Carrier for TlsStream<TcpStream> {
    /// A read hands out the content of one TLS record. Clients make one of each query, and many arrive at once.
    fn take_arrived(&mut self, read: &mut Vec<u8>, room: usize) {
        let mut reader = self.get_mut().1.reader();
        let most = read.len() + room;
        while let Ok(record) = reader.fill_buf() {
            let taken = record.len().min(most - read.len());
            if taken == 0 {
                break;
            }
            read.extend_from_slice(&record[..taken]);
            reader.consume(taken);
        }
    }
}

/// Reads once, and takes everything that came with it.
pub(super) async fn read_from<S: Carrier>(stream: &mut S, read: &mut Vec<u8>) -> io::Result<usize> {
    let room = READ_BUFFER - read.len();
    read.reserve(room.min(READ_AHEAD));
    let octets = (&mut *stream).take(room as u64).read_buf(read).await?;
    stream.take_arrived(read, room - octets);
    Ok(octets)
}
