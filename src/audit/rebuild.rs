//! What the kernel still says of networks and containers whose records are lost: names and ids in the
//! aliases of links, everything else in links, addresses and the elements of our tables. What nobody
//! wrote there is lost: labels, aliases, links, name servers, and all but the first digits of ids.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::addr::{
    ContainerId, ContainerName, EndpointId, Family, LinkIndex, LinkName, MacAddr, Mtu, NetworkId,
    NetworkName, PublishedPort, Subnet, Timestamp,
};
use crate::config::{Firewall, GatewayMode, HostsScope, MacPolicy, NetworkOptions, ResolverScope};
use crate::plan::nft::{Element, Field, Value, Verdict};
use crate::plan::{ALIAS_MARK, BridgeOptions, Link, PortOptions, Side, Switch};
use crate::snapshot::{LinkState, Snapshot};
use crate::spec::{
    EndpointAddress, EndpointSpec, History, NetworkRange, NetworkSpec, Origin, Requested,
};

/// Networks and containers as the kernel knows them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Rebuilt {
    pub(crate) networks: Vec<NetworkSpec>,
    pub(crate) endpoints: Vec<EndpointSpec>,
    pub(crate) published: BTreeMap<ContainerName, Vec<PublishedPort>>,
}

/// All that bears our mark, `now` being when its networks were made, as far as anybody knows.
pub(crate) fn rebuild(host: &Snapshot, elements: &[Element], now: Timestamp) -> Rebuilt {
    let elements = Elements(elements);
    let bridges = host.links.iter().filter(|link| link.kind == "bridge");
    let networks = bridges.filter_map(|bridge| network(bridge, host, elements, now));
    let networks: Vec<NetworkSpec> = networks.collect();
    let endpoints = host.links.iter().filter_map(|link| {
        let is_master = |network: &&NetworkSpec| Some(network.link.index.get()) == link.master;
        endpoint(link, networks.iter().find(is_master)?, elements)
    });
    let endpoints: Vec<EndpointSpec> = endpoints.collect();
    let published = endpoints.iter().map(|endpoint| {
        let ports = elements.published(endpoint);
        (endpoint.container.clone(), ports)
    });
    Rebuilt {
        published: published.filter(|(_, ports)| !ports.is_empty()).collect(),
        networks,
        endpoints,
    }
}

/// The words of a link's alias behind our mark: the kind, and what comes after it.
fn words_of(link: &LinkState) -> Option<(&str, Vec<&str>)> {
    let mut words = link.alias.strip_prefix(ALIAS_MARK)?.split_whitespace();
    Some((words.next()?, words.collect()))
}

