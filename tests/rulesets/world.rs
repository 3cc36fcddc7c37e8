//! A host with one network and one container, whose names and addresses are always the same.

use bridgework::{
    Endpoint, EndpointConfig, Host, HostConfig, MacAddr, Netns, Network, NetworkConfig,
};

use crate::lab;
use crate::listing;

/// Which families a network has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    V4,
    V6,
    Both,
}

pub const FAMILIES: [Families; 3] = [Families::V4, Families::V6, Families::Both];

pub struct World {
    pub endpoint: Endpoint,
    pub network: Network,
    pub host: Host,
}

/// A host with an uplink `up0`, before the crate comes to it.
pub fn netns() -> Netns {
    let netns = Netns::create().expect("a namespace");
    let lines = [
        "link add up0 type veth peer name far0",
        "addr add 192.0.2.1/24 dev up0",
        "addr add 2001:db8::1/64 dev up0 nodad",
        "link set lo up",
        "link set up0 up",
        "link set far0 up",
    ];
    for line in lines {
        lab::ip_json(&netns, line);
    }
    netns
}

pub fn config(families: Families) -> NetworkConfig {
    let config = NetworkConfig::bridge("net").bridge_name("br0");
    match families {
        Families::V4 => config.subnet("10.1.0.0/24"),
        Families::V6 => config
            .ipv4(bridgework::plan::Switch::Off)
            .subnet("fd00:1::/64"),
        Families::Both => config.subnet("10.1.0.0/24").subnet("fd00:1::/64"),
    }
}

impl World {
    pub fn new(netns: Netns, network: NetworkConfig, endpoint: EndpointConfig) -> Self {
        let host = Host::open_with(HostConfig::new().netns(netns)).expect("a host");
        let network = host.create_network(network).expect("a network");
        let container = lab::container("box");
        let mac = MacAddr::new([2, 0, 0, 0, 0, 9]).expect("a constant");
        let endpoint = network.connect_with(&container, endpoint.mac(mac));
        Self {
            endpoint: endpoint.expect("an endpoint"),
            network,
            host,
        }
    }

    /// The elements of both tables, the names that are chosen by chance being always the same.
    pub fn elements(&self) -> Vec<String> {
        let spec = self.endpoint.spec();
        let stable = |line: String| {
            line.replace(spec.host_link.name.as_str(), "PORT")
                .replace(spec.id.short().to_string().as_str(), "ID")
        };
        let mut lines: Vec<String> = listing::elements(self.host.netns())
            .into_iter()
            .map(stable)
            .collect();
        lines.sort();
        lines
    }
}
