//! The relay's one thread: it waits for the kernel to say which socket can do something, and gives
//! each a turn. Nothing in it blocks but that waiting.

use std::collections::{BTreeSet, HashMap};
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError};
use std::time::{Duration, Instant};

use nix::sys::epoll::{EpollFlags, EpollTimeout};
use socket2::Socket;

use super::datagram::{self, Client, Path};
use super::limits::Limits;
use super::stream::{self, Connection, End, Fate};
use super::{RelayScope, Transport};
use crate::errno::Errno;
use crate::kernel::watch::{Events, Watch, is_of_one_peer, timeout_until};

/// As many clients are accepted, or datagrams moved, before it is another socket's turn.
const MOST_AT_ONCE: usize = 64;

/// More than are in the queue of a socket that is deaf by now.
const MOST_QUEUED: usize = 1 << 16;

/// When to try again what failed for want of descriptors or memory.
const RETRY: Duration = Duration::from_millis(100);

/// One port that is relayed.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) number: u64,
    pub(super) transport: Transport,
    /// Each with the key by which it is watched.
    pub(super) sockets: Vec<(u64, Arc<Socket>)>,
    pub(super) scope: RelayScope,
    pub(super) target: SocketAddr,
}

/// What the thread is told to do.
#[derive(Debug)]
pub(super) enum Order {
    /// Its sockets are watched from now on.
    Begin(Service),
    /// It says when it is done.
    End(u64, SyncSender<()>),
}

/// Wakes the thread when something comes.
pub(super) fn add(watch: &Watch, socket: impl AsFd, key: u64) -> Result<(), Errno> {
    add_for(watch, EpollFlags::EPOLLIN, socket, key << 1)
}

fn add_end(watch: &Watch, connection: &Connection, key: u64, end: End) -> Result<(), Errno> {
    let both = EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT | EpollFlags::EPOLLRDHUP;
    let token = key << 1 | u64::from(end == End::Far);
    add_for(watch, both, connection.descriptor(end), token)
}

/// At each change, not as long as it is so: nobody is told twice of what it can't act on yet.
fn add_for(watch: &Watch, flags: EpollFlags, socket: impl AsFd, token: u64) -> Result<(), Errno> {
    watch.add(socket, flags | EpollFlags::EPOLLET, token)
}

/// What a socket, or a pair of them, is there for.
#[derive(Debug)]
enum Entry {
    Listener(Arc<Door>),
    Connection(u64, Box<Connection>),
    /// Datagrams come in, and answers go out.
    Gate(Arc<Door>),
    Client(Arc<Door>, Client),
}

/// A socket of the host by which clients come.
#[derive(Debug)]
struct Door {
    socket: Arc<Socket>,
    service: u64,
    scope: RelayScope,
    target: SocketAddr,
}

impl Door {
    fn admits(&self, client: SocketAddr) -> bool {
        let allowed = match self.scope {
            RelayScope::Anyone => true,
            RelayScope::Near => is_near(client.ip()),
        };
        // IPv4 is never relayed, though a socket of both families might hear it
        allowed && !client.ip().to_canonical().is_ipv4()
    }
}

fn is_near(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_loopback() || address.is_unicast_link_local(),
    }
}

impl Entry {
    fn service(&self) -> u64 {
        match self {
            Self::Listener(door) | Self::Gate(door) | Self::Client(door, _) => door.service,
            Self::Connection(service, _) => *service,
        }
    }
}

/// All that the thread has.
#[derive(Debug)]
pub(super) struct Engine {
    watch: Arc<Watch>,
    orders: Receiver<Order>,
    limits: Limits,
    entries: HashMap<u64, Entry>,
    paths: HashMap<(u64, Path), u64>,
    connections: usize,
    /// Those that can do something now.
    ready: BTreeSet<u64>,
    /// Listeners that wait for a connection to end, or for the time to try again.
    waiting: BTreeSet<u64>,
    retry_at: Option<Instant>,
    sweep_at: Option<Instant>,
    buffer: Vec<u8>,
}

/// Whether the thread goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    Go,
    Stop,
}

impl Engine {
    pub(super) fn new(watch: Arc<Watch>, orders: Receiver<Order>, limits: Limits) -> Self {
        Self {
            watch,
            orders,
            limits,
            entries: HashMap::new(),
            paths: HashMap::new(),
            connections: 0,
            ready: BTreeSet::new(),
            waiting: BTreeSet::new(),
            retry_at: None,
            sweep_at: None,
            buffer: vec![0; datagram::MAX_BYTES.max(stream::CHUNK_BYTES)],
        }
    }

