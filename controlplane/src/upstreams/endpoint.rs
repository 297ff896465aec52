//! A server as people write it (address, port, transport, URL, name) and as data planes are told.
//!
//! Nothing here asks a name server: a resolver that needed names to reach its upstreams would ask itself for them.

use dnsplane_proto::{Server, Way};
use reqwest::Url;
use rustls::pki_types::ServerName;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Ports by transport (RFC 1035 §4.2, RFC 7858 §3.1, RFC 8484, RFC 9250 §4.1.1).
const DNS: u16 = 53;
const ENCRYPTED: u16 = 853;
const HTTPS: u16 = 443;
/// The path of a server of DNS over HTTPS of which only the address is known.
const USUAL_PATH: &str = "/dns-query";
/// The longest URL that is taken; far above any that names a server.
const MOST_URL: usize = 1024;

/// A server as it is written; empty is the same as absent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    pub(crate) address: String,
    pub(crate) port: String,
    pub(crate) transport: String,
    pub(crate) url: String,
    pub(crate) tls_name: String,
}

/// What of a server does not do, and why; completes the sentence that begins with the key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) part: Part,
    pub(crate) why: String,
}

/// Which key of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Address,
    Port,
    Transport,
    Url,
    TlsName,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Transport {
    Udp,
    Tcp,
    Tls,
    Https,
    Quic,
}

impl Written {
    /// The server that is meant.
    pub(crate) fn understand(&self) -> Result<Server, Fault> {
        let transport = self.transport()?;
        if transport == Transport::Https {
            return self.https();
        }
        let address = self.ip()?;
        let port = match transport {
            Transport::Udp | Transport::Tcp => self.port(DNS)?,
            // Existing nodes write port 53 beside every transport and mean the usual one.
            _ => Some(self.port(ENCRYPTED)?).filter(|port| *port != DNS).unwrap_or(ENCRYPTED),
        };
        let address = SocketAddr::new(address, port);
        let (name, way) = match transport {
            Transport::Udp => (address.to_string(), Way::Udp),
            Transport::Tcp => (format!("tcp://{address}"), Way::Tcp),
            Transport::Quic => (format!("quic://{address}"), Way::Quic { name: self.tls_name()? }),
            Transport::Tls | Transport::Https => (format!("tls://{address}"), Way::Tls { name: self.tls_name()? }),
        };
        Ok(Server { name, address, way })
    }

    fn https(&self) -> Result<Server, Fault> {
        let (url, part) = self.url()?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let ip = match (is_url(&self.address), host.parse::<IpAddr>()) {
            (false, _) => self.ip()?,
            (true, Ok(ip)) => usable(ip, Part::Address)?,
            (true, Err(_)) => {
                let why = format!(
                    "is a URL with a host name: give the IP address of `{host}` as the address and the URL as `doh_url`, \
                     because a resolver cannot ask itself where it is"
                );
                return Err(Fault { part, why });
            }
        };
        let port = match (url.port(), self.port(HTTPS)?) {
            (Some(port), _) => port,
            // Existing nodes write port 53 beside every transport and mean the usual one.
            (None, DNS) => HTTPS,
            (None, port) => port,
        };
        let address = SocketAddr::new(ip, port);
        let own = self.tls_name()?;
        let named = if host.parse() == Ok(ip) { String::new() } else { host };
        let direct = named.is_empty() && (url.port_or_known_default() == Some(port));
        let name = if direct { url.to_string() } else { format!("{url} at {address}") };
        let path = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
        let name_of_certificate = if own.is_empty() { named } else { own };
        Ok(Server { name, address, way: Way::Https { name: name_of_certificate, path } })
    }

    /// The URL, and the key under which it stands.
    fn url(&self) -> Result<(Url, Part), Fault> {
        let (text, part) = match (is_url(&self.address), self.url.is_empty()) {
            (true, true) => (self.address.clone(), Part::Address),
            (true, false) => {
                return Err(fault(Part::Address, "is a URL, and `doh_url` is given as well: write an IP address here"));
            }
            (false, false) => (self.url.clone(), Part::Url),
            (false, true) => match self.ip()? {
                IpAddr::V4(ip) => (format!("https://{ip}"), Part::Url),
                IpAddr::V6(ip) => (format!("https://[{ip}]"), Part::Url),
            },
        };
        let refusal = |what: &str| Fault { part, why: format!("is `{}`{what}", text.escape_debug()) };
        if text.len() > MOST_URL {
            return Err(Fault { part, why: format!("has {} octets; a URL has at most {MOST_URL}", text.len()) });
        }
        // As providers write it: a template (RFC 8484 §3) whose variable is not for us.
        let plain = text.strip_suffix("{?dns}").unwrap_or(&text);
        let mut url = Url::parse(plain).map_err(|_| refusal("; write a URL such as https://dns.example/dns-query"))?;
        if url.scheme() != "https" {
            return Err(refusal("; DNS over HTTPS needs a URL that begins with https://"));
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(refusal("; write the URL without a user, a password or a `#`"));
        }
        if matches!(url.path(), "" | "/") && url.query().is_none() {
            url.set_path(USUAL_PATH);
        }
        Ok((url, part))
    }

