//! What a process that has died was doing is taken back by another one: the record says what there may
//! be, the driver plans it again, and the plan is taken back as by whoever made it.

use std::collections::HashMap;
use std::sync::Arc;

use crate::error::Result;
use crate::record::{Body, EndpointRecord, Key, NetworkRecord, Phase, Record, Tenure};
use crate::spec::EndpointSpec;
use crate::store::{Change, Expected};

use super::Network;
use super::detach::{Departure, detach, join};
use super::follow::plan_network;
use super::ledger::Ledger;
use super::registry::Registry;

impl Ledger {
    /// What processes that have died by now were at when it was read, or had only for themselves.
    fn of_the_dead(&self) -> Vec<Record> {
        let mut left = Vec::new();
        self.each(|record| {
            if is_open(record) && record.owner != self.owner() {
                left.push(record.clone());
            }
        });
        let mut alive = HashMap::new();
        left.retain(|record| {
            let owner = record.owner;
            !*alive.entry(owner).or_insert_with(|| self.is_alive(owner))
        });
        left.retain(|record| match &record.body {
            Body::Container(container) => !self.is_on_a_network(container.id, None),
            _ => true,
        });
        left.sort_by_key(|record| !matches!(record.body, Body::Endpoint(_)));
        left
    }
}

impl Registry {
    /// What processes that have died were at, or had only for themselves: endpoints, and then the
    /// networks that they are on. Their containers go with the last of these.
    pub(crate) fn left_by_the_dead(self: &Arc<Self>) -> Result<Vec<Record>> {
        let mut left = self.ledger().map(Ledger::of_the_dead).unwrap_or_default();
        if !left.is_empty() {
            // who has ended since that was read may have been done before
            self.catch_up()?;
            left.retain(|record| self.is_as_it_was(record));
        }
        Ok(left)
    }

    fn is_as_it_was(&self, record: &Record) -> bool {
        let ledger = self.ledger();
        ledger.is_some_and(|ledger| ledger.get(&record.key()).as_ref() == Some(record))
    }

    /// Takes back what the dead have left, and says which records that were.
    pub(crate) fn take_back_unfinished(self: &Arc<Self>) -> (Vec<Key>, Result<()>) {
        let (mut keys, mut results) = (Vec::new(), Vec::new());
        // a container goes with its last endpoint, unless that was on no network that is known
        let passes: [fn(&Record) -> bool; 2] = [|r| !is_container(r), is_container];
        for is_due in passes {
            let left = self.left_by_the_dead().unwrap_or_else(|error| {
                results.push(Err(error));
                Vec::new()
            });
            for record in left.iter().filter(|record| is_due(record)) {
                // others take it back, too
                match self.catch_up() {
                    Ok(()) if self.is_as_it_was(record) => {
                        keys.push(record.key());
                        results.push(self.take_back(record));
                    }
                    Ok(()) => {}
                    Err(error) => results.push(Err(error)),
                }
            }
        }
        (keys, join(results))
    }

    /// Takes back what may have been done for a record, and strikes it.
    fn take_back(self: &Arc<Self>, record: &Record) -> Result<()> {
        match &record.body {
            Body::Endpoint(endpoint) => match self.network_at(endpoint.spec.network) {
                Some(network) => network.take_back_endpoint(endpoint),
                None => self.drop_record(record),
            },
            Body::Network(network) => self.take_back_network(network),
            Body::Container(_) => self.drop_record(record),
            Body::Host(_) | Body::Reservation(_) => Ok(()),
        }
    }

    fn take_back_network(self: &Arc<Self>, record: &NetworkRecord) -> Result<()> {
        if let Some(network) = self.network_at(record.spec.id) {
            network.end()?;
            return Ok(());
        }
        let foundation = self.foundation();
        if let Some(driver) = foundation.driver(&record.spec.driver) {
            let host = foundation.kernel.snapshot()?;
            let plan = plan_network(driver.as_ref(), record, &host)?;
            let undo = plan.undo(plan.steps().len());
            foundation.kernel.take_back(&undo, None)?;
        }
        self.unregister_foreign(&record.spec);
        self.strike_network(&record.spec)
    }

    /// Nothing of it is in the kernel any more, and nothing is known of it from now on.
    pub(crate) fn drop_record(self: &Arc<Self>, record: &Record) -> Result<()> {
        if let Some(ledger) = self.ledger() {
            let change = Change::new().delete(record.key(), Expected::Anything);
            ledger.write(|| format!("strike {}", record.key()), &change)?;
        }
        self.lose(&mut self.following.lock(), record);
        Ok(())
    }
}

impl Network {
    fn take_back_endpoint(&self, record: &EndpointRecord) -> Result<()> {
        let container = self
            .ledger()
            .and_then(|l| l.container(record.spec.container_id));
        if record.is_staged_only() {
            return self.take_back_staged(record);
        }
        if !self.knows(&record.spec.id) {
            self.recall_member(record, container.as_ref());
            self.recall_wire(record, container.as_ref())?;
            // by it its ports may lead already, or still
            if let Some(container) = &container {
                self.0.registered.registry().recall_ports(container);
            }
        }
        let ties = self.0.persisted.lock().remove(&record.spec.container);
        let Some(ties) = ties.filter(|ties| ties.spec.id == record.spec.id) else {
            return Ok(());
        };
        let container = self.0.registered.container(record.spec.container_id);
        detach(&Departure {
            network: self,
            ties: &ties,
            container: container.as_ref(),
        })
    }

    fn take_back_staged(&self, record: &EndpointRecord) -> Result<()> {
        let (plan, _) = self.plan_again(record, None)?;
        let undo = plan.undo(plan.steps().len());
        self.kernel().take_back(&undo, None)?;
        self.strike(&record.spec, None)?;
        self.0.members.lock().release_elsewhere(&record.spec.id);
        Ok(())
    }

    /// Whether the endpoint's container has a network namespace that can be reached.
    pub(crate) fn has_namespace(&self, spec: &EndpointSpec) -> bool {
        self.0.registered.container(spec.container_id).is_some()
    }
}

/// Whether somebody was at it, or had it only for himself.
fn is_open(record: &Record) -> bool {
    match record.body {
        Body::Endpoint(_) | Body::Network(_) => {
            record.phase != Phase::There || record.tenure == Tenure::Held
        }
        Body::Container(_) => record.tenure == Tenure::Held,
        Body::Host(_) | Body::Reservation(_) => false,
    }
}

fn is_container(record: &Record) -> bool {
    matches!(record.body, Body::Container(_))
}
