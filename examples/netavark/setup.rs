//! `setup`: the container is on all its networks, or on none of them and all is as it was.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use bridgework::spec::EndpointSpec;
use bridgework::{Container, ContainerConfig, Endpoint, EndpointConfig, Host, Netns, Network};

use crate::failure::{Failure, Outcome};
use crate::host::Turn;
use crate::lost::{Who, give_up_found};
use crate::network::{config as network_config, get_or_create};
use crate::place::{self, SEARCH_DOMAIN, status};
use crate::responder::{self, Services};
use crate::servers;
use crate::wire::{Definition, Place, Request, Status};

/// Somebody else may remove a network between two steps of ours.
const TRIES: usize = 16;

/// One of the container's networks, understood.
struct Wish<'r> {
    definition: &'r Definition,
    place: &'r Place,
    config: EndpointConfig,
}

/// What was done for one network.
struct Done {
    network: Network,
    /// Unless the container was there already.
    endpoint: Option<Endpoint>,
    spec: EndpointSpec,
}

/// All of it is understood before anything is changed.
pub(crate) fn setup(
    (state, services): (&Path, Services),
    netns: &Path,
    request: &Request,
) -> Outcome<BTreeMap<String, Status>> {
    let wishes = wishes(request)?;
    let netns = Netns::at(netns)?;
    let mut container = container_with(request, &netns, None)?;
    let turn = Turn::take(state)?;
    let (host, who) = (&turn.host, Who::of(request)?);
    let names: Vec<&str> = request.places().into_iter().map(|(name, _)| name).collect();
    give_up_found(host, &who, &names)?;
    if let Some(servers) = servers::beside(state, host, who.id, request)? {
        container = container_with(request, &netns, Some(&servers))?;
    }
    let mut done = Vec::new();
    for wish in &wishes {
        match connect(&turn, &container, wish) {
            Ok(one) => done.push(one),
            Err(failure) => return Err(take_back(done, failure)),
        }
    }
    let statuses = wishes.iter().zip(&done).map(|(wish, done)| {
        let name = wish.definition.name.clone();
        (name, status(request, wish.definition, &done.spec))
    });
    let statuses = statuses.collect();
    let networks: Vec<Network> = done.iter().map(|done| done.network.clone()).collect();
    keep(done)?;
    if wishes.iter().any(|wish| wish.definition.dns_enabled) {
        if let Err(failure) = responder::ensure((state, services)) {
            let name = container.name().as_str();
            let left = networks.iter().map(|network| leave(network, name));
            complain(Failure::join(left.collect::<Vec<_>>()));
            // whoever answers ends if nobody else needs it
            let _the_same_again = responder::tell(state);
            return Err(failure);
        }
    }
    Ok(statuses)
}

fn wishes(request: &Request) -> Outcome<Vec<Wish<'_>>> {
    let mut wishes = Vec::new();
    for (name, place) in request.places() {
        let missing = || Failure::new(format!("no definition of network {name}"));
        let definition = request.definitions.get(name).ok_or_else(missing)?;
        if definition.name != name {
            let words = format!("the definition of network {name} is of {}", definition.name);
            return Err(Failure::new(words));
        }
        // what is wrong with it is told now
        network_config(definition)?;
        let config = place::config(request, definition, place)?;
        wishes.push(Wish {
            definition,
            place,
            config,
        });
    }
    Ok(wishes)
}

/// With these servers, or with its own, or else with those of the networks.
fn container_with(
    request: &Request,
    netns: &Netns,
    servers: Option<&[String]>,
) -> Outcome<Container> {
    let config = ContainerConfig::new(&request.container_name, netns.clone());
    let mut config = config.id(request.container_id.parse()?);
    let texts = |servers: &mut dyn Iterator<Item = &IpAddr>| -> Vec<String> {
        servers.map(ToString::to_string).collect()
    };
    let servers = match (servers, request.dns_servers.as_slice()) {
        (Some(servers), _) => servers.to_vec(),
        (None, []) => texts(&mut request.network_servers()),
        (None, own) => texts(&mut own.iter()),
    };
    for server in servers {
        config = config.dns(server.as_str());
    }
    Ok(Container::open(config.dns_search(SEARCH_DOMAIN))?)
}

