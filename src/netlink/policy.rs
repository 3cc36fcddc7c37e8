//! Requests about the routing policy: its rules, and the routes that prohibit. Pure.
//!
//! uapi/linux/fib_rules.h, uapi/linux/rtnetlink.h

use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleHeader, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use nix::libc;

use super::address::family;
use super::attribute::find;
use super::bytes::u32_at;
use super::frame::Request;
use super::read::Reader;
use crate::addr::Family;
use crate::plan::{PolicyAction, PolicyRule, Prohibition, ROUTE_PROTOCOL};

pub(crate) fn add(rule: &PolicyRule) -> Request {
    Request::create(RouteNetlinkMessage::NewRule(message(rule)))
}

pub(crate) fn delete(rule: &PolicyRule) -> Request {
    Request::change(RouteNetlinkMessage::DelRule(message(rule)))
}

/// One that somebody has left behind, who was killed, is as good.
pub(crate) fn prohibit(prohibition: &Prohibition) -> Request {
    Request::replace(RouteNetlinkMessage::NewRoute(prohibiting(prohibition)))
}

pub(crate) fn permit(prohibition: &Prohibition) -> Request {
    Request::change(RouteNetlinkMessage::DelRoute(prohibiting(prohibition)))
}

/// All rules of one family.
pub(crate) fn dump(family: Family) -> Request {
    let mut message = RuleMessage::default();
    message.header.family = address_family(family);
    Request::dump(RouteNetlinkMessage::GetRule(message))
}

/// Rules that bear our mark and say what ours can say.
pub(crate) const RULE: Reader<PolicyRule> = Reader {
    kind: libc::RTM_NEWRULE,
    read: rule,
};

// uapi/linux/fib_rules.h
const HEADER_BYTES: usize = 12;
const ACTION_AT: usize = 7;
const FRA_IIFNAME: u16 = 3;
const FRA_GOTO: u16 = 4;
const FRA_PRIORITY: u16 = 6;
const FRA_FWMARK: u16 = 10;
const FRA_TABLE: u16 = 15;
const FRA_FWMASK: u16 = 16;
const FRA_PROTOCOL: u16 = 21;

/// A rule, from the body of `RTM_NEWRULE`.
fn rule(body: &[u8]) -> Option<PolicyRule> {
    let rest = body.get(HEADER_BYTES..)?;
    let number = |kind| find(rest, kind).and_then(|value| u32_at(value, 0));
    if find(rest, FRA_PROTOCOL) != Some(&[ROUTE_PROTOCOL]) || number(FRA_FWMARK).unwrap_or(0) != 0 {
        return None;
    }
    let by = match find(rest, FRA_IIFNAME) {
        None => None,
        Some(name) => Some(
            std::str::from_utf8(name.strip_suffix(&[0])?)
                .ok()?
                .parse()
                .ok()?,
        ),
    };
    // FR_ACT_TO_TBL, FR_ACT_GOTO, FR_ACT_NOP
    let action = match body.get(ACTION_AT)? {
        1 => PolicyAction::Lookup(number(FRA_TABLE)?),
        2 => PolicyAction::Goto(number(FRA_GOTO)?),
        3 => PolicyAction::Nop,
        _ => return None,
    };
    let family = [Family::V4, Family::V6].into_iter();
    Some(PolicyRule {
        family: { family }.find(|of| Some(&u8::from(address_family(*of))) == body.first())?,
        priority: number(FRA_PRIORITY)?,
        by,
        unless_marked: number(FRA_FWMASK).filter(|mask| *mask != 0),
        action,
    })
}

fn address_family(family: Family) -> AddressFamily {
    match family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    }
}

fn message(rule: &PolicyRule) -> RuleMessage {
    let (action, target) = match rule.action {
        PolicyAction::Lookup(table) => (RuleAction::ToTable, Some(RuleAttribute::Table(table))),
        PolicyAction::Goto(priority) => (RuleAction::Goto, Some(RuleAttribute::Goto(priority))),
        PolicyAction::Nop => (RuleAction::Nop, None),
    };
    let mut message = RuleMessage::default();
    message.header = RuleHeader {
        family: address_family(rule.family),
        action,
        ..RuleHeader::default()
    };
    let by = rule.by.as_ref().map(|link| link.as_str().to_owned());
    let unmarked = rule.unless_marked.map(|_| RuleAttribute::FwMark(0));
    let attributes = [
        Some(RuleAttribute::Priority(rule.priority)),
        Some(RuleAttribute::Protocol(RouteProtocol::Other(
            ROUTE_PROTOCOL,
        ))),
        by.map(RuleAttribute::Iifname),
        unmarked,
        rule.unless_marked.map(RuleAttribute::FwMask),
        target,
    ];
    message.attributes = attributes.into_iter().flatten().collect();
    message
}

fn prohibiting(prohibition: &Prohibition) -> RouteMessage {
    let subnet = prohibition.subnet;
    let mut message = RouteMessage::default();
    message.header = RouteHeader {
        address_family: family(subnet.first()),
        destination_prefix_length: subnet.prefix_len(),
        // the attribute says it, which has room for more than a byte
        table: RouteHeader::RT_TABLE_UNSPEC,
        protocol: RouteProtocol::Other(ROUTE_PROTOCOL),
        scope: RouteScope::Universe,
        kind: RouteType::Prohibit,
        ..RouteHeader::default()
    };
    if subnet.prefix_len() > 0 {
        let address = RouteAddress::from(subnet.first());
        message
            .attributes
            .push(RouteAttribute::Destination(address));
    }
    message
        .attributes
        .push(RouteAttribute::Table(prohibition.table));
    message
}
