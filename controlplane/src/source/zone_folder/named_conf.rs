//! `named.conf`, as far as it names zone files: `zone "x" { type primary; file "y"; };`, in views or not, the `directory` of
//! its `options`, and what it includes. Everything else is passed over.

use dnsplane_proto::Name;
use std::path::{Path, PathBuf};

/// Statements within statements. `named.conf` needs about five.
const MOST_DEPTH: usize = 32;
/// Files that include each other, and in all.
const MOST_INCLUDED: (usize, usize) = (16, 1000);
/// Octets of all files.
const MOST_OCTETS: usize = 64 << 20;

/// What the file says about zones.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct NamedConf {
    /// `options { directory "…"; }`.
    pub(super) directory: Option<String>,
    pub(super) zones: Vec<Zone>,
}

/// A zone that this server is the primary of.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Zone {
    pub(super) name: Name,
    /// Its file, as written.
    pub(super) file: String,
    /// Where that is said.
    pub(super) place: (PathBuf, u64),
}

/// What is wrong with it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}, line {line}: {what}", file.display())]
pub(super) struct BadConf {
    file: PathBuf,
    line: u64,
    what: String,
}

/// Finds the file that a file includes, and reads it: its path and its text.
pub(super) type Include<'a> = &'a dyn Fn(&str) -> Result<(PathBuf, Vec<u8>), String>;

/// Reads a file and those that it includes.
pub(super) fn read(file: &Path, text: &[u8], include: Include<'_>) -> Result<NamedConf, BadConf> {
    let mut reading =
        Reading { include, open: vec![file.to_owned()], included: 0, octets: text.len(), found: NamedConf::default() };
    reading.file(text)?;
    Ok(reading.found)
}

struct Reading<'a> {
    include: Include<'a>,
    /// The files that include each other, the one at hand last.
    open: Vec<PathBuf>,
    included: usize,
    octets: usize,
    found: NamedConf,
}

/// Words, and what stands in braces among them, up to a semicolon.
struct Statement {
    words: Vec<String>,
    block: Vec<Statement>,
    line: u64,
}

