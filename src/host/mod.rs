//! The host: the side that has the bridges, and the entry point.

mod attach;
mod bridges;
mod builtin;
mod check;
mod config;
mod containers;
mod create;
mod ensure;
mod inspect;
mod lookup;
mod modes;
mod orphans;
mod prepared;
mod prune;
mod rebuild;
mod recover;
mod serve;
mod state;
mod strangers;
mod subnets;
mod template;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

pub use attach::{Attached, Warning};
use builtin::{Builtin, check_default_name};
pub use config::HostConfig;
pub use orphans::Orphan;
pub use recover::Recovered;
pub use serve::Service;

use crate::driver::Driver;
use crate::error::{Error, Result};
use crate::events::Subscription;
use crate::ipam::AddressPools;
use crate::kernel::{HostPorts, Kernel, Netns, Relay, random_bytes};
use crate::network::{
    Company, Concern, Foundation, HostKeeper, Ledger, NameService, Network, Registry, Services,
};
use crate::resolver::server::ServerConfig;
use crate::snapshot::Snapshot;

/// The side that has the bridges: the machine itself, or a private namespace in its place.
///
/// A clone is another handle to the same. Dropping the last one closes its netlink sockets and
/// changes nothing in the kernel by itself; networks and endpoints hold it.
///
/// ```no_run
/// # fn main() -> Result<(), bridgework::Error> {
/// use bridgework::{Host, NetworkConfig};
///
/// let host = Host::open()?; // needs CAP_NET_ADMIN, and says so
/// let network = host.create_network(NetworkConfig::bridge("web"))?;
/// println!("{}", network.plan()); // the ip and sysctl lines that made it
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Host(Arc<Shared>);

struct Shared {
    kernel: Kernel,
    registry: Arc<Registry>,
    pools: AddressPools,
    config: HostConfig,
    /// Those that every host has, once they were asked for.
    builtins: Mutex<BTreeMap<Builtin, Network>>,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.registry.let_go();
    }
}

impl Host {
    /// The machine's own side: the namespace of the calling thread.
    ///
    /// # Errors
    /// `CAP_NET_ADMIN` is missing in the user namespace that owns it ([`Error::is_permission`]).
    /// `CAP_SYS_ADMIN` is asked for first where another namespace is entered: a container's.
    ///
    /// ```no_run
    /// use bridgework::Host;
    ///
    /// match Host::open() {
    ///     Err(error) if error.is_permission() => eprintln!("{error}"),
    ///     host => println!("{} networks", host?.networks().len()),
    /// }
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn open() -> Result<Self> {
        Self::open_with(HostConfig::new())
    }

    /// A private namespace as host: nothing of the machine's own network is seen or touched. It goes
    /// with the last handle. In it is only `lo`, which is down: where a port of `127.0.0.1` is to be
    /// published, [set it up](crate::Device::set_up) first.
    ///
    /// # Errors
    /// `CAP_SYS_ADMIN` is missing ([`Error::is_permission`]); an ordinary user calls
    /// [`sandbox::enter`](crate::sandbox::enter) first.
    ///
    /// ```no_run
    /// use bridgework::{Host, Netns};
    ///
    /// let host = Host::isolated()?;
    /// assert_ne!(*host.netns(), Netns::current()?);
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn isolated() -> Result<Self> {
        Self::open_with(HostConfig::new().netns(Netns::create()?))
    }

