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
    pub(crate) id: ContainerId,
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
            id: id.unwrap_or_else(|| id_of(&state.id)),
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
        ContainerConfig::new(&self.container, netns).id(self.id)
    }
}

/// The same one for the same text each time, for ids that are none of 64 digits: FNV-1a, of which each
/// part begins elsewhere and is stirred once more, since the first digits are to differ, too.
fn id_of(text: &str) -> ContainerId {
    let mut bytes = [0; 32];
    for (part, to) in (0_u64..).zip(bytes.chunks_exact_mut(8)) {
        let begin = 0xcbf2_9ce4_8422_2325 ^ part;
        let hash = text.bytes().fold(begin, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let stirred = (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
        to.copy_from_slice(&(stirred ^ (stirred >> 32)).to_be_bytes());
    }
    ContainerId::from_bytes(bytes)
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
