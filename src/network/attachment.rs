//! A container that is held to a network by somebody: it is let go when the last one drops it.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

use super::Network;
use super::detach::{Departure, detach};
use super::ties::Ties;
use crate::container::Container;
use crate::error::Result;
use crate::record::Tenure;

/// A container that is held. It is let go when the last holder drops it, unless that was done on
/// purpose before.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(super) ties: Arc<Ties>,
    pub(super) network: Network,
    pub(super) container: Container,
    phase: Mutex<Phase>,
    /// What becomes of it with the last holder.
    tenure: Tenure,
    /// That it is gone, for those who wait for that.
    ended: Condvar,
}

/// Whose business it is that the wire goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Held,
    /// Somebody takes it back.
    Going,
    /// It is gone, or nobody's business any more.
    Gone,
}

impl Attachment {
    pub(super) fn new(ties: Ties, network: Network, container: Container) -> Arc<Self> {
        Arc::new(Self {
            ties: Arc::new(ties),
            network,
            container,
            phase: Mutex::new(Phase::Held),
            tenure: Tenure::Held,
            ended: Condvar::new(),
        })
    }

    /// Of a wire that was persisted: it stays when this is dropped.
    pub(super) fn reopened(ties: Arc<Ties>, network: Network, container: Container) -> Arc<Self> {
        Arc::new(Self {
            ties,
            network,
            container,
            phase: Mutex::new(Phase::Held),
            tenure: Tenure::Kept,
            ended: Condvar::new(),
        })
    }

    /// Whether it was held until now; if so, it is the caller's business from now on, who says so
    /// when it [ends](Self::end).
    pub(super) fn let_go(&self) -> bool {
        let mut phase = self.phase.lock();
        let was_held = *phase == Phase::Held;
        if was_held {
            *phase = Phase::Going;
        }
        drop(phase);
        if was_held {
            self.container.drop_wire(self);
        }
        was_held
    }

    /// Whether it stays when the last holder drops it.
    pub(super) fn stays(&self) -> bool {
        self.tenure == Tenure::Kept
    }

    pub(super) fn is_held(&self) -> bool {
        *self.phase.lock() == Phase::Held
    }

    pub(super) fn end(&self) {
        *self.phase.lock() = Phase::Gone;
        self.ended.notify_all();
    }

    /// Returns once it is gone, if somebody takes it back.
    pub(super) fn await_end(&self) {
        let mut phase = self.phase.lock();
        while *phase == Phase::Going {
            self.ended.wait(&mut phase);
        }
    }

    /// Takes it back, once.
    pub(super) fn disconnect(&self) -> Result<()> {
        if !self.let_go() {
            self.await_end();
            return Ok(());
        }
        if self.tenure == Tenure::Kept && !self.network.hand_over(&self.ties) {
            // somebody else has disconnected it
            self.end();
            return Ok(());
        }
        self.take_back()
    }

    /// Takes it back, by whom it was let go.
    pub(super) fn take_back(&self) -> Result<()> {
        let detached = detach(&self.departure());
        self.end();
        detached
    }

    pub(super) fn departure(&self) -> Departure<'_> {
        Departure {
            network: &self.network,
            ties: &self.ties,
            container: Some(&self.container),
        }
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        if self.tenure == Tenure::Kept {
            return;
        }
        if self.is_held() && self.network.is_kept(self.ties.spec.id) {
            // another process has made it stay
            if self.network.keep_wiring(self) {
                self.container.leave_files();
                self.end();
            }
            return;
        }
        let _lost = self.disconnect();
    }
}
