//! `netctl inspect`: Docker's field names in Docker's order, as far as netctl knows of them.

use std::path::PathBuf;

use bridgework::inspect::NetworkSettings;
use bridgework::{ContainerId, Host, NetworkMode, Timestamp};
use serde::Serialize;

use super::settings;
use crate::failure::{Failure, Outcome};
use crate::host;
use crate::print::say_json;
use crate::state::{Life, Record, Removal, State};

/// Docker's name for a moment that never was.
const NEVER: &str = "0001-01-01T00:00:00Z";

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown<'r> {
    id: ContainerId,
    created: Timestamp,
    path: &'r str,
    args: &'r [String],
    state: ShownState,
    resolv_conf_path: PathBuf,
    hosts_path: PathBuf,
    log_path: PathBuf,
    name: String,
    host_config: ShownHostConfig<'r>,
    config: ShownConfig<'r>,
    network_settings: NetworkSettings,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownState {
    status: &'static str,
    running: bool,
    pid: i32,
    exit_code: i32,
    started_at: String,
    finished_at: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownHostConfig<'r> {
    network_mode: &'r NetworkMode,
    auto_remove: bool,
    dns: &'r [String],
    dns_search: &'r [String],
    extra_hosts: Vec<String>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ShownConfig<'r> {
    hostname: String,
    cmd: &'r [String],
}

/// Those that are there, and an error for the others.
pub(crate) fn inspect(state: &State, terms: &[String]) -> Outcome {
    let host = host::open(state)?;
    let (mut found, mut missing) = (Vec::new(), Vec::new());
    for term in terms {
        match state.find(term) {
            Ok(record) => found.push(record),
            Err(failure) => missing.push(failure.words),
        }
    }
    let shown = found.iter().map(|record| show(state, &host, record));
    say_json(&shown.collect::<Vec<_>>())?;
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(missing.join("\n"))),
    }
}

fn show<'r>(state: &State, host: &Host, record: &'r Record) -> Shown<'r> {
    let (path, args) = match record.command.split_first() {
        Some((program, arguments)) => (program.as_str(), arguments),
        None => ("", [].as_slice()),
    };
    let extra = record.identity.extra_hosts.iter();
    Shown {
        id: record.id,
        created: record.created,
        path,
        args,
        state: life(record),
        resolv_conf_path: state.resolv(record.id),
        hosts_path: state.hosts(record.id),
        log_path: state.log(record.id),
        name: format!("/{}", record.name),
        host_config: ShownHostConfig {
            network_mode: &record.mode,
            auto_remove: record.removal == Removal::AtItsEnd,
            dns: &record.identity.dns,
            dns_search: &record.identity.dns_search,
            extra_hosts: extra.map(|(name, ip)| format!("{name}:{ip}")).collect(),
        },
        config: ShownConfig {
            hostname: record.hostname(),
            cmd: &record.command,
        },
        network_settings: settings(host, record),
    }
}

fn life(record: &Record) -> ShownState {
    let running = record.running();
    let (exit_code, begun, at) = match &record.life {
        Life::Created => (0, None, None),
        Life::Begun { at, .. } => (0, Some(at), None),
        Life::Ended { status, begun, at } => (status.unwrap_or(-1), Some(begun), Some(at)),
    };
    let moment = |at: Option<&Timestamp>| at.map_or(NEVER.to_owned(), Timestamp::to_string);
    ShownState {
        status: record.state(),
        running: running.is_some(),
        pid: running.map_or(0, |process| process.pid),
        exit_code,
        started_at: moment(begun),
        finished_at: moment(at),
    }
}
