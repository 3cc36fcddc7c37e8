//! `netctl network connect` and `disconnect`, of containers that run and of those that do not, and
//! what connecting would do.

use bridgework::{Container, ContainerConfig, Fault, Host, NetworkMode};

use crate::cli::ConnectArgs;
use crate::failure::{Failure, Outcome};
use crate::print::say;
use crate::state::{Place, Record, State};
use crate::{host, names, wires};

/// What becomes of what the kernel does not take back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parting {
    Friendly,
    ByForce,
}

/// Of one that does not run, what it is to be connected with is kept until it does.
pub(super) fn connect(state: &State, host: &Host, asked: &ConnectArgs) -> Outcome {
    let (mut record, _lock) = state.lock_found(&asked.container)?;
    let network = host.network(&asked.network)?;
    stay_without_wire(&record)?;
    let place = place(asked, network.name().as_str());
    match record.running() {
        Some(process) => {
            wires::join(host, &record, &place)?;
            record.places.push(place);
            state.save(&record)?;
            names::serve(state)?;
            names::await_answer(&record, process)
        }
        None => {
            if let Some(former) = at(&record, &place.network) {
                record.places.remove(former);
            }
            record.places.push(place);
            state.save(&record)
        }
    }
}

pub(super) fn disconnect(
    state: &State,
    host: &Host,
    (network, container): (&str, &str),
    parting: Parting,
) -> Outcome {
    let (mut record, _lock) = state.lock_found(container)?;
    let network = host.network(network)?;
    let place = at(&record, network.name().as_str());
    if place.is_some() {
        never_leave(&record)?;
    }
    let gone = match (parting, record.running(), place) {
        (_, None, Some(_)) => Ok(()),
        (Parting::Friendly, ..) => network.disconnect(record.name.as_str()),
        (Parting::ByForce, ..) => {
            let left = network.disconnect_by_force(record.name.as_str());
            left.map(|left| left.to_string().lines().for_each(say_left))
        }
    };
    gone?;
    if let Some(place) = place {
        record.places.remove(place);
    }
    state.save(&record)
}

/// A container in a mode without a wire gets none later.
fn stay_without_wire(record: &Record) -> Outcome {
    match record.mode {
        NetworkMode::Host | NetworkMode::Container(_) => refuse(&Fault::SharedStack),
        NetworkMode::None => refuse(&Fault::PrivateStack),
        _ => Ok(()),
    }
}

/// Nor does it leave its mode.
fn never_leave(record: &Record) -> Outcome {
    match record.mode {
        NetworkMode::Host => refuse(&Fault::HostStackLeft),
        NetworkMode::None => refuse(&Fault::PrivateStack),
        _ => Ok(()),
    }
}

fn refuse(fault: &Fault) -> Outcome {
    Err(Failure::new(fault.to_string()))
}

fn say_left(line: &str) {
    eprintln!("left behind: {line}");
}

/// What connecting would do. Nothing is changed.
pub(crate) fn plan(state: &State, asked: &ConnectArgs) -> Outcome {
    let host = host::open(state)?;
    let record = state.find(&asked.container)?;
    let network = host.network(&asked.network)?;
    stay_without_wire(&record)?;
    let container = match record.running() {
        Some(_) => host.container(record.name.as_str())?,
        None => {
            let config = ContainerConfig::named(record.name.as_str());
            Container::open(config.id(record.id))?
        }
    };
    let place = place(asked, network.name().as_str());
    let plan = network.plan_connect(&container, &place.config())?;
    say(plan.to_string().trim_end());
    Ok(())
}

fn place(asked: &ConnectArgs, network: &str) -> Place {
    Place {
        aliases: asked.alias.clone(),
        ip: asked.ip,
        ip6: asked.ip6,
        links: asked.link.clone(),
        ..Place::on(network)
    }
}

fn at(record: &Record, network: &str) -> Option<usize> {
    record.places.iter().position(|p| p.network == network)
}
