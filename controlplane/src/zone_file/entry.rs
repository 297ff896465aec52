//! Cuts a zone file into entries: a line, or several that parentheses hold together.

use std::borrow::Cow;

/// One entry, without the line break behind it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// Where it ends.
    pub(super) end: usize,
    /// Where the next one begins.
    pub(super) next: usize,
    /// Line breaks in it and behind it.
    pub(super) lines: u32,
}

/// Why the text cannot be cut here.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Uncut {
    /// Longer than an entry may be; the next line begins there.
    TooLong(Entry),
    /// A parenthesis that is not closed before the end, or not within the length of an entry: what is meant to follow it
    /// cannot be told.
    Open,
}

/// The entry that begins at `start`, which is before the end of the text.
pub(super) fn entry_at(text: &[u8], start: usize, most: usize) -> Result<Entry, Uncut> {
    let (mut at, mut lines) = (start, 0);
    let (mut open, mut quoted) = (false, false);
    // What is behind this is not looked at but for the end of the line.
    let limit = text.len().min(start.saturating_add(most));
    while let Some(&octet) = text.get(at) {
        if at >= limit {
            return match open {
                true => Err(Uncut::Open),
                false => {
                    let end = line_end(text, at);
                    Err(Uncut::TooLong(Entry { end, next: (end + 1).min(text.len()), lines: lines + 1 }))
                }
            };
        }
        match octet {
            b'\n' => {
                lines += 1;
                // A string ends on its line; one that does not is a fault of this entry, not of all that follow.
                if !open || quoted {
                    return Ok(Entry { end: at, next: at + 1, lines });
                }
            }
            // The octet behind it means nothing, unless it ends the line.
            b'\\' if text.get(at + 1).is_some_and(|next| *next != b'\n') => at += 1,
            b'"' => quoted = !quoted,
            b';' if !quoted => {
                at = line_end(text, at);
                continue;
            }
            b'(' if !quoted => open = true,
            b')' if !quoted => open = false,
            _ => {}
        }
        at += 1;
    }
    let end = text.len();
    if open { Err(Uncut::Open) } else { Ok(Entry { end, next: end, lines: lines + 1 }) }
}

fn line_end(text: &[u8], from: usize) -> usize {
    text[from..].iter().position(|octet| *octet == b'\n').map_or(text.len(), |length| from + length)
}

/// The octets as text. Those that are not UTF-8 become `\DDD`, which stands for the same octets.
pub(super) fn as_text(octets: &[u8]) -> Cow<'_, str> {
    if let Ok(text) = std::str::from_utf8(octets) {
        return Cow::Borrowed(text);
    }
    let mut text = String::with_capacity(2 * octets.len());
    for chunk in octets.utf8_chunks() {
        text.push_str(chunk.valid());
        for octet in chunk.invalid() {
            // An octet that was escaped as it is: `\` and the octet, now `\` and `\DDD`, which would be something else.
            if text.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 1 {
                text.pop();
            }
            text.push_str(&format!("\\{octet:03}"));
        }
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str) -> Vec<&str> {
        let (mut at, mut entries) = (0, Vec::new());
        while at < text.len() {
            let entry = entry_at(text.as_bytes(), at, 64).unwrap();
            entries.push(&text[at..entry.end]);
            at = entry.next;
        }
        entries
    }

    #[test]
    fn rfc1035_s5_1_entries_end_with_their_line_unless_parentheses_are_open() {
        assert_eq!(cut("a\nb\n\nc"), ["a", "b", "", "c"]);
        assert_eq!(cut("a ( 1\n2 ; ) no\n3 )\nb"), ["a ( 1\n2 ; ) no\n3 )", "b"]);
        assert_eq!(cut("a \";(\" ; (\nb"), ["a \";(\" ; (", "b"]);
        assert_eq!(cut("a \\( \\\" \\;(\n)\nb"), ["a \\( \\\" \\;(\n)", "b"]);
        assert_eq!(cut("a \"open\nb"), ["a \"open", "b"]);
        assert_eq!(cut("a \\\nb"), ["a \\", "b"]);
        assert_eq!(cut("a ( \"open\nb"), ["a ( \"open", "b"]);
    }

    #[test]
    fn what_is_too_long_ends_with_its_line_and_what_is_open_not_at_all() {
        let text = format!("{}\nb", "x".repeat(100));
        assert_eq!(
            entry_at(text.as_bytes(), 0, 64),
            Err(Uncut::TooLong(Entry { end: 100, next: 101, lines: 1 })),
            "{text}"
        );
        assert_eq!(entry_at(b"a (\nb\n", 0, 64), Err(Uncut::Open));
        let text = format!("a (\n{}\n)\n", "x".repeat(100));
        assert_eq!(entry_at(text.as_bytes(), 0, 64), Err(Uncut::Open));
    }

    #[test]
    fn octets_that_are_no_utf_8_are_escaped() {
        assert_eq!(as_text("gr\u{fc}n".as_bytes()), "gr\u{fc}n");
        assert_eq!(as_text(b"gr\xfcn \\\xfc \\\\\xfc"), "gr\\252n \\252 \\\\\\252");
    }
}
