//! A container's `NetworkSettings` as `docker inspect` shows them, made from specs.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::addr::{
    ContainerLink, EndpointId, HostName, LinkName, LinkSysctl, MacAddr, NetworkId, NetworkName,
    PortMapping, PublishedPort,
};
use crate::resolver::Names;
use crate::spec::{EndpointAddress, EndpointSpec, NetworkSpec, Origin};

#[cfg(feature = "serde")]
use super::json;

/// What `docker inspect` shows of a container's networks, under `NetworkSettings`.
///
/// With the feature `serde` it has Docker's field names in Docker's order (API 1.52, version 29).
/// The fields of a single network that older versions repeated at this level are skipped when read.
///
/// ```
/// use bridgework::inspect::NetworkSettings;
///
/// let settings = NetworkSettings::of("5f1c", "/run/netns/web", []);
/// assert_eq!(settings.sandbox_key, "/run/netns/web");
/// assert!(settings.networks.is_empty());
/// ```
///
/// With a place that no spec is about, and with ports:
///
/// ```
/// use bridgework::inspect::{EndpointSettings, NetworkSettings};
/// use bridgework::{EndpointId, NetworkId, PublishedPort};
///
/// let (network, endpoint) = (NetworkId::from_bytes([1; 32]), EndpointId::from_bytes([2; 32]));
/// let published = PublishedPort {
///     host_address: [0, 0, 0, 0].into(),
///     host_port: "8080".parse()?,
///     protocol: "tcp".parse()?,
///     container_port: "80".parse()?,
/// };
/// let settings = NetworkSettings::of("5f1c", "/run/netns/web", [])
///     .with_place(&"none".parse()?, EndpointSettings::without_wire(network, endpoint))
///     .with_ports(&["80-81".parse()?], &[published]);
/// assert_eq!(settings.networks["none"].network_id, Some(network));
/// assert_eq!(settings.ports["80/tcp"].as_ref().unwrap()[0].host_port, Some(8080));
/// assert_eq!(settings.ports["81/tcp"], None); // the container listens there, and nobody gets in
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "PascalCase", default))]
#[non_exhaustive]
pub struct NetworkSettings {
    /// What tells its network namespace from all others.
    #[cfg_attr(feature = "serde", serde(rename = "SandboxID"))]
    pub sandbox_id: String,
    /// Where its network namespace can be opened.
    pub sandbox_key: String,
    /// Its ports, as `80/tcp`, with the host's addresses that lead there; `None` for a port that is
    /// not published.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "json::or_empty"))]
    pub ports: BTreeMap<String, Option<Vec<PortBinding>>>,
    /// Its place in each network, by the network's name.
    #[cfg_attr(feature = "serde", serde(deserialize_with = "json::or_empty"))]
    pub networks: BTreeMap<String, EndpointSettings>,
}

/// An address of the host that leads to a container's port.
///
/// ```
/// use bridgework::inspect::PortBinding;
///
/// let binding = PortBinding { host_ip: Some([127, 0, 0, 1].into()), host_port: Some(8080) };
/// assert!(binding.host_ip.is_some_and(|address| address.is_loopback()));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "PascalCase"))]
pub struct PortBinding {
    /// The host's address.
    #[cfg_attr(feature = "serde", serde(with = "json::text"))]
    pub host_ip: Option<IpAddr>,
    /// The host's port.
    #[cfg_attr(feature = "serde", serde(with = "json::text"))]
    pub host_port: Option<u16>,
}

