//! Times as existing nodes write them: RFC 3339, any offset, up to nine digits of a second.
//!
//! We only keep and compare them as text, so text is what is stored: read strictly, written in one spelling.

use std::{fmt, time::SystemTime};

/// A moment in RFC 3339, fraction without trailing zeros.
#[derive(Clone, PartialEq, Eq)]
pub struct Time(Box<str>);

/// How a moment that never was is written in files and frames.
pub(super) const ZERO: &str = "0001-01-01T00:00:00Z";

/// The text is not an RFC 3339 time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time such as 2026-05-04T09:30:00Z")]
pub struct InvalidTime(pub String);

impl Time {
    /// The moment of the call, in UTC.
    pub fn now() -> Self {
        let now = jiff::Timestamp::try_from(SystemTime::now()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        Self(now.to_string().into())
    }

    /// The moment that lies this many milliseconds after 1970, in UTC.
    pub fn at(milliseconds: u64) -> Self {
        let moment = i64::try_from(milliseconds).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
        Self(moment.unwrap_or(jiff::Timestamp::UNIX_EPOCH).to_string().into())
    }

    /// Reads strict RFC 3339 (`date "T" time offset`, RFC 3339 §5.6); the zero moment is `None`.
    pub fn parse(text: &str) -> Result<Option<Self>, InvalidTime> {
        let invalid = || InvalidTime(text.chars().take(40).collect());
        if text == ZERO {
            return Ok(None);
        }
        let shape = text.as_bytes();
        let offset_at = if text.ends_with('Z') { text.len() - 1 } else { text.len().saturating_sub(6) };
        let digits = |range: std::ops::Range<usize>| {
            shape.get(range).is_some_and(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
        };
        let punctuated = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')]
            .iter()
            .all(|(at, mark)| shape.get(*at) == Some(mark));
        let numbers = [0..4, 5..7, 8..10, 11..13, 14..16, 17..19].into_iter().all(digits);
        let fraction = offset_at == 19
            || (offset_at > 20 && shape.get(19) == Some(&b'.') && digits(20..offset_at) && offset_at <= 20 + 9);
        let offset = text.ends_with('Z')
            || (matches!(shape.get(offset_at), Some(b'+' | b'-'))
                && shape.get(offset_at + 3) == Some(&b':')
                && digits(offset_at + 1..offset_at + 3)
                && digits(offset_at + 4..offset_at + 6));
        if !(punctuated && numbers && fraction && offset) || text.parse::<jiff::Timestamp>().is_err() {
            return Err(invalid());
        }
        let fraction = text[19..offset_at].trim_end_matches('0').trim_end_matches('.');
        Ok(Some(Self(format!("{}{fraction}{}", &text[..19], &text[offset_at..]).into())))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strict_times_are_read() {
        for (text, kept) in [
            ("2026-05-04T09:30:00Z", "2026-05-04T09:30:00Z"),
            ("2026-05-04T09:30:00.500Z", "2026-05-04T09:30:00.5Z"),
            ("2026-05-04T09:30:00.000Z", "2026-05-04T09:30:00Z"),
            ("2026-05-04T12:30:00.123456789+02:00", "2026-05-04T12:30:00.123456789+02:00"),
            ("2026-05-05T00:00:00.000001-03:30", "2026-05-05T00:00:00.000001-03:30"),
        ] {
            assert_eq!(Time::parse(text).unwrap().unwrap().as_str(), kept);
        }
        assert_eq!(Time::parse(ZERO), Ok(None));
        for text in [
            "",
            "2026-05-04",
            "2026-05-04 09:30:00Z",
            "2026-05-04T09:30:00",
            "2026-13-04T09:30:00Z",
            "é",
            "2026-05-04T09:30:00.Z",
        ] {
            assert!(Time::parse(text).is_err(), "{text}");
        }
        assert!(Time::parse(Time::now().as_str()).is_ok());
    }
}
