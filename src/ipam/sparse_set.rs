//! A set of numbers of 64 bits, one bit each, that gives back its least one. Memory is taken only
//! where numbers are: 520 bytes for each 4,096 numbers in a row of which one is in the set.

use std::collections::BTreeMap;

/// Empty, it takes no memory of its own.
#[derive(Debug, Clone, Default)]
pub(super) struct SparseSet {
    chunks: BTreeMap<u64, Box<Chunk>>,
}

/// 4,096 numbers; bit `w` of `words_in_use` is set where `words[w]` is not zero.
#[derive(Debug, Clone)]
struct Chunk {
    words_in_use: u64,
    words: [u64; 64],
}

impl SparseSet {
    pub(super) fn insert(&mut self, number: u64) {
        let (chunk, word, bit) = split(number);
        let chunk = self.chunks.entry(chunk).or_insert_with(Chunk::empty);
        chunk.words_in_use |= 1 << word;
        chunk.words[word] |= bit;
    }

    pub(super) fn contains(&self, number: u64) -> bool {
        let (chunk, word, bit) = split(number);
        let chunk = self.chunks.get(&chunk);
        chunk.is_some_and(|chunk| chunk.words[word] & bit != 0)
    }

    /// Takes `number` out; `false` if it was not in.
    pub(super) fn remove(&mut self, number: u64) -> bool {
        let (index, word, bit) = split(number);
        let Some(chunk) = self.chunks.get_mut(&index) else {
            return false;
        };
        if chunk.words[word] & bit == 0 {
            return false;
        }
        chunk.clear(word, bit);
        if chunk.words_in_use == 0 {
            self.chunks.remove(&index);
        }
        true
    }

    /// Takes the least number out.
    pub(super) fn pop_first(&mut self) -> Option<u64> {
        let mut entry = self.chunks.first_entry()?;
        let index = *entry.key();
        let chunk = entry.get_mut();
        let word = chunk.words_in_use.trailing_zeros();
        let bit = chunk.words[word as usize].trailing_zeros();
        chunk.clear(word as usize, 1 << bit);
        if chunk.words_in_use == 0 {
            entry.remove();
        }
        Some(index << 12 | u64::from(word << 6 | bit))
    }
}

impl Chunk {
    fn empty() -> Box<Self> {
        Box::new(Self {
            words_in_use: 0,
            words: [0; 64],
        })
    }

    fn clear(&mut self, word: usize, bit: u64) {
        self.words[word] &= !bit;
        if self.words[word] == 0 {
            self.words_in_use &= !(1 << word);
        }
    }
}

/// The chunk, the word in it and the bit in that.
fn split(number: u64) -> (u64, usize, u64) {
    (
        number >> 12,
        (number >> 6 & 63) as usize,
        1 << (number & 63),
    )
}

#[cfg(test)]
mod tests {
    use super::SparseSet;
    use std::collections::BTreeSet;

    #[test]
    fn numbers_come_back_from_the_least_to_the_greatest_and_leave_nothing() {
        let numbers = [0, 63, 64, 4095, 4096, 1 << 40, u64::MAX];
        let mut set = SparseSet::default();
        for number in numbers.iter().rev() {
            set.insert(*number);
        }
        let popped: Vec<u64> = std::iter::from_fn(|| set.pop_first()).collect();
        assert_eq!(popped, numbers);
        assert!(set.chunks.is_empty());
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig {
            failure_persistence: None,
            ..Default::default()
        })]

        #[test]
        fn a_sparse_set_is_a_set(steps in proptest::collection::vec((0..4_u8, 0..9000_u64), 1..300)) {
            let (mut set, mut model) = (SparseSet::default(), BTreeSet::new());
            for (step, number) in steps {
                match step {
                    0 | 1 => { set.insert(number); model.insert(number); }
                    2 => assert_eq!(set.remove(number), model.remove(&number)),
                    _ => assert_eq!(set.pop_first(), model.pop_first()),
                }
                assert_eq!(set.contains(number), model.contains(&number));
            }
            assert_eq!(set.chunks.is_empty(), model.is_empty());
        }
    }
}
