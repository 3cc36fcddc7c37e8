//! One question on its way: who waits for it, which attempts are listened to, and when something is
//! due. What a reply says is decided in `reply`; what becomes of the orders is up to the caller.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::question::{Asker, Form, Key};
use super::servers::{Slow, Turns};
use super::{AttemptId, Waiter};
use crate::resolver::query::{Query, Transport};
use crate::resolver::resolv::NameServer;

/// A server that is silent for so long is slow, and the next one is asked.
pub(super) const TRY: Duration = Duration::from_secs(1);
/// Nobody waits longer.
const PATIENCE: Duration = Duration::from_secs(4);
/// So many attempts of a flight are listened to.
const MAX_ATTEMPTS: usize = 4;
/// As often an id is drawn that is not the asker's.
const DRAWS: usize = 4;

pub(super) type FlightId = u64;

/// A question that has been asked, and not yet answered.
pub(super) struct Flight<W> {
    pub(super) number: FlightId,
    pub(super) question: (Arc<Key>, Transport),
    turns: Turns,
    /// The oldest first.
    attempts: VecDeque<Attempt>,
    opened: u16,
    /// The one who asked first comes first.
    waiting: VecDeque<Waiting<W>>,
    next_try: Instant,
}

/// One who waits.
pub(super) struct Waiting<W> {
    pub(super) waiter: Waiter<W>,
    pub(super) asker: Asker,
    deadline: Instant,
}

/// One query to one server.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    pub(super) number: AttemptId,
    pub(super) id: u16,
    pub(super) form: Form,
    pub(super) server: NameServer,
    pub(super) since: Instant,
}

/// What asking the next server takes.
pub(super) struct Opening {
    pub(super) attempt: Attempt,
    /// What is no longer listened to.
    pub(super) closed: Option<AttemptId>,
}

impl<W> Waiting<W> {
    pub(super) fn new(waiter: Waiter<W>, query: &Query, now: Instant) -> Self {
        Self {
            waiter,
            asker: Asker::of(query),
            deadline: now + PATIENCE,
        }
    }
}

impl Attempt {
    /// Whether the server is answering in time.
    pub(super) fn is_prompt(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < TRY
    }
}

impl<W> Flight<W> {
    pub(super) fn new(
        number: FlightId,
        question: (Arc<Key>, Transport),
        slow: &Slow,
        now: Instant,
    ) -> Self {
        Self {
            turns: Turns::of(&question.0, slow, now),
            number,
            question,
            attempts: VecDeque::new(),
            opened: 0,
            waiting: VecDeque::new(),
            next_try: now,
        }
    }

    pub(super) fn key(&self) -> &Arc<Key> {
        &self.question.0
    }

    pub(super) fn transport(&self) -> Transport {
        self.question.1
    }

    pub(super) fn join(&mut self, one: Waiting<W>) {
        self.waiting.push_back(one);
    }

    /// Whether one of this client's waits.
    pub(super) fn has(&self, client: u64) -> bool {
        self.waiting.iter().any(|one| one.waiter.client == client)
    }

    /// Whoever has waited longest.
    pub(super) fn first_client(&self) -> Option<u64> {
        self.waiting.front().map(|first| first.waiter.client)
    }

    pub(super) fn is_awaited(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Asks the next server under an id of its own; `None` if all have failed.
    pub(super) fn open(
        &mut self,
        now: Instant,
        random: &mut dyn FnMut() -> u16,
    ) -> Option<Opening> {
        let server = self.turns.next()?;
        Some(self.begin((server, Form::AsAsked), now, random))
    }

    /// Asks the attempt's server again, without what it may not have understood. `None` where that was
    /// not in what it was asked.
    pub(super) fn open_plainly(
        &mut self,
        number: AttemptId,
        now: Instant,
        random: &mut dyn FnMut() -> u16,
    ) -> Option<Opening> {
        let has_edns = self.key().question.has_edns();
        let attempt = self.attempt(number)?;
        let server = Some(attempt.server.clone());
        let server = server.filter(|_| has_edns && attempt.form == Form::AsAsked)?;
        self.let_go(number);
        Some(self.begin((server, Form::Plain), now, random))
    }

    fn begin(
        &mut self,
        (server, form): (NameServer, Form),
        now: Instant,
        random: &mut dyn FnMut() -> u16,
    ) -> Opening {
        let attempt = Attempt {
            number: AttemptId::new(self.number, self.opened),
            id: self.draw(random),
            form,
            server,
            since: now,
        };
        self.opened = self.opened.wrapping_add(1);
        self.next_try = now + TRY;
        let excess = self.attempts.len() >= MAX_ATTEMPTS;
        let closed = if excess {
            self.attempts.pop_front()
        } else {
            None
        };
        self.attempts.push_back(attempt.clone());
        let closed = closed.map(|attempt| attempt.number);
        Opening { attempt, closed }
    }

    pub(super) fn attempt(&self, number: AttemptId) -> Option<&Attempt> {
        self.attempts
            .iter()
            .find(|attempt| attempt.number == number)
    }

    pub(super) fn attempts(&self) -> impl Iterator<Item = AttemptId> {
        self.attempts.iter().map(|attempt| attempt.number)
    }

    /// The attempt's server is not asked again. Whether it is the next one's turn at once, as it is
    /// if none was asked since.
    pub(super) fn fail(&mut self, number: AttemptId) -> bool {
        let is_last = self
            .attempts
            .back()
            .is_some_and(|last| last.number == number);
        if let Some(attempt) = self.let_go(number) {
            self.turns.fail(&attempt.server);
        }
        is_last
    }

    /// The attempt is not listened to any more.
    pub(super) fn let_go(&mut self, number: AttemptId) -> Option<Attempt> {
        let mut attempts = self.attempts.iter();
        let at = attempts.position(|attempt| attempt.number == number)?;
        self.attempts.remove(at)
    }

    /// Whether all servers have failed.
    pub(super) fn is_hopeless(&self) -> bool {
        self.turns.is_over()
    }

    /// The attempt whose server has been silent for too long, if it is time to ask another.
    pub(super) fn silent(&self, now: Instant) -> Option<&Attempt> {
        self.attempts.back().filter(|_| now >= self.next_try)
    }

    pub(super) fn is_try_due(&self, now: Instant) -> bool {
        now >= self.next_try
    }

    /// Those who have waited long enough.
    pub(super) fn take_overdue(&mut self, now: Instant) -> VecDeque<Waiting<W>> {
        let overdue = self.waiting.iter().take_while(|one| now >= one.deadline);
        let later = self.waiting.split_off(overdue.count());
        std::mem::replace(&mut self.waiting, later)
    }

    pub(super) fn take_those_of(&mut self, client: u64) -> VecDeque<Waiting<W>> {
        let all = self.take_all().into_iter();
        let (those, others) = all.partition(|one| one.waiter.client == client);
        self.waiting = others;
        those
    }

    pub(super) fn take_all(&mut self) -> VecDeque<Waiting<W>> {
        std::mem::take(&mut self.waiting)
    }

    /// When it has to be looked at again.
    pub(super) fn due(&self) -> Instant {
        let deadline = self.waiting.front().map(|first| first.deadline);
        deadline.map_or(self.next_try, |deadline| deadline.min(self.next_try))
    }

    /// An id that has nothing to do with the one that the asker chose.
    fn draw(&self, random: &mut dyn FnMut() -> u16) -> u16 {
        let asker = self.waiting.front().map(|first| first.asker.id);
        let mut id = random();
        for _ in 1..DRAWS {
            if Some(id) != asker {
                break;
            }
            id = random();
        }
        id
    }
}
