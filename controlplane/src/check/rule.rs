//! The rules, how grave it is to break one, and the sentence that says so.

use crate::records::Row;
use dnsplane_proto::Name;
use std::fmt;

/// How grave a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Served, and will surprise somebody.
    Warning,
    /// Not served, or not as it was written.
    Error,
}

impl Severity {
    /// As it is written in output for programs and people.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What a row does wrong.
#[derive(Clone, Debug, PartialEq)]
pub enum Rule<'a> {
    /// Its name, type or value is none.
    Unservable(Box<str>),
    /// It may not stand beside another row of its name: the rule, and that row.
    Beside(&'static str, &'a Row),
    /// It lies below a DNAME, which answers for everything there.
    BelowDname(&'a Row),
    /// It lies below a delegation, whose servers are asked instead.
    BelowDelegation(&'a Row),
    /// Another row of its set says the same in other words.
    Repeated,
    /// A row of a file says what an earlier one, at this place, has said.
    Again(Box<str>),
    /// Its set does not agree on one TTL.
    Ttl(&'a Row),
    /// The host that it names is an alias.
    TargetIsAlias(Name),
    /// The host that it names lies in a zone of ours, and has no address there.
    TargetHasNoAddress(Name),
    /// It begins a zone that names no servers.
    NoNameServers,
}

impl Rule<'_> {
    /// How grave it is to break it.
    pub fn severity(&self) -> Severity {
        match self {
            Self::Unservable(_) | Self::Beside(..) | Self::BelowDname(_) => Severity::Error,
            Self::BelowDelegation(_)
            | Self::Repeated
            | Self::Again(_)
            | Self::Ttl(_)
            | Self::TargetIsAlias(_)
            | Self::TargetHasNoAddress(_)
            | Self::NoNameServers => Severity::Warning,
        }
    }

    /// A word for programs; it stays the same when the sentence is worded better.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Unservable(_) => "unservable",
            Self::Beside(..) => "beside",
            Self::BelowDname(_) => "below-dname",
            Self::BelowDelegation(_) => "below-delegation",
            Self::Repeated | Self::Again(_) => "duplicate",
            Self::Ttl(_) => "ttl",
            Self::TargetIsAlias(_) => "target-is-alias",
            Self::TargetHasNoAddress(_) => "target-has-no-address",
            Self::NoNameServers => "no-name-servers",
        }
    }
}

impl fmt::Display for Rule<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unservable(fault) => f.write_str(fault),
            Self::Beside(rule, other) => write!(f, "{rule}; here is {} too", said(other)),
            Self::BelowDname(above) => {
                write!(f, "never answered: {} answers for all names below it (RFC 6672 §2.4)", said(above))
            }
            Self::BelowDelegation(above) => {
                write!(
                    f,
                    "never answered: {} gives this name to other servers; only their addresses count here",
                    said(above)
                )
            }
            Self::Repeated => f.write_str("another record of this name says the same, written differently"),
            Self::Again(place) => write!(f, "says what the record at {place} has said; the first one counts"),
            Self::Ttl(other) => write!(
                f,
                "another record of this set has TTL {}, not this one's; resolvers use one of them for all (RFC 2181 §5.2)",
                other.record.ttl
            ),
            Self::TargetIsAlias(target) => {
                write!(f, "{target} is an alias (CNAME); the name of a host is needed here (RFC 2181 §10.3)")
            }
            Self::TargetHasNoAddress(target) => {
                write!(f, "{target} has no address, and would have to have it in the records here")
            }
            Self::NoNameServers => {
                f.write_str("the zone names no servers: an NS record is missing here (RFC 1035 §5.2)")
            }
        }
    }
}

fn said(row: &Row) -> String {
    let mut value = row.record.value();
    if let Some((end, _)) = value.char_indices().nth(80) {
        value = &value[..end];
    }
    format!("{} {} {value}", row.record.name(), row.record.type_text())
}
