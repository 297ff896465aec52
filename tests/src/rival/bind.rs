//! BIND (`man named.conf`).

use super::{Home, Make, UDP_PAYLOAD};
use std::{fmt::Write, fs, path::PathBuf, process::Command};

/// BIND with the zones of its folder, whatever it thinks of them.
pub(super) fn command(home: &Home<'_>) -> Command {
    let dir = home.dir.display();
    let mut text = format!(
        "options {{
    directory \"{dir}\";
    listen-on port {} {{ {}; }};
    listen-on-v6 {{ none; }};
    pid-file none;
    session-keyfile none;
    managed-keys-directory \"{dir}\";
    recursion no;
    allow-query {{ any; }};
    allow-transfer {{ none; }};
    notify no;
    minimal-responses yes;
    minimal-any no;
    dnssec-validation no;
    empty-zones-enable no;
    edns-udp-size {UDP_PAYLOAD};
    max-udp-size {UDP_PAYLOAD};
    zero-no-soa-ttl no;
    version none;
    hostname none;
    server-id none;
    check-names master ignore;
    check-dup-records ignore;
    check-integrity no;
    check-mx ignore;
    check-spf ignore;
    check-wildcard no;
}};
controls {{ }};
",
        home.address.port(),
        home.address.ip(),
    );
    for (origin, file) in &home.zones {
        let file = file.display();
        writeln!(text, "zone \"{origin}\" {{ type primary; file \"{file}\"; }};").expect("text grows");
    }
    let mut command = Command::new(program(home));
    command.args(["-g", "-4", "-n", "1", "-c"]).arg(home.write("named.conf", &text));
    command
}

/// Debian comes with an AppArmor profile that forbids `/usr/sbin/named` every folder but its own. It goes by the path of the
/// program, so where AppArmor is at work the folder gets a copy.
fn program(home: &Home<'_>) -> PathBuf {
    let installed = Make::Bind.program();
    if fs::read_to_string("/sys/module/apparmor/parameters/enabled").is_ok_and(|answer| answer.starts_with('Y')) {
        let copy = home.dir.join("named");
        fs::copy(installed, &copy).unwrap_or_else(|error| panic!("cannot copy {}: {error}", installed.display()));
        return copy;
    }
    installed.to_owned()
}
