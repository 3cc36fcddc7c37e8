//! Who is on a network and who has which address. Memory only: it is changed before the kernel is
//! asked (an address is held) and after the kernel agreed (a member is there), never during.

mod awaited;
mod pools;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use crate::addr::{ContainerId, ContainerLink, ContainerName, EndpointId, NetworkName, Subnet};
use crate::config::EndpointRequest;
use crate::error::Fault;
use crate::inspect::SubnetStatus;
use crate::ipam::{Lease, Owner, Pool};
use crate::kernel::BRIDGE_PORTS_MAX;
use crate::plan::HostsFile;
use crate::spec::{EndpointSpec, NetworkSpec, Origin};
use awaited::Awaited;
pub(crate) use pools::Pools;

#[derive(Debug, Clone)]
pub(crate) struct Members {
    pools: Pools,
    network: NetworkName,
    /// Those that are there, in the order in which they came.
    there: Vec<Member>,
    /// Those whose names and lines are gone, and whose links are on their way out.
    leaving: Vec<Member>,
    /// Those that have left with something left behind.
    struck_off: Vec<Member>,
    /// Those that are on their way.
    coming: BTreeSet<ContainerName>,
    /// Of those, the ones whose wire is made.
    staged: Vec<EndpointSpec>,
    /// Addresses that somebody asked for who has left and may return: nobody gets one by chance,
    /// and whoever asks for it does.
    awaited: BTreeMap<ContainerName, Awaited>,
    generation: u64,
    /// Those that another process is connecting or disconnecting.
    elsewhere: BTreeMap<EndpointId, EndpointSpec>,
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
    /// One of each subnet.
    leases: Vec<Lease>,
    /// What was kept for the return of others, and is kept for it again if the container does not
    /// get in.
    made_way: Vec<(ContainerName, IpAddr)>,
}

impl Admission {
    /// The address of that subnet.
    pub(crate) fn lease_in(&self, subnet: Subnet) -> Option<&Lease> {
        let mut leases = self.leases.iter();
        leases.find(|lease| subnet.contains(lease.address))
    }
}

impl Members {
    pub(crate) fn new(network: &NetworkName, pools: Pools) -> Self {
        Self {
            pools,
            network: network.clone(),
            there: Vec::new(),
            leaving: Vec::new(),
            struck_off: Vec::new(),
            coming: BTreeSet::new(),
            staged: Vec::new(),
            awaited: BTreeMap::new(),
            generation: 0,
            elsewhere: BTreeMap::new(),
        }
    }

    /// Another process has connected it: it is in.
    pub(crate) fn recall(&mut self, member: Member) {
        self.release_elsewhere(&member.spec.id);
        self.release_struck_off(&member.spec.id);
        self.hold_addresses(&member.spec);
        self.there.push(member);
    }

    /// Another process is connecting or disconnecting it: nobody else gets its addresses.
    pub(crate) fn hold_elsewhere(&mut self, spec: &EndpointSpec) {
        if self.elsewhere.insert(spec.id, spec.clone()).is_none() {
            self.hold_addresses(spec);
        }
    }

    /// Another process is done with it.
    pub(crate) fn release_elsewhere(&mut self, endpoint: &EndpointId) {
        if let Some(spec) = self.elsewhere.remove(endpoint) {
            self.release_all_of(&spec);
        }
    }

    /// Another process has disconnected it, and its addresses are free.
    pub(crate) fn lose_sight(&mut self, endpoint: &EndpointId) {
        self.withdraw(endpoint);
        self.dismiss(endpoint);
    }

