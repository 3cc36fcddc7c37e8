//! What all netlink sockets have in common: sequence numbers, whole datagrams out and in, and an ear
//! for the kernel alone. It must not know what a datagram says, or how long to wait for one.

use std::io::IoSlice;
use std::os::fd::AsRawFd;

use netlink_sys::Socket;
use nix::sys::socket::{MsgFlags, NetlinkAddr, getsockopt, recvfrom, sendmsg};
use nix::{getsockopt_impl, libc, sockopt_impl};

use crate::errno::Errno;

/// The kernel never puts more than this into one datagram (`NLMSG_GOODSIZE` and `netlink_dump`'s
/// 32 KiB).
pub(super) const DATAGRAM_BYTES: usize = 64 * 1024;

// uapi/asm-generic/socket.h: SO_NETNS_COOKIE has 64 bits
sockopt_impl!(
    NamespaceCookie,
    GetOnly,
    libc::SOL_SOCKET,
    libc::SO_NETNS_COOKIE,
    u64
);

#[derive(Debug)]
pub(super) struct Wire {
    pub(super) socket: Socket,
    next_sequence: u32,
    buffer: Vec<u8>,
}

impl Wire {
    /// By a socket that is bound.
    pub(super) fn new(socket: Socket) -> Self {
        Self {
            socket,
            next_sequence: 1,
            buffer: vec![0; DATAGRAM_BYTES],
        }
    }

    /// That of the namespace that the socket is of; 0 where the kernel tells none.
    pub(super) fn namespace_cookie(&self) -> u64 {
        getsockopt(&self.socket, NamespaceCookie).unwrap_or_default()
    }

    /// The number that is taken next.
    pub(super) fn next_sequence(&self) -> u32 {
        self.next_sequence
    }

    /// The first of so many numbers that nothing else has.
    pub(super) fn take_sequences(&mut self, count: usize) -> u32 {
        let first = self.next_sequence;
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        self.next_sequence = first.wrapping_add(count).max(1);
        first
    }

    /// All of it, as one datagram.
    pub(super) fn send(&self, bytes: &[u8]) -> Result<(), Errno> {
        let kernel = NetlinkAddr::new(0, 0);
        let parts = [IoSlice::new(bytes)];
        let descriptor = self.socket.as_raw_fd();
        loop {
            match sendmsg(descriptor, &parts, &[], MsgFlags::empty(), Some(&kernel)) {
                Ok(_) => return Ok(()),
                Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }

    /// The next datagram of the kernel's; what anybody else sends is passed over.
    ///
    /// # Errors
    /// `EAGAIN`: there is none, or none came in time. `ENOBUFS`: some were lost.
    pub(super) fn receive(&mut self) -> Result<&[u8], Errno> {
        loop {
            match recvfrom::<NetlinkAddr>(self.socket.as_raw_fd(), &mut self.buffer) {
                Ok((length, Some(sender))) if sender.pid() == 0 => {
                    return Ok(&self.buffer[..length]);
                }
                Ok(_) | Err(nix::errno::Errno::EINTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}
