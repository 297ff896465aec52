//! What a line at the prompt means: moving between contexts, asking for help, or a command.
//!
//! Pure: no terminal and no server. The interactive prompt and scripts on standard input share it, and it shares the
//! command tree with the command line.

use crate::{
    args::{Line, PromptLine},
    complete::Place,
};
use clap::{Command, CommandFactory, Parser, error::ErrorKind};

/// Words that ask for help, wherever they stand.
const HELP: [&str; 3] = ["?", "help", "h"];
/// Words that the prompt itself understands.
const WORDS: [&str; 15] =
    ["?", "help", "h", "ls", "contexts", "ctx", "cd", "switch", "..", "back", "/", "history", "exit", "quit", "q"];

/// Where the user is, and the tree of commands.
pub(crate) struct Shell {
    tree: Command,
    context: Option<String>,
}

/// What to do about one line.
#[derive(Debug)]
pub(crate) enum Step {
    /// An empty line, or a move to another context.
    Nothing,
    /// Print this text.
    Show(String),
    /// Print the lines typed so far.
    History,
    /// Carry out this command.
    Run(Box<Line>),
    /// Say what is wrong with the line.
    Wrong(String),
    /// Leave the program.
    Leave,
}

impl Shell {
    pub(crate) fn new() -> Self {
        let mut tree = PromptLine::command();
        tree.build();
        Self { tree, context: None }
    }

    /// The prompt: where the user is.
    pub(crate) fn prompt(&self) -> String {
        format!("{}>", self.context.as_deref().unwrap_or("dnsplane"))
    }

    /// Where the user is, for completion.
    pub(crate) fn place(&self) -> Place {
        let context = self.context.is_some().then(|| self.here().clone());
        Place { prompt: self.prompt(), context, root: self.tree.clone() }
    }

    /// The commands of the place where the user is.
    fn here(&self) -> &Command {
        self.context.as_deref().and_then(|name| self.tree.find_subcommand(name)).unwrap_or(&self.tree)
    }

    /// Goes up one level; false at the root.
    pub(crate) fn leave(&mut self) -> bool {
        self.context.take().is_some()
    }

    /// Decides what one line asks for.
    pub(crate) fn read(&mut self, line: &str) -> Step {
        let Some(words) = shlex::split(line) else {
            return Step::Wrong("a quote is not closed, or the line ends in a backslash".to_owned());
        };
        let words = words.iter().map(String::as_str).collect::<Vec<_>>();
        match words.as_slice() {
            [] => Step::Nothing,
            ["exit" | "quit" | "q"] => Step::Leave,
            [".." | "back" | "/"] => {
                self.leave();
                Step::Nothing
            }
            // Where a context has such a command, it is what is meant there.
            ["history"] if self.here().find_subcommand("history").is_none() => Step::History,
            ["ls"] => Step::Show(names(self.here())),
            ["contexts" | "ctx"] => Step::Show(names(&self.tree)),
            ["cd" | "switch" | "ctx", ".." | "/"] => {
                self.leave();
                Step::Nothing
            }
            ["cd" | "switch" | "ctx", name] => match self.context_named(name) {
                Some(context) => self.enter(context),
                None => Step::Wrong(self.unknown(name, &self.tree)),
            },
            [first, rest @ ..] => self.command(first, rest),
        }
    }

    fn command(&mut self, first: &str, rest: &[&str]) -> Step {
        if let Some(context) = &self.context {
            let is_ours =
                first.starts_with('-') || HELP.contains(&first) || self.here().find_subcommand(first).is_some();
            if is_ours {
                let words = [context, first].into_iter().chain(rest.iter().copied()).map(str::to_owned);
                return self.parse(words.collect());
            }
        }
        match self.context_named(first) {
            Some(context) if rest.is_empty() => self.enter(context),
            None if !first.starts_with('-') && !HELP.contains(&first) => Step::Wrong(self.unknown(first, self.here())),
            _ => self.parse([first].iter().chain(rest).map(|word| (*word).to_owned()).collect()),
        }
    }

    /// Reads a whole command, context first.
    fn parse(&self, words: Vec<String>) -> Step {
        match PromptLine::try_parse_from(spell_help(words, &self.tree)) {
            Ok(PromptLine { line }) if line.context.is_some() => Step::Run(Box::new(line)),
            Ok(_) => Step::Wrong("name a context and a command; `?` shows what there is".to_owned()),
            Err(error) => {
                // The prompt has no program name; clap leaves a gap where it would be.
                let text = error.to_string().replace("Usage:  ", "Usage: ").replace("error: ' ", "error: '");
                match error.kind() {
                    ErrorKind::DisplayHelp
                    | ErrorKind::DisplayVersion
                    | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Step::Show(text.trim_end().to_owned()),
                    _ => Step::Wrong(text.trim_start_matches("error: ").trim_end().to_owned()),
                }
            }
        }
    }

    fn enter(&mut self, context: String) -> Step {
        self.context = Some(context);
        Step::Nothing
    }

