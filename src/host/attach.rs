//! All that `run --network MODE` does: a container in the mode's network stack, connected where the
//! mode says so.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::config::{EndpointConfig, NetworkMode};
use crate::container::{Container, ContainerConfig, HostSide};
use crate::error::{Error, Fault, Result};
use crate::network::{Endpoint, Network, connect_in_order};
use crate::resolver::View;

use super::Host;

/// A container in its network mode.
///
/// Dropping it drops its parts: the endpoint disconnects, the container closes.
///
/// ```no_run
/// # fn show(attached: bridgework::Attached) -> Result<(), bridgework::Error> {
/// for warning in &attached.warnings {
///     eprintln!("{warning}");
/// }
/// if let Some(endpoint) = attached.endpoint {
///     println!("{} is at {}", attached.container.name(), endpoint.ip());
///     endpoint.disconnect()?;
/// }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Attached {
    /// The container. Its process belongs into [`Container::netns`].
    pub container: Container,
    /// Its place in the mode's network, where it has a wire of its own there.
    pub endpoint: Option<Endpoint>,
    /// What was asked for and has no effect in this mode.
    pub warnings: Vec<Warning>,
}

/// Something that was asked for and has no effect.
///
/// ```
/// use bridgework::Warning;
///
/// let warning = Warning::PortsDiscarded;
/// assert!(warning.to_string().ends_with("when using host network mode"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Warning {
    /// Ports are the host's own in its network mode: whoever binds one has published it.
    PortsDiscarded,
    /// A container with nothing but `lo` has no address at which its ports could be reached.
    PortsUnreachable,
    /// The container's [`resolv.conf`](ContainerConfig::rootfs_resolv_conf) is a symbolic link, or is
    /// behind one, and is left alone.
    ResolvConfIsLink {
        /// Where it is.
        path: PathBuf,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PortsDiscarded => {
                f.write_str("published ports are discarded when using host network mode")
            }
            Self::PortsUnreachable => {
                f.write_str("published ports are discarded when using none network mode")
            }
            Self::ResolvConfIsLink { path } => {
                write!(f, "{} is a symbolic link and is left alone", path.display())
            }
        }
    }
}

impl Host {
    /// Opens a container in a network mode, and connects it where the mode says so: all of it, or
    /// nothing. It is what a runtime does for `run --network MODE`.
    ///
    /// - [`Bridge`](NetworkMode::Bridge): connected to the [default
    ///   network](Self::default_network).
    /// - [`Host`](NetworkMode::Host): the host's own stack. Nothing is made; its addresses are the
    ///   host's, and published ports are a warning.
    /// - [`None`](NetworkMode::None): a stack of its own with nothing in it but `lo`, as long as the
    ///   container or somebody who shares its stack is there. Published ports are a warning.
    /// - [`Container`](NetworkMode::Container): another container's stack, hosts file and names; see
    ///   [`ContainerConfig::sharing`]. The other one is looked up among those that this host
    ///   attached or connected: by its id, its name, the first digits of its id.
    /// - [`Network`](NetworkMode::Network): connected to that user-defined network.
    ///
    /// The files that are kept for it have the mode's text. What its extra hosts call `host-gateway`
    /// is as the host was [opened](crate::HostConfig::host_gateway); where that is the default
    /// network's gateway, the container holds that network.
    ///
    /// # Errors
    /// All that is wrong with the two configs; what the mode has no place for, in Docker's words; a
    /// network or container that is not there ([`Error::is_not_found`]); and as for
    /// [`Network::connect_with`].
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// use bridgework::{ContainerConfig, EndpointConfig, Host, NetworkMode};
    ///
    /// let host = Host::isolated()?;
    /// let mode: NetworkMode = "none".parse()?;
    /// let batch = host.attach(&mode, ContainerConfig::named("batch"), EndpointConfig::new())?;
    /// assert!(batch.endpoint.is_none());
    /// # Ok(()) }
    /// ```
    pub fn attach(
        &self,
        mode: &NetworkMode,
        container: ContainerConfig,
        endpoint: EndpointConfig,
    ) -> Result<Attached> {
        let attempt = format!("attach {} in network mode {mode}", container.name());
        let attached = match mode {
            NetworkMode::Bridge => self.on_default(container, endpoint),
            NetworkMode::Network(term) => self.on_network(term, container, endpoint),
            NetworkMode::Host => self.on_host(container, &endpoint),
            NetworkMode::None => self.alone(container, &endpoint),
            NetworkMode::Container(term) => self.beside(term, container, &endpoint),
        };
        attached.map_err(|error| error.during(attempt))
    }

