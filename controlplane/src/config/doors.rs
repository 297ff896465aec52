//! Where to answer over encrypted transports: the keys of existing nodes for TLS and HTTPS, ours in their style for QUIC.
//!
//! The files are the data plane's to read, which runs as another user: whether they are there is not looked at here.

use super::{check::Complaints, file::File, listen};
use dnsplane_proto::{Door, Doors};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// RFC 8484 §4.1.1 has it in its examples, and so has everybody else.
const PATH: &str = "/dns-query";

/// `plain` is where UDP and TCP are answered without encryption.
pub(super) fn check(file: &File, plain: &[SocketAddr], folder: &Path, complaints: &mut Complaints) -> Doors {
    let path = path(file.doh_path.as_deref().unwrap_or_default(), complaints);
    let tls = Keys {
        enabled: (file.dot_enabled, "dot_enabled"),
        bind: (&file.dot_bind, "dot_bind"),
        port: (&file.dot_port, "dot_port", 853),
        certificate: (&file.dot_cert_file, "dot_cert_file"),
        key: (&file.dot_key_file, "dot_key_file"),
    };
    let https = Keys {
        enabled: (file.doh_enabled, "doh_enabled"),
        bind: (&file.doh_bind, "doh_bind"),
        port: (&file.doh_port, "doh_port", 8443),
        certificate: (&file.doh_cert_file, "doh_cert_file"),
        key: (&file.doh_key_file, "doh_key_file"),
    };
    let quic = Keys {
        enabled: (file.doq_enabled, "doq_enabled"),
        bind: (&file.doq_bind, "doq_bind"),
        port: (&file.doq_port, "doq_port", 853),
        certificate: (&file.doq_cert_file, "doq_cert_file"),
        key: (&file.doq_key_file, "doq_key_file"),
    };
    let ports = [&tls, &https, &quic].map(|keys| keys.port.1);
    let tls = tls.door("", folder, complaints);
    let https = https.door(&path, folder, complaints);
    let quic = quic.door("", folder, complaints);
    let taken = |door: &Option<Door>, by: &[SocketAddr]| {
        let mut wanted = door.iter().flat_map(|door| &door.listen);
        wanted.any(|address| address.port() != 0 && by.contains(address))
    };
    for (door, key) in [&tls, &https, &quic].into_iter().zip(ports) {
        if taken(door, plain) {
            complaints.problem(key, "is the same as `port`; DNS without encryption is answered there".to_owned());
        }
    }
    if let Some(Door { listen, .. }) = &tls
        && taken(&https, listen)
    {
        complaints.problem("doh_port", "is the same as `dot_port`, on the same address".to_owned());
    }
    Doors { tls, https, quic }
}

/// The values of one door, each with its key.
struct Keys<'a> {
    enabled: (Option<bool>, &'static str),
    bind: (&'a Option<String>, &'static str),
    port: (&'a Option<String>, &'static str, u16),
    certificate: (&'a Option<String>, &'static str),
    key: (&'a Option<String>, &'static str),
}

impl Keys<'_> {
    /// All are checked, also those of a door that stays closed.
    fn door(&self, path: &str, folder: &Path, complaints: &mut Complaints) -> Option<Door> {
        let (text, key, default) = self.port;
        let port = complaints.or_default(key, listen::port(text.as_deref().unwrap_or_default(), default));
        let (text, key) = self.bind;
        let bind = listen::addresses(text.as_deref().unwrap_or_default(), listen::EVERYWHERE);
        let bind = complaints.or_default(key, bind);
        let (Some(true), enabled) = self.enabled else { return None };
        let mut file = |(text, key): (&Option<String>, &'static str), what: &str| {
            let text = text.as_deref().map(str::trim).filter(|text| !text.is_empty());
            if text.is_none() {
                complaints.problem(key, format!("is needed because `{enabled}` is true: the PEM file of the {what}"));
            }
            text.map_or_else(PathBuf::new, |text| folder.join(text))
        };
        Some(Door {
            certificate: file(self.certificate, "certificate and its chain"),
            key: file(self.key, "certificate's key"),
            listen: bind.into_iter().map(|address| SocketAddr::new(address, port)).collect(),
            path: path.to_owned(),
        })
    }
}

