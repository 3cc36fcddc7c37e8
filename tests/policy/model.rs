//! The policy as its users know it: who reaches whom, and as whom. It says what must be, from the
//! description of a world alone, and knows nothing of tables, rules or how any of it is done.
//!
//! What it holds to be right, where texts leave it open:
//!
//! - A network's own addresses (of its bridge) are the host's: whoever reaches the host reaches it by
//!   them too, as with any other address of the host's.
//! - Ports that are published by the host are not for containers of internal networks, whatever
//!   address they ask by: they have no way out.
//! - A container answers by the network that leads to whom it saw. Where that is not the network that
//!   it was asked by, the answer would bear a foreign address there, and nobody gets it.
//! - Containers that are kept apart (`icc` off) reach each other by published ports, but not on a host
//!   that filters bridged frames: its kernel turns such a packet back on the bridge itself, where
//!   they are apart.
//! - In `routed` mode a published port is open by the container's own address in the families that
//!   the mapping's host address is of, or in both.
//! - What is published by an IPv6 address of the host's for a container without IPv6 is carried over:
//!   the container sees the host by IPv4. The same policy holds for who may ask. One that has IPv6
//!   by its own address alone (`routed`) is published by no IPv6 address of the host's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::topology::{BOTH, Ip, Leaving, Mapping, Member, Mode, Net, Topology, Transport};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    Host,
    Neighbour(usize),
    Member(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Tcp,
    Udp,
    Echo,
}

/// What is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    pub from: Place,
    pub kind: Kind,
    pub to: IpAddr,
    /// 0 for echo requests.
    pub port: u16,
}

/// As whom the one that answers must see the one that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// By the address that it has asked from.
    Own,
    /// By one of these addresses of the host's.
    As(Vec<IpAddr>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    Silence,
    Answer { by: Place, port: u16, seen: Seen },
}

/// The port of a service that is not published, everywhere.
pub const PRIVATE: u16 = 700;

/// By what a packet comes to the host.
#[derive(Clone, Copy)]
enum Way<'a> {
    Net(&'a Net),
    Link(usize),
    Itself,
}

struct Arrival<'a> {
    question: Question,
    ip: Ip,
    way: Way<'a>,
}

pub fn expected(world: &Topology, question: Question) -> Expected {
    let ip = Ip::of(question.to);
    let way = match question.from {
        Place::Host => Way::Itself,
        Place::Neighbour(number) => Way::Link(number),
        Place::Member(number) => {
            let asks = &world.members[number];
            let Some(net) = way_out(world, asks, question.to) else {
                return Expected::Silence;
            };
            let peer =
                members(world, net).find(|peer| net.address_of(peer, ip) == Some(question.to));
            if let Some(peer) = peer {
                return match net.icc && serves(peer, question.port) {
                    true => answer(Place::Member(peer.number), question.port, Seen::Own),
                    false => Expected::Silence,
                };
            }
            Way::Net(net)
        }
    };
    at_host(world, &Arrival { question, ip, way })
}

fn at_host(world: &Topology, arrival: &Arrival<'_>) -> Expected {
    let Question { to, port, .. } = arrival.question;
    if host_addresses(world).contains(&to) {
        return match published(world, arrival) {
            Published::No => match port {
                0 | PRIVATE => answer(Place::Host, port, Seen::Own),
                _ => Expected::Silence,
            },
            Published::By(peer, net, port) => into_by_port(world, arrival, (peer, net, port)),
            Published::CarriedOver(..) if is_kept_in(arrival) => Expected::Silence,
            Published::CarriedOver(peer, by, port) => {
                answer(Place::Member(peer.number), port, Seen::As(vec![by]))
            }
        };
    }
    let beside = |n: &&crate::topology::Neighbour| n.own_address(arrival.ip) == to;
    if let Some(neighbour) = world.neighbours.iter().find(beside) {
        return out(world, arrival, neighbour.number);
    }
    let net = world
        .nets
        .iter()
        .find(|net| members(world, net).any(|peer| net.address_of(peer, arrival.ip) == Some(to)));
    let net = net.expect("it is somebody's address");
    let peer = members(world, net).find(|peer| net.address_of(peer, arrival.ip) == Some(to));
    into(world, arrival, (peer.expect("as above"), net))
}

/// Whether it comes from a network that nothing leaves.
fn is_kept_in(arrival: &Arrival<'_>) -> bool {
    matches!(arrival.way, Way::Net(from) if is_closed(from, arrival.ip))
}

/// To a neighbour.
fn out(world: &Topology, arrival: &Arrival<'_>, to: usize) -> Expected {
    if !matches!(arrival.question.port, 0 | PRIVATE) {
        return Expected::Silence;
    }
    let link = || link_addresses(world, to, arrival.ip);
    let seen = match arrival.way {
        Way::Itself => Some(Seen::Own),
        Way::Link(_) => world.preset.forwards.then_some(Seen::Own),
        Way::Net(net) if is_closed(net, arrival.ip) => None,
        Way::Net(net) => Some(leaves_as(world, (net, arrival.ip), link)),
    };
    match seen {
        Some(seen) => answer(Place::Neighbour(to), arrival.question.port, seen),
        None => Expected::Silence,
    }
}

