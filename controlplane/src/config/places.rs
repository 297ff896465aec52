//! Where in the text of a JSON file each value stands, so that complaints can point at it and a save can replace it.
//!
//! Runs over text that serde_json has accepted, which also bounds its depth; it therefore checks nothing itself.

use std::ops::Range;

/// One value of a file.
pub(super) struct Place {
    key: String,
    /// Its octets.
    pub(super) value: Range<usize>,
    /// The octets of its name with the quotes, if it is a member of an object.
    pub(super) quoted: Range<usize>,
    /// Its name, if it is a member of an object.
    pub(super) name: String,
    depth: usize,
}

/// The places of a file, and the keys that it holds twice.
#[derive(Default)]
pub(super) struct Places {
    places: Vec<Place>,
    /// Keys that stand more than once in one object, with the offset of the last.
    pub(super) twice: Vec<(String, usize)>,
}

/// A line and a column, both counted from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// The line.
    pub line: usize,
    /// The character in it.
    pub column: usize,
}

impl Places {
    /// Finds every value of `text`.
    pub(super) fn of(text: &str) -> Self {
        let mut scan = Scan { text: text.as_bytes(), at: 0, depth: 0, found: Self::default() };
        scan.value("", 0..0, String::new());
        scan.found
    }

    /// The value that is the whole file.
    pub(super) fn whole(&self) -> Option<&Place> {
        self.places.first()
    }

    /// The members of an object, in the order of the file.
    pub(super) fn members(&self, object: &Place) -> Vec<&Place> {
        let inside = |place: &&Place| {
            place.depth == object.depth + 1
                && object.value.start < place.value.start
                && place.value.end < object.value.end
        };
        self.places.iter().filter(inside).collect()
    }

    /// Where the value of `key` (such as `log.log_dir` or `cluster_peers[0]`) begins: the last, if there are several.
    pub(super) fn offset(&self, key: &str) -> Option<usize> {
        let found = |same: fn(&str, &str) -> bool| self.places.iter().rev().find(|place| same(&place.key, key));
        found(|one, other| one == other).or_else(|| found(str::eq_ignore_ascii_case)).map(|place| place.value.start)
    }
}

/// The position of an octet of a text.
pub(super) fn position(text: &str, offset: usize) -> Position {
    let before = &text[..text.floor_char_boundary(offset)];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Position {
        line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
    }
}

struct Scan<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
    found: Places,
}

impl Scan<'_> {
    fn value(&mut self, key: &str, quoted: Range<usize>, name: String) {
        self.space();
        let (start, place) = (self.at, self.found.places.len());
        self.found.places.push(Place { key: key.to_owned(), value: start..start, quoted, name, depth: self.depth });
        self.depth += 1;
        match self.peek() {
            Some(b'{') => self.object(key),
            Some(b'[') => self.array(key),
            Some(b'"') => {
                self.string();
            }
            _ => {
                while self.peek().is_some_and(|byte| !matches!(byte, b',' | b'}' | b']') && !byte.is_ascii_whitespace())
                {
                    self.at += 1;
                }
            }
        }
        self.depth -= 1;
        self.found.places[place].value.end = self.at;
    }

    fn object(&mut self, key: &str) {
        let mut seen: Vec<String> = Vec::new();
        while matches!(self.peek(), Some(b'{' | b',')) {
            self.at += 1;
            self.space();
            if self.peek() != Some(b'"') {
                break;
            }
            let offset = self.at;
            let name = self.string();
            let quoted = offset..self.at;
            let inner = if key.is_empty() { name.clone() } else { format!("{key}.{name}") };
            if seen.contains(&name) {
                self.found.twice.push((inner.clone(), offset));
            }
            seen.push(name.clone());
            self.space();
            self.at += 1; // the colon
            self.value(&inner, quoted, name);
            self.space();
        }
        self.at += 1;
    }

    fn array(&mut self, key: &str) {
        let mut number = 0;
        while matches!(self.peek(), Some(b'[' | b',')) {
            self.at += 1;
            self.space();
            if self.peek() == Some(b']') {
                break;
            }
            self.value(&format!("{key}[{number}]"), 0..0, String::new());
            number += 1;
            self.space();
        }
        self.at += 1;
    }

    fn string(&mut self) -> String {
        let start = self.at;
        self.at += 1;
        while self.peek().is_some_and(|byte| byte != b'"') {
            self.at += if self.peek() == Some(b'\\') { 2 } else { 1 };
        }
        self.at += 1;
        let quoted = self.text.get(start..self.at).unwrap_or_default();
        serde_json::from_slice(quoted).unwrap_or_default()
    }

    fn space(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn every_value_has_its_place() {
        let text = "{\n  \"a\": [1, {\"b\\\"\": true}, []],\n  \"\u{e9}\": {}, \"c\":\"x\\\"\", \"a\" : null\n}";
        let places = Places::of(text);
        let at =
            |key: &str| places.offset(key).map(|offset| (position(text, offset).line, position(text, offset).column));
        assert_eq!(at("a[0]"), Some((2, 9)));
        assert_eq!(at("a[1].b\""), Some((2, 20)));
        assert_eq!(at("a[2]"), Some((2, 27)));
        assert_eq!(at("\u{e9}"), Some((3, 8)));
        assert_eq!(at("c"), Some((3, 16)));
        assert_eq!(at("C"), Some((3, 16)));
        assert_eq!(at("a"), Some((3, 29)), "the last of two");
        assert_eq!(at("d"), None);
        assert_eq!(places.twice.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["a"]);
    }

    proptest! {
        #[test]
        fn text_that_serde_json_refuses_does_not_panic_either(text in "[\\[\\]{}\",:\\\\a1 \n\u{e9}]{0,40}") {
            let _ = position(&text, Places::of(&text).offset("a").unwrap_or(text.len() + 1).min(text.len()));
        }
    }
}
