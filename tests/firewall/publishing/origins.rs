//! From everywhere, by both transports and both families, to one container.

use std::net::{IpAddr, SocketAddrV6};

use bridgework::{Container, Netns, NetworkConfig};

use super::{assert_reaches, assert_silent, both};
use crate::probe::{KINDS, Kind, TRANSPORTS, Target, targets};
use crate::serve::Server;
use crate::text::set_sysctl;
use crate::world::{Ground, Guard, LINK, Neighbour, Place, World, without_bridge_netfilter};

type Before = fn(&Netns);

/// What an operator may have set before; all must be the same with each.
const HOSTS: [(&str, Before); 4] = [
    ("as the kernel starts", |_| {}),
    ("without br_netfilter", without_bridge_netfilter),
    ("strict about sources", |netns| check_sources(netns, "1")),
    ("loose about sources", |netns| check_sources(netns, "2")),
];

fn check_sources(netns: &Netns, value: &str) {
    for scope in ["all", "default", "ha", "hb"] {
        set_sysctl(netns, &format!("ipv4.conf.{scope}.rp_filter"), value);
    }
}

struct Scene {
    world: World,
    b: Neighbour,
    _server: Server,
}

fn on_each_host(test: impl Fn(&Scene)) {
    for (name, before) in HOSTS {
        eprintln!("on a host {name}");
        let (ground, b) = Ground::between_two_on(Guard::On, before);
        let world = World::with(ground, both("8080:80"));
        let server = world.c1.serve(80);
        test(&Scene {
            world,
            b,
            _server: server,
        });
    }
}

/// The host as somebody who asks.
struct Host<'w>(&'w World);

impl Place for Host<'_> {
    fn name(&self) -> &str {
        "H"
    }

    fn at(&self) -> &Netns {
        self.0.netns()
    }

    fn addresses(&self) -> Vec<IpAddr> {
        let networks = [&self.0.n1, &self.0.n2, &self.0.ni];
        let ranges = networks.into_iter().flat_map(|network| {
            let spec = network.spec();
            [spec.ipv4.clone(), spec.ipv6.clone()]
        });
        let gateways = ranges.flatten().filter_map(|range| range.gateway);
        gateways.chain(self.0.a.host_addresses()).collect()
    }

    fn link(&self) -> (u32, bridgework::MacAddr) {
        panic!("the host has many")
    }
}

#[test]
fn a_neighbour_reaches_it_by_the_hosts_address_and_keeps_its_own() {
    on_each_host(|Scene { world, b, .. }| {
        for neighbour in [&world.a, b] {
            let all = targets(&TRANSPORTS, &neighbour.host_addresses(), 8080);
            for (target, seen) in assert_reaches(neighbour, &all, "C1") {
                let own = Place::addresses(neighbour);
                assert!(own.contains(&seen.client), "{target:?}: {seen:?}");
            }
        }
    });
}

/// The port at the address that a link has by its hardware address.
fn at_link_local(mac: bridgework::MacAddr, link: u32) -> Vec<Target> {
    let at = SocketAddrV6::new(mac.link_local(), 8080, 0, link);
    let at_it = |&kind: &Kind| Target {
        kind,
        at: at.into(),
    };
    TRANSPORTS.iter().map(at_it).collect()
}

/// By the host's address on the link that both are on, from which no router leads on.
#[test]
fn a_neighbour_reaches_it_by_the_hosts_link_local_address() {
    on_each_host(|Scene { world, .. }| {
        assert_reaches(&world.a, &at_link_local(world.a.host_mac(), LINK), "C1");
    });
}

#[test]
fn so_does_the_host_itself() {
    on_each_host(|Scene { world, .. }| {
        let all = at_link_local(world.a.host_mac(), world.a.host_index());
        assert_reaches(&Host(world), &all, "C1");
    });
}

#[test]
fn but_not_a_container_of_an_internal_network() {
    on_each_host(|Scene { world, .. }| {
        let (link, _) = world.ci.link();
        assert_silent(&world.ci, &at_link_local(world.ni.spec().mac, link));
    });
}

#[test]
fn a_neighbour_reaches_it_by_an_address_that_the_host_has_elsewhere() {
    on_each_host(|Scene { world, b, .. }| {
        for (place, other) in [(&world.a, b), (b, &world.a)] {
            let [ipv4, ipv6] = place.host_addresses();
            let [to_ipv4, to_ipv6] = other.host_addresses();
            let lines = format!("route add {to_ipv4} via {ipv4}\nroute add {to_ipv6} via {ipv6}\n");
            crate::text::ip(place.netns(), &lines);
            let all = targets(&TRANSPORTS, &other.host_addresses(), 8080);
            assert_reaches(place, &all, "C1");
        }
    });
}

