//! What holds a container to a network: who, where, and what the kernel has done for it. Leaving
//! needs nothing else.

use std::sync::Arc;

use parking_lot::Mutex;

use crate::container::{Container, Memory};
use crate::error::Result;
use crate::plan::{HostsFile, Link, Plan, Step};
use crate::spec::EndpointSpec;

use super::Network;
use super::detach::detach;
use super::members::Member;
use super::memory::remembered;
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
        self.undo_from(self.staged)
    }

    /// The steps that take back all of the endpoint's own from that one on.
    pub(super) fn undo_from(&self, first: usize) -> Plan {
        let own: Vec<usize> = (first..self.own).collect();
        self.plan.undo_only(&own)
    }

    /// The steps that take back what was done before, once the rest was.
    pub(super) fn undo_staging(&self) -> Plan {
        self.plan.undo(self.staged)
    }

    /// Where the container's end was before it was joined, if it was staged.
    pub(super) fn staged_link(&self) -> Option<Link> {
        let joining = self.plan.steps().get(self.staged)?;
        match joining {
            Step::MoveLink { from, .. } if self.staged > 0 => Some(from.clone()),
            _ => None,
        }
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

/// The container knows with what to return.
pub(super) fn be_remembered(network: &Network, spec: &EndpointSpec, container: &Container) {
    let request = remembered(spec);
    let _kept = network.keep_addresses(spec);
    container.remember(spec.network, Memory { request, _kept });
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let _lost = self.disconnect();
    }
}
