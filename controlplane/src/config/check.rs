//! From the struct that mirrors the file to usable values: defaults, addresses, paths, and what must not be combined.

use super::{
    Api, Config, Secret, Severity, Surroundings, block_lists, cluster, doors,
    file::File,
    forwarding, limits, listen,
    listen::given,
    records_source,
    resolving::{self, Probing},
    unused,
};
use dnsplane_proto::{MAX_IDENTITY, Settings};
use serde_json::{Map, Value};
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

/// Fits every path without fragments (DNS flag day 2020).
const UDP_PAYLOAD: u16 = 1232;
/// Octets of a Unix socket's path, its final zero not counted (`unix(7)`).
const MAX_SOCKET_PATH: usize = 107;

/// What was found while checking: problems with their keys, and warnings.
#[derive(Default)]
pub(super) struct Complaints {
    pub(super) problems: Vec<(&'static str, String)>,
    warnings: Vec<String>,
}

/// Checks everything, and says everything that is wrong.
pub(super) fn check(
    file: &File,
    meant: &Map<String, Value>,
    folder: &Path,
    surroundings: &Surroundings,
) -> Result<(Config, Vec<String>), Complaints> {
    let mut complaints = Complaints::default();
    let feed_socket = socket("feed_socket", &file.feed_socket, folder, &mut complaints);
    let admin_socket = file.server_socket.clone().or_else(|| file.client_socket_path.clone());
    let admin_socket = socket("server_socket", &admin_socket, folder, &mut complaints);
    let probing = resolving::probing(file, &mut complaints);
    let answering = answering(file, folder, &probing, &mut complaints);
    let config = Config {
        folder: folder.to_owned(),
        feed_socket: feed_socket.unwrap_or_else(|| folder.join("feed.sock")),
        admin_socket: admin_socket.unwrap_or_else(|| surroundings.admin_socket()),
        forwarding: forwarding::check(file, folder, &answering.listen, probing, &mut complaints),
        answering,
        api: api(file, &mut complaints),
        dashboard: file.stats_dashboard_enabled.unwrap_or(true),
        records: records_source::check(file.file_locations.as_ref(), folder, &mut complaints),
        block_lists: block_lists::check(file, folder, &mut complaints),
        pretty_json: file.pretty_json.unwrap_or(false),
        cluster: cluster::check(file, &mut complaints),
        log: severity(file, &mut complaints),
        unused: unused::keys(meant),
    };
    if config.feed_socket == config.admin_socket {
        complaints.problem("feed_socket", "is the same path as `server_socket`; they are two sockets".to_owned());
    }
    if let Some(address) = given(&file.server_tcp).or_else(|| given(&file.client_tcp_address)) {
        complaints.warn(&format!(
            "`server_tcp` is `{address}`, which stays off: remote administration without TLS is not built; write \"\""
        ));
    }
    if complaints.problems.is_empty() { Ok((config, complaints.warnings)) } else { Err(complaints) }
}

impl Complaints {
    /// The value, or its default and a problem with its key.
    pub(super) fn or_default<T: Default>(&mut self, key: &'static str, value: Result<T, String>) -> T {
        value.unwrap_or_else(|why| {
            self.problem(key, why);
            T::default()
        })
    }

    pub(super) fn problem(&mut self, key: &'static str, why: String) {
        self.problems.push((key, why));
    }

