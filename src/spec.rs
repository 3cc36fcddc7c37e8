//! What was asked for plus everything that was chosen: plain data, read by drivers, kept by those
//! who let a network outlive the process.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::addr::{
    ContainerId, ContainerLink, ContainerName, EndpointId, HostName, LinkName, LinkSysctl, MacAddr,
    Mtu, NetworkId, NetworkName, PortMapping, Subnet, Timestamp,
};
use crate::config::{Firewall, HostsScope, MacPolicy, NetworkOptions, ResolverScope};
use crate::plan::{BridgeOptions, Link, PortOptions, Switch};

/// A network with everything that was chosen for it.
///
/// ```no_run
/// use bridgework::{Host, NetworkConfig};
///
/// let network = Host::isolated()?.create_network(NetworkConfig::bridge("shop"))?;
/// let spec = network.spec();
/// assert_eq!(spec.driver, "bridge");
/// println!("{} is {} of {} bytes, made at {}", spec.name, spec.link.name, spec.mtu, spec.created);
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NetworkSpec {
    /// Its id.
    pub id: NetworkId,
    /// Its name.
    pub name: NetworkName,
    /// The name of the driver that makes it.
    pub driver: String,
    /// Who wanted it.
    pub origin: Origin,
    /// When it was made.
    pub created: Timestamp,
    /// Its IPv4 side.
    pub ipv4: Option<NetworkRange>,
    /// Its IPv6 side.
    pub ipv6: Option<NetworkRange>,
    /// Further subnets of either family, of which containers have addresses beside those.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub further: Vec<NetworkRange>,
    /// Whether there is no way out and no way in.
    pub internal: Switch,
    /// The MTU of all its links.
    pub mtu: Mtu,
    /// The network's own link on the host's side: the bridge.
    pub link: Link,
    /// The hardware address of that link.
    pub mac: MacAddr,
    /// The options of the bridge.
    pub bridge: BridgeOptions,
    /// How containers get their hardware addresses.
    pub mac_policy: MacPolicy,
    /// Whose names stand in the containers' hosts files.
    pub hosts: HostsScope,
    /// Where containers ask for names.
    #[cfg_attr(feature = "serde", serde(default))]
    pub resolver: ResolverScope,
    /// The caller's labels.
    pub labels: BTreeMap<String, String>,
    /// The options that were asked for.
    pub options: NetworkOptions,
    /// The configuration-only network that subnets, options and labels came from.
    pub config_from: Option<NetworkName>,
    /// Whether its packets are filtered and translated. Without it there is no way out, no published
    /// port, and nothing between its containers and whoever can reach them.
    #[cfg_attr(feature = "serde", serde(default))]
    pub firewall: Firewall,
    /// Whether it is a configuration-only network itself: a template of others, to which nothing
    /// can be connected. It then has the subnets that it gives and none of its own, and its link
    /// stands for nothing.
    pub config_only: Switch,
}

impl NetworkSpec {
    /// Its subnets: that of IPv4, that of IPv6, and the further ones.
    ///
    /// ```no_run
    /// # use bridgework::{Host, NetworkConfig};
    /// # let host = Host::isolated()?;
    /// let config = NetworkConfig::bridge("shop").subnet("10.89.0.0/24");
    /// let shop = host.create_network(config.further_subnet("10.90.0.0/24"))?;
    /// let subnets = shop.spec().ranges().map(|range| range.subnet.to_string());
    /// assert_eq!(subnets.collect::<Vec<_>>(), ["10.89.0.0/24", "10.90.0.0/24"]);
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn ranges(&self) -> impl Iterator<Item = &NetworkRange> {
        self.ipv4.iter().chain(&self.ipv6).chain(&self.further)
    }
}

/// Who wanted a network.
///
/// ```no_run
/// use bridgework::{Host, NetworkConfig, spec::Origin};
///
/// let host = Host::isolated()?;
/// let shop = host.create_network(NetworkConfig::bridge("shop"))?;
/// assert_eq!(shop.spec().origin, Origin::Custom);
/// assert_eq!(host.default_network()?.spec().origin, Origin::Builtin);
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Origin {
    /// Nobody: every host has it. On a built-in bridge no names resolve, and no address or alias
    /// can be asked for.
    Builtin,
    /// A caller: it is user-defined.
    #[default]
    Custom,
}

