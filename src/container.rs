//! A container: a name and a network namespace. A process is optional.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::addr::{ContainerId, ContainerName, HostName, LinkName};
use crate::error::{Error, Fault, Result};
use crate::kernel::Netns;
use crate::plan::HostsFile;

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
    links: Mutex<BTreeSet<LinkName>>,
}

/// What a container is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) id: ContainerId,
    pub(crate) name: ContainerName,
    pub(crate) hostname: HostName,
    pub(crate) domain: Option<HostName>,
}

/// The hosts file that connecting writes to.
#[derive(Debug)]
struct Hosts {
    file: HostsFile,
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
    extra_hosts: Vec<(HostName, IpAddr)>,
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
        let parsed = hostname.try_into().map_err(|error| self.faults.push(error.into()));
        self.hostname = parsed.ok().or(self.hostname);
        self
    }

    /// The domain that its hosts file puts behind the host name.
    #[must_use]
    pub fn domain<V>(mut self, domain: V) -> Self
    where
        V: TryInto<HostName>,
        V::Error: Into<Fault>,
    {
        let parsed = domain.try_into().map_err(|error| self.faults.push(error.into()));
        self.domain = parsed.ok().or(self.domain);
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
        match name.try_into() {
            Ok(name) => self.extra_hosts.push((name, address.into())),
            Err(error) => self.faults.push(error.into()),
        }
        self
    }
}
