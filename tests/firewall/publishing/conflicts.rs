//! A port of the host's is had by one alone, and who has it is said.

use bridgework::{EndpointConfig, Error};

use super::{assert_reaches, both, tcp};
use crate::lab;
use crate::probe::{TRANSPORTS, targets};
use crate::serve::Server;
use crate::world::{Ground, Guard, Place, World};

/// What a second container that wants `second` is told while a first one has `first`.
fn refusal(first: &str, second: &str) -> Option<Error> {
    let world = World::publishing(Guard::On, first);
    let container = lab::container("late");
    let wish = EndpointConfig::new().publish(second);
    let late = world.n2.connect_with(&container, wish);
    late.err()
}

#[test]
fn a_port_that_a_container_has_is_allocated() {
    let pairs = [
        ("8080:80", "8080:80"),
        ("8080:80", "8080:81"),
        ("8080:80", "192.0.2.1:8080:80"),
        ("192.0.2.1:8080:80", "8080:80"),
        ("8080:80", "[2001:db8:1::1]:8080:80"),
        ("[2001:db8:1::1]:8080:80", "8080:80"),
        ("192.0.2.1:8080:80", "0.0.0.0:8080:80"),
        ("127.0.0.1:8080:80", "8080:80"),
        ("8080:80/udp", "8080:80/udp"),
        ("8080-8082:80-82", "8082:80"),
    ];
    for (first, second) in pairs {
        let error = refusal(first, second).unwrap_or_else(|| panic!("{first} and {second}"));
        assert!(error.is_exists(), "{first} and {second}: {error}");
        let text = error.to_string();
        assert!(
            text.contains("port is already allocated to container C1"),
            "{first} and {second}: {text}"
        );
        assert!(error.left_behind().is_empty(), "{error}");
    }
}

#[test]
fn what_is_not_the_same_port_stands_beside_it() {
    let pairs = [
        ("8080:80/tcp", "8080:80/udp"),
        ("8080:80", "8081:80"),
        ("127.0.0.1:8080:80", "192.0.2.1:8080:80"),
        ("127.0.0.1:8080:80", "127.0.0.2:8080:80"),
        ("192.0.2.1:8080:80", "[2001:db8:1::1]:8080:80"),
        ("0.0.0.0:8080:80", "[::]:8080:80"),
        ("8080:80/tcp", "8080:80/sctp"),
    ];
    for (first, second) in pairs {
        let refused = refusal(first, second);
        assert!(refused.is_none(), "{first} and {second}: {refused:?}");
    }
}

#[test]
fn tcp_and_udp_of_one_number_may_lead_to_two_containers() {
    let world = World::publishing(Guard::On, "8080:80/tcp");
    let wish = EndpointConfig::new().publish("8080:80/udp");
    let other = world.connect(&world.n2, "other", wish);
    let (_one, _two) = (world.c1.serve(80), other.serve(80));
    for (kind, name) in TRANSPORTS.into_iter().zip(["C1", "other"]) {
        let all = targets(&[kind], &world.a.host_addresses(), 8080);
        assert_reaches(&world.a, &all, name);
    }
}

#[test]
fn two_addresses_of_one_number_may_lead_to_two_containers() {
    let world = World::publishing(Guard::On, "192.0.2.1:8080:80");
    let wish = EndpointConfig::new().publish("[2001:db8:1::1]:8080:80");
    let other = world.connect(&world.n2, "other", wish);
    let (_one, _two) = (world.c1.serve(80), other.serve(80));
    for (at, name) in world.a.host_addresses().into_iter().zip(["C1", "other"]) {
        assert_reaches(&world.a, &[tcp(at, 8080)], name);
    }
}

#[test]
fn a_port_that_a_process_has_is_in_use_and_the_process_is_named() {
    let ground = Ground::new(Guard::On);
    let own = Server::open(ground.netns(), "H", &ground.a.host_addresses(), 8080);
    let network = ground.network(1, |config| config);
    for ports in ["8080:80/tcp", "8080:80/udp", "192.0.2.1:8080:80/tcp"] {
        let container = lab::container("late");
        let late = network.connect_with(&container, EndpointConfig::new().publish(ports));
        let error = late.expect_err("the port is in use");
        assert!(error.is_exists(), "{ports}: {error}");
        let text = error.to_string();
        assert!(text.contains("address already in use"), "{ports}: {text}");
        let process = std::process::id().to_string();
        assert!(text.contains(&process), "the holder, {process}: {text}");
        assert!(network.endpoints().is_empty(), "nothing is left");
    }
    let all = targets(&TRANSPORTS, &ground.a.host_addresses(), 8080);
    assert_reaches(&ground.a, &all, "H");
    drop(own);
    let one = ground.connect(&network, "C1", both("8080:80"));
    let _server = one.serve(80);
    assert_reaches(&ground.a, &all, "C1");
}

#[test]
fn nobody_on_the_host_can_take_a_published_port() {
    let world = World::with(Ground::new(Guard::On), both("8080:80"));
    let bind = |at: &str| {
        let (tcp, udp) = world
            .netns()
            .run(|| {
                (
                    std::net::TcpListener::bind(at),
                    std::net::UdpSocket::bind(at),
                )
            })
            .expect("inside");
        (tcp.err().map(|e| e.kind()), udp.err().map(|e| e.kind()))
    };
    let in_use = Some(std::io::ErrorKind::AddrInUse);
    for at in [
        "0.0.0.0:8080",
        "[::]:8080",
        "127.0.0.1:8080",
        "192.0.2.1:8080",
    ] {
        assert_eq!(bind(at), (in_use, in_use), "{at}");
    }
}

#[test]
fn of_a_request_that_is_refused_no_port_is_kept() {
    let ground = Ground::new(Guard::On);
    let own = Server::open(ground.netns(), "H", &ground.a.host_addresses(), 8081);
    let network = ground.network(1, |config| config);
    let container = lab::container("C1");
    let late = network.connect_with(&container, both("8080-8082:80-82"));
    assert!(late.is_err());
    let free = Server::open(ground.netns(), "free", &ground.a.host_addresses(), 8080);
    let all = targets(&TRANSPORTS, &ground.a.host_addresses(), 8080);
    assert_reaches(&ground.a, &all, "free");
    drop((own, free));
}
