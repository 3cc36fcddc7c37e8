//! One connection and its other half: bytes both ways, each end of a direction by itself, and never
//! more than one chunk in memory each way.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::sys::epoll::EpollFlags;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

/// As much is read at once, and as much at most is kept when the reader is slower.
pub(super) const CHUNK_BYTES: usize = 16 * 1024;

/// As many chunks go one way before it is another connection's turn.
const CHUNKS_AT_ONCE: usize = 16;

/// A peer that says nothing for a minute is asked, and is given up after another.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(20))
    .with_retries(3);

/// Which end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// The client's.
    Near,
    /// The container's.
    Far,
}

/// What becomes of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Something must happen first.
    Waits,
    /// It has had its turn, and there is more.
    Again,
    /// Both directions have ended.
    Ended,
    /// One end is gone without an end.
    Broken,
}

#[derive(Debug)]
pub(super) struct Connection {
    near: Half,
    far: Half,
    outwards: Direction,
    inwards: Direction,
}

#[derive(Debug)]
struct Half {
    stream: TcpStream,
    // what the kernel has said since it was last found otherwise
    is_readable: bool,
    is_writable: bool,
    is_broken: bool,
}

/// What is on its way from one end to the other.
#[derive(Debug, Default)]
struct Direction {
    pending: Vec<u8>,
    has_ended: bool,
    is_shut: bool,
}

impl Connection {
    /// Of a client that was accepted, to `target`; it is not yet known whether anybody is there.
    pub(super) fn open(client: Socket, target: SocketAddr) -> io::Result<Self> {
        client.set_nonblocking(true)?;
        let kind = Type::STREAM.nonblocking();
        let server = Socket::new(Domain::for_address(target), kind, Some(Protocol::TCP))?;
        for socket in [&client, &server] {
            socket.set_tcp_nodelay(true)?;
            socket.set_tcp_keepalive(&KEEPALIVE)?;
        }
        match server.connect(&target.into()) {
            // connect(2): EINPROGRESS
            Err(error) if error.raw_os_error() != Some(nix::libc::EINPROGRESS) => Err(error),
            _ => Ok(Self {
                near: Half::new(client),
                far: Half::new(server),
                outwards: Direction::default(),
                inwards: Direction::default(),
            }),
        }
    }

    pub(super) fn descriptor(&self, end: End) -> BorrowedFd<'_> {
        match end {
            End::Near => self.near.stream.as_fd(),
            End::Far => self.far.stream.as_fd(),
        }
    }

    /// From now on closing it says that all is well.
    pub(super) fn begin(&self) {
        let _gone = SockRef::from(&self.near.stream).set_linger(None);
    }

    /// Takes down what the kernel says of one end.
    pub(super) fn note(&mut self, end: End, events: EpollFlags) {
        let half = match end {
            End::Near => &mut self.near,
            End::Far => &mut self.far,
        };
        let readable = EpollFlags::EPOLLIN | EpollFlags::EPOLLRDHUP | EpollFlags::EPOLLHUP;
        half.is_readable |= events.intersects(readable);
        half.is_writable |= events.contains(EpollFlags::EPOLLOUT);
        half.is_broken |= events.contains(EpollFlags::EPOLLERR);
    }

    /// Moves what can be moved.
    pub(super) fn pump(&mut self, chunk: &mut [u8]) -> Fate {
        if self.near.is_broken || self.far.is_broken {
            return Fate::Broken;
        }
        let moved = [
            self.outwards.pump(&mut self.near, &mut self.far, chunk),
            self.inwards.pump(&mut self.far, &mut self.near, chunk),
        ];
        match moved {
            [Err(_), _] | [_, Err(_)] => Fate::Broken,
            _ if self.outwards.is_shut && self.inwards.is_shut => Fate::Ended,
            [Ok(Turn::Used), _] | [_, Ok(Turn::Used)] => Fate::Again,
            _ => Fate::Waits,
        }
    }

    /// Ends both ends so that neither takes it for the end of what the other had to say.
    pub(super) fn reset(self) {
        reset(&SockRef::from(&self.near.stream));
        reset(&SockRef::from(&self.far.stream));
    }
}

/// Makes closing it tell the peer that something went wrong.
pub(super) fn reset(socket: &Socket) {
    // where it fails the peer is gone already
    let _gone = socket.set_linger(Some(Duration::ZERO));
}

impl Half {
    fn new(socket: Socket) -> Self {
        Self {
            stream: socket.into(),
            is_readable: false,
            is_writable: false,
            is_broken: false,
        }
    }
}

/// Whether a direction has used up its turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    Used,
    Left,
}

impl Direction {
    fn pump(&mut self, from: &mut Half, to: &mut Half, chunk: &mut [u8]) -> io::Result<Turn> {
        for _ in 0..CHUNKS_AT_ONCE {
            // one that is still being connected to is not writable
            if self.is_shut || !to.is_writable {
                return Ok(Turn::Left);
            }
            if !self.pending.is_empty() {
                let written = attempt(&mut to.is_writable, || to.stream.write(&self.pending))?;
                self.pending.drain(..written.unwrap_or(0));
                if self.pending.is_empty() {
                    self.pending = Vec::new();
                }
            } else if self.has_ended {
                to.stream.shutdown(Shutdown::Write)?;
                self.is_shut = true;
            } else if from.is_readable {
                self.pass_on(from, to, chunk)?;
            } else {
                return Ok(Turn::Left);
            }
        }
        Ok(Turn::Used)
    }

    /// Reads once and writes once; what is not taken is kept.
    fn pass_on(&mut self, from: &mut Half, to: &mut Half, chunk: &mut [u8]) -> io::Result<()> {
        let Some(length) = attempt(&mut from.is_readable, || from.stream.read(chunk))? else {
            return Ok(());
        };
        let read = chunk.get(..length).unwrap_or_default();
        if read.is_empty() {
            self.has_ended = true;
            return Ok(());
        }
        let written = attempt(&mut to.is_writable, || to.stream.write(read))?.unwrap_or(0);
        let rest = read.get(written..).unwrap_or_default();
        self.pending.extend_from_slice(rest);
        Ok(())
    }
}

/// Does it unless the kernel says that it can't be done yet, which is taken down.
fn attempt(
    is_possible: &mut bool,
    act: impl FnOnce() -> io::Result<usize>,
) -> io::Result<Option<usize>> {
    match act() {
        Ok(length) => Ok(Some(length)),
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            *is_possible = false;
            Ok(None)
        }
        Err(error) if error.kind() == ErrorKind::Interrupted => Ok(None),
        Err(error) => Err(error),
    }
}
