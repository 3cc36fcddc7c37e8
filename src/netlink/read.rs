//! Objects as the kernel tells of them: from the bytes of a message to what a snapshot holds. Pure.
//!
//! Unknown attributes are stepped over; an object without what makes it one is `None`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;
use nix::libc;

use super::attribute::find;
use super::bytes::u32_at;
use crate::addr::MacAddr;
use crate::snapshot::{AddressState, LinkState, RouteState};

// uapi/linux/if_link.h
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_LINK: u16 = 5;
const IFLA_QDISC: u16 = 6;
const IFLA_MASTER: u16 = 10;
const IFLA_OPERSTATE: u16 = 16;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_CARRIER: u16 = 33;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_STATE: u16 = 1;
// uapi/linux/if_bridge.h
const BR_STATE_FORWARDING: u8 = 3;
// uapi/linux/if.h
const IF_OPER_UNKNOWN: u8 = 0;
const IF_OPER_UP: u8 = 6;
// uapi/linux/if_addr.h
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
// uapi/linux/rtnetlink.h
const RTA_DST: u16 = 1;
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RTA_TABLE: u16 = 15;
const RTM_F_CLONED: u32 = 0x200;

/// How to read the objects of one message type (`RTM_NEW…`).
#[derive(Debug)]
pub(crate) struct Reader<T> {
    pub(crate) kind: u16,
    pub(crate) read: fn(&[u8]) -> Option<T>,
}

pub(crate) const LINK: Reader<LinkState> = Reader {
    kind: libc::RTM_NEWLINK,
    read: link,
};
pub(crate) const READINESS: Reader<Readiness> = Reader {
    kind: libc::RTM_NEWLINK,
    read: readiness,
};
pub(crate) const ADDRESS: Reader<AddressState> = Reader {
    kind: libc::RTM_NEWADDR,
    read: address,
};
pub(crate) const OWN_ADDRESS: Reader<OwnAddress> = Reader {
    kind: libc::RTM_NEWROUTE,
    read: own_address,
};
pub(crate) const ROUTE: Reader<RouteState> = Reader {
    kind: libc::RTM_NEWROUTE,
    read: route,
};

const LINK_HEADER_BYTES: usize = 16;
const ADDRESS_HEADER_BYTES: usize = 8;
const ROUTE_HEADER_BYTES: usize = 12;

fn text(value: &[u8]) -> String {
    let end = value
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(value.len());
    String::from_utf8_lossy(&value[..end]).into_owned()
}

pub(super) fn ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => Some(Ipv4Addr::from(<[u8; 4]>::try_from(value).ok()?).into()),
        16 => Some(Ipv6Addr::from(<[u8; 16]>::try_from(value).ok()?).into()),
        _ => None,
    }
}

/// A link, from the body of `RTM_NEWLINK`.
fn link(body: &[u8]) -> Option<LinkState> {
    let flags = u32_at(body, 8)?;
    let rest = body.get(LINK_HEADER_BYTES..)?;
    let number = |kind| find(rest, kind).and_then(|value| u32_at(value, 0));
    let mac = find(rest, IFLA_ADDRESS).and_then(|value| <[u8; 6]>::try_from(value).ok());
    let kind = find(rest, IFLA_LINKINFO).and_then(|nested| find(nested, IFLA_INFO_KIND));
    let kind = kind.map(text).unwrap_or_default();
    Some(LinkState {
        index: u32_at(body, 4)?,
        name: text(find(rest, IFLA_IFNAME)?),
        peer: number(IFLA_LINK).filter(|_| kind == "veth"),
        kind,
        mac: mac.and_then(|bytes| MacAddr::new(bytes).ok()),
        mtu_bytes: number(IFLA_MTU).unwrap_or_default(),
        master: number(IFLA_MASTER),
        up: flags & libc::IFF_UP as u32 != 0,
        alias: find(rest, IFLA_IFALIAS).map(text).unwrap_or_default(),
    })
}