/// One family of a network.
///
/// ```
/// use std::collections::BTreeMap;
/// use bridgework::spec::NetworkRange;
///
/// let printer = [10, 89, 0, 9].into();
/// let range = NetworkRange {
///     subnet: "10.89.0.0/24".parse()?,
///     gateway: Some([10, 89, 0, 1].into()),
///     range: Some("10.89.0.128/25".parse()?),
///     auxiliary: BTreeMap::from([("printer".to_owned(), printer)]),
/// };
/// assert!(range.subnet.contains(printer));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct NetworkRange {
    /// The subnet.
    pub subnet: Subnet,
    /// The gateway: an address of the network's own link, unless another machine is to have it.
    pub gateway: Option<IpAddr>,
    /// The part of the subnet that automatic addresses come from, if not all of it.
    pub range: Option<Subnet>,
    /// Addresses in use by something else, by the caller's names for them.
    pub auxiliary: BTreeMap<String, IpAddr>,
}

impl NetworkRange {
    /// The gateway's address as the network's own link has it.
    ///
    /// ```
    /// # use std::collections::BTreeMap;
    /// use bridgework::spec::NetworkRange;
    ///
    /// let (subnet, gateway) = ("10.89.0.0/24".parse()?, Some([10, 89, 0, 1].into()));
    /// let range = NetworkRange { subnet, gateway, range: None, auxiliary: BTreeMap::new() };
    /// let carried = range.gateway_interface().map(|address| address.to_string());
    /// assert_eq!(carried.as_deref(), Some("10.89.0.1/24"));
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    #[must_use]
    pub fn gateway_interface(&self) -> Option<IpNet> {
        self.subnet.interface(self.gateway?)
    }
}

/// A container's place in a network with everything that was chosen for it.
///
/// ```no_run
/// # use bridgework::{Container, Host, NetworkConfig};
/// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("shop"))?;
/// # let app = Container::isolated("app")?;
/// let endpoint = network.connect(&app)?;
/// let spec = endpoint.spec();
/// assert_eq!(spec.network, network.id());
/// println!("{} is {} there, behind {}", spec.container, spec.mac, spec.host_link.name);
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EndpointSpec {
    /// Its id.
    pub id: EndpointId,
    /// The network's id.
    pub network: NetworkId,
    /// The container's id.
    pub container_id: ContainerId,
    /// The container's name.
    pub container: ContainerName,
    /// The container's host name.
    pub hostname: HostName,
    /// The end in the host.
    pub host_link: Link,
    /// The hardware address of the end in the host.
    pub host_mac: MacAddr,
    /// The end in the container.
    pub link: Link,
    /// The hardware address of the end in the container.
    pub mac: MacAddr,
    /// The IPv4 address.
    pub ipv4: Option<EndpointAddress>,
    /// The IPv6 address.
    pub ipv6: Option<EndpointAddress>,
    /// Those of the network's further subnets.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub further: Vec<EndpointAddress>,
    /// What of it was asked for, where the rest was chosen.
    pub requested: Requested,
    /// Further addresses, beside the ones above: good on the link alone, or as the caller has given them.
    pub link_local: Vec<IpNet>,
    /// The higher, the sooner the container's default route leads by this endpoint.
    pub priority: i32,
    /// Further names on this network.
    pub aliases: Vec<HostName>,
    /// Containers that this one alone knows by names of its own.
    pub links: Vec<ContainerLink>,
    /// The options of the bridge's port.
    pub port: PortOptions,
    /// Kernel settings of the end in the container.
    pub sysctls: Vec<LinkSysctl>,
    /// Its published ports, as they were asked for.
    pub ports: Vec<PortMapping>,
    /// Ports that its container listens on, whether they are published or not.
    #[cfg_attr(feature = "serde", serde(default))]
    pub exposed: Vec<PortMapping>,
    /// Whether its container may send nothing under other addresses than its own.
    #[cfg_attr(feature = "serde", serde(default = "Switch::on"))]
    pub source_guard: Switch,
    /// The metric of the container's default routes while they lead by it; 0 leaves it to the kernel.
    #[cfg_attr(feature = "serde", serde(default))]
    pub route_metric: u32,
}

