//! netavark: what podman calls to connect its containers, over the crate's public API alone.
//!
//! One process for each verb. What lasts from one to the next is in the crate's records, below the
//! directory that the caller gives, and in one process that answers names.
//!
//! Another directory in the same network namespace, or that of `examples/cni` or `oci_hook`, is somebody
//! else's: neither touches the other one's networks, and neither knows their names.
//!
//! Where the records are lost while containers run, they are made again of what the kernel has of them. Whoever
//! is on such a network stays, comes and goes; names are answered there, and what else was asked of it is
//! so again, when it was made anew: with the first container after its last.

mod cli;
mod create;
mod driver;
mod failure;
mod host;
mod lost;
mod network;
mod place;
mod responder;
mod servers;
mod setup;
mod teardown;
mod update;
mod wire;

use std::fs;
use std::io::{self, Read, Write};
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;

use cli::{Cli, Verb};
use failure::{Failure, Outcome};
use host::Turn;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match act(&cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // there is nobody else to tell
            let _nobody_reads = say(&serde_json::json!({ "error": failure.to_string() }));
            ExitCode::FAILURE
        }
    }
}

fn act(cli: &Cli) -> Outcome {
    match &cli.verb {
        Verb::Setup { netns } => {
            let state = cli.state("netavark setup")?;
            let request = serde_json::from_slice(&read(cli)?)?;
            say(&setup::setup((state, cli.services()), netns, &request)?)
        }
        Verb::Teardown {
            netns: _may_be_gone,
        } => {
            let state = cli.state("netavark teardown")?;
            let request = serde_json::from_slice(&read(cli)?)?;
            teardown::teardown((state, cli.services()), &request)
        }
        Verb::FirewallReload => {
            let state = cli.state("netavark firewall-reload")?;
            let turn = Turn::take(state)?;
            let recovered = turn.recover();
            let told = responder::ensure_needed((state, cli.services()), &turn.host);
            Failure::join([recovered, told])
        }
        Verb::AnswerNames => responder::run(cli.state("netavark answer-names")?),
        Verb::Version => say(&version()),
        Verb::Create => say(&create::create(serde_json::from_slice(&read(cli)?)?)?),
        Verb::Update {
            network,
            network_dns_servers,
        } => {
            let servers: Vec<_> = network_dns_servers.iter().flatten().copied().collect();
            let state = cli.state("netavark update")?;
            update::update((state, cli.services()), network, &servers)
        }
    }
}

fn read(cli: &Cli) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    match &cli.file {
        Some(path) => fs::read(path).map_err(Failure::during(path.display())),
        None => {
            let read = io::stdin().lock().read_to_end(&mut bytes);
            read.map(|_| bytes)
                .map_err(Failure::during("read standard input"))
        }
    }
}

fn say(value: &impl Serialize) -> Outcome {
    let text = serde_json::to_string(value)?;
    let said = writeln!(io::stdout().lock(), "{text}");
    said.map_err(Failure::during("write standard output"))
}

fn version() -> serde_json::Value {
    serde_json::json!({
        "version": cli::PROTOCOL,
        "commit": "",
        "build_time": "",
        "target": std::env::consts::ARCH,
        "default_fw_driver": "nftables",
    })
}
