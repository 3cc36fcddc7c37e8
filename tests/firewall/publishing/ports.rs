//! Which ports of the host's: ranges, chosen ones, exposed ones, and the address of the network's.

use bridgework::{Endpoint, EndpointConfig};

use super::{assert_reaches, assert_silent, both, host_ports, published, tcp};
use crate::probe::{Kind, TRANSPORTS, targets};
use crate::serve::Server;
use crate::text::set_sysctl;
use crate::world::{Ground, Guard, Place, World};

fn connect(ground: &Ground, number: u8, config: EndpointConfig) -> Endpoint {
    let network = ground.network(number, |config| config);
    ground.connect(&network, &format!("C{number}"), config)
}

#[test]
fn as_many_ports_of_the_hosts_lead_each_to_its_own() {
    let world = World::with(Ground::new(Guard::On), both("8000-8002:80-82"));
    for port in 80..=82 {
        let name = format!("port{port}");
        let _server = Server::open(world.c1.at(), &name, &world.c1.addresses(), port);
        let all = targets(&TRANSPORTS, &world.a.host_addresses(), 7920 + port);
        assert_reaches(&world.a, &all, &name);
    }
}

#[test]
fn of_several_for_one_the_first_that_is_free_is_taken() {
    let ground = Ground::new(Guard::On);
    let taken = Server::open(ground.netns(), "H", &ground.a.host_addresses(), 9000);
    let places: Vec<_> = (1..=2)
        .map(|number| connect(&ground, number, both("9000-9003:80")))
        .collect();
    let servers: Vec<_> = places.iter().map(|place| place.serve(80)).collect();
    for (place, port) in places.iter().zip([9001, 9002]) {
        assert_eq!(host_ports(place, Kind::Tcp, 80), [port]);
        let all = targets(&TRANSPORTS, &ground.a.host_addresses(), port);
        assert_reaches(&ground.a, &all, place.name());
    }
    let own = targets(&TRANSPORTS, &ground.a.host_addresses(), 9000);
    assert_reaches(&ground.a, &own, "H");
    drop((servers, taken));
}

#[test]
fn a_port_that_nobody_names_is_one_of_the_kernels_own_that_is_not_reserved() {
    let ground = Ground::after(Guard::On, |netns| {
        set_sysctl(netns, "ipv4.ip_local_port_range", "40000 40003");
        set_sysctl(netns, "ipv4.ip_local_reserved_ports", "40001");
    });
    let mut found = Vec::new();
    let places: Vec<_> = (1..=3)
        .map(|number| connect(&ground, number, EndpointConfig::new().publish("80")))
        .collect();
    for place in &places {
        let _server = place.serve(80);
        let ports = host_ports(place, Kind::Tcp, 80);
        assert_eq!(
            ports.len(),
            1,
            "the same for both families: {:?}",
            published(place)
        );
        let all = targets(&TRANSPORTS[..1], &ground.a.host_addresses(), ports[0]);
        assert_reaches(&ground.a, &all, place.name());
        found.extend(ports);
    }
    found.sort_unstable();
    assert_eq!(found, [40000, 40002, 40003]);
    let network = ground.network(4, |config| config);
    let container = crate::lab::container("C4");
    let none = network.connect_with(&container, EndpointConfig::new().publish("80"));
    let error = none.expect_err("no port is left");
    assert!(error.is_exhausted(), "{error}");
    assert!(
        error.to_string().contains("all ports are allocated"),
        "{error}"
    );
}

#[test]
fn exposed_ports_are_published_only_if_that_is_asked_for() {
    let ground = Ground::new(Guard::On);
    let exposed = || EndpointConfig::new().expose("80").expose("53/udp");
    let shown = connect(&ground, 1, exposed());
    assert_eq!(published(&shown), Vec::<String>::new());
    let all = connect(&ground, 2, exposed().publish_exposed());
    let (_web, _names) = (all.serve(80), all.serve(53));
    for (kind, port) in [(Kind::Tcp, 80), (Kind::Udp, 53)] {
        let ports = host_ports(&all, kind, port);
        assert_eq!(ports.len(), 1, "{:?}", published(&all));
        let asked = targets(&[kind], &ground.a.host_addresses(), ports[0]);
        assert_reaches(&ground.a, &asked, "C2");
    }
    let other = host_ports(&all, Kind::Udp, 80);
    assert!(other.is_empty(), "not the other transport: {other:?}");
}

#[test]
fn a_network_may_say_which_address_of_the_hosts() {
    let ground = Ground::new(Guard::On);
    let [ipv4, ipv6] = ground.a.host_addresses();
    let config = crate::world::dual(3).host_binding(ipv4);
    let network = ground.host.create_network(config).expect("a network");
    let one = ground.connect(&network, "C3", EndpointConfig::new().publish("8080:80"));
    let _server = one.serve(80);
    assert_reaches(&ground.a, &[tcp(ipv4, 8080)], "C3");
    assert_silent(&ground.a, &[tcp(ipv6, 8080)]);
    assert_eq!(published(&one), [format!("{ipv4}:8080->80/tcp")]);
}

/// The kernel has no SCTP sockets everywhere; the filter knows its packets nevertheless.
#[test]
fn sctp_is_led_to_the_container_too() {
    use crate::frames::{SCTP, Tap, in_frame, sctp, wire};
    let world = World::publishing(Guard::On, "8080:80/sctp");
    let tap = Tap::at(&world.c1);
    let at = |address, port| std::net::SocketAddr::new(address, port);
    let wire = wire(&world.a);
    let families = Place::addresses(&world.a)
        .into_iter()
        .zip(world.a.host_addresses());
    for (from, to) in families.clone() {
        let packet = sctp(at(from, 40_000), at(to, 8080));
        wire.send(&in_frame(
            world.a.mac(),
            world.a.host_mac().octets(),
            &packet,
        ));
        let other = sctp(at(from, 40_000), at(to, 8081));
        wire.send(&in_frame(
            world.a.mac(),
            world.a.host_mac().octets(),
            &other,
        ));
    }
    for address in world.c1.addresses() {
        assert_eq!(crate::lab::packet::echo(world.netns(), address), Ok(()));
    }
    let frames = tap.frames();
    let came = |from| {
        let of = |frame: &&crate::lab::packet::Frame| {
            let protocol = if frame.0[12..14] == [8, 0] {
                frame.0[23]
            } else {
                frame.0[20]
            };
            crate::frames::addresses(frame).is_some_and(|(source, _)| source == from)
                && protocol == SCTP
        };
        frames.iter().filter(of).count()
    };
    for (from, _) in families {
        assert_eq!(came(from), 1, "from {from}");
    }
    let sockets = std::fs::read_to_string("/proc/net/protocols").expect("protocols");
    if !sockets.contains("SCTP") {
        eprintln!("NOT TESTED: SCTP by sockets: this kernel has none; one packet each way was");
    }
}
