//! `update`: whom the containers of a network have their questions passed on to, where they have not
//! said so themselves.

use std::net::IpAddr;
use std::path::Path;

use bridgework::ContainerId;

use crate::failure::Outcome;
use crate::host::{Turn, state_dir};
use crate::responder::{self, Services};
use crate::servers;

/// Containers on it go on with these, and with those of their other networks.
pub(crate) fn update((state, services): (&Path, Services), name: &str, now: &[IpAddr]) -> Outcome {
    if !state_dir(state).exists() {
        return Ok(());
    }
    let turn = Turn::take(state)?;
    let host = &turn.host;
    let Some(network) = host.network_named(name) else {
        return Ok(());
    };
    let members: Vec<ContainerId> = network.endpoints().iter().map(|e| e.container_id).collect();
    let change = || servers::write(state, &network, now);
    let (written, followed) = servers::follow(state, host, &members, change);
    written.and(followed)?;
    responder::ensure_needed((state, services), host)
}
