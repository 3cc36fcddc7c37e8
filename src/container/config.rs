//! What to open a container with: a name, a namespace, and the files that are kept for it.

use std::path::PathBuf;

use crate::addr::{ContainerId, ContainerName, HostName};
use crate::config::{ContainerTerm, take};
use crate::driver::Stack;
use crate::error::Fault;
use crate::kernel::Netns;
use crate::plan::{ContainerFile, HostsFile, RootFile};
use crate::resolver::{
    DnsOption, ExtraHost, HostAddress, NameServer, ResolvOverrides, SearchDomain,
};

use super::Container;
use super::host_side::HostSide;

/// What to open a container with.
///
/// ```no_run
/// use bridgework::{ContainerConfig, Netns};
///
/// let config = ContainerConfig::new("web", Netns::of_pid(4711)?).hostname("www").domain("shop.test");
/// assert_eq!(config.name(), "web");
/// # Ok::<(), bridgework::Error>(())
/// ```
///
/// One with a root directory, whose `etc` is there:
///
/// ```no_run
/// use bridgework::{Container, ContainerConfig, ContainerId};
///
/// let config = ContainerConfig::named("web")
///     .id(ContainerId::from_bytes([0xab; 32]))
///     .rootfs("/srv/web")
///     .rootfs_resolv_conf("/srv/web");
/// let web = Container::open(config)?;
/// assert_eq!(web.hostname().as_str(), "abababababab");
/// assert!(std::fs::read_to_string("/srv/web/etc/hosts")?.starts_with("127.0.0.1\tlocalhost\n"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
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
    pub(super) resolv: Option<ContainerFile>,
    pub(super) extra_hosts: Vec<ExtraHost<HostAddress>>,
    pub(super) overrides: ResolvOverrides,
    pub(super) host_side: Option<HostSide>,
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
            resolv: None,
            extra_hosts: Vec::new(),
            overrides: ResolvOverrides::default(),
            host_side: None,
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
    /// Docker's first lines, and goes with the last handle to the container. With the host's stack
    /// and no extra hosts it is a copy of the host's.
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

    /// The `resolv.conf` that is kept for it: a path of the host's, to be bind-mounted into the
    /// container. If there is no such file it is made, and goes with the last handle to the
    /// container; a file that says anything is its user's, and left alone whenever it does.
    ///
    /// It says what Docker's would, and follows the container's networks as they come and go: the
    /// host's name servers as long as it is on the default network alone, and the name server of
    /// user-defined networks (`127.0.0.11`) from the first of these on. It is empty while the
    /// container is on no network, but in the modes `host` and `none`.
    ///
    /// ```no_run
    /// use bridgework::{Container, ContainerConfig};
    ///
    /// let config = ContainerConfig::named("web")
    ///     .hosts_file("/srv/web/hosts")
    ///     .resolv_conf("/srv/web/resolv.conf")
    ///     .dns("10.0.0.2")
    ///     .dns_search("shop.test")
    ///     .dns_option("rotate");
    /// let web = Container::open(config)?;
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn resolv_conf(mut self, path: impl Into<PathBuf>) -> Self {
        self.resolv = Some(ContainerFile::At(path.into()));
        self
    }

    /// As [`resolv_conf`](Self::resolv_conf), with `etc/resolv.conf` below the container's root
    /// directory. A symbolic link there, or in the place of `etc`, is left alone, and so is what it
    /// leads to: [`Host::attach`](crate::Host::attach) then gives a
    /// [warning](crate::Warning::ResolvConfIsLink).
    #[must_use]
    pub fn rootfs_resolv_conf(mut self, root: impl Into<PathBuf>) -> Self {
        self.resolv = Some(ContainerFile::InRoot {
            root: root.into(),
            file: RootFile::ResolvConf,
        });
        self
    }

    /// A name server in its `resolv.conf` instead of the host's (`--dns`); on user-defined networks,
    /// one that their own asks.
    #[must_use]
    pub fn dns<V>(mut self, server: V) -> Self
    where
        V: TryInto<NameServer>,
        V::Error: Into<Fault>,
    {
        let server = take(server, &mut self.faults);
        self.overrides.nameservers.extend(server);
        self
    }

    /// A search domain in its `resolv.conf` instead of the host's (`--dns-search`); `.` alone stands
    /// for none.
    #[must_use]
    pub fn dns_search<V>(mut self, domain: V) -> Self
    where
        V: TryInto<SearchDomain>,
        V::Error: Into<Fault>,
    {
        let domain = take(domain, &mut self.faults);
        self.overrides.search.extend(domain);
        self
    }

    /// An option in its `resolv.conf` instead of the host's (`--dns-option`).
    #[must_use]
    pub fn dns_option<V>(mut self, option: V) -> Self
    where
        V: TryInto<DnsOption>,
        V::Error: Into<Fault>,
    {
        let option = take(option, &mut self.faults);
        self.overrides.options.extend(option);
        self
    }

    /// A line of its hosts file that does not depend on any network (`--add-host`): a name, and an
    /// address or `host-gateway`. The latter stands for the
    /// [addresses of the host](crate::HostConfig::host_gateway) that
    /// [attaches](crate::Host::attach) the container, a line for each; nobody else knows them.
    ///
    /// ```
    /// use bridgework::{Container, ContainerConfig, Fault};
    ///
    /// let config = ContainerConfig::named("web")
    ///     .extra_host("bank", [192, 0, 2, 1])
    ///     .extra_host("host.internal", "host-gateway");
    /// let error = Container::open(config).unwrap_err(); // there is no host to ask
    /// assert_eq!(error.faults(), [Fault::NoHostGateway]);
    /// ```
    #[must_use]
    pub fn extra_host<V, A>(mut self, name: V, address: A) -> Self
    where
        V: TryInto<HostName>,
        V::Error: Into<Fault>,
        A: TryInto<HostAddress>,
        A::Error: Into<Fault>,
    {
        let name = take(name, &mut self.faults);
        let address = take(address, &mut self.faults);
        let host = name.zip(address).map(ExtraHost::from);
        self.extra_hosts.extend(host);
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

    /// All that is wrong with it in a mode that gives a wire of its own.
    pub(crate) fn faults_of_wire(&self) -> Vec<Fault> {
        let mut faults = self.faults();
        faults.extend((self.stack == Stack::Shared).then_some(Fault::SharedStack));
        faults
    }

    /// Whether `term` is its own name or id.
    pub(crate) fn is_meant_by(&self, term: &ContainerTerm) -> bool {
        match term {
            ContainerTerm::Name(name) => name.as_str() == self.name,
            ContainerTerm::Id(id) => Some(*id) == self.id,
        }
    }

    /// The same with the stack of the host, whose namespace this is, or with nothing but `lo`.
    pub(crate) fn with_stack(mut self, stack: Stack, host: &Netns) -> Self {
        self.stack = stack;
        let conflict = match (&self.source, stack) {
            (Source::Shared(other), _) => of_container(other),
            (Source::Given(given), Stack::Host) if given != host => of_namespace(given),
            (Source::Given(given), Stack::Private) if given == host => {
                Some(format!("{} has the host's own namespace", self.name))
            }
            (_, Stack::Host) => {
                self.source = Source::Given(host.clone());
                None
            }
            _ => None,
        };
        self.faults.extend(conflict.map(Fault::Conflicting));
        self
    }

    /// The same with another container's stack, if there is such a container.
    pub(crate) fn with_stack_of(mut self, other: Option<&Container>) -> Self {
        self.stack = Stack::Shared;
        let Some(other) = other else {
            return self;
        };
        let conflict = match &self.source {
            Source::Given(given) if given != other.netns() => of_namespace(given),
            Source::Shared(third) if third.netns() != other.netns() => of_container(third),
            _ => {
                self.source = Source::Shared(other.clone());
                None
            }
        };
        self.faults.extend(conflict.map(Fault::Conflicting));
        self
    }

    /// The same for a container of a host.
    pub(crate) fn with_host_side(mut self, host_side: HostSide) -> Self {
        self.host_side = Some(host_side);
        self
    }

    pub(crate) fn wants_host_gateway(&self) -> bool {
        let wants = |host: &ExtraHost<_>| host.address == HostAddress::HostGateway;
        self.extra_hosts.iter().any(wants)
    }

    pub(crate) fn resolv_path(&self) -> Option<PathBuf> {
        self.resolv.as_ref().map(ContainerFile::path)
    }

    /// The lines of its extra hosts.
    pub(super) fn resolve_extra_hosts(&self, faults: &mut Vec<Fault>) -> Vec<ExtraHost> {
        let gateways = self.host_side.as_ref().map(|side| side.gateways.as_slice());
        let resolve = |host: &ExtraHost<_>| host.resolve(gateways.unwrap_or_default());
        let resolved: Result<Vec<_>, Fault> = self.extra_hosts.iter().map(resolve).collect();
        match resolved {
            Ok(lines) => lines.concat(),
            Err(fault) => {
                faults.push(fault);
                Vec::new()
            }
        }
    }

    /// What can't be had together with another container's stack, in Docker's words.
    pub(super) fn conflicts_of_sharing(&self) -> Vec<Fault> {
        let given = [
            ("hostname", self.hostname.is_some() || self.domain.is_some()),
            ("custom host-to-IP mapping", !self.extra_hosts.is_empty()),
            ("hosts file", self.hosts.is_some()),
            ("resolv.conf", self.resolv.is_some()),
            ("dns", !self.overrides.nameservers.is_empty()),
            ("dns-search", !self.overrides.search.is_empty()),
            ("dns-option", !self.overrides.options.is_empty()),
        ];
        let given = given.into_iter().filter(|(_, is_given)| *is_given);
        let conflict = |(what, _)| Fault::Conflicting(format!("{what} and the network mode"));
        given.map(conflict).collect()
    }
}

/// A namespace that was given contradicts the one that the mode has.
fn of_namespace(netns: &Netns) -> Option<String> {
    Some(format!("namespace {} and the network mode", netns.label()))
}

fn of_container(other: &Container) -> Option<String> {
    let name = other.name();
    Some(format!(
        "namespace of container {name} and the network mode"
    ))
}
