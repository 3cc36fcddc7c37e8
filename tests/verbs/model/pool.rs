//! Who has which address of one subnet, and who gets which next, in plain lists.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use super::{Class, Faults};

#[derive(Debug, Clone)]
pub struct Pool {
    base: u128,
    is_ipv6: bool,
    size: u128,
    pub prefix: u8,
    pub gateway: IpAddr,
    /// Never held, the lowest first.
    fresh: Vec<IpAddr>,
    /// Released, the longest ago first.
    released: Vec<IpAddr>,
    /// What a name released last.
    former: BTreeMap<String, IpAddr>,
    /// What was asked for and waits for a name to return, with the container that it waits for.
    kept: BTreeMap<String, (IpAddr, usize)>,
    held: BTreeSet<IpAddr>,
}

/// More than any sequence takes.
const ENOUGH: u128 = 64;

impl Pool {
    pub fn new(base: IpAddr, prefix: u8) -> Self {
        let (base, bits) = match base {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32),
            IpAddr::V6(address) => (u128::from(address), 128),
        };
        let mut pool = Self {
            base,
            is_ipv6: bits == 128,
            size: 1 << (bits - prefix),
            prefix,
            gateway: IpAddr::from([0; 4]),
            fresh: Vec::new(),
            released: Vec::new(),
            former: BTreeMap::new(),
            kept: BTreeMap::new(),
            held: BTreeSet::new(),
        };
        pool.gateway = pool.at(1);
        let broadcast = if pool.is_ipv6 { 0 } else { 1 };
        let end = (pool.size - broadcast).min(ENOUGH);
        pool.fresh = (2..end).map(|offset| pool.at(offset)).collect();
        pool
    }

    pub fn at(&self, offset: u128) -> IpAddr {
        let number = self.base + offset;
        if self.is_ipv6 {
            IpAddr::V6(number.into())
        } else {
            IpAddr::V4(u32::try_from(number).expect("it is IPv4").into())
        }
    }

    /// What is wrong with asking for an address.
    pub fn check(&self, address: IpAddr, faults: &mut Faults) {
        let number = match address {
            IpAddr::V4(address) => u128::from(u32::from(address)),
            IpAddr::V6(address) => u128::from(address),
        };
        let is_inside = number >= self.base && number < self.base + self.size;
        let is_last = number == self.base + self.size - 1 && !self.is_ipv6;
        if !is_inside || number == self.base || is_last {
            faults.insert(Class::Invalid);
        } else if address == self.gateway || self.held.contains(&address) {
            faults.insert(Class::Exists);
        }
    }

    /// The address that a container of that name gets if it does not ask for one.
    pub fn next(&self, name: &str) -> Option<IpAddr> {
        let kept = self.kept.get(name).map(|(address, _)| address);
        let former = self.former.get(name);
        let next = kept.or(former).or(self.fresh.first());
        next.or(self.released.first()).copied()
    }

    /// The address that it gets if nothing counts that was before.
    pub fn next_anew(&self) -> Option<IpAddr> {
        self.fresh.first().or(self.released.first()).copied()
    }

    /// What the name had counts no more.
    pub fn forget(&mut self, name: &str) {
        self.unkeep(name);
        self.disown(name);
    }

    /// The address that it released last does not return to it.
    pub fn disown(&mut self, name: &str) {
        self.former.remove(name);
    }

    /// The name gets an address; if that waits for another name, it waits no longer.
    pub fn take(&mut self, name: &str, address: IpAddr) {
        self.kept
            .retain(|other, kept| other == name || kept.0 != address);
        self.fresh.retain(|free| *free != address);
        self.released.retain(|free| *free != address);
        self.former.retain(|_, former| *former != address);
        assert!(self.held.insert(address), "{address} is taken twice");
    }

    pub fn release(&mut self, name: &str, address: IpAddr) {
        assert!(self.held.remove(&address), "{address} is not taken");
        if self.kept.get(name).is_none_or(|kept| kept.0 != address) {
            self.released.push(address);
            self.former.insert(name.to_owned(), address);
        }
    }

    /// An address that was asked for waits for its container to return; none that it had before
    /// does.
    pub fn keep(&mut self, name: &str, container: usize, address: Option<IpAddr>) {
        if self.kept.get(name).map(|kept| kept.0) != address {
            self.unkeep(name);
        }
        let Some(address) = address else { return };
        self.released.retain(|free| *free != address);
        self.former.retain(|_, former| *former != address);
        self.kept.insert(name.to_owned(), (address, container));
    }

    /// Whether it waits for anybody.
    pub fn is_kept(&self, address: IpAddr) -> bool {
        self.kept.values().any(|kept| kept.0 == address)
    }

    pub fn unkeep(&mut self, name: &str) {
        let kept = self.kept.remove(name);
        if let Some((address, _)) = kept.filter(|kept| !self.held.contains(&kept.0)) {
            self.released.push(address);
        }
    }

    /// As [`unkeep`](Self::unkeep), if it waits for that container.
    pub fn unkeep_of(&mut self, name: &str, container: usize) {
        if self.kept.get(name).is_some_and(|kept| kept.1 == container) {
            self.unkeep(name);
        }
    }
}
