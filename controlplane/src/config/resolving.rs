//! How names that are not ours are resolved: the keys of existing nodes and ours, understood.

use super::{check::Complaints, file::File, listen::given, named_file, trust_anchor};
use dnsplane_proto::{CacheRules, Name, Probes, Resolving, Validation, private_networks};
use ipnet::IpNet;
use std::{fmt, net::IpAddr, path::Path, sync::Arc, time::Duration};

/// Within which a client has a reply, if the file does not say; as existing nodes have it, whatever their file says.
const TIMEOUT: i64 = 2;
/// A client has long given up by then.
const MOST_TIMEOUT: i64 = 60;
/// More than these at the same time for one question would be an attack on upstreams.
const MOST_IN_FLIGHT: i64 = 16;
/// Of the cache.
const MEBIBYTES: i64 = 64;
const MOST_MEBIBYTES: i64 = 1 << 20;
/// A week: TTLs above it are cut to it elsewhere, too (RFC 8767 §4).
const WEEK: i64 = 7 * 86_400;
/// How long answers may be used after their time: the top of what RFC 8767 §5 suggests is three days, its least one.
const STALE: i64 = 86_400;
const PROBE_EVERY: i64 = 30;
const MOST_PROBE_EVERY: i64 = 86_400;
const FAILURES: i64 = 3;
const MOST_FAILURES: i64 = 1_000;
const PROBE_NAME: &str = "google.com.";

/// How upstreams are probed, and whether.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probing {
    /// `upstream_health_check_enabled`.
    pub enabled: bool,
    /// The rest of these keys.
    pub probes: Probes,
}

pub(super) fn check(file: &File, folder: &Path, probing: &Probing, complaints: &mut Complaints) -> Resolving {
    let timeout = whole("timeout", file.timeout, TIMEOUT, 0..=MOST_TIMEOUT, complaints);
    let in_flight = whole("upstream_in_flight", file.upstream_in_flight, 1, 1..=MOST_IN_FLIGHT, complaints);
    Resolving {
        networks: networks(file, complaints),
        timeout: Duration::from_secs(if timeout == 0 { TIMEOUT as u64 } else { timeout }),
        in_flight: in_flight as u32,
        cache: cache(file, complaints),
        validation: validation(file, folder, complaints).map(Arc::new),
        probes: probing.enabled.then(|| probing.probes.clone()),
    }
}

pub(super) fn probing(file: &File, complaints: &mut Complaints) -> Probing {
    const EVERY: &str = "upstream_health_check_interval_seconds";
    let every =
        whole(EVERY, file.upstream_health_check_interval_seconds, PROBE_EVERY, 0..=MOST_PROBE_EVERY, complaints);
    const COUNT: &str = "upstream_health_check_failures";
    let failures = whole(COUNT, file.upstream_health_check_failures, FAILURES, 0..=MOST_FAILURES, complaints);
    let text = given(&file.upstream_health_check_query_name).unwrap_or(PROBE_NAME);
    let name = Name::parse(text).unwrap_or_else(|why| {
        complaints.problem(
            "upstream_health_check_query_name",
            format!("is `{}`, which is no name: {why}", text.escape_debug()),
        );
        Name::root()
    });
    let or = |value, default: i64| if value == 0 { default as u64 } else { value };
    Probing {
        enabled: file.upstream_health_check_enabled.unwrap_or(false),
        probes: Probes {
            every: Duration::from_secs(or(every, PROBE_EVERY)),
            failures: or(failures, FAILURES) as u32,
            name,
        },
    }
}

/// Absent: private networks. An empty list is nobody.
fn networks(file: &File, complaints: &mut Complaints) -> Arc<[IpNet]> {
    let Some(written) = &file.dns_allow_recursion else { return private_networks().into() };
    let mut networks = Vec::new();
    for text in written.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
        match network(text) {
            Some(network) if networks.contains(&network) => {}
            Some(network) => {
                if network.prefix_len() == 0 {
                    complaints.warn(&format!(
                        "`dns_allow_recursion` has {network}: everybody who reaches this node may have names resolved, \
                         also to flood others with replies; is a firewall before it?"
                    ));
                }
                networks.push(network);
            }
            None => complaints.problem(
                "dns_allow_recursion",
                format!("names `{}`, which is no network such as 192.0.2.0/24 or 2001:db8::/32", text.escape_debug()),
            ),
        }
    }
    networks.into()
}

/// A network, or one address.
fn network(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().map(|network| network.trunc()).ok().or_else(|| text.parse::<IpAddr>().map(IpNet::from).ok())
}

