//! A container that is held to a network by somebody: it is let go when the last one drops it.

use std::sync::Arc;

use parking_lot::Mutex;

use super::Network;
use super::detach::{Departure, detach};
use super::ties::Ties;
use crate::container::Container;
use crate::error::Result;

/// A container that is held. It is let go when the last holder drops it, unless that was done on
/// purpose before.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(super) ties: Arc<Ties>,
    pub(super) network: Network,
    pub(super) container: Container,
    phase: Mutex<Phase>,
}

/// Whose business it is that the wire goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Held,
    LetGo,
}

impl Attachment {
    pub(super) fn new(ties: Ties, network: Network, container: Container) -> Arc<Self> {
        Arc::new(Self {
            ties: Arc::new(ties),
            network,
            container,
            phase: Mutex::new(Phase::Held),
        })
    }

    pub(super) fn is_held(&self) -> bool {
        *self.phase.lock() == Phase::Held
    }

    /// Whether it was held until now; from now on it is not.
    pub(super) fn let_go(&self) -> bool {
        let was = std::mem::replace(&mut *self.phase.lock(), Phase::LetGo);
        if was == Phase::Held {
            self.container.drop_wire(self);
        }
        was == Phase::Held
    }

    /// Takes it back, once.
    pub(super) fn disconnect(&self) -> Result<()> {
        if !self.let_go() {
            return Ok(());
        }
        detach(&self.departure())
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
        let _lost = self.disconnect();
    }
}
