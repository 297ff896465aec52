//! What the words of a `record` command mean: which is the name, the type, the value, the time to live.
//!
//! The order is the one that operators of existing nodes have in their fingers. Where that is ambiguous, a word is only
//! taken for a TTL when the type's value has a fixed number of fields and all of them are there without it.

use crate::client::Failure;
use dnsplane_proto::{
    RecordType,
    pb::admin::{Filter, RecordEdit, Selection},
};
use std::net::IpAddr;

/// Reads `NAME [TYPE] VALUE... [TTL]`, or a name and an address in either order.
pub(crate) fn edit(words: &[String], ttl: Option<u32>, id: Option<String>) -> Result<RecordEdit, Failure> {
    let (name, kind, value) = match words {
        [] => return Err(missing_value("the record")),
        [name] => return Err(missing_value(name)),
        [name, address] if is_ip(address) => (name, address_type(address), &words[1..]),
        [address, name] if is_ip(address) => (name, address_type(address), &words[..1]),
        [name, word, value @ ..] => match word.parse::<RecordType>() {
            Ok(_) if value.is_empty() => return Err(missing_value(name)),
            Ok(kind) => (name, kind, value),
            Err(_) if is_ip(word) => (name, address_type(word), &words[1..]),
            Err(_) => return Err(unknown_type(word)),
        },
    };
    let (value, ttl) = match (ttl, split_ttl(kind, value)?) {
        (None, Some((value, ttl))) => (value, Some(ttl)),
        (ttl, _) => (value, ttl),
    };
    let value = join(kind, value);
    Ok(RecordEdit { id: id.unwrap_or_default(), name: name.clone(), r#type: kind.to_string(), value, ttl })
}

/// Reads `NAME [[TYPE] VALUE...]`.
pub(crate) fn selection(words: &[String], id: Option<String>, all: bool) -> Selection {
    let (name, rest) = words.split_first().map_or((String::new(), words), |(name, rest)| (name.clone(), rest));
    let (kind, value) = match rest.split_first() {
        Some((word, value)) => match word.parse::<RecordType>() {
            Ok(kind) => (kind.to_string(), join(kind, value)),
            Err(_) => (String::new(), rest.join(" ")),
        },
        None => (String::new(), String::new()),
    };
    Selection { id: id.unwrap_or_default(), name, r#type: kind, value, all }
}

/// Reads `[details|d] [FILTER]` and the options that say the same; the flag is whether details are wanted.
pub(crate) fn listing(
    words: &[String],
    kind: Option<String>,
    name: Option<String>,
    details: bool,
) -> Result<(Filter, bool), Failure> {
    let mut filter = Filter { name_contains: name.unwrap_or_default(), r#type: String::new() };
    if let Some(word) = kind {
        filter.r#type = word.parse::<RecordType>().map_err(|_| unknown_type(&word))?.to_string();
    }
    let (details, rest) = match words {
        [first, rest @ ..] if first.eq_ignore_ascii_case("details") || first.eq_ignore_ascii_case("d") => (true, rest),
        rest => (details, rest),
    };
    match rest {
        [] => {}
        [word] => match word.parse::<RecordType>() {
            Ok(kind) if filter.r#type.is_empty() => filter.r#type = kind.to_string(),
            _ if filter.name_contains.is_empty() => filter.name_contains.clone_from(word),
            _ => return Err(Failure::Usage(format!("`{word}` is one filter too many"))),
        },
        [first, ..] => return Err(Failure::Usage(format!("`{first}` should be `details`: one filter is possible"))),
    }
    Ok((filter, details))
}

/// How many fields a value of this type has, if that is fixed.
fn fields_of(kind: RecordType) -> Option<usize> {
    Some(match kind {
        RecordType::A | RecordType::AAAA | RecordType::CNAME | RecordType::DNAME | RecordType::NS | RecordType::PTR => {
            1
        }
        RecordType::MX | RecordType::KX | RecordType::AFSDB | RecordType::RP | RecordType::HINFO => 2,
        RecordType::CAA | RecordType::URI => 3,
        RecordType::SRV => 4,
        RecordType::NAPTR => 6,
        RecordType::SOA => 7,
        _ => return None,
    })
}

/// Takes the last word for a TTL when it is a plain number and the value is complete without it.
fn split_ttl(kind: RecordType, words: &[String]) -> Result<Option<(&[String], u32)>, Failure> {
    let Some((last, value)) = words.split_last() else { return Ok(None) };
    let is_number = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number || fields_of(kind) != Some(count_fields(&join(kind, value))) {
        return Ok(None);
    }
    let ttl = last.parse().map_err(|_| Failure::Usage(format!("a TTL of {last} seconds is too long")))?;
    Ok(Some((value, ttl)))
}

/// Makes one value of the words, in zone-file form (RFC 1035 §5.1).
///
/// The shell or the prompt has taken the quotes off already. A word that needs them to stay one string gets them back,
/// for the types that hold strings; a word with quotes inside is zone-file text and stays as it is.
fn join(kind: RecordType, words: &[String]) -> String {
    let holds_strings = match kind {
        RecordType::TXT | RecordType::SPF => true,
        RecordType::CAA | RecordType::HINFO | RecordType::NAPTR | RecordType::URI => words.len() > 1,
        _ => false,
    };
    let quote = |word: &String| {
        let needed = word.is_empty() || word.contains([' ', '\t', ';', '(', ')']);
        if holds_strings && needed && !word.contains('"') { format!("\"{word}\"") } else { word.clone() }
    };
    words.iter().map(quote).collect::<Vec<_>>().join(" ")
}

/// Fields of a value in zone-file form: runs without white space, or in quotes.
fn count_fields(value: &str) -> usize {
    let (mut count, mut inside, mut quoted, mut escaped) = (0, false, false, false);
    for character in value.chars() {
        let gap = !quoted && !escaped && character.is_ascii_whitespace();
        if !gap && !inside {
            count += 1;
        }
        inside = !gap;
        if character == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = character == '\\' && !escaped;
    }
    count
}

fn is_ip(word: &str) -> bool {
    word.parse::<IpAddr>().is_ok()
}

fn address_type(word: &str) -> RecordType {
    if word.contains(':') { RecordType::AAAA } else { RecordType::A }
}

fn missing_value(name: &str) -> Failure {
    Failure::Usage(format!("the value for {name} is missing: NAME [TYPE] VALUE... [TTL]"))
}

fn unknown_type(word: &str) -> Failure {
    let known = (1..=u16::from(u8::MAX) + 2).map(RecordType).filter(|kind| !kind.is_meta());
    let nearest = known
        .filter_map(RecordType::mnemonic)
        .map(|known| (strsim::damerau_levenshtein(known, &word.to_ascii_uppercase()), known))
        .min();
    match nearest {
        Some((distance, known)) if distance <= 2 && distance < word.len() => {
            Failure::Usage(format!("`{word}` is neither a record type nor an IP address; did you mean {known}?"))
        }
        _ => Failure::Usage(format!(
            "`{word}` is neither a record type nor an IP address; the order is NAME [TYPE] VALUE... [TTL]"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        shlex::split(line).expect("quotes are closed")
    }

    /// `name|type|value|ttl`, or the refusal.
    fn shown(line: &str) -> String {
        match edit(&words(line), None, None) {
            Ok(edit) => {
                let ttl = edit.ttl.map_or("-".to_owned(), |ttl| ttl.to_string());
                format!("{}|{}|{}|{ttl}", edit.name, edit.r#type, edit.value)
            }
            Err(failure) => failure.to_string(),
        }
    }

    #[test]
    fn words_become_records_as_operators_expect() {
        let table = [
            ("www.lab 192.0.2.1", "www.lab|A|192.0.2.1|-"),
            ("192.0.2.1 www.lab", "www.lab|A|192.0.2.1|-"),
            ("www.lab 2001:db8::1", "www.lab|AAAA|2001:db8::1|-"),
            ("2001:db8::1 www.lab", "www.lab|AAAA|2001:db8::1|-"),
            ("a 192.0.2.1", "a|A|192.0.2.1|-"),
            ("www.lab 192.0.2.1 300", "www.lab|A|192.0.2.1|300"),
            ("www.lab a 192.0.2.1 300", "www.lab|A|192.0.2.1|300"),
            ("www.lab aaaa 192.0.2.1", "www.lab|AAAA|192.0.2.1|-"),
            ("192.0.2.50 PTR printer.lab 60", "192.0.2.50|PTR|printer.lab|60"),
            ("lab MX 10 mail.lab", "lab|MX|10 mail.lab|-"),
            ("lab MX 10 mail.lab 300", "lab|MX|10 mail.lab|300"),
            ("lab MX '10 mail.lab' 300", "lab|MX|10 mail.lab|300"),
            ("lab MX 10 300", "lab|MX|10 300|-"),
            ("_sip._tcp.lab SRV 10 5 5060 sip.lab 0", "_sip._tcp.lab|SRV|10 5 5060 sip.lab|0"),
            ("_sip._tcp.lab SRV 10 5 5060", "_sip._tcp.lab|SRV|10 5 5060|-"),
            ("lab SOA ns.lab h.lab 1 2 3 4 60", "lab|SOA|ns.lab h.lab 1 2 3 4 60|-"),
            ("lab SOA ns.lab h.lab 1 2 3 4 60 300", "lab|SOA|ns.lab h.lab 1 2 3 4 60|300"),
            ("lab TXT hello world 300", "lab|TXT|hello world 300|-"),
            ("lab TXT 'v=spf1 mx -all'", "lab|TXT|\"v=spf1 mx -all\"|-"),
            ("lab TXT v=DMARC1\\;p=none", "lab|TXT|\"v=DMARC1;p=none\"|-"),
            ("lab TXT '\"a b\" \"c\"'", "lab|TXT|\"a b\" \"c\"|-"),
            ("lab TXT ''", "lab|TXT|\"\"|-"),
            ("lab CAA 0 issue 'ca.example; x=1' 300", "lab|CAA|0 issue \"ca.example; x=1\"|300"),
            ("lab CAA '0 issue \"ca.example\"'", "lab|CAA|0 issue \"ca.example\"|-"),
            ("lab TYPE65280 '\\# 2 0102' 5", "lab|TYPE65280|\\# 2 0102 5|-"),
            ("lab DS 1 8 2 1234", "lab|DS|1 8 2 1234|-"),
            ("lab", "the value for lab is missing: NAME [TYPE] VALUE... [TTL]"),
            ("lab MX", "the value for lab is missing: NAME [TYPE] VALUE... [TTL]"),
            ("lab CNMAE x.lab", "`CNMAE` is neither a record type nor an IP address; did you mean CNAME?"),
            ("lab A 192.0.2.1 99999999999", "a TTL of 99999999999 seconds is too long"),
        ];
        for (line, expected) in table {
            assert_eq!(shown(line), expected, "{line}");
        }
    }

    #[test]
    fn an_explicit_ttl_leaves_every_word_to_the_value() {
        let edit = edit(&words("lab A 192.0.2.1 300"), Some(60), None).expect("words in order");
        assert_eq!((edit.value.as_str(), edit.ttl), ("192.0.2.1 300", Some(60)));
    }

    #[test]
    fn removals_narrow_by_type_and_value() {
        let shown = |line: &str| {
            let selection = selection(&words(line), None, false);
            format!("{}|{}|{}", selection.name, selection.r#type, selection.value)
        };
        assert_eq!(shown("www.lab"), "www.lab||");
        assert_eq!(shown("www.lab a"), "www.lab|A|");
        assert_eq!(shown("www.lab 192.0.2.1"), "www.lab||192.0.2.1");
        assert_eq!(shown("lab mx 10 mail.lab"), "lab|MX|10 mail.lab");
        assert_eq!(shown("lab 10 mail.lab"), "lab||10 mail.lab");
        assert_eq!(shown("lab txt 'v=spf1 -all'"), "lab|TXT|\"v=spf1 -all\"");
    }

    #[test]
    fn listings_filter_by_type_or_by_part_of_the_name() {
        let shown = |line: &str| match listing(&words(line), None, None, false) {
            Ok((filter, details)) => format!("{}|{}|{details}", filter.name_contains, filter.r#type),
            Err(failure) => failure.to_string(),
        };
        assert_eq!(shown(""), "||false");
        assert_eq!(shown("d"), "||true");
        assert_eq!(shown("details mx"), "|MX|true");
        assert_eq!(shown("mail"), "mail||false");
        assert!(shown("mail mx").contains("should be `details`"));
        let both = listing(&words("mail"), Some("mx".to_owned()), None, true).expect("both filters");
        assert_eq!((both.0.name_contains.as_str(), both.0.r#type.as_str(), both.1), ("mail", "MX", true));
        assert!(listing(&[], Some("mxx".to_owned()), None, false).is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_words_are_read_or_refused_and_none_is_lost(words in proptest::collection::vec("[ -~]{0,12}|[0-9]{1,3}|TXT|mx|192\\.0\\.2\\.1", 0..7)) {
            if let Ok(edit) = edit(&words, None, None) {
                let kept = format!("{} {} {} {}", edit.name, edit.r#type, edit.value, edit.ttl.unwrap_or_default());
                for word in &words {
                    let is_type = word.parse::<RecordType>().is_ok_and(|kind| kind.to_string() == edit.r#type);
                    let is_ttl = word.parse() == Ok(edit.ttl.unwrap_or_default());
                    proptest::prop_assert!(is_type || is_ttl || kept.contains(word.as_str()), "`{word}` of {words:?} in {kept}");
                }
            }
        }
    }
}
