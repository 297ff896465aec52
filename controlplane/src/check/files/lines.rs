//! On which lines the records of a JSON document begin. The parser tells lines of faults alone, and its values know none.
//!
//! The text has been parsed already, so that brackets and quotes fit: following them is all there is to do.

/// The line of each record of `{"records": [...]}`, from 1. Of several keys of that name the last counts, as for the parser.
pub(super) fn of_records(text: &[u8]) -> Vec<u32> {
    let (mut found, mut line, mut depth) = (Vec::new(), 1, 0_usize);
    // The key at depth 1 that was read last, and whether what follows it are records.
    let (mut key, mut inside) = (&b""[..], false);
    let mut at = 0;
    while let Some(octet) = text.get(at) {
        match octet {
            b'\n' => line += 1,
            b'"' => {
                let end = end_of_string(text, at + 1);
                if depth == 1 {
                    key = &text[at + 1..end];
                }
                line += text[at..end].iter().filter(|octet| **octet == b'\n').count() as u32;
                at = end;
            }
            b':' if depth == 1 && key.eq_ignore_ascii_case(b"records") => {
                found.clear();
                inside = true;
            }
            b',' if depth == 1 => inside = false,
            b'{' | b'[' => {
                if inside && depth == 2 && *octet == b'{' {
                    found.push(line);
                }
                depth += 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        at += 1;
    }
    found
}

/// Where the string ends that begins here: at its quote, or at the end of the text.
fn end_of_string(text: &[u8], start: usize) -> usize {
    let mut at = start;
    while let Some(octet) = text.get(at) {
        match octet {
            b'"' => return at,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::read_document;
    use proptest::prelude::*;

    #[test]
    fn records_are_found_whatever_stands_around_them() {
        let text = r#"{
  "other": [{"records": [{}]}], "note": "records\": [{",
  "RECORDS": [
    {"name": "a", "value": "}]\\", "extra": [{}, {}]}, {"name": "b"},
    {
      "name": "c"}],
  "records_too": [{}]
}"#;
        assert_eq!(of_records(text.as_bytes()), [4, 4, 5]);
        assert_eq!(of_records(br#"{"records":[{}],"records":null}"#), [0; 0]);
        assert_eq!(of_records(b"{\"records\":[{}],\n\"records\":[{}]}"), [2]);
    }

    proptest! {
        #[test]
        fn no_text_panics_and_every_document_has_a_line_for_each_record(
            text in "(\\{\"records\":\\[)?[\\{\\}\\[\\]\",:\\\\ a\n]{0,60}"
        ) {
            let lines = of_records(text.as_bytes());
            if let Ok(records) = read_document(text.as_bytes()) {
                prop_assert_eq!(lines.len(), records.len());
            }
        }
    }
}
