//! The file that a first start writes: small, commented, harmless.
//!
//! Existing nodes can start from it as well: they skip keys that they do not know, which is what the comments are.

use super::{ConfigError, Surroundings};
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
};

/// The text, but for the path of the admin socket.
const TEXT: &str = r#"{
  "//": "Configuration of dnsplane. Keys that begin with // are comments. docs/configuration.md explains every key.",

  "//port": "DNS, UDP and TCP. dns_bind is a list of addresses with commas; empty means all of them.",
  "port": "53",
  "dns_bind": "",

  "//fallback_server_ip": "Asked for names that are not ours when the servers of dnsservers.json fail, or there are none. Empty: nobody.",
  "fallback_server_ip": "",
  "fallback_server_port": "53",
  "//dns_allow_recursion": "Add it to say who may have such names resolved; without it, private networks.",

  "//cache_records": "Answers of upstream servers are remembered for their TTL, and used for up to a day more if no upstream answers.",
  "cache_records": true,
  "stale_while_revalidate": true,

  "//api": "REST API and dashboard. An address other than loopback needs api_auth_token.",
  "api": true,
  "apiport": "8080",
  "api_bind": "127.0.0.1",
  "api_auth_token": "",

  "//server_socket": "dnsplanectl connects here; data planes follow feed_socket, which starts at this file's folder.",
  "server_socket": @SERVER_SOCKET@,
  "feed_socket": "feed.sock",
  "//server_tcp": "Remote administration; empty is off.",
  "server_tcp": "",

  "//file_locations": "Paths start at this file's folder.",
  "file_locations": {
    "records_source": {
      "type": "file",
      "location": "dnsrecords.json"
    }
  },

  "//cluster_enabled": "Keeps records the same on all peers. Every node needs the same cluster_auth_token.",
  "cluster_enabled": false,
  "cluster_listen_addr": ":7946",
  "cluster_peers": [],
  "cluster_auth_token": "",

  "//log": "To standard error. log_severity: none, error, warn, info, debug or trace.",
  "log": {
    "log_severity": "info"
  }
}
"#;

/// Writes the file whole or not at all, readable by its owner alone; never over another.
pub(super) fn create(path: &Path, surroundings: &Surroundings) -> Result<(), ConfigError> {
    write(path, surroundings).map_err(|source| ConfigError::Create { path: path.to_owned(), source })
}

fn write(path: &Path, surroundings: &Surroundings) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let socket = serde_json::to_string(&surroundings.admin_socket().to_string_lossy())?;
    let mut aside = crate::aside::create(path)?; // mode 0600
    aside.write_all(TEXT.replace("@SERVER_SOCKET@", &socket).as_bytes())?;
    aside.as_file().sync_all()?;
    aside.persist_noclobber(path)?;
    File::open(folder)?.sync_all()
}
