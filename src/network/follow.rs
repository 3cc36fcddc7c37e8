//! What other processes do with the networks of a host becomes known to this one: their records
//! become the same handles that verbs make, with the same plans, of which nothing is performed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use crate::addr::{ContainerId, NetworkId, Subnet};
use crate::container::Container;
use crate::driver::Driver;
use crate::error::{Error, Fault, Result};
use crate::event::EventKind;
use crate::ipam::{Owner, Pool};
use crate::plan::Plan;
use crate::record::{Body, ContainerRecord, EndpointRecord, NetworkRecord, Phase, Record};
use crate::snapshot::{AddressState, LinkState, Snapshot, View};
use crate::spec::{NetworkRange, NetworkSpec};

use super::ledger::{Ledger, News};
use super::registry::Registry;
use super::unrecalled::Unrecalled;
use super::{Life, Members, Network, Pools};

/// The host as it is seen while one follows, by how much of it is looked at.
#[derive(Debug, Default)]
struct Looks(BTreeMap<View, Snapshot>);

impl Registry {
    /// Those that are on networks by now are so, and what was done for them is not thought out yet.
    pub(super) fn follow(
        self: &Arc<Self>,
        ledger: &Ledger,
        news: &News,
        following: &mut Unrecalled,
    ) -> Result<()> {
        let mut host = Looks::default();
        for record in &news.changed {
            if let Body::Network(network) = &record.body {
                self.follow_network((ledger, record), network, &mut host)?;
            }
        }
        let mut containers = Vec::new();
        for record in &news.changed {
            match &record.body {
                Body::Endpoint(endpoint) => {
                    self.follow_endpoint((ledger, following), record, endpoint);
                    containers.push(endpoint.spec.container_id);
                }
                Body::Container(container) => {
                    if let Some(container) = ledger.container(container.id) {
                        self.recall_lodger(&container);
                        containers.push(container.id);
                    }
                }
                Body::Reservation(kept) => self.recall_reservation(kept),
                Body::Host(_) | Body::Network(_) => {}
            }
        }
        self.recall_ports_of(ledger, containers, following);
        Ok(())
    }

    fn follow_network(
        self: &Arc<Self>,
        (ledger, told): (&Ledger, &Record),
        record: &NetworkRecord,
        host: &mut Looks,
    ) -> Result<()> {
        let known = self.network_at(record.spec.id);
        // who is not known any more may have been removed here meanwhile, and was written down so before
        if !ledger.is_current(told) {
            return Ok(());
        }
        let driver = self.foundation().driver(&record.spec.driver);
        let view = driver.map_or(View::Uplinks, |driver| driver.view());
        match (told.phase, known) {
            (Phase::There, None) => self.recall_network(record, self.look(host, view)?),
            (Phase::There, Some(network)) if network.has_moved_to(record) => {
                self.follow_moved(ledger, (&network, record), self.look(host, view)?)
            }
            (Phase::Coming, None) => {
                let subnets = subnets(&record.spec);
                let _foreign = self.register_foreign(&record.spec, subnets);
                Ok(())
            }
            (Phase::Going, Some(network)) => {
                network.lose();
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Once for all that is told at a time.
    fn look<'h>(&self, host: &'h mut Looks, view: View) -> Result<&'h Snapshot> {
        match host.0.entry(view) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => Ok(new.insert(self.foundation().kernel.view(view)?)),
        }
    }

    /// The network of another process is one of this host's.
    pub(super) fn recall_network(
        self: &Arc<Self>,
        record: &NetworkRecord,
        host: &Snapshot,
    ) -> Result<()> {
        let NetworkRecord { spec, .. } = record;
        let registered = self.register_foreign(spec, subnets(spec));
        let foundation = self.foundation();
        // a driver of another process's own, of which nothing is known here
        let Some(driver) = foundation.driver(&spec.driver) else {
            return Ok(());
        };
        let plan = plan_network(driver.as_ref(), record, host)?;
        foundation.kernel.recall(&plan);
        let members = Members::new(&spec.name, pools(spec)?);
        let kernel = foundation.kernel.clone();
        let network = Network::new(
            record.clone(),
            Arc::clone(driver),
            plan,
            kernel,
            members,
            registered,
        );
        *network.0.life.lock() = Life::Recorded;
        self.announce(&network);
        self.keep(&network);
        self.tell_of_other(|| EventKind::Create {
            network: (&network.0.spec).into(),
        });
        Ok(())
    }

    fn follow_endpoint(
        self: &Arc<Self>,
        (ledger, following): (&Ledger, &mut Unrecalled),
        told: &Record,
        record: &Arc<EndpointRecord>,
    ) {
        let Some(network) = self.network_at(record.spec.network) else {
            return;
        };
        let is_known = network.knows(&record.spec.id);
        // as with networks: first who is known, then what is written
        if !ledger.is_current(told) {
            return;
        }
        match told.phase {
            Phase::There if is_known => {}
            Phase::There => {
                let container = ledger.container(record.spec.container_id);
                network.recall_member(record, container.as_deref());
                following.add(record);
            }
            Phase::Coming | Phase::Going => {
                if is_known && !network.lose_unrecalled(following, &record.spec) {
                    network.lose_endpoint(&record.spec);
                }
                network.0.members.lock().hold_elsewhere(&record.spec);
            }
        }
    }

