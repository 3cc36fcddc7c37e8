//! What the kernel can't lead to a container, carried over by this process: what comes to `::1`,
//! what comes from an address of a link's own (`fe80::/10`), which no router leads on, and IPv6 for a
//! container that has IPv4 alone. The container sees the host as its client.
//!
//! One thread does it for all ports of a host; it is there as long as a port is relayed. What it
//! takes of the process is bounded ([`Limits`]): 2 descriptors and at most 32 KiB for a connection,
//! of which there are at most 1,024 and no more than a quarter of the descriptors that the process
//! may have; further clients wait in the kernel's queue. Half as many descriptors for clients of
//! datagrams, of which the idlest makes room and none stays idle for more than two minutes.
//! Which ports are relayed is decided elsewhere.

mod datagram;
mod engine;
mod filter;
mod limits;
mod stream;
#[cfg(test)]
mod tests;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel, sync_channel};

use parking_lot::Mutex;
use socket2::Socket;

use super::netns::{Netns, Visit};
use super::ports::HeldPort;
use super::watch::Watch;
use crate::addr::Protocol;
use crate::errno::Errno;
use crate::error::{Error, Fault, Result};
use engine::{Engine, Order, Service};
use limits::Limits;

/// Carries connections and datagrams from ports of a host to containers. A clone shares its thread.
#[derive(Debug, Clone)]
pub(crate) struct Relay(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    netns: Netns,
    limits: Limits,
    process: u32,
    running: Mutex<Option<Running>>,
}

/// Whose packets are carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RelayScope {
    /// Those from ::1, and from addresses of a link's own. Nobody else gets an answer.
    Near,
    /// Everybody's.
    Anyone,
}

/// A port that is relayed until this is dropped: its connections are reset then, and nothing is
/// answered there any more. Drop it before the port that it is of.
#[derive(Debug)]
pub(crate) struct Relayed {
    relay: Relay,
    number: u64,
    sockets: Vec<Arc<Socket>>,
}

/// How bytes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    Stream,
    Datagrams,
}

impl Relay {
    /// One that relays nothing yet, of the host whose namespace this is.
    pub(crate) fn new(netns: Netns) -> Self {
        Self::with_limits(netns, Limits::of_process())
    }

    fn with_limits(netns: Netns, limits: Limits) -> Self {
        Self(Arc::new(Shared {
            netns,
            limits,
            process: std::process::id(),
            running: Mutex::default(),
        }))
    }

    /// Carries over what comes by IPv6 to `held`, at whichever of its addresses. A port is relayed
    /// to one target at a time.
    ///
    /// # Errors
    /// The port is of SCTP ([`Error::is_unsupported`]), no thread or descriptor is to be had, or
    /// the process was forked.
    pub(crate) fn serve(
        &self,
        held: &HeldPort,
        only: RelayScope,
        target: SocketAddr,
    ) -> Result<Relayed> {
        let (port, protocol) = (held.number(), held.protocol());
        let attempt = format!("relay host port {port}/{protocol} to {target}");
        let transport = match protocol {
            Protocol::Tcp => Transport::Stream,
            Protocol::Udp => Transport::Datagrams,
            Protocol::Sctp => {
                let feature = "a relay for sctp";
                let hint = "publish it at an IPv4 address, or at IPv6 addresses but ::1 for a \
                            container that has IPv6";
                return Err(Error::of(
                    attempt,
                    vec![Fault::Unsupported { feature, hint }],
                ));
            }
        };
        if self.is_forked() {
            return Err(Error::of(attempt, vec![Fault::Forked]));
        }
        let sockets = held.sockets_of_ipv6();
        let begun = self.begin(transport, sockets, only, target);
        begun.map_err(|errno| {
            let doing = "start to relay".to_owned();
            let words = None;
            let fault = Fault::Kernel {
                doing,
                errno,
                words,
            };
            Error::of(attempt, vec![fault])
        })
    }

