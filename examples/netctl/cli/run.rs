//! `netctl run …` on the command line.

use std::net::{Ipv4Addr, Ipv6Addr};

use clap::Args;

use super::extra_host;

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) company: Company,
    /// Removes the container when it has ended.
    #[arg(long)]
    pub(crate) rm: bool,
    /// Default: the first digits of its id.
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// `bridge`, `host`, `none`, `container:NAME`, or a network of one's own.
    #[arg(long, visible_alias = "net", default_value = "bridge")]
    pub(crate) network: String,
    #[arg(long, visible_alias = "net-alias", value_name = "ALIAS")]
    pub(crate) network_alias: Vec<String>,
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip: Option<Ipv4Addr>,
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) ip6: Option<Ipv6Addr>,
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) mac_address: Option<String>,
    #[arg(long, value_name = "CONTAINER[:ALIAS]")]
    pub(crate) link: Vec<String>,
    /// `[HOST-ADDRESS:][HOST-PORTS:]CONTAINER-PORTS[/PROTOCOL]`.
    #[arg(short, long, value_name = "PORT")]
    pub(crate) publish: Vec<String>,
    /// Publishes what is exposed.
    #[arg(short = 'P', long)]
    pub(crate) publish_all: bool,
    /// A port that the container listens on.
    #[arg(long, value_name = "PORT")]
    pub(crate) expose: Vec<String>,
    #[arg(long)]
    pub(crate) hostname: Option<String>,
    #[arg(long, value_name = "NAME:ADDRESS", value_parser = extra_host)]
    pub(crate) add_host: Vec<(String, String)>,
    /// A name server, in the place of the host's.
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) dns: Vec<String>,
    #[arg(long, value_name = "DOMAIN")]
    pub(crate) dns_search: Vec<String>,
    #[arg(required = true, trailing_var_arg = true)]
    pub(crate) command: Vec<String>,
}

/// What the caller has to do with the container's process.
#[derive(Debug, Args)]
pub(crate) struct Company {
    /// Prints the container's id, and does not wait for it.
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Leaves the caller's stdin to it.
    #[arg(short, long, conflicts_with = "detach")]
    pub(crate) interactive: bool,
}
