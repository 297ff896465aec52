//! Finds peers through SRV records (RFC 2782), besides those that the configuration names.
//!
//! What was found is kept on a watch channel, which the supervisor follows as it follows the settings; neither waits for
//! the other. A failed query takes its targets away until the next success and leaves the configured peers alone (R13).
//! Targets stay names: each dial resolves them anew, so a host that gets another address is found there.

mod lookup;

use super::{Shared, backoff::Backoff, settings::Settings};
use crate::{config::Discovery, record::Time};
use lookup::Target;
use std::{collections::HashSet, future::pending, sync::Arc, time::Duration};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

/// First pause after a failed query.
const FIRST_RETRY: Duration = Duration::from_secs(1);
/// Longest pause after failed queries; a shorter interval counts instead.
const LAST_RETRY: Duration = Duration::from_secs(60);
/// Far above any real cluster; small enough that a lying name server cannot have us dial thousands of hosts.
const MAX_TARGETS: usize = 256;

/// What SRV records say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Found {
    /// What was asked for; the rest is about that alone.
    asked: Option<Discovery>,
    /// Whether an answer or a failure has come since.
    answered: bool,
    /// `host:port`, in the order of [`ordered`].
    pub(super) targets: Vec<String>,
    /// The last query that worked.
    pub(super) last_refresh: Option<Time>,
    /// Why the last query failed; `None` once one has worked.
    pub(super) last_error: Option<String>,
}

impl Found {
    /// Whether these settings have been acted on: there is nothing to ask, or the first query is over.
    pub(super) fn is_settled(&self, settings: &Settings) -> bool {
        settings.discovery.is_none() || (self.answered && self.asked == settings.discovery)
    }

    /// Targets that these settings ask for; none that were found under another name.
    pub(super) fn targets(&self, settings: &Settings) -> &[String] {
        let name = |discovery: &Option<Discovery>| discovery.as_ref().map(|discovery| discovery.srv.clone());
        if name(&self.asked) == name(&settings.discovery) { &self.targets } else { &[] }
    }
}

/// Keeps looking for what the settings ask for until `shutdown`. Any change of them starts over at once.
pub(super) async fn run(shared: Arc<Shared>, shutdown: CancellationToken) {
    let mut settings = shared.settings.clone();
    loop {
        let wanted = wanted(&settings.borrow_and_update());
        tokio::select! {
            () = shutdown.cancelled() => return,
            Ok(_) = settings.wait_for(|latest| self::wanted(latest) != wanted) => {}
            () = follow(&shared, wanted.as_ref()) => {}
        }
    }
}

fn wanted(settings: &Settings) -> Option<Discovery> {
    settings.discovery.clone().filter(|_| settings.enabled)
}

/// Asks again and again; never returns.
async fn follow(shared: &Shared, wanted: Option<&Discovery>) {
    let Some(wanted) = wanted else {
        shared.found.send_if_modified(|found| std::mem::take(found) != Found::default());
        return pending().await;
    };
    shared.found.send_modify(|found| {
        let same_name = found.asked.as_ref().is_some_and(|asked| asked.srv == wanted.srv);
        let kept = if same_name { std::mem::take(found) } else { Found::default() };
        *found = Found { asked: Some(wanted.clone()), answered: false, ..kept };
    });
    let mut backoff = Backoff::new(FIRST_RETRY, LAST_RETRY);
    loop {
        let pause = match lookup::targets(wanted).await {
            Ok(targets) => {
                backoff.reset();
                succeeded(shared, wanted, ordered(targets));
                wanted.every
            }
            Err(error) => {
                failed(shared, wanted, &error.to_string());
                let retry = backoff.next();
                Some(wanted.every.map_or(retry, |every| every.min(retry)))
            }
        };
        match pause {
            Some(pause) => sleep(pause).await,
            None => pending().await,
        }
    }
}

fn succeeded(shared: &Shared, wanted: &Discovery, mut targets: Vec<String>) {
    if targets.len() > MAX_TARGETS {
        warn!(srv = wanted.srv, targets = targets.len(), "too many SRV targets; the first {MAX_TARGETS} are taken");
        targets.truncate(MAX_TARGETS);
    }
    shared.found.send_modify(|found| {
        if found.targets != targets || found.last_error.is_some() {
            info!(srv = wanted.srv, targets = targets.join(" "), "peers found through SRV records");
        }
        (found.answered, found.last_refresh, found.last_error) = (true, Some(Time::now()), None);
        found.targets = targets;
    });
}

