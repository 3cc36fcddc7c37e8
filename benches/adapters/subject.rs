//! Who is measured. Each has a host of its own, attaches and detaches, and says how long that took.

use std::time::Duration;

use super::pod::{Form, Pod, Ports};

pub use crate::unpacked::Outcome;

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
    Docker,
    Netavark,
    Netavark1,
    Netavark2,
    Cni,
    CniPeer,
}

impl Column {
    pub const ALL: [Self; 10] = [
        Self::Floor,
        Self::Started,
        Self::Library,
        Self::Kept,
        Self::Docker,
        Self::Netavark,
        Self::Netavark1,
        Self::Netavark2,
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
            Self::Docker => "docker",
            Self::Netavark => "netavark",
            Self::Netavark1 => "netavark-1.4",
            Self::Netavark2 => "netavark-2.1",
            Self::Cni => "cni",
            Self::CniPeer => "cni-plugins",
        }
    }

    /// Whom of ours a peer is compared with. Docker's daemon lives on and keeps records, too.
    pub fn ours(self) -> Option<Self> {
        match self {
            Self::Docker => Some(Self::Kept),
            Self::Netavark1 | Self::Netavark2 => Some(Self::Netavark),
            Self::CniPeer => Some(Self::Cni),
            _ => None,
        }
    }

    /// CNI has no ranges. Docker publishes no port of a container that runs: it attaches without, beside
    /// those who attach in a process that is there.
    pub fn can(self, ports: Ports) -> bool {
        match (self, ports.count, ports.form) {
            (Self::Docker, count, _) => count == 0,
            (Self::Floor | Self::Library | Self::Kept, _, _) => true,
            (_, 0, _) => false,
            (Self::Cni | Self::CniPeer, _, form) => form == Form::Mappings,
            _ => true,
        }
    }

    pub fn heading(self) -> &'static str {
        match self {
            Self::Floor => "kernel floor",
            Self::Started => "floor + a process",
            Self::Library => "library",
            Self::Kept => "library, records kept",
            Self::Docker => "Docker 20.10",
            Self::Netavark => "`examples/netavark`",
            Self::Netavark1 => "netavark 1.4",
            Self::Netavark2 => "netavark 2.1",
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
