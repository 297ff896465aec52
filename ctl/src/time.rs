//! How long ago something was: what people want to know of a time. Programs get it as it was sent.

use jiff::Timestamp;

/// Clocks of nodes differ, and a node that writes often numbers its writes into the seconds to come: that is `now`.
const SOON: i64 = -5;

/// `3 s ago`; a time further ahead, which a wrong clock makes of a past one, is `in 9 s`.
pub(crate) fn ago(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(then.as_second());
    match seconds {
        SOON..=0 => "now".to_owned(),
        1.. => format!("{} ago", span(seconds.unsigned_abs())),
        _ => format!("in {}", span(seconds.unsigned_abs())),
    }
}

/// The same for a time as it stands in a document, RFC 3339; text that is none stays as it is.
pub(crate) fn text_ago(text: &str, now: Timestamp) -> String {
    text.parse().map_or_else(|_| text.to_owned(), |then| ago(then, now))
}

/// The same for seconds since 1970.
pub(crate) fn unix_ago(seconds: i64, now: Timestamp) -> String {
    Timestamp::from_second(seconds).map_or_else(|_| seconds.to_string(), |then| ago(then, now))
}

/// Milliseconds as people read them: `340 ms`, `12.3 s`, `5 min`.
pub(crate) fn milliseconds(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} ms"),
        1_000..60_000 => format!("{}.{} s", count / 1_000, count % 1_000 / 100),
        _ => span(count / 1_000),
    }
}

fn span(seconds: u64) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    match seconds {
        0..MINUTE => format!("{seconds} s"),
        MINUTE..HOUR => format!("{} min", seconds / MINUTE),
        HOUR..172_800 => format!("{} h", seconds / HOUR),
        _ => format!("{} days", seconds / DAY),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_how_long_ago_they_were() {
        let now: Timestamp = "2026-11-22T20:00:00Z".parse().expect("a time");
        for (text, told) in [
            ("2026-11-22T20:00:00.4Z", "now"),
            ("2026-11-22T19:59:57Z", "3 s ago"),
            ("2026-11-22T20:57:30+01:00", "2 min ago"),
            ("2026-11-22T18:59:59Z", "1 h ago"),
            ("2026-11-20T20:00:00Z", "2 days ago"),
            ("2026-11-22T20:00:05Z", "now"),
            ("2026-11-22T20:00:09Z", "in 9 s"),
            ("soon", "soon"),
        ] {
            assert_eq!(text_ago(text, now), told, "{text}");
        }
        assert_eq!(unix_ago(now.as_second() - 120, now), "2 min ago");
        assert_eq!(unix_ago(i64::MAX, now), i64::MAX.to_string());
    }

    #[test]
    fn milliseconds_are_told_in_the_unit_that_fits() {
        assert_eq!([0, 340, 12_345, 300_000].map(milliseconds), ["0 ms", "340 ms", "12.3 s", "5 min"]);
    }
}
