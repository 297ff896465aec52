//! Octets written as digits: base 16, base 32 (extended hex) and base 64 (RFC 4648).

/// What is wrong with some digits; completes a sentence that names them.
pub(super) type Why = &'static str;

/// Hexadecimal, two digits an octet, either case.
pub(super) fn hex(digits: &[u8], into: &mut Vec<u8>) -> Result<(), Why> {
    if !digits.len().is_multiple_of(2) {
        return Err("has an odd number of hexadecimal digits");
    }
    for pair in digits.chunks_exact(2) {
        let nibble = |digit: u8| char::from(digit).to_digit(16).ok_or("is not made of hexadecimal digits");
        into.push((nibble(pair[0])? << 4 | nibble(pair[1])?) as u8);
    }
    Ok(())
}

/// Base 64 with its padding (RFC 4648 §4).
pub(super) fn base64(digits: &[u8], into: &mut Vec<u8>) -> Result<(), Why> {
    let padding = digits.iter().rev().take_while(|&&digit| digit == b'=').count();
    if !digits.len().is_multiple_of(4) || padding > 2 {
        return Err("is not base 64: its length, padding included, is no multiple of 4");
    }
    let value = |digit: u8| match digit {
        b'A'..=b'Z' => Ok(digit - b'A'),
        b'a'..=b'z' => Ok(digit - b'a' + 26),
        b'0'..=b'9' => Ok(digit - b'0' + 52),
        b'+' => Ok(62),
        b'/' => Ok(63),
        _ => Err("is not base 64"),
    };
    packed(&digits[..digits.len() - padding], 6, value, into)
}

/// Base 32 with the extended hex alphabet, unpadded, as NSEC3 writes hashes (RFC 5155 §3.3).
pub(super) fn base32(digits: &[u8], into: &mut Vec<u8>) -> Result<(), Why> {
    if !matches!(digits.len() % 8, 0 | 2 | 4 | 5 | 7) {
        return Err("is not base 32: its length is impossible");
    }
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'A'..=b'V' => Ok(digit - b'A' + 10),
        b'a'..=b'v' => Ok(digit - b'a' + 10),
        _ => Err("is not base 32 (digits and the letters A to V)"),
    };
    packed(digits, 5, value, into)
}

/// Gathers digits of `width` bits into octets; bits left over at the end are dropped.
fn packed(digits: &[u8], width: u32, value: impl Fn(u8) -> Result<u8, Why>, into: &mut Vec<u8>) -> Result<(), Why> {
    let (mut gathered, mut bits) = (0_u32, 0);
    for &digit in digits {
        gathered = gathered << width | u32::from(value(digit)?);
        bits += width;
        if bits >= 8 {
            bits -= 8;
            into.push((gathered >> bits) as u8);
            gathered &= (1 << bits) - 1;
        }
    }
    Ok(())
}

/// Appends hexadecimal digits in lower case.
pub(super) fn push_hex(octets: &[u8], into: &mut String) {
    spread(octets, 4, b"0123456789abcdef", into);
}

/// Appends base 64 with its padding.
pub(super) fn push_base64(octets: &[u8], into: &mut String) {
    spread(octets, 6, b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/", into);
    into.extend(std::iter::repeat_n('=', (3 - octets.len() % 3) % 3));
}

/// Appends base 32 with the extended hex alphabet, unpadded.
pub(super) fn push_base32(octets: &[u8], into: &mut String) {
    spread(octets, 5, b"0123456789ABCDEFGHIJKLMNOPQRSTUV", into);
}

/// Spreads octets over digits of `width` bits; the last one is filled up with zeros.
fn spread(octets: &[u8], width: u32, digits: &[u8], into: &mut String) {
    let (mut gathered, mut bits) = (0_u32, 0);
    let mut push = |value: u32| into.push(char::from(digits[value as usize % digits.len()]));
    for &octet in octets {
        gathered = (gathered << 8 | u32::from(octet)) & 0xffff;
        bits += 8;
        while bits >= width {
            bits -= width;
            push(gathered >> bits);
        }
    }
    if bits > 0 {
        push(gathered << (width - bits));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_become_octets() {
        let read = |read: fn(&[u8], &mut Vec<u8>) -> Result<(), Why>, text: &str| {
            let mut octets = Vec::new();
            read(text.as_bytes(), &mut octets).map(|()| octets)
        };
        assert_eq!(read(hex, "00ffA5"), Ok(vec![0, 255, 0xa5]));
        // RFC 4648 §10
        for (text, octets) in [("", ""), ("Zg==", "f"), ("Zm8=", "fo"), ("Zm9v", "foo"), ("Zm9vYmFy", "foobar")] {
            assert_eq!(read(base64, text), Ok(octets.as_bytes().to_vec()), "{text}");
        }
        for (text, octets) in [("CO", "f"), ("cpnmu", "foo"), ("CPNMUOG", "foob"), ("CPNMUOJ1E8", "foobar")] {
            assert_eq!(read(base32, text), Ok(octets.as_bytes().to_vec()), "{text}");
        }
        for octets in ["", "f", "fo", "foo", "foob", "fooba", "foobar"] {
            for (write, reader) in [
                (push_hex as fn(&[u8], &mut String), hex as fn(&[u8], &mut Vec<u8>) -> _),
                (push_base64, base64),
                (push_base32, base32),
            ] {
                let mut text = String::new();
                write(octets.as_bytes(), &mut text);
                assert_eq!(read(reader, &text), Ok(octets.as_bytes().to_vec()), "{text}");
            }
        }
        for (reader, text) in [
            (hex as fn(&[u8], &mut Vec<u8>) -> _, "0"),
            (hex, "0g"),
            (base64, "Zg="),
            (base64, "Z==="),
            (base64, "Zg=g"),
        ] {
            assert!(read(reader, text).is_err(), "{text}");
        }
        for text in ["C", "CPX", "CPNMUW0="] {
            assert!(read(base32, text).is_err(), "{text}");
        }
    }
}
