//! A network as it is asked for.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::addr::{Family, LinkName, LinkPrefix, MacAddr, Mtu, NetworkName, Subnet};
use crate::error::Fault;
use crate::plan::{BridgeOptions, Switch};

use super::options::{GatewayMode, NetworkOptions};
use super::scope::{HostsScope, ResolverScope};
use super::take;

/// How containers of a network get their hardware addresses.
///
/// ```
/// use bridgework::{MacPolicy, NetworkConfig};
///
/// let config = NetworkConfig::bridge("web").mac_policy(MacPolicy::FromIpv4);
/// assert_ne!(config, NetworkConfig::bridge("web")); // those of the default are random
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum MacPolicy {
    /// 46 random bits, locally administered: an address that returns never meets a stale entry
    /// that happens to be right.
    #[default]
    Random,
    /// `02:42` and the IPv4 address, as Docker made them before version 28.
    FromIpv4,
}

/// What to ask [`Host::create_network`](crate::Host::create_network) for.
///
/// Everything but the driver and the name has a default: IPv4 only, a free subnet of the host's
/// pools, the subnet's first address for the gateway. Values can be given as they are or as text.
///
/// ```
/// use bridgework::NetworkConfig;
///
/// let config = NetworkConfig::bridge("hmall")
///     .subnet("10.89.0.0/24")
///     .subnet("fd00:89::/64")
///     .label("project", "shop");
/// assert_eq!(config.name(), "hmall");
/// ```
///
/// What comes of it is in the network's [spec](crate::spec::NetworkSpec), also of one on paper:
///
/// ```no_run
/// use bridgework::plan::{BridgeOptions, Switch};
/// use bridgework::{Family, GatewayMode, Host, HostsScope, MacPolicy, Mtu, NetworkConfig, ResolverScope};
///
/// let config = NetworkConfig::bridge("lab").ipv4(Switch::On).ipv6(Switch::On).mtu(Mtu::new(1400)?)
///     .subnet("10.89.0.0/24").ip_range("10.89.0.128/25").gateway([10, 89, 0, 254])
///     .auxiliary("printer", [10, 89, 0, 129])
///     .bridge_name("br-lab").bridge_mac("02:42:00:00:00:01".parse()?)
///     .bridge_options(BridgeOptions::new().stp(Switch::On))
///     .icc(Switch::Off).masquerade(Switch::On).source_address([192, 0, 2, 7])
///     .host_binding([127, 0, 0, 1]).gateway_mode(Family::V6, GatewayMode::Routed)
///     .inhibit_ipv4(Switch::Off).trusted_host_interface("lo").container_prefix("lan")
///     .mac_policy(MacPolicy::FromIpv4).hosts(HostsScope::Everyone).resolver(ResolverScope::Gateway);
/// let draft = Host::isolated()?.draft_network(&config)?;
/// let spec = draft.spec();
/// assert_eq!((spec.link.name.as_str(), spec.mtu.bytes()), ("br-lab", 1400));
/// assert_eq!(spec.ipv4.as_ref().and_then(|range| range.gateway), Some([10, 89, 0, 254].into()));
/// assert!(spec.ipv6.is_some()); // of a free subnet
/// assert_eq!(spec.options.by_key()["com.docker.network.bridge.enable_icc"], "false");
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct NetworkConfig {
    pub(super) name: String,
    pub(super) driver: String,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) subnets: Vec<Subnet>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) further: Vec<Subnet>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) gateways: Vec<IpAddr>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) ranges: Vec<Subnet>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) auxiliary: BTreeMap<String, IpAddr>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) ipv4: Option<Switch>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) ipv6: Option<Switch>,
    #[cfg_attr(feature = "serde", serde(default = "off"))]
    pub(super) internal: Switch,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) options: NetworkOptions,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) by_key: BTreeMap<String, String>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) mac: Option<MacAddr>,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) bridge: BridgeOptions,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) mac_policy: MacPolicy,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) hosts: HostsScope,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) resolver: ResolverScope,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) labels: BTreeMap<String, String>,
    #[cfg_attr(feature = "serde", serde(default = "off"))]
    pub(super) config_only: Switch,
    #[cfg_attr(feature = "serde", serde(default))]
    pub(super) config_from: Option<NetworkName>,
    #[cfg_attr(
        feature = "serde",
        serde(
            skip_deserializing,
            skip_serializing_if = "Vec::is_empty",
            serialize_with = "super::refuse"
        )
    )]
    pub(super) faults: Vec<Fault>,
}

