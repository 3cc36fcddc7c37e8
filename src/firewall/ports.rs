//! Published ports as elements: from a port of the host's to one of a container's.

use std::net::IpAddr;

use super::network::Opening;
use super::words::{Words, of};
use crate::addr::{ContainerName, Family, LinkName, PortMapping, PublishedPort};
use crate::config::GatewayMode;
use crate::plan::Link;
use crate::plan::nft::{Element, Field, TableFamily, Value};
use crate::spec::{EndpointSpec, NetworkSpec};

/// How one endpoint is reached from outside of its network, in one family.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Door {
    pub(crate) family: Family,
    /// Its address.
    pub(crate) address: IpAddr,
    pub(crate) mode: GatewayMode,
    /// The network's own link.
    pub(crate) bridge: LinkName,
    /// The endpoint's end in the host.
    pub(crate) port: Link,
    /// The host's address of a port that names none.
    pub(crate) binding: Option<IpAddr>,
}

impl Door {
    /// Those of an endpoint, IPv4 first.
    pub(crate) fn all(network: &NetworkSpec, endpoint: &EndpointSpec) -> Vec<Self> {
        if !network.firewall.is_on() {
            return Vec::new();
        }
        let door = |address: IpAddr| {
            let family = Family::of(address);
            match Opening::of(network, family) {
                Opening::Open(mode) => Some(Self {
                    family,
                    address,
                    mode,
                    bridge: network.link.name.clone(),
                    port: endpoint.host_link.clone(),
                    binding: network.options.host_binding,
                }),
                Opening::Closed => None,
            }
        };
        let first = endpoint.ipv4.iter().chain(&endpoint.ipv6);
        let first = first.filter_map(|own| door(own.address.addr()));
        // a port of the host's leads to one address of a family
        let further = endpoint.further.iter();
        let further = further.filter_map(|own| door(own.address.addr()));
        first
            .chain(further.filter(|door| !door.translates()))
            .collect()
    }

    /// Whether ports of the host's lead to it.
    pub(crate) fn translates(&self) -> bool {
        self.mode != GatewayMode::Routed
    }
}

/// The elements by which ports of the host's lead to a container by one of its doors.
pub(crate) fn port_elements(
    container: &ContainerName,
    door: &Door,
    ports: &[PublishedPort],
) -> Vec<Element> {
    let of_family = ports
        .iter()
        .filter(|port| Family::of(port.host_address) == door.family);
    of_family
        .map(|port| port_element(container, door, port))
        .collect()
}

/// The elements by which ports of a container are reached by its own address: in the family of the
/// host's address that was asked for, or in each.
pub(crate) fn open_elements(
    container: &ContainerName,
    door: &Door,
    mappings: &[PortMapping],
) -> Vec<Element> {
    let set = of(door.family, ["open4", "open6"]);
    let open = |mapping: &PortMapping| {
        let protocol = mapping.protocol();
        let ports = mapping.container_ports().ports();
        let element = move |port| {
            let comment = format!("{container} {port}/{protocol}");
            let words = Words::new(TableFamily::Inet, comment);
            let key = [
                door.address.into(),
                Field::Protocol(protocol),
                Field::Port(port),
            ];
            words.member(set, key)
        };
        ports.map(element).collect::<Vec<Element>>()
    };
    let is_of_family = |mapping: &&PortMapping| {
        let asked = mapping.host_address().map(Family::of);
        asked.is_none_or(|family| family == door.family)
    };
    mappings
        .iter()
        .filter(is_of_family)
        .flat_map(open)
        .collect()
}

/// The elements by which the filter knows what of these ports a process of the host's carries over.
pub(crate) fn carried_elements(container: &ContainerName, ports: &[PublishedPort]) -> Vec<Element> {
    let of_ipv6 = ports.iter().filter(|port| port.host_address.is_ipv6());
    let element = |port: &PublishedPort| {
        let words = Words::new(TableFamily::Inet, format!("{container} {port}"));
        let (set, at) = match port.host_address.is_unspecified() {
            true => ("carried_any6", Field::Family(Family::V6)),
            false => ("carried6", port.host_address.into()),
        };
        let protocol = Field::Protocol(port.protocol);
        words.member(set, [at, protocol, Field::Port(port.host_port)])
    };
    of_ipv6.map(element).collect()
}

fn port_element(container: &ContainerName, door: &Door, port: &PublishedPort) -> Element {
    let words = Words::new(TableFamily::Inet, format!("{container} {port}"));
    let to = Field::Port(port.container_port);
    let value = Value::Fields(vec![door.address.into(), to]);
    let (protocol, host_port) = (Field::Protocol(port.protocol), Field::Port(port.host_port));
    if port.host_address.is_unspecified() {
        let set = of(door.family, ["published_any4", "published_any6"]);
        words.element(set, [protocol, host_port], value)
    } else {
        let set = of(door.family, ["published4", "published6"]);
        words.element(set, [port.host_address.into(), protocol, host_port], value)
    }
}
