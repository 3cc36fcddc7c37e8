//! The options of a network: what each may be, its key, and its text in both directions. What is
//! asked for is only understood here; drivers and the firewall act on it.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::addr::{Family, LinkName, LinkPrefix, Mtu, ParseError, Reason};
use crate::error::Fault;
use crate::plan::Switch;

use super::keys::{excerpt, unknown};

pub(super) const BRIDGE_NAME: &str = "com.docker.network.bridge.name";
const ICC: &str = "com.docker.network.bridge.enable_icc";
const MASQUERADE: &str = "com.docker.network.bridge.enable_ip_masquerade";
const HOST_BINDING: &str = "com.docker.network.bridge.host_binding_ipv4";
const INHIBIT_IPV4: &str = "com.docker.network.bridge.inhibit_ipv4";
/// Docker has it of IPv4 alone.
const INHIBIT_IPV6: &str = "com.docker.network.bridge.inhibit_ipv6";
const DEFAULT_BRIDGE: &str = "com.docker.network.bridge.default_bridge";
const GATEWAY_MODE_IPV4: &str = "com.docker.network.bridge.gateway_mode_ipv4";
const GATEWAY_MODE_IPV6: &str = "com.docker.network.bridge.gateway_mode_ipv6";
const TRUSTED: &str = "com.docker.network.bridge.trusted_host_interfaces";
const MTU: &str = "com.docker.network.driver.mtu";
const HOST_IPV4: &str = "com.docker.network.host_ipv4";
const HOST_IPV6: &str = "com.docker.network.host_ipv6";
const PREFIX: &str = "com.docker.network.container_iface_prefix";
pub(super) const ENABLE_IPV4: &str = "com.docker.network.enable_ipv4";
pub(super) const ENABLE_IPV6: &str = "com.docker.network.enable_ipv6";
pub(super) const INTERNAL: &str = "com.docker.network.internal";

const KEYS: [&str; 17] = [
    BRIDGE_NAME,
    ICC,
    MASQUERADE,
    HOST_BINDING,
    INHIBIT_IPV4,
    INHIBIT_IPV6,
    DEFAULT_BRIDGE,
    GATEWAY_MODE_IPV4,
    GATEWAY_MODE_IPV6,
    TRUSTED,
    MTU,
    HOST_IPV4,
    HOST_IPV6,
    PREFIX,
    ENABLE_IPV4,
    ENABLE_IPV6,
    INTERNAL,
];

/// How the containers of a network are reached from outside of it, in one family.
///
/// ```
/// use bridgework::GatewayMode;
///
/// assert_eq!("nat-unprotected".parse(), Ok(GatewayMode::NatUnprotected));
/// assert_eq!(GatewayMode::Isolated.to_string(), "isolated");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
pub enum GatewayMode {
    /// Behind the host's addresses, by published ports alone.
    #[default]
    Nat,
    /// As [`Nat`](Self::Nat), with every port open to those who route to the container.
    NatUnprotected,
    /// By the containers' own addresses.
    Routed,
    /// Not at all: the bridge has no address, so that not even the host is reached. For internal
    /// networks only.
    Isolated,
}

impl GatewayMode {
    fn as_str(self) -> &'static str {
        match self {
            Self::Nat => "nat",
            Self::NatUnprotected => "nat-unprotected",
            Self::Routed => "routed",
            Self::Isolated => "isolated",
        }
    }
}

impl fmt::Display for GatewayMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for GatewayMode {
    type Err = String;

    /// The mode of that name, or why there is none.
    fn from_str(text: &str) -> Result<Self, String> {
        let all = [
            Self::Nat,
            Self::NatUnprotected,
            Self::Routed,
            Self::Isolated,
        ];
        let found = all.into_iter().find(|mode| mode.as_str() == text);
        found.ok_or_else(|| format!("unknown gateway mode {}", excerpt(text)))
    }
}

