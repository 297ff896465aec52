//! Knot DNS (`man knot.conf`).

use super::{Home, Make, UDP_PAYLOAD};
use std::{fmt::Write, process::Command};

/// Knot with the zones of its folder.
pub(super) fn command(home: &Home<'_>) -> Command {
    let dir = home.dir.display();
    let mut text = format!(
        "server:
    listen: {}@{}
    rundir: \"{dir}\"
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    udp-max-payload: {UDP_PAYLOAD}
    identity: \"\"
    version: \"\"
control:
    listen: \"{dir}/knot.sock\"
database:
    storage: \"{dir}\"
log:
  - target: stderr
    any: warning
template:
  - id: default
    storage: \"{dir}\"
    zonefile-sync: -1
    zonefile-load: whole
    journal-content: none
    semantic-checks: off
zone:
",
        home.address.ip(),
        home.address.port(),
    );
    for (origin, file) in &home.zones {
        write!(text, "  - domain: \"{origin}\"\n    file: \"{}\"\n", file.display()).expect("text grows");
    }
    let mut command = Command::new(Make::Knot.program());
    command.arg("-c").arg(home.write("knot.conf", &text));
    command
}
