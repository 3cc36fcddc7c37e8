//! Links that go. The kernel makes whoever deletes a link wait 15 to 30 ms for readers that might
//! still see it, though it is gone for everybody after one: the waiting is done by a thread of its
//! own, and the caller goes on as soon as the link can no longer be found.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::{Duration, Instant};

use super::netns::{Netns, small_thread};
use crate::addr::LinkIndex;
use crate::errno::Errno;
use crate::netlink::frame::{Refusal, Request};
use crate::netlink::socket::nft::NftSocket;
use crate::netlink::socket::{DEADLINE, NetlinkSocket};
use crate::netlink::{link, read};

/// As many deletions wait at once; one more makes its caller wait with it.
const MOST_AT_ONCE: usize = 64;

/// How long to leave the kernel alone between two looks. A look costs 3 µs, and waits for the
/// kernel's lock while a deletion holds it.
const BETWEEN_LOOKS: Duration = Duration::from_micros(50);

/// How many deletions are waiting in the kernel.
#[derive(Debug, Clone, Default)]
pub(super) struct Reaper(Arc<AtomicUsize>);

impl Reaper {
    /// Carries out a deletion in `namespace` and returns when none of `links` is there any more.
    pub(super) fn delete(
        &self,
        (namespace, socket): (&Netns, &mut NetlinkSocket),
        deletion: Request,
        links: &[LinkIndex],
    ) -> Result<(), Refusal> {
        let Some(waiting) = self.place() else {
            return forgive_absence(socket.call(deletion));
        };
        let (report, reports) = sync_channel(2);
        let request = deletion.clone();
        namespace.start(move || {
            let _waiting = waiting;
            let result = NetlinkSocket::route().map_err(Refusal::from);
            // nobody listens any more once the link is gone
            let _heard = report.send(Report::Ready);
            let result = result.and_then(|mut socket| socket.call(request));
            let _heard = report.send(Report::Ended(result));
            Ok(())
        })?;
        // looking before there is something to see would take the processor from that thread
        let ready = reports.recv_timeout(DEADLINE);
        ready.map_err(|error| match error {
            RecvTimeoutError::Timeout => Errno::ETIMEDOUT,
            RecvTimeoutError::Disconnected => Errno::EIO,
        })?;
        let deadline = Instant::now() + DEADLINE;
        loop {
            match reports.recv_timeout(BETWEEN_LOOKS) {
                Ok(Report::Ready) => {}
                // what the thread could not open is open here
                Ok(Report::Ended(Err(refusal))) if refusal.errno == Errno::EMFILE => {
                    return forgive_absence(socket.call(deletion));
                }
                Ok(Report::Ended(result)) => return forgive_absence(result),
                Err(RecvTimeoutError::Disconnected) => return Err(Errno::EIO.into()),
                Err(RecvTimeoutError::Timeout) if all_gone(socket, links)? => return Ok(()),
                Err(RecvTimeoutError::Timeout) if Instant::now() > deadline => {
                    return Err(Errno::ETIMEDOUT.into());
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }
}

impl Reaper {
    /// A place among those who wait for the kernel; `None` if there are enough.
    pub(super) fn place(&self) -> Option<Waiting> {
        let waiting = self.0.fetch_add(1, Ordering::Relaxed);
        let place = Waiting(self.clone());
        (waiting < MOST_AT_ONCE).then_some(place)
    }

    /// Closes a socket that has removed something from the packet filter, and whose closing waits.
    pub(super) fn close(&self, socket: NftSocket) {
        let Some(place) = self.place() else { return };
        // where no thread is to be had, the socket is closed here
        let _closing = small_thread().spawn(move || {
            drop(socket);
            drop(place);
        });
    }
}

/// What the thread that deletes says.
enum Report {
    /// It is about to.
    Ready,
    /// The kernel has answered.
    Ended(Result<(), Refusal>),
}

/// One of those who wait for the kernel, until it is dropped.
#[derive(Debug)]
pub(super) struct Waiting(Reaper);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn all_gone(socket: &mut NetlinkSocket, links: &[LinkIndex]) -> Result<bool, Refusal> {
    for &index in links {
        match socket.get(link::get(index), &read::LINK) {
            Err(refusal) if refusal.errno.is_absence() => {}
            Err(refusal) => return Err(refusal),
            Ok(_) => return Ok(false),
        }
    }
    Ok(true)
}

pub(super) fn forgive_absence(result: Result<(), Refusal>) -> Result<(), Refusal> {
    match result {
        Err(refusal) if refusal.errno.is_absence() => Ok(()),
        result => result,
    }
}
