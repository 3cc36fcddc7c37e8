//! netctl: containers' networks on the command line, over the crate's public API alone. One process
//! per command, and no daemon: what has to last is in the state directory.

mod cli;
mod container;
mod failure;
mod host;
mod launch;
mod names;
mod network;
mod print;
mod process;
mod show;
mod state;
mod table;
mod wires;

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use cli::{Cli, Command, PlanCommand};
use failure::{Failure, NOT_RUN, Outcome};
use state::State;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return misunderstood(&error),
    };
    match State::open(&cli.state).and_then(|state| act(&state, cli.command)) {
        Ok(status) => ExitCode::from(status),
        Err(Failure { status, words }) => {
            words.lines().for_each(|line| eprintln!("netctl: {line}"));
            ExitCode::from(status)
        }
    }
}

/// Docker's statuses: 1 where something is missing, 125 where something is too much.
fn misunderstood(error: &clap::Error) -> ExitCode {
    let _closed = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
        ErrorKind::MissingRequiredArgument
        | ErrorKind::InvalidSubcommand
        | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => ExitCode::FAILURE,
        _ => ExitCode::from(NOT_RUN),
    }
}

fn act(state: &State, command: Command) -> Outcome<u8> {
    // processes on the way into a container do nothing else
    match &command {
        Command::Init { attendance, id } => {
            launch::init(state, id, *attendance)?;
            return Ok(failure::REFUSED);
        }
        Command::Enter { id, command } => return launch::enter(state, id, command).map(|()| 0),
        Command::DnsServer => return names::server(state).map(|()| 0),
        _ => {}
    }
    if let Command::Run(asked) = &command {
        return container::run(state, asked);
    }
    launch::bury_the_dead(state)?;
    names::serve(state)?;
    match command {
        Command::Network(command) => network::run(state, command)?,
        Command::Exec(asked) => return launch::exec(state, &asked).map(|()| 0),
        Command::Ps(asked) => show::list(state, &asked)?,
        Command::Inspect { containers } => show::inspect(state, &containers)?,
        Command::Port { container, port } => show::port(state, &container, port.as_deref())?,
        Command::Logs { container } => launch::logs(state, &container)?,
        Command::Start { containers } => container::start(state, &containers)?,
        Command::Stop(asked) => container::stop(state, &asked)?,
        Command::Rm(asked) => container::remove(state, &asked)?,
        Command::Recover => host::recover(state)?,
        Command::Plan(PlanCommand::Connect(asked)) => network::plan(state, &asked)?,
        Command::Run(_) | Command::Init { .. } | Command::Enter { .. } | Command::DnsServer => {}
    }
    Ok(0)
}
