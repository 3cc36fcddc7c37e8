//! All questions on their way, found by number, by what they ask and by time, and how many wait for
//! them. Nothing is decided here.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::ForwardLimits;
use super::flight::{Flight, FlightId, Waiting};
use super::question::Key;
use crate::resolver::query::Transport;

/// The flights. Each is in every index; who changes one takes it out and puts it back.
pub(super) struct Flights<W> {
    by_number: HashMap<FlightId, Flight<W>>,
    by_question: HashMap<(Arc<Key>, Transport), FlightId>,
    by_time: BTreeSet<(Instant, FlightId)>,
    /// How many wait, in all and for each client that has any.
    waiting: usize,
    of_clients: HashMap<u64, usize>,
}

impl<W> Default for Flights<W> {
    fn default() -> Self {
        Self {
            by_number: HashMap::new(),
            by_question: HashMap::new(),
            by_time: BTreeSet::new(),
            waiting: 0,
            of_clients: HashMap::new(),
        }
    }
}

impl<W> Flights<W> {
    /// Whether one more of this client's may wait.
    pub(super) fn has_room(&self, client: u64, limits: &ForwardLimits) -> bool {
        let of_client = self.of_clients.get(&client).copied().unwrap_or(0);
        self.waiting < limits.in_flight && of_client < limits.in_flight_per_client
    }

    pub(super) fn get(&self, number: FlightId) -> Option<&Flight<W>> {
        self.by_number.get(&number)
    }

    pub(super) fn put(&mut self, flight: Flight<W>) {
        let number = flight.number;
        self.by_question.insert(flight.question.clone(), number);
        self.by_time.insert((flight.due(), number));
        self.by_number.insert(number, flight);
    }

    pub(super) fn take(&mut self, number: FlightId) -> Option<Flight<W>> {
        let flight = self.by_number.remove(&number)?;
        self.by_question.remove(&flight.question);
        self.by_time.remove(&(flight.due(), number));
        Some(flight)
    }

    pub(super) fn take_asking(&mut self, question: &(Arc<Key>, Transport)) -> Option<Flight<W>> {
        let number = *self.by_question.get(question)?;
        self.take(number)
    }

    pub(super) fn take_due(&mut self, now: Instant) -> Option<Flight<W>> {
        let (due, number) = *self.by_time.first()?;
        if due <= now { self.take(number) } else { None }
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.by_time.first().map(|(due, _)| *due)
    }

    /// Those for which one of this client's waits.
    pub(super) fn numbers_of(&self, client: u64) -> Vec<FlightId> {
        if !self.of_clients.contains_key(&client) {
            return Vec::new();
        }
        let waits = |flight: &&Flight<W>| flight.has(client);
        let flights = self.by_number.values().filter(waits);
        flights.map(|flight| flight.number).collect()
    }

    /// One more waits, of this client's.
    pub(super) fn count(&mut self, client: u64) {
        self.waiting += 1;
        *self.of_clients.entry(client).or_default() += 1;
    }

    /// One less.
    pub(super) fn discount(&mut self, one: &Waiting<W>) {
        let client = one.waiter.client;
        self.waiting = self.waiting.saturating_sub(1);
        if let Some(count) = self.of_clients.get_mut(&client) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.of_clients.remove(&client);
            }
        }
    }
    /// Whether no index has anything left.
    #[cfg(test)]
    pub(super) fn is_idle(&self) -> bool {
        let flights = self.by_number.len() + self.by_question.len() + self.by_time.len();
        flights + self.waiting + self.of_clients.len() == 0
    }
}
