//! Frames that no honest machine sends, and a tap that says which frames came by.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bridgework::{MacAddr, Netns};

use crate::lab::packet::{
    ALL_NODES, ALL_NODES_MAC, ETHER_ARP, ETHER_IPV4, ETHER_IPV6, Frame, NEIGHBOUR_ADVERTISEMENT,
    NEIGHBOUR_SOLICITATION, Wire, checksum, ethernet, icmpv6_packet, ipv4_packet, ipv6_packet,
};
use crate::lab::wait_until;
use crate::world::Place;

pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const SCTP: u8 = 132;
pub const BROADCAST: [u8; 6] = [0xff; 6];
/// rfc9542 §B.2: for experiments
const MARK: u16 = 0x88b5;

/// All frames that came by a link since it was opened.
pub struct Tap {
    wire: Wire,
    marker: Wire,
}

impl Tap {
    pub fn at(place: &impl Place) -> Self {
        Self::on(place.at(), place.link().0)
    }

    pub fn on(netns: &Netns, link: u32) -> Self {
        Self {
            wire: Wire::open(netns, link),
            marker: Wire::open(netns, link),
        }
    }

    /// Those so far.
    pub fn frames(&self) -> Vec<Frame> {
        let mark = mark();
        self.marker.send(&mark);
        let mut seen = self.wire.until("the mark", |frame| frame.0 == mark);
        seen.pop();
        seen
    }

    /// How many so far are `wanted`.
    pub fn count(&self, wanted: impl Fn(&Frame) -> bool) -> usize {
        self.frames().iter().filter(|frame| wanted(frame)).count()
    }
}

/// Counts frames of one kind among many, as they come by.
pub struct Watch {
    ended: Arc<AtomicBool>,
    marker: Wire,
    thread: JoinHandle<usize>,
}

impl Watch {
    pub fn at(place: &impl Place, wanted: fn(&Frame) -> bool) -> Self {
        let (netns, link) = (place.at(), place.link().0);
        let (wire, marker) = (Wire::open(netns, link), Wire::open(netns, link));
        let ended = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&ended);
        let mark = mark();
        let count = move || {
            let mut count = 0;
            while !ends.load(Ordering::Relaxed) {
                match wire.next() {
                    Some(frame) if frame.0 == mark => ends.store(true, Ordering::Relaxed),
                    Some(frame) => count += usize::from(wanted(&frame)),
                    None => {}
                }
            }
            count
        };
        Self {
            ended,
            marker,
            thread: std::thread::spawn(count),
        }
    }

    /// How many came.
    pub fn end(self) -> usize {
        wait_until("the mark", || {
            // among so many, one may be lost
            self.marker.send(&mark());
            std::thread::sleep(Duration::from_millis(5));
            self.ended.load(Ordering::Relaxed)
        });
        self.thread.join().expect("a count")
    }
}

fn mark() -> Vec<u8> {
    let nobody = MacAddr::new([2, 0, 0, 0, 0, 0xfe]).unwrap();
    ethernet(nobody, nobody.octets(), MARK, b"up to here")
}

/// The link of a place, to write to.
pub fn wire(place: &impl Place) -> Wire {
    Wire::open(place.at(), place.link().0)
}

/// Source and destination of an IP packet in a frame, below at most one VLAN tag.
pub fn addresses(frame: &Frame) -> Option<(IpAddr, IpAddr)> {
    let start = match frame.ether_type() {
        0x8100 => 18,
        _ => 14,
    };
    match u16::from_be_bytes(frame.bytes(start - 2)?) {
        ETHER_IPV4 => {
            let of = |at| frame.bytes::<4>(start + at).map(IpAddr::from);
            Some((of(12)?, of(16)?))
        }
        ETHER_IPV6 => {
            let of = |at| frame.bytes::<16>(start + at).map(IpAddr::from);
            Some((of(8)?, of(24)?))
        }
        _ => None,
    }
}

/// A frame with a packet of one family or the other.
pub fn in_frame(from: MacAddr, to: [u8; 6], packet: &[u8]) -> Vec<u8> {
    let kind = match packet[0] >> 4 {
        4 => ETHER_IPV4,
        _ => ETHER_IPV6,
    };
    ethernet(from, to, kind, packet)
}

/// The same frame with a priority tag (802.1Q with VLAN 0), which means what it means without.
pub fn tagged(frame: &[u8]) -> Vec<u8> {
    with_tag(frame, [0x81, 0])
}

/// The same with two.
pub fn tagged_twice(frame: &[u8]) -> Vec<u8> {
    with_tag(&tagged(frame), [0x88, 0xa8])
}

fn with_tag(frame: &[u8], kind: [u8; 2]) -> Vec<u8> {
    let mut tagged = frame[..12].to_vec();
    tagged.extend(kind);
    tagged.extend([0xe0, 0]);
    tagged.extend(&frame[12..]);
    tagged
}

fn packet(source: IpAddr, destination: IpAddr, protocol: u8, body: &[u8]) -> Vec<u8> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(to)) => ipv4_packet(source, to, protocol, body),
        (IpAddr::V6(source), IpAddr::V6(to)) => ipv6_packet(source, to, protocol, body),
        mixed => panic!("two families: {mixed:?}"),
    }
}

