//! How a thread of the crate's own waits for many sockets at once, and is woken by others. Which
//! sockets these are and what is done with them is its owner's matter.

#[cfg(test)]
pub(crate) mod tests;

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::eventfd::{EfdFlags, EventFd};

use crate::errno::Errno;

/// What the bell is known by.
const BELL: u64 = 0;

/// As many sockets are told of at once.
const MOST_AT_ONCE: usize = 128;

/// What wakes a thread: its sockets, and whoever rings. Both have it; sockets may be added by
/// others while the thread sleeps.
#[derive(Debug)]
pub(crate) struct Watch {
    epoll: Epoll,
    bell: EventFd,
    last_key: AtomicU64,
}

/// Room for what a wait brings, made once.
#[derive(Debug)]
pub(crate) struct Events {
    events: Box<[EpollEvent; MOST_AT_ONCE]>,
    count: usize,
}

impl Watch {
    pub(crate) fn new() -> Result<Self, Errno> {
        let watch = Self {
            epoll: Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?,
            bell: EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?,
            last_key: AtomicU64::new(BELL),
        };
        // at each stroke, so that nobody need read it
        watch.add(&watch.bell, EpollFlags::EPOLLIN | EpollFlags::EPOLLET, BELL)?;
        Ok(watch)
    }

    /// One that no socket of this watch had or will have. It is less than 2^63.
    pub(crate) fn new_key(&self) -> u64 {
        self.last_key.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Wakes the thread.
    pub(crate) fn ring(&self) {
        let _rang = self.bell.write(1);
    }

    /// Wakes the thread when one of `flags` is so. It is told `token`, which is not 0.
    pub(crate) fn add(
        &self,
        socket: impl AsFd,
        flags: EpollFlags,
        token: u64,
    ) -> Result<(), Errno> {
        let event = EpollEvent::new(flags, token);
        self.epoll.add(socket, event).map_err(Errno::from)
    }

    /// From now on for these flags.
    pub(crate) fn change(
        &self,
        socket: impl AsFd,
        flags: EpollFlags,
        token: u64,
    ) -> Result<(), Errno> {
        let mut event = EpollEvent::new(flags, token);
        self.epoll.modify(socket, &mut event).map_err(Errno::from)
    }

    /// No longer, though a process that was forked off may still have the socket.
    pub(crate) fn remove(&self, socket: impl AsFd) {
        let _unwatched = self.epoll.delete(socket);
    }

    /// Waits for anything, and returns none when a signal came in between.
    pub(crate) fn wait(&self, events: &mut Events, timeout: EpollTimeout) {
        let waited = self.epoll.wait(&mut events.events[..], timeout);
        events.count = waited.unwrap_or(0);
    }
}

impl AsFd for Watch {
    /// What is readable when there is something to do.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.epoll.0.as_fd()
    }
}

impl Events {
    pub(crate) fn new() -> Self {
        Self {
            events: Box::new([EpollEvent::empty(); MOST_AT_ONCE]),
            count: 0,
        }
    }

    /// What the last wait brought: tokens, but not the bell's, and what is so of their sockets.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, EpollFlags)> + '_ {
        let events = self.events.iter().take(self.count);
        let told = events.map(|event| (event.data(), event.events()));
        told.filter(|(token, _)| *token != BELL)
    }
}

/// How long to wait so that it is `moment` then; without one, for ever, and not at all for one that
/// has passed.
pub(crate) fn timeout_until(moment: Option<Instant>) -> EpollTimeout {
    let Some(moment) = moment else {
        return EpollTimeout::NONE;
    };
    match moment.checked_duration_since(Instant::now()) {
        None => EpollTimeout::ZERO,
        // not a little too early, again and again
        Some(left) => {
            let left = left.saturating_add(Duration::from_millis(1));
            EpollTimeout::try_from(left).unwrap_or(EpollTimeout::MAX)
        }
    }
}

/// Whether it is about one connection or datagram, and the next may do better; unlike want of
/// descriptors or memory. accept(2): what the network has to say of a client comes out there.
pub(crate) fn is_of_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::HostUnreachable
            | ErrorKind::Interrupted
            | ErrorKind::NetworkDown
            | ErrorKind::NetworkUnreachable
            | ErrorKind::PermissionDenied
            | ErrorKind::TimedOut
    )
}
