//! No container is a router or an address server for host or neighbours, also where somebody was
//! so careless as to tell them to listen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use bridgework::{MacAddr, Netns};
use serde_json::Value;

use crate::attack::{Attack, held};
use crate::frames::{BROADCAST, Tap, as_fragment, behind_options, in_frame, tagged, udp, wire};
use crate::lab::ip_json;
use crate::lab::packet::{ALL_NODES, ALL_NODES_MAC, Frame, Redirect, echo, router_advertisement};
use crate::text::set_sysctl;
use crate::world::{Place, World};

const PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0);

fn gateway(world: &World) -> IpAddr {
    world.n1.spec().ipv4.as_ref().unwrap().gateway.unwrap()
}

/// All that a router may change of somebody.
fn state(netns: &Netns) -> Vec<Vec<Value>> {
    [
        "addr show",
        "-4 route show table all",
        "-6 route show table all",
    ]
    .map(|what| ip_json(netns, what).expect("iproute2"))
    .map(without_lifetimes)
    .to_vec()
}

/// What remains of a lifetime is no change.
fn without_lifetimes(mut items: Vec<Value>) -> Vec<Value> {
    for item in &mut items {
        if let Some(item) = item.as_object_mut() {
            item.remove("expires");
        }
    }
    items
}

#[test]
fn a_container_is_no_router_even_for_those_who_listen_to_routers() {
    held(|guard| {
        let world = World::untranslated(guard);
        let victims = [
            ("the host", world.netns(), "br1"),
            ("a container", world.c2.at(), "eth0"),
        ];
        for (_, netns, link) in victims {
            set_sysctl(netns, &format!("ipv6.conf.{link}.accept_ra"), "2");
            set_sysctl(netns, &format!("ipv6.conf.{link}.autoconf"), "1");
        }
        let before = victims.map(|(_, netns, _)| state(netns));
        let wire = wire(&world.c1);
        for _ in 0..3 {
            wire.send(&router_advertisement(world.c1.mac(), PREFIX));
        }
        for at in [gateway(&world), world.c2.ipv4()] {
            assert_eq!(echo(world.c1.at(), at), Ok(()));
        }
        let after = victims.map(|(_, netns, _)| state(netns));
        let names = victims.map(|(name, ..)| name);
        let changed = |name: &&str| {
            let at = names.iter().position(|other| other == name).unwrap();
            before[at] != after[at]
        };
        Attack::of(names, changed)
    });
}

/// A message that no container may send, and its last bytes.
fn messages(world: &World) -> Vec<(&'static str, Vec<u8>)> {
    let own = world.c1.mac();
    let advertisement = router_advertisement(own, PREFIX);
    let (victim, victim_mac) = (world.c2.mac().link_local(), world.c2.mac());
    let redirect = Redirect {
        from: own,
        router: own.link_local(),
        victim: (victim_mac, victim),
        destination: PREFIX,
        better: own.link_local(),
    };
    let offer = offer(own, world.c1.ipv4());
    let offer_ipv6 = offer_ipv6(own);
    vec![
        ("a tagged router advertisement", tagged(&advertisement)),
        (
            "a router advertisement behind options",
            behind_options(&advertisement),
        ),
        (
            "a router advertisement in a fragment",
            as_fragment(&advertisement),
        ),
        ("a router advertisement", advertisement),
        ("an ICMPv6 redirect", redirect.frame(own)),
        ("a redirect", redirect_ipv4(world)),
        ("a tagged DHCP offer", tagged(&offer)),
        ("a DHCP offer", offer),
        ("a DHCPv6 advertisement", offer_ipv6),
    ]
}

fn redirect_ipv4(world: &World) -> Vec<u8> {
    let ipv4 = |address| match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => panic!("{address}"),
    };
    let own = ipv4(world.c1.ipv4());
    let redirect = Redirect {
        from: world.c1.mac(),
        router: own,
        victim: (world.c2.mac(), ipv4(world.c2.ipv4())),
        destination: Ipv4Addr::new(203, 0, 113, 9),
        better: own,
    };
    redirect.frame()
}

/// rfc2131 §4.1: from a server's port to a client's.
fn offer(from: MacAddr, source: IpAddr) -> Vec<u8> {
    let to = SocketAddr::new(Ipv4Addr::BROADCAST.into(), 68);
    let packet = udp(SocketAddr::new(source, 67), to, b"take this address");
    in_frame(from, BROADCAST, &packet)
}

/// rfc8415 §7.2
fn offer_ipv6(from: MacAddr) -> Vec<u8> {
    let source = SocketAddr::new(from.link_local().into(), 547);
    let packet = udp(
        source,
        SocketAddr::new(ALL_NODES.into(), 546),
        b"and this one",
    );
    in_frame(from, ALL_NODES_MAC, &packet)
}

/// The tag is gone where the receiver looks.
fn is_same(frame: &Frame, sent: &[u8]) -> bool {
    let untagged = |frame: &[u8]| match frame[12..14] {
        [0x81, 0] => [&frame[..12], &frame[16..]].concat(),
        _ => frame.to_vec(),
    };
    untagged(&frame.0) == untagged(sent)
}

#[test]
fn no_container_sends_what_only_routers_and_address_servers_send() {
    held(|guard| {
        let world = World::untranslated(guard);
        let (all, wire) = (messages(&world), wire(&world.c1));
        let came = |(_, frame): &&(&'static str, Vec<u8>)| {
            let tap = Tap::at(&world.c2);
            wire.send(frame);
            assert_eq!(echo(world.c1.at(), world.c2.ipv4()), Ok(()));
            tap.frames().iter().any(|seen| is_same(seen, frame))
        };
        let through = all.iter().filter(came).map(|(name, _)| *name).collect();
        Attack {
            tried: all.iter().map(|(name, _)| *name).collect(),
            through,
        }
    });
}

#[test]
fn nor_does_the_host_get_it() {
    held(|guard| {
        let world = World::untranslated(guard);
        let (all, wire) = (messages(&world), wire(&world.c1));
        let to_all = |(_, frame): &&(&'static str, Vec<u8>)| frame[0] & 1 == 1;
        let came = |(_, frame): &&(&'static str, Vec<u8>)| {
            let tap = Tap::on(world.netns(), world.n1.spec().link.index.get());
            wire.send(frame);
            assert_eq!(echo(world.c1.at(), gateway(&world)), Ok(()));
            tap.frames().iter().any(|seen| is_same(seen, frame))
        };
        let tried: Vec<_> = all.iter().filter(to_all).collect();
        let through = tried.iter().filter(|one| came(one)).map(|(name, _)| *name);
        Attack {
            through: through.collect(),
            tried: tried.iter().map(|(name, _)| *name).collect(),
        }
    });
}

#[test]
fn a_container_may_ask_for_an_address_as_clients_do() {
    let world = World::new(crate::world::Guard::On);
    let to = SocketAddr::new(Ipv4Addr::BROADCAST.into(), 67);
    let source = SocketAddr::new(world.c1.ipv4(), 68);
    let tap = Tap::at(&world.c2);
    let packet = udp(source, to, b"is there an address for me");
    wire(&world.c1).send(&in_frame(world.c1.mac(), BROADCAST, &packet));
    assert_eq!(echo(world.c1.at(), world.c2.ipv4()), Ok(()));
    assert_eq!(
        tap.count(|frame| frame.has_udp_payload(b"is there an address for me")),
        1
    );
}
