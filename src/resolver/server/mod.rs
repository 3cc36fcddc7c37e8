//! The DNS server of containers: sockets that were opened in their namespaces, served by one thread
//! for all of them. What a query is answered with is decided in [`answer`](super::answer), and how
//! others are asked in `forward`; here is what both need of the kernel.
//!
//! A [`Server`] is given to a thread, which must be in the host's namespace: names that a client
//! does not know are asked from there. By its [`ServerHandle`] sockets come to it, each with an
//! [`Audience`]; it answers on them for as long as their [`Seat`] is there.
//!
//! Nothing that a client sends ends, blocks or bloats the thread. Each socket that has something
//! gets one batch of 32 datagrams, or one connection's share, before it is another's turn; what the
//! server takes of the process at the most is in [`ServerLimits`].

mod asking;
mod datagrams;
mod engine;
mod followed;
mod limits;
mod outside;
mod random;
mod shares;
mod streams;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::{IpAddr, TcpListener, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Mutex, MutexGuard};

use super::Client;
use crate::errno::Errno;
use crate::error::{Error, Fault, Result};
use crate::kernel::{Events, Netns, Watch, timeout_until};
use datagrams::{Headers, Space};
use engine::Engine;
pub use limits::{ServerConfig, ServerLimits};

/// What serves; a thread runs it.
///
/// ```no_run
/// use bridgework::resolver::server::{Server, ServerConfig};
///
/// let (server, handle) = Server::new(ServerConfig::new())?;
/// let thread = std::thread::spawn(move || server.run());
/// // sockets are served by handle.serve(..)
/// drop(handle);
/// thread.join().expect("it ends when nobody is there any more");
/// # Ok::<(), bridgework::Error>(())
/// ```
///
/// A caller with a loop of its own takes [turns](Self::turn) instead: the descriptor that it
/// [stands for](AsFd) is readable when there is something to do. Dropping it closes all that it
/// serves.
#[derive(Debug)]
pub struct Server {
    shared: Arc<Shared>,
    space: Space,
    events: Events,
    wakes_at: Option<Instant>,
}

/// Brings sockets to a [`Server`]. A clone brings them to the same.
///
/// ```
/// use std::time::Duration;
/// use bridgework::resolver::server::{Server, ServerConfig, Turn};
///
/// let (mut server, handle) = Server::new(ServerConfig::new())?;
/// let other = handle.clone();
/// drop(handle);
/// assert_eq!(server.turn(Duration::ZERO)?, Turn::Open); // the other may still bring some
/// drop(other);
/// assert_eq!(server.turn(Duration::ZERO)?, Turn::Ended);
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ServerHandle(Arc<Presence>);

/// Sockets that are served until this is dropped. When drop returns they are closed, with all the
/// connections that came by them, and nothing is answered any more.
///
/// It must not be dropped by what an [`Audience`] calls.
///
/// ```
/// use std::sync::Arc;
/// use std::time::Duration;
/// use bridgework::resolver::server::{Audience, Listeners, Server, ServerConfig, Turn};
///
/// let (mut server, handle) = Server::new(ServerConfig::new())?;
/// let nobody = Audience::Neighbours { by_address: Arc::new(|_| None) };
/// let seat = handle.serve(Listeners::default(), nobody)?;
/// drop(handle);
/// assert_eq!(server.turn(Duration::ZERO)?, Turn::Open);
/// drop(seat);
/// assert_eq!(server.turn(Duration::ZERO)?, Turn::Ended);
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "sockets are served only as long as their seat is there"]
pub struct Seat {
    presence: Arc<Presence>,
    number: u64,
}

/// The sockets by which clients come, each bound and each TCP socket listening.
///
/// An answer leaves by the socket that its query came by, so that a socket should be bound to one
/// address, and not to all.
///
/// ```no_run
/// use std::net::{TcpListener, UdpSocket};
/// use bridgework::{Container, resolver::server::Listeners};
///
/// let bind = || Ok((UdpSocket::bind("127.0.0.11:53")?, TcpListener::bind("127.0.0.11:53")?));
/// let bound: std::io::Result<_> = Container::isolated("web")?.run(bind)?;
/// let (udp, tcp) = bound?;
/// let listeners = Listeners { udp: vec![udp], tcp: vec![tcp] };
/// assert!(listeners.udp[0].local_addr()?.ip().is_loopback());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct Listeners {
    /// Sockets for datagrams.
    pub udp: Vec<UdpSocket>,
    /// Sockets for connections.
    pub tcp: Vec<TcpListener>,
}

