//! Containers that are on no network by a wire, in the host's records: those with the host's stack,
//! with none, or with another container's. Where nothing is kept for other processes, there is nothing
//! to do.

use std::sync::{Arc, Weak};

use crate::addr::{ContainerId, ContainerName, EndpointId};
use crate::container::Container;
use crate::error::Result;
use crate::record::{Body, ContainerRecord, Phase, Residence, Tenure};
use crate::store::{Change, Expected};

use super::Network;
use super::ledger::Ledger;
use super::registry::Registry;
use super::unrecalled::Concern;

/// A container is in the records until this is dropped, or for longer if it is kept.
pub(crate) struct Lodging {
    registry: Weak<Registry>,
    container: ContainerId,
}

impl Registry {
    /// Other processes know of the container from now on, and nobody else has its name.
    pub(crate) fn lodge(
        self: &Arc<Self>,
        container: &Container,
        residence: Option<Residence>,
    ) -> Result<Lodging> {
        if let Some(ledger) = self.ledger() {
            let name = container.name();
            let record = ContainerRecord {
                residence,
                ..container.record()
            };
            let body = Body::Container(Box::new(record));
            let record = ledger.record(body, Phase::There, Tenure::Held);
            let change = Change::new().put(record, Expected::Absent);
            let doing = || format!("keep container {name}");
            self.attempt_on(Concern::None, || ledger.write(doing, &change))?;
        }
        Ok(Lodging {
            registry: Arc::downgrade(self),
            container: container.id(),
        })
    }

    /// Those whose stack is gone.
    pub(crate) fn dead_lodgers(&self) -> Vec<ContainerName> {
        let records = self.ledger().map(Ledger::containers).unwrap_or_default();
        let open = self.containers();
        let is_dead = |record: &ContainerRecord| {
            !record.stack.is_own()
                && open.iter().all(|container| container.id() != record.id)
                && (self.reopen_as(record)).is_err_and(|error| error.is_not_found())
        };
        let dead = records.into_iter().filter(is_dead);
        dead.map(|record| record.name).collect()
    }

    /// Another process has one.
    pub(super) fn recall_lodger(&self, container: &ContainerRecord) {
        if let Some((network, endpoint)) = self.residence(container) {
            network.recall_resident(container, endpoint);
        }
    }

    pub(super) fn lose_lodger(&self, container: &ContainerRecord) {
        if let Some((network, endpoint)) = self.residence(container) {
            network.lose_resident(endpoint);
        }
    }

    /// The network that it is on without a wire.
    fn residence(&self, container: &ContainerRecord) -> Option<(Network, EndpointId)> {
        let Residence { network, endpoint } = container.residence?;
        Some((self.network_at(network)?, endpoint))
    }
}

impl Lodging {
    /// Whether it stays without a handle.
    pub(super) fn is_kept(&self) -> bool {
        let registry = self.registry.upgrade();
        let key = Body::container_key(self.container);
        let record = registry.and_then(|registry| registry.ledger()?.get(&key));
        record.is_some_and(|record| record.tenure == Tenure::Kept)
    }
}

impl Drop for Lodging {
    fn drop(&mut self) {
        let Some(registry) = self.registry.upgrade() else {
            return;
        };
        let Some(ledger) = registry.ledger() else {
            return;
        };
        if !self.is_kept() {
            let key = Body::container_key(self.container);
            let change = Change::new().delete(key, Expected::Anything);
            let doing = || format!("strike container {}", self.container.short());
            let _left_to_recovery = ledger.write(doing, &change);
        }
    }
}
