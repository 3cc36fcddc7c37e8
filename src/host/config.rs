//! What to open a host with.

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::addr::{HostName, Subnet};
use crate::config::{Firewall, NetworkConfig, take};
use crate::container::HostFiles;
use crate::driver::{BridgeDriver, Driver, HostDriver, NoneDriver};
use crate::error::Fault;
use crate::ipam::AddressPools;
use crate::kernel::{FaultInjector, Netns};
use crate::plan::Switch;
use crate::store::Store;

/// What to open a [`Host`](crate::Host) with. Everything has a default: the caller's namespace,
/// Docker's address pools, the bridge driver, name servers from `/etc/resolv.conf`.
///
/// ```no_run
/// use bridgework::driver::BridgeDriver;
/// use bridgework::ipam::{AddressPool, AddressPools};
/// use bridgework::{FaultInjector, Host, HostConfig, Netns, NetworkConfig};
///
/// let (machine, injector) = (Netns::create()?, FaultInjector::new());
/// let pool = AddressPool::new("10.88.0.0/14".parse()?, 24)?;
/// let config = HostConfig::new()
///     .netns(machine.clone())
///     .address_pools(AddressPools::from_iter([pool]))
///     .deny("10.88.0.0/16") // that of somebody's VPN
///     .driver(BridgeDriver) // in the place of the one of that name
///     .default_network(NetworkConfig::bridge("podman").bridge_name("podman0"))
///     .resolv_conf("/srv/host/resolv.conf")
///     .hosts_file("/srv/host/hosts")
///     .host_gateway([192, 0, 2, 1])
///     .fault_injector(injector.clone());
/// let host = Host::open_with(config)?;
/// assert_eq!(*host.netns(), machine);
/// let network = host.default_network()?;
/// assert_eq!(network.spec().link.name.as_str(), "podman0");
/// assert!(injector.calls() > 0);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// What a process does for its containers beside the kernel can be switched off:
///
/// ```no_run
/// use bridgework::plan::Switch;
/// use bridgework::{Container, Firewall, Host, HostConfig, Netns, NetworkConfig};
///
/// let bare = HostConfig::new()
///     .firewall(Firewall::Off)
///     .hold_ports(Switch::Off)
///     .relay(Switch::Off)
///     .resolver(Switch::Off)
///     .watch(Switch::Off);
/// let host = Host::open_with(bare.netns(Netns::create()?))?;
/// let network = host.create_network(NetworkConfig::bridge("web"))?;
/// let app = network.connect(&Container::isolated("app")?)?;
/// assert!(!app.plan().to_string().contains("nft"));
/// # Ok::<(), bridgework::Error>(())
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
    pub(super) firewall: Firewall,
    pub(super) relay: Switch,
    pub(super) hold_ports: Switch,
    pub(super) watch: Switch,
    pub(super) resolver: Switch,
    pub(super) record_ttl_s: u32,
    pub(super) domain: Option<HostName>,
    pub(super) injector: FaultInjector,
    pub(super) store: Option<Arc<dyn Store>>,
    pub(super) faults: Vec<Fault>,
}

