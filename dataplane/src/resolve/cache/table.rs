//! Where answers are kept: a table of small buckets that is read without a lock, and changed by one at a time.
//!
//! A reader writes nothing that another processor looks at: no lock, no count of references (an [`ArcSwap`] notes its readers
//! in memory of their own threads). With a map behind locks the processors that answer spend most of a look-up waiting for
//! each other's last one (docs/performance.md).
//!
//! A bucket is one line of a processor's cache: seven places, and an octet of each one's hash, which spares looking at most
//! answers that are not wanted. An answer has a place in one bucket alone. When that is full, or all answers together take too
//! much, those go that nobody has asked for since a hand last came by (the clock algorithm, with a few bits for each answer:
//! [`CachedAnswer::cool`]). So a flood of names that are asked for once takes room from others like them.

use super::{Asked, CachedAnswer};
use arc_swap::{ArcSwap, Guard};
use std::{
    hint::black_box,
    iter,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU8, AtomicU64, Ordering::Relaxed},
    },
};

/// Places in a bucket.
const PLACES: usize = 7;
/// Answers that are fetched into the processor's cache together: a thread may look at so many without counting references.
const TOGETHER: usize = 6;
/// Octets of the smallest answers that are common; there is a place for each so many octets that may be taken.
const SMALL_ANSWER: u64 = 128;

/// Answers of upstreams, bounded in octets.
pub(super) struct Table {
    buckets: Box<[Bucket]>,
    /// What is in a place that is free.
    nothing: Arc<CachedAnswer>,
    /// The bucket that the hand comes to next. Whoever changes anything holds it.
    hand: Mutex<usize>,
    entries: AtomicU64,
    octets: AtomicU64,
    /// Octets that answers and buckets may take.
    most: u64,
}

#[repr(align(64))]
struct Bucket {
    places: [ArcSwap<CachedAnswer>; PLACES],
    tags: [AtomicU8; PLACES],
}

/// An answer that was found.
pub struct Found(Guard<Arc<CachedAnswer>>);

impl std::ops::Deref for Found {
    type Target = CachedAnswer;

    #[inline]
    fn deref(&self) -> &CachedAnswer {
        &self.0
    }
}

impl Table {
    /// For so many octets, its own included.
    pub(super) fn new(most: u64) -> Self {
        let nothing = Arc::new(CachedAnswer::nothing());
        let places = usize::try_from(most / SMALL_ANSWER).unwrap_or(usize::MAX);
        let bucket =
            || Bucket { places: std::array::from_fn(|_| ArcSwap::new(nothing.clone())), tags: Default::default() };
        let buckets = iter::repeat_with(bucket).take((places / PLACES).max(1)).collect();
        Self { buckets, nothing, hand: Mutex::default(), entries: AtomicU64::new(0), octets: AtomicU64::new(0), most }
    }

    pub(super) fn most(&self) -> u64 {
        self.most
    }

    pub(super) fn entries(&self) -> u64 {
        self.entries.load(Relaxed)
    }

    /// Octets of all answers.
    pub(super) fn octets(&self) -> u64 {
        self.octets.load(Relaxed)
    }

    #[inline]
    pub(super) fn find(&self, hash: u64, asked: Asked<'_>) -> Option<Found> {
        let tagged = self.bucket(hash).tagged(tag(hash, asked));
        tagged.map(|place| Found(place.load())).find(|found| found.asked() == asked)
    }

    /// Fetches what look-ups with these hashes will look at into the processor's cache, each step for all of them before the
    /// next. Says nothing about them.
    pub(super) fn warm(&self, hashes: &[u64]) {
        let mut sum = hashes.iter().fold(0, |sum, hash| sum ^ self.bucket(*hash).tags[0].load(Relaxed));
        for hashes in hashes.chunks(TOGETHER) {
            let mut found: [Option<Guard<Arc<CachedAnswer>>>; TOGETHER] = Default::default();
            for (hash, found) in hashes.iter().zip(&mut found) {
                *found = self.bucket(*hash).likely(*hash as u8).map(ArcSwap::load);
            }
            // One after the other, each for all: their waits are side by side.
            let found = || found.iter().flatten();
            sum = found().fold(sum, |sum, answer| sum ^ answer.hits());
            sum = found().fold(sum, |sum, answer| sum ^ answer.body().first().copied().unwrap_or_default());
        }
        black_box(sum);
    }