/// An id of which the first digits are known.
fn id(short: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    let digits = short
        .get(..12)
        .filter(|digits| digits.len() == short.len())?;
    for (index, byte) in bytes.iter_mut().take(6).enumerate() {
        *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(bytes)
}

fn link_of(state: &LinkState) -> Option<Link> {
    let (name, index) = (state.name.parse().ok()?, LinkIndex::new(state.index).ok()?);
    Some(Link::new(Side::Host, name, index))
}

fn network(
    bridge: &LinkState,
    host: &Snapshot,
    elements: Elements<'_>,
    now: Timestamp,
) -> Option<NetworkSpec> {
    let ("network", words) = words_of(bridge)? else {
        return None;
    };
    let (name, short) = (words.first()?.parse::<NetworkName>().ok()?, words.get(1)?);
    let link = link_of(bridge)?;
    let range = |family| range(&link, host, elements, family);
    let (ipv4, ipv6) = (range(Family::V4), range(Family::V6));
    let is_firewalled = elements.has("bridges", &link.name);
    let options = options(&link.name, elements, (&ipv4, &ipv6));
    let further = further(&link, host, elements, [&ipv4, &ipv6]);
    let is_isolated = elements.has("isolated", &link.name);
    // a family that it has not is never let out
    let closed = |family| elements.lets_none_out(&link.name, family);
    let is_closed = match (&ipv4, &ipv6) {
        (None, None) => false,
        (ipv4, ipv6) => {
            (ipv4.is_none() || closed(Family::V4)) && (ipv6.is_none() || closed(Family::V6))
        }
    };
    Some(NetworkSpec {
        id: NetworkId::from_bytes(id(short)?),
        origin: match name.as_str() {
            "bridge" => Origin::Builtin,
            _ => Origin::Custom,
        },
        name,
        driver: "bridge".to_owned(),
        created: now,
        internal: match is_closed || is_isolated {
            true => Switch::On,
            false => Switch::Off,
        },
        mtu: Mtu::new(bridge.mtu_bytes).ok()?,
        mac: bridge.mac?,
        link,
        further,
        ipv4,
        ipv6,
        bridge: BridgeOptions::new(),
        mac_policy: MacPolicy::default(),
        hosts: HostsScope::default(),
        resolver: ResolverScope::default(),
        labels: BTreeMap::new(),
        options,
        config_from: None,
        firewall: match is_firewalled {
            true => Firewall::Shared,
            false => Firewall::Off,
        },
        config_only: Switch::Off,
    })
}

/// The subnet of the bridge's own address, or else the one that the tables know by its name.
fn range(
    bridge: &Link,
    host: &Snapshot,
    elements: Elements<'_>,
    family: Family,
) -> Option<NetworkRange> {
    let is_own = |address: &IpNet| match address {
        IpNet::V4(_) => family == Family::V4,
        IpNet::V6(net) => family == Family::V6 && !net.addr().is_unicast_link_local(),
    };
    let of_bridge = host
        .addresses
        .iter()
        .filter(|a| a.link == bridge.index.get());
    let own = of_bridge.map(|held| held.address).find(is_own);
    let set = if family == Family::V4 { "own4" } else { "own6" };
    let subnet = own
        .map(Subnet::of)
        .or_else(|| elements.subnet(set, &bridge.name))?;
    Some(NetworkRange {
        subnet,
        gateway: own.map(|address| address.addr()),
        range: None,
        auxiliary: BTreeMap::new(),
    })
}

/// What the tables know by the bridge's name beside the first subnet of each family.
fn further(
    bridge: &Link,
    host: &Snapshot,
    elements: Elements<'_>,
    first: [&Option<NetworkRange>; 2],
) -> Vec<NetworkRange> {
    let own = ["own4", "own6"].into_iter();
    let own = own.flat_map(|set| elements.about(set, &bridge.name));
    let subnets = own.flat_map(|element| &element.key).filter_map(subnet_of);
    let is_first = |subnet: &Subnet| {
        let mut first = first.into_iter().flatten();
        first.any(|range| range.subnet == *subnet)
    };
    let held = |subnet: Subnet| {
        let of_bridge = host.addresses.iter();
        let of_bridge = of_bridge.filter(|held| held.link == bridge.index.get());
        let mut addresses = of_bridge.map(|held| held.address.addr());
        addresses.find(|address| subnet.contains(*address))
    };
    let further = subnets.filter(|subnet| !is_first(subnet));
    let further = further.map(|subnet| NetworkRange {
        subnet,
        gateway: held(subnet),
        range: None,
        auxiliary: BTreeMap::new(),
    });
    further.collect()
}

fn options(
    bridge: &LinkName,
    elements: Elements<'_>,
    (ipv4, ipv6): (&Option<NetworkRange>, &Option<NetworkRange>),
) -> NetworkOptions {
    let mut options = NetworkOptions::default();
    if elements.verdict("within", bridge) == Some(Verdict::Goto("published")) {
        options.icc = Some(Switch::Off);
    }
    let mode = |family| elements.gateway_mode(bridge, family);
    options.gateway_mode_ipv4 = ipv4.as_ref().and_then(|_| mode(Family::V4));
    options.gateway_mode_ipv6 = ipv6.as_ref().and_then(|_| mode(Family::V6));
    let is_translated = |range: &NetworkRange| elements.is_translated(range.subnet);
    let ranges = || ipv4.iter().chain(ipv6);
    if ranges().next().is_some() && !ranges().any(is_translated) {
        options.masquerade = Some(Switch::Off);
    }
    options
}

fn endpoint(
    wire: &LinkState,
    network: &NetworkSpec,
    elements: Elements<'_>,
) -> Option<EndpointSpec> {
    let ("endpoint", words) = words_of(wire)? else {
        return None;
    };
    let [container, "on", _network, short] = words[..] else {
        return None;
    };
    let bytes = id(short)?;
    let host_link = link_of(wire)?;
    let known = elements.of_wire(&host_link.name);
    let outward = network.internal == Switch::Off;
    let address = |range: &Option<NetworkRange>| {
        let range = range.as_ref()?;
        let gateway = range.gateway.filter(|_| outward);
        known.address(range.subnet, gateway)
    };
    let further = network.further.iter();
    let further = further.filter_map(|range| known.address(range.subnet, None));
    Some(EndpointSpec {
        id: EndpointId::from_bytes(bytes),
        network: network.id,
        container_id: ContainerId::from_bytes(bytes),
        container: container.parse().ok()?,
        hostname: short.parse().ok()?,
        host_mac: wire.mac?,
        // its name inside is the container's business, and the first one is likely
        link: Link::new(Side::Container, "eth0".parse().ok()?, far_index(wire)?),
        mac: known.mac.or(wire.mac)?,
        ipv4: address(&network.ipv4),
        ipv6: address(&network.ipv6),
        further: further.collect(),
        host_link,
        requested: Requested::default(),
        link_local: Vec::new(),
        priority: 0,
        aliases: Vec::new(),
        links: Vec::new(),
        port: PortOptions::new(),
        sysctls: Vec::new(),
        ports: Vec::new(),
        exposed: Vec::new(),
        source_guard: match known.mac {
            Some(_) => Switch::On,
            None => Switch::Off,
        },
        route_metric: 0,
    })
}

fn far_index(wire: &LinkState) -> Option<LinkIndex> {
    LinkIndex::new(wire.peer?).ok()
}

/// What is in our tables.
#[derive(Debug, Clone, Copy)]
struct Elements<'e>(&'e [Element]);

