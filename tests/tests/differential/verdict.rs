//! What the others agree on, and whether we say the same.

use crate::{
    kinds,
    question::Question,
    reading::{Record, Said},
    zone::Zone,
};
use dnsplane_tests::rival::MAKES;
use std::{collections::BTreeSet, fmt};

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
            match said {
                None => writeln!(f, "  {make}: no reply")?,
                Some(said) => {
                    let Said { rcode, aa, tc, answer, authority, additional } = said;
                    writeln!(
                        f,
                        "  {make}: rcode {rcode}{}{}",
                        if *aa { " aa" } else { "" },
                        if *tc { " tc" } else { "" }
                    )?;
                    let sections = [("answer", answer), ("authority", authority), ("additional", additional)];
                    for (section, record) in
                        sections.iter().flat_map(|(name, all)| all.iter().take(12).map(move |one| (name, one)))
                    {
                        writeln!(f, "    {section:<10} {record:.160}")?;
                    }
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
