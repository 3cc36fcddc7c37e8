//! Requests about tracked connections, and how they are read (ctnetlink). Pure.
//!
//! uapi/linux/netfilter/nfnetlink.h, uapi/linux/netfilter/nfnetlink_conntrack.h

use std::net::IpAddr;

use nix::libc;

use super::attribute::{find, nest, put};
use super::flow_filter::Filter;
use super::frame::{Intent, Request};
use super::read::{Reader, ip};
use crate::addr::{Family, Port, Protocol, Subnet};
use crate::plan::FlowMatch;

// the subsystem is the upper byte of a message's type
const NEW: u16 = 0x100;
const GET: u16 = 0x101;
const DELETE: u16 = 0x102;
const STATS: u16 = 0x105;
const HEADER_BYTES: usize = 4;

const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_FILTER: u16 = 25;
const CTA_TUPLE_IP: u16 = 1;
const CTA_TUPLE_PROTO: u16 = 2;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
const CTA_PROTO_NUM: u16 = 1;
const CTA_PROTO_SRC_PORT: u16 = 2;
const CTA_PROTO_DST_PORT: u16 = 3;
const CTA_FILTER_ORIG_FLAGS: u16 = 1;
const CTA_FILTER_REPLY_FLAGS: u16 = 2;
const CTA_STATS_GLOBAL_ENTRIES: u16 = 1;
// linux/netfilter/nf_conntrack_netlink.c: CTA_FILTER_F_…
const IP_SRC: u32 = 1 << 0;
const IP_DST: u32 = 1 << 1;
const PROTO_NUM: u32 = 1 << 3;
const PROTO_SRC_PORT: u32 = 1 << 4;
const PROTO_DST_PORT: u32 = 1 << 5;

/// One direction of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Direction {
    source: IpAddr,
    destination: IpAddr,
    protocol: u8,
    /// Those of a protocol that has ports.
    source_port: Option<u16>,
    destination_port: Option<u16>,
}

/// A connection that the kernel tracks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flow {
    family: Family,
    original: Direction,
    reply: Direction,
    /// By which the kernel finds it again, as the kernel wrote it.
    tuple: Vec<u8>,
    id: Vec<u8>,
    zone: Option<Vec<u8>>,
}

pub(crate) const FLOW: Reader<Flow> = Reader {
    kind: NEW,
    read: flow,
};

/// How many connections the namespace has.
pub(crate) const COUNT: Reader<u32> = Reader {
    kind: STATS,
    read: count,
};

pub(crate) fn get_count() -> Request {
    Request::new(Intent::Get, STATS, header(None))
}

/// The connections that pass the filter, and maybe others: kernels before 5.8 only look at the
/// family.
pub(crate) fn dump(filter: &Filter) -> Request {
    let mut body = header(filter.family);
    put_filter(&mut body, filter);
    Request::new(Intent::Dump, GET, body)
}

/// Those that pass the filter and no others, told of or not. `None` for a filter that lets all
/// pass.
///
/// Older kernels (6.6 for one) refuse it: they take the tuples for the whole of one connection's, and we
/// never ask for a source port and a destination port in one direction.
pub(crate) fn delete_all(filter: &Filter) -> Option<Request> {
    let mut body = header(filter.family);
    put_filter(&mut body, filter).then(|| Request::new(Intent::Change, DELETE, body))
}

/// Whether the filter asks for anything but the family.
fn put_filter(body: &mut Vec<u8>, filter: &Filter) -> bool {
    let original = Wanted {
        source: filter.original_source,
        destination: filter.original_destination,
        protocol: filter.protocol,
        source_port: None,
        destination_port: filter.original_destination_port,
    };
    let reply = Wanted {
        source: filter.reply_source,
        destination: None,
        protocol: filter.protocol.filter(|_| filter.reply_port.is_some()),
        source_port: filter.reply_port,
        destination_port: None,
    };
    let flags = [original.flags(), reply.flags()];
    if flags == [0, 0] {
        return false;
    }
    original.put(body, CTA_TUPLE_ORIG);
    reply.put(body, CTA_TUPLE_REPLY);
    nest(body, CTA_FILTER, |body| {
        put(body, CTA_FILTER_ORIG_FLAGS, &flags[0].to_ne_bytes());
        put(body, CTA_FILTER_REPLY_FLAGS, &flags[1].to_ne_bytes());
    });
    true
}

/// This connection and no other: one that has come in its place since has another id.
pub(crate) fn delete(flow: &Flow) -> Request {
    let mut body = header(Some(flow.family));
    // without it, all would go
    nest(&mut body, CTA_TUPLE_ORIG, |body| body.extend(&flow.tuple));
    put(&mut body, CTA_ID, &flow.id);
    if let Some(zone) = &flow.zone {
        put(&mut body, CTA_ZONE, zone);
    }
    Request::new(Intent::Change, DELETE, body)
}

fn header(family: Option<Family>) -> Vec<u8> {
    let number = match family {
        Some(Family::V4) => libc::AF_INET,
        Some(Family::V6) => libc::AF_INET6,
        None => libc::AF_UNSPEC,
    };
    vec![u8::try_from(number).unwrap_or_default(), 0, 0, 0]
}

fn number(protocol: Protocol) -> u8 {
    let number = match protocol {
        Protocol::Tcp => libc::IPPROTO_TCP,
        Protocol::Udp => libc::IPPROTO_UDP,
        Protocol::Sctp => libc::IPPROTO_SCTP,
    };
    u8::try_from(number).unwrap_or_default()
}