/// Told when the reason is a new one.
fn failed(shared: &Shared, wanted: &Discovery, reason: &str) {
    shared.found.send_modify(|found| {
        if found.last_error.as_deref() != Some(reason) {
            warn!(srv = wanted.srv, reason, "cannot find peers through SRV records; configured peers stay");
        }
        (found.answered, found.last_error) = (true, Some(reason.to_owned()));
        found.targets.clear();
    });
}

/// Who comes first: the lower priority, then the greater weight (R13), then by name, so that the order stays the same from
/// one answer to the next. A target `.` says that there is no such service (RFC 2782).
fn ordered(mut targets: Vec<Target>) -> Vec<String> {
    targets.retain(|target| !target.host.is_empty());
    targets.sort_by(|one, other| {
        let rank = |target: &Target| (target.priority, u16::MAX - target.weight);
        rank(one).cmp(&rank(other)).then_with(|| (&one.host, one.port).cmp(&(&other.host, other.port)))
    });
    merge(targets.into_iter().map(|target| format!("{}:{}", target.host, target.port)))
}

/// Addresses in the order given, equal ones once. They are equal if they differ only in case or in a dot at the end of the host.
pub(super) fn merge(addresses: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut met = HashSet::new();
    addresses.into_iter().filter(|address| met.insert(bare(address))).collect()
}

fn bare(address: &str) -> String {
    let bare = match address.rsplit_once(':') {
        Some((host, port)) => format!("{}:{port}", host.strip_suffix('.').unwrap_or(host)),
        None => address.to_owned(),
    };
    bare.to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(priority: u16, weight: u16, host: &str, port: u16) -> Target {
        Target { priority, weight, host: host.to_owned(), port }
    }

    #[test]
    fn targets_come_by_priority_then_weight_then_name() {
        for (given, expected) in [
            (vec![], vec![]),
            (vec![target(0, 0, "", 0)], vec![]),
            (vec![target(20, 0, "c", 1), target(10, 0, "b", 1), target(0, 0, "a", 1)], vec!["a:1", "b:1", "c:1"]),
            (vec![target(10, 1, "a", 1), target(10, 65_535, "b", 1), target(10, 5, "c", 1)], vec!["b:1", "c:1", "a:1"]),
            (vec![target(1, 1, "b", 1), target(1, 1, "a", 2), target(1, 1, "a", 1)], vec!["a:1", "a:2", "b:1"]),
            (vec![target(2, 9, "a", 1), target(1, 1, "a", 1), target(1, 0, "", 1)], vec!["a:1"]),
        ] {
            assert_eq!(ordered(given.clone()), expected, "{given:?}");
        }
    }

    #[test]
    fn configured_peers_come_first_and_equal_addresses_once() {
        let owned = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        for (given, expected) in [
            (vec!["b:1", "a:1", "b:1"], vec!["b:1", "a:1"]),
            (
                vec!["NS2.Lab.test.:7946", "ns2.lab.test:7946", "ns2.lab.test:7947"],
                vec!["NS2.Lab.test.:7946", "ns2.lab.test:7947"],
            ),
            (vec!["[2001:DB8::1]:7946", "[2001:db8::1]:7946"], vec!["[2001:DB8::1]:7946"]),
        ] {
            assert_eq!(merge(owned(&given)), expected);
        }
    }

    #[test]
    fn what_was_found_under_another_name_does_not_count() {
        let asked = |srv: &str| Some(Discovery { srv: srv.to_owned(), every: None, servers: Vec::new() });
        let found =
            Found { asked: asked("_a._tcp.x"), answered: true, targets: vec!["h:1".to_owned()], ..Found::default() };
        let settings = |srv: Option<&str>| Settings { discovery: srv.and_then(asked), ..Settings::default() };
        for (srv, targets, settled) in [(Some("_a._tcp.x"), 1, true), (Some("_b._tcp.x"), 0, false), (None, 0, true)] {
            let settings = settings(srv);
            assert_eq!((found.targets(&settings).len(), found.is_settled(&settings)), (targets, settled), "{srv:?}");
        }
    }
}