/// A container's place in a network: what was asked for, then what it got. A list that is `None` is
/// Docker's `null`, which it writes for what was never given.
///
/// ```
/// use bridgework::inspect::EndpointSettings;
/// use bridgework::{EndpointId, NetworkId};
///
/// let mut settings = EndpointSettings::default(); // of a container that is not on any network
/// settings.aliases = Some(vec!["db".to_owned()]);
/// assert_eq!((settings.ipv4, settings.ipv4_prefix_len), (None, 0));
///
/// let (network, endpoint) = (NetworkId::from_bytes([1; 32]), EndpointId::from_bytes([2; 32]));
/// let none = EndpointSettings::without_wire(network, endpoint); // as `docker run --network none` is
/// assert_eq!((none.network_id, none.ipv4), (Some(network), None));
/// ```
///
/// One that a container has got:
///
/// ```no_run
/// # use bridgework::{Container, Host, NetworkConfig};
/// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
/// # let app = Container::isolated("app")?;
/// use bridgework::inspect::EndpointSettings;
///
/// let endpoint = network.connect(&app)?;
/// let settings = EndpointSettings::of(network.spec(), endpoint.spec());
/// assert_eq!((settings.ipv4, settings.mac), (Some(endpoint.ip()), Some(endpoint.mac())));
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "PascalCase", default))]
#[non_exhaustive]
pub struct EndpointSettings {
    /// The addresses that were asked for.
    #[cfg_attr(feature = "serde", serde(rename = "IPAMConfig"))]
    pub ipam_config: Option<EndpointIpamConfig>,
    /// Containers that this one alone knows by names of its own, as `other:alias`.
    pub links: Option<Vec<String>>,
    /// Further names on this network.
    pub aliases: Option<Vec<String>>,
    /// The driver's options.
    pub driver_opts: Option<BTreeMap<String, String>>,
    /// The higher, the sooner the container's default route leads by this endpoint.
    #[cfg_attr(feature = "serde", serde(rename = "GwPriority"))]
    pub priority: i32,
    /// The network.
    #[cfg_attr(feature = "serde", serde(rename = "NetworkID", with = "json::text"))]
    pub network_id: Option<NetworkId>,
    /// The endpoint.
    #[cfg_attr(feature = "serde", serde(rename = "EndpointID", with = "json::text"))]
    pub endpoint_id: Option<EndpointId>,
    /// The next hop of the IPv4 default route when it leads by this endpoint; none on an internal
    /// network.
    #[cfg_attr(feature = "serde", serde(with = "json::text"))]
    pub gateway: Option<IpAddr>,
    /// The IPv4 address.
    #[cfg_attr(feature = "serde", serde(rename = "IPAddress", with = "json::text"))]
    pub ipv4: Option<IpAddr>,
    /// The hardware address.
    #[cfg_attr(feature = "serde", serde(rename = "MacAddress", with = "json::text"))]
    pub mac: Option<MacAddr>,
    /// The bits that the addresses of the IPv4 subnet share; 0 without one.
    #[cfg_attr(feature = "serde", serde(rename = "IPPrefixLen"))]
    pub ipv4_prefix_len: u8,
    /// The same of IPv6.
    #[cfg_attr(feature = "serde", serde(rename = "IPv6Gateway", with = "json::text"))]
    pub ipv6_gateway: Option<IpAddr>,
    /// The IPv6 address.
    #[cfg_attr(
        feature = "serde",
        serde(rename = "GlobalIPv6Address", with = "json::text")
    )]
    pub ipv6: Option<IpAddr>,
    /// The bits that the addresses of the IPv6 subnet share; 0 without one.
    #[cfg_attr(feature = "serde", serde(rename = "GlobalIPv6PrefixLen"))]
    pub ipv6_prefix_len: u8,
    /// The names that resolve to the container on this network, the one that its addresses resolve
    /// to first; `None` where no names resolve.
    #[cfg_attr(feature = "serde", serde(rename = "DNSNames"))]
    pub dns_names: Option<Vec<String>>,
}

/// The addresses that a container asked for.
///
/// ```
/// use bridgework::inspect::{EndpointIpamConfig, EndpointSettings};
///
/// let mut asked_for = EndpointIpamConfig::default();
/// asked_for.ipv4 = Some([10, 89, 0, 9].into());
/// let mut settings = EndpointSettings::default();
/// settings.ipam_config = Some(asked_for);
/// assert_eq!(settings.ipv4, None); // it has not got it yet
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
#[non_exhaustive]
pub struct EndpointIpamConfig {
    /// The IPv4 address.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "IPv4Address",
            with = "json::text",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub ipv4: Option<IpAddr>,
    /// The IPv6 address.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "IPv6Address",
            with = "json::text",
            skip_serializing_if = "Option::is_none"
        )
    )]
    pub ipv6: Option<IpAddr>,
    /// Addresses that are good on the link alone.
    #[cfg_attr(
        feature = "serde",
        serde(
            rename = "LinkLocalIPs",
            deserialize_with = "json::or_empty",
            skip_serializing_if = "Vec::is_empty"
        )
    )]
    pub link_local: Vec<IpAddr>,
}

impl NetworkSettings {
    /// A container with its places, each with its network. `sandbox_id` tells its namespace from
    /// all others, `sandbox_key` says where it can be opened.
    #[must_use]
    pub fn of<'a>(
        sandbox_id: impl Into<String>,
        sandbox_key: impl Into<String>,
        places: impl IntoIterator<Item = (&'a NetworkSpec, &'a EndpointSpec)>,
    ) -> Self {
        let named = |(network, endpoint): (&NetworkSpec, &EndpointSpec)| {
            let settings = EndpointSettings::of(network, endpoint);
            (network.name.to_string(), settings)
        };
        Self {
            sandbox_id: sandbox_id.into(),
            sandbox_key: sandbox_key.into(),
            ports: BTreeMap::new(),
            networks: places.into_iter().map(named).collect(),
        }
    }
}

