//! LOC: where on earth something stands (RFC 1876), exact to a thousandth of an arc second and a centimetre.

use super::{
    shape::{Fault, bad, number},
    words::{Word, Words},
};
use std::fmt::Write;

/// Octets of a location (RFC 1876 §2).
const LENGTH: usize = 16;
/// The equator and the prime meridian: 2^31 thousandths of an arc second.
const MIDDLE: u32 = 1 << 31;
/// Altitudes count centimetres from 100 km below the reference spheroid.
const DEEPEST: i64 = 10_000_000;
/// 90,000,000.00 m, the largest size and precision (RFC 1876 §3).
const LARGEST: i64 = 9_000_000_000;

/// Reads `d [m [s]] N|S d [m [s]] E|W altitude [size [horizontal [vertical]]]`, metres with or without `m`.
pub(super) fn read(words: &mut Words<'_>, into: &mut Vec<u8>) -> Result<(), Fault> {
    let latitude = angle(words, 90, ["N", "S"])?;
    let longitude = angle(words, 180, ["E", "W"])?;
    let word = words.next()?.ok_or(Fault::Missing)?;
    let altitude = centimetres(word.text)?
        .checked_add(DEEPEST)
        .and_then(|height| u32::try_from(height).ok())
        .ok_or_else(|| bad(word.text, "is not an altitude from -100000.00m to 42849672.95m"))?;
    let mut precisions = [0x12, 0x16, 0x13]; // 1 m, 10 km and 10 m unless said otherwise (RFC 1876 §3)
    for precision in &mut precisions {
        let Some(word) = words.next()? else { break };
        *precision = magnitude(word)?;
    }
    into.push(0); // version
    into.extend(precisions);
    for value in [latitude, longitude, altitude] {
        into.extend(value.to_be_bytes());
    }
    Ok(())
}

/// Version 0 has this length; magnitudes are two decimal digits (RFC 1876 §2).
pub(super) fn check(octets: &[u8]) -> Option<&[u8]> {
    let (location, rest) = octets.split_at_checked(LENGTH)?;
    let decimal = |octet: &u8| octet >> 4 <= 9 && octet & 15 <= 9;
    (location[0] != 0 || location[1..4].iter().all(decimal)).then_some(rest)
}

/// The text of a location of version 0; `None` for others, and for places that are not on earth.
pub(super) fn present(octets: &[u8], into: &mut String) -> Option<()> {
    let &[0, size, horizontal, vertical, ref values @ ..] = octets else { return None };
    let value = |at: usize| {
        let octets = values.get(4 * at..4 * at + 4)?;
        Some(u32::from_be_bytes(octets.try_into().ok()?))
    };
    for (at, letters) in [['N', 'S'], ['E', 'W']].into_iter().enumerate() {
        let angle = value(at)?;
        let (thousandths, letter) = (angle.abs_diff(MIDDLE), letters[usize::from(angle < MIDDLE)]);
        let (degrees, minutes) = (thousandths / 3_600_000, thousandths / 60_000 % 60);
        let (seconds, thousandths) = (thousandths / 1000 % 60, thousandths % 1000);
        write!(into, "{degrees} {minutes} {seconds}.{thousandths:03} {letter} ").ok()?;
    }
    let altitude = i64::from(value(2)?) - DEEPEST;
    write!(into, "{}{}.{:02}m", if altitude < 0 { "-" } else { "" }, altitude.abs() / 100, altitude.abs() % 100)
        .ok()?;
    for precision in [size, horizontal, vertical] {
        let centimetres = u64::from(precision >> 4) * 10_u64.pow(u32::from(precision & 15));
        write!(into, " {}.{:02}m", centimetres / 100, centimetres % 100).ok()?;
    }
    Some(())
}

/// Degrees, minutes and seconds up to the letter of a hemisphere.
fn angle(words: &mut Words<'_>, most: u32, [positive, negative]: [&str; 2]) -> Result<u32, Fault> {
    let mut parts = [0_u32; 3];
    let mut given = 0;
    loop {
        let Word { text, .. } = words.next()?.ok_or(Fault::Missing)?;
        let north = text.eq_ignore_ascii_case(positive);
        if given > 0 && (north || text.eq_ignore_ascii_case(negative)) {
            let [degrees, minutes, thousandths] = parts;
            let value = (degrees * 60 + minutes) * 60_000 + thousandths;
            if value > most * 3_600_000 {
                return Err(bad(text, format!("follows more than {most} degrees")));
            }
            return Ok(if north { MIDDLE + value } else { MIDDLE - value });
        }
        parts[given.min(2)] = match given {
            0 => number::<u8>(text).ok().map(u32::from).filter(|degrees| *degrees <= most),
            1 => number::<u8>(text).ok().map(u32::from).filter(|minutes| *minutes < 60),
            2 => decimal(text, 3).and_then(|value| u32::try_from(value).ok()).filter(|value| *value < 60_000),
            _ => None,
        }
        .ok_or_else(|| {
            let what = ["degrees", "minutes", "seconds"].get(given).copied().unwrap_or("a hemisphere");
            bad(text, format!("does not do as {what} before `{positive}` or `{negative}`"))
        })?;
        given += 1;
    }
}

fn centimetres(text: &str) -> Result<i64, Fault> {
    let metres = text.strip_suffix(['m', 'M']).unwrap_or(text);
    let (sign, digits) = metres.strip_prefix('-').map_or((1, metres), |digits| (-1, digits));
    let value = decimal(digits, 2).ok_or_else(|| bad(text, "is not a number of metres with up to two decimals"))?;
    Ok(sign * value)
}

/// A size or precision as one decimal digit and a power of ten, centimetres, rounded down (RFC 1876 §2).
fn magnitude(word: Word<'_>) -> Result<u8, Fault> {
    let mut value = centimetres(word.text)?;
    if !(0..=LARGEST).contains(&value) {
        return Err(bad(word.text, "is not a size from 0.00m to 90000000.00m"));
    }
    let mut power = 0;
    while value > 9 {
        value /= 10;
        power += 1;
    }
    Ok((value as u8) << 4 | power)
}

/// A decimal number times 10^`places`; no more decimals than that, no sign.
fn decimal(text: &str, places: usize) -> Option<i64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let digits = whole.len() + part.len();
    let all_digits = whole.bytes().chain(part.bytes()).all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !all_digits || part.len() > places || digits > 15 {
        return None;
    }
    format!("{whole}{part:0<places$}").parse().ok()
}
