//! Differences that are meant. Each says which paragraph we follow, and applies to as little as possible.

use crate::{
    kinds::{self, number},
    reading::Said,
    verdict::{Case, Part},
    zone::Zone,
};
use std::fmt;

/// A difference on purpose.
#[derive(Debug)]
pub(crate) struct Known {
    /// What we do, and what the others do.
    what: &'static str,
    /// The paragraph that we follow.
    why: &'static str,
    applies: fn(&Case<'_>, &Said, Part) -> bool,
}

/// All of them.
const TABLE: &[Known] = &[
    Known {
        what: "ANY gets one record set of those that the others give",
        why: "RFC 8482 §4.1",
        applies: |case, ours, part| {
            case.question.kind == kinds::ANY
                && part == Part::Answer
                && !ours.answer.is_empty()
                && case.theirs.iter().flatten().any(|theirs| is_part_of(ours, theirs))
        },
    },
    Known {
        what: "an alias is followed into another zone of ours, where most stop",
        why: "RFC 1034 §4.3.2 step 3a: back to step 1, which looks for the nearest zone",
        applies: |case, ours, part| {
            part != Part::Aa
                && leads_to_another_zone(case.zone, ours)
                && case.theirs.iter().flatten().filter(|theirs| is_part_of(theirs, ours)).count() >= 2
        },
    },
    Known {
        what: "the code of a truncated reply is that of the last name for which there was room",
        why: "RFC 2181 §9: a client ignores such a reply and asks again over TCP, where codes agree",
        applies: |case, ours, part| part == Part::Rcode && ours.tc && !case.question.tcp,
    },
    Known {
        what: "a DNAME that leads below itself is followed until the name is too long, which is said; others stop before",
        why: "RFC 6672 §3.2 step 3c: YXDOMAIN",
        applies: |_, ours, part| {
            let grows = ours.answer.iter().any(|record| {
                record.kind == number("DNAME")
                    && record.data.trim_end_matches('.').ends_with(&format!(".{}", record.owner))
            });
            grows && ours.rcode == 6 && part != Part::Aa
        },
    },
    Known {
        what: "a chain of more than five aliases is followed up to the sixteenth, where most have stopped",
        why: "RFC 1034 §4.3.2 step 3a, which knows no limit; Knot's is 5, BIND's 11",
        applies: |case, ours, part| {
            part != Part::Aa
                && count_aliases(ours) > 5
                && case.theirs.iter().flatten().filter(|theirs| is_part_of(theirs, ours)).count() >= 2
        },
    },
    Known {
        what: "classes other than IN are refused; NSD and Knot take class ANY for IN",
        why: "RFC 1035 §4.1.1 REFUSED, and §3.2.5: class ANY asks for all classes, which is more than we have",
        applies: |case, ours, _| case.question.class == 255 && ours.rcode == 5,
    },
    Known {
        what: "names under `test` that are in no zone do not exist, and `test` does, with zones below it; others refuse",
        why: "RFC 6761 §6.2 item 5, RFC 8020 §2",
        applies: |case, ours, _| {
            let name = case.question.name.to_ascii_lowercase();
            let under_test = name == "test" || name.ends_with(".test");
            let said = ours.aa && ours.answer.is_empty() && ours.authority.iter().all(|record| record.owner == "test");
            let refused = case.theirs.iter().flatten().filter(|theirs| theirs.rcode == 5).count() >= 2;
            under_test && !case.zone.holds(&name) && said && refused
        },
    },
    Known {
        what: "opcodes other than QUERY are not implemented, whatever the rest of the message says",
        why: "RFC 1035 §4.1.1 NOTIMP",
        applies: |case, ours, _| case.question.opcode != 0 && ours.rcode == 4,
    },
];

/// Why we may differ here, if we may.
pub(crate) fn explanation(case: &Case<'_>, part: Part) -> Option<&'static Known> {
    let ours = case.ours.as_ref()?;
    TABLE.iter().find(|known| (known.applies)(case, ours, part))
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.what, self.why)
    }
}

/// Whether everything that one answers is among what the other answers.
fn is_part_of(one: &Said, other: &Said) -> bool {
    one.answer.iter().all(|record| other.answer.contains(record))
}

fn count_aliases(said: &Said) -> usize {
    said.answer.iter().filter(|record| record.kind == number("CNAME")).count()
}

/// Whether an alias of an answer belongs to one zone and stands for a name of another.
fn leads_to_another_zone(zone: &Zone, said: &Said) -> bool {
    let in_child = |name: &str| zone.child.as_ref().is_some_and(|child| child.holds(name));
    let aliases = said.answer.iter().filter(|record| record.kind == number("CNAME"));
    aliases.into_iter().any(|alias| {
        let to = alias.data.trim_end_matches('.');
        zone.holds(to) && in_child(&alias.owner) != in_child(to)
    })
}
