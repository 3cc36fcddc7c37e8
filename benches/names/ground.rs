//! Where names are asked for: containers on a network of ours, a folder for the files of the peers, and
//! descriptors for all of them. Nothing is measured here.

use std::net::SocketAddr;
use std::path::PathBuf;

use bridgework::{Container, Endpoint, EndpointConfig, Host, Network, NetworkConfig};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::peers::Name;

/// A folder for the files of the peers.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn make(label: &str) -> Self {
        let name = format!("names-{}-{label}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _left_behind = std::fs::remove_dir_all(&self.0);
    }
}

/// Containers on one network, with aliases.
pub struct Ground {
    pub containers: Vec<Container>,
    endpoints: Vec<Endpoint>,
    pub names: Vec<Name>,
    network: Network,
    pub host: Host,
}

impl Ground {
    pub fn make(containers: usize, names: usize) -> Self {
        let host = Host::isolated().expect("a host");
        let config = NetworkConfig::bridge("bench").subnet("10.88.0.0/16");
        let network = host.create_network(config).expect("a network");
        let mut ground = Self {
            containers: Vec::new(),
            endpoints: Vec::new(),
            names: Vec::new(),
            network,
            host,
        };
        for number in 0..containers {
            ground.add(number, names / containers);
        }
        ground
    }

    fn add(&mut self, number: usize, names: usize) {
        let container = Container::isolated(format!("c{number}")).expect("a container");
        let aliases = (1..names).map(|alias| format!("c{number}-a{alias}"));
        let config = aliases
            .clone()
            .fold(EndpointConfig::new(), |config, alias| {
                config.alias(alias.as_str())
            });
        let endpoint = self.network.connect_with(&container, config);
        let endpoint = endpoint.expect("connected");
        let own = [format!("c{number}")].into_iter().chain(aliases);
        self.names.extend(own.map(|name| (name, endpoint.ip())));
        self.endpoints.push(endpoint);
        self.containers.push(container);
    }

    pub fn asked_for(&self) -> Vec<String> {
        self.names.iter().map(|(name, _)| name.clone()).collect()
    }
}

pub fn ours() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 11], 53))
}

/// A container needs its namespace and the two sockets of its server.
pub fn descriptors_for(containers: usize) -> bool {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).expect("a limit");
    let needed = 8 * u64::try_from(containers).expect("a few") + 200;
    let raised = setrlimit(Resource::RLIMIT_NOFILE, needed.min(most), most);
    let enough = raised.is_ok() && needed <= most;
    if !enough {
        println!(
            "NOT MEASURED: {containers} containers: {needed} descriptors, `ulimit -Hn` is {most}"
        );
    }
    enough
}
