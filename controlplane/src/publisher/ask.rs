//! Questions to data planes, and their replies.

use super::planes::Planes;
use dnsplane_proto::pb::feed::{self as pb, command::What, reply};
use std::{collections::BTreeMap, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

/// Questions that may wait for one data plane.
pub(super) const MAX_WAITING: usize = 32;

/// What one data plane said.
#[derive(Debug)]
pub struct Asked {
    /// Its name for itself.
    pub follower: String,
    /// Its reply.
    pub reply: Result<reply::What, Unanswered>,
}

/// Why a data plane did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// Its version cannot.
    #[error("its version takes no questions; start a newer dnsplane-dns")]
    TooOld,
    /// Too many questions wait for it.
    #[error("too many questions wait for it; try again")]
    Busy,
    /// It went away.
    #[error("it went away before it replied")]
    Gone,
    /// It took too long.
    #[error("no reply within {0:?}")]
    Late(Duration),
    /// It said so itself.
    #[error("{0}")]
    Failed(String),
}

/// A question on its way to one data plane.
pub(super) struct Question {
    what: What,
    reply: oneshot::Sender<reply::What>,
}

/// Questions of one connection that wait for their replies.
#[derive(Default)]
pub(super) struct Waiting {
    last: u64,
    replies: BTreeMap<u64, oneshot::Sender<reply::What>>,
}

impl Planes {
    /// Asks all connected data planes at once, and waits for their replies no longer than this.
    pub async fn ask(&self, what: What, within: Duration) -> Vec<Asked> {
        let deadline = Instant::now() + within;
        let asked: Vec<_> =
            self.doors().into_iter().map(|(follower, door)| (follower, put(door, what.clone()))).collect();
        let mut replies = Vec::with_capacity(asked.len());
        for (follower, reply) in asked {
            let reply = match reply {
                Err(unanswered) => Err(unanswered),
                Ok(reply) => match timeout_at(deadline, reply).await {
                    Ok(Ok(reply::What::Failed(why))) => Err(Unanswered::Failed(why)),
                    Ok(Ok(what)) => Ok(what),
                    Ok(Err(_)) => Err(Unanswered::Gone),
                    Err(_) => Err(Unanswered::Late(within)),
                },
            };
            replies.push(Asked { follower, reply });
        }
        replies
    }
}

fn put(door: Option<mpsc::Sender<Question>>, what: What) -> Result<oneshot::Receiver<reply::What>, Unanswered> {
    let (reply, replied) = oneshot::channel();
    let door = door.ok_or(Unanswered::TooOld)?;
    match door.try_send(Question { what, reply }) {
        Ok(()) => Ok(replied),
        Err(mpsc::error::TrySendError::Full(_)) => Err(Unanswered::Busy),
        Err(mpsc::error::TrySendError::Closed(_)) => Err(Unanswered::Gone),
    }
}

impl Waiting {
    /// The command for a question; `None` if too many wait already, or nobody waits for this one any more.
    pub(super) fn enter(&mut self, question: Question) -> Option<pb::Command> {
        self.replies.retain(|_, reply| !reply.is_closed());
        if question.reply.is_closed() {
            return None;
        }
        if self.replies.len() >= MAX_WAITING {
            let _ = question.reply.send(reply::What::Failed(Unanswered::Busy.to_string()));
            return None;
        }
        self.last += 1;
        self.replies.insert(self.last, question.reply);
        Some(pb::Command { id: self.last, what: Some(question.what) })
    }

    /// Hands a reply to whoever waits for it. A late one finds nobody.
    pub(super) fn settle(&mut self, reply: pb::Reply) {
        let said = reply.what.unwrap_or_else(|| reply::What::Failed("it replied with nothing that we know".to_owned()));
        if let Some(waiting) = self.replies.remove(&reply.id) {
            let _ = waiting.send(said);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_millis(300);

    fn figures() -> What {
        What::CacheFigures(pb::CacheFigures {})
    }

    #[tokio::test]
    async fn every_data_plane_is_asked_and_each_reply_finds_its_question() {
        let planes = Planes::default();
        let enter = |name: &str, takes| planes.enter(name.to_owned(), String::new(), takes).unwrap();
        let (_a, mut to_a) = enter("a", true);
        let (_b, to_b) = enter("b", true);
        let (_c, _) = enter("c", false);
        let (_d, mut to_d) = enter("d", true);
        drop(to_b);
        let replies = async {
            let mut waiting = Waiting::default();
            let first = waiting.enter(to_a.recv().await.unwrap()).unwrap();
            waiting.settle(pb::Reply { id: first.id + 1, what: Some(reply::What::Flushed(1)) });
            waiting.settle(pb::Reply { id: first.id, what: Some(reply::What::Flushed(7)) });
            waiting.settle(pb::Reply { id: first.id, what: Some(reply::What::Flushed(8)) });
            // `d` keeps its question to itself.
            to_d.recv().await.unwrap()
        };
        let (asked, _kept) = tokio::join!(planes.ask(figures(), WITHIN), replies);
        let said: Vec<_> = asked.into_iter().map(|asked| (asked.follower, asked.reply)).collect();
        let expected = [
            ("a", Ok(reply::What::Flushed(7))),
            ("b", Err(Unanswered::Gone)),
            ("c", Err(Unanswered::TooOld)),
            ("d", Err(Unanswered::Late(WITHIN))),
        ];
        assert_eq!(said, expected.map(|(name, reply)| (name.to_owned(), reply)));
    }

    #[tokio::test]
    async fn questions_that_nobody_replies_to_are_bounded_and_forgotten() {
        let mut waiting = Waiting::default();
        let mut kept = Vec::new();
        for _ in 0..MAX_WAITING {
            let (reply, replied) = oneshot::channel();
            assert!(waiting.enter(Question { what: figures(), reply }).is_some());
            kept.push(replied);
        }
        let (reply, replied) = oneshot::channel();
        assert!(waiting.enter(Question { what: figures(), reply }).is_none());
        assert!(matches!(replied.await, Ok(reply::What::Failed(_))));
        kept.clear();
        let (reply, _replied) = oneshot::channel();
        assert!(waiting.enter(Question { what: figures(), reply }).is_some());
        assert_eq!(waiting.replies.len(), 1);
    }
}
