//! Who of the containers reaches whom, without published ports.

use bridgework::plan::Switch;
use bridgework::{Endpoint, EndpointConfig, NetworkConfig};

use crate::attack::{Attack, held};
use crate::frames::{Tap, in_frame, udp, wire};
use crate::lab::packet::ethernet;
use crate::probe::{KINDS, Target, all_answered, targets};
use crate::text::run;
use crate::world::{Ground, Guard, Place, World, without_bridge_netfilter};

/// Everything at every address of `to`, which somebody listens at.
fn tries(guard: Guard, from: &impl Place, to: &impl Place) -> Attack<Target> {
    let server = to.serve(80);
    let attack = Attack::probe(guard, from.at(), targets(&KINDS, &to.addresses(), 80));
    if guard == Guard::On {
        assert_eq!(
            server.heard(),
            [],
            "what is not answered does not come either"
        );
    }
    attack
}

#[test]
fn containers_of_different_networks_do_not_reach_each_other() {
    held(|guard| {
        let world = World::new(guard);
        tries(guard, &world.c1, &world.c3).and(tries(guard, &world.c3, &world.c1))
    });
}

#[test]
fn containers_of_one_network_do() {
    let world = World::new(Guard::On);
    for (from, to) in [(&world.c1, &world.c2), (&world.c2, &world.c1)] {
        let _server = to.serve(80);
        let seen = all_answered(from.at(), &targets(&KINDS, &to.addresses(), 80));
        for (target, seen) in seen.iter().filter(|(_, seen)| seen.by != "echo") {
            assert!(
                from.addresses().contains(&seen.client),
                "{target:?}: {seen:?}"
            );
        }
    }
}

#[test]
fn containers_reach_machines_beside_the_host_by_an_address_of_the_host() {
    let world = World::new(Guard::On);
    let _server = world.a.serve(80);
    let all = targets(&KINDS, &Place::addresses(&world.a), 80);
    for (target, seen) in all_answered(world.c1.at(), &all) {
        if seen.by != "echo" {
            assert!(
                world.a.host_addresses().contains(&seen.client),
                "{target:?}: {seen:?}"
            );
        }
    }
}

/// What a container of an internal network would have to do to get out.
pub fn way_out(endpoint: &Endpoint) {
    let spec = endpoint.network().spec().clone();
    for (family, range) in [("-4", &spec.ipv4), ("-6", &spec.ipv6)] {
        let gateway = range
            .as_ref()
            .and_then(|range| range.gateway)
            .expect("a gateway");
        let line = format!("route replace default via {gateway}\n");
        run(endpoint.at(), "ip", &[family, "-batch", "-"], &line);
    }
}

#[test]
fn an_internal_network_has_no_way_out() {
    held(|guard| {
        let world = World::new(guard);
        way_out(&world.ci);
        tries(guard, &world.ci, &world.a).and(tries(guard, &world.ci, &world.c1))
    });
}

#[test]
fn an_internal_network_has_no_way_in() {
    held(|guard| {
        let world = World::new(guard);
        way_out(&world.ci);
        tries(guard, &world.a, &world.ci).and(tries(guard, &world.c1, &world.ci))
    });
}

#[test]
fn an_internal_network_and_the_host_reach_each_other() {
    let world = World::new(Guard::On);
    let _server = world.ci.serve(80);
    all_answered(world.netns(), &targets(&KINDS, &world.ci.addresses(), 80));
    let other = world.connect(&world.ni, "CJ", EndpointConfig::new());
    world.settle();
    all_answered(other.at(), &targets(&KINDS, &world.ci.addresses(), 80));
    let spec = world.ni.spec();
    let ranges = [&spec.ipv4, &spec.ipv6].into_iter().flatten();
    let gateways: Vec<_> = ranges.filter_map(|range| range.gateway).collect();
    let _host = crate::serve::Server::open(world.netns(), "H", &gateways, 80);
    all_answered(world.ci.at(), &targets(&KINDS, &gateways, 80));
}

struct Apart {
    ground: Ground,
    one: Endpoint,
    two: Endpoint,
}

/// Two containers of a network without traffic between its containers.
fn apart(guard: Guard) -> Apart {
    apart_on(Ground::new(guard))
}

fn apart_on(ground: Ground) -> Apart {
    let icc = if ground.guard == Guard::On {
        Switch::Off
    } else {
        Switch::On
    };
    let network = match icc {
        Switch::Off => ground.network(4, |config| config.icc(Switch::Off)),
        Switch::On => ground.network(4, |config| config),
    };
    let one = ground.connect(&network, "C4", EndpointConfig::new());
    let two = ground.connect(&network, "C5", EndpointConfig::new().publish("8080:80"));
    ground.settle();
    Apart { ground, one, two }
}

