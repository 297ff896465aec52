//! Upstream servers as far as `dnsplane.json` has them: where the others are listed, and who is asked in the end.

use super::{
    Forwarding,
    check::Complaints,
    file::{File, Locations},
    listen::given,
    named_file,
    resolving::Probing,
};
use crate::upstreams::{Fault, Part, Written, is_ourselves};
use bytes::Bytes;
use dnsplane_proto::Server;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

pub(super) fn check(
    file: &File,
    folder: &Path,
    own: &[SocketAddr],
    probing: Probing,
    complaints: &mut Complaints,
) -> Forwarding {
    let last_resort = last_resort(file, complaints);
    if last_resort.as_ref().is_some_and(|server| is_ourselves(server, own)) {
        let why = "is this node itself: name another server, or another `fallback_server_port`".to_owned();
        complaints.problem("fallback_server_ip", why);
    }
    Forwarding {
        servers: servers_file(file.file_locations.as_ref(), folder),
        last_resort,
        roots: roots(file, folder, complaints),
        probing,
        pretty: file.pretty_json.unwrap_or(false),
        own: own.to_vec(),
    }
}

fn servers_file(locations: Option<&Locations>, folder: &Path) -> PathBuf {
    let written = locations.and_then(|all| given(&all.dnsservers).or_else(|| given(&all.dnsserver_file)));
    folder.join(written.unwrap_or("dnsservers.json"))
}

/// No address is nobody; the other keys are checked together with one.
fn last_resort(file: &File, complaints: &mut Complaints) -> Option<Server> {
    let text = |text: &Option<String>| given(text).unwrap_or_default().to_owned();
    let written = Written {
        address: text(&file.fallback_server_ip),
        port: text(&file.fallback_server_port),
        transport: text(&file.fallback_server_transport),
        url: String::new(),
        tls_name: text(&file.fallback_server_tls_name),
    };
    if written.address.is_empty() {
        return None;
    }
    match written.understand() {
        Ok(server) => Some(server),
        Err(Fault { part, why }) => {
            let key = match part {
                Part::Address => "fallback_server_ip",
                Part::Port => "fallback_server_port",
                Part::Transport => "fallback_server_transport",
                Part::TlsName => "fallback_server_tls_name",
                // There is no URL of its own.
                Part::Url => "fallback_server_ip",
            };
            let why = if why.contains("`doh_url`") {
                "is a URL with a host name: write one with an IP address, such as https://192.0.2.1/dns-query, and the \
                 host name as `fallback_server_tls_name`, because a resolver cannot ask itself where it is"
                    .to_owned()
            } else {
                why
            };
            complaints.problem(key, why);
            None
        }
    }
}

fn roots(file: &File, folder: &Path, complaints: &mut Complaints) -> Bytes {
    let Some(path) = given(&file.upstream_ca_file).map(|path| folder.join(path)) else { return Bytes::new() };
    let checked = named_file::read(&path).and_then(|text| {
        let mut certificates = CertificateDer::pem_slice_iter(&text);
        match certificates.try_fold(0, |count, certificate| certificate.map(|_| count + 1)) {
            Ok(0) => Err(format!("names `{}`, in which there is no PEM certificate", path.display())),
            Ok(_) => Ok(Bytes::from(text)),
            Err(error) => Err(format!("names `{}`, which is no PEM file: {error}", path.display())),
        }
    });
    complaints.or_default("upstream_ca_file", checked)
}

#[cfg(test)]
mod tests {
    use super::{super::resolving, *};
    use dnsplane_proto::Way;
    use std::fs;

    fn forwarding(text: &str, folder: &Path) -> Result<Forwarding, Vec<(&'static str, String)>> {
        let file: File = serde_json::from_str(text).expect("a file");
        let mut complaints = Complaints::default();
        let probing = resolving::probing(&file, &mut complaints);
        let own = ["127.0.0.1:53".parse().unwrap()];
        let forwarding = check(&file, folder, &own, probing, &mut complaints);
        if complaints.problems.is_empty() { Ok(forwarding) } else { Err(complaints.problems) }
    }

