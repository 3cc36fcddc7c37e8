//! A world in the kernel: the host, its neighbours and the containers, as a [`Topology`] describes
//! them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use bridgework::plan::Switch;
use bridgework::{
    Container, Endpoint, EndpointConfig, Family, GatewayMode, Host, HostConfig, Netns, Network,
    NetworkConfig,
};

use crate::change::Change;
use crate::hand::{ip, set};
use crate::model::Place;
use crate::topology::{BOTH, Ip, Leaving, Mapping, Member, Mode, Neighbour, Net, Topology};

/// Endpoints go before networks, and these before the host.
pub struct Ground {
    /// By the numbers of container and network.
    endpoints: BTreeMap<(usize, usize), Endpoint>,
    networks: Vec<Network>,
    containers: Vec<Container>,
    neighbours: Vec<Netns>,
    host: Host,
}

impl Ground {
    pub fn new(world: &Topology) -> Self {
        let netns = Netns::create().expect("a namespace");
        preset(&netns, world);
        let neighbours = world.neighbours.iter();
        let neighbours: Vec<_> = neighbours.map(|n| beside(&netns, world, n)).collect();
        let host = Host::open_with(HostConfig::new().netns(netns)).expect("a host");
        let networks: Vec<_> = world
            .nets
            .iter()
            .map(|net| make(&host, world, net))
            .collect();
        let members = world.members.iter();
        let container = |member: &Member| Container::isolated(format!("c{}", member.number));
        let containers = members.map(|member| container(member).expect("a container"));
        let mut ground = Self {
            endpoints: BTreeMap::new(),
            networks,
            containers: containers.collect(),
            neighbours,
            host,
        };
        for member in &world.members {
            let mut mappings = member.mappings.as_slice();
            for net in &member.nets {
                // ports are asked for with the first network
                ground.connect(world, (member, *net), std::mem::take(&mut mappings));
            }
        }
        ground
    }

    /// Makes a world that is there into another one of the same networks and containers.
    pub fn change(&mut self, world: &Topology, changes: &[Change]) {
        for change in changes {
            match change {
                Change::Disconnect(member, net) => {
                    let endpoint = self.endpoints.remove(&(*member, *net));
                    let disconnected = endpoint.expect("it is connected").disconnect();
                    disconnected.expect("the end of an endpoint");
                }
                Change::Connect(member, net) => {
                    self.connect(world, (&world.members[*member], *net), &[]);
                }
                Change::Publish(member, mapping) => {
                    let published = self
                        .any_endpoint(*member)
                        .publish(mapping.to_string().as_str());
                    published.expect("one more port");
                }
                Change::Unpublish(member, mapping) => {
                    let unpublished = self
                        .any_endpoint(*member)
                        .unpublish(mapping.to_string().as_str());
                    unpublished.expect("one less");
                }
            }
        }
    }

    fn any_endpoint(&self, member: usize) -> &Endpoint {
        let mut all = self.endpoints.iter();
        let found = all.find(|((of, _), _)| *of == member);
        found.expect("it is connected").1
    }

    fn connect(
        &mut self,
        world: &Topology,
        (member, number): (&Member, usize),
        mappings: &[Mapping],
    ) {
        let mut config = EndpointConfig::new();
        let net = world.net(number);
        for address in BOTH.into_iter().filter_map(|ip| net.address_of(member, ip)) {
            config = config.ip(address);
        }
        for mapping in mappings {
            config = config.publish(mapping.to_string().as_str());
        }
        let container = &self.containers[member.number];
        let endpoint = self.networks[number - 1].connect_with(container, config);
        let endpoint =
            endpoint.unwrap_or_else(|error| panic!("POLICY_SEED={}: {error}", world.seed));
        self.endpoints.insert((member.number, number), endpoint);
    }

    pub fn at(&self, place: Place) -> &Netns {
        match place {
            Place::Host => self.host.netns(),
            Place::Neighbour(number) => &self.neighbours[number],
            Place::Member(number) => self.containers[number].netns(),
        }
    }
}

fn preset(netns: &Netns, world: &Topology) {
    ip(netns, "link set lo up\n");
    let preset = &world.preset;
    let mut settings = vec![
        ("ipv4/conf/all/rp_filter", preset.rp_filter),
        ("ipv4/conf/default/rp_filter", preset.rp_filter),
    ];
    if preset.forwards {
        settings.push(("ipv4/ip_forward", 1));
        settings.push(("ipv6/conf/all/forwarding", 1));
    }
    let frames = [
        "bridge/bridge-nf-call-iptables",
        "bridge/bridge-nf-call-ip6tables",
    ];
    let has = netns.run(|| Path::new("/proc/sys/net/bridge").exists());
    if has.expect("inside") {
        settings.extend(frames.map(|key| (key, u8::from(preset.filters_frames))));
    }
    set(netns, &settings);
}

/// A neighbour whose default route leads by the host.
fn beside(host: &Netns, world: &Topology, neighbour: &Neighbour) -> Netns {
    let netns = Netns::create().expect("a namespace");
    let (path, link) = (netns.path(), neighbour.link());
    let path = path.display();
    let mut near = format!("link add {link} type veth peer name lan netns {path}\n");
    let mut far = "link set lo up\nlink set lan up\n".to_owned();
    for family in BOTH.into_iter().filter(|family| neighbour.has(*family)) {
        let (length, nodad) = match family {
            Ip::V4 => (24, ""),
            Ip::V6 => (64, "nodad"),
        };
        let (ours, theirs) = (
            neighbour.host_address(family),
            neighbour.own_address(family),
        );
        let mut add = |address| {
            let _ = writeln!(near, "addr add {address}/{length} dev {link} {nodad}");
        };
        add(ours);
        let further = neighbour.address(family, 9);
        if world.snat(family) == Some(further) {
            add(further);
        }
        let _ = writeln!(far, "addr add {theirs}/{length} dev lan {nodad}");
        let _ = writeln!(far, "route add default via {ours}");
    }
    let _ = writeln!(near, "link set {link} up");
    ip(host, &near);
    ip(&netns, &far);
    netns
}

fn make(host: &Host, world: &Topology, net: &Net) -> Network {
    let number = net.number;
    let mut config = NetworkConfig::bridge(format!("n{number}"));
    config = config.bridge_name(format!("br{number}").as_str());
    let switch = |on| if on { Switch::On } else { Switch::Off };
    config = config
        .ipv4(switch(net.has(Ip::V4)))
        .ipv6(switch(net.has(Ip::V6)));
    if net.internal {
        config = config.internal();
    }
    for ip in BOTH {
        let Some(mode) = net.modes[ip as usize] else {
            continue;
        };
        let family = match ip {
            Ip::V4 => Family::V4,
            Ip::V6 => Family::V6,
        };
        config = config
            .subnet(net.subnet(ip).as_str())
            .gateway_mode(family, gateway_mode(mode));
        if let (Leaving::Address, Some(address)) = (net.leaving, world.snat(ip)) {
            config = config.source_address(address);
        }
    }
    config = config
        .icc(switch(net.icc))
        .masquerade(switch(net.leaving != Leaving::Own));
    for trusted in &net.trusted {
        config = config.trusted_host_interface(world.neighbours[*trusted].link().as_str());
    }
    host.create_network(config).expect("a network")
}

fn gateway_mode(mode: Mode) -> GatewayMode {
    match mode {
        Mode::Nat => GatewayMode::Nat,
        Mode::Unprotected => GatewayMode::NatUnprotected,
        Mode::Routed => GatewayMode::Routed,
        Mode::Isolated => GatewayMode::Isolated,
    }
}
