//! A network as `docker network inspect` shows it, made from specs. It shows what was chosen; what
//! the kernel has at the moment is the business of `snapshot`.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::addr::{
    ContainerId, ContainerName, EndpointId, MacAddr, NetworkId, NetworkName, Subnet, Timestamp,
};
use crate::plan::Switch;
use crate::spec::{EndpointSpec, NetworkRange, NetworkSpec, Origin};

#[cfg(feature = "serde")]
use super::json;

/// What `docker network inspect` shows of a network.
///
/// With the feature `serde` it has Docker's field names in Docker's order (API 1.52, version 29),
/// and reads what older versions wrote, in which some fields are missing.
///
/// ```
/// use bridgework::inspect::NetworkInspect;
/// use bridgework::spec::{EndpointSpec, NetworkSpec};
///
/// fn gateway_and_members(network: &NetworkSpec, endpoints: &[EndpointSpec]) -> String {
///     let shown = NetworkInspect::of(network, endpoints);
///     let gateway = shown.ipam.config.iter().flatten().find_map(|config| config.gateway);
///     format!("{gateway:?}, {} containers", shown.containers.len())
/// }
/// # let _ = gateway_and_members;
/// ```
///
/// What no spec knows is put in by whoever does:
///
/// ```no_run
/// use bridgework::inspect::{ContainerEntry, NetworkInspect, SubnetStatus};
/// use bridgework::{ContainerId, EndpointId, Host, NetworkConfig};
///
/// let lab = NetworkConfig::bridge("lab").subnet("10.89.0.0/24");
/// let network = Host::isolated()?.create_network(lab)?;
/// let (id, endpoint) = (ContainerId::from_bytes([1; 32]), EndpointId::from_bytes([2; 32]));
/// let status = SubnetStatus { in_use: 3, available: 253 };
/// let shown = NetworkInspect::of(network.spec(), [])
///     .with_containers([(id, ContainerEntry::without_wire("job".parse()?, endpoint))])
///     .with_status([("10.89.0.0/24".parse()?, status)]);
/// assert_eq!(shown.containers[&id].ipv4, None);
/// assert_eq!(shown.status.unwrap().ipam.subnets.len(), 1);
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "PascalCase"))]
#[non_exhaustive]
pub struct NetworkInspect {
    /// Its name.
    pub name: NetworkName,
    /// Its id.
    pub id: NetworkId,
    /// When it was made.
    pub created: Timestamp,
    /// How far it reaches.
    pub scope: Scope,
    /// The name of the driver that made it.
    pub driver: String,
    /// Whether it has IPv4.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "EnableIPv4",
            with = "json::switch",
            default = "json::switch::off"
        )
    )]
    pub ipv4: Switch,
    /// Whether it has IPv6.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "EnableIPv6",
            with = "json::switch",
            default = "json::switch::off"
        )
    )]
    pub ipv6: Switch,
    /// Its subnets.
    #[cfg_attr(feature = "serde", serde(rename = "IPAM"))]
    pub ipam: Ipam,
    /// Whether there is no way out and no way in.
    #[cfg_attr(
        feature = "serde",
        serde(with = "json::switch", default = "json::switch::off")
    )]
    pub internal: Switch,
    /// Of swarms: off.
    #[cfg_attr(
        feature = "serde",
        serde(with = "json::switch", default = "json::switch::off")
    )]
    pub attachable: Switch,
    /// Of swarms: off.
    #[cfg_attr(
        feature = "serde",
        serde(with = "json::switch", default = "json::switch::off")
    )]
    pub ingress: Switch,
    /// The network that it has its configuration from.
    #[cfg_attr(feature = "serde", serde(default))]
    pub config_from: ConfigFrom,
    /// Whether it is a configuration for others, and nothing can be connected to it.
    #[cfg_attr(
        feature = "serde",
        serde(with = "json::switch", default = "json::switch::off")
    )]
    pub config_only: Switch,
    /// The driver's options, by Docker's keys.
    #[cfg_attr(feature = "serde", serde(default, deserialize_with = "json::or_empty"))]
    pub options: BTreeMap<String, String>,
    /// The caller's labels.
    #[cfg_attr(feature = "serde", serde(default, deserialize_with = "json::or_empty"))]
    pub labels: BTreeMap<String, String>,
    /// The containers that are connected.
    #[cfg_attr(feature = "serde", serde(default, deserialize_with = "json::or_empty"))]
    pub containers: BTreeMap<ContainerId, ContainerEntry>,
    /// How full its subnets are, where somebody counted.
    #[cfg_attr(
        feature = "serde",
        serde(default, skip_serializing_if = "Option::is_none")
    )]
    pub status: Option<NetworkStatus>,
}