impl EndpointSpec {
    /// Its addresses, IPv4 first, and those of further subnets last.
    ///
    /// ```no_run
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("shop"))?;
    /// # let app = Container::isolated("app")?;
    /// let endpoint = network.connect(&app)?;
    /// for of_family in endpoint.spec().addresses() {
    ///     println!("{} by {:?}", of_family.address, of_family.gateway);
    /// }
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn addresses(&self) -> impl Iterator<Item = &EndpointAddress> {
        self.ipv4.iter().chain(&self.ipv6).chain(&self.further)
    }
}

/// What a caller asked for by value. The rest of an endpoint was chosen, and is chosen anew when the
/// container returns.
///
/// ```no_run
/// # use bridgework::EndpointConfig;
/// # use bridgework::{Container, Host, NetworkConfig};
/// # let shop = NetworkConfig::bridge("shop").subnet("10.89.0.0/24");
/// # let network = Host::isolated()?.create_network(shop)?;
/// # let app = Container::isolated("app")?;
/// let config = EndpointConfig::new().ip([10, 89, 0, 9]);
/// let endpoint = network.connect_with(&app, config)?;
/// let requested = &endpoint.spec().requested;
/// assert_eq!(requested.ipv4, Some([10, 89, 0, 9].into()));
/// assert_eq!(requested.mac, None); // it has one, which was chosen
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Requested {
    /// The IPv4 address.
    pub ipv4: Option<IpAddr>,
    /// The IPv6 address.
    pub ipv6: Option<IpAddr>,
    /// Those of further subnets.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Vec::is_empty")
    )]
    pub further: Vec<IpAddr>,
    /// The hardware address of the container's end.
    pub mac: Option<MacAddr>,
    /// The name of the container's end.
    pub link_name: Option<LinkName>,
    /// The name of the end in the host.
    #[cfg_attr(feature = "serde", serde(default))]
    pub host_link_name: Option<LinkName>,
    /// Whether a default route of IPv4 may lead by it.
    #[cfg_attr(feature = "serde", serde(default))]
    pub leads_out_ipv4: Option<Switch>,
    /// Whether one of IPv6 may.
    #[cfg_attr(feature = "serde", serde(default))]
    pub leads_out_ipv6: Option<Switch>,
}

/// One address of an endpoint.
///
/// ```
/// use bridgework::Subnet;
/// use bridgework::spec::{EndpointAddress, History};
///
/// let address = EndpointAddress {
///     address: "10.89.0.2/24".parse()?,
///     gateway: Some([10, 89, 0, 1].into()),
///     history: History::Fresh,
/// };
/// let subnet = Subnet::of(address.address);
/// assert!(address.gateway.is_some_and(|gateway| subnet.contains(gateway)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EndpointAddress {
    /// The address, with the length of its subnet's prefix.
    pub address: IpNet,
    /// The next hop of the container's default route when it leads by this endpoint; `None` on an
    /// internal network, and of addresses of further subnets.
    pub gateway: Option<IpAddr>,
    /// Whether somebody had the address before.
    pub history: History,
}

/// Whether somebody had an address before, so that neighbours may still know it by another
/// hardware address.
///
/// ```
/// use bridgework::spec::{EndpointAddress, History};
///
/// // what a driver asks before it has the address announced
/// let is_announced = |of: &EndpointAddress| of.history == History::Reused;
/// let address = "10.89.0.2/24".parse()?;
/// let fresh = EndpointAddress { address, gateway: None, history: History::Fresh };
/// assert!(!is_announced(&fresh));
/// assert!(is_announced(&EndpointAddress { history: History::Reused, ..fresh }));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum History {
    /// Nobody had it since the network was made.
    Fresh,
    /// Somebody may have had it.
    Reused,
}

/// Whose network stack a container has, and the containers of a driver's networks.
///
/// ```
/// use bridgework::driver::{BridgeDriver, Driver, NoneDriver};
/// use bridgework::spec::Stack;
///
/// assert_eq!(BridgeDriver.stack(), Stack::Own); // and maybe on other networks as well
/// assert_eq!(NoneDriver.stack(), Stack::Private); // and never on any
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Stack {
    /// Each its own, which may be on several networks.
    #[default]
    Own,
    /// Each its own, with `lo` in it and nothing else ever.
    Private,
    /// The host's.
    Host,
    /// Another container's.
    Shared,
}

impl Stack {
    /// Whether its containers are on networks by wires.
    pub(crate) fn is_own(&self) -> bool {
        *self == Self::Own
    }
}
