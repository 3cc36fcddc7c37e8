//! What holds a container to a network: who, where, and what the kernel has done for it. Leaving
//! needs nothing else.

use std::sync::Arc;

use parking_lot::{Condvar, Mutex};

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
}

/// A container that is held. It is let go when the last holder drops it, unless that was done on
/// purpose before.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(super) ties: Arc<Ties>,
    pub(super) network: Network,
    pub(super) container: Container,
    phase: Mutex<Phase>,
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
        self.take_back()
    }

    /// Takes it back, by whom it was let go.
    pub(super) fn take_back(&self) -> Result<()> {
        let detached = detach(&self.network, &self.ties, Some(&self.container));
        self.end();
        detached
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let _lost = self.disconnect();
    }
}
