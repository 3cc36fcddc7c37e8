//! Records to be kept: of each kind, told from each other by small numbers.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::sync::Arc;

use bridgework::config::NetworkOptions;
use bridgework::plan::{BridgeOptions, Link, Side, Switch};
use bridgework::record::{
    Body, ContainerFiles, ContainerRecord, DnsOverrides, Namespace, NetworkRecord, OwnerId, Phase,
    Record, Reservation, Tenure,
};
use bridgework::spec::{NetworkRange, NetworkSpec, Origin, Stack};
use bridgework::{
    ContainerId, Firewall, HostsScope, LinkIndex, MacPolicy, Mtu, NamespaceId, NetworkId, Port,
    Protocol, PublishedPort, ResolverScope,
};

pub fn record(body: Body) -> Record {
    Record {
        body,
        phase: Phase::There,
        tenure: Tenure::Kept,
        owner: OwnerId::new(1),
    }
}

/// Of the address 10.HIGH.LOW.1, whose holder's name is told by `name`.
pub fn reservation(number: u16, name: &str) -> Record {
    let [high, low] = number.to_be_bytes();
    record(Body::Reservation(Reservation {
        network: NetworkId::from_bytes([1; 32]),
        container: name.parse().expect("a name"),
        address: Ipv4Addr::new(10, high, low, 1).into(),
    }))
}

/// With that name and that subnet.
pub fn network(id: u8, name: &str, subnet: &str) -> Record {
    let range = NetworkRange {
        subnet: subnet.parse().expect("a subnet"),
        gateway: None,
        range: None,
        auxiliary: BTreeMap::new(),
    };
    let index = LinkIndex::new(7).expect("an index");
    let spec = NetworkSpec {
        id: NetworkId::from_bytes([id; 32]),
        name: name.parse().expect("a name"),
        driver: "bridge".to_owned(),
        origin: Origin::Custom,
        created: "2026-11-21T06:44:00.5Z".parse().expect("a time"),
        ipv4: Some(range),
        ipv6: None,
        further: Vec::new(),
        internal: Switch::Off,
        mtu: Mtu::ETHERNET,
        link: Link::new(Side::Host, "br-x".parse().expect("a name"), index),
        mac: "02:42:00:00:00:01".parse().expect("an address"),
        bridge: BridgeOptions::default(),
        mac_policy: MacPolicy::Random,
        hosts: HostsScope::Own,
        resolver: ResolverScope::default(),
        labels: BTreeMap::new(),
        options: NetworkOptions::default(),
        config_from: None,
        firewall: Firewall::Shared,
        config_only: Switch::Off,
    };
    record(Body::Network(Arc::new(NetworkRecord { spec, found: None })))
}

/// With that name, and with those TCP ports published at these addresses.
pub fn container(id: u32, name: &str, ports: &[(&str, u32)]) -> Record {
    let port = |number| Port::new(number).expect("a port");
    let at = |(address, number): &(&str, u32)| PublishedPort {
        host_address: address.parse().expect("an address"),
        host_port: port(*number),
        protocol: Protocol::Tcp,
        container_port: port(80),
    };
    let published: Vec<PublishedPort> = ports.iter().map(at).collect();
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&id.to_be_bytes());
    let asked = "80".parse().expect("a port");
    record(Body::Container(Arc::new(ContainerRecord {
        id: ContainerId::from_bytes(bytes),
        name: name.parse().expect("a name"),
        hostname: "host".parse().expect("a name"),
        domain: None,
        namespace: Namespace {
            path: None,
            identity: NamespaceId::new(4, 4_026_531_840 + u64::from(id), 0),
        },
        files: ContainerFiles::default(),
        dns: DnsOverrides::default(),
        published: BTreeMap::from([(asked, published)]),
        stack: Stack::Own,
        residence: None,
    })))
}
