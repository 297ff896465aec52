//! Differences that are meant. Each says which paragraph we follow, and applies to as little as possible.

use crate::{
    kinds::{self, number},
    reading::Said,
    verdict::{Case, Part},
    zone::Zone,
};
use std::{collections::BTreeSet, fmt};

/// A difference on purpose.
#[derive(Debug)]
pub(crate) struct Known {
    /// What we do, and what the others do.
    what: &'static str,
    /// The paragraph that we follow.
    why: &'static str,
    applies: fn(&Difference<'_>) -> bool,
}

/// Where we are not of the opinion of most.
struct Difference<'a> {
    case: &'a Case<'a>,
    ours: &'a Said,
    part: Part,
    opinion: &'a str,
}

/// All of them.
const TABLE: &[Known] = &[
    Known {
        what: "ANY gets one record set of the name, of which each server chooses its own",
        why: "RFC 8482 §4.1",
        applies: |it| {
            let mut data = it.ours.answer.iter().filter(|record| !is_alias(record.kind));
            let one_set = data.clone().map(|record| record.kind).collect::<BTreeSet<_>>().len() == 1;
            let is_there = |record| it.case.zone.may_have(record);
            it.case.question.kind == kinds::ANY && it.part == Part::Answer && one_set && data.all(is_there)
        },
    },
    Known {
        what: "an alias is followed into another zone of ours, where most stop",
        why: "RFC 1034 §4.3.2 step 3a: back to step 1, which looks for the nearest zone",
        applies: |it| leads_to_another_zone(it.case.zone, it.ours) && it.others_stopped(),
    },
    Known {
        what: "a DNAME is followed for ANY, too; BIND stops",
        why: "RFC 6672 §3.2 step 3c: back to step 1, whatever the type",
        applies: |it| {
            let redirected = it.ours.answer.iter().any(|record| record.kind == number("DNAME"));
            it.case.question.kind == kinds::ANY && redirected && it.others_stopped()
        },
    },
    Known {
        what: "DS of a zone below comes from the parent's side, also if an alias in that zone leads there",
        why: "RFC 1034 §4.3.2 step 3a: back to step 1; RFC 4035 §3.1.4.1",
        applies: |it| {
            let apex = it.case.zone.child.as_ref().map(|child| format!("{}.", child.origin));
            let mut led_to = it.ours.answer.iter().filter(|record| is_alias(record.kind)).map(|record| &record.data);
            it.case.question.kind == kinds::DS && led_to.next_back().is_some_and(|to| apex.as_ref() == Some(to))
        },
    },
    Known {
        what: "a chain of more than five aliases is followed up to the sixteenth, where most have stopped",
        why: "RFC 1034 §4.3.2 step 3a, which knows no limit; Knot's is 5, BIND's 11",
        applies: |it| {
            it.ours.answer.iter().filter(|record| record.kind == number("CNAME")).count() > 5 && it.others_stopped()
        },
    },
    Known {
        what: "a DNAME that leads below itself is followed until the name is too long, which is said; others stop before",
        why: "RFC 6672 §3.2 step 3c: YXDOMAIN",
        applies: |it| it.ours.rcode == 6 && grows(it.ours) && it.others_stopped(),
    },
    Known {
        what: "the code of a truncated reply is that of the last name for which there was room",
        why: "RFC 2181 §9: a client ignores such a reply and asks again over TCP, where codes agree",
        applies: |it| {
            let whole = it.case.supporters(it.part, it.opinion).filter(|theirs| !theirs.tc).count();
            it.part == Part::Rcode && !it.case.question.tcp && (it.ours.tc || whole < 2)
        },
    },
    Known {
        what: "classes other than IN are refused; NSD and Knot take class ANY for IN",
        why: "RFC 1035 §4.1.1 REFUSED, and §3.2.5: class ANY asks for all classes, which is more than we have",
        applies: |it| it.case.question.class == 255 && it.ours.rcode == 5,
    },
    Known {
        what: "names under `test` that are in no zone do not exist; others refuse them",
        why: "RFC 6761 §6.2 item 5",
        applies: |it| {
            let said = it.ours.answer.is_empty() && it.ours.authority.iter().all(|record| record.owner == "test");
            let refused = it.case.supporters(Part::Rcode, "5").count() >= 2;
            it.case.question.name.to_ascii_lowercase().ends_with(".test") && said && refused
        },
    },
    Known {
        what: "opcodes other than QUERY are not implemented, whatever the rest of the message says",
        why: "RFC 1035 §4.1.1 NOTIMP",
        applies: |it| it.case.question.opcode != 0 && it.ours.rcode == 4,
    },
];

/// Why we may be of another opinion here, if we may.
pub(crate) fn explanation(case: &Case<'_>, part: Part, opinion: &str) -> Option<&'static Known> {
    let difference = Difference { case, ours: case.ours.as_ref()?, part, opinion };
    TABLE.iter().find(|known| (known.applies)(&difference))
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.why)
    }
}

impl Difference<'_> {
    /// Whether the opinion is no opinion: at most one of those who have it went to the end of the chain, the others stopped at
    /// an alias that we followed, too.
    fn others_stopped(&self) -> bool {
        let stopped = |theirs: &Said| {
            let is_end = |kind| !is_alias(kind);
            let concludes = theirs.answer.iter().any(|record| is_end(record.kind))
                || theirs.authority.iter().any(|record| record.kind == number("SOA"));
            is_part_of(theirs, self.ours) && !concludes
        };
        self.part != Part::Aa
            && self.case.supporters(self.part, self.opinion).filter(|theirs| !stopped(theirs)).count() < 2
    }
}

fn is_alias(kind: u16) -> bool {
    kind == number("CNAME") || kind == number("DNAME")
}

/// Whether everything that one answers is among what the other answers.
fn is_part_of(one: &Said, other: &Said) -> bool {
    one.answer.iter().all(|record| other.answer.contains(record))
}

/// Whether there is a DNAME that leads to a name below its own.
fn grows(said: &Said) -> bool {
    let mut dnames = said.answer.iter().filter(|record| record.kind == number("DNAME"));
    dnames.any(|record| record.data.trim_end_matches('.').ends_with(&format!(".{}", record.owner)))
}

/// Whether an alias of an answer belongs to one zone and stands for a name of another.
fn leads_to_another_zone(zone: &Zone, said: &Said) -> bool {
    let in_child = |name: &str| zone.child.as_ref().is_some_and(|child| child.holds(name));
    let mut aliases = said.answer.iter().filter(|record| record.kind == number("CNAME"));
    aliases.any(|alias| {
        let to = alias.data.trim_end_matches('.');
        zone.holds(to) && in_child(&alias.owner) != in_child(to)
    })
}
