//! The command line: that of netavark 1.4, which podman 4.3 calls, and that of 2.x.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::failure::{Failure, Outcome};
use crate::responder::Services;

/// The version whose protocol this speaks.
pub(crate) const PROTOCOL: &str = "2.1.0";

/// What is asked for, and where state is kept.
#[derive(Debug, Parser)]
#[command(name = "netavark", version = PROTOCOL)]
pub(crate) struct Cli {
    /// Reads the request from a file instead of standard input.
    #[arg(short, long)]
    pub(crate) file: Option<PathBuf>,
    /// Where state is kept from one process to the next.
    #[arg(short, long)]
    pub(crate) config: Option<PathBuf>,
    /// Whether the caller is an ordinary user, in a namespace of its own. Who answers names is asked
    /// of that user's service manager then.
    #[arg(short, long, num_args = 0..=1)]
    rootless: Option<Option<bool>>,
    /// Taken and not used: names are answered by this program itself.
    #[arg(short, long)]
    aardvark_binary: Option<OsString>,
    /// Taken and not used: there is one firewall.
    #[arg(long)]
    firewall_driver: Option<OsString>,
    /// Taken and not used: there are no plugins.
    #[arg(long)]
    plugin_directory: Vec<OsString>,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Connects a container to its networks.
    Setup { netns: PathBuf },
    /// Disconnects it from them.
    Teardown { netns: PathBuf },
    /// Changes whom the containers of a network have their questions passed on to.
    Update {
        network: String,
        #[arg(long, value_delimiter = ',', value_parser = server)]
        network_dns_servers: Vec<Option<IpAddr>>,
    },
    /// Completes a network that is going to be.
    Create,
    /// Says what this is.
    Version,
    /// Makes again what is missing of the firewall, and all else.
    FirewallReload,
    /// Answers names as long as there is anybody to ask.
    #[command(hide = true)]
    AnswerNames,
}

impl Cli {
    /// Where state is kept, for a verb that needs to know.
    pub(crate) fn state(&self, verb: &str) -> Outcome<&PathBuf> {
        let missing = || Failure::new(format!("--config not specified but required for {verb}"));
        self.config.as_ref().ok_or_else(missing)
    }

    /// Whose services outlive this process.
    pub(crate) fn services(&self) -> Services {
        match self.rootless {
            Some(None | Some(true)) => Services::OfUser,
            Some(Some(false)) | None => Services::OfSystem,
        }
    }
}

/// An empty word stands for none.
fn server(word: &str) -> Result<Option<IpAddr>, std::net::AddrParseError> {
    match word {
        "" => Ok(None),
        word => word.parse().map(Some),
    }
}
