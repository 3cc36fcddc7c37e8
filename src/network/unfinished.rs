//! What a process that has died was doing is taken back by another one, and what one that lives could
//! not take back is tried again: the record says what there may be, the driver plans it again, and the
//! plan is taken back as by whoever made it.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::addr::{ContainerName, NetworkId};
use crate::error::Result;
use crate::record::{Body, EndpointRecord, Key, NetworkRecord, Phase, Record, Tenure};
use crate::spec::EndpointSpec;
use crate::store::{Change, Expected};

use super::Network;
use super::detach::{Departure, detach, join};
use super::follow::plan_network;
use super::found;
use super::keeping::Published;
use super::ledger::{Ledger, is_overtaken};
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

    /// Those that others than these are on.
    fn networks_used_but_by(&self, left: &[Record]) -> BTreeSet<NetworkId> {
        let left: BTreeSet<Key> = left.iter().map(Record::key).collect();
        let mut used = BTreeSet::new();
        self.each(|record| {
            if let Body::Endpoint(endpoint) = &record.body {
                let is_left = left.contains(&record.key());
                used.extend(Some(endpoint.spec.network).filter(|_| !is_left));
            }
        });
        used
    }
}

impl Registry {
    /// What processes that have died were at, or had only for themselves, and what this one could not
    /// take back: endpoints, and then the networks that they are on. Their containers go with the last of
    /// these.
    pub(crate) fn left_unfinished(self: &Arc<Self>) -> Result<Vec<Record>> {
        let mut left = self.left_here();
        if let Some(ledger) = self.ledger() {
            left.extend(ledger.of_the_dead());
            let used = ledger.networks_used_but_by(&left);
            left.retain(|record| match &record.body {
                Body::Network(network) => !used.contains(&network.spec.id),
                _ => true,
            });
        }
        if !left.is_empty() {
            // who has ended since that was read may have been done before
            self.catch_up()?;
            left.retain(|record| self.is_as_it_was(record));
        }
        Ok(left)
    }

    /// Endpoints that are going by this process, of which nobody has a handle and that nobody is at.
    fn left_here(&self) -> Vec<Record> {
        let mut left = Vec::new();
        if let Some(ledger) = self.ledger() {
            let owner = ledger.owner();
            ledger.each(|record| {
                if record.phase == Phase::Going && record.owner == owner {
                    left.push(record.clone());
                }
            });
        }
        // whoever is at one has it among the members until its record is as it stays
        left.retain(|record| match &record.body {
            Body::Endpoint(endpoint) => !self.has_member(&endpoint.spec),
            _ => false,
        });
        left
    }

    fn has_member(&self, spec: &EndpointSpec) -> bool {
        let network = self.network_at(spec.network);
        network.is_some_and(|network| network.0.members.lock().has(spec))
    }

    fn is_as_it_was(&self, record: &Record) -> bool {
        let ledger = self.ledger();
        ledger.is_some_and(|ledger| ledger.get(&record.key()).as_ref() == Some(record))
    }

    /// Takes back what was left, and says which records that were.
    pub(crate) fn take_back_unfinished(self: &Arc<Self>) -> (Vec<Key>, Result<()>) {
        let (mut keys, mut results) = (Vec::new(), Vec::new());
        // a container goes with its last endpoint, unless that was on no network that is known
        let passes: [fn(&Record) -> bool; 2] = [|r| !is_container(r), is_container];
        for is_due in passes {
            let left = self.left_unfinished().unwrap_or_else(|error| {
                results.push(Err(error));
                Vec::new()
            });
            for record in left.iter().filter(|record| is_due(record)) {
                if let Some(taken_back) = self.take_back_still(record) {
                    keys.push(record.key());
                    results.push(taken_back);
                }
            }
        }
        (keys, join(results))
    }

    /// Takes it back unless others have done so by now: other processes do, too, and other threads.
    fn take_back_still(self: &Arc<Self>, record: &Record) -> Option<Result<()>> {
        let _hand = self.in_hand.take(record.key());
        match self.catch_up() {
            Ok(()) => self.is_as_it_was(record).then(|| self.take_back(record)),
            Err(error) => Some(Err(error)),
        }
    }

