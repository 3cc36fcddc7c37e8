//! No container speaks in the name of another, or of the gateway: not by ARP or neighbour
//! discovery, not by hardware address, not by IP source.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bridgework::{MacAddr, Netns};

use crate::attack::{Attack, held};
use crate::frames::{
    Arp, BROADCAST, Tap, in_frame, neighbour_advertisement, neighbour_solicitation, tagged,
    tagged_twice, udp, wire,
};
use crate::lab::packet::{Frame, echo, ethernet};
use crate::lab::{bridge_json, ip_json};
use crate::text::{ip, set_sysctl};
use crate::world::{Place, World};

/// Who is told a lie, about whom.
struct Lie<'w> {
    name: &'static str,
    netns: &'w Netns,
    link: &'static str,
    mac: MacAddr,
    about: [IpAddr; 2],
    truth: MacAddr,
}

/// The host about `c2`, and `c2` about the gateway.
fn lies(world: &World) -> [Lie<'_>; 2] {
    for (netns, link) in [(world.netns(), "br1"), (world.c2.at(), "eth0")] {
        // what was learned a moment ago may be learned otherwise now
        set_sysctl(netns, &format!("ipv4.neigh.{link}.locktime"), "0");
    }
    let spec = world.n1.spec();
    let gateway = |range: &Option<bridgework::spec::NetworkRange>| range.as_ref().unwrap().gateway;
    [
        Lie {
            name: "the host",
            netns: world.netns(),
            link: "br1",
            mac: spec.mac,
            about: [world.c2.ipv4(), world.c2.ipv6()],
            truth: world.c2.mac(),
        },
        Lie {
            name: "a container",
            netns: world.c2.at(),
            link: "eth0",
            mac: world.c2.mac(),
            about: [&spec.ipv4, &spec.ipv6].map(|range| gateway(range).unwrap()),
            truth: spec.mac,
        },
    ]
}

impl Lie<'_> {
    fn known(&self, about: IpAddr) -> String {
        let found = ip_json(
            self.netns,
            &format!("neigh show to {about} dev {}", self.link),
        );
        let found = found.expect("iproute2");
        found[0]["lladdr"].as_str().unwrap_or("nobody").to_owned()
    }

    /// Whether it is believed, told by a frame.
    fn is_believed(&self, world: &World, about: IpAddr, frame: &[u8]) -> bool {
        ip(self.netns, &format!("neigh flush dev {}\n", self.link));
        assert_eq!(echo(self.netns, about), Ok(()));
        assert_eq!(
            self.known(about),
            self.truth.to_string(),
            "the truth is known"
        );
        let wire = wire(&world.c1);
        // one that comes within a tick of what is known already is not listened to
        for _ in 0..10 {
            wire.send(frame);
            std::thread::sleep(Duration::from_millis(2));
        }
        // what it sends after is dealt with after
        let answering = match self.name {
            "the host" => world.n1.spec().ipv4.as_ref().unwrap().gateway.unwrap(),
            _ => world.c2.ipv4(),
        };
        assert_eq!(echo(world.c1.at(), answering), Ok(()));
        self.known(about) != self.truth.to_string()
    }
}

fn ipv4(address: IpAddr) -> Ipv4Addr {
    match address {
        IpAddr::V4(address) => address,
        IpAddr::V6(address) => panic!("{address}"),
    }
}

fn ipv6(address: IpAddr) -> Ipv6Addr {
    match address {
        IpAddr::V6(address) => address,
        IpAddr::V4(address) => panic!("{address}"),
    }
}

/// What tells `victim` by ARP that `about` is where `liar` is.
fn arp_lies(liar: MacAddr, victim: MacAddr, about: Ipv4Addr) -> Vec<(&'static str, Vec<u8>)> {
    let arp = |operation, target| Arp {
        operation,
        sender: (liar, about),
        target,
    };
    let at_victim = (victim.octets(), Ipv4Addr::UNSPECIFIED);
    let reply = arp(Arp::REPLY, at_victim).frame(liar, victim.octets());
    vec![
        ("a tagged reply", tagged(&reply)),
        ("a reply tagged twice", tagged_twice(&reply)),
        ("a reply", reply),
        (
            "a reply to all",
            arp(Arp::REPLY, (liar.octets(), about)).frame(liar, BROADCAST),
        ),
        (
            "a request",
            arp(Arp::REQUEST, ([0; 6], about)).frame(liar, BROADCAST),
        ),
    ]
}

#[test]
fn nobody_believes_by_arp_that_a_container_is_another_or_the_gateway() {
    held(|guard| {
        let world = World::untranslated(guard);
        let mut attack = Attack::of([], |_: &String| false);
        for lie in lies(&world) {
            let about = ipv4(lie.about[0]);
            for (name, frame) in arp_lies(world.c1.mac(), lie.mac, about) {
                let what = format!("{name} to {}", lie.name);
                let told = lie.is_believed(&world, about.into(), &frame);
                attack = attack.and(Attack::of([what], |_| told));
            }
        }
        attack
    });
}

