//! The file of `dnssec_trust_anchor_file`: zone-file lines of type DNSKEY or DS, as every tool writes them.
//!
//! ```text
//! . 172800 IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D ; comments
//! corp.example. IN DNSKEY 257 3 13 ( mdsswUyr3DPW132mOi8V9xESWE8jTo0d
//!                                    xCjjnopKl+GqJxpVXckHAeF+KkxLbxIL )
//! ```

use crate::rdata;
use dnsplane_proto::{Name, RecordType, TrustAnchor};
use std::str::FromStr;

/// Whether a key signs its zone (RFC 4034 §2.1.1), and whether it is given up (RFC 5011 §2.1).
const ZONE_KEY: u16 = 0x0100;
const REVOKED: u16 = 0x0080;

/// Why a file of trust anchors cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadAnchors {
    /// Something in it is no trust anchor.
    #[error("line {line}: {why}")]
    Line {
        /// Counted from one.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// There is no anchor in it.
    #[error("it has no DNSKEY or DS record; write lines such as `. IN DS 20326 8 2 E06D44B8…`")]
    Empty,
}

/// Reads the text of a file: one record a line, or over several lines in parentheses. TTL and class may be left out.
pub(super) fn parse(text: &str) -> Result<Vec<TrustAnchor>, BadAnchors> {
    let mut anchors = Vec::new();
    for (line, entry) in entries(text)? {
        anchors.push(anchor(&entry).map_err(|why| BadAnchors::Line { line, why })?);
    }
    if anchors.is_empty() { Err(BadAnchors::Empty) } else { Ok(anchors) }
}

/// Records as words on one line, and where each begins. Neither keys nor digests have quotes, so `;` and parentheses are
/// always what they are in zone files (RFC 1035 §5.1).
fn entries(text: &str) -> Result<Vec<(usize, String)>, BadAnchors> {
    let (mut entries, mut open) = (Vec::new(), None);
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.split(';').next().unwrap_or_default();
        let (begun, mut entry) = open.take().unwrap_or((number + 1, String::new()));
        entry.push_str(line);
        entry.push(' ');
        let count = |wanted| entry.matches(wanted).count();
        if count('(') > count(')') {
            open = Some((begun, entry));
        } else if !entry.trim().is_empty() {
            entries.push((begun, entry.replace(['(', ')'], " ")));
        }
    }
    match open {
        None => Ok(entries),
        Some((line, _)) => Err(BadAnchors::Line { line, why: "a parenthesis is not closed".to_owned() }),
    }
}

fn anchor(entry: &str) -> Result<TrustAnchor, String> {
    let mut words = entry.split_whitespace();
    let owner = words.next().unwrap_or_default();
    let owner = Name::parse(owner).map_err(|why| format!("`{}` is no name: {why}", owner.escape_debug()))?;
    let is_type = |word: &&str| !word.eq_ignore_ascii_case("IN") && word.parse::<u32>().is_err();
    let kind = words.find(is_type).ok_or("the record type is missing; write DNSKEY or DS behind the name")?;
    let kind = match RecordType::from_str(kind) {
        Ok(kind @ (RecordType::DNSKEY | RecordType::DS)) => kind,
        _ => return Err(format!("`{}` is not DNSKEY or DS", kind.escape_debug())),
    };
    let value = words.collect::<Vec<_>>().join(" ");
    let rdata = rdata::parse(kind, &value).map_err(|error| error.to_string())?;
    if kind == RecordType::DNSKEY {
        let flags = rdata.first_chunk().map_or(0, |flags| u16::from_be_bytes(*flags));
        if flags & ZONE_KEY == 0 {
            return Err(format!("a key with flags {flags} signs no zone; a zone's key has 257 or 256"));
        }
        if flags & REVOKED != 0 {
            return Err(format!("a key with flags {flags} is revoked; take the line out"));
        }
    }
    Ok(TrustAnchor { owner, kind, rdata })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==";
    const DIGEST: &str = "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D";

    fn read(text: &str) -> Vec<(String, u16, usize)> {
        let anchors = parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        anchors.into_iter().map(|anchor| (anchor.owner.to_string(), anchor.kind.0, anchor.rdata.len())).collect()
    }

    #[test]
    fn rfc1035_s5_1_lines_are_read_as_tools_write_them() {
        let (half, rest) = KEY.split_at(40);
        let table = [
            (format!(". IN DS 20326 8 2 {DIGEST}\n"), vec![(".", 43, 36)]),
            (format!(".\t172800\tin\tds\t20326 8 2 {DIGEST} ; the root\r\n"), vec![(".", 43, 36)]),
            (format!("IN 60 DS 20326 8 2 {DIGEST}"), vec![("in.", 43, 36)]),
            (format!("Corp.Example. DNSKEY 257 3 13 {KEY}"), vec![("corp.example.", 48, 68)]),
            (format!("; a comment (\n\n. DNSKEY 257 3 13 ( {half} ; so\n\t{rest} )\n"), vec![(".", 48, 68)]),
            (format!(". DS 1 8 2 {DIGEST}\n. DNSKEY 256 3 13 {KEY}"), vec![(".", 43, 36), (".", 48, 68)]),
        ];
        for (text, expected) in table {
            let expected = expected.into_iter().map(|(owner, kind, length)| (owner.to_owned(), kind, length));
            assert_eq!(read(&text), expected.collect::<Vec<_>>(), "{text}");
        }
    }

    #[test]
    fn what_is_no_trust_anchor_is_refused_with_its_line() {
        let table = [
            ("".to_owned(), "it has no DNSKEY or DS record; write lines such as `. IN DS 20326 8 2 E06D44B8…`"),
            (
                "; only\n  \n".to_owned(),
                "it has no DNSKEY or DS record; write lines such as `. IN DS 20326 8 2 E06D44B8…`",
            ),
            ("\n. IN A 192.0.2.1".to_owned(), "line 2: `A` is not DNSKEY or DS"),
            (".".to_owned(), "line 1: the record type is missing; write DNSKEY or DS behind the name"),
            (format!("\n\n. DNSKEY 257 3 13 ( {KEY}\n"), "line 3: a parenthesis is not closed"),
            (format!(". DNSKEY 1 3 13 {KEY}"), "line 1: a key with flags 1 signs no zone; a zone's key has 257 or 256"),
            (format!(". DNSKEY 385 3 13 {KEY}"), "line 1: a key with flags 385 is revoked; take the line out"),
        ];
        for (text, expected) in table {
            assert_eq!(parse(&text).expect_err(&text).to_string(), expected);
        }
        let error = parse(". DS 20326 8 2 nonsense").expect_err("no digest").to_string();
        assert!(error.starts_with("line 1: DS: "), "{error}");
    }
}
