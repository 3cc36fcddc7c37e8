//! What clients want to know of others: the forwarder's orders, carried out. Who is asked next,
//! what counts as an answer and what is kept of it is decided in `forward`.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use super::Audience;
use super::engine::{Place, unharmed};
use super::followed::Followed;
use super::limits::ServerConfig;
use super::outside::{Heard, MAX_MESSAGE_BYTES, Outpost, Upstream};
use super::random::Random;
use super::shares::Shares;
use crate::errno::Errno;
use crate::kernel::{Netns, Watch};
use crate::resolver::forward::{
    Asked, AttemptId, ForwardLimits, Forwarder, Order, Servers, Vantage, Waiter,
};
use crate::resolver::{Client, ClientTerms, Forwarding, NameServer, Query, Transport, fail};

/// As many messages of one server are heard before it is another socket's turn.
const MOST_AT_ONCE: usize = 8;

/// Where servers are asked.
const PORT: u16 = 53;

/// Who waits for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waits {
    /// Whoever sent a datagram.
    Datagram {
        /// By this socket.
        gate: u64,
        /// From there.
        to: SocketAddr,
    },
    /// Whoever is at the other end.
    Stream {
        /// Of this one.
        connection: u64,
    },
}

/// Who asks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asker<'a> {
    pub(super) place: &'a Place,
    pub(super) client: &'a Arc<Client>,
    pub(super) waits: Waits,
}

impl Asker<'_> {
    /// What the client is counted by: its seat, or, of many who share one, itself.
    fn number(&self) -> u64 {
        match self.place.audience {
            Audience::Container { .. } => self.place.number,
            // no number of a seat is as great, and no other client is there at the same time
            Audience::Neighbours { .. } => 1 << 63 | Arc::as_ptr(self.client) as u64,
        }
    }
}

/// What came of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The answer is written.
    Reply,
    /// It will come.
    Waits,
    /// There is none.
    Ignored,
}

/// Why nothing was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unasked {
    /// It could not be, of that server.
    Failed,
    /// There is no socket to ask by, whoever the server is.
    NoRoom,
}

/// All that is asked.
#[derive(Debug)]
pub(super) struct Asking {
    watch: Arc<Watch>,
    forwarder: Forwarder<Waits>,
    limits: ForwardLimits,
    most_upstreams: usize,
    followed: Followed,
    random: Random,
    upstreams: HashMap<u64, Upstream>,
    shares: Shares,
    keys: HashMap<AttemptId, u64>,
    outposts: HashMap<u64, Outpost>,
    /// Where we ourselves are asked as others are, and whose seat that is.
    ours: Vec<(u64, IpAddr)>,
    buffer: Box<[u8]>,
}

impl Asking {
    pub(super) fn new(config: ServerConfig, watch: Arc<Watch>) -> Result<Self, Errno> {
        let limits = ForwardLimits {
            in_flight: config.limits.questions,
            in_flight_per_client: config.limits.questions_per_client,
            ..ForwardLimits::default()
        };
        Ok(Self {
            watch,
            forwarder: Forwarder::new(limits),
            limits,
            most_upstreams: config.limits.outside,
            followed: Followed::new(config.resolv_conf, config.stub_resolv_conf),
            random: Random::new()?,
            upstreams: HashMap::new(),
            shares: Shares::default(),
            keys: HashMap::new(),
            outposts: HashMap::new(),
            ours: Vec::new(),
            buffer: vec![0; MAX_MESSAGE_BYTES].into_boxed_slice(),
        })
    }

    /// A number that nobody can guess.
    pub(super) fn random(&mut self) -> u16 {
        self.random.next()
    }

    /// Clients come by this place from now on, and what they want asked of others is from there.
    pub(super) fn begin(&mut self, place: &Place, inside: Option<Netns>) {
        let at_port = place.addresses.iter().filter(|at| at.port() == PORT);
        let ours = at_port.map(|at| (place.number, at.ip().to_canonical()));
        self.ours.extend(ours);
        let outpost = inside.map(|netns| Outpost::new(netns, place.number));
        self.outposts
            .extend(outpost.map(|outpost| (place.number, outpost)));
    }

