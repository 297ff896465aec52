//! Other people's name servers beside ours: NSD, Knot and BIND from Debian's packages, on loopback, each in a folder of
//! its own and in the foreground. They are ended when dropped.
//!
//! They need no privilege on the ports that tests use. Tests that run as root start them as `nobody`.
//!
//! What they are told makes them comparable: no rate limits, the same payload over UDP, nothing in a reply that nobody
//! asked for.

mod bind;
mod knot;
mod nsd;

use crate::{
    daemon::Daemon,
    dns::Question,
    ports::Ports,
    wait::{PATIENCE, within},
};
use hickory_proto::op::ResponseCode;
use nix::unistd::{Uid, User, chown};
use std::{
    fmt, fs,
    net::SocketAddr,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};
use tempfile::TempDir;

/// The payload over UDP that they are allowed. Ours is to be given the same.
pub const UDP_PAYLOAD: u16 = 4096;
/// SIGTERM should be over by then; SIGKILL follows.
const TERMINATION_LIMIT: Duration = Duration::from_secs(5);

/// Whose server it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Make {
    /// NSD, of NLnet Labs.
    Nsd,
    /// Knot DNS, of CZ.NIC.
    Knot,
    /// BIND 9, of ISC.
    Bind,
}

/// All of them.
pub const MAKES: [Make; 3] = [Make::Nsd, Make::Knot, Make::Bind];

/// A zone for them to serve.
#[derive(Clone, Debug)]
pub struct Zone {
    /// The name of its apex, without a dot at the end.
    pub origin: String,
    /// Its records as a zone file (RFC 1035 §5).
    pub text: String,
}

/// A running server.
#[derive(Debug)]
pub struct Rival {
    // The daemon comes first: it is gone before its folder is.
    daemon: Daemon,
    make: Make,
    address: SocketAddr,
    _dir: TempDir,
    _ports: Ports,
}

/// What a server finds in its folder.
struct Home<'a> {
    dir: &'a Path,
    address: SocketAddr,
    /// Names of zones and their files.
    zones: Vec<(&'a str, PathBuf)>,
}

impl Rival {
    /// Starts a server with these zones and waits until it answers from each of them.
    #[track_caller]
    pub fn start(make: Make, zones: &[Zone]) -> Self {
        let dir = tempfile::Builder::new().prefix("dnsplane-").tempdir().expect("a temporary folder");
        let ports = Ports::reserve();
        let files = zones.iter().enumerate().map(|(number, zone)| {
            let file = dir.path().join(format!("{number}.zone"));
            fs::write(&file, &zone.text).expect("the temporary folder is writable");
            (zone.origin.as_str(), file)
        });
        let home = Home { dir: dir.path(), address: ports.dns(), zones: files.collect() };
        let mut command = match make {
            Make::Nsd => nsd::command(&home),
            Make::Knot => knot::command(&home),
            Make::Bind => bind::command(&home),
        };
        command.current_dir(dir.path());
        if Uid::effective().is_root() {
            become_nobody(&mut command, dir.path());
        }
        let daemon = Daemon::start(command, &dir.path().join("log"));
        let address = ports.dns();
        let mut rival = Self { daemon, make, address, _dir: dir, _ports: ports };
        zones.iter().for_each(|zone| rival.wait_for(zone));
        rival
    }

    /// Whose it is.
    pub fn make(&self) -> Make {
        self.make
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process, which may have children.
    pub fn daemon(&self) -> &Daemon {
        &self.daemon
    }

    /// Waits until it has loaded a zone.
    #[track_caller]
    fn wait_for(&mut self, zone: &Zone) {
        let question = Question::new(&zone.origin, "SOA").iterative();
        let seen = within(PATIENCE, || {
            if let Some(status) = self.daemon.ended() {
                return Ok(Err(format!("has ended: {status}")));
            }
            let reply = question.udp(self.address).map_err(|error| error.to_string())?;
            let loaded = reply.code() == ResponseCode::NoError && reply.message.metadata.authoritative;
            if loaded { Ok(Ok(())) } else { Err(reply.summary()) }
        });
        if let Err(why) = seen.and_then(|ended| ended) {
            panic!("{} does not serve {}: {why}\n{}\n{}", self.make, zone.origin, self.daemon.tail(), zone.text);
        }
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        // So that its own children are ended by it.
        self.daemon.terminate(TERMINATION_LIMIT);
    }
}

impl Make {
    /// Where Debian's package puts the program. `/usr/sbin` is not on everybody's path.
    pub fn program(self) -> &'static Path {
        Path::new(match self {
            Self::Nsd => "/usr/sbin/nsd",
            Self::Knot => "/usr/sbin/knotd",
            Self::Bind => "/usr/sbin/named",
        })
    }
}

impl fmt::Display for Make {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Nsd => "NSD",
            Self::Knot => "Knot",
            Self::Bind => "BIND",
        })
    }
}

impl Home<'_> {
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.dir.join(name);
        fs::write(&path, text).expect("the temporary folder is writable");
        path
    }
}

/// Makes a program run as `nobody`, to whom the folder is given.
fn become_nobody(command: &mut Command, dir: &Path) {
    let nobody = User::from_name("nobody").expect("users can be looked up").expect("there is a user `nobody`");
    chown(dir, Some(nobody.uid), Some(nobody.gid)).expect("root may give a folder away");
    command.uid(nobody.uid.as_raw()).gid(nobody.gid.as_raw());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answers_from_its_zones_and_is_gone_when_dropped() {
        let zones = ["one.test", "two.test"].map(|origin| Zone {
            origin: origin.to_owned(),
            text: format!(
                "{origin}. 60 IN SOA ns.{origin}. mail.{origin}. 1 2 3 4 5\n{origin}. 60 IN NS ns.{origin}.\n\
                 ns.{origin}. 60 IN A 192.0.2.1\n"
            ),
        });
        for make in MAKES {
            let rival = Rival::start(make, &zones);
            let reply = Question::new("ns.two.test", "A").udp(rival.address()).unwrap();
            assert_eq!(reply.values(), ["192.0.2.1"], "{make}");
            let process = PathBuf::from(format!("/proc/{}", rival.daemon().id()));
            assert!(process.exists(), "{make}");
            drop(rival);
            assert!(!process.exists(), "{make}");
        }
    }
}
