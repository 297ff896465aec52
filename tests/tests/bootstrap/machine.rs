//! The machines of the guide: each a folder with two daemons, and what is different from a machine of its own.
//!
//! | in the guide | here |
//! |---|---|
//! | 192.0.2.1, … | loopback addresses that only this test uses |
//! | `"port": "53"`, `:7946` | ports for which nobody needs to be root |
//! | `/var/lib`, `/run`, `/opt` | folders of the machine's own |
//! | `systemctl VERB UNIT…` | starts and ends the daemons as the units would |
//! | a person types the next write | not before the clock's next second, which is what `global_lww` tells writes apart by |
//! | `chown …` | left out: the users of the units are not there |
//!
//! Machine d has the files of a node of the other implementation in `/opt/dnsplane`.

use dnsplane_tests::{
    Daemon, PATIENCE,
    node::TERMINATION_LIMIT,
    ports::Ports,
    program::{self, bin_dir, binary},
    wait::within,
};
use std::{collections::BTreeMap, env, fs, path::PathBuf, process::Command, time::SystemTime};
use tempfile::TempDir;

/// All machines, and what they share.
pub(crate) struct Machines {
    // Daemons come first: they are gone before their folders are.
    machines: BTreeMap<char, Machine>,
    ports: Ports,
    /// Unix second of the last write.
    written: u64,
}

struct Machine {
    letter: char,
    control: Option<Daemon>,
    data: Option<Daemon>,
    folder: TempDir,
}

/// Folders that exist once dnsplane is installed.
const FOLDERS: [&str; 5] =
    ["var/lib/dnsplane", "var/lib/dnsplane-dns", "run/dnsplane", "run/dnsplane-feed", "opt/dnsplane"];

impl Machines {
    /// Machines with dnsplane installed and nothing running.
    pub(crate) fn start() -> Self {
        let machines = ('a'..='d').map(|letter| (letter, Machine::new(letter))).collect::<BTreeMap<_, _>>();
        let this = Self { machines, ports: Ports::reserve(), written: 0 };
        let old = |name: &str, text: &str| this.write('d', &format!("/opt/dnsplane/{name}"), text).expect("a folder");
        old("dnsrecords.json", OLD_RECORDS);
        old("cluster_state.json", OLD_STATE);
        this
    }

    /// Writes a file on a machine.
    pub(crate) fn write(&self, machine: char, path: &str, text: &str) -> Result<(), String> {
        let (path, text) = (self.here(machine, path), self.here(machine, text));
        fs::write(&path, text).map_err(|error| format!("{path}: {error}"))
    }

    /// Runs a command on a machine; returns what it printed, as it would be printed there.
    pub(crate) fn run(&mut self, machine: char, command: &str) -> Result<String, String> {
        if command.starts_with("chown ") {
            return Ok(String::new());
        }
        if let Some(rest) = command.strip_prefix("systemctl ") {
            let mut words = rest.split_whitespace();
            let verb = words.next().unwrap_or_default();
            words.try_for_each(|unit| self.unit(machine, verb, unit))?;
            return Ok(String::new());
        }
        if command.starts_with("dnsplanectl record add") || command.starts_with("dnsplanectl cluster restore") {
            self.written = within(PATIENCE, || match unix_second() {
                now if now > self.written => Ok(now),
                now => Err(format!("the clock stands at {now}")),
            })?;
        }
        let line = self.here(machine, command);
        let folder = self.machine(machine).folder.path();
        let path = env::var_os("PATH").unwrap_or_default();
        let path = env::join_paths([bin_dir()].into_iter().chain(env::split_paths(&path))).expect("a search path");
        let mut shell = Command::new("bash");
        shell.args(["-euo", "pipefail", "-c", &line]).current_dir(folder);
        shell
            .env("PATH", path)
            .env("DNSPLANE_SOCKET", folder.join("run/dnsplane/dnsplane.sock"))
            .env_remove("RUST_LOG");
        let ended = program::run(shell, "");
        match ended.code {
            Some(0) => Ok(self.there(machine, &ended.stdout)),
            code => Err(format!("`{command}` ended with {code:?}: {}", self.there(machine, &ended.said()))),
        }
    }

    /// The ends of all logs.
    pub(crate) fn logs(&self) -> String {
        self.machines.values().map(Machine::logs).collect::<Vec<_>>().join("\n")
    }

