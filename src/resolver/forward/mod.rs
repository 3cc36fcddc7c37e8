//! What a container asks for and does not know itself, asked of others: who is asked, under which
//! id, what of the replies counts, and what is kept of them. It opens no socket, reads no clock and
//! draws no random number; it says what is to be opened, and is told the time and what came.
//!
//! A question is built anew for others, and asked once for all who wait for its answer. One attempt
//! is one query to one server, from a socket of its own, under an id of its own. What comes that is
//! no reply to it is passed over, but for what comes by a connection: there it is the server's
//! failure. A server that does not understand a query with extensions is asked once more without
//! them. One that fails is followed by the next at once, one that is silent after a second;
//! it is still listened to. Whoever has waited four seconds is told that it failed, and when nobody
//! waits, nobody is listened to.

mod cache;
mod chain;
mod flight;
mod flights;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod kept;
mod layout;
mod name;
mod question;
mod record;
mod reply;
mod sections;
mod servers;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use self::cache::Cache;
use self::flight::{Attempt, Flight, FlightId, Opening, Waiting};
use self::flights::Flights;
use self::kept::Kept;
use self::question::{Asker, Key};
use self::reply::Heard;
use self::servers::Slow;
use super::query::{Query, Transport};
use super::resolv::NameServer;

/// Questions on their way to other servers, and what these have said. `W` is how the caller finds
/// who waits.
pub(crate) struct Forwarder<W> {
    limits: ForwardLimits,
    cache: Cache,
    slow: Slow,
    flights: Flights<W>,
    last_number: FlightId,
    due: VecDeque<Due<W>>,
}

/// How much may be on its way, and how much is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ForwardLimits {
    /// How many may wait for an answer. Who comes then is told that it failed.
    pub(crate) in_flight: usize,
    /// How many of one client's may wait.
    pub(crate) in_flight_per_client: usize,
    /// How many bytes of answers are kept.
    pub(crate) cache_bytes: usize,
}

impl Default for ForwardLimits {
    fn default() -> Self {
        Self {
            in_flight: 4_096,
            in_flight_per_client: 256,
            cache_bytes: 4 << 20,
        }
    }
}

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiter<W> {
    pub(crate) client: u64,
    pub(crate) to: W,
}

/// In whose namespace the socket has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Vantage {
    Host,
    Client(u64),
}

/// Who may be asked, and from where. At most the first three are.
#[derive(Debug, Clone)]
pub(crate) struct Servers {
    pub(crate) vantage: Vantage,
    pub(crate) addresses: Arc<[NameServer]>,
}

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// The reply is there: it was known, or nobody will be asked.
    Reply,
    /// An order to reply follows.
    Waiting,
}

/// One query to one server. No two of a forwarder's that are open at the same time are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct AttemptId(u64);

/// What is to be done.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Order<W> {
    /// Open a socket, of a port that was not chosen, connect it from there to the server's port 53,
    /// and send the query. By TCP its length goes before it.
    Open {
        attempt: AttemptId,
        /// For whom first of all.
        client: u64,
        vantage: Vantage,
        server: NameServer,
        transport: Transport,
        query: Vec<u8>,
    },
    /// Close the attempt's socket.
    Close(AttemptId),
    /// Send what is in the buffer to them.
    Reply(W),
}

/// An order, with a reply still to be written.
enum Due<W> {
    Order(Order<W>),
    Reply(Waiting<W>, Arc<Key>, Arc<Kept>),
}

impl<W: Copy> Forwarder<W> {
    pub(crate) fn new(limits: ForwardLimits) -> Self {
        Self {
            limits,
            cache: Cache::new(limits.cache_bytes),
            slow: Slow::default(),
            flights: Flights::default(),
            last_number: 0,
            due: VecDeque::new(),
        }
    }

