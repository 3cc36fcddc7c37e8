//! The events that one subscriber has not read yet, the latest of them at least. It does not know
//! of other subscribers.

use std::collections::VecDeque;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::Subscription;
use crate::event::{Event, EventKind};

#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    events: VecDeque<Event>,
    /// What stood before the first of them: how many, as an event at the moment of the last.
    gap: Option<Event>,
    closed: bool,
}

impl Queue {
    pub(super) fn push(&self, event: Event) {
        let mut state = self.state.lock();
        if state.events.len() == Subscription::CAPACITY {
            state.lose_first();
        }
        state.events.push_back(event);
        self.changed.notify_one();
    }

    /// The next event; waits for it until `deadline`, or for ever.
    pub(super) fn pop_until(&self, deadline: Option<Instant>) -> Result<Event, RecvTimeoutError> {
        let mut state = self.state.lock();
        loop {
            if let Some(event) = state.pop() {
                return Ok(event);
            }
            if state.closed {
                return Err(RecvTimeoutError::Disconnected);
            }
            match deadline {
                None => self.changed.wait(&mut state),
                Some(deadline) if Instant::now() >= deadline => {
                    return Err(RecvTimeoutError::Timeout);
                }
                Some(deadline) => drop(self.changed.wait_until(&mut state, deadline)),
            }
        }
    }

    /// Nothing will be pushed any more.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.changed.notify_all();
    }

    pub(super) fn len(&self) -> usize {
        let state = self.state.lock();
        state.events.len() + usize::from(state.gap.is_some())
    }
}

impl State {
    fn pop(&mut self) -> Option<Event> {
        self.gap.take().or_else(|| self.events.pop_front())
    }

    fn lose_first(&mut self) {
        let Some(first) = self.events.pop_front() else {
            return;
        };
        let before = match self.gap.take().map(|gap| gap.kind) {
            Some(EventKind::Lost { events }) => events,
            _ => 0,
        };
        self.gap = Some(Event {
            at: first.at,
            took: Duration::ZERO,
            kind: EventKind::Lost { events: before + 1 },
        });
    }
}
