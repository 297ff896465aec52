//! Who speaks for a name: the zone that it belongs to, and what stands between the zone's apex and the name
//! (RFC 1034 §4.2, §4.3.2 step 3).
//!
//! Looks only at ancestors with a number of labels at which there is anything to find (see [`Marks`](super::marks::Marks)):
//! a name in a store of one zone without cuts costs one further lookup, and only if it is asked for.

use super::{Entry, Snapshot};
use crate::wire_name::{self, MAX_LABELS};

/// An ancestor of a name, or the name itself.
#[derive(Clone, Copy)]
pub(crate) struct Ancestor<'s> {
    pub(crate) entry: Entry<'s>,
    /// Octets of the name before it.
    pub(crate) offset: usize,
}

/// Where the zone starts: the deepest SOA at or above the name.
pub(crate) type Zone<'s> = Ancestor<'s>;

/// What is found on the way from the apex down to a name, and ends the search there.
#[derive(Clone, Copy)]
pub(crate) enum Obstacle<'s> {
    /// Another server has the rest (RFC 1034 §4.3.2 step 3b).
    Cut(Ancestor<'s>),
    /// The name is another one's alias (RFC 6672 §3.2).
    Redirect(Ancestor<'s>),
}

/// What is known of a name by its ancestors.
#[derive(Clone, Copy, Default)]
pub(crate) struct Authority<'s> {
    pub(crate) zone: Option<Zone<'s>>,
    pub(crate) obstacle: Option<Obstacle<'s>>,
}

impl Snapshot {
    /// Whether a name that exists may be something else than it seems: there are zone cuts or DNAMEs somewhere.
    #[inline]
    pub(crate) fn has_breaks(&self) -> bool {
        self.index.marks().breaks.any() != 0
    }

    /// Whether a zone starts at this name, in lower-case wire form.
    pub(crate) fn is_zone(&self, name: &[u8]) -> bool {
        self.find(name).is_some_and(|entry| entry.flags().is_apex())
    }

    /// Zone and topmost obstacle of a name in lower-case wire form. With `above`, the name itself is not looked at: that is
    /// the parent's view of a zone cut, where DS records belong (RFC 4035 §3.1.4.1).
    pub(crate) fn authority(&self, name: &[u8], above: bool) -> Authority<'_> {
        let marks = self.index.marks();
        let worth_looking = marks.apexes.any() | marks.breaks.any();
        let mut found = Authority::default();
        if worth_looking == 0 {
            return found;
        }
        let mut redirect = None;
        let mut labels = wire_name::labels(name).min(MAX_LABELS);
        for offset in wire_name::suffixes(name) {
            let depth = labels;
            labels = labels.saturating_sub(1);
            if worth_looking & (1 << depth) == 0 || (above && offset == 0) {
                continue;
            }
            let Some(entry) = self.find(&name[offset..]) else { continue };
            let (flags, ancestor) = (entry.flags(), Ancestor { entry, offset });
            // From the bottom up, so that the topmost one is what stays. At one name, a cut comes before a DNAME.
            if flags.is_redirect() && offset > 0 {
                redirect = Some(Obstacle::Redirect(ancestor));
                found.obstacle = redirect;
            }
            if flags.is_cut() {
                found.obstacle = Some(Obstacle::Cut(ancestor));
            }
            if flags.is_apex() {
                found.zone = Some(ancestor);
                return found;
            }
        }
        // NS records that are in no zone cut nothing off. A DNAME redirects names all the same.
        found.obstacle = redirect;
        found
    }

    /// The wildcard that covers a name that does not exist (RFC 4592 §3.3.1): `*` below the closest encloser.
    pub(crate) fn wildcard(&self, name: &[u8]) -> Option<Entry<'_>> {
        let marks = self.index.marks();
        if marks.wildcards.any() == 0 {
            return None;
        }
        let encloser = self.closest_encloser(name)?;
        let depth = wire_name::labels(&name[encloser..]) + 1;
        if marks.wildcards.any() & (1 << depth.min(MAX_LABELS)) == 0 {
            return None;
        }
        let mut wildcard = [0; wire_name::MAX_NAME];
        let length = name.len() - encloser + 2;
        let place = wildcard.get_mut(..length)?;
        place[..2].copy_from_slice(b"\x01*");
        place[2..].copy_from_slice(&name[encloser..]);
        self.find(place)
    }

    /// Where the longest existing ancestor of a name that does not exist starts in it. Each ancestor of a name that exists
    /// has an entry, so halving finds it: seven lookups for the longest of names.
    fn closest_encloser(&self, name: &[u8]) -> Option<usize> {
        let mut starts = [0u8; MAX_LABELS + 1];
        let mut count = 0;
        for (start, at) in starts.iter_mut().zip(wire_name::suffixes(name)) {
            *start = at as u8;
            count += 1;
        }
        // The name itself does not exist, and so much is known.
        let starts = starts.get(1..count)?;
        let missing = starts.partition_point(|start| self.find(&name[usize::from(*start)..]).is_none());
        starts.get(missing).map(|start| usize::from(*start))
    }
}
