//! A socket that hears of all changes of some kinds to its namespace. It must not know what they mean.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd};

use netlink_sys::Socket;
use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use nix::sys::socket::sockopt::{RcvBuf, RcvBufForce};
use nix::sys::socket::{MsgFlags, NetlinkAddr, recv, recvfrom, setsockopt};

use crate::errno::Errno;
use crate::netlink::frame::{Body, replies};
use crate::netlink::nft::notice::GROUP;
use crate::netlink::notice::GROUPS;
use crate::netlink::socket::nft::RECEIVE_BUFFER_BYTES;
use crate::netlink::socket::wire::DATAGRAM_BYTES;

/// linux/netlink.h: a message begins with it, and it ends with the port of whose doing it is about.
const NLMSGHDR_BYTES: usize = 16;
/// Who changes tables without end keeps nobody from looking at them.
const STROKES: usize = 1024;

#[derive(Debug)]
pub(crate) struct Monitor {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Monitor {
    /// Of tables, in the namespace of the calling thread. It hears of all that is changed from now on.
    pub(crate) fn of_tables() -> Result<Self, Errno> {
        Self::open(NETLINK_NETFILTER, &[GROUP]).map_err(|error| Errno::from(&error))
    }

    /// Of links, addresses, routes and the routing policy.
    pub(crate) fn of_routing() -> Result<Self, Errno> {
        Self::open(NETLINK_ROUTE, &GROUPS).map_err(|error| Errno::from(&error))
    }

    fn open(protocol: isize, groups: &[u32]) -> std::io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        if setsockopt(&socket, RcvBufForce, &RECEIVE_BUFFER_BYTES).is_err() {
            setsockopt(&socket, RcvBuf, &RECEIVE_BUFFER_BYTES)?;
        }
        for &group in groups {
            socket.add_membership(group)?;
        }
        Ok(Self {
            socket,
            buffer: vec![0; DATAGRAM_BYTES],
        })
    }

    /// Hands each message of the next datagram to `hear`, with the port of the socket whose
    /// transaction it is about, its kind and its body.
    ///
    /// # Errors
    /// `EAGAIN`: there is none. `ENOBUFS`: some were lost.
    pub(crate) fn next(&mut self, mut hear: impl FnMut(u32, u16, &[u8])) -> Result<(), Errno> {
        let received = recvfrom::<NetlinkAddr>(self.socket.as_raw_fd(), &mut self.buffer);
        let (length, sender) = match received {
            Err(nix::errno::Errno::EINTR) => return Ok(()),
            received => received.map_err(Errno::from)?,
        };
        if sender.is_none_or(|sender| sender.pid() != 0) {
            return Ok(());
        }
        for reply in replies(&self.buffer[..length]) {
            // what can't be read is as good as lost
            let reply = reply.map_err(|_| Errno::ENOBUFS)?;
            match reply.body {
                Body::Object(kind, body) => hear(reply.port, kind, body),
                Body::Overrun => return Err(Errno::ENOBUFS),
                Body::Acknowledged | Body::Refused(_) | Body::Done => {}
            }
        }
        Ok(())
    }
}

/// Tells that somebody has changed tables of its namespace, and nothing else: one for each of many
/// namespaces has no room for what was changed.
#[derive(Debug)]
pub(crate) struct Bell {
    socket: Socket,
    /// Of whose transactions it does not tell until it has been heard once.
    own: Option<u32>,
}

impl Bell {
    /// In the namespace of the calling thread. Whatever is changed by a socket of the port `own` before
    /// it is heard for the first time is nobody's news.
    pub(crate) fn open(own: Option<u32>) -> Result<Self, Errno> {
        let socket = Self::try_open().map_err(|error| Errno::from(&error))?;
        Ok(Self { socket, own })
    }

    fn try_open() -> std::io::Result<Socket> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        socket.add_membership(GROUP)?;
        Ok(socket)
    }

    /// Whether it has rung since it was heard last. The port of a socket that is closed may be
    /// somebody else's, so that the first time is the only one at which the own is known.
    pub(crate) fn hear(&mut self) -> bool {
        let own = self.own.take();
        let mut header = [0; NLMSGHDR_BYTES];
        let mut has_rung = false;
        for _ in 0..STROKES {
            match recv(self.socket.as_raw_fd(), &mut header, MsgFlags::MSG_DONTWAIT) {
                Ok(_) => {
                    let [.., a, b, c, d] = header;
                    has_rung |= own != Some(u32::from_ne_bytes([a, b, c, d]));
                }
                Err(nix::errno::Errno::EINTR) => {}
                Err(nix::errno::Errno::EAGAIN) => break,
                // what was lost may have been anybody's
                Err(_) => has_rung = true,
            }
        }
        has_rung
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // the socket lends no descriptor, but a number
        self.socket.as_fd()
    }
}