    #[test]
    fn the_list_of_servers_is_beside_the_file_or_where_it_says() {
        let path = |text| forwarding(text, Path::new("/etc/dnsplane")).unwrap().servers;
        for (text, expected) in [
            ("{}", "/etc/dnsplane/dnsservers.json"),
            (r#"{"file_locations": {"dnsservers": ""}}"#, "/etc/dnsplane/dnsservers.json"),
            (r#"{"file_locations": {"dnsservers": "s/x.json"}}"#, "/etc/dnsplane/s/x.json"),
            (r#"{"file_locations": {"dnsserver_file": "/srv/x.json"}}"#, "/srv/x.json"),
            (r#"{"file_locations": {"dnsserver_file": "/srv/x.json", "dnsservers": "y"}}"#, "/etc/dnsplane/y"),
        ] {
            assert_eq!(path(text), Path::new(expected), "{text}");
        }
    }

    #[test]
    fn the_last_resort_is_nobody_unless_named() {
        let server =
            |text| forwarding(text, Path::new("/")).unwrap().last_resort.map(|server| (server.name, server.way));
        for text in
            ["{}", r#"{"fallback_server_ip": "", "fallback_server_port": "53", "fallback_server_transport": "tls"}"#]
        {
            assert_eq!(server(text), None, "{text}");
        }
        let found = |name: &str, way| Some((name.to_owned(), way));
        assert_eq!(server(r#"{"fallback_server_ip": "1.1.1.1"}"#), found("1.1.1.1:53", Way::Udp));
        // As existing nodes do, port 53 beside DNS over TLS is the default's.
        let dot = r#"{"fallback_server_ip": "1.1.1.1", "fallback_server_port": "53", "fallback_server_transport": "dot",
            "fallback_server_tls_name": "one.example"}"#;
        assert_eq!(server(dot), found("tls://1.1.1.1:853", Way::Tls { name: "one.example".to_owned() }));
        let doh = r#"{"fallback_server_ip": "1.1.1.1", "fallback_server_transport": "doh"}"#;
        let way = Way::Https { name: String::new(), path: "/dns-query".to_owned() };
        assert_eq!(server(doh), found("https://1.1.1.1/dns-query", way));
    }

    #[test]
    fn what_cannot_be_is_a_problem_of_its_key() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("empty.pem"), "no certificate\n").unwrap();
        fs::write(folder.path().join("broken.pem"), "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n")
            .unwrap();
        for (text, key, sentence) in [
            (r#"{"fallback_server_ip": "127.0.0.1"}"#, "fallback_server_ip", "is this node itself"),
            (r#"{"fallback_server_ip": "dns.example"}"#, "fallback_server_ip", "which is not an IP address"),
            (r#"{"fallback_server_ip": "1.1.1.1", "fallback_server_port": "x"}"#, "fallback_server_port", "is `x`"),
            (
                r#"{"fallback_server_ip": "1.1.1.1", "fallback_server_transport": "tls"}"#,
                "fallback_server_transport",
                "write udp, tcp, dot, doh or doq",
            ),
            (
                r#"{"fallback_server_ip": "1.1.1.1", "fallback_server_transport": "dot", "fallback_server_tls_name": "a b"}"#,
                "fallback_server_tls_name",
                "is `a b`",
            ),
            (
                r#"{"fallback_server_ip": "https://dns.example/q"}"#,
                "fallback_server_ip",
                "the host name as `fallback_server_tls_name`",
            ),
            (r#"{"upstream_ca_file": "none.pem"}"#, "upstream_ca_file", "which cannot be read: No such file"),
            (r#"{"upstream_ca_file": "empty.pem"}"#, "upstream_ca_file", "in which there is no PEM certificate"),
            (r#"{"upstream_ca_file": "broken.pem"}"#, "upstream_ca_file", "which is no PEM file"),
        ] {
            let problems = forwarding(text, folder.path()).expect_err(text);
            let [(found, why)] = problems.as_slice() else { panic!("{text}: {problems:?}") };
            assert!(*found == key && why.contains(sentence), "{text}: {why}");
        }
    }

    #[test]
    fn authorities_are_sent_as_they_stand_in_their_file() {
        let folder = tempfile::tempdir().unwrap();
        // PEM that decodes is all that is asked of it here; what it says is for those who verify with it.
        let text = "# ours\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        fs::write(folder.path().join("ca.pem"), text).unwrap();
        let found = forwarding(r#"{"upstream_ca_file": "ca.pem"}"#, folder.path()).unwrap();
        assert_eq!(found.roots, text.as_bytes());
    }
}
