//! Claims about files that are made to cost much.

use super::*;
use std::time::Instant;

#[test]
fn what_grows_beyond_its_limits_is_refused_with_its_line_and_soon() {
    let begun = Instant::now();
    let told = |parsed: &Parsed, line: u64, words: &str| {
        let said = faults(parsed);
        let found = said.iter().any(|fault| fault.starts_with(&format!("{line}: ")) && fault.contains(words));
        assert!(found, "{words}: {:?}", said.iter().take(3).collect::<Vec<_>>());
    };
    // Lines without end, with and without parentheses, and what follows them.
    let long = format!("a A 192.0.2.1\nb TXT {}\nc A 192.0.2.2\n", "x".repeat(2 << 20));
    let parsed = read(&long, &start("test"));
    told(&parsed, 2, "longer than 1048576 octets");
    assert_eq!(parsed.records.len(), 2);
    let parsed = read(&format!("a ( A\n{}", "\n".repeat(2 << 20)), &start("test"));
    told(&parsed, 1, "a parenthesis is opened here and not closed");
    told(&read(&"(\n".repeat(1 << 20), &start("test")), 1, "a parenthesis");
    // Files that include themselves, at once and by way of others.
    let mut files = shelf([("a", "$INCLUDE b\n"), ("b", "\n$INCLUDE a\n"), ("zone", "")]);
    let mut include = |text: &str, start: &Start| parse(Path::new("zone"), text.as_bytes(), start, &mut files);
    told(&include("$INCLUDE zone", &start("test")), 1, "includes itself");
    told(&include("$INCLUDE a", &start("test")), 2, "`a` includes itself");
    // Too deep, too many and too much.
    let names: Vec<&'static str> = (0..20).map(|at| &*format!("f{at}").leak()).collect();
    let mut deep = Shelf::default();
    for pair in names.windows(2) {
        deep.0.insert(pair[0], format!("$INCLUDE {0}\n$INCLUDE {0}\n", pair[1]).into_bytes());
    }
    deep.0.insert(names[19], b"a A 192.0.2.1\n".to_vec());
    let parsed = parse(Path::new("zone"), b"$INCLUDE f0\n", &start("test"), &mut deep);
    told(&parsed, 1, "17 files deep");
    deep.0.insert(names[10], Vec::new());
    told(&parse(Path::new("zone"), b"$INCLUDE f0\n", &start("test"), &mut deep), 1, "more than 1000 $INCLUDE");
    let mut files = shelf([("big", "")]);
    files.0.insert("big", vec![b'\n'; 1 << 20]);
    let text = "$INCLUDE big\n".repeat(1000);
    let limits = Limits { octets: 10 << 20, ..Limits::default() };
    let parsed = parse(Path::new("zone"), text.as_bytes(), &Start { limits, ..start("test") }, &mut files);
    told(&parsed, 1, "more than 10485760 octets");
    assert_eq!(parsed.faults.count(), 1);
    // Many records of few octets.
    let limits = Limits { records: 1000, ..Limits::default() };
    let many = "$GENERATE 1-600 a$ A 192.0.2.1\n".repeat(5);
    let parsed = read(&many, &Start { limits, ..start("test") });
    told(&parsed, 2, "more than 1000 records");
    assert_eq!((parsed.records.len(), parsed.faults.count()), (1000, 1));
    let limits = Limits { generated: 1000, ..Limits::default() };
    let parsed = read(&many, &Start { limits: limits.clone(), ..start("test") });
    told(&parsed, 2, "more than 1000 records");
    let wide = format!("$GENERATE 1-900 a$ TXT {}\n", "\"$\" ".repeat(10_000));
    told(&read(&wide, &Start { limits, ..start("test") }), 1, "128000 octets");
    // Faults without end.
    let parsed = read(&"x\n".repeat(300_000), &start("test"));
    assert_eq!((parsed.faults.count(), parsed.faults.first().len()), (300_000, 100));
    assert!(begun.elapsed().as_secs() < 60, "{:?} in a build without optimisation", begun.elapsed());
}
