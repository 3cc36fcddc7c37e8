//! Whose turn it is among the servers of a question, and which of them have been slow to others'.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::Vantage;
use super::flight::TRY;
use super::question::Key;
use crate::resolver::resolv::NameServer;

/// More servers are not asked.
// resolv.conf(5)
const MAX_SERVERS: usize = 3;

/// For how long a server comes last that did not answer.
const SLOW: Duration = Duration::from_secs(10);
/// As many are remembered as slow, at most, and as many as not.
const MAX_SLOW: usize = 1_024;

/// The servers that one question can still be asked of, the next one first.
pub(super) struct Turns(VecDeque<NameServer>);

impl Turns {
    /// As they are listed, but the slow ones last.
    pub(super) fn of(key: &Key, slow: &Slow, now: Instant) -> Self {
        let listed = key.servers.iter().take(MAX_SERVERS);
        let mut turns: Vec<NameServer> = listed.cloned().collect();
        turns.sort_by_key(|server| slow.is_slow(key.vantage, server, now));
        Self(turns.into())
    }

    /// Whose turn it is; it comes last then. `None` if all have failed.
    pub(super) fn next(&mut self) -> Option<NameServer> {
        self.0.rotate_left(usize::from(!self.0.is_empty()));
        self.0.back().cloned()
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.is_empty()
    }

    /// It is not asked again.
    pub(super) fn fail(&mut self, server: &NameServer) {
        self.0.retain(|one| one != server);
    }
}

/// The servers that did not answer of late, each as seen from one place.
#[derive(Default)]
pub(super) struct Slow {
    until: HashMap<(Vantage, NameServer), Instant>,
    /// When each has last answered in time.
    heard: HashMap<(Vantage, NameServer), Instant>,
}

impl Slow {
    /// It has said nothing to what it was asked at `since`. If it has answered something else
    /// meanwhile, it is that name that nobody answers.
    pub(super) fn mark(
        &mut self,
        (vantage, server): (Vantage, &NameServer),
        since: Instant,
        now: Instant,
    ) {
        let seen = (vantage, server.clone());
        if self.heard.get(&seen).is_some_and(|at| *at >= since) {
            return;
        }
        make_room(&mut self.until, |until| now < *until);
        let until = now.checked_add(SLOW);
        if let Some(until) = until.filter(|_| self.until.len() < MAX_SLOW) {
            self.until.insert(seen, until);
        }
    }

    /// It has answered in time.
    pub(super) fn clear(&mut self, vantage: Vantage, server: &NameServer, now: Instant) {
        let seen = (vantage, server.clone());
        self.until.remove(&seen);
        make_room(&mut self.heard, |at| {
            now.saturating_duration_since(*at) < TRY
        });
        if self.heard.len() < MAX_SLOW {
            self.heard.insert(seen, now);
        }
    }

    pub(super) fn forget(&mut self, client: u64) {
        for seen in [&mut self.until, &mut self.heard] {
            seen.retain(|(vantage, _), _| *vantage != Vantage::Client(client));
        }
    }

    fn is_slow(&self, vantage: Vantage, server: &NameServer, now: Instant) -> bool {
        let until = self.until.get(&(vantage, server.clone()));
        until.is_some_and(|until| now < *until)
    }
}

/// What says nothing any more goes where there is much.
fn make_room(
    seen: &mut HashMap<(Vantage, NameServer), Instant>,
    says_something: impl Fn(&Instant) -> bool,
) {
    if seen.len() >= MAX_SLOW {
        seen.retain(|_, at| says_something(at));
    }
}
