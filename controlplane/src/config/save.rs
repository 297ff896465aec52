//! Writes `dnsplane.json` so that either the old or the new one is there, whatever happens meanwhile.

use crate::aside;
use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::{Path, PathBuf},
};

/// Replaces the file's text: written aside, synced, renamed, the folder synced. A link stays a link, the file that it leads
/// to is replaced; mode and owner are kept.
pub(crate) fn replace(path: &Path, text: &str) -> io::Result<()> {
    let path = &target(path)?;
    let before = fs::metadata(path)?;
    let mut aside = aside::create(path)?;
    aside.write_all(text.as_bytes())?;
    let made = aside.as_file().metadata()?;
    if (made.uid(), made.gid()) != (before.uid(), before.gid()) {
        // Only root may give files away, others at most to a group of theirs. Failing that the file becomes ours, as with
        // any editor that renames.
        let _ = chown(aside.path(), Some(before.uid()), Some(before.gid()))
            .or_else(|_| chown(aside.path(), None, Some(before.gid())));
    }
    aside.as_file().set_permissions(fs::Permissions::from_mode(before.mode() & 0o777))?;
    aside.as_file().sync_all()?;
    aside.persist(path)?;
    File::open(path.parent().unwrap_or(Path::new("/")))?.sync_all()
}

/// Removes what a killed process left of a save.
pub(crate) fn sweep(path: &Path) {
    if let Ok(path) = target(path) {
        aside::sweep(&path);
    }
}

fn target(path: &Path) -> io::Result<PathBuf> {
    fs::canonicalize(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_stays_and_the_mode_is_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real.json"), folder.path().join("dnsplane.json"));
        fs::write(&real, "{}").unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o640)).unwrap();
        std::os::unix::fs::symlink("real.json", &link).unwrap();
        replace(&link, "{\"port\": \"1\"}").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&real).unwrap(), "{\"port\": \"1\"}");
        assert_eq!(fs::metadata(&real).unwrap().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "nothing is left aside");
        assert!(replace(&folder.path().join("none.json"), "{}").is_err(), "a file that is gone is not made anew");
    }
}
