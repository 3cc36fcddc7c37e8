//! What is read and printed, in the caller's own words. Fields that nobody knows are passed over, and
//! `null` stands for what is not there: others' programs write both.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serialize};

/// What `setup` and `teardown` read.
#[derive(Debug, Deserialize)]
pub(crate) struct Request {
    pub(crate) container_id: String,
    pub(crate) container_name: String,
    networks: Places,
    #[serde(rename = "network_info")]
    pub(crate) definitions: BTreeMap<String, Definition>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) port_mappings: Vec<Publication>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) dns_servers: Vec<IpAddr>,
}

/// By name, or one after the other.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Places {
    ByName(BTreeMap<String, Place>),
    InOrder(Vec<NamedPlace>),
}

#[derive(Debug, Deserialize)]
struct NamedPlace {
    name: String,
    #[serde(flatten)]
    place: Place,
}

/// A container's place on a network, as it is asked for.
#[derive(Debug, Deserialize)]
pub(crate) struct Place {
    pub(crate) interface_name: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) static_ips: Vec<IpAddr>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) static_mac: String,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) aliases: Vec<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) options: BTreeMap<String, String>,
}

/// A network, as whoever calls keeps it.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Definition {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<String>,
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) driver: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network_interface: Option<String>,
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) subnets: Vec<Range>,
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) routes: Vec<Way>,
    pub(crate) dns_enabled: bool,
    pub(crate) internal: bool,
    pub(crate) ipv6_enabled: bool,
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "Vec::is_empty"
    )]
    pub(crate) network_dns_servers: Vec<IpAddr>,
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) labels: BTreeMap<String, String>,
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) options: BTreeMap<String, String>,
    #[serde(
        default,
        deserialize_with = "or_default",
        skip_serializing_if = "BTreeMap::is_empty"
    )]
    pub(crate) ipam_options: BTreeMap<String, String>,
}

/// One subnet of a network.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Range {
    pub(crate) subnet: IpNet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lease_range: Option<serde_json::Value>,
}

/// One more route of a network's containers.
#[derive(Debug, Clone, Deserialize, Serialize)]
pub(crate) struct Way {
    pub(crate) destination: IpNet,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<IpAddr>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) metric: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) route_type: Option<String>,
}

/// Ports of the host's that lead to the container.
#[derive(Debug, Deserialize)]
pub(crate) struct Publication {
    pub(crate) container_port: u16,
    pub(crate) host_ip: String,
    pub(crate) host_port: u16,
    pub(crate) protocol: String,
    /// How many; 0 is one, too.
    #[serde(default, deserialize_with = "or_default")]
    pub(crate) range: u16,
}

/// What `setup` prints of each network.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    pub(crate) dns_search_domains: Vec<String>,
    pub(crate) dns_server_ips: Vec<IpAddr>,
    pub(crate) interfaces: BTreeMap<String, Interface>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Interface {
    pub(crate) mac_address: String,
    pub(crate) subnets: Vec<Address>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Address {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) gateway: Option<IpAddr>,
    pub(crate) ipnet: IpNet,
}

impl Request {
    /// The servers of its networks, as they are asked for.
    pub(crate) fn network_servers(&self) -> impl Iterator<Item = &IpAddr> {
        let names = self.places().into_iter().map(|(name, _)| name);
        let definitions = names.filter_map(|name| self.definitions.get(name));
        definitions.flat_map(|definition| &definition.network_dns_servers)
    }

    /// Each network with the container's place on it, in the order in which they are given.
    pub(crate) fn places(&self) -> Vec<(&str, &Place)> {
        match &self.networks {
            Places::ByName(places) => places.iter().map(|(n, p)| (n.as_str(), p)).collect(),
            Places::InOrder(places) => {
                let named = places.iter();
                named.map(|p| (p.name.as_str(), &p.place)).collect()
            }
        }
    }
}

pub(crate) fn or_default<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + Default,
{
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}