fn cache(file: &File, complaints: &mut Complaints) -> Option<CacheRules> {
    // All are checked, also while the cache is off.
    let mebibytes = whole("cache_max_mb", file.cache_max_mb, MEBIBYTES, 1..=MOST_MEBIBYTES, complaints);
    let least_ttl = whole("min_cache_ttl_seconds", file.min_cache_ttl_seconds, 0, 0..=WEEK, complaints);
    let stale = whole("stale_max_seconds", file.stale_max_seconds, STALE, 0..=WEEK, complaints);
    file.cache_records.unwrap_or(false).then(|| CacheRules {
        octets: mebibytes << 20,
        least_ttl: least_ttl as u32,
        stale: if file.stale_while_revalidate.unwrap_or(false) { stale as u32 } else { 0 },
        prefetch: file.cache_warm_enabled.unwrap_or(true),
    })
}

/// The file of trust anchors is read only when it matters: existing nodes never look at it, so it may be missing.
fn validation(file: &File, folder: &Path, complaints: &mut Complaints) -> Option<Validation> {
    const ANCHORS: &str = "dnssec_trust_anchor_file";
    if !file.dnssec_validate.unwrap_or(false) {
        return None;
    }
    let strict = file.dnssec_validate_strict.unwrap_or(false);
    let Some(path) = given(&file.dnssec_trust_anchor_file) else {
        return Some(Validation { strict, anchors: Vec::new() });
    };
    let path = folder.join(path);
    let anchors = named_file::read(&path).and_then(|octets| {
        let unusable = |why: &dyn fmt::Display| format!("names `{}`, which cannot be used: {why}", path.display());
        let text = std::str::from_utf8(&octets).map_err(|why| unusable(&why))?;
        trust_anchor::parse(text).map_err(|why| unusable(&why))
    });
    // With a problem there is no configuration, and nobody begins to trust anything.
    Some(Validation { strict, anchors: complaints.or_default(ANCHORS, anchors) })
}