/// To a container, by its own address, from outside of its network.
fn into(world: &Topology, arrival: &Arrival<'_>, (peer, net): (&Member, &Net)) -> Expected {
    let ip = arrival.ip;
    let (may, seen) = match arrival.way {
        Way::Itself => (net.modes[ip as usize] != Some(Mode::Isolated), Seen::Own),
        Way::Link(link) => {
            let trusted = net.trusted.contains(&link) && !is_closed(net, ip);
            (trusted || is_open(arrival, (peer, net)), Seen::Own)
        }
        Way::Net(from) => {
            let may = !is_closed(from, ip) && is_open(arrival, (peer, net));
            (may, leaves_as(world, (from, ip), || vec![net.gateway(ip)]))
        }
    };
    let may = may && serves(peer, arrival.question.port);
    if may && answers_by(world, arrival, (peer, net), &seen) {
        answer(Place::Member(peer.number), arrival.question.port, seen)
    } else {
        Expected::Silence
    }
}

/// Whether somebody listens there, who can be reached or not.
fn serves(member: &Member, port: u16) -> bool {
    let is_mapped = |mapping: &Mapping| {
        (mapping.container_port..mapping.container_port + mapping.count).contains(&port)
    };
    matches!(port, 0 | PRIVATE) || member.mappings.iter().any(is_mapped)
}

/// To a container, by a port of the host's.
fn into_by_port(
    world: &Topology,
    arrival: &Arrival<'_>,
    (peer, net, port): (&Member, &Net, u16),
) -> Expected {
    let ip = arrival.ip;
    let gateway = || vec![net.gateway(ip)];
    let seen = match arrival.way {
        Way::Link(_) => Seen::Own,
        Way::Net(_) if is_kept_in(arrival) => return Expected::Silence,
        Way::Net(from) if from.number == net.number => {
            if world.preset.filters_frames && !net.icc {
                return Expected::Silence;
            }
            Seen::As(gateway())
        }
        Way::Net(from) => leaves_as(world, (from, ip), gateway),
        Way::Itself if arrival.question.to.is_loopback() => Seen::As(gateway()),
        // the host asks by the address that it asks for, and that may be one of a network's
        Way::Itself => {
            let is_of = |other: &&Net| other.gateway(ip) == arrival.question.to;
            let other = world.nets.iter().find(is_of);
            match other.filter(|other| other.number != net.number && !is_closed(other, ip)) {
                Some(other) => leaves_as(world, (other, ip), gateway),
                None => Seen::Own,
            }
        }
    };
    match answers_by(world, arrival, (peer, net), &seen) {
        true => answer(Place::Member(peer.number), port, seen),
        false => Expected::Silence,
    }
}

/// By which address a container of `net` is seen beyond it; `near` are those of the link there.
fn leaves_as(world: &Topology, (net, ip): (&Net, Ip), near: impl FnOnce() -> Vec<IpAddr>) -> Seen {
    if net.modes[ip as usize] == Some(Mode::Routed) {
        return Seen::Own;
    }
    match (net.leaving, world.snat(ip)) {
        (Leaving::Own, _) => Seen::Own,
        (Leaving::Address, Some(address)) => Seen::As(vec![address]),
        (Leaving::Address, None) | (Leaving::Masquerade, _) => Seen::As(near()),
    }
}

/// Whether the network lets it in by the container's own address.
fn is_open(arrival: &Arrival<'_>, (peer, net): (&Member, &Net)) -> bool {
    let ip = arrival.ip;
    if is_closed(net, ip) {
        return false;
    }
    let Question { kind, port, .. } = arrival.question;
    let opens = |mapping: &Mapping| {
        let ports = mapping.container_port..mapping.container_port + mapping.count;
        let of_family = mapping.address.is_none_or(|address| Ip::of(address) == ip);
        of_family && kind_of(mapping) == kind && ports.contains(&port)
    };
    match net.modes[ip as usize] {
        Some(Mode::Unprotected) => true,
        Some(Mode::Routed) => kind == Kind::Echo || peer.mappings.iter().any(opens),
        Some(Mode::Nat | Mode::Isolated) | None => false,
    }
}

/// Whether what the container answers to whom it sees takes the way that the question came.
fn answers_by(
    world: &Topology,
    arrival: &Arrival<'_>,
    (peer, net): (&Member, &Net),
    seen: &Seen,
) -> bool {
    let to = match seen {
        Seen::As(addresses) => addresses[0],
        Seen::Own => match arrival.way {
            Way::Itself if host_addresses(world).contains(&arrival.question.to) => {
                arrival.question.to
            }
            Way::Itself => net.gateway(arrival.ip),
            Way::Link(link) => world.neighbours[link].own_address(arrival.ip),
            Way::Net(from) => {
                let Place::Member(asks) = arrival.question.from else {
                    return false;
                };
                let own = from.address_of(&world.members[asks], arrival.ip);
                own.expect("it has asked by it")
            }
        },
    };
    way_out(world, peer, to).is_some_and(|back| back.number == net.number)
}

