//! Shows what an import changes: to people as it comes, to programs as one document at the end.

use super::super::record::record_json;
use crate::print::Output;
use dnsplane_proto::pb::admin::{EditReply, ImportLine, ImportSummary, Record, import_line::Kind};
use serde_json::{Value, json};
use std::io;

/// Lines and sums of a difference.
#[derive(Default)]
pub(super) struct Difference {
    shown: [u64; 4],
    summary: ImportSummary,
    /// For programs, by kind.
    lines: [Vec<Value>; 4],
}

impl Difference {
    pub(super) fn line(&mut self, line: ImportLine, out: &mut Output<'_>) -> io::Result<()> {
        let Ok(kind) = Kind::try_from(line.kind) else { return Ok(()) };
        self.shown[kind as usize] += 1;
        if out.is_json() {
            self.lines[kind as usize].push(as_json(kind, &line));
            return Ok(());
        }
        let (before, after) = (line.before.unwrap_or_default(), line.after.unwrap_or_default());
        match kind {
            Kind::Added => out.line(&format!("+ {}", whole(&after))),
            Kind::Removed => out.line(&format!("- {}", whole(&before))),
            Kind::Changed => out.line(&format!("~ {} -> {}", whole(&before), changed(&before, &after))),
            Kind::Refused if after == Record::default() => out.line(&format!("! {}", line.reason)),
            Kind::Refused => out.line(&format!("! {}: {}", whole(&after), line.reason)),
        }
    }

    pub(super) fn summary(&mut self, summary: &ImportSummary, out: &mut Output<'_>) -> io::Result<()> {
        let shown = std::mem::take(&mut self.shown);
        self.summary = *summary;
        let counts = [summary.added, summary.changed, summary.removed, summary.refused];
        if out.is_json() {
            if summary.again {
                // Those of the difference before are not true any more, and come first.
                for (lines, shown) in self.lines.iter_mut().zip(shown) {
                    lines.drain(..lines.len().saturating_sub(shown as usize));
                }
            }
            return Ok(());
        }
        let hidden: u64 = counts.iter().zip(shown).map(|(count, shown)| count.saturating_sub(shown)).sum();
        if hidden > 0 {
            out.line(&format!("… and {hidden} more; --all shows them"))?;
        }
        if summary.again {
            out.line("the records changed meanwhile; this is the difference now")?;
        }
        let words = ["added", "changed", "removed", "refused"];
        let told: Vec<_> = counts.iter().zip(words).map(|(count, word)| format!("{count} {word}")).collect();
        let repeated = match summary.repeated {
            0 => String::new(),
            repeated => format!(", {repeated} repeat an earlier one"),
        };
        out.line(&format!("{}, {} unchanged{repeated}", told.join(", "), summary.unchanged))
    }

    /// Says whether it was done.
    pub(super) fn end(self, done: Option<&EditReply>, out: &mut Output<'_>) -> io::Result<()> {
        let Self { summary, lines: [added, changed, removed, refused], .. } = self;
        if out.is_json() {
            return out.json(&json!({
                "applied": done.is_some_and(|done| done.changed),
                "number": done.map_or(summary.number, |done| done.number),
                "counts": {
                    "added": summary.added, "changed": summary.changed, "removed": summary.removed,
                    "refused": summary.refused, "unchanged": summary.unchanged, "repeated": summary.repeated
                },
                "added": added, "changed": changed, "removed": removed, "refused": refused
            }));
        }
        match done {
            Some(done) => done.messages.iter().try_for_each(|message| out.line(message)),
            None => out.line("nothing was changed"),
        }
    }
}

fn as_json(kind: Kind, line: &ImportLine) -> Value {
    let record = |record: &Option<Record>| record.as_ref().map(record_json);
    match kind {
        Kind::Added => json!(record(&line.after)),
        Kind::Removed => json!(record(&line.before)),
        Kind::Changed => json!({"before": record(&line.before), "after": record(&line.after)}),
        Kind::Refused => json!({"record": record(&line.after), "reason": line.reason}),
    }
}

fn whole(record: &Record) -> String {
    let Record { name, ttl, r#type: kind, value, .. } = record;
    format!("{name} {ttl} {kind} {value}")
}

/// What is another than before.
fn changed(before: &Record, after: &Record) -> String {
    let mut parts = Vec::new();
    if before.ttl != after.ttl {
        parts.push(format!("TTL {}", after.ttl));
    }
    if before.value != after.value {
        parts.push(after.value.clone());
    }
    if before.mac != after.mac {
        parts.push(format!("MAC {}", after.mac));
    }
    parts.join(", ")
}