impl NetworkSettings {
    /// The same with a place of which no endpoint's spec says what it is like.
    #[must_use]
    pub fn with_place(mut self, network: &NetworkName, place: EndpointSettings) -> Self {
        self.networks.insert(network.to_string(), place);
        self
    }
}

impl NetworkSettings {
    /// The same with the ports that its container listens on, and those of the host's that lead
    /// there.
    #[must_use]
    pub fn with_ports(mut self, exposed: &[PortMapping], published: &[PublishedPort]) -> Self {
        for mapping in exposed {
            for port in mapping.container_ports().ports() {
                let key = format!("{port}/{}", mapping.protocol());
                self.ports.entry(key).or_default();
            }
        }
        for port in published {
            let key = format!("{}/{}", port.container_port, port.protocol);
            let bindings = self.ports.entry(key).or_default();
            bindings.get_or_insert_default().push(PortBinding {
                host_ip: Some(port.host_address),
                host_port: Some(port.host_port.get()),
            });
        }
        self
    }
}

impl EndpointSettings {
    /// A place without an interface or an address, as those in `host` and `none` are.
    #[must_use]
    pub fn without_wire(network: NetworkId, endpoint: EndpointId) -> Self {
        Self {
            network_id: Some(network),
            endpoint_id: Some(endpoint),
            ..Self::default()
        }
    }

    /// The place of `endpoint` in `network`.
    #[must_use]
    pub fn of(network: &NetworkSpec, endpoint: &EndpointSpec) -> Self {
        let gateway = |address: &Option<EndpointAddress>| address.as_ref()?.gateway;
        let ipv4 = endpoint.ipv4.as_ref().map(|ipv4| ipv4.address);
        let ipv6 = endpoint.ipv6.as_ref().map(|ipv6| ipv6.address);
        Self {
            ipam_config: EndpointIpamConfig::of(endpoint),
            links: listed(endpoint.links.iter().map(ContainerLink::to_string)),
            aliases: listed(endpoint.aliases.iter().map(HostName::to_string)),
            driver_opts: driver_opts(endpoint),
            priority: endpoint.priority,
            network_id: Some(network.id),
            endpoint_id: Some(endpoint.id),
            gateway: gateway(&endpoint.ipv4),
            ipv4: ipv4.map(|net| net.addr()),
            mac: Some(endpoint.mac),
            ipv4_prefix_len: ipv4.map_or(0, |net| net.prefix_len()),
            ipv6_gateway: gateway(&endpoint.ipv6),
            ipv6: ipv6.map(|net| net.addr()),
            ipv6_prefix_len: ipv6.map_or(0, |net| net.prefix_len()),
            dns_names: dns_names(network, endpoint),
        }
    }
}

impl EndpointIpamConfig {
    fn of(endpoint: &EndpointSpec) -> Option<Self> {
        let asked = Self {
            ipv4: endpoint.requested.ipv4,
            ipv6: endpoint.requested.ipv6,
            link_local: endpoint.link_local.iter().map(|net| net.addr()).collect(),
        };
        (asked != Self::default()).then_some(asked)
    }
}

/// The options that were asked for, by their keys, typed or not.
fn driver_opts(endpoint: &EndpointSpec) -> Option<BTreeMap<String, String>> {
    let link_name = endpoint.requested.link_name.iter();
    let link_name = listed(link_name.map(LinkName::to_string));
    let sysctls = listed(endpoint.sysctls.iter().map(LinkSysctl::to_string));
    let asked = [("ifname", link_name), ("sysctls", sysctls)];
    let keyed = asked.into_iter().filter_map(|(key, texts)| {
        let key = format!("com.docker.network.endpoint.{key}");
        Some((key, texts?.join(",")))
    });
    let options: BTreeMap<String, String> = keyed.collect();
    (!options.is_empty()).then_some(options)
}

fn dns_names(network: &NetworkSpec, endpoint: &EndpointSpec) -> Option<Vec<String>> {
    if network.origin == Origin::Builtin {
        return None;
    }
    let names = Names::of_container(
        &endpoint.container,
        &endpoint.aliases,
        &endpoint.container_id,
        Some(&endpoint.hostname),
    );
    listed(names.iter().map(HostName::to_string))
}

fn listed(texts: impl Iterator<Item = String>) -> Option<Vec<String>> {
    let texts: Vec<String> = texts.collect();
    (!texts.is_empty()).then_some(texts)
}