    /// Nobody comes by it any more, nothing is open in its namespace, and what was heard there is
    /// forgotten.
    pub(super) fn end(&mut self, seat: u64) {
        self.ours.retain(|(of, _)| *of != seat);
        self.outposts.remove(&seat);
        self.with_forwarder(|forwarder, _| forwarder.forget(seat));
        self.close_all(|upstream| upstream.vantage == Vantage::Client(seat));
    }

    /// Asks others, by the terms by which this was decided on.
    pub(super) fn ask(
        &mut self,
        query: &Query,
        terms: &ClientTerms,
        asker: &Asker<'_>,
        now: Instant,
        reply: &mut Vec<u8>,
    ) -> Outcome {
        let waiter = Waiter {
            client: asker.number(),
            to: asker.waits,
        };
        let servers = self.servers(terms, asker.place, now);
        let asked = servers.and_then(|servers| {
            self.with_forwarder(|forwarder, random| {
                forwarder.ask(query, &servers, waiter, now, random, &mut *reply)
            })
        });
        match asked {
            Some(Asked::Reply) => Outcome::Reply,
            Some(Asked::Waiting) => Outcome::Waits,
            None => {
                fail(query, reply);
                Outcome::Reply
            }
        }
    }

    /// Whom to ask, and from where; never ourselves. `None` where that is nobody.
    fn servers(&mut self, terms: &ClientTerms, place: &Place, now: Instant) -> Option<Servers> {
        let (vantage, listed) = match &terms.forwarding {
            Forwarding::Nobody => return None,
            Forwarding::Host => (Vantage::Host, self.followed.servers(now)),
            Forwarding::Own(listed) => match self.outposts.contains_key(&place.number) {
                true => (Vantage::Client(place.number), listed),
                false => (Vantage::Host, listed),
            },
        };
        let mut addresses = Arc::clone(listed);
        let is_ours = |server: &NameServer| {
            let address = server.address().to_canonical();
            let there = place.addresses.iter().map(|at| at.ip().to_canonical());
            self.ours.iter().any(|(_, ours)| is_reached(address, *ours))
                || vantage != Vantage::Host && there.into_iter().any(|at| is_reached(address, at))
        };
        if addresses.iter().any(is_ours) {
            let others = addresses.iter().filter(|server| !is_ours(server));
            addresses = others.cloned().collect();
        }
        (!addresses.is_empty()).then_some(Servers { vantage, addresses })
    }

    /// Hears what an upstream has to say.
    pub(super) fn give_turn(&mut self, key: u64, now: Instant) {
        for _ in 0..MOST_AT_ONCE {
            let Some(upstream) = self.upstreams.get_mut(&key) else {
                return;
            };
            let (attempt, wanted) = (upstream.attempt, upstream.wanted());
            match upstream.hear(&mut self.buffer) {
                Ok(Heard::Message(length)) => self.hear(attempt, length, now),
                Ok(Heard::Nothing) => {
                    let next = upstream.wanted();
                    if next != wanted && self.watch.change(&*upstream, next, key).is_err() {
                        self.fail(attempt, now);
                    }
                    return;
                }
                Err(_) => return self.fail(attempt, now),
            }
        }
    }

    fn hear(&mut self, attempt: AttemptId, length: usize, now: Instant) {
        let buffer = std::mem::take(&mut self.buffer);
        let message = buffer.get(..length).unwrap_or_default();
        self.with_forwarder(|forwarder, random| forwarder.heard(attempt, message, now, random));
        self.buffer = buffer;
    }

    fn fail(&mut self, attempt: AttemptId, now: Instant) {
        self.close(attempt);
        self.with_forwarder(|forwarder, random| forwarder.failed(attempt, now, random));
    }

    /// Nothing is heard by it any more, for want of sockets.
    fn crowd_out(&mut self, attempt: AttemptId) {
        self.close(attempt);
        self.with_forwarder(|forwarder, _| forwarder.crowded_out(attempt));
    }

