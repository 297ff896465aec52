//! One answer, in a form that replies are made from without another look at what is in it.
//!
//! ```text
//! name         wire form, lower case: what it is found by
//! body         answer and authority section as they stand behind a question of that name
//! TTLs         u16 each: where in the body a TTL is
//! pointers     u16 each: where in the body a compression pointer is
//! ```
//! A reply to the question itself is one copy of the body, and new TTLs. Behind aliases of ours both the name and the body are
//! elsewhere in the message: then each pointer is moved, too.

use super::{About, Asked, MAX_BODY, Unusable, form::Form, message::Message, select::select};
use crate::{
    encode::Rcode,
    message::HEADER,
    resolve::{Security, Wanted},
};
use dnsplane_proto::RecordType;
use std::sync::{
    Arc,
    atomic::{AtomicU8, AtomicU32, Ordering::Relaxed},
};

/// No answer is told, or kept, for longer (RFC 8767 §4 has a week as the most that makes sense).
const MAX_TTL: u32 = 86_400;
/// … nor that there is nothing (RFC 2308 §5).
const MAX_NEGATIVE_TTL: u32 = 10_800;
/// Of nothing that comes without an SOA, which says nothing of how long (RFC 2308 §5): so long that a client that asks again
/// at once does not trouble the upstream.
const UNSAID_TTL: u32 = 30;
/// So often an answer has to be asked for until it is popular.
const POPULAR: u8 = 3;
/// So many seconds after an answer should have been renewed this is tried again.
const RENEW_AGAIN: u32 = 5;
/// What part of its time a popular answer has left when it is renewed.
const NEAR_THE_END: u32 = 10;
/// Octets of an answer beside those of its name and its records: itself, its counts of references, and what its two allocations
/// take.
const OVERHEAD: usize = size_of::<CachedAnswer>() + 16 + 2 * 16;

/// An upstream's answer in a form that replies are made from without another look at it.
#[derive(Debug)]
pub struct CachedAnswer {
    octets: Box<[u8]>,
    source: Arc<str>,
    name: u8,
    body: u16,
    ttls: u16,
    pointers: u16,
    answers: u16,
    authorities: u16,
    kind: RecordType,
    rcode: Rcode,
    dnssec_ok: bool,
    checking_disabled: bool,
    is_negative: bool,
    security: Security,
    extended: Option<u16>,
    stored: u32,
    ttl: u32,
    hits: AtomicU8,
    /// Not to be renewed before this time; 0: at any time.
    renew_after: AtomicU32,
}

/// How much of its time an answer has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// So many seconds.
    Fresh(u32),
    /// It is so many seconds past its time.
    Stale(u32),
}

impl CachedAnswer {
    /// Makes it of a message, which is what an upstream sent. `least_ttl` is what an answer with records is kept for in any
    /// case.
    pub(super) fn of(wanted: &Wanted, message: &[u8], about: &About, least_ttl: u32) -> Result<Self, Unusable> {
        let asked = wanted.asked();
        let octets = message.len();
        let message = Message::parse(message, asked)?;
        let selected = select(&message, asked)?;
        let mut ttl = if !selected.is_negative {
            MAX_TTL
        } else if selected.has_soa {
            MAX_NEGATIVE_TTL
        } else {
            UNSAID_TTL
        };
        ttl = ttl.min(about.at_most);
        let most = ttl;
        let mut form = Form::new(&wanted.name, octets);
        let records = selected.answers.iter().map(|record| (record, false));
        let records = records.chain(selected.authorities.iter().map(|record| (record, true)));
        for (record, is_authority) in records {
            // RFC 2181 §8: a TTL with its highest bit set is 0.
            let mut told = if record.ttl > i32::MAX as u32 { 0 } else { record.ttl };
            if is_authority && record.kind == RecordType::SOA {
                // RFC 2308 §5. The five numbers end the RDATA.
                told = message.rdata(record).last_chunk().map_or(0, |last| told.min(u32::from_be_bytes(*last)));
            }
            told = told.min(most);
            if !selected.is_negative {
                told = told.max(least_ttl);
            }
            told = told.min(about.at_most);
            ttl = ttl.min(told);
            form.record(&message, record, told)?;
        }
        let body = form.body.len();
        let places = form.ttls.iter().chain(&form.pointers).flat_map(|place| place.to_le_bytes());
        let mut octets = Vec::with_capacity(wanted.name.len() + body + 2 * (form.ttls.len() + form.pointers.len()));
        octets.extend_from_slice(&wanted.name);
        octets.extend_from_slice(&form.body);
        octets.extend(places);
        debug_assert!(body <= MAX_BODY, "its length has a place");
        Ok(Self {
            octets: octets.into(),
            source: about.source.clone(),
            name: wanted.name.len() as u8,
            body: body as u16,
            ttls: form.ttls.len() as u16,
            pointers: form.pointers.len() as u16,
            answers: selected.answers.len() as u16,
            authorities: selected.authorities.len() as u16,
            kind: wanted.kind,
            rcode: message.rcode,
            dnssec_ok: wanted.dnssec_ok,
            checking_disabled: wanted.checking_disabled,
            is_negative: selected.is_negative,
            security: about.security,
            extended: message.extended,
            stored: about.now,
            ttl,
            hits: AtomicU8::new(0),
            renew_after: AtomicU32::new(0),
        })
    }