    /// Asks `servers` for `waiter`, unless the answer is known.
    pub(crate) fn ask(
        &mut self,
        query: &Query,
        servers: &Servers,
        waiter: Waiter<W>,
        now: Instant,
        random: &mut dyn FnMut() -> u16,
        reply: &mut Vec<u8>,
    ) -> Asked {
        let key = Key::of(query, servers);
        if let Some((kept, age_s)) = self.cache.find(&key, now) {
            kept.write(&key.question, &Asker::of(query), age_s, reply);
            return Asked::Reply;
        }
        if key.servers.is_empty() || !self.flights.has_room(waiter.client, &self.limits) {
            Kept::failure().write(&key.question, &Asker::of(query), 0, reply);
            return Asked::Reply;
        }
        let question = (Arc::new(key), query.transport());
        let joined = self.flights.take_asking(&question);
        let is_new = joined.is_none();
        let mut flight = joined.unwrap_or_else(|| self.begin(question, now));
        flight.join(Waiting::new(waiter, query, now));
        self.flights.count(waiter.client);
        if is_new {
            self.open(flight, now, random);
        } else {
            self.flights.put(flight);
        }
        Asked::Waiting
    }

    /// What came on an attempt's socket: a datagram, or what TCP's length said is a message.
    pub(crate) fn heard(
        &mut self,
        attempt: AttemptId,
        bytes: &[u8],
        now: Instant,
        random: &mut dyn FnMut() -> u16,
    ) {
        let Some(flight) = self.flights.get(attempt.flight()) else {
            return;
        };
        let Some(asked) = flight.attempt(attempt) else {
            return;
        };
        match reply::read(bytes, asked.id, &flight.key().question) {
            // whoever may have sent the datagram; on a connection nobody speaks but the server
            Heard::Foreign if flight.transport() == Transport::Udp => {}
            Heard::Foreign | Heard::Refusal => {
                self.due.push_back(Due::Order(Order::Close(attempt)));
                self.failed(attempt, now, random);
            }
            Heard::Puzzlement => {
                self.due.push_back(Due::Order(Order::Close(attempt)));
                self.puzzled(attempt, now, random);
            }
            Heard::Answer(kept) => {
                let kept = Arc::new(kept);
                if asked.is_prompt(now) {
                    self.slow.clear(flight.key().vantage, &asked.server, now);
                }
                self.cache.insert(flight.key(), &kept, now);
                if let Some(flight) = self.flights.take(attempt.flight()) {
                    self.land(flight, &kept);
                }
            }
        }
    }

    /// The attempt came to nothing: refused, reset, closed. It is over, and no order to close it
    /// follows.
    pub(crate) fn failed(
        &mut self,
        attempt: AttemptId,
        now: Instant,
        random: &mut dyn FnMut() -> u16,
    ) {
        let Some(mut flight) = self.flights.take(attempt.flight()) else {
            return;
        };
        let is_next_due = flight.fail(attempt);
        if is_next_due || flight.is_hopeless() {
            self.open(flight, now, random);
        } else {
            self.flights.put(flight);
        }
    }

    /// The server may understand the question without extensions; else it has failed.
    fn puzzled(&mut self, attempt: AttemptId, now: Instant, random: &mut dyn FnMut() -> u16) {
        let Some(mut flight) = self.flights.take(attempt.flight()) else {
            return;
        };
        match flight.open_plainly(attempt, now, random) {
            Some(opening) => self.send(flight, opening),
            None => {
                self.flights.put(flight);
                self.failed(attempt, now, random);
            }
        }
    }

    /// There is no socket for the attempt, or none any more, for which its server can do nothing. It
    /// is over, and no order to close it follows. Where others are listened to the question goes on.
    pub(crate) fn crowded_out(&mut self, attempt: AttemptId) {
        let Some(mut flight) = self.flights.take(attempt.flight()) else {
            return;
        };
        flight.let_go(attempt);
        if flight.attempts().next().is_some() {
            self.flights.put(flight);
        } else {
            self.land(flight, &Arc::new(Kept::failure()));
        }
    }

