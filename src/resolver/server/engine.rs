//! What the server has, and what is done when a socket has something: each gets its turn. It is
//! called by the server's thread, and shortly by those who bring sockets or take them away; nothing
//! in it waits.

mod guests;

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use nix::sys::epoll::EpollFlags;

use super::asking::{Asker, Asking, Outcome, Waits};
use super::datagrams::{Headers, Kind, Space};
use super::limits::{ServerConfig, ServerLimits};
use super::streams::{CHUNK_BYTES, Connection, Fate};
use super::{Audience, Listeners};
use crate::errno::Errno;
use crate::kernel::Watch;
use crate::resolver::{Client, Manner, Transport, Verdict, answer};

/// What a socket is there for.
#[derive(Debug)]
enum Entry {
    /// Datagrams come in, and answers go out.
    Gate(Arc<Gate>),
    Door(Door),
    Connection(Box<Connection>),
}

#[derive(Debug)]
struct Gate {
    socket: UdpSocket,
    kind: Kind,
    place: Arc<Place>,
}

/// Where connections come from.
#[derive(Debug)]
struct Door {
    listener: TcpListener,
    place: Arc<Place>,
    /// Those that came by it and are there.
    guests: Vec<u64>,
}

/// What a seat stands for.
#[derive(Debug)]
pub(super) struct Place {
    pub(super) number: u64,
    pub(super) audience: Audience,
    /// Where its sockets are bound.
    pub(super) addresses: Vec<SocketAddr>,
}

impl Place {
    fn client_at(&self, address: IpAddr) -> Option<Arc<Client>> {
        match &self.audience {
            Audience::Container { client, .. } => Some(Arc::clone(client)),
            Audience::Neighbours { by_address } => {
                unharmed(|| by_address(address.to_canonical())).flatten()
            }
        }
    }
}

/// All that a server has.
#[derive(Debug)]
pub(super) struct Engine {
    watch: Arc<Watch>,
    limits: ServerLimits,
    ttl_s: u32,
    /// The keys of each seat's sockets.
    seats: HashMap<u64, Vec<u64>>,
    entries: HashMap<u64, Entry>,
    connections: usize,
    asking: Asking,
    /// Connections that have a query which may be looked at by now.
    ready: Vec<u64>,
    /// Doors that are closed until it is time to try again.
    resting: Vec<u64>,
    retry_at: Option<Instant>,
    sweep_at: Option<Instant>,
    reply: Vec<u8>,
    chunk: Box<[u8; CHUNK_BYTES]>,
}

impl Engine {
    pub(super) fn new(config: ServerConfig, watch: Arc<Watch>) -> Result<Self, Errno> {
        Ok(Self {
            limits: config.limits,
            ttl_s: config.ttl_s,
            asking: Asking::new(config, Arc::clone(&watch))?,
            watch,
            seats: HashMap::new(),
            entries: HashMap::new(),
            connections: 0,
            ready: Vec::new(),
            resting: Vec::new(),
            retry_at: None,
            sweep_at: None,
            reply: Vec::new(),
            chunk: Box::new([0; CHUNK_BYTES]),
        })
    }

    /// Serves what comes by these from now on, and returns the number of the seat.
    pub(super) fn begin(
        &mut self,
        listeners: Listeners,
        mut audience: Audience,
    ) -> Result<u64, Errno> {
        let inside = audience.take_netns();
        let number = self.watch.new_key();
        let addresses = bound(&listeners).map_err(|error| Errno::from(&error))?;
        let place = Arc::new(Place {
            number,
            audience,
            addresses,
        });
        self.seats.insert(number, Vec::new());
        self.asking.begin(&place, inside);
        let begun = self.begin_all(&place, listeners);
        if begun.is_err() {
            self.end(number);
        }
        begun.map(|()| number)
    }

    fn begin_all(&mut self, place: &Arc<Place>, listeners: Listeners) -> Result<(), Errno> {
        for socket in listeners.udp {
            let kind = Kind::of(socket.local_addr().map_err(|e| Errno::from(&e))?);
            let (nonblocking, place) = (socket.set_nonblocking(true), Arc::clone(place));
            let gate = Gate {
                socket,
                kind,
                place,
            };
            self.enter(nonblocking, Entry::Gate(Arc::new(gate)))?;
        }
        for listener in listeners.tcp {
            let door = Door {
                place: Arc::clone(place),
                guests: Vec::new(),
                listener,
            };
            self.enter(door.listener.set_nonblocking(true), Entry::Door(door))?;
        }
        Ok(())
    }

    fn enter(&mut self, nonblocking: io::Result<()>, entry: Entry) -> Result<(), Errno> {
        nonblocking.map_err(|error| Errno::from(&error))?;
        let (key, flags) = (self.watch.new_key(), EpollFlags::EPOLLIN);
        let seat = match &entry {
            Entry::Gate(gate) => {
                self.watch.add(&gate.socket, flags, key)?;
                gate.place.number
            }
            Entry::Door(door) => {
                self.watch.add(&door.listener, flags, key)?;
                door.place.number
            }
            Entry::Connection(_) => return Err(Errno::EINVAL),
        };
        self.seats.entry(seat).or_default().push(key);
        self.entries.insert(key, entry);
        Ok(())
    }

