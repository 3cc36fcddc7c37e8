//! `netctl ps`.

use bridgework::Host;
use bridgework::inspect::PortBinding;
use serde_json::{Value, json};

use super::ago::since;
use super::settings;
use crate::cli::{Format, PsArgs};
use crate::failure::Outcome;
use crate::host;
use crate::print::say;
use crate::state::{Life, Record, State};
use crate::table::Table;

pub(crate) fn list(state: &State, asked: &PsArgs) -> Outcome {
    let mut records = state.all()?;
    records.reverse();
    records.retain(|record| asked.all || record.running().is_some());
    let host = host::open(state)?;
    match asked.format {
        _ if asked.quiet => records.iter().for_each(|r| say(r.id.short())),
        Some(Format::Json) => records.iter().for_each(|r| say(line(&host, r))),
        None | Some(Format::Table) => say(table(&host, &records)),
    }
    Ok(())
}

fn table(host: &Host, records: &[Record]) -> Table {
    let heading = [
        "CONTAINER ID",
        "COMMAND",
        "CREATED",
        "STATUS",
        "PORTS",
        "NAMES",
    ];
    let mut table = Table::new(heading);
    for record in records {
        table.push([
            record.id.short(),
            shortened(&quoted(record)),
            format!("{} ago", since(record.created)),
            status(record),
            ports(host, record),
            record.name.to_string(),
        ]);
    }
    table
}

/// As `docker ps --format json` has it: everything is text.
fn line(host: &Host, record: &Record) -> Value {
    let networks = record.places.iter().map(|place| place.network.as_str());
    json!({
        "Command": quoted(record),
        "CreatedAt": record.created.to_string(),
        "ID": record.id.short(),
        "Names": record.name.to_string(),
        "Networks": networks.collect::<Vec<_>>().join(","),
        "Ports": ports(host, record),
        "RunningFor": format!("{} ago", since(record.created)),
        "State": record.state(),
        "Status": status(record),
    })
}

fn quoted(record: &Record) -> String {
    format!("\"{}\"", record.command.join(" "))
}

/// As `docker ps` has room for it.
fn shortened(command: &str) -> String {
    const WIDTH: usize = 20;
    if command.chars().count() <= WIDTH + 2 {
        return command.to_owned();
    }
    let kept: String = command.chars().take(WIDTH).collect();
    format!("{kept}…\"")
}

fn status(record: &Record) -> String {
    match (&record.life, record.running()) {
        (Life::Created, _) => "Created".to_owned(),
        (Life::Begun { at, .. }, Some(_)) => format!("Up {}", since(*at)),
        (Life::Begun { .. }, None) => "Exited".to_owned(),
        (Life::Ended { status, at, .. }, _) => match status {
            Some(status) => format!("Exited ({status}) {} ago", since(*at)),
            None => format!("Exited {} ago", since(*at)),
        },
    }
}

fn ports(host: &Host, record: &Record) -> String {
    let mut texts = Vec::new();
    for (port, bindings) in settings(host, record).ports {
        match bindings {
            None => texts.push(port),
            Some(bindings) => texts.extend(bindings.iter().map(|b| format!("{}->{port}", at(b)))),
        }
    }
    texts.join(", ")
}

/// An address and a port of the host's.
pub(super) fn at(binding: &PortBinding) -> String {
    let port = binding.host_port.unwrap_or_default();
    match binding.host_ip {
        Some(ip) => std::net::SocketAddr::new(ip, port).to_string(),
        None => port.to_string(),
    }
}
