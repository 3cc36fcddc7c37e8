//! What the annotations ask for, in the crate's words.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bridgework::plan::Switch;
use bridgework::{ContainerConfig, ContainerId, EndpointConfig, Netns, NetworkConfig, Subnet};
use ipnet::IpNet;

use crate::Outcome;
use crate::network::MADE;
use crate::state::State;

const KEYS: [&str; 9] = [
    "network",
    "ip",
    "subnet",
    "internal",
    "name",
    "aliases",
    "publish",
    "mac",
    "interface",
];

/// What is asked for of one container.
#[derive(Debug)]
pub(crate) struct Wish {
    pub(crate) network: String,
    pub(crate) container: String,
    id: Option<ContainerId>,
    pub(crate) endpoint: EndpointConfig,
    subnets: Vec<Subnet>,
    internal: Switch,
}

impl Wish {
    /// Nothing, where no network is named.
    pub(crate) fn of(state: &State) -> Outcome<Option<Self>> {
        let given = state.annotations();
        let Some(network) = given.get("network") else {
            return Ok(None);
        };
        if let Some(unknown) = given.keys().find(|key| !KEYS.contains(key)) {
            return Err(format!("unknown annotation bridgework.{unknown}").into());
        }
        let addresses: Vec<IpNet> = parts(&given, "ip").map(net).collect::<Outcome<_>>()?;
        let on_link = |net: &&IpNet| net.prefix_len() < net.max_prefix_len();
        let mut subnets: Vec<Subnet> = Vec::new();
        for text in parts(&given, "subnet") {
            subnets.push(text.parse()?);
        }
        if subnets.is_empty() {
            let of_addresses = addresses.iter().filter(on_link);
            subnets.extend(of_addresses.map(|net| Subnet::of(*net)));
        }
        // a full id is no name, and too long for one
        let id = state.id.parse::<ContainerId>().ok();
        let named = given.get("name").map(|name| (*name).to_owned());
        let called = || id.map_or_else(|| state.id.clone(), |id| id.short());
        Ok(Some(Self {
            network: (*network).to_owned(),
            container: named.unwrap_or_else(called),
            id,
            endpoint: endpoint(&given, &addresses),
            subnets,
            internal: match given.get("internal") {
                None | Some(&"false") => Switch::Off,
                Some(&"true") => Switch::On,
                Some(other) => return Err(format!("bridgework.internal is {other:?}").into()),
            },
        }))
    }

    /// A network that is not there yet.
    pub(crate) fn network_config(&self) -> NetworkConfig {
        let mut config = NetworkConfig::bridge(&self.network).label(MADE, "");
        for subnet in &self.subnets {
            config = config.subnet(*subnet);
        }
        if !self.subnets.is_empty() && self.subnets.iter().all(|subnet| subnet.is_ipv6()) {
            config = config.ipv4(Switch::Off);
        }
        match self.internal {
            Switch::On => config.internal(),
            Switch::Off => config,
        }
    }

    pub(crate) fn container_config(&self, netns: Netns) -> ContainerConfig {
        let config = ContainerConfig::new(&self.container, netns);
        match self.id {
            Some(id) => config.id(id),
            None => config,
        }
    }
}

fn endpoint(given: &BTreeMap<&str, &str>, addresses: &[IpNet]) -> EndpointConfig {
    let mut config = EndpointConfig::new().anew();
    for address in addresses {
        config = config.ip(address.addr());
    }
    for alias in parts(given, "aliases") {
        config = config.alias(alias);
    }
    for mapping in parts(given, "publish") {
        config = config.publish(mapping);
    }
    if let Some(mac) = given.get("mac") {
        config = config.mac(*mac);
    }
    if let Some(name) = given.get("interface") {
        config = config.link_name(*name);
    }
    config
}

fn parts<'a>(
    given: &BTreeMap<&str, &'a str>,
    key: &str,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let text = given.get(key).copied().unwrap_or_default();
    text.split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
}

/// With the length of a prefix or without.
fn net(text: &str) -> Outcome<IpNet> {
    let bare = || text.parse::<IpAddr>().map(IpNet::from);
    let net = text.parse::<IpNet>().or_else(|_| bare());
    Ok(net.map_err(|_| format!("invalid address {text:?}"))?)
}
