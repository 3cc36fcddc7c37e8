//! A container: a name and a network namespace. A process is optional.

mod config;
mod files;
mod home;
mod host_side;
mod record;

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

pub use config::ContainerConfig;
pub(crate) use files::{Resolv, ResolvChange, ResolvSource};
pub(crate) use home::Wire;
pub(crate) use host_side::{HostFiles, HostSide};

use crate::addr::{ContainerId, ContainerName, HostName, NetworkId};
use crate::config::EndpointRequest;
use crate::driver::Stack;
use crate::error::{Error, Fault, Result};
use crate::kernel::{Netns, random_bytes};
use crate::plan::HostsFile;
use crate::resolver::{ExtraHost, ResolvOverrides};
use config::Source;
use files::Hosts;
use home::Home;

/// A name and an open network namespace, to be connected to networks.
///
/// Dropping it changes nothing in the kernel by itself: its endpoints hold it. A namespace that
/// [`isolated`](Self::isolated) made goes when the last handle to it and its last process are gone;
/// to keep it on purpose, [`Netns::pin`] it. A clone is another handle to the same container.
///
/// What it was connected with is remembered while there is a handle: see
/// [`Network::connect_with`](crate::Network::connect_with).
///
/// ```no_run
/// use bridgework::{Container, ContainerConfig, Netns};
///
/// let app = Container::of_pid("app", 4711)?;
/// let db = Container::open(
///     ContainerConfig::new("db", Netns::at("/run/netns/db")?).hosts_file("/srv/db/hosts"),
/// )?;
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Clone)]
pub struct Container(Arc<Inner>);

pub(crate) struct Inner {
    identity: Identity,
    home: Arc<Home>,
    stack: Stack,
    memories: Mutex<BTreeMap<NetworkId, Memory>>,
    /// What ends with the container.
    held: Mutex<Vec<Box<dyn Any + Send + Sync>>>,
}

/// What a container is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: ContainerId,
    pub(crate) name: ContainerName,
    pub(crate) hostname: HostName,
    pub(crate) domain: Option<HostName>,
}

impl Identity {
    /// Of a container of which nothing but the name is known.
    pub(crate) fn random(name: &ContainerName) -> Result<Self> {
        let id = ContainerId::from_bytes(random_bytes()?);
        Ok(Self {
            id,
            name: name.clone(),
            hostname: id.short().parse()?,
            domain: None,
        })
    }
}

/// What a container was connected to a network with, for when it returns.
pub(crate) struct Memory {
    pub(crate) request: EndpointRequest,
    /// What the network keeps for it until it is forgotten: dropping it ends that.
    pub(crate) _kept: Box<dyn Any + Send + Sync>,
}

impl Container {
    /// The container that `config` describes.
    ///
    /// # Errors
    /// A name does not have its form, a file can't be made, or `CAP_SYS_ADMIN` is missing for a
    /// namespace of its own. With another container's stack goes no host name, file, extra host or
    /// name server of its own. What `host-gateway` stands for is known to a host alone: see
    /// [`Host::attach`](crate::Host::attach).
    ///
    /// ```no_run
    /// use bridgework::{Container, ContainerConfig, Netns};
    ///
    /// let web = Container::open(ContainerConfig::new("web", Netns::create()?).hostname("web1"))?;
    /// assert_eq!(web.hostname().as_str(), "web1");
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn open(config: ContainerConfig) -> Result<Self> {
        let attempt = format!("open container {}", config.name);
        let mut faults = config.faults();
        let extra = config.resolve_extra_hosts(&mut faults);
        let name = config.name.parse::<ContainerName>();
        let (Ok(name), true) = (name, faults.is_empty()) else {
            return Err(Error::of(attempt, faults));
        };
        Self::of_named(name, config, &extra).map_err(|error| error.during(attempt))
    }

    fn of_named(name: ContainerName, config: ContainerConfig, extra: &[ExtraHost]) -> Result<Self> {
        let id = match config.id {
            Some(id) => id,
            None => ContainerId::from_bytes(random_bytes()?),
        };
        let (home, hostname, domain) = match &config.source {
            Source::Shared(other) => {
                if *other.name() == name {
                    return Err(Error::of("", vec![Fault::OwnNamespace]));
                }
                let Identity {
                    hostname, domain, ..
                } = other.identity().clone();
                let home = Arc::clone(&other.0.home);
                home.move_in();
                (home, hostname, domain)
            }
            Source::Given(netns) => Self::settle(netns.clone(), id, (&config, extra))?,
            Source::Made => Self::settle(Netns::create()?, id, (&config, extra))?,
        };
        Ok(Self(Arc::new(Inner {
            identity: Identity {
                id,
                name,
                hostname,
                domain,
            },
            home,
            stack: config.stack,
            memories: Mutex::default(),
            held: Mutex::default(),
        })))
    }

