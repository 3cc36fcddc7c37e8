//! Frames as they are on the wire: a packet socket that writes crafted ones and reads all that
//! pass, and echo requests. It knows formats, and nothing of the crate under test but addresses.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use bridgework::{MacAddr, Netns};
use nix::libc;
use nix::sys::socket::sockopt::{Ipv6MulticastHops, RcvBuf, ReceiveTimeout};
use nix::sys::socket::{
    AddressFamily, LinkAddr, MsgFlags, SockFlag, SockProtocol, SockType, SockaddrIn, SockaddrIn6,
    SockaddrLike, SockaddrStorage, recvfrom, sendto, setsockopt, socket,
};
use nix::sys::time::TimeVal;

use super::DEADLINE;

pub const ETHER_ARP: u16 = 0x0806;
pub const ETHER_IPV4: u16 = 0x0800;
pub const ETHER_IPV6: u16 = 0x86dd;
pub const NEIGHBOUR_SOLICITATION: u8 = 135;
pub const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
pub const ROUTER_ADVERTISEMENT: u8 = 134;
const REDIRECT_IPV4: u8 = 5;
const REDIRECT_IPV6: u8 = 137;
pub const ICMP: u8 = 1;
pub const ICMPV6: u8 = 58;

/// All frames of one link, read and written.
pub struct Wire {
    socket: OwnedFd,
    link: u32,
}

impl Wire {
    pub fn open(netns: &Netns, link: u32) -> Self {
        let open = || {
            let protocol = Some(SockProtocol::EthAll);
            socket(
                AddressFamily::Packet,
                SockType::Raw,
                SockFlag::SOCK_CLOEXEC,
                protocol,
            )
        };
        let socket = netns.run(open).expect("inside").expect("a packet socket");
        setsockopt(&socket, RcvBuf, &(4 << 20)).expect("a large buffer");
        setsockopt(&socket, ReceiveTimeout, &TimeVal::new(0, 50_000)).expect("a timeout");
        Self { socket, link }
    }

    pub fn send(&self, frame: &[u8]) {
        let to = link_address(self.link);
        let sent = sendto(self.socket.as_raw_fd(), frame, &to, MsgFlags::empty()).expect("send");
        assert_eq!(sent, frame.len());
    }

    /// Whether the link took it, which may be down or gone.
    pub fn try_send(&self, frame: &[u8]) -> bool {
        let to = link_address(self.link);
        sendto(self.socket.as_raw_fd(), frame, &to, MsgFlags::empty()).is_ok()
    }

    /// The next frame, if one passes within a moment.
    pub fn next(&self) -> Option<Frame> {
        let mut buffer = vec![0; 65536];
        match recvfrom::<LinkAddr>(self.socket.as_raw_fd(), &mut buffer) {
            Ok((length, Some(from))) if from.ifindex() == self.link as usize => {
                Some(Frame(buffer[..length].to_vec()))
            }
            Ok(_) | Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EINTR) => None,
            // its link went down or away
            Err(nix::errno::Errno::ENETDOWN | nix::errno::Errno::ENODEV) => None,
            Err(errno) => panic!("read from a link: {errno}"),
        }
    }

    /// The frames that pass, sent ones among them, up to and with the first that is `last`; panics
    /// with `what` if none comes.
    pub fn until(&self, what: &str, mut last: impl FnMut(&Frame) -> bool) -> Vec<Frame> {
        let deadline = Instant::now() + DEADLINE;
        let mut seen = Vec::new();
        loop {
            if let Some(frame) = self.next() {
                let ends = last(&frame);
                seen.push(frame);
                if ends {
                    return seen;
                }
            }
            let last = &seen[seen.len().saturating_sub(20)..];
            assert!(
                Instant::now() < deadline,
                "{what} did not pass; {} seen, the last: {last:?}",
                seen.len()
            );
        }
    }
}

fn link_address(index: u32) -> LinkAddr {
    let raw = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
        sll_ifindex: index as i32,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 6,
        sll_addr: [0; 8],
    };
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the pointer is to a whole `sockaddr_ll` of the family and length that are given, and
    // it is copied before `raw` goes. nix makes link addresses in no other way.
    let address = unsafe { LinkAddr::from_raw((&raw const raw).cast(), Some(length)) };
    address.expect("a link address")
}