    #[cfg(test)]
    pub(super) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    pub(super) fn warn(&mut self, sentence: &str) {
        self.warnings.push(sentence.to_owned());
    }
}

fn answering(file: &File, folder: &Path, probing: &Probing, complaints: &mut Complaints) -> Settings {
    let port = port(["port", "dns_port"], [&file.port, &file.dns_port], 53, complaints);
    let bind = listen::addresses(file.dns_bind.as_deref().unwrap_or_default(), listen::EVERYWHERE);
    let bind = complaints.or_default("dns_bind", bind);
    let payload = match file.dns_max_edns_udp_payload.unwrap_or(0) {
        0 => Ok(UDP_PAYLOAD),
        size => u16::try_from(size)
            .ok()
            .filter(|size| *size >= 512)
            .ok_or_else(|| format!("is {size}; write a number from 512 to 65535, or 0 for {UDP_PAYLOAD}")),
    };
    let missing_type = match file.local_missing_type.as_deref().unwrap_or("nodata") {
        "nodata" => Ok(true),
        "forward" => Ok(false),
        other => Err(format!("is `{other}`; write `nodata` or `forward`")),
    };
    let identity = match file.dns_identity.as_deref().unwrap_or_default() {
        text if text.len() > MAX_IDENTITY => {
            Err(format!("has {} octets; write at most {MAX_IDENTITY}, or \"\" to say nothing", text.len()))
        }
        text => Ok(text.as_bytes()),
    };
    let listen: Vec<_> = bind.into_iter().map(|address| SocketAddr::new(address, port)).collect();
    Settings {
        doors: doors::check(file, &listen, folder, complaints),
        listen,
        max_udp_payload: complaints.or_default("dns_max_edns_udp_payload", payload),
        refuse_any: file.dns_refuse_any.unwrap_or(false),
        local_records: file.local_records_enabled.unwrap_or(true),
        missing_type_is_nodata: complaints.or_default("local_missing_type", missing_type),
        auto_ptr: file.record_settings.as_ref().and_then(|own| own.auto_build_ptr_from_a).unwrap_or(false),
        identity: complaints.or_default("dns_identity", identity).into(),
        limits: limits::check(file, complaints),
        resolving: resolving::check(file, folder, probing, complaints),
        blocking_paused_until: 0,
    }
}

fn api(file: &File, complaints: &mut Complaints) -> Option<Api> {
    let port = port(["apiport", "rest_port"], [&file.apiport, &file.rest_port], 8080, complaints);
    let bind = listen::addresses(file.api_bind.as_deref().unwrap_or_default(), listen::LOOPBACK);
    let bind = complaints.or_default("api_bind", bind);
    let token = file.api_auth_token.as_deref().map(Secret::new).filter(|token| !token.is_empty());
    if !file.api.or(file.api_enabled).unwrap_or(false) {
        return None;
    }
    let exposed = bind.iter().find(|address| !address.to_canonical().is_loopback());
    if let (Some(address), None, false) = (exposed, &token, file.api_allow_unauthenticated.unwrap_or(false)) {
        complaints.problem(
            "api_bind",
            format!(
                "opens the API on {address} to everybody who can reach it: set `api_auth_token`, bind 127.0.0.1, or say \
                 `\"api_allow_unauthenticated\": true`"
            ),
        );
    }
    Some(Api { listen: bind.into_iter().map(|address| SocketAddr::new(address, port)).collect(), token })
}

fn severity(file: &File, complaints: &mut Complaints) -> Severity {
    let text = file.log.as_ref().and_then(|log| given(&log.log_severity)).unwrap_or("info");
    match text.to_ascii_lowercase().as_str() {
        "none" => Severity::None,
        "error" => Severity::Error,
        "warn" | "warning" => Severity::Warn,
        "info" => Severity::Info,
        "debug" => Severity::Debug,
        "trace" => Severity::Trace,
        _ => {
            complaints.warn(&format!(
                "`log.log_severity` is `{text}`, which is none of none, error, warn, info, debug and trace: taken as info"
            ));
            Severity::Info
        }
    }
}

/// The port under its new name, else under its old one.
fn port(
    [key, old_key]: [&'static str; 2],
    [new, old]: [&Option<String>; 2],
    default: u16,
    complaints: &mut Complaints,
) -> u16 {
    let (key, text) = if new.is_some() { (key, new) } else { (old_key, old) };
    complaints.or_default(key, listen::port(text.as_deref().unwrap_or_default(), default))
}

/// A socket's path, absolute; `unix:` before it is how dnsplane-dns writes the same thing.
fn socket(key: &'static str, text: &Option<String>, folder: &Path, complaints: &mut Complaints) -> Option<PathBuf> {
    let text = given(text)?;
    let path = folder.join(text.strip_prefix("unix:").unwrap_or(text));
    let length = path.as_os_str().len();
    if length > MAX_SOCKET_PATH {
        complaints.problem(key, format!("is a path of {length} octets; a socket's path has at most {MAX_SOCKET_PATH}"));
    }
    Some(path)
}
