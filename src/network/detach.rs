//! Leaving: the same plans backwards. Names go first, so that nobody is led to an address that
//! is going; then the default routes find another way, and the wire goes last.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::addr::EndpointId;
use crate::container::Container;
use crate::error::{Error, Fault, Result};
use crate::event::EventKind;
use crate::kernel::{Kernel, Netns};
use crate::plan::{ElementsEdit, Link, Plan, Side, Step};
use crate::spec::EndpointSpec;
use crate::trace::operation;

use super::Network;
use super::draft::introductions;
use super::ports::GivenUp;
use super::resolv::rewrite_resolv;
use super::ties::Ties;
use super::wiring::Wiring;

/// A container that leaves. Without it its namespace may be open all the same, by another handle; if
/// it is not, what is inside of it is left to itself.
pub(super) struct Departure<'a> {
    pub(super) network: &'a Network,
    pub(super) ties: &'a Ties,
    pub(super) container: Option<&'a Container>,
}

impl Departure<'_> {
    fn netns(&self) -> Option<Netns> {
        match self.container {
            Some(container) => Some(container.netns().clone()),
            None => self.ties.place.wiring().netns(),
        }
    }
}

/// Takes back all that connecting did.
pub(super) fn detach(departure: &Departure<'_>) -> Result<()> {
    let Departure { network, ties, .. } = departure;
    let operation = operation!("disconnect", network.name(), of ties.spec);
    operation.concerns(ties.spec.id);
    let begun = Instant::now();
    network.write_going(&ties.spec);
    let left = take_down(departure, ties.undo());
    let left = left.and_then(|()| network.strike(&ties.spec, Some(departure)));
    dismiss(departure, &left);
    tell_disconnected(network, ties, begun);
    left.map_err(|error| {
        let name = &ties.spec.container;
        operation.refused(error.during(format!("disconnect {name} from {}", network.name())))
    })
}

/// Takes back names, files and routes, and then by `undo` the rest, whatever could not be.
pub(super) fn take_down(departure: &Departure<'_>, undo: Plan) -> Result<()> {
    let (network, ties) = (departure.network, departure.ties);
    let withdrawn = withdraw(network, ties);
    let wiring = ties.place.wiring();
    let turn = wiring.take_turn();
    let rewritten = rewrite_resolv(network, ties, departure.container);
    let silent = stop_answering(departure, &[ties.spec.id]);
    let closed = close_ports(departure, &[ties.spec.id]);
    let netns = departure.netns();
    let led_away = lead_away(departure, &[ties.spec.id]);
    let undo = reachable(undo, netns.as_ref());
    let undone = network.kernel().take_back(&undo, netns.as_ref());
    wiring.leave(network.kernel(), &ties.spec.id);
    drop(turn);
    join([withdrawn, rewritten, silent, closed, led_away, undone])
}

/// The steps that can be performed, with the container's namespace or without.
fn reachable(plan: Plan, netns: Option<&Netns>) -> Plan {
    if netns.is_some() {
        return plan;
    }
    let outside = plan
        .steps()
        .iter()
        .filter(|step| step.side() != Some(Side::Container));
    Plan::from_iter(outside.cloned())
}

/// As [`detach`] for many of one host, with their links deleted as a group.
pub(super) fn detach_together(kernel: &Kernel, departures: &[Departure<'_>]) -> Result<()> {
    let begun = Instant::now();
    departures
        .iter()
        .for_each(|d| d.network.write_going(&d.ties.spec));
    let withdrawn = departures.iter().map(|d| withdraw(d.network, d.ties));
    let mut results: Vec<Result<()>> = withdrawn.collect();
    let wirings = wirings_in_order(departures);
    let turns: Vec<_> = wirings.iter().map(|wiring| wiring.take_turn()).collect();
    let rewritten = departures
        .iter()
        .map(|d| rewrite_resolv(d.network, d.ties, d.container));
    results.extend(rewritten);
    for wiring in &wirings {
        let mut of_wiring = departures
            .iter()
            .filter(|departure| Arc::ptr_eq(departure.ties.place.wiring(), wiring));
        let going: Vec<EndpointId> = of_wiring.clone().map(|d| d.ties.spec.id).collect();
        if let Some(first) = of_wiring.next() {
            results.push(stop_answering(first, &going));
            results.push(close_ports(first, &going));
            results.push(lead_away(first, &going));
        }
    }
    results.extend(delete_links_together(kernel, departures));
    for departure in departures {
        let ties = departure.ties;
        ties.place.wiring().leave(kernel, &ties.spec.id);
    }
    drop(turns);
    let left = join(results);
    let struck = |departure: &Departure<'_>| {
        departure
            .network
            .strike(&departure.ties.spec, Some(departure))
    };
    let left = left.and_then(|()| join(departures.iter().map(struck)));
    for departure in departures {
        dismiss(departure, &left);
        tell_disconnected(departure.network, departure.ties, begun);
    }
    left
}

