//! `netctl network …` on the command line.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use clap::{Args, Subcommand};

use super::{Format, label, pair};

#[derive(Debug, Subcommand)]
pub(crate) enum NetworkCommand {
    /// Makes a network, and prints its id.
    Create(Box<CreateArgs>),
    /// The networks.
    Ls(LsArgs),
    /// All about networks, as JSON.
    Inspect {
        #[arg(required = true, value_name = "NETWORK")]
        networks: Vec<String>,
    },
    /// Removes networks.
    Rm {
        #[arg(required = true, value_name = "NETWORK")]
        networks: Vec<String>,
    },
    /// Removes all networks that nobody is connected to.
    Prune(PruneArgs),
    /// Connects a container to a network.
    Connect(ConnectArgs),
    /// Disconnects a container from a network.
    Disconnect {
        /// Whatever the kernel says.
        #[arg(short, long)]
        force: bool,
        network: String,
        container: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    #[arg(short, long, default_value = "bridge")]
    pub(crate) driver: String,
    #[arg(long, value_name = "SUBNET")]
    pub(crate) subnet: Vec<String>,
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) gateway: Vec<IpAddr>,
    #[arg(long, value_name = "SUBNET")]
    pub(crate) ip_range: Vec<String>,
    /// An address that somebody else has.
    #[arg(long, value_name = "NAME=ADDRESS", value_parser = pair)]
    pub(crate) aux_address: Vec<(String, String)>,
    /// No way out and no way in.
    #[arg(long)]
    pub(crate) internal: bool,
    #[arg(long)]
    pub(crate) ipv6: bool,
    #[arg(short, long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) opt: Vec<(String, String)>,
    #[arg(long, value_name = "KEY[=VALUE]", value_parser = label)]
    pub(crate) label: Vec<(String, String)>,
    pub(crate) name: String,
}

#[derive(Debug, Args)]
pub(crate) struct LsArgs {
    /// `driver=`, `id=`, `label=`, `name=`, `type=`, `dangling=`, `scope=`.
    #[arg(short, long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Only their ids.
    #[arg(short, long)]
    pub(crate) quiet: bool,
    #[arg(long)]
    pub(crate) format: Option<Format>,
}

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// `until=`, `label=`, `label!=`.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) filter: Vec<String>,
    /// Without a question.
    #[arg(short, long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ConnectArgs {
    #[arg(long)]
    pub(crate) alias: Vec<String>,
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<Ipv4Addr>,
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip6: Option<Ipv6Addr>,
    #[arg(long, value_name = "CONTAINER[:ALIAS]")]
    pub(crate) link: Vec<String>,
    pub(crate) network: String,
    pub(crate) container: String,
}