#[cfg(feature = "serde")]
fn off() -> Switch {
    Switch::Off
}

impl NetworkConfig {
    /// A network of the bridge driver: one bridge, one veth pair for each container.
    #[must_use]
    pub fn bridge(name: impl Into<String>) -> Self {
        Self::new("bridge", name)
    }

    /// A network of the driver with that name: one that the host
    /// [was given](crate::HostConfig::driver), or `bridge`.
    ///
    /// ```
    /// use bridgework::NetworkConfig;
    ///
    /// assert_eq!(NetworkConfig::new("bridge", "web"), NetworkConfig::bridge("web"));
    /// ```
    #[must_use]
    pub fn new(driver: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            driver: driver.into(),
            subnets: Vec::new(),
            further: Vec::new(),
            gateways: Vec::new(),
            ranges: Vec::new(),
            auxiliary: BTreeMap::new(),
            ipv4: None,
            ipv6: None,
            internal: Switch::Off,
            options: NetworkOptions::default(),
            by_key: BTreeMap::new(),
            mac: None,
            bridge: BridgeOptions::default(),
            mac_policy: MacPolicy::default(),
            hosts: HostsScope::default(),
            resolver: ResolverScope::default(),
            labels: BTreeMap::new(),
            config_only: Switch::Off,
            config_from: None,
            faults: Vec::new(),
        }
    }

    /// The name that was given for the bridge, typed or by its key.
    pub(crate) fn link_name(&self) -> Option<LinkName> {
        let by_key = || self.by_key.get(super::options::BRIDGE_NAME)?.parse().ok();
        self.options.bridge_name.clone().or_else(by_key)
    }

    pub(crate) fn subnet_of(&self, family: Family) -> Option<Subnet> {
        let mut subnets = self.subnets.iter().copied();
        subnets.find(|subnet| Family::of_subnet(*subnet) == family)
    }

    pub(crate) fn gateway_of(&self, family: Family) -> Option<IpAddr> {
        let mut gateways = self.gateways.iter().copied();
        gateways.find(|gateway| Family::of(*gateway) == family)
    }

    /// The same, with this name for the bridge if none was given.
    pub(crate) fn or_bridge_name(self, name: &str) -> Self {
        match self.link_name() {
            Some(_) => self,
            None => self.bridge_name(name),
        }
    }

    pub(crate) fn driver(&self) -> &str {
        &self.driver
    }

    /// The name, as it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The subnet of one family. `0.0.0.0/24` or `::/120` asks for any free one of that size. An
    /// IPv6 subnet turns IPv6 on.
    #[must_use]
    pub fn subnet<V>(mut self, subnet: V) -> Self
    where
        V: TryInto<Subnet>,
        V::Error: Into<Fault>,
    {
        self.subnets.extend(take(subnet, &mut self.faults));
        self
    }

    /// One more subnet beside that of its family, which is asked for by value then. Containers get an
    /// address of it, too, and the bridge its gateway; names lead to each of them. Default routes and
    /// ports lead by the family's first one. A gateway, a range and an auxiliary address are of the
    /// subnet that they lie in.
    ///
    /// ```
    /// use bridgework::NetworkConfig;
    ///
    /// let config = NetworkConfig::bridge("web").subnet("10.89.0.0/24").further_subnet("10.90.0.0/24");
    /// assert_ne!(config, NetworkConfig::bridge("web").subnet("10.89.0.0/24"));
    /// ```
    #[must_use]
    pub fn further_subnet<V>(mut self, subnet: V) -> Self
    where
        V: TryInto<Subnet>,
        V::Error: Into<Fault>,
    {
        self.further.extend(take(subnet, &mut self.faults));
        self
    }

    /// The gateway of one family, in place of the subnet's first address. It is the bridge's own.
    #[must_use]
    pub fn gateway(mut self, gateway: impl Into<IpAddr>) -> Self {
        self.gateways.push(gateway.into());
        self
    }

    /// The part of the subnet that automatic addresses come from.
    #[must_use]
    pub fn ip_range<V>(mut self, range: V) -> Self
    where
        V: TryInto<Subnet>,
        V::Error: Into<Fault>,
    {
        self.ranges.extend(take(range, &mut self.faults));
        self
    }

    /// An address that is in use by something else and given to no container.
    #[must_use]
    pub fn auxiliary(mut self, name: impl Into<String>, address: impl Into<IpAddr>) -> Self {
        self.auxiliary.insert(name.into(), address.into());
        self
    }

    /// Whether it has IPv4. Default: on.
    #[must_use]
    pub fn ipv4(mut self, ipv4: Switch) -> Self {
        self.ipv4 = Some(ipv4);
        self
    }

    /// Whether it has IPv6. Default: on with an IPv6 subnet, off without.
    #[must_use]
    pub fn ipv6(mut self, ipv6: Switch) -> Self {
        self.ipv6 = Some(ipv6);
        self
    }

    /// No way out and no way in: containers get no default route.
    #[must_use]
    pub fn internal(mut self) -> Self {
        self.internal = Switch::On;
        self
    }

    /// The MTU of the bridge and of both ends of every pair, in bytes. Default: that of the link
    /// that the host's default route leaves by, at most 1500.
    #[must_use]
    pub fn mtu(mut self, mtu: Mtu) -> Self {
        self.options.mtu = Some(mtu);
        self
    }

    /// The name of the bridge. Default: `br-` and the first 12 digits of the network's id.
    #[must_use]
    pub fn bridge_name<V>(mut self, name: V) -> Self
    where
        V: TryInto<LinkName>,
        V::Error: Into<Fault>,
    {
        let name = take(name, &mut self.faults);
        self.options.bridge_name = name.or(self.options.bridge_name);
        self
    }

    /// An option by its key, as `docker network create --opt KEY=VALUE` takes it: one of Docker's
    /// `com.docker.network.…`, or one of the driver's
    /// [own](crate::driver::Driver::option_keys). Of two with the same key, the last is taken.
    ///
    /// What the key or the value is not is reported by the verb that takes the config, as is a
    /// value that a typed method contradicts.
    ///
    /// ```
    /// use bridgework::NetworkConfig;
    ///
    /// let config = NetworkConfig::bridge("web")
    ///     .option("com.docker.network.bridge.name", "br-web")
    ///     .option("com.docker.network.driver.mtu", "1400");
    /// assert_eq!(config, NetworkConfig::bridge("web")
    ///     .option("com.docker.network.driver.mtu", "1400")
    ///     .option("com.docker.network.bridge.name", "br-web"));
    /// ```
    #[must_use]
    pub fn option(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.by_key.insert(key.into(), value.into());
        self
    }

    /// Whether containers of the network reach each other. Default: on. Off, the bridge itself keeps
    /// them apart, and they reach only what is published of each other.
    #[must_use]
    pub fn icc(mut self, icc: Switch) -> Self {
        self.options.icc = Some(icc);
        self
    }

    /// Whether containers leave by an address of the host's. Default: on. Off, they leave by their
    /// own, and somebody has to route these back.
    #[must_use]
    pub fn masquerade(mut self, masquerade: Switch) -> Self {
        self.options.masquerade = Some(masquerade);
        self
    }

    /// The address by which containers leave, one for each family, in place of that of the link
    /// that they leave by.
    #[must_use]
    pub fn source_address(mut self, address: impl Into<IpAddr>) -> Self {
        match address.into() {
            IpAddr::V4(address) => self.options.host_ipv4 = Some(address),
            IpAddr::V6(address) => self.options.host_ipv6 = Some(address),
        }
        self
    }

    /// The host's address of a published port that names none. Default: all.
    #[must_use]
    pub fn host_binding(mut self, address: impl Into<IpAddr>) -> Self {
        self.options.host_binding = Some(address.into());
        self
    }

    /// How containers are reached from outside, by one family. Default: [`GatewayMode::Nat`].
    /// [`GatewayMode::Isolated`] takes no gateway's address and gives the bridge none.
    #[must_use]
    pub fn gateway_mode(mut self, family: Family, mode: GatewayMode) -> Self {
        match family {
            Family::V4 => self.options.gateway_mode_ipv4 = Some(mode),
            Family::V6 => self.options.gateway_mode_ipv6 = Some(mode),
        }
        self
    }

    /// Whether the bridge has no IPv4 address, since the gateway is another machine on it. Default:
    /// off. On an internal network no gateway's address is taken then.
    #[must_use]
    pub fn inhibit_ipv4(mut self, inhibit: Switch) -> Self {
        self.options.inhibit_ipv4 = Some(inhibit);
        self
    }

    /// The same of IPv6: the bridge takes no part in it.
    ///
    /// ```
    /// use bridgework::NetworkConfig;
    /// use bridgework::plan::Switch;
    ///
    /// let lan = NetworkConfig::bridge("lan").subnet("fd00:89::/64").inhibit_ipv6(Switch::On);
    /// assert_ne!(lan, NetworkConfig::bridge("lan").subnet("fd00:89::/64"));
    /// ```
    #[must_use]
    pub fn inhibit_ipv6(mut self, inhibit: Switch) -> Self {
        self.options.inhibit_ipv6 = Some(inhibit);
        self
    }

    /// A link of the host by which containers' own addresses are reached, published or not.
    #[must_use]
    pub fn trusted_host_interface<V>(mut self, name: V) -> Self
    where
        V: TryInto<LinkName>,
        V::Error: Into<Fault>,
    {
        let name = take(name, &mut self.faults);
        let trusted = &mut self.options.trusted_host_interfaces;
        trusted.get_or_insert_with(Vec::new).extend(name);
        self
    }

    /// What stands for `eth` in the names of the containers' interfaces.
    #[must_use]
    pub fn container_prefix<V>(mut self, prefix: V) -> Self
    where
        V: TryInto<LinkPrefix>,
        V::Error: Into<Fault>,
    {
        let prefix = take(prefix, &mut self.faults);
        self.options.container_prefix = prefix.or(self.options.container_prefix);
        self
    }

    /// The hardware address of the bridge. Default: random, locally administered.
    #[must_use]
    pub fn bridge_mac(mut self, mac: MacAddr) -> Self {
        self.mac = Some(mac);
        self
    }

    /// The options of the bridge.
    #[must_use]
    pub fn bridge_options(mut self, options: BridgeOptions) -> Self {
        self.bridge = options;
        self
    }

    /// How containers get their hardware addresses.
    #[must_use]
    pub fn mac_policy(mut self, policy: MacPolicy) -> Self {
        self.mac_policy = policy;
        self
    }

    /// Whose names stand in the containers' hosts files.
    #[must_use]
    pub fn hosts(mut self, scope: HostsScope) -> Self {
        self.hosts = scope;
        self
    }

    /// Where its containers ask for names. [`ResolverScope::Gateway`] needs `CAP_NET_BIND_SERVICE` on
    /// the host's side, and port 53 of the gateways to be nobody else's: creating the network says
    /// who has it ([`PortFault::InUse`](crate::PortFault)). It is listened there until the network
    /// goes or the process ends, and not at all where the host
    /// [answers nobody](crate::HostConfig::resolver). At the gateways of others' networks answers who
    /// [serves](crate::Host::serve).
    #[must_use]
    pub fn resolver(mut self, scope: ResolverScope) -> Self {
        self.resolver = scope;
        self
    }

    /// A label of the caller's own.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }
}
