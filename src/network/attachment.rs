//! What holds a container to a network: who, where, and what the kernel has done for it. Leaving
//! needs nothing else.

use parking_lot::Mutex;

use crate::container::{Container, Memory};
use crate::error::Result;
use crate::plan::Plan;
use crate::spec::EndpointSpec;

use super::Network;
use super::detach::detach;
use super::members::Member;
use super::memory::remembered;
use super::wiring::Place;

/// It is taken back when the last holder drops it, unless that was done on purpose before.
#[derive(Debug)]
pub(crate) struct Attachment {
    pub(super) spec: EndpointSpec,
    /// What the kernel has done.
    pub(super) plan: Plan,
    /// So many of its steps are for this endpoint alone, and go with it. The rest are default
    /// routes, which are the whole container's.
    pub(super) own: usize,
    /// So many of those made the wire while its container was not there yet.
    pub(super) staged: usize,
    pub(super) network: Network,
    pub(super) container: Container,
    pub(super) place: Place,
    pub(super) phase: Mutex<Phase>,
}

/// Whether the wire is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Attached,
    Gone,
}

impl Attachment {
    /// The steps that take the wiring back.
    pub(super) fn undo(&self) -> Plan {
        self.plan.undo(self.own)
    }

    /// The steps that take back what was done once the container was there.
    pub(super) fn undo_joining(&self) -> Plan {
        let joining: Vec<usize> = (self.staged..self.own).collect();
        self.plan.undo_only(&joining)
    }

    /// As the other members know it.
    pub(super) fn member(&self) -> Member {
        Member {
            spec: self.spec.clone(),
            hosts: self.container.hosts_file().cloned(),
        }
    }

    /// Whether it was there until now; from now on it is not.
    pub(super) fn end(&self) -> bool {
        std::mem::replace(&mut *self.phase.lock(), Phase::Gone) == Phase::Attached
    }

    /// Takes it back, once.
    pub(super) fn disconnect(&self) -> Result<()> {
        if !self.end() {
            return Ok(());
        }
        self.container.drop_wire(self);
        detach(self)
    }

    /// The container knows with what to return.
    pub(super) fn be_remembered(&self) {
        let request = remembered(&self.spec);
        let kept = self.network.keep_addresses(&self.spec);
        let memory = Memory { request, kept };
        self.container.remember(self.spec.network, memory);
    }
}

impl Drop for Attachment {
    fn drop(&mut self) {
        let _lost = self.disconnect();
    }
}