    /// No answer to anything: what is in a place that is free.
    pub(super) fn nothing() -> Self {
        Self {
            octets: Box::default(),
            source: "".into(),
            name: 0,
            body: 0,
            ttls: 0,
            pointers: 0,
            answers: 0,
            authorities: 0,
            kind: RecordType(0),
            rcode: Rcode::ServFail,
            dnssec_ok: false,
            checking_disabled: false,
            is_negative: false,
            security: Security::Unchecked,
            extended: None,
            stored: 0,
            ttl: 0,
            hits: AtomicU8::new(0),
            renew_after: AtomicU32::new(0),
        }
    }

    /// What it answers.
    pub fn asked(&self) -> Asked<'_> {
        Asked {
            name: &self.octets[..usize::from(self.name)],
            kind: self.kind,
            dnssec_ok: self.dnssec_ok,
            checking_disabled: self.checking_disabled,
        }
    }

    /// What has to be fetched to renew it.
    pub fn wanted(&self) -> Wanted {
        self.asked().wanted()
    }

    /// The upstream that gave it.
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// Whether it is what its zone signed.
    pub fn security(&self) -> Security {
        self.security
    }

    /// NOERROR or NXDOMAIN.
    pub fn rcode(&self) -> Rcode {
        self.rcode
    }

    /// Whether it says that there is nothing.
    pub fn is_negative(&self) -> bool {
        self.is_negative
    }

    /// Records of the answer section and of the authority section.
    pub fn counts(&self) -> [u16; 2] {
        [self.answers, self.authorities]
    }

    /// The extended error that it came with (RFC 8914).
    pub fn extended(&self) -> Option<u16> {
        self.extended
    }

    /// Seconds for which it is fresh, from the time when it was fetched.
    pub fn ttl(&self) -> u32 {
        self.ttl
    }

    /// Octets of memory that it takes.
    pub fn size(&self) -> usize {
        OVERHEAD + self.octets.len()
    }

    /// Seconds since it was fetched. A clock that was set back makes nothing old.
    pub fn age(&self, now: u32) -> u32 {
        let age = now.wrapping_sub(self.stored);
        if age > i32::MAX as u32 { 0 } else { age }
    }

    /// Whether it is past its time.
    pub fn freshness(&self, now: u32) -> Freshness {
        let age = self.age(now);
        if age < self.ttl { Freshness::Fresh(self.ttl - age) } else { Freshness::Stale(age - self.ttl) }
    }

    /// The octets that are copied into a reply.
    pub(crate) fn body(&self) -> &[u8] {
        let start = usize::from(self.name);
        &self.octets[start..start + usize::from(self.body)]
    }

    /// Where the body starts in a reply to the question itself.
    pub(crate) fn starts_at(&self) -> usize {
        HEADER + usize::from(self.name) + 4
    }

    /// Where TTLs are in the body.
    pub(crate) fn ttl_places(&self) -> impl Iterator<Item = usize> + '_ {
        self.places(0, self.ttls)
    }

    /// Where pointers are in the body.
    pub(crate) fn pointer_places(&self) -> impl Iterator<Item = usize> + '_ {
        self.places(self.ttls, self.pointers)
    }

    fn places(&self, skip: u16, count: u16) -> impl Iterator<Item = usize> + '_ {
        let start = usize::from(self.name) + usize::from(self.body) + 2 * usize::from(skip);
        let octets = self.octets.get(start..start + 2 * usize::from(count)).unwrap_or_default();
        octets.as_chunks::<2>().0.iter().map(|place| usize::from(u16::from_le_bytes(*place)))
    }

    /// Notes that it was asked for. Counts of two threads at once may be one: that is good enough.
    #[inline]
    pub(crate) fn hit(&self) {
        let hits = self.hits();
        if hits < POPULAR {
            self.hits.store(hits + 1, Relaxed);
        }
    }

    /// How often it was asked for, up to what makes it popular.
    pub(super) fn hits(&self) -> u8 {
        self.hits.load(Relaxed)
    }

    /// When it was fetched.
    pub(super) fn stored(&self) -> u32 {
        self.stored
    }

    /// Forgets one time that it was asked for; false if there was none.
    pub(super) fn cool(&self) -> bool {
        let hits = self.hits();
        self.hits.store(hits.saturating_sub(1), Relaxed);
        hits > 0
    }

    /// Whether it is popular and near its end.
    #[inline]
    pub(crate) fn is_worth_renewing(&self, left: u32) -> bool {
        u64::from(left) * u64::from(NEAR_THE_END) <= u64::from(self.ttl) && self.hits() >= POPULAR
    }

    /// Whether it is for the caller to have it renewed: nobody else was told so a short time ago.
    pub(crate) fn take_renewal(&self, now: u32) -> bool {
        let after = self.renew_after.load(Relaxed);
        let waits = after != 0 && after.wrapping_sub(now) <= RENEW_AGAIN && after != now;
        if waits {
            return false;
        }
        let next = now.wrapping_add(RENEW_AGAIN).max(1);
        self.renew_after.compare_exchange(after, next, Relaxed, Relaxed).is_ok()
    }
}
