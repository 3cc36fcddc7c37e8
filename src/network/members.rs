//! Who is on a network and who has which address. Memory only: it is changed before the kernel is
//! asked (an address is held) and after the kernel agreed (a member is there), never during.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::addr::{ContainerName, EndpointId, Family, NetworkName, Subnet};
use crate::config::EndpointRequest;
use crate::error::Fault;
use crate::ipam::{Lease, Owner, Pool};
use crate::plan::HostsFile;
use crate::spec::{EndpointSpec, NetworkSpec};

#[derive(Debug, Clone)]
pub(crate) struct Members {
    pools: BTreeMap<Family, Pool>,
    network: NetworkName,
    /// Those that are there, in the order in which they came.
    there: Vec<Member>,
    /// Those that are on their way.
    coming: BTreeSet<ContainerName>,
}

/// A container that is connected.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) spec: EndpointSpec,
    pub(crate) hosts: Option<HostsFile>,
    stay: Stay,
}

impl Member {
    /// One who is there to stay.
    pub(crate) fn new(spec: EndpointSpec, hosts: Option<HostsFile>) -> Self {
        let stay = Stay::Staying;
        Self { spec, hosts, stay }
    }
}

/// Whether others are still told of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    Staying,
    /// Its lines are being taken out of the others' hosts files: who comes now must not meet it.
    Leaving,
}

/// Addresses that are held for a container on its way.
#[derive(Debug)]
pub(crate) struct Admission {
    pub(crate) ipv4: Option<Lease>,
    pub(crate) ipv6: Option<Lease>,
}

impl Members {
    pub(crate) fn new(network: &NetworkName, pools: BTreeMap<Family, Pool>) -> Self {
        Self {
            pools,
            network: network.clone(),
            there: Vec::new(),
            coming: BTreeSet::new(),
        }
    }

    /// Holds a place and addresses for `container`. `None` if there are faults, with which it began
    /// or which it adds: all that is in the way.
    pub(crate) fn admit(
        &mut self,
        container: &ContainerName,
        request: &EndpointRequest,
        network: (&NetworkSpec, Option<usize>),
        faults: &mut Vec<Fault>,
    ) -> Option<Admission> {
        self.check_room(container, network, faults);
        // addresses that were asked for are checked whatever else is wrong; one that is chosen is
        // taken only if it stays taken, since a released one comes last in the order
        let mut admission = Admission {
            ipv4: self.lease_wanted(container, request.ipv4, faults),
            ipv6: self.lease_wanted(container, request.ipv6, faults),
        };
        if faults.is_empty() {
            self.lease_any(Family::V4, container, &mut admission.ipv4, faults);
            self.lease_any(Family::V6, container, &mut admission.ipv6, faults);
        }
        if !faults.is_empty() {
            self.give_back(&admission);
            return None;
        }
        self.coming.insert(container.clone());
        Some(admission)
    }

    fn check_room(
        &self,
        container: &ContainerName,
        (network, ports_max): (&NetworkSpec, Option<usize>),
        faults: &mut Vec<Fault>,
    ) {
        let taken = self
            .there
            .iter()
            .any(|member| member.spec.container == *container);
        if taken || self.coming.contains(container) {
            let (container, network) = (container.clone(), self.network.clone());
            faults.push(Fault::EndpointExists { container, network });
        }
        let ports = self.there.len() + self.coming.len();
        if let Some(limit) = ports_max.filter(|&limit| ports >= limit) {
            let limit = u32::try_from(limit).unwrap_or(u32::MAX);
            faults.push(Fault::BridgeFull {
                bridge: network.link.name.clone(),
                limit,
            });
        }
    }

    fn lease_wanted(
        &mut self,
        container: &ContainerName,
        wanted: Option<IpAddr>,
        faults: &mut Vec<Fault>,
    ) -> Option<Lease> {
        let address = wanted?;
        let subnets = self.subnets();
        let lease = match self.pools.get_mut(&Family::of(address)) {
            Some(pool) => pool.reserve(address, Owner::Container(container.clone())),
            None => Err(Fault::AddressOutside { address, subnets }),
        };
        lease.map_err(|fault| faults.push(fault)).ok()
    }

    fn lease_any(
        &mut self,
        family: Family,
        container: &ContainerName,
        lease: &mut Option<Lease>,
        faults: &mut Vec<Fault>,
    ) {
        if let (Some(pool), None) = (self.pools.get_mut(&family), &lease) {
            let chosen = pool.allocate_for(container);
            *lease = chosen.map_err(|fault| faults.push(fault)).ok();
        }
    }

    fn subnets(&self) -> Vec<Subnet> {
        self.pools.values().map(Pool::subnet).collect()
    }

    /// The container did not get in.
    pub(crate) fn turn_away(&mut self, container: &ContainerName, admission: &Admission) {
        self.coming.remove(container);
        self.give_back(admission);
    }

    fn give_back(&mut self, admission: &Admission) {
        for lease in [&admission.ipv4, &admission.ipv6].into_iter().flatten() {
            self.release(lease.address);
        }
    }

    fn release(&mut self, address: IpAddr) {
        if let Some(pool) = self.pools.get_mut(&Family::of(address)) {
            let _released = pool.release(address);
        }
    }

    /// The container is in.
    pub(crate) fn welcome(&mut self, member: Member) {
        self.coming.remove(&member.spec.container);
        self.there.push(member);
    }

    /// The container has left, and its addresses are free.
    pub(crate) fn dismiss(&mut self, endpoint: &EndpointId) {
        let Some(at) = self
            .there
            .iter()
            .position(|member| member.spec.id == *endpoint)
        else {
            return;
        };
        let member = self.there.remove(at);
        for address in member.spec.addresses() {
            self.release(address.address.addr());
        }
    }

    /// The container has left with something left behind: its addresses stay held.
    pub(crate) fn strike_off(&mut self, endpoint: &EndpointId) {
        self.there.retain(|member| member.spec.id != *endpoint);
    }

    /// From now on nobody is told of it.
    pub(crate) fn part(&mut self, endpoint: &EndpointId) {
        let mut there = self.there.iter_mut();
        if let Some(member) = there.find(|member| member.spec.id == *endpoint) {
            member.stay = Stay::Leaving;
        }
    }

    /// All that are there to stay.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.there
            .iter()
            .filter(|member| member.stay == Stay::Staying)
    }

    pub(crate) fn specs(&self) -> Vec<EndpointSpec> {
        self.there
            .iter()
            .map(|member| member.spec.clone())
            .collect()
    }

    /// Whose endpoints keep the network from being removed.
    pub(crate) fn active(&self) -> Vec<(ContainerName, EndpointId)> {
        let there = self
            .there
            .iter()
            .map(|m| (m.spec.container.clone(), m.spec.id));
        let unborn = EndpointId::from_bytes([0; 32]);
        there
            .chain(self.coming.iter().map(|name| (name.clone(), unborn)))
            .collect()
    }

    pub(crate) fn reserve(&mut self, name: &ContainerName, address: IpAddr) -> Result<(), Fault> {
        match self.pools.get_mut(&Family::of(address)) {
            Some(pool) => pool.reserve_for(name, address),
            None => Err(Fault::AddressOutside {
                address,
                subnets: self.subnets(),
            }),
        }
    }

    pub(crate) fn unreserve(&mut self, name: &ContainerName) {
        for pool in self.pools.values_mut() {
            let _kept = pool.unreserve(name);
        }
    }
}
