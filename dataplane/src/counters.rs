//! What happened since the start, counted without locks.
//!
//! Each query thread has counters of its own, in cache lines of its own. TCP connections, which move between threads, share
//! a set: each counts a batch for itself, and adds the result. Totals are summed when someone asks. When a thread ends its
//! counts move to the totals of the past.

use crate::{
    answer::{Branch, Outcome, Replied},
    encode::Rcode,
};
use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

/// Declares the counters once: field, name and meaning.
macro_rules! counters {
    ($($(#[$doc:meta])* $field:ident),* $(,)?) => {
        /// One thread's counts.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct Counters {
            $($(#[$doc])* pub $field: Count,)*
        }

        impl Counters {
            fn values(&self) -> Totals {
                vec![$((stringify!($field), self.$field.get())),*]
            }

            /// Adds what another set has counted.
            pub fn add_all(&self, other: &Self) {
                $(self.$field.add(other.$field.get());)*
            }
        }
    };
}

counters! {
    /// Messages received, whatever became of them.
    queries_total,
    /// … over UDP.
    udp_queries,
    /// … over TCP.
    tcp_queries,
    /// … over TLS.
    dot_queries,
    /// … over HTTPS.
    doh_queries,
    /// … over QUIC.
    doq_queries,
    /// Answered from local records, negative answers included.
    answered_local,
    /// Answered because the name means the same everywhere, or because the question was about this server.
    answered_special,
    /// Answered that the name is blocked.
    blocked,
    /// Answered from what was remembered.
    answered_cache,
    /// … although it was past its time.
    answered_stale,
    /// Answered from what was fetched for this query.
    answered_upstream,
    /// Queries for which nothing was remembered.
    cache_misses,
    /// Answers that were to be renewed: popular and near their end, or past their time.
    cache_renewals,
    /// Fetched, or being fetched, for a query or to renew what was remembered.
    forwarded,
    /// Replies SERVFAIL: nobody had an answer.
    servfail,
    /// Replies NXDOMAIN.
    nxdomain,
    /// Replies that say: the name exists, the type does not.
    nodata,
    /// Replies REFUSED.
    refused,
    /// Replies FORMERR.
    formerr,
    /// Replies NOTIMP.
    notimp,
    /// Replies BADVERS.
    badvers,
    /// Replies YXDOMAIN: a DNAME would make the name too long.
    yxdomain,
    /// Replies NOTAUTH: a transfer of what is no zone of ours was asked for.
    notauth,
    /// Replies that point to other servers: the name is below a zone cut.
    referrals,
    /// Replies with TC.
    truncated,
    /// Messages without a reply: not queries.
    dropped,
    /// Replies REFUSED or TC because of a limit, instead of others.
    rate_limited,
    /// Replies that were not sent because of a limit.
    withheld,
    /// Replies that the kernel did not take.
    send_errors,
    /// TCP connections accepted.
    tcp_connections,
    /// … of DNS over TLS.
    dot_connections,
    /// … of DNS over HTTPS.
    doh_connections,
    /// QUIC connections accepted.
    doq_connections,
    /// Connections of any kind closed at once: too many, in all or of one client, and none of them idle.
    tcp_rejected,
    /// Connections that were closed because they were idle and others needed their place.
    tcp_evicted,
    /// Connections closed because the client did not read, or did not finish its query.
    tcp_timeouts,
    /// TLS and QUIC handshakes that failed or took too long.
    handshakes_failed,
    /// HTTP requests that were no DNS queries.
    http_refused,
}

/// Names and values.
pub type Totals = Vec<(&'static str, u64)>;

/// One counter. Relaxed: nothing is ordered by it.
#[derive(Debug, Default)]
pub struct Count(AtomicU64);

impl Count {
    /// One more. For the thread that owns the counter: it is read and then written, which is cheaper than an atomic
    /// addition, and loses what others add at that moment.
    #[inline]
    pub fn increment(&self) {
        self.0.store(self.get() + 1, Relaxed);
    }

    /// So many more, on a counter that anybody adds to.
    pub fn add(&self, more: u64) {
        if more > 0 {
            self.0.fetch_add(more, Relaxed);
        }
    }

    /// The value now.
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Counters {
    /// Counts what became of one message.
    #[inline]
    pub fn count(&self, outcome: &Outcome) {
        self.queries_total.increment();
        match outcome {
            Outcome::Dropped => self.dropped.increment(),
            Outcome::Withheld => self.withheld.increment(),
            Outcome::Replied(replied) => self.count_reply(*replied),
            Outcome::ToRenew(replied, _) => {
                self.cache_renewals.increment();
                self.count_reply(*replied);
            }
            // What it is answered is counted when there is a reply.
            Outcome::Unresolved(_) => self.cache_misses.increment(),
        }
    }

    /// Counts what a reply says.
    #[inline]
    pub fn count_reply(&self, replied: Replied) {
        match replied.branch {
            Branch::Local => self.answered_local.increment(),
            Branch::Special => self.answered_special.increment(),
            Branch::Blocked => self.blocked.increment(),
            Branch::Cache => self.answered_cache.increment(),
            Branch::Stale => self.answered_stale.increment(),
            Branch::Upstream => self.answered_upstream.increment(),
            Branch::Limited => self.rate_limited.increment(),
            Branch::Invalid | Branch::Refused | Branch::Failed => {}
        }
        match replied.rcode {
            Rcode::NoError if replied.referral => self.referrals.increment(),
            Rcode::NoError if replied.nodata => self.nodata.increment(),
            Rcode::NoError => {}
            Rcode::FormErr => self.formerr.increment(),
            Rcode::ServFail => self.servfail.increment(),
            Rcode::NxDomain => self.nxdomain.increment(),
            Rcode::NotImp => self.notimp.increment(),
            Rcode::Refused => self.refused.increment(),
            Rcode::BadVers => self.badvers.increment(),
            Rcode::YxDomain => self.yxdomain.increment(),
            Rcode::NotAuth => self.notauth.increment(),
        }
        if replied.truncated {
            self.truncated.increment();
        }
    }
}

/// The counters of all threads.
#[derive(Debug, Default)]
pub struct Registry {
    parts: Mutex<Vec<Arc<Counters>>>,
    past: Counters,
}

impl Registry {
    /// Counters for a new thread.
    pub fn register(&self) -> Arc<Counters> {
        let counters = Arc::new(Counters::default());
        self.parts.lock().unwrap_or_else(PoisonError::into_inner).push(counters.clone());
        counters
    }

    /// The sums, by name.
    pub fn totals(&self) -> Totals {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.retain(|part| {
            // Nobody counts here any more; only this list holds it, so nobody can begin to.
            let over = Arc::strong_count(part) == 1;
            if over {
                self.past.add_all(part);
            }
            !over
        });
        let sum = Counters::default();
        parts.iter().map(|part| &**part).chain([&self.past]).for_each(|part| sum.add_all(part));
        sum.values()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_threads_that_ended_are_kept() {
        let registry = Registry::default();
        let (one, two) = (registry.register(), registry.register());
        one.count(&Outcome::Dropped);
        two.count(&Outcome::Dropped);
        drop(one);
        for _ in 0..2 {
            let totals = registry.totals();
            assert!(totals.contains(&("dropped", 2)) && totals.contains(&("queries_total", 2)));
        }
    }

    #[test]
    fn each_reply_is_counted_by_what_it_says() {
        let counters = Counters::default();
        let replied = |branch, rcode, nodata| {
            counters.count(&Outcome::Replied(Replied { branch, rcode, nodata, referral: false, truncated: false }));
        };
        replied(Branch::Local, Rcode::NoError, false);
        replied(Branch::Local, Rcode::NoError, true);
        replied(Branch::Local, Rcode::NxDomain, false);
        replied(Branch::Special, Rcode::NoError, false);
        replied(Branch::Refused, Rcode::Refused, false);
        replied(Branch::Invalid, Rcode::BadVers, false);
        let counts =
            [&counters.answered_local, &counters.nodata, &counters.nxdomain, &counters.refused, &counters.badvers];
        assert_eq!(counts.map(Count::get), [3, 1, 1, 1, 1]);
    }
}
