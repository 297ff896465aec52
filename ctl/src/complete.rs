//! Suggests whole lines while a line is being typed.
//!
//! The prompt takes a highlighted suggestion for the answer, so a suggestion is always a complete line: the words typed
//! so far and one more from the command tree. On an empty line, and after those, come lines typed before.

use clap::{Arg, Command, builder::PossibleValue};
use std::collections::VecDeque;

/// Lines of history that are kept.
const KEPT: usize = 500;
/// Lines of history that are suggested.
const SUGGESTED: usize = 8;

/// Lines typed before, oldest first, each with the prompt at which it was typed: elsewhere it means something else.
#[derive(Clone, Default)]
pub(crate) struct History(VecDeque<(String, String)>);

impl History {
    /// Remembers a line, unless it may hold a secret: `server set cluster_auth_token …`, also with a slip in it.
    pub(crate) fn push(&mut self, prompt: &str, line: &str) {
        if line.to_ascii_lowercase().contains("token") {
            return;
        }
        let entry = (prompt.to_owned(), line.trim().to_owned());
        self.0.retain(|old| *old != entry);
        self.0.push_back(entry);
        if self.0.len() > KEPT {
            self.0.pop_front();
        }
    }

    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, line)| line.as_str())
    }

    /// Newest first.
    fn starting_with(&self, prompt: &str, start: &str) -> impl Iterator<Item = &str> {
        let here = self.0.iter().rev().filter(move |(at, _)| at == prompt).map(|(_, line)| line.as_str());
        here.filter(move |line| line.starts_with(start) && *line != start).take(SUGGESTED)
    }
}

/// Where a line is being typed.
#[derive(Clone)]
pub(crate) struct Place {
    pub prompt: String,
    /// The context, unless at the root.
    pub context: Option<Command>,
    /// The whole tree.
    pub root: Command,
}

/// Lines that could be meant by `input`.
pub(crate) fn suggestions(input: &str, place: &Place, history: &History) -> Vec<String> {
    let mut lines = if input.is_empty() { Vec::new() } else { from_tree(input, place) };
    for line in history.starting_with(&place.prompt, input) {
        if !lines.iter().any(|known| known == line) {
            lines.push(line.to_owned());
        }
    }
    lines
}

/// What Tab makes of `input`: the one suggestion and a space, or the beginning that all of them share.
pub(crate) fn completion(input: &str, lines: &[String]) -> Option<String> {
    let (first, others) = lines.split_first()?;
    if others.is_empty() {
        return Some(format!("{first} "));
    }
    let shared = |length: usize, line: &String| {
        first.chars().zip(line.chars()).take(length).take_while(|(one, other)| one == other).count()
    };
    let length = others.iter().fold(first.chars().count(), shared);
    let start: String = first.chars().take(length).collect();
    (start.len() > input.len()).then_some(start)
}

fn from_tree(input: &str, place: &Place) -> Vec<String> {
    let split = input.rfind([' ', '\t']).map_or(0, |at| at + 1);
    let (typed, word) = input.split_at(split);
    let mut words = typed.split_whitespace();
    let mut levels = place.context.iter().chain([&place.root]);
    let Some(first) = words.next() else {
        let names = levels.flat_map(Command::get_subcommands).map(Command::get_name);
        return lines(typed, word, names.filter(|name| *name != "help").chain(["..", "exit"]));
    };
    let Some(start) = levels.find_map(|level| level.find_subcommand(first)) else { return Vec::new() };
    // Beyond the last command come its own words; of these the tree knows only some.
    let found = words.try_fold((start, 0), |(place, own), word| match place.find_subcommand(word) {
        Some(inner) => Some((inner, 0)),
        None => (!place.has_subcommands()).then_some((place, own + usize::from(!word.starts_with('-')))),
    });
    let Some((place, own)) = found else { return Vec::new() };
    if word.starts_with('-') {
        let options = place.get_arguments().filter(|argument| !argument.is_hide_set()).filter_map(|it| it.get_long());
        let options = options.map(|name| format!("--{name}")).collect::<Vec<_>>();
        return lines(typed, word, options.iter().map(String::as_str));
    }
    if place.has_subcommands() {
        return lines(typed, word, place.get_subcommands().map(Command::get_name).filter(|name| *name != "help"));
    }
    // Behind an option comes its value.
    let option = typed.split_whitespace().last().and_then(|last| last.strip_prefix("--"));
    let option = option.and_then(|name| place.get_arguments().find(|argument| argument.get_long() == Some(name)));
    let option = option.filter(|argument| argument.get_action().takes_values());
    let awaited = option.or_else(|| place.get_positionals().nth(own));
    let values = awaited.map(Arg::get_possible_values).unwrap_or_default();
    lines(typed, word, values.iter().map(PossibleValue::get_name))
}

