//! What machines beside the host reach when they send packets for containers' own addresses to the
//! host.

use std::net::SocketAddr;

use crate::attack::{Attack, held};
use crate::frames::{in_frame, syn, wire};
use crate::probe::{KINDS, all_answered, targets};
use crate::steady::segments;
use crate::text::nft;
use crate::world::{Ground, Guard, Place, World, forward_everything};

/// The neighbour tries all of a container's.
fn from_the_lan(world: &World) -> Attack<String> {
    let server = world.c1.serve(80);
    let all = targets(&KINDS, &world.c1.addresses(), 80);
    let attack = Attack::probe(world.guard, world.a.at(), all.clone());
    if world.guard == Guard::On {
        assert_eq!(
            server.heard(),
            [],
            "what is not answered does not come either"
        );
    }
    all_answered(world.c2.at(), &all);
    let text = |target| format!("{target:?}");
    Attack {
        tried: attack.tried.into_iter().map(text).collect(),
        through: attack.through.into_iter().map(text).collect(),
    }
}

#[test]
fn a_port_that_is_not_published_is_not_reached_by_a_route_through_the_host() {
    held(|guard| from_the_lan(&World::new(guard)));
}

#[test]
fn nor_where_the_host_was_a_router_before() {
    held(|guard| {
        let ground = Ground::after(guard, forward_everything);
        from_the_lan(&World::with(ground, Default::default()))
    });
}

#[test]
fn nor_where_it_is_made_a_router_later() {
    held(|guard| {
        let world = World::new(guard);
        forward_everything(world.netns());
        from_the_lan(&world)
    });
}

#[test]
fn nor_where_a_foreign_table_accepts_all_that_is_forwarded() {
    held(|guard| {
        let ground = Ground::after(guard, |netns| {
            forward_everything(netns);
            nft(
                netns,
                "table inet filter { chain forward { \
                 type filter hook forward priority -200; policy accept; accept; }; }\n",
            );
        });
        from_the_lan(&World::with(ground, Default::default()))
    });
}

#[test]
fn beside_a_published_port_the_others_stay_closed() {
    held(|guard| {
        let world = World::publishing(guard, "8080:8080");
        let published = world.c1.serve(8080);
        if guard == Guard::On {
            let all = targets(
                &crate::probe::TRANSPORTS[..1],
                &world.a.host_addresses(),
                8080,
            );
            all_answered(world.a.at(), &all);
        }
        let attack = from_the_lan(&world);
        drop(published);
        attack
    });
}

/// By frames, since that many connections would take minutes.
#[test]
fn no_port_of_a_container_is_open_to_a_scan_of_all() {
    held(|guard| {
        let world = World::new(guard);
        let _server = world.c1.serve(80);
        let wire = wire(&world.a);
        let before = segments(world.c1.at());
        let families = [
            (Place::ipv4(&world.a), world.c1.ipv4()),
            (Place::ipv6(&world.a), world.c1.ipv6()),
        ];
        for (from, to) in families {
            for port in 1..=u16::MAX {
                let syn = syn(SocketAddr::new(from, 40_000), SocketAddr::new(to, port));
                wire.send(&in_frame(world.a.mac(), world.a.host_mac().octets(), &syn));
            }
        }
        all_answered(world.c2.at(), &targets(&KINDS[..1], &[world.c1.ipv4()], 80));
        // the connection above is five segments, or six
        let came = segments(world.c1.at()) - before;
        Attack::of(["a scan"], |_| came > 100)
    });
}

#[test]
fn an_internal_network_is_not_reached_by_a_route_through_the_host() {
    held(|guard| {
        let world = World::new(guard);
        let server = world.ci.serve(80);
        let all = targets(&KINDS, &world.ci.addresses(), 80);
        // a container of an internal network has no way back of its own
        for (family, at) in [("-4", "10.9.0.1"), ("-6", "fd00:9::1")] {
            let line = format!("route replace default via {at}\n");
            crate::text::run(world.ci.at(), "ip", &[family, "-batch", "-"], &line);
        }
        let attack = Attack::probe(guard, world.a.at(), all.clone());
        if guard == Guard::On {
            assert_eq!(server.heard(), []);
        }
        all_answered(world.netns(), &all);
        attack
    });
}
