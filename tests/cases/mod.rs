//! Specs with every id, name and hardware address fixed, so that what drivers plan for them is the
//! same text every time. Plain data; nothing here touches a kernel.

#![allow(dead_code, clippy::unwrap_used)]

pub mod modes;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use bridgework::config::NetworkOptions;
use bridgework::driver::{BridgeDriver, Driver};
use bridgework::plan::{
    BridgeOptions, HostsEdit, HostsFile, Link, Plan, PortOptions, Side, Step, Switch,
};
use bridgework::resolver::{Names, Owner, endpoint_lines, peer_lines};
use bridgework::snapshot::Snapshot;
use bridgework::spec::{
    EndpointAddress, EndpointSpec, History, NetworkRange, NetworkSpec, Origin, Requested,
};
use bridgework::{
    ContainerId, EndpointId, Firewall, GatewayMode, HostsScope, MacAddr, MacPolicy, Mtu, NetworkId,
    Subnet,
};

/// One thing that is asked of the driver, by the name of its golden file.
pub struct Case<S> {
    pub name: &'static str,
    pub spec: S,
}

/// A container's place in a network, the hosts file that is kept for it, and that of a peer that
/// shall know it.
pub struct Place {
    pub network: NetworkSpec,
    pub endpoint: EndpointSpec,
    pub hosts: Option<HostsFile>,
    pub peer_hosts: Option<HostsFile>,
}

/// What `create` is asked for.
pub fn networks() -> Vec<Case<NetworkSpec>> {
    let options = BridgeOptions::new()
        .stp(Switch::Off)
        .ageing(Duration::from_secs(60))
        .multicast_snooping(Switch::Off)
        .forward_delay(Duration::from_secs(4));
    let with_options = |bridge| NetworkSpec { bridge, ..v4() };
    let named = NetworkSpec {
        link: Link::new(
            Side::Host,
            "docker0".parse().unwrap(),
            network_id().link_index(),
        ),
        mac: "02:42:ac:11:00:01".parse().unwrap(),
        mtu: Mtu::new(9000).unwrap(),
        ..v4()
    };
    let case = |name, spec| Case { name, spec };
    vec![
        case("create-v4", v4()),
        case("create-v6", v6()),
        case("create-dual", dual()),
        case("create-internal", internal()),
        case("create-named-mac-mtu", named),
        case("create-bridge-options", with_options(options)),
        case("create-stp", stp()),
        case("create-no-gateway", no_gateway()),
        case("create-inhibit-ipv4", with_options_of(dual(), inhibited())),
        case("create-isolated", with_options_of(internal(), isolated())),
        case(
            "create-isolated-v6",
            with_options_of(internal(), isolated_v6()),
        ),
    ]
}

/// What `connect` is asked for.
pub fn places() -> Vec<Case<Place>> {
    let mut cases = ordinary_places();
    cases.extend(special_places());
    cases
}

fn ordinary_places() -> Vec<Case<Place>> {
    let case = |name, network: NetworkSpec, endpoint| Case {
        name,
        spec: place(network, endpoint),
    };
    let fixed = EndpointSpec {
        mac: "02:42:ac:11:00:02".parse().unwrap(),
        host_mac: "02:42:ac:11:00:fe".parse().unwrap(),
        link: Link::new(
            Side::Container,
            "lan0".parse().unwrap(),
            endpoint_id().container_link_index(),
        ),
        ..endpoint(&v4())
    };
    let jumbo = NetworkSpec {
        mtu: Mtu::new(9000).unwrap(),
        ..v4()
    };
    vec![
        case("connect-v4", v4(), endpoint(&v4())),
        case("connect-v6", v6(), endpoint(&v6())),
        case("connect-dual", dual(), endpoint(&dual())),
        case("connect-internal", internal(), endpoint(&internal())),
        case("connect-named-mac-mtu", jumbo, fixed),
        case("connect-stp", stp(), endpoint(&stp())),
        case("connect-no-gateway", no_gateway(), endpoint(&no_gateway())),
    ]
}

