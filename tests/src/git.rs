//! A bare Git repository, and whoever pushes to it.

use crate::program::{self, Ended};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};
use tempfile::TempDir;

/// The repository and a working tree, in a folder of their own.
#[derive(Debug)]
pub struct Repository {
    dir: TempDir,
}

impl Repository {
    /// One whose branch `main` has a commit without files.
    pub fn new() -> Self {
        let repository = Self::empty();
        repository.git(&["commit", "--quiet", "--allow-empty", "-m", "begin"]);
        repository.push("main");
        repository
    }

    /// One without any commit.
    pub fn empty() -> Self {
        let dir = tempfile::Builder::new().prefix("dnsplane-git-").tempdir().expect("a temporary folder");
        let repository = Self { dir };
        for (folder, arguments) in [
            ("dns.git", ["init", "--quiet", "--bare", "-b", "main"].as_slice()),
            ("work", &["init", "--quiet", "-b", "main"]),
        ] {
            fs::create_dir(repository.dir.path().join(folder)).expect("a folder");
            repository.run(folder, arguments).success();
        }
        repository
    }

    /// Where the bare one is.
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("dns.git")
    }

    /// The folder that it is in, as a server of repositories has it.
    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    /// Its address on this machine.
    pub fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// The working tree.
    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// Writes a file, commits all and pushes to `main`; the commit.
    pub fn commit(&self, path: &str, text: &str) -> String {
        let file = self.work().join(path);
        fs::create_dir_all(file.parent().expect("a file is in a folder")).expect("a folder");
        fs::write(file, text).expect("the working tree is writable");
        self.commit_all(&format!("change {path}"))
    }

    /// Commits whatever the working tree holds and pushes to `main`; the commit.
    pub fn commit_all(&self, subject: &str) -> String {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "-m", subject]);
        self.push("main")
    }

    /// Makes a branch of the bare repository what the working tree has committed; the commit.
    pub fn push(&self, branch: &str) -> String {
        let bare = self.path().display().to_string();
        self.git(&["push", "--quiet", "--force", &bare, &format!("HEAD:refs/heads/{branch}")]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Runs Git in the working tree; what it printed.
    #[track_caller]
    pub fn git(&self, arguments: &[&str]) -> String {
        self.run("work", arguments).success()
    }

    /// The same, with something on its standard input.
    #[track_caller]
    pub fn git_with(&self, arguments: &[&str], input: &str) -> String {
        self.run_with("work", arguments, input).success()
    }

    /// Runs Git in the bare repository; what it printed.
    #[track_caller]
    pub fn bare(&self, arguments: &[&str]) -> String {
        self.run("dns.git", arguments).success()
    }

    fn run(&self, folder: &str, arguments: &[&str]) -> Ended {
        self.run_with(folder, arguments, "")
    }

    fn run_with(&self, folder: &str, arguments: &[&str], input: &str) -> Ended {
        let mut command = Command::new("git");
        command.args(arguments).current_dir(self.dir.path().join(folder));
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null").env_remove("GIT_DIR");
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "Ada").env(format!("GIT_{who}_EMAIL"), "ada@dns.test");
        }
        program::run(command, input)
    }
}

impl Default for Repository {
    fn default() -> Self {
        Self::new()
    }
}