/// Who comes by a set of sockets.
///
/// ```
/// use std::net::IpAddr;
/// use std::sync::Arc;
/// use bridgework::resolver::{Client, ClientTerms, Forwarding, View, server::Audience};
///
/// let terms = ClientTerms { forwarding: Forwarding::Nobody, search: Vec::new(), domain: None };
/// let web = Arc::new(Client::new(Arc::new(View::default()), terms));
/// let at = IpAddr::from([10, 89, 0, 2]);
/// let by_address = move |from: IpAddr| (from == at).then(|| Arc::clone(&web));
/// assert!(by_address([10, 89, 0, 3].into()).is_none()); // it gets no answer
/// let audience = Audience::Neighbours { by_address: Arc::new(by_address) };
/// ```
#[derive(Clone)]
pub enum Audience {
    /// One container: all who can reach the sockets are this client.
    Container {
        /// Whom it knows, and who else may be asked.
        client: Arc<Client>,
        /// Where [`Forwarding::Own`](super::Forwarding::Own) is asked from. Without, that is the
        /// namespace of the server's thread. Where others find it by a file, it is not kept: it is found
        /// again by that.
        netns: Option<Netns>,
    },
    /// Many, told by the address that they ask from, as at a gateway.
    Neighbours {
        /// The client at an address; whoever is nobody's gets no answer. It is called for each
        /// datagram and each connection, on the server's thread, which waits for it.
        by_address: Arc<dyn Fn(IpAddr) -> Option<Arc<Client>> + Send + Sync>,
    },
}

impl Audience {
    fn take_netns(&mut self) -> Option<Netns> {
        match self {
            Self::Container { netns, .. } => netns.take(),
            Self::Neighbours { .. } => None,
        }
    }
}

/// Whether a server is still of use.
///
/// ```
/// use std::time::Duration;
/// use bridgework::resolver::server::{Server, ServerConfig, Turn};
///
/// let (mut server, handle) = Server::new(ServerConfig::new())?;
/// drop(handle);
/// while server.turn(Duration::from_secs(1))? == Turn::Open {
///     // what else the caller's loop has to do
/// }
/// assert_eq!(server.turn(Duration::ZERO)?, Turn::Ended);
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a server that has ended has no more turns"]
pub enum Turn {
    /// There are seats, or handles that could make some.
    Open,
    /// All handles and seats are gone.
    Ended,
}

/// What the thread shares with those who bring sockets.
#[derive(Debug)]
struct Shared {
    watch: Arc<Watch>,
    /// `None` once nobody serves any more.
    engine: Mutex<Option<Engine>>,
    is_deserted: AtomicBool,
    process: u32,
}

/// That somebody is there who could bring sockets, or has.
#[derive(Debug)]
struct Presence(Arc<Shared>);

impl Server {
    /// One that serves nothing yet, and the handle that changes that.
    ///
    /// # Errors
    /// No descriptor is to be had.
    ///
    /// ```
    /// use std::time::Duration;
    /// use bridgework::resolver::server::{Server, ServerConfig, Turn};
    ///
    /// let (mut server, _handle) = Server::new(ServerConfig::new().ttl_s(5))?;
    /// assert_eq!(server.turn(Duration::ZERO)?, Turn::Open);
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn new(config: ServerConfig) -> Result<(Self, ServerHandle)> {
        let watch = Watch::new().map_err(|errno| refused("start a name server", errno))?;
        let watch = Arc::new(watch);
        let engine = Engine::new(config, Arc::clone(&watch));
        let engine = engine.map_err(|errno| refused("start a name server", errno))?;
        let shared = Arc::new(Shared {
            watch,
            engine: Mutex::new(Some(engine)),
            is_deserted: AtomicBool::new(false),
            process: std::process::id(),
        });
        let server = Self {
            shared: Arc::clone(&shared),
            space: Space::new(),
            events: Events::new(),
            wakes_at: None,
        };
        Ok((server, ServerHandle(Arc::new(Presence(shared)))))
    }