/// On one network.
fn connect(turn: &Turn, container: &Container, wish: &Wish<'_>) -> Outcome<Done> {
    let host = &turn.host;
    for _ in 0..TRIES {
        let network = get_or_create(turn, wish.definition)?;
        if let Some(done) = keep_or_leave(host, &network, container, wish)? {
            return Ok(done);
        }
        let error = match network.connect_with(container, wish.config.clone()) {
            Ok(endpoint) => {
                let spec = endpoint.spec().clone();
                return Ok(Done {
                    network,
                    endpoint: Some(endpoint),
                    spec,
                });
            }
            Err(error) => error,
        };
        // another process may have removed the network, which it was alone on
        let is_removed =
            error.is_not_found() && host.network_named(network.name().as_str()).is_none();
        if !is_removed {
            network.remove_unused()?;
            return Err(error.into());
        }
    }
    Err(Failure::new("the network is removed again and again"))
}

/// Where the container is on the network as it is asked for, all stays; where it is there otherwise, or
/// was in another namespace, it leaves.
fn keep_or_leave(
    host: &Host,
    network: &Network,
    container: &Container,
    wish: &Wish<'_>,
) -> Outcome<Option<Done>> {
    let mut endpoints = network.endpoints().into_iter();
    let Some(spec) = endpoints.find(|spec| spec.container_id == container.id()) else {
        return Ok(None);
    };
    let same_place = host.container(spec.container.as_str());
    let same_place = same_place.is_ok_and(|known| known.netns() == container.netns());
    let has_link = host
        .snapshot()?
        .link_at(spec.host_link.index.get())
        .is_some();
    if same_place && has_link && is_as_asked(&spec, wish)? {
        return Ok(Some(Done {
            network: network.clone(),
            endpoint: None,
            spec,
        }));
    }
    network.disconnect(spec.container.as_str())?;
    Ok(None)
}

fn is_as_asked(spec: &EndpointSpec, wish: &Wish<'_>) -> Outcome<bool> {
    let first = spec.addresses().map(|address| address.address);
    let nets: Vec<_> = first.chain(spec.link_local.iter().copied()).collect();
    let has = |address| nets.iter().any(|net| net.addr() == address);
    let place = wish.place;
    Ok(spec.link.name.as_str() == place.interface_name
        && place.static_ips.iter().all(|&address| has(address))
        && (place.static_mac.is_empty()
            || place
                .static_mac
                .replace('-', ":")
                .eq_ignore_ascii_case(&spec.mac.to_string())))
}

/// It stays when this process ends.
fn keep(done: Vec<Done>) -> Outcome {
    let kept = done.into_iter().map(|done| match done.endpoint {
        Some(endpoint) => endpoint.persist().map(|_spec| ()).map_err(Failure::from),
        None => Ok(()),
    });
    Failure::join(kept.collect::<Vec<_>>())
}

/// Nobody calls `teardown` after a failure.
fn take_back(done: Vec<Done>, failure: Failure) -> Failure {
    for one in done.into_iter().rev() {
        let left = match one.endpoint {
            Some(endpoint) => endpoint.disconnect().map_err(Failure::from),
            None => Ok(()),
        };
        complain(left.and_then(|()| Ok(one.network.remove_unused().map(drop)?)));
    }
    failure
}

/// The first failure is the one that is answered.
fn complain(left: Outcome) {
    if let Err(left) = left {
        eprintln!("netavark: {left}");
    }
}

/// The container is not on the network any more, and the network is there only if others are.
pub(crate) fn leave(network: &Network, container: &str) -> Outcome {
    match network.disconnect(container) {
        Err(error) if !error.is_not_found() => return Err(error.into()),
        _ => {}
    }
    Ok(network.remove_unused().map(drop)?)
}
