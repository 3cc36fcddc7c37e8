//! Who is measured. Each has a host of its own, attaches and detaches, and says how long that took.

use std::error::Error;
use std::time::Duration;

use super::pod::{Pod, Ports};

pub type Outcome<T> = Result<T, Box<dyn Error>>;

/// One who attaches containers.
pub trait Subject: Send {
    /// Attaches a pod that is not attached.
    ///
    /// # Errors
    /// It was refused, or took longer than is waited for; what is left of it, `detach` takes away.
    fn attach(&mut self, pod: &Pod, ports: Ports) -> Outcome<Duration>;

    /// Detaches what was attached with these ports.
    fn detach(&mut self, pod: &Pod, ports: Ports) -> Outcome<Duration>;
}

/// A column of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Column {
    Floor,
    Started,
    Library,
    Kept,
    Netavark,
    NetavarkPeer,
    Cni,
    CniPeer,
}

impl Column {
    pub const ALL: [Self; 8] = [
        Self::Floor,
        Self::Started,
        Self::Library,
        Self::Kept,
        Self::Netavark,
        Self::NetavarkPeer,
        Self::Cni,
        Self::CniPeer,
    ];

    /// On the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Started => "started",
            Self::Library => "library",
            Self::Kept => "kept",
            Self::Netavark => "netavark",
            Self::NetavarkPeer => "netavark-1.4",
            Self::Cni => "cni",
            Self::CniPeer => "cni-plugins",
        }
    }

    pub fn is_peer(self) -> bool {
        matches!(self, Self::NetavarkPeer | Self::CniPeer)
    }

    pub fn heading(self) -> &'static str {
        match self {
            Self::Floor => "kernel floor",
            Self::Started => "floor + a process",
            Self::Library => "library",
            Self::Kept => "library, records kept",
            Self::Netavark => "`examples/netavark`",
            Self::NetavarkPeer => "netavark 1.4",
            Self::Cni => "`examples/cni`",
            Self::CniPeer => "CNI plugins 1.1",
        }
    }
}

/// Whether names are answered, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Names {
    Silent,
    Answered,
}
