//! From a request to the query in it, or to the status that says why there is none (RFC 8484 §4.1).

use http::{HeaderMap, Method, StatusCode, Uri, header::CONTENT_TYPE};

/// RFC 8484 §6.
pub(super) const MEDIA_TYPE: &str = "application/dns-message";
/// What may be done here.
pub(super) const METHODS: &str = "GET, POST";
/// Octets of a query: what a DNS message can have.
pub(super) const MAX_QUERY: usize = u16::MAX as usize;

/// Where the query is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// It was in the URL.
    Here(Vec<u8>),
    InBody,
}

/// Why a request gets no DNS message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("there is nothing at this path")]
    Path,
    #[error("this method is not for DNS queries; use GET or POST")]
    Method,
    #[error("the URL has no query: GET needs ?dns= with the message in base64url")]
    NoParameter,
    #[error("the parameter `dns` is not base64url without padding")]
    Encoding,
    #[error("the content type must be application/dns-message")]
    MediaType,
    #[error("a DNS message has at most 65535 octets")]
    TooLarge,
    #[error("the content could not be read")]
    Body,
    #[error("the content took too long to come")]
    Slow,
    #[error("the content is not a DNS query")]
    NotAQuery,
    #[error("there is no answer at the moment")]
    NoAnswer,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Path => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NoParameter | Self::Encoding | Self::Body | Self::NotAQuery => StatusCode::BAD_REQUEST,
            Self::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::NoAnswer => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Looks at everything but the content.
pub(super) fn asked(method: &Method, uri: &Uri, headers: &HeaderMap, path: &str) -> Result<Asked, Refusal> {
    if uri.path() != path {
        return Err(Refusal::Path);
    }
    match *method {
        Method::GET => {
            let parameters = uri.query().unwrap_or_default().split('&');
            let message = parameters.filter_map(|parameter| parameter.strip_prefix("dns=")).next();
            // A URL is shorter than 64 KiB, and so is what it holds.
            decode(message.ok_or(Refusal::NoParameter)?).map(Asked::Here).ok_or(Refusal::Encoding)
        }
        Method::POST => {
            let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
            // Parameters, which this type does not have, change nothing.
            let given = given.split(';').next().unwrap_or_default().trim();
            if given.eq_ignore_ascii_case(MEDIA_TYPE) { Ok(Asked::InBody) } else { Err(Refusal::MediaType) }
        }
        _ => Err(Refusal::Method),
    }
}

/// base64url without padding (RFC 4648 §5, RFC 8484 §6).
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut octets = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for group in text.as_bytes().chunks(4) {
        let mut bits = 0;
        for letter in group {
            let value = match letter {
                b'A'..=b'Z' => letter - b'A',
                b'a'..=b'z' => letter - b'a' + 26,
                b'0'..=b'9' => letter - b'0' + 52,
                b'-' => 62,
                b'_' => 63,
                _ => return None,
            };
            bits = bits << 6 | u32::from(value);
        }
        // Two letters are one octet and four bits to spare, three are two octets and two bits.
        let whole = match group.len() {
            1 => return None,
            letters => letters - 1,
        };
        let spare = group.len() * 6 - whole * 8;
        octets.extend_from_slice(&(bits >> spare << (8 * (4 - whole))).to_be_bytes()[..whole]);
    }
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc4648_s5_letters_become_octets() {
        for (text, octets) in [
            ("", Some(&b""[..])),
            ("Zg", Some(b"f")),
            ("Zm8", Some(b"fo")),
            ("Zm9v", Some(b"foo")),
            ("-_-_", Some(b"\xfb\xff\xbf")),
        ] {
            assert_eq!(decode(text).as_deref(), octets, "{text}");
        }
        assert_eq!(decode("Zm9vYmFy").as_deref(), Some(&b"foobar"[..]));
        for text in ["Z", "Zg==", "Zm9v\n", "+/+/", "Zm9vY", "Zé"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }

    #[test]
    fn rfc8484_s4_1_what_is_no_query_gets_the_status_that_says_why() {
        let get = |uri: &str| asked(&Method::GET, &uri.parse().expect("a URI"), &HeaderMap::new(), "/dns-query");
        assert_eq!(get("/dns-query?dns=Zm9v"), Ok(Asked::Here(b"foo".to_vec())));
        assert_eq!(get("https://ns1.example/dns-query?x=1&dns=Zm9v&y"), Ok(Asked::Here(b"foo".to_vec())));
        for (uri, status) in [
            ("/", 404),
            ("/dns-query/?dns=Zm9v", 404),
            ("/dns-query", 400),
            ("/dns-query?DNS=Zm9v", 400),
            ("/dns-query?dns=Zm9v=", 400),
        ] {
            assert_eq!(get(uri).expect_err(uri).status(), status, "{uri}");
        }
        let other = |method, kind: &str| {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, kind.parse().expect("a value"))]);
            asked(&method, &"/dns-query".parse().expect("a URI"), &headers, "/dns-query")
        };
        assert_eq!(other(Method::POST, "application/dns-message"), Ok(Asked::InBody));
        assert_eq!(other(Method::POST, "Application/DNS-Message; x=y"), Ok(Asked::InBody));
        assert_eq!(other(Method::POST, "application/json"), Err(Refusal::MediaType));
        for method in [Method::HEAD, Method::OPTIONS, Method::PUT] {
            assert_eq!(other(method, "application/dns-message"), Err(Refusal::Method));
        }
    }
}
