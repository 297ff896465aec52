//! Which socket to knock on when nobody said so.

use std::{
    env,
    path::{Path, PathBuf},
};

/// Where the packaged units put the admin socket.
const PACKAGED: &str = "/run/dnsplane/dnsplane.sock";

/// What of the surroundings decides the default.
struct Surroundings {
    root: bool,
    temporary: Option<PathBuf>,
    runtime: Option<PathBuf>,
    home: Option<PathBuf>,
}

/// The default admin socket: the packaged one if it is there, else the one of a node that was started by hand.
pub(crate) fn default_path() -> PathBuf {
    let packaged = Path::new(PACKAGED);
    // A folder that may not be entered must show itself as such, not as "another default does not exist".
    let absent = matches!(packaged.try_exists(), Ok(false));
    if absent { by_hand(&Surroundings::now()) } else { packaged.to_owned() }
}

impl Surroundings {
    fn now() -> Self {
        let path = |key| env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from);
        Self {
            root: nix::unistd::geteuid().is_root(),
            temporary: path("TMPDIR"),
            runtime: path("XDG_RUNTIME_DIR"),
            home: path("HOME"),
        }
    }
}

/// Where existing nodes, and ours without `server_socket`, listen.
fn by_hand(surroundings: &Surroundings) -> PathBuf {
    let temporary = surroundings.temporary.clone().unwrap_or_else(|| PathBuf::from("/tmp"));
    let folder = match (&surroundings.runtime, &surroundings.home) {
        _ if surroundings.root => temporary,
        (Some(runtime), _) => runtime.clone(),
        (None, Some(home)) => home.join(".config/dnsplane"),
        (None, None) => temporary,
    };
    folder.join("dnsplane.socket")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_where_existing_nodes_listen() {
        let path = |root, temporary: &str, runtime: &str, home: &str| {
            let set = |text: &str| Some(PathBuf::from(text)).filter(|path| !path.as_os_str().is_empty());
            let (temporary, runtime, home) = (set(temporary), set(runtime), set(home));
            by_hand(&Surroundings { root, temporary, runtime, home }).display().to_string()
        };
        assert_eq!(path(true, "", "/run/user/0", "/root"), "/tmp/dnsplane.socket");
        assert_eq!(path(true, "/scratch", "", ""), "/scratch/dnsplane.socket");
        assert_eq!(path(false, "", "/run/user/7", "/home/x"), "/run/user/7/dnsplane.socket");
        assert_eq!(path(false, "", "", "/home/x"), "/home/x/.config/dnsplane/dnsplane.socket");
        assert_eq!(path(false, "", "", ""), "/tmp/dnsplane.socket");
    }
}
