//! Datagrams in batches: as many as have come are taken in one call, and their answers given back
//! in another, all in memory that is there before the first. What is answered is decided elsewhere.

use std::fmt;
use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{
    MsgFlags, MultiHeaders, SockaddrIn, SockaddrIn6, SockaddrLike, recvmmsg, sendmmsg,
};

/// As many datagrams are taken before it is another socket's turn.
pub(super) const BATCH: usize = 32;

/// A query is cut after this, and then malformed. The longest name with EDNS and its padding
/// (rfc8467) has a quarter.
pub(super) const MAX_QUERY_BYTES: usize = 2048;

/// As long as a datagram with an answer can be.
const MAX_REPLY_BYTES: usize = 1232;

/// What a batch is written into.
pub(super) struct Space {
    queries: Box<[u8]>,
    lengths: [usize; BATCH],
    clients: [SocketAddr; BATCH],
    replies: Vec<Vec<u8>>,
    to: [SocketAddr; BATCH],
    replied: usize,
}

/// The kernel's view of a batch. It belongs to one thread, so that whoever runs a server makes it.
#[derive(Debug)]
pub(super) struct Headers {
    v4: Pair<SockaddrIn>,
    v6: Pair<SockaddrIn6>,
}

/// One for each way, since each keeps what the kernel wrote into it; and a pair for each family,
/// since the length of an address is kept, too.
#[derive(Debug)]
struct Pair<S> {
    incoming: MultiHeaders<S>,
    outgoing: MultiHeaders<S>,
}

impl<S: SockaddrLike + Copy> Pair<S> {
    fn new() -> Self {
        Self {
            incoming: MultiHeaders::preallocate(BATCH, None),
            outgoing: MultiHeaders::preallocate(BATCH, None),
        }
    }
}

impl Headers {
    pub(super) fn new() -> Self {
        Self {
            v4: Pair::new(),
            v6: Pair::new(),
        }
    }
}

/// Which family a socket is of, and with it its addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    V4,
    V6,
}

impl Kind {
    pub(super) fn of(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(_) => Self::V4,
            SocketAddr::V6(_) => Self::V6,
        }
    }
}

impl Space {
    pub(super) fn new() -> Self {
        let nowhere = SocketAddr::from(([0; 4], 0));
        Self {
            queries: vec![0; BATCH * MAX_QUERY_BYTES].into_boxed_slice(),
            lengths: [0; BATCH],
            clients: [nowhere; BATCH],
            replies: (0..BATCH)
                .map(|_| Vec::with_capacity(MAX_REPLY_BYTES))
                .collect(),
            to: [nowhere; BATCH],
            replied: 0,
        }
    }

    /// Takes what has come, and returns how many that are; 0 where nothing has.
    pub(super) fn receive(
        &mut self,
        socket: &UdpSocket,
        kind: Kind,
        headers: &mut Headers,
    ) -> usize {
        self.replied = 0;
        match kind {
            Kind::V4 => self.receive_from(socket, &mut headers.v4.incoming, |from: SockaddrIn| {
                SocketAddrV4::from(from).into()
            }),
            Kind::V6 => self.receive_from(socket, &mut headers.v6.incoming, |from: SockaddrIn6| {
                SocketAddrV6::from(from).into()
            }),
        }
    }

    fn receive_from<S: SockaddrLike + Copy>(
        &mut self,
        socket: &UdpSocket,
        headers: &mut MultiHeaders<S>,
        address: impl Fn(S) -> SocketAddr,
    ) -> usize {
        let mut queries = self.queries.chunks_exact_mut(MAX_QUERY_BYTES);
        let mut parts: [[IoSliceMut; 1]; BATCH] =
            std::array::from_fn(|_| [IoSliceMut::new(queries.next().unwrap_or_default())]);
        let flags = MsgFlags::MSG_DONTWAIT;
        let received = recvmmsg(socket.as_raw_fd(), headers, &mut parts, flags, None);
        let Ok(received) = received else {
            return 0;
        };
        let places = self.lengths.iter_mut().zip(&mut self.clients);
        let taken = received.zip(places).map(|(message, (length, client))| {
            *length = message.bytes;
            // one without an address can't be answered, and is empty then
            match message.address {
                Some(from) => *client = address(from),
                None => *length = 0,
            }
        });
        taken.count()
    }

    /// The `index`-th datagram of the batch, who sent it, and where its answer is to be written.
    pub(super) fn query(&mut self, index: usize) -> Option<(&[u8], SocketAddr, &mut Vec<u8>)> {
        let start = index * MAX_QUERY_BYTES;
        let length = *self.lengths.get(index)?;
        let query = self.queries.get(start..start + length)?;
        let client = *self.clients.get(index)?;
        Some((query, client, self.replies.get_mut(self.replied)?))
    }

    /// What was written last is for `client`.
    pub(super) fn reply_to(&mut self, client: SocketAddr) {
        if let Some(to) = self.to.get_mut(self.replied) {
            *to = client;
            self.replied += 1;
        }
    }

    /// Sends the answers. What the kernel does not take is lost, as datagrams are.
    pub(super) fn send(&mut self, socket: &UdpSocket, kind: Kind, headers: &mut Headers) {
        match (self.replied, kind) {
            (0, _) => {}
            (1, _) => {
                if let (Some(reply), Some(to)) = (self.replies.first(), self.to.first()) {
                    let _lost = socket.send_to(reply, to);
                }
            }
            (_, Kind::V4) => self.send_to(socket, &mut headers.v4.outgoing, |to| match to {
                SocketAddr::V4(to) => Some(SockaddrIn::from(*to)),
                SocketAddr::V6(_) => None,
            }),
            (_, Kind::V6) => self.send_to(socket, &mut headers.v6.outgoing, |to| match to {
                SocketAddr::V6(to) => Some(SockaddrIn6::from(*to)),
                SocketAddr::V4(_) => None,
            }),
        }
    }

    fn send_to<S: SockaddrLike + Copy>(
        &self,
        socket: &UdpSocket,
        headers: &mut MultiHeaders<S>,
        address: impl Fn(&SocketAddr) -> Option<S>,
    ) {
        let mut replies = self.replies.iter().take(self.replied);
        let parts: [[IoSlice; 1]; BATCH] = std::array::from_fn(|_| {
            let reply = replies.next().map(Vec::as_slice);
            [IoSlice::new(reply.unwrap_or_default())]
        });
        let mut clients = self.to.iter().take(self.replied);
        let to: [Option<S>; BATCH] = std::array::from_fn(|_| clients.next().and_then(&address));
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        let mut sent = 0;
        while sent < self.replied {
            let rest = sent..self.replied;
            let (Some(parts), Some(to)) = (parts.get(rest.clone()), to.get(rest)) else {
                return;
            };
            let taken = sendmmsg(socket.as_raw_fd(), &mut *headers, parts, to, [], flags);
            // it stops at one that can't be sent
            sent += taken.map_or(1, |taken| taken.count().max(1));
        }
    }
}

impl fmt::Debug for Space {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Space(..)")
    }
}