    /// The full name of a context, given that or an alias.
    fn context_named(&self, word: &str) -> Option<String> {
        self.tree.find_subcommand(word).filter(|command| command.has_subcommands()).map(|it| it.get_name().to_owned())
    }

    /// Where a command of this name is: `record`, or, if no context has it, one level deeper, `cluster peer`.
    fn owners(&self, word: &str) -> Vec<String> {
        let has = |place: &&Command| place.find_subcommand(word).is_some();
        let contexts = below(&self.tree).filter(has).map(|context| context.get_name().to_owned());
        let contexts: Vec<_> = contexts.collect();
        if !contexts.is_empty() {
            return contexts;
        }
        let name = |outer: &Command, inner: &Command| format!("{} {}", outer.get_name(), inner.get_name());
        below(&self.tree).flat_map(|outer| below(outer).filter(has).map(move |inner| name(outer, inner))).collect()
    }

    fn unknown(&self, word: &str, here: &Command) -> String {
        let owners = self.owners(word);
        match owners.as_slice() {
            [] => {}
            [owner] => return format!("`{word}` is a command of `{owner}`: type `{owner} {word}`"),
            owners => {
                let lines: Vec<_> = owners.iter().map(|owner| format!("`{owner} {word}`")).collect();
                return format!("`{word}` is a command of several contexts: type {}", lines.join(" or "));
            }
        }
        let known = here.get_subcommands().chain(self.tree.get_subcommands());
        let known = known.flat_map(|command| std::iter::once(command.get_name()).chain(command.get_all_aliases()));
        let near = |candidate: &str| strsim::jaro_winkler(candidate, word);
        let nearest = known.chain(WORDS).max_by(|one, other| near(one).total_cmp(&near(other)));
        match nearest.filter(|candidate| near(candidate) > 0.75) {
            Some(candidate) => format!("there is no `{word}` here; did you mean `{candidate}`?"),
            None => format!("there is no `{word}` here; `?` shows what there is"),
        }
    }
}

/// The commands right below a place; not clap's own `help`.
fn below(place: &Command) -> impl Iterator<Item = &Command> {
    place.get_subcommands().filter(|command| command.get_name() != "help")
}

/// Turns the help words of the prompt into clap's: `record ?`, `? record`, `record add ?`, `cluster peer add ?`.
///
/// After a command they must be the only word, so that a host may be called `h`.
pub(crate) fn spell_help(mut words: Vec<String>, tree: &Command) -> Vec<String> {
    let plain = plain_words(&words);
    let mut place = tree;
    for (number, at) in plain.iter().copied().enumerate() {
        let is_help = HELP.contains(&words[at].as_str());
        if !place.has_subcommands() {
            if is_help && plain.len() == number + 1 {
                "--help".clone_into(&mut words[at]);
            }
            break;
        }
        if is_help {
            "help".clone_into(&mut words[at]);
            break;
        }
        match place.find_subcommand(&words[at]) {
            Some(inner) => place = inner,
            None => break,
        }
    }
    words
}

/// Where the words stand that are neither options nor the value of one that may come before a command.
fn plain_words(words: &[String]) -> Vec<usize> {
    let after_socket = |at: usize| at > 0 && words[at - 1] == "--socket";
    (0..words.len()).filter(|at| !words[*at].starts_with('-') && !after_socket(*at)).collect()
}

