//! Ports that move: from container to container under a client that never stops, and with the
//! container's default route.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use bridgework::{EndpointConfig, EventKind, NetworkConfig};

use super::{assert_reaches, assert_silent, both, published};
use crate::lab::{DEADLINE, wait_until};
use crate::probe::{TRANSPORTS, all_answered, targets};
use crate::serve::Server;
use crate::steady::{Steady, datagrams, datagrams_of_each_family};
use crate::world::{Ground, Guard, Place, World};

/// A client that keeps its port, as those do that keep a flow alive.
pub struct Client(UdpSocket);

impl Client {
    pub fn of(place: &impl Place, to: SocketAddr) -> Self {
        let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = place
            .at()
            .run(|| UdpSocket::bind(any))
            .expect("inside")
            .expect("a socket");
        socket.connect(to).expect("a way");
        socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        Self(socket)
    }

    /// Who answers one datagram.
    pub fn ask(&self) -> String {
        self.tell();
        let (by, _) = self.answer();
        by
    }

    /// Sends one datagram. What came of an earlier one does not matter.
    pub fn tell(&self) {
        let told = || self.0.send(b"who is there");
        told().or_else(|_| told()).expect("sent");
    }

    /// As whom it is seen by who answers the last one of all that it has sent.
    pub fn last_seen(&self) -> IpAddr {
        let earlier = Duration::from_millis(100);
        self.0.set_read_timeout(Some(earlier)).expect("a timeout");
        while self.0.recv(&mut [0; 64]).is_ok() {}
        self.0.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        self.tell();
        let (_, seen) = self.answer();
        seen.parse().expect("an address")
    }

    fn answer(&self) -> (String, String) {
        let mut buffer = [0; 64];
        let length = self.0.recv(&mut buffer).expect("an answer");
        let text = std::str::from_utf8(&buffer[..length]).expect("text");
        let (by, seen) = text.split_once(' ').expect("who, and whom it saw");
        (by.to_owned(), seen.to_owned())
    }
}

#[test]
fn the_next_datagram_goes_to_the_container_that_has_the_port_now() {
    let world = World::new(Guard::On);
    let (_one, _two, _three) = (world.c1.serve(53), world.c2.serve(53), world.c3.serve(53));
    for at in world.a.host_addresses() {
        world.c1.publish("8053:53/udp").expect("published");
        world.c1.publish("8054:53/udp").expect("published");
        let (client, other) = (
            Client::of(&world.a, SocketAddr::new(at, 8053)),
            Client::of(&world.a, SocketAddr::new(at, 8054)),
        );
        let mut before = &world.c1;
        for next in [&world.c2, &world.c3, &world.c1, &world.c3] {
            assert_eq!(
                (client.ask(), other.ask()),
                (before.name().into(), "C1".into())
            );
            before.unpublish("8053:53/udp").expect("unpublished");
            next.publish("8053:53/udp").expect("published");
            assert_eq!(client.ask(), next.name(), "the next datagram");
            assert_eq!(other.ask(), "C1", "other flows stay");
            before = next;
        }
        before.unpublish("8053:53/udp").expect("unpublished");
        world.c1.unpublish("8054:53/udp").expect("unpublished");
    }
}

#[test]
fn a_client_that_asked_before_there_was_a_port_is_answered_once_there_is() {
    let world = World::new(Guard::On);
    let _server = world.c1.serve(53);
    for at in world.a.host_addresses() {
        let client = Client::of(&world.a, SocketAddr::new(at, 8053));
        let _refused = client.0.send(b"too early");
        // its flow is known now, as one to the host itself
        let gone = Client::of(&world.a, SocketAddr::new(at, 8053));
        let _refused = gone.0.send(b"too early");
        world.c1.publish("8053:53/udp").expect("published");
        let answered = (0..3).find_map(|_| {
            // one answer is that to the datagram that came too early
            let _told = client.0.send(b"who is there");
            let mut buffer = [0; 64];
            client
                .0
                .recv(&mut buffer)
                .ok()
                .map(|length| buffer[..length].to_vec())
        });
        let text = String::from_utf8(answered.expect("an answer")).expect("text");
        assert!(text.starts_with("C1 "), "{text}");
        world.c1.unpublish("8053:53/udp").expect("unpublished");
    }
}