    /// Until nobody is there any more who could give an order.
    pub(super) fn run(mut self) {
        let mut events = Events::new();
        loop {
            self.watch.wait(&mut events, self.timeout());
            // of a socket that has something the order came before
            if self.obey() == Next::Stop {
                return;
            }
            for (token, flags) in events.iter() {
                self.note(token, flags);
            }
            self.keep_time();
            for key in std::mem::take(&mut self.ready) {
                self.give_turn(key);
            }
        }
    }

    fn timeout(&self) -> EpollTimeout {
        if !self.ready.is_empty() {
            return EpollTimeout::ZERO;
        }
        let moments = [self.retry_at, self.sweep_at];
        timeout_until(moments.into_iter().flatten().min())
    }

    fn note(&mut self, token: u64, events: EpollFlags) {
        let key = token >> 1;
        let end = if token & 1 == 0 { End::Near } else { End::Far };
        if let Some(Entry::Connection(_, connection)) = self.entries.get_mut(&key) {
            connection.note(end, events);
        }
        self.ready.insert(key);
    }

    fn obey(&mut self) -> Next {
        loop {
            match self.orders.try_recv() {
                Ok(Order::Begin(service)) => self.begin(service),
                Ok(Order::End(service, done)) => {
                    self.end(service);
                    let _nobody_waits = done.send(());
                }
                Err(TryRecvError::Empty) => return Next::Go,
                Err(TryRecvError::Disconnected) => return Next::Stop,
            }
        }
    }

    fn begin(&mut self, service: Service) {
        for (key, socket) in service.sockets {
            let door = Arc::new(Door {
                socket,
                service: service.number,
                scope: service.scope,
                target: service.target,
            });
            let entry = match service.transport {
                Transport::Stream => Entry::Listener(door),
                Transport::Datagrams => Entry::Gate(door),
            };
            self.entries.insert(key, entry);
        }
    }

    fn end(&mut self, service: u64) {
        let of_service = |(_, entry): &(&u64, &Entry)| entry.service() == service;
        let keys: Vec<u64> = self
            .entries
            .iter()
            .filter(of_service)
            .map(|(key, _)| *key)
            .collect();
        for key in keys {
            match self.entries.remove(&key) {
                Some(Entry::Listener(door)) => {
                    self.watch.remove(&*door.socket);
                    let left = (0..MOST_QUEUED).map_while(|_| door.socket.accept().ok());
                    left.for_each(|(client, _)| stream::reset(&client));
                }
                Some(Entry::Gate(door)) => {
                    self.watch.remove(&*door.socket);
                    let mut left = 0..MOST_QUEUED;
                    left.find(|_| datagram::receive(&door.socket, &mut self.buffer).is_err());
                }
                Some(Entry::Connection(_, connection)) => {
                    connection.reset();
                    self.connection_ended();
                }
                Some(Entry::Client(..)) | None => {}
            }
            self.waiting.remove(&key);
        }
        let entries = &self.entries;
        self.paths.retain(|_, key| entries.contains_key(key));
    }

