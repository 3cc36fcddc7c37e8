//! What is open at a place: listeners and sockets at all its addresses and ports, and one for echo
//! requests of each family. They are opened inside the namespace and are in it wherever they are
//! used from.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use bridgework::Netns;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::echo::Echo;
use crate::model::{PRIVATE, Place};
use crate::questions;
use crate::topology::Topology;

pub enum Door {
    Listener(Place, Socket),
    Datagrams(Place, u16, Socket),
    Echoes(Place, Echo),
}

impl AsFd for Door {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Listener(_, socket) | Self::Datagrams(_, _, socket) => socket.as_fd(),
            Self::Echoes(_, echo) => echo.as_fd(),
        }
    }
}

impl Door {
    /// All of one place.
    pub fn all(world: &Topology, place: Place, netns: &Netns) -> Vec<Self> {
        let mut ports = vec![PRIVATE];
        if let Place::Member(number) = place {
            let mappings = world.members[number].mappings.iter();
            ports.extend(mappings.flat_map(|m| m.container_port..m.container_port + m.count));
        }
        let addresses = questions::addresses(world, place);
        let open = || {
            let mut doors = Vec::new();
            for &port in &ports {
                for any in [
                    IpAddr::from(Ipv4Addr::UNSPECIFIED),
                    Ipv6Addr::UNSPECIFIED.into(),
                ] {
                    let socket = bound(SocketAddr::new(any, port), Type::STREAM);
                    socket.listen(1024).expect("listen");
                    doors.push(Self::Listener(place, socket));
                }
                for &address in &addresses {
                    let socket = bound(SocketAddr::new(address, port), Type::DGRAM);
                    doors.push(Self::Datagrams(place, port, socket));
                }
            }
            let v6 = [false, true].into_iter();
            doors.extend(v6.map(|v6| Self::Echoes(place, Echo::open(v6))));
            doors
        };
        netns.run(open).expect("inside")
    }

    /// Answers all who have come: with who it is that answers, and whom it sees.
    pub fn answer(&self) {
        match self {
            Self::Listener(place, socket) => {
                let port = socket.local_addr().ok().and_then(|at| at.as_socket());
                let port = port.map_or(0, |at| at.port());
                while let Ok((mut stream, client)) = socket.accept() {
                    // it may have gone
                    let _gone = stream.write_all(&words(*place, port, &client));
                }
            }
            Self::Datagrams(place, port, socket) => {
                let mut buffer = [std::mem::MaybeUninit::uninit(); 64];
                loop {
                    match socket.recv_from(&mut buffer) {
                        Ok((_, client)) => {
                            let _gone = socket.send_to(&words(*place, *port, &client), &client);
                        }
                        Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return,
                        // what a client had refused is told to the next who asks
                        Err(_) => {}
                    }
                }
            }
            Self::Echoes(..) => {}
        }
    }
}

fn bound(at: SocketAddr, kind: Type) -> Socket {
    let socket = Socket::new(Domain::for_address(at), kind, None).expect("a socket");
    if at.is_ipv6() {
        socket.set_only_v6(true).expect("v6 only");
    }
    // connections of a world before linger on
    socket.set_reuse_address(true).expect("reuse");
    socket.set_nonblocking(true).expect("nonblocking");
    let bound = socket.bind(&at.into());
    bound.unwrap_or_else(|error| panic!("{at}: {error}"));
    socket
}

fn words(place: Place, port: u16, client: &SockAddr) -> Vec<u8> {
    let client = client.as_socket().expect("an IP address").ip();
    let (kind, number) = match place {
        Place::Host => ('h', 0),
        Place::Neighbour(number) => ('n', number),
        Place::Member(number) => ('c', number),
    };
    format!("{kind} {number} {port} {client}").into_bytes()
}

/// Who answered by which port, and whom it saw.
pub fn understand(words: &[u8]) -> Option<(Place, u16, IpAddr)> {
    let words = std::str::from_utf8(words).ok()?;
    let [kind, number, port, client] = words.split(' ').collect::<Vec<_>>().try_into().ok()?;
    let number = number.parse().ok()?;
    let place = match kind {
        "h" => Place::Host,
        "n" => Place::Neighbour(number),
        _ => Place::Member(number),
    };
    Some((place, port.parse().ok()?, client.parse().ok()?))
}

/// A socket that asks, in the namespace of the calling thread.
pub fn asking(to: SocketAddr, kind: Type) -> std::io::Result<Socket> {
    let protocol = match kind {
        Type::STREAM => Protocol::TCP,
        _ => Protocol::UDP,
    };
    let socket = Socket::new(Domain::for_address(to), kind, Some(protocol))?;
    socket.set_nonblocking(true)?;
    match socket.connect(&to.into()) {
        Err(error) if error.raw_os_error() == Some(nix::libc::EINPROGRESS) => Ok(socket),
        connected => connected.map(|()| socket),
    }
}