/// A path as it stands in URLs; a template (RFC 6570) for the query behind it is understood.
fn path(text: &str, complaints: &mut Complaints) -> String {
    let text = text.trim();
    let path = match text.strip_suffix("{?dns}").unwrap_or(text) {
        "" if text.is_empty() => PATH,
        path => path,
    };
    let is_path = path.starts_with('/')
        && path.bytes().all(|octet| octet.is_ascii_graphic() && !b"?#{}\"<>\\^`|".contains(&octet));
    if !is_path {
        complaints.problem("doh_path", format!("is `{text}`; write the path of a URL, such as `{PATH}`"));
    }
    path.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doors(text: &str) -> Result<Doors, Vec<(&'static str, String)>> {
        let file: File = serde_json::from_str(text).expect("a file");
        let mut complaints = Complaints::default();
        let plain = ["127.0.0.1:53".parse().expect("an address")];
        let doors = check(&file, &plain, Path::new("/here"), &mut complaints);
        if complaints.problems.is_empty() { Ok(doors) } else { Err(complaints.problems) }
    }

    fn door(listen: &[&str], certificate: &str, key: &str, path: &str) -> Option<Door> {
        Some(Door {
            listen: listen.iter().map(|text| text.parse().expect("an address")).collect(),
            certificate: certificate.into(),
            key: key.into(),
            path: path.to_owned(),
        })
    }

    #[test]
    fn each_key_has_its_effect() {
        let files = |name| format!(r#""{name}_cert_file": "c.pem", "{name}_key_file": "/k.pem""#);
        let [dot, doh, doq] = ["dot", "doh", "doq"].map(files);
        for (text, expected) in [
            ("{}".to_owned(), Doors::default()),
            (format!(r#"{{"dot_enabled": false, {dot}, "doh_path": "/x"}}"#), Doors::default()),
            (
                format!(r#"{{"dot_enabled": true, {dot}}}"#),
                Doors { tls: door(&["0.0.0.0:853", "[::]:853"], "/here/c.pem", "/k.pem", ""), ..Doors::default() },
            ),
            (
                format!(r#"{{"doh_enabled": true, {doh}}}"#),
                Doors {
                    https: door(&["0.0.0.0:8443", "[::]:8443"], "/here/c.pem", "/k.pem", "/dns-query"),
                    ..Doors::default()
                },
            ),
            (
                format!(
                    r#"{{"doh_enabled": true, "doh_bind": "::1", "doh_port": "443", "doh_path": "/q{{?dns}}", {doh},
                        "doq_enabled": true, "doq_bind": "127.0.0.1", "doq_port": "443", {doq},
                        "dot_enabled": true, "dot_bind": "127.0.0.1", "dot_port": "443", {dot}}}"#
                ),
                Doors {
                    tls: door(&["127.0.0.1:443"], "/here/c.pem", "/k.pem", ""),
                    https: door(&["[::1]:443"], "/here/c.pem", "/k.pem", "/q"),
                    quic: door(&["127.0.0.1:443"], "/here/c.pem", "/k.pem", ""),
                },
            ),
        ] {
            assert_eq!(doors(&text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_a_problem_of_its_key() {
        for (text, keys) in [
            (r#"{"dot_enabled": true}"#, &["dot_cert_file", "dot_key_file"][..]),
            (r#"{"doh_enabled": true, "doh_cert_file": "c", "doh_key_file": " "}"#, &["doh_key_file"]),
            (r#"{"doq_enabled": true, "doq_key_file": "k"}"#, &["doq_cert_file"]),
            (r#"{"dot_port": "x"}"#, &["dot_port"]),
            (r#"{"doq_bind": "x"}"#, &["doq_bind"]),
            (r#"{"doh_path": "dns-query"}"#, &["doh_path"]),
            (r#"{"doh_path": "/dns query"}"#, &["doh_path"]),
            (r#"{"doh_path": "/?dns="}"#, &["doh_path"]),
            (r#"{"doh_path": "{?dns}"}"#, &["doh_path"]),
            (
                r#"{"dot_enabled": true, "dot_cert_file": "c", "dot_key_file": "k", "dot_port": "53", "dot_bind": "127.0.0.1"}"#,
                &["dot_port"],
            ),
            (
                r#"{"dot_enabled": true, "dot_cert_file": "c", "dot_key_file": "k", "dot_port": "443",
                    "doh_enabled": true, "doh_cert_file": "c", "doh_key_file": "k", "doh_port": "443"}"#,
                &["doh_port"],
            ),
        ] {
            let problems = doors(text).expect_err(text);
            assert_eq!(problems.iter().map(|(key, _)| *key).collect::<Vec<_>>(), keys, "{text}");
        }
    }
}
