//! What somebody else changes of our links, addresses, routes and rules of the routing policy is heard,
//! and whoever knows what must be there has it put right.

use std::collections::HashSet;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{BURST, Keeper, READ_AT_ONCE, Turns};
use crate::audit::{Subject, Verdict};
use crate::errno::Errno;
use crate::kernel::filter::pace::Pace;
use crate::netlink::notice;
use crate::netlink::socket::Monitor;

/// So many repairs follow each other at full speed, and then one each time that this has passed: to
/// look at a host with a thousand containers takes some milliseconds.
const MOST_AT_ONCE: u32 = 64;
const EACH: Duration = Duration::from_millis(100);
/// So often is a repair tried that does not put all right; after that, when something is heard again.
const TRIES: u32 = 12;

pub(super) struct Routing {
    monitor: Monitor,
    keeper: Arc<dyn Keeper>,
    /// What was otherwise when it was last heard of.
    wrong: HashSet<Subject>,
    /// Something was not heard.
    is_lost: bool,
    since: Option<Instant>,
    turns: Turns,
}

impl Routing {
    pub(super) fn new(monitor: Monitor, keeper: Arc<dyn Keeper>) -> Self {
        Self {
            monitor,
            keeper,
            wrong: HashSet::new(),
            is_lost: false,
            since: None,
            turns: Turns::new(Pace::new(Instant::now(), MOST_AT_ONCE, EACH)),
        }
    }

    /// As with tables.
    pub(super) fn attend(&mut self) -> Option<Duration> {
        let is_heard = self.hear();
        if self.wrong.is_empty() && !self.is_lost {
            self.since = None;
            return is_heard.then_some(BURST);
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        Some(match self.turns.take() {
            Ok(()) => self.mend(since),
            Err(pause) => pause,
        })
    }

    fn hear(&mut self) -> bool {
        let Self {
            monitor,
            keeper,
            wrong,
            is_lost,
            ..
        } = self;
        let mut is_heard = false;
        for _ in 0..READ_AT_ONCE {
            let next = monitor.next(|_, kind, body| {
                let change = notice::change(kind, body);
                match change.and_then(|change| keeper.judge(&change)) {
                    None => {}
                    Some((subject, Verdict::Right)) => {
                        wrong.remove(&subject);
                    }
                    Some((subject, Verdict::Wrong)) => {
                        wrong.insert(subject);
                    }
                }
            });
            match next {
                Ok(()) => is_heard = true,
                Err(Errno::EAGAIN) => break,
                Err(_) => {
                    is_heard = true;
                    *is_lost = true;
                }
            }
        }
        is_heard
    }

    /// Returns how long to rest then.
    fn mend(&mut self, heard: Instant) -> Duration {
        let is_right = matches!(self.keeper.mend(heard), Ok(Verdict::Right));
        if !is_right && self.turns.failures < TRIES {
            return self.turns.failed();
        }
        self.turns.done();
        self.wrong.clear();
        self.is_lost = false;
        self.since = None;
        BURST
    }
}

impl AsFd for Routing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use nix::sys::socket::setsockopt;
    use nix::sys::socket::sockopt::RcvBuf;

    use super::*;
    use crate::addr::LinkIndex;
    use crate::error::Error;
    use crate::kernel::filter::watch::Repaired;
    use crate::kernel::{Kernel, Netns};
    use crate::plan::{Link, Plan, Side, Step};
    use crate::snapshot::Change;

    /// Of whom nothing that is heard is.
    #[derive(Default)]
    struct Stranger {
        judged: AtomicUsize,
        mended: AtomicUsize,
    }

    impl Keeper for Stranger {
        fn catch_up(&self) -> Result<(), Error> {
            Ok(())
        }

        fn tell(&self, _repaired: Repaired) {}

        fn judge(&self, _change: &Change) -> Option<(Subject, Verdict)> {
            self.judged.fetch_add(1, Ordering::Relaxed);
            None
        }

        fn mend(&self, _heard: Instant) -> Result<Verdict, Error> {
            self.mended.fetch_add(1, Ordering::Relaxed);
            Ok(Verdict::Right)
        }
    }

    /// One who hears, and has heard that `lo` of a new namespace was set up.
    fn hear_by(prepare: impl FnOnce(&Monitor)) -> (Routing, Arc<Stranger>) {
        let netns = Netns::create().unwrap();
        let kernel = Kernel::new(netns.clone()).unwrap();
        let monitor = netns.run(Monitor::of_routing).unwrap().unwrap();
        prepare(&monitor);
        let keeper = Arc::new(Stranger::default());
        let mut routing = Routing::new(monitor, keeper.clone());
        let lo = Link::new(
            Side::Host,
            "lo".parse().unwrap(),
            LinkIndex::new(1).unwrap(),
        );
        let up = Plan::from_iter([Step::SetUp { link: lo }]);
        kernel.apply(&up, None).unwrap();
        routing.attend();
        (routing, keeper)
    }

    #[test]
    fn what_is_somebody_elses_is_not_seen_to() {
        let (_routing, keeper) = hear_by(|_| ());
        assert!(keeper.judged.load(Ordering::Relaxed) > 0);
        assert_eq!(keeper.mended.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn where_something_was_not_heard_all_is_looked_at_once() {
        let least = |monitor: &Monitor| setsockopt(monitor, RcvBuf, &0).unwrap();
        let (mut routing, keeper) = hear_by(least);
        assert_eq!(keeper.mended.load(Ordering::Relaxed), 1);
        routing.attend();
        assert_eq!(keeper.mended.load(Ordering::Relaxed), 1);
    }
}
