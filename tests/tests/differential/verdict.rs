//! What the others agree on, and whether we say the same.

use crate::{
    kinds,
    question::Question,
    reading::{Record, Said},
    zone::Zone,
};
use dnsplane_tests::rival::MAKES;
use std::{collections::BTreeSet, fmt};

/// Records of a section that are printed.
const RECORDS_SHOWN: usize = 12;

/// A part of a reply. Each is compared by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Part {
    Rcode,
    Aa,
    Answer,
    Authority,
    Tc,
    Additional,
}

pub(crate) const PARTS: [Part; 6] = [Part::Rcode, Part::Aa, Part::Answer, Part::Authority, Part::Tc, Part::Additional];

impl Part {
    /// Whether we have to say what the others say. Replies of one meaning have different sizes, and what is added beyond the
    /// answer is for each to decide (RFC 2181 §9, RFC 1034 §4.3.2 step 6).
    pub(crate) fn is_required(self) -> bool {
        !matches!(self, Self::Tc | Self::Additional)
    }

    fn is_section(self) -> bool {
        matches!(self, Self::Answer | Self::Authority | Self::Additional)
    }
}

/// A question, and what each server says.
pub(crate) struct Case<'a> {
    pub(crate) zone: &'a Zone,
    pub(crate) question: &'a Question,
    /// In the order of [`MAKES`].
    pub(crate) theirs: [Option<Said>; 3],
    pub(crate) ours: Option<Said>,
}

/// What the others say about one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Opinion {
    /// All three the same.
    All(String),
    /// Two of three.
    Most(String),
    /// Each something else.
    None,
    /// Somebody left something out for want of room.
    Truncated,
}

impl Case<'_> {
    /// What the others agree on.
    pub(crate) fn opinion(&self, part: Part) -> Opinion {
        let cut = |said: &Option<Said>| said.as_ref().is_some_and(|said| said.tc);
        if part.is_section() && (self.theirs.iter().any(cut) || cut(&self.ours)) {
            return Opinion::Truncated;
        }
        // Two that give different codes do not agree on a section, even if both leave it empty.
        let code = |said: &Option<Said>| said.as_ref().filter(|_| part.is_section()).map(|said| said.rcode);
        let [a, b, c] = self.theirs.each_ref().map(|said| (code(said), text(said.as_ref(), part)));
        if a == b && b == c {
            Opinion::All(a.1)
        } else if a == b || a == c {
            Opinion::Most(a.1)
        } else if b == c {
            Opinion::Most(b.1)
        } else {
            Opinion::None
        }
    }

    /// Those who say this.
    pub(crate) fn supporters(&self, part: Part, opinion: &str) -> impl Iterator<Item = &Said> {
        self.theirs.iter().flatten().filter(move |said| text(Some(said), part) == opinion)
    }

    /// What we say.
    pub(crate) fn own(&self, part: Part) -> String {
        text(self.ours.as_ref(), part)
    }

    /// The kind of a difference: what was asked and what each says, without the names.
    pub(crate) fn kind(&self, part: Part) -> String {
        let Question { kind, class, opcode, edns, .. } = self.question;
        let asked = match (opcode, class, edns) {
            (0, 1, Some(edns)) if edns.version > 0 => format!("EDNS version {}", edns.version),
            (0, 1, _) if kinds::is_special(*kind) => kinds::mnemonic(*kind),
            (0, 1, _) => "data".to_owned(),
            (0, ..) => format!("class {class}"),
            _ => format!("opcode {opcode}"),
        };
        let theirs =
            MAKES.iter().zip(&self.theirs).map(|(make, said)| format!("{make}: {}", shape(said.as_ref(), part)));
        let theirs = theirs.collect::<Vec<_>>().join(", ");
        format!("{part:?} of {asked}: {theirs}, ours: {}", shape(self.ours.as_ref(), part))
    }
}

/// The whole of it, for people.
impl fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.question)?;
        let makes = MAKES.iter().map(ToString::to_string).chain(["ours".to_owned()]);
        for (make, said) in makes.zip(self.theirs.iter().chain([&self.ours])) {
            let Some(said) = said else {
                writeln!(f, "  {make}: no reply")?;
                continue;
            };
            let flags = [(said.aa, " aa"), (said.tc, " tc")].map(|(set, flag)| if set { flag } else { "" }).concat();
            writeln!(f, "  {make}: rcode {}{flags}", said.rcode)?;
            let sections = [("", &said.answer), ("authority: ", &said.authority), ("additional: ", &said.additional)];
            for (section, records) in sections {
                for record in records.iter().take(RECORDS_SHOWN) {
                    writeln!(f, "    {section}{record}")?;
                }
            }
        }
        Ok(())
    }
}

