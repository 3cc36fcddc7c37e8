//! Leaving: the same plans backwards. Names go first, so that nobody is led to an address that
//! is going; then the default routes find another way, and the wire goes last.

use std::sync::Arc;

use crate::addr::EndpointId;
use crate::error::{Error, Result};
use crate::kernel::Kernel;
use crate::plan::{Link, Plan, Side, Step};
use crate::trace::operation;

use super::attachment::Attachment;
use super::draft::introductions;
use super::wiring::Wiring;

/// Takes back all that connecting did.
pub(super) fn detach(attachment: &Attachment) -> Result<()> {
    let (container, network) = (&attachment.container, &attachment.network);
    let operation = operation!("disconnect", network.name(), container);
    operation.concerns(attachment.spec.id);
    let withdrawn = withdraw(attachment);
    let wiring = attachment.place.wiring();
    let turn = wiring.take_turn();
    let led_away = lead_away(attachment, &[attachment.spec.id]);
    let unwired = network
        .kernel()
        .take_back(&attachment.undo(), Some(container.netns()));
    wiring.leave(&attachment.spec.id);
    drop(turn);
    let left = join([withdrawn, led_away, unwired]);
    dismiss(attachment, &left);
    left.map_err(|error| {
        let (container, network) = (container.name(), network.name());
        operation.refused(error.during(format!("disconnect {container} from {network}")))
    })
}

/// As [`detach`] for many of one host, with their links deleted as a group.
pub(super) fn detach_together(kernel: &Kernel, attachments: &[&Attachment]) -> Result<()> {
    let mut results: Vec<Result<()>> = attachments.iter().map(|a| withdraw(a)).collect();
    let wirings = wirings_in_order(attachments);
    let turns: Vec<_> = wirings.iter().map(|wiring| wiring.take_turn()).collect();
    for wiring in &wirings {
        let mut of_wiring = attachments
            .iter()
            .filter(|attachment| Arc::ptr_eq(attachment.place.wiring(), wiring));
        let going: Vec<EndpointId> = of_wiring.clone().map(|a| a.spec.id).collect();
        results.extend(of_wiring.next().map(|first| lead_away(first, &going)));
    }
    let mut links: Vec<Link> = Vec::new();
    for attachment in attachments {
        let mut rest = Plan::with_container(attachment.container.name().clone());
        for step in attachment.undo().steps() {
            match step {
                Step::DeleteLink { link } if link.side == Side::Host => links.push(link.clone()),
                step => rest.push(step.clone()),
            }
        }
        if !rest.is_empty() {
            let namespace = Some(attachment.container.netns());
            results.push(kernel.take_back(&rest, namespace));
        }
    }
    results.push(kernel.delete_together(&links));
    for attachment in attachments {
        attachment.place.wiring().leave(&attachment.spec.id);
    }
    drop(turns);
    let left = join(results);
    for attachment in attachments {
        dismiss(attachment, &left);
    }
    left
}

/// Each once, and always in the same order, so that two who take turns at several never wait for
/// each other.
fn wirings_in_order(attachments: &[&Attachment]) -> Vec<Arc<Wiring>> {
    let mut wirings: Vec<Arc<Wiring>> = attachments
        .iter()
        .map(|attachment| Arc::clone(attachment.place.wiring()))
        .collect();
    wirings.sort_by_key(Arc::as_ptr);
    wirings.dedup_by_key(|wiring| Arc::as_ptr(wiring));
    wirings
}

/// The container's default routes lead by its other networks before these endpoints go.
fn lead_away(attachment: &Attachment, going: &[EndpointId]) -> Result<()> {
    let steps = attachment.place.wiring().moves_without(going);
    if steps.is_empty() {
        return Ok(());
    }
    let mut plan = Plan::with_container(attachment.container.name().clone());
    plan.extend(steps);
    let (kernel, container) = (attachment.network.kernel(), &attachment.container);
    kernel.take_back(&plan, Some(container.netns()))
}

/// The names go, and the lines by which it and the others know each other.
pub(super) fn withdraw(attachment: &Attachment) -> Result<()> {
    let inner = &attachment.network.0;
    inner.records.remove(&attachment.spec.id);
    let _in_step = inner.introductions.lock();
    let mut members = inner.members.lock();
    let steps = introductions(&inner.spec, &members, &attachment.member());
    members.withdraw(&attachment.spec.id);
    drop(members);
    let introductions = Plan::from_iter(steps);
    let undo = introductions.undo(introductions.steps().len());
    if undo.is_empty() {
        return Ok(());
    }
    inner.kernel.take_back(&undo, None)
}

fn dismiss(attachment: &Attachment, left: &Result<()>) {
    let mut members = attachment.network.0.members.lock();
    match left {
        Ok(()) => members.dismiss(&attachment.spec.id),
        Err(_) => members.strike_off(&attachment.spec.id),
    }
    drop(members);
    attachment.be_remembered();
}

/// All that went wrong, as one error.
pub(super) fn join(results: impl IntoIterator<Item = Result<()>>) -> Result<()> {
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
