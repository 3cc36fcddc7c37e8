//! Sockets towards other servers: one for each query, of a port that the kernel chooses and nobody
//! can guess, connected, so that nobody else's datagrams come in. What is asked is decided in
//! `forward`.

use std::fmt;
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr, SocketAddrV6, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};

use nix::net::if_::if_nametoindex;
use nix::sys::epoll::EpollFlags;
use socket2::{Domain, Protocol, Socket, Type};

use super::streams::is_passing;
use crate::errno::Errno;
use crate::kernel::{Netns, Whereabouts};
use crate::resolver::forward::{AttemptId, Vantage};
use crate::resolver::{NameServer, Transport};

/// Where servers are asked (rfc1035 §4.2).
const PORT: u16 = 53;

/// As many sockets are opened in another namespace at once, since a thread has to go there.
const SPARES: usize = 4;

/// As long as a message can be, with its length.
pub(super) const MAX_MESSAGE_BYTES: usize = 2 + 65_535;

/// A query that is on its way.
#[derive(Debug)]
pub(super) struct Upstream {
    pub(super) attempt: AttemptId,
    pub(super) vantage: Vantage,
    channel: Channel,
}

#[derive(Debug)]
enum Channel {
    Datagrams(UdpSocket),
    Stream(Stream),
}

#[derive(Debug)]
struct Stream {
    stream: TcpStream,
    /// What is still to be said, behind its length.
    query: Vec<u8>,
    answer: Vec<u8>,
}

/// What a socket brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// A message of that length is in the buffer.
    Message(usize),
    /// Nothing that is whole.
    Nothing,
}

impl Upstream {
    /// Asks `server` from where this thread is.
    pub(super) fn open_here(
        (attempt, server): (AttemptId, &NameServer),
        transport: Transport,
        query: &[u8],
    ) -> io::Result<Self> {
        let at = address(server)?;
        let socket = open(at.ip(), transport)?;
        let channel = Channel::begin(socket, at, transport, query)?;
        let vantage = Vantage::Host;
        Ok(Self {
            attempt,
            vantage,
            channel,
        })
    }

    /// What to watch its socket for.
    pub(super) fn wanted(&self) -> EpollFlags {
        match &self.channel {
            Channel::Stream(stream) if !stream.query.is_empty() => EpollFlags::EPOLLOUT,
            _ => EpollFlags::EPOLLIN,
        }
    }

    /// Takes what has come into `buffer`, which has room for any message, after saying what could
    /// not be said yet.
    pub(super) fn hear(&mut self, buffer: &mut [u8]) -> io::Result<Heard> {
        match &mut self.channel {
            Channel::Datagrams(socket) => match socket.recv(buffer) {
                Ok(length) => Ok(Heard::Message(length)),
                Err(error) if is_passing(&error) => Ok(Heard::Nothing),
                Err(error) => Err(error),
            },
            Channel::Stream(stream) => {
                stream.write()?;
                stream.read(buffer)
            }
        }
    }
}

impl AsFd for Upstream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match &self.channel {
            Channel::Datagrams(socket) => socket.as_fd(),
            Channel::Stream(stream) => stream.stream.as_fd(),
        }
    }
}

impl Channel {
    fn begin(
        socket: Socket,
        at: SocketAddr,
        transport: Transport,
        query: &[u8],
    ) -> io::Result<Self> {
        match (socket.connect(&at.into()), transport) {
            (Ok(()), _) => {}
            // connect(2)
            (Err(error), Transport::Tcp)
                if error.raw_os_error() == Some(nix::libc::EINPROGRESS) => {}
            (Err(error), _) => return Err(error),
        }
        match transport {
            Transport::Udp => {
                let socket = UdpSocket::from(socket);
                socket.send(query)?;
                Ok(Self::Datagrams(socket))
            }
            Transport::Tcp => {
                let length = u16::try_from(query.len()).map_err(io::Error::other)?;
                Ok(Self::Stream(Stream {
                    stream: socket.into(),
                    query: [&length.to_be_bytes(), query].concat(),
                    answer: Vec::new(),
                }))
            }
        }
    }
}

