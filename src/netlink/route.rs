//! Requests about routes. Pure.
//!
//! uapi/linux/rtnetlink.h

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use nix::libc;

use super::address::family;
use super::frame::Request;
use crate::addr::LinkIndex;
use crate::plan::{ROUTE_PROTOCOL, Route};

fn message(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(route.destination.addr()),
        destination_prefix_length: route.destination.prefix_len(),
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Other(ROUTE_PROTOCOL),
        scope: match route.gateway {
            Some(_) => RouteScope::Universe,
            None if route.destination.addr().is_ipv6() => RouteScope::Universe,
            None => RouteScope::Link,
        },
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    let attributes = &mut message.attributes;
    if route.destination.prefix_len() > 0 {
        let address = RouteAddress::from(route.destination.network());
        attributes.push(RouteAttribute::Destination(address));
    }
    attributes.extend(
        route
            .gateway
            .map(|g| RouteAttribute::Gateway(RouteAddress::from(g))),
    );
    attributes.push(RouteAttribute::Oif(route.link.index.get()));
    if route.metric > 0 {
        attributes.push(RouteAttribute::Priority(route.metric));
    }
    message
}

pub(crate) fn add(route: &Route) -> Request {
    Request::create(RouteNetlinkMessage::NewRoute(message(route)))
}

/// As the kernel itself makes it with the address (`fib_add_ifaddr`, `addrconf_prefix_route`), so that it
/// goes with the address too.
pub(crate) fn add_subnet(link: LinkIndex, address: IpNet) -> Request {
    // include/net/ip6_route.h: IP6_RT_PRIO_ADDRCONF
    const IPV6_CONNECTED: u32 = 256;
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(address.addr()),
        destination_prefix_length: address.prefix_len(),
        table: RouteHeader::RT_TABLE_MAIN,
        protocol: RouteProtocol::Kernel,
        scope: match address {
            IpNet::V4(_) => RouteScope::Link,
            IpNet::V6(_) => RouteScope::Universe,
        },
        kind: RouteType::Unicast,
        ..RouteHeader::default()
    };
    let destination = RouteAddress::from(address.network());
    message.attributes = vec![
        RouteAttribute::Destination(destination),
        RouteAttribute::Oif(link.get()),
        match address.addr() {
            source @ IpAddr::V4(_) => RouteAttribute::PrefSource(RouteAddress::from(source)),
            IpAddr::V6(_) => RouteAttribute::Priority(IPV6_CONNECTED),
        },
    ];
    Request::create(RouteNetlinkMessage::NewRoute(message))
}

/// In the place of one with the same destination and metric.
pub(crate) fn replace(route: &Route) -> Request {
    Request::replace(RouteNetlinkMessage::NewRoute(message(route)))
}

pub(crate) fn delete(route: &Route) -> Request {
    Request::change(RouteNetlinkMessage::DelRoute(message(route)))
}

/// All routes of its family in the table that it is in.
pub(crate) fn dump_like(route: &Route) -> Request {
    let mut message = RouteMessage::default();
    message.header.address_family = family(route.destination.addr());
    message.header.table = RouteHeader::RT_TABLE_MAIN;
    Request::dump(RouteNetlinkMessage::GetRoute(message))
}

pub(crate) fn dump() -> Request {
    Request::dump(RouteNetlinkMessage::GetRoute(RouteMessage::default()))
}

/// The IPv6 addresses of one link that packets are delivered for. Kernels before 4.20 tell of all
/// routes.
pub(crate) fn dump_own_addresses(index: LinkIndex) -> Request {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet6;
    message.header.table = libc::RT_TABLE_LOCAL;
    message.attributes = vec![RouteAttribute::Oif(index.get())];
    Request::dump(RouteNetlinkMessage::GetRoute(message))
}
