//! `netctl network ls` and `inspect`.

use bridgework::inspect::NetworkFilter;
use bridgework::{Host, Network};
use serde_json::{Value, json};

use crate::cli::{Format, LsArgs};
use crate::failure::{Failure, Outcome};
use crate::print::{say, say_json};
use crate::table::Table;

pub(super) fn list(host: &Host, asked: &LsArgs) -> Outcome {
    let filter = NetworkFilter::parse(&asked.filter)?;
    // those that every host has are made when they are asked for
    for name in ["bridge", "host", "none"] {
        let _network = host.network(name)?;
    }
    let networks = host.networks_matching(&filter);
    match asked.format {
        _ if asked.quiet => networks.iter().for_each(|n| say(n.id().short())),
        Some(Format::Json) => networks.iter().for_each(|n| say(line(n))),
        None | Some(Format::Table) => say(table(&networks)),
    }
    Ok(())
}

fn table(networks: &[Network]) -> Table {
    let mut table = Table::new(["NETWORK ID", "NAME", "DRIVER", "SCOPE"]);
    for network in networks {
        let (id, name) = (network.id().short(), network.name().to_string());
        table.push([id, name, driver(network), "local".to_owned()]);
    }
    table
}

/// As `docker network ls --format json` has it: everything is text.
fn line(network: &Network) -> Value {
    let spec = network.spec();
    let labels = spec
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"));
    json!({
        "CreatedAt": spec.created.to_string(),
        "Driver": driver(network),
        "ID": spec.id.short(),
        "IPv4": spec.ipv4.is_some().to_string(),
        "IPv6": spec.ipv6.is_some().to_string(),
        "Internal": spec.internal.is_on().to_string(),
        "Labels": labels.collect::<Vec<_>>().join(","),
        "Name": spec.name.to_string(),
        "Scope": "local",
    })
}

fn driver(network: &Network) -> String {
    network.spec().driver.clone()
}

/// Those that are there, and an error for the others.
pub(super) fn inspect(host: &Host, terms: &[String]) -> Outcome {
    let (mut shown, mut missing) = (Vec::new(), Vec::new());
    for term in terms {
        match host.network(term) {
            Ok(network) => shown.push(network.inspect()),
            Err(error) => missing.push(Failure::from(error).words),
        }
    }
    say_json(&shown)?;
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(missing.join("\n"))),
    }
}
