//! What is not as it must be is found, and made so again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Standing, Wire};
use crate::addr::{LinkName, NetworkId};
use crate::audit::{
    Deviation, Finding, Present, Survey, findings, firewall_now, missing, settings,
    settings_of_others,
};
use crate::error::Result;
use crate::firewall::way_out;
use crate::kernel::Netns;
use crate::network::Registry;
use crate::network::ties::Ties;
use crate::plan::{Plan, Side, Step};
use crate::spec::NetworkSpec;

/// So often is it looked again: a link that is up again shows what it lacks.
const ROUNDS: usize = 3;

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// Links, addresses, routes, the routing policy and settings.
    Routing,
    /// The packet filter too, and links that have got addresses since.
    All,
}

/// What must be there, what there is, and what is wrong.
type Found = (Standing, Survey, Vec<Finding>);

/// A wire that is not as it must be.
struct Broken<'a> {
    wire: &'a Wire,
    damage: Damage,
}

enum Damage {
    /// Its container can be reached there.
    Gone(Netns),
    /// What these steps put right.
    Some(Plan),
}

impl Broken<'_> {
    fn is_whole(&self) -> bool {
        matches!(&self.damage, Damage::Some(steps) if steps.is_empty())
    }

    fn is_remade(&self) -> bool {
        matches!(&self.damage, Damage::Gone(_))
    }
}

impl Registry {
    /// All that is wrong with what must be there.
    pub(crate) fn check(self: &Arc<Self>) -> Result<Vec<Finding>> {
        self.find(Extent::All).map(|(_, _, found)| found)
    }

    /// Puts right all that is ours, whoever has made it, and returns what was not.
    pub(crate) fn repair(self: &Arc<Self>) -> Result<Vec<Finding>> {
        self.catch_up()?;
        let (mended, _left) = self.mend(Extent::All)?;
        Ok(mended)
    }

    /// Puts right what is ours, as far as `extent` says, and returns what was not and is now, with how
    /// much is still not.
    pub(crate) fn mend(self: &Arc<Self>, extent: Extent) -> Result<(Vec<Finding>, usize)> {
        let mut first = None;
        let mut tried = Ok(());
        for _ in 0..ROUNDS {
            let (standing, survey, found) = self.find_ours(extent)?;
            if found.is_empty() {
                return Ok((first.unwrap_or_default(), 0));
            }
            tried = self.put_right(&standing, (&survey, &found), extent);
            first.get_or_insert(found);
        }
        tried?;
        let (_, _, left) = self.find_ours(extent)?;
        let mut mended = first.unwrap_or_default();
        mended.retain(|finding| !left.contains(finding));
        Ok((mended, left.len()))
    }

    fn find_ours(self: &Arc<Self>, extent: Extent) -> Result<Found> {
        let (standing, survey, mut found) = self.find(extent)?;
        found.retain(|finding| {
            finding.is_ours() && (extent == Extent::All || !is_of_filter(finding))
        });
        Ok((standing, survey, found))
    }

    fn find(self: &Arc<Self>, extent: Extent) -> Result<Found> {
        let mut standing = self.upkeep().now();
        if standing.networks.is_empty() {
            return Ok((standing, Survey::default(), Vec::new()));
        }
        let kernel = &self.foundation().kernel;
        let bridges = standing.bridges();
        let mut survey = match extent {
            Extent::All if !bridges.is_empty() => kernel.survey(&bridges)?,
            _ => kernel.survey_routing()?,
        };
        // what another process has begun to take back was written down before it was
        self.catch_up()?;
        standing.retain_still(self.upkeep());
        standing.retain_within_reach(&Present::of(&survey.snapshot), self);
        let made = standing.made();
        let firewall = firewall_now(&survey.snapshot, &made);
        let needed = settings(&made, firewall.as_ref(), &survey.elements);
        let mut keys: Vec<_> = needed.into_iter().map(|(key, _)| key).collect();
        if let Some(firewall) = &firewall {
            keys.extend(settings_of_others(firewall, &survey.elements));
        }
        survey.settings = kernel.settings(&keys)?;
        survey.frames_filtered = self.host_ports().are_frames_filtered();
        let found = findings(&survey, &made);
        drop(made);
        let is_foreign = |finding: &Finding| match finding {
            Finding::Deviation(deviation) => !deviation.is_ours(),
            _ => false,
        };
        let is_blocked = found.iter().any(is_foreign);
        let blocked = &self.upkeep().is_blocked;
        blocked.store(is_blocked, Ordering::Relaxed);
        Ok((standing, survey, found))
    }