/// An Ethernet frame.
#[derive(Clone, PartialEq, Eq)]
pub struct Frame(pub Vec<u8>);

impl Frame {
    pub fn bytes<const N: usize>(&self, at: usize) -> Option<[u8; N]> {
        self.0.get(at..at + N)?.try_into().ok()
    }

    pub fn ether_type(&self) -> u16 {
        self.bytes(12).map_or(0, u16::from_be_bytes)
    }

    pub fn source(&self) -> Option<MacAddr> {
        MacAddr::new(self.bytes(6)?).ok()
    }

    /// The address that an ARP message announces to all: sender and target are the same.
    pub fn gratuitous_arp(&self) -> Option<Ipv4Addr> {
        if self.ether_type() != ETHER_ARP {
            return None;
        }
        let (sender, target) = (self.bytes::<4>(28)?, self.bytes::<4>(38)?);
        (sender == target).then(|| sender.into())
    }

    /// The type and body of an ICMPv6 message without extension headers but hop-by-hop.
    pub fn icmpv6(&self) -> Option<(u8, &[u8])> {
        if self.ether_type() != ETHER_IPV6 {
            return None;
        }
        match self.0.get(20)? {
            &ICMPV6 => Some((*self.0.get(54)?, self.0.get(54..)?)),
            0 if *self.0.get(54)? == ICMPV6 => Some((*self.0.get(62)?, self.0.get(62..)?)),
            _ => None,
        }
    }

    pub fn is_icmpv6(&self, kind: u8) -> bool {
        self.icmpv6().is_some_and(|(of, _)| of == kind)
    }

    /// The address that an unsolicited neighbour advertisement to all nodes is about.
    pub fn unsolicited_advertisement(&self) -> Option<Ipv6Addr> {
        const SOLICITED: u8 = 0x40;
        let (kind, body) = self.icmpv6()?;
        let target = <[u8; 16]>::try_from(body.get(8..24)?).ok()?;
        let unsolicited = kind == NEIGHBOUR_ADVERTISEMENT && body[4] & SOLICITED == 0;
        unsolicited.then(|| target.into())
    }

    pub fn has_udp_payload(&self, payload: &[u8]) -> bool {
        self.0.ends_with(payload)
    }
}

impl std::fmt::Debug for Frame {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
pub const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];

pub fn ethernet(source: MacAddr, destination: [u8; 6], kind: u16, packet: &[u8]) -> Vec<u8> {
    let mut frame = destination.to_vec();
    frame.extend(source.octets());
    frame.extend(kind.to_be_bytes());
    frame.extend(packet);
    frame
}

/// rfc1071
pub fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks(2).map(|pair| {
        u32::from(u16::from_be_bytes([
            pair[0],
            pair.get(1).copied().unwrap_or_default(),
        ]))
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}

pub fn ipv4_packet(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(20 + body.len()).unwrap().to_be_bytes();
    let mut packet = vec![
        0x45, 0, length[0], length[1], 0, 0, 0, 0, 64, protocol, 0, 0,
    ];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum);
    packet.extend(body);
    packet
}

pub fn ipv6_packet(source: Ipv6Addr, destination: Ipv6Addr, next: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], next, 255];
    packet.extend(source.octets());
    packet.extend(destination.octets());
    packet.extend(body);
    packet
}

pub fn icmpv6_packet(source: Ipv6Addr, destination: Ipv6Addr, mut body: Vec<u8>) -> Vec<u8> {
    // rfc8200 §8.1: the pseudo header
    let mut summed = source.octets().to_vec();
    summed.extend(destination.octets());
    summed.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    summed.extend([0, 0, 0, ICMPV6]);
    summed.extend(&body);
    body[2..4].copy_from_slice(&checksum(&summed));
    ipv6_packet(source, destination, ICMPV6, &body)
}

