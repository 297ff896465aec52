//! What may go wrong between us and a server, in words for whoever runs it: they are what status shows.

use rustls::{CertificateError, Error as TlsError};
use std::{error::Error, io, net::SocketAddr, sync::Arc};

/// Why a server gave no reply. One failure may be many callers', so it is cheap to clone.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The caller's time was over.
    #[error("no reply in time")]
    Late,
    /// There are as many questions under way as one server is asked at once.
    #[error("too many questions are under way")]
    Busy,
    /// No connection.
    #[error("cannot connect to {server}")]
    Connect {
        /// Where.
        server: SocketAddr,
        /// Why.
        source: Arc<io::Error>,
    },
    /// The server proved to be another one than we wanted.
    #[error("the certificate of {server} is for {}, not for {wanted}", listed(presented))]
    OtherName {
        /// Where.
        server: SocketAddr,
        /// Whom we wanted.
        wanted: String,
        /// Whom it is for.
        presented: Vec<String>,
    },
    /// The certificate is no good for another reason.
    #[error("the certificate of {server} cannot be believed: {why}")]
    Certificate {
        /// Where.
        server: SocketAddr,
        /// Why.
        why: String,
    },
    /// The configured name is none that a certificate could be for.
    #[error("`{name}` is not a name that a certificate can be for")]
    BadName {
        /// What was configured.
        name: String,
    },
    /// No agreement on how to talk.
    #[error("{server} does not speak {protocol}")]
    Protocol {
        /// Where.
        server: SocketAddr,
        /// What we offered.
        protocol: &'static str,
    },
    /// The connection ended before the reply came.
    #[error("the connection ended before the reply came: {why}")]
    Lost {
        /// What is known of it.
        why: Arc<str>,
    },
    /// HTTP says that there is no reply.
    #[error("the server answered with HTTP status {status}")]
    Status {
        /// 404, 500, …
        status: u16,
    },
    /// The body is not a DNS message.
    #[error("the server sent `{found}` instead of application/dns-message")]
    ContentType {
        /// What it is said to be.
        found: String,
    },
    /// More than a message can have.
    #[error("the reply is longer than 65,535 octets")]
    TooLong,
    /// What came back is no reply to what was asked.
    #[error("the reply does not belong to the question")]
    OtherQuestion,
    /// What we were to send is not a query of one question.
    #[error("the query has not exactly one question, or is too long")]
    BadQuery,
}

impl ExchangeError {
    /// A connection ended.
    pub(super) fn lost(why: impl AsRef<str>) -> Self {
        Self::Lost { why: why.as_ref().into() }
    }

    /// A handshake of TLS over a stream failed.
    pub(super) fn of_handshake(server: SocketAddr, protocol: &'static str, error: io::Error) -> Self {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()).cloned();
        match tls {
            Some(tls) => Self::of_tls(server, protocol, tls),
            None => Self::Connect { server, source: Arc::new(error) },
        }
    }

    /// What TLS found wrong.
    pub(super) fn of_tls(server: SocketAddr, protocol: &'static str, error: TlsError) -> Self {
        match error {
            TlsError::InvalidCertificate(CertificateError::NotValidForNameContext { expected, presented }) => {
                Self::OtherName {
                    server,
                    wanted: expected.to_str().into_owned(),
                    presented: presented.iter().map(|name| plain(name)).collect(),
                }
            }
            TlsError::InvalidCertificate(error) => Self::Certificate { server, why: error.to_string() },
            TlsError::AlertReceived(rustls::AlertDescription::NoApplicationProtocol) => {
                Self::Protocol { server, protocol }
            }
            other => Self::Connect { server, source: Arc::new(io::Error::other(other)) },
        }
    }
}

/// An error and its causes as text, for those that we keep no type of.
pub(super) fn text(error: &dyn Error) -> String {
    crate::chain(error)
}

/// Names of a certificate for people, few enough for one line.
fn listed(names: &[String]) -> String {
    const SHOWN: usize = 3;
    let shown = names.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len() {
        0 => "nobody".to_owned(),
        more if more > SHOWN => format!("{shown} and {} others", more - SHOWN),
        _ => shown,
    }
}

/// rustls shows names as `DnsName("dns.example")` and `IpAddress(192.0.2.1)`; ours are for people. What a stranger put into
/// its certificate is cut to what a name can have.
fn plain(name: &str) -> String {
    let inner = name.split_once('(').map_or(name, |(_, rest)| rest.trim_end_matches(')'));
    inner.trim_matches('"').chars().filter(|letter| !letter.is_control()).take(255).collect()
}
