//! Resolvers that are not ours, each as its manual tells to set it up for this machine: a thread for each core, a socket for
//! each of them, no limits, and one server to forward to.

use crate::servers::{
    others::{at, folder, nsd_command, nsd_config, server},
    server::{Knock, Server},
    zone::{APEX, Zone, dotted, write_lines},
};
use dnsplane_tests::ports::Ports;
use std::{fs, net::SocketAddr, path::Path, process::Command};

/// So that nothing runs out while it is measured.
const TTL: u32 = 86_400;

/// The server that everybody forwards to: NSD, with the zone, and any name below `new` in it.
pub(crate) struct Upstream {
    pub(crate) server: Server,
    pub(crate) zone: Zone,
}

impl Upstream {
    /// Starts it.
    pub(crate) fn start(names: u32) -> Self {
        let zone = Zone { names };
        let (dir, ports) = (folder(), Ports::reserve());
        write_zone(zone, &dir.path().join("zone"));
        let config = nsd_config(at(ports.dns()), dir.path(), 1, "");
        let mut server = server("upstream", dir, ports, &config, nsd_command);
        let last = zone.last();
        let knock = Knock::new(server.address, &last.name, Some(last.value));
        server.start(|| knock.is_answered());
        Self { server, zone }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.server.address
    }
}

/// Unbound, forwarding all names.
pub(crate) fn unbound(upstream: &Upstream, cores: usize) -> Server {
    let (dir, ports) = (folder(), Ports::reserve());
    let config = format!(
        "server:
  interface: {address}
  num-threads: {cores}
  so-reuseport: yes
  minimal-responses: yes
  module-config: \"iterator\"
  do-not-query-localhost: no
  do-ip6: no
  outgoing-range: 8192
  num-queries-per-thread: 4096
  msg-cache-size: 256m
  rrset-cache-size: 512m
  msg-cache-slabs: 4
  rrset-cache-slabs: 4
  infra-cache-slabs: 4
  key-cache-slabs: 4
  chroot: \"\"
  username: \"\"
  directory: \"{dir}\"
  pidfile: \"\"
  use-syslog: no
remote-control:
  control-enable: no
forward-zone:
  name: \".\"
  forward-addr: {upstream}
",
        address = at(ports.dns()),
        upstream = at(upstream.address()),
        dir = dir.path().display(),
    );
    server("Unbound", dir, ports, &config, |config| {
        let mut command = Command::new("unbound");
        command.arg("-d").arg("-c").arg(config);
        command
    })
}

/// PowerDNS Recursor, forwarding all names.
pub(crate) fn recursor(upstream: &Upstream, cores: usize) -> Server {
    let (dir, ports) = (folder(), Ports::reserve());
    let config = format!(
        "local-address={address}
local-port={port}
threads={cores}
reuseport=yes
pdns-distributes-queries=no
forward-zones-recurse=.={upstream}
dont-query=
dnssec=off
socket-dir={dir}
daemon=no
write-pid=no
disable-syslog=yes
max-packetcache-entries=1000000
max-cache-entries=2000000
security-poll-suffix=
",
        address = ports.dns().ip(),
        port = ports.dns().port(),
        upstream = upstream.address(),
        dir = dir.path().display(),
    );
    server("PowerDNS Recursor", dir, ports, &config, |config| {
        let folder = config.parent().expect("the file is in a folder");
        // It looks for a file of this name in a folder.
        fs::copy(config, folder.join("recursor.conf")).expect("the folder is writable");
        let mut command = Command::new("pdns_recursor");
        command.arg(format!("--config-dir={}", folder.display()));
        command
    })
}

/// dnsdist with a packet cache.
pub(crate) fn dnsdist(upstream: &Upstream, cores: usize) -> Server {
    let (dir, ports) = (folder(), Ports::reserve());
    let doors = format!("addLocal('{}', {{reusePort=true}})\n", ports.dns()).repeat(cores);
    let config = format!("{doors}{}", dnsdist_behind(upstream));
    server("dnsdist", dir, ports, &config, dnsdist_command)
}

/// NSD with the zone and a certificate.
pub(crate) fn nsd_tls(zone: Zone, cores: usize) -> Server {
    let (dir, ports) = (folder(), Ports::reserve());
    write_zone(zone, &dir.path().join("zone"));
    let (certificate, key) = certificate(dir.path());
    let tls = format!(
        "  tls-port: {}\n  tls-service-pem: \"{certificate}\"\n  tls-service-key: \"{key}\"\n",
        ports.dns().port()
    );
    let config = nsd_config(at(ports.dns()), dir.path(), cores, &tls);
    server("NSD", dir, ports, &config, nsd_command)
}

/// dnsdist with a packet cache and a certificate.
pub(crate) fn dnsdist_tls(upstream: &Upstream, cores: usize) -> Server {
    let (dir, ports) = (folder(), Ports::reserve());
    let (certificate, key) = certificate(dir.path());
    let doors = format!("addTLSLocal('{}', '{certificate}', '{key}', {{reusePort=true}})\n", ports.dns()).repeat(cores);
    let config = format!("{doors}setMaxTCPClientThreads({cores})\n{}", dnsdist_behind(upstream));
    server("dnsdist", dir, ports, &config, dnsdist_command)
}

/// A certificate and its key, as files of this folder.
pub(crate) fn certificate(folder: &Path) -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let write = |name: &str, text: String| {
        let path = folder.join(name);
        fs::write(&path, text).expect("the folder is writable");
        path.display().to_string()
    };
    (write("certificate.pem", made.cert.pem()), write("key.pem", made.signing_key.serialize_pem()))
}

fn dnsdist_behind(upstream: &Upstream) -> String {
    format!(
        "setACL('127.0.0.0/8')
setSecurityPollSuffix('')
newServer({{address='{}', healthCheckMode='up'}})
cache = newPacketCache(2000000, {{maxTTL=86400, minTTL=0}})
getPool(''):setCache(cache)
",
        upstream.address()
    )
}

fn dnsdist_command(config: &Path) -> Command {
    let mut command = Command::new("dnsdist");
    command.args(["--supervised", "--disable-syslog", "-C"]).arg(config);
    command
}

fn write_zone(zone: Zone, path: &Path) {
    let any = format!("*.new.{APEX}. {TTL} A 192.0.2.1");
    let records = zone.records().map(|record| format!("{}. {TTL} {} {}", record.name, record.kind, dotted(&record)));
    write_lines(path, records.chain([any]));
}
