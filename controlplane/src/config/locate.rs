//! Where `dnsplane.json` is when nobody says, and where sockets go when the file does not.

use super::ConfigError;
use std::{
    env, io,
    path::{Path, PathBuf},
};

/// What the rest of the file tree is called.
const FILE: &str = "dnsplane.json";

/// The parts of a process's surroundings that defaults depend on.
#[derive(Clone, Debug, Default)]
pub struct Surroundings {
    /// Folder of the running program.
    pub program: Option<PathBuf>,
    /// Whether we run as root.
    pub root: bool,
    /// `$HOME`.
    pub home: Option<PathBuf>,
    /// `$XDG_CONFIG_HOME`.
    pub config_home: Option<PathBuf>,
    /// `$XDG_RUNTIME_DIR`.
    pub runtime: Option<PathBuf>,
    /// `$TMPDIR`.
    pub temporary: Option<PathBuf>,
}

impl Surroundings {
    /// Those of this process.
    pub fn of_this_process() -> Self {
        let path = |name| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            program: env::current_exe().ok().and_then(|program| Some(program.parent()?.to_owned())),
            root: nix::unistd::geteuid().is_root(),
            home: path("HOME"),
            config_home: path("XDG_CONFIG_HOME"),
            runtime: path("XDG_RUNTIME_DIR"),
            temporary: path("TMPDIR"),
        }
    }

    /// The admin socket, where existing nodes have it and dnsplanectl looks for it.
    pub fn admin_socket(&self) -> PathBuf {
        let temporary = || self.temporary.clone().unwrap_or_else(|| "/tmp".into());
        let folder = match (&self.runtime, &self.home) {
            _ if self.root => temporary(),
            (Some(runtime), _) => runtime.clone(),
            (None, Some(home)) => home.join(".config/dnsplane"),
            (None, None) => temporary(),
        };
        folder.join("dnsplane.socket")
    }

    /// The configuration file: the given one (a folder, or a name without a dot, means the file of the usual name in
    /// it), else the first that exists beside the program, in the user's configuration folder and in `/etc`.
    pub fn locate(&self, given: Option<&Path>) -> Result<PathBuf, ConfigError> {
        if let Some(given) = given {
            let dotless = given.file_name().is_none_or(|name| !name.as_encoded_bytes().contains(&b'.'));
            return Ok(if given.is_dir() || (dotless && !given.is_file()) {
                given.join(FILE)
            } else {
                given.to_owned()
            });
        }
        let config_home = self.config_home.clone().or_else(|| Some(self.home.as_ref()?.join(".config")));
        let candidates = [
            self.program.as_ref().map(|folder| folder.join(FILE)),
            config_home.map(|folder| folder.join("dnsplane").join(FILE)),
            Some(Path::new("/etc").join(FILE)),
        ];
        let candidates: Vec<PathBuf> = candidates.into_iter().flatten().collect();
        for path in &candidates {
            match path.metadata() {
                Ok(_) => return Ok(path.clone()),
                Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
                Err(source) => return Err(ConfigError::Read { path: path.clone(), source }),
            }
        }
        let tried = candidates.iter().map(|path| format!("`{}`", path.display())).collect::<Vec<_>>().join(", ");
        Err(ConfigError::NowhereFound { tried })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_looked_for_beside_the_program_then_at_home() {
        let folder = tempfile::tempdir().unwrap();
        let (program, home) = (folder.path().join("bin"), folder.path().join("home"));
        let here = Surroundings { program: Some(program.clone()), home: Some(home.clone()), ..Surroundings::default() };
        if !Path::new("/etc").join(FILE).exists() {
            let refusal = here.locate(None).unwrap_err().to_string();
            assert!(refusal.contains("--config") && refusal.contains("/etc/dnsplane.json"), "{refusal}");
        }
        for path in [home.join(".config/dnsplane/dnsplane.json"), program.join("dnsplane.json")] {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, "{}").unwrap();
            assert_eq!(here.locate(None).unwrap(), path);
        }
    }

    #[test]
    fn a_folder_stands_for_the_file_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let here = Surroundings::default();
        for (given, found) in [
            (folder.path().to_owned(), folder.path().join(FILE)),
            (PathBuf::from("/srv/new/node"), PathBuf::from("/srv/new/node/dnsplane.json")),
            (PathBuf::from("/srv/new/my.json"), PathBuf::from("/srv/new/my.json")),
        ] {
            assert_eq!(here.locate(Some(&given)).unwrap(), found);
        }
    }

    #[test]
    fn the_admin_socket_is_where_dnsplanectl_looks() {
        let path = |text: &str| Some(PathBuf::from(text)).filter(|_| !text.is_empty());
        for (root, temporary, runtime, home, socket) in [
            (true, "", "/run/user/0", "/root", "/tmp/dnsplane.socket"),
            (true, "/scratch", "", "", "/scratch/dnsplane.socket"),
            (false, "", "/run/user/7", "/home/x", "/run/user/7/dnsplane.socket"),
            (false, "", "", "/home/x", "/home/x/.config/dnsplane/dnsplane.socket"),
            (false, "", "", "", "/tmp/dnsplane.socket"),
        ] {
            let (temporary, runtime, home) = (path(temporary), path(runtime), path(home));
            let here = Surroundings { root, temporary, runtime, home, ..Surroundings::default() };
            assert_eq!(here.admin_socket(), PathBuf::from(socket));
        }
    }
}