const DAY_S: u32 = 86_400;

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
            firewall: Firewall::Shared,
            relay: Switch::On,
            hold_ports: Switch::On,
            watch: Switch::On,
            resolver: Switch::On,
            record_ttl_s: 0,
            domain: None,
            injector: FaultInjector::new(),
            store: None,
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

    /// Where records of networks, endpoints and reservations are kept, so that other processes, and the
    /// next one, go on with them. Default: nowhere, and what is persisted is known to this process
    /// alone.
    ///
    /// Hosts of one namespace with different stores know nothing of each other, and leave each other's
    /// networks alone, as long as the stores [say](crate::store::Store::tag) which they are.
    ///
    /// ```no_run
    /// use std::sync::Arc;
    /// use bridgework::{Host, HostConfig, store::Memory};
    ///
    /// let store = Memory::new();
    /// let config = || HostConfig::new().store(Arc::new(store.open()));
    /// let host = Host::open_with(config())?;
    /// let same = Host::open_with(config())?; // sees what the other one makes
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self
    }

    /// As [`store`](Self::store), in a directory, which is made where it is not there; usually
    /// [`Sqlite::DIRECTORY`](crate::store::Sqlite::DIRECTORY), which goes with a reboot as the kernel's
    /// own objects do.
    ///
    /// It never fails here: opening the host tells why the directory can't be used.
    ///
    /// ```no_run
    /// use bridgework::store::Sqlite;
    /// use bridgework::{Host, HostConfig};
    ///
    /// let host = Host::open_with(HostConfig::new().state_dir(Sqlite::DIRECTORY))?;
    /// println!("{} records", host.export()?.records.len());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[cfg(feature = "store")]
    #[cfg_attr(docsrs, doc(cfg(feature = "store")))]
    #[must_use]
    pub fn state_dir(mut self, directory: impl AsRef<std::path::Path>) -> Self {
        let directory = directory.as_ref();
        match crate::store::Sqlite::open(directory) {
            Ok(store) => self.store = Some(Arc::new(store)),
            Err(error) => self.faults.push(Fault::Store {
                doing: format!("open the store {}", directory.display()),
                why: error.to_string(),
                trouble: crate::error::StoreTrouble::Unusable,
            }),
        }
        self
    }

    /// Those that were registered, and those that every host has.
    pub(super) fn all_drivers(&self) -> Vec<Arc<dyn Driver>> {
        let mut drivers = self.drivers.clone();
        drivers.push(Arc::new(HostDriver));
        drivers.push(Arc::new(NoneDriver));
        drivers
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
    #[must_use]
    pub fn host_gateway(mut self, address: impl Into<IpAddr>) -> Self {
        self.host_gateway.push(address.into());
        self
    }

    /// Whether the networks of this host are filtered and translated: by two nftables tables, `inet
    /// bridgework` and `bridge bridgework`, and rules of the routing policy (see
    /// [`firewall`](crate::firewall)). Default: on. Without it containers are reached by whoever
    /// routes to them and reach nobody outside, nothing is published, and the kernel needs no
    /// nftables.
    #[must_use]
    pub fn firewall(mut self, firewall: impl Into<Firewall>) -> Self {
        self.firewall = firewall.into();
        self
    }

    /// Whether this process carries over what the kernel can't lead to a published port: what the
    /// host sends to `::1`, and IPv6 for a container that has IPv4 alone. The container sees the
    /// host as its client then. Default: on; a thread does it as long as there is such a port, and
    /// only while this process lives.
    #[must_use]
    pub fn relay(mut self, relay: Switch) -> Self {
        self.relay = relay;
        self
    }

    /// Whether published ports of the host's are held by sockets of this process while it lives, so that
    /// no program gets them. Default: on. Off is for a program whose caller holds them itself, before or
    /// after they are published, as Podman does: a port that was asked for is then published whoever has
    /// it on the host, and only another container's is refused.
    #[must_use]
    pub fn hold_ports(mut self, hold: Switch) -> Self {
        self.hold_ports = hold;
        self
    }

    /// Whether a thread of the crate's own watches what the networks and containers of this host have on
    /// its side: tables, links, addresses, routes and rules of the routing policy. What somebody else
    /// removes or changes of these, by `nft flush ruleset` or `ip link del` for one, is as it was some
    /// milliseconds later, and subscribers are told
    /// ([`EventKind::Repair`](crate::EventKind::Repair)). The thread begins with the first network and
    /// ends with the last handle to the host and its networks; it sleeps unless something changes.
    /// Default: on.
    ///
    /// What a container does with its own interface is left alone, but for one thing: where the pair is
    /// deleted, by either end, both ends are made again, since the kernel does not say whose doing it
    /// was. Links of others that took the name or the number of ours are left alone, and ours are made
    /// again once they are gone. Settings and options of ports are not told of by the kernel, and are
    /// looked at when something else was changed, or by [`Host::check`](crate::Host::check).
    ///
    /// Rules that are not ours go from chains that have rules of ours; whatever else others have put
    /// into the tables stays. The chain `user` is never changed, and when its table is flushed or
    /// deleted by somebody, the rules in it are gone.
    ///
    /// A program that ends soon need not watch: [`Host::repair`](crate::Host::repair) does the same
    /// once. Where it does not answer names either ([`resolver`](Self::resolver)), what other processes
    /// have connected is as it is recorded, and thought out only where a verb has to do with it: beside
    /// hundreds of others its verbs cost little more than beside none.
    #[must_use]
    pub fn watch(mut self, watch: Switch) -> Self {
        self.watch = watch;
        self
    }

    /// Whether containers on user-defined networks are answered at `127.0.0.11`, port 53, by UDP and
    /// TCP: their networks' names by this process, all others by the servers that they may ask (see
    /// [`resolver::server`](crate::resolver::server)). Default: on.
    ///
    /// It takes two sockets inside each such container, and a table `ip bridgework` that leads
    /// questions to them and leaves port 53 to the container's own programs; the kernel has to have
    /// nftables. One thread answers for all, from the first container until the last, and while
    /// this process lives. The sockets keep the container's namespace, until it is disconnected.
    ///
    /// Where the host keeps records ([`store`](Self::store)), one process answers each container: whoever
    /// [serves](crate::Host::serve), or else who was there first. Others that connect it are ready to, by
    /// the same and a third socket, and take over when that one has ended. What others connect is known
    /// to a process that serves within 20 ms, and to any other with its next verb.
    #[must_use]
    pub fn resolver(mut self, resolver: Switch) -> Self {
        self.resolver = resolver;
        self
    }

    /// For how many seconds whoever asked for a container's name may go by the answer, at most a
    /// day. Default: 0, since an address may be another container's a moment later.
    ///
    /// ```
    /// use bridgework::HostConfig;
    ///
    /// let config = HostConfig::new().record_ttl_s(5);
    /// # let _ = config;
    /// ```
    #[must_use]
    pub fn record_ttl_s(mut self, ttl_s: u32) -> Self {
        self.record_ttl_s = ttl_s.min(DAY_S);
        self
    }

    /// A domain that the names of this host's networks are under, besides being known without it. Of
    /// what nobody has there no other server is ever asked: it is answered that it does not exist.
    /// Default: none. A container has it searched by
    /// [`ContainerConfig::dns_search`](crate::ContainerConfig::dns_search). It is the host's that
    /// answers, and is not kept in records.
    ///
    /// ```
    /// use bridgework::HostConfig;
    ///
    /// let config = HostConfig::new().domain("dns.example");
    /// # let _ = config;
    /// ```
    #[must_use]
    pub fn domain<V>(mut self, domain: V) -> Self
    where
        V: TryInto<HostName>,
        V::Error: Into<Fault>,
    {
        self.domain = take(domain, &mut self.faults);
        self
    }

    /// Makes kernel calls fail when a test wants them to. Those of the thread that [watches](Self::watch)
    /// are counted with the others, whenever it looks: a test that counts switches it off.
    #[must_use]
    pub fn fault_injector(mut self, injector: FaultInjector) -> Self {
        self.injector = injector;
        self
    }
}
