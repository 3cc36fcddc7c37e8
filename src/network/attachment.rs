//! What holds a container to a network: who, where, and what the kernel has done for it. Leaving
//! needs nothing else.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use parking_lot::Mutex;

use crate::container::Container;
use crate::error::Result;
use crate::plan::{HostsFile, Link, Plan, Step};
use crate::spec::EndpointSpec;

use super::Network;
use super::detach::detach;
use super::members::Member;
use super::wiring::Place;

/// All but the container itself, whose namespace may go without them.
#[derive(Debug)]
pub(crate) struct Ties {
    pub(super) spec: EndpointSpec,
    /// What the kernel has done.
    pub(super) plan: Plan,
    /// So many of its steps are for this endpoint alone, and go with it. The rest are default
    /// routes, which are the whole container's.
    pub(super) own: usize,
    /// So many of those made the wire while its container was not there yet.
    pub(super) staged: usize,
    pub(super) hosts: Option<HostsFile>,
    pub(super) place: Place,
    /// Whether subscribers know that it was connected.
    pub(super) told: AtomicBool,
}

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

impl Ties {
    /// The steps that take the wiring back.
    pub(super) fn undo(&self) -> Plan {
        self.plan.undo(self.own)
    }

    /// The steps that take back what was done once the container was there.
    pub(super) fn undo_joining(&self) -> Plan {
        let joining: Vec<usize> = (self.staged..self.own).collect();
        self.plan.undo_only(&joining)
    }

    /// Where the container's end was before it was joined.
    pub(super) fn staged_link(&self) -> Option<Link> {
        self.plan.steps().iter().find_map(|step| match step {
            Step::MoveLink { from, .. } => Some(from.clone()),
            _ => None,
        })
    }

    /// As the other members know it.
    pub(super) fn member(&self) -> Member {
        Member {
            spec: self.spec.clone(),
            hosts: self.hosts.clone(),
        }
    }
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
        detach(&self.network, &self.ties, Some(&self.container))
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let _lost = self.disconnect();
    }
}
