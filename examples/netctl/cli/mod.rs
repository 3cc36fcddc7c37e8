//! What may be said on the command line, in the words that people know.

mod network;
mod run;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use network::{ConnectArgs, CreateArgs, LsArgs, NetworkCommand, PruneArgs};
pub(crate) use run::RunArgs;

use crate::launch::Attendance;

/// Containers' networks over the crate bridgework: one process per command, no daemon.
#[derive(Debug, Parser)]
#[command(name = "netctl", disable_help_subcommand = true)]
pub(crate) struct Cli {
    /// Where the state is kept.
    #[arg(
        long,
        value_name = "DIR",
        default_value = "/run/bridgework",
        global = true
    )]
    pub(crate) state: PathBuf,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Networks, and who is on them.
    #[command(subcommand)]
    Network(NetworkCommand),
    /// Runs a command in a new container.
    Run(Box<RunArgs>),
    /// Runs a command in a container that runs.
    Exec(ExecArgs),
    /// The containers.
    Ps(PsArgs),
    /// All about containers, as JSON.
    Inspect {
        #[arg(required = true, value_name = "CONTAINER")]
        containers: Vec<String>,
    },
    /// The ports that a container has of the host's.
    Port {
        container: String,
        /// One port of the container's: `80` or `80/tcp`.
        #[arg(value_name = "PORT[/PROTOCOL]")]
        port: Option<String>,
    },
    /// What a container that was detached has printed.
    Logs { container: String },
    /// Runs containers again that have ended.
    Start {
        #[arg(required = true, value_name = "CONTAINER")]
        containers: Vec<String>,
    },
    /// Ends containers.
    Stop(StopArgs),
    /// Removes containers.
    Rm(RmArgs),
    /// Puts right what a crash or somebody else left wrong.
    Recover,
    /// What would be done, as lines to type.
    #[command(subcommand)]
    Plan(PlanCommand),
    /// A container's first process, before its command.
    #[command(hide = true)]
    Init {
        #[arg(long)]
        attendance: Attendance,
        id: String,
    },
    /// A process on the way into a container.
    #[command(hide = true)]
    Enter {
        id: String,
        #[arg(required = true, trailing_var_arg = true)]
        command: Vec<String>,
    },
    /// Who answers the containers' questions for names.
    #[command(hide = true)]
    DnsServer,
}

#[derive(Debug, Args)]
pub(crate) struct ExecArgs {
    pub(crate) container: String,
    #[arg(required = true, trailing_var_arg = true)]
    pub(crate) command: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    /// Those that have ended, too.
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Only their ids.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

#[derive(Debug, Args)]
pub(crate) struct StopArgs {
    /// How many seconds a container has before it is killed.
    #[arg(short, long, value_name = "SECONDS", default_value_t = 10)]
    pub(crate) time: u64,
    #[arg(required = true, value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RmArgs {
    /// Those that run, too.
    #[arg(short, long)]
    pub(crate) force: bool,
    #[arg(required = true, value_name = "CONTAINER")]
    pub(crate) containers: Vec<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlanCommand {
    /// Connecting a container.
    Connect(ConnectArgs),
}

/// How a list is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// One line of JSON for each.
    Json,
    /// Columns.
    Table,
}

/// `KEY=VALUE`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("expected KEY=VALUE".to_owned()),
    }
}

/// `KEY`, or `KEY=VALUE`.
pub(crate) fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').unwrap_or((text, ""));
    Ok((key.to_owned(), value.to_owned()))
}

/// `NAME:ADDRESS`, where an IPv6 address has colons of its own.
pub(crate) fn extra_host(text: &str) -> Result<(String, String), String> {
    let found = text.split_once('=').or_else(|| text.split_once(':'));
    let (name, address) = found.ok_or("expected NAME:ADDRESS")?;
    Ok((name.to_owned(), address.to_owned()))
}