/// rfc4861 §4.2: a default router that also gives out a prefix for addresses, another MTU and
/// another hop limit.
pub fn router_advertisement(from: MacAddr, prefix: Ipv6Addr) -> Vec<u8> {
    let mut body = vec![ROUTER_ADVERTISEMENT, 0, 0, 0, 17, 0];
    body.extend(1800u16.to_be_bytes());
    body.extend([0; 8]);
    // a prefix, on the link and for addresses
    body.extend([3, 4, 64, 0xc0]);
    body.extend(86400u32.to_be_bytes());
    body.extend(14400u32.to_be_bytes());
    body.extend([0; 4]);
    body.extend(prefix.octets());
    body.extend([5, 1, 0, 0]);
    body.extend(1280u32.to_be_bytes());
    body.extend([1, 1]);
    body.extend(from.octets());
    let packet = icmpv6_packet(from.link_local(), ALL_NODES, body);
    ethernet(from, ALL_NODES_MAC, ETHER_IPV6, &packet)
}

/// Who is told to send what is for `destination` to `better` from now on, and in whose name.
#[derive(Clone, Copy)]
pub struct Redirect<A> {
    pub from: MacAddr,
    pub router: A,
    pub victim: (MacAddr, A),
    pub destination: A,
    pub better: A,
}

impl Redirect<Ipv4Addr> {
    /// rfc792; the packet that it is about is an echo reply, for which no socket is asked.
    pub fn frame(&self) -> Vec<u8> {
        let (mac, victim) = self.victim;
        let mut body = vec![REDIRECT_IPV4, 1, 0, 0];
        body.extend(self.better.octets());
        let about = [0, 0, 0xff, 0xff, 0, 0, 0, 0];
        body.extend(ipv4_packet(victim, self.destination, ICMP, &about));
        let sum = checksum(&body);
        body[2..4].copy_from_slice(&sum);
        let packet = ipv4_packet(self.router, victim, ICMP, &body);
        ethernet(self.from, mac.octets(), ETHER_IPV4, &packet)
    }
}

impl Redirect<Ipv6Addr> {
    /// rfc4861 §4.5
    pub fn frame(&self, better_mac: MacAddr) -> Vec<u8> {
        let (mac, victim) = self.victim;
        let mut body = vec![REDIRECT_IPV6, 0, 0, 0, 0, 0, 0, 0];
        body.extend(self.better.octets());
        body.extend(self.destination.octets());
        body.extend([2, 1]);
        body.extend(better_mac.octets());
        let packet = icmpv6_packet(self.router, victim, body);
        ethernet(self.from, mac.octets(), ETHER_IPV6, &packet)
    }
}

/// Whether an echo request from `netns` to `address` is answered: one request, no second.
pub fn echo(netns: &Netns, address: IpAddr) -> Result<(), String> {
    Pinger::open(netns, address).once()
}

/// Echo requests from one namespace to one address.
pub struct Pinger {
    socket: OwnedFd,
    address: IpAddr,
    requests: u32,
}

impl Pinger {
    pub fn open(netns: &Netns, address: IpAddr) -> Self {
        netns.run(|| Self::here(address)).expect("inside")
    }

    /// From the namespace that the calling thread is in.
    pub fn here(address: IpAddr) -> Self {
        let (family, protocol) = match address {
            IpAddr::V4(_) => (AddressFamily::Inet, SockProtocol::Icmp),
            IpAddr::V6(_) => (AddressFamily::Inet6, SockProtocol::IcmpV6),
        };
        let socket = socket(
            family,
            SockType::Raw,
            SockFlag::SOCK_CLOEXEC,
            Some(protocol),
        );
        let socket = socket.expect("a raw socket");
        setsockopt(&socket, ReceiveTimeout, &TimeVal::new(0, 50_000)).expect("a timeout");
        if address.is_ipv6() {
            setsockopt(&socket, Ipv6MulticastHops, &255).expect("a hop limit");
        }
        Self {
            socket,
            address,
            requests: 0,
        }
    }

    /// One request, sent once, and its answer.
    pub fn once(&mut self) -> Result<(), String> {
        self.once_within(DEADLINE)
    }

