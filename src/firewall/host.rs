//! What all networks of a host share, from what the host has.

use super::table::{VOUCHED_MARK, tables};
use crate::addr::{Family, LinkName};
use crate::plan::nft::{Element, Field, Ownership, TableFamily, Verdict};
use crate::plan::{
    ALIAS_MARK, HostFirewall, PROHIBITION_TABLE, PolicyAction, PolicyRule, Prohibition, Sysctl,
    Uplink, UplinkFamily,
};
use crate::snapshot::{LinkState, Snapshot};
use crate::spec::NetworkSpec;

use super::network::subnets;
use super::words::{Words, link};

/// Where the rules begin: what the host itself sends is led past them.
const FIRST: u32 = 9800;
/// Where each link has its rule.
const EACH: u32 = 9805;
/// Where they end.
const LAST: u32 = 9809;

/// What elements say that are there for a link by which others are reached.
pub(crate) const UPLINK_COMMENT: &str = "a way out";

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// The tables and rules of a host, and the links that it has besides ours and the one of this network.
pub(crate) fn host_firewall(host: &Snapshot, network: &NetworkSpec) -> HostFirewall {
    let own = &network.link.name;
    let foreign = host.links.iter().filter(|link| link.name != own.as_str());
    firewall_with(foreign, host, network.firewall.ownership())
}

/// That the link of a network is one by which others are reached: once the network is gone from it.
pub(crate) fn way_out(host: &Snapshot, network: &NetworkSpec) -> HostFirewall {
    let own = &network.link.name;
    let own = host.links.iter().filter(|link| link.name == own.as_str());
    firewall_with(own, host, network.firewall.ownership())
}

/// What the filter has of a link while it is such a one.
pub(crate) fn elements_of_way_out(name: &LinkName) -> Vec<Element> {
    let words = Words::new(TableFamily::Inet, UPLINK_COMMENT);
    let mut elements = vec![words.member("uplinks", [link(name)]), through(&words, name)];
    elements.extend(FAMILIES.map(|family| raised(&words, name, family)));
    elements
}

/// The rules that a link has while it is such a one.
pub(crate) fn barriers_of_way_out(name: &LinkName) -> impl Iterator<Item = PolicyRule> {
    let name = name.clone();
    FAMILIES.into_iter().flat_map(move |family| {
        let barrier = PolicyRule {
            by: Some(name.clone()),
            ..barrier(family)
        };
        [barrier, UplinkFamily::reminder_of(family, &name)]
    })
}

/// The settings of the link that are as they are since it is such a one, as these elements or rules say.
pub(crate) fn raised_settings(
    there: &[Element],
    rules: &[PolicyRule],
    name: &LinkName,
) -> Vec<Sysctl> {
    let words = Words::new(TableFamily::Inet, UPLINK_COMMENT);
    let is_raised = |family: &Family| {
        there.contains(&raised(&words, name, *family))
            || rules.contains(&UplinkFamily::reminder_of(*family, name))
    };
    let families = FAMILIES.into_iter().filter(is_raised);
    families
        .map(|family| UplinkFamily::setting_of(family, name))
        .collect()
}

fn raised(words: &Words, name: &LinkName, family: Family) -> Element {
    words.member("raised", [Field::Family(family), link(name)])
}

fn through(words: &Words, name: &LinkName) -> Element {
    words.verdict("within", [link(name), link(name)], Verdict::Accept)
}

/// As [`host_firewall`], where nothing is known of any network.
pub(crate) fn bare_firewall(host: &Snapshot) -> HostFirewall {
    firewall_with(host.links.iter(), host, Ownership::Shared)
}

fn firewall_with<'l>(
    foreign: impl Iterator<Item = &'l LinkState>,
    host: &Snapshot,
    ownership: Ownership,
) -> HostFirewall {
    let shared = |family| {
        let lo = "lo".parse().expect("it is a name");
        [
            rule(family, (FIRST, Some(lo)), PolicyAction::Goto(LAST)),
            rule(family, (LAST, None), PolicyAction::Nop),
        ]
    };
    HostFirewall {
        tables: tables(ownership),
        rules: FAMILIES.into_iter().flat_map(shared).collect(),
        barriers: FAMILIES.into_iter().map(barrier).collect(),
        uplinks: foreign.filter_map(|link| uplink(link, host)).collect(),
    }
}

/// A link with addresses that others can reach, unless it is a network's.
fn uplink(state: &LinkState, host: &Snapshot) -> Option<Uplink> {
    let name: LinkName = state.name.parse().ok()?;
    let mark = state.alias.strip_prefix(ALIAS_MARK).unwrap_or_default();
    if mark.starts_with(" network ") || name.as_str() == "lo" {
        return None;
    }
    let mut families: Vec<Family> = host
        .addresses
        .iter()
        .filter(|held| held.link == state.index && !held.is_near())
        .map(|held| Family::of(held.address.addr()))
        .collect();
    families.sort();
    families.dedup();
    if families.is_empty() {
        return None;
    }
    let words = Words::new(TableFamily::Inet, UPLINK_COMMENT);
    let is_bridge = state.kind == "bridge";
    let of_family = |family| UplinkFamily {
        family,
        raised: raised(&words, &name, family),
        passing: Vec::from_iter(is_bridge.then(|| through(&words, &name))),
    };
    Some(Uplink {
        element: words.member("uplinks", [link(&name)]),
        families: families.into_iter().map(of_family).collect(),
        link: name,
    })
}

/// The rules and routes by which nothing reaches a network, or leaves it, that the filter does not
/// vouch for.
pub(crate) fn barriers(network: &NetworkSpec) -> (Vec<PolicyRule>, Vec<Prohibition>) {
    let present = FAMILIES.into_iter();
    let present = present.filter(|family| subnets(network, *family).next().is_some());
    let rules = present.map(|family| PolicyRule {
        by: Some(network.link.name.clone()),
        ..barrier(family)
    });
    let prohibitions = network.ranges().map(|range| Prohibition {
        subnet: range.subnet,
        table: PROHIBITION_TABLE,
    });
    (rules.collect(), prohibitions.collect())
}

/// What comes by a link reaches no network of ours, unless it bears the mark.
fn barrier(family: Family) -> PolicyRule {
    let action = PolicyAction::Lookup(PROHIBITION_TABLE);
    PolicyRule {
        unless_marked: Some(VOUCHED_MARK),
        ..rule(family, (EACH, None), action)
    }
}

fn rule(
    family: Family,
    (priority, by): (u32, Option<LinkName>),
    action: PolicyAction,
) -> PolicyRule {
    PolicyRule {
        family,
        priority,
        by,
        unless_marked: None,
        action,
    }
}
