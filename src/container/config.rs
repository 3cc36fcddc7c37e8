//! What to open a container with: a name, a namespace, and the files that are kept for it.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::addr::{ContainerId, ContainerName, HostName};
use crate::config::take;
use crate::driver::Stack;
use crate::error::Fault;
use crate::kernel::Netns;
use crate::plan::HostsFile;
use crate::resolver::ExtraHost;

use super::Container;

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
    pub(super) name: String,
    pub(super) source: Source,
    pub(super) stack: Stack,
    pub(super) id: Option<ContainerId>,
    pub(super) hostname: Option<HostName>,
    pub(super) domain: Option<HostName>,
    pub(super) hosts: Option<HostsFile>,
    pub(super) extra_hosts: Vec<ExtraHost>,
    pub(super) faults: Vec<Fault>,
}

/// Where a container's namespace comes from.
#[derive(Debug, Clone)]
pub(super) enum Source {
    /// It is made for it.
    Made,
    /// It is there.
    Given(Netns),
    /// It is another container's.
    Shared(Container),
}

impl ContainerConfig {
    /// A container of that name in that namespace. Its id is random and its host name the first 12
    /// digits of it, as Docker's are.
    #[must_use]
    pub fn new(name: impl Into<String>, netns: Netns) -> Self {
        Self::of(name.into(), Source::Given(netns), Stack::Own)
    }

    /// A container of that name, for which a namespace is made when it is opened, unless it is
    /// opened in a mode that has one.
    #[must_use]
    pub fn named(name: impl Into<String>) -> Self {
        Self::of(name.into(), Source::Made, Stack::Own)
    }

    /// A container of that name with all that `other` has: its namespace and so its addresses and
    /// ports, its hosts file and its names. What connects `other` stays until both are gone, but
    /// for what is disconnected on purpose.
    ///
    /// ```no_run
    /// use bridgework::{Container, ContainerConfig};
    ///
    /// let app = Container::isolated("app")?;
    /// let sidecar = Container::open(ContainerConfig::sharing("sidecar", &app))?;
    /// assert_eq!(sidecar.netns(), app.netns());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn sharing(name: impl Into<String>, other: &Container) -> Self {
        Self::of(name.into(), Source::Shared(other.clone()), Stack::Shared)
    }

    fn of(name: String, source: Source, stack: Stack) -> Self {
        Self {
            name,
            source,
            stack,
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

impl ContainerConfig {
    /// The name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All that is wrong with it.
    pub(crate) fn faults(&self) -> Vec<Fault> {
        let mut faults = self.faults.clone();
        let _name: Option<ContainerName> = take(self.name.as_str(), &mut faults);
        if self.stack == Stack::Shared {
            faults.extend(self.conflicts_of_sharing());
        }
        faults
    }

    /// The same with the stack of a host that has this namespace, or with nothing but `lo`.
    pub(crate) fn with_stack(mut self, stack: Stack, namespace: Option<&Netns>) -> Self {
        self.stack = stack;
        let Some(namespace) = namespace else {
            return self;
        };
        match &self.source {
            Source::Given(other) if other != namespace => {
                let why = format!("namespace {} and the network mode", other.label());
                self.faults.push(Fault::Conflicting(why));
            }
            _ => self.source = Source::Given(namespace.clone()),
        }
        self
    }

    /// The same with another container's stack.
    pub(crate) fn with_stack_of(mut self, other: &Container) -> Self {
        self.stack = Stack::Shared;
        match &self.source {
            Source::Given(given) if given != other.netns() => {
                let why = format!("namespace {} and the network mode", given.label());
                self.faults.push(Fault::Conflicting(why));
            }
            _ => self.source = Source::Shared(other.clone()),
        }
        self
    }

    /// What can't be had together with another container's stack, in Docker's words.
    pub(super) fn conflicts_of_sharing(&self) -> Vec<Fault> {
        let given = [
            ("hostname", self.hostname.is_some() || self.domain.is_some()),
            ("custom host-to-IP mapping", !self.extra_hosts.is_empty()),
            ("hosts file", self.hosts.is_some()),
        ];
        let given = given.into_iter().filter(|(_, is_given)| *is_given);
        let conflict = |(what, _)| Fault::Conflicting(format!("{what} and the network mode"));
        given.map(conflict).collect()
    }
}
