//! Host ports, held by real sockets from the moment they are chosen until they are given back.
//!
//! What is held can't be taken by anybody else, and nobody hears anything there: the sockets drop
//! all that comes, so that no connection is accepted and reset before the firewall leads it to its
//! container. Which ports are wished for, and where packets are led, is decided elsewhere.

mod beside;
mod book;
mod owner;
mod range;
mod refusal;
mod socket;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use socket2::Socket;

use super::inject::{FaultInjector, Moment};
use super::netns::Netns;
use crate::addr::{ContainerName, Port, PortRange, Protocol};
use crate::error::Fault;
use crate::plan::Switch;
use book::{Book, Conflict, Reserved};
use range::Automatic;
pub(super) use refusal::explain_one;
use refusal::{Refusal, Unopened, allocated, explain};
pub(super) use socket::deafen;
use socket::{Neighbours, Place};

/// How long a closed socket may live on in processes that were being started while it was open.
const LINGERING: Duration = Duration::from_millis(100);
const BETWEEN_LOOKS: Duration = Duration::from_millis(1);

/// All host ports that a host's containers have. A clone shares them.
///
/// A port is one number of one transport at some addresses of the host. 0.0.0.0 and [::] stand for
/// all addresses of their family, so that they are in each other's way with every one of it; other
/// addresses have their own ports.
#[derive(Debug, Clone)]
pub(crate) struct HostPorts {
    netns: Netns,
    injector: FaultInjector,
    /// Whether ports are held by sockets, and not by somebody else's.
    holding: Switch,
    /// What is in the way of sockets that are opened.
    neighbours: Neighbours,
    book: Arc<Mutex<Book>>,
}

/// What one mapping wishes for: the same ports at all of these addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wish {
    pub(crate) container: ContainerName,
    /// Addresses of the host, none of which covers another.
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) protocol: Protocol,
    pub(crate) ports: Choice,
}

/// Which ports will do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Each of these.
    All(PortRange),
    /// The first one of these that is free.
    FirstOf(PortRange),
    /// As many of those that the kernel gives out automatically, the next ones after the last that
    /// was given.
    Ephemeral(u16),
}

/// A port that nobody else can have. It is given back when this is dropped.
///
/// SCTP is held by a socket only where the kernel knows it; elsewhere just our own book keeps
/// others of ours from it, since nobody can bind it.
#[derive(Debug)]
pub(crate) struct HeldPort {
    // closed first, so that the number is not given out before the kernel gives it
    sockets: OnceLock<Vec<(SocketAddr, Arc<Socket>)>>,
    reserved: Reserved,
}

impl HeldPort {
    fn by(sockets: Vec<(SocketAddr, Arc<Socket>)>, reserved: Reserved) -> Self {
        let sockets = OnceLock::from(sockets);
        Self { sockets, reserved }
    }

    /// No socket of this process holds it.
    fn by_others(reserved: Reserved) -> Self {
        let sockets = OnceLock::new();
        Self { sockets, reserved }
    }

    /// Those by which this process holds it.
    fn sockets(&self) -> &[(SocketAddr, Arc<Socket>)] {
        self.sockets.get().map_or(&[], Vec::as_slice)
    }

    /// Whether a socket of this process holds it.
    pub(crate) fn is_held(&self) -> bool {
        self.sockets.get().is_some()
    }

    pub(crate) fn number(&self) -> Port {
        self.reserved.port
    }

    pub(crate) fn protocol(&self) -> Protocol {
        self.reserved.protocol
    }

    /// Those of its sockets that hear IPv6.
    pub(super) fn sockets_of_ipv6(&self) -> Vec<Arc<Socket>> {
        let of_ipv6 = self.sockets().iter().filter(|(at, _)| at.is_ipv6());
        of_ipv6.map(|(_, socket)| Arc::clone(socket)).collect()
    }
}

impl HostPorts {
    /// None yet, of the host whose namespace this is.
    pub(crate) fn new(netns: Netns, injector: FaultInjector) -> Self {
        Self {
            netns,
            injector,
            holding: Switch::On,
            neighbours: Neighbours::Refused,
            book: Arc::default(),
        }
    }

    /// The same, and whether sockets hold them.
    pub(crate) fn holding(self, holding: Switch) -> Self {
        Self { holding, ..self }
    }

    /// The addresses that the host has at this moment; none where they can't be read.
    pub(crate) fn host_addresses(&self) -> Vec<IpAddr> {
        let snapshot = self.netns.snapshot().unwrap_or_default();
        let addresses = snapshot.addresses.iter();
        addresses.map(|held| held.address.addr()).collect()
    }

    /// Whether frames that pass a bridge are shown to the packet filter, and translated there
    /// (`net.bridge.bridge-nf-call-iptables`).
    pub(crate) fn are_frames_filtered(&self) -> bool {
        let read = || std::fs::read_to_string("/proc/sys/net/bridge/bridge-nf-call-iptables");
        let found = self.netns.enter(read).ok().and_then(|found| found.ok());
        found.is_some_and(|text| text.trim() != "0")
    }

