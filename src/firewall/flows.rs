//! Which tracked connections go by elements that have changed: they would go on as they began.

use std::net::IpAddr;

use crate::addr::{Family, Port, Protocol, Subnet};
use crate::plan::nft::{Element, Field, Part, Value};
use crate::plan::{ElementsEdit, FlowMatch};

/// One element that stands for a published port.
struct Way {
    family: Family,
    /// The host's address; `None` for all.
    host: Option<IpAddr>,
    protocol: Protocol,
    port: Port,
    container: IpAddr,
    container_port: Port,
}

impl Way {
    fn of(element: &Element) -> Option<Self> {
        let (host, protocol, port) = match element.key.as_slice() {
            [Field::Protocol(protocol), Field::Port(port)] => (None, *protocol, *port),
            [address, Field::Protocol(protocol), Field::Port(port)] => {
                (Some(ip(address)?), *protocol, *port)
            }
            _ => return None,
        };
        let (container, container_port) = match &element.value {
            Value::Fields(fields) => match fields.as_slice() {
                [address, Field::Port(port)] => (ip(address)?, *port),
                _ => return None,
            },
            // a port that is open by the container's own address
            Value::None => (host?, port),
            Value::Verdict(_) => return None,
        };
        Some(Self {
            family: Family::of(container),
            host,
            protocol,
            port,
            container,
            container_port,
        })
    }

    /// Connections that were led this way.
    fn led(&self) -> FlowMatch {
        FlowMatch {
            protocol: Some(self.protocol),
            original_destination: self.host,
            original_destination_port: Some(self.port),
            reply_source: Some((self.container, Some(self.container_port))),
            ..FlowMatch::new(self.family)
        }
    }

    /// Connections with the host's own address that would be led this way if they were new.
    fn stayed(&self, address: IpAddr) -> FlowMatch {
        FlowMatch {
            protocol: Some(self.protocol),
            original_destination: Some(address),
            original_destination_port: Some(self.port),
            reply_source: Some((address, Some(self.port))),
            ..FlowMatch::new(self.family)
        }
    }
}

/// Whether the answer of [`stale_flows`] depends on the addresses that the host has.
pub(crate) fn needs_addresses(edit: &ElementsEdit) -> bool {
    let ways = edit.add.iter().filter_map(Way::of);
    ways.into_iter()
        .any(|way| way.protocol == Protocol::Udp && way.host.is_none())
}

/// The connections that have to be tracked anew once the edit is done. Those by TCP and SCTP that
/// have begun with the host itself are the host's.
pub(crate) fn stale_flows(edit: &ElementsEdit, host: &[IpAddr]) -> Vec<FlowMatch> {
    let gone = edit.remove.iter().filter_map(Way::of).map(|way| way.led());
    let come = edit.add.iter().filter_map(Way::of);
    let come = come.filter(|way| way.protocol == Protocol::Udp && way.host != Some(way.container));
    let stayed = come.flat_map(|way| {
        let addresses = match way.host {
            Some(address) => vec![address],
            None => host.to_vec(),
        };
        let of_family = addresses
            .into_iter()
            .filter(|a| Family::of(*a) == way.family);
        of_family
            .map(|address| way.stayed(address))
            .collect::<Vec<_>>()
    });
    gone.chain(stayed).collect()
}

/// Whether new connections may have begun otherwise than they would have while this was not as it is.
pub(crate) fn leads(part: &Part) -> bool {
    let is_translating = |set: &str| set.starts_with("published") || is_of_sources(set);
    match part {
        Part::Table | Part::Chain(_) | Part::Rules(_) => true,
        Part::Set(set) => is_translating(set),
        Part::Element(element) => is_translating(element.set),
    }
}

/// The subnets whose containers leave by another address than their own.
pub(crate) fn translated_subnets<'e>(elements: impl Iterator<Item = &'e Element>) -> Vec<Subnet> {
    let keys = elements.filter(|element| is_of_sources(element.set));
    let subnets = keys.filter_map(|element| match element.key.as_slice() {
        [Field::Subnet(subnet)] => Some(*subnet),
        _ => None,
    });
    subnets.collect()
}

/// Whether it says by which address containers leave.
fn is_of_sources(set: &str) -> bool {
    ["masquerade4", "masquerade6", "source4", "source6"].contains(&set)
}

fn ip(field: &Field) -> Option<IpAddr> {
    match field {
        Field::Ipv4(address) => Some((*address).into()),
        Field::Ipv6(address) => Some((*address).into()),
        _ => None,
    }
}
