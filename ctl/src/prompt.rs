//! The interactive prompt, and its silent twin that reads commands from a file or pipe.
//!
//! inquire blocks, so it has the main thread; each command runs on the runtime and is waited for. It draws on standard
//! error, which leaves standard output to the results.

use crate::{
    args::{Context, RecordCommand},
    client::Failure,
    complete::{self, History, Place},
    print::Output,
    run::{Exit, run},
    shell::{Shell, Step},
};
use inquire::{
    Autocomplete, CustomUserError, InquireError, Text,
    autocompletion::Replacement,
    ui::{RenderConfig, Styled},
};
use std::{
    io::{self, BufRead, IsTerminal, Write},
    path::PathBuf,
};
use tokio::runtime::Runtime;

/// Suggestions shown at a time.
const SHOWN: usize = 8;

/// A session with the control plane: one command after another.
pub(crate) struct Prompt {
    socket: PathBuf,
    json: bool,
    runtime: Runtime,
    shell: Shell,
    history: History,
}

impl Prompt {
    pub(crate) fn new(socket: PathBuf, json: bool, runtime: Runtime) -> Self {
        Self { socket, json, runtime, shell: Shell::new(), history: History::default() }
    }

    /// Talks to the person at the terminal, or reads standard input to its end.
    pub(crate) fn run(mut self) -> Result<Exit, Failure> {
        if !io::stdin().is_terminal() {
            return self.lines(io::stdin().lock());
        }
        loop {
            match self.ask() {
                Ok(line) => {
                    if self.step(&line, "")?.is_none() {
                        return Ok(Exit::Done);
                    }
                }
                // Ctrl-D and Escape go up one level, and out at the root.
                Err(InquireError::OperationCanceled) if self.shell.leave() => {}
                Err(InquireError::OperationCanceled) => return Ok(Exit::Done),
                // Ctrl-C drops the line.
                Err(InquireError::OperationInterrupted) => {}
                Err(InquireError::NotTTY) => return self.lines(io::stdin().lock()),
                Err(InquireError::IO(error)) => return Err(error.into()),
                Err(error) => return Err(io::Error::other(error).into()),
            }
        }
    }

    /// Runs every line; the result is the gravest that was seen.
    fn lines(&mut self, input: impl BufRead) -> Result<Exit, Failure> {
        let mut gravest = Exit::Done;
        for (number, line) in input.split(b'\n').enumerate() {
            let line = line?;
            let label = format!("line {}: ", number + 1);
            let text = String::from_utf8_lossy(&line);
            match self.step(text.trim_end_matches('\r'), &label)? {
                Some(exit) => gravest = gravest.max(exit),
                None => break,
            }
        }
        Ok(gravest)
    }

    fn ask(&self) -> Result<String, InquireError> {
        let prompt = self.shell.prompt();
        // Colours unless NO_COLOR is set.
        let config = RenderConfig::default();
        let prefix = Styled { content: prompt.as_str(), style: config.prompt_prefix.style };
        let config = RenderConfig { canceled_prompt_indicator: Styled::new(""), ..config }
            .with_prompt_prefix(prefix)
            .with_answered_prompt_prefix(prefix);
        Text::new("").with_render_config(config).with_page_size(SHOWN).with_autocomplete(self.completer()).prompt()
    }

    fn completer(&self) -> Completer {
        Completer { place: self.shell.place(), history: self.history.clone() }
    }

    /// Does what one line asks for; `None` when it asks to leave.
    fn step(&mut self, line: &str, label: &str) -> Result<Option<Exit>, Failure> {
        let stdout = io::stdout();
        let prompt = self.shell.prompt();
        let step = self.shell.read(line);
        if !matches!(step, Step::Nothing | Step::History) {
            self.history.push(&prompt, line);
        }
        let result = match step {
            Step::Nothing => Ok(Exit::Done),
            Step::Leave => return Ok(None),
            Step::Wrong(text) => Err(Failure::Usage(text)),
            Step::Show(text) => say(&text),
            Step::History => say(&self.history.lines().collect::<Vec<_>>().join("\n")),
            Step::Run(line) => {
                let mut stdout = io::BufWriter::new(stdout.lock());
                let mut out = Output::new(&mut stdout, self.json || line.json);
                match line.context {
                    Some(context) if reads_standard_input(&context) => Err(Failure::Usage(
                        "commands come from standard input here, so `-` cannot be a file: name one".to_owned(),
                    )),
                    Some(context) => self.runtime.block_on(async {
                        let result = tokio::select! {
                            result = run(&self.socket, context, &mut out) => result,
                            _ = tokio::signal::ctrl_c() => Err(interrupted()),
                        };
                        out.flush()?;
                        result
                    }),
                    None => Ok(Exit::Done),
                }
            }
        };
        match result {
            Ok(exit) => Ok(Some(exit)),
            Err(Failure::Output(error)) => Err(Failure::Output(error)),
            Err(failure) => {
                writeln!(io::stderr().lock(), "{label}error: {failure}")?;
                Ok(Some(Exit::from(&failure)))
            }
        }
    }
}

/// Whether a command wants for itself what the commands come from.
fn reads_standard_input(context: &Context) -> bool {
    matches!(context, Context::Record(RecordCommand::Import(import)) if import.is_standard_input())
}

fn say(text: &str) -> Result<Exit, Failure> {
    writeln!(io::stdout().lock(), "{text}")?;
    Ok(Exit::Done)
}

fn interrupted() -> Failure {
    Failure::Unreachable("interrupted: it is not known whether the command was carried out".to_owned())
}

/// Suggestions for one prompt; it is made anew for each, so it need not watch the shell change.
#[derive(Clone)]
struct Completer {
    place: Place,
    history: History,
}

impl Autocomplete for Completer {
    fn get_suggestions(&mut self, input: &str) -> Result<Vec<String>, CustomUserError> {
        Ok(complete::suggestions(input, &self.place, &self.history))
    }

    fn get_completion(&mut self, input: &str, highlighted: Option<String>) -> Result<Replacement, CustomUserError> {
        let lines = complete::suggestions(input, &self.place, &History::default());
        Ok(highlighted.or_else(|| complete::completion(input, &lines)))
    }
}