    /// Does what systemd would do; a unit is started when its daemon is at work.
    fn unit(&mut self, machine: char, verb: &str, unit: &str) -> Result<(), String> {
        let it = self.machines.get_mut(&machine).expect("a machine of the guide");
        let slot = match unit {
            "dnsplane-cluster" => &mut it.control,
            "dnsplane-dns" => &mut it.data,
            _ => return Err(format!("there is no unit `{unit}`")),
        };
        if !matches!(verb, "start" | "stop" | "restart") {
            return Err(format!("`systemctl {verb}` is not known here"));
        }
        if let Some(mut daemon) = slot.take_if(|_| verb != "start") {
            let ended = daemon.terminate(TERMINATION_LIMIT).ok_or_else(|| format!("{unit} does not end"))?;
            assert!(ended.success(), "{unit} of {machine}: {ended}");
        }
        if verb == "stop" || slot.is_some() {
            return Ok(());
        }
        *slot = Some(start(unit, it.folder.path().to_owned()));
        if unit == "dnsplane-cluster" {
            within(PATIENCE, || self.run(machine, "dnsplanectl server status").map(|_| ()))?;
        }
        Ok(())
    }

    fn machine(&self, letter: char) -> &Machine {
        self.machines.get(&letter).unwrap_or_else(|| panic!("the guide has no machine `{letter}`"))
    }

    /// What the guide says, as it is here.
    fn here(&self, machine: char, text: &str) -> String {
        let folder = self.machine(machine).folder.path().display().to_string();
        let text =
            text.replace("192.0.2.", &self.network()).replace(":7946", &format!(":{}", self.ports.peer().port()));
        let text = text.replace("\"port\": \"53\"", &format!("\"port\": \"{}\"", self.ports.dns().port()));
        ["/var/lib/", "/run/", "/opt/"].iter().fold(text, |text, path| text.replace(path, &format!("{folder}{path}")))
    }

    /// What is printed here, as it would be there.
    fn there(&self, machine: char, text: &str) -> String {
        let folder = self.machine(machine).folder.path().display().to_string();
        let text =
            text.replace(&self.network(), "192.0.2.").replace(&format!(":{}", self.ports.peer().port()), ":7946");
        text.replace(&folder, "")
    }

    /// A part of 127.0.0.0/8 that goes with our block of ports, which nobody else has.
    fn network(&self) -> String {
        let [high, low] = self.ports.dns().port().to_be_bytes();
        format!("127.{high}.{low}.")
    }
}

impl Machine {
    fn new(letter: char) -> Self {
        let folder = tempfile::Builder::new().prefix("dnsplane-").tempdir().expect("a temporary folder");
        for path in FOLDERS {
            fs::create_dir_all(folder.path().join(path)).expect("a folder");
        }
        Self { letter, control: None, data: None, folder }
    }

    fn logs(&self) -> String {
        let tail = |daemon: &Option<Daemon>| daemon.as_ref().map_or_else(|| "(not running)".to_owned(), Daemon::tail);
        let Self { letter, control, data, .. } = self;
        format!("--- control plane of {letter}:\n{}\n--- data plane of {letter}:\n{}", tail(control), tail(data))
    }
}

fn unix_second() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().expect("it is later than 1970").as_secs()
}

fn start(unit: &str, folder: PathBuf) -> Daemon {
    let mut command = Command::new(binary(unit));
    match unit {
        "dnsplane-cluster" => command.arg("--config").arg(folder.join("var/lib/dnsplane/dnsplane.json")),
        _ => {
            let feed = format!("unix:{}", folder.join("run/dnsplane-feed/feed.sock").display());
            command.arg("--feed").arg(feed).arg("--state").arg(folder.join("var/lib/dnsplane-dns"))
        }
    };
    command.env_remove("RUST_LOG").current_dir(&folder);
    Daemon::start(command, &folder.join(format!("{unit}.log")))
}

const OLD_RECORDS: &str = r#"{"records":[{"id":"5b0c0d53-6f6e-4f0a-9a55-0f6f4f6f9d10","name":"printer.example.test",
"type":"A","value":"198.51.100.60","ttl":300,"added_on":"2026-05-04T09:30:00.5Z","updated_on":"0001-01-01T00:00:00Z",
"last_query":"0001-01-01T00:00:00Z"}]}
"#;

const OLD_STATE: &str = r#"{"node_id":"node-e40cdfa00b9ce8ed","local_seq":41,"peer_seq":{"node-b":3}}"#;
