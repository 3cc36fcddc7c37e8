//! What bears our mark in the kernel, and what of it is of no record.

use std::collections::BTreeSet;
use std::fmt;

use crate::addr::Subnet;
use crate::addr::{LinkIndex, LinkName};
use crate::error::Result;
use crate::firewall::{UPLINK_COMMENT, bare_firewall};
use crate::plan::nft::Element;
use crate::plan::{
    ALIAS_MARK, HostFirewall, Link, PROHIBITION_TABLE, Plan, PolicyRule, Prohibition,
    ROUTE_PROTOCOL, Side, Step, UplinkFamily,
};
use crate::record::{Body, Record};
use crate::snapshot::{LinkState, RouteState, Snapshot};

use super::Host;
use super::strangers::{has_another_store, is_of_another_store};

/// Something that bore our mark and was nobody's.
///
/// ```
/// use bridgework::Orphan;
///
/// let (name, alias) = ("br0".to_owned(), "bridgework network shop abab".to_owned());
/// let orphan = Orphan::Link { name, alias };
/// assert_eq!(orphan.to_string(), "link br0 (bridgework network shop abab)");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Orphan {
    /// A link.
    Link {
        /// Its name.
        name: String,
        /// What its alias said.
        alias: String,
    },
    /// An element of a set of our tables.
    Element(Element),
    /// A rule of the routing policy.
    PolicyRule(PolicyRule),
    /// A route that prohibits a subnet.
    Prohibition(Prohibition),
    /// All that networks share, without any.
    Firewall,
}

impl fmt::Display for Orphan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Link { name, alias } => write!(f, "link {name} ({alias})"),
            Self::Element(element) => write!(f, "element {element}"),
            Self::PolicyRule(rule) => write!(f, "rule {rule}"),
            Self::Prohibition(prohibition) => write!(f, "route {prohibition}"),
            Self::Firewall => f.write_str("tables bridgework"),
        }
    }
}

/// All that bears our mark at one moment.
pub(super) struct Marked {
    /// Of the tables, when the elements began to be read.
    generation: u32,
    pub(super) snapshot: Snapshot,
    firewall: HostFirewall,
    pub(super) elements: Vec<Element>,
    policy: Vec<PolicyRule>,
}

/// What is nobody's, and how it goes.
pub(super) struct Unowned {
    pub(super) orphans: Vec<Orphan>,
    /// When they were seen, and nobody else had them.
    generation: u32,
    /// Those that go first.
    elements: Vec<Element>,
    /// Then these, as one group.
    links: Vec<Link>,
    plan: Plan,
}

impl Host {
    pub(super) fn see_marked(&self) -> Result<Marked> {
        let kernel = self.kernel();
        // elements name links that are not there yet, so that these are looked at last
        let policy = kernel.policy()?;
        let snapshot = kernel.snapshot()?;
        let firewall = bare_firewall(&snapshot);
        let generation = kernel.tables_generation()?;
        let elements = kernel.elements(&firewall)?;
        Ok(Marked {
            generation,
            snapshot,
            firewall,
            elements,
            policy,
        })
    }

    /// What none of these records is of.
    pub(super) fn unowned(&self, seen: &Marked, records: &[Record]) -> Unowned {
        let mut orphans = Vec::new();
        let tag = self.0.registry.store_tag();
        let mut links = unowned_links(&seen.snapshot, records);
        links.retain(|link| !is_of_another_store(link, tag));
        orphans.extend(links.iter().map(|state| Orphan::Link {
            name: state.name.clone(),
            alias: state.alias.clone(),
        }));
        if has_another_store(&seen.snapshot, tag) {
            // of the rest nobody can say which of them it is of
            return Unowned {
                orphans,
                generation: seen.generation,
                elements: Vec::new(),
                links: links.iter().filter_map(link).collect(),
                plan: Plan::new(),
            };
        }
        let own = self.kernel().own_elements();
        let has_networks = own.iter().any(|element| element.set == "bridges");
        let elements = unowned_elements(&seen.elements, &own);
        orphans.extend(elements.iter().cloned().map(Orphan::Element));
        let mut plan = Plan::new();
        let networks = bridges_and_subnets(records);
        let prohibitions = unowned_prohibitions(&seen.snapshot, &networks.1);
        plan.extend(prohibitions.iter().copied().map(Step::DeleteProhibition));
        orphans.extend(prohibitions.into_iter().map(Orphan::Prohibition));
        let going: BTreeSet<&str> = links.iter().map(|state| state.name.as_str()).collect();
        let rules = unowned_rules(seen, (&networks.0, &going), has_networks);
        plan.extend(forwarded_no_more(seen, &rules));
        plan.extend(rules.iter().cloned().map(Step::DeletePolicyRule));
        orphans.extend(rules.into_iter().map(Orphan::PolicyRule));
        if !has_networks && !seen.elements.is_empty() {
            plan.push(Step::RetireFirewall(seen.firewall.clone()));
            orphans.push(Orphan::Firewall);
        }
        Unowned {
            orphans,
            generation: seen.generation,
            elements,
            links: links.iter().filter_map(link).collect(),
            plan,
        }
    }

