//! Where a container's queries arrive: a UDP socket and a TCP listener inside its namespace, opened
//! in one visit. What comes in by them is nobody's business here.

#[cfg(test)]
mod tests;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket};

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce};
use socket2::{Domain, Socket, Type};

use super::Kernel;
use super::inject::FaultInjector;
use super::netns::Netns;
use crate::addr::{Port, PortRange, Protocol};
use crate::errno::Errno;
use crate::error::{Error, Fault, PortFault, Result};
use crate::netlink::socket::Bell;
use crate::netlink::socket::nft::NftSocket;

/// Above all that a kernel gives out by itself (`ip_local_port_range`).
const FIRST_PORT: u32 = 65_053;
const LAST_PORT: u32 = FIRST_PORT + 15;
/// As many connections wait to be accepted.
const BACKLOG: i32 = 128;
/// The kernel counts twice what is asked for: it has room for 680 short queries that wait to be
/// read, and a container can't make it take more.
const RECEIVE_BUFFER_BYTES: usize = 256 << 10;

/// Sockets that take a container's queries, non-blocking, at the same port of the same address.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) udp: UdpSocket,
    pub(crate) tcp: TcpListener,
    pub(crate) port: Port,
}

/// Where a door is, unless that is taken.
pub(crate) fn first_door() -> Port {
    candidates().first()
}

impl Kernel {
    /// Opens a door at `server`, and keeps ready with `netns` what a plan needs that leads queries
    /// there. The loopback link must be up: a datagram's socket that is bound before it has ever been
    /// answers from whatever address leads to the asker (`inet_saddr` of `__inet_bind`).
    ///
    /// # Errors
    /// The namespace can't be entered, all ports are taken, or the kernel refused.
    pub(crate) fn open_door(&self, netns: &Netns, server: Ipv4Addr) -> Result<Door> {
        let opened = self.open_door_and(netns, server, |_port| ());
        opened.map(|(door, ())| door)
    }

    /// As [`open_door`](Self::open_door), with what rings when somebody else leads queries elsewhere.
    pub(crate) fn open_shared_door(
        &self,
        netns: &Netns,
        server: Ipv4Addr,
    ) -> Result<(Door, Option<Bell>)> {
        // without it nobody is told, and all is as it is found by who looks
        self.open_door_and(netns, server, |port| Bell::open(port).ok())
    }

    fn open_door_and<T: Send>(
        &self,
        netns: &Netns,
        server: Ipv4Addr,
        open: impl FnOnce(Option<u32>) -> T + Send,
    ) -> Result<(Door, T)> {
        let opener = Opener {
            server,
            injector: &self.shared.injector,
        };
        let attempt = || format!("listen at {server} in the namespace of {}", netns.label());
        let entered = netns.enter(|| {
            let (opened, nft) = (opener.open(), NftSocket::open().ok());
            let beside = open(nft.as_ref().map(NftSocket::port));
            (opened, nft, beside)
        });
        let (opened, nft, beside) = entered.map_err(|error| error.during(attempt()))?;
        let door = opened.map_err(|refused| Error::of(attempt(), vec![refused.fault(server)]))?;
        // one that can't be opened is tried again when it is needed, and explained then
        netns.keep_nft(nft);
        Ok((door, beside))
    }
}

struct Opener<'k> {
    server: Ipv4Addr,
    injector: &'k FaultInjector,
}

/// What the kernel did not give.
#[derive(Debug, Clone, Copy)]
enum Refused {
    /// The last of all ports is taken, as are those before.
    Taken(Protocol),
    Socket(Protocol, Port, Errno),
}

impl Opener<'_> {
    /// In the namespace of the calling thread.
    fn open(&self) -> std::result::Result<Door, Refused> {
        let mut taken = Protocol::Udp;
        for port in candidates().ports() {
            match self.open_both(port) {
                Ok(door) => return Ok(door),
                Err(Unopened::Taken(protocol)) => taken = protocol,
                Err(Unopened::Refused(protocol, errno)) => {
                    return Err(Refused::Socket(protocol, port, errno));
                }
            }
        }
        Err(Refused::Taken(taken))
    }

    fn open_both(&self, port: Port) -> std::result::Result<Door, Unopened> {
        let udp = self.open_one(Protocol::Udp, port)?;
        let tcp = self.open_one(Protocol::Tcp, port)?;
        Ok(Door {
            udp: udp.into(),
            tcp: tcp.into(),
            port,
        })
    }

    /// A call that fails on purpose is not tried at another port.
    fn open_one(&self, protocol: Protocol, port: Port) -> std::result::Result<Socket, Unopened> {
        let address = SocketAddr::V4(SocketAddrV4::new(self.server, port.get()));
        let refused = |errno| Unopened::Refused(protocol, errno);
        self.injector.strike_or(refused, || {
            open(protocol, address).map_err(|error| match Errno::from(&error) {
                Errno::EADDRINUSE => Unopened::Taken(protocol),
                errno => refused(errno),
            })
        })
    }
}

/// Why a socket was not opened.
enum Unopened {
    Taken(Protocol),
    Refused(Protocol, Errno),
}

pub(super) fn candidates() -> PortRange {
    let [first, last] = [FIRST_PORT, LAST_PORT].map(|number| Port::new(number).expect("a port"));
    PortRange::new(first, last).expect("they stand in their order")
}

/// A socket that takes what comes to that place, non-blocking.
pub(super) fn open(protocol: Protocol, address: SocketAddr) -> io::Result<Socket> {
    let kind = match protocol {
        Protocol::Tcp => Type::STREAM,
        Protocol::Udp | Protocol::Sctp => Type::DGRAM,
    };
    let socket = Socket::new(Domain::for_address(address), kind.nonblocking(), None)?;
    // somebody may have taken the link's address away for a while
    match address {
        SocketAddr::V4(_) => socket.set_freebind_v4(true)?,
        SocketAddr::V6(_) => {
            socket.set_only_v6(true)?;
            socket.set_freebind_v6(true)?;
        }
    }
    if protocol == Protocol::Tcp {
        // connections that ended a minute ago are not in the way; two that listen still are
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
    } else {
        // past the host's limit where the privilege is that of the host, else up to it
        if setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER_BYTES).is_err() {
            setsockopt(&socket, RcvBuf, &RECEIVE_BUFFER_BYTES)?;
        }
        socket.bind(&address.into())?;
    }
    Ok(socket)
}

impl Refused {
    fn fault(self, server: Ipv4Addr) -> Fault {
        let (protocol, port, errno) = match self {
            Self::Taken(protocol) => {
                let ports = candidates();
                return PortFault::Exhausted { ports, protocol }.into();
            }
            Self::Socket(protocol, port, errno) => (protocol, port, errno),
        };
        let words = match errno {
            Errno::EMFILE => Some("it takes two descriptors; raise the limit of open files"),
            _ => None,
        };
        Fault::Kernel {
            doing: format!("bind {server}:{port}/{protocol}"),
            errno,
            words: words.map(str::to_owned),
        }
    }
}
