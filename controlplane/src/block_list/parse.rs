//! Reads a list line by line, in whichever of the usual forms each line is.
//!
//! - hosts files: `0.0.0.0 ads.example tracker.example # why`, with any of the addresses that lead nowhere;
//! - one name a line: `ads.example`, or `*.ads.example` for what is below it;
//! - rules of ad blockers that are about whole domains: `||ads.example^`, and `@@||good.example^` for exceptions.
//!
//! Other rules of ad blockers are about parts of pages, or about some pages and not others: nothing that an answer to a DNS
//! query could express. They are passed over and counted, as is whatever else makes no sense; nothing ends the reading.

mod line;
mod lines;

pub(super) use line::Why;

use super::names::{Gathering, Names};
use line::{Entry, Side};
use std::io::{self, BufRead};

/// Names in one list. Far above any real list; small enough that no list can exhaust our memory.
const MOST_NAMES: usize = 10_000_000;
/// Octets of the names of one list.
const MOST_OCTETS: usize = 512 << 20;

/// What a list says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) blocked: Names,
    pub(super) allowed: Names,
    /// Lines that say nothing that could be used.
    pub(super) skipped: u64,
    /// The first of them: its number, and what is the matter with it.
    pub(super) first_skipped: Option<(u64, Why)>,
}

impl Parsed {
    /// Whether there is text, and no name in it: a page that says "not found", for one.
    pub(super) fn makes_no_sense(&self) -> bool {
        self.skipped > 0 && self.blocked.len() + self.allowed.len() == 0
    }
}

/// Why a list could not be read to its end.
#[derive(Debug, thiserror::Error)]
pub(super) enum ParseError {
    #[error(transparent)]
    Read(#[from] io::Error),
    #[error("it has more than {MOST_NAMES} names")]
    TooMany,
}

/// Reads a list to its end. In an allow list, what others would block is let through.
pub(super) fn parse(list: impl BufRead, allow_list: bool) -> Result<Parsed, ParseError> {
    let (mut blocked, mut allowed) = (Gathering::default(), Gathering::default());
    let (mut skipped, mut first_skipped, mut number) = (0, None, 0_u64);
    let mut key = Vec::new();
    lines::each(list, |line| {
        number += 1;
        let read = match line {
            Some(line) => line::read(line, &mut key, |Entry { side, key }| match side {
                Side::Block if !allow_list => blocked.push(key),
                Side::Block | Side::Allow => allowed.push(key),
            }),
            None => Err(Why::TooLong),
        };
        if let Err(why) = read {
            skipped += 1;
            first_skipped.get_or_insert((number, why));
        }
        let full = blocked.len() + allowed.len() > MOST_NAMES || blocked.size() + allowed.size() > MOST_OCTETS;
        if full { Err(ParseError::TooMany) } else { Ok(()) }
    })?;
    Ok(Parsed { blocked: blocked.sorted(), allowed: allowed.sorted(), skipped, first_skipped })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::block_list::key;

    fn names(names: &Names) -> Vec<String> {
        let mut cursor = names.cursor();
        std::iter::from_fn(|| cursor.advance().then(|| key::text(cursor.key()))).collect()
    }

    #[test]
    fn a_list_of_all_forms_is_read_line_by_line() {
        let list = "\u{feff}! Title: a list\r\n[Adblock Plus 2.0]\r\n# hosts\r\n127.0.0.1 localhost\r\n\
                    0.0.0.0 Ads.Example tracker.example # both\r\n\r\nplain.example\r\n||rule.example^$important\r\n\
                    @@||good.rule.example^\r\n*.wild.example\r\nsite.example##.banner\r\n||cdn.example/ads.js\r\nplain.example";
        let parsed = parse(list.as_bytes(), false).unwrap();
        let blocked = ["ads.example", "rule.example", "*.wild.example", "plain.example", "tracker.example"];
        assert_eq!(names(&parsed.blocked), blocked);
        assert_eq!(names(&parsed.allowed), ["good.rule.example"]);
        assert_eq!((parsed.skipped, parsed.first_skipped), (2, Some((11, Why::NotAName))));
    }

    #[test]
    fn an_allow_list_allows_whatever_it_names() {
        let parsed = parse(&b"one.example\n@@||two.example^\n0.0.0.0 three.example\n"[..], true).unwrap();
        assert_eq!((parsed.blocked.len(), parsed.allowed.len()), (0, 3));
    }

    #[test]
    fn a_page_of_the_web_makes_no_sense_and_an_empty_list_does() {
        let page = "<!DOCTYPE html>\n<html><body>\n<p>Not found</p>\n</body></html>\n";
        assert!(parse(page.as_bytes(), false).unwrap().makes_no_sense());
        assert!(!parse(&b"# nothing today\n\n"[..], false).unwrap().makes_no_sense());
    }

    #[test]
    fn lines_of_any_length_and_octets_of_any_kind_are_passed_over() {
        let mut list = b"one.example\n".to_vec();
        list.extend(std::iter::repeat_n(b'x', 3 << 20));
        list.extend(b"\n\x00\xff\xfe\ntwo.example");
        let parsed = parse(&list[..], false).unwrap();
        assert_eq!(names(&parsed.blocked), ["one.example", "two.example"]);
        assert_eq!((parsed.skipped, parsed.first_skipped), (2, Some((2, Why::TooLong))));
    }

    proptest::proptest! {
        #[test]
        fn no_text_is_too_strange(text in "([ -~]|\\PC|[|@*.^$#!0:\r\n\t]){0,200}") {
            let parsed = parse(text.as_bytes(), false).unwrap();
            for key in names(&parsed.blocked).iter().chain(&names(&parsed.allowed)) {
                let name = key.strip_prefix("*.").unwrap_or(key);
                proptest::prop_assert!(dnsplane_proto::Name::parse(name).is_ok(), "{}", key);
            }
        }
    }
}