#[test]
fn a_container_that_is_replaced_leaves_the_client_to_the_next() {
    let ground = Ground::new(Guard::On);
    let network = ground.network(1, |config| config);
    for at in ground.a.host_addresses() {
        let mut client: Option<Client> = None;
        for round in 0..4 {
            let name = format!("C{round}");
            let one = ground.connect(
                &network,
                &name,
                EndpointConfig::new().publish("8053:53/udp"),
            );
            let _server = one.serve(53);
            let client =
                client.get_or_insert_with(|| Client::of(&ground.a, SocketAddr::new(at, 8053)));
            assert_eq!(client.ask(), name);
            one.disconnect().expect("the end");
        }
    }
}

#[test]
fn ports_follow_the_default_route_from_network_to_network() {
    let ground = Ground::new(Guard::On);
    let (n1, n2) = (
        ground.network(1, |config| config),
        ground.network(2, |config| config),
    );
    let container = crate::lab::container("C");
    let first = n1
        .connect_with(&container, both("8080:80"))
        .expect("an endpoint");
    let all = targets(&TRANSPORTS, &ground.a.host_addresses(), 8080);
    let shown = published(&first);
    let server = first.serve(80);
    assert_reaches(&ground.a, &all, "C");
    drop(server);

    let preferred = EndpointConfig::new().priority(10);
    let second = n2.connect_with(&container, preferred).expect("an endpoint");
    let by_second = second.serve(80);
    assert_reaches(&ground.a, &all, "C");
    assert_eq!(
        (published(&first), published(&second)),
        (shown.clone(), shown.clone())
    );
    drop(by_second);

    second.disconnect().expect("the end");
    let by_first = first.serve(80);
    assert_reaches(&ground.a, &all, "C");
    assert_eq!(published(&first), shown);
    drop(by_first);
}

#[test]
fn ports_stay_when_the_network_that_they_came_with_goes() {
    let ground = Ground::new(Guard::On);
    let (n1, n2) = (
        ground.network(1, |config| config),
        ground.network(2, |config| config),
    );
    let container = crate::lab::container("C");
    let first = n1
        .connect_with(&container, both("8080:80"))
        .expect("an endpoint");
    let second = n2.connect(&container).expect("an endpoint");
    first.disconnect().expect("the end");
    let _server = second.serve(80);
    let all = targets(&TRANSPORTS, &ground.a.host_addresses(), 8080);
    assert_reaches(&ground.a, &all, "C");
}

#[test]
fn ports_move_between_networks_that_publish_at_other_addresses() {
    let ground = Ground::new(Guard::On);
    let near = ground.network(1, |config| config.host_binding([127, 0, 0, 1]));
    let far = ground.network(2, |config| config);
    let container = crate::lab::container("C");
    let first = near
        .connect_with(&container, both("8080:80"))
        .expect("an endpoint");
    let at_near = ["127.0.0.1:8080->80/tcp", "127.0.0.1:8080->80/udp"];
    assert_eq!(published(&first), at_near);
    let all = targets(&TRANSPORTS, &ground.a.host_addresses(), 8080);
    let local = targets(&TRANSPORTS, &[[127, 0, 0, 1].into()], 8080);
    for _ in 0..2 {
        let preferred = EndpointConfig::new().priority(10);
        let second = far
            .connect_with(&container, preferred)
            .expect("an endpoint");
        let everywhere = ["0.0.0.0:8080->80", "[::]:8080->80"];
        let everywhere = everywhere.map(|at| ["tcp", "udp"].map(|kind| format!("{at}/{kind}")));
        assert_eq!(published(&first), everywhere.concat());
        let by_second = second.serve(80);
        assert_reaches(&ground.a, &all, "C");
        all_answered(ground.netns(), &local);
        drop(by_second);
        second.disconnect().expect("the end");
        assert_eq!(published(&first), at_near);
        let _by_first = first.serve(80);
        assert_silent(&ground.a, &all);
        all_answered(ground.netns(), &local);
    }
    first.disconnect().expect("the end");
    let free = Server::open(ground.netns(), "H", &ground.a.host_addresses(), 8080);
    assert_reaches(&ground.a, &all, "H");
    drop(free);
}

