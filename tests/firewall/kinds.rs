//! What is neither TCP nor UDP nor an echo request, or hides what it is, is let through no sooner:
//! other protocols, fragments, extension headers.

use std::net::{IpAddr, SocketAddr};

use crate::attack::{Attack, held};
use crate::frames::{Tap, as_fragment, behind_options, in_frame, sctp, udp, wire};
use crate::lab::packet::{Frame, echo, ipv4_packet, ipv6_packet};
use crate::probe::{KINDS, all_answered, targets};
use crate::world::{Place, World};

/// By their numbers at IANA: IGMP, IP in IP, GRE, ESP, AH, OSPF, and one for experiments.
const PROTOCOLS: [u8; 7] = [2, 4, 47, 50, 51, 89, 253];

/// Packets that say at their end what they are.
fn packets(from: IpAddr, to: IpAddr) -> Vec<(String, Vec<u8>)> {
    let at = |address, port| SocketAddr::new(address, port);
    let mut all = Vec::new();
    for protocol in PROTOCOLS {
        let name = format!("protocol {protocol} to {to}");
        let body = [&[0; 24], name.as_bytes()].concat();
        let packet = match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => ipv4_packet(from, to, protocol, &body),
            (IpAddr::V6(from), IpAddr::V6(to)) => ipv6_packet(from, to, protocol, &body),
            mixed => panic!("two families: {mixed:?}"),
        };
        all.push((name, packet));
    }
    let name = format!("UDP to {to}");
    all.push((
        name.clone(),
        udp(at(from, 4000), at(to, 80), name.as_bytes()),
    ));
    if from.is_ipv4() {
        let name = format!("a first fragment to {to}");
        all.push((
            name.clone(),
            fragment(udp(at(from, 4000), at(to, 80), name.as_bytes()), 0x20),
        ));
    } else {
        for (name, hidden) in [
            ("behind options", behind_options as fn(&[u8]) -> Vec<u8>),
            ("as a fragment", as_fragment),
        ] {
            let name = format!("UDP {name} to {to}");
            let packet = udp(at(from, 4000), at(to, 80), name.as_bytes());
            let frame = [&[0; 14][..], &packet].concat();
            all.push((name, hidden(&frame)[14..].to_vec()));
        }
    }
    all
}

/// The same IPv4 packet, its flags and offset being others.
fn fragment(mut packet: Vec<u8>, flags: u8) -> Vec<u8> {
    packet[6] = flags;
    packet[10..12].fill(0);
    let sum = crate::lab::packet::checksum(&packet[..20]);
    packet[10..12].copy_from_slice(&sum);
    packet
}

fn attack(world: &World, from: &impl Place, next: [u8; 6]) -> Attack<String> {
    let (tap, wire) = (Tap::at(&world.c1), wire(from));
    let pairs = [
        (from.ipv4(), world.c1.ipv4()),
        (from.ipv6(), world.c1.ipv6()),
    ];
    let all: Vec<_> = pairs
        .iter()
        .flat_map(|(from, to)| packets(*from, *to))
        .collect();
    // it resolves whom it has to by the way
    let _unanswered = crate::probe::answered(
        from.at(),
        &targets(&KINDS[..2], &world.c1.addresses(), 81),
        crate::probe::SHORT,
    );
    for (_, packet) in &all {
        wire.send(&in_frame(from.link().1, next, packet));
    }
    for at in world.c1.addresses() {
        assert_eq!(echo(world.c2.at(), at), Ok(()));
        assert_eq!(echo(world.netns(), at), Ok(()));
    }
    let frames = tap.frames();
    let came = |name: &str| {
        frames
            .iter()
            .any(|frame: &Frame| frame.has_udp_payload(name.as_bytes()))
    };
    Attack {
        through: all
            .iter()
            .map(|(name, _)| name.clone())
            .filter(|name| came(name))
            .collect(),
        tried: all.into_iter().map(|(name, _)| name).collect(),
    }
}

#[test]
fn from_the_lan_no_kind_of_packet_reaches_a_container() {
    held(|guard| {
        let world = World::untranslated(guard);
        attack(&world, &world.a, world.a.host_mac().octets())
    });
}

#[test]
fn from_another_network_no_kind_of_packet_reaches_a_container() {
    held(|guard| {
        let world = World::untranslated(guard);
        attack(&world, &world.c3, world.n2.spec().mac.octets())
    });
}

#[test]
fn beside_published_tcp_other_transports_of_that_port_stay_closed() {
    held(|guard| {
        let world = match guard {
            crate::world::Guard::On => World::publishing(guard, "80:80/tcp"),
            crate::world::Guard::Off => World::with(
                crate::world::Ground::new(guard),
                bridgework::EndpointConfig::new()
                    .publish("80:80/udp")
                    .publish("80:80/sctp"),
            ),
        };
        let (tap, wire) = (Tap::at(&world.c1), wire(&world.a));
        let at = |address, port| SocketAddr::new(address, port);
        let families = Place::addresses(&world.a)
            .into_iter()
            .zip(world.a.host_addresses());
        for (from, to) in families {
            for packet in [
                udp(at(from, 4000), at(to, 80), b"closed"),
                sctp(at(from, 4000), at(to, 80)),
            ] {
                wire.send(&in_frame(
                    world.a.mac(),
                    world.a.host_mac().octets(),
                    &packet,
                ));
            }
        }
        for address in world.c1.addresses() {
            assert_eq!(echo(world.netns(), address), Ok(()));
        }
        if guard == crate::world::Guard::On {
            let _server = world.c1.serve(80);
            all_answered(
                world.a.at(),
                &targets(&KINDS[..1], &world.a.host_addresses(), 80),
            );
        }
        let frames = tap.frames();
        let of = |number: &u8| {
            let mut protocols = frames.iter().filter(|frame| {
                let destined = crate::frames::addresses(frame).map(|(_, to)| to);
                destined.is_some_and(|to| world.c1.addresses().contains(&to))
            });
            protocols.any(|frame| {
                let ipv4 = frame.0[12..14] == [8, 0] && frame.0[23] == *number;
                ipv4 || (frame.0[12..14] == [0x86, 0xdd] && frame.0[20] == *number)
            })
        };
        Attack::of([crate::frames::UDP, crate::frames::SCTP], of)
    });
}
