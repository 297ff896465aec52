//! Servers that are not ours, each as its manual tells to set it up for this machine: a process or thread for each core, a
//! socket for each of them, no limits on the rate of answers, nothing in replies that was not asked for.

use super::{
    figures::FLOOR,
    server::Server,
    zone::{APEX, Zone},
};
use crate::echo;
use dnsplane_tests::ports::Ports;
use std::{fs, net::SocketAddr, path::Path, process::Command};
use tempfile::TempDir;

/// NSD: a process for each core.
pub(crate) fn nsd(zone: Zone, cores: usize) -> Server {
    let (dir, ports) = home(zone);
    let config = nsd_config(at(ports.dns()), dir.path(), cores, "");
    server("NSD", dir, ports, &config, nsd_command)
}

/// Knot: UDP and TCP workers for each core.
pub(crate) fn knot(zone: Zone, cores: usize) -> Server {
    let (dir, ports) = home(zone);
    let config = format!(
        "server:
  listen: {address}
  rundir: {dir}
  udp-workers: {cores}
  tcp-workers: {cores}
  tcp-reuseport: on
log:
  - target: stderr
    any: warning
database:
  storage: {dir}
template:
  - id: default
    storage: {dir}
    journal-content: none
    zonefile-sync: -1
    zonefile-load: whole
zone:
  - domain: {APEX}
    file: zone
",
        address = at(ports.dns()),
        dir = dir.path().display(),
    );
    server("Knot", dir, ports, &config, |config| {
        let mut command = Command::new("knotd");
        command.arg("-c").arg(config);
        command
    })
}

/// Unbound, with the zone as local data: a thread for each core. It asks nobody.
pub(crate) fn unbound(zone: Zone, cores: usize) -> Server {
    let (dir, ports) = home(zone);
    zone.write_local_data(&dir.path().join("local"));
    let config = format!(
        "server:
  interface: {address}
  num-threads: {cores}
  so-reuseport: yes
  incoming-num-tcp: 1000
  minimal-responses: yes
  module-config: \"iterator\"
  chroot: \"\"
  username: \"\"
  directory: \"{dir}\"
  pidfile: \"\"
  use-syslog: no
  local-zone: \"{APEX}.\" static
  include: \"{dir}/local\"
remote-control:
  control-enable: no
",
        address = at(ports.dns()),
        dir = dir.path().display(),
    );
    server("Unbound", dir, ports, &config, |config| {
        let mut command = Command::new("unbound");
        command.arg("-d").arg("-c").arg(config);
        command
    })
}

/// The floor: what it costs to receive and send, with nothing done in between.
pub(crate) fn floor(cores: usize) -> Server {
    let dir = folder();
    let ports = Ports::reserve();
    let address = ports.dns();
    Server::new(FLOOR, address, dir.path().join("log"), (dir, ports), move || echo::command(address, cores))
}

pub(crate) fn folder() -> TempDir {
    tempfile::Builder::new().prefix("dnsplane-bench-").tempdir().expect("a temporary folder")
}

/// What NSD is told: its address, its folder with the zone, how many processes, and what else there is to say.
pub(crate) fn nsd_config(address: String, dir: &Path, processes: usize, more: &str) -> String {
    format!(
        "server:
  ip-address: {address}
{more}  server-count: {processes}
  reuseport: yes
  username: \"\"
  zonesdir: \"{dir}\"
  xfrdir: \"{dir}\"
  database: \"\"
  pidfile: \"\"
  xfrdfile: \"{dir}/xfrd.state\"
  zonelistfile: \"{dir}/zones.list\"
  rrl-ratelimit: 0
  rrl-whitelist-ratelimit: 0
  minimal-responses: yes
  tcp-count: 1000
remote-control:
  control-enable: no
zone:
  name: {APEX}
  zonefile: zone
",
        dir = dir.display(),
    )
}

/// NSD in the foreground.
pub(crate) fn nsd_command(config: &Path) -> Command {
    let mut command = Command::new("nsd");
    command.arg("-d").arg("-c").arg(config);
    command
}

fn home(zone: Zone) -> (TempDir, Ports) {
    let dir = folder();
    zone.write_zone(&dir.path().join("zone"));
    (dir, Ports::reserve())
}

/// An address as all three write it.
pub(crate) fn at(address: SocketAddr) -> String {
    format!("{}@{}", address.ip(), address.port())
}

/// A server that reads a file of settings.
pub(crate) fn server(
    name: &'static str,
    dir: TempDir,
    ports: Ports,
    config: &str,
    command: impl Fn(&Path) -> Command + 'static,
) -> Server {
    let path = dir.path().join("config");
    fs::write(&path, config).expect("the folder is writable");
    let (address, log) = (ports.dns(), dir.path().join("log"));
    Server::new(name, address, log, (dir, ports), move || command(&path))
}
