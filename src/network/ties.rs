//! What holds a container to a network: who, where, and what the kernel has done for it. Leaving
//! needs nothing else.

use std::sync::atomic::AtomicBool;

use crate::plan::{HostsFile, Link, Plan, Step};
use crate::spec::EndpointSpec;

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
