//! HTTP/1.1 as far as these tests need it.
//!
//! A client crate would bring more than this asks for, and hides what matters here: whether a request that failed was
//! sent, and when its reply arrived.

use serde_json::Value;
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Longest wait for any part of a reply.
const LIMIT: Duration = Duration::from_secs(30);

/// A connection that stays open between requests.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<TcpStream>,
}

/// What came back.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Status code.
    pub status: u16,
    /// Body, as text.
    pub body: String,
}

impl Reply {
    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("not JSON ({error}): {self:?}"))
    }
}

/// One request on a connection of its own.
pub fn request(address: SocketAddr, method: &str, path: &str, body: Option<&Value>) -> io::Result<Reply> {
    Connection::open(address)?.request(method, path, body)
}

impl Connection {
    /// Connects.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, LIMIT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        Ok(Self { stream: BufReader::new(stream) })
    }

    /// Sends a request and reads its reply.
    pub fn request(&mut self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Reply> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.stream.get_mut().write_all((head + &body).as_bytes())?;
        let status_line = self.line()?;
        let status = status_line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| invalid(format!("not a status line: {status_line:?}")))?;
        let mut length = None;
        let mut chunked = false;
        loop {
            let header = self.line()?.to_ascii_lowercase();
            match header.split_once(':') {
                _ if header.is_empty() => break,
                Some(("content-length", value)) => length = value.trim().parse().ok(),
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                _ => {}
            }
        }
        let body = match length {
            _ if method == "HEAD" => Vec::new(),
            _ if chunked => self.chunks()?,
            Some(length) => self.bytes(length)?,
            None => return Err(invalid(format!("a reply without a length: {status_line}"))),
        };
        Ok(Reply { status, body: String::from_utf8_lossy(&body).into_owned() })
    }

    /// One line, without its end.
    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        if self.stream.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.stream.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// A body in chunks (RFC 9112 §7.1); trailers are not used by anybody here.
    fn chunks(&mut self) -> io::Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let length = usize::from_str_radix(line.split(';').next().unwrap_or_default().trim(), 16)
                .map_err(|_| invalid(format!("not a chunk length: {line:?}")))?;
            body.extend(self.bytes(length)?);
            self.line()?;
            if length == 0 {
                return Ok(body);
            }
        }
    }
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use std::{net::TcpListener, thread};

    /// Answers each request on one connection with the next of these texts; returns what it read.
    fn server(replies: &'static [&'static str]) -> (SocketAddr, thread::JoinHandle<Vec<String>>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            replies
                .iter()
                .map(|reply| {
                    let mut buffer = [0; 1024];
                    let length = stream.read(&mut buffer).unwrap();
                    stream.write_all(reply.as_bytes()).unwrap();
                    String::from_utf8_lossy(&buffer[..length]).into_owned()
                })
                .collect()
        });
        (address, thread)
    }

    #[test]
    fn replies_with_a_length_and_in_chunks_are_read_to_their_end() {
        let (address, thread) = server(&[
            "HTTP/1.1 201 Created\r\nContent-Length: 9\r\n\r\n{\"a\": 1}\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n[1,\r\n2\r\n2]\r\n0\r\n\r\n",
        ]);
        let mut connection = Connection::open(address).unwrap();
        let first = connection.request("POST", "/x", Some(&json!({"k": "v"}))).unwrap();
        assert_eq!((first.status, first.json()), (201, json!({"a": 1})));
        let second = connection.request("GET", "/y", None).unwrap();
        assert_eq!((second.status, second.json()), (200, json!([1, 2])));
        let requests = thread.join().unwrap();
        assert!(requests[0].starts_with("POST /x HTTP/1.1\r\n"), "{requests:?}");
        assert!(requests[0].ends_with("Content-Length: 9\r\n\r\n{\"k\":\"v\"}"), "{requests:?}");
    }

    #[test]
    fn a_connection_that_closes_early_is_an_error() {
        let (address, thread) = server(&["HTTP/1.1 200 OK\r\nContent-Length: 90\r\n\r\nshort"]);
        assert!(request(address, "GET", "/", None).is_err());
        thread.join().unwrap();
    }
}
