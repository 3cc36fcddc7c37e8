//! Two-phase attach: the wire is staged, joined, left and deleted, with the link moved by us or by
//! the caller.

mod meanwhile;
mod refused;
mod routes;
mod ways;

use std::net::IpAddr;

use bridgework::plan::Switch;
use bridgework::snapshot::Snapshot;
use bridgework::{
    Container, Endpoint, EndpointConfig, Family, Fault, Host, HostConfig, Netns, Network,
    NetworkConfig, StagedEndpoint,
};

use crate::lab;

/// A host with a network of both families, and a neighbour on it.
struct Street {
    before: Snapshot,
    at_neighbour: Endpoint,
    network: Network,
    host: Host,
}

fn dual(host: &Host, name: &str, number: u8) -> Network {
    let config = NetworkConfig::bridge(name)
        .subnet(format!("10.89.{number}.0/24").as_str())
        .subnet(format!("fd00:89:{number}::/64").as_str());
    host.create_network(config).unwrap()
}

impl Street {
    fn new() -> Self {
        // nobody watches it: what somebody does stays done
        let config = HostConfig::new().netns(Netns::create().unwrap());
        let host = Host::open_with(config.watch(Switch::Off)).unwrap();
        let before = host.snapshot().unwrap();
        let network = dual(&host, "web", 0);
        let at_neighbour = network.connect(&lab::container("neighbour")).unwrap();
        Self {
            before,
            at_neighbour,
            network,
            host,
        }
    }

    fn neighbour(&self) -> &Container {
        self.at_neighbour.container()
    }

    fn stage(&self) -> StagedEndpoint {
        let config = EndpointConfig::new().alias("db");
        self.network.stage("app", config).unwrap()
    }

    /// The first packet there is, and one more each way, in both families.
    #[track_caller]
    fn assert_reachable(&self, endpoint: &Endpoint) {
        assert_eq!(endpoint.ips().count(), 2);
        for address in endpoint.ips() {
            lab::udp_both_ways(self.neighbour(), endpoint.container(), address);
            lab::tcp_both_ways(self.neighbour(), endpoint.container(), address);
        }
        for address in self.at_neighbour.ips() {
            lab::udp_both_ways(endpoint.container(), self.neighbour(), address);
        }
    }

    /// Whether the neighbour finds it by its name and by its alias; panics if by one alone.
    #[track_caller]
    fn resolves(&self) -> bool {
        let view = self.at_neighbour.view();
        let found = ["app", "db"].map(|name| {
            let answers = [Family::V4, Family::V6].map(|family| view.lookup(name, family));
            answers.map(|answer| matches!(answer, bridgework::resolver::Answer::Addresses(_)))
        });
        let [[first, rest @ ..], alias] = found;
        assert!(rest == [first] && alias == [first; 2], "{found:?}");
        first
    }

    /// Nobody else gets the addresses, both of them, even who asks for them.
    #[track_caller]
    fn assert_held(&self, addresses: &[IpAddr]) {
        assert_eq!(addresses.len(), 2);
        for &address in addresses {
            let config = EndpointConfig::new().ip(address);
            let other = lab::container("other");
            let error = self.network.connect_with(&other, config).unwrap_err();
            let in_use = |fault: &Fault| matches!(fault, Fault::AddressInUse { .. });
            assert!(error.faults().iter().all(in_use), "{error}");
        }
    }

    /// All that was made is gone when all handles are.
    #[track_caller]
    fn assert_all_goes(self) {
        self.at_neighbour.disconnect().unwrap();
        self.network.remove().unwrap();
        assert_eq!(self.host.snapshot().unwrap(), self.before);
    }
}