#[test]
fn nobody_believes_by_neighbour_discovery_that_a_container_is_another_or_the_gateway() {
    held(|guard| {
        let world = World::untranslated(guard);
        let liar = world.c1.mac();
        let mut attack = Attack::of([], |_: &String| false);
        for lie in lies(&world) {
            let about = ipv6(lie.about[1]);
            let asked = match lie.name {
                "the host" => ipv6(world.n1.spec().ipv6.as_ref().unwrap().gateway.unwrap()),
                _ => ipv6(world.c2.ipv6()),
            };
            let advertised = neighbour_advertisement(liar, (about, about), liar);
            let frames = [
                ("a tagged advertisement", tagged(&advertised)),
                ("an advertisement", advertised),
                (
                    "a solicitation",
                    neighbour_solicitation(liar, (about, liar), asked),
                ),
            ];
            for (name, frame) in frames {
                let what = format!("{name} to {}", lie.name);
                let told = lie.is_believed(&world, about.into(), &frame);
                attack = attack.and(Attack::of([what], |_| told));
            }
        }
        attack
    });
}

/// By its own address it advertises another's: the sender is honest, and the message is not.
#[test]
fn nor_by_an_advertisement_from_its_own_address() {
    held(|guard| {
        let world = World::untranslated(guard);
        let (liar, own) = (world.c1.mac(), ipv6(world.c1.ipv6()));
        let mut attack = Attack::of([], |_: &String| false);
        for lie in lies(&world) {
            let about = ipv6(lie.about[1]);
            let frame = neighbour_advertisement(liar, (own, about), liar);
            let told = lie.is_believed(&world, about.into(), &frame);
            attack = attack.and(Attack::of([lie.name.to_owned()], |_| told));
        }
        attack
    });
}

/// The port behind which the bridge looks for a hardware address.
fn port_of(world: &World, mac: MacAddr) -> String {
    let found = bridge_json(world.netns(), "fdb show br br1").expect("iproute2");
    let mac = mac.to_string();
    let entry = found.iter().find(|entry| entry["mac"] == mac.as_str());
    entry.map_or_else(String::new, |entry| {
        entry["ifname"].as_str().unwrap().to_owned()
    })
}

#[test]
fn the_bridge_never_looks_for_a_container_behind_the_port_of_another() {
    /// IEEE 802.1Q §8.6.3: groups that a bridge keeps to itself
    const RESERVED: [u8; 6] = [0x01, 0x80, 0xc2, 0, 0, 0];
    held(|guard| {
        let world = World::untranslated(guard);
        let spec = world.n1.spec();
        let gateway = spec.ipv4.as_ref().unwrap().gateway.unwrap();
        let (victim, own) = (world.c2.mac(), &world.c2.spec().host_link.name);
        let to = |last: u8| {
            let mut group = RESERVED;
            group[5] = last;
            ethernet(victim, group, 0x88cc, b"I am somebody else")
        };
        let unknown = ethernet(victim, spec.mac.octets(), 0x88b6, b"I am somebody else");
        let at = |address| SocketAddr::new(address, 9);
        let packet = udp(at(world.c1.ipv4()), at(gateway), b"I am somebody else");
        let frames = [
            ("a packet", in_frame(victim, spec.mac.octets(), &packet)),
            ("a tagged frame", tagged(&unknown)),
            ("a frame of no known kind", unknown),
            (
                "a frame to all",
                ethernet(victim, BROADCAST, 0x88b6, b"I am somebody else"),
            ),
            ("spanning tree", to(0)),
            ("802.1X", to(3)),
            ("LLDP", to(14)),
        ];
        let wire = wire(&world.c1);
        let moves = |frame: &[u8]| {
            assert_eq!(echo(world.c2.at(), gateway), Ok(()));
            assert_eq!(port_of(&world, victim), own.as_str(), "the truth is known");
            wire.send(frame);
            assert_eq!(echo(world.c1.at(), gateway), Ok(()));
            port_of(&world, victim) != own.as_str()
        };
        // a frame of the victim's own may come in between, and put it right
        let moved = |(_, frame): &&(&str, Vec<u8>)| (0..4).any(|_| moves(frame));
        let through: Vec<_> = frames.iter().filter(moved).collect();
        Attack {
            tried: frames.iter().map(|(name, _)| *name).collect(),
            through: through.iter().map(|(name, _)| *name).collect(),
        }
    });
}

/// A packet that should not come, and where it would.
struct Forged {
    name: &'static str,
    frame: Vec<u8>,
    to: To,
}

#[derive(Clone, Copy, PartialEq)]
enum To {
    Host,
    Container,
    Lan,
}

