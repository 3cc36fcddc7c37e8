//! `netctl network …`: making, removing and looking at networks.

mod join;
mod show;

use std::io::{self, BufRead};

use bridgework::inspect::PruneFilter;
use bridgework::plan::Switch;
use bridgework::{Host, NetworkConfig};

use crate::cli::{CreateArgs, NetworkCommand, PruneArgs};
use crate::failure::{Failure, Outcome, each};
use crate::host::{self, insist};
use crate::print::say;
use crate::state::State;

pub(crate) use join::plan;

pub(crate) fn run(state: &State, command: NetworkCommand) -> Outcome {
    let host = host::open(state)?;
    match command {
        NetworkCommand::Create(asked) => create(&host, &asked),
        NetworkCommand::Ls(asked) => show::list(&host, &asked),
        NetworkCommand::Inspect { networks } => show::inspect(&host, &networks),
        NetworkCommand::Rm { networks } => remove(&host, &networks),
        NetworkCommand::Prune(asked) => prune(&host, &asked),
        NetworkCommand::Connect(asked) => join::connect(state, &host, &asked),
        NetworkCommand::Disconnect {
            force,
            network,
            container,
        } => {
            let how = match force {
                true => join::Parting::ByForce,
                false => join::Parting::Friendly,
            };
            join::disconnect(state, &host, (&network, &container), how)
        }
    }
}

fn create(host: &Host, asked: &CreateArgs) -> Outcome {
    let mut config = NetworkConfig::new(&asked.driver, &asked.name);
    for subnet in &asked.subnet {
        config = config.subnet(subnet.as_str());
    }
    for gateway in &asked.gateway {
        config = config.gateway(*gateway);
    }
    for range in &asked.ip_range {
        config = config.ip_range(range.as_str());
    }
    for (name, address) in &asked.aux_address {
        let parsed: std::net::IpAddr = address
            .parse()
            .map_err(|_| Failure::new(format!("invalid auxiliary address: {address}")))?;
        config = config.auxiliary(name, parsed);
    }
    for (key, value) in &asked.opt {
        config = config.option(key, value);
    }
    for (key, value) in &asked.label {
        config = config.label(key, value);
    }
    if asked.internal {
        config = config.internal();
    }
    if asked.ipv6 {
        config = config.ipv6(Switch::On);
    }
    let made = insist(host, || host.create_network(config.clone())?.persist())?;
    say(made.id);
    Ok(())
}

fn remove(host: &Host, networks: &[String]) -> Outcome {
    each(networks, |term| {
        insist(host, || host.network(term)?.remove())?;
        say(term);
        Ok(())
    })
}

fn prune(host: &Host, asked: &PruneArgs) -> Outcome {
    let filter = PruneFilter::parse(&asked.filter)?;
    if !asked.force && !confirmed()? {
        return Ok(());
    }
    let pruned = host.prune(&filter)?;
    if !pruned.is_empty() {
        say("Deleted Networks:");
    }
    for network in pruned {
        say(network.name());
    }
    Ok(())
}

fn confirmed() -> Outcome<bool> {
    say("WARNING! This will remove all custom networks not used by at least one container.");
    say("Are you sure you want to continue? [y/N]");
    let failed = || Failure::during("ask");
    let mut answer = String::new();
    io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(failed())?;
    Ok(matches!(answer.trim(), "y" | "Y"))
}