    /// Serves on the calling thread until every handle and every seat is gone.
    ///
    /// ```
    /// use std::thread;
    /// use bridgework::resolver::server::{Server, ServerConfig};
    ///
    /// let (server, handle) = Server::new(ServerConfig::new())?;
    /// let thread = thread::spawn(move || server.run());
    /// drop(handle); // the only one, and there is no seat
    /// assert!(thread.join().is_ok());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn run(mut self) {
        let mut headers = Headers::new();
        while let Ok(Turn::Open) = self.take_turn(&mut headers, None) {}
    }

    /// Serves what has come, and returns when that is done, or when nothing has come for as long as
    /// `timeout`, which may be zero. It makes some room for itself each time, which [`run`](Self::run)
    /// does once.
    ///
    /// # Errors
    /// The process was forked ([`Fault::Forked`]).
    ///
    /// ```
    /// use std::time::Duration;
    /// use bridgework::resolver::server::{Server, ServerConfig, Turn};
    ///
    /// let (mut server, handle) = Server::new(ServerConfig::new())?;
    /// assert_eq!(server.turn(Duration::ZERO)?, Turn::Open); // nothing has come
    /// drop(handle);
    /// assert_eq!(server.turn(Duration::MAX)?, Turn::Ended);
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn turn(&mut self, timeout: Duration) -> Result<Turn> {
        // as long as no clock can tell it from ever
        let end = Instant::now().checked_add(timeout);
        self.take_turn(&mut Headers::new(), end)
    }

    /// When a turn is due at the latest, though nothing comes: as of the last turn.
    ///
    /// ```
    /// use std::time::Instant;
    /// use bridgework::resolver::server::{Server, ServerConfig};
    ///
    /// let (server, _handle) = Server::new(ServerConfig::new())?;
    /// // how long the caller's own loop may wait for the descriptor
    /// let timeout = server.wakes_at().map(|at| at.saturating_duration_since(Instant::now()));
    /// assert_eq!(timeout, None); // for ever: nobody was asked anything
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn wakes_at(&self) -> Option<Instant> {
        self.wakes_at
    }

    fn take_turn(&mut self, headers: &mut Headers, end: Option<Instant>) -> Result<Turn> {
        if self.shared.is_forked() {
            return Err(Error::of("serve names", vec![Fault::Forked]));
        }
        let end = self.wakes_at.into_iter().chain(end).min();
        let timeout = timeout_until(end);
        self.shared.watch.wait(&mut self.events, timeout);
        let mut engine = self.shared.engine.lock();
        if self.shared.is_deserted.load(Ordering::Acquire) {
            return Ok(Turn::Ended);
        }
        let now = Instant::now();
        for event in self.events.iter() {
            if let Some(engine) = engine.as_mut() {
                engine.give_turn(event, now, (headers, &mut self.space));
            }
            // whoever brings a socket or takes one away need not wait for all of them
            MutexGuard::bump(&mut engine);
        }
        self.wakes_at = engine.as_mut().and_then(|engine| engine.keep_time(now));
        Ok(Turn::Open)
    }
}

impl AsFd for Server {
    /// It is readable when something has come.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.watch.as_fd()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if !self.shared.is_forked() {
            let engine = self.shared.engine.lock().take();
            drop(engine);
        }
    }
}

impl ServerHandle {
    /// Serves what comes by `listeners` from now on. The server's thread need not be awake for it.
    ///
    /// # Errors
    /// The kernel does not watch a socket, the [`Server`] is gone ([`Errno::EIO`]), or the process
    /// was forked ([`Fault::Forked`]). The sockets are closed then.
    ///
    /// ```no_run
    /// use std::{net::UdpSocket, sync::Arc};
    /// use bridgework::Container;
    /// use bridgework::resolver::server::{Audience, Listeners, Server, ServerConfig};
    /// # use bridgework::resolver::{Client, ClientTerms, Forwarding, View};
    /// # let (forwarding, search) = (Forwarding::Nobody, Vec::new());
    /// # let terms = ClientTerms { forwarding, search, domain: None };
    /// # let client = Arc::new(Client::new(Arc::new(View::default()), terms));
    ///
    /// let (server, handle) = Server::new(ServerConfig::new())?;
    /// std::thread::spawn(move || server.run());
    /// let web = Container::isolated("web")?;
    /// let udp = vec![web.run(|| UdpSocket::bind("127.0.0.11:53"))??];
    /// let audience = Audience::Container { client, netns: Some(web.netns().clone()) };
    /// let seat = handle.serve(Listeners { udp, tcp: Vec::new() }, audience)?;
    /// drop(seat); // nothing is answered any more
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn serve(&self, listeners: Listeners, audience: Audience) -> Result<Seat> {
        let attempt = "serve names";
        let shared = self.0.shared();
        if shared.is_forked() {
            return Err(Error::of(attempt, vec![Fault::Forked]));
        }
        let mut engine = shared.engine.lock();
        let engine = engine
            .as_mut()
            .ok_or_else(|| refused(attempt, Errno::EIO))?;
        let begun = engine.begin(listeners, audience);
        let number = begun.map_err(|errno| refused(attempt, errno))?;
        Ok(Seat {
            presence: Arc::clone(&self.0),
            number,
        })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let shared = self.presence.shared();
        // what it serves is the parent's
        if shared.is_forked() {
            return;
        }
        if let Some(engine) = shared.engine.lock().as_mut() {
            engine.end(self.number);
        }
        // what others were asked for it is to be closed as well
        shared.watch.ring();
    }
}

impl Presence {
    fn shared(&self) -> &Shared {
        &self.0
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if !self.0.is_forked() {
            self.0.is_deserted.store(true, Ordering::Release);
            self.0.watch.ring();
        }
    }
}

impl Shared {
    fn is_forked(&self) -> bool {
        self.process != std::process::id()
    }
}

impl fmt::Debug for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container { client, netns } => {
                let mut fields = f.debug_struct("Container");
                fields
                    .field("client", client)
                    .field("netns", netns)
                    .finish()
            }
            Self::Neighbours { .. } => f.write_str("Neighbours(..)"),
        }
    }
}

fn refused(attempt: &str, errno: Errno) -> Error {
    let fault = Fault::Kernel {
        doing: "watch sockets".to_owned(),
        errno,
        words: None,
    };
    Error::of(attempt, vec![fault])
}
