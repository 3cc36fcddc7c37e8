//! How a network's containers are reached from outside, and by which address they leave, as its
//! gateway mode and its other options say.

use std::net::IpAddr;

use bridgework::plan::Switch;
use bridgework::{Endpoint, EndpointConfig, Family, GatewayMode, NetworkConfig};

use crate::attack::{Attack, held};
use crate::probe::{KINDS, SHORT, TRANSPORTS, all_answered, answered, targets};
use crate::text::ip;
use crate::world::{Ground, Guard, Place};

struct Scene {
    ground: Ground,
    one: Endpoint,
}

/// A container that publishes port 80 on a network of its own.
fn scene(guard: Guard, change: fn(NetworkConfig) -> NetworkConfig) -> Scene {
    let ground = Ground::new(guard);
    let network = ground.network(3, change);
    let config = EndpointConfig::new()
        .publish("8080:80/tcp")
        .publish("8080:80/udp");
    let one = ground.connect(&network, "C", config);
    ground.settle();
    Scene { ground, one }
}

fn of_mode(config: NetworkConfig, mode: GatewayMode) -> NetworkConfig {
    config
        .gateway_mode(Family::V4, mode)
        .gateway_mode(Family::V6, mode)
}

fn unprotected(config: NetworkConfig) -> NetworkConfig {
    of_mode(config, GatewayMode::NatUnprotected)
}

fn routed(config: NetworkConfig) -> NetworkConfig {
    of_mode(config, GatewayMode::Routed)
}

/// Whom the neighbour sees when the container asks it.
fn leaves_by(scene: &Scene) -> Vec<IpAddr> {
    let _server = scene.ground.a.serve(80);
    let all = targets(&TRANSPORTS, &Place::addresses(&scene.ground.a), 80);
    let answers = all_answered(scene.one.at(), &all);
    let mut seen: Vec<_> = answers.into_values().map(|seen| seen.client).collect();
    seen.sort();
    seen.dedup();
    seen
}

#[test]
fn nat_unprotected_opens_all_ports_and_translates_as_nat_does() {
    let scene = scene(Guard::On, unprotected);
    let (_open, _other) = (scene.one.serve(80), scene.one.serve(81));
    let a = &scene.ground.a;
    all_answered(a.at(), &targets(&KINDS, &scene.one.addresses(), 81));
    all_answered(a.at(), &targets(&TRANSPORTS, &a.host_addresses(), 8080));
    assert_eq!(leaves_by(&scene), a.host_addresses());
}

#[test]
fn routed_opens_what_is_published_at_the_containers_own_address() {
    let scene = scene(Guard::On, routed);
    let _open = scene.one.serve(80);
    let a = &scene.ground.a;
    let seen = all_answered(a.at(), &targets(&KINDS, &scene.one.addresses(), 80));
    for (target, seen) in seen.iter().filter(|(_, seen)| seen.by != "echo") {
        assert!(
            Place::addresses(a).contains(&seen.client),
            "{target:?}: {seen:?}"
        );
    }
}

#[test]
fn routed_opens_nothing_else() {
    held(|guard| {
        let scene = scene(guard, routed);
        let server = scene.one.serve(81);
        let all = targets(&TRANSPORTS, &scene.one.addresses(), 81);
        let attack = Attack::probe(guard, scene.ground.a.at(), all);
        if guard == Guard::On {
            assert_eq!(server.heard(), []);
        }
        attack
    });
}

#[test]
fn routed_has_no_port_at_the_hosts_address() {
    held(|guard| {
        let scene = scene(guard, routed);
        let _open = scene.one.serve(80);
        let a = &scene.ground.a;
        Attack::probe(
            guard,
            a.at(),
            targets(&TRANSPORTS, &a.host_addresses(), 8080),
        )
    });
}

#[test]
fn routed_containers_leave_by_their_own_address() {
    let scene = scene(Guard::On, routed);
    assert_eq!(leaves_by(&scene), [scene.one.ipv4(), scene.one.ipv6()]);
}

#[test]
fn the_families_of_a_network_may_have_different_modes() {
    let scene = scene(Guard::On, |config| {
        config
            .gateway_mode(Family::V4, GatewayMode::Nat)
            .gateway_mode(Family::V6, GatewayMode::Routed)
    });
    let _open = scene.one.serve(80);
    let a = &scene.ground.a;
    let [host_ipv4, host_ipv6] = a.host_addresses();
    all_answered(a.at(), &targets(&TRANSPORTS, &[host_ipv4], 8080));
    all_answered(a.at(), &targets(&KINDS, &[scene.one.ipv6()], 80));
    let mut closed = targets(&KINDS, &[scene.one.ipv4()], 80);
    closed.extend(targets(&TRANSPORTS, &[host_ipv6], 8080));
    assert_eq!(answered(a.at(), &closed, SHORT), Default::default());
    assert_eq!(leaves_by(&scene), [host_ipv4, scene.one.ipv6()]);
}

#[test]
fn without_masquerade_containers_leave_by_their_own_address_and_stay_closed() {
    let scene = scene(Guard::On, |config| config.masquerade(Switch::Off));
    assert_eq!(leaves_by(&scene), [scene.one.ipv4(), scene.one.ipv6()]);
    let _other = scene.one.serve(81);
    let closed = targets(&KINDS, &scene.one.addresses(), 81);
    assert_eq!(
        answered(scene.ground.a.at(), &closed, SHORT),
        Default::default()
    );
}

#[test]
fn containers_leave_by_the_address_that_was_asked_for() {
    let (ipv4, ipv6): (IpAddr, IpAddr) = (
        "192.0.2.77".parse().unwrap(),
        "2001:db8:1::77".parse().unwrap(),
    );
    let ground = Ground::new(Guard::On);
    ip(
        ground.netns(),
        &format!("addr add {ipv4}/24 dev ha\naddr add {ipv6}/64 dev ha nodad\n"),
    );
    let config = crate::world::dual(3)
        .source_address(ipv4)
        .source_address(ipv6);
    let network = ground.host.create_network(config).expect("a network");
    let one = ground.connect(&network, "C", EndpointConfig::new());
    ground.settle();
    assert_eq!(leaves_by(&Scene { ground, one }), [ipv4, ipv6]);
}

#[test]
fn a_trusted_link_reaches_containers_by_their_own_addresses() {
    let scene = scene(Guard::On, |config| config.trusted_host_interface("ha"));
    let _open = scene.one.serve(80);
    all_answered(
        scene.ground.a.at(),
        &targets(&TRANSPORTS, &scene.one.addresses(), 80),
    );
}

#[test]
fn a_link_that_is_not_trusted_does_not() {
    let (ground, b) = Ground::between_two(Guard::On);
    let config = crate::world::dual(3).trusted_host_interface("ha");
    let network = ground.host.create_network(config).expect("a network");
    let config = EndpointConfig::new().publish("8080:80");
    let one = ground.connect(&network, "C", config);
    ground.settle();
    let _open = one.serve(80);
    let direct = targets(&KINDS[..2], &one.addresses(), 80);
    assert_eq!(answered(b.at(), &direct, SHORT), Default::default());
    all_answered(b.at(), &targets(&KINDS[..1], &b.host_addresses(), 8080));
}
