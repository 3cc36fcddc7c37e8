//! What is kept of a container, and how it reads as what the crate is asked for.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bridgework::{ContainerId, ContainerName, EndpointConfig, NetworkMode, Timestamp};
use serde::{Deserialize, Serialize};

use crate::process::Process;

/// A container.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) id: ContainerId,
    pub(crate) name: ContainerName,
    pub(crate) command: Vec<String>,
    pub(crate) created: Timestamp,
    pub(crate) mode: NetworkMode,
    pub(crate) identity: Identity,
    /// Its networks, in the order in which it came to them. In a mode without a wire that is the mode.
    pub(crate) places: Vec<Place>,
    pub(crate) removal: Removal,
    pub(crate) life: Life,
}

/// What it is called, and whom it asks for names.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Identity {
    pub(crate) hostname: Option<String>,
    pub(crate) extra_hosts: Vec<(String, String)>,
    pub(crate) dns: Vec<String>,
    pub(crate) dns_search: Vec<String>,
}

/// A network that it is on when it runs, and how.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Place {
    pub(crate) network: String,
    pub(crate) aliases: Vec<String>,
    pub(crate) ip: Option<Ipv4Addr>,
    pub(crate) ip6: Option<Ipv6Addr>,
    pub(crate) mac: Option<String>,
    pub(crate) links: Vec<String>,
    pub(crate) ports: Vec<String>,
    pub(crate) exposed: Vec<String>,
    pub(crate) exposure: Exposure,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Exposure {
    #[default]
    Documented,
    Published,
}

/// Who removes it when it has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Removal {
    ByHand,
    AtItsEnd,
}

/// How far it has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Life {
    /// It has never run.
    Created,
    /// It runs, or is about to, or has ended and nobody has seen it.
    Begun {
        process: Process,
        /// What tells its mounts from all others', so that its last processes are found; `None` until
        /// it is connected.
        mounts: Option<u64>,
        at: Timestamp,
    },
    /// It ran. Nobody knows with what status a process ended that nobody waited for.
    Ended {
        status: Option<i32>,
        begun: Timestamp,
        at: Timestamp,
    },
}

impl Record {
    /// Its process, if that runs.
    pub(crate) fn running(&self) -> Option<Process> {
        match self.life {
            Life::Begun { process, .. } if process.is_alive() => Some(process),
            _ => None,
        }
    }

    /// Whether it was not seen to end, and has.
    pub(crate) fn has_ended_unseen(&self) -> bool {
        matches!(self.life, Life::Begun { .. }) && self.running().is_none()
    }

    /// Whether nobody will run it, and nobody remove it by hand.
    pub(crate) fn is_abandoned(&self) -> bool {
        self.life == Life::Created && self.removal == Removal::AtItsEnd
    }

    /// Its networks that it is wired to.
    pub(crate) fn wired(&self) -> impl Iterator<Item = &Place> {
        let has_wires = matches!(self.mode, NetworkMode::Bridge | NetworkMode::Network(_));
        self.places.iter().filter(move |_| has_wires)
    }

    /// Whether names are answered on one of its networks.
    pub(crate) fn has_names(&self) -> bool {
        let is_default = |place: &Place| matches!(place.network.as_str(), "bridge" | "default");
        self.wired().any(|place| !is_default(place))
    }

    /// Whether somebody has to answer it, or to hold its ports.
    pub(crate) fn needs_server(&self) -> bool {
        let publishes =
            |place: &Place| place.exposure == Exposure::Published || !place.ports.is_empty();
        self.has_names() || self.wired().any(publishes)
    }

    pub(crate) fn hostname(&self) -> String {
        let given = self.identity.hostname.clone();
        given.unwrap_or_else(|| self.id.short())
    }

    /// As Docker says it: in one word.
    pub(crate) fn state(&self) -> &'static str {
        match (&self.life, self.running()) {
            (Life::Created, _) => "created",
            (_, Some(_)) => "running",
            (_, None) => "exited",
        }
    }
}

impl Place {
    pub(crate) fn on(network: &str) -> Self {
        let network = network.to_owned();
        Self {
            network,
            ..Self::default()
        }
    }

    /// What the crate is asked for.
    pub(crate) fn config(&self) -> EndpointConfig {
        let mut config = EndpointConfig::new().anew();
        let addresses = self.ip.map(IpAddr::from).into_iter();
        for address in addresses.chain(self.ip6.map(IpAddr::from)) {
            config = config.ip(address);
        }
        for alias in &self.aliases {
            config = config.alias(alias.as_str());
        }
        for link in &self.links {
            config = config.link(link.as_str());
        }
        for port in &self.ports {
            config = config.publish(port.as_str());
        }
        for port in &self.exposed {
            config = config.expose(port.as_str());
        }
        if let Some(mac) = &self.mac {
            config = config.mac(mac.as_str());
        }
        match self.exposure {
            Exposure::Documented => config,
            Exposure::Published => config.publish_exposed(),
        }
    }
}