    /// Takes back what may have been done for a record, and strikes it.
    fn take_back(self: &Arc<Self>, record: &Record) -> Result<()> {
        match &record.body {
            Body::Endpoint(endpoint) => match self.network_at(endpoint.spec.network) {
                Some(network) => network.take_back_endpoint(endpoint),
                None => self.drop_record(record),
            },
            // whoever has come to it since it was looked at stays on it
            Body::Network(network) => match self.write_on(record, Phase::Going) {
                Err(error) if is_overtaken(&error) => Ok(()),
                written => written.and_then(|()| self.take_back_network(network)),
            },
            Body::Container(_) => self.drop_record(record),
            Body::Host(_) | Body::Reservation(_) => Ok(()),
        }
    }

    /// It has come so far, and is whose it was.
    fn write_on(&self, record: &Record, phase: Phase) -> Result<()> {
        let Some(ledger) = self.ledger() else {
            return Ok(());
        };
        let expected = ledger.expected(&record.key());
        let record = Record {
            phase,
            ..record.clone()
        };
        let doing = format!("keep {}", record.key());
        ledger.write(|| doing, &Change::new().put(record, expected))
    }

    fn take_back_network(self: &Arc<Self>, record: &NetworkRecord) -> Result<()> {
        if let Some(network) = self.network_at(record.spec.id) {
            network.end()?;
            return Ok(());
        }
        let foundation = self.foundation();
        if let Some(driver) = foundation.driver(&record.spec.driver) {
            let host = foundation.kernel.view(driver.view())?;
            let plan = plan_network(driver.as_ref(), record, &host)?;
            let undo = found::undo(&foundation.kernel, record, &plan)?;
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
            self.recall_member(record, container.as_deref());
            self.recall_wire(record, container.as_deref())?;
            self.hush(&record.spec.container);
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
        let mut members = self.0.members.lock();
        members.release_elsewhere(&record.spec.id);
        members.release_struck_off(&record.spec.id);
        Ok(())
    }

    /// Whoever subscribed was told that it went, or never that it came.
    fn hush(&self, container: &ContainerName) {
        if let Some(ties) = self.0.persisted.lock().get(container) {
            ties.told.store(false, Ordering::Relaxed);
        }
    }

    /// What this process could not take back as that container left.
    fn left_of(&self, container: &str) -> Vec<(Record, EndpointSpec)> {
        let left = self.0.registered.registry().left_here().into_iter();
        let of_it = left.filter_map(|record| match &record.body {
            Body::Endpoint(endpoint) => {
                let spec = endpoint.spec.clone();
                let is_it = spec.network == self.id() && spec.container.as_str() == container;
                is_it.then_some((record, spec))
            }
            _ => None,
        });
        of_it.collect()
    }

    /// Takes it back once more; `None` where there is nothing.
    pub(super) fn take_back_left(&self, container: &str) -> Option<Result<()>> {
        let registry = self.0.registered.registry();
        let left = self.left_of(container).into_iter();
        let mut taken_back = left.filter_map(|(record, _)| registry.take_back_still(&record));
        let first = taken_back.next()?;
        Some(join(std::iter::once(first).chain(taken_back)))
    }

    /// Nobody takes it back any more, and its place is anybody's. Returns whether there was any.
    pub(super) fn give_up_left(&self, container: &str) -> Result<bool> {
        let registry = self.0.registered.registry();
        let left = self.left_of(container);
        for (record, spec) in &left {
            let _hand = registry.in_hand.take(record.key());
            if !registry.is_as_it_was(record) {
                continue;
            }
            self.strike(spec, None)?;
            let is_on_none = |ledger: &Ledger| !ledger.is_on_a_network(spec.container_id, None);
            if self.ledger().is_some_and(is_on_none) {
                self.write_published(spec.container_id, Published::new())?;
            }
        }
        Ok(!left.is_empty())
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
