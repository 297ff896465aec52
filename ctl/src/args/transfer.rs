//! The commands that carry records out to files and in from them.

use clap::{Args, ValueEnum};
use std::path::{Path, PathBuf};

/// How a file says records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// The document of dnsrecords.json, with everything that a record carries.
    Json,
    /// A zone file.
    Zone,
    /// Addresses and names, as in /etc/hosts.
    Hosts,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// How to write them [default: what FILE's name says, or else json].
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// Only this zone, without the zones below it; `.` stands for all records.
    #[arg(long, value_name = "ZONE")]
    pub zone: Option<String>,
    /// The file to write; without it, or for `-`, standard output.
    #[arg(value_name = "FILE")]
    pub file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// How it is written [default: what FILE's name says].
    #[arg(long, value_enum, value_name = "FORMAT")]
    pub format: Option<Format>,
    /// The zone that the file is about: relative names of a zone file lie below it, and --replace goes no further.
    #[arg(long, visible_alias = "origin", value_name = "ZONE")]
    pub zone: Option<String>,
    /// Remove what is not in the file: of the zone that it is about, or else of all records.
    #[arg(long)]
    pub replace: bool,
    /// Show the difference and change nothing.
    #[arg(long, conflicts_with = "yes")]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long, short = 'y')]
    pub yes: bool,
    /// Show every difference, not only the first of each kind.
    #[arg(long)]
    pub all: bool,
    /// The file to read; `-` is standard input.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

impl Import {
    /// Whether the file is standard input.
    pub(crate) fn is_standard_input(&self) -> bool {
        self.file == Path::new("-")
    }
}

impl Format {
    /// What a file's name says of it.
    pub(crate) fn of(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_str()?.to_ascii_lowercase();
        match name.rsplit_once('.').map_or(name.as_str(), |(_, ending)| ending) {
            "json" => Some(Self::Json),
            "zone" | "db" => Some(Self::Zone),
            "hosts" => Some(Self::Hosts),
            _ if name.starts_with("db.") => Some(Self::Zone),
            _ => None,
        }
    }

    /// As the control plane knows it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Zone => "zone",
            Self::Hosts => "hosts",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_a_file_holds() {
        for (name, format) in [
            ("dnsrecords.json", Some(Format::Json)),
            ("/var/lib/zones/LAB.TEST.zone", Some(Format::Zone)),
            ("lab.test.db", Some(Format::Zone)),
            ("db.lab.test", Some(Format::Zone)),
            ("/etc/hosts", Some(Format::Hosts)),
            ("office.hosts", Some(Format::Hosts)),
            ("records.txt", None),
            ("-", None),
        ] {
            assert_eq!(Format::of(Path::new(name)), format, "{name}");
        }
    }
}
