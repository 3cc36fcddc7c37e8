//! Rules of the user's own, what a container is allowed on its own wish, and a firewall that
//! belongs to one process alone.

use bridgework::plan::Switch;
use bridgework::{EndpointConfig, Firewall, HostConfig, Netns};

use crate::frames::{Tap, in_frame, udp, wire};
use crate::lab::packet::echo;
use crate::probe::{KINDS, SHORT, TRANSPORTS, all_answered, answered, targets};
use crate::text::{run, try_run};
use crate::world::{Ground, Guard, Neighbour, Place, Side, World};

#[test]
fn a_drop_of_the_users_wins_over_a_published_port_and_survives_our_changes() {
    let (ground, b) = Ground::between_two(Guard::On);
    let world = World::with(ground, EndpointConfig::new().publish("8080:80"));
    let _server = world.c1.serve(80);
    let of = |neighbour: &Neighbour| targets(&TRANSPORTS[..1], &neighbour.host_addresses(), 8080);
    all_answered(world.a.at(), &of(&world.a));
    for family in ["ip saddr 192.0.2.2", "ip6 saddr 2001:db8:1::2"] {
        let rule = format!("add rule inet bridgework user {family} drop\n");
        run(world.netns(), "nft", &["-f", "-"], &rule);
    }
    let check = || {
        assert_eq!(
            answered(world.a.at(), &of(&world.a), SHORT),
            Default::default()
        );
        all_answered(b.at(), &of(&b));
    };
    check();
    let late = world.connect(&world.n2, "late", EndpointConfig::new().publish("8081:80"));
    world.c1.publish("8082:80").expect("published");
    late.disconnect().expect("the end");
    world.c1.unpublish("8082:80").expect("unpublished");
    check();
}

#[test]
fn a_container_that_asked_for_it_sends_under_other_addresses() {
    let ground = Ground::new(Guard::On);
    let config = EndpointConfig::new().source_guard(Switch::Off);
    let world = World::with(ground, config);
    let (tap, wire) = (Tap::at(&world.c2), wire(&world.c1));
    let stranger = std::net::SocketAddr::new([203, 0, 113, 9].into(), 9);
    let to = std::net::SocketAddr::new(world.c2.ipv4(), 9);
    let packet = udp(stranger, to, b"on its own wish");
    wire.send(&in_frame(world.c1.mac(), world.c2.mac().octets(), &packet));
    assert_eq!(echo(world.c1.at(), world.c2.ipv4()), Ok(()));
    assert!(tap.count(|frame| frame.has_udp_payload(b"on its own wish")) > 0);
    // the others are still who they say they are
    let (tap, wire) = (Tap::at(&world.c1), crate::frames::wire(&world.c2));
    let to = std::net::SocketAddr::new(world.c1.ipv4(), 9);
    let packet = udp(stranger, to, b"not asked for");
    wire.send(&in_frame(world.c2.mac(), world.c1.mac().octets(), &packet));
    assert_eq!(echo(world.c2.at(), world.c1.ipv4()), Ok(()));
    assert_eq!(
        tap.count(|frame| frame.has_udp_payload(b"not asked for")),
        0
    );
}

#[test]
fn a_firewall_of_one_process_alone_survives_a_foreign_flush() {
    let netns = Netns::create().expect("a namespace");
    crate::text::ip(&netns, "link set lo up\n");
    let a = Neighbour::beside(&netns, Side::A);
    let config = HostConfig::new()
        .netns(netns.clone())
        .firewall(Firewall::Exclusive);
    let host = bridgework::Host::open_with(config).expect("a host");
    let ground = Ground {
        guard: Guard::On,
        host,
        a,
    };
    let world = World::with(ground, EndpointConfig::new().publish("8080:80"));
    let server = world.c1.serve(80);
    let open = targets(&TRANSPORTS[..1], &world.a.host_addresses(), 8080);
    let closed = targets(&KINDS, &world.c1.addresses(), 80);
    for _ in 0..5 {
        let _not_ours = try_run(&netns, "nft", &["flush", "ruleset"], "");
        all_answered(world.a.at(), &open);
        assert_eq!(answered(world.a.at(), &closed, SHORT), Default::default());
        assert!(
            try_run(
                &netns,
                "nft",
                &["delete", "table", "inet", "bridgework"],
                ""
            )
            .is_err()
        );
    }
    drop(server);
}