fn special_places() -> Vec<Case<Place>> {
    let case = |name, spec| Case { name, spec };
    let port = PortOptions::new()
        .hairpin(Switch::On)
        .isolated(Switch::On)
        .learning(Switch::Off);
    let port_options = EndpointSpec {
        port,
        ..endpoint(&v4())
    };
    let aliased = EndpointSpec {
        aliases: vec!["db".parse().unwrap()],
        ..endpoint(&dual())
    };
    let with_hosts = |endpoint| Place {
        hosts: Some(HostsFile::At("/run/bridgework/hosts".into())),
        ..place(dual(), endpoint)
    };
    let known = Place {
        peer_hosts: Some(HostsFile::InRoot("/run/bridgework/dd".into())),
        ..with_hosts(aliased)
    };
    let reused = |network: NetworkSpec| {
        let mut endpoint = endpoint(&network);
        let addresses = endpoint.ipv4.iter_mut().chain(&mut endpoint.ipv6);
        addresses.for_each(|address| address.history = History::Reused);
        place(network, endpoint)
    };
    let set = EndpointSpec {
        sysctls: [
            "net.ipv4.conf.IFNAME.log_martians=1",
            "net.ipv4.conf.IFNAME.arp_notify=0",
            "net.ipv4.neigh.IFNAME.gc_stale_time=30",
            "net.ipv6.conf.IFNAME.accept_ra=2",
            "net.ipv6.conf.IFNAME.mtu=1280",
        ]
        .map(|setting| setting.parse().unwrap())
        .into(),
        ..endpoint(&dual())
    };
    let set_and_reused = |mut endpoint: EndpointSpec| {
        let addresses = endpoint.ipv4.iter_mut().chain(&mut endpoint.ipv6);
        addresses.for_each(|address| address.history = History::Reused);
        place(dual(), endpoint)
    };
    vec![
        case("connect-sysctls", place(dual(), set.clone())),
        case("connect-sysctls-reused", set_and_reused(set)),
        case("connect-port-options", place(v4(), port_options)),
        case("connect-reused-v4", reused(v4())),
        case("connect-reused-v6", reused(v6())),
        case("connect-reused-dual", reused(dual())),
        case("connect-reused-stp", reused(stp())),
        case("connect-second", second()),
        case("connect-hosts", with_hosts(endpoint(&dual()))),
        case("connect-hosts-alias", known),
    ]
}

/// What the bridge driver and the network together plan for a place.
pub fn connect(place: &Place) -> Plan {
    let planned = BridgeDriver.connect(&place.network, &place.endpoint);
    let mut plan = planned.expect("a plan");
    let endpoint = &place.endpoint;
    let addresses = endpoint.addresses().map(|address| address.address.addr());
    let addresses: Vec<IpAddr> = addresses.collect();
    let edit = |file: &HostsFile, add| {
        Step::EditHosts(HostsEdit {
            file: file.clone(),
            remove: Vec::new(),
            add,
        })
    };
    let own = || endpoint_lines(&addresses, &endpoint.hostname, None);
    plan.extend(place.hosts.iter().map(|file| edit(file, own())));
    let names = Names::of_container(
        &endpoint.container,
        &endpoint.aliases,
        &endpoint.container_id,
        Some(&endpoint.hostname),
    );
    let owner = Owner::new(endpoint.id, names, addresses.iter().copied());
    let peers = || peer_lines(&owner);
    plan.extend(place.peer_hosts.iter().map(|file| edit(file, peers())));
    plan
}

pub fn create(network: &NetworkSpec) -> Plan {
    let nothing = Snapshot::default();
    BridgeDriver.create(network, &nothing).expect("a plan")
}

pub fn undo(plan: &Plan) -> Plan {
    plan.undo(plan.steps().len())
}

pub fn network_id() -> NetworkId {
    NetworkId::from_bytes(digits(0x10))
}

pub fn endpoint_id() -> EndpointId {
    EndpointId::from_bytes(digits(0x40))
}

fn digits(first: u8) -> [u8; 32] {
    let mut bytes = [0; 32];
    (first..).zip(&mut bytes).for_each(|(n, byte)| *byte = n);
    bytes
}

pub fn v4() -> NetworkSpec {
    NetworkSpec {
        id: network_id(),
        name: "hmall".parse().unwrap(),
        driver: "bridge".to_owned(),
        origin: Origin::Custom,
        created: "2026-11-21T06:44:00Z".parse().unwrap(),
        ipv4: Some(range("10.89.0.0/24", Some("10.89.0.1"))),
        ipv6: None,
        further: Vec::new(),
        internal: Switch::Off,
        mtu: Mtu::ETHERNET,
        link: Link::new(
            Side::Host,
            "br-101112131415".parse().unwrap(),
            network_id().link_index(),
        ),
        mac: "d2:00:00:00:00:01".parse().unwrap(),
        bridge: BridgeOptions::new(),
        mac_policy: MacPolicy::Random,
        hosts: HostsScope::Own,
        resolver: bridgework::ResolverScope::default(),
        labels: BTreeMap::new(),
        options: NetworkOptions::default(),
        config_from: None,
        firewall: Firewall::Off,
        config_only: Switch::Off,
    }
}

