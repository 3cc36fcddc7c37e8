//! Requests about links. Pure.
//!
//! uapi/linux/if_link.h, uapi/linux/if_bridge.h

use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, BridgeBooleanOptionFlags, BridgeBooleanOptions, BridgeStpState,
    In6AddrGenMode, InfoBridge, InfoBridgePort, InfoData, InfoKind, InfoPortData, InfoPortKind,
    InfoVeth, LinkAttribute, LinkExtentMask, LinkFlags, LinkHeader, LinkInfo, LinkMessage,
};

use super::frame::Request;
use crate::addr::{LinkIndex, LinkName, MacAddr, Mtu};
use crate::plan::{BridgeOptions, Link, PortOptions, Switch, VethStep, centiseconds};

fn message(index: u32, attributes: Vec<LinkAttribute>) -> LinkMessage {
    let mut message = LinkMessage::default();
    message.header = LinkHeader {
        index,
        ..LinkHeader::default()
    };
    message.attributes = attributes;
    message
}

fn identity(name: &LinkName, mac: MacAddr, mtu: Mtu) -> Vec<LinkAttribute> {
    vec![
        LinkAttribute::IfName(name.as_str().to_owned()),
        LinkAttribute::Address(mac.octets().to_vec()),
        LinkAttribute::Mtu(mtu.bytes()),
    ]
}

pub(crate) fn add_bridge(
    (name, index): (&LinkName, LinkIndex),
    mac: MacAddr,
    mtu: Mtu,
    options: &BridgeOptions,
) -> Request {
    let on = |switch: Switch| switch.is_on();
    let stp = |switch: Switch| match switch {
        Switch::On => BridgeStpState::KernelStp,
        Switch::Off => BridgeStpState::Disabled,
    };
    // the kernel checks ageing and delay against the state of stp: stp goes last
    let chosen = [
        options
            .ageing
            .map(|time| InfoBridge::AgeingTime(centiseconds(time))),
        options
            .multicast_snooping
            .map(on)
            .map(InfoBridge::MulticastSnooping),
        options
            .forward_delay
            .map(|time| InfoBridge::ForwardDelay(centiseconds(time))),
        options
            .reserved_learning
            .map(|learning| InfoBridge::MultiBoolOpt(reserved_learning(learning))),
        options.stp.map(stp).map(InfoBridge::StpState),
    ];
    let chosen: Vec<InfoBridge> = chosen.into_iter().flatten().collect();
    let mut attributes = identity(name, mac, mtu);
    attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Bridge),
        LinkInfo::Data(InfoData::Bridge(chosen)),
    ]));
    Request::create(RouteNetlinkMessage::NewLink(message(
        index.get(),
        attributes,
    )))
}

/// IEEE 802.1Q §8.6.3: the groups that a bridge keeps to itself.
fn reserved_learning(learning: Switch) -> BridgeBooleanOptions {
    let (mut value, mut mask) = Default::default();
    mask |= BridgeBooleanOptionFlags::NoLinkLocalLearn;
    if !learning.is_on() {
        value |= BridgeBooleanOptionFlags::NoLinkLocalLearn;
    }
    BridgeBooleanOptions { value, mask }
}

/// One queue each way: a veth's cost grows with its queues, and its packets stay on one core.
fn one_queue() -> [LinkAttribute; 2] {
    [LinkAttribute::NumTxQueues(1), LinkAttribute::NumRxQueues(1)]
}

/// Both ends in one message; the peer is born in `peer_namespace`, or beside the near end.
pub(crate) fn add_veth(veth: &VethStep, peer_namespace: Option<BorrowedFd<'_>>) -> Request {
    let mut peer = identity(&veth.peer.name, veth.peer_mac, veth.mtu);
    peer.extend(one_queue());
    peer.extend(peer_namespace.map(|fd| LinkAttribute::NetNsFd(fd.as_raw_fd())));
    let peer = message(veth.peer.index.get(), peer);

    let mut attributes = identity(&veth.link.name, veth.mac, veth.mtu);
    attributes.extend(one_queue());
    attributes.extend(
        veth.master
            .as_ref()
            .map(|m| LinkAttribute::Controller(m.index.get())),
    );
    attributes.push(LinkAttribute::LinkInfo(vec![
        LinkInfo::Kind(InfoKind::Veth),
        LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(peer))),
    ]));
    Request::create(RouteNetlinkMessage::NewLink(message(
        veth.link.index.get(),
        attributes,
    )))
}

pub(crate) fn delete(index: LinkIndex) -> Request {
    Request::change(RouteNetlinkMessage::DelLink(message(
        index.get(),
        Vec::new(),
    )))
}

