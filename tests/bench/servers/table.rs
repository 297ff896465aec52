//! Figures of several rounds as Markdown.

use std::fmt::Write;

/// A table with the first column to the left and the others to the right.
pub(crate) struct Table {
    text: String,
}

impl Table {
    pub(crate) fn new(heads: &[&str]) -> Self {
        let mut table = Self { text: String::new() };
        table.row(heads.iter().map(ToString::to_string));
        table.text.push_str("|---|");
        table.text.push_str(&"---:|".repeat(heads.len() - 1));
        table.text.push('\n');
        table
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        self.text.push('|');
        for cell in cells {
            write!(self.text, " {cell} |").expect("a String takes everything");
        }
        self.text.push('\n');
    }

    pub(crate) fn print(&self) {
        println!("{}", self.text);
    }
}

/// The value in the middle; of an even number of values, between the two in the middle.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    (at((values.len().max(1) - 1) / 2) + at(values.len() / 2)) / 2.0
}

/// The median with the smallest and the largest of the rounds.
pub(crate) fn spread(values: &[f64]) -> String {
    if values.iter().all(|value| *value == 1.0) {
        // A ratio to itself.
        return "1".to_owned();
    }
    let least = values.iter().copied().fold(f64::INFINITY, f64::min);
    let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    format!("**{:.2}** ({least:.2}–{most:.2})", median(values.iter().copied()))
}
