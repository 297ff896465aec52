//! DNS over HTTPS (RFC 8484): GET and POST, HTTP/1.1 and 2. Nothing else is served here.

mod freshness;
mod request;

use super::{
    desk::{Desk, NoReply},
    places::Place,
    tcp, tls,
};
use crate::answer::Transport;
use bytes::Bytes;
use http::{
    Method, Request, Response, StatusCode,
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use request::{Asked, Refusal};
use rustls::ServerConfig;
use std::{
    convert::Infallible,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    },
};
use tokio::{
    net::{TcpListener, TcpStream},
    time::{Instant, sleep_until, timeout},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

/// HTTP/2, and 1.1 for who does not know it.
pub(super) const ALPN: &[&[u8]] = &[b"h2", b"http/1.1"];
/// Requests of one connection at a time. Each may hold a query and a reply of the largest size.
const MAX_STREAMS: u32 = 100;
/// Octets of a request's header, and of what is read ahead. A query in a URL takes a few hundred.
const MAX_HEADER: usize = 16 << 10;

/// Accepts connections until `stop`.
pub(super) async fn serve(
    listener: TcpListener,
    config: Arc<ServerConfig>,
    path: Arc<str>,
    desk: Arc<Desk>,
    stop: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(config);
    while let Some((stream, place)) = tcp::accept(&listener, &desk, &stop).await {
        desk.counters.doh_connections.add(1);
        let (acceptor, stop) = (acceptor.clone(), stop.clone());
        let visit = Visit {
            desk: desk.clone(),
            place,
            path: path.clone(),
            asked: AtomicU64::new(0),
            open: AtomicUsize::new(0),
        };
        desk.tasks.spawn(async move {
            let stream = tls::handshake(stream, &acceptor, &visit.place, &visit.desk, &stop).await;
            if let Some(stream) = stream {
                Arc::new(visit).serve(stream, &stop).await;
            }
        });
    }
}

/// One connection.
struct Visit {
    desk: Arc<Desk>,
    place: Place,
    path: Arc<str>,
    /// Requests so far.
    asked: AtomicU64,
    /// Requests without a response yet.
    open: AtomicUsize,
}

impl Visit {
    /// Until it was idle for a while, which is looked at once in such a while.
    async fn serve(self: Arc<Self>, stream: TlsStream<TcpStream>, stop: &CancellationToken) {
        let patience = self.desk.patience;
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(patience.idle).max_buf_size(MAX_HEADER);
        builder.http2().timer(TokioTimer::new()).max_concurrent_streams(MAX_STREAMS);
        builder.http2().max_header_list_size(MAX_HEADER as u32).max_send_buf_size(u16::MAX.into());
        let visit = self.clone();
        let service = service_fn(move |request| visit.clone().respond(request));
        let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
        let mut asked = 0;
        let mut look_at = Instant::now() + patience.idle;
        loop {
            tokio::select! {
                // What a client does wrong is its own business.
                _ = connection.as_mut() => return,
                () = self.place.wanted() => return,
                () = stop.cancelled() => break,
                () = sleep_until(look_at) => {}
            }
            let now_asked = self.asked.load(Relaxed);
            if self.open.load(Relaxed) == 0 && now_asked == asked {
                break;
            }
            (asked, look_at) = (now_asked, Instant::now() + patience.idle);
        }
        connection.as_mut().graceful_shutdown();
        let _ = timeout(patience.write.max(self.desk.longest_wait()), connection).await;
    }

    async fn respond(self: Arc<Self>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let _open = self.begin();
        let is_head = request.method() == Method::HEAD;
        Ok(match self.reply_to(request).await {
            Ok(reply) => {
                let cached = format!("max-age={}", freshness::seconds(&reply));
                let headers = [(CONTENT_TYPE, request::MEDIA_TYPE), (CACHE_CONTROL, &cached)];
                response(StatusCode::OK, &headers, reply)
            }
            Err(refusal) => {
                self.desk.counters.http_refused.add(1);
                let text = [(CONTENT_TYPE, "text/plain; charset=utf-8"), (ALLOW, request::METHODS)];
                let headers = if refusal == Refusal::Method { &text[..] } else { &text[..1] };
                let sentence = if is_head { String::new() } else { format!("{refusal}\n") };
                response(refusal.status(), headers, sentence.into_bytes())
            }
        })
    }

    async fn reply_to(&self, request: Request<Incoming>) -> Result<Vec<u8>, Refusal> {
        let (head, body) = request.into_parts();
        // Read in any case: some clients of HTTP/2 take a response that comes before they have sent everything for a fault.
        let body = timeout(self.desk.patience.idle, Limited::new(body, request::MAX_QUERY).collect()).await;
        let query = match request::asked(&head.method, &head.uri, &head.headers, &self.path)? {
            Asked::Here(query) => Bytes::from(query),
            Asked::InBody => match body {
                Ok(Ok(body)) => body.to_bytes(),
                Ok(Err(error)) if error.is::<LengthLimitError>() => return Err(Refusal::TooLarge),
                Ok(Err(_)) => return Err(Refusal::Body),
                Err(_) => return Err(Refusal::Slow),
            },
        };
        self.desk.reply_to(&query, Transport::Https, self.place.client()).await.map_err(|why| match why {
            NoReply::NotAQuery => Refusal::NotAQuery,
            NoReply::Nothing => Refusal::NoAnswer,
        })
    }

    /// One more request, until what this returns is dropped.
    fn begin(&self) -> impl Drop {
        struct Open<'a>(&'a Visit);
        impl Drop for Open<'_> {
            fn drop(&mut self) {
                if self.0.open.fetch_sub(1, Relaxed) == 1 {
                    self.0.place.used(Instant::now());
                }
            }
        }
        self.asked.fetch_add(1, Relaxed);
        self.open.fetch_add(1, Relaxed);
        // In use for as long as its reply may take.
        self.place.used(Instant::now() + self.desk.longest_wait());
        Open(self)
    }
}

fn response(status: StatusCode, headers: &[(http::HeaderName, &str)], body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    for (name, value) in headers {
        if let Ok(value) = value.parse() {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