    /// Opens it with what this host knows, if there are no faults.
    pub(super) fn open_container(
        &self,
        config: ContainerConfig,
        faults: Vec<Fault>,
    ) -> Result<(Container, Vec<Warning>)> {
        if !faults.is_empty() {
            return Err(Error::of("", faults));
        }
        let given = &self.0.config.host_gateway;
        // a gateway is an address of the host's for as long as its network is there
        let behind = match config.wants_host_gateway() && given.is_empty() {
            true => Some(self.default_network()?),
            false => None,
        };
        let side = HostSide {
            files: self.0.config.files.clone(),
            gateways: behind.as_ref().map_or_else(|| given.clone(), gateways),
        };
        let resolv_path = config.resolv_path();
        let container = Container::open(config.with_host_side(side))?;
        behind
            .into_iter()
            .for_each(|network| container.hold(Box::new(network)));
        let is_kept = container.resolv().is_some();
        let link = resolv_path.filter(|_| !is_kept);
        let warning = link.map(|path| Warning::ResolvConfIsLink { path });
        Ok((container, Vec::from_iter(warning)))
    }

    /// Connects one container to several networks: all of them, in their order, or none.
    ///
    /// The interfaces are numbered in that order (`eth0`, `eth1`…), but for those that have a name
    /// of their own. All that is wrong with any of the configs is reported before the kernel is
    /// asked. If the kernel then refuses one, those before it are disconnected again.
    ///
    /// # Errors
    /// As for [`Network::connect_with`], of all together; or a network is not of this host
    /// ([`Error::is_not_found`]).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Container, EndpointConfig, Host, NetworkConfig};
    /// # let host = Host::isolated()?;
    /// let web = host.create_network(NetworkConfig::bridge("web"))?;
    /// let db = host.create_network(NetworkConfig::bridge("db").internal())?;
    /// let app = Container::isolated("app")?;
    /// let at = host.connect_all(
    ///     &app,
    ///     [(&web, EndpointConfig::new()), (&db, EndpointConfig::new().alias("api"))],
    /// )?;
    /// assert_eq!(at[1].link_name().as_str(), "eth1");
    /// # Ok(()) }
    /// ```
    pub fn connect_all<'n>(
        &self,
        container: &Container,
        networks: impl IntoIterator<Item = (&'n Network, EndpointConfig)>,
    ) -> Result<Vec<Endpoint>> {
        let networks: Vec<_> = networks.into_iter().collect();
        let is_of_other = |network: &&Network| !network.kernel().is_same(self.kernel());
        let faults = networks.iter().map(|(network, _)| *network);
        let faults = faults
            .filter(is_of_other)
            .map(|network| Fault::NetworkNotFound {
                name: network.name().to_string(),
            });
        connect_in_order(container, &networks, &faults.collect::<Vec<_>>())
    }

    /// The names that a container sees over all of its networks of this host: its private aliases
    /// first, then network by network in the order in which it was connected to them. It follows
    /// as networks come and go.
    ///
    /// ```no_run
    /// use bridgework::resolver::Answer;
    /// use bridgework::{Container, Family, Host, NetworkConfig};
    ///
    /// let host = Host::isolated()?;
    /// let network = host.create_network(NetworkConfig::bridge("web"))?;
    /// let (app, db) = (Container::isolated("app")?, Container::isolated("db")?);
    /// let (_at_app, at_db) = (network.connect(&app)?, network.connect(&db)?);
    /// let found = host.view(&app).lookup("db", Family::V4);
    /// assert_eq!(found, Answer::Addresses(vec![at_db.ip()]));
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn view(&self, container: &Container) -> Arc<View> {
        // what others do follows by and by where it is watched or answered
        self.0.registry.attend_to_all();
        let _known = self.know_all_of(container);
        let wiring = self.0.registry.wirings().of(container.netns());
        let view = Arc::clone(wiring.view());
        container.hold_once(&wiring);
        view
    }
}

/// The addresses by which containers reach the host.
fn gateways(network: &Network) -> Vec<IpAddr> {
    let ranges = network.spec().ranges();
    ranges.filter_map(|range| range.gateway).collect()
}
