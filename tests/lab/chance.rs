//! Chance that is the same again for the same seed (splitmix64).

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;

pub struct Chance(u64);

/// Another one each time.
pub fn seed() -> u64 {
    RandomState::new().hash_one(0)
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `end`, without it.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    /// In `percent` of all cases.
    pub fn happens(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub fn one_of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())].clone()
    }

    /// A byte changed, a part left out or doubled, a value in place of another, or the end missing.
    pub fn damage(&mut self, right: &[u8]) -> Vec<u8> {
        let mut wrong = right.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(wrong.len().max(1));
            let until = (at + 1 + self.below(12)).min(wrong.len());
            match self.below(6) {
                0 => wrong.truncate(at),
                1 => drop(wrong.drain(at..until)),
                2 => {
                    let part = wrong[at..until].to_vec();
                    wrong.splice(at..at, part);
                }
                3 if at < wrong.len() => wrong[at] = u8::try_from(self.below(256)).expect("it"),
                4 => drop(wrong.splice(at..until, *b"-1")),
                _ => drop(wrong.splice(at..until, *b"null")),
            }
        }
        wrong
    }
}
