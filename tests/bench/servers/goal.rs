//! What was set out to be reached, beside what was measured. Nobody fails by it: a busy machine misses goals, too.

use super::table::Table;

/// One figure of ours and its bound.
pub(crate) struct Goal {
    what: String,
    measured: f64,
    bound: Bound,
}

#[derive(Clone, Copy)]
enum Bound {
    AtMost(f64),
    AtLeast(f64),
}

impl Goal {
    /// No more than this.
    pub(crate) fn at_most(what: &str, measured: f64, bound: f64) -> Self {
        Self { what: what.to_owned(), measured, bound: Bound::AtMost(bound) }
    }

    /// No less than this.
    pub(crate) fn at_least(what: &str, measured: f64, bound: f64) -> Self {
        Self { what: what.to_owned(), measured, bound: Bound::AtLeast(bound) }
    }

    /// As a table.
    pub(crate) fn print(goals: &[Self]) {
        let mut table = Table::new(&["dnsplane", "goal", "measured", "reached"]);
        for Self { what, measured, bound } in goals {
            let (goal, reached) = match bound {
                Bound::AtMost(bound) => (format!("≤ {bound}"), measured <= bound),
                Bound::AtLeast(bound) => (format!("≥ {bound}"), measured >= bound),
            };
            let reached = if reached { "yes" } else { "no" };
            table.row([what.clone(), goal, format!("{measured:.2}"), reached.to_owned()]);
        }
        table.print();
    }
}