    /// Closes all that came with this seat, and all that came by it.
    pub(super) fn end(&mut self, seat: u64) {
        for key in self.seats.remove(&seat).unwrap_or_default() {
            match self.entries.remove(&key) {
                Some(Entry::Gate(gate)) => self.watch.remove(&gate.socket),
                Some(Entry::Door(door)) => {
                    self.watch.remove(&door.listener);
                    self.resting.retain(|resting| *resting != key);
                    door.guests.iter().for_each(|guest| self.close(*guest));
                }
                Some(Entry::Connection(_)) | None => {}
            }
        }
        self.asking.end(seat);
    }

    /// Does what the socket with this key is there for. What is gone meanwhile is passed over.
    pub(super) fn give_turn(
        &mut self,
        (key, flags): (u64, EpollFlags),
        now: Instant,
        room: (&mut Headers, &mut Space),
    ) {
        let gone = EpollFlags::EPOLLHUP | EpollFlags::EPOLLERR;
        match self.entries.get(&key) {
            Some(Entry::Gate(gate)) => {
                let gate = Arc::clone(gate);
                self.take_in(key, &gate, now, room);
            }
            Some(Entry::Door(_)) => self.accept(key, now),
            // of one that is not read from nothing else would tell
            Some(Entry::Connection(_)) if flags.intersects(gone) => self.close(key),
            Some(Entry::Connection(_)) => self.converse(key, now),
            None => self.asking.give_turn(key, now),
        }
    }

    /// Does what is to be done after all turns, and returns when it is to be done again, even if
    /// nothing comes.
    pub(super) fn keep_time(&mut self, now: Instant) -> Option<Instant> {
        for key in std::mem::take(&mut self.ready) {
            self.converse(key, now);
        }
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.open_doors();
        }
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep(now);
        }
        let mut reply = std::mem::take(&mut self.reply);
        while let Some(waits) = self.asking.next_reply(now, &mut reply) {
            self.deliver(waits, &reply, now);
        }
        self.reply = reply;
        let at_once = (!self.ready.is_empty()).then_some(now);
        let moments = [
            at_once,
            self.retry_at,
            self.sweep_at,
            self.asking.next_wake(),
        ];
        moments.into_iter().flatten().min()
    }

    /// One batch of datagrams.
    fn take_in(
        &mut self,
        key: u64,
        gate: &Gate,
        now: Instant,
        (headers, space): (&mut Headers, &mut Space),
    ) {
        let count = space.receive(&gate.socket, gate.kind, headers);
        for index in 0..count {
            let Some((query, from, reply)) = space.query(index) else {
                break;
            };
            let Some(client) = gate.place.client_at(from.ip()) else {
                continue;
            };
            let waits = Waits::Datagram {
                gate: key,
                to: from,
            };
            let asker = Asker {
                place: &gate.place,
                client: &client,
                waits,
            };
            if self.decide(query, &asker, now, reply) == Outcome::Reply {
                space.reply_to(from);
            }
        }
        space.send(&gate.socket, gate.kind, headers);
    }

    fn decide(
        &mut self,
        query: &[u8],
        asker: &Asker<'_>,
        now: Instant,
        reply: &mut Vec<u8>,
    ) -> Outcome {
        let manner = Manner {
            ttl_s: self.ttl_s,
            turn: u32::from(self.asking.random()),
        };
        let transport = match asker.waits {
            Waits::Datagram { .. } => Transport::Udp,
            Waits::Stream { .. } => Transport::Tcp,
        };
        let client = asker.client;
        let verdict = unharmed(|| answer(query, transport, client, manner, &mut *reply));
        match verdict {
            Some(Verdict::Reply) => Outcome::Reply,
            Some(Verdict::Forward(query, terms)) => {
                self.asking.ask(&query, &terms, asker, now, reply)
            }
            Some(Verdict::Ignore) | None => Outcome::Ignored,
        }
    }

    /// An answer of others, to whom has waited for it.
    fn deliver(&mut self, waits: Waits, reply: &[u8], now: Instant) {
        match waits {
            Waits::Datagram { gate, to } => {
                if let Some(Entry::Gate(gate)) = self.entries.get(&gate) {
                    let _lost = gate.socket.send_to(reply, to);
                }
            }
            Waits::Stream { connection: key } => {
                let Some(Entry::Connection(connection)) = self.entries.get_mut(&key) else {
                    return;
                };
                match connection.answer_awaited(reply, now) {
                    Fate::Stays => self.ready.push(key),
                    Fate::Ends => self.close(key),
                }
            }
        }
    }
}

/// Does it; `None` if it panicked, which must not end the thread.
pub(super) fn unharmed<T>(act: impl FnOnce() -> T) -> Option<T> {
    catch_unwind(AssertUnwindSafe(act)).ok()
}

fn bound(listeners: &Listeners) -> io::Result<Vec<SocketAddr>> {
    let udp = listeners.udp.iter().map(UdpSocket::local_addr);
    let tcp = listeners.tcp.iter().map(TcpListener::local_addr);
    udp.chain(tcp).collect()
}