    /// Whether nobody has changed a table since it was seen.
    pub(super) fn is_recent(&self, seen: &Marked) -> Result<bool> {
        Ok(self.kernel().tables_generation()? == seen.generation)
    }

    /// Removes it; nothing, if it may be somebody's by now.
    pub(super) fn remove_unowned(&self, unowned: Unowned) -> Result<Option<Vec<Orphan>>> {
        let kernel = self.kernel();
        let Unowned {
            generation,
            elements,
            ..
        } = &unowned;
        if !elements.is_empty() && !kernel.remove_elements_in(*generation, elements)? {
            return Ok(None);
        }
        kernel.delete_together(&unowned.links)?;
        if !unowned.plan.is_empty() {
            kernel.take_back(&unowned.plan, None)?;
        }
        Ok(Some(unowned.orphans))
    }
}

fn link(state: &LinkState) -> Option<Link> {
    let name: LinkName = state.name.parse().ok()?;
    let index = LinkIndex::new(state.index).ok()?;
    Some(Link::new(Side::Host, name, index))
}

/// Links of networks and containers whose index is in no record. The far end of a wire that is on
/// this side has no mark of its own, and goes with the near one.
fn unowned_links(snapshot: &Snapshot, records: &[Record]) -> Vec<LinkState> {
    let owned: BTreeSet<u32> = records.iter().filter_map(index_of).collect();
    let kinds = [" network ", " endpoint "];
    let is_marked = |state: &&LinkState| {
        let mark = state.alias.strip_prefix(ALIAS_MARK).unwrap_or_default();
        kinds.iter().any(|kind| mark.starts_with(kind))
    };
    let marked = snapshot.links.iter().filter(is_marked);
    let unowned = marked.filter(|state| !owned.contains(&state.index));
    unowned.cloned().collect()
}

pub(super) fn index_of(record: &Record) -> Option<u32> {
    match &record.body {
        Body::Network(network) => Some(network.spec.link.index.get()),
        Body::Endpoint(endpoint) => Some(endpoint.spec.host_link.index.get()),
        _ => None,
    }
}

/// Elements by which links lead out are of no network, and go with the last one.
fn unowned_elements(seen: &[Element], own: &BTreeSet<Element>) -> Vec<Element> {
    let place = |element: &Element| (element.set, element.key.clone());
    let own: BTreeSet<_> = own.iter().map(place).collect();
    // what others have put there has no comment, or one of theirs
    let is_ours =
        |element: &&Element| !element.comment.is_empty() && element.comment != UPLINK_COMMENT;
    let ours = seen.iter().filter(is_ours);
    let unowned = ours.filter(|element| !own.contains(&place(element)));
    unowned.cloned().collect()
}

/// The links of all networks, and their subnets.
fn bridges_and_subnets(records: &[Record]) -> (BTreeSet<String>, BTreeSet<Subnet>) {
    let networks = records.iter().filter_map(|record| match &record.body {
        Body::Network(network) => Some(&network.spec),
        _ => None,
    });
    let (mut bridges, mut subnets) = (BTreeSet::new(), BTreeSet::new());
    for spec in networks {
        bridges.insert(spec.link.name.to_string());
        subnets.extend(spec.ranges().map(|range| range.subnet));
    }
    (bridges, subnets)
}

fn unowned_prohibitions(snapshot: &Snapshot, owned: &BTreeSet<Subnet>) -> Vec<Prohibition> {
    let is_ours =
        |route: &&RouteState| route.protocol == ROUTE_PROTOCOL && route.table == PROHIBITION_TABLE;
    let routes = snapshot.routes.iter().filter(is_ours);
    let subnets = routes.map(|route| Subnet::of(route.destination));
    let unowned = subnets.filter(|subnet| !owned.contains(subnet));
    let table = PROHIBITION_TABLE;
    unowned
        .map(|subnet| Prohibition { subnet, table })
        .collect()
}

/// What was not forwarded before networks were there is not forwarded again.
fn forwarded_no_more(seen: &Marked, rules: &[PolicyRule]) -> Vec<Step> {
    let reminded_of = rules.iter().filter_map(UplinkFamily::reminded_of);
    let is_there = |link: &LinkName| seen.snapshot.link_named(link.as_str()).is_some();
    let there = reminded_of.filter(|(link, _)| is_there(link));
    let steps = there.map(|(link, family)| Step::SetSysctl {
        side: Side::Host,
        key: UplinkFamily::setting_of(family, link),
        value: 0,
    });
    steps.collect()
}

/// Rules of links that are neither a network's nor stay; all of them where there is no network.
fn unowned_rules(
    seen: &Marked,
    (bridges, going): (&BTreeSet<String>, &BTreeSet<&str>),
    has_networks: bool,
) -> Vec<PolicyRule> {
    let is_needed = |rule: &&PolicyRule| match &rule.by {
        Some(link) => {
            let is_there = seen.snapshot.link_named(link.as_str()).is_some();
            bridges.contains(link.as_str()) || is_there && !going.contains(link.as_str())
        }
        None => true,
    };
    let rules = seen.policy.iter();
    let unowned = rules.filter(|rule| !(has_networks && is_needed(rule)));
    unowned.cloned().collect()
}
