//! Requests about addresses. Pure.
//!
//! uapi/linux/if_addr.h

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::address::{
    AddressAttribute, AddressHeader, AddressHeaderFlags, AddressMessage, AddressScope,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::frame::Request;
use crate::addr::LinkIndex;

pub(super) fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

fn message(index: LinkIndex, net: IpNet) -> AddressMessage {
    let address = net.addr();
    let link_local = matches!(address, IpAddr::V6(v6) if v6.is_unicast_link_local());
    let mut message = AddressMessage::default();
    message.header = AddressHeader {
        family: family(address),
        prefix_len: net.prefix_len(),
        flags: AddressHeaderFlags::empty(),
        scope: if link_local {
            AddressScope::Link
        } else {
            AddressScope::Universe
        },
        index: index.get(),
    };
    message.attributes = vec![
        AddressAttribute::Local(address),
        AddressAttribute::Address(address),
    ];
    message
}

/// Usable at once: there is no duplicate address detection, since the addresses are the
/// allocator's to give.
pub(crate) fn add(index: LinkIndex, net: IpNet) -> Request {
    let mut message = message(index, net);
    match net {
        IpNet::V4(net) if net.prefix_len() < 31 => {
            message
                .attributes
                .push(AddressAttribute::Broadcast(net.broadcast()));
        }
        IpNet::V4(_) => {}
        IpNet::V6(_) => message.header.flags = AddressHeaderFlags::Nodad,
    }
    Request::create(RouteNetlinkMessage::NewAddress(message))
}

pub(crate) fn delete(index: LinkIndex, net: IpNet) -> Request {
    Request::change(RouteNetlinkMessage::DelAddress(message(index, net)))
}

pub(crate) fn dump() -> Request {
    Request::dump(RouteNetlinkMessage::GetAddress(AddressMessage::default()))
}
