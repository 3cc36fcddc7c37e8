//! A snapshot, to be asked for one thing after another: a host has thousands of links.

use std::collections::{HashMap, HashSet};

use ipnet::IpNet;

use crate::snapshot::{LinkState, RouteState, Snapshot};

/// What a host has.
#[derive(Debug)]
pub(crate) struct Present<'a> {
    by_index: HashMap<u32, &'a LinkState>,
    by_name: HashMap<&'a str, &'a LinkState>,
    bridges_with_ports: HashSet<u32>,
    addresses: HashSet<(u32, IpNet)>,
    routes: HashMap<IpNet, Vec<&'a RouteState>>,
}

impl<'a> Present<'a> {
    pub(crate) fn of(host: &'a Snapshot) -> Self {
        let mut routes: HashMap<IpNet, Vec<&RouteState>> = HashMap::new();
        for route in &host.routes {
            let to = routes.entry(route.destination.trunc()).or_default();
            to.push(route);
        }
        let links = host.links.iter();
        let addresses = host.addresses.iter();
        Self {
            by_index: links.clone().map(|link| (link.index, link)).collect(),
            bridges_with_ports: links.clone().filter_map(|link| link.master).collect(),
            by_name: links.map(|link| (link.name.as_str(), link)).collect(),
            addresses: addresses.map(|state| (state.link, state.address)).collect(),
            routes,
        }
    }

    pub(crate) fn link_at(&self, index: u32) -> Option<&'a LinkState> {
        self.by_index.get(&index).copied()
    }

    pub(super) fn has_ports(&self, bridge: u32) -> bool {
        self.bridges_with_ports.contains(&bridge)
    }

    pub(super) fn link_named(&self, name: &str) -> Option<&'a LinkState> {
        self.by_name.get(name).copied()
    }

    pub(super) fn has_address(&self, link: u32, address: IpNet) -> bool {
        self.addresses.contains(&(link, address))
    }

    /// Those of all tables.
    pub(super) fn routes_to(&self, destination: IpNet) -> &[&'a RouteState] {
        self.routes
            .get(&destination.trunc())
            .map_or(&[], Vec::as_slice)
    }
}
