//! Echo requests, sent and seen: a raw socket sees those that come as well as what answers its own,
//! so that it is known from whom a request came.

use std::mem::MaybeUninit;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

const MARK: &[u8; 4] = b"who?";

pub struct Echo {
    socket: Socket,
    is_ipv6: bool,
}

pub enum Passed {
    /// A request of that number, from there.
    Request(u32, IpAddr),
    Reply(u32),
}

impl AsFd for Echo {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Echo {
    /// In the namespace of the calling thread.
    pub fn open(is_ipv6: bool) -> Self {
        let (domain, protocol) = match is_ipv6 {
            false => (Domain::IPV4, Protocol::ICMPV4),
            true => (Domain::IPV6, Protocol::ICMPV6),
        };
        let socket = Socket::new(domain, Type::RAW, Some(protocol)).expect("a raw socket");
        socket.set_nonblocking(true).expect("nonblocking");
        Self { socket, is_ipv6 }
    }

    pub fn is_ipv6(&self) -> bool {
        self.is_ipv6
    }

    pub fn send(&self, to: IpAddr, number: u32) -> std::io::Result<()> {
        let mut request = vec![if self.is_ipv6 { 128 } else { 8 }, 0, 0, 0];
        // the identifier and sequence, by which the kernel tells flows apart
        request.extend(number.to_be_bytes());
        request.extend(MARK);
        request.extend(number.to_be_bytes());
        if !self.is_ipv6 {
            let sum = checksum(&request);
            request[2..4].copy_from_slice(&sum);
        }
        let to = SocketAddr::new(to, 0);
        self.socket.send_to(&request, &to.into()).map(|_| ())
    }

    /// All that has come.
    pub fn passed(&self) -> Vec<Passed> {
        let mut passed = Vec::new();
        let mut buffer = [MaybeUninit::uninit(); 512];
        loop {
            match self.socket.recv_from(&mut buffer) {
                Ok((length, from)) => {
                    let bytes: Vec<u8> = buffer[..length]
                        .iter()
                        // SAFETY: the kernel has written `length` bytes
                        .map(|byte| unsafe { byte.assume_init() })
                        .collect();
                    let from = from.as_socket().expect("an IP address").ip();
                    passed.extend(self.understand(&bytes, from));
                }
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return passed,
                Err(_) => {}
            }
        }
    }

    fn understand(&self, bytes: &[u8], from: IpAddr) -> Option<Passed> {
        let message = match self.is_ipv6 {
            true => bytes,
            false => bytes.get(4 * usize::from(bytes.first()? & 15)..)?,
        };
        if message.get(8..12)? != MARK {
            return None;
        }
        let number = u32::from_be_bytes(message.get(12..16)?.try_into().ok()?);
        match message.first()? {
            8 | 128 => Some(Passed::Request(number, from)),
            0 | 129 => Some(Passed::Reply(number)),
            _ => None,
        }
    }
}

/// rfc1071.
fn checksum(bytes: &[u8]) -> [u8; 2] {
    let words = bytes.chunks(2).map(|pair| match *pair {
        [high, low] => u32::from(u16::from_be_bytes([high, low])),
        _ => u32::from(pair[0]) << 8,
    });
    let mut sum: u32 = words.sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!(sum as u16)).to_be_bytes()
}
