//! A container whose source guard is off may send what it likes within its bridge, and be a router
//! there. Towards the host, and through it, it is nobody of another network all the same.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use bridgework::plan::Switch;
use bridgework::{EndpointConfig, Netns};

use crate::attack::{Attack, held};
use crate::frames::{BROADCAST, in_frame, udp, wire};
use crate::lab::{DEADLINE, wait_for};
use crate::world::{Ground, Place, World};

const PORT: u16 = 4000;
const LAST: &[u8] = b"honest, and the last one";

/// `c1` is not guarded.
fn world(guard: crate::world::Guard) -> World {
    let unguarded = EndpointConfig::new().source_guard(Switch::Off);
    World::with(Ground::new(guard), unguarded)
}

/// Who says that it is `c3`, of another network, and how its frame gets there.
struct Lie {
    name: &'static str,
    packet: Vec<u8>,
    /// Where its frame is bound for.
    next: [u8; 6],
}

fn at(address: IpAddr) -> SocketAddr {
    SocketAddr::new(address, PORT)
}

fn gateways(world: &World) -> [IpAddr; 2] {
    let spec = world.n1.spec();
    [&spec.ipv4, &spec.ipv6].map(|range| range.as_ref().unwrap().gateway.unwrap())
}

fn lies(world: &World, to: [IpAddr; 2], names: [[&'static str; 2]; 3]) -> Vec<Lie> {
    let bridge = world.n1.spec().mac.octets();
    // the bridge takes that for its own, too
    let port = world.c1.spec().host_mac.octets();
    let ways = [bridge, port, BROADCAST];
    let mut lies = Vec::new();
    for (next, names) in ways.into_iter().zip(names) {
        let from = [world.c3.ipv4(), world.c3.ipv6()];
        for (name, (from, to)) in names.into_iter().zip(from.into_iter().zip(to)) {
            let packet = udp(at(from), at(to), name.as_bytes());
            lies.push(Lie { name, packet, next });
        }
    }
    lies
}

/// What comes to a machine at that port until the honest one comes.
fn heard(netns: &Netns, send: impl FnOnce()) -> Vec<Vec<u8>> {
    let any = || UdpSocket::bind(at(std::net::Ipv6Addr::UNSPECIFIED.into()));
    let listening = wait_for("a socket", || netns.run(any).unwrap().ok());
    listening.set_read_timeout(Some(DEADLINE)).unwrap();
    send();
    let mut all = Vec::new();
    loop {
        let mut buffer = [0; 64];
        let (length, _) = listening.recv_from(&mut buffer).expect("the honest one");
        if &buffer[..length] == LAST {
            return all;
        }
        all.push(buffer[..length].to_vec());
    }
}

fn tell(world: &World, (netns, to): (&Netns, [IpAddr; 2]), lies: &[Lie]) -> Attack<&'static str> {
    let heard = heard(netns, || {
        let wire = wire(&world.c1);
        for lie in lies {
            wire.send(&in_frame(world.c1.mac(), lie.next, &lie.packet));
        }
        let any = || UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0));
        let honest = world.c1.at().run(any).unwrap().unwrap();
        honest.send_to(LAST, at(to[0])).unwrap();
    });
    let came = |name: &&'static str| heard.iter().any(|payload| payload == name.as_bytes());
    Attack::of(lies.iter().map(|lie| lie.name), came)
}

#[test]
fn the_host_takes_nothing_from_it_in_the_name_of_another_network() {
    held(|guard| {
        let world = world(guard);
        let to = gateways(&world);
        let names = [
            ["by IPv4", "by IPv6"],
            ["to the port, by IPv4", "to the port, by IPv6"],
            ["to all, by IPv4", "to all, by IPv6"],
        ];
        let lies = lies(&world, to, names);
        tell(&world, (world.netns(), to), &lies)
    });
}

#[test]
fn nor_does_it_route_that() {
    held(|guard| {
        let world = world(guard);
        let to = [Place::ipv4(&world.a), Place::ipv6(&world.a)];
        let names = [
            ["by IPv4", "by IPv6"],
            ["to the port, by IPv4", "to the port, by IPv6"],
            // what is sent to all is routed by nobody
            ["", ""],
        ];
        let mut lies = lies(&world, to, names);
        lies.retain(|lie| lie.next != BROADCAST);
        tell(&world, (world.a.netns(), to), &lies)
    });
}