    fn settle(
        netns: Netns,
        id: ContainerId,
        (config, extra): (&ContainerConfig, &[ExtraHost]),
    ) -> Result<(Arc<Home>, HostName, Option<HostName>)> {
        let hostname = match &config.hostname {
            Some(hostname) => hostname.clone(),
            None => id.short().parse()?,
        };
        let hosts = Hosts::open(config, extra)?;
        let files = (hosts, Resolv::open(config)?);
        let home = Home::new(netns, files, config.overrides.clone());
        Ok((Arc::new(home), hostname, config.domain.clone()))
    }

    /// A container with a namespace of its own and no process.
    ///
    /// # Errors
    /// The name does not have its form, or `CAP_SYS_ADMIN` is missing.
    ///
    /// ```no_run
    /// use bridgework::spec::Stack;
    /// use bridgework::{Container, Netns};
    ///
    /// let web = Container::isolated("web")?;
    /// assert_ne!(*web.netns(), Netns::current()?);
    /// assert_eq!((web.name().as_str(), web.stack()), ("web", Stack::Own));
    /// assert_eq!(web.hostname().as_str(), web.id().short());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn isolated(name: impl Into<String>) -> Result<Self> {
        Self::open(ContainerConfig::named(name))
    }

    /// A container whose namespace is that of a process.
    ///
    /// # Errors
    /// The name does not have its form, or there is no such process.
    ///
    /// ```no_run
    /// use bridgework::{Container, Netns};
    ///
    /// let mut child = std::process::Command::new("sleep").arg("60").spawn()?;
    /// let web = Container::of_pid("web", child.id())?;
    /// assert_eq!(*web.netns(), Netns::current()?); // it has unshared nothing
    /// child.kill()?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn of_pid(name: impl Into<String>, pid: u32) -> Result<Self> {
        Self::open(ContainerConfig::new(name, Netns::of_pid(pid)?))
    }

    /// Runs `act` on a new thread inside the container's namespace; see [`Netns::run`].
    ///
    /// # Errors
    /// As for [`Netns::run`].
    ///
    /// ```no_run
    /// use bridgework::Container;
    /// use std::net::TcpListener;
    ///
    /// let web = Container::isolated("web")?;
    /// let listening = web.run(|| TcpListener::bind("0.0.0.0:80"))??; // the container's port
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        self.0.home.netns.run(act)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &ContainerName {
        &self.0.identity.name
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> ContainerId {
        self.0.identity.id
    }

    /// Its host name.
    #[must_use]
    pub fn hostname(&self) -> &HostName {
        &self.0.identity.hostname
    }

    /// Its namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.0.home.netns
    }

    /// Whose network stack it has.
    #[must_use]
    pub fn stack(&self) -> Stack {
        self.0.stack
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(crate) fn hosts_file(&self) -> Option<&HostsFile> {
        self.0.home.hosts.as_ref().map(|hosts| &hosts.file)
    }

    pub(crate) fn resolv(&self) -> Option<&Resolv> {
        self.0.home.resolv.as_ref()
    }

    pub(crate) fn overrides(&self) -> &ResolvOverrides {
        &self.0.home.overrides
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.0
    }

    pub(crate) fn of_inner(inner: Arc<Inner>) -> Self {
        Self(inner)
    }

    /// What it was connected to this network with before, if it was.
    pub(crate) fn recall(&self, network: NetworkId) -> Option<EndpointRequest> {
        let memories = self.0.memories.lock();
        memories.get(&network).map(|memory| memory.request.clone())
    }

    pub(crate) fn remember(&self, network: NetworkId, memory: Memory) {
        let former = self.0.memories.lock().insert(network, memory);
        drop(former);
    }

    pub(crate) fn forget(&self, network: NetworkId) {
        let former = self.0.memories.lock().remove(&network);
        drop(former);
    }

    /// Keeps something until the last handle to the container is gone.
    pub(crate) fn hold(&self, held: Box<dyn Any + Send + Sync>) {
        self.0.held.lock().push(held);
    }

    /// Keeps something until the last handle to any container of the stack is gone.
    pub(crate) fn hold_with_stack(&self, held: Box<dyn Any + Send + Sync>) {
        self.0.home.hold(held);
    }

    /// As [`hold_with_stack`](Self::hold_with_stack), of what several may want to be held: once.
    pub(crate) fn hold_once<T: Send + Sync + 'static>(&self, shared: &Arc<T>) {
        self.0.home.hold_once(shared);
    }

    /// Others that share the stack hold the wire too.
    pub(crate) fn add_wire(&self, wire: &Arc<Wire>) {
        self.0.home.add_wire(wire);
    }

    pub(crate) fn drop_wire<T>(&self, wire: &T) {
        self.0.home.drop_wire(std::ptr::from_ref(wire).cast());
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if self.stack == Stack::Shared {
            self.home.move_out();
        }
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Container({}, {:?})", self.name(), self.netns())
    }
}