/// rfc768, rfc9293 §3.1: over a pseudo header.
fn summed(source: IpAddr, to: IpAddr, protocol: u8, mut body: Vec<u8>, at: usize) -> Vec<u8> {
    let octets = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    };
    let mut whole = octets(source);
    whole.extend(octets(to));
    whole.extend(u32::try_from(body.len()).unwrap().to_be_bytes());
    whole.extend([0, 0, 0, protocol]);
    whole.extend(&body);
    body[at..at + 2].copy_from_slice(&checksum(&whole));
    body
}

/// A datagram.
pub fn udp(source: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let mut body = source.port().to_be_bytes().to_vec();
    body.extend(to.port().to_be_bytes());
    body.extend(u16::try_from(8 + payload.len()).unwrap().to_be_bytes());
    body.extend([0, 0]);
    body.extend(payload);
    let body = summed(source.ip(), to.ip(), UDP, body, 6);
    packet(source.ip(), to.ip(), UDP, &body)
}

/// The first segment of a connection.
pub fn syn(source: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let mut body = source.port().to_be_bytes().to_vec();
    body.extend(to.port().to_be_bytes());
    body.extend([0, 0, 0, 1, 0, 0, 0, 0, 0x50, 2, 0xff, 0xff, 0, 0, 0, 0]);
    let body = summed(source.ip(), to.ip(), TCP, body, 16);
    packet(source.ip(), to.ip(), TCP, &body)
}

/// rfc9260 §3.3.2: the first chunk of an association.
pub fn sctp(source: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let mut body = source.port().to_be_bytes().to_vec();
    body.extend(to.port().to_be_bytes());
    body.extend([0; 8]);
    body.extend([1, 0, 0, 20, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1, 0, 1, 0, 0, 0, 1]);
    let sum = crc32c(&body).to_le_bytes();
    body[8..12].copy_from_slice(&sum);
    packet(source.ip(), to.ip(), SCTP, &body)
}

/// rfc9260 §A
fn crc32c(bytes: &[u8]) -> u32 {
    let by_bit = |sum: u32| match sum & 1 {
        1 => (sum >> 1) ^ 0x82f6_3b78,
        _ => sum >> 1,
    };
    !bytes.iter().fold(!0, |sum, byte| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| by_bit(sum))
    })
}

/// rfc826: `sender` tells, or asks about, `target`.
#[derive(Clone, Copy)]
pub struct Arp {
    pub operation: u16,
    pub sender: (MacAddr, Ipv4Addr),
    pub target: ([u8; 6], Ipv4Addr),
}

impl Arp {
    pub const REQUEST: u16 = 1;
    pub const REPLY: u16 = 2;

    pub fn frame(&self, from: MacAddr, to: [u8; 6]) -> Vec<u8> {
        let mut body = vec![0, 1, 8, 0, 6, 4];
        body.extend(self.operation.to_be_bytes());
        body.extend(self.sender.0.octets());
        body.extend(self.sender.1.octets());
        body.extend(self.target.0);
        body.extend(self.target.1.octets());
        ethernet(from, to, ETHER_ARP, &body)
    }
}

/// rfc4861 §4.4: `source` tells all that `address` is at `mac`, in place of what they knew.
pub fn neighbour_advertisement(
    from: MacAddr,
    (source, address): (Ipv6Addr, Ipv6Addr),
    mac: MacAddr,
) -> Vec<u8> {
    const OVERRIDE: u8 = 0x20;
    let mut body = vec![NEIGHBOUR_ADVERTISEMENT, 0, 0, 0, OVERRIDE, 0, 0, 0];
    body.extend(address.octets());
    body.extend([2, 1]);
    body.extend(mac.octets());
    let packet = icmpv6_packet(source, ALL_NODES, body);
    ethernet(from, ALL_NODES_MAC, ETHER_IPV6, &packet)
}

/// rfc4861 §4.3: `source`, which is at `mac`, asks where `target` is.
pub fn neighbour_solicitation(
    from: MacAddr,
    (source, mac): (Ipv6Addr, MacAddr),
    target: Ipv6Addr,
) -> Vec<u8> {
    let mut body = vec![NEIGHBOUR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0];
    body.extend(target.octets());
    body.extend([1, 1]);
    body.extend(mac.octets());
    let [.., a, b, c] = target.octets();
    let group = Ipv6Addr::new(
        0xff02,
        0,
        0,
        0,
        0,
        1,
        0xff00 | u16::from(a),
        u16::from_be_bytes([b, c]),
    );
    let packet = icmpv6_packet(source, group, body);
    ethernet(from, [0x33, 0x33, 0xff, a, b, c], ETHER_IPV6, &packet)
}

/// The same IPv6 packet with one more header before what it carries, behind which a careless
/// filter does not look.
fn behind(frame: &[u8], number: u8, mut header: [u8; 8]) -> Vec<u8> {
    let (head, body) = frame.split_at(54);
    let mut frame = head.to_vec();
    let length = u16::try_from(body.len() + 8).unwrap().to_be_bytes();
    frame[18..20].copy_from_slice(&length);
    header[0] = std::mem::replace(&mut frame[20], number);
    frame.extend(header);
    frame.extend(body);
    frame
}

/// rfc8200 §4.6: options for the destination, six bytes of padding.
pub fn behind_options(frame: &[u8]) -> Vec<u8> {
    behind(frame, 60, [0, 0, 1, 4, 0, 0, 0, 0])
}

/// rfc6946: a fragment that is all of it.
pub fn as_fragment(frame: &[u8]) -> Vec<u8> {
    behind(frame, 44, [0, 0, 0, 0, 0, 0, 0, 7])
}