    fn transport(&self) -> Result<Transport, Fault> {
        let transport = match self.transport.to_ascii_lowercase().as_str() {
            "" if is_url(&self.address) => Transport::Https,
            "" | "udp" => Transport::Udp,
            "tcp" => Transport::Tcp,
            "dot" => Transport::Tls,
            "doh" => Transport::Https,
            "doq" => Transport::Quic,
            _ => {
                let why = format!("is `{}`; write udp, tcp, dot, doh or doq", self.transport.escape_debug());
                return Err(Fault { part: Part::Transport, why });
            }
        };
        Ok(transport)
    }

    fn ip(&self) -> Result<IpAddr, Fault> {
        let text = &self.address;
        let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
        let what = match text.as_str() {
            "" => "is missing; write the IP address of the server".to_owned(),
            url if is_url(url) => "is a URL, which only the transport doh has; write an IP address".to_owned(),
            _ => format!(
                "is `{}`, which is not an IP address (names are not possible here: a resolver cannot ask itself where \
                 its servers are)",
                text.escape_debug()
            ),
        };
        usable(bare.parse().map_err(|_| Fault { part: Part::Address, why: what })?, Part::Address)
    }

    fn port(&self, default: u16) -> Result<u16, Fault> {
        let text = &self.port;
        let digits = text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            _ if text.is_empty() => Ok(default),
            Ok(port) if digits && port > 0 => Ok(port),
            _ => Err(Fault {
                part: Part::Port,
                why: format!("is `{}`, which is no port (1 to 65535)", text.escape_debug()),
            }),
        }
    }

    fn tls_name(&self) -> Result<String, Fault> {
        if !self.tls_name.is_empty() && ServerName::try_from(self.tls_name.as_str()).is_err() {
            let why = format!(
                "is `{}`; write the host name that the server's certificate has, such as dns.example",
                self.tls_name.escape_debug()
            );
            return Err(Fault { part: Part::TlsName, why });
        }
        Ok(self.tls_name.to_ascii_lowercase())
    }
}

/// Whether a node that answers at `own` would ask itself. Of a wildcard address only the loopback ones are certain: another
/// program may have a more specific one, and other addresses are not ours to know.
pub(crate) fn is_ourselves(server: &Server, own: &[SocketAddr]) -> bool {
    let (at, port) = (server.address.ip().to_canonical(), server.address.port());
    let home = at == Ipv4Addr::LOCALHOST || at == Ipv6Addr::LOCALHOST;
    let plain = matches!(server.way, Way::Udp | Way::Tcp);
    let same = |own: &SocketAddr| {
        let everywhere = own.ip().is_unspecified() && own.is_ipv4() == at.is_ipv4() && home;
        own.port() == port && (own.ip().to_canonical() == at || everywhere)
    };
    plain && own.iter().any(same)
}

fn fault(part: Part, why: &str) -> Fault {
    Fault { part, why: why.to_owned() }
}

fn is_url(text: &str) -> bool {
    text.contains("://")
}

