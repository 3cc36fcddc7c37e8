//! What a server is made with, and how much it may take of the process that it is in.

use std::path::PathBuf;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};

use crate::resolver::STUB_UPSTREAM_PATH;

/// Where a host says whom it asks.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Where the process may have more descriptors than this, it makes no difference.
const MOST_DESCRIPTORS: u64 = 8 * 1024;

/// Of the descriptors that the process may have, connections take at most an eighth, and sockets
/// towards other servers another.
const SHARE: u64 = 8;

/// What a [`Server`](super::Server) is made with.
///
/// ```
/// use bridgework::resolver::server::{ServerConfig, ServerLimits};
///
/// let mut limits = ServerLimits::of_process();
/// limits.questions_per_client = 16;
/// let config = ServerConfig::new()
///     .ttl_s(5)
///     .resolv_conf("/srv/host/resolv.conf")
///     .stub_resolv_conf("/srv/host/upstream.conf")
///     .limits(limits);
/// assert_ne!(config, ServerConfig::new());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerConfig {
    pub(super) ttl_s: u32,
    pub(super) resolv_conf: PathBuf,
    pub(super) stub_resolv_conf: PathBuf,
    pub(super) limits: ServerLimits,
}

impl ServerConfig {
    /// Names of containers with a time to live of 0, others asked by `/etc/resolv.conf`, and
    /// [`ServerLimits::of_process`].
    #[must_use]
    pub fn new() -> Self {
        Self {
            ttl_s: 0,
            resolv_conf: PathBuf::from(RESOLV_CONF),
            stub_resolv_conf: PathBuf::from(STUB_UPSTREAM_PATH),
            limits: ServerLimits::of_process(),
        }
    }

    /// For how many seconds clients may keep the names of containers. With 0, the default, nobody
    /// goes on asking for a container at an address that is another's by now.
    #[must_use]
    pub fn ttl_s(mut self, ttl_s: u32) -> Self {
        self.ttl_s = ttl_s;
        self
    }

    /// The host's `resolv.conf`, which says whom to ask for names that a client does not know. It
    /// is read anew when it has changed.
    #[must_use]
    pub fn resolv_conf(mut self, path: impl Into<PathBuf>) -> Self {
        self.resolv_conf = path.into();
        self
    }

    /// What is read instead where the host's `resolv.conf` has no server but the stub of
    /// systemd-resolved; by default [`STUB_UPSTREAM_PATH`].
    #[must_use]
    pub fn stub_resolv_conf(mut self, path: impl Into<PathBuf>) -> Self {
        self.stub_resolv_conf = path.into();
        self
    }

    /// How much the server may take of the process.
    #[must_use]
    pub fn limits(mut self, limits: ServerLimits) -> Self {
        self.limits = limits;
        self
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self::new()
    }
}

/// How much a server takes at the most, whatever its clients do.
///
/// ```
/// use bridgework::resolver::server::ServerLimits;
///
/// let mut limits = ServerLimits::of_process();
/// assert!(limits.connections <= 1024);
/// limits.questions_per_client = 16;
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerLimits {
    /// Questions to others that have no answer yet, of all clients. What is asked beyond fails at
    /// once. 4,096 by default.
    pub questions: usize,
    /// As many of one client; 256 by default.
    pub questions_per_client: usize,
    /// Connections of clients. 1,024 by default, and at most an eighth of the descriptors that the
    /// process may have.
    pub connections: usize,
    /// As many to one listener, 64 by default: of the client that has most of them the idlest makes
    /// room for another.
    pub connections_per_listener: usize,
    /// Queries on one connection that wait for an answer from others. It is not read on until one
    /// has come. 16 by default.
    pub unanswered_per_connection: usize,
    /// After as long without a whole query or a written answer a connection is closed. 10 s by
    /// default.
    pub idle: Duration,
    /// Sockets towards other servers; at most an eighth of the descriptors that the process may
    /// have. Where there are no more, one of whoever has most of them makes room for whoever has less:
    /// its oldest question fails. Whoever has as many as anybody is asked nothing more, and what it
    /// asks fails.
    pub outside: usize,
}

impl ServerLimits {
    /// Those that leave the process most of its descriptors.
    #[must_use]
    pub fn of_process() -> Self {
        let (allowed, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((0, 0));
        let share = (allowed.min(MOST_DESCRIPTORS) / SHARE).max(1);
        let share = usize::try_from(share).unwrap_or(1);
        Self {
            questions: 4096,
            questions_per_client: 256,
            connections: share,
            connections_per_listener: 64.min(share),
            unanswered_per_connection: 16,
            idle: Duration::from_secs(10),
            outside: share,
        }
    }
}
