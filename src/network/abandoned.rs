//! Containers of the records that nobody finds any more by what is written down: their place leads nowhere,
//! and no process that lives has written that it holds them. Whether somebody has the namespace all the
//! same the records do not say.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::addr::{ContainerId, NamespaceId};
use crate::kernel::leads_to;
use crate::record::{Body, ContainerRecord, Record, Tenure};
use crate::spec::EndpointSpec;

use super::ledger::Ledger;
use super::registry::Registry;

impl Registry {
    /// The namespace of an endpoint's container, if nobody finds that. What can't be looked at is there, and
    /// so is what had no place from the beginning.
    pub(crate) fn abandoned(&self, spec: &EndpointSpec) -> Option<NamespaceId> {
        let ledger = self.ledger()?;
        let endpoint = ledger.get(&Body::endpoint_key(spec.id))?;
        let namespace = &ledger.container(spec.container_id)?.namespace;
        let path = namespace.path.as_ref()?;
        // first what is quickly known and mostly so
        let is_there = leads_to(path, namespace.identity).unwrap_or(true)
            || ledger.is_held(&endpoint)
            || self.is_open(spec.container_id);
        (!is_there).then_some(namespace.identity)
    }

    /// Those that are kept, are on no network and are found by nobody.
    pub(crate) fn abandoned_on_no_network(&self) -> Vec<Arc<ContainerRecord>> {
        let (mut kept, mut connected) = (Vec::new(), BTreeSet::new());
        if let Some(ledger) = self.ledger() {
            ledger.each(|record| match &record.body {
                Body::Container(container) if record.tenure == Tenure::Kept => {
                    kept.push(Arc::clone(container));
                }
                Body::Endpoint(endpoint) => {
                    connected.insert(endpoint.spec.container_id);
                }
                _ => {}
            });
        }
        kept.retain(|container| {
            container.stack.is_own()
                && !connected.contains(&container.id)
                && !self.is_open(container.id)
                && (self.reopen_as(container)).is_err_and(|error| error.is_not_found())
        });
        kept
    }

    fn is_open(&self, id: ContainerId) -> bool {
        self.containers()
            .iter()
            .any(|container| container.id() == id)
    }
}

impl Ledger {
    /// Whether a process that lives has it by a handle.
    fn is_held(&self, record: &Record) -> bool {
        let owner = record.owner;
        record.tenure == Tenure::Held && (owner == self.owner() || self.is_alive(owner))
    }
}
