//! Counts, and what is to be said at the end.

use crate::{
    kinds::number,
    known,
    question::Question,
    verdict::{Case, Opinion, PARTS, Part, is_in_order, repeats_itself},
};
use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

/// Zones that are printed whole; the others can be made again from their seeds.
const ZONES_SHOWN: usize = 2;

/// All that was seen.
#[derive(Default)]
pub(crate) struct Tally {
    asked: usize,
    parts: BTreeMap<Part, Counts>,
    known: BTreeMap<String, usize>,
    /// By kind: how often, and the first one.
    unknown: BTreeMap<String, (usize, String)>,
    zones: BTreeMap<String, String>,
    /// What the questions met, by what NSD says.
    met: BTreeMap<&'static str, usize>,
}

/// Of one part.
#[derive(Default)]
struct Counts {
    all: usize,
    most: usize,
    none: usize,
    truncated: usize,
    /// Of those on which all agree, and of those on which most do.
    agreed: [usize; 2],
    meant: [usize; 2],
}

impl Tally {
    /// Compares one case.
    pub(crate) fn add(&mut self, case: &Case<'_>) {
        self.asked += 1;
        for part in PARTS {
            self.compare(case, part);
        }
        if let Some(ours) = &case.ours {
            if !is_in_order(case.question, &ours.answer) {
                self.note(case, "our answer is not in order".to_owned());
            }
            if repeats_itself(ours) {
                self.note(case, "we give a record twice".to_owned());
            }
        }
        self.meet(case);
    }

    fn compare(&mut self, case: &Case<'_>, part: Part) {
        let counts = self.parts.entry(part).or_default();
        let (expected, degree) = match case.opinion(part) {
            Opinion::All(text) => (text, 0),
            Opinion::Most(text) => (text, 1),
            Opinion::None => return counts.none += 1,
            Opinion::Truncated => return counts.truncated += 1,
        };
        *[&mut counts.all, &mut counts.most][degree] += 1;
        if case.own(part) == expected {
            counts.agreed[degree] += 1;
        } else if !part.is_required() {
            // Counted and shown, no more.
        } else if let Some(known) = known::explanation(case, part, &expected) {
            counts.meant[degree] += 1;
            *self.known.entry(known.to_string()).or_default() += 1;
        } else {
            self.note(case, format!("{}{}", if degree == 1 { "(majority) " } else { "" }, case.kind(part)));
        }
    }

    fn note(&mut self, case: &Case<'_>, kind: String) {
        self.unknown.entry(kind).or_insert_with(|| (0, case.to_string())).0 += 1;
        if self.zones.len() < ZONES_SHOWN {
            let texts = || case.zone.files().into_iter().map(|file| file.text).collect();
            self.zones.entry(case.zone.origin.clone()).or_insert_with(texts);
        }
    }

    /// What kinds of answers there were.
    fn meet(&mut self, case: &Case<'_>) {
        let Some(said) = &case.theirs[0] else { return };
        let has = |mnemonic: &str| said.answer.iter().any(|record| record.kind == number(mnemonic));
        let plain = case.question.is_plain();
        let Question { name, tcp, .. } = case.question;
        let refers = plain && said.rcode == 0 && said.authority.iter().any(|record| record.kind == number("NS"));
        for (what, met) in [
            ("NXDOMAIN", said.rcode == 3),
            ("YXDOMAIN", said.rcode == 6),
            ("NODATA", plain && said.rcode == 0 && said.aa && said.answer.is_empty()),
            ("alias", has("CNAME")),
            ("alias to nothing", has("CNAME") && said.rcode == 3),
            ("redirect", has("DNAME")),
            ("referral", refers),
            ("referral behind an alias", refers && !said.answer.is_empty()),
            ("refusal", said.rcode == 5),
            ("truncation", said.tc),
            ("the root", name.is_empty()),
            ("TCP", *tcp),
        ] {
            *self.met.entry(what).or_default() += usize::from(met);
        }
    }

    /// Whether every difference is meant.
    pub(crate) fn is_explained(&self) -> bool {
        self.unknown.is_empty()
    }

    /// Fails unless there was an answer of each kind.
    pub(crate) fn assert_nothing_missed(&self) {
        let missed: Vec<_> = self.met.iter().filter(|(_, count)| **count == 0).map(|(what, _)| what).collect();
        assert!(missed.is_empty(), "no question met: {missed:?}");
    }

    /// Differences in full, with the zones of the first.
    pub(crate) fn differences(&self) -> String {
        let mut text = String::new();
        let mut by_count: Vec<_> = self.unknown.iter().collect();
        by_count.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        for (kind, (count, example)) in by_count {
            write!(text, "{count} × {kind}\n{example}\n").expect("text grows");
        }
        for (origin, zone) in &self.zones {
            write!(text, "zone {origin}\n{zone}\n").expect("text grows");
        }
        text
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} questions, each asked of NSD, Knot, BIND and us", self.asked)?;
        let head = ["all agree", "we too", "meant", "two agree", "we too", "meant", "none agree", "truncated"];
        writeln!(f, "{:12}{}", "", head.map(|title| format!("{title:>11}")).concat())?;
        for (part, counts) in &self.parts {
            let Counts { all, most, none, truncated, agreed, meant } = counts;
            let row = [all, &agreed[0], &meant[0], most, &agreed[1], &meant[1], none, truncated];
            let note = if part.is_required() { "" } else { "   (free)" };
            writeln!(f, "{:12}{}{note}", format!("{part:?}"), row.map(|count| format!("{count:>11}")).concat())?;
        }
        for (what, count) in &self.known {
            writeln!(f, "meant {count:>5} × {what}")?;
        }
        let met: Vec<_> = self.met.iter().map(|(what, count)| format!("{what} {count}")).collect();
        writeln!(f, "met: {}", met.join(", "))
    }
}
