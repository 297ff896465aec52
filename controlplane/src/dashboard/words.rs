//! Numbers and times as people read them.

use jiff::Timestamp;

/// How long ago this RFC 3339 time was; the text itself if it is none.
pub(super) fn ago(time: &str) -> String {
    match time.parse::<Timestamp>() {
        Ok(then) => ago_of(Timestamp::now().as_second() - then.as_second()),
        Err(_) => time.to_owned(),
    }
}

/// A Unix time as RFC 3339, if it is one that can be.
pub(super) fn from_unix(seconds: i64) -> Option<String> {
    Timestamp::from_second(seconds).ok().filter(|_| seconds > 0).map(|time| time.to_string())
}

fn ago_of(seconds: i64) -> String {
    match seconds {
        i64::MIN..=-2 => format!("in {}", span(seconds.unsigned_abs())),
        -1..=1 => "just now".to_owned(),
        _ => format!("{} ago", span(seconds.unsigned_abs())),
    }
}

/// A time span, in its largest unit.
pub(super) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

/// Milliseconds in the unit that fits.
pub(super) fn millis(ms: f64) -> String {
    let sign = if ms < 0.0 { "-" } else { "" };
    match ms.abs() {
        small if small < 10.0 && small.fract() != 0.0 => format!("{ms:.1} ms"),
        small if small < 2_000.0 => format!("{ms:.0} ms"),
        some if some < 120_000.0 => format!("{:.1} s", ms / 1_000.0),
        large => format!("{sign}{}", span((large / 1_000.0) as u64)),
    }
}

/// Octets in the unit that fits.
pub(super) fn octets(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.1} GB", count as f64 / 1e9),
    }
}

/// A count with its digits in groups of three.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

/// `1 peer`, `2 peers`.
pub(super) fn counted(count: u64, noun: &str) -> String {
    format!("{} {noun}{}", grouped(count), if count == 1 { "" } else { "s" })
}

/// A stranger's text, no longer than a line can hold.
pub(super) fn clipped(text: &str) -> String {
    const LONGEST: usize = 240;
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_times_are_put_as_people_say_them() {
        for (seconds, text) in
            [(-90, "in 90 s"), (0, "just now"), (5, "5 s ago"), (300, "5 min ago"), (90_000, "25 h ago")]
        {
            assert_eq!(ago_of(seconds), text);
        }
        assert_eq!(ago("never"), "never");
        for (ms, text) in [
            (0.0, "0 ms"),
            (1.25, "1.2 ms"),
            (340.0, "340 ms"),
            (-12_000.0, "-12.0 s"),
            (7.2e6, "2 h"),
            (-6e5, "-10 min"),
        ] {
            assert_eq!(millis(ms), text);
        }
        assert_eq!(grouped(1_234_567), "1\u{202f}234\u{202f}567");
        assert_eq!((counted(1, "peer"), counted(0, "peer")), ("1 peer".to_owned(), "0 peers".to_owned()));
        assert_eq!((octets(999), octets(1_500_000)), ("999 B".to_owned(), "1.5 MB".to_owned()));
        assert_eq!(clipped(&"é".repeat(500)).chars().count(), 241);
        assert_eq!(from_unix(0), None);
    }
}
