//! Addresses that are kept for a container's name: until it returns, or until that is taken back.
//! Who is there now is not known here.

use std::net::IpAddr;

use crate::addr::ContainerName;
use crate::error::Fault;
use crate::spec::EndpointSpec;

use super::Members;

#[derive(Debug, Clone)]
pub(super) struct Awaited {
    pub(super) addresses: Vec<IpAddr>,
    generation: u64,
}

impl Members {
    /// Keeps the addresses that were asked for, until somebody asks for them or
    /// [`keep_no_longer`](Self::keep_no_longer).
    pub(crate) fn keep(&mut self, spec: &EndpointSpec) -> u64 {
        self.give_up(&spec.container);
        self.generation += 1;
        let requested = &spec.requested;
        let first = requested.ipv4.into_iter().chain(requested.ipv6);
        let mut addresses = Vec::new();
        for address in first.chain(requested.further.iter().copied()) {
            let pool = self.pools.of_mut(address);
            let pool = pool.filter(|pool| pool.kept_for(&spec.container).is_none());
            if pool.is_some_and(|pool| pool.reserve_for(&spec.container, address).is_ok()) {
                addresses.push(address);
            }
        }
        let generation = self.generation;
        let awaited = Awaited {
            addresses,
            generation,
        };
        self.awaited.insert(spec.container.clone(), awaited);
        generation
    }

    pub(crate) fn keep_no_longer(&mut self, container: &ContainerName, generation: u64) {
        let is_latest = |awaited: &Awaited| awaited.generation == generation;
        if self.awaited.get(container).is_some_and(is_latest) {
            self.give_up(container);
        }
    }

    /// The addresses that are kept for a name's return are kept no more.
    pub(crate) fn give_up(&mut self, container: &ContainerName) {
        let Some(awaited) = self.awaited.remove(container) else {
            return;
        };
        for address in awaited.addresses {
            if let Some(pool) = self.pools.of_mut(address) {
                let _kept = pool.unreserve(container);
            }
        }
    }

    /// Whoever asks for an address that is only kept for somebody's return gets it. Returns for
    /// whom it was kept.
    pub(super) fn make_way(
        &mut self,
        container: &ContainerName,
        address: IpAddr,
    ) -> Option<(ContainerName, IpAddr)> {
        let mut others = self
            .awaited
            .iter_mut()
            .filter(|(name, _)| *name != container);
        let (name, at) = others.find_map(|(name, awaited)| {
            let at = awaited.addresses.iter().position(|kept| *kept == address)?;
            awaited.addresses.remove(at);
            Some((name.clone(), address))
        })?;
        let pool = self.pools.of_mut(at);
        let _kept = pool.and_then(|pool| pool.unreserve(&name));
        Some((name, at))
    }

    /// It is kept for the return of that name after all, if that is still awaited.
    pub(super) fn keep_again(&mut self, (name, address): &(ContainerName, IpAddr)) {
        let Some(awaited) = self.awaited.get_mut(name) else {
            return;
        };
        let pool = self.pools.of_mut(*address);
        let pool = pool.filter(|pool| pool.kept_for(name).is_none());
        if pool.is_some_and(|pool| pool.reserve_for(name, *address).is_ok()) {
            awaited.addresses.push(*address);
        }
    }

    pub(crate) fn reserve(&mut self, name: &ContainerName, address: IpAddr) -> Result<(), Fault> {
        let made_way = self.make_way(name, address);
        let reserved = self.reserve_on_purpose(name, address);
        if let (Err(_), Some(kept)) = (&reserved, &made_way) {
            self.keep_again(kept);
        }
        reserved
    }

    /// An address of the same family that is only awaited makes way for it.
    fn reserve_on_purpose(&mut self, name: &ContainerName, address: IpAddr) -> Result<(), Fault> {
        let subnets = self.subnets();
        let Some(pool) = self.pools.of_mut(address) else {
            return Err(Fault::AddressOutside { address, subnets });
        };
        let awaited = self.awaited.get_mut(name);
        let kept = pool.kept_for(name);
        let at = awaited.as_ref().and_then(|awaited| {
            let mut addresses = awaited.addresses.iter();
            addresses.position(|address| Some(*address) == kept)
        });
        let (Some(awaited), Some(at)) = (awaited, at) else {
            return pool.reserve_for(name, address);
        };
        let former = awaited.addresses.remove(at);
        let _kept = pool.unreserve(name);
        pool.reserve_for(name, address).inspect_err(|_| {
            if pool.reserve_for(name, former).is_ok() {
                awaited.addresses.push(former);
            }
        })
    }

    /// What `name` had counts no more for what it gets next.
    pub(crate) fn forget(&mut self, name: &ContainerName) {
        for pool in &mut self.pools.0 {
            pool.forget(name);
        }
    }

    /// Only of the subnet that the address is of.
    pub(crate) fn unreserve_at(&mut self, name: &ContainerName, address: IpAddr) {
        if let Some(pool) = self.pools.of_mut(address) {
            let _kept = pool.unreserve(name);
        }
    }

    pub(crate) fn unreserve(&mut self, name: &ContainerName) {
        self.awaited.remove(name);
        for pool in &mut self.pools.0 {
            let _kept = pool.unreserve(name);
        }
    }
}
