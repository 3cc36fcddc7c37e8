//! What passes through the host for somebody else is none of a published port's, and whom a
//! container sees is who sent.

use bridgework::EndpointConfig;

use crate::attack::{Attack, held};
use crate::probe::{Kind, TRANSPORTS, Target, all_answered, seen, targets};
use crate::world::{Ground, Guard, Neighbour, Place, World, forward_everything};

fn both(ports: &str) -> EndpointConfig {
    EndpointConfig::new()
        .publish(format!("{ports}/tcp").as_str())
        .publish(format!("{ports}/udp").as_str())
}

fn captured(from: &impl Place, targets: &[Target], by: &str) -> Attack<Target> {
    let answers = all_answered(from.at(), targets);
    Attack::of(targets.iter().copied(), |target| answers[target].by == by)
}

#[test]
fn a_container_that_asks_another_machine_is_not_answered_by_a_published_port() {
    held(|guard| {
        let world = World::with(Ground::new(guard), both("53:53"));
        let (_captor, _meant) = (world.c1.serve(53), world.a.serve(53));
        captured(
            &world.c3,
            &targets(&TRANSPORTS, &Place::addresses(&world.a), 53),
            "C1",
        )
        .and(captured(
            &world.c2,
            &targets(&TRANSPORTS, &Place::addresses(&world.a), 53),
            "C1",
        ))
    });
}

#[test]
fn machines_between_which_the_host_routes_are_not_answered_by_a_published_port() {
    held(|guard| {
        let (ground, b) = Ground::between_two_on(guard, forward_everything);
        for (place, other) in [(&b, &ground.a), (&ground.a, &b)] {
            let [ipv4, ipv6] = place.host_addresses();
            let [to_ipv4, to_ipv6] = Neighbour::addresses(other);
            let lines = format!("route add {to_ipv4} via {ipv4}\nroute add {to_ipv6} via {ipv6}\n");
            crate::text::ip(place.netns(), &lines);
        }
        let world = World::with(ground, both("53:53"));
        let (_captor, _meant) = (world.c1.serve(53), world.a.serve(53));
        captured(
            &b,
            &targets(&TRANSPORTS, &Place::addresses(&world.a), 53),
            "C1",
        )
    });
}

#[test]
fn the_host_that_asks_another_machine_is_not_answered_by_a_published_port() {
    held(|guard| {
        let world = World::with(Ground::new(guard), both("53:53"));
        let (_captor, _meant) = (world.c1.serve(53), world.a.serve(53));
        let all = targets(&TRANSPORTS, &Place::addresses(&world.a), 53);
        let answers = all_answered(world.netns(), &all);
        Attack::of(all, |target| answers[target].by == "C1")
    });
}

#[test]
fn a_container_sees_the_address_of_the_machine_that_asks() {
    held(|guard| {
        let world = World::with(Ground::new(guard), both("8080:80"));
        let _server = world.c1.serve(80);
        let all = targets(&TRANSPORTS, &world.a.host_addresses(), 8080);
        let answers = all_answered(world.a.at(), &all);
        Attack::of(all, |target| {
            let client = answers[target].client;
            client.is_loopback() || !Place::addresses(&world.a).contains(&client)
        })
    });
}

#[test]
fn a_container_never_sees_a_loopback_address_whoever_asks_and_however() {
    let world = World::with(Ground::new(Guard::On), both("8080:80"));
    let _server = world.c1.serve(80);
    let mut hosts = world.a.host_addresses().to_vec();
    hosts.push("127.0.0.1".parse().unwrap());
    for target in targets(&TRANSPORTS, &hosts, 8080) {
        let seen = seen(world.netns(), target);
        assert_eq!(seen.by, "C1", "{target:?}");
        assert!(!seen.client.is_loopback(), "{target:?}: {seen:?}");
    }
    let direct = targets(&[Kind::Tcp, Kind::Udp], &world.c1.addresses(), 80);
    for (target, seen) in all_answered(world.c2.at(), &direct) {
        assert!(
            world.c2.addresses().contains(&seen.client),
            "{target:?}: {seen:?}"
        );
    }
}