    /// Carries out what is ordered, until there is a reply to be sent: it is written then, and whom
    /// it is for is returned.
    pub(super) fn next_reply(&mut self, now: Instant, reply: &mut Vec<u8>) -> Option<Waits> {
        if self.forwarder.next_wake().is_some_and(|at| at <= now) {
            self.with_forwarder(|forwarder, random| forwarder.wake(now, random));
        }
        loop {
            let order = self.with_forwarder(|forwarder, _| forwarder.next_order(&mut *reply));
            match order.flatten()? {
                Order::Open {
                    attempt,
                    client,
                    vantage,
                    server,
                    transport,
                    query,
                } => {
                    let to = (attempt, &server);
                    match self.open((client, vantage), to, transport, &query) {
                        Ok(()) => {}
                        Err(Unasked::Failed) => self.fail(attempt, now),
                        Err(Unasked::NoRoom) => self.crowd_out(attempt),
                    }
                }
                Order::Close(attempt) => self.close(attempt),
                Order::Reply(waits) => return Some(waits),
            }
        }
    }

    /// When something is to be done though nothing comes.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.forwarder.next_wake()
    }

    fn open(
        &mut self,
        (client, vantage): (u64, Vantage),
        to: (AttemptId, &NameServer),
        transport: Transport,
        query: &[u8],
    ) -> Result<(), Unasked> {
        self.make_room(client)?;
        let opened = match vantage {
            Vantage::Host => Upstream::open_here(to, transport, query),
            Vantage::Client(number) => {
                let outpost = self.outposts.get_mut(&number).ok_or(Unasked::Failed)?;
                outpost.open(to, transport, query)
            }
        };
        let upstream = opened.map_err(|error| Unasked::by(Errno::from(&error)))?;
        let key = self.watch.new_key();
        let watched = self.watch.add(&upstream, upstream.wanted(), key);
        watched.map_err(Unasked::by)?;
        self.keys.insert(upstream.attempt, key);
        self.upstreams.insert(key, upstream);
        self.shares.add(client, key);
        Ok(())
    }

    /// Room for one more socket on this client's account: where there are no more, of whoever has
    /// most.
    fn make_room(&mut self, client: u64) -> Result<(), Unasked> {
        if self.upstreams.len() < self.most_upstreams {
            return Ok(());
        }
        let giving_way = self.shares.giving_way_to(client);
        let upstream = giving_way.and_then(|key| self.upstreams.get(&key));
        let attempt = upstream.map(|upstream| upstream.attempt);
        attempt
            .map(|attempt| self.crowd_out(attempt))
            .ok_or(Unasked::NoRoom)
    }

    fn close(&mut self, attempt: AttemptId) {
        let Some(key) = self.keys.remove(&attempt) else {
            return;
        };
        self.shares.remove(key);
        if let Some(upstream) = self.upstreams.remove(&key) {
            self.watch.remove(&upstream);
        }
    }

    fn close_all(&mut self, is_meant: impl Fn(&Upstream) -> bool) {
        let meant = self.upstreams.values().filter(|one| is_meant(one));
        let attempts: Vec<AttemptId> = meant.map(|one| one.attempt).collect();
        attempts.into_iter().for_each(|attempt| self.close(attempt));
    }

    /// A forwarder that panicked is replaced by one that knows nothing: who waited waits in vain,
    /// which a client is prepared for.
    fn with_forwarder<T>(
        &mut self,
        act: impl FnOnce(&mut Forwarder<Waits>, &mut dyn FnMut() -> u16) -> T,
    ) -> Option<T> {
        let (forwarder, random) = (&mut self.forwarder, &mut self.random);
        let done = unharmed(|| act(forwarder, &mut || random.next()));
        if done.is_none() {
            self.forwarder = Forwarder::new(self.limits);
            self.close_all(|_| true);
        }
        done
    }
}

impl Unasked {
    fn by(errno: Errno) -> Self {
        let wants = [Errno::EMFILE, Errno::ENFILE, Errno::ENOBUFS, Errno::ENOMEM];
        match wants.contains(&errno) {
            true => Self::NoRoom,
            false => Self::Failed,
        }
    }
}

/// Whether who asks `address` reaches a socket that is bound to `ours`.
fn is_reached(address: IpAddr, ours: IpAddr) -> bool {
    let is_any = |at: IpAddr| at.is_unspecified() && at.is_ipv4() == ours.is_ipv4();
    address == ours
        || is_any(address) && ours.is_loopback()
        || is_any(ours) && address.is_ipv4() == ours.is_ipv4() && address.is_loopback()
}
