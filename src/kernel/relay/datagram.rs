//! Datagrams: each client has a socket of its own towards the container, by which answers find
//! back to it.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv6Addr, SocketAddr, SocketAddrV6, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Instant;

use nix::cmsg_space;
use nix::libc::in6_pktinfo;
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use socket2::{Domain, Protocol, Socket, Type};

/// The longest datagram that there is.
pub(super) const MAX_BYTES: usize = 65_535;

/// Who sent a datagram, and to which of the host's addresses: answers come from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Path {
    pub(super) client: SocketAddrV6,
    host: Ipv6Addr,
    link: u32,
}

/// Makes the kernel say to which address each datagram came.
pub(super) fn prepare(socket: &Socket) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true)?)
}

/// A datagram's path and its length in `buffer`; `None` for one of which the kernel does not tell.
pub(super) fn receive(socket: &Socket, buffer: &mut [u8]) -> io::Result<Option<(Path, usize)>> {
    let mut space = cmsg_space!(in6_pktinfo);
    let mut parts = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::MSG_DONTWAIT;
    let received = recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut parts, Some(&mut space), flags)?;
    let mut messages = received.cmsgs()?;
    let told = messages.find_map(|message| match message {
        ControlMessageOwned::Ipv6PacketInfo(told) => Some(told),
        _ => None,
    });
    let path = received.address.zip(told).map(|(client, told)| {
        let host = Ipv6Addr::from(told.ipi6_addr.s6_addr);
        Path {
            client: SocketAddrV6::new(client.ip(), client.port(), 0, client.scope_id()),
            host,
            // a link is part of a link-local address alone; others leave by any
            link: match host.is_unicast_link_local() {
                true => told.ipi6_ifindex,
                false => 0,
            },
        }
    });
    Ok(path.map(|path| (path, received.bytes)))
}

/// Answers on the same path.
fn answer(socket: &Socket, path: &Path, datagram: &[u8]) -> io::Result<()> {
    let from = in6_pktinfo {
        ipi6_addr: nix::libc::in6_addr {
            s6_addr: path.host.octets(),
        },
        ipi6_ifindex: path.link,
    };
    let messages = [ControlMessage::Ipv6PacketInfo(&from)];
    let (parts, to) = ([IoSlice::new(datagram)], SockaddrIn6::from(path.client));
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    sendmsg(socket.as_raw_fd(), &parts, &messages, flags, Some(&to))?;
    Ok(())
}

/// One client of one port.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) path: Path,
    pub(super) used_at: Instant,
    socket: UdpSocket,
}

impl Client {
    pub(super) fn open(path: Path, target: SocketAddr, now: Instant) -> io::Result<Self> {
        let kind = Type::DGRAM.nonblocking();
        let socket = Socket::new(Domain::for_address(target), kind, Some(Protocol::UDP))?;
        socket.connect(&target.into())?;
        Ok(Self {
            path,
            used_at: now,
            socket: socket.into(),
        })
    }

    pub(super) fn descriptor(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Sends to the container. What it has no room for is lost, as datagrams are.
    pub(super) fn forward(&self, datagram: &[u8]) {
        let _lost = self.socket.send(datagram);
    }

    /// Takes one datagram back to the client.
    pub(super) fn give_back(&self, socket: &Socket, buffer: &mut [u8]) -> io::Result<()> {
        let length = self.socket.recv(buffer)?;
        let _lost = answer(socket, &self.path, buffer.get(..length).unwrap_or_default());
        Ok(())
    }
}