fn lines<'a>(typed: &str, word: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<String> {
    candidates.filter(|name| name.starts_with(word) && *name != word).map(|name| format!("{typed}{name}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shell::Shell;

    fn place(context: &str) -> Place {
        let mut shell = Shell::new();
        shell.read(context);
        shell.place()
    }

    fn suggested(context: &str, input: &str) -> Vec<String> {
        suggestions(input, &place(context), &History::default())
    }

    #[test]
    fn suggestions_are_whole_lines_from_the_command_tree() {
        assert_eq!(suggested("", "cl"), ["cluster"]);
        let commands = ["status", "pull", "join", "peer", "push", "conflicts", "restore"];
        assert_eq!(suggested("", "cluster "), commands.map(|name| format!("cluster {name}")));
        assert_eq!(suggested("cluster", "peer "), ["peer add", "peer remove", "peer set-role"]);
        assert_eq!(suggested("", "cluster push r"), ["cluster push records"]);
        assert_eq!(suggested("cluster", "peer add 192.0.2.1 r"), ["peer add 192.0.2.1 readonly"]);
        assert_eq!(suggested("cluster", "peer add 192.0.2.1 full "), [""; 0]);
        assert_eq!(suggested("server", "s"), ["status", "set", "save", "server"]);
        assert_eq!(suggested("", "record re"), ["record remove"]);
        assert_eq!(suggested("record", "a"), ["add", "adblock"]);
        assert_eq!(suggested("record", "c"), ["check", "cache", "cluster"]);
        assert_eq!(suggested("record", "add lab --t"), ["add lab --ttl"]);
        assert_eq!(suggested("dns", "add 192.0.2.1 --tr"), ["add 192.0.2.1 --transport"]);
        assert_eq!(
            suggested("dns", "add 192.0.2.1 --transport do"),
            ["dot", "doh", "doq"].map(|name| format!("add 192.0.2.1 --transport {name}"))
        );
        assert_eq!(suggested("", "dns update 192.0.2.1 --active f"), ["dns update 192.0.2.1 --active false"]);
        assert_eq!(suggested("", "record add lab "), [""; 0]);
        assert_eq!(suggested("", "nonsense x"), [""; 0]);
    }

    #[test]
    fn an_empty_line_offers_what_was_typed_before_in_this_place() {
        let mut history = History::default();
        for (context, line) in [("", "record list"), ("", "cluster"), ("", "record list"), ("cluster", "status")] {
            history.push(&place(context).prompt, line);
        }
        assert_eq!(suggestions("", &place(""), &history), ["record list", "cluster"]);
        assert_eq!(suggestions("", &place("cluster"), &history), ["status"]);
        assert_eq!(suggestions("record li", &place(""), &history), ["record list"]);
        assert_eq!(history.lines().count(), 3);
    }

    #[test]
    fn a_token_that_was_typed_is_not_suggested_again() {
        let mut history = History::default();
        for line in
            ["server set api true", "server set cluster_auth_token s3cret", "srever set Cluster_Admin_Token s3cret"]
        {
            history.push(&place("").prompt, line);
        }
        assert_eq!(history.lines().collect::<Vec<_>>(), ["server set api true"]);
    }

    #[test]
    fn tab_completes_as_far_as_it_is_certain() {
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(completion("c", &lines(&["cluster"])).as_deref(), Some("cluster "));
        assert_eq!(completion("re", &lines(&["remove", "remote"])).as_deref(), Some("remo"));
        assert_eq!(completion("", &lines(&["a", "b"])), None);
        assert_eq!(completion("", &[]), None);
    }
}