    /// Ports for every wish, in its order, or none at all.
    ///
    /// # Errors
    /// All ports that can't be had, each with its cause ([`PortFault`]); a port below 1024 without
    /// `CAP_NET_BIND_SERVICE` ([`Fault::Privilege`]); or what else the kernel says.
    pub(crate) fn hold(&self, wishes: &[Wish]) -> Result<Vec<Vec<HeldPort>>, Vec<Fault>> {
        if wishes.is_empty() {
            return Ok(Vec::new());
        }
        let asked: Vec<Asked> = wishes.iter().map(Asked::from).collect();
        // what must be exactly so comes before what may be otherwise
        let exact = self.reserve_exact(&asked)?;
        let held = self.netns.enter(|| self.hold_inside(&asked, exact));
        held.unwrap_or_else(|error| Err(error.faults().to_vec()))
    }

    /// A port that another process has given to a container. No socket of ours holds it, and none of
    /// our containers gets it. `None` if one of ours has it already.
    pub(crate) fn recall(
        &self,
        container: &ContainerName,
        number: (Protocol, Port),
        addresses: &[IpAddr],
    ) -> Option<HeldPort> {
        let reserved = Reserved::new(&self.book, container, number, &addresses.into()).ok()?;
        Some(HeldPort::by_others(reserved))
    }

