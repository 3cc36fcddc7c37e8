//! `update`: whom the containers of a network have their questions passed on to, where they have not
//! said so themselves.

use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use bridgework::record::{Body, ContainerRecord};
use bridgework::{Container, ContainerConfig, ContainerId, Host, Network};

use crate::failure::{Failure, Outcome};
use crate::host::{Turn, state_dir};
use crate::place::SEARCH_DOMAIN;
use crate::responder::{self, Services};

/// The label under which a network keeps the servers that it began with.
pub(crate) const SERVERS_LABEL: &str = "netavark.servers";

/// Containers on it go on with these.
pub(crate) fn update(
    (state, services): (&Path, Services),
    name: &str,
    servers: &[IpAddr],
) -> Outcome {
    if !state_dir(state).exists() {
        return Ok(());
    }
    let turn = Turn::take(state)?;
    let host = &turn.host;
    let Some(network) = host.network_named(name) else {
        return Ok(());
    };
    let former = servers_of(state, &network)?;
    let path = file(state, &network);
    let text = servers_text(servers);
    fs::write(&path, &text).map_err(Failure::during(path.display()))?;
    let members: Vec<ContainerId> = network.endpoints().iter().map(|e| e.container_id).collect();
    for record in host.export()?.records {
        match record.body {
            Body::Container(container) if members.contains(&container.id) => {
                renew(host, &container, &former, &text)?;
            }
            _ => {}
        }
    }
    responder::ensure_needed((state, services), host)
}

pub(crate) fn servers_text(servers: &[IpAddr]) -> String {
    let texts: Vec<String> = servers.iter().map(ToString::to_string).collect();
    texts.join(",")
}

/// What is left of it when the network goes.
pub(crate) fn forget(state: &Path, network: &Network) {
    let _none = fs::remove_file(file(state, network));
}

fn file(state: &Path, network: &Network) -> PathBuf {
    state_dir(state).join(format!("servers.{}", network.id().short()))
}

fn servers_of(state: &Path, network: &Network) -> Outcome<String> {
    let path = file(state, network);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let label = network.spec().labels.get(SERVERS_LABEL);
            Ok(label.cloned().unwrap_or_default())
        }
        Err(error) => Err(Failure::during(path.display())(error)),
    }
}

/// One that has servers of its own keeps them.
fn renew(host: &Host, record: &ContainerRecord, former: &str, servers: &str) -> Outcome {
    if record.dns.servers.join(",") != former {
        return Ok(());
    }
    let known = match host.container(record.name.as_str()) {
        Ok(known) => known,
        // its namespace is gone, and nobody asks any more
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let config = ContainerConfig::new(record.name.as_str(), known.netns().clone());
    let mut config = config.id(record.id).dns_search(SEARCH_DOMAIN);
    for server in servers.split(',').filter(|server| !server.is_empty()) {
        config = config.dns(server);
    }
    // kept, and no longer than it is on a network
    host.keep(&Container::open(config)?)?;
    Ok(host.forget(record.name.as_str())?)
}