    /// As [`once`](Self::once), with a deadline of the caller's.
    pub fn once_within(&mut self, patience: Duration) -> Result<(), String> {
        let Self {
            socket, address, ..
        } = self;
        let kind = if address.is_ipv4() { 8 } else { 128 };
        let identity: [u8; 4] = std::array::from_fn(|at| (socket.as_raw_fd() >> (8 * at)) as u8);
        let mut request = vec![kind, 0, 0, 0];
        request.extend(identity);
        request.extend(b"is anybody there");
        request.extend(self.requests.to_be_bytes());
        self.requests += 1;
        if address.is_ipv4() {
            let sum = checksum(&request);
            request[2..4].copy_from_slice(&sum);
        }
        let to = SockaddrStorage::from(SocketAddr::new(*address, 0));
        sendto(socket.as_raw_fd(), &request, &to, MsgFlags::empty()).map_err(|e| e.to_string())?;
        let answered = |message: &[u8]| {
            let answer = if address.is_ipv4() { 0 } else { 129 };
            message.first() == Some(&answer) && message.get(4..) == request.get(4..)
        };
        await_answer(socket, *address, patience, answered)
    }
}

fn await_answer(
    socket: &OwnedFd,
    address: IpAddr,
    patience: Duration,
    answered: impl Fn(&[u8]) -> bool,
) -> Result<(), String> {
    const IPV4_HEADER_BYTES: usize = 20;
    let deadline = Instant::now() + patience;
    let mut buffer = [0; 2048];
    while Instant::now() < deadline {
        let received = match address {
            IpAddr::V4(_) => recvfrom::<SockaddrIn>(socket.as_raw_fd(), &mut buffer)
                .map(|(length, from)| (length, from.map(|f| IpAddr::V4(f.ip())))),
            IpAddr::V6(_) => recvfrom::<SockaddrIn6>(socket.as_raw_fd(), &mut buffer)
                .map(|(length, from)| (length, from.map(|f| IpAddr::V6(f.ip())))),
        };
        let (length, from) = match received {
            Ok(received) => received,
            Err(errno) if std::io::Error::from(errno).kind() == ErrorKind::WouldBlock => continue,
            Err(errno) => return Err(errno.to_string()),
        };
        let start = if address.is_ipv4() {
            IPV4_HEADER_BYTES
        } else {
            0
        };
        let message = buffer.get(start..length).unwrap_or_default();
        if from == Some(address) && answered(message) {
            return Ok(());
        }
    }
    Err(format!("{address} did not answer"))
}

/// From now on a neighbour of `link` is asked for once, and is unreachable if that one question or
/// its answer is lost: no repetition hides a lost packet.
pub fn ask_once(netns: &Netns, link: &str) {
    let write = || {
        for family in ["ipv4", "ipv6"] {
            let path = format!("/proc/sys/net/{family}/neigh/{link}/mcast_solicit");
            // a link without the family has no such file
            let _absent = std::fs::write(path, "1");
        }
    };
    netns.run(write).expect("inside");
}

/// One datagram, sent once, and what came of it.
pub fn datagram(from: &Netns, to: &Netns, at: IpAddr) -> Result<(), String> {
    use std::net::UdpSocket;
    let listening = to.run(|| UdpSocket::bind(SocketAddr::new(at, 0))).unwrap();
    let listening = listening.map_err(|error| format!("bind {at}: {error}"))?;
    let any = if at.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let sending = from
        .run(|| UdpSocket::bind(any))
        .unwrap()
        .map_err(|e| e.to_string())?;
    listening
        .set_read_timeout(Some(Duration::from_secs(3)))
        .unwrap();
    let target = listening.local_addr().unwrap();
    sending
        .send_to(b"once", target)
        .map_err(|error| format!("send to {at}: {error}"))?;
    let mut buffer = [0; 8];
    let length = listening
        .recv(&mut buffer)
        .map_err(|error| format!("to {at}: {error}"))?;
    (&buffer[..length] == b"once")
        .then_some(())
        .ok_or_else(|| "another datagram".to_owned())
}
