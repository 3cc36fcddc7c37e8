//! What a host must have for its networks, beside what it has.

use std::collections::BTreeSet;
use std::net::IpAddr;

use super::finding::Finding;
use super::links::missing;
use super::present::Present;
use crate::addr::{Family, LinkName};
use crate::firewall::{ForwardDrop, host_firewall, subnets};
use crate::plan::nft::{Deviation, Element, Field, Value};
use crate::plan::{
    ConfScope, HostFirewall, Ipv4Conf, Plan, PolicyRule, Side, Step, Switch, Sysctl, Uplink,
};
use crate::snapshot::Snapshot;
use crate::spec::NetworkSpec;

/// One network as it was made.
#[derive(Debug, Clone)]
pub(crate) struct Made<'a> {
    pub(crate) spec: &'a NetworkSpec,
    pub(crate) plan: &'a Plan,
    /// The plans by which its containers were connected.
    pub(crate) wires: Vec<&'a Plan>,
}

/// What the kernel has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Survey {
    pub(crate) snapshot: Snapshot,
    /// What is not as it must be in our tables.
    pub(crate) deviations: Vec<Deviation>,
    /// What we have in the tables.
    pub(crate) elements: Vec<Element>,
    /// The routing policy's rules that bear our mark.
    pub(crate) policy: Vec<PolicyRule>,
    /// Settings, by those that were asked for.
    pub(crate) settings: Vec<(Sysctl, Option<u32>)>,
    /// Others' chains that drop what is forwarded.
    pub(crate) drops: Vec<ForwardDrop>,
    pub(crate) frames_filtered: bool,
    /// Families that the older packet filter has tables for.
    pub(crate) legacy: Vec<Family>,
}

/// What the host must have now for these networks: their links apart, and uplinks as they are.
pub(crate) fn firewall_now(snapshot: &Snapshot, networks: &[Made<'_>]) -> Option<HostFirewall> {
    let mut firewall = host_firewall(snapshot, networks.first()?.spec);
    let own: Vec<&LinkName> = networks.iter().map(|made| &made.spec.link.name).collect();
    firewall
        .uplinks
        .retain(|uplink| !own.contains(&&uplink.link));
    Some(firewall)
}

/// The settings of the host that must hold: those of the networks' own plans, of their uplinks, and
/// of bridges by which ports lead from 127.0.0.1.
pub(crate) fn settings(
    networks: &[Made<'_>],
    firewall: Option<&HostFirewall>,
    elements: &[Element],
) -> Vec<(Sysctl, u32)> {
    let of_plan = |step: &Step| match step {
        Step::SetSysctl {
            side: Side::Host,
            key,
            value,
        } => Some((key.clone(), *value)),
        _ => None,
    };
    let plans = networks.iter().flat_map(|made| made.plan.steps());
    let mut all: Vec<(Sysctl, u32)> = plans.filter_map(of_plan).collect();
    let uplinks = firewall.into_iter().flat_map(|firewall| &firewall.uplinks);
    for uplink in uplinks.filter(|uplink| elements.contains(&uplink.element)) {
        let families = uplink.families.iter();
        let raised = families.filter(|family| elements.contains(&family.raised));
        all.extend(raised.map(|family| (family.setting(&uplink.link), 1)));
    }
    let local: BTreeSet<&LinkName> = elements
        .iter()
        .filter_map(|element| bridge_of(led_from_loopback(element)?, networks))
        .collect();
    all.extend(local.into_iter().map(|bridge| {
        let scope = ConfScope::Link(bridge.clone());
        (Sysctl::Ipv4(scope, Ipv4Conf::RouteLocalnet), 1)
    }));
    // the last word of a plan counts
    let mut last: Vec<(Sysctl, u32)> = Vec::new();
    for (key, value) in all {
        last.retain(|(other, _)| *other != key);
        last.push((key, value));
    }
    last
}

/// The settings that say whether what comes in by links that are known is forwarded already, where no
/// element says that it was made so: the link may have got addresses of that family since.
pub(crate) fn settings_of_others(firewall: &HostFirewall, elements: &[Element]) -> Vec<Sysctl> {
    let known = firewall.uplinks.iter();
    let known = known.filter(|uplink| elements.contains(&uplink.element));
    let settings = known.flat_map(|uplink| {
        let families = uplink.families.iter();
        let others = families.filter(|family| !elements.contains(&family.raised));
        others.flat_map(|family| family.says_whether_forwarded(&uplink.link))
    });
    settings.collect()
}

/// Whether nothing is forwarded that comes in by it in one of its families, though all else is there.
fn lacks_a_family(uplink: &Uplink, survey: &Survey) -> bool {
    let is_off = |key: &Sysctl| {
        let mut settings = survey.settings.iter();
        settings.any(|(other, found)| other == key && *found == Some(0))
    };
    let families = uplink.families.iter();
    let mut others = families.filter(|family| !survey.elements.contains(&family.raised));
    others.any(|family| {
        family
            .says_whether_forwarded(&uplink.link)
            .all(|key| is_off(&key))
    })
}

/// The container that a port of 127.0.0.1 leads to by this element.
fn led_from_loopback(element: &Element) -> Option<IpAddr> {
    let is_local = match (element.set, element.key.first()) {
        ("published_any4", _) => true,
        ("published4", Some(Field::Ipv4(address))) => address.is_loopback(),
        _ => false,
    };
    match &element.value {
        Value::Fields(fields) if is_local => match fields.first() {
            Some(Field::Ipv4(address)) => Some((*address).into()),
            _ => None,
        },
        _ => None,
    }
}

fn bridge_of<'a>(container: IpAddr, networks: &[Made<'a>]) -> Option<&'a LinkName> {
    let has = |made: &&Made<'_>| {
        let mut ranges = made.spec.ranges();
        ranges.any(|range| range.subnet.contains(container))
    };
    networks.iter().find(has).map(|made| &made.spec.link.name)
}