/// How far a network reaches.
///
/// ```
/// use bridgework::inspect::Scope;
///
/// assert_eq!(Scope::default(), Scope::Local);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Scope {
    /// One host, as all networks of this crate do.
    #[default]
    Local,
    /// Several hosts with a store in common.
    Global,
    /// The hosts of a swarm.
    Swarm,
}

/// Where a network's addresses come from.
///
/// ```no_run
/// use bridgework::{Host, NetworkConfig};
///
/// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
/// let ipam = network.inspect().ipam;
/// assert_eq!(ipam.driver, "default");
/// for subnet in ipam.config.into_iter().flatten() {
///     println!("{:?} by {:?}", subnet.subnet, subnet.gateway);
/// }
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "PascalCase"))]
#[non_exhaustive]
pub struct Ipam {
    /// `default`.
    pub driver: String,
    /// The options of that driver; `None` on the built-in networks.
    #[cfg_attr(feature = "serde", serde(default))]
    pub options: Option<BTreeMap<String, String>>,
    /// The subnets, IPv4 first; `None` on built-in networks that have none.
    #[cfg_attr(feature = "serde", serde(default))]
    pub config: Option<Vec<IpamConfig>>,
}

/// One subnet of a network.
///
/// ```
/// use bridgework::Subnet;
/// use bridgework::inspect::IpamConfig;
///
/// let mut config = IpamConfig::default();
/// config.subnet = Some("10.89.0.0/24".parse::<Subnet>()?.into());
/// config.gateway = Some([10, 89, 0, 1].into());
/// assert_eq!(config.range, None); // addresses come from all of the subnet
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "PascalCase", default))]
#[non_exhaustive]
pub struct IpamConfig {
    /// The subnet. Docker once wrote some with the gateway's host bits, so that this is no
    /// [`Subnet`].
    #[cfg_attr(
        feature = "serde",
        serde(with = "json::text", skip_serializing_if = "Option::is_none")
    )]
    pub subnet: Option<IpNet>,
    /// The part of it that automatic addresses come from, if not all of it.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "IPRange",
            with = "json::text",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub range: Option<IpNet>,
    /// The gateway.
    #[cfg_attr(
        feature = "serde",
        serde(with = "json::text", skip_serializing_if = "Option::is_none")
    )]
    pub gateway: Option<IpAddr>,
    /// Addresses in use by something else, by the caller's names for them.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "AuxiliaryAddresses",
            deserialize_with = "json::or_empty",
            skip_serializing_if = "BTreeMap::is_empty"
        )
    )]
    pub auxiliary: BTreeMap<String, IpAddr>,
}

/// The network that another has its configuration from.
///
/// ```
/// use bridgework::inspect::ConfigFrom;
///
/// let from = ConfigFrom { network: Some("template".parse()?) };
/// assert_ne!(from, ConfigFrom::default());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "PascalCase"))]
pub struct ConfigFrom {
    /// Its name, if there is one.
    #[cfg_attr(feature = "serde", serde(with = "json::text"))]
    pub network: Option<NetworkName>,
}

/// A container of a network.
///
/// ```
/// use bridgework::EndpointId;
/// use bridgework::inspect::ContainerEntry;
///
/// let entry = ContainerEntry::without_wire("web".parse()?, EndpointId::from_bytes([7; 32]));
/// assert_eq!((entry.mac, entry.ipv4), (None, None));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "PascalCase"))]
#[non_exhaustive]
pub struct ContainerEntry {
    /// Its name.
    pub name: ContainerName,
    /// Its endpoint.
    #[cfg_attr(feature = "serde", serde(rename = "EndpointID"))]
    pub endpoint: EndpointId,
    /// The hardware address of its interface.
    #[cfg_attr(feature = "serde", serde(rename = "MacAddress", with = "json::text"))]
    pub mac: Option<MacAddr>,
    /// Its IPv4 address, with the length of the subnet's prefix.
    #[cfg_attr(feature = "serde", serde(rename = "IPv4Address", with = "json::text"))]
    pub ipv4: Option<IpNet>,
    /// Its IPv6 address, with the length of the subnet's prefix.
    #[cfg_attr(feature = "serde", serde(rename = "IPv6Address", with = "json::text"))]
    pub ipv6: Option<IpNet>,
}

/// How full a network is.
///
/// ```
/// use bridgework::inspect::{IpamStatus, NetworkStatus, SubnetStatus};
///
/// let subnet = "10.89.0.0/24".parse()?;
/// let subnets = [(subnet, SubnetStatus { in_use: 4, available: 252 })].into();
/// let status = NetworkStatus { ipam: IpamStatus { subnets } };
/// assert!(status.ipam.subnets.values().all(|subnet| subnet.available > 0));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NetworkStatus {
    /// Of addresses.
    #[cfg_attr(feature = "serde", serde(rename = "IPAM"))]
    pub ipam: IpamStatus,
}

