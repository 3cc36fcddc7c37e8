//! The places that were released last, in the order of their release, and whose they were. It is
//! bounded, and every operation takes constant time: a list linked through a vector, with an index
//! by place and one by name.

use std::collections::HashMap;

use super::offset_hash::OffsetMap;
use crate::addr::ContainerName;

/// Slot 0 is the list's two ends, so that linking has no special cases; as an index it also means
/// "none" in the chain of vacant slots.
const ENDS: u32 = 0;

/// One more place than `max` is in for a moment, and one slot is the ends.
const SLOTS_MAX: u32 = u32::MAX - 2;

#[derive(Debug, Clone)]
pub(super) struct Quarantine {
    max: u32,
    slots: Vec<Slot>,
    /// The first of the vacant slots, which are chained by `newer`.
    vacant: u32,
    by_place: OffsetMap<u64, u32>,
    by_name: HashMap<ContainerName, u32>,
}

#[derive(Debug, Clone)]
struct Slot {
    place: u64,
    name: Option<ContainerName>,
    older: u32,
    newer: u32,
}

impl Quarantine {
    /// An empty one that holds `max` places, or `SLOTS_MAX` if that is less.
    pub(super) fn new(max: u32) -> Self {
        let ends = Slot {
            place: 0,
            name: None,
            older: ENDS,
            newer: ENDS,
        };
        Self {
            max: max.min(SLOTS_MAX),
            slots: vec![ends],
            vacant: ENDS,
            by_place: OffsetMap::default(),
            by_name: HashMap::new(),
        }
    }

    pub(super) fn resize(&mut self, max: u32) {
        self.max = max.min(SLOTS_MAX);
    }

    pub(super) fn contains(&self, place: u64) -> bool {
        self.by_place.contains_key(&place)
    }

    /// Puts `place` in as the newest. Returns the oldest one if there is no room for it any more.
    pub(super) fn push(&mut self, place: u64, name: Option<ContainerName>) -> Option<u64> {
        let slot = self.occupy(place, name.clone());
        self.by_place.insert(place, slot);
        if let Some(former) = name.and_then(|name| self.by_name.insert(name, slot)) {
            self.slots[former as usize].name = None;
        }
        self.pop_excess()
    }

    /// Takes the oldest place out if there are more than there is room for.
    pub(super) fn pop_excess(&mut self) -> Option<u64> {
        let is_full = self.by_place.len() > self.max as usize;
        is_full.then(|| self.pop_oldest()).flatten()
    }

    /// Takes the place out that was released the longest ago.
    pub(super) fn pop_oldest(&mut self) -> Option<u64> {
        let oldest = self.slots[ENDS as usize].newer;
        (oldest != ENDS).then(|| self.take_slot(oldest))
    }

    /// Takes `place` out; `false` if it was not in.
    pub(super) fn remove(&mut self, place: u64) -> bool {
        let slot = self.by_place.get(&place).copied();
        slot.map(|slot| self.take_slot(slot)).is_some()
    }

    /// Takes the place out that `name` released last.
    pub(super) fn take_of(&mut self, name: &ContainerName) -> Option<u64> {
        let slot = *self.by_name.get(name)?;
        Some(self.take_slot(slot))
    }

    /// The place that `name` released last stays in, and is nobody's.
    pub(super) fn disown(&mut self, name: &ContainerName) {
        if let Some(slot) = self.by_name.remove(name) {
            self.slots[slot as usize].name = None;
        }
    }

    fn take_slot(&mut self, slot: u32) -> u64 {
        let (place, name) = self.vacate(slot);
        self.by_place.remove(&place);
        if let Some(name) = name {
            self.by_name.remove(&name);
        }
        place
    }

    /// Links a slot in at the newest end.
    fn occupy(&mut self, place: u64, name: Option<ContainerName>) -> u32 {
        let older = self.slots[ENDS as usize].older;
        let content = Slot {
            place,
            name,
            older,
            newer: ENDS,
        };
        let slot = match self.vacant {
            ENDS => {
                self.slots.push(content);
                u32::try_from(self.slots.len() - 1).expect("max bounds the number of slots")
            }
            vacant => {
                self.vacant = self.slots[vacant as usize].newer;
                self.slots[vacant as usize] = content;
                vacant
            }
        };
        self.slots[older as usize].newer = slot;
        self.slots[ENDS as usize].older = slot;
        slot
    }

    /// Unlinks `slot` and chains it to the vacant ones.
    fn vacate(&mut self, slot: u32) -> (u64, Option<ContainerName>) {
        let vacant = self.vacant;
        let content = &mut self.slots[slot as usize];
        let (older, newer) = (content.older, content.newer);
        let (place, name) = (content.place, content.name.take());
        content.newer = vacant;
        self.vacant = slot;
        self.slots[older as usize].newer = newer;
        self.slots[newer as usize].older = older;
        (place, name)
    }
}

#[cfg(test)]
mod tests {
    use super::{ENDS, Quarantine};
    use crate::addr::ContainerName;

    fn name(text: &str) -> ContainerName {
        text.parse().unwrap()
    }

    fn drain(quarantine: &mut Quarantine) -> Vec<u64> {
        std::iter::from_fn(|| quarantine.pop_oldest()).collect()
    }

    #[test]
    fn places_leave_in_the_order_in_which_they_came_whatever_is_taken_from_between() {
        let mut quarantine = Quarantine::new(8);
        for place in [5, 3, 9, 7] {
            assert_eq!(quarantine.push(place, None), None);
        }
        assert!(quarantine.remove(3));
        assert!(!quarantine.remove(3));
        assert_eq!(quarantine.push(3, None), None);
        assert_eq!(drain(&mut quarantine), [5, 9, 7, 3]);
    }

    #[test]
    fn a_full_one_lets_its_oldest_place_go_and_forgets_whose_it_was() {
        let mut quarantine = Quarantine::new(2);
        assert_eq!(quarantine.push(1, Some(name("a"))), None);
        assert_eq!(quarantine.push(2, Some(name("b"))), None);
        assert_eq!(quarantine.push(3, Some(name("c"))), Some(1));
        assert_eq!(quarantine.take_of(&name("a")), None);
        assert_eq!(quarantine.take_of(&name("b")), Some(2));
        assert_eq!(quarantine.by_name.len(), 1);
        assert_eq!(quarantine.slots.len(), 4); // two, the one too many, the ends
    }

    #[test]
    fn a_name_is_remembered_for_the_place_that_it_released_last() {
        let mut quarantine = Quarantine::new(4);
        quarantine.push(1, Some(name("a")));
        quarantine.push(2, Some(name("a")));
        assert!(quarantine.remove(1));
        assert_eq!(quarantine.take_of(&name("a")), Some(2));
        assert_eq!(quarantine.take_of(&name("a")), None);
        assert_eq!(quarantine.slots[ENDS as usize].newer, ENDS);
    }

    #[test]
    fn one_without_room_hands_every_place_straight_back() {
        let mut quarantine = Quarantine::new(0);
        assert_eq!(quarantine.push(7, Some(name("a"))), Some(7));
        assert!(!quarantine.contains(7));
        assert!(quarantine.by_name.is_empty());
    }
}
