//! An index from hash to owners that readers walk without a lock while a writer changes it. What
//! is hashed, and whether a slot is really meant, is up to `records`.
//!
//! Copy-on-write by shard: a change copies the shards that it touches, each 1/64 of the whole, and
//! swaps each in one store. A slot carries its whole owner, so no reader finds a name without its
//! addresses.

use std::sync::Arc;

use arc_swap::ArcSwapOption;

use super::owner::Owner;

const SHARDS: usize = 64;

/// What an index points to: the `index`th key (name, or address) of `owner`.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) hash: u64,
    /// When the owner came. Slots of one hash stand in this order.
    pub(super) arrival: u64,
    pub(super) index: usize,
    pub(super) owner: Arc<Owner>,
}

impl Slot {
    /// The slots of `owner`, whose keys have these hashes.
    pub(super) fn all_of(owner: &Arc<Owner>, arrival: u64, hashes: Vec<u64>) -> Vec<Self> {
        let slot = |(index, hash)| Self {
            hash,
            arrival,
            index,
            owner: Arc::clone(owner),
        };
        hashes.into_iter().enumerate().map(slot).collect()
    }

    fn rank(&self) -> (u64, u64, usize) {
        (self.hash, self.arrival, self.index)
    }
}

/// The index. Empty it is 512 bytes.
pub(super) struct Shards(Box<[ArcSwapOption<Vec<Slot>>]>);

impl Shards {
    pub(super) fn new() -> Self {
        Self((0..SHARDS).map(|_| ArcSwapOption::empty()).collect())
    }

    /// Hands the slots with this hash to `visit`, in order of arrival; all of them are of one
    /// moment.
    pub(super) fn read<R>(&self, hash: u64, visit: impl FnOnce(&[Slot]) -> R) -> R {
        let shard = self.0.get(shard_of(hash)).map(ArcSwapOption::load);
        let slots = shard.as_deref().and_then(Option::as_deref);
        let slots = slots.map_or(&[][..], Vec::as_slice);
        let start = start_of(slots, hash);
        let (_, rest) = slots.split_at(start);
        let end = rest.partition_point(|slot| slot.hash == hash);
        let (found, _) = rest.split_at(end);
        visit(found)
    }

    /// Puts `new` in the place of the slots of the owner that came at `arrival`, whose hashes are
    /// `old`. A reader of one hash sees either the old slots or the new.
    ///
    /// One caller at a time: `records` holds its lock.
    pub(super) fn replace(&self, arrival: u64, old: Option<Vec<u64>>, new: Option<Vec<Slot>>) {
        let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
        let hashes = old.into_iter().chain(new.iter().map(|slot| slot.hash));
        let mut touched: Vec<usize> = hashes.map(shard_of).collect();
        touched.sort_unstable();
        touched.dedup();
        for number in touched {
            let Some(shard) = self.0.get(number) else {
                continue;
            };
            let held = shard.load();
            let kept = held.iter().flat_map(|slots| slots.iter());
            let kept = kept.filter(|slot| slot.arrival != arrival);
            let come = new.iter().filter(|slot| shard_of(slot.hash) == number);
            let mut slots: Vec<Slot> = kept.chain(come).cloned().collect();
            slots.sort_by_key(Slot::rank);
            shard.store((!slots.is_empty()).then(|| Arc::new(slots)));
        }
    }
}

/// Where the slots with this hash begin, or would. Hashes are spread evenly, so the search begins
/// where the hash is to be expected, and touches little memory.
fn start_of(slots: &[Slot], hash: u64) -> usize {
    let is_before = |at: usize| slots.get(at).is_some_and(|slot| slot.hash < hash);
    let expected = (u128::from(hash) * slots.len() as u128) >> u64::BITS;
    let mut low = usize::try_from(expected).unwrap_or_default();
    let mut high = low;
    let mut stride = 1;
    while is_before(high) {
        low = high + 1;
        high += stride;
        stride *= 2;
    }
    while low > 0 && !is_before(low - 1) {
        high = low - 1;
        low = high.saturating_sub(stride);
        stride *= 2;
    }
    let between = slots.get(low..high.min(slots.len())).unwrap_or_default();
    low + between.partition_point(|slot| slot.hash < hash)
}

/// The shard goes by the low bits: within a shard the order is by the high ones.
fn shard_of(hash: u64) -> usize {
    (hash % SHARDS as u64) as usize
}
