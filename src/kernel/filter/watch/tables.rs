//! What somebody else changes of our tables is heard, and they are made as they were.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::{BURST, Keeper, READ_AT_ONCE, State, Turns};
use crate::errno::Errno;
use crate::kernel::filter::mend;
use crate::kernel::filter::pace::Pace;
use crate::netlink::nft::notice::{Notice, judge};
use crate::netlink::socket::Monitor;
use crate::plan::nft::Deviation;

/// So many repairs follow each other at full speed, and then one each time that this has passed.
const MOST_AT_ONCE: u32 = 256;
const EACH: Duration = Duration::from_millis(25);

/// Something of ours was removed or changed, and is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Repaired {
    pub(crate) deviations: Vec<Deviation>,
    /// Whose doing it was, by number and name, if the kernel said so.
    pub(crate) by: Option<(u32, String)>,
    /// When it was heard of.
    pub(crate) heard: Instant,
}

/// What has been heard and not been seen to.
#[derive(Debug, Default)]
struct News {
    /// When the first of it came that may be about something of ours.
    since: Option<Instant>,
    by: Option<(u32, String)>,
}

pub(super) struct Tables {
    monitor: Monitor,
    state: Arc<Mutex<State>>,
    keeper: Arc<dyn Keeper>,
    news: News,
    turns: Turns,
}

impl Tables {
    pub(super) fn new(monitor: Monitor, state: Arc<Mutex<State>>, keeper: Arc<dyn Keeper>) -> Self {
        Self {
            monitor,
            state,
            keeper,
            news: News::default(),
            turns: Turns::new(Pace::new(Instant::now(), MOST_AT_ONCE, EACH)),
        }
    }

    /// Hears what there is and sees to it; returns how long to rest before there may be more to do.
    pub(super) fn attend(&mut self) -> Option<Duration> {
        let is_heard = self.hear();
        match (self.news.since, is_heard) {
            (None, false) => None,
            (None, true) => Some(BURST),
            (Some(_), _) => Some(match self.turns.take() {
                Ok(()) => self.repair(),
                Err(pause) => pause,
            }),
        }
    }

    /// Reads what there is; whether there was anything.
    fn hear(&mut self) -> bool {
        let Self {
            monitor,
            state,
            news,
            ..
        } = self;
        let mut is_heard = false;
        for _ in 0..READ_AT_ONCE {
            let state = state.lock();
            let (port, wanted) = (state.port(), &state.wanted);
            let tables = wanted.tables();
            let next = monitor.next(|from, kind, body| {
                if port == Some(from) {
                    return;
                }
                match judge((kind, body), tables, &wanted.elements) {
                    Notice::Harmless => {}
                    Notice::Suspicious => {
                        news.since.get_or_insert_with(Instant::now);
                    }
                    Notice::By { pid, name } if news.since.is_some() => {
                        news.by.get_or_insert((pid, name));
                    }
                    Notice::By { .. } => {}
                }
            });
            match next {
                Ok(()) => is_heard = true,
                Err(Errno::EAGAIN) => break,
                Err(_) => {
                    is_heard = true;
                    news.since.get_or_insert_with(Instant::now);
                }
            }
        }
        is_heard
    }

    /// Returns how long to rest then.
    fn repair(&mut self) -> Duration {
        let mended = mend(&self.state, || self.keeper.catch_up());
        match mended {
            Err(_) => self.turns.failed(),
            Ok(deviations) => {
                self.turns.done();
                let news = std::mem::take(&mut self.news);
                if let (false, Some(heard)) = (deviations.is_empty(), news.since) {
                    let by = news.by;
                    self.keeper.tell(Repaired {
                        deviations,
                        by,
                        heard,
                    });
                }
                BURST
            }
        }
    }
}

impl AsFd for Tables {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.monitor.as_fd()
    }
}
