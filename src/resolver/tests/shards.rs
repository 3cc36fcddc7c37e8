//! The index against a count from end to end, whatever the hashes are.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::owner;
use crate::resolver::shards::{Shards, Slot};

/// Hashes of one shard: spread evenly, as they are; crowded at either end, as nobody expects them;
/// and some of them more than once.
fn hashes() -> impl Strategy<Value = Vec<u64>> {
    let evenly = any::<u64>().prop_map(|hash| hash & !63);
    let low = (0_u64..40).prop_map(|hash| hash << 6);
    let high = low.clone().prop_map(|hash| !hash & !63);
    vec(prop_oneof![4 => evenly, 1 => low, 1 => high], 0..200)
}

proptest! {
    #[test]
    fn slots_are_found_by_their_hash_however_the_hashes_are_spread(hashes in hashes()) {
        let owner = Arc::new(owner(1, &["a"], &[]));
        let shards = Shards::new();
        shards.replace(1, None, Some(Slot::all_of(&owner, 1, hashes.clone())));
        let beside = hashes.iter().flat_map(|hash| [hash.wrapping_sub(64), hash.wrapping_add(64)]);
        for hash in hashes.iter().copied().chain(beside).chain([0, !63]) {
            let expected: Vec<usize> =
                (0..hashes.len()).filter(|index| hashes[*index] == hash).collect();
            let found: Vec<usize> =
                shards.read(hash, |slots| slots.iter().map(|slot| slot.index).collect());
            prop_assert_eq!(found, expected);
        }
    }
}
