//! One mapping: the host's ports that are held for it, the elements that lead to the container, and
//! what this process has to carry over.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use crate::addr::{ContainerName, Family, PortMapping, Protocol, PublishedPort};
use crate::error::{Fault, Result};
use crate::firewall::{Door, carried_elements, open_elements, port_elements};
use crate::kernel::{Choice, HeldPort, HostPorts, Relay, RelayScope, Relayed, Wish};
use crate::plan::nft::Element;

/// One mapping, and what the host gives for it.
#[derive(Debug, Clone)]
pub(super) struct Publication {
    pub(super) mapping: PortMapping,
    /// Whose it is, for those who list it.
    container: ContainerName,
    /// What this process carries over, once it does. It ends before its ports are anybody's.
    relayed: Arc<Vec<Relayed>>,
    /// What it has to.
    relay: Option<RelayWay>,
    /// The host's addresses; none while no network leads there by a port of the host's.
    pub(super) addresses: Vec<IpAddr>,
    /// The same ports, each time at further addresses, in the order of the container's.
    held: Vec<Held>,
}

/// The addresses at which ports are held, and these ports.
type Held = (Vec<IpAddr>, Arc<Vec<HeldPort>>);

/// From whom and whereto this process carries over what the kernel can't lead there.
type RelayWay = (RelayScope, IpAddr);

impl Publication {
    pub(super) fn new(
        container: &ContainerName,
        mapping: PortMapping,
        (addresses, held): (Vec<IpAddr>, Vec<HeldPort>),
        doors: &[Door],
    ) -> Self {
        Self {
            mapping,
            container: container.clone(),
            relayed: Arc::default(),
            relay: relay_way(&mapping, &addresses, doors),
            held: vec![(addresses.clone(), Arc::new(held))],
            addresses,
        }
    }

    /// One that another process has published: it is in our book, and no socket of ours holds it.
    pub(super) fn recalled(
        ports: &HostPorts,
        container: &ContainerName,
        (mapping, published): (PortMapping, &[PublishedPort]),
        doors: &[Door],
    ) -> Self {
        let mut addresses: Vec<IpAddr> = published.iter().map(|p| p.host_address).collect();
        addresses.sort();
        addresses.dedup();
        let first = addresses.first().copied();
        let numbers = published.iter().filter(|p| Some(p.host_address) == first);
        let held = numbers.filter_map(|p| {
            let number = (p.protocol, p.host_port);
            ports.recall(container, number, &addresses)
        });
        let held = held.collect();
        Self::new(container, mapping, (addresses, held), doors)
    }

    /// Whether its ports can stay what they are when they are to be at these addresses.
    pub(super) fn can_be_at(&self, addresses: &[IpAddr]) -> bool {
        self.addresses == addresses || !(self.addresses.is_empty() || addresses.is_empty())
    }

    /// The same ports of the host's, at other addresses. What is held at addresses where it is not
    /// needed any more is held on to, and is in the way of others alone.
    pub(super) fn at(
        &self,
        ports: &HostPorts,
        addresses: Vec<IpAddr>,
    ) -> std::result::Result<Self, Vec<Fault>> {
        let is_held = |address| self.held.iter().any(|(at, _)| at.contains(address));
        let missing = addresses.iter().filter(|address| !is_held(address));
        let missing: Vec<IpAddr> = missing.copied().collect();
        let mut held = self.held.clone();
        if !missing.is_empty() {
            let own: Vec<&HeldPort> = self.all_held().collect();
            let more = ports.hold_beside(self.first(), &own, &missing)?;
            held.push((missing, Arc::new(more)));
        }
        let relayed = match self.addresses == addresses {
            true => Arc::clone(&self.relayed),
            false => Arc::default(),
        };
        Ok(Self {
            addresses,
            held,
            relayed,
            ..self.clone()
        })
    }

    fn all_held(&self) -> impl Iterator<Item = &HeldPort> {
        self.held.iter().flat_map(|(_, held)| held.iter())
    }

    fn first(&self) -> &[HeldPort] {
        self.held.first().map_or(&[], |(_, held)| held)
    }

    /// The same, by other doors.
    pub(super) fn by(&self, doors: &[Door]) -> Self {
        let relay = relay_way(&self.mapping, &self.addresses, doors);
        let relayed = match self.relay == relay {
            true => Arc::clone(&self.relayed),
            false => Arc::default(),
        };
        Self {
            relayed,
            relay,
            ..self.clone()
        }
    }

