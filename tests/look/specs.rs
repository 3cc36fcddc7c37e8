//! Specs to look at: one network of both families, and containers on it.

use std::collections::BTreeMap;

use bridgework::config::NetworkOptions;
use bridgework::plan::{BridgeOptions, Link, PortOptions, Side, Switch};
use bridgework::spec::{
    EndpointAddress, EndpointSpec, History, NetworkRange, NetworkSpec, Origin, Requested,
};
use bridgework::{
    ContainerId, EndpointId, HostsScope, LinkIndex, MacPolicy, Mtu, NetworkId, Subnet,
};

/// A network of both families: 172.22.0.0/16 and fd22::/64.
pub(crate) fn network(name: &str, id: NetworkId) -> NetworkSpec {
    let range = |subnet: &str| {
        let subnet: Subnet = subnet.parse().unwrap();
        NetworkRange {
            subnet,
            gateway: subnet.nth(1),
            range: None,
            auxiliary: BTreeMap::new(),
        }
    };
    let link = LinkIndex::new(7).unwrap();
    NetworkSpec {
        id,
        name: name.parse().unwrap(),
        driver: "bridge".to_owned(),
        origin: Origin::Custom,
        created: "2026-11-21T06:44:00.5Z".parse().unwrap(),
        ipv4: Some(range("172.22.0.0/16")),
        ipv6: Some(range("fd22::/64")),
        further: Vec::new(),
        internal: Switch::Off,
        mtu: Mtu::ETHERNET,
        link: Link::new(Side::Host, "br-test".parse().unwrap(), link),
        mac: "02:42:00:00:00:01".parse().unwrap(),
        bridge: BridgeOptions::default(),
        mac_policy: MacPolicy::Random,
        hosts: HostsScope::Own,
        resolver: bridgework::ResolverScope::default(),
        labels: BTreeMap::new(),
        options: NetworkOptions::default(),
        config_from: None,
        firewall: Default::default(),
        config_only: Switch::Off,
    }
}

/// A container on `network` with the addresses that end in `place`; its ids consist of that byte.
pub(crate) fn endpoint(network: &NetworkSpec, name: &str, place: u8) -> EndpointSpec {
    let link =
        |side, name: &str| Link::new(side, name.parse().unwrap(), LinkIndex::new(9).unwrap());
    let address = |range: &Option<NetworkRange>| {
        let range = range.as_ref()?;
        let address = range.subnet.nth(place.into())?;
        Some(EndpointAddress {
            address: range.subnet.interface(address)?,
            gateway: range.gateway,
            history: History::Fresh,
        })
    };
    EndpointSpec {
        id: EndpointId::from_bytes([place; 32]),
        network: network.id,
        container_id: ContainerId::from_bytes([place; 32]),
        container: name.parse().unwrap(),
        hostname: format!("{name}-host").parse().unwrap(),
        host_link: link(Side::Host, "veth0"),
        host_mac: "02:00:00:00:00:01".parse().unwrap(),
        link: link(Side::Container, "eth0"),
        mac: format!("02:00:00:00:00:{place:02x}").parse().unwrap(),
        ipv4: address(&network.ipv4),
        ipv6: address(&network.ipv6),
        further: Vec::new(),
        requested: Requested::default(),
        link_local: Vec::new(),
        priority: 0,
        aliases: Vec::new(),
        links: Vec::new(),
        port: PortOptions::default(),
        sysctls: Vec::new(),
        ports: Vec::new(),
        exposed: Vec::new(),
        source_guard: Switch::On,
        route_metric: 0,
    }
}
