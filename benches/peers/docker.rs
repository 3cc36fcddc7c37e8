//! Docker's server of names, which answers its own containers alone, at the address of ours: as many of
//! them as of ours, with the same names on a network.

use std::fs;
use std::path::Path;
use std::time::Duration;

use bridgework::Netns;
use serde_json::json;

use super::{Name, Peer, Running, at, echo};
use crate::docker::{DOCKERD, Daemon};
use crate::unpacked::{Outcome, peers_with};

/// Each is a few processes, and takes half a second to start.
const CONTAINERS: usize = 20;
/// The most of them, if not that.
const CONTAINERS_MAX: &str = "NAMES_DOCKER_CONTAINERS";

const PATIENCE: Duration = Duration::from_secs(60);

/// The server as the first of the containers has it, behind an echo in the same namespace: there the
/// kernel keeps track of every datagram, since Docker's own are redirected.
pub fn start(folder: &Path, names: &[Name]) -> Outcome<[Peer; 2]> {
    let peers = peers_with(DOCKERD)?;
    let named = by_container(names);
    let given = std::env::var(CONTAINERS_MAX).ok();
    let most = given.and_then(|text| text.parse().ok());
    if named.len() > most.unwrap_or(CONTAINERS) {
        let count = named.len();
        return Err(format!("{count} containers are too many ({CONTAINERS_MAX})").into());
    }
    let state = folder.join("docker");
    fs::create_dir(&state)?;
    let daemon = Daemon::start(&peers, &state, PATIENCE)?;
    let netns = fill(&daemon, &named)?;
    let echo = echo(&netns, "echo, beside Docker's");
    let label = format!("Docker {}", daemon.version()?);
    let server = Peer::new(&netns, &label, at(11), Running::Docker(Some(daemon)));
    Ok([echo, server])
}

/// The first of a container's names is its own.
fn by_container(names: &[Name]) -> Vec<Vec<String>> {
    let each = names.chunk_by(|(_, one), (_, other)| one == other);
    each.map(|some| some.iter().map(|(name, _)| name.clone()).collect())
        .collect()
}

/// Starts all, and says where the first is.
fn fill(daemon: &Daemon, named: &[Vec<String>]) -> Outcome<Netns> {
    daemon.ask("POST /networks/create", &json!({ "Name": "bench" }))?;
    for names in named {
        daemon.create_named(&names[0], "bench", &names[1..])?;
        daemon.start_container(&names[0])?;
    }
    daemon.netns(&named[0][0])
}