/// What is undone before a link goes, all links at once, and what is undone after it.
fn delete_links_together(kernel: &Kernel, departures: &[Departure<'_>]) -> Vec<Result<()>> {
    let mut results = Vec::new();
    let mut links: Vec<Link> = Vec::new();
    let mut after = Plan::new();
    let mut edit = ElementsEdit::default();
    for departure in departures {
        let undo = departure.ties.undo();
        let is_link =
            |step: &Step| matches!(step, Step::DeleteLink { link } if link.side == Side::Host);
        let at = undo.steps().iter().position(is_link);
        let (ahead, behind) = undo.steps().split_at(at.unwrap_or(undo.steps().len()));
        let mut before = Plan::with_container(departure.ties.spec.container.clone());
        before.extend(ahead.iter().cloned());
        if !before.is_empty() {
            let netns = departure.netns();
            results.push(kernel.take_back(&reachable(before, netns.as_ref()), netns.as_ref()));
        }
        for step in behind {
            match step {
                Step::DeleteLink { link } if link.side == Side::Host => links.push(link.clone()),
                Step::EditElements(of_one) => edit.extend(of_one),
                step => after.push(step.clone()),
            }
        }
    }
    results.push(kernel.delete_together(&links));
    after.extend((!edit.is_empty()).then_some(Step::EditElements(edit)));
    if !after.is_empty() {
        results.push(kernel.take_back(&after, None));
    }
    results
}

/// Also where something was left behind: nobody is led to the container any more. What was not
/// told to come is not told to go.
pub(super) fn tell_disconnected(network: &Network, ties: &Ties, begun: Instant) {
    if !ties.told.load(Ordering::Relaxed) {
        return;
    }
    let registered = &network.0.registered;
    registered.tell(begun, || disconnected(network, &ties.spec));
}

/// Nobody asked for it: somebody else has the port where the container's other networks have theirs.
fn unpublished(departure: &Departure<'_>, given_up: GivenUp) -> EventKind {
    let why: Vec<String> = given_up.why.iter().map(Fault::to_string).collect();
    EventKind::Unpublish {
        network: (&departure.network.0.spec).into(),
        endpoint: (&departure.ties.spec).into(),
        mapping: given_up.mapping,
        why: why.join("; "),
    }
}

pub(super) fn disconnected(network: &Network, spec: &EndpointSpec) -> EventKind {
    EventKind::Disconnect {
        network: (&network.0.spec).into(),
        endpoint: spec.into(),
    }
}

/// Each once, and always in the same order, so that two who take turns at several never wait for
/// each other.
fn wirings_in_order(departures: &[Departure<'_>]) -> Vec<Arc<Wiring>> {
    let wirings = departures.iter().map(|d| Arc::clone(d.ties.place.wiring()));
    let mut wirings: Vec<Arc<Wiring>> = wirings.collect();
    wirings.sort_by_key(Arc::as_ptr);
    wirings.dedup_by_key(|wiring| Arc::as_ptr(wiring));
    wirings
}

/// The container's ports are reached by its other networks, or not at all, before these endpoints
/// go.
fn close_ports(departure: &Departure<'_>, going: &[EndpointId]) -> Result<()> {
    let begun = Instant::now();
    let (network, ties) = (departure.network, departure.ties);
    let wiring = ties.place.wiring();
    let change = wiring.ports_without(network.port_source(&ties.spec.container), going);
    let mut change = change.map_err(|faults| Error::of("", faults))?;
    let given_up = change.take_given_up();
    let steps = Plan::from_iter(change.steps().iter().cloned());
    let closed = match steps.is_empty() {
        true => Ok(()),
        false => network.kernel().take_back(&steps, None),
    };
    let _came = wiring.settle_ports(network.kernel(), change);
    for one in given_up {
        let registered = &network.0.registered;
        registered.tell(begun, || unpublished(departure, one));
    }
    join([closed, network.carry_over(wiring)])
}

/// Without these endpoints, the stack may have no network left whose names resolve.
pub(super) fn stop_answering(departure: &Departure<'_>, going: &[EndpointId]) -> Result<()> {
    let wiring = departure.ties.place.wiring();
    let change = wiring.names_without(going);
    let undone = match (departure.netns(), change.step()) {
        (Some(netns), Some(step)) => {
            let mut plan = Plan::with_container(departure.ties.spec.container.clone());
            plan.push(step);
            departure.network.kernel().take_back(&plan, Some(&netns))
        }
        _ => Ok(()),
    };
    wiring.settle_names(change);
    undone
}

/// The container's default routes lead by its other networks before these endpoints go.
fn lead_away(departure: &Departure<'_>, going: &[EndpointId]) -> Result<()> {
    let steps = departure.ties.place.wiring().moves_without(going);
    let (Some(netns), false) = (departure.netns(), steps.is_empty()) else {
        return Ok(());
    };
    let mut plan = Plan::with_container(departure.ties.spec.container.clone());
    plan.extend(steps);
    departure.network.kernel().take_back(&plan, Some(&netns))
}

/// The names go, and the lines by which it and the others know each other.
fn withdraw(network: &Network, ties: &Ties) -> Result<()> {
    let inner = &network.0;
    inner.registered.registry().upkeep().end(&ties.spec.id);
    inner.records.remove(&ties.spec.id);
    if let Some(gateway) = inner.gateway.lock().as_ref() {
        gateway.dismiss(&ties.spec);
    }
    ties.place.wiring().withdraw(&ties.spec.id);
    let _in_step = inner.introductions.lock();
    let mut members = inner.members.lock();
    let steps = introductions(&inner.spec, &members, &ties.member());
    members.withdraw(&ties.spec.id);
    drop(members);
    let introductions = Plan::from_iter(steps);
    let undo = introductions.undo(introductions.steps().len());
    if undo.is_empty() {
        return Ok(());
    }
    inner.kernel.take_back(&undo, None)
}

/// Another process takes it back: nothing of it is known here any more.
pub(super) fn withdraw_from_memory(network: &Network, ties: &Ties) {
    network.0.registered.registry().upkeep().end(&ties.spec.id);
    network.0.records.remove(&ties.spec.id);
    if let Some(gateway) = network.0.gateway.lock().as_ref() {
        gateway.dismiss(&ties.spec);
    }
    let wiring = ties.place.wiring();
    // those that stay are of the container's record, and known of again by that
    wiring.forget_ports(network.kernel());
    wiring.withdraw(&ties.spec.id);
    let silent = wiring.names_without(&[ties.spec.id]);
    wiring.settle_names(silent);
    wiring.leave(network.kernel(), &ties.spec.id);
    network.kernel().forget_plan(&ties.plan);
    ties.place.give_up();
    network.0.attached.lock().remove(&ties.spec.container);
    network.0.members.lock().lose_sight(&ties.spec.id);
    if ties.told.load(Ordering::Relaxed) {
        let registered = &network.0.registered;
        registered.tell_of_other(|| disconnected(network, &ties.spec));
    }
}

pub(super) fn dismiss(departure: &Departure<'_>, left: &Result<()>) {
    let (network, ties) = (departure.network, departure.ties);
    ties.place.give_up();
    network.0.attached.lock().remove(&ties.spec.container);
    let mut members = network.0.members.lock();
    match left {
        Ok(()) => members.dismiss(&ties.spec.id),
        Err(_) => members.strike_off(&ties.spec.id),
    }
    // in one go with what was released, so that nobody gets it in between
    let kept = departure.container;
    let kept = kept.map(|container| (container, members.keep(&ties.spec)));
    drop(members);
    if let Some((container, generation)) = kept {
        network.be_remembered(&ties.spec, container, generation);
    }
}

/// All that went wrong, as one error.
pub(crate) fn join(results: impl IntoIterator<Item = Result<()>>) -> Result<()> {
    let errors = results.into_iter().filter_map(Result::err);
    let joined = errors.reduce(|first, second| {
        let faults = first.faults().iter().chain(second.faults());
        let faults = faults.cloned().collect();
        let mut left = first.left_behind().clone();
        left.extend(second.left_behind().steps().iter().cloned());
        Error::of(first.attempt(), faults).leaving(left)
    });
    joined.map_or(Ok(()), Err)
}