enum Published<'a> {
    No,
    By(&'a Member, &'a Net, u16),
    /// By a process, which the container sees by this address.
    CarriedOver(&'a Member, IpAddr, u16),
}

/// Whose the port of the host's is.
fn published<'a>(world: &'a Topology, arrival: &Arrival<'_>) -> Published<'a> {
    let Question { kind, to, port, .. } = arrival.question;
    for peer in &world.members {
        for mapping in &peer.mappings {
            let offset = port.wrapping_sub(mapping.host_port);
            let is_of = offset < mapping.count && kind_of(mapping) == kind;
            let is_at = mapping.address.is_none_or(|address| address == to);
            if !is_of || !is_at {
                continue;
            }
            let leading = |ip| leading(world, peer, ip).filter(|net| translates(net, ip));
            let port = mapping.container_port + offset;
            return match (leading(arrival.ip), leading(Ip::V4)) {
                (Some(net), _) if to == Ipv6Addr::LOCALHOST => {
                    Published::CarriedOver(peer, net.gateway(Ip::V6), port)
                }
                (Some(net), _) => Published::By(peer, net, port),
                (None, Some(net)) if arrival.ip == Ip::V6 => {
                    match self::leading(world, peer, Ip::V6) {
                        Some(_) => Published::No,
                        None => Published::CarriedOver(peer, net.gateway(Ip::V4), port),
                    }
                }
                (None, _) => Published::No,
            };
        }
    }
    Published::No
}

fn translates(net: &Net, ip: Ip) -> bool {
    matches!(net.modes[ip as usize], Some(Mode::Nat | Mode::Unprotected)) && !net.internal
}

fn is_closed(net: &Net, ip: Ip) -> bool {
    net.internal || matches!(net.modes[ip as usize], None | Some(Mode::Isolated))
}

/// The network by which a container sends there.
fn way_out<'a>(world: &'a Topology, from: &Member, to: IpAddr) -> Option<&'a Net> {
    let ip = Ip::of(to);
    let mut nets = from.nets.iter().map(|net| world.net(*net));
    let is_on_link = |net: &&Net| {
        let own = net.has(ip) && net.modes[ip as usize] != Some(Mode::Isolated);
        let gateway = own && net.gateway(ip) == to;
        gateway || members(world, net).any(|peer| net.address_of(peer, ip) == Some(to))
    };
    nets.find(is_on_link).or_else(|| leading(world, from, ip))
}

/// The network by which a container's default route leads: one with both families before one with
/// one, then by name.
fn leading<'a>(world: &'a Topology, container: &Member, ip: Ip) -> Option<&'a Net> {
    let nets = container.nets.iter().map(|net| world.net(*net));
    let out = nets.filter(|net| !is_closed(net, ip));
    out.min_by_key(|net| {
        let families = BOTH.into_iter().filter(|ip| !is_closed(net, *ip)).count();
        (2 - families, net.number)
    })
}

fn members<'a>(world: &'a Topology, net: &Net) -> impl Iterator<Item = &'a Member> {
    let number = net.number;
    world
        .members
        .iter()
        .filter(move |peer| peer.nets.contains(&number))
}

/// All of the host's addresses that others can ask by, and its loopback addresses.
pub fn host_addresses(world: &Topology) -> Vec<IpAddr> {
    let mut addresses = world.uplink_addresses();
    for net in &world.nets {
        let borne = |ip: &Ip| !matches!(net.modes[*ip as usize], None | Some(Mode::Isolated));
        addresses.extend(BOTH.into_iter().filter(borne).map(|ip| net.gateway(ip)));
    }
    addresses.extend([
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ]);
    addresses
}

fn link_addresses(world: &Topology, link: usize, ip: Ip) -> Vec<IpAddr> {
    let near = world.neighbours[link].host_address(ip);
    let further = world.snat(ip).filter(|further| match (near, further) {
        (IpAddr::V4(near), IpAddr::V4(further)) => near.octets()[..3] == further.octets()[..3],
        (IpAddr::V6(near), IpAddr::V6(further)) => near.segments()[..4] == further.segments()[..4],
        _ => false,
    });
    [near].into_iter().chain(further).collect()
}

fn kind_of(mapping: &Mapping) -> Kind {
    match mapping.transport {
        Transport::Tcp => Kind::Tcp,
        Transport::Udp => Kind::Udp,
    }
}

fn answer(by: Place, port: u16, seen: Seen) -> Expected {
    Expected::Answer { by, port, seen }
}
