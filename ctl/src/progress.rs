//! How far something has gone that takes long: a bar on standard error, if a person looks at it.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{self, IsTerminal},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// What is over by then needs no bar.
const PATIENCE: Duration = Duration::from_millis(500);
/// Between two drawings.
const PAUSE: Duration = Duration::from_millis(100);

/// A bar that shows itself when it is worth it.
pub(crate) struct Progress {
    since: Instant,
    octets: Option<u64>,
    sent: Arc<AtomicU64>,
    /// What is being done after all was sent.
    stage: Option<String>,
    bar: Option<ProgressBar>,
    is_seen: bool,
}

impl Progress {
    /// Begins with sending so many octets, if that is known.
    pub(crate) fn new(octets: Option<u64>) -> Self {
        let (since, sent, is_seen) = (Instant::now(), Arc::default(), io::stderr().is_terminal());
        Self { since, octets, sent, stage: None, bar: None, is_seen }
    }

    /// Counts the octets that were sent.
    pub(crate) fn counter(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.sent)
    }

    /// Goes on to something else.
    pub(crate) fn stage(&mut self, stage: String) {
        self.clear();
        self.since = Instant::now();
        self.stage = Some(stage);
    }

    /// Waits a moment, and draws.
    pub(crate) async fn tick(&mut self) {
        sleep(PAUSE).await;
        if !self.is_seen || self.since.elapsed() < PATIENCE {
            return;
        }
        let bar = self.bar.get_or_insert_with(|| match (&self.stage, self.octets) {
            (None, Some(octets)) => bar(Some(octets), "sending {bar:40} {bytes} of {total_bytes}"),
            (None, None) => bar(None, "sending {spinner} {bytes}"),
            (Some(_), _) => bar(None, "{msg} {spinner} {elapsed}"),
        });
        match &self.stage {
            None => bar.set_position(self.sent.load(Ordering::Relaxed)),
            Some(stage) => bar.set_message(stage.clone()),
        }
        bar.tick();
    }

    /// Takes the bar away before something else is written.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        self.since = Instant::now();
    }
}

fn bar(length: Option<u64>, template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(length, ProgressDrawTarget::stderr());
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
