//! Unix sockets that two programs of one machine meet at.

use std::{
    fs, io,
    os::unix::fs::{FileTypeExt, PermissionsExt},
    path::{Path, PathBuf},
};
use tokio::net::{UnixListener, UnixStream};

/// Why a socket could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Something answers there already.
    #[error("socket `{0}` is in use by another process; stop that one, or configure another path")]
    InUse(PathBuf),
    /// The path holds something that is not a socket, which we will not remove.
    #[error("`{0}` exists and is not a socket; move it away, or configure another path")]
    NotASocket(PathBuf),
    /// The operating system refuses.
    #[error("cannot open socket `{path}`: {source}{hint}")]
    Bind {
        /// The path.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
        /// What to do, if we know.
        hint: &'static str,
    },
}

/// Binds a socket that owner and group may use, replacing one that a dead process left behind.
pub async fn bind(path: &Path) -> Result<UnixListener, SocketError> {
    let failed = |source: io::Error| {
        let hint = match source.kind() {
            io::ErrorKind::NotFound => "; its folder must exist",
            io::ErrorKind::PermissionDenied => "; this user may not write to its folder",
            io::ErrorKind::InvalidInput => "; the path is longer than a socket's path may be (107 bytes)",
            _ => "",
        };
        SocketError::Bind { path: path.to_owned(), source, hint }
    };
    match fs::symlink_metadata(path) {
        Ok(metadata) if metadata.file_type().is_socket() => {
            if UnixStream::connect(path).await.is_ok() {
                return Err(SocketError::InUse(path.to_owned()));
            }
            fs::remove_file(path).map_err(failed)?;
        }
        Ok(_) => return Err(SocketError::NotASocket(path.to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o660)).map_err(failed)?;
    Ok(listener)
}