    /// All of it is tried; the error is the first. What keeps packets out comes first, and what leads
    /// them to containers last.
    fn put_right(
        self: &Arc<Self>,
        standing: &Standing,
        (survey, found): (&Survey, &[Finding]),
        extent: Extent,
    ) -> Result<()> {
        let upkeep = self.upkeep();
        let kernel = &self.foundation().kernel;
        let host = Present::of(&survey.snapshot);
        // what is asked of other handles may let go of the last one, and that waits for the lock
        let wires = self.broken(standing, &host);
        let one_at_a_time = upkeep.mending.lock();
        let mut results = vec![kernel.restore(&steps(found, policy_step))];
        let mut remade = Vec::new();
        for (id, base) in &standing.networks {
            let plan = missing_steps(&base.plan, &host);
            if !plan.is_empty() && upkeep.has_network(id) {
                results.push(kernel.restore(&plan));
                remade.push((id, plan));
            }
        }
        for broken in &wires {
            results.push(self.mend_wire(broken));
        }
        results.push(kernel.restore(&steps(found, setting_step)));
        // who is about to go is waited for by whoever catches up
        drop(one_at_a_time);
        results.push(self.give_up_lost(&wires, &remade));
        if extent == Extent::All && !standing.bridges().is_empty() {
            let mended = kernel.mend_filter(|| self.catch_up());
            results.push(mended.map(|_mended| ()));
            results.push(self.add_uplinks(standing, (survey, found)));
        }
        results.into_iter().collect()
    }

    fn broken<'a>(&self, standing: &'a Standing, host: &Present<'_>) -> Vec<Broken<'a>> {
        let is_birth = |step: &Step| matches!(step, Step::AddVeth(_));
        let broken = standing.wires.values().filter_map(|wire| {
            let steps = missing_steps(&wire.ties.plan, host);
            let damage = match steps.steps().iter().any(is_birth) {
                true => Damage::Gone(self.reach(wire)?),
                false => Damage::Some(steps),
            };
            Some(Broken { wire, damage })
        });
        broken.filter(|broken| !broken.is_whole()).collect()
    }

    fn mend_wire(&self, Broken { wire, damage }: &Broken<'_>) -> Result<()> {
        let ties = &wire.ties;
        let wiring = ties.place.wiring();
        let _turn = wiring.take_turn();
        if !self.upkeep().has_wire(&ties.spec.id) {
            return Ok(());
        }
        let kernel = &self.foundation().kernel;
        match damage {
            Damage::Some(steps) => kernel.restore(steps)?,
            Damage::Gone(netns) => ties.remake(kernel, netns)?,
        }
        let turns_back = wiring.turns_back(self.host_ports(), &ties.spec.host_link);
        kernel.restore(&Plan::from_iter(turns_back))
    }

    /// Another process may have disconnected one while its wire was made again, or removed a network:
    /// nobody knows of what was made.
    fn give_up_lost(
        self: &Arc<Self>,
        wires: &[Broken<'_>],
        networks: &[(&NetworkId, Plan)],
    ) -> Result<()> {
        let remade = wires.iter().filter(|broken| broken.is_remade());
        let remade: Vec<&Ties> = remade.map(|broken| &*broken.wire.ties).collect();
        if remade.is_empty() && networks.is_empty() {
            return Ok(());
        }
        self.catch_up()?;
        let upkeep = self.upkeep();
        let lost = remade.iter().filter(|ties| !upkeep.has_wire(&ties.spec.id));
        let links = lost.map(|ties| Step::DeleteLink {
            link: ties.spec.host_link.clone(),
        });
        let mut left = Plan::from_iter(links);
        for (_, plan) in networks.iter().filter(|(id, _)| !upkeep.has_network(id)) {
            left.extend(plan.undo(plan.steps().len()).steps().iter().cloned());
        }
        self.foundation().kernel.take_back(&left, None)
    }

    /// The link of a network that is gone, which stays, is a way to the others from now on.
    pub(crate) fn lead_by(&self, network: &NetworkSpec) -> Result<()> {
        if !network.firewall.is_on() {
            return Ok(());
        }
        let kernel = &self.foundation().kernel;
        kernel.add_uplinks(&way_out(&kernel.snapshot()?, network))
    }

    fn add_uplinks(
        &self,
        standing: &Standing,
        (survey, found): (&Survey, &[Finding]),
    ) -> Result<()> {
        let new: Vec<&LinkName> = found.iter().filter_map(new_uplink).collect();
        let Some(mut firewall) = firewall_now(&survey.snapshot, &standing.made()) else {
            return Ok(());
        };
        firewall
            .uplinks
            .retain(|uplink| new.contains(&&uplink.link));
        self.foundation().kernel.add_uplinks(&firewall)
    }
}

/// Steps of a plan that do not hold, in its order.
fn missing_steps(plan: &Plan, host: &Present<'_>) -> Plan {
    let found = missing(plan, host).into_iter();
    let ours = found.filter(Deviation::is_ours);
    ours.map(|deviation| deviation.step).collect()
}

fn steps(found: &[Finding], step_of: fn(&Finding) -> Option<Step>) -> Plan {
    found.iter().filter_map(step_of).collect()
}

fn policy_step(finding: &Finding) -> Option<Step> {
    match finding {
        Finding::PolicyRule(rule) => Some(Step::AddPolicyRule(rule.clone())),
        _ => None,
    }
}

fn setting_step(finding: &Finding) -> Option<Step> {
    match finding {
        Finding::Setting { key, needed, .. } => Some(Step::SetSysctl {
            side: Side::Host,
            key: key.clone(),
            value: *needed,
        }),
        _ => None,
    }
}

fn new_uplink(finding: &Finding) -> Option<&LinkName> {
    match finding {
        Finding::Uplink { link } => Some(link),
        _ => None,
    }
}

fn is_of_filter(finding: &Finding) -> bool {
    matches!(finding, Finding::Table(_) | Finding::Uplink { .. })
}
