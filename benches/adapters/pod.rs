//! What is attached: a namespace with a name and an id, and the ports that it is asked for with.
//! Nothing is measured here.

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use bridgework::{Device, Netns};

use super::subject::Outcome;

/// Below the sandbox's own `/run`, a tmpfs: where runtimes have such state.
const STATE: &str = "/run/bridgework-adapters";

/// A container that is nothing but a namespace.
pub struct Pod {
    pub netns: Netns,
    pub name: String,
    /// As runtimes have them: 64 hexadecimal digits.
    pub id: String,
    /// For those whose caller chooses addresses.
    pub address: Ipv4Addr,
}

impl Pod {
    /// The `number`-th of its host.
    pub fn make(number: u16) -> Outcome<Self> {
        let [high, low] = (number + 2).to_be_bytes();
        Ok(Self {
            netns: Netns::create()?,
            name: format!("pod{number}"),
            id: format!("{number:04x}{:060x}", 0xb71d_9e00_u64 + u64::from(number)),
            address: Ipv4Addr::new(10, 89, high, low),
        })
    }

    /// Where a program finds its namespace.
    pub fn path(&self) -> String {
        self.netns.path().display().to_string()
    }
}

/// What is published with a container: ports of the host's that lead to the same ones of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ports {
    pub first: u16,
    pub count: u16,
    pub form: Form,
}

/// How they are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// One mapping of a range.
    Range,
    /// A mapping for each.
    Mappings,
}

impl Ports {
    /// The first port and the number of each mapping.
    pub fn mappings(self) -> Vec<(u16, u16)> {
        match self.form {
            Form::Range => vec![(self.first, self.count)],
            Form::Mappings => (self.first..self.first + self.count)
                .map(|port| (port, 1))
                .collect(),
        }
    }
}

/// A host of its own: a namespace whose loopback link is up, and a directory for state.
pub struct Machine {
    pub netns: Netns,
    pub state: PathBuf,
}

impl Machine {
    pub fn make(name: &str) -> Outcome<Self> {
        let netns = Netns::create()?;
        netns.run(|| Device::open(&Netns::current()?, "lo")?.set_up())??;
        let state = Path::new(STATE).join(format!("{}-{name}", std::process::id()));
        fs::create_dir_all(&state)?;
        Ok(Self { netns, state })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _left = fs::remove_dir_all(&self.state);
    }
}