    /// Does what is due at `now`.
    pub(crate) fn wake(&mut self, now: Instant, random: &mut dyn FnMut() -> u16) {
        while let Some(mut flight) = self.flights.take_due(now) {
            if let Some(silent) = flight.silent(now) {
                let from = (flight.key().vantage, &silent.server);
                self.slow.mark(from, silent.since, now);
            }
            let overdue = flight.take_overdue(now);
            self.reply(overdue, flight.key(), &Arc::new(Kept::failure()));
            if !flight.is_awaited() {
                self.close(&flight);
            } else if flight.is_try_due(now) {
                self.open(flight, now, random);
            } else {
                self.flights.put(flight);
            }
        }
    }

    /// When something is due next.
    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.flights.next_due()
    }

    /// What is to be done next; what is to be sent is put in `reply`.
    pub(crate) fn next_order(&mut self, reply: &mut Vec<u8>) -> Option<Order<W>> {
        Some(match self.due.pop_front()? {
            Due::Order(order) => order,
            Due::Reply(one, key, kept) => {
                kept.write(&key.question, &one.asker, 0, reply);
                Order::Reply(one.waiter.to)
            }
        })
    }

    /// A client is gone. It is sent nothing more, and what was heard from its own vantage is gone
    /// with it.
    pub(crate) fn forget(&mut self, client: u64) {
        for number in self.flights.numbers_of(client) {
            let Some(mut flight) = self.flights.take(number) else {
                continue;
            };
            for one in flight.take_those_of(client) {
                self.flights.discount(&one);
            }
            if flight.is_awaited() {
                self.flights.put(flight);
            } else {
                self.close(&flight);
            }
        }
        let stays =
            |due: &Due<W>| !matches!(due, Due::Reply(one, ..) if one.waiter.client == client);
        self.due.retain(stays);
        self.cache.forget(client);
        self.slow.forget(client);
    }

    fn begin(&mut self, question: (Arc<Key>, Transport), now: Instant) -> Flight<W> {
        self.last_number += 1;
        Flight::new(self.last_number, question, &self.slow, now)
    }

    /// Asks the next server, or says that all have failed.
    fn open(&mut self, mut flight: Flight<W>, now: Instant, random: &mut dyn FnMut() -> u16) {
        match flight.open(now, random) {
            Some(opening) => self.send(flight, opening),
            None => self.land(flight, &Arc::new(Kept::failure())),
        }
    }

    fn send(&mut self, flight: Flight<W>, opening: Opening) {
        let Attempt {
            number,
            id,
            form,
            server,
            ..
        } = opening.attempt;
        let (key, transport) = &flight.question;
        let open = Order::Open {
            attempt: number,
            client: flight.first_client().unwrap_or_default(),
            vantage: key.vantage,
            server,
            transport: *transport,
            query: key.question.write_query(id, form),
        };
        let close = opening.closed.map(Order::Close);
        self.due
            .extend(close.into_iter().chain([open]).map(Due::Order));
        self.flights.put(flight);
    }

    /// Ends a flight with what is known now.
    fn land(&mut self, mut flight: Flight<W>, kept: &Arc<Kept>) {
        self.close(&flight);
        let all = flight.take_all();
        self.reply(all, flight.key(), kept);
    }

    fn close(&mut self, flight: &Flight<W>) {
        let orders = flight.attempts().map(Order::Close);
        self.due.extend(orders.map(Due::Order));
    }

    fn reply(&mut self, to: VecDeque<Waiting<W>>, key: &Arc<Key>, kept: &Arc<Kept>) {
        for one in to {
            self.flights.discount(&one);
            let due = Due::Reply(one, Arc::clone(key), Arc::clone(kept));
            self.due.push_back(due);
        }
    }
}

impl AttemptId {
    /// A flight has opened 65,536 others before a number comes again.
    fn new(flight: FlightId, opened: u16) -> Self {
        Self(flight << 16 | u64::from(opened))
    }

    fn flight(self) -> FlightId {
        self.0 >> 16
    }
}

impl<W> fmt::Debug for Forwarder<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