/// What one direction has to be. Ports are only asked for together with their protocol.
struct Wanted {
    source: Option<IpAddr>,
    destination: Option<IpAddr>,
    protocol: Option<Protocol>,
    source_port: Option<Port>,
    destination_port: Option<Port>,
}

impl Wanted {
    fn flags(&self) -> u32 {
        let flag = |is_wanted: bool, flag: u32| if is_wanted { flag } else { 0 };
        flag(self.source.is_some(), IP_SRC)
            | flag(self.destination.is_some(), IP_DST)
            | flag(self.protocol.is_some(), PROTO_NUM)
            | flag(self.source_port.is_some(), PROTO_SRC_PORT)
            | flag(self.destination_port.is_some(), PROTO_DST_PORT)
    }

    fn put(&self, body: &mut Vec<u8>, kind: u16) {
        if self.flags() == 0 {
            return;
        }
        nest(body, kind, |body| {
            nest(body, CTA_TUPLE_IP, |body| {
                put_address(body, [CTA_IP_V4_SRC, CTA_IP_V6_SRC], self.source);
                put_address(body, [CTA_IP_V4_DST, CTA_IP_V6_DST], self.destination);
            });
            nest(body, CTA_TUPLE_PROTO, |body| {
                if let Some(protocol) = self.protocol {
                    put(body, CTA_PROTO_NUM, &[number(protocol)]);
                }
                put_port(body, CTA_PROTO_SRC_PORT, self.source_port);
                put_port(body, CTA_PROTO_DST_PORT, self.destination_port);
            });
        });
    }
}

fn put_address(body: &mut Vec<u8>, [v4, v6]: [u16; 2], address: Option<IpAddr>) {
    match address {
        Some(IpAddr::V4(address)) => put(body, v4, &address.octets()),
        Some(IpAddr::V6(address)) => put(body, v6, &address.octets()),
        None => {}
    }
}

fn put_port(body: &mut Vec<u8>, kind: u16, port: Option<Port>) {
    if let Some(port) = port {
        put(body, kind, &port.get().to_be_bytes());
    }
}

fn count(body: &[u8]) -> Option<u32> {
    let entries = find(body.get(HEADER_BYTES..)?, CTA_STATS_GLOBAL_ENTRIES)?;
    Some(u32::from_be_bytes(entries.try_into().ok()?))
}

/// A connection, from the body of `IPCTNL_MSG_CT_NEW`.
fn flow(body: &[u8]) -> Option<Flow> {
    let family = match i32::from(*body.first()?) {
        libc::AF_INET => Family::V4,
        libc::AF_INET6 => Family::V6,
        _ => return None,
    };
    let rest = body.get(HEADER_BYTES..)?;
    let tuple = find(rest, CTA_TUPLE_ORIG)?;
    Some(Flow {
        family,
        original: direction(tuple)?,
        reply: direction(find(rest, CTA_TUPLE_REPLY)?)?,
        tuple: tuple.to_vec(),
        id: find(rest, CTA_ID)?.to_vec(),
        zone: find(rest, CTA_ZONE).map(<[u8]>::to_vec),
    })
}

fn direction(tuple: &[u8]) -> Option<Direction> {
    let (addresses, transport) = (find(tuple, CTA_TUPLE_IP)?, find(tuple, CTA_TUPLE_PROTO)?);
    let address = |[v4, v6]: [u16; 2]| {
        let value = find(addresses, v4).or_else(|| find(addresses, v6));
        value.and_then(ip)
    };
    let port = |kind| {
        let bytes = find(transport, kind)?.try_into().ok()?;
        Some(u16::from_be_bytes(bytes))
    };
    Some(Direction {
        source: address([CTA_IP_V4_SRC, CTA_IP_V6_SRC])?,
        destination: address([CTA_IP_V4_DST, CTA_IP_V6_DST])?,
        protocol: *find(transport, CTA_PROTO_NUM)?.first()?,
        source_port: port(CTA_PROTO_SRC_PORT),
        destination_port: port(CTA_PROTO_DST_PORT),
    })
}

impl Flow {
    /// The port that the first packet was sent to, of a protocol that has ports.
    pub(crate) fn original_destination_port(&self) -> Option<u16> {
        self.original.destination_port
    }

    /// Whether it is of datagrams that came from there for elsewhere, and have kept their source.
    pub(crate) fn left_as_it_was(&self, subnet: Subnet) -> bool {
        let (original, reply) = (&self.original, &self.reply);
        original.protocol == number(Protocol::Udp)
            && subnet.contains(original.source)
            && !subnet.contains(original.destination)
            && reply.destination == original.source
    }

    /// Whether it is one of those that are meant by something narrow.
    pub(crate) fn is_of(&self, meant: &FlowMatch) -> bool {
        let is_port = |found: Option<u16>, port: Port| found == Some(port.get());
        let (original, reply) = (&self.original, &self.reply);
        meant.family == self.family
            && meant
                .protocol
                .is_none_or(|protocol| number(protocol) == original.protocol)
            && meant
                .original_destination
                .is_none_or(|address| address == original.destination)
            && meant
                .original_destination_port
                .is_none_or(|port| is_port(original.destination_port, port))
            && meant
                .original_source
                .is_none_or(|address| address == original.source)
            && meant.reply_source.is_none_or(|(address, port)| {
                address == reply.source && port.is_none_or(|port| is_port(reply.source_port, port))
            })
    }
}