    fn hold_addresses(&mut self, spec: &EndpointSpec) {
        for address in spec.addresses().map(|address| address.address.addr()) {
            if let Some(pool) = self.pools.of_mut(address) {
                let owner = Owner::Container(spec.container.clone());
                let _held = pool.reserve(address, owner);
            }
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
        self.check_links(request, network, faults);
        let wanted = request.addresses();
        faults.extend(wanted.filter_map(|address| self.check_wanted(container, address)));
        if faults.is_empty() {
            self.check_left(container, request, faults);
        }
        if !faults.is_empty() {
            return None;
        }
        let wanted = request.addresses();
        let made_way = wanted.filter_map(|address| self.make_way(container, address));
        let mut admission = Admission {
            made_way: made_way.collect(),
            leases: Vec::new(),
        };
        for address in request.addresses() {
            let lease = self.lease_wanted(container, address, faults);
            admission.leases.extend(lease);
        }
        for at in 0..self.pools.0.len() {
            let lease = self.lease_any(at, container, request, faults);
            admission.leases.extend(lease);
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

    /// On a built-in network a link is a line in a hosts file: somebody must be there to be written
    /// down. Elsewhere names resolve when they are asked for.
    fn check_links(
        &self,
        request: &EndpointRequest,
        network: &NetworkSpec,
        faults: &mut Vec<Fault>,
    ) {
        if network.origin != Origin::Builtin {
            return;
        }
        let is_there = |name: &ContainerName| self.there.iter().any(|m| m.spec.container == *name);
        let targets = request.links.iter().map(ContainerLink::container);
        faults.extend(
            targets
                .filter(|name| !is_there(name))
                .map(|container| Fault::LinkTarget {
                    container: container.clone(),
                    network: self.network.clone(),
                }),
        );
    }

    /// Why the container can't have an address. It is not taken for that: one that was taken and
    /// given back is the container's former one. What is only kept for another's return makes way, so
    /// that whoever asks can have what that one could.
    fn check_wanted(&self, container: &ContainerName, address: IpAddr) -> Option<Fault> {
        let mut others = self.awaited.iter().filter(|(name, _)| *name != container);
        let awaited = others.find(|(_, awaited)| awaited.addresses.contains(&address));
        let taker = awaited.map_or(container, |(name, _)| name);
        match self.pools.of(address) {
            Some(pool) => pool.check(address, taker).err(),
            None => {
                let subnets = self.subnets();
                Some(Fault::AddressOutside { address, subnets })
            }
        }
    }

    fn lease_wanted(
        &mut self,
        container: &ContainerName,
        address: IpAddr,
        faults: &mut Vec<Fault>,
    ) -> Option<Lease> {
        let pool = self.pools.of_mut(address)?;
        let lease = pool.reserve(address, Owner::Container(container.clone()));
        lease.map_err(|fault| faults.push(fault)).ok()
    }

    /// Whether an address is left in each subnet of which none was asked for. One that is taken and
    /// given back comes last in the order, so none is taken in vain.
    fn check_left(
        &self,
        container: &ContainerName,
        request: &EndpointRequest,
        faults: &mut Vec<Fault>,
    ) {
        for pool in &self.pools.0 {
            let is_left = pool.available() > 0 || pool.kept_for(container).is_some();
            if !is_wanted(pool, request) && !is_left {
                let subnet = pool.subnet();
                faults.push(Fault::AddressesExhausted { subnet });
            }
        }
    }

    /// One of a subnet of which none is asked for.
    fn lease_any(
        &mut self,
        at: usize,
        container: &ContainerName,
        request: &EndpointRequest,
        faults: &mut Vec<Fault>,
    ) -> Option<Lease> {
        let awaited = self.awaited.get(container);
        let pool = self.pools.0.get_mut(at);
        let pool = pool.filter(|pool| !is_wanted(pool, request))?;
        let kept = pool.kept_for(container);
        let is_awaited = kept
            .is_some_and(|kept| awaited.is_some_and(|awaited| awaited.addresses.contains(&kept)));
        // what was reserved on purpose counts, whatever is forgotten; what is only awaited is as
        // good as any other where no other is left
        let begins_anew =
            !request.recalls() && (kept.is_none() || is_awaited) && pool.available() > 0;
        let chosen = match begins_anew {
            true => pool.allocate_anew_for(container),
            false => pool.allocate_for(container),
        };
        chosen.map_err(|fault| faults.push(fault)).ok()
    }

    fn subnets(&self) -> Vec<Subnet> {
        self.pools.0.iter().map(Pool::subnet).collect()
    }

    /// The container did not get in.
    pub(crate) fn turn_away(&mut self, container: &ContainerName, admission: &Admission) {
        self.arrive(container);
        self.give_back(admission);
    }

    fn give_back(&mut self, admission: &Admission) {
        for lease in &admission.leases {
            self.release(lease.address);
        }
        for kept in &admission.made_way {
            self.keep_again(kept);
        }
    }

    fn release(&mut self, address: IpAddr) {
        if let Some(pool) = self.pools.of_mut(address) {
            let _released = pool.release(address);
        }
    }

    fn release_all_of(&mut self, spec: &EndpointSpec) {
        for address in spec.addresses() {
            self.release(address.address.addr());
        }
    }

    /// It is on its way no more.
    fn arrive(&mut self, container: &ContainerName) {
        self.coming.remove(container);
        self.staged.retain(|spec| spec.container != *container);
    }

    /// The wire of a container on its way is made.
    pub(crate) fn stage(&mut self, spec: &EndpointSpec) {
        self.staged.push(spec.clone());
    }

    /// The container is in.
    pub(crate) fn welcome(&mut self, member: Member) {
        self.arrive(&member.spec.container);
        self.there.push(member);
    }

    /// The container is leaving: the others know it no longer, but it still has its addresses.
    pub(crate) fn withdraw(&mut self, endpoint: &EndpointId) {
        self.leaving.extend(take_out(&mut self.there, endpoint));
    }

    /// The container has left its place, and keeps its addresses until it comes again or is sent
    /// away.
    pub(crate) fn step_back(&mut self, endpoint: &EndpointId) {
        if let Some(member) = take_out(&mut self.leaving, endpoint) {
            self.coming.insert(member.spec.container.clone());
            self.staged.push(member.spec);
        }
    }

    /// A container with a place held does not come any more.
    pub(crate) fn send_away(&mut self, spec: &EndpointSpec) {
        self.arrive(&spec.container);
        self.release_all_of(spec);
    }

    /// As [`send_away`](Self::send_away), with something left behind: its addresses stay held.
    pub(crate) fn lose(&mut self, spec: &EndpointSpec) {
        self.arrive(&spec.container);
        let (spec, hosts) = (spec.clone(), None);
        self.struck_off.push(Member { spec, hosts });
    }

    /// The container has left, and its addresses are free.
    pub(crate) fn dismiss(&mut self, endpoint: &EndpointId) {
        if let Some(member) = take_out(&mut self.leaving, endpoint) {
            self.release_all_of(&member.spec);
        }
    }

    /// The container has left with something left behind: its addresses stay held.
    pub(crate) fn strike_off(&mut self, endpoint: &EndpointId) {
        let off = take_out(&mut self.leaving, endpoint);
        self.struck_off.extend(off);
    }

    /// What it has left behind is gone, or goes.
    pub(crate) fn release_struck_off(&mut self, endpoint: &EndpointId) {
        if let Some(member) = take_out(&mut self.struck_off, endpoint) {
            self.release_all_of(&member.spec);
        }
    }

    /// The addresses of those of that name that left something behind are free after all. Returns
    /// how many there were.
    pub(crate) fn write_off(&mut self, container: &str) -> usize {
        let (off, stay): (Vec<Member>, _) = std::mem::take(&mut self.struck_off)
            .into_iter()
            .partition(|member| member.spec.container.as_str() == container);
        self.struck_off = stay;
        let count = off.len();
        for member in off {
            self.release_all_of(&member.spec);
        }
        count
    }

    fn present(&self) -> impl Iterator<Item = &Member> {
        self.there.iter().chain(&self.leaving)
    }

    /// Whether it is there, on its way, or about to leave.
    pub(crate) fn has(&self, spec: &EndpointSpec) -> bool {
        let mut wired = self
            .present()
            .map(|member| &member.spec)
            .chain(&self.staged);
        wired.any(|one| one.id == spec.id) || self.coming.contains(&spec.container)
    }

    /// All that are there.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.there.iter()
    }

    pub(crate) fn specs(&self) -> Vec<EndpointSpec> {
        self.there.iter().map(|m| m.spec.clone()).collect()
    }

    /// The endpoint of that container.
    pub(crate) fn of_container(&self, id: ContainerId) -> Option<&EndpointSpec> {
        let mut specs = self.there.iter().map(|member| &member.spec);
        specs.find(|spec| spec.container_id == id)
    }

    /// Whose endpoints keep the network from being removed.
    pub(crate) fn active(&self) -> Vec<(ContainerName, EndpointId)> {
        let wired = self.present().map(|member| &member.spec);
        // whoever another process connects or disconnects at this moment is on it as well
        let wired = wired.chain(&self.staged).chain(self.elsewhere.values());
        let is_staged = |name: &&ContainerName| self.staged.iter().any(|s| s.container == **name);
        let unborn = EndpointId::from_bytes([0; 32]);
        let coming = self.coming.iter().filter(|name| !is_staged(name));
        wired
            .map(|spec| (spec.container.clone(), spec.id))
            .chain(coming.map(|name| (name.clone(), unborn)))
            .collect()
    }

    /// How full the subnets are.
    pub(crate) fn status(&self) -> Vec<(Subnet, SubnetStatus)> {
        let status = |pool: &Pool| SubnetStatus {
            in_use: pool.in_use(),
            available: pool.available(),
        };
        let pools = self.pools.0.iter();
        pools.map(|pool| (pool.subnet(), status(pool))).collect()
    }
}

/// Whether an address of its subnet is asked for.
fn is_wanted(pool: &Pool, request: &EndpointRequest) -> bool {
    let subnet = pool.subnet();
    request.addresses().any(|address| subnet.contains(address))
}

fn take_out(members: &mut Vec<Member>, endpoint: &EndpointId) -> Option<Member> {
    let at = members.iter().position(|m| m.spec.id == *endpoint)?;
    Some(members.remove(at))
}

/// Only a bridge has a limit to its ports that is known beforehand.
fn ports_max(network: &NetworkSpec) -> usize {
    match network.driver.as_str() {
        "bridge" => usize::try_from(BRIDGE_PORTS_MAX).unwrap_or(usize::MAX),
        _ => usize::MAX,
    }
}