/// A whole number within limits. What does not do is a problem and counts as the default.
fn whole(
    key: &'static str,
    value: Option<i64>,
    default: i64,
    range: std::ops::RangeInclusive<i64>,
    complaints: &mut Complaints,
) -> u64 {
    let value = value.unwrap_or(default);
    if range.contains(&value) {
        return value as u64;
    }
    let (least, most) = range.into_inner();
    complaints.problem(key, format!("is {value}; write a whole number from {least} to {most}"));
    default as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    type Problems = Vec<(&'static str, String)>;

    fn resolving(text: &str) -> Result<Resolving, Problems> {
        let file: File = serde_json::from_str(text).expect("a file");
        let mut complaints = Complaints::default();
        let probing = probing(&file, &mut complaints);
        let resolving = check(&file, Path::new("/nowhere"), &probing, &mut complaints);
        if complaints.problems.is_empty() { Ok(resolving) } else { Err(complaints.problems) }
    }

    #[test]
    fn nothing_said_is_what_data_planes_assume() {
        assert_eq!(resolving("{}"), Ok(Resolving::default()));
        assert_eq!(resolving(r#"{"cache_max_mb": 1, "stale_while_revalidate": true}"#), Ok(Resolving::default()));
    }

    #[test]
    fn each_key_has_its_effect() {
        let seconds = |text| resolving(text).map(|resolving| resolving.timeout.as_secs());
        assert_eq!([r#"{"timeout": 0}"#, r#"{"timeout": 2}"#, r#"{"timeout": 5}"#].map(seconds), [Ok(2), Ok(2), Ok(5)]);
        assert_eq!(resolving(r#"{"upstream_in_flight": 3}"#).map(|resolving| resolving.in_flight), Ok(3));

        let cache = |text| resolving(text).unwrap().cache;
        let rules = CacheRules { octets: 64 << 20, least_ttl: 0, stale: 0, prefetch: true };
        assert_eq!(cache(r#"{"cache_records": true}"#), Some(rules));
        assert_eq!(cache(r#"{"cache_records": false, "cache_max_mb": 5}"#), None);
        let stale = CacheRules { stale: 86_400, ..rules };
        assert_eq!(cache(r#"{"cache_records": true, "stale_while_revalidate": true}"#), Some(stale));
        let all = r#"{"cache_records": true, "cache_max_mb": 16, "min_cache_ttl_seconds": 600, "stale_while_revalidate": true,
            "stale_max_seconds": 7200, "cache_warm_enabled": false, "cache_compact_enabled": true, "cache_compact_interval_seconds": 1}"#;
        assert_eq!(cache(all), Some(CacheRules { octets: 16 << 20, least_ttl: 600, stale: 7200, prefetch: false }));

        let validation = |text| resolving(text).unwrap().validation.map(|validation| validation.strict);
        assert_eq!(validation(r#"{"dnssec_validate": true}"#), Some(false));
        assert_eq!(validation(r#"{"dnssec_validate": true, "dnssec_validate_strict": true}"#), Some(true));
        assert_eq!(validation(r#"{"dnssec_validate_strict": true}"#), None);
        assert_eq!(validation(r#"{"dnssec_trust_anchor_file": "missing"}"#), None);

        let probes = |text| resolving(text).unwrap().probes;
        assert_eq!(probes(r#"{"upstream_health_check_failures": 7}"#), None);
        let google = Probes { every: Duration::from_secs(30), failures: 3, name: Name::parse("google.com").unwrap() };
        assert_eq!(probes(r#"{"upstream_health_check_enabled": true}"#), Some(google.clone()));
        let zeroes = r#"{"upstream_health_check_enabled": true, "upstream_health_check_interval_seconds": 0,
            "upstream_health_check_failures": 0, "upstream_health_check_query_name": " "}"#;
        assert_eq!(probes(zeroes), Some(google));
        let own = r#"{"upstream_health_check_enabled": true, "upstream_health_check_interval_seconds": 1,
            "upstream_health_check_failures": 2, "upstream_health_check_query_name": "a.test"}"#;
        let expected = Probes { every: Duration::from_secs(1), failures: 2, name: Name::parse("a.test").unwrap() };
        assert_eq!(probes(own), Some(expected));
    }

    #[test]
    fn trust_may_begin_at_the_anchors_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("root.key");
        let text =
            |on: bool| format!(r#"{{"dnssec_validate": {on}, "dnssec_trust_anchor_file": "{}"}}"#, path.display());
        let problem = || {
            let problems = resolving(&text(true)).expect_err("a problem");
            let [("dnssec_trust_anchor_file", why)] = problems.as_slice() else { panic!("{problems:?}") };
            why.clone()
        };
        assert!(problem().contains("which cannot be read: No such file"));
        assert_eq!(resolving(&text(false)), Ok(Resolving::default()), "nobody needs it then");
        for (lines, sentence) in [
            ("; nothing\n", "cannot be used: it has no DNSKEY or DS record"),
            ("; one\ncorp.test. A 192.0.2.1\n", "cannot be used: line 2: `A` is not DNSKEY or DS"),
            (". DS 1 8 2", "cannot be used: line 1: "),
        ] {
            std::fs::write(&path, lines).unwrap();
            assert!(problem().contains(sentence), "{lines}: {}", problem());
        }
        let anchor = "corp.test. IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n";
        std::fs::write(&path, anchor).unwrap();
        let validation = resolving(&text(true)).unwrap().validation.unwrap();
        let [anchor] = validation.anchors.as_slice() else { panic!("{validation:?}") };
        assert_eq!((anchor.owner.to_string().as_str(), anchor.rdata.len()), ("corp.test.", 36));
    }

    #[test]
    fn networks_are_written_as_networks_or_addresses() {
        let networks = |text: &str| {
            let found = resolving(&format!("{{\"dns_allow_recursion\": {text}}}")).unwrap().networks;
            found.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(networks("[]"), "");
        assert_eq!(
            networks(r#"["192.0.2.7/24", " 2001:db8::1 ", "", "192.0.2.0/24"]"#),
            "192.0.2.0/24 2001:db8::1/128"
        );
        let file: File = serde_json::from_str(r#"{"dns_allow_recursion": ["0.0.0.0/0"]}"#).unwrap();
        let mut complaints = Complaints::default();
        super::networks(&file, &mut complaints);
        assert!(complaints.warnings()[0].starts_with("`dns_allow_recursion` has 0.0.0.0/0: everybody"));
    }

    #[test]
    fn what_cannot_be_is_a_problem_of_its_key() {
        for (text, key, sentence) in [
            (r#"{"timeout": -1}"#, "timeout", "is -1; write a whole number from 0 to 60"),
            (r#"{"timeout": 61}"#, "timeout", "is 61"),
            (r#"{"upstream_in_flight": 0}"#, "upstream_in_flight", "from 1 to 16"),
            (r#"{"cache_max_mb": 0}"#, "cache_max_mb", "from 1 to 1048576"),
            (r#"{"min_cache_ttl_seconds": -5}"#, "min_cache_ttl_seconds", "is -5"),
            (r#"{"stale_max_seconds": 604801}"#, "stale_max_seconds", "from 0 to 604800"),
            (r#"{"upstream_health_check_interval_seconds": -1}"#, "upstream_health_check_interval_seconds", "is -1"),
            (r#"{"upstream_health_check_failures": 1001}"#, "upstream_health_check_failures", "is 1001"),
            (
                r#"{"upstream_health_check_query_name": "a b"}"#,
                "upstream_health_check_query_name",
                "is `a b`, which is no name",
            ),
            (
                r#"{"dns_allow_recursion": ["10.0.0.0/8", "lan"]}"#,
                "dns_allow_recursion",
                "names `lan`, which is no network such as",
            ),
            (r#"{"dns_allow_recursion": ["10.0.0.0/33"]}"#, "dns_allow_recursion", "names `10.0.0.0/33`"),
        ] {
            let problems = resolving(text).expect_err(text);
            let [(found, why)] = problems.as_slice() else { panic!("{text}: {problems:?}") };
            assert!(*found == key && why.contains(sentence), "{text}: {why}");
        }
    }
}