impl Stream {
    fn write(&mut self) -> io::Result<()> {
        if self.query.is_empty() {
            return Ok(());
        }
        match self.stream.write(&self.query) {
            Ok(length) => {
                self.query.drain(..length);
                Ok(())
            }
            Err(error) if is_passing(&error) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// What has come already first, so that never more is kept than one message.
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<Heard> {
        if let Heard::Message(length) = self.take_message(buffer) {
            return Ok(Heard::Message(length));
        }
        let missing = MAX_MESSAGE_BYTES.saturating_sub(self.answer.len());
        let room = buffer.len().min(missing);
        match self.stream.read(buffer.get_mut(..room).unwrap_or_default()) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(length) => {
                let fresh = buffer.get(..length).unwrap_or_default();
                self.answer.extend_from_slice(fresh);
            }
            Err(error) if is_passing(&error) => {}
            Err(error) => return Err(error),
        }
        Ok(self.take_message(buffer))
    }

    fn take_message(&mut self, buffer: &mut [u8]) -> Heard {
        let Some((length, rest)) = self.answer.split_first_chunk::<2>() else {
            return Heard::Nothing;
        };
        let length = usize::from(u16::from_be_bytes(*length));
        let (Some(message), Some(room)) = (rest.get(..length), buffer.get_mut(..length)) else {
            return Heard::Nothing;
        };
        room.copy_from_slice(message);
        self.answer.drain(..2 + length);
        Heard::Message(length)
    }
}

/// Where sockets are opened in a namespace that the server's thread is not in.
pub(super) struct Outpost {
    // not a handle, which would be one that somebody has to the container
    inside: Whereabouts,
    number: u64,
    spares: Vec<(Domain, Socket)>,
}

impl Outpost {
    /// In the namespace of the client of that number.
    pub(super) fn new(netns: Netns, number: u64) -> Self {
        let spares = Vec::new();
        Self {
            inside: netns.whereabouts(),
            number,
            spares,
        }
    }

    /// Asks `server` from there.
    pub(super) fn open(
        &mut self,
        (attempt, server): (AttemptId, &NameServer),
        transport: Transport,
        query: &[u8],
    ) -> io::Result<Upstream> {
        let domain = Domain::for_address(SocketAddr::new(server.address(), PORT));
        let spare = self.spares.iter().position(|(of, _)| *of == domain);
        let spare = spare.filter(|_| transport == Transport::Udp && server.zone().is_none());
        let (socket, at) = match spare {
            Some(spare) => (self.spares.swap_remove(spare).1, address(server)?),
            None => self.enter(server, transport)?,
        };
        let channel = Channel::begin(socket, at, transport, query)?;
        let vantage = Vantage::Client(self.number);
        Ok(Upstream {
            attempt,
            vantage,
            channel,
        })
    }

    fn enter(
        &mut self,
        server: &NameServer,
        transport: Transport,
    ) -> io::Result<(Socket, SocketAddr)> {
        let (here, spares) = match transport {
            Transport::Udp => (server.address(), SPARES),
            Transport::Tcp => (server.address(), 0),
        };
        let inside = || {
            let spares = (0..spares).map_while(|_| open(here, transport).ok());
            Ok((open(here, transport)?, address(server)?, spares.collect()))
        };
        let opened: io::Result<(Socket, SocketAddr, Vec<Socket>)> = self
            .inside
            .find()
            .and_then(|netns| netns.enter(inside))
            .map_err(|error| refused(error.errno()))?;
        let (socket, at, fresh) = opened?;
        let domain = Domain::for_address(at);
        // those of the other family, if there were any, are not those that are in demand
        self.spares = fresh.into_iter().map(|spare| (domain, spare)).collect();
        Ok((socket, at))
    }
}

impl fmt::Debug for Outpost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Outpost").field(&self.inside).finish()
    }
}

fn refused(errno: Option<Errno>) -> io::Error {
    io::Error::from_raw_os_error(errno.unwrap_or(Errno::EIO).raw())
}

fn open(address: IpAddr, transport: Transport) -> io::Result<Socket> {
    let domain = Domain::for_address(SocketAddr::new(address, PORT));
    match transport {
        Transport::Udp => Socket::new(domain, Type::DGRAM.nonblocking(), Some(Protocol::UDP)),
        Transport::Tcp => {
            let socket = Socket::new(domain, Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
            socket.set_tcp_nodelay(true)?;
            Ok(socket)
        }
    }
}

/// Where it is asked, as seen from where this thread is.
fn address(server: &NameServer) -> io::Result<SocketAddr> {
    match (server.address(), server.zone()) {
        (IpAddr::V6(address), Some(zone)) => {
            let scope = match zone.parse() {
                Ok(number) => number,
                Err(_) => if_nametoindex(zone)?,
            };
            Ok(SocketAddrV6::new(address, PORT, 0, scope).into())
        }
        (address, _) => Ok(SocketAddr::new(address, PORT)),
    }
}