    pub(super) fn recall_ports(self: &Arc<Self>, container: &ContainerRecord) {
        let wiring = self.wirings().at(container.namespace.identity);
        let kernel = &self.foundation().kernel;
        wiring.recall_ports((kernel, self.host_ports()), container);
        // whoever holds them goes on carrying over, to where the container is now
        let carried = self.relay().map(|relay| wiring.carry_over(relay));
        let _tried_again_by_who_serves = carried;
    }

    pub(super) fn lose(self: &Arc<Self>, following: &mut Unrecalled, record: &Record) {
        match &record.body {
            Body::Network(lost) => {
                if let Some(network) = self.network_at(lost.spec.id) {
                    network.lose();
                }
                self.unregister_foreign(&lost.spec);
            }
            Body::Endpoint(lost) => {
                if let Some(network) = self.network_at(lost.spec.network) {
                    if !network.lose_unrecalled(following, &lost.spec) {
                        network.lose_endpoint(&lost.spec);
                    }
                    network.0.members.lock().release_elsewhere(&lost.spec.id);
                }
            }
            Body::Container(lost) => {
                self.lose_lodger(lost);
                let mut lost = ContainerRecord::clone(lost);
                lost.published = BTreeMap::new();
                self.recall_ports(&lost);
            }
            Body::Reservation(lost) => {
                if let Some(network) = self.network_at(lost.network) {
                    network.0.members.lock().unreserve(&lost.container);
                }
            }
            Body::Host(_) => {}
        }
    }

    pub(super) fn network_at(&self, id: NetworkId) -> Option<Network> {
        let networks = || self.networks().into_iter();
        self.kept_at(id)
            .or_else(|| networks().find(|network| network.id() == id))
    }

    /// The container of that id, as another process has kept it.
    pub(super) fn reopen(&self, id: ContainerId) -> Result<Option<Container>> {
        let record = self.ledger().and_then(|ledger| ledger.container(id));
        record.map(|record| self.reopen_as(&record)).transpose()
    }

    /// With what its file says of the networks that it is on.
    pub(crate) fn reopen_as(&self, record: &ContainerRecord) -> Result<Container> {
        let host = self.foundation().kernel.namespace();
        let container = Container::reopen(record, host)?;
        for network in self.networks() {
            let members = network.0.members.lock();
            let spec = members.of_container(record.id).cloned();
            drop(members);
            if let (Some(spec), Some(resolv)) = (spec, container.resolv()) {
                resolv.recall(network.resolv_source(&spec));
            }
        }
        Ok(container)
    }
}

/// All that was done for a network itself, whatever of it is there.
pub(super) fn plan_network(
    driver: &dyn Driver,
    record: &NetworkRecord,
    host: &Snapshot,
) -> Result<Plan> {
    match record.spec.config_only.is_on() {
        true => Ok(Plan::new()),
        false => {
            let planned = driver.create(&record.spec, &as_it_was(host, record));
            planned.map_err(alone)
        }
    }
}

/// The host as it was before the network: with what its link had then, or without it.
fn as_it_was(host: &Snapshot, record: &NetworkRecord) -> Snapshot {
    let link = &record.spec.link;
    let index = link.index.get();
    let mut before = host.clone();
    // one that somebody else has put in its place since was not there either
    let is_other = |state: &LinkState| state.index != index && state.name != link.name.as_str();
    before.links.retain(is_other);
    before.addresses.retain(|address| address.link != index);
    before.routes.retain(|route| route.link != Some(index));
    if let Some(found) = &record.found {
        let mut state = LinkState::new(index, link.name.as_str(), "bridge");
        state.up = found.up.is_on();
        before.links.push(state);
        let addresses = found.addresses.iter();
        before.addresses.extend(addresses.map(|&address| {
            let link = index;
            AddressState { link, address }
        }));
        before.settings = found.settings(&link.name);
    }
    before
}

fn subnets(spec: &NetworkSpec) -> Vec<Subnet> {
    match spec.config_only.is_on() {
        true => Vec::new(),
        false => super::names::subnets(spec),
    }
}

/// The pools of a network's subnets, with what is taken from the beginning.
fn pools(spec: &NetworkSpec) -> Result<Pools> {
    let ranges = spec.ranges();
    let pool = |range: &NetworkRange| {
        let mut pool = Pool::new(range.subnet, range.range).map_err(alone)?;
        for (name, &address) in &range.auxiliary {
            let _kept = pool.reserve(address, Owner::Auxiliary(name.clone()));
        }
        if range.gateway.is_some() {
            let _kept = pool.reserve_gateway(range.gateway);
        }
        Ok(pool.of_unknown_past())
    };
    ranges.map(pool).collect()
}

pub(super) fn alone(fault: Fault) -> Error {
    Error::of("", vec![fault])
}

#[cfg(test)]
pub(crate) mod tests;
