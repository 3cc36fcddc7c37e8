//! What the kernel tells everybody who listens of changes to links, addresses, routes and the routing
//! policy. Pure; any bytes are survived.
//!
//! uapi/linux/rtnetlink.h: `RTNLGRP_*`

use nix::libc;

use super::{policy, read};
use crate::snapshot::Change;

/// The multicast groups of all that is read here.
pub(crate) const GROUPS: [u32; 7] = [
    libc::RTNLGRP_LINK,
    libc::RTNLGRP_IPV4_IFADDR,
    libc::RTNLGRP_IPV6_IFADDR,
    libc::RTNLGRP_IPV4_ROUTE,
    libc::RTNLGRP_IPV6_ROUTE,
    libc::RTNLGRP_IPV4_RULE,
    libc::RTNLGRP_IPV6_RULE,
];

/// What a message of that kind tells; `None` where that is nothing that plans make.
pub(crate) fn change(kind: u16, body: &[u8]) -> Option<Change> {
    match kind {
        // a bridge tells of its ports, too (`br_ifinfo_notify`)
        libc::RTM_NEWLINK | libc::RTM_DELLINK if *body.first()? != libc::AF_UNSPEC as u8 => None,
        libc::RTM_NEWLINK => (read::LINK.read)(body).map(Change::Link),
        libc::RTM_DELLINK => (read::LINK.read)(body).map(|link| Change::LinkGone(link.index)),
        libc::RTM_NEWADDR => (read::ADDRESS.read)(body).map(Change::Address),
        libc::RTM_DELADDR => (read::ADDRESS.read)(body).map(Change::AddressGone),
        libc::RTM_NEWROUTE => (read::ROUTE.read)(body).map(Change::Route),
        libc::RTM_DELROUTE => (read::ROUTE.read)(body).map(Change::RouteGone),
        libc::RTM_NEWRULE => (policy::RULE.read)(body).map(Change::Rule),
        libc::RTM_DELRULE => (policy::RULE.read)(body).map(Change::RuleGone),
        _ => None,
    }
}
