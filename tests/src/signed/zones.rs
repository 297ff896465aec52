//! The zones, and how each is signed.

use crate::program::run;
use std::{fs, path::Path, process::Command};

/// How a zone is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signing {
    /// Not at all, and its parent knows.
    No,
    /// With NSEC.
    Nsec,
    /// With NSEC3 of so many iterations.
    Nsec3(u32),
    /// With NSEC3, delegations that are not signed left out.
    OptOut,
    /// At a time that is over.
    Past,
    /// For a time to come.
    Future,
    /// As with NSEC, but an address is another one afterwards.
    Altered,
    /// As with NSEC, but what is served is not signed.
    Stripped,
    /// As with NSEC, but with other keys than the parent knows.
    OtherKeys,
    /// As with NSEC, but what denies is not served.
    Undenied,
}

struct Zone {
    name: &'static str,
    algorithm: &'static str,
    signing: Signing,
    records: &'static str,
}

const fn zone(name: &'static str, signing: Signing, records: &'static str) -> Zone {
    Zone { name, algorithm: "ECDSAP256SHA256", signing, records }
}

/// Children before their parents, which need to know their keys.
const ZONES: &[Zone] = &[
    zone(
        "secure.tree.",
        Signing::Nsec,
        "
        www 300 A 192.0.2.1
        www 300 TXT \"Mixed Case\"
        mail 300 MX 10 WWW.Secure.Tree.
        mail 300 MX 5 www.hashed.tree.
        alias 300 CNAME www
        far 300 CNAME www.hashed.tree.
        leaves 300 CNAME www.plain.
        nowhere 300 CNAME missing.hashed.tree.
        nodata 300 CNAME www.hashed.tree.
        broken 300 CNAME www.altered.tree.
        *.wild 300 A 192.0.2.2
        *.wildalias 300 CNAME www
        moved 300 DNAME hashed.tree.
        a.between 300 A 192.0.2.3
    ",
    ),
    Zone {
        algorithm: "ED25519",
        ..zone(
            "hashed.tree.",
            Signing::Nsec3(5),
            "
        www 300 A 192.0.2.11
        *.wild 300 A 192.0.2.12
        a.between 300 A 192.0.2.13
        deep.down.below 300 A 192.0.2.14
    ",
        )
    },
    zone("costly.tree.", Signing::Nsec3(100), "www 300 A 192.0.2.15\n"),
    zone("child.optout.tree.", Signing::No, "www 300 A 192.0.2.21\n"),
    zone(
        "optout.tree.",
        Signing::OptOut,
        "
        www 300 A 192.0.2.22
        child 300 NS ns.tree.
    ",
    ),
    zone("unsigned.tree.", Signing::No, "www 300 A 192.0.2.23\n"),
    zone("past.tree.", Signing::Past, "www 300 A 192.0.2.24\n"),
    zone("future.tree.", Signing::Future, "www 300 A 192.0.2.25\n"),
    zone(
        "altered.tree.",
        Signing::Altered,
        "
        www 300 A 192.0.2.26
        fine 300 A 192.0.2.126
    ",
    ),
    zone("stripped.tree.", Signing::Stripped, "www 300 A 192.0.2.27\n"),
    zone("otherkeys.tree.", Signing::OtherKeys, "www 300 A 192.0.2.28\n"),
    zone(
        "undenied.tree.",
        Signing::Undenied,
        "
        www 300 A 192.0.2.29
        *.wild 300 A 192.0.2.129
    ",
    ),
    zone(
        "tree.",
        Signing::Nsec,
        "
        ns 300 A 127.0.0.1
        secure 300 NS ns.tree.
        hashed 300 NS ns.tree.
        costly 300 NS ns.tree.
        optout 300 NS ns.tree.
        unsigned 300 NS ns.tree.
        past 300 NS ns.tree.
        future 300 NS ns.tree.
        altered 300 NS ns.tree.
        stripped 300 NS ns.tree.
        otherkeys 300 NS ns.tree.
        undenied 300 NS ns.tree.
    ",
    ),
    zone("plain.", Signing::No, "www 300 A 192.0.2.31\n"),
    Zone {
        algorithm: "RSASHA256",
        ..zone(
            ".",
            Signing::Nsec,
            "
        tree. 300 NS ns.tree.
        ns.tree. 300 A 127.0.0.1
        plain. 300 NS ns.tree.
    ",
        )
    },
];

/// The file of a zone, as it is served.
pub(super) fn file(zone: &str) -> String {
    format!("{zone}zone")
}

