//! Which subnets a network gets: what of the host's addresses is spoken for, and the pools of what
//! is not.

use crate::addr::{Family, Subnet};
use crate::config::{FamilyRequest, NetworkRequest};
use crate::error::{Fault, Obstacle, Occupant};
use crate::ipam::{Owner, Pool, Wanted, check_subnet};
use crate::kernel::read_text;
use crate::plan::{PROHIBITION_TABLE, ROUTE_PROTOCOL, Switch};
use crate::resolver::nameservers;
use crate::snapshot::{RouteState, Snapshot};
use crate::spec::NetworkRange;

use super::Host;

impl Host {
    /// All but the networks, the caller's own wishes first.
    pub(super) fn obstacles(&self, snapshot: &Snapshot) -> Vec<Obstacle> {
        let denied = self.0.config.denied.iter().map(|&subnet| Obstacle {
            subnet,
            occupant: Occupant::Denied,
        });
        denied
            .chain(self.nameservers())
            .chain(occupied(snapshot))
            .collect()
    }

    fn nameservers(&self) -> Vec<Obstacle> {
        let text = read_text(&self.0.config.files.resolv_conf).unwrap_or_default();
        let servers = nameservers(&text);
        let obstacle = |address| Obstacle {
            subnet: address,
            occupant: Occupant::Nameserver,
        };
        servers
            .into_iter()
            .map(Subnet::from)
            .map(obstacle)
            .collect()
    }

    pub(super) fn choose_families(
        &self,
        request: &NetworkRequest,
        obstacles: &[Obstacle],
        faults: &mut Vec<Fault>,
    ) -> Vec<(NetworkRange, Pool)> {
        let mut families = Vec::new();
        let wanted = [(Family::V4, &request.ipv4), (Family::V6, &request.ipv6)];
        for (family, asked) in wanted {
            let Some(asked) = asked else { continue };
            let chosen = self.choose_subnet(family, asked, obstacles);
            let subnet = chosen.map_err(|fault| faults.push(fault)).ok();
            // what is wrong with the addresses in a subnet does not depend on its being free
            if let Some(subnet) = subnet.or(asked.subnet) {
                families.extend(fill(subnet, asked, faults));
            }
        }
        for asked in &request.further {
            if let Some(subnet) = asked.subnet {
                faults.extend(check_subnet(subnet, obstacles).err());
                families.extend(fill(subnet, asked, faults));
            }
        }
        families
    }

    fn choose_subnet(
        &self,
        family: Family,
        wanted: &FamilyRequest,
        obstacles: &[Obstacle],
    ) -> std::result::Result<Subnet, Fault> {
        let Some(subnet) = wanted.subnet else {
            return self.0.pools.choose(Wanted::Any(family), obstacles);
        };
        match Wanted::open(subnet) {
            Some(open) => self.0.pools.choose(open, obstacles),
            None => check_subnet(subnet, obstacles).map(|()| subnet),
        }
    }
}

/// Ranges that the host's own routes and addresses lie in.
fn occupied(snapshot: &Snapshot) -> Vec<Obstacle> {
    let device = |index: u32| snapshot.link_at(index).map(|link| link.name.clone());
    let addresses = snapshot.addresses.iter().map(|state| Obstacle {
        subnet: Subnet::of(state.address),
        occupant: Occupant::Address {
            device: device(state.link).unwrap_or_default(),
        },
    });
    let routes = snapshot.routes.iter().filter(|state| !prohibits(state));
    let routes = routes.map(|state| Obstacle {
        subnet: Subnet::of(state.destination),
        occupant: Occupant::Route {
            device: state.link.and_then(device),
            table: state.table,
        },
    });
    addresses.chain(routes).collect()
}

/// Whether it leads nowhere, but keeps a subnet of ours apart: one of a network that is no more, or
/// is about to be.
fn prohibits(route: &RouteState) -> bool {
    route.protocol == ROUTE_PROTOCOL && route.table == PROHIBITION_TABLE
}

/// Networks first, since they can be named; without the addresses and routes that lie in them,
/// which are theirs.
pub(super) fn in_order(networks: &[Obstacle], others: &[Obstacle]) -> Vec<Obstacle> {
    let is_theirs = |other: &Obstacle| networks.iter().any(|n| n.subnet.covers(other.subnet));
    let others = others.iter().filter(|other| !is_theirs(other));
    networks.iter().chain(others).cloned().collect()
}

/// A pool for the subnet, with the gateway and the auxiliary addresses taken out. What the check of
/// the request has refused already is left out and not told again.
fn fill(
    subnet: Subnet,
    asked: &FamilyRequest,
    faults: &mut Vec<Fault>,
) -> Option<(NetworkRange, Pool)> {
    let mut tell = |fault| {
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    };
    let range = asked.range.filter(|range| subnet.covers(*range));
    let mut pool = Pool::new(subnet, range).map_err(&mut tell).ok()?;
    let auxiliary = asked.auxiliary.iter();
    for (name, &address) in auxiliary.filter(|(_, address)| subnet.contains(**address)) {
        let reserved = pool.reserve(address, Owner::Auxiliary(name.clone()));
        let _kept = reserved.map_err(&mut tell);
    }
    let wanted = asked.gateway.filter(|gateway| subnet.contains(*gateway));
    let gateway = match (asked.gateway, asked.gateway_choice) {
        (None, Switch::Off) => None,
        _ => pool.reserve_gateway(wanted).map_err(&mut tell).ok(),
    };
    let range = NetworkRange {
        subnet,
        gateway,
        range,
        auxiliary: asked.auxiliary.clone(),
    };
    Some((range, pool))
}
