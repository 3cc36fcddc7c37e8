//! The socket that holds a port: bound, listening where there is such a thing, and deaf.

use std::io;
use std::net::{Ipv6Addr, SocketAddr};

use socket2::{Domain, SockFilter, Socket, Type};

use crate::addr::{Port, Protocol};
use crate::errno::Errno;

/// As many connections wait to be accepted once the socket hears; net.core.somaxconn cuts it.
const BACKLOG: i32 = 1024;

/// uapi/linux/bpf_common.h: BPF_RET | BPF_K, of 0 bytes.
const DROP_ALL: [SockFilter; 1] = [SockFilter::new(0x06, 0, 0, 0)];

/// Lets nothing come in any more. A client's first packet is not answered, and it sends another:
/// it is not told that nobody is there.
pub(in crate::kernel) fn deafen(socket: &Socket) -> io::Result<()> {
    socket.attach_filter(&DROP_ALL)
}

/// What one socket keeps others from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// The port at this address alone, or at all of its family.
    At(SocketAddr),
    /// This port, at every address of both families.
    Everywhere(Port),
}

/// What of the same port a socket stands beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Neighbours {
    /// Nobody's that overlaps.
    Refused,
    /// What this user has opened to that for the moment, until it is there itself.
    Accepted,
}

impl Place {
    fn address(self) -> SocketAddr {
        match self {
            Self::At(address) => address,
            Self::Everywhere(port) => SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), port.get()),
        }
    }
}

/// A socket in the namespace of the calling thread that holds the port; `None` where the kernel
/// does not know the transport, so that nobody else can have it either.
pub(super) fn open(
    protocol: Protocol,
    place: Place,
    neighbours: Neighbours,
) -> Result<Option<Socket>, Errno> {
    let address = place.address();
    let socket = match unbound(protocol, address) {
        Ok(socket) => socket,
        Err(error) => match (protocol, Errno::from(&error)) {
            (Protocol::Sctp, Errno::EPROTONOSUPPORT | Errno::ESOCKTNOSUPPORT) => return Ok(None),
            (_, errno) => return Err(errno),
        },
    };
    if neighbours == Neighbours::Accepted {
        socket
            .set_reuse_port(true)
            .map_err(|error| Errno::from(&error))?;
    }
    let held = hold(&socket, protocol, place);
    // all others are in its way from now on
    let alone = || match neighbours {
        Neighbours::Refused => Ok(()),
        Neighbours::Accepted => socket.set_reuse_port(false),
    };
    held.and_then(|()| alone())
        .map_err(|error| Errno::from(&error))?;
    Ok(Some(socket))
}

fn unbound(protocol: Protocol, address: SocketAddr) -> io::Result<Socket> {
    let (kind, transport) = match protocol {
        Protocol::Tcp => (Type::STREAM, socket2::Protocol::TCP),
        Protocol::Udp => (Type::DGRAM, socket2::Protocol::UDP),
        Protocol::Sctp => (Type::STREAM, socket2::Protocol::SCTP),
    };
    Socket::new(Domain::for_address(address), kind, Some(transport))
}

fn hold(socket: &Socket, protocol: Protocol, place: Place) -> io::Result<()> {
    deafen(socket)?;
    match place {
        Place::At(SocketAddr::V4(_)) => {}
        Place::At(SocketAddr::V6(_)) => socket.set_only_v6(true)?,
        Place::Everywhere(_) => socket.set_only_v6(false)?,
    }
    // connections that ended a minute ago are not in the way; two that listen still are. Without
    // connections it would let others in.
    if protocol != Protocol::Udp {
        socket.set_reuse_address(true)?;
    }
    socket.bind(&place.address().into())?;
    match protocol {
        Protocol::Udp => Ok(()),
        Protocol::Tcp | Protocol::Sctp => socket.listen(BACKLOG),
    }
}
