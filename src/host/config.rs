//! What to open a host with.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::addr::Subnet;
use crate::config::{NetworkConfig, take};
use crate::container::HostFiles;
use crate::driver::{BridgeDriver, Driver};
use crate::error::Fault;
use crate::ipam::AddressPools;
use crate::kernel::{FaultInjector, Netns};

/// What to open a [`Host`](crate::Host) with. Everything has a default: the caller's namespace,
/// Docker's address pools, the bridge driver, name servers from `/etc/resolv.conf`.
///
/// ```
/// use bridgework::HostConfig;
///
/// let config = HostConfig::new().deny("10.0.0.0/8");
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HostConfig {
    pub(super) netns: Option<Netns>,
    pub(super) pools: Option<AddressPools>,
    pub(super) denied: Vec<Subnet>,
    pub(super) drivers: Vec<Arc<dyn Driver>>,
    pub(super) default_network: NetworkConfig,
    pub(super) files: HostFiles,
    pub(super) host_gateway: Vec<IpAddr>,
    pub(super) injector: FaultInjector,
    pub(super) faults: Vec<Fault>,
}

impl Default for HostConfig {
    fn default() -> Self {
        Self {
            netns: None,
            pools: None,
            denied: Vec::new(),
            drivers: vec![Arc::new(BridgeDriver)],
            default_network: NetworkConfig::bridge("bridge"),
            files: HostFiles::default(),
            host_gateway: Vec::new(),
            injector: FaultInjector::new(),
            faults: Vec::new(),
        }
    }
}

impl HostConfig {
    /// All defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The namespace that has the bridges. Default: that of the thread that opens the host.
    #[must_use]
    pub fn netns(mut self, netns: Netns) -> Self {
        self.netns = Some(netns);
        self
    }

    /// Where automatic subnets come from. Default: Docker's local pools, then 6,144 networks of
    /// `10.64.0.0/12` and `10.80.0.0/13`, and for IPv6 a random prefix of rfc4193 for each host that is opened.
    #[must_use]
    pub fn address_pools(mut self, pools: AddressPools) -> Self {
        self.pools = Some(pools);
        self
    }

    /// A range that no network may overlap.
    #[must_use]
    pub fn deny<V>(mut self, subnet: V) -> Self
    where
        V: TryInto<Subnet>,
        V::Error: Into<Fault>,
    {
        self.denied
            .extend(take::<Subnet, _>(subnet, &mut self.faults));
        self
    }

    /// One more driver. It takes the place of one with the same name.
    #[must_use]
    pub fn driver(mut self, driver: impl Driver + 'static) -> Self {
        self.drivers.retain(|other| other.name() != driver.name());
        self.drivers.push(Arc::new(driver));
        self
    }

    /// What the default network is made of, instead of Docker's `bridge` on `docker0`: its name, its
    /// bridge, its subnets and all other options. What is left open is as Docker has it.
    #[must_use]
    pub fn default_network(mut self, config: NetworkConfig) -> Self {
        self.default_network = config;
        self
    }

    /// The host's `resolv.conf`: containers' are made of it, and no subnet may cover its name
    /// servers. Default: `/etc/resolv.conf`. A file that is not there names none. Where it names
    /// none but the stub of systemd-resolved, that of systemd-resolved itself takes its place for
    /// containers with a stack of their own.
    #[must_use]
    pub fn resolv_conf(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.resolv_conf = path.into();
        self
    }

    /// The host's hosts file, of which containers with the host's stack get a copy. Default:
    /// `/etc/hosts`. Without it they get the same first lines as all others.
    #[must_use]
    pub fn hosts_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.hosts = path.into();
        self
    }

    /// An address that `host-gateway` stands for in containers'
    /// [extra hosts](crate::ContainerConfig::extra_host); one for each family, as a rule. Default:
    /// the gateways of the default network, which is made if it is not there.
    ///
    /// ```
    /// use bridgework::HostConfig;
    ///
    /// let config = HostConfig::new().host_gateway([192, 0, 2, 1]);
    /// ```
    #[must_use]
    pub fn host_gateway(mut self, address: impl Into<IpAddr>) -> Self {
        self.host_gateway.push(address.into());
        self
    }

    /// Makes kernel calls fail when a test wants them to.
    #[must_use]
    pub fn fault_injector(mut self, injector: FaultInjector) -> Self {
        self.injector = injector;
        self
    }
}
