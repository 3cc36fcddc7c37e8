//! `teardown`: what `setup` made is gone, with the container's namespace or without, however often it
//! is asked for.

use std::path::Path;

use bridgework::{ContainerId, Host};
use nix::sys::signal::{SigSet, Signal};

use crate::failure::{Failure, Outcome};
use crate::host::Turn;
use crate::lost::{Who, may_have_record};
use crate::responder::{self, Services};
use crate::servers;
use crate::setup::leave;
use crate::wire::Request;

/// All that can be taken back is, whatever can't.
pub(crate) fn teardown((state, services): (&Path, Services), request: &Request) -> Outcome {
    // whoever ends the caller does not end this halfway
    let mut ending = SigSet::empty();
    ending.add(Signal::SIGTERM);
    ending.add(Signal::SIGINT);
    let _unblocked_at_worst = ending.thread_block();
    let who = Who::of(request)?;
    if !crate::host::state_dir(state).exists() {
        return Ok(());
    }
    let turn = Turn::take(state)?;
    let host = &turn.host;
    let names: Vec<&str> = request.places().into_iter().map(|(name, _)| name).collect();
    let recovered = match names.iter().all(|name| is_on(host, name, &who)) {
        true => Ok(()),
        // whoever was making it may have died of it
        false => turn.recover(),
    };
    let parts = || -> Vec<Outcome> {
        let parts = names.iter().map(|name| part(state, host, name, &who));
        parts.collect()
    };
    let staying = stays_elsewhere(host, &names, who.id).then_some(who.id);
    // of whom it asks elsewhere is not this network's matter
    let (mut left, _followed) = servers::follow(state, host, staying.as_slice(), parts);
    // what is wrong with others is not this container's matter, nor is that their names are not answered
    if recovered.is_err() && may_have_record(host, &who, &names)? {
        left.push(recovered);
    }
    let _told = responder::ensure_needed((state, services), host);
    Failure::join(left)
}

fn stays_elsewhere(host: &Host, names: &[&str], id: ContainerId) -> bool {
    let networks = servers::networks_of(host, id);
    let mut others = networks.iter().map(|network| network.name().as_str());
    others.any(|name| !names.contains(&name))
}

fn is_on(host: &Host, name: &str, who: &Who) -> bool {
    let network = host.network_named(name);
    network.is_some_and(|network| who.place_on(&network).is_some())
}

fn part(state: &Path, host: &Host, name: &str, who: &Who) -> Outcome {
    let Some(network) = host.network_named(name) else {
        return Ok(());
    };
    let left = match who.place_on(&network) {
        // it may have been called otherwise then
        Some(spec) => leave(&network, spec.container.as_str()),
        None => Ok(network.remove_unused().map(drop)?),
    };
    if host.network_named(name).is_none() {
        servers::forget(state, &network);
    }
    left
}
