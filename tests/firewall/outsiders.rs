//! A machine on the lan that poses as a container, or as the host.

use std::net::{IpAddr, SocketAddr};

use bridgework::EndpointConfig;

use crate::attack::{Attack, held};
use crate::frames::{Tap, in_frame, udp, wire};
use crate::lab::packet::echo;
use crate::probe::{Kind, all_answered, targets};
use crate::world::{Ground, Guard, Place, World};

/// A datagram from the lan in the name of `from`, with which a container would trust another.
fn posing(world: &World, from: IpAddr, to: IpAddr, port: u16) -> Vec<u8> {
    let packet = udp(
        SocketAddr::new(from, 4000),
        SocketAddr::new(to, port),
        b"trust me",
    );
    in_frame(world.a.mac(), world.a.host_mac().octets(), &packet)
}

#[test]
fn a_machine_on_the_lan_is_not_taken_for_a_container() {
    held(|guard| {
        let config = EndpointConfig::new().publish("8080:80/udp");
        let world = World::with(Ground::new(guard), config);
        let tap = Tap::at(&world.c1);
        let (host, wire) = (world.a.host_addresses(), wire(&world.a));
        let own = [world.c2.ipv4(), world.c2.ipv6()];
        let far = [world.c3.ipv4(), world.c3.ipv6()];
        for (from, to) in own.into_iter().zip(host).chain(far.into_iter().zip(host)) {
            wire.send(&posing(&world, from, to, 8080));
        }
        for at in host {
            assert_eq!(echo(world.a.at(), at), Ok(()));
        }
        for at in world.c1.addresses() {
            assert_eq!(echo(world.netns(), at), Ok(()));
        }
        let came = tap.count(|frame| frame.has_udp_payload(b"trust me"));
        if guard == Guard::On {
            let _server = world.c1.serve(80);
            let udp = targets(&[Kind::Udp], &host, 8080);
            all_answered(world.a.at(), &udp);
            assert_eq!(came, 0);
        }
        Attack::of(["both families, both networks"], |_| came > 0)
    });
}

/// Nor is it to the host's own services.
#[test]
fn nor_by_the_host() {
    held(|guard| {
        let world = World::new(guard);
        let host = world.a.host_addresses();
        let server = crate::serve::Server::open(world.netns(), "H", &host, 80);
        let (own, wire) = ([world.c2.ipv4(), world.c2.ipv6()], wire(&world.a));
        for (from, to) in own.into_iter().zip(host) {
            wire.send(&posing(&world, from, to, 80));
        }
        // what is asked after is heard after
        all_answered(world.a.at(), &targets(&[Kind::Udp], &host, 80));
        let heard = server.heard();
        Attack::of(own, |own| heard.iter().any(|(_, from)| from.ip() == *own))
    });
}