    /// Keeps an answer, in the place of one to the same question if there is one.
    pub(super) fn insert(&self, hash: u64, answer: Arc<CachedAnswer>) {
        let mut hand = self.change();
        let (bucket, tag) = (self.bucket(hash), tag(hash, answer.asked()));
        let same = |place: &&ArcSwap<CachedAnswer>| place.load().asked() == answer.asked();
        let at = match bucket.tagged(tag).find(same) {
            Some(place) => bucket.number(place),
            None => bucket.least_wanted(&self.nothing),
        };
        self.octets.fetch_add(answer.size() as u64, Relaxed);
        self.entries.fetch_add(1, Relaxed);
        self.replace(&bucket.places[at], answer);
        bucket.tags[at].store(tag, Relaxed);
        self.shrink(&mut hand);
    }

    /// All answers, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = Arc<CachedAnswer>> + '_ {
        self.buckets.iter().flat_map(|bucket| &bucket.places).filter_map(|place| {
            let answer = place.load();
            (!self.is_nothing(&answer)).then(|| Guard::into_inner(answer))
        })
    }

    /// Drops those that this is true of; returns how many there were.
    pub(super) fn remove(&self, mut goes: impl FnMut(&CachedAnswer) -> bool) -> u64 {
        let _hand = self.change();
        let mut gone = 0;
        for place in self.buckets.iter().flat_map(|bucket| &bucket.places) {
            let answer = place.load();
            if !self.is_nothing(&answer) && goes(&answer) {
                self.replace(place, self.nothing.clone());
                gone += 1;
            }
        }
        gone
    }

    /// Until the answers fit: those that cooled down go. The hand comes by each answer a few times at most.
    fn shrink(&self, hand: &mut usize) {
        let most = self.most.saturating_sub(size_of_val(&*self.buckets) as u64);
        while self.octets() > most {
            let bucket = &self.buckets[*hand % self.buckets.len()];
            *hand = (*hand + 1) % self.buckets.len();
            for place in &bucket.places {
                let answer = place.load();
                if !self.is_nothing(&answer) && !answer.cool() {
                    self.replace(place, self.nothing.clone());
                }
            }
        }
    }

    /// Puts something into a place, and counts what was there as gone.
    fn replace(&self, place: &ArcSwap<CachedAnswer>, with: Arc<CachedAnswer>) {
        let old = place.swap(with);
        if !self.is_nothing(&old) {
            self.octets.fetch_sub(old.size() as u64, Relaxed);
            self.entries.fetch_sub(1, Relaxed);
        }
    }

    fn is_nothing(&self, answer: &Arc<CachedAnswer>) -> bool {
        Arc::ptr_eq(answer, &self.nothing)
    }

    fn change(&self) -> MutexGuard<'_, usize> {
        self.hand.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bucket that answers with this hash have their places in.
    #[inline]
    fn bucket(&self, hash: u64) -> &Bucket {
        let at = (u128::from(hash) * self.buckets.len() as u128) >> 64;
        &self.buckets[at as usize]
    }
}

/// The octet that an answer is known by in its bucket. DO and CD are not in the hash, but here.
#[inline]
fn tag(hash: u64, asked: Asked<'_>) -> u8 {
    hash as u8 ^ u8::from(asked.dnssec_ok) ^ u8::from(asked.checking_disabled) << 1
}

impl Bucket {
    #[inline]
    fn tagged(&self, tag: u8) -> impl Iterator<Item = &ArcSwap<CachedAnswer>> {
        let tags = self.tags.iter().map(move |own| own.load(Relaxed) == tag);
        self.places.iter().zip(tags).filter_map(|(place, has)| has.then_some(place))
    }

    /// The place of an answer with this tag, whatever DO and CD are, if it has one.
    #[inline]
    fn likely(&self, tag: u8) -> Option<&ArcSwap<CachedAnswer>> {
        let at = self.tags.iter().position(|own| (own.load(Relaxed) ^ tag) & !3 == 0)?;
        self.places.get(at)
    }

    fn number(&self, place: &ArcSwap<CachedAnswer>) -> usize {
        self.places.iter().position(|own| std::ptr::eq(own, place)).unwrap_or_default()
    }

    /// A free place, or else that of the answer which was asked for least, of several the one that was fetched first.
    fn least_wanted(&self, nothing: &Arc<CachedAnswer>) -> usize {
        let wanted = |place: &ArcSwap<CachedAnswer>| {
            let answer = place.load();
            (!Arc::ptr_eq(&answer, nothing)).then(|| (answer.hits(), answer.stored()))
        };
        let places = self.places.iter().enumerate();
        places.min_by_key(|(_, place)| wanted(place)).map_or(0, |(number, _)| number)
    }
}
