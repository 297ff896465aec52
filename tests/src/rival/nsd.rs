//! NSD (`man nsd.conf`).

use super::{Home, Make, UDP_PAYLOAD};
use std::{fmt::Write, process::Command};

/// NSD with the zones of its folder.
pub(super) fn command(home: &Home<'_>) -> Command {
    let dir = home.dir.display();
    let mut text = format!(
        "server:
    ip-address: {}@{}
    username: \"\"
    chroot: \"\"
    zonesdir: \"{dir}\"
    database: \"\"
    pidfile: \"\"
    xfrdfile: \"\"
    zonelistfile: \"{dir}/zone.list\"
    xfrdir: \"{dir}\"
    server-count: 1
    ipv4-edns-size: {UDP_PAYLOAD}
    rrl-ratelimit: 0
    rrl-whitelist-ratelimit: 0
    minimal-responses: yes
    refuse-any: no
    hide-version: yes
    hide-identity: yes
remote-control:
    control-enable: no
",
        home.address.ip(),
        home.address.port(),
    );
    for (origin, file) in &home.zones {
        write!(text, "zone:\n    name: \"{origin}\"\n    zonefile: \"{}\"\n", file.display()).expect("text grows");
    }
    let mut command = Command::new(Make::Nsd.program());
    command.arg("-d").arg("-c").arg(home.write("nsd.conf", &text));
    command
}
