//! Whom a container's questions are passed on to: the servers of all its networks, unless it has its own.
//! A network keeps those that it began with, and those that it was given since.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bridgework::record::{Body, ContainerRecord};
use bridgework::{Container, ContainerConfig, ContainerId, Host, Network};

use crate::failure::{Failure, Outcome};
use crate::host::state_dir;
use crate::place::SEARCH_DOMAIN;
use crate::wire::Request;

/// The label under which a network keeps the servers that it began with.
pub(crate) const SERVERS_LABEL: &str = "netavark.servers";

pub(crate) fn servers_text(servers: &[IpAddr]) -> String {
    let texts: Vec<String> = servers.iter().map(ToString::to_string).collect();
    texts.join(",")
}

/// From now on these are the network's.
pub(crate) fn write(state: &Path, network: &Network, servers: &[IpAddr]) -> Outcome {
    let path = file(state, network);
    fs::write(&path, servers_text(servers)).map_err(Failure::during(path.display()))
}

/// What is left of it when the network goes.
pub(crate) fn forget(state: &Path, network: &Network) {
    let _none = fs::remove_file(file(state, network));
}

fn file(state: &Path, network: &Network) -> PathBuf {
    state_dir(state).join(format!("servers.{}", network.id().short()))
}

fn of_network(state: &Path, network: &Network) -> Outcome<String> {
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

/// Each once, the networks in the order of their names.
fn of_networks<'n>(
    state: &Path,
    networks: impl IntoIterator<Item = &'n Network>,
) -> Outcome<Vec<String>> {
    let mut networks: Vec<&Network> = networks.into_iter().collect();
    networks.sort_by(|a, b| a.name().cmp(b.name()));
    let mut servers = Vec::new();
    for network in networks {
        let text = of_network(state, network)?;
        servers.extend(text.split(',').map(str::to_owned));
    }
    Ok(each_once(servers))
}

fn each_once(mut servers: Vec<String>) -> Vec<String> {
    let mut known = BTreeSet::new();
    servers.retain(|server| !server.is_empty() && known.insert(server.clone()));
    servers
}

pub(crate) fn networks_of(host: &Host, id: ContainerId) -> Vec<Network> {
    let mut networks = host.networks();
    networks.retain(|network| network.endpoints().iter().any(|e| e.container_id == id));
    networks
}

fn records(host: &Host, ids: &[ContainerId]) -> Outcome<Vec<Arc<ContainerRecord>>> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let records = host.export()?.records.into_iter();
    let of_them = records.filter_map(|record| match record.body {
        Body::Container(container) if ids.contains(&container.id) => Some(container),
        _ => None,
    });
    Ok(of_them.collect())
}

/// Whether it has those of its networks, and none of its own.
fn follows(state: &Path, record: &ContainerRecord, networks: &[Network]) -> Outcome<bool> {
    let has: BTreeSet<&String> = record.dns.servers.iter().collect();
    Ok(has == of_networks(state, networks)?.iter().collect())
}

/// The servers of a container that comes to these networks and is on others already; `None` where it is on
/// no others, or says itself whom it asks.
pub(crate) fn beside(
    state: &Path,
    host: &Host,
    id: ContainerId,
    request: &Request,
) -> Outcome<Option<Vec<String>>> {
    let names: Vec<&str> = request.places().into_iter().map(|(name, _)| name).collect();
    let all = networks_of(host, id);
    let is_other = |network: &&Network| !names.contains(&network.name().as_str());
    if !request.dns_servers.is_empty() || !all.iter().any(|network| is_other(&network)) {
        return Ok(None);
    }
    let Some(record) = records(host, &[id])?.pop() else {
        return Ok(None);
    };
    if !follows(state, &record, &all)? {
        // its own, which nobody says again
        return Ok(Some(record.dns.servers.clone()));
    }
    let mut servers = of_networks(state, all.iter().filter(is_other))?;
    let asked = request.network_servers();
    servers.extend(asked.map(ToString::to_string));
    Ok(Some(each_once(servers)))
}

/// Containers that have the servers of their networks have those that there are after the change, which is
/// made whatever becomes of that.
pub(crate) fn follow<T>(
    state: &Path,
    host: &Host,
    ids: &[ContainerId],
    change: impl FnOnce() -> T,
) -> (T, Outcome) {
    let following = following(state, host, ids);
    let changed = change();
    let renewed = following.and_then(|records| {
        let renew = |record: &ContainerRecord| {
            let networks = networks_of(host, record.id);
            match networks.is_empty() {
                true => Ok(()),
                false => renew(host, record, &of_networks(state, &networks)?),
            }
        };
        Failure::join(records.iter().map(|record| renew(record)))
    });
    (changed, renewed)
}

fn following(state: &Path, host: &Host, ids: &[ContainerId]) -> Outcome<Vec<Arc<ContainerRecord>>> {
    let mut following = Vec::new();
    for record in records(host, ids)? {
        if follows(state, &record, &networks_of(host, record.id))? {
            following.push(record);
        }
    }
    Ok(following)
}

fn renew(host: &Host, record: &ContainerRecord, servers: &[String]) -> Outcome {
    let known = match host.container(record.name.as_str()) {
        Ok(known) => known,
        // its namespace is gone, and nobody asks any more
        Err(error) if error.is_not_found() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let config = ContainerConfig::new(record.name.as_str(), known.netns().clone());
    let mut config = config.id(record.id).dns_search(SEARCH_DOMAIN);
    for server in servers {
        config = config.dns(server.as_str());
    }
    // kept, and no longer than it is on a network
    host.keep(&Container::open(config)?)?;
    Ok(host.forget(record.name.as_str())?)
}
