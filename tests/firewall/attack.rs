//! What is tried, what of it succeeds, and the judgement: with the guard nothing may, and without
//! it all must, or else the attack shows nothing.

use std::collections::BTreeSet;
use std::fmt::Debug;

use bridgework::Netns;

use crate::probe::{Target, answered};
use crate::world::Guard;

pub struct Attack<T> {
    pub tried: Vec<T>,
    pub through: Vec<T>,
}

impl<T: Clone> Attack<T> {
    /// What of `tried` succeeded, each being asked for by itself.
    pub fn of(tried: impl IntoIterator<Item = T>, through: impl Fn(&T) -> bool) -> Self {
        let tried: Vec<T> = tried.into_iter().collect();
        let through = tried.iter().filter(|one| through(one)).cloned().collect();
        Self { tried, through }
    }

    pub fn and(mut self, other: Self) -> Self {
        self.tried.extend(other.tried);
        self.through.extend(other.through);
        self
    }
}

impl Attack<Target> {
    /// Asks from a namespace, with as much patience as the guard leaves.
    pub fn probe(guard: Guard, from: &Netns, targets: Vec<Target>) -> Self {
        let through = answered(from, &targets, guard.patience());
        Self {
            through: through.into_keys().collect(),
            tried: targets,
        }
    }
}

/// Panics if anything gets through with the guard, or anything does not without.
pub fn held<T: Ord + Debug>(attack: impl Fn(Guard) -> Attack<T>) {
    let guarded = attack(Guard::On);
    assert!(!guarded.tried.is_empty(), "nothing was tried");
    assert!(
        guarded.through.is_empty(),
        "through the guard: {:?}",
        guarded.through
    );
    let open = attack(Guard::Off);
    assert_eq!(
        BTreeSet::from_iter(open.through),
        BTreeSet::from_iter(open.tried),
        "without the guard (left: through, right: tried)"
    );
}
