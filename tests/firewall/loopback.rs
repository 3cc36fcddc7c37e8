//! Ports that are published on the host's loopback addresses, and other listeners there, are for
//! the host alone.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use crate::attack::{Attack, held};
use crate::frames::{Tap, addresses, in_frame, syn, udp, wire};
use crate::lab::packet::Wire;
use crate::probe::{TRANSPORTS, all_answered, targets};
use crate::serve::Server;
use crate::text::{ip, set_sysctl, sysctl};
use crate::world::{Guard, Place, World};
use bridgework::{EndpointConfig, MacAddr};

const LOCALHOST: Ipv4Addr = Ipv4Addr::LOCALHOST;
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn world(guard: Guard, at: &str) -> World {
    let config = EndpointConfig::new()
        .publish(format!("{at}:8080:80/tcp").as_str())
        .publish(format!("{at}:8080:80/udp").as_str());
    World::with(crate::world::Ground::new(guard), config)
}

#[test]
fn a_port_on_loopback_is_not_reached_from_the_lan_by_a_route_to_it() {
    held(|guard| {
        let world = world(guard, "127.0.0.2");
        let server = world.c1.serve(80);
        let a = world.a.at();
        ip(
            a,
            "route add 127.0.0.2 via 192.0.2.1 src 192.0.2.2 table 7\nrule add pref 0 to 127.0.0.2 lookup 7\nrule del pref 0 lookup local\nrule add pref 1 lookup local\n",
        );
        set_sysctl(a, "ipv4.conf.all.route_localnet", "1");
        let all = targets(&TRANSPORTS, &[SECOND.into()], 8080);
        let attack = Attack::probe(guard, a, all.clone());
        if guard == Guard::On {
            assert_eq!(server.heard(), []);
            all_answered(world.netns(), &all);
        }
        attack
    });
}

/// By which transports something came from `source`, or from what the host makes of it.
fn arrived(tap: &Tap, source: IpAddr, world: &World) -> Vec<String> {
    let gateways = [world.n1.spec().ipv4.as_ref(), world.n1.spec().ipv6.as_ref()];
    let gateways: Vec<_> = gateways
        .into_iter()
        .flatten()
        .filter_map(|range| range.gateway)
        .collect();
    let mut found = Vec::new();
    for frame in tap.frames() {
        let Some((from, to)) = addresses(&frame) else {
            continue;
        };
        let meant = from == source || gateways.contains(&from);
        let protocol = if from.is_ipv4() {
            frame.0[23]
        } else {
            frame.0[20]
        };
        if meant && world.c1.addresses().contains(&to) {
            match protocol {
                crate::frames::TCP => found.push("tcp".to_owned()),
                crate::frames::UDP => found.push("udp".to_owned()),
                _ => {}
            }
        }
    }
    found
}

fn crafted(wire: &Wire, from: (MacAddr, IpAddr), to: MacAddr, at: SocketAddr) {
    let source = SocketAddr::new(from.1, 40_000);
    for packet in [udp(source, at, b"let me in"), syn(source, at)] {
        wire.send(&in_frame(from.0, to.octets(), &packet));
    }
}

#[test]
fn a_port_on_loopback_is_not_reached_from_the_lan_by_frames_made_for_it() {
    held(|guard| {
        let world = world(guard, "127.0.0.1");
        let server = world.c1.serve(80);
        let tap = Tap::at(&world.c1);
        let from = (world.a.mac(), Place::ipv4(&world.a));
        let at = SocketAddr::new(LOCALHOST.into(), 8080);
        crafted(&wire(&world.a), from, world.a.host_mac(), at);
        // what the neighbour sends after is dealt with after
        all_answered(
            world.a.at(),
            &targets(&[crate::probe::Kind::Echo], &world.a.host_addresses(), 0),
        );
        let came = arrived(&tap, from.1, &world);
        if guard == Guard::On {
            assert_eq!(server.heard(), []);
            all_answered(
                world.netns(),
                &targets(&TRANSPORTS, &[LOCALHOST.into()], 8080),
            );
        }
        Attack::of(["tcp", "udp"], |kind| came.contains(&kind.to_string()))
    });
}