/// All links of a group at once: the kernel waits once for all of them.
pub(crate) fn delete_group(group: u32) -> Request {
    let attributes = vec![LinkAttribute::Group(group)];
    Request::change(RouteNetlinkMessage::DelLink(message(0, attributes)))
}

fn set(index: LinkIndex, attributes: Vec<LinkAttribute>) -> Request {
    Request::change(RouteNetlinkMessage::SetLink(message(
        index.get(),
        attributes,
    )))
}

pub(crate) fn set_group(index: LinkIndex, group: u32) -> Request {
    set(index, vec![LinkAttribute::Group(group)])
}

/// To another namespace, under a name and an index of our choosing: without one the kernel would
/// silently give another if it is taken there.
pub(crate) fn move_to(from: LinkIndex, namespace: BorrowedFd<'_>, to: &Link) -> Request {
    set(
        from,
        vec![
            LinkAttribute::NetNsFd(namespace.as_raw_fd()),
            LinkAttribute::IfName(to.name.as_str().to_owned()),
            LinkAttribute::NewIfIndex(i32::try_from(to.index.get()).unwrap_or(i32::MAX)),
        ],
    )
}

pub(crate) fn set_alias(index: LinkIndex, alias: &str) -> Request {
    set(index, vec![LinkAttribute::IfAlias(alias.to_owned())])
}

pub(crate) fn set_name(index: LinkIndex, name: &LinkName) -> Request {
    set(index, vec![LinkAttribute::IfName(name.as_str().to_owned())])
}

pub(crate) fn set_mtu(index: LinkIndex, mtu: Mtu) -> Request {
    set(index, vec![LinkAttribute::Mtu(mtu.bytes())])
}

pub(crate) fn set_no_auto_address(index: LinkIndex) -> Request {
    let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
    set(
        index,
        vec![LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(
            vec![mode],
        )])],
    )
}

pub(crate) fn set_master(index: LinkIndex, master: Option<LinkIndex>) -> Request {
    set(
        index,
        vec![LinkAttribute::Controller(master.map_or(0, LinkIndex::get))],
    )
}

pub(crate) fn set_mac(index: LinkIndex, mac: MacAddr) -> Request {
    set(index, vec![LinkAttribute::Address(mac.octets().to_vec())])
}

pub(crate) fn set_port(index: LinkIndex, options: &PortOptions) -> Request {
    let chosen = [
        options
            .hairpin
            .map(|s| InfoBridgePort::HairpinMode(s.is_on())),
        options
            .isolated
            .map(|s| InfoBridgePort::Isolated(s.is_on())),
        options
            .learning
            .map(|s| InfoBridgePort::Learning(s.is_on())),
    ];
    let chosen = chosen.into_iter().flatten().collect();
    let attributes = vec![LinkAttribute::LinkInfo(vec![
        LinkInfo::PortKind(InfoPortKind::Bridge),
        LinkInfo::PortData(InfoPortData::BridgePort(chosen)),
    ])];
    // RTM_SETLINK passes over what concerns a port, without a word (rtnl_setlink)
    Request::change(RouteNetlinkMessage::NewLink(message(
        index.get(),
        attributes,
    )))
}

pub(crate) fn raise_loopback() -> Request {
    // include/net/net_namespace.h: LOOPBACK_IFINDEX
    const LOOPBACK_INDEX: u32 = 1;
    set_state(LOOPBACK_INDEX, Switch::On)
}

pub(crate) fn set_up(index: LinkIndex, state: Switch) -> Request {
    set_state(index.get(), state)
}

fn set_state(index: u32, state: Switch) -> Request {
    let mut message = message(index, Vec::new());
    message.header.change_mask = LinkFlags::Up;
    if state.is_on() {
        message.header.flags = LinkFlags::Up;
    }
    Request::change(RouteNetlinkMessage::SetLink(message))
}

/// A change of nothing on no link: the kernel looks at the sender's privilege first, and then
/// finds that it has nothing to do.
pub(crate) fn probe_privilege() -> Request {
    Request::change(RouteNetlinkMessage::SetLink(message(0, Vec::new())))
}

fn without_statistics() -> LinkAttribute {
    LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats])
}

pub(crate) fn get(index: LinkIndex) -> Request {
    let attributes = vec![without_statistics()];
    Request::get(RouteNetlinkMessage::GetLink(message(
        index.get(),
        attributes,
    )))
}

pub(crate) fn get_named(name: &LinkName) -> Request {
    let attributes = vec![
        LinkAttribute::IfName(name.as_str().to_owned()),
        without_statistics(),
    ];
    Request::get(RouteNetlinkMessage::GetLink(message(0, attributes)))
}

pub(crate) fn dump() -> Request {
    Request::dump(RouteNetlinkMessage::GetLink(message(
        0,
        vec![without_statistics()],
    )))
}
