//! Containers that are on no network by a wire, in the host's records: those with the host's stack,
//! with none, or with another container's. Where nothing is kept for other processes, there is nothing
//! to do.

use std::sync::{Arc, Weak};

use crate::addr::{ContainerId, EndpointId};
use crate::container::Container;
use crate::error::Result;
use crate::record::{Body, ContainerRecord, OwnerId, Phase, Record, Residence, Tenure};
use crate::store::{Change, Expected};

use super::Network;
use super::ledger::{Ledger, is_overtaken};
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
            let body = Body::Container(Arc::new(record));
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

    /// Those whose stack is gone, and that nobody has open.
    pub(crate) fn dead_lodgers(&self) -> Vec<Arc<ContainerRecord>> {
        let mut records = self.ledger().map(Ledger::containers).unwrap_or_default();
        let opener = |record: &ContainerRecord| self.ledger()?.opener_elsewhere(record.id);
        records.retain(|record| opener(record).is_none());
        let open = self.containers();
        let is_dead = |record: &Arc<ContainerRecord>| {
            !record.stack.is_own()
                && open.iter().all(|container| container.id() != record.id)
                && (self.reopen_as(record)).is_err_and(|error| error.is_not_found())
        };
        records.retain(is_dead);
        records
    }

    /// Another process has one.
    pub(super) fn recall_lodger(&self, container: &ContainerRecord) {
        if let Some((network, endpoint)) = self.residence(container) {
            network.recall_resident(container, endpoint);
        }
    }

    pub(super) fn lose_lodger(&self, container: &ContainerRecord) {
        if let Some((network, endpoint)) = self.residence(container) {
            network.lose_resident_of_other(endpoint);
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
        let record = registry.and_then(|registry| self.latest(registry.ledger()?));
        record.is_some_and(|record| record.tenure == Tenure::Kept)
    }

    /// As it is by now: another process may keep it, or not any more.
    fn latest(&self, ledger: &Ledger) -> Option<Record> {
        // what can't be read is as it was
        let _looked = ledger.look();
        ledger.get(&Body::container_key(self.container))
    }

    /// It is open no more: it goes, or stays as nobody's where it is kept.
    fn end(&self, ledger: &Ledger) -> Result<()> {
        let Some(record) = self.latest(ledger) else {
            return Ok(());
        };
        let key = record.key();
        let expected = ledger.expected(&key);
        let owner = OwnerId::NOBODY;
        let change = match record.tenure {
            Tenure::Held => Change::new().delete(key, expected),
            Tenure::Kept => Change::new().put(Record { owner, ..record }, expected),
        };
        ledger.write(
            || format!("leave container {}", self.container.short()),
            &change,
        )
    }
}

impl Drop for Lodging {
    fn drop(&mut self) {
        const TRIES: usize = 64;
        let Some(registry) = self.registry.upgrade() else {
            return;
        };
        let Some(ledger) = registry.ledger() else {
            return;
        };
        for _ in 0..TRIES {
            match self.end(ledger) {
                Err(error) if is_overtaken(&error) => {}
                _done_or_left_to_recovery => return,
            }
        }
    }
}
