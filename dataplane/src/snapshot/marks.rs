//! Where in the tree of names something is that a lookup must know of: zones, zone cuts, DNAMEs, wildcards.
//!
//! Kept as counts by the number of labels. A lookup looks only at ancestors of a name that have a number of labels at which
//! there is anything, so that a store without zone cuts pays nothing for them, and a change costs the change alone.

use super::entry::Flags;
use crate::wire_name::{self, MAX_LABELS};

/// Names of one kind, counted by their labels.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Depths {
    counts: [u32; MAX_LABELS + 1],
    /// Bit N: there is a name of N labels.
    any: u128,
}

/// The kinds.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Marks {
    /// Zones start here.
    pub(crate) apexes: Depths,
    /// Zone cuts and DNAMEs: below, names are not what they seem.
    pub(crate) breaks: Depths,
    /// The first label is `*`.
    pub(crate) wildcards: Depths,
}

impl Marks {
    /// The entry of a name has changed from one set of flags to the other; `None`: there is none.
    pub(crate) fn replace(&mut self, name: &[u8], old: Option<Flags>, new: Option<Flags>) {
        let wildcard = name.starts_with(b"\x01*") && old.is_some() != new.is_some();
        let (old_flags, new_flags) = (old.unwrap_or_default(), new.unwrap_or_default());
        if old_flags.marks() == new_flags.marks() && !wildcard {
            return;
        }
        let labels = wire_name::labels(name).min(MAX_LABELS);
        self.apexes.replace(labels, old_flags.is_apex(), new_flags.is_apex());
        self.breaks.replace(labels, old_flags.is_break(), new_flags.is_break());
        if wildcard {
            self.wildcards.replace(labels, old.is_some(), new.is_some());
        }
    }

    /// All three, for the last-good copy.
    pub(crate) fn parts(&self) -> [&[u32; MAX_LABELS + 1]; 3] {
        [&self.apexes.counts, &self.breaks.counts, &self.wildcards.counts]
    }

    /// From what [`parts`](Self::parts) gave.
    pub(crate) fn from_parts([apexes, breaks, wildcards]: [[u32; MAX_LABELS + 1]; 3]) -> Self {
        let depths = |counts: [u32; MAX_LABELS + 1]| {
            let any = counts.iter().enumerate().filter(|(_, count)| **count > 0).fold(0, |any, (at, _)| any | 1 << at);
            Depths { counts, any }
        };
        Self { apexes: depths(apexes), breaks: depths(breaks), wildcards: depths(wildcards) }
    }
}

impl Depths {
    /// Bit N: there is a name of N labels.
    #[inline]
    pub(crate) fn any(&self) -> u128 {
        self.any
    }

    fn replace(&mut self, labels: usize, old: bool, new: bool) {
        let count = &mut self.counts[labels];
        *count = count.saturating_add(u32::from(new)).saturating_sub(u32::from(old));
        self.any = self.any & !(1 << labels) | u128::from(*count > 0) << labels;
    }
}

impl Default for Depths {
    fn default() -> Self {
        Self { counts: [0; MAX_LABELS + 1], any: 0 }
    }
}