#[test]
fn without_icc_containers_of_one_network_do_not_reach_each_other() {
    held(|guard| {
        let apart = apart(guard);
        tries(guard, &apart.one, &apart.two).and(tries(guard, &apart.two, &apart.one))
    });
}

#[test]
fn without_icc_they_still_reach_the_host_and_beyond() {
    let Apart { ground, one, .. } = apart(Guard::On);
    let _server = ground.a.serve(80);
    all_answered(one.at(), &targets(&KINDS, &Place::addresses(&ground.a), 80));
    all_answered(
        one.at(),
        &targets(&KINDS[2..], &ground.a.host_addresses(), 80),
    );
}

#[test]
fn without_icc_a_published_port_is_reached_by_the_hosts_address() {
    // with br_netfilter, such a packet is translated while it is bridged, and never leaves one
    // isolated port by another
    let Apart { ground, one, two } = apart_on(Ground::after(Guard::On, without_bridge_netfilter));
    let _server = two.serve(80);
    all_answered(
        one.at(),
        &targets(&KINDS[..1], &ground.a.host_addresses(), 8080),
    );
}

#[test]
fn without_icc_no_frame_of_any_kind_comes_from_one_container_to_another() {
    held(|guard| {
        let apart = apart(guard);
        let (tap, wire) = (Tap::at(&apart.two), wire(&apart.one));
        let ((_, from), (_, to)) = (apart.one.link(), apart.two.link());
        let at = |address| std::net::SocketAddr::new(address, 9);
        wire.send(&ethernet(
            from,
            to.octets(),
            0x88b6,
            b"neither of both families",
        ));
        for (source, to_address) in [
            (apart.one.ipv4(), apart.two.ipv4()),
            (apart.one.ipv6(), apart.two.ipv6()),
        ] {
            let packet = udp(at(source), at(to_address), b"by hand");
            wire.send(&in_frame(from, to.octets(), &packet));
            wire.send(&in_frame(from, crate::frames::BROADCAST, &packet));
        }
        let host = apart.ground.netns();
        all_answered(host, &targets(&KINDS[2..], &apart.one.addresses(), 0));
        let frames = tap.frames();
        let came = |kind: &u16| {
            let mut mine = frames.iter().filter(|frame| frame.source() == Some(from));
            mine.any(|frame| frame.ether_type() == *kind)
        };
        Attack::of(
            [
                0x88b6,
                crate::lab::packet::ETHER_IPV4,
                crate::lab::packet::ETHER_IPV6,
            ],
            came,
        )
    });
}

#[test]
fn an_isolated_network_does_not_reach_even_the_host() {
    held(|guard| {
        use bridgework::{Family, GatewayMode};
        let ground = Ground::new(guard);
        let isolated: fn(NetworkConfig) -> NetworkConfig = |config| {
            config
                .internal()
                .gateway_mode(Family::V4, GatewayMode::Isolated)
                .gateway_mode(Family::V6, GatewayMode::Isolated)
        };
        let network = match guard {
            Guard::On => ground.network(6, isolated),
            Guard::Off => ground.network(6, NetworkConfig::internal),
        };
        let (one, two) = (
            ground.connect(&network, "C6", EndpointConfig::new()),
            ground.connect(&network, "C7", EndpointConfig::new()),
        );
        ground.settle();
        let server =
            crate::serve::Server::open(ground.netns(), "H", &ground.a.host_addresses(), 80);
        // they do not know the way, but a frame needs none
        let wire = wire(&one);
        for (from, to) in [
            (one.ipv4(), ground.a.host_addresses()[0]),
            (one.ipv6(), ground.a.host_addresses()[1]),
        ] {
            let at = |address| std::net::SocketAddr::new(address, 80);
            let packet = udp(at(from), at(to), b"by hand");
            wire.send(&in_frame(one.mac(), network.spec().mac.octets(), &packet));
        }
        let _other = two.serve(80);
        all_answered(one.at(), &targets(&KINDS, &two.addresses(), 80));
        // what is asked after is heard after
        let own = targets(&KINDS[..2], &ground.a.host_addresses(), 80);
        all_answered(ground.netns(), &own);
        let heard = server.heard();
        Attack::of(one.addresses(), |from| {
            heard.iter().any(|(_, heard)| heard.ip() == *from)
        })
    });
}