/// The names below a place, with what they are for.
fn names(place: &Command) -> String {
    let about = |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    let line = |command: &Command| format!("{:<10} {}", command.get_name(), about(command));
    below(place).map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::{ClusterCommand, Context, PeerCommand, RecordCommand, Role};

    fn wrong(step: Step) -> String {
        match step {
            Step::Wrong(text) => text,
            other => panic!("{other:?} is not a refusal"),
        }
    }

    fn shown(step: Step) -> String {
        match step {
            Step::Show(text) => text,
            other => panic!("{other:?} shows nothing"),
        }
    }

    fn context(step: Step) -> Context {
        match step {
            Step::Run(line) => line.context.expect("parse refuses a line without context"),
            other => panic!("{other:?} is not a command"),
        }
    }

    #[test]
    fn naming_a_context_enters_it_and_dots_leave_it() {
        let mut shell = Shell::new();
        assert_eq!(shell.prompt(), "dnsplane>");
        for (line, prompt) in [
            ("cluster", "cluster>"),
            ("record", "record>"),
            ("..", "dnsplane>"),
            ("..", "dnsplane>"),
            ("cd records", "record>"),
            ("/", "dnsplane>"),
            ("tools", "tools>"),
            ("back", "dnsplane>"),
        ] {
            assert!(matches!(shell.read(line), Step::Nothing), "{line}");
            assert_eq!(shell.prompt(), prompt, "{line}");
        }
        assert!(matches!(shell.read("q"), Step::Leave));
    }

    #[test]
    fn a_context_supplies_its_name_and_other_contexts_stay_in_reach() {
        let mut shell = Shell::new();
        shell.read("cluster");
        assert!(matches!(context(shell.read("sync 192.0.2.1:7946")),
            Context::Cluster(ClusterCommand::Pull { peers }) if peers == ["192.0.2.1:7946"]));
        assert!(matches!(context(shell.read("record list")), Context::Record(RecordCommand::List(_))));
        assert_eq!(shell.prompt(), "cluster>");
    }

    #[test]
    fn a_command_with_its_context_runs_from_the_root_and_stays_there() {
        let mut shell = Shell::new();
        let Context::Record(RecordCommand::Add(new)) = context(shell.read("record add lab TXT 'a b' --ttl 5")) else {
            panic!("not an addition")
        };
        assert_eq!((new.words, new.ttl), (vec!["lab".to_owned(), "TXT".to_owned(), "a b".to_owned()], Some(5)));
        assert_eq!(shell.prompt(), "dnsplane>");
    }

    #[test]
    fn help_is_everywhere() {
        let mut shell = Shell::new();
        assert!(shown(shell.read("?")).contains("cluster"));
        assert!(shown(shell.read("record ?")).contains("add"));
        assert!(shown(shell.read("record add ?")).contains("--ttl"));
        assert!(shown(shell.read("h record add")).contains("--ttl"));
        shell.read("record");
        assert!(shown(shell.read("?")).contains("remove"));
        assert!(shown(shell.read("add h")).contains("--ttl"));
        assert!(shown(shell.read("ls")).contains("check"));
        assert!(matches!(context(shell.read("add h 192.0.2.1")), Context::Record(_)));
    }

    #[test]
    fn commands_of_commands_work_in_their_context_and_from_the_root() {
        let mut shell = Shell::new();
        let added = |step: Step| match context(step) {
            Context::Cluster(ClusterCommand::Peer(PeerCommand::Add { address, role })) => (address, role),
            other => panic!("{other:?} is not an addition"),
        };
        let expected = ("192.0.2.1".to_owned(), Some(Role::Full));
        assert_eq!(added(shell.read("cluster peer add 192.0.2.1 full")), expected);
        shell.read("cluster");
        assert_eq!(added(shell.read("peer add 192.0.2.1 full")), expected);
        assert!(shown(shell.read("peer")).contains("set-role"));
        assert!(shown(shell.read("peer ?")).contains("set-role"));
        assert!(shown(shell.read("push ?")).contains("config"));
        assert!(shown(shell.read("peer add ?")).contains("readonly"));
        assert!(wrong(shell.read("peer set-role 192.0.2.1 half")).contains("readonly"));
    }

    #[test]
    fn help_words_are_found_behind_options() {
        let tree = PromptLine::command();
        let spelt = |line: &str| spell_help(line.split(' ').map(str::to_owned).collect(), &tree).join(" ");
        assert_eq!(spelt("--socket h record ?"), "--socket h record help");
        assert_eq!(spelt("--json record add h"), "--json record add --help");
        assert_eq!(spelt("record add h 192.0.2.1"), "record add h 192.0.2.1");
        assert_eq!(spelt("record remove --all h"), "record remove --all --help");
        assert_eq!(spelt("cluster peer ?"), "cluster peer help");
        assert_eq!(spelt("cluster peer --json add ?"), "cluster peer --json add --help");
        assert_eq!(spelt("cluster peer rm h full"), "cluster peer rm h full");
        assert_eq!(spelt("h cluster push"), "help cluster push");
        assert_eq!(spelt("server set key ?"), "server set key ?");
    }

    #[test]
    fn slips_of_the_keyboard_are_met_with_the_nearest_word() {
        let mut shell = Shell::new();
        assert!(wrong(shell.read("clutser")).contains("did you mean `cluster`?"));
        assert!(wrong(shell.read("record lsit")).contains("list"));
        let several = wrong(shell.read("add x 192.0.2.1"));
        assert!(several.contains("type `record add`") && several.contains("or `adblock add`"), "{several}");
        assert!(wrong(shell.read("resume")).contains("type `adblock resume`"));
        assert!(wrong(shell.read("set-role x full")).contains("type `cluster peer set-role`"));
        assert!(wrong(shell.read("cluster pear add x")).contains("peer"));
        assert!(wrong(shell.read("xyzzyx")).contains("`?` shows"));
        assert!(wrong(shell.read("record add 'x")).contains("quote"));
        assert!(wrong(shell.read("--json")).contains("name a context"));
        shell.read("record");
        assert!(wrong(shell.read("ad x 192.0.2.1")).contains("did you mean `add`?"));
        assert!(wrong(shell.read("add")).contains("required"));
    }

    proptest::proptest! {
        #[test]
        fn any_line_is_taken_without_panic(lines in proptest::collection::vec(".{0,40}|(record|cluster|add|\\?|[a-z.]{1,4}| ){1,8}", 1..8)) {
            let mut shell = Shell::new();
            for line in &lines {
                shell.read(line);
                for suggestion in crate::complete::suggestions(line, &shell.place(), &Default::default()) {
                    proptest::prop_assert!(suggestion.starts_with(line.as_str()), "{suggestion} for {line}");
                }
            }
        }
    }
}
