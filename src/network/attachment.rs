//! What holds a container to a network: who, where, and what the kernel has done for it. Leaving
//! needs nothing else.

use crate::container::Container;
use crate::plan::Plan;
use crate::spec::EndpointSpec;

use super::Network;
use super::members::Member;

#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) spec: EndpointSpec,
    /// What the kernel has done for this container alone.
    pub(super) plan: Plan,
    pub(super) network: Network,
    pub(super) container: Container,
}

impl Attachment {
    /// The steps that take the wiring back.
    pub(super) fn undo(&self) -> Plan {
        self.plan.undo(self.plan.steps().len())
    }

    /// As the other members know it.
    pub(super) fn member(&self) -> Member {
        Member {
            spec: self.spec.clone(),
            hosts: self.container.hosts_file().cloned(),
        }
    }
}
