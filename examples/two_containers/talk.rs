//! Real packets: a datagram, a connection and an ICMP echo, each answered. Sockets are opened
//! inside a container and used from outside.

use std::io::{Error, Read, Result, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Duration;

use bridgework::Container;
use nix::sys::socket::sockopt::ReceiveTimeout;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6, recv,
    sendto, setsockopt, socket,
};
use nix::sys::time::TimeVal;

const PATIENCE: Duration = Duration::from_secs(3);

fn inside<T: Send>(container: &Container, act: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    container.run(act).map_err(Error::other)?
}

fn check(what: &str, got: &[u8], wanted: &[u8]) -> Result<()> {
    if got == wanted {
        Ok(())
    } else {
        Err(Error::other(format!("{what}: got {got:?}")))
    }
}

/// A datagram to `address`, and an answer.
pub fn udp(from: &Container, to: &Container, address: IpAddr) -> Result<()> {
    let server = inside(to, || UdpSocket::bind(SocketAddr::new(address, 7)))?;
    let any: SocketAddr = if address.is_ipv4() {
        ([0; 4], 0).into()
    } else {
        ([0; 16], 0).into()
    };
    let client = inside(from, || UdpSocket::bind(any))?;
    server.set_read_timeout(Some(PATIENCE))?;
    client.set_read_timeout(Some(PATIENCE))?;
    let mut buffer = [0; 64];
    client.send_to(b"hello", (address, 7))?;
    let (length, sender) = server.recv_from(&mut buffer)?;
    check("udp", &buffer[..length], b"hello")?;
    server.send_to(b"hello yourself", sender)?;
    let (length, _) = client.recv_from(&mut buffer)?;
    check("udp", &buffer[..length], b"hello yourself")
}

/// A connection to `address`, and a word each way.
pub fn tcp(from: &Container, to: &Container, address: IpAddr) -> Result<()> {
    let server = inside(to, || TcpListener::bind(SocketAddr::new(address, 7)))?;
    let at = server.local_addr()?;
    let mut near = inside(from, || TcpStream::connect_timeout(&at, PATIENCE))?;
    let (mut far, _) = server.accept()?;
    let mut word = [0; 5];
    near.write_all(b"hello")?;
    far.read_exact(&mut word)?;
    check("tcp", &word, b"hello")?;
    far.write_all(b"hi!!!")?;
    near.read_exact(&mut word)?;
    check("tcp", &word, b"hi!!!")
}

/// An echo request to `address`, and its reply (rfc792, rfc4443 §4).
pub fn ping(from: &Container, address: IpAddr) -> Result<()> {
    let (family, protocol, request, reply) = match address {
        IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp, 8, 0),
        IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6, 128, 129),
    };
    let raw = inside(from, || {
        Ok(socket(
            family,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            Some(protocol),
        )?)
    })?;
    let seconds = i64::try_from(PATIENCE.as_secs()).unwrap_or(i64::MAX);
    setsockopt(&raw, ReceiveTimeout, &TimeVal::new(seconds, 0))?;
    let mut message = [request, 0, 0, 0, 0xb1, 0xd6, 0, 1];
    let sum = checksum(&message).to_be_bytes(); // the kernel fills in that of ICMPv6 itself
    message[2..4].copy_from_slice(&sum);
    send(&raw, &message, address)?;
    let mut buffer = [0; 256];
    loop {
        let length = recv(raw.as_raw_fd(), &mut buffer, MsgFlags::empty())?;
        // a raw IPv4 socket hands out the IP header too
        let start = if address.is_ipv4() {
            usize::from(buffer[0] & 0xf) * 4
        } else {
            0
        };
        let packet = buffer.get(start..length).unwrap_or_default();
        if packet.first() == Some(&reply) && packet.get(4..8) == Some(&message[4..8]) {
            return Ok(());
        }
    }
}

fn send(raw: &OwnedFd, message: &[u8], address: IpAddr) -> Result<usize> {
    let (fd, flags) = (raw.as_raw_fd(), MsgFlags::empty());
    Ok(match SocketAddr::new(address, 0) {
        SocketAddr::V4(to) => sendto(fd, message, &SockaddrIn::from(to), flags)?,
        SocketAddr::V6(to) => sendto(fd, message, &SockaddrIn6::from(to), flags)?,
    })
}

/// rfc1071
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]));
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(u16::MAX)
}
