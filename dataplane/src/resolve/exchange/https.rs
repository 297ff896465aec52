//! DNS over HTTPS (RFC 8484) over HTTP/2: POST, one stream per question, the id 0.
//!
//! hyper as it is, and not hickory's client over the same h2: that one parses each reply and would have us write it anew, and
//! reads bodies of any length.

use super::{
    ExchangeError, Trust, error,
    pool::{Connect, Link},
    reply::{self, MAX_MESSAGE},
    tls::{self, Tls},
};
use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::net::SocketAddr;

/// What questions and replies are in HTTP (RFC 8484 §6).
const MESSAGE: &str = "application/dns-message";
/// What HTTPS has when a URL does not say.
const PORT: u16 = 443;

/// How connections to a server of DNS over HTTPS are opened.
#[derive(Debug)]
pub(super) struct Https {
    server: SocketAddr,
    target: Result<(Tls, Uri), ExchangeError>,
}

impl Https {
    pub(super) fn new(server: SocketAddr, name: &str, path: &str, trust: &Trust) -> Self {
        let tls = Tls::new(server, name, trust.https(), "HTTP/2");
        let target = tls.and_then(|tls| Ok((tls, uri(server, name, path)?)));
        Self { server, target }
    }
}

/// The URL of a server. One that has no name goes by its address.
fn uri(server: SocketAddr, name: &str, path: &str) -> Result<Uri, ExchangeError> {
    let host = match name {
        "" if server.is_ipv6() => format!("[{}]", server.ip()),
        "" => server.ip().to_string(),
        name => name.to_owned(),
    };
    let authority = if server.port() == PORT { host } else { format!("{host}:{}", server.port()) };
    let path = if path.is_empty() { "/dns-query" } else { path };
    let uri = Uri::builder().scheme("https").authority(authority.as_str()).path_and_query(path).build();
    uri.map_err(|_| ExchangeError::BadName { name: format!("https://{authority}{path}") })
}

impl Connect for Https {
    type Link = HttpsLink;

    async fn connect(&self) -> Result<HttpsLink, ExchangeError> {
        let (tls, uri) = self.target.as_ref().map_err(Clone::clone)?;
        let stream = tls.handshake(tls::connect(self.server).await?).await?;
        if stream.get_ref().1.alpn_protocol() != Some(b"h2") {
            return Err(ExchangeError::Protocol { server: self.server, protocol: "HTTP/2" });
        }
        let mut builder = http2::Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).max_header_list_size(16 << 10);
        let opened = builder.handshake(TokioIo::new(stream)).await;
        let (requests, connection) = opened.map_err(|error| ExchangeError::lost(error::text(&error)))?;
        // It ends when the link is dropped, and its last question with it. Whoever asked hears of its errors.
        tokio::spawn(connection);
        Ok(HttpsLink { requests, uri: uri.clone() })
    }
}

/// An HTTP/2 connection.
#[derive(Debug)]
pub(super) struct HttpsLink {
    requests: SendRequest<Full<Bytes>>,
    uri: Uri,
}

impl Link for HttpsLink {
    async fn ask(&self, query: &[u8]) -> Result<Vec<u8>, ExchangeError> {
        let lost = |error: hyper::Error| ExchangeError::lost(error::text(&error));
        let mut request = Request::post(self.uri.clone())
            .header(header::CONTENT_TYPE, MESSAGE)
            .header(header::ACCEPT, MESSAGE)
            .body(Full::from(reply::with_id(query, [0, 0])))
            .map_err(|_| ExchangeError::BadName { name: self.uri.to_string() })?;
        *request.version_mut() = http::Version::HTTP_2;
        let mut requests = self.requests.clone();
        requests.ready().await.map_err(lost)?;
        let response = requests.send_request(request).await.map_err(lost)?;
        if !response.status().is_success() {
            return Err(ExchangeError::Status { status: response.status().as_u16() });
        }
        let kind = response.headers().get(header::CONTENT_TYPE).map_or(b"nothing".as_slice(), |kind| kind.as_bytes());
        if !is_message(kind) {
            let found = String::from_utf8_lossy(kind).chars().filter(|letter| !letter.is_control()).take(80).collect();
            return Err(ExchangeError::ContentType { found });
        }
        let body = Limited::new(response.into_body(), MAX_MESSAGE).collect().await.map_err(|error| {
            if error.is::<LengthLimitError>() {
                ExchangeError::TooLong
            } else {
                ExchangeError::lost(error::text(&*error))
            }
        })?;
        Ok(body.to_bytes().into())
    }

    fn is_open(&self) -> bool {
        !self.requests.is_closed()
    }
}

/// Whether a body of this type is a DNS message; parameters do not matter.
fn is_message(kind: &[u8]) -> bool {
    let kind = kind.split(|octet| *octet == b';').next().unwrap_or_default();
    kind.trim_ascii().eq_ignore_ascii_case(MESSAGE.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc8484_s4_1_a_url_has_the_configured_name_or_else_the_address() {
        let table = [
            ("192.0.2.1:443", "dns.example", "/dns-query", "https://dns.example/dns-query"),
            ("192.0.2.1:8443", "dns.example", "", "https://dns.example:8443/dns-query"),
            ("192.0.2.1:443", "", "/q", "https://192.0.2.1/q"),
            ("[2001:db8::1]:443", "", "/q", "https://[2001:db8::1]/q"),
        ];
        for (server, name, path, expected) in table {
            let uri = uri(server.parse().unwrap(), name, path).unwrap();
            assert_eq!(uri.to_string(), expected);
        }
        assert!(uri("192.0.2.1:443".parse().unwrap(), "dns example", "/q").is_err());
    }

    #[test]
    fn a_content_type_may_have_parameters() {
        assert!(is_message(b"Application/DNS-Message; charset=x"));
        assert!(!is_message(b"application/dns-json"));
        assert!(!is_message(b"text/html"));
    }
}
