//! A small tree of signed zones, root included, and a resolver that does not validate: what a validating forwarder has above it.
//!
//! The zones are signed by BIND's tools, served by Knot, and resolved by Unbound without its validator. What is wrong with
//! some of them is in their names. All of it is on this machine.

mod zones;

pub use zones::anchor;

use crate::{Daemon, dns::Question, eventually, ports::Ports, wait::PATIENCE};
use std::{fmt::Write, fs, net::SocketAddr, path::Path, process::Command};
use tempfile::TempDir;

/// The servers; they stop when dropped.
#[derive(Debug)]
pub struct Signed {
    dir: TempDir,
    ports: Ports,
    _authority: Daemon,
    _resolver: Daemon,
}

impl Signed {
    /// Makes and signs the zones, and waits until the resolver answers from them.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let ports = Ports::reserve();
        let zones = zones::make(dir.path());
        let authority = serve(dir.path(), ports.dns(), &zones);
        let resolver = resolve(dir.path(), ports.api(), ports.dns(), &zones);
        let signed = Self { dir, ports, _authority: authority, _resolver: resolver };
        eventually("the resolver answers from the signed zones", PATIENCE, || {
            let reply =
                Question::new("www.secure.tree", "A").udp(signed.resolver()).map_err(|error| error.to_string())?;
            if reply.answers().is_empty() { Err(format!("{:?}", reply.message)) } else { Ok(()) }
        });
        signed
    }

    /// The resolver, over UDP and TCP.
    pub fn resolver(&self) -> SocketAddr {
        self.ports.api()
    }

    /// The keys of a zone that is trusted, and its DS records: zone-file lines of type DNSKEY or DS.
    pub fn anchor(&self, zone: &str, kind: &str) -> String {
        anchor(self.dir.path(), zone, kind)
    }
}

/// Knot, which serves the zones as they are in their files.
fn serve(dir: &Path, address: SocketAddr, zones: &[String]) -> Daemon {
    let mut config = format!(
        "server:\n  rundir: \"{0}\"\n  listen: [ {1}@{2} ]\n  udp-workers: 1\n  tcp-workers: 1\n  background-workers: 1\n\
         database:\n  storage: \"{0}/knot\"\n\
         template:\n  - id: default\n    storage: \"{0}\"\n    semantic-checks: off\n    journal-content: none\n    zonefile-sync: -1\nzone:\n",
        dir.display(),
        address.ip(),
        address.port()
    );
    for zone in zones {
        let _infallible = writeln!(config, "  - domain: \"{zone}\"\n    file: \"{}\"", zones::file(zone));
    }
    let path = dir.join("knot.conf");
    fs::write(&path, config).expect("the temporary folder is writable");
    let mut command = Command::new("/usr/sbin/knotd");
    command.arg("-c").arg(&path);
    Daemon::start(command, &dir.join("knot.log"))
}

/// Unbound, which looks for zones at their one server, and believes it.
fn resolve(dir: &Path, address: SocketAddr, authority: SocketAddr, zones: &[String]) -> Daemon {
    let mut config = format!(
        "server:\n  directory: \"{0}\"\n  chroot: \"\"\n  username: \"\"\n  pidfile: \"\"\n  use-syslog: no\n  \
         interface: {1}\n  port: {2}\n  module-config: \"iterator\"\n  do-not-query-localhost: no\n  num-threads: 1\n  \
         qname-minimisation: no\n  minimal-responses: no\n  local-zone: \"tree.\" nodefault\n  \
         local-zone: \"invalid.\" nodefault\nremote-control:\n  control-enable: no\n",
        dir.display(),
        address.ip(),
        address.port()
    );
    for zone in zones {
        let _infallible = writeln!(
            config,
            "stub-zone:\n  name: \"{zone}\"\n  stub-addr: {}@{}\n  stub-prime: no",
            authority.ip(),
            authority.port()
        );
    }
    let path = dir.join("unbound.conf");
    fs::write(&path, config).expect("the temporary folder is writable");
    let mut command = Command::new("/usr/sbin/unbound");
    command.arg("-d").arg("-c").arg(&path);
    Daemon::start(command, &dir.join("unbound.log"))
}