/// The kernel itself drops these before any filter (`ip6_rcv_core`), so there is no world in which
/// they come; this shows that publishing opens no way round it.
#[test]
fn nor_on_ipv6_loopback() {
    for guard in [Guard::On, Guard::Off] {
        let world = world(guard, "[::1]");
        let server = world.c1.serve(80);
        let tap = Tap::at(&world.c1);
        let from = (world.a.mac(), Place::ipv6(&world.a));
        let at = SocketAddr::new(Ipv6Addr::LOCALHOST.into(), 8080);
        crafted(&wire(&world.a), from, world.a.host_mac(), at);
        all_answered(
            world.a.at(),
            &targets(&[crate::probe::Kind::Echo], &world.a.host_addresses(), 0),
        );
        assert_eq!(arrived(&tap, from.1, &world), Vec::<String>::new());
        assert_eq!(server.heard(), []);
    }
}

/// A listener of the host's own on 127.0.0.1, which a published port there must not open to others.
fn own_listener(world: &World) -> Server {
    Server::open(world.netns(), "H", &[LOCALHOST.into()], 9999)
}

#[test]
fn a_listener_on_loopback_is_not_reached_from_the_lan() {
    held(|guard| {
        let world = world(guard, "127.0.0.1");
        let server = own_listener(&world);
        let at = SocketAddr::new(LOCALHOST.into(), 9999);
        let from = (world.a.mac(), Place::ipv4(&world.a));
        crafted(&wire(&world.a), from, world.a.host_mac(), at);
        all_answered(
            world.a.at(),
            &targets(&[crate::probe::Kind::Echo], &world.a.host_addresses(), 0),
        );
        // what is asked after is heard after
        all_answered(
            world.netns(),
            &targets(&TRANSPORTS, &[LOCALHOST.into()], 9999),
        );
        let heard = server.heard();
        Attack::of(["udp"], |_| {
            heard
                .iter()
                .any(|(_, from)| from.ip() == Place::ipv4(&world.a))
        })
    });
}

#[test]
fn a_listener_on_loopback_is_not_reached_from_a_container() {
    held(|guard| {
        let world = world(guard, "127.0.0.1");
        let server = own_listener(&world);
        let at = SocketAddr::new(LOCALHOST.into(), 9999);
        let from = (world.c2.mac(), world.c2.ipv4());
        crafted(&wire(&world.c2), from, world.n1.spec().mac, at);
        let gateway = world.n1.spec().ipv4.as_ref().unwrap().gateway.unwrap();
        all_answered(
            world.c2.at(),
            &targets(&[crate::probe::Kind::Echo], &[gateway], 0),
        );
        // what is asked after is heard after
        all_answered(
            world.netns(),
            &targets(&TRANSPORTS, &[LOCALHOST.into()], 9999),
        );
        let heard = server.heard();
        Attack::of(["udp"], |_| {
            heard.iter().any(|(_, from)| from.ip() == world.c2.ipv4())
        })
    });
}

#[test]
fn a_port_on_loopback_is_not_reached_from_a_container_by_frames_made_for_it() {
    held(|guard| {
        let world = world(guard, "127.0.0.1");
        let server = world.c1.serve(80);
        let tap = Tap::at(&world.c1);
        let from = (world.c3.mac(), world.c3.ipv4());
        let at = SocketAddr::new(LOCALHOST.into(), 8080);
        crafted(&wire(&world.c3), from, world.n2.spec().mac, at);
        let gateway = world.n2.spec().ipv4.as_ref().unwrap().gateway.unwrap();
        all_answered(
            world.c3.at(),
            &targets(&[crate::probe::Kind::Echo], &[gateway], 0),
        );
        let came = arrived(&tap, from.1, &world);
        if guard == Guard::On {
            assert_eq!(server.heard(), []);
        }
        Attack::of(["tcp", "udp"], |kind| came.contains(&kind.to_string()))
    });
}

#[test]
fn publishing_on_loopback_lets_only_the_bridges_of_ours_route_to_it() {
    let world = world(Guard::On, "127.0.0.1");
    for link in ["all", "default", "lo", "ha"] {
        let key = format!("ipv4.conf.{link}.route_localnet");
        assert_eq!(sysctl(world.netns(), &key), "0", "{link}");
    }
}
