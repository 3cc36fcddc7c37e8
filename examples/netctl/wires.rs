//! A container's place on its networks, from one process to the next.

use std::net::{IpAddr, Ipv4Addr};

use bridgework::{Container, ContainerConfig, Host, Netns, NetworkMode, Result, Warning};

use crate::failure::Outcome;
use crate::host::insist;
use crate::process::Process;
use crate::state::{Place, Record, State};

/// What the crate is asked for.
fn config(state: &State, record: &Record, netns: Option<Netns>) -> ContainerConfig {
    let name = record.name.as_str();
    let mut config = match netns {
        Some(netns) => ContainerConfig::new(name, netns),
        None => ContainerConfig::named(name),
    };
    config = config.id(record.id);
    if matches!(record.mode, NetworkMode::Container(_)) {
        return config;
    }
    config = config.hosts_file(state.hosts(record.id));
    config = config.resolv_conf(state.resolv(record.id));
    let identity = &record.identity;
    if let Some(hostname) = &identity.hostname {
        config = config.hostname(hostname.as_str());
    }
    for (name, address) in &identity.extra_hosts {
        config = config.extra_host(name.as_str(), address.as_str());
    }
    for server in &identity.dns {
        config = config.dns(server.as_str());
    }
    for domain in &identity.dns_search {
        config = config.dns_search(domain.as_str());
    }
    config
}

/// Connects the container, whose process is there, to all its networks, for longer than this
/// process lives.
pub(crate) fn connect(state: &State, host: &Host, record: &Record, process: Process) -> Outcome {
    insist(host, || try_connect(state, host, record, process))
}

fn try_connect(state: &State, host: &Host, record: &Record, process: Process) -> Result<()> {
    let netns = match record.mode {
        NetworkMode::Host => None,
        _ => Some(Netns::of_pid(process.pid.unsigned_abs())?),
    };
    let config = config(state, record, netns);
    let Some((first, others)) = record.places.split_first() else {
        // disconnected from all its networks, and started again
        return host.keep(&Container::open(config)?);
    };
    let mode: NetworkMode = first.network.parse()?;
    let attached = host.attach(&mode, config, first.config())?;
    attached.warnings.iter().for_each(warn);
    let container = attached.container;
    host.keep(&container)?;
    if let Some(endpoint) = attached.endpoint {
        let _spec = endpoint.persist()?;
    }
    for place in others {
        let network = host.network(&place.network)?;
        let _spec = network
            .connect_with(&container, place.config())?
            .persist()?;
    }
    Ok(())
}

fn warn(warning: &Warning) {
    eprintln!("WARNING: {warning}");
}

/// Takes the container from all its networks. What is gone already is gone.
pub(crate) fn disconnect(state: &State, host: &Host, record: &Record) -> Outcome {
    let term = record.id.to_string();
    insist(host, || host.remove_container(&term))?;
    sweep_files(state, record);
    Ok(())
}

/// Removes what an earlier life left of its files.
pub(crate) fn sweep_files(state: &State, record: &Record) {
    crate::launch::remove_file(&state.hosts(record.id));
    crate::launch::remove_file(&state.resolv(record.id));
}

/// Connects a container that runs to one more network.
pub(crate) fn join(host: &Host, record: &Record, place: &Place) -> Outcome {
    insist(host, || {
        let network = host.network(&place.network)?;
        let container = host.container(record.name.as_str())?;
        let endpoint = network.connect_with(&container, place.config())?;
        endpoint.persist().map(|_spec| ())
    })
}

/// Where a container asks for names.
pub(crate) const RESOLVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 11));
