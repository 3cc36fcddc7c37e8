//! `teardown`: what `setup` made is gone, with the container's namespace or without, however often it
//! is asked for.

use std::path::Path;

use bridgework::{ContainerId, Host, Network};
use nix::sys::signal::{SigSet, Signal};

use crate::failure::{Failure, Outcome};
use crate::host::Turn;
use crate::responder;
use crate::setup::leave;
use crate::wire::Request;

/// All that can be taken back is, whatever can't.
pub(crate) fn teardown(state: &Path, request: &Request) -> Outcome {
    // whoever ends the caller does not end this halfway
    let mut ending = SigSet::empty();
    ending.add(Signal::SIGTERM);
    ending.add(Signal::SIGINT);
    let _unblocked_at_worst = ending.thread_block();
    let id: ContainerId = request.container_id.parse()?;
    if !crate::host::state_dir(state).exists() {
        return Ok(());
    }
    let turn = Turn::take(state)?;
    let host = &turn.host;
    let names: Vec<&str> = request.places().into_iter().map(|(name, _)| name).collect();
    if names.iter().any(|name| !is_on(host, name, id)) {
        // whoever was making it may have died of it
        turn.recover()?;
    }
    let left: Vec<Outcome> = names
        .iter()
        .map(|name| part(state, host, name, id))
        .collect();
    // that others' names are not answered is not this container's matter
    let _told = responder::tell(state);
    Failure::join(left)
}

fn is_on(host: &Host, name: &str, id: ContainerId) -> bool {
    host.network_named(name)
        .is_some_and(|network| place_of(&network, id).is_some())
}

/// The container's name there, which may have been another one then.
fn place_of(network: &Network, id: ContainerId) -> Option<String> {
    let mut endpoints = network.endpoints().into_iter();
    let spec = endpoints.find(|spec| spec.container_id == id)?;
    Some(spec.container.to_string())
}

fn part(state: &Path, host: &Host, name: &str, id: ContainerId) -> Outcome {
    let Some(network) = host.network_named(name) else {
        return Ok(());
    };
    let left = match place_of(&network, id) {
        Some(container) => leave(&network, &container),
        None => Ok(network.remove_unused().map(drop)?),
    };
    if host.network_named(name).is_none() {
        crate::update::forget(state, &network);
    }
    left
}
