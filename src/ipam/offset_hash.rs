//! Hashing of offsets and places by a few multiplications; the standard library's hash, made for
//! texts, takes several times as long. Each map has a secret of its own, so that who asks for fixed
//! addresses can not make them collide.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};

/// A map by offset or place.
pub(super) type OffsetMap<K, V> = HashMap<K, V, OffsetHash>;

#[derive(Debug, Clone)]
pub(super) struct OffsetHash {
    secret: u64,
}

impl Default for OffsetHash {
    fn default() -> Self {
        let secret = RandomState::new().hash_one(0_u64);
        Self { secret }
    }
}

impl BuildHasher for OffsetHash {
    type Hasher = OffsetHasher;

    fn build_hasher(&self) -> OffsetHasher {
        OffsetHasher {
            secret: self.secret,
            state: self.secret,
        }
    }
}

pub(super) struct OffsetHasher {
    secret: u64,
    state: u64,
}

/// Odd, and near 2^64 divided by the golden ratio.
const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The low half of the product depends on the low bits only, which is where a map looks first.
fn fold(number: u64) -> u64 {
    let product = u128::from(number) * u128::from(MULTIPLIER);
    (product >> 64) as u64 ^ product as u64
}

impl Hasher for OffsetHasher {
    /// One multiplication maps steps of some sizes to half of the buckets; another one heals that.
    fn finish(&self) -> u64 {
        fold(self.state ^ self.secret)
    }

    fn write_u64(&mut self, number: u64) {
        self.state = fold(self.state ^ number);
    }

    fn write_u128(&mut self, number: u128) {
        self.write_u64((number >> 64) as u64);
        self.write_u64(number as u64);
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.write_u64(byte.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::OffsetHash;
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    /// How many of 4,096 buckets are hit by as many numbers; of random ones 63 % are.
    fn buckets(numbers: impl Iterator<Item = u128>) -> usize {
        let hash = OffsetHash::default();
        let hit: HashSet<_> = numbers
            .take(4096)
            .map(|n| hash.hash_one(n) % 4096)
            .collect();
        hit.len()
    }

    #[test]
    fn offsets_in_a_row_or_in_steps_of_any_size_spread_over_a_map() {
        for shift in 0..116 {
            let used = buckets((0..).map(|n| n << shift));
            assert!(used > 2400, "in steps of 2^{shift}: {used}");
        }
    }

    #[test]
    fn every_map_has_its_own_secret() {
        let hashes =
            [OffsetHash::default(), OffsetHash::default()].map(|hash| hash.hash_one(1_u64));
        assert_ne!(hashes[0], hashes[1]);
    }
}
