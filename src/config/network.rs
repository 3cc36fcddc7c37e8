//! A network as it is asked for.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

use crate::addr::{Family, LinkName, MacAddr, Mtu, NetworkName, Subnet};
use crate::error::Fault;
use crate::plan::{BridgeOptions, Switch};

use super::take;

/// How containers of a network get their hardware addresses.
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

/// Whose names stand in the hosts files of a network's containers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum HostsScope {
    /// The container's own, as Docker does; peers are found by DNS.
    #[default]
    Own,
    /// Those of all containers of the network: unmodified programs find each other with no DNS
    /// server. Each connect and disconnect writes to the hosts file of every member.
    Everyone,
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
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
#[non_exhaustive]
pub struct NetworkConfig {
    name: String,
    driver: String,
    #[cfg_attr(feature = "serde", serde(default))]
    subnets: Vec<Subnet>,
    #[cfg_attr(feature = "serde", serde(default))]
    gateways: Vec<IpAddr>,
    #[cfg_attr(feature = "serde", serde(default))]
    ranges: Vec<Subnet>,
    #[cfg_attr(feature = "serde", serde(default))]
    auxiliary: BTreeMap<String, IpAddr>,
    #[cfg_attr(feature = "serde", serde(default))]
    ipv4: Option<Switch>,
    #[cfg_attr(feature = "serde", serde(default))]
    ipv6: Option<Switch>,
    #[cfg_attr(feature = "serde", serde(default = "off"))]
    internal: Switch,
    #[cfg_attr(feature = "serde", serde(default))]
    mtu: Option<Mtu>,
    #[cfg_attr(feature = "serde", serde(default))]
    link_name: Option<LinkName>,
    #[cfg_attr(feature = "serde", serde(default))]
    mac: Option<MacAddr>,
    #[cfg_attr(feature = "serde", serde(default))]
    bridge: BridgeOptions,
    #[cfg_attr(feature = "serde", serde(default))]
    mac_policy: MacPolicy,
    #[cfg_attr(feature = "serde", serde(default))]
    hosts: HostsScope,
    #[cfg_attr(feature = "serde", serde(default))]
    labels: BTreeMap<String, String>,
    #[cfg_attr(
        feature = "serde",
        serde(
            skip_deserializing,
            skip_serializing_if = "Vec::is_empty",
            serialize_with = "super::refuse"
        )
    )]
    faults: Vec<Fault>,
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

    /// A network of the driver with that name.
    #[must_use]
    pub fn new(driver: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            driver: driver.into(),
            subnets: Vec::new(),
            gateways: Vec::new(),
            ranges: Vec::new(),
            auxiliary: BTreeMap::new(),
            ipv4: None,
            ipv6: None,
            internal: Switch::Off,
            mtu: None,
            link_name: None,
            mac: None,
            bridge: BridgeOptions::default(),
            mac_policy: MacPolicy::default(),
            hosts: HostsScope::default(),
            labels: BTreeMap::new(),
            faults: Vec::new(),
        }
    }

    pub(crate) fn link_name(&self) -> Option<&LinkName> {
        self.link_name.as_ref()
    }

    pub(crate) fn has_subnet(&self, family: Family) -> bool {
        self.subnets
            .iter()
            .any(|subnet| Family::of_subnet(*subnet) == family)
    }

    /// The same, with this name for the bridge if none was given.
    pub(crate) fn or_bridge_name(self, name: &str) -> Self {
        match self.link_name {
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
        self.mtu = Some(mtu);
        self
    }

    /// The name of the bridge. Default: `br-` and the first 12 digits of the network's id.
    #[must_use]
    pub fn bridge_name<V>(mut self, name: V) -> Self
    where
        V: TryInto<LinkName>,
        V::Error: Into<Fault>,
    {
        self.link_name = take(name, &mut self.faults).or(self.link_name);
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

    /// A label of the caller's own.
    #[must_use]
    pub fn label(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(key.into(), value.into());
        self
    }

    /// The request, as far as it can be understood; all that is wrong with it goes to `faults`.
    /// `None` if its name does not have its form.
    pub(crate) fn check(&self, faults: &mut Vec<Fault>) -> Option<NetworkRequest> {
        faults.extend_from_slice(&self.faults);
        let name = take::<NetworkName, _>(self.name.as_str(), faults);
        let ipv4 = self.family(Family::V4, faults);
        let ipv6 = self.family(Family::V6, faults);
        if ipv4.is_none() && ipv6.is_none() {
            faults.push(Fault::NoFamily);
        }
        if let (Some(mtu), Some(_)) = (self.mtu, &ipv6) {
            if mtu < Mtu::IPV6_MIN {
                faults.push(Fault::MtuBelowIpv6 { mtu });
            }
        }
        Some(self.request(name?, ipv4, ipv6))
    }

    fn request(
        &self,
        name: NetworkName,
        ipv4: Option<FamilyRequest>,
        ipv6: Option<FamilyRequest>,
    ) -> NetworkRequest {
        NetworkRequest {
            name,
            driver: self.driver.clone(),
            ipv4,
            ipv6,
            internal: self.internal,
            mtu: self.mtu,
            link_name: self.link_name.clone(),
            mac: self.mac,
            bridge: self.bridge.clone(),
            mac_policy: self.mac_policy,
            hosts: self.hosts,
            labels: self.labels.clone(),
        }
    }

    fn family(&self, family: Family, faults: &mut Vec<Fault>) -> Option<FamilyRequest> {
        let subnets: Vec<Subnet> = self
            .subnets
            .iter()
            .copied()
            .filter(|s| Family::of_subnet(*s) == family)
            .collect();
        let switch = match family {
            Family::V4 => self.ipv4.unwrap_or(Switch::On),
            Family::V6 if subnets.is_empty() => self.ipv6.unwrap_or(Switch::Off),
            Family::V6 => self.ipv6.unwrap_or(Switch::On),
        };
        if !switch.is_on() {
            let unwanted = subnets.iter().map(Subnet::to_string);
            faults.extend(unwanted.map(|s| Fault::Conflicting(format!("{s} and its family off"))));
            return None;
        }
        if subnets.len() > 1 {
            let driver = self.driver.clone();
            faults.push(Fault::MultipleSubnets {
                driver,
                subnets: subnets.clone(),
            });
        }
        let subnet = subnets.first().copied();
        // `0.0.0.0/24` asks for any subnet of that size: nothing is known to lie in it
        let given = subnet.filter(|subnet| !subnet.first().is_unspecified());
        faults.extend(given.and_then(unusable));
        Some(FamilyRequest {
            subnet,
            gateway: self.gateway_in(family, given, faults),
            range: self.range_in(family, given, faults),
            auxiliary: self.auxiliary_in(family, given, faults),
        })
    }

    fn gateway_in(
        &self,
        family: Family,
        subnet: Option<Subnet>,
        faults: &mut Vec<Fault>,
    ) -> Option<IpAddr> {
        let mut gateways = self
            .gateways
            .iter()
            .copied()
            .filter(|g| Family::of(*g) == family);
        let gateway = gateways.next()?;
        if let Some(second) = gateways.next() {
            faults.push(Fault::Conflicting(format!(
                "gateway {gateway} and gateway {second}"
            )));
        }
        match subnet {
            Some(subnet) if subnet.contains(gateway) => faults.extend(reserved(subnet, gateway)),
            subnet => {
                faults.push(Fault::GatewayOutside {
                    gateway,
                    subnets: Vec::from_iter(subnet),
                });
            }
        }
        Some(gateway)
    }

    fn range_in(
        &self,
        family: Family,
        subnet: Option<Subnet>,
        faults: &mut Vec<Fault>,
    ) -> Option<Subnet> {
        let mut ranges = self
            .ranges
            .iter()
            .copied()
            .filter(|r| Family::of_subnet(*r) == family);
        let range = ranges.next()?;
        if let Some(second) = ranges.next() {
            faults.push(Fault::Conflicting(format!(
                "ip-range {range} and ip-range {second}"
            )));
        }
        if !subnet.is_some_and(|subnet| subnet.covers(range)) {
            faults.push(Fault::RangeOutside {
                range,
                subnets: Vec::from_iter(subnet),
            });
        }
        Some(range)
    }

    fn auxiliary_in(
        &self,
        family: Family,
        subnet: Option<Subnet>,
        faults: &mut Vec<Fault>,
    ) -> BTreeMap<String, IpAddr> {
        let of_family = self
            .auxiliary
            .iter()
            .filter(|(_, address)| Family::of(**address) == family);
        let chosen: BTreeMap<String, IpAddr> = of_family
            .map(|(name, address)| (name.clone(), *address))
            .collect();
        for (name, &address) in &chosen {
            if !subnet.is_some_and(|subnet| subnet.contains(address)) {
                let (name, subnets) = (name.clone(), Vec::from_iter(subnet));
                faults.push(Fault::AuxiliaryOutside {
                    name,
                    address,
                    subnets,
                });
            }
        }
        chosen
    }
}

/// A subnet that an interface can't have an address of.
fn unusable(subnet: Subnet) -> Option<Fault> {
    let prefix = |first: IpAddr, len| Subnet::new(first, len).expect("no host bits are set");
    let multicast = "multicast addresses are in it";
    let loopback = "loopback addresses are in it";
    let special = [
        (prefix([224, 0, 0, 0].into(), 4), multicast),
        (prefix([127, 0, 0, 0].into(), 8), loopback),
        (prefix([0xff00, 0, 0, 0, 0, 0, 0, 0].into(), 8), multicast),
        (prefix(Ipv6Addr::LOCALHOST.into(), 128), loopback),
        (
            prefix([0xfe80, 0, 0, 0, 0, 0, 0, 0].into(), 10),
            "it clashes with the Link-Local prefix 'fe80::/10'",
        ),
    ];
    let (_, why) = special
        .into_iter()
        .find(|(range, _)| range.overlaps(subnet))?;
    Some(Fault::SubnetUnusable { subnet, why })
}

/// The subnet's own and its broadcast address are nobody's, but for /31 and /32 (rfc3021).
fn reserved(subnet: Subnet, address: IpAddr) -> Option<Fault> {
    if subnet.host_bits() < 2 {
        return None;
    }
    let role = match address {
        address if address == subnet.first() && address.is_ipv4() => "the network's own address",
        address if address == subnet.first() => "the subnet-router anycast address",
        address if address == subnet.last() && address.is_ipv4() => "the broadcast address",
        _ => return None,
    };
    Some(Fault::AddressReserved { address, role })
}

/// One family of a network that passed the check.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct FamilyRequest {
    /// The subnet that was asked for; `0.0.0.0/24` asks for any of that size.
    pub(crate) subnet: Option<Subnet>,
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) range: Option<Subnet>,
    pub(crate) auxiliary: BTreeMap<String, IpAddr>,
}

/// A network that passed the check.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NetworkRequest {
    pub(crate) name: NetworkName,
    pub(crate) driver: String,
    pub(crate) ipv4: Option<FamilyRequest>,
    pub(crate) ipv6: Option<FamilyRequest>,
    pub(crate) internal: Switch,
    pub(crate) mtu: Option<Mtu>,
    pub(crate) link_name: Option<LinkName>,
    pub(crate) mac: Option<MacAddr>,
    pub(crate) bridge: BridgeOptions,
    pub(crate) mac_policy: MacPolicy,
    pub(crate) hosts: HostsScope,
    pub(crate) labels: BTreeMap<String, String>,
}
