//! What the documents show is true: settings load, commands run, and the README opens with the two that matter.
//!
//! - Every `json` block of docs/configuration.md, and any that is marked `json config` elsewhere, is a configuration:
//!   `dnsplane-cluster --check` accepts it, and knows every key.
//! - Any other `json` block is JSON: one document, or several in a row.
//! - Every command of a `console` or `sh` block runs, in the folder of a node of its own, or is in [`NOT_RUN`] with the
//!   reason. `DIR` stands for that folder, as does `/tmp`; `target/release` is where the programs are.

use dnsplane_tests::{
    Node,
    program::{self, bin_dir, check_config, workspace},
};
use serde_json::Value;
use std::{
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

/// Commands that are shown but not run here: what they begin with, and why.
const NOT_RUN: &[(&str, &str)] = &[
    ("deploy/quickstart", "tests/run runs it"),
    ("tests/run", "this is part of it"),
    ("tests/bench/run", "takes minutes, and prints figures that nothing here could judge"),
    ("dataplane/fuzz/run", "goes on until it is stopped, and needs a C++ compiler"),
    ("deploy/systemd/check", "tests/run runs it"),
    ("cargo ", "tests/run builds and tests"),
    ("RUSTFLAGS=", "needs a nightly toolchain"),
    ("valgrind ", "slow, and its argument is a path that the command before prints"),
    ("git clone ", "needs the network"),
    ("sudo ", "changes the machine"),
    ("systemctl ", "needs an installed unit"),
    ("journalctl ", "needs an installed unit"),
    ("dnsplane-dns ", "runs until it is stopped; other tests start it"),
    ("dig ", "not installed everywhere"),
    ("dnsplanectl record undo ", "asks, and its argument is a number that the command before prints"),
];

/// Whether a command can be run here.
fn runs(command: &str) -> bool {
    let stays = command.contains("dnsplane-cluster")
        && !["--check", "--version", "--help"].iter().any(|flag| command.contains(flag));
    !stays && !NOT_RUN.iter().any(|(start, _)| command.starts_with(start))
}

/// A block of a document between fences.
struct Block {
    file: PathBuf,
    line: usize,
    /// What follows the opening fence.
    label: String,
    text: String,
}

impl Block {
    fn place(&self) -> String {
        format!("{}:{}", self.file.display(), self.line)
    }

    fn is_configuration(&self) -> bool {
        self.label == "json config" || self.label == "json" && self.file.ends_with("docs/configuration.md")
    }

    /// The commands: in `console` what follows a `$`, in `sh` everything. Lines that end in a backslash go on.
    fn commands(&self) -> Vec<String> {
        let mut commands: Vec<String> = Vec::new();
        let mut goes_on = false;
        for line in self.text.lines() {
            let shown = if self.label == "console" && !goes_on { line.strip_prefix("$ ") } else { Some(line) };
            let Some(command) = shown.map(str::trim).filter(|text| !text.is_empty() && !text.starts_with('#')) else {
                continue;
            };
            let (text, more) = command.strip_suffix('\\').map_or((command, false), |text| (text, true));
            match commands.last_mut() {
                Some(last) if goes_on => last.push_str(text),
                _ => commands.push(text.to_owned()),
            }
            goes_on = more;
        }
        commands
    }
}

/// The README and everything in docs/.
fn documents() -> Vec<PathBuf> {
    let root = workspace();
    let mut files = vec![root.join("README.md")];
    let entries = fs::read_dir(root.join("docs")).expect("there is a folder docs/");
    files.extend(
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.extension() == Some("md".as_ref())),
    );
    files.sort();
    files
}

fn blocks() -> Vec<Block> {
    let blocks: Vec<_> = documents().iter().flat_map(|file| blocks_of(file, &read(file))).collect();
    assert!(blocks.len() > 5, "only {} blocks in all documents", blocks.len());
    blocks
}

fn blocks_of(file: &Path, text: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (number, line) in text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), open.take()) {
            (Some(label), None) => {
                let label = label.trim().to_owned();
                open = Some(Block { file: file.to_owned(), line: number + 1, label, text: String::new() });
            }
            (Some(_), Some(block)) => blocks.push(block),
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "{}: the last block has no end", file.display());
    blocks
}

#[track_caller]
fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_readme_opens_with_the_two_commands_that_matter() {
    let readme = read(&workspace().join("README.md"));
    let blocks = blocks_of(Path::new("README.md"), &readme);
    let shown: Vec<String> =
        blocks.iter().filter(|b| ["sh", "console"].contains(&&*b.label)).flat_map(Block::commands).collect();
    let first: Vec<_> =
        shown.iter().take(2).map(|command| command.split_whitespace().next().unwrap_or_default()).collect();
    assert_eq!(first, ["deploy/quickstart", "tests/run"]);
    for command in first {
        assert!(workspace().join(command).is_file(), "{command} is not there");
    }
}

#[test]
fn every_configuration_that_is_shown_loads() {
    let mut checked = 0;
    for block in blocks().iter().filter(|block| block.is_configuration()) {
        let (ended, _) = check_config(&block.text);
        assert_eq!(ended.code, Some(0), "{}: {}", block.place(), ended.said());
        assert!(!ended.said().to_lowercase().contains("unknown"), "{}: {}", block.place(), ended.said());
        checked += 1;
    }
    assert!(checked > 0, "no document shows a configuration");
}

#[test]
fn every_json_block_is_json() {
    for block in blocks().iter().filter(|block| block.label == "json") {
        for value in serde_json::Deserializer::from_str(&block.text).into_iter::<Value>() {
            value.unwrap_or_else(|error| panic!("{}: {error}", block.place()));
        }
    }
}

#[test]
fn every_command_that_is_shown_runs_or_is_listed() {
    let node = Node::start("docs");
    let folder = node.dir().to_string_lossy();
    fs::create_dir(node.path("target")).expect("a folder");
    symlink(bin_dir(), node.path("target/release")).expect("a link");
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths([bin_dir()].into_iter().chain(env::split_paths(&path))).expect("a search path");
    for block in blocks().iter().filter(|block| ["sh", "console"].contains(&&*block.label)) {
        for line in block.commands().iter().filter(|line| runs(line)) {
            let line =
                line.replace("/tmp/dnsplane", &format!("{folder}/dnsplane")).replace("DIR/", &format!("{folder}/"));
            let mut command = Command::new("bash");
            command.args(["-euo", "pipefail", "-c", &line]).current_dir(node.dir());
            command.env("PATH", &path).env("DNSPLANE_SOCKET", node.path("dnsplane.sock"));
            let ended = program::run(command, "");
            assert_eq!(ended.code, Some(0), "{}: `{line}`: {}", block.place(), ended.said());
        }
    }
}

#[test]
fn blocks_and_commands_are_found_as_written() {
    let text =
        "a\n```console\n$ one \\\n  two\nits output\n$ three\n```\n```json config\n{}\n```\n```sh\n# no\nfour\n```\n";
    let blocks = blocks_of(Path::new("x.md"), text);
    let labels: Vec<_> = blocks.iter().map(|block| (block.label.as_str(), block.line)).collect();
    assert_eq!(labels, [("console", 2), ("json config", 8), ("sh", 11)]);
    assert_eq!(blocks[0].commands(), ["one two", "three"]);
    assert_eq!(blocks[2].commands(), ["four"]);
}