/// Writes and signs them all; returns their names.
pub(super) fn make(dir: &Path) -> Vec<String> {
    for zone in ZONES {
        let head =
            format!("$ORIGIN {0}\n@ 300 SOA ns.tree. host.tree. 1 3600 600 86400 60\n@ 300 NS ns.tree.\n", zone.name);
        let text = zone.records.lines().map(str::trim).collect::<Vec<_>>().join("\n");
        let plain = format!("{}plain", zone.name);
        fs::write(dir.join(&plain), format!("{head}{text}\n")).expect("the temporary folder is writable");
        if zone.signing == Signing::No {
            fs::copy(dir.join(&plain), dir.join(file(zone.name))).expect("the temporary folder is writable");
            continue;
        }
        keys(dir, zone);
        sign(dir, zone, ".");
        finish(dir, zone, &plain);
    }
    ZONES.iter().map(|zone| zone.name.to_owned()).collect()
}

fn keys(dir: &Path, zone: &Zone) {
    for flags in [&["-f", "KSK"][..], &[]] {
        let mut command = Command::new("dnssec-keygen");
        command.current_dir(dir).args(["-q", "-a", zone.algorithm]);
        if zone.algorithm == "RSASHA256" {
            command.args(["-b", "2048"]);
        }
        command.args(flags).arg(zone.name);
        run(command, "").success();
    }
}

/// `digests`: the folder that the zone's DS records go to.
fn sign(dir: &Path, zone: &Zone, digests: &str) {
    let mut command = Command::new("dnssec-signzone");
    command.current_dir(dir).args(["-q", "-S", "-P", "-g", "-T", "300", "-d", digests, "-o", zone.name]);
    command.args(["-f", &file(zone.name)]);
    match zone.signing {
        Signing::Nsec3(iterations) => drop(command.args(["-3", "abcd", "-H", &iterations.to_string()])),
        Signing::OptOut => drop(command.args(["-3", "-", "-A"])),
        Signing::Past => drop(command.args(["-s", "20200101000000", "-e", "20200201000000"])),
        Signing::Future => drop(command.args(["-s", "20400101000000", "-e", "20400201000000"])),
        _ => {}
    }
    command.arg(format!("{}plain", zone.name));
    run(command, "").success();
}

/// What goes wrong afterwards.
fn finish(dir: &Path, zone: &Zone, plain: &str) {
    let served = dir.join(file(zone.name));
    match zone.signing {
        Signing::Altered => {
            let text = fs::read_to_string(&served).expect("a signed zone");
            fs::write(&served, text.replace("192.0.2.26", "192.0.2.99")).expect("the temporary folder is writable");
        }
        Signing::Stripped => drop(fs::copy(dir.join(plain), &served).expect("the temporary folder is writable")),
        Signing::OtherKeys => {
            let old = fs::read_dir(dir).expect("a readable folder").map(|entry| entry.expect("an entry").path());
            let prefix = format!("K{}+", zone.name);
            old.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix)))
                .for_each(|path| fs::remove_file(path).expect("our own file"));
            fs::create_dir(dir.join("elsewhere")).expect("the temporary folder is writable");
            keys(dir, zone);
            sign(dir, zone, "elsewhere");
        }
        Signing::Undenied => {
            let text = compact(dir, zone.name);
            let kept = text.lines().filter(|line| !line.split_whitespace().any(|word| word == "NSEC"));
            fs::write(&served, kept.collect::<Vec<_>>().join("\n") + "\n").expect("the temporary folder is writable");
        }
        _ => {}
    }
}

/// A zone with one record a line.
fn compact(dir: &Path, zone: &str) -> String {
    let mut command = Command::new("named-compilezone");
    command.current_dir(dir).args(["-q", "-i", "none", "-s", "full", "-o", "-", zone, &file(zone)]);
    run(command, "").success()
}

/// Lines that say what to trust of a zone.
pub fn anchor(dir: &Path, zone: &str, kind: &str) -> String {
    let keys = fs::read_dir(dir).expect("a readable folder").map(|entry| entry.expect("an entry").path());
    let prefix = format!("K{zone}+");
    let ours = keys.filter(|path| {
        path.extension().is_some_and(|end| end == "key")
            && path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&prefix))
    });
    let signing = ours.filter(|path| fs::read_to_string(path).is_ok_and(|text| text.contains(" DNSKEY 257 ")));
    let mut lines = String::new();
    for path in signing {
        if kind == "DS" {
            let mut command = Command::new("dnssec-dsfromkey");
            command.args(["-2"]).arg(&path);
            lines += &run(command, "").success();
        } else {
            lines += &fs::read_to_string(path).expect("a key file");
        }
    }
    lines
}