/// The options of a network as they were asked for: `None` where nothing was.
///
/// [`by_key`](Self::by_key) has them as Docker shows them.
///
/// ```
/// use bridgework::config::NetworkOptions;
/// use bridgework::plan::Switch;
/// use bridgework::{Family, GatewayMode};
///
/// let mut options = NetworkOptions::default();
/// options.icc = Some(Switch::Off);
/// let shown = options.by_key();
/// assert_eq!(shown["com.docker.network.bridge.enable_icc"], "false");
/// assert_eq!(shown.len(), 1);
///
/// options.gateway_mode_ipv6 = Some(GatewayMode::Isolated);
/// assert_eq!(options.gateway_mode(Family::V4), GatewayMode::Nat); // where nothing was asked for
/// assert!(options.bears_gateway(Family::V4) && !options.bears_gateway(Family::V6));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct NetworkOptions {
    /// `bridge.name`: the name of the bridge.
    pub bridge_name: Option<LinkName>,
    /// `bridge.enable_icc`: whether containers of the network reach each other.
    pub icc: Option<Switch>,
    /// `bridge.enable_ip_masquerade`: whether containers leave by an address of the host's.
    pub masquerade: Option<Switch>,
    /// `bridge.host_binding_ipv4`: the host's address of a published port that names none.
    pub host_binding: Option<IpAddr>,
    /// `bridge.inhibit_ipv4`: whether the bridge has no IPv4 address, since another machine on it
    /// is the gateway.
    pub inhibit_ipv4: Option<Switch>,
    /// `bridge.inhibit_ipv6`: the same of IPv6, for which Docker has no option.
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub inhibit_ipv6: Option<Switch>,
    /// `bridge.default_bridge`: kept, without effect: a host has one default bridge, and it is not
    /// made by a request.
    pub default_bridge: Option<Switch>,
    /// `bridge.gateway_mode_ipv4`: how its containers are reached by IPv4.
    pub gateway_mode_ipv4: Option<GatewayMode>,
    /// `bridge.gateway_mode_ipv6`: how its containers are reached by IPv6.
    pub gateway_mode_ipv6: Option<GatewayMode>,
    /// `bridge.trusted_host_interfaces`: links of the host by which containers' own addresses are
    /// reached.
    pub trusted_host_interfaces: Option<Vec<LinkName>>,
    /// `driver.mtu`: the MTU of all its links.
    pub mtu: Option<Mtu>,
    /// `host_ipv4`: the address by which containers leave, in place of the link's own.
    pub host_ipv4: Option<Ipv4Addr>,
    /// `host_ipv6`: as `host_ipv4`, for IPv6.
    pub host_ipv6: Option<Ipv6Addr>,
    /// `container_iface_prefix`: what stands for `eth` in the names of containers' interfaces.
    pub container_prefix: Option<LinkPrefix>,
    /// `enable_ipv4`: whether it has IPv4.
    pub enable_ipv4: Option<Switch>,
    /// `enable_ipv6`: whether it has IPv6.
    pub enable_ipv6: Option<Switch>,
    /// `internal`: whether there is no way out and no way in.
    pub internal: Option<Switch>,
    /// Options that the driver alone understands, as they were given.
    pub of_driver: BTreeMap<String, String>,
}

impl NetworkOptions {
    /// All that were asked for, by their whole keys, in Docker's text form.
    #[must_use]
    pub fn by_key(&self) -> BTreeMap<String, String> {
        fn text<T: fmt::Display>(value: &Option<T>) -> Option<String> {
            value.as_ref().map(T::to_string)
        }
        let truth = |switch: Option<Switch>| switch.map(|switch| switch.is_on().to_string());
        let names = |names: &Vec<LinkName>| {
            let names: Vec<&str> = names.iter().map(LinkName::as_str).collect();
            names.join(":")
        };
        let known = [
            (BRIDGE_NAME, text(&self.bridge_name)),
            (ICC, truth(self.icc)),
            (MASQUERADE, truth(self.masquerade)),
            (HOST_BINDING, text(&self.host_binding)),
            (INHIBIT_IPV4, truth(self.inhibit_ipv4)),
            (INHIBIT_IPV6, truth(self.inhibit_ipv6)),
            (DEFAULT_BRIDGE, truth(self.default_bridge)),
            (GATEWAY_MODE_IPV4, text(&self.gateway_mode_ipv4)),
            (GATEWAY_MODE_IPV6, text(&self.gateway_mode_ipv6)),
            (TRUSTED, self.trusted_host_interfaces.as_ref().map(names)),
            (MTU, text(&self.mtu)),
            (HOST_IPV4, text(&self.host_ipv4)),
            (HOST_IPV6, text(&self.host_ipv6)),
            (PREFIX, text(&self.container_prefix)),
            (ENABLE_IPV4, truth(self.enable_ipv4)),
            (ENABLE_IPV6, truth(self.enable_ipv6)),
            (INTERNAL, truth(self.internal)),
        ];
        let mut texts = self.of_driver.clone();
        texts.extend(
            known
                .into_iter()
                .filter_map(|(key, text)| Some((key.to_owned(), text?))),
        );
        texts
    }

