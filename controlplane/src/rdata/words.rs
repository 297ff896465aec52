//! Cuts the text of a value into words, as a zone file is cut (RFC 1035 §5.1): white space separates, quotes hold
//! together, parentheses let a value span lines, `;` starts a comment.
//!
//! One difference on purpose: in free text (TXT, SPF) a bare `;` or parenthesis is refused. By the zone file's rules
//! `v=DKIM1; p=…` without quotes is cut off at the `;`, and a key that is half there is worse than a refusal. Zone files
//! themselves are read by their own rules.

/// The root in wire form: the origin of values that stand alone.
const ROOT: &[u8] = &[0];

/// The words of a value or of an entry of a zone file, front to back. Borrows; escapes are still in place.
#[derive(Clone)]
pub(crate) struct Words<'a> {
    rest: &'a str,
    origin: Option<&'a [u8]>,
    free_text: bool,
    /// Whether a string in quotes ends on its line.
    by_line: bool,
    in_parentheses: bool,
    after_bare_word: bool,
}

/// One word, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    /// What was written, escapes and all.
    pub(crate) text: &'a str,
    /// Whether it stood in quotes.
    pub(crate) quoted: bool,
    /// Whether nothing stood between it and the word before, as in `alpn="h2"`.
    pub(super) glued: bool,
}

/// Why text cannot be cut into words, or a word not turned into octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// The text ends inside quotes.
    #[error("a quote is not closed")]
    UnclosedQuote,
    /// The text ends inside parentheses.
    #[error("a parenthesis is not closed")]
    UnclosedParenthesis,
    /// `)` without `(`, or one pair inside another.
    #[error("there is a parenthesis too many")]
    ExtraParenthesis,
    /// A line break outside quotes and parentheses.
    #[error("there is a line break outside quotes and parentheses")]
    LineBreak,
    /// A control character outside quotes.
    #[error("there is a control character (octet {0}) outside quotes")]
    Control(u8),
    /// `;`, `(` or `)` in free text outside quotes.
    #[error("`{0}` outside quotes does not belong to the text in a zone file; put the text in quotes")]
    Bare(char),
    /// A backslash that is not followed by one other character or by three digits up to 255.
    #[error("there is a broken escape after a backslash")]
    BadEscape,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a str, free_text: bool) -> Self {
        Self {
            rest: text,
            origin: Some(ROOT),
            free_text,
            by_line: false,
            in_parentheses: false,
            after_bare_word: false,
        }
    }

    /// The words of an entry of a zone file, whose relative names lie below `origin`, a name in wire form.
    pub(crate) fn of_entry(text: &'a str, origin: Option<&'a [u8]>) -> Self {
        Self { origin, by_line: true, ..Self::new(text, false) }
    }

    /// What relative names are completed with; `None` if nothing has said so.
    pub(super) fn origin(&self) -> Option<&'a [u8]> {
        self.origin
    }

    /// The text behind the last word, with what separates it from that.
    pub(crate) fn rest(&self) -> &'a str {
        self.rest
    }

    /// The next word, or `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Word<'a>>, BadText> {
        let before = self.rest.len();
        loop {
            let Some(&first) = self.rest.as_bytes().first() else {
                return if self.in_parentheses { Err(BadText::UnclosedParenthesis) } else { Ok(None) };
            };
            match first {
                b' ' | b'\t' | b'\r' => self.skip(1),
                b'\n' if self.in_parentheses => self.skip(1),
                b'\n' if self.rest.trim_start().is_empty() => self.rest = "",
                b'\n' => return Err(BadText::LineBreak),
                b'(' if !self.in_parentheses => {
                    self.in_parentheses = true;
                    self.skip(1);
                }
                b')' if self.in_parentheses => {
                    self.in_parentheses = false;
                    self.skip(1);
                }
                b'(' | b')' => return Err(BadText::ExtraParenthesis),
                b';' if self.free_text && self.after_bare_word => return Err(BadText::Bare(';')),
                b';' => self.skip(self.rest.find('\n').unwrap_or(self.rest.len())),
                _ => break,
            }
        }
        let glued = before == self.rest.len();
        let quoted = self.rest.starts_with('"');
        let text = if quoted { self.quoted()? } else { self.bare()? };
        self.after_bare_word = !quoted;
        Ok(Some(Word { text, quoted, glued }))
    }

    /// How many words are left.
    pub(super) fn count(mut self) -> Result<usize, BadText> {
        let mut count = 0;
        while self.next()?.is_some() {
            count += 1;
        }
        Ok(count)
    }

    fn quoted(&mut self) -> Result<&'a str, BadText> {
        self.skip(1);
        let mut at = 0;
        let bytes = self.rest.as_bytes();
        loop {
            match bytes.get(at) {
                None => return Err(BadText::UnclosedQuote),
                Some(b'\n') if self.by_line => return Err(BadText::UnclosedQuote),
                Some(b'"') => break,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
            }
        }
        let text = &self.rest[..at];
        self.skip(at + 1);
        Ok(text)
    }

    fn bare(&mut self) -> Result<&'a str, BadText> {
        let bytes = self.rest.as_bytes();
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' | b'"' => break,
                b'(' | b')' | b';' if self.free_text => return Err(BadText::Bare(char::from(byte))),
                b'(' | b')' | b';' => break,
                b'\\' if bytes.len() == at + 1 => return Err(BadText::BadEscape),
                b'\\' => at += 2,
                0..=0x1f | 0x7f => return Err(BadText::Control(byte)),
                _ => at += 1,
            }
        }
        // An escape may have skipped the first octet of a character; what follows it is no border either.
        let text = &self.rest[..at];
        self.skip(at);
        Ok(text)
    }

    fn skip(&mut self, octets: usize) {
        self.rest = &self.rest[octets..];
    }
}

impl Word<'_> {
    /// Appends the octets that the word stands for: `\DDD` is the octet of that number, `\X` is X (RFC 1035 §5.1).
    pub(crate) fn octets(self, into: &mut Vec<u8>) -> Result<(), BadText> {
        let mut bytes = self.text.bytes();
        while let Some(byte) = bytes.next() {
            into.push(if byte == b'\\' { unescape(&mut bytes)? } else { byte });
        }
        Ok(())
    }
}

/// The octet that an escape stands for; the backslash has been read.
fn unescape(bytes: &mut impl Iterator<Item = u8>) -> Result<u8, BadText> {
    let first = bytes.next().ok_or(BadText::BadEscape)?;
    if !first.is_ascii_digit() {
        return Ok(first);
    }
    let mut value = u32::from(first - b'0');
    for _ in 0..2 {
        let digit = bytes.next().filter(u8::is_ascii_digit).ok_or(BadText::BadEscape)?;
        value = value * 10 + u32::from(digit - b'0');
    }
    u8::try_from(value).map_err(|_| BadText::BadEscape)
}
