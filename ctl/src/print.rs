//! Writes results: tables and sentences for people, JSON for programs.
//!
//! Whoever reads may stop at any time (`| head`): a broken pipe ends the program quietly. Text that came from peers may
//! hold anything, so control characters are shown instead of sent to the terminal.

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use std::io::{self, Write};

/// Rows are laid out together up to this number; longer lists go out in pieces, so that they need no memory to speak of.
pub(crate) const ROWS: usize = 5_000;

/// Where results go, and in which form.
pub(crate) struct Output<'a> {
    to: &'a mut dyn Write,
    json: bool,
}

impl<'a> Output<'a> {
    pub(crate) fn new(to: &'a mut dyn Write, json: bool) -> Self {
        Self { to, json }
    }

    /// Whether a program reads this.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// One JSON document on one line.
    pub(crate) fn json(&mut self, value: &impl Serialize) -> io::Result<()> {
        serde_json::to_writer(&mut *self.to, value)?;
        writeln!(self.to)
    }

    /// Text as it is, without a line feed: pieces of a JSON document.
    pub(crate) fn raw(&mut self, text: &str) -> io::Result<()> {
        self.to.write_all(text.as_bytes())
    }

    /// The text of a file, as it is.
    pub(crate) fn octets(&mut self, octets: &[u8]) -> io::Result<()> {
        self.to.write_all(octets)
    }

    /// One sentence or line.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        writeln!(self.to, "{}", visible(text))
    }

    /// Rows under a header, in columns.
    pub(crate) fn table(&mut self, header: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
        let mut table = plain_table();
        if !header.is_empty() {
            table.set_header(header.iter().copied());
        }
        for row in rows {
            table.add_row(row.iter().map(|cell| visible(cell)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.lines() {
            writeln!(self.to, "{}", line.trim_end())?;
        }
        Ok(())
    }

    pub(crate) fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn plain_table() -> Table {
    let mut table = Table::new();
    // Wraps long cells when standard output is a terminal; a pipe gets whole lines.
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table
}

/// The text with control characters written out, line feeds included: one line stays one line.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_control() {
            shown.extend(character.escape_default());
        } else {
            shown.push(character);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(json: bool, write: impl FnOnce(&mut Output<'_>) -> io::Result<()>) -> String {
        let mut bytes = Vec::new();
        write(&mut Output::new(&mut bytes, json)).expect("memory takes everything");
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn text_from_strangers_cannot_steer_the_terminal() {
        let text = written(false, |out| out.line("\u{1b}]0;owned\u{7} é"));
        assert_eq!(text, "\\u{1b}]0;owned\\u{7} é\n");
        assert_eq!(written(false, |out| out.line("one\ntwo")), "one\\ntwo\n");
        let table = written(false, |out| out.table(&["VALUE"], vec![vec!["\u{1b}[2J".to_owned()]]));
        assert!(!table.contains('\u{1b}'), "{table:?}");
    }

    #[test]
    fn columns_line_up_and_lines_have_no_trailing_space() {
        let rows = vec![vec!["a".to_owned(), "1".to_owned()], vec!["longer".to_owned(), "22".to_owned()]];
        let text = written(false, |out| out.table(&["NAME", "N"], rows));
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 3, "{text}");
        assert_eq!(lines[1].find('1'), lines[2].find("22"), "{text}");
        assert!(lines.iter().all(|line| !line.ends_with(' ')), "{text:?}");
    }

    #[test]
    fn json_is_one_line() {
        let text = written(true, |out| out.json(&serde_json::json!({"a": "x\ny"})));
        assert_eq!(text, "{\"a\":\"x\\ny\"}\n");
    }
}