impl Reading<'_> {
    fn file(&mut self, text: &[u8]) -> Result<(), BadConf> {
        let mut tokens = Tokens { text, at: 0, line: 1 };
        let statements = tokens.statements(0).map_err(|(line, what)| self.bad(line, what))?;
        self.take(&statements, true)
    }

    fn take(&mut self, statements: &[Statement], top: bool) -> Result<(), BadConf> {
        for statement in statements {
            let word = |at: usize| statement.words.get(at).map(String::as_str).unwrap_or_default();
            match word(0) {
                "include" => self.included(statement, word(1))?,
                "options" if top => {
                    let directory = statement
                        .block
                        .iter()
                        .find(|inner| inner.words.first().is_some_and(|first| first == "directory"));
                    let directory = directory.and_then(|inner| inner.words.get(1));
                    self.found.directory = directory.or(self.found.directory.as_ref()).cloned();
                }
                "view" if top => self.take(&statement.block, false)?,
                "zone" if matches!(word(2).to_ascii_lowercase().as_str(), "" | "in") => {
                    self.zone(statement, word(1))?
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn included(&mut self, statement: &Statement, name: &str) -> Result<(), BadConf> {
        let (path, text) = (self.include)(name).map_err(|why| self.bad(statement.line, format!("`{name}` {why}")))?;
        self.included += 1;
        self.octets += text.len();
        if self.open.contains(&path) {
            return Err(self.bad(statement.line, format!("`{name}` includes itself")));
        }
        if self.open.len() >= MOST_INCLUDED.0 || self.included > MOST_INCLUDED.1 || self.octets > MOST_OCTETS {
            return Err(self.bad(statement.line, format!("`{name}` is one file too many, or too large")));
        }
        self.open.push(path);
        self.file(&text)?;
        self.open.pop();
        Ok(())
    }

    fn zone(&mut self, statement: &Statement, name: &str) -> Result<(), BadConf> {
        let value = |key: &str| {
            let of_key = |inner: &&Statement| inner.words.first().is_some_and(|first| first.eq_ignore_ascii_case(key));
            statement.block.iter().find(of_key).and_then(|inner| inner.words.get(1))
        };
        let primary =
            value("type").is_some_and(|kind| matches!(kind.to_ascii_lowercase().as_str(), "primary" | "master"));
        if !primary {
            return Ok(());
        }
        let Some(file) = value("file").cloned() else {
            return Err(self.bad(statement.line, format!("zone `{name}` has no `file`")));
        };
        let name = Name::parse(name).map_err(|fault| self.bad(statement.line, format!("zone `{name}`: {fault}")))?;
        let place = (self.open.last().cloned().unwrap_or_default(), statement.line);
        self.found.zones.push(Zone { name, file, place });
        Ok(())
    }

    fn bad(&self, line: u64, what: String) -> BadConf {
        BadConf { file: self.open.last().cloned().unwrap_or_default(), line, what }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Open,
    Close,
    End,
}

struct Tokens<'t> {
    text: &'t [u8],
    at: usize,
    line: u64,
}

type Fault = (u64, String);

impl Tokens<'_> {
    /// Statements up to the brace that closes them, or to the end of the file.
    fn statements(&mut self, depth: usize) -> Result<Vec<Statement>, Fault> {
        if depth > MOST_DEPTH {
            return Err((self.line, "braces are nested too deeply".to_owned()));
        }
        let (mut statements, opened) = (Vec::new(), self.line);
        let mut now: Option<Statement> = None;
        loop {
            let token = self.next()?;
            let line = self.line;
            let begun = || Statement { words: Vec::new(), block: Vec::new(), line };
            match token {
                Some(Token::Word(word)) => now.get_or_insert_with(begun).words.push(word),
                Some(Token::Open) => now.get_or_insert_with(begun).block.extend(self.statements(depth + 1)?),
                Some(Token::End) => statements.extend(now.take()),
                Some(Token::Close) if depth > 0 && now.is_none() => return Ok(statements),
                None if depth == 0 && now.is_none() => return Ok(statements),
                Some(Token::Close) if depth == 0 => {
                    return Err((line, "a brace is closed that was not opened".to_owned()));
                }
                Some(Token::Close) => return Err((line, "there is no `;` before the brace".to_owned())),
                None if now.is_some() => return Err((line, "the file ends before a `;`".to_owned())),
                None => return Err((opened, "a brace is opened and not closed".to_owned())),
            }
        }
    }

    fn next(&mut self) -> Result<Option<Token>, Fault> {
        self.space()?;
        let Some(octet) = self.peek(0) else { return Ok(None) };
        let token = match octet {
            b'{' => Token::Open,
            b'}' => Token::Close,
            b';' => Token::End,
            b'"' => return self.quoted().map(Some),
            _ => return Ok(Some(self.word())),
        };
        self.at += 1;
        Ok(Some(token))
    }

    fn quoted(&mut self) -> Result<Token, Fault> {
        let line = self.line;
        let mut octets = Vec::new();
        loop {
            self.at += 1;
            match self.peek(0) {
                None | Some(b'\n') => return Err((line, "a quote is opened and not closed".to_owned())),
                Some(b'"') => break,
                Some(b'\\') if self.peek(1).is_some_and(|next| next != b'\n') => {
                    self.at += 1;
                    octets.extend(self.peek(0));
                }
                Some(octet) => octets.push(octet),
            }
        }
        self.at += 1;
        Ok(Token::Word(String::from_utf8_lossy(&octets).into_owned()))
    }

    fn word(&mut self) -> Token {
        let start = self.at;
        while self.peek(0).is_some_and(|octet| !octet.is_ascii_whitespace() && !b"{};\"".contains(&octet)) {
            self.at += 1;
        }
        Token::Word(String::from_utf8_lossy(&self.text[start..self.at]).into_owned())
    }

    /// White space, and comments of C, C++ and the shell.
    fn space(&mut self) -> Result<(), Fault> {
        loop {
            match (self.peek(0), self.peek(1)) {
                (Some(b'\n'), _) => {
                    self.line += 1;
                    self.at += 1;
                }
                (Some(octet), _) if octet.is_ascii_whitespace() => self.at += 1,
                (Some(b'#'), _) | (Some(b'/'), Some(b'/')) => {
                    while self.peek(0).is_some_and(|octet| octet != b'\n') {
                        self.at += 1;
                    }
                }
                (Some(b'/'), Some(b'*')) => {
                    let line = self.line;
                    self.at += 2;
                    while (self.peek(0), self.peek(1)) != (Some(b'*'), Some(b'/')) {
                        let octet =
                            self.peek(0).ok_or_else(|| (line, "a comment is opened and not closed".to_owned()))?;
                        self.line += u64::from(octet == b'\n');
                        self.at += 1;
                    }
                    self.at += 2;
                }
                _ => return Ok(()),
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.get(self.at + ahead).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn conf(text: &str) -> Result<NamedConf, String> {
        let include = |name: &str| match name {
            "more.conf" => Ok((name.into(), b"zone b.test { type master; file \"b\"; };\n# end".to_vec())),
            "self.conf" => Ok((name.into(), b"include \"self.conf\";".to_vec())),
            _ => Err("cannot be read".to_owned()),
        };
        read(Path::new("named.conf"), text.as_bytes(), &include).map_err(|bad| bad.to_string())
    }

    #[test]
    fn zones_of_which_the_server_is_primary_are_found_with_their_files() {
        let text = r#"
            // one
            # two
            /* three { "
            */
            options { directory "/var/named"; listen-on { any; }; };
            zone "A.test" IN { type primary; file "a \"x\".db"; allow-update { none; }; };
            zone "." { type hint; file "root"; };
            zone "c.test" { file "c"; type slave; };
            zone "ch.test" CH { type master; file "ch"; };
            include "more.conf";
            view "inside" { zone "v.test" { type MASTER; file v.db; }; };
        "#;
        let conf = conf(text).unwrap();
        let zones: Vec<_> =
            conf.zones.iter().map(|zone| (zone.name.to_string(), zone.file.as_str(), zone.place.1)).collect();
        let expected = [
            ("a.test.".to_owned(), "a \"x\".db", 7),
            ("b.test.".to_owned(), "b", 1),
            ("v.test.".to_owned(), "v.db", 12),
        ];
        assert_eq!(zones, expected);
        assert_eq!(conf.zones[1].place.0, Path::new("more.conf"));
        assert_eq!(conf.directory.as_deref(), Some("/var/named"));
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, sentence) in [
            ("zone x.test {\n type master;\n}", "named.conf, line 3: the file ends before a `;`"),
            ("\n};", "named.conf, line 2: a brace is closed that was not opened"),
            ("a {\n b", "named.conf, line 2: the file ends before a `;`"),
            ("a {\n b;", "named.conf, line 1: a brace is opened and not closed"),
            ("a { b }", "named.conf, line 1: there is no `;` before the brace"),
            ("a \"b\n\";", "named.conf, line 1: a quote is opened and not closed"),
            ("\n/* x", "named.conf, line 2: a comment is opened and not closed"),
            ("zone x.test { type master; };", "named.conf, line 1: zone `x.test` has no `file`"),
            ("zone \"x..test\" { type master; file x; };", "named.conf, line 1: zone `x..test`: "),
            ("include \"none\";", "named.conf, line 1: `none` cannot be read"),
            ("include \"self.conf\";", "self.conf, line 1: `self.conf` includes itself"),
        ] {
            let said = conf(text).unwrap_err();
            assert!(said.starts_with(sentence), "{text:?}: {said}");
        }
        assert!(conf(&"a {".repeat(100_000)).unwrap_err().contains("nested too deeply"));
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[zone typemaster file\"{};/*#\\\\\n]{0,80}") {
            let _ = conf(&text);
        }
    }
}