    /// The mode of one family.
    #[must_use]
    pub fn gateway_mode(&self, family: Family) -> GatewayMode {
        let mode = match family {
            Family::V4 => self.gateway_mode_ipv4,
            Family::V6 => self.gateway_mode_ipv6,
        };
        mode.unwrap_or_default()
    }

    /// Whether the network's own link has its gateway's address.
    #[must_use]
    pub fn bears_gateway(&self, family: Family) -> bool {
        let inhibited = match family {
            Family::V4 => self.inhibit_ipv4,
            Family::V6 => self.inhibit_ipv6,
        };
        inhibited != Some(Switch::On) && self.gateway_mode(family) != GatewayMode::Isolated
    }

    /// What `texts` say. All that is wrong with them goes to `faults`; a key that nobody knows goes
    /// to the driver.
    pub(super) fn parse(texts: &BTreeMap<String, String>, faults: &mut Vec<Fault>) -> Self {
        let mut options = Self::default();
        for (key, value) in texts {
            if let Err(why) = options.set(key, value) {
                faults.push(Fault::OptionValue {
                    key: key.clone(),
                    value: excerpt(value),
                    why,
                });
            }
        }
        options
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        match key {
            BRIDGE_NAME => self.bridge_name = Some(parsed(value)?),
            ICC => self.icc = Some(truth(value)?),
            MASQUERADE => self.masquerade = Some(truth(value)?),
            HOST_BINDING => self.host_binding = Some(address(value, "an address")?),
            INHIBIT_IPV4 => self.inhibit_ipv4 = Some(truth(value)?),
            INHIBIT_IPV6 => self.inhibit_ipv6 = Some(truth(value)?),
            DEFAULT_BRIDGE => self.default_bridge = Some(truth(value)?),
            GATEWAY_MODE_IPV4 => self.gateway_mode_ipv4 = Some(value.parse()?),
            GATEWAY_MODE_IPV6 => self.gateway_mode_ipv6 = Some(value.parse()?),
            TRUSTED => self.trusted_host_interfaces = Some(names(value)?),
            MTU => self.mtu = Some(parsed(value)?),
            HOST_IPV4 => self.host_ipv4 = Some(address(value, "an IPv4 address")?),
            HOST_IPV6 => self.host_ipv6 = Some(address(value, "an IPv6 address")?),
            PREFIX => self.container_prefix = Some(parsed(value)?),
            ENABLE_IPV4 => self.enable_ipv4 = Some(truth(value)?),
            ENABLE_IPV6 => self.enable_ipv6 = Some(truth(value)?),
            INTERNAL => self.internal = Some(truth(value)?),
            key => {
                self.of_driver.insert(key.to_owned(), value.to_owned());
            }
        }
        Ok(())
    }

    /// Keys that are neither known here nor among the driver's own.
    pub(super) fn unknown_to<'a>(
        &'a self,
        driver_keys: &'a [&str],
    ) -> impl Iterator<Item = Fault> + 'a {
        let strange = self.of_driver.keys();
        let strange = strange.filter(|key| !driver_keys.contains(&key.as_str()));
        strange.map(move |key| unknown(key, KEYS.iter().chain(driver_keys).copied()))
    }

    /// Both together; where they contradict each other, a fault, and what is in `self`.
    pub(super) fn joined(self, by_key: Self, faults: &mut Vec<Fault>) -> Self {
        let typed = self.by_key();
        let mut all = by_key.by_key();
        for (key, value) in typed {
            match all.get(&key) {
                Some(text) if *text != value => faults.push(Fault::Conflicting(format!(
                    "{key}={text} and the typed value {value}"
                ))),
                _ => {}
            }
            all.insert(key, value);
        }
        // each text was printed by a value
        Self::parse(&all, &mut Vec::new())
    }
}

/// The forms of Go's `strconv.ParseBool`, which Docker takes.
fn truth(text: &str) -> Result<Switch, String> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(Switch::On),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(Switch::Off),
        _ => Err("expected true or false".to_owned()),
    }
}

fn address<T: FromStr>(text: &str, expected: &'static str) -> Result<T, String> {
    let reason = Reason::Malformed { expected };
    text.parse().map_err(|_| reason.to_string())
}

fn parsed<T: FromStr<Err = ParseError>>(text: &str) -> Result<T, String> {
    text.parse()
        .map_err(|error: ParseError| error.reason().to_string())
}

/// Names with colons between them, which no name contains.
fn names(text: &str) -> Result<Vec<LinkName>, String> {
    let names = text.split(':').filter(|name| !name.is_empty());
    let parsed = names.map(|name| name.parse().map_err(|error: ParseError| error.to_string()));
    parsed.collect()
}
