//! What plans say of the host's side, so that one change that the kernel tells of can be judged by
//! itself: most are of others' things, or our own doing, and need no look at all of a host.

use std::collections::HashMap;

use ipnet::IpNet;

use super::links::RT_TABLE_MAIN;
use crate::addr::MacAddr;
use crate::plan::{HostFirewall, Link, Plan, PolicyRule, Side, Step};
use crate::snapshot::{Change, LinkState, RouteState};

/// What must be there, of all plans together.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    links: HashMap<u32, LinkWord>,
    /// Each as often as plans say so.
    others: HashMap<Subject, usize>,
}

/// What a change is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    Link(u32),
    /// That a link was gone for a while: what it had may not be there again with it.
    Absence(u32),
    /// Of the link with that number.
    Address(u32, IpNet),
    /// By its table.
    Route(u32, IpNet),
    Rule(PolicyRule),
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is as it must be.
    Right,
    /// It may not be.
    Wrong,
}

/// What plans say of one link. What they say nothing of may be anything.
#[derive(Debug, Default)]
struct LinkWord {
    name: Option<String>,
    mac: Option<MacAddr>,
    mtu_bytes: Option<u32>,
    master: Option<Option<u32>>,
    alias: Option<String>,
    up: bool,
}

impl Expected {
    /// What `plan` has made must be there from now on.
    pub(crate) fn add(&mut self, plan: &Plan) {
        for step in plan.steps().iter().filter(|step| is_near(step)) {
            self.add_link(step);
            for subject in subjects(step) {
                *self.others.entry(subject).or_default() += 1;
            }
        }
    }

    /// It may be taken back.
    pub(crate) fn remove(&mut self, plan: &Plan) {
        for step in plan.steps().iter().filter(|step| is_near(step)) {
            if let Some(link) = step.link() {
                self.links.remove(&link.index.get());
            }
            for subject in subjects(step) {
                if let Some(times) = self.others.get_mut(&subject) {
                    *times -= 1;
                    if *times == 0 {
                        self.others.remove(&subject);
                    }
                }
            }
        }
    }

    /// What a change means for what must be there; `None` where it is about something else.
    pub(crate) fn judge(&self, change: &Change) -> Option<(Subject, Verdict)> {
        let (subject, verdict) = match change {
            Change::Link(state) => {
                let word = self.links.get(&state.index)?;
                return Some((Subject::Link(state.index), word.verdict(state)));
            }
            Change::LinkGone(index) => {
                self.links.get(index)?;
                return Some((Subject::Absence(*index), Verdict::Wrong));
            }
            Change::Address(state) => (Subject::Address(state.link, state.address), Verdict::Right),
            Change::AddressGone(state) => {
                (Subject::Address(state.link, state.address), Verdict::Wrong)
            }
            // a route of somebody else's to the same place may have taken that of ours
            Change::Route(route) | Change::RouteGone(route) => (place(route), Verdict::Wrong),
            Change::Rule(rule) => (Subject::Rule(rule.clone()), Verdict::Right),
            Change::RuleGone(rule) => (Subject::Rule(rule.clone()), Verdict::Wrong),
        };
        let verdict = match change {
            Change::Route(route) if self.is_by_ours(route) => Verdict::Right,
            _ => verdict,
        };
        self.others
            .contains_key(&subject)
            .then_some((subject, verdict))
    }

    /// Whether it leads by a link of ours, or by none.
    fn is_by_ours(&self, route: &RouteState) -> bool {
        let is_ours = |link| self.links.contains_key(&link);
        route.link.is_none_or(is_ours) || route.table != RT_TABLE_MAIN
    }

    fn add_link(&mut self, step: &Step) {
        let Some(link) = step.link() else { return };
        let word = self.links.entry(link.index.get()).or_default();
        let index = |link: &Link| link.index.get();
        match step {
            Step::AddBridge { link, mac, mtu, .. } => {
                word.name = Some(link.name.to_string());
                word.mac = Some(*mac);
                word.mtu_bytes = Some(mtu.bytes());
                word.master = Some(None);
            }
            Step::AddVeth(veth) => {
                word.name = Some(veth.link.name.to_string());
                word.mac = Some(veth.mac);
                word.mtu_bytes = Some(veth.mtu.bytes());
                word.master = Some(veth.master.as_ref().map(index));
            }
            Step::SetAlias { alias, .. } => word.alias = Some(alias.clone()),
            Step::SetMaster { master, .. } => word.master = Some(master.as_ref().map(index)),
            Step::Announce { mac, .. } => word.mac = Some(*mac),
            Step::SetUp { .. } => word.up = true,
            _ => {}
        }
    }
}

impl LinkWord {
    fn verdict(&self, state: &LinkState) -> Verdict {
        let is_right = self.name.as_ref().is_none_or(|name| *name == state.name)
            && self.mac.is_none_or(|mac| Some(mac) == state.mac)
            && self.mtu_bytes.is_none_or(|bytes| bytes == state.mtu_bytes)
            && self.master.is_none_or(|master| master == state.master)
            && self
                .alias
                .as_ref()
                .is_none_or(|alias| *alias == state.alias)
            && (state.up || !self.up);
        match is_right {
            true => Verdict::Right,
            false => Verdict::Wrong,
        }
    }
}

fn is_near(step: &Step) -> bool {
    step.side() == Some(Side::Host)
}

fn place(route: &RouteState) -> Subject {
    Subject::Route(route.table, route.destination.trunc())
}

/// What a step makes besides links.
fn subjects(step: &Step) -> Vec<Subject> {
    match step {
        Step::AddAddress { link, address } => vec![
            Subject::Address(link.index.get(), *address),
            Subject::Route(RT_TABLE_MAIN, address.trunc()),
        ],
        Step::AddRoute(route) => vec![Subject::Route(RT_TABLE_MAIN, route.destination.trunc())],
        Step::AddProhibition(prohibition) => {
            vec![Subject::Route(prohibition.table, prohibition.subnet.into())]
        }
        Step::AddPolicyRule(rule) => vec![Subject::Rule(rule.clone())],
        Step::RaiseFirewall(firewall) => rules(firewall).map(Subject::Rule).collect(),
        _ => Vec::new(),
    }
}

fn rules(firewall: &HostFirewall) -> impl Iterator<Item = PolicyRule> + '_ {
    let uplinks = firewall.uplinks.iter();
    let barriers = uplinks.flat_map(|uplink| firewall.barriers_of(&uplink.link));
    firewall.rules.iter().cloned().chain(barriers)
}