/// One part, so that equal texts mean equal contents. The order of records means nothing here.
fn text(said: Option<&Said>, part: Part) -> String {
    let Some(said) = said else { return "no reply".to_owned() };
    let lines = |records: &[Record]| {
        let mut lines: Vec<_> = records.iter().map(ToString::to_string).collect();
        lines.sort();
        lines.dedup();
        lines.join("\n")
    };
    match part {
        Part::Rcode => said.rcode.to_string(),
        Part::Aa => said.aa.to_string(),
        Part::Answer => lines(&said.answer),
        Part::Authority => lines(&said.authority),
        Part::Tc => said.tc.to_string(),
        Part::Additional => lines(&said.additional),
    }
}

/// One part, so roughly that there are few of them.
fn shape(said: Option<&Said>, part: Part) -> String {
    let records = match (said, part) {
        (Some(said), Part::Answer) => &said.answer,
        (Some(said), Part::Authority) => &said.authority,
        _ => return text(said, part),
    };
    let mut kinds: Vec<_> = records.iter().map(|record| kinds::mnemonic(record.kind)).collect();
    kinds.dedup();
    if kinds.is_empty() { "nothing".to_owned() } else { kinds.join("+") }
}

/// Whether a record is there twice (RFC 2181 §5).
pub(crate) fn repeats_itself(said: &Said) -> bool {
    [&said.answer, &said.authority, &said.additional].iter().any(|section| {
        let different: BTreeSet<_> = section.iter().collect();
        different.len() < section.len()
    })
}

/// Whether the records of an answer come in an order that can be read from top to bottom: each is about the name that was
/// asked for, or the one that the aliases before it have led to (RFC 1034 §4.3.2, RFC 6672 §3.2).
pub(crate) fn is_in_order(question: &Question, answer: &[Record]) -> bool {
    let mut name = question.name.to_ascii_lowercase();
    answer.iter().enumerate().all(|(at, record)| {
        if record.kind == kinds::number("DNAME") && record.owner != name {
            return name.ends_with(&format!(".{}", record.owner)) || record.owner.is_empty();
        }
        let fits = record.owner == name;
        // The last alias may be asked for itself.
        if fits && record.kind == kinds::number("CNAME") && at + 1 < answer.len() {
            name = record.data.trim_end_matches('.').to_owned();
        }
        fits
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnsplane_tests::Random;

    fn said(rcode: u16, answer: &[(&str, &str, &str)]) -> Said {
        let record = |(owner, kind, data): &(&str, &str, &str)| Record {
            owner: (*owner).to_owned(),
            kind: kinds::number(kind),
            class: 1,
            ttl: 60,
            data: (*data).to_owned(),
        };
        let answer = answer.iter().map(record).collect();
        Said { rcode, aa: true, tc: false, answer, authority: Vec::new(), additional: Vec::new() }
    }

    fn question(name: &str) -> Question {
        let mut question = crate::Questions::about(&Zone::of(1)).one(&mut Random::of(1));
        question.name = name.to_owned();
        question
    }

    #[test]
    fn opinions_are_those_of_two_or_three() {
        let (zone, question) = (Zone::of(1), question("a"));
        let opinion = |theirs: [&Said; 3], part| {
            Case { zone: &zone, question: &question, theirs: theirs.map(|said| Some(said.clone())), ours: None }
                .opinion(part)
        };
        let [one, other] =
            [said(0, &[("a", "A", "01"), ("a", "A", "02")]), said(0, &[("a", "A", "02"), ("a", "A", "01")])];
        let [nothing, refused] = [said(0, &[]), said(5, &[])];
        assert!(matches!(opinion([&one, &other, &one], Part::Answer), Opinion::All(_)), "order means nothing");
        assert_eq!(opinion([&one, &nothing, &nothing], Part::Answer), Opinion::Most(String::new()));
        assert_eq!(opinion([&refused, &nothing, &nothing], Part::Rcode), Opinion::Most("0".to_owned()));
        assert_eq!(
            opinion([&one, &refused, &nothing], Part::Answer),
            Opinion::None,
            "they agree on nothing but nothing"
        );
        let cut = Said { tc: true, ..nothing.clone() };
        assert_eq!(opinion([&cut, &nothing, &nothing], Part::Answer), Opinion::Truncated);
    }

    #[test]
    fn an_answer_is_read_from_top_to_bottom() {
        let (dname, cname, end) = (("b", "DNAME", "c."), ("a.b", "CNAME", "a.c."), ("a.c", "A", "01"));
        let in_order = |answer: &[_]| is_in_order(&question("A.b"), &said(0, answer).answer);
        assert!(in_order(&[dname, cname, end]));
        assert!(!in_order(&[end, dname, cname]));
        assert!(!in_order(&[dname, end]), "the alias is missing");
        assert!(repeats_itself(&said(0, &[end, end])) && !repeats_itself(&said(0, &[cname, end])));
    }
}
