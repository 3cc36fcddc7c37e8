//! Where both sides stand: a network of ours and its twin on a host of the floor's, and namespaces
//! for the containers of each. Nothing is measured here but single connects.

use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use bridgework::{
    Container, ContainerConfig, Endpoint, EndpointConfig, Firewall, Host, HostConfig, Netns,
    Network, NetworkConfig,
};

use crate::floor::{Floor, Script, Until};

/// A namespace for a container of ours, and one for the floor's.
pub struct Spot {
    pub ours: Netns,
    pub floor: Netns,
}

pub struct Spots(Vec<Spot>);

impl Spots {
    /// As many as the largest of `sizes` needs and one more, or as the limit of descriptors allows.
    pub fn make(sizes: &[usize]) -> Self {
        let most = sizes.iter().max().copied().unwrap_or_default();
        let limit = descriptors_max().map_or(usize::MAX, |limit| limit.saturating_sub(64) / 2);
        let make = |_| Spot {
            ours: Netns::create().expect("a namespace"),
            floor: Netns::create().expect("a namespace"),
        };
        Self((0..=most).take(limit).map(make).collect())
    }

    /// The first `count`; `None`, loudly, where there are fewer.
    pub fn take(&self, count: usize) -> Option<&[Spot]> {
        let taken = self.0.get(..count);
        if taken.is_none() {
            println!(
                "NOT MEASURED: {count} containers on both sides hold {} descriptors, and the limit \
                 (RLIMIT_NOFILE) is too low: ulimit -n {}",
                2 * count,
                2 * count + 100
            );
        }
        taken
    }
}

fn descriptors_max() -> Option<usize> {
    let limits = std::fs::read_to_string("/proc/self/limits").ok()?;
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// A network of ours, and its twin on a host of the floor's.
pub struct Ground {
    pub network: Network,
    pub twin: Netns,
}

impl Ground {
    pub fn make(config: NetworkConfig) -> Self {
        // what a firewall adds is measured beside its own floor, in `publish`
        let config_of_host = HostConfig::new().netns(Netns::create().expect("a namespace"));
        let host = Host::open_with(config_of_host.firewall(Firewall::Off)).expect("a host");
        let network = host.create_network(config).expect("a network");
        let twin = Netns::create().expect("a namespace");
        let script = Script::new(network.plan(), None);
        let lay = || Floor::enter(&twin).perform(&script, None, Until::Acknowledged);
        std::thread::scope(|scope| scope.spawn(lay).join()).expect("the twin is laid");
        Self { network, twin }
    }

    pub fn v4() -> Self {
        Self::make(NetworkConfig::bridge("bench").subnet("10.89.0.0/16"))
    }

    pub fn dual() -> Self {
        let config = NetworkConfig::bridge("bench").subnet("10.89.0.0/16");
        Self::make(config.subnet("fd00:89::/64"))
    }

    /// One connect of ours, and the plan of it by the floor.
    pub fn connect(&self, name: &str, spot: &Spot) -> (Duration, Endpoint) {
        let config = ContainerConfig::new(name, spot.ours.clone());
        let container = Container::open(config).expect("a container");
        let start = Instant::now();
        let endpoint = self.network.connect_with(&container, EndpointConfig::new());
        let taken = start.elapsed();
        (taken, endpoint.expect("connected"))
    }

    pub fn script(endpoint: &Endpoint, spot: &Spot) -> Script {
        Script::new(endpoint.plan(), Some(spot.floor.as_fd()))
    }
}

/// What the kernel's own workers have to do after a connect is done by then.
pub const REST: Duration = Duration::from_millis(3);

/// Waits until all threads but `own` have ended: those of ours that wait for the kernel.
pub fn settle(own: usize) {
    let threads = || std::fs::read_dir("/proc/self/task").map_or(0, Iterator::count);
    while threads() > own {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(REST);
}

/// Runs `act` on a thread that may wander between namespaces.
pub fn wander<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| scope.spawn(act).join()).expect("no panic")
}

/// The main thread, and one that wanders.
pub const TWO_THREADS: usize = 2;
