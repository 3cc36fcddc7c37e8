//! Which tracked connections go by elements that have changed: they would go on as they began.

use std::net::IpAddr;

use crate::addr::{Family, Port, Protocol};
use crate::plan::nft::{Element, Field, Value};
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

fn ip(field: &Field) -> Option<IpAddr> {
    match field {
        Field::Ipv4(address) => Some((*address).into()),
        Field::Ipv6(address) => Some((*address).into()),
        _ => None,
    }
}
