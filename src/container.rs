//! A container: a name and a network namespace. A process is optional.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::addr::{ContainerId, ContainerName, HostName, LinkName, ParseError};
use crate::config::{EndpointRequest, take};
use crate::error::{Error, Fault, Result};
use crate::kernel::{HostsOrigin, Netns, create_hosts, random_bytes, remove_hosts};
use crate::plan::HostsFile;
use crate::resolver::{ExtraHost, Loopback, base_text};

/// A name and an open network namespace, to be connected to networks.
///
/// Dropping it changes nothing in the kernel by itself: its endpoints hold it. A namespace that
/// [`isolated`](Self::isolated) made goes when the last handle to it and its last process are gone;
/// to keep it on purpose, [`Netns::pin`] it. A clone is another handle to the same container.
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

struct Inner {
    identity: Identity,
    netns: Netns,
    hosts: Option<Hosts>,
    places: Mutex<Places>,
}

/// What a container is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: ContainerId,
    pub(crate) name: ContainerName,
    pub(crate) hostname: HostName,
    pub(crate) domain: Option<HostName>,
}

/// The hosts file that connecting writes to, with what it began with.
#[derive(Debug)]
struct Hosts {
    file: HostsFile,
    base: String,
    origin: HostsOrigin,
}

/// What to open a container with.
///
/// ```no_run
/// use bridgework::{ContainerConfig, Netns};
///
/// let config = ContainerConfig::new("web", Netns::of_pid(4711)?).hostname("www").domain("shop.test");
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ContainerConfig {
    name: String,
    netns: Netns,
    id: Option<ContainerId>,
    hostname: Option<HostName>,
    domain: Option<HostName>,
    hosts: Option<HostsFile>,
    extra_hosts: Vec<ExtraHost>,
    faults: Vec<Fault>,
}

impl ContainerConfig {
    /// A container of that name in that namespace. Its id is random and its host name the first 12
    /// digits of it, as Docker's are.
    #[must_use]
    pub fn new(name: impl Into<String>, netns: Netns) -> Self {
        Self {
            name: name.into(),
            netns,
            id: None,
            hostname: None,
            domain: None,
            hosts: None,
            extra_hosts: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// The container's id. Default: random.
    #[must_use]
    pub fn id(mut self, id: ContainerId) -> Self {
        self.id = Some(id);
        self
    }

    /// The container's host name. Default: the first 12 digits of its id.
    #[must_use]
    pub fn hostname<V>(mut self, hostname: V) -> Self
    where
        V: TryInto<HostName>,
        V::Error: Into<Fault>,
    {
        self.hostname = take(hostname, &mut self.faults).or(self.hostname);
        self
    }

    /// The domain that its hosts file puts behind the host name.
    #[must_use]
    pub fn domain<V>(mut self, domain: V) -> Self
    where
        V: TryInto<HostName>,
        V::Error: Into<Fault>,
    {
        self.domain = take(domain, &mut self.faults).or(self.domain);
        self
    }

    /// The hosts file that is kept for it: a path of the host's, to be bind-mounted into the
    /// container or read as it is. If there is no such file or it is empty, it is made with
    /// Docker's first lines, and goes with the last handle to the container.
    #[must_use]
    pub fn hosts_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.hosts = Some(HostsFile::At(path.into()));
        self
    }

    /// As [`hosts_file`](Self::hosts_file), with `etc/hosts` below the container's root directory.
    /// No symbolic link is followed below `root`.
    #[must_use]
    pub fn rootfs(mut self, root: impl Into<PathBuf>) -> Self {
        self.hosts = Some(HostsFile::InRoot(root.into()));
        self
    }

    /// A line of its hosts file that does not depend on any network (`--add-host`).
    #[must_use]
    pub fn extra_host<V>(mut self, name: V, address: impl Into<IpAddr>) -> Self
    where
        V: TryInto<HostName>,
        V::Error: Into<Fault>,
    {
        let address = address.into();
        let name = take(name, &mut self.faults);
        self.extra_hosts
            .extend(name.map(|name| ExtraHost { name, address }));
        self
    }
}

impl Container {
    /// The container that `config` describes.
    ///
    /// # Errors
    /// A name does not have its form, or the hosts file can't be made.
    pub fn open(config: ContainerConfig) -> Result<Self> {
        let attempt = format!("open container {}", config.name);
        let mut faults = config.faults;
        let name = config
            .name
            .parse::<ContainerName>()
            .map_err(|error| faults.push(error.into()));
        let (Ok(name), true) = (name, faults.is_empty()) else {
            return Err(Error::of(attempt, faults));
        };
        let id = match config.id {
            Some(id) => id,
            None => ContainerId::from_bytes(random_bytes()?),
        };
        let hostname = match config.hostname {
            Some(hostname) => hostname,
            None => id.short().parse()?,
        };
        let hosts = config
            .hosts
            .map(|file| Hosts::make(file, &config.extra_hosts))
            .transpose()
            .map_err(|error| error.during(attempt))?;
        Ok(Self(Arc::new(Inner {
            identity: Identity {
                id,
                name,
                hostname,
                domain: config.domain,
            },
            netns: config.netns,
            hosts,
            places: Mutex::new(Places::default()),
        })))
    }