#[test]
fn the_host_reaches_it_by_each_of_its_addresses() {
    on_each_host(|Scene { world, b, .. }| {
        let host = Host(world);
        let mut all = host.addresses();
        all.extend(b.host_addresses());
        assert_reaches(&host, &targets(&TRANSPORTS, &all, 8080), "C1");
    });
}

#[test]
fn the_host_reaches_it_by_loopback() {
    on_each_host(|Scene { world, .. }| {
        let loopback: Vec<IpAddr> = ["127.0.0.1", "127.1.2.3", "::1"]
            .map(|address| address.parse().unwrap())
            .to_vec();
        assert_reaches(&Host(world), &targets(&TRANSPORTS, &loopback, 8080), "C1");
    });
}

#[test]
fn a_container_of_another_network_reaches_it_by_each_address_of_the_host() {
    on_each_host(|Scene { world, .. }| {
        let all = targets(&TRANSPORTS, &Host(world).addresses(), 8080);
        assert_reaches(&world.c3, &all, "C1");
    });
}

#[test]
fn a_container_of_the_same_network_reaches_it_by_each_address_of_the_host() {
    on_each_host(|Scene { world, .. }| {
        let all = targets(&TRANSPORTS, &Host(world).addresses(), 8080);
        assert_reaches(&world.c2, &all, "C1");
    });
}

#[test]
fn the_container_itself_reaches_it_by_each_address_of_the_host() {
    on_each_host(|Scene { world, .. }| {
        let all = targets(&TRANSPORTS, &Host(world).addresses(), 8080);
        assert_reaches(&world.c1, &all, "C1");
    });
}

#[test]
fn a_container_of_an_internal_network_does_not_reach_it() {
    on_each_host(|Scene { world, .. }| {
        crate::between::way_out(&world.ci);
        let all = targets(&TRANSPORTS, &Host(world).addresses(), 8080);
        assert_silent(&world.ci, &all);
    });
}

#[test]
fn a_container_on_an_internal_network_publishes_nothing() {
    let ground = Ground::new(Guard::On);
    let network = ground.network(9, NetworkConfig::internal);
    let one = ground.connect(&network, "CI", both("8080:80"));
    let _server = one.serve(80);
    assert_eq!(super::published(&one), Vec::<String>::new());
    assert_silent(
        &ground.a,
        &targets(&TRANSPORTS, &ground.a.host_addresses(), 8080),
    );
}

#[test]
fn a_container_without_ipv6_is_reached_by_ipv6_too() {
    let ground = Ground::new(Guard::On);
    let config = NetworkConfig::bridge("four").subnet("10.5.0.0/24");
    let network = ground.host.create_network(config).expect("a network");
    let one = ground.connect(&network, "C4", both("8080:80"));
    let _server = one.serve(80);
    let all = targets(&TRANSPORTS, &ground.a.host_addresses(), 8080);
    assert_reaches(&ground.a, &all, "C4");
}

#[test]
fn echo_requests_to_the_host_are_still_the_hosts() {
    on_each_host(|Scene { world, .. }| {
        let all = targets(&KINDS[2..], &world.a.host_addresses(), 0);
        assert_reaches(&world.a, &all, "echo");
    });
}

#[test]
fn one_address_of_the_hosts_is_not_the_others() {
    for index in [0, 1] {
        let (ground, b) = Ground::between_two(Guard::On);
        let at = ground.a.host_addresses()[index];
        let text = if at.is_ipv4() {
            at.to_string()
        } else {
            format!("[{at}]")
        };
        let world = World::with(ground, both(&format!("{text}:8080:80")));
        let _server = world.c1.serve(80);
        assert_reaches(&world.a, &targets(&TRANSPORTS, &[at], 8080), "C1");
        assert_reaches(&world.c3, &targets(&TRANSPORTS, &[at], 8080), "C1");
        assert_silent(&b, &targets(&TRANSPORTS, &b.host_addresses(), 8080));
        let other = world.a.host_addresses()[1 - index];
        assert_silent(&world.a, &targets(&TRANSPORTS, &[other], 8080));
        let _other: &Container = world.c1.container();
    }
}
