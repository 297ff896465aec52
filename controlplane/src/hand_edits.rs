//! Files that people edit by hand while we run.

use notify::{RecursiveMode, Watcher};
use std::{path::Path, time::Duration};
use tokio::sync::mpsc;
use tracing::warn;

/// Editors write in several steps; this long after the last one we look.
pub(crate) const SETTLE: Duration = Duration::from_millis(200);
/// How often we look without having been told: network file systems tell nothing.
pub(crate) const POLL: Duration = Duration::from_secs(30);

/// Tells of every change of a file for as long as the watcher is kept. It watches the folder, since editors replace files;
/// what happens to other files in it is passed over.
pub(crate) fn watch_file(path: &Path, told: mpsc::Sender<()>) -> Option<notify::RecommendedWatcher> {
    let name = path.file_name()?.to_owned();
    let folder = path.parent()?.to_owned();
    let handler = move |event: notify::Result<notify::Event>| {
        let ours = |event: &notify::Event| event.paths.iter().any(|path| path.file_name() == Some(&name));
        if event.is_ok_and(|event| !event.kind.is_access() && ours(&event)) {
            // A full channel already says what we have to say.
            let _ = told.try_send(());
        }
    };
    let started = notify::recommended_watcher(handler).and_then(|mut watcher| {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    let failed = |error: &notify::Error| {
        warn!(%error, path = %path.display(), "cannot watch this file for edits by hand; looking every 30 s instead");
    };
    started.inspect_err(failed).ok()
}
