//! How much a relay may take of the process that it is in.

use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};

/// As many connections, and as many clients of datagrams, at the most.
const MOST: u64 = 1024;

/// Of the descriptors that the process may have, connections take at most a quarter, and clients
/// of datagrams an eighth.
const SHARE: u64 = 8;

/// Docker's own patience with a client that sends and gets no datagrams.
const IDLE: Duration = Duration::from_secs(90);

/// What one relay takes at the most, of all ports together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Limits {
    /// Connections, each of two descriptors and at most two chunks of memory. More clients wait in
    /// the kernel's queue.
    pub(super) connections: usize,
    /// Clients of datagrams, each of one descriptor. The one that has been idle for longest makes
    /// room.
    pub(super) clients: usize,
    /// After as long without a datagram a client is forgotten.
    pub(super) idle: Duration,
}

impl Limits {
    /// Those that leave the process most of its descriptors.
    pub(super) fn of_process() -> Self {
        let (allowed, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or((MOST, MOST));
        let most = usize::try_from((allowed / SHARE).clamp(1, MOST)).unwrap_or(1);
        Self {
            connections: most,
            clients: most,
            idle: IDLE,
        }
    }
}
