//! Values as text: RDATA in wire form to the spelling that every zone file reader understands, whatever its origin.
//!
//! Names are absolute and end with a dot, text stands in quotes, octets that are not printable are `\DDD`. What has no such
//! spelling – an unknown type, octets that are laid out in no usual way – is written as `\# length hex` (RFC 3597 §5): reading
//! what this writes gives the same octets, always.

use super::{
    digits,
    form::Form,
    location, parse, service,
    shape::{Shape, push_number},
};
use dnsplane_proto::RecordType;
use std::net::{Ipv4Addr, Ipv6Addr};

/// The text of a value; any octets have one.
pub fn present(kind: RecordType, rdata: &[u8]) -> String {
    let mut text = String::with_capacity(2 * rdata.len() + 8);
    present_into(kind, rdata, &mut text);
    text
}

/// The same, appended.
pub(crate) fn present_into(kind: RecordType, rdata: &[u8], into: &mut String) {
    let start = into.len();
    let good = Form::of(kind).filter(|_| !rdata.is_empty()).is_some_and(|form| {
        fields(form, rdata, into).is_some()
            && (form.fields.iter().all(|(_, shape)| has_one_spelling(*shape))
                || parse(kind, &into[start..]).is_ok_and(|read| read == rdata))
    });
    if !good {
        into.truncate(start);
        generic(rdata, into);
    }
}

fn fields(form: Form, mut octets: &[u8], into: &mut String) -> Option<()> {
    for (at, (_, shape)) in form.fields.iter().enumerate() {
        if at > 0 {
            into.push(' ');
        }
        let before = into.len();
        octets = field(*shape, octets, into)?;
        if into.len() == before {
            into.pop(); // lists may be empty
        }
    }
    octets.is_empty().then_some(())
}

/// Whether all octets that have this shape can be written, and are the only ones with their text.
fn has_one_spelling(shape: Shape) -> bool {
    use Shape::{Kinds, Location, Prefixes, Services, Tag};
    !matches!(shape, Kinds | Location | Prefixes | Services | Tag)
}

/// Takes the field's octets off the front and appends their text; `None` if they have no text of this shape.
fn field<'a>(shape: Shape, octets: &'a [u8], into: &mut String) -> Option<&'a [u8]> {
    let rest = shape.check(octets)?;
    let own = &octets[..octets.len() - rest.len()];
    match shape {
        Shape::U8 | Shape::U16 | Shape::U32 | Shape::Period | Shape::Algorithm | Shape::Certificate => {
            push_number(big_endian(own), into);
        }
        Shape::Moment => {
            let moment = jiff::Timestamp::from_second(big_endian(own).into()).ok()?;
            into.push_str(&moment.strftime("%Y%m%d%H%M%S").to_string());
        }
        Shape::Ipv4 => into.push_str(&Ipv4Addr::from(<[u8; 4]>::try_from(own).ok()?).to_string()),
        Shape::Ipv6 => into.push_str(&Ipv6Addr::from(<[u8; 16]>::try_from(own).ok()?).to_string()),
        Shape::Host => present_name(own, into),
        Shape::Text => quoted(&own[1..], into),
        Shape::Texts => texts(own, into),
        Shape::Remainder => quoted(own, into),
        Shape::Tag => into.push_str(std::str::from_utf8(&own[1..]).ok()?),
        Shape::Hex => digits::push_hex(own, into),
        Shape::Base64 => digits::push_base64(own, into),
        Shape::Salt if own.len() == 1 => into.push('-'),
        Shape::Salt => digits::push_hex(&own[1..], into),
        Shape::Hash => digits::push_base32(&own[1..], into),
        Shape::Kind => into.push_str(&RecordType(big_endian(own) as u16).to_string()),
        Shape::Kinds => kinds(own, into),
        Shape::Eui(_) => {
            for (at, octet) in own.iter().enumerate() {
                if at > 0 {
                    into.push('-');
                }
                digits::push_hex(&[*octet], into);
            }
        }
        Shape::Prefixes => prefixes(own, into)?,
        Shape::Services => service::present(own, into)?,
        Shape::Location => location::present(own, into)?,
    }
    Some(rest)
}