/// All that is wrong: with links first, in the order in which they are made again.
pub(crate) fn findings(survey: &Survey, networks: &[Made<'_>]) -> Vec<Finding> {
    let mut found = of_links(&survey.snapshot, networks);
    let filtered = networks.iter().filter(|made| made.spec.firewall.is_on());
    let filtered: Vec<Made<'_>> = filtered.cloned().collect();
    found.extend(of_firewall(survey, &filtered));
    found
}

fn of_links(host: &Snapshot, networks: &[Made<'_>]) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    for made in networks {
        let bridge = &made.spec.link;
        let is_made = made.plan.steps().iter().any(|step| step.brings(bridge));
        let state = host.link_named(bridge.name.as_str());
        let is_there = state.is_some_and(|state| state.index == bridge.index.get());
        if !is_made && !is_there {
            found.push(Finding::BridgeMissing {
                network: made.spec.name.clone(),
                bridge: bridge.name.clone(),
            });
        }
    }
    let plans = networks.iter().map(|made| made.plan);
    let plans = plans.chain(networks.iter().flat_map(|made| made.wires.iter().copied()));
    let host = Present::of(host);
    let deviations = plans.flat_map(|plan| missing(plan, &host));
    found.extend(deviations.map(|deviation| match deviation.step {
        Step::AddProhibition(prohibition) => Finding::Prohibition(prohibition),
        _ => Finding::Deviation(deviation),
    }));
    found
}

fn of_firewall(survey: &Survey, networks: &[Made<'_>]) -> Vec<Finding> {
    let Some(firewall) = firewall_now(&survey.snapshot, networks) else {
        return Vec::new();
    };
    let mut found: Vec<Finding> = Vec::new();
    let is_there = |link: &LinkName| survey.snapshot.link_named(link.as_str()).is_some();
    let deviations = survey.deviations.iter().cloned();
    found.extend(deviations.map(Finding::Table));
    let rules = policy_rules(&firewall, networks, &survey.elements);
    let absent = rules
        .into_iter()
        .filter(|rule| !survey.policy.contains(rule));
    found.extend(absent.map(Finding::PolicyRule));
    let needed = settings(networks, Some(&firewall), &survey.elements);
    found.extend(needed.into_iter().filter_map(|(key, needed)| {
        let asked = survey.settings.iter().find(|(other, _)| *other == key)?;
        let is_gone = matches!(key.scope(), ConfScope::Link(link) if !is_there(link));
        let found = asked.1;
        (found != Some(needed) && !is_gone).then_some(Finding::Setting { key, found, needed })
    }));
    let new = firewall.uplinks.iter();
    let new = new.filter(|uplink| {
        !survey.elements.contains(&uplink.element) || lacks_a_family(uplink, survey)
    });
    found.extend(new.map(|uplink| Finding::Uplink {
        link: uplink.link.clone(),
    }));
    found.extend(foreign(survey, networks));
    found
}

/// Those of the host, of its uplinks and of each network.
fn policy_rules(
    firewall: &HostFirewall,
    networks: &[Made<'_>],
    elements: &[Element],
) -> Vec<PolicyRule> {
    let known = firewall.uplinks.iter();
    let known = known.filter(|uplink| elements.contains(&uplink.element));
    let barriers = known
        .clone()
        .flat_map(|uplink| firewall.barriers_of(&uplink.link));
    let reminders = known.flat_map(|uplink| {
        let families = uplink.families.iter();
        let raised = families.filter(|family| elements.contains(&family.raised));
        raised.map(|family| family.reminder(&uplink.link))
    });
    let of_network = |step: &Step| match step {
        Step::AddPolicyRule(rule) => Some(rule.clone()),
        _ => None,
    };
    let plans = networks.iter().flat_map(|made| made.plan.steps());
    let shared = firewall.rules.iter().cloned();
    shared
        .chain(barriers)
        .chain(reminders)
        .chain(plans.filter_map(of_network))
        .collect()
}

/// What others have that keeps ours from working.
fn foreign(survey: &Survey, networks: &[Made<'_>]) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut dropped: BTreeSet<&LinkName> = BTreeSet::new();
    for drop in &survey.drops {
        let concerns = |made: &&Made<'_>| {
            let families: &[Family] = match drop.family {
                "ip" => &[Family::V4],
                "ip6" => &[Family::V6],
                _ => &[Family::V4, Family::V6],
            };
            let mut families = families.iter();
            families.any(|&family| subnets(made.spec, family).next().is_some())
        };
        let bridges = networks
            .iter()
            .filter(concerns)
            .map(|made| &made.spec.link.name);
        let bridges = bridges.filter(|bridge| !drop.accepted.contains(bridge));
        let bridges: BTreeSet<&LinkName> = bridges.collect();
        if bridges.is_empty() {
            continue;
        }
        dropped.extend(&bridges);
        found.push(Finding::ForeignDrop {
            family: drop.family.to_owned(),
            table: drop.table.clone(),
            chain: drop.chain.clone(),
            bridges: bridges.into_iter().cloned().collect(),
        });
    }
    let apart = networks
        .iter()
        .filter(|made| made.spec.options.icc == Some(Switch::Off));
    let apart: Vec<LinkName> = apart.map(|made| made.spec.link.name.clone()).collect();
    if survey.frames_filtered && !(dropped.is_empty() && apart.is_empty()) {
        let dropped = dropped.into_iter().cloned().collect();
        found.push(Finding::FramesFiltered { dropped, apart });
    }
    let legacy = survey.legacy.iter();
    found.extend(legacy.map(|&family| Finding::LegacyFilter { family }));
    found
}
