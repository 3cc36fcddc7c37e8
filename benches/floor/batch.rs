//! Steps as the bytes of messages. Nothing happens here.

use std::net::IpAddr;
use std::os::fd::{AsRawFd, BorrowedFd};

use bridgework::plan::{ROUTE_PROTOCOL, Route, Step, VethStep};
use bridgework::{LinkIndex, LinkName, MacAddr, Mtu};
use ipnet::IpNet;
use nix::libc;

// uapi/linux/if_link.h
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_MTU: u16 = 4;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_AF_SPEC: u16 = 26;
const IFLA_GROUP: u16 = 27;
const IFLA_NET_NS_FD: u16 = 28;
const IFLA_EXT_MASK: u16 = 29;
const IFLA_NUM_TX_QUEUES: u16 = 31;
const IFLA_NUM_RX_QUEUES: u16 = 32;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_STATE: u16 = 1;
const IFLA_INET6_ADDR_GEN_MODE: u16 = 8;
const IN6_ADDR_GEN_MODE_NONE: u8 = 1;
const VETH_INFO_PEER: u16 = 1;
const RTEXT_FILTER_SKIP_STATS: u32 = 8;
// uapi/linux/if_bridge.h
const BR_STATE_FORWARDING: u8 = 3;
// uapi/linux/if_addr.h
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_BROADCAST: u16 = 4;
const IFA_F_NODAD: u8 = 2;
// uapi/linux/rtnetlink.h
const RTA_OIF: u16 = 4;
const RTA_GATEWAY: u16 = 5;
const RTA_PRIORITY: u16 = 6;
const RT_TABLE_MAIN: u8 = 254;
const RTN_UNICAST: u8 = 1;
const SCOPE_UNIVERSE: u8 = 0;
const SCOPE_LINK: u8 = 253;
// uapi/linux/netlink.h
const NLA_F_NESTED: u16 = 1 << 15;
const NLA_TYPE_MASK: u16 = 0x3fff;
const REQUEST: u16 = libc::NLM_F_REQUEST as u16;
const ACK: u16 = libc::NLM_F_ACK as u16;
const CREATE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
const REPLACE: u16 = (libc::NLM_F_CREATE | libc::NLM_F_REPLACE) as u16;
const CHANGE: u16 = 0;
pub const HEADER_BYTES: usize = 16;
const LINK_HEADER_BYTES: usize = 16;
const LOOPBACK_INDEX: u32 = 1;
const UP: u32 = libc::IFF_UP as u32;

/// Messages numbered from 1, of which the last is acknowledged.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    messages: u32,
    last: usize,
}

impl Batch {
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn len(&self) -> u32 {
        self.messages
    }

    pub fn deletion(index: u32) -> Self {
        let mut batch = Self::default();
        batch.message(libc::RTM_DELLINK, CHANGE, &link_header(index, 0, 0), |_| {});
        batch.ask();
        batch
    }

    pub fn grouping(indexes: &[u32], group: u32) -> Self {
        let mut batch = Self::default();
        for &index in indexes {
            batch.set(index, |b| b.number(IFLA_GROUP, group));
        }
        batch.ask();
        batch
    }

    pub fn group_deletion(group: u32) -> Self {
        let mut batch = Self::default();
        let header = link_header(0, 0, 0);
        batch.message(libc::RTM_DELLINK, CHANGE, &header, |b| {
            b.number(IFLA_GROUP, group)
        });
        batch.ask();
        batch
    }

