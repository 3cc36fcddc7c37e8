//! One thread of the crate's own for a host: it sleeps until somebody else changes something of ours,
//! and then has it made as it was. It knows how to sleep and when to rest; what it hears of and what
//! is done about it is of its ears.

mod routing;
mod tables;

use std::os::fd::AsFd;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use parking_lot::Mutex;

use super::State;
use super::pace::Pace;
use crate::audit::{Subject, Verdict};
use crate::errno::Errno;
use crate::error::Error;
use crate::kernel::netns::{Netns, small_thread};
use crate::netlink::socket::Monitor;
use crate::snapshot::Change;
use routing::Routing;
pub(crate) use tables::Repaired;
use tables::Tables;

/// What follows within that time after something was heard is one with it.
const BURST: Duration = Duration::from_millis(1);
/// For as long at most is nothing heard.
const LONGEST_REST: Duration = Duration::from_millis(20);
/// So many messages are read before what they are about is seen to.
const READ_AT_ONCE: usize = 1024;
/// How soon a repair that was refused is tried again, at first and at the latest.
const AGAIN_FIRST: Duration = Duration::from_millis(10);
const AGAIN_LAST: Duration = Duration::from_secs(1);

/// For whom others' changes are undone. The watching thread calls, and waits for it.
pub(crate) trait Keeper: Send + Sync {
    /// Before tables are put right: what other processes have changed on purpose is to be known by then.
    /// If that can't be, nothing is put right until it can.
    fn catch_up(&self) -> Result<(), Error>;

    /// Tables were put right.
    fn tell(&self, repaired: Repaired);

    /// What a change that is not of tables means for what must be there; `None` where it is about
    /// something else.
    fn judge(&self, change: &Change) -> Option<(Subject, Verdict)>;

    /// Puts right what is not as it must be, but for tables, and tells of it and whether all of it is.
    /// The first that was wrong was heard of then.
    ///
    /// # Errors
    /// Some of it was refused.
    fn mend(&self, heard: Instant) -> Result<Verdict, Error>;
}

/// The thread, as long as this is there.
pub(super) struct Watch {
    wake: Arc<EventFd>,
    thread: Option<JoinHandle<()>>,
    process: u32,
}

impl Watch {
    /// Everything that changes from now on is seen: of tables, where there is a state of them.
    pub(super) fn start(
        netns: &Netns,
        state: Option<Arc<Mutex<State>>>,
        keeper: Arc<dyn Keeper>,
    ) -> Result<Self, Errno> {
        let tables = match state {
            Some(state) => {
                let monitor = netns.visit(Monitor::of_tables)?;
                Some(Tables::new(monitor, state, Arc::clone(&keeper)))
            }
            None => None,
        };
        let monitor = netns.visit(Monitor::of_routing)?;
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        let wake = Arc::new(EventFd::from_value_and_flags(0, flags)?);
        let watcher = Watcher {
            wake: Arc::clone(&wake),
            tables,
            routing: Routing::new(monitor, keeper),
        };
        let thread = small_thread().spawn(move || watcher.run());
        Ok(Self {
            wake,
            thread: Some(thread.map_err(|error| Errno::from(&error))?),
            process: std::process::id(),
        })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        // the thread is the parent's, and so is what wakes it
        if self.process != std::process::id() {
            return;
        }
        let _woken = self.wake.write(1);
        let Some(thread) = self.thread.take() else {
            return;
        };
        // the last handle may be let go of by whoever puts right what it was for
        if thread.thread().id() != std::thread::current().id() {
            let _ended = thread.join();
        }
    }
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

struct Watcher {
    wake: Arc<EventFd>,
    tables: Option<Tables>,
    routing: Routing,
}

impl Watcher {
    fn run(mut self) {
        let mut rest = None;
        while self.sleep(rest) {
            let of_tables = self.tables.as_mut().and_then(Tables::attend);
            let rests = [of_tables, self.routing.attend()];
            rest = rests.into_iter().flatten().min();
        }
    }

    /// Until something is heard, or for a rest in which nothing is; `false` when all is over.
    fn sleep(&self, rest: Option<Duration>) -> bool {
        let ear = |descriptor| PollFd::new(descriptor, PollFlags::POLLIN);
        let mut all = vec![ear(self.wake.as_fd())];
        let mut timeout = PollTimeout::NONE;
        match rest {
            Some(rest) => timeout = milliseconds(rest.min(LONGEST_REST)),
            None => {
                all.push(ear(self.routing.as_fd()));
                all.extend(self.tables.as_ref().map(|tables| ear(tables.as_fd())));
            }
        }
        match poll(&mut all, timeout) {
            Ok(_) => all[0].any() != Some(true),
            Err(nix::errno::Errno::EINTR) => true,
            Err(_) => false,
        }
    }
}

/// When something is seen to that was heard of: at once, unless there is too much of it, or unless it
/// could not be done.
#[derive(Debug)]
struct Turns {
    pace: Pace,
    again: Duration,
    failures: u32,
    due: Option<Instant>,
}

impl Turns {
    fn new(pace: Pace) -> Self {
        Self {
            pace,
            again: AGAIN_FIRST,
            failures: 0,
            due: None,
        }
    }

    /// Takes one; or says how long to wait for it.
    fn take(&mut self) -> Result<(), Duration> {
        let now = Instant::now();
        let early = self.due.and_then(|due| due.checked_duration_since(now));
        match early.filter(|left| !left.is_zero()) {
            Some(left) => Err(left),
            None => self.pace.take(now),
        }
    }

    fn done(&mut self) {
        self.again = AGAIN_FIRST;
        self.failures = 0;
        self.due = None;
    }

    /// Returns how long to wait.
    fn failed(&mut self) -> Duration {
        let pause = self.again;
        self.again = (pause * 2).min(AGAIN_LAST);
        self.failures += 1;
        self.due = Some(Instant::now() + pause);
        pause
    }
}

/// At least one.
fn milliseconds(time: Duration) -> PollTimeout {
    let whole = u16::try_from(time.as_millis()).unwrap_or(u16::MAX);
    PollTimeout::from(whole.max(1))
}