/// What the guard of a wire knows.
#[derive(Debug, Default)]
struct Wire {
    mac: Option<MacAddr>,
    addresses: Vec<IpAddr>,
}

impl<'e> Elements<'e> {
    fn of_set(self, set: &'e str) -> impl Iterator<Item = &'e Element> {
        self.0.iter().filter(move |element| element.set == set)
    }

    fn about(self, set: &'e str, link: &LinkName) -> impl Iterator<Item = &'e Element> {
        let link = Field::Link(link.clone());
        self.of_set(set)
            .filter(move |element| element.key.contains(&link))
    }

    fn has(self, set: &'e str, link: &LinkName) -> bool {
        self.about(set, link).next().is_some()
    }

    fn verdict(self, set: &'e str, link: &LinkName) -> Option<Verdict> {
        self.about(set, link)
            .find_map(|element| match &element.value {
                Value::Verdict(verdict) => Some(*verdict),
                _ => None,
            })
    }

    fn lets_none_out(self, bridge: &LinkName, family: Family) -> bool {
        let of_family = Field::Family(family);
        let mut leaving = self.about("leaving", bridge);
        let leaving = leaving.find(|element| element.key.contains(&of_family));
        leaving.is_some_and(|element| element.value == Value::Verdict(Verdict::Drop))
    }

    fn gateway_mode(self, bridge: &LinkName, family: Family) -> Option<GatewayMode> {
        let of_family = Field::Family(family);
        let mut entering = self.about("entering", bridge);
        let entering = entering.find(|element| element.key.contains(&of_family))?;
        match &entering.value {
            Value::Verdict(Verdict::Accept) => Some(GatewayMode::NatUnprotected),
            Value::Verdict(Verdict::Goto("routed")) => Some(GatewayMode::Routed),
            Value::Verdict(Verdict::Drop) if self.has("isolated", bridge) => {
                Some(GatewayMode::Isolated)
            }
            _ => None,
        }
    }

    fn subnet(self, set: &'e str, link: &LinkName) -> Option<Subnet> {
        self.about(set, link)
            .flat_map(|element| &element.key)
            .find_map(subnet_of)
    }

    fn is_translated(self, subnet: Subnet) -> bool {
        let sets = ["masquerade4", "masquerade6", "source4", "source6"];
        let subnet = Field::Subnet(subnet);
        let mut all = sets.into_iter().flat_map(|set| self.of_set(set));
        all.any(|element| element.key.contains(&subnet))
    }

    fn of_wire(self, link: &LinkName) -> Wire {
        let mut wire = Wire::default();
        let fields = self.about("macs", link).flat_map(|element| &element.key);
        wire.mac = fields.into_iter().find_map(|field| match field {
            Field::Ether(mac) => Some(*mac),
            _ => None,
        });
        for set in ["sources4", "sources6"] {
            let fields = self.about(set, link).flat_map(|element| &element.key);
            wire.addresses.extend(fields.filter_map(address_of));
        }
        wire
    }

    /// The ports of the host's that lead to one of its addresses.
    fn published(self, endpoint: &EndpointSpec) -> Vec<PublishedPort> {
        let own: Vec<IpAddr> = endpoint.addresses().map(|a| a.address.addr()).collect();
        let sets = [
            ("published4", None),
            ("published6", None),
            ("published_any4", Some(IpAddr::from([0; 4]))),
            ("published_any6", Some(IpAddr::from([0; 16]))),
        ];
        let all = sets
            .into_iter()
            .flat_map(|(set, any)| self.of_set(set).map(move |e| (e, any)));
        let ports = all.filter_map(|(element, any)| published(element, any, &own));
        ports.collect()
    }
}

impl Wire {
    /// The one of a subnet. Whoever knew it by another hardware address has had time to hear of this
    /// one.
    fn address(&self, subnet: Subnet, gateway: Option<IpAddr>) -> Option<EndpointAddress> {
        let mut addresses = self.addresses.iter();
        let address = addresses.find(|address| subnet.contains(**address))?;
        Some(EndpointAddress {
            address: subnet.interface(*address)?,
            gateway,
            history: History::Fresh,
        })
    }
}

fn address_of(field: &Field) -> Option<IpAddr> {
    match field {
        Field::Ipv4(address) => Some(IpAddr::V4(*address)),
        Field::Ipv6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

fn subnet_of(field: &Field) -> Option<Subnet> {
    match field {
        Field::Subnet(subnet) => Some(*subnet),
        _ => None,
    }
}

fn published(element: &Element, any: Option<IpAddr>, own: &[IpAddr]) -> Option<PublishedPort> {
    let Value::Fields(to) = &element.value else {
        return None;
    };
    let port = |fields: &[Field]| {
        fields.iter().find_map(|field| match field {
            Field::Port(port) => Some(*port),
            _ => None,
        })
    };
    let target = to.iter().find_map(address_of)?;
    let protocol = element.key.iter().find_map(|field| match field {
        Field::Protocol(protocol) => Some(*protocol),
        _ => None,
    })?;
    let host_address = any.or_else(|| element.key.iter().find_map(address_of))?;
    own.contains(&target).then_some(PublishedPort {
        host_address,
        host_port: port(&element.key)?,
        protocol,
        container_port: port(to)?,
    })
}