#[test]
fn a_port_that_somebody_has_where_the_next_network_publishes_is_given_up_and_told_of() {
    let ground = Ground::new(Guard::On);
    let near = ground.network(1, |config| config.host_binding([127, 0, 0, 1]));
    let far = ground.network(2, |config| config);
    let container = crate::lab::container("C");
    let wish = EndpointConfig::new().publish("8080:80").publish("8081:80");
    let first = near.connect_with(&container, wish.priority(10)).unwrap();
    let second = far.connect(&container).unwrap();
    let bind = || std::net::TcpListener::bind("192.0.2.1:8080");
    let _somebody = ground.netns().run(bind).unwrap().expect("it is free");
    let events = ground.host.subscribe();
    first.disconnect().unwrap();
    let at_far = ["0.0.0.0:8081->80/tcp", "[::]:8081->80/tcp"];
    assert_eq!(published(&second), at_far);
    let told = std::iter::from_fn(|| events.try_recv().ok());
    let told: Vec<_> = told
        .filter_map(|event| match event.kind {
            EventKind::Unpublish { mapping, why, .. } => Some((mapping.to_string(), why)),
            _ => None,
        })
        .collect();
    let [(mapping, why)] = &told[..] else {
        panic!("{told:?}");
    };
    assert_eq!(mapping, "8080:80/tcp");
    assert!(
        why.contains("0.0.0.0:8080/tcp: address already in use by"),
        "{why}"
    );
}

/// What this process carries over is so at the addresses that are published alone.
#[test]
fn what_is_carried_over_moves_between_networks_that_publish_at_other_addresses() {
    let ground = Ground::new(Guard::On);
    let network = |number: u8, change: fn(NetworkConfig) -> NetworkConfig| {
        let config = NetworkConfig::bridge(format!("n{number}"));
        let config = config.subnet(format!("10.{number}.0.0/24").as_str());
        let made = ground.host.create_network(change(config));
        made.expect("a network")
    };
    let near = network(1, |config| config.host_binding(Ipv6Addr::LOCALHOST));
    let far = network(2, |config| config);
    let container = crate::lab::container("C");
    let first = near
        .connect_with(&container, both("8080:80"))
        .expect("an endpoint");
    let all = targets(&TRANSPORTS, &ground.a.host_addresses(), 8080);
    let local = targets(&TRANSPORTS, &[Ipv6Addr::LOCALHOST.into()], 8080);
    for _ in 0..2 {
        let by_first = first.serve(80);
        all_answered(ground.netns(), &local);
        assert_silent(&ground.a, &all);
        drop(by_first);
        let preferred = EndpointConfig::new().priority(10);
        let second = far
            .connect_with(&container, preferred)
            .expect("an endpoint");
        let _by_second = second.serve(80);
        assert_reaches(&ground.a, &all, "C");
        all_answered(ground.netns(), &local);
        second.disconnect().expect("the end");
    }
}

#[test]
fn a_network_that_publishes_at_all_addresses_of_ipv4_does_so_at_those_of_ipv6() {
    let ground = Ground::new(Guard::On);
    let network = ground.network(1, |config| config.host_binding(Ipv4Addr::UNSPECIFIED));
    let one = ground.connect(&network, "C", EndpointConfig::new().publish("8080:80"));
    let both = ["0.0.0.0:8080->80/tcp", "[::]:8080->80/tcp"];
    assert_eq!(published(&one), both);
    one.publish("0.0.0.0:8081:81").expect("published");
    assert!(!published(&one).contains(&"[::]:8081->81/tcp".to_owned()));
}

/// Some of its datagrams are on their way just as the port changes hands.
#[test]
fn a_client_that_never_stops_is_led_to_each_new_holder() {
    let world = World::new(Guard::On);
    let at = world.a.host_addresses().map(|at| SocketAddr::new(at, 8053));
    let steady = Steady::start_at(world.a.at(), at.to_vec(), 1);
    let places = [&world.c1, &world.c3];
    for round in 0..40 {
        let (next, other) = (places[round % 2], places[(round + 1) % 2]);
        next.publish("8053:9/udp").expect("published");
        let of_each = || datagrams_of_each_family(next.at());
        let (before, left) = (of_each(), datagrams(other.at()));
        wait_until("datagrams of both families", || {
            let now = of_each();
            now[0] > before[0] + 2 && now[1] > before[1] + 2
        });
        assert_eq!(datagrams(other.at()), left, "round {round}");
        next.unpublish("8053:9/udp").expect("unpublished");
    }
    drop(steady);
}