/// An address that one machine can have.
fn usable(ip: IpAddr, part: Part) -> Result<IpAddr, Fault> {
    if ip.is_unspecified() || ip.is_multicast() || ip == IpAddr::V4(Ipv4Addr::BROADCAST) {
        return Err(Fault { part, why: format!("is {ip}, which is the address of no server") });
    }
    Ok(ip)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written([address, port, transport, url, tls_name]: [&str; 5]) -> Written {
        let [address, port, transport, url, tls_name] = [address, port, transport, url, tls_name].map(str::to_owned);
        Written { address, port, transport, url, tls_name }
    }

    #[test]
    fn servers_are_understood_in_every_spelling() {
        let tls = |name: &str| Way::Tls { name: name.to_owned() };
        let https = |name: &str, path: &str| Way::Https { name: name.to_owned(), path: path.to_owned() };
        for (words, name, address, way) in [
            (["192.0.2.1", "", "", "", ""], "192.0.2.1:53", "192.0.2.1:53", Way::Udp),
            (["192.0.2.1", "5353", "UDP", "", ""], "192.0.2.1:5353", "192.0.2.1:5353", Way::Udp),
            (["2001:db8::1", "", "tcp", "", ""], "tcp://[2001:db8::1]:53", "[2001:db8::1]:53", Way::Tcp),
            (["[2001:db8::1]", "53", "dot", "", ""], "tls://[2001:db8::1]:853", "[2001:db8::1]:853", tls("")),
            (
                ["192.0.2.1", "8853", "DoT", "", "DNS.example"],
                "tls://192.0.2.1:8853",
                "192.0.2.1:8853",
                tls("dns.example"),
            ),
            (
                ["192.0.2.1", "", "doq", "", "dns.example"],
                "quic://192.0.2.1:853",
                "192.0.2.1:853",
                Way::Quic { name: "dns.example".to_owned() },
            ),
            // An unknown URL beside another transport is of no account, as in existing nodes.
            (["192.0.2.1", "53", "", "https://dns.example/q", ""], "192.0.2.1:53", "192.0.2.1:53", Way::Udp),
            (
                ["192.0.2.1", "53", "doh", "https://dns.example/q", ""],
                "https://dns.example/q at 192.0.2.1:443",
                "192.0.2.1:443",
                https("dns.example", "/q"),
            ),
            (
                ["192.0.2.1", "", "doh", "https://dns.example:8443/dns-query{?dns}", ""],
                "https://dns.example:8443/dns-query at 192.0.2.1:8443",
                "192.0.2.1:8443",
                https("dns.example", "/dns-query"),
            ),
            (
                ["192.0.2.1", "", "doh", "https://dns.example/q?key=1", "other.example"],
                "https://dns.example/q?key=1 at 192.0.2.1:443",
                "192.0.2.1:443",
                https("other.example", "/q?key=1"),
            ),
            (
                ["192.0.2.1", "8443", "doh", "", ""],
                "https://192.0.2.1/dns-query at 192.0.2.1:8443",
                "192.0.2.1:8443",
                https("", "/dns-query"),
            ),
            (["https://192.0.2.1/q", "53", "", "", ""], "https://192.0.2.1/q", "192.0.2.1:443", https("", "/q")),
            (
                ["https://[2001:db8::1]:444", "", "doh", "", ""],
                "https://[2001:db8::1]:444/dns-query",
                "[2001:db8::1]:444",
                https("", "/dns-query"),
            ),
            (
                ["192.0.2.1", "", "doh", "https://192.0.2.9/q", ""],
                "https://192.0.2.9/q at 192.0.2.1:443",
                "192.0.2.1:443",
                https("192.0.2.9", "/q"),
            ),
        ] {
            let expected = Server { name: name.to_owned(), address: address.parse().unwrap(), way };
            assert_eq!(written(words).understand(), Ok(expected), "{words:?}");
        }
    }

    #[test]
    fn a_node_does_not_ask_itself() {
        let own: Vec<SocketAddr> = ["0.0.0.0:53", "[::]:53", "192.0.2.9:5353"].map(|own| own.parse().unwrap()).into();
        for (address, port, transport, ourselves) in [
            ("127.0.0.1", "", "", true),
            ("::1", "", "tcp", true),
            ("127.0.0.53", "", "", false),
            ("127.0.0.1", "5353", "", false),
            ("127.0.0.1", "", "dot", false),
            ("192.0.2.9", "", "", false),
            ("192.0.2.9", "5353", "", true),
        ] {
            let server = written([address, port, transport, "", ""]).understand().unwrap();
            assert_eq!(is_ourselves(&server, &own), ourselves, "{address} {port} {transport}");
        }
    }

    #[test]
    fn what_cannot_be_reached_is_refused_with_what_to_write() {
        for (words, part, sentence) in [
            (["", "", "", "", ""], Part::Address, "is missing"),
            (["dns.example", "", "", "", ""], Part::Address, "is `dns.example`, which is not an IP address"),
            (["192.0.2.1:53", "", "", "", ""], Part::Address, "not an IP address"),
            (["0.0.0.0", "", "", "", ""], Part::Address, "the address of no server"),
            (["192.0.2.1", "0", "", "", ""], Part::Port, "is `0`, which is no port (1 to 65535)"),
            (["192.0.2.1", "+53", "", "", ""], Part::Port, "is `+53`"),
            (["192.0.2.1", "65536", "dot", "", ""], Part::Port, "is `65536`"),
            (["192.0.2.1", "", "tls", "", ""], Part::Transport, "is `tls`; write udp, tcp, dot, doh or doq"),
            (["192.0.2.1", "", "dot", "", "a b"], Part::TlsName, "is `a b`"),
            (["192.0.2.1", "", "doh", "http://dns.example/q", ""], Part::Url, "begins with https://"),
            (["192.0.2.1", "", "doh", "dns.example", ""], Part::Url, "write a URL such as"),
            (["192.0.2.1", "", "doh", "https://u:p@dns.example/q", ""], Part::Url, "without a user"),
            (
                ["https://dns.example/dns-query", "", "doh", "", ""],
                Part::Address,
                "give the IP address of `dns.example` as the address",
            ),
            (["https://192.0.2.1/q", "", "dot", "", ""], Part::Address, "which only the transport doh has"),
            (["https://192.0.2.1/q", "", "", "https://dns.example/q", ""], Part::Address, "`doh_url` is given as well"),
        ] {
            let fault = written(words).understand().expect_err(sentence);
            assert!(fault.part == part && fault.why.contains(sentence), "{words:?}: {fault:?}");
        }
    }
}
