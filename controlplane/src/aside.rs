//! Files that are written beside their place and renamed into it, so that either the old or the new one is there.
//!
//! Their names say whose they are (`.dnsrecords.json.AbC123.new`), so that what a killed process left of them can be told
//! from other people's files and removed.

use std::{fs, io, path::Path};
use tempfile::{Builder, NamedTempFile};

const ENDING: &str = ".new";

/// A new file beside `path`, readable by its owner alone. Dropping it removes it.
pub(crate) fn create(path: &Path) -> io::Result<NamedTempFile> {
    Builder::new().prefix(&beginning(path)).suffix(ENDING).tempfile_in(folder(path))
}

/// Removes what interrupted runs left beside `path`. Nobody else may be writing it.
pub(crate) fn sweep(path: &Path) {
    let Ok(entries) = fs::read_dir(folder(path)) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let ours = name.to_str().is_some_and(|name| name.starts_with(&beginning(path)) && name.ends_with(ENDING));
        if ours {
            // It takes room and does no harm; whoever reads the folder sees it again.
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn beginning(path: &Path) -> String {
    format!(".{}.", path.file_name().unwrap_or_default().to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_leftovers_of_this_file_are_swept_away() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dnsrecords.json");
        let (leftover, _) = create(&path).unwrap().keep().map(|(file, path)| (path, file)).unwrap();
        for other in ["dnsrecords.json", ".dnsrecords.json.swp", ".other.json.x.new", "notes.new"] {
            fs::write(folder.path().join(other), "").unwrap();
        }
        sweep(&path);
        assert!(!leftover.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 4);
    }
}