pub fn v6() -> NetworkSpec {
    NetworkSpec {
        ipv4: None,
        ipv6: Some(range("fd00:89::/64", Some("fd00:89::1"))),
        ..v4()
    }
}

pub fn dual() -> NetworkSpec {
    NetworkSpec {
        ipv6: v6().ipv6,
        ..v4()
    }
}

fn internal() -> NetworkSpec {
    NetworkSpec {
        internal: Switch::On,
        ..dual()
    }
}

fn stp() -> NetworkSpec {
    NetworkSpec {
        bridge: BridgeOptions::new().stp(Switch::On),
        ..v4()
    }
}

fn with_options_of(network: NetworkSpec, options: NetworkOptions) -> NetworkSpec {
    NetworkSpec { options, ..network }
}

fn inhibited() -> NetworkOptions {
    let mut options = NetworkOptions::default();
    options.inhibit_ipv4 = Some(Switch::On);
    options
}

fn isolated_v6() -> NetworkOptions {
    let mut options = NetworkOptions::default();
    options.gateway_mode_ipv6 = Some(GatewayMode::Isolated);
    options
}

fn isolated() -> NetworkOptions {
    let mut options = isolated_v6();
    options.gateway_mode_ipv4 = Some(GatewayMode::Isolated);
    options
}

/// A subnet with room for one address of a container's, and none for a gateway's.
fn no_gateway() -> NetworkSpec {
    NetworkSpec {
        ipv4: Some(range("10.89.0.2/32", None)),
        ipv6: Some(range("fd00:89::2/128", None)),
        ..v4()
    }
}

fn second() -> Place {
    let mut endpoint = endpoint(&dual());
    endpoint.link.name = "eth1".parse().unwrap();
    place(dual(), endpoint)
}

fn range(subnet: &str, gateway: Option<&str>) -> NetworkRange {
    NetworkRange {
        subnet: subnet.parse().unwrap(),
        gateway: gateway.map(|gateway| gateway.parse().unwrap()),
        range: None,
        auxiliary: BTreeMap::new(),
    }
}

fn place(network: NetworkSpec, endpoint: EndpointSpec) -> Place {
    Place {
        network,
        endpoint,
        hosts: None,
        peer_hosts: None,
    }
}

/// The first container of a network, as a host would choose for it.
pub fn endpoint(network: &NetworkSpec) -> EndpointSpec {
    let host_link = endpoint_id().host_link_index();
    let container_link = endpoint_id().container_link_index();
    EndpointSpec {
        id: endpoint_id(),
        network: network.id,
        container_id: ContainerId::from_bytes(digits(0x80)),
        container: "mysql".parse().unwrap(),
        hostname: "808182838485".parse().unwrap(),
        host_link: Link::new(Side::Host, "veth4041424".parse().unwrap(), host_link),
        host_mac: mac("d2:00:00:00:00:02"),
        link: Link::new(Side::Container, "eth0".parse().unwrap(), container_link),
        mac: mac("d2:00:00:00:00:03"),
        ipv4: address(network, &network.ipv4, "10.89.0.2"),
        ipv6: address(network, &network.ipv6, "fd00:89::2"),
        further: Vec::new(),
        requested: Requested::default(),
        link_local: Vec::new(),
        priority: 0,
        aliases: Vec::new(),
        links: Vec::new(),
        port: PortOptions::new(),
        sysctls: Vec::new(),
        ports: Vec::new(),
        exposed: Vec::new(),
        source_guard: Switch::On,
        route_metric: 0,
    }
}

fn address(
    network: &NetworkSpec,
    range: &Option<NetworkRange>,
    address: &str,
) -> Option<EndpointAddress> {
    let range = range.as_ref()?;
    let subnet: Subnet = range.subnet;
    Some(EndpointAddress {
        address: subnet.interface(address.parse().unwrap())?,
        gateway: range.gateway.filter(|_| !network.internal.is_on()),
        history: History::Fresh,
    })
}

fn mac(text: &str) -> MacAddr {
    text.parse().unwrap()
}