    fn keep_time(&mut self) {
        let now = Instant::now();
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.ready.append(&mut self.waiting);
        }
        if self.sweep_at.is_some_and(|at| at <= now) {
            self.sweep(now);
        }
    }

    /// What is ready but gone meanwhile is passed over.
    fn give_turn(&mut self, key: u64) {
        match self.entries.remove(&key) {
            Some(Entry::Listener(door)) => {
                self.accept(key, &door);
                self.entries.insert(key, Entry::Listener(door));
            }
            Some(Entry::Connection(service, mut connection)) => {
                let chunk = self.buffer.get_mut(..stream::CHUNK_BYTES);
                match connection.pump(chunk.unwrap_or_default()) {
                    Fate::Ended => self.connection_ended(),
                    Fate::Broken => {
                        connection.reset();
                        self.connection_ended();
                    }
                    fate => {
                        if fate == Fate::Again {
                            self.ready.insert(key);
                        }
                        let entry = Entry::Connection(service, connection);
                        self.entries.insert(key, entry);
                    }
                }
            }
            Some(Entry::Gate(door)) => {
                self.take_in(key, &door);
                self.entries.insert(key, Entry::Gate(door));
            }
            Some(Entry::Client(door, client)) => {
                let client = self.give_back(key, &door, client);
                self.entries.insert(key, Entry::Client(door, client));
            }
            None => {}
        }
    }

    /// Leaves it alone for a moment, since the kernel has nothing for it.
    fn rest(&mut self, key: u64) {
        self.waiting.insert(key);
        self.retry_at = Some(Instant::now() + RETRY);
    }

    fn connection_ended(&mut self) {
        self.connections = self.connections.saturating_sub(1);
        self.ready.append(&mut self.waiting);
    }

    fn accept(&mut self, key: u64, door: &Door) {
        for _ in 0..MOST_AT_ONCE {
            if self.connections >= self.limits.connections {
                self.waiting.insert(key);
                return;
            }
            match door.socket.accept() {
                Ok((client, from)) => match from.as_socket() {
                    Some(from) if door.admits(from) => self.connect(door, client),
                    _ => stream::reset(&client),
                },
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if is_of_one_peer(&error) => {}
                Err(_) => return self.rest(key),
            }
        }
        self.ready.insert(key);
    }

    fn connect(&mut self, door: &Door, client: Socket) {
        // whoever can't be relayed is told at once
        stream::reset(&client);
        let Ok(connection) = Connection::open(client, door.target) else {
            return;
        };
        let key = self.watch.new_key();
        for end in [End::Near, End::Far] {
            if add_end(&self.watch, &connection, key, end).is_err() {
                return connection.reset();
            }
        }
        connection.begin();
        self.connections += 1;
        let entry = Entry::Connection(door.service, Box::new(connection));
        self.entries.insert(key, entry);
    }

    /// Datagrams of clients, on to the container.
    fn take_in(&mut self, gate: u64, door: &Arc<Door>) {
        for _ in 0..MOST_AT_ONCE {
            match datagram::receive(&door.socket, &mut self.buffer) {
                Ok(Some((path, length))) if door.admits(path.client.into()) => {
                    self.forward((gate, door), path, length);
                }
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) if is_of_one_peer(&error) => {}
                Err(_) => return self.rest(gate),
            }
        }
        self.ready.insert(gate);
    }

    fn forward(&mut self, (gate, door): (u64, &Arc<Door>), path: Path, length: usize) {
        let now = Instant::now();
        let Some(key) = self.client_on((gate, door), path, now) else {
            return;
        };
        if let Some(Entry::Client(_, client)) = self.entries.get_mut(&key) {
            client.used_at = now;
            client.forward(self.buffer.get(..length).unwrap_or_default());
        }
    }

    /// The client on this path, made if it is new; `None` where there is nothing to make it of.
    fn client_on(
        &mut self,
        (gate, door): (u64, &Arc<Door>),
        path: Path,
        now: Instant,
    ) -> Option<u64> {
        if let Some(&key) = self.paths.get(&(gate, path)) {
            return Some(key);
        }
        if self.paths.len() >= self.limits.clients {
            self.forget_the_idlest();
        }
        let client = Client::open(path, door.target, now).ok()?;
        let key = self.watch.new_key();
        add(&self.watch, client.descriptor(), key).ok()?;
        self.paths.insert((gate, path), key);
        self.entries
            .insert(key, Entry::Client(Arc::clone(door), client));
        let sweep = now + self.limits.idle / 4;
        self.sweep_at.get_or_insert(sweep);
        Some(key)
    }

    fn used_at(&self, key: u64) -> Option<Instant> {
        match self.entries.get(&key) {
            Some(Entry::Client(_, client)) => Some(client.used_at),
            _ => None,
        }
    }

    fn forget_the_idlest(&mut self) {
        let idlest = self.paths.iter().min_by_key(|(_, key)| self.used_at(**key));
        let Some((&path, &key)) = idlest else {
            return;
        };
        self.paths.remove(&path);
        self.entries.remove(&key);
    }

    /// Clients that neither sent nor got anything for so long are forgotten.
    fn sweep(&mut self, now: Instant) {
        let idle = self.limits.idle;
        let paths = std::mem::take(&mut self.paths);
        let is_idle = |at: Option<Instant>| at.is_none_or(|at| at + idle <= now);
        for (path, key) in paths {
            if is_idle(self.used_at(key)) {
                self.entries.remove(&key);
            } else {
                self.paths.insert(path, key);
            }
        }
        self.sweep_at = (!self.paths.is_empty()).then(|| now + idle / 4);
    }

    /// Datagrams of the container, back to the client.
    fn give_back(&mut self, key: u64, door: &Door, mut client: Client) -> Client {
        for _ in 0..MOST_AT_ONCE {
            match client.give_back(&door.socket, &mut self.buffer) {
                Ok(()) => client.used_at = Instant::now(),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return client,
                // nobody is there, which may change
                Err(error) if is_of_one_peer(&error) => {}
                Err(_) => {
                    self.rest(key);
                    return client;
                }
            }
        }
        self.ready.insert(key);
        client
    }
}