/// How far a link has come since it was set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Readiness {
    /// Its queues take packets: a link whose carrier is not known yet drops them.
    pub(crate) runs: bool,
    /// It is up, and so is what it is connected to.
    pub(crate) has_carrier: bool,
    /// It is a port, and its bridge forwards for it.
    pub(crate) forwards: bool,
    /// The bridge that it is a port of.
    pub(crate) bridge: Option<u32>,
}

/// How far the link has come that the body of `RTM_NEWLINK` tells of.
fn readiness(body: &[u8]) -> Option<Readiness> {
    let rest = body.get(LINK_HEADER_BYTES..)?;
    let port = find(rest, IFLA_LINKINFO).and_then(|nested| find(nested, IFLA_INFO_SLAVE_DATA));
    let state = port.and_then(|port| find(port, IFLA_BRPORT_STATE));
    Some(Readiness {
        runs: runs(rest),
        has_carrier: find(rest, IFLA_CARRIER).and_then(<[u8]>::first) == Some(&1),
        forwards: state.and_then(<[u8]>::first) == Some(&BR_STATE_FORWARDING),
        bridge: find(rest, IFLA_MASTER).and_then(|value| u32_at(value, 0)),
    })
}

/// A link whose carrier never changed has no state to tell of, and runs since it is up. One that got
/// carrier a moment ago has none yet either, and still drops all at its first queue, `noop`.
fn runs(attributes: &[u8]) -> bool {
    let first = |kind| find(attributes, kind).and_then(<[u8]>::first);
    let drops = find(attributes, IFLA_QDISC).is_some_and(|name| name.starts_with(b"noop"));
    match first(IFLA_OPERSTATE) {
        Some(&IF_OPER_UP) => true,
        Some(&IF_OPER_UNKNOWN) => first(IFLA_CARRIER) == Some(&1) && !drops,
        _ => false,
    }
}

/// An address, from the body of `RTM_NEWADDR`.
fn address(body: &[u8]) -> Option<AddressState> {
    let prefix_len = *body.get(1)?;
    let rest = body.get(ADDRESS_HEADER_BYTES..)?;
    let value = find(rest, IFA_LOCAL).or_else(|| find(rest, IFA_ADDRESS))?;
    let address = IpNet::new(ip(value)?, prefix_len).ok()?;
    Some(AddressState {
        link: u32_at(body, 4)?,
        address,
    })
}

/// An address that packets are delivered for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct OwnAddress {
    pub(crate) link: u32,
    pub(crate) address: IpAddr,
}

/// An address that is delivered for, from the body of `RTM_NEWROUTE`; `None` for other routes.
fn own_address(body: &[u8]) -> Option<OwnAddress> {
    let rest = body.get(ROUTE_HEADER_BYTES..)?;
    if *body.get(7)? != libc::RTN_LOCAL {
        return None;
    }
    Some(OwnAddress {
        link: find(rest, RTA_OIF).and_then(|value| u32_at(value, 0))?,
        address: find(rest, RTA_DST).and_then(ip)?,
    })
}

/// A route, from the body of `RTM_NEWROUTE`; `None` for other families and for cached ones.
fn route(body: &[u8]) -> Option<RouteState> {
    let family = i32::from(*body.first()?);
    let prefix_len = *body.get(1)?;
    let rest = body.get(ROUTE_HEADER_BYTES..)?;
    if u32_at(body, 8)? & RTM_F_CLONED != 0 {
        return None;
    }
    let unspecified = match family {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    let number = |kind| find(rest, kind).and_then(|value| u32_at(value, 0));
    let destination = find(rest, RTA_DST).and_then(ip).unwrap_or(unspecified);
    Some(RouteState {
        destination: IpNet::new(destination, prefix_len).ok()?,
        gateway: find(rest, RTA_GATEWAY).and_then(ip),
        link: number(RTA_OIF),
        metric: number(RTA_PRIORITY).unwrap_or_default(),
        table: number(RTA_TABLE).or_else(|| body.get(4).map(|&table| table.into()))?,
        protocol: *body.get(5)?,
    })
}
