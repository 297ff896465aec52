//! A web server with one block list on it, that counts how it is asked.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// How long a silent client is listened to.
const LIMIT: Duration = Duration::from_secs(10);

/// The server; it stops when dropped.
#[derive(Debug)]
pub struct ListServer {
    address: SocketAddr,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    page: Mutex<Page>,
    asked: Mutex<Asked>,
    stop: AtomicBool,
}

/// What it serves.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Such as `200 OK`.
    pub status: String,
    /// Such as `text/plain`.
    pub kind: String,
    /// What it calls this version.
    pub etag: String,
    /// The list.
    pub body: String,
}

/// How it was asked, and what it said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// Requests in all.
    pub requests: usize,
    /// Those that were told that nothing has changed.
    pub unchanged: usize,
}

impl Page {
    /// A list that is there.
    pub fn list(etag: &str, body: &str) -> Self {
        Self {
            status: "200 OK".to_owned(),
            kind: "text/plain".to_owned(),
            etag: etag.to_owned(),
            body: body.to_owned(),
        }
    }
}

impl ListServer {
    /// Starts with this page.
    pub fn start(page: Page) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        *lock(&shared.page) = page;
        let serving = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.stop.load(Ordering::Relaxed) {
                    return;
                }
                // Who hangs up has no answer.
                let _ = stream.and_then(|stream| serving.answer(stream));
            }
        });
        Self { address, shared, thread: Some(thread) }
    }

    /// Its list.
    pub fn url(&self) -> String {
        format!("http://{}/list.txt", self.address)
    }

    /// From now on it serves this.
    pub fn serve(&self, page: Page) {
        *lock(&self.shared.page) = page;
    }

    /// How it was asked so far.
    pub fn asked(&self) -> Asked {
        *lock(&self.shared.asked)
    }
}

impl Drop for ListServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes it; if that fails it is gone already.
        let _ = TcpStream::connect(self.address);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

impl Shared {
    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(LIMIT))?;
        let mut known = String::new();
        for line in BufReader::new(&stream).lines() {
            let line = line?.to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(etag) = line.strip_prefix("if-none-match:") {
                known = etag.trim().to_owned();
            }
        }
        let Page { status, kind, etag, body } = lock(&self.page).clone();
        let unchanged = !etag.is_empty() && known == etag && status.starts_with("200");
        {
            let mut asked = lock(&self.asked);
            asked.requests += 1;
            asked.unchanged += usize::from(unchanged);
        }
        if unchanged {
            return write!(stream, "HTTP/1.1 304 Not Modified\r\nETag: {etag}\r\nConnection: close\r\n\r\n");
        }
        let etag = if etag.is_empty() { String::new() } else { format!("ETag: {etag}\r\n") };
        let length = body.len();
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{etag}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
