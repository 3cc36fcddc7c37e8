//! What was asked for plus everything that was chosen: plain data, read by drivers, kept by those
//! who let a network outlive the process.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::addr::{
    ContainerId, ContainerLink, ContainerName, EndpointId, HostName, LinkName, LinkSysctl, MacAddr,
    Mtu, NetworkId, NetworkName, PortMapping, Subnet, Timestamp,
};
use crate::config::{HostsScope, MacPolicy, NetworkOptions};
use crate::plan::{BridgeOptions, Link, PortOptions, Switch};

/// A network with everything that was chosen for it.
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
    /// The caller's labels.
    pub labels: BTreeMap<String, String>,
    /// The options that were asked for.
    pub options: NetworkOptions,
    /// The configuration-only network that subnets, options and labels came from.
    pub config_from: Option<NetworkName>,
    /// Whether it is a configuration-only network itself: a template of others, to which nothing
    /// can be connected. It then has the subnets that it gives and none of its own, and its link
    /// stands for nothing.
    pub config_only: Switch,
}

/// Who wanted a network.
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
    #[must_use]
    pub fn gateway_interface(&self) -> Option<IpNet> {
        self.subnet.interface(self.gateway?)
    }
}

/// A container's place in a network with everything that was chosen for it.
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
    /// What of it was asked for, where the rest was chosen.
    pub requested: Requested,
    /// Addresses that are good on the link alone, beside the ones above.
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
    /// Its published ports, as they were asked for. They take effect with the firewall.
    pub ports: Vec<PortMapping>,
}

impl EndpointSpec {
    /// Its addresses, IPv4 first.
    pub fn addresses(&self) -> impl Iterator<Item = &EndpointAddress> {
        self.ipv4.iter().chain(&self.ipv6)
    }
}

/// What a caller asked for by value. The rest of an endpoint was chosen, and is chosen anew when the
/// container returns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Requested {
    /// The IPv4 address.
    pub ipv4: Option<IpAddr>,
    /// The IPv6 address.
    pub ipv6: Option<IpAddr>,
    /// The hardware address of the container's end.
    pub mac: Option<MacAddr>,
    /// The name of the container's end.
    pub link_name: Option<LinkName>,
}

/// One address of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct EndpointAddress {
    /// The address, with the length of its subnet's prefix.
    pub address: IpNet,
    /// The next hop of the container's default route when it leads by this endpoint; `None` on an
    /// internal network.
    pub gateway: Option<IpAddr>,
    /// Whether somebody had the address before.
    pub history: History,
}

/// Whether somebody had an address before, so that neighbours may still know it by another
/// hardware address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum History {
    /// Nobody had it since the network was made.
    Fresh,
    /// Somebody may have had it.
    Reused,
}
