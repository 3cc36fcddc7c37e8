//! Who is on a network and who has which address. Memory only: it is changed before the kernel is
//! asked (an address is held) and after the kernel agreed (a member is there), never during.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::addr::{ContainerName, EndpointId, Family, NetworkName, Subnet};
use crate::config::EndpointRequest;
use crate::error::Fault;
use crate::ipam::{Lease, Owner, Pool};
use crate::kernel::BRIDGE_PORTS_MAX;
use crate::plan::HostsFile;
use crate::spec::{EndpointSpec, NetworkSpec};

#[derive(Debug, Clone)]
pub(crate) struct Members {
    pools: BTreeMap<Family, Pool>,
    network: NetworkName,
    /// Those that are there, in the order in which they came.
    there: Vec<Member>,
    /// Those whose names and lines are gone, and whose links are on their way out.
    leaving: Vec<Member>,
    /// Those that are on their way.
    coming: BTreeSet<ContainerName>,
}

/// A container that is connected.
#[derive(Debug, Clone)]
pub(crate) struct Member {
    pub(crate) spec: EndpointSpec,
    pub(crate) hosts: Option<HostsFile>,
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
            leaving: Vec::new(),
            coming: BTreeSet::new(),
        }
    }

    /// Holds a place and addresses for `container`. `None` if there are faults, with which it began
    /// or which it adds: all that is in the way.
    pub(crate) fn admit(
        &mut self,
        container: &ContainerName,
        request: &EndpointRequest,
        network: &NetworkSpec,
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
        network: &NetworkSpec,
        faults: &mut Vec<Fault>,
    ) {
        let taken = self
            .present()
            .any(|member| member.spec.container == *container);
        if taken || self.coming.contains(container) {
            let (container, network) = (container.clone(), self.network.clone());
            faults.push(Fault::EndpointExists { container, network });
        }
        let ports = self.present().count() + self.coming.len();
        if ports >= ports_max(network) {
            let bridge = network.link.name.clone();
            faults.push(Fault::BridgeFull {
                bridge,
                limit: BRIDGE_PORTS_MAX,
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

    /// The container is leaving: the others know it no longer, but it still has its addresses.
    pub(crate) fn withdraw(&mut self, endpoint: &EndpointId) {
        let at = self
            .there
            .iter()
            .position(|member| member.spec.id == *endpoint);
        self.leaving.extend(at.map(|at| self.there.remove(at)));
    }

    /// The container has left, and its addresses are free.
    pub(crate) fn dismiss(&mut self, endpoint: &EndpointId) {
        let at = self
            .leaving
            .iter()
            .position(|member| member.spec.id == *endpoint);
        let Some(member) = at.map(|at| self.leaving.remove(at)) else {
            return;
        };
        for address in member.spec.addresses() {
            self.release(address.address.addr());
        }
    }

    /// The container has left with something left behind: its addresses stay held.
    pub(crate) fn strike_off(&mut self, endpoint: &EndpointId) {
        self.leaving.retain(|member| member.spec.id != *endpoint);
    }

    fn present(&self) -> impl Iterator<Item = &Member> {
        self.there.iter().chain(&self.leaving)
    }

    /// All that are there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.there.iter()
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
            .present()
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

/// Only a bridge has a limit to its ports that is known beforehand.
fn ports_max(network: &NetworkSpec) -> usize {
    match network.driver.as_str() {
        "bridge" => usize::try_from(BRIDGE_PORTS_MAX).unwrap_or(usize::MAX),
        _ => usize::MAX,
    }
}
