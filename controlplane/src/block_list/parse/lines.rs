//! Lines of a text that may be long, or no text at all.

use std::io::{self, BufRead};

/// Octets of a line. A line of a hosts file may hold many names.
const MAX_LINE: usize = 64 << 10;

/// Calls `each` with every line, without its line feed; with `None` for one that is too long.
pub(super) fn each<E: From<io::Error>>(
    mut text: impl BufRead,
    mut each: impl FnMut(Option<&[u8]>) -> Result<(), E>,
) -> Result<(), E> {
    let mut begun = Begun::default();
    loop {
        let buffer = match text.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            buffer => buffer?,
        };
        if buffer.is_empty() {
            return if begun.is_empty() { Ok(()) } else { each(begun.line()) };
        }
        let (mut rest, length) = (buffer, buffer.len());
        while let Some(end) = rest.iter().position(|octet| *octet == b'\n') {
            if begun.is_empty() {
                each(Some(&rest[..end]).filter(|line| line.len() <= MAX_LINE))?;
            } else {
                begun.push(&rest[..end]);
                each(begun.line())?;
                begun = Begun::default();
            }
            rest = &rest[end + 1..];
        }
        begun.push(rest);
        text.consume(length);
    }
}

/// A line that began in an earlier buffer.
#[derive(Default)]
struct Begun {
    octets: Vec<u8>,
    too_long: bool,
}

impl Begun {
    fn is_empty(&self) -> bool {
        self.octets.is_empty() && !self.too_long
    }

    fn push(&mut self, octets: &[u8]) {
        self.too_long |= self.octets.len() + octets.len() > MAX_LINE;
        if self.too_long {
            self.octets.clear();
        } else {
            self.octets.extend_from_slice(octets);
        }
    }

    fn line(&self) -> Option<&[u8]> {
        (!self.too_long).then_some(&self.octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    #[test]
    fn lines_are_the_same_whatever_the_buffers() {
        let long = "x".repeat(MAX_LINE);
        let text = format!("one\n\n{long}\n{long}x\nlast");
        let mut expected: Vec<_> = ["one", "", &long].map(|line| Some(line.to_owned())).to_vec();
        expected.extend([None, Some("last".to_owned())]);
        for capacity in [1, 2, 7, 4096, 1 << 20] {
            let mut lines = Vec::new();
            each(BufReader::with_capacity(capacity, text.as_bytes()), |line| -> io::Result<()> {
                lines.push(line.map(|line| String::from_utf8_lossy(line).into_owned()));
                Ok(())
            })
            .unwrap();
            assert_eq!(lines, expected, "{capacity}");
        }
    }
}
