//! A host with a `resolv.conf` of its own, and containers that keep theirs.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use bridgework::plan::Switch;
use bridgework::{Container, ContainerConfig, Host, HostConfig, Netns, Network, NetworkConfig};

use super::ask::Client;
use super::lab;
use super::scratch::Directory;
use super::upstream::Upstream;

/// Where the host's name server is: on its loopback, as that of systemd-resolved.
pub const STUB: &str = "127.0.0.53";

pub struct Ground {
    pub host: Host,
    directory: Directory,
}

impl Ground {
    /// The host's `resolv.conf` names [`STUB`] and the search domain `corp`.
    pub fn new(name: &str) -> Self {
        Self::with(name, "nameserver 127.0.0.53\nsearch corp\n")
    }

    pub fn with(name: &str, resolv_conf: &str) -> Self {
        Self::configured(name, resolv_conf, |config| config)
    }

    /// The host is opened with what is made of that of the others.
    pub fn configured(
        name: &str,
        resolv_conf: &str,
        configure: impl FnOnce(HostConfig) -> HostConfig,
    ) -> Self {
        let directory = Directory::new(name);
        let path = directory.path().join("host-resolv");
        fs::write(&path, resolv_conf).expect("written");
        let netns = Netns::create().expect("a namespace");
        lab::output(&netns, "ip link set lo up");
        let config = HostConfig::new().netns(netns).resolv_conf(path);
        let host = Host::open_with(configure(config)).expect("a host");
        Self { host, directory }
    }

    pub fn write_resolv_conf(&self, text: &str) {
        // as editors and resolvconf(8) do it: another file of that name
        let (new, path) = (self.path("new"), self.path("host-resolv"));
        fs::write(&new, text).expect("written");
        fs::rename(new, path).expect("renamed");
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The server that the host's `resolv.conf` names, which knows `NAME.outside.test`.
    pub fn stub(&self) -> Upstream {
        Upstream::outside(self.host.netns(), STUB)
    }

    pub fn network(&self, name: &str) -> Network {
        self.create(NetworkConfig::bridge(name))
    }

    pub fn internal(&self, name: &str) -> Network {
        self.create(NetworkConfig::bridge(name).internal())
    }

    pub fn dual(&self, name: &str) -> Network {
        self.create(NetworkConfig::bridge(name).ipv6(Switch::On))
    }

    pub fn create(&self, config: NetworkConfig) -> Network {
        self.host.create_network(config).expect("a network")
    }

    /// A container that keeps the two files by which its programs find names.
    pub fn container(&self, name: &str) -> Container {
        self.open(self.config(name))
    }

    pub fn config(&self, name: &str) -> ContainerConfig {
        ContainerConfig::named(name)
            .hosts_file(self.path(&format!("{name}-hosts")))
            .resolv_conf(self.path(&format!("{name}-resolv")))
    }

    pub fn open(&self, config: ContainerConfig) -> Container {
        Container::open(config).expect("a container")
    }

    /// Who may ask others whatever another one may: by what it asked last, all that was asked
    /// before has come.
    pub fn fence(&self, stub: &Upstream, client: &Client) {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("fence{}.outside.test", NEXT.fetch_add(1, Ordering::Relaxed));
        let told = client.ask_for(&name, super::dns::A);
        assert_eq!(told.says(), ["198.51.100.7"], "{told:?}");
        assert!(stub.names().contains(&name));
    }
}

pub fn client(container: &Container) -> Client {
    Client::of(container.netns())
}
