//! Limits on what one client may ask and be told: the keys of existing nodes, understood.

use super::{check::Complaints, file::File};
use dnsplane_proto::{Limits, MOST_REPLIES, MOST_SLIP, Per, QueryLimit, ReplyLimit};

/// Tokens in a full bucket, if the file does not say.
const BURST: u32 = 50;
/// Far above what one node answers in all.
const MOST_PER_SECOND: f64 = 1_000_000.0;

pub(super) fn check(file: &File, complaints: &mut Complaints) -> Limits {
    Limits {
        queries: queries(file, complaints),
        amplification: number("dns_amplification_max_ratio", file.dns_amplification_max_ratio, u32::MAX, complaints),
        replies: replies(file, complaints),
    }
}

fn queries(file: &File, complaints: &mut Complaints) -> Option<QueryLimit> {
    let burst = number("dns_rate_limit_burst", file.dns_rate_limit_burst, u32::MAX, complaints);
    let per_second = file.dns_rate_limit_rps.unwrap_or(0.0);
    if !(0.0..=MOST_PER_SECOND).contains(&per_second) || (per_second > 0.0 && per_second < 0.001) {
        let why = format!("is {per_second}; write a number from 0.001 to {MOST_PER_SECOND}, or 0 for no limit");
        complaints.problem("dns_rate_limit_rps", why);
        return None;
    }
    let millis_per_second = (per_second * 1000.0).round() as u32;
    (millis_per_second > 0).then_some(QueryLimit { millis_per_second, burst: if burst == 0 { BURST } else { burst } })
}

fn replies(file: &File, complaints: &mut Complaints) -> Option<ReplyLimit> {
    // All are checked, also those of the mode that is not chosen.
    let window = number("dns_sliding_window_seconds", file.dns_sliding_window_seconds, u32::MAX, complaints);
    let most = file.dns_max_responses_per_ip_window;
    let most = number("dns_max_responses_per_ip_window", most, MOST_REPLIES, complaints);
    let client = ReplyLimit { per: Per::Client, most, seconds: window.max(1) };
    let window = number("dns_rrl_window_seconds", file.dns_rrl_window_seconds, u32::MAX, complaints);
    let most = number("dns_rrl_max_per_bucket", file.dns_rrl_max_per_bucket, MOST_REPLIES, complaints);
    let network = ReplyLimit { per: Per::Network { slip: slip(file, complaints) }, most, seconds: window.max(1) };
    let chosen = match file.dns_response_limit_mode.as_deref().unwrap_or_default() {
        "" | "sliding_window" => client,
        "rrl" => network,
        other => {
            let why = format!("is `{other}`; write `sliding_window` or `rrl`");
            complaints.problem("dns_response_limit_mode", why);
            return None;
        }
    };
    (chosen.most > 0).then_some(chosen)
}

/// Every so manieth, or, below 1, the share of those that slip: `0.5` and `2` are the same.
fn slip(file: &File, complaints: &mut Complaints) -> u32 {
    let slip = file.dns_rrl_slip.unwrap_or(0.0);
    let every = if slip > 0.0 && slip < 1.0 { 1.0 / slip } else { slip };
    if !(0.0..=f64::from(MOST_SLIP)).contains(&every) {
        let why = format!(
            "is {slip}; write 1 to {MOST_SLIP} for every so manieth reply, a number below 1 for a share, or 0 for none"
        );
        complaints.problem("dns_rrl_slip", why);
        return 0;
    }
    every.round() as u32
}

fn number(key: &'static str, value: Option<i64>, most: u32, complaints: &mut Complaints) -> u32 {
    let value = value.unwrap_or(0);
    let fits = u32::try_from(value).ok().filter(|fits| *fits <= most);
    complaints.or_default(key, fits.ok_or_else(|| format!("is {value}; write a number from 0 to {most}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(text: &str) -> Result<Limits, Vec<(&'static str, String)>> {
        let file: File = serde_json::from_str(text).expect("a file");
        let mut complaints = Complaints::default();
        let limits = check(&file, &mut complaints);
        if complaints.problems.is_empty() { Ok(limits) } else { Err(complaints.problems) }
    }

    #[test]
    fn each_key_has_its_effect() {
        let queries = |millis_per_second, burst| Limits {
            queries: Some(QueryLimit { millis_per_second, burst }),
            ..Limits::default()
        };
        let replies =
            |per, most, seconds| Limits { replies: Some(ReplyLimit { per, most, seconds }), ..Limits::default() };
        for (text, expected) in [
            ("{}", Limits::default()),
            (r#"{"dns_rate_limit_rps": 0.0, "dns_rate_limit_burst": 9}"#, Limits::default()),
            (r#"{"dns_rate_limit_rps": 1000.5}"#, queries(1_000_500, 50)),
            (r#"{"dns_rate_limit_rps": 0.25, "dns_rate_limit_burst": 3}"#, queries(250, 3)),
            (r#"{"dns_amplification_max_ratio": 50}"#, Limits { amplification: 50, ..Limits::default() }),
            (r#"{"dns_sliding_window_seconds": 5}"#, Limits::default()),
            (r#"{"dns_max_responses_per_ip_window": 7}"#, replies(Per::Client, 7, 1)),
            (
                r#"{"dns_sliding_window_seconds": 5, "dns_max_responses_per_ip_window": 7, "dns_rrl_max_per_bucket": 9}"#,
                replies(Per::Client, 7, 5),
            ),
            (r#"{"dns_response_limit_mode": "rrl", "dns_max_responses_per_ip_window": 7}"#, Limits::default()),
            (
                r#"{"dns_response_limit_mode": "rrl", "dns_rrl_max_per_bucket": 9, "dns_rrl_window_seconds": 15, "dns_rrl_slip": 2.0}"#,
                replies(Per::Network { slip: 2 }, 9, 15),
            ),
            (
                r#"{"dns_response_limit_mode": "rrl", "dns_rrl_max_per_bucket": 9, "dns_rrl_slip": 0.25}"#,
                replies(Per::Network { slip: 4 }, 9, 1),
            ),
        ] {
            assert_eq!(limits(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_is_a_problem_of_its_key() {
        for (text, key) in [
            (r#"{"dns_rate_limit_rps": -1}"#, "dns_rate_limit_rps"),
            (r#"{"dns_rate_limit_rps": 1e9}"#, "dns_rate_limit_rps"),
            (r#"{"dns_rate_limit_rps": 0.0001}"#, "dns_rate_limit_rps"),
            (r#"{"dns_rate_limit_burst": -5}"#, "dns_rate_limit_burst"),
            (r#"{"dns_amplification_max_ratio": -1}"#, "dns_amplification_max_ratio"),
            (r#"{"dns_response_limit_mode": "RRL"}"#, "dns_response_limit_mode"),
            (r#"{"dns_sliding_window_seconds": -1}"#, "dns_sliding_window_seconds"),
            (r#"{"dns_max_responses_per_ip_window": 200001}"#, "dns_max_responses_per_ip_window"),
            (r#"{"dns_rrl_max_per_bucket": 200001}"#, "dns_rrl_max_per_bucket"),
            (r#"{"dns_rrl_window_seconds": 4294967296}"#, "dns_rrl_window_seconds"),
            (r#"{"dns_rrl_slip": -0.5}"#, "dns_rrl_slip"),
            (r#"{"dns_rrl_slip": 0.001}"#, "dns_rrl_slip"),
            (r#"{"dns_rrl_slip": 256}"#, "dns_rrl_slip"),
        ] {
            let problems = limits(text).expect_err(text);
            assert_eq!(problems.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [key], "{text}");
        }
    }
}