    /// The ports of the host's that lead to the container.
    pub(super) fn ports(&self) -> impl Iterator<Item = PublishedPort> + '_ {
        let container_ports = self.mapping.container_ports().ports();
        let pairs = self.first().iter().zip(container_ports);
        pairs.flat_map(move |(held, container_port)| {
            let addresses = self.addresses.iter();
            addresses.map(move |&host_address| PublishedPort {
                host_address,
                host_port: held.number(),
                protocol: held.protocol(),
                container_port,
            })
        })
    }

    /// The elements by which its ports are reached by these doors.
    pub(super) fn elements(&self, doors: &[Door]) -> Vec<Element> {
        let ports: Vec<PublishedPort> = self.ports().collect();
        let by = |door: &Door| match door.translates() {
            true => port_elements(&self.container, door, &ports),
            false => open_elements(&self.container, door, &[self.mapping]),
        };
        let mut elements: Vec<Element> = doors.iter().flat_map(by).collect();
        if matches!(self.relay, Some((RelayScope::Anyone, _))) {
            elements.extend(carried_elements(&self.container, &ports));
        }
        elements
    }

    /// Whether a port of it leads here from 127.0.0.1.
    pub(super) fn has_loopback(&self) -> bool {
        self.addresses.iter().any(|address| match address {
            IpAddr::V4(address) => address.is_unspecified() || address.is_loopback(),
            IpAddr::V6(_) => false,
        })
    }

    /// What another process has published is held by this one.
    pub(super) fn hold(&self, ports: &HostPorts) -> std::result::Result<(), Vec<Fault>> {
        let own: Vec<&HeldPort> = self.all_held().collect();
        own.iter()
            .try_for_each(|port| ports.hold_recalled(port, &own))
    }

    /// What the kernel can't lead to the container is led there by this process, if it holds the ports.
    pub(super) fn carry_over(&mut self, relay: &Relay) -> Result<()> {
        let is_ours = self.all_held().all(HeldPort::is_held);
        let way = self.relay.filter(|_| is_ours && self.relayed.is_empty());
        let Some((scope, address)) = way else {
            return Ok(());
        };
        let container_ports = || self.mapping.container_ports().ports();
        // of what is held, a socket at one address hears what comes there, and not one at all addresses
        let is_published = |at: &IpAddr| {
            let mut of_ipv6 = self.addresses.iter().filter(|address| address.is_ipv6());
            at.is_ipv6() && of_ipv6.any(|address| address == at || address.is_unspecified())
        };
        let published = |(at, _): &&Held| at.iter().any(is_published);
        let pairs = self.held.iter().filter(published);
        let pairs = pairs.flat_map(|(_, held)| held.iter().zip(container_ports()));
        let relayed = pairs.map(|(held, port)| {
            let target = SocketAddr::new(address, port.get());
            relay.serve(held, scope, target)
        });
        self.relayed = Arc::new(relayed.collect::<Result<_>>()?);
        Ok(())
    }
}

/// The address that was asked for, that of the network's option, or all, as they are where the option
/// says all of IPv4; none where no door leads from a port of the host's. By IPv6 who has none is reached too, and who is reached by its own
/// address is not.
pub(super) fn host_addresses(mapping: &PortMapping, doors: &[Door]) -> Vec<IpAddr> {
    let mut translating = doors.iter().filter(|door| door.translates());
    let Some(first) = translating.next() else {
        return Vec::new();
    };
    let all = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
    let binding = first.binding.filter(|address| *address != all[0]);
    let mut addresses = match mapping.host_address().or(binding) {
        Some(address) => vec![address],
        None => all.to_vec(),
    };
    addresses.retain(|address| {
        let family = Family::of(*address);
        let mut of_family = doors.iter().filter(|door| door.family == family);
        match of_family.next() {
            Some(door) => door.translates() || of_family.any(Door::translates),
            None => family == Family::V6,
        }
    });
    addresses
}

pub(super) fn wish(container: &ContainerName, mapping: &PortMapping, addresses: &[IpAddr]) -> Wish {
    let count = mapping.container_ports().count();
    Wish {
        container: container.clone(),
        addresses: addresses.to_vec(),
        protocol: mapping.protocol(),
        ports: match mapping.host_ports() {
            None => Choice::Ephemeral(count),
            Some(range) if range.count() == count => Choice::All(range),
            Some(range) => Choice::FirstOf(range),
        },
    }
}

/// The kernel leads nothing from `::1` or `fe80::/10` to another link, and nothing by IPv6 to who has none.
fn relay_way(mapping: &PortMapping, addresses: &[IpAddr], doors: &[Door]) -> Option<RelayWay> {
    let mut of_ipv6 = addresses.iter().filter(|address| address.is_ipv6());
    if mapping.protocol() == Protocol::Sctp {
        return None;
    }
    let door = |family| {
        let mut doors = doors.iter().filter(|door| door.translates());
        doors.find(|door| door.family == family)
    };
    match (door(Family::V6), door(Family::V4)) {
        (Some(door), _) => {
            let is_local = |at: &IpAddr| at.is_unspecified() || at.is_loopback();
            let local = of_ipv6.any(is_local);
            local.then_some((RelayScope::Near, door.address))
        }
        (None, Some(door)) => of_ipv6.next().map(|_| (RelayScope::Anyone, door.address)),
        (None, None) => None,
    }
}