/// A datagram by which `c1` says that it comes from elsewhere.
fn lie(
    world: &World,
    (mac, from): (MacAddr, IpAddr),
    (place, to): (To, IpAddr),
    name: &'static str,
) -> Forged {
    let at = |address| SocketAddr::new(address, 4000);
    let next = match place {
        To::Container => world.c2.mac(),
        To::Host | To::Lan => world.n1.spec().mac,
    };
    let packet = udp(at(from), at(to), name.as_bytes());
    Forged {
        name,
        frame: in_frame(mac, next.octets(), &packet),
        to: place,
    }
}

fn gateways(world: &World) -> [IpAddr; 2] {
    let spec = world.n1.spec();
    [&spec.ipv4, &spec.ipv6].map(|range| range.as_ref().unwrap().gateway.unwrap())
}

/// Under its own hardware address.
fn forged_by_ip(world: &World) -> Vec<Forged> {
    use To::{Container, Host, Lan};
    let own = world.c1.mac();
    let (gateways, host) = (gateways(world), world.a.host_addresses());
    let (c2, lan) = (
        [world.c2.ipv4(), world.c2.ipv6()],
        Place::addresses(&world.a),
    );
    let strangers: [IpAddr; 2] = [
        Ipv4Addr::new(203, 0, 113, 9).into(),
        Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 9).into(),
    ];
    let of_family = |at: usize, names: [&'static str; 6]| {
        let lies = [
            (c2[at], Host, gateways[at]),
            (c2[at], Lan, lan[at]),
            (gateways[at], Container, c2[at]),
            (strangers[at], Lan, lan[at]),
            (strangers[at], Container, c2[at]),
            (host[at], Container, c2[at]),
        ];
        let named = lies.into_iter().zip(names);
        named.map(|((from, place, to), name)| lie(world, (own, from), (place, to), name))
    };
    let ipv4 = [
        "IPv4 of another",
        "IPv4 of another, to the lan",
        "IPv4 of the gateway",
        "IPv4 of a stranger",
        "IPv4 of a stranger, nearby",
        "IPv4 of the host",
    ];
    let ipv6 = [
        "IPv6 of another",
        "IPv6 of another, to the lan",
        "IPv6 of the gateway",
        "IPv6 of a stranger",
        "IPv6 of a stranger, nearby",
        "IPv6 of the host",
    ];
    of_family(0, ipv4).chain(of_family(1, ipv6)).collect()
}

fn forged(world: &World) -> Vec<Forged> {
    let (own, bridge, other) = (world.c1.mac(), world.n1.spec().mac, world.c2.mac());
    let [ipv4, ipv6] = gateways(world);
    let (c1, c2) = ([world.c1.ipv4(), world.c1.ipv6()], world.c2.ipv4());
    let on_link = |mac: MacAddr| IpAddr::from(mac.link_local());
    let mut all = forged_by_ip(world);
    for (from, to, name) in [
        ((bridge, c1[0]), (To::Container, c2), "MAC of the gateway"),
        ((other, c1[0]), (To::Host, ipv4), "MAC of another, IPv4"),
        ((other, c1[1]), (To::Host, ipv6), "MAC of another, IPv6"),
        (
            (own, on_link(other)),
            (To::Host, on_link(bridge)),
            "link-local of another",
        ),
    ] {
        all.push(lie(world, from, to, name));
    }
    let mut hidden = lie(
        world,
        (own, c2),
        (To::Host, ipv4),
        "IPv4 of another, tagged",
    );
    hidden.frame = tagged(&hidden.frame);
    all.push(hidden);
    all
}

#[test]
fn no_packet_of_a_container_bears_an_address_of_somebody_else() {
    held(|guard| {
        let world = World::untranslated(guard);
        let spec = world.n1.spec();
        let gateway = spec.ipv4.as_ref().unwrap().gateway.unwrap();
        let (all, wire) = (forged(&world), wire(&world.c1));
        let taps = [
            (To::Host, Tap::on(world.netns(), spec.link.index.get())),
            (To::Container, Tap::at(&world.c2)),
            (To::Lan, Tap::at(&world.a)),
        ];
        for forged in &all {
            // a packet with another's hardware address would move the other
            assert_eq!(echo(world.c2.at(), gateway), Ok(()));
            wire.send(&forged.frame);
        }
        let lan = Place::addresses(&world.a);
        for at in [gateway].into_iter().chain(world.c2.addresses()).chain(lan) {
            assert_eq!(echo(world.c1.at(), at), Ok(()));
        }
        let mut through = Vec::new();
        for (place, tap) in &taps {
            let frames = tap.frames();
            let came = |forged: &&Forged| {
                let here = |frame: &Frame| frame.has_udp_payload(forged.name.as_bytes());
                forged.to == *place && frames.iter().any(here)
            };
            through.extend(all.iter().filter(came).map(|forged| forged.name));
        }
        Attack {
            tried: all.iter().map(|forged| forged.name).collect(),
            through,
        }
    });
}
