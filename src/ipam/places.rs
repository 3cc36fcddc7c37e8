//! Which places of a range are held, and which is given out next. It knows nothing of addresses,
//! and of names only whose a released place was.
//!
//! Held places are not recorded one by one. Every place below `next` has been given out or passed
//! over, so one that is neither in quarantine nor among the settled is held; from `next` on a place
//! is held only if it is in `ahead`. A pool of any size is thus empty when it is new, and a range
//! that is full costs nothing either.

use super::offset_hash::OffsetMap;
use super::quarantine::Quarantine;
use super::sparse_set::SparseSet;
use crate::addr::ContainerName;
use crate::spec::History;

#[derive(Debug, Clone)]
pub(super) struct Places {
    /// The lowest place that has never been given out, if no reservation came before.
    next: u128,
    end: u128,
    /// Held places from `next` on.
    ahead: OffsetMap<u64, ()>,
    /// The released places of the last while. One from `next` on was a reservation.
    quarantine: Quarantine,
    /// Free places below `next` that the quarantine had no more room for.
    settled: SparseSet,
    /// The end of all places that were ever held ahead of `next`. Beyond, nothing is to pass over.
    reserved_end: u128,
    /// The end of the places from `next` on of which it was forgotten that they were held.
    forgotten_end: u128,
    /// How many places are held.
    held: u64,
}

impl Places {
    pub(super) fn new(first: u128, end: u128, quarantine_max: u32) -> Self {
        Self {
            next: first,
            end,
            ahead: OffsetMap::default(),
            quarantine: Quarantine::new(quarantine_max),
            settled: SparseSet::default(),
            reserved_end: 0,
            forgotten_end: 0,
            held: 0,
        }
    }

    pub(super) fn held(&self) -> u64 {
        self.held
    }

    /// Takes the place whose turn it is.
    pub(super) fn take_next(&mut self) -> Option<(u64, History)> {
        let taken = if let Some(place) = self.settled.pop_first() {
            (place, History::Reused)
        } else if let Some(fresh) = self.take_fresh() {
            fresh
        } else {
            (self.quarantine.pop_oldest()?, History::Reused)
        };
        self.held += 1;
        Some(taken)
    }

    /// Takes `place`, which must be in the range; `None` if it is held.
    pub(super) fn take(&mut self, place: u64) -> Option<History> {
        let history = if self.quarantine.remove(place) || self.settled.remove(place) {
            History::Reused
        } else if self.is_passed(place) || self.ahead.contains_key(&place) {
            return None;
        } else {
            self.history_of_fresh(place)
        };
        if !self.is_passed(place) {
            self.ahead.insert(place, ());
            self.reserved_end = self.reserved_end.max(u128::from(place) + 1);
        }
        self.held += 1;
        Some(history)
    }

    /// Takes the place that `name` released last, if nobody took it since.
    pub(super) fn take_former(&mut self, name: &ContainerName) -> Option<u64> {
        let place = self.quarantine.take_of(name)?;
        if !self.is_passed(place) {
            self.ahead.insert(place, ());
        }
        self.held += 1;
        Some(place)
    }

    /// The place that `name` released last is nobody's any more.
    pub(super) fn disown(&mut self, name: &ContainerName) {
        self.quarantine.disown(name);
    }

    pub(super) fn is_held(&self, place: u64) -> bool {
        if self.is_passed(place) {
            !self.quarantine.contains(place) && !self.settled.contains(place)
        } else {
            self.ahead.contains_key(&place)
        }
    }

    /// Frees `place`, which must be held.
    pub(super) fn put_back(&mut self, place: u64, name: Option<ContainerName>) {
        self.ahead.remove(&place);
        self.held -= 1;
        if let Some(evicted) = self.quarantine.push(place, name) {
            self.settle(evicted);
        }
    }

    pub(super) fn resize_quarantine(&mut self, max: u32) {
        self.quarantine.resize(max);
        while let Some(evicted) = self.quarantine.pop_excess() {
            self.settle(evicted);
        }
    }

    /// Keeps a free place that the quarantine has no room for.
    fn settle(&mut self, evicted: u64) {
        if self.is_passed(evicted) {
            self.settled.insert(evicted);
        } else {
            // To keep such places would let requests for fixed addresses fill the memory.
            self.forgotten_end = self.forgotten_end.max(u128::from(evicted) + 1);
        }
    }

    /// Any of them may have been held before.
    pub(super) fn forget_all(&mut self) {
        self.forgotten_end = self.end;
    }

    fn is_passed(&self, place: u64) -> bool {
        u128::from(place) < self.next
    }

    /// Each place is passed over once, and was reserved before: amortised constant time.
    fn take_fresh(&mut self) -> Option<(u64, History)> {
        while self.next < self.end {
            let place = u64::try_from(self.next).ok()?;
            self.next += 1;
            let is_touched = self.next <= self.reserved_end
                && (self.ahead.remove(&place).is_some() || self.quarantine.contains(place));
            if !is_touched {
                return Some((place, self.history_of_fresh(place)));
            }
        }
        None
    }

    fn history_of_fresh(&self, place: u64) -> History {
        if u128::from(place) < self.forgotten_end {
            History::Reused
        } else {
            History::Fresh
        }
    }
}
