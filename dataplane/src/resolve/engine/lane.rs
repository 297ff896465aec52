//! The queue in front of one thread: bounded, filled many at a time, emptied all at once.

use super::{Client, Fetched, Wanted};
use std::sync::{Mutex, PoisonError};
use tokio::sync::{Notify, oneshot};

/// What may wait in one queue: some hundredths of a second of the most that one thread fetches.
const MOST: usize = 4096;

/// Something to fetch.
pub(super) enum Job {
    /// For a client, or to renew what is remembered.
    Resolve(Box<Wanted>, Option<Client>),
    /// For whoever wants to know what comes of it.
    Tell(Box<Wanted>, oneshot::Sender<Fetched>),
}

/// The queue.
#[derive(Default)]
pub(super) struct Lane {
    jobs: Mutex<Vec<Job>>,
    filled: Notify,
}

impl Lane {
    /// Adds a job, or returns it if there is no room.
    pub(super) fn push(&self, job: Job) -> Option<Job> {
        self.push_all([job].into_iter()).pop()
    }

    /// Adds jobs; returns those for which there is no room.
    pub(super) fn push_all(&self, mut jobs: impl Iterator<Item = Job>) -> Vec<Job> {
        let mut queue = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let before = queue.len();
        while queue.len() < MOST {
            let Some(job) = jobs.next() else { break };
            queue.push(job);
        }
        let wake = before == 0 && !queue.is_empty();
        drop(queue);
        if wake {
            // Whoever takes from the queue takes everything, so it need not be told again before that.
            self.filled.notify_one();
        }
        jobs.collect()
    }

    /// Waits until there are jobs.
    pub(super) async fn filled(&self) {
        self.filled.notified().await;
    }

    /// Moves all jobs to `taken`, which is empty.
    pub(super) fn take(&self, taken: &mut Vec<Job>) {
        std::mem::swap(&mut *self.jobs.lock().unwrap_or_else(PoisonError::into_inner), taken);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dnsplane_proto::RecordType;

    fn job() -> Job {
        let name = b"\x00"[..].into();
        Job::Resolve(Box::new(Wanted { name, kind: RecordType::A, dnssec_ok: false, checking_disabled: false }), None)
    }

    #[test]
    fn what_a_full_queue_does_not_take_comes_back() {
        let lane = Lane::default();
        assert!(lane.push(job()).is_none());
        assert_eq!(lane.push_all((0..MOST).map(|_| job())).len(), 1);
        assert!(lane.push(job()).is_some());
        let mut taken = Vec::new();
        lane.take(&mut taken);
        assert_eq!(taken.len(), MOST);
        assert!(lane.push(job()).is_none());
    }
}