fn big_endian(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |value, octet| value << 8 | u32::from(*octet))
}

/// A name with its last dot, from wire form that is known to be one. What means something in a zone file is escaped.
fn present_name(wire: &[u8], into: &mut String) {
    let mut rest = wire;
    while let [length, after @ ..] = rest
        && *length > 0
        && let Some((label, next)) = after.split_at_checked(usize::from(*length))
    {
        for &octet in label {
            match octet {
                b'.' | b'\\' | b'"' | b'(' | b')' | b';' | b'@' | b'$' => into.extend(['\\', char::from(octet)]),
                0x21..=0x7e => into.push(char::from(octet)),
                _ => decimal(octet, into),
            }
        }
        into.push('.');
        rest = next;
    }
    if wire.len() <= 1 {
        into.push('.');
    }
}

fn texts(mut octets: &[u8], into: &mut String) {
    let mut first = true;
    while let [length, rest @ ..] = octets {
        let Some((text, next)) = rest.split_at_checked(usize::from(*length)) else { break };
        if !std::mem::take(&mut first) {
            into.push(' ');
        }
        quoted(text, into);
        octets = next;
    }
}

/// Text in quotes (RFC 1035 §5.1).
pub(super) fn quoted(octets: &[u8], into: &mut String) {
    into.push('"');
    for &octet in octets {
        match octet {
            b'"' | b'\\' => into.extend(['\\', char::from(octet)]),
            b' '..=b'~' => into.push(char::from(octet)),
            _ => decimal(octet, into),
        }
    }
    into.push('"');
}

fn decimal(octet: u8, into: &mut String) {
    into.push('\\');
    for digit in [octet / 100, octet / 10 % 10, octet % 10] {
        into.push(char::from(b'0' + digit));
    }
}

/// The types of a bitmap that is known to be one.
fn kinds(mut octets: &[u8], into: &mut String) {
    let start = into.len();
    while let [window, length, rest @ ..] = octets {
        let (bits, next) = rest.split_at(usize::from(*length).min(rest.len()));
        for (at, octet) in bits.iter().enumerate() {
            for bit in (0..8).filter(|bit| octet & (0x80 >> bit) != 0) {
                if into.len() > start {
                    into.push(' ');
                }
                let kind = u16::from_be_bytes([*window, at as u8 * 8 + bit]);
                into.push_str(&RecordType(kind).to_string());
            }
        }
        octets = next;
    }
}

/// Prefixes of families that have a text (RFC 3123 §5).
fn prefixes(mut octets: &[u8], into: &mut String) -> Option<()> {
    let start = into.len();
    while let [high, low, bits, length, rest @ ..] = octets {
        let (address, next) = rest.split_at_checked(usize::from(length & 0x7f))?;
        if into.len() > start {
            into.push(' ');
        }
        if length & 0x80 != 0 {
            into.push('!');
        }
        let mut whole = [0; 16];
        whole.get_mut(..address.len())?.copy_from_slice(address);
        match [*high, *low] {
            [0, 1] if address.len() <= 4 => {
                into.push_str("1:");
                into.push_str(&Ipv4Addr::new(whole[0], whole[1], whole[2], whole[3]).to_string());
            }
            [0, 2] => {
                into.push_str("2:");
                into.push_str(&Ipv6Addr::from(whole).to_string());
            }
            _ => return None,
        }
        into.push('/');
        push_number((*bits).into(), into);
        octets = next;
    }
    Some(())
}

/// `\# length hex`, which does for every type (RFC 3597 §5).
fn generic(rdata: &[u8], into: &mut String) {
    into.push_str("\\# ");
    push_number(rdata.len() as u32, into);
    if !rdata.is_empty() {
        into.push(' ');
        digits::push_hex(rdata, into);
    }
}