    fn begin(
        &self,
        transport: Transport,
        sockets: Vec<Arc<Socket>>,
        scope: RelayScope,
        target: SocketAddr,
    ) -> std::result::Result<Relayed, Errno> {
        for socket in &sockets {
            prepare(socket, transport).map_err(|error| Errno::from(&error))?;
        }
        let mut running = self.0.running.lock();
        let thread = match running.take() {
            Some(thread) => thread,
            None => Running::start(&self.0.netns, self.0.limits)?,
        };
        let thread = running.insert(thread);
        let number = thread.next_number();
        thread.services += 1;
        let relayed = Relayed {
            relay: self.clone(),
            number,
            sockets,
        };
        let sockets = relayed.sockets.iter().map(Arc::clone);
        let watch = Arc::clone(&thread.watch);
        let service = Service {
            number,
            transport,
            sockets: sockets.map(|socket| (watch.new_key(), socket)).collect(),
            scope,
            target,
        };
        let begun = thread.begin(service);
        // what ends it takes the lock
        drop(running);
        begun?;
        for socket in &relayed.sockets {
            filter::admit(socket, scope).map_err(|error| Errno::from(&error))?;
        }
        Ok(relayed)
    }

    fn is_forked(&self) -> bool {
        self.0.process != std::process::id()
    }

    fn end(&self, number: u64) {
        let mut running = self.0.running.lock();
        let Some(thread) = running.as_mut() else {
            return;
        };
        thread.end(number);
        thread.services -= 1;
        if thread.services == 0 {
            if let Some(thread) = running.take() {
                thread.stop();
            }
        }
    }
}

impl Drop for Relayed {
    fn drop(&mut self) {
        // the thread and what it relays are the parent's
        if self.relay.is_forked() {
            return;
        }
        for socket in &self.sockets {
            // an empty filter is refused for want of memory at most, and then nobody accepts
            let _deaf = super::ports::deafen(socket);
        }
        self.relay.end(self.number);
    }
}

fn prepare(socket: &Socket, transport: Transport) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    match transport {
        Transport::Stream => Ok(()),
        Transport::Datagrams => datagram::prepare(socket),
    }
}

/// The thread, and how it is told what to do.
#[derive(Debug)]
struct Running {
    visit: Visit<()>,
    orders: Sender<Order>,
    watch: Arc<Watch>,
    services: usize,
    last_number: u64,
}

impl Running {
    fn start(netns: &Netns, limits: Limits) -> std::result::Result<Self, Errno> {
        let watch = Arc::new(Watch::new()?);
        let (orders, received) = channel();
        let engine = Engine::new(Arc::clone(&watch), received, limits);
        let (entered, inside) = sync_channel(1);
        let visit = netns.start(move || {
            let _heard = entered.send(());
            engine.run();
            Ok(())
        })?;
        if inside.recv().is_err() {
            // it says why it could not enter
            return Err(visit.end().err().unwrap_or(Errno::EIO));
        }
        Ok(Self {
            visit,
            orders,
            watch,
            services: 0,
            last_number: 0,
        })
    }

    fn next_number(&mut self) -> u64 {
        self.last_number += 1;
        self.last_number
    }

    /// The thread need not be awake for it: it sees the order before anything that comes.
    fn begin(&self, service: Service) -> std::result::Result<(), Errno> {
        let sockets = service.sockets.clone();
        let sent = self.orders.send(Order::Begin(service));
        sent.map_err(|_| Errno::EIO)?;
        for (key, socket) in &sockets {
            engine::add(&self.watch, &**socket, *key)?;
        }
        Ok(())
    }

    /// Returns when all of it is closed, or the thread has ended.
    fn end(&self, number: u64) {
        let (done, ended) = sync_channel(1);
        if self.orders.send(Order::End(number, done)).is_ok() {
            self.watch.ring();
            let _ended_with_the_thread = ended.recv();
        }
    }

    fn stop(self) {
        drop(self.orders);
        self.watch.ring();
        let _ended = self.visit.end();
    }
}