    /// A container with a namespace of its own and no process.
    ///
    /// # Errors
    /// The name does not have its form, or `CAP_SYS_ADMIN` is missing.
    pub fn isolated(name: impl Into<String>) -> Result<Self> {
        Self::open(ContainerConfig::new(name, Netns::create()?))
    }

    /// A container whose namespace is that of a process.
    ///
    /// # Errors
    /// The name does not have its form, or there is no such process.
    pub fn of_pid(name: impl Into<String>, pid: u32) -> Result<Self> {
        Self::open(ContainerConfig::new(name, Netns::of_pid(pid)?))
    }

    /// Runs `act` on a new thread inside the container's namespace; see [`Netns::run`].
    ///
    /// # Errors
    /// As for [`Netns::run`].
    pub fn run<T: Send>(&self, act: impl FnOnce() -> T + Send) -> Result<T> {
        self.0.netns.run(act)
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
        &self.0.netns
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0.identity
    }

    pub(crate) fn hosts_file(&self) -> Option<&HostsFile> {
        self.0.hosts.as_ref().map(|hosts| &hosts.file)
    }

    /// A place for one more interface: the name that was asked for or the lowest free `eth0`,
    /// `eth1`…, and a metric for its default routes that no other has.
    pub(crate) fn take_place(
        &self,
        request: &EndpointRequest,
        faults: &mut Vec<Fault>,
    ) -> Option<Place> {
        let mut places = self.0.places.lock();
        let name = match &request.link_name {
            Some(name) => name.clone(),
            None => places
                .lowest_free_name()
                .map_err(|error| faults.push(error.into()))
                .ok()?,
        };
        if !places.names.insert(name.clone()) {
            let namespace = Some(self.name().to_string());
            faults.push(Fault::LinkExists { name, namespace });
            return None;
        }
        let rank = (0..).find(|&rank| places.ranks.insert(rank))?;
        drop(places);
        Some(Place {
            container: self.clone(),
            name,
            rank,
        })
    }
}

/// An interface name and a rank among the default routes, held until it is dropped, or for as long
/// as the container is there if it is [kept](Self::keep).
#[derive(Debug)]
pub(crate) struct Place {
    container: Container,
    pub(crate) name: LinkName,
    pub(crate) rank: u32,
}

impl Place {
    pub(crate) fn keep(&self) {
        self.container
            .0
            .places
            .lock()
            .kept
            .insert(self.name.clone());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.container.0.places.lock();
        if !places.kept.contains(&self.name) {
            places.names.remove(&self.name);
            places.ranks.remove(&self.rank);
        }
    }
}

#[derive(Debug, Default)]
struct Places {
    names: BTreeSet<LinkName>,
    kept: BTreeSet<LinkName>,
    ranks: BTreeSet<u32>,
}

impl Places {
    fn lowest_free_name(&self) -> std::result::Result<LinkName, ParseError> {
        let mut number = 0;
        loop {
            let name = LinkName::numbered("eth", number)?;
            if !self.names.contains(&name) {
                return Ok(name);
            }
            number += 1;
        }
    }
}

impl Hosts {
    fn make(file: HostsFile, extra: &[ExtraHost]) -> Result<Self> {
        let base = base_text(Loopback::Dual, extra);
        let origin = create_hosts(&file, &base).map_err(|errno| {
            let path = match &file {
                HostsFile::At(path) => path.clone(),
                HostsFile::InRoot(root) => root.join("etc/hosts"),
            };
            let doing = format!("write the first lines of {}", path.display());
            let fault = Fault::Kernel {
                doing,
                errno,
                words: None,
            };
            Error::of("make hosts file", vec![fault])
        })?;
        Ok(Self { file, base, origin })
    }
}

impl Drop for Hosts {
    fn drop(&mut self) {
        // what its user has written into it since is not ours to take away
        let _kept = remove_hosts(&self.file, &self.base, self.origin);
    }
}

impl fmt::Debug for Container {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Container({}, {:?})", self.name(), self.netns())
    }
}