    fn reserve_exact(&self, asked: &[Asked]) -> Result<Vec<Vec<Reserved>>, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut all = Vec::new();
        for wish in asked {
            let ports = match wish.ports {
                Choice::All(range) => Some(range.ports()),
                Choice::FirstOf(_) | Choice::Ephemeral(_) => None,
            };
            let mut reserved = Vec::new();
            for port in ports.into_iter().flatten() {
                match self.reserve(wish, port) {
                    Ok(port) => reserved.push(port),
                    Err(conflict) => faults.push(allocated((wish.protocol, port), conflict)),
                }
            }
            all.push(reserved);
        }
        if faults.is_empty() {
            Ok(all)
        } else {
            Err(faults)
        }
    }

    fn reserve(&self, wish: &Asked, port: Port) -> Result<Reserved, Conflict> {
        let number = (wish.protocol, port);
        Reserved::new(&self.book, &wish.container, number, &wish.addresses)
    }

    /// On a thread that is inside the namespace.
    fn hold_inside(
        &self,
        asked: &[Asked],
        exact: Vec<Vec<Reserved>>,
    ) -> Result<Vec<Vec<HeldPort>>, Vec<Fault>> {
        let mut refusals = Vec::new();
        let mut all = Vec::new();
        let mut patience = Patience::default();
        for (wish, reserved) in asked.iter().zip(exact) {
            let held = match wish.ports {
                Choice::All(_) => self.hold_each(reserved, &mut patience),
                Choice::FirstOf(range) => self.hold_some(wish, range, range.ports(), 1),
                Choice::Ephemeral(count) => self.hold_automatic(wish, count),
            };
            match held {
                Ok(held) => all.push(held),
                Err(more) => refusals.extend(more),
            }
        }
        if refusals.is_empty() {
            return Ok(all);
        }
        // what we held until now is not what was in the way
        drop(all);
        Err(explain(refusals))
    }

    fn hold_each(
        &self,
        reserved: Vec<Reserved>,
        patience: &mut Patience,
    ) -> Result<Vec<HeldPort>, Vec<Refusal>> {
        if !self.holding.is_on() {
            let by_nobody = |port| HeldPort::by(Vec::new(), port);
            return Ok(reserved.into_iter().map(by_nobody).collect());
        }
        let (mut held, mut refusals) = (Vec::new(), Vec::new());
        for port in reserved {
            match self.open_patiently(port, patience) {
                Ok(port) => held.push(port),
                Err(refusal) => refusals.push(refusal),
            }
        }
        if refusals.is_empty() {
            Ok(held)
        } else {
            Err(refusals)
        }
    }

    fn hold_automatic(&self, wish: &Asked, count: u16) -> Result<Vec<HeldPort>, Vec<Refusal>> {
        let automatic = Automatic::read();
        let last_given = self.book.lock().last_given();
        let candidates = automatic.after(last_given);
        let held = self.hold_some(wish, automatic.range, candidates, count)?;
        if let Some(last) = held.last() {
            self.book.lock().gave(last.number());
        }
        Ok(held)
    }

    /// The first `count` of the candidates, all of `range`, that are free.
    fn hold_some(
        &self,
        wish: &Asked,
        range: PortRange,
        candidates: impl Iterator<Item = Port>,
        count: u16,
    ) -> Result<Vec<HeldPort>, Vec<Refusal>> {
        let mut held = Vec::new();
        for port in candidates {
            if held.len() >= count.into() {
                break;
            }
            let Ok(reserved) = self.reserve(wish, port) else {
                continue;
            };
            match self.open(reserved) {
                Ok(port) => held.push(port),
                Err(refusal) if refusal.is_for_this_port() => {}
                Err(refusal) => return Err(vec![refusal]),
            }
        }
        if held.len() < count.into() {
            return Err(vec![Refusal::Exhausted(range, wish.protocol)]);
        }
        Ok(held)
    }

    /// A socket that was closed lives on in processes that were being started meanwhile, until they
    /// have closed what they inherited: what is in use and nobody's is free in a moment.
    fn open_patiently(
        &self,
        reserved: Reserved,
        patience: &mut Patience,
    ) -> Result<HeldPort, Refusal> {
        let mut opened = self.sockets(&reserved);
        if patience.is_left() && opened.as_ref().is_err_and(Refusal::is_passing) {
            let deadline = patience.deadline();
            let in_use = |refusal: &Refusal| refusal.in_use().is_some();
            while opened.as_ref().is_err_and(in_use) && Instant::now() < deadline {
                std::thread::sleep(BETWEEN_LOOKS);
                opened = self.sockets(&reserved);
            }
        }
        Ok(HeldPort::by(opened?, reserved))
    }

    fn open(&self, reserved: Reserved) -> Result<HeldPort, Refusal> {
        let mut sockets = self.sockets(&reserved)?;
        if !self.holding.is_on() {
            // that it was free just now is all that can be said
            sockets.clear();
        }
        Ok(HeldPort::by(sockets, reserved))
    }

    fn sockets(&self, reserved: &Reserved) -> Result<Vec<(SocketAddr, Arc<Socket>)>, Refusal> {
        let (protocol, port) = (reserved.protocol, reserved.port);
        let everywhere = self.open_everywhere(reserved)?;
        let mut sockets = Vec::with_capacity(reserved.addresses.len());
        for &address in reserved.addresses.iter() {
            let at = SocketAddr::new(address, port.get());
            let socket = match &everywhere {
                Some(socket) if address.is_unspecified() => Some(Arc::clone(socket)),
                _ => {
                    let opened = self.open_at(protocol, Place::At(at));
                    opened.map_err(|refusal| refusal.of(protocol, at))?
                }
            };
            sockets.extend(socket.map(|socket| (at, socket)));
        }
        Ok(sockets)
    }

    /// One socket where there would be two, of 0.0.0.0 and of [::]: it takes half the time and
    /// half of the descriptors, of which a process may have few. If it is refused, two tell which
    /// family is to blame.
    fn open_everywhere(&self, reserved: &Reserved) -> Result<Option<Arc<Socket>>, Refusal> {
        let any = [Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()];
        let [Some(first), Some(_)] =
            any.map(|any: IpAddr| reserved.addresses.iter().find(|address| **address == any))
        else {
            return Ok(None);
        };
        match self.open_at(reserved.protocol, Place::Everywhere(reserved.port)) {
            Ok(socket) => Ok(socket),
            Err(Unopened::ByKernel(_)) => Ok(None),
            Err(struck) => {
                let at = SocketAddr::new(*first, reserved.port.get());
                Err(struck.of(reserved.protocol, at))
            }
        }
    }

    fn open_at(&self, protocol: Protocol, place: Place) -> Result<Option<Arc<Socket>>, Unopened> {
        let strike = self.injector.strike();
        if let Some(strike) = strike.filter(|strike| strike.moment == Moment::Before) {
            return Err(Unopened::OnPurpose(strike.errno));
        }
        let opened = socket::open(protocol, place, self.neighbours).map_err(Unopened::ByKernel)?;
        let opened = opened.map(Arc::new);
        strike.map_or(Ok(opened), |strike| Err(Unopened::OnPurpose(strike.errno)))
    }
}

/// How long all ports that are asked for at once are waited for: as long as one.
#[derive(Debug, Default)]
struct Patience(Option<Instant>);

impl Patience {
    /// It begins with the first that is waited for.
    fn deadline(&mut self) -> Instant {
        *self.0.get_or_insert_with(|| Instant::now() + LINGERING)
    }

    fn is_left(&self) -> bool {
        self.0.is_none_or(|deadline| Instant::now() < deadline)
    }
}

/// A wish whose addresses are shared by all ports that meet it.
#[derive(Debug)]
struct Asked {
    container: ContainerName,
    addresses: Arc<[IpAddr]>,
    protocol: Protocol,
    ports: Choice,
}

impl From<&Wish> for Asked {
    fn from(wish: &Wish) -> Self {
        Self {
            container: wish.container.clone(),
            addresses: wish.addresses.as_slice().into(),
            protocol: wish.protocol,
            ports: wish.ports,
        }
    }
}
