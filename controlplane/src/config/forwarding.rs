//! Upstream servers as far as `dnsplane.json` has them: where the others are listed, and who is asked in the end.

use super::{
    Forwarding,
    check::Complaints,
    file::{File, Locations},
    listen::given,
    resolving::Probing,
};
use crate::upstreams::{Fault, Part, Written};
use bytes::Bytes;
use dnsplane_proto::Server;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::{
    fs::File as OpenFile,
    io::Read,
    path::{Path, PathBuf},
};

/// Octets of the file of authorities: some thousand certificates.
const MOST_ROOTS: u64 = 4 << 20;

pub(super) fn check(file: &File, folder: &Path, probing: Probing, complaints: &mut Complaints) -> Forwarding {
    Forwarding {
        servers: servers_file(file.file_locations.as_ref(), folder),
        last_resort: last_resort(file, complaints),
        roots: roots(file, folder, complaints),
        probing,
        pretty: file.pretty_json.unwrap_or(false),
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

/// Read here, so that data planes need not be able to read it.
fn roots(file: &File, folder: &Path, complaints: &mut Complaints) -> Bytes {
    const KEY: &str = "upstream_ca_file";
    let Some(path) = given(&file.upstream_ca_file).map(|path| folder.join(path)) else { return Bytes::new() };
    let mut text = Vec::new();
    let read = OpenFile::open(&path).and_then(|file| file.take(MOST_ROOTS + 1).read_to_end(&mut text));
    if let Err(error) = read {
        complaints.problem(KEY, format!("names `{}`, which cannot be read: {error}", path.display()));
        return Bytes::new();
    }
    if text.len() as u64 > MOST_ROOTS {
        complaints.problem(KEY, format!("names `{}`, which is larger than {} MiB", path.display(), MOST_ROOTS >> 20));
        return Bytes::new();
    }
    let mut certificates = CertificateDer::pem_slice_iter(&text);
    match certificates.try_fold(0, |count, certificate| certificate.map(|_| count + 1)) {
        Ok(0) => complaints.problem(KEY, format!("names `{}`, in which there is no PEM certificate", path.display())),
        Err(error) => complaints.problem(KEY, format!("names `{}`, which is no PEM file: {error}", path.display())),
        Ok(_) => return text.into(),
    }
    Bytes::new()
}