    pub fn look(index: u32) -> Self {
        let mut batch = Self::default();
        let header = link_header(index, 0, 0);
        batch.message(libc::RTM_GETLINK, CHANGE, &header, |b| {
            b.number(IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
        });
        batch
    }

    pub fn add(&mut self, step: &Step, container: Option<BorrowedFd<'_>>) {
        match step {
            Step::AddBridge { link, mac, mtu, .. } => {
                let header = link_header(link.index.get(), 0, 0);
                self.message(libc::RTM_NEWLINK, CREATE, &header, |b| {
                    b.identity(&link.name, *mac, *mtu);
                    b.nest(IFLA_LINKINFO, |b| {
                        b.text(IFLA_INFO_KIND, "bridge");
                        b.nest(IFLA_INFO_DATA, |_| {});
                    });
                });
            }
            Step::AddVeth(veth) => self.veth(veth, container),
            Step::SetAlias { link, alias } => {
                self.set(link.index.get(), |b| {
                    b.attribute(IFLA_IFALIAS, alias.as_bytes())
                });
            }
            Step::SetNoAutoAddress { link } => self.set(link.index.get(), |b| {
                b.nest(IFLA_AF_SPEC, |b| {
                    b.nest(libc::AF_INET6 as u16, |b| {
                        b.attribute(IFLA_INET6_ADDR_GEN_MODE, &[IN6_ADDR_GEN_MODE_NONE]);
                    });
                });
            }),
            Step::RaiseLoopback { .. } => self.raise(LOOPBACK_INDEX),
            Step::SetUp { link } => self.raise(link.index.get()),
            Step::Announce { link, mac } => {
                self.set(link.index.get(), |b| {
                    b.attribute(IFLA_ADDRESS, &mac.octets())
                });
            }
            Step::AddAddress { link, address } => self.address(link.index, *address),
            Step::AddRoute(route) => self.route(CREATE, route),
            Step::ReplaceRoute { to, .. } => self.route(REPLACE, to),
            other => panic!("the floor does not know {other:?}"),
        }
    }

    fn veth(&mut self, veth: &VethStep, container: Option<BorrowedFd<'_>>) {
        let header = link_header(veth.link.index.get(), 0, 0);
        self.message(libc::RTM_NEWLINK, CREATE, &header, |b| {
            b.identity(&veth.link.name, veth.mac, veth.mtu);
            b.one_queue();
            if let Some(master) = &veth.master {
                b.number(IFLA_MASTER, master.index.get());
            }
            b.nest(IFLA_LINKINFO, |b| {
                b.text(IFLA_INFO_KIND, "veth");
                b.nest(IFLA_INFO_DATA, |b| {
                    b.nest(VETH_INFO_PEER, |b| {
                        let peer = link_header(veth.peer.index.get(), 0, 0);
                        b.bytes.extend_from_slice(&peer);
                        b.identity(&veth.peer.name, veth.peer_mac, veth.mtu);
                        b.one_queue();
                        if let Some(namespace) = container {
                            b.attribute(IFLA_NET_NS_FD, &namespace.as_raw_fd().to_ne_bytes());
                        }
                    });
                });
            });
        });
    }

    fn set(&mut self, index: u32, attributes: impl FnOnce(&mut Self)) {
        self.message(
            libc::RTM_SETLINK,
            CHANGE,
            &link_header(index, 0, 0),
            attributes,
        );
    }

    fn raise(&mut self, index: u32) {
        self.message(
            libc::RTM_SETLINK,
            CHANGE,
            &link_header(index, UP, UP),
            |_| {},
        );
    }

    fn address(&mut self, link: LinkIndex, net: IpNet) {
        let (flags, scope) = match net {
            IpNet::V6(v6) if v6.addr().is_unicast_link_local() => (IFA_F_NODAD, SCOPE_LINK),
            IpNet::V6(_) => (IFA_F_NODAD, SCOPE_UNIVERSE),
            IpNet::V4(_) => (0, SCOPE_UNIVERSE),
        };
        let mut header = vec![family(net.addr()), net.prefix_len(), flags, scope];
        header.extend_from_slice(&link.get().to_ne_bytes());
        self.message(libc::RTM_NEWADDR, CREATE, &header, |b| {
            b.ip(IFA_LOCAL, net.addr());
            b.ip(IFA_ADDRESS, net.addr());
            if net.addr().is_ipv4() {
                b.ip(IFA_BROADCAST, net.broadcast());
            }
        });
    }

    /// A default route.
    fn route(&mut self, flags: u16, route: &Route) {
        assert_eq!(
            route.destination.prefix_len(),
            0,
            "plans have default routes only"
        );
        let family = family(route.destination.addr());
        let kind = [RT_TABLE_MAIN, ROUTE_PROTOCOL, SCOPE_UNIVERSE, RTN_UNICAST];
        let header = [&[family, 0, 0, 0], kind.as_slice(), &[0; 4]].concat();
        self.message(libc::RTM_NEWROUTE, flags, &header, |b| {
            b.ip(
                RTA_GATEWAY,
                route.gateway.expect("a default route has a gateway"),
            );
            b.number(RTA_OIF, route.link.index.get());
            if route.metric > 0 {
                b.number(RTA_PRIORITY, route.metric);
            }
        });
    }

    fn identity(&mut self, name: &LinkName, mac: MacAddr, mtu: Mtu) {
        self.text(IFLA_IFNAME, name.as_str());
        self.attribute(IFLA_ADDRESS, &mac.octets());
        self.number(IFLA_MTU, mtu.bytes());
    }

    fn one_queue(&mut self) {
        self.number(IFLA_NUM_TX_QUEUES, 1);
        self.number(IFLA_NUM_RX_QUEUES, 1);
    }

    fn message(&mut self, kind: u16, flags: u16, header: &[u8], body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.last = start;
        self.messages += 1;
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes
            .extend_from_slice(&(REQUEST | flags).to_ne_bytes());
        self.bytes.extend_from_slice(&self.messages.to_ne_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(header);
        body(self);
        let length = u32::try_from(self.bytes.len() - start).expect("a short message");
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
    }

    /// The last message asks for an acknowledgement.
    pub fn ask(&mut self) {
        self.bytes[self.last + 6] |= ACK.to_ne_bytes()[0];
    }

    fn nest(&mut self, kind: u16, body: impl FnOnce(&mut Self)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes
            .extend_from_slice(&(kind | NLA_F_NESTED).to_ne_bytes());
        body(self);
        let length = u16::try_from(self.bytes.len() - start).expect("a short attribute");
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
    }

    fn attribute(&mut self, kind: u16, value: &[u8]) {
        let length = u16::try_from(4 + value.len()).expect("a short attribute");
        self.bytes.extend_from_slice(&length.to_ne_bytes());
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }

    fn text(&mut self, kind: u16, text: &str) {
        self.attribute(kind, &[text.as_bytes(), &[0]].concat());
    }

    fn number(&mut self, kind: u16, number: u32) {
        self.attribute(kind, &number.to_ne_bytes());
    }

    fn ip(&mut self, kind: u16, address: IpAddr) {
        match address {
            IpAddr::V4(v4) => self.attribute(kind, &v4.octets()),
            IpAddr::V6(v6) => self.attribute(kind, &v6.octets()),
        }
    }
}

fn family(address: IpAddr) -> u8 {
    let family = if address.is_ipv4() {
        libc::AF_INET
    } else {
        libc::AF_INET6
    };
    u8::try_from(family).expect("a small number")
}

/// `struct ifinfomsg`
fn link_header(index: u32, flags: u32, mask: u32) -> [u8; LINK_HEADER_BYTES] {
    let mut header = [0; LINK_HEADER_BYTES];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&mask.to_ne_bytes());
    header
}

/// Whether the port that `RTM_NEWLINK` tells of forwards.
pub fn forwards(message: &[u8]) -> bool {
    let attributes = message.get(HEADER_BYTES + LINK_HEADER_BYTES..);
    let state = attributes
        .and_then(|bytes| find(bytes, IFLA_LINKINFO))
        .and_then(|bytes| find(bytes, IFLA_INFO_SLAVE_DATA))
        .and_then(|bytes| find(bytes, IFLA_BRPORT_STATE));
    state == Some(&[BR_STATE_FORWARDING])
}

fn find(mut bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    loop {
        let length = usize::from(u16::from_ne_bytes(bytes.get(..2)?.try_into().ok()?));
        let kind = u16::from_ne_bytes(bytes.get(2..4)?.try_into().ok()?);
        if kind & NLA_TYPE_MASK == wanted {
            return bytes.get(4..length);
        }
        bytes = bytes.get(length.max(4).next_multiple_of(4)..)?;
    }
}
