//! What one line says.

use crate::block_list::key::{self, NotAName};
use dnsplane_proto::block_list::Scope;
use std::net::IpAddr;

/// One name that a line speaks of.
pub(super) struct Entry<'a> {
    pub(super) side: Side,
    pub(super) key: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Block,
    Allow,
}

/// Why a line says nothing that could be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(in crate::block_list) enum Why {
    #[error("the line is too long")]
    TooLong,
    #[error("not a domain name")]
    NotAName,
    #[error("an address instead of a name")]
    Address,
    #[error("a name without a dot, written alone; `||name^` blocks a whole top-level domain")]
    OneLabel,
    #[error("a rule that is not about a whole domain")]
    Rule,
    #[error("a host's real address")]
    RealAddress,
    #[error("several words, and the first is no address")]
    Words,
}

impl From<NotAName> for Why {
    fn from(not: NotAName) -> Self {
        match not {
            NotAName::Malformed => Self::NotAName,
            NotAName::Address => Self::Address,
        }
    }
}

/// Reads a line without its end. `key` is room to work in.
pub(super) fn read(line: &[u8], key: &mut Vec<u8>, mut found: impl FnMut(Entry<'_>)) -> Result<(), Why> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
    match line {
        [] | [b'#' | b'!' | b'[', ..] => Ok(()),
        [b'@', b'@', rule @ ..] => self::rule(rule, Side::Allow, key, found),
        [b'|', ..] => rule(line, Side::Block, key, found),
        _ => {
            let mut words = without_comment(line).split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
            let (first, second) = (words.next().unwrap_or_default(), words.next());
            match (second, leads(first)) {
                (Some(second), Leads::Nowhere) => host(std::iter::once(second).chain(words), key, found),
                (Some(second), Leads::Somewhere) => {
                    let mut names = std::iter::once(second).chain(words);
                    if names.all(is_local) { Ok(()) } else { Err(Why::RealAddress) }
                }
                (Some(_), Leads::NotAtAll) => Err(Why::Words),
                (None, Leads::NotAtAll) => alone(first, key, |key| found(Entry { side: Side::Block, key })),
                (None, _) => Err(Why::Address),
            }
        }
    }
}

/// What the first word of a line of a hosts file may be.
enum Leads {
    /// An address by which a name is blocked.
    Nowhere,
    /// Another address.
    Somewhere,
    /// No address.
    NotAtAll,
}

fn leads(word: &[u8]) -> Leads {
    match word {
        b"0.0.0.0" | b"127.0.0.1" | b"::" | b"::1" | b"0" => Leads::Nowhere,
        // Names of lists rarely begin like this, and looking closely takes time.
        [b'0'..=b'9', ..] | [.., b':', _] | [b'f' | b'F', b'e' | b'f' | b'E' | b'F', ..] => {
            let address = word.split(|octet| *octet == b'%').next().unwrap_or_default();
            let address = std::str::from_utf8(address).ok().and_then(|text| text.parse::<IpAddr>().ok());
            match address {
                Some(address) if address.is_loopback() || address.is_unspecified() => Leads::Nowhere,
                Some(_) => Leads::Somewhere,
                None => Leads::NotAtAll,
            }
        }
        _ => Leads::NotAtAll,
    }
}

/// The names of a line of a hosts file. A comment may follow without a space.
fn host<'a>(
    names: impl Iterator<Item = &'a [u8]>,
    key: &mut Vec<u8>,
    mut found: impl FnMut(Entry<'_>),
) -> Result<(), Why> {
    let mut outcome = Ok(());
    for word in names {
        let comment = word.iter().position(|octet| *octet == b'#');
        let name = &word[..comment.unwrap_or(word.len())];
        if !name.is_empty() && !is_local(name) {
            match key::write(name, Scope::Whole, key) {
                Ok(()) => found(Entry { side: Side::Block, key }),
                Err(why) => outcome = Err(why.into()),
            }
        }
        if comment.is_some() {
            break;
        }
    }
    outcome
}

/// A name that is all of its line, or a star and a name.
fn alone(word: &[u8], key: &mut Vec<u8>, found: impl FnOnce(&[u8])) -> Result<(), Why> {
    let (name, scope) = word.strip_prefix(b"*.").map_or((word, Scope::Whole), |name| (name, Scope::Below));
    if is_local(name) {
        return Ok(());
    }
    key::write(name, scope, key)?;
    // A text of words, one a line, must not block what is below each of them.
    if scope == Scope::Whole && !name.strip_suffix(b".").unwrap_or(name).contains(&b'.') {
        return Err(Why::OneLabel);
    }
    found(key);
    Ok(())
}

/// A rule of an ad blocker: `||name^`, perhaps with modifiers that leave it a rule about the whole domain.
fn rule(rule: &[u8], side: Side, key: &mut Vec<u8>, mut found: impl FnMut(Entry<'_>)) -> Result<(), Why> {
    let name = rule.strip_prefix(b"||").ok_or(Why::Rule)?;
    let end = name.iter().position(|octet| *octet == b'^').ok_or(Why::Rule)?;
    let (name, rest) = (&name[..end], &name[end + 1..]);
    let rest = rest.strip_prefix(b"|").unwrap_or(rest);
    let modifiers = match rest {
        [] => rest,
        [b'$', modifiers @ ..] => modifiers,
        _ => return Err(Why::Rule),
    };
    let whole = |modifier: &[u8]| matches!(modifier, b"" | b"important" | b"all" | b"document" | b"doc");
    if !modifiers.split(|octet| *octet == b',').all(whole) {
        return Err(Why::Rule);
    }
    let (name, scope) = name.strip_prefix(b"*.").map_or((name, Scope::Whole), |name| (name, Scope::Below));
    if name.iter().any(|octet| matches!(octet, b'*' | b'/' | b':')) {
        return Err(Why::Rule);
    }
    key::write(name, scope, key)?;
    found(Entry { side, key });
    Ok(())
}

/// The line up to a `#` that stands alone or begins a word; inside a word it may be part of a rule (`site.example##.ad`).
fn without_comment(line: &[u8]) -> &[u8] {
    let comment = line.windows(2).position(|pair| pair[0].is_ascii_whitespace() && pair[1] == b'#');
    &line[..comment.unwrap_or(line.len())]
}

/// Names with which hosts files begin, and which are nobody's.
fn is_local(name: &[u8]) -> bool {
    let name = name.strip_suffix(b".").unwrap_or(name);
    let is = |other: &&[u8]| name.eq_ignore_ascii_case(other);
    let local: [&[u8]; 5] = [b"localhost", b"localhost.localdomain", b"local", b"broadcasthost", b"0.0.0.0"];
    local.iter().any(is) || name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"ip6-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a line says: names with a minus when they are let through, or why it says nothing.
    fn said(line: &[u8]) -> String {
        let mut names = Vec::new();
        let read = read(line, &mut Vec::new(), |Entry { side, key }| {
            names.push(format!("{}{}", if side == Side::Allow { "-" } else { "" }, key::text(key)));
        });
        match read {
            Ok(()) => names.join(" "),
            Err(why) => format!("{}{}{why:?}", names.join(" "), if names.is_empty() { "" } else { " " }),
        }
    }

    #[test]
    fn every_form_of_line_is_read() {
        let table: &[(&str, &str)] = &[
            // Hosts files.
            ("0.0.0.0 ads.example", "ads.example"),
            ("127.0.0.1\tads.example", "ads.example"),
            (":: ads.example", "ads.example"),
            ("::1 ads.example", "ads.example"),
            ("0 ads.example", "ads.example"),
            ("  0.0.0.0   a.example  B.Example.\r", "a.example b.example"),
            ("0.0.0.0 a.example # 0.0.0.0 b.example", "a.example"),
            ("0.0.0.0 a.example#why", "a.example"),
            ("0.0.0.0 a.example #", "a.example"),
            ("0.0.0.0 # none", "Address"),
            ("0.0.0.0 zip", "zip"),
            ("0.0.0.0 a.example b/c d.example", "a.example d.example NotAName"),
            ("127.0.0.1 localhost localhost.localdomain local", ""),
            ("::1 ip6-localhost ip6-loopback", ""),
            ("0.0.0.0 0.0.0.0", ""),
            ("255.255.255.255 broadcasthost", ""),
            ("fe80::1%lo0 localhost", ""),
            ("ff02::1 ip6-allnodes", ""),
            ("192.0.2.1 nas.example", "RealAddress"),
            ("2001:db8::1 nas.example", "RealAddress"),
            ("fe80::1 nas.example", "RealAddress"),
            ("0.0.0.0", "Address"),
            ("192.0.2.1", "Address"),
            ("::", "Address"),
            // Names alone.
            ("ads.example", "ads.example"),
            ("ADS.example.", "ads.example"),
            ("ads.example # why", "ads.example"),
            ("ads.example\t#why", "ads.example"),
            ("*.ads.example", "*.ads.example"),
            ("*.zip", "*.zip"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("fe.example", "fe.example"),
            ("1.example", "1.example"),
            ("a.b:c", "NotAName"),
            ("localhost", ""),
            ("zip", "OneLabel"),
            ("zip.", "OneLabel"),
            ("some words", "Words"),
            ("ads.example 0.0.0.0", "Words"),
            ("*", "NotAName"),
            ("a.*.example", "NotAName"),
            ("http://ads.example/", "NotAName"),
            ("<html>", "NotAName"),
            // Rules of ad blockers.
            ("||ads.example^", "ads.example"),
            ("||ADS.Example^|", "ads.example"),
            ("||zip^", "zip"),
            ("||*.ads.example^", "*.ads.example"),
            ("||ads.example^$important", "ads.example"),
            ("||ads.example^$all,important", "ads.example"),
            ("||ads.example^$document", "ads.example"),
            ("||ads.example^$third-party", "Rule"),
            ("||ads.example^$important,script", "Rule"),
            ("||ads.example^$badfilter", "Rule"),
            ("||ads.example^$dnsrewrite=192.0.2.1", "Rule"),
            ("||ads.example^path", "Rule"),
            ("||ads.example/path^", "Rule"),
            ("||ads.example", "Rule"),
            ("||ads*.example^", "Rule"),
            ("||192.0.2.1^", "Address"),
            ("||^", "NotAName"),
            ("|https://ads.example^", "Rule"),
            ("@@||good.example^", "-good.example"),
            ("@@||good.example^|", "-good.example"),
            ("@@||good.example^$important", "-good.example"),
            ("@@||good.example^$script", "Rule"),
            ("@@good.example", "Rule"),
            ("@@", "Rule"),
            ("/banner/*/img^", "NotAName"),
            ("site.example##.banner", "NotAName"),
            ("site.example#@#.banner", "NotAName"),
            ("address=/ads.example/0.0.0.0", "NotAName"),
            // Comments.
            ("", ""),
            (" \t ", ""),
            ("# comment", ""),
            ("#ads.example", ""),
            ("! comment", ""),
            ("!#if ext_ublock", ""),
            ("##.banner", ""),
            ("[Adblock Plus 2.0]", ""),
            ("\u{feff}# comment", ""),
            ("\u{feff}ads.example", "ads.example"),
        ];
        for (line, expected) in table {
            assert_eq!(said(line.as_bytes()), *expected, "{line:?}");
        }
        assert_eq!(said(b"\xff\xfe.example"), "NotAName");
    }
}
