//! Where a process is killed: a host, two containers and their files, which outlive it, and what is
//! known of them by paths alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use bridgework::plan::Switch;
use bridgework::{
    Container, ContainerConfig, ContainerName, EndpointConfig, Host, HostConfig, HostsScope, Netns,
    NetworkConfig,
};

pub const NETWORK: &str = "net";
/// Leads out before the other.
pub const SECOND: &str = "second";
/// The one that comes and goes, and the one that stays.
pub const WEB: &str = "web";
pub const DB: &str = "db";
/// The one of another process, which comes after a death.
pub const NEXT: &str = "next";

/// All paths follow from the number, so that another process finds all.
#[derive(Debug, Clone)]
pub struct Place {
    pub directory: PathBuf,
    number: usize,
}

impl Place {
    pub fn of(number: usize) -> Self {
        let directory = PathBuf::from(format!("/run/kill-{number}"));
        Self { directory, number }
    }

    pub fn number(&self) -> usize {
        self.number
    }

    fn name(&self, of: &str) -> ContainerName {
        format!("kill{}-{of}", self.number).parse().unwrap()
    }

    pub fn netns(&self, of: &str) -> Netns {
        Netns::named(&self.name(of)).expect("a pinned namespace")
    }

    pub fn state(&self) -> PathBuf {
        self.directory.join("state")
    }

    pub fn open(&self) -> Host {
        self.open_watching(Switch::On)
    }

    /// One that does not watch knows of others' containers what is written down.
    pub fn open_watching(&self, watch: Switch) -> Host {
        let config = HostConfig::new().netns(self.netns("host")).watch(watch);
        // others live on as it does: nobody is asked for names by a process that ends
        let config = config.resolver(Switch::Off).state_dir(self.state());
        Host::open_with(config).expect("a host")
    }

    pub fn files(&self, of: &str) -> [PathBuf; 2] {
        ["hosts", "resolv.conf"].map(|file| self.directory.join(format!("{of}.{file}")))
    }

    pub fn container(&self, of: &str) -> Container {
        let [hosts, resolv_conf] = self.files(of);
        let config = ContainerConfig::new(of, self.netns(of));
        let config = config.hosts_file(hosts).resolv_conf(resolv_conf);
        Container::open(config).expect("a container")
    }
}

pub fn network() -> NetworkConfig {
    NetworkConfig::bridge(NETWORK)
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64")
        .hosts(HostsScope::Everyone)
}

pub fn second() -> NetworkConfig {
    NetworkConfig::bridge(SECOND)
        .subnet("10.88.0.0/24")
        .subnet("fd00:88::/64")
}

pub fn way_out() -> EndpointConfig {
    EndpointConfig::new()
        .ip([10, 88, 0, 7])
        .mac("02:00:00:00:88:07")
        .priority(7)
}

pub fn endpoint() -> EndpointConfig {
    EndpointConfig::new()
        .ip([10, 89, 0, 7])
        .mac("02:00:00:00:89:07")
        .alias("www")
        .publish("8080:80/tcp")
        .publish("8053:53/udp")
}

/// A place that is there until it is dropped.
pub struct World(pub Place, Vec<String>);

impl World {
    pub fn new() -> Self {
        Self::with(&[WEB, DB, NEXT].map(str::to_owned))
    }

    /// With these containers.
    pub fn with(containers: &[String]) -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let place = Place::of(NUMBER.fetch_add(1, Ordering::Relaxed));
        fs::create_dir_all(&place.directory).unwrap();
        for of in containers.iter().map(String::as_str).chain(["host"]) {
            let netns = Netns::create().unwrap();
            netns.pin(&place.name(of)).unwrap();
            // a container's stays up by design
            crate::lab::output(&netns, "ip link set lo up");
        }
        for path in containers.iter().flat_map(|of| place.files(of)) {
            fs::write(path, "").unwrap();
        }
        Self(place, containers.to_vec())
    }

    /// As a machine is that nobody has kept any records on.
    pub fn forget_records(&self) {
        remove(&self.0.state());
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for of in self.1.iter().map(String::as_str).chain(["host"]) {
            let _gone = Netns::unpin(&self.0.name(of));
        }
        remove(&self.0.directory);
    }
}

fn remove(directory: &Path) {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => panic!("{error}"),
        _ => {}
    }
}
