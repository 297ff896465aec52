//! dnsplanectl: asks the control plane, for people at a prompt and for scripts.
//!
//! Arguments in, exit code out. The way of a command: [`args`] is the command line, [`shell`] a line at the prompt,
//! [`edit`] the words of a record, [`run`] carries it out through [`client`], [`print`] and [`view`] show the result.

#![forbid(unsafe_code)]

mod args;
mod client;
mod complete;
mod consent;
mod dig;
mod edit;
mod print;
mod progress;
mod prompt;
mod question;
mod run;
mod shell;
mod socket;
mod time;
mod view;

use args::Cli;
use clap::{CommandFactory, Parser};
use client::Failure;
use print::Output;
use run::Exit;
use std::{
    env,
    error::Error,
    io::{self, Write},
    process::ExitCode,
};

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(words()) {
        Ok(cli) => cli,
        Err(error) => {
            // The reader of the help text may have gone; nothing is lost then.
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { Exit::Usage.code() } else { Exit::Done.code() });
        }
    };
    match execute(cli) {
        Ok(exit) => ExitCode::from(exit.code()),
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            let cause = failure.source().map(|cause| format!(": {cause}")).unwrap_or_default();
            // Without standard error there is only the exit code left to tell.
            let _ = writeln!(io::stderr().lock(), "error: {failure}{cause}");
            ExitCode::from(Exit::from(&failure).code())
        }
    }
}

fn execute(cli: Cli) -> Result<Exit, Failure> {
    let socket = cli.socket.unwrap_or_else(socket::default_path);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let Some(context) = cli.line.context else {
        return prompt::Prompt::new(socket, cli.line.json, runtime).run();
    };
    let mut stdout = io::BufWriter::new(io::stdout().lock());
    let mut out = Output::new(&mut stdout, cli.line.json);
    let result = runtime.block_on(run::run(&socket, context, &mut out));
    // What was listed before a failure is still worth having.
    out.flush()?;
    result
}

/// The words of the command line, with `?` and `h` spelt as clap knows them.
fn words() -> Vec<std::ffi::OsString> {
    let words = env::args_os().collect::<Vec<_>>();
    let text = words.iter().skip(1).map(|word| word.to_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
    match text {
        Some(text) if !text.is_empty() => {
            let spelt = shell::spell_help(text, &args::PromptLine::command()).into_iter().map(Into::into);
            words.iter().take(1).cloned().chain(spelt).collect()
        }
        _ => words,
    }
}