/// How full a network's subnets are.
///
/// ```
/// use bridgework::inspect::{IpamStatus, SubnetStatus};
///
/// let subnet = "10.89.0.0/24".parse()?;
/// let subnets = [(subnet, SubnetStatus { in_use: 4, available: 252 })].into();
/// let status = IpamStatus { subnets };
/// assert_eq!(status.subnets[&subnet].in_use, 4);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "PascalCase"))]
pub struct IpamStatus {
    /// Each subnet's counts.
    pub subnets: BTreeMap<Subnet, SubnetStatus>,
}

/// How full a subnet is. Both counts stop at 2⁶⁴ − 1.
///
/// ```
/// use bridgework::inspect::SubnetStatus;
///
/// let status = SubnetStatus { in_use: 256, available: 0 };
/// let is_full = |status: SubnetStatus| status.available == 0;
/// assert!(is_full(status));
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SubnetStatus {
    /// Addresses of the subnet that are in use or given to no container ever.
    #[cfg_attr(feature = "serde", serde(rename = "IPsInUse"))]
    pub in_use: u64,
    /// Addresses of the range for automatic ones that are free.
    #[cfg_attr(feature = "serde", serde(rename = "DynamicIPsAvailable"))]
    pub available: u64,
}

impl NetworkInspect {
    /// `network` with the containers of `endpoints`. An endpoint of another network is left out.
    ///
    /// [`status`](Self::status) is `None`: a spec does not know what the others of its network have.
    #[must_use]
    pub fn of<'a>(
        network: &NetworkSpec,
        endpoints: impl IntoIterator<Item = &'a EndpointSpec>,
    ) -> Self {
        let members = endpoints.into_iter().filter(|e| e.network == network.id);
        Self {
            name: network.name.clone(),
            id: network.id,
            created: network.created,
            scope: Scope::Local,
            driver: network.driver.clone(),
            ipv4: on_with(network.ipv4.as_ref()),
            ipv6: on_with(network.ipv6.as_ref()),
            ipam: Ipam::of(network),
            internal: network.internal,
            attachable: Switch::Off,
            ingress: Switch::Off,
            config_from: ConfigFrom {
                network: network.config_from.clone(),
            },
            config_only: network.config_only,
            options: network.options.by_key(),
            labels: network.labels.clone(),
            containers: members
                .map(|endpoint| (endpoint.container_id, ContainerEntry::of(endpoint)))
                .collect(),
            status: None,
        }
    }

    /// The same with more containers.
    #[must_use]
    pub fn with_containers(
        mut self,
        containers: impl IntoIterator<Item = (ContainerId, ContainerEntry)>,
    ) -> Self {
        self.containers.extend(containers);
        self
    }

    /// The same, with what was counted in its subnets.
    #[must_use]
    pub fn with_status(
        mut self,
        subnets: impl IntoIterator<Item = (Subnet, SubnetStatus)>,
    ) -> Self {
        let subnets = subnets.into_iter().collect();
        let ipam = IpamStatus { subnets };
        self.status = Some(NetworkStatus { ipam });
        self
    }
}

fn on_with<T>(part: Option<&T>) -> Switch {
    match part {
        Some(_) => Switch::On,
        None => Switch::Off,
    }
}

impl Ipam {
    fn of(network: &NetworkSpec) -> Self {
        let config: Vec<IpamConfig> = network.ranges().map(IpamConfig::of).collect();
        let custom = network.origin == Origin::Custom;
        Self {
            driver: "default".to_owned(),
            options: custom.then(BTreeMap::new),
            config: (custom || !config.is_empty()).then_some(config),
        }
    }
}

impl IpamConfig {
    fn of(range: &NetworkRange) -> Self {
        Self {
            subnet: Some(range.subnet.into()),
            range: range.range.map(IpNet::from),
            gateway: range.gateway,
            auxiliary: range.auxiliary.clone(),
        }
    }
}

impl ContainerEntry {
    /// A container that belongs to a network without an interface or an address there, as those of
    /// `host` and `none` do.
    #[must_use]
    pub fn without_wire(name: ContainerName, endpoint: EndpointId) -> Self {
        let (mac, ipv4, ipv6) = (None, None, None);
        Self {
            name,
            endpoint,
            mac,
            ipv4,
            ipv6,
        }
    }

    fn of(endpoint: &EndpointSpec) -> Self {
        Self {
            name: endpoint.container.clone(),
            endpoint: endpoint.id,
            mac: Some(endpoint.mac),
            ipv4: endpoint.ipv4.as_ref().map(|ipv4| ipv4.address),
            ipv6: endpoint.ipv6.as_ref().map(|ipv6| ipv6.address),
        }
    }
}