    /// The host that `config` describes.
    ///
    /// # Errors
    /// A value does not have its form, or a privilege is missing.
    ///
    /// ```no_run
    /// use bridgework::{Host, HostConfig, Netns};
    ///
    /// let netns = Netns::named(&"lab".parse()?)?;
    /// let host = Host::open_with(HostConfig::new().netns(netns))?;
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn open_with(config: HostConfig) -> Result<Self> {
        let mut faults = config.faults.clone();
        check_default_name(&config.default_network, &mut faults);
        if !faults.is_empty() {
            return Err(Error::of("open host", faults));
        }
        let netns = match &config.netns {
            Some(netns) => netns.clone(),
            None => Netns::current()?,
        };
        let kernel = Kernel::with_injector(netns, config.injector.clone())
            .map_err(|error| error.during("open host"))?;
        let pools = match &config.pools {
            Some(pools) => pools.clone(),
            None => AddressPools::default().with_ula(random_bytes()?),
        };
        let host_ports = HostPorts::new(kernel.namespace().clone(), config.injector.clone());
        let host_ports = host_ports.holding(config.hold_ports);
        let relay = config
            .relay
            .is_on()
            .then(|| Relay::new(kernel.namespace().clone()));
        let services = Services {
            host_ports,
            relay,
            names: name_service(&kernel, &config),
        };
        let foundation = Foundation {
            kernel: kernel.clone(),
            drivers: config.all_drivers(),
            ledger: config.store.clone().map(Ledger::new),
        };
        let registry = Registry::new(config.files.clone(), services, foundation);
        let registry = Arc::new(registry);
        if config.watch.is_on() {
            registry.attend_to_all();
            kernel.watch(Arc::new(HostKeeper(Arc::downgrade(&registry))));
        }
        registry
            .catch_up_on(Concern::None)
            .map_err(|error| error.during("open host"))?;
        let host = Self(Arc::new(Shared {
            kernel,
            registry,
            pools,
            config,
            builtins: Mutex::default(),
        }));
        let begun = host.begin_records();
        begun.map_err(|error| error.during("open host"))?;
        Ok(host)
    }

    /// Its namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        self.0.kernel.namespace()
    }

    /// All its links, addresses and routes.
    ///
    /// # Errors
    /// The kernel refused, or did not come to rest for ten seconds.
    ///
    /// ```no_run
    /// use bridgework::{Host, NetworkConfig};
    ///
    /// let host = Host::isolated()?;
    /// let network = host.create_network(NetworkConfig::bridge("web").bridge_name("br-web"))?;
    /// assert!(host.snapshot()?.link_named("br-web").is_some());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn snapshot(&self) -> Result<Snapshot> {
        self.0.kernel.snapshot()
    }

    /// The networks that this host has handles to, by name.
    ///
    /// ```no_run
    /// use bridgework::{Host, NetworkConfig};
    ///
    /// let host = Host::isolated()?;
    /// let web = host.create_network(NetworkConfig::bridge("web"))?;
    /// assert!(host.networks().iter().any(|network| network.id() == web.id()));
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn networks(&self) -> Vec<Network> {
        // what can't be read is as it was
        let _known = self.0.registry.catch_up_on(Concern::None);
        self.0.registry.networks()
    }

    /// What happens to networks and containers from now on, for a log say: networks that come and
    /// go, containers that are connected and disconnected, and how long each took.
    ///
    /// Each thing is told once, whoever did it: a verb, a handle that was dropped, a prune. What other
    /// processes did with the same [records](crate::HostConfig::store) is told when this host reads of
    /// it: with its next verb or look, and soon where it [serves](Self::serve). A
    /// pre-defined network comes when it is first asked for. A container in network mode `host` or
    /// `none` is connected when it is opened and disconnected when its last handle is dropped; one
    /// with another container's stack is on no network, and nothing is told of it. Of an endpoint
    /// that is staged is told when it is joined and when it leaves.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Host, NetworkConfig};
    /// let host = Host::isolated()?;
    /// let events = host.subscribe();
    /// let network = host.create_network(NetworkConfig::bridge("web"))?;
    /// println!("{}", events.try_recv().unwrap());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        self.0.registry.events().subscribe()
    }

    fn kernel(&self) -> &Kernel {
        &self.0.kernel
    }

    fn driver(&self, name: &str) -> Option<&Arc<dyn Driver>> {
        self.0
            .config
            .drivers
            .iter()
            .find(|driver| driver.name() == name)
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Host({:?})", self.netns())
    }
}

/// What answers the host's containers, unless nothing shall.
fn name_service(kernel: &Kernel, config: &HostConfig) -> Option<NameService> {
    config.resolver.is_on().then(|| {
        let server = ServerConfig::new()
            .ttl_s(config.record_ttl_s)
            .resolv_conf(&config.files.resolv_conf);
        let company = match &config.store {
            Some(_) => Company::Others,
            None => Company::Nobody,
        };
        let host = (kernel.namespace().clone(), company);
        NameService::new(host, server, config.domain.clone())
    })
}
