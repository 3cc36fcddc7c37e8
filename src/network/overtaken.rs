//! A verb among other processes' verbs: what they have done by then is known to it, where one of them
//! was quicker it looks again, what the dead have left in its way is taken back, and what somebody has
//! removed that it stands on is made again.

use std::sync::Arc;

use crate::error::{Error, Fault, FaultClass, Result};

use super::Network;
use super::ledger::is_overtaken;
use super::registry::Registry;

/// So often may another process have been quicker.
const OVERTAKEN_TRIES: usize = 64;

impl Registry {
    /// Tries it until no other process was quicker. Once, what is in the way and was left by processes
    /// that have died is taken back first: a name, an address or a port of theirs, or an endpoint on a
    /// network that shall go.
    pub(crate) fn attempt<T>(self: &Arc<Self>, verb: impl FnMut() -> Result<T>) -> Result<T> {
        self.catch_up()?;
        self.persevere(verb)
    }

    /// As [`attempt`](Self::attempt), by whoever has just caught up with what it has to do with.
    pub(super) fn persevere<T>(self: &Arc<Self>, mut verb: impl FnMut() -> Result<T>) -> Result<T> {
        let (mut tries, mut has_cleared) = (1, false);
        loop {
            let error = match verb() {
                Err(error) => error,
                done => return done,
            };
            if is_overtaken(&error) && tries < OVERTAKEN_TRIES {
                tries += 1;
                self.catch_up()?;
            } else if !has_cleared && is_in_the_way(&error) && self.clear_after_the_dead() {
                has_cleared = true;
            } else {
                return Err(error);
            }
        }
    }

    /// Whether there was anything, and all of it is gone.
    fn clear_after_the_dead(self: &Arc<Self>) -> bool {
        let (taken_back, cleared) = self.take_back_unfinished();
        !taken_back.is_empty() && cleared.is_ok()
    }
}

impl Network {
    /// As [`Registry::attempt`].
    pub(super) fn attempt<T>(&self, verb: impl FnMut() -> Result<T>) -> Result<T> {
        self.0.registered.registry().attempt(verb)
    }
}

impl Network {
    /// Tries it once more where the kernel refused, since somebody has removed the network's link, which
    /// is there again then, with all who were on it.
    pub(super) fn on_firm_ground<T>(&self, verb: impl Fn() -> Result<T>) -> Result<T> {
        match verb() {
            Err(error) if is_of_kernel(&error) && self.is_mended() => verb(),
            done => done,
        }
    }

    fn is_mended(&self) -> bool {
        let registry = self.0.registered.registry();
        let index = self.0.spec.link.index.get();
        let is_there = || {
            let host = registry.foundation().kernel.snapshot();
            host.is_ok_and(|host| host.link_at(index).is_some())
        };
        if is_there() {
            return false;
        }
        // the first refusal is the one that is told
        let _as_far_as_it_came = registry.repair();
        is_there()
    }
}

/// Whether the kernel refused a step, and nothing was left behind.
fn is_of_kernel(error: &Error) -> bool {
    let is_it = |fault: &Fault| matches!(fault, Fault::Kernel { .. });
    error.left_behind().is_empty() && error.faults().iter().any(is_it)
}

/// Whether it failed by what somebody has, and left nothing behind.
fn is_in_the_way(error: &Error) -> bool {
    let of_somebody = |class| {
        matches!(
            class,
            FaultClass::Exists | FaultClass::Exhausted | FaultClass::InUse
        )
    };
    error.left_behind().is_empty() && error.faults().iter().any(|f| of_somebody(f.class()))
}
