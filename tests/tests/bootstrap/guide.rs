//! Reads the guide: which step is to be done on which machine, and what is to come of it.

/// Something that the guide says to do.
#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    /// Where it stands in the guide.
    pub(crate) line: usize,
    /// The machine's letter.
    pub(crate) machine: char,
    pub(crate) deed: Deed,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Deed {
    /// A file with this text.
    Write { path: String, text: String },
    /// A command, and the lines that it prints; none: whatever it likes.
    Run { command: String, expected: Vec<String> },
}

/// All steps, in order.
pub(crate) fn steps(text: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut block: Option<&str> = None;
    for (number, line) in text.lines().enumerate() {
        let number = number + 1;
        match (line.strip_prefix("```"), block) {
            (Some(label), None) => {
                block = Some(label);
                if let Some((machine, path)) = label.strip_prefix("json ").and_then(|place| place.split_once(':')) {
                    let deed = Deed::Write { path: path.to_owned(), text: String::new() };
                    steps.push(Step { line: number, machine: letter(machine), deed });
                }
            }
            (Some(_), Some(_)) => block = None,
            (None, Some("console nodes")) => match (line.split_once("$ "), steps.last_mut()) {
                (Some((machine, command)), _) if machine.len() == 1 => {
                    let deed = Deed::Run { command: command.to_owned(), expected: Vec::new() };
                    steps.push(Step { line: number, machine: letter(machine), deed });
                }
                (_, Some(Step { deed: Deed::Run { expected, .. }, .. })) => expected.push(line.to_owned()),
                _ => panic!("line {number}: `{line}` comes before any command"),
            },
            (None, Some(label)) if label.starts_with("json ") && label.contains(':') => {
                if let Some(Step { deed: Deed::Write { text, .. }, .. }) = steps.last_mut() {
                    *text += line;
                    text.push('\n');
                }
            }
            (None, _) => {}
        }
    }
    steps
}

fn letter(machine: &str) -> char {
    machine.chars().next().unwrap_or_else(|| panic!("`{machine}` is the name of no machine"))
}

/// Whether these lines were printed, with `…` for anything and any space between words.
pub(crate) fn matches(expected: &[String], printed: &str) -> bool {
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected: Vec<_> = expected.iter().map(|line| words(line)).collect();
    let printed: Vec<_> = printed.lines().map(words).collect();
    lines_match(&expected, &printed)
}

fn lines_match(expected: &[String], printed: &[String]) -> bool {
    match (expected, printed) {
        ([], printed) => printed.is_empty(),
        ([gap, rest @ ..], printed) if gap == "…" => {
            (0..=printed.len()).any(|skip| lines_match(rest, &printed[skip..]))
        }
        ([line, rest @ ..], [first, others @ ..]) => line_matches(line, first) && lines_match(rest, others),
        (_, []) => false,
    }
}

fn line_matches(expected: &str, printed: &str) -> bool {
    match expected.split_once('…') {
        None => expected == printed,
        Some((start, rest)) => printed.strip_prefix(start).is_some_and(|printed| {
            let ends = printed.char_indices().map(|(at, _)| at).chain([printed.len()]);
            ends.into_iter().any(|end| line_matches(rest, &printed[end..]))
        }),
    }
}

#[test]
fn steps_are_found_as_written() {
    let text =
        "x\n```json a:/etc/f\n{}\n```\n```console nodes\na$ one\nb$ two $ three\nits output\n```\n```sh\nno\n```\n";
    let run = |command: &str, expected: &[&str]| Deed::Run {
        command: command.to_owned(),
        expected: expected.iter().map(|line| (*line).to_owned()).collect(),
    };
    let file = Deed::Write { path: "/etc/f".to_owned(), text: "{}\n".to_owned() };
    let expected = [
        Step { line: 2, machine: 'a', deed: file },
        Step { line: 6, machine: 'a', deed: run("one", &[]) },
        Step { line: 7, machine: 'b', deed: run("two $ three", &["its output"]) },
    ];
    assert_eq!(steps(text), expected);
}

#[test]
fn output_is_compared_with_gaps() {
    let is = |expected: &str, printed: &str| matches(&expected.lines().map(str::to_owned).collect::<Vec<_>>(), printed);
    assert!(is("a  1\nb 2", "a 1\nb    2\n"));
    assert!(is("a\n…\nz", "a\nz") && is("a\n…\nz", "a\nb\nc\nz") && is("yes, … in step", "yes, 12 ms in step"));
    assert!(is("…", "") && is("41…", "41") && is("a … c … e", "a b c d e"));
    assert!(!is("a", "a\nb") && !is("a\nb", "a") && !is("a … c", "a b") && !is("a\n…\nz", "a\nb") && !is("…\nz", "y"));
}
