//! Ports that come and go while the container runs.

use std::io::{ErrorKind, Read};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};

use bridgework::EndpointConfig;

use super::{assert_reaches, assert_silent, host_ports, published, tcp};
use crate::lab::{DEADLINE, wait_until};
use crate::probe::{Kind, SHORT, TRANSPORTS, targets};
use crate::serve::Server;
use crate::world::{Ground, Guard, Place, World};

#[test]
fn a_running_container_publishes_and_unpublishes() {
    let world = World::new(Guard::On);
    let _server = world.c1.serve(80);
    let all = targets(&TRANSPORTS, &world.a.host_addresses(), 8080);
    assert_silent(&world.a, &all);
    for transport in ["tcp", "udp"] {
        let mapping = format!("8080:80/{transport}");
        let made = world.c1.publish(mapping.as_str()).expect("published");
        let texts: Vec<_> = made.iter().map(ToString::to_string).collect();
        let wanted = [
            format!("0.0.0.0:8080->80/{transport}"),
            format!("[::]:8080->80/{transport}"),
        ];
        assert_eq!(texts, wanted);
    }
    assert_reaches(&world.a, &all, "C1");
    for transport in ["tcp", "udp"] {
        world
            .c1
            .unpublish(format!("8080:80/{transport}").as_str())
            .expect("unpublished");
    }
    assert_eq!(published(&world.c1), Vec::<String>::new());
    assert_silent(&world.a, &all);
    let _free = Server::open(world.netns(), "H", &world.a.host_addresses(), 8080);
    assert_reaches(&world.a, &all, "H");
}

#[test]
fn to_unpublish_what_is_not_published_is_done() {
    let world = World::publishing(Guard::On, "8080:80");
    world.c1.unpublish("8081:80").expect("done");
    world.c1.unpublish("8080:80").expect("done");
    world.c1.unpublish("8080:80").expect("done again");
}

/// What leads from ports of all the host's addresses by IPv4, as `nft` sees it.
fn led(ground: &Ground) -> Option<usize> {
    let list = "nft -j list map inet bridgework published_any4";
    let text = crate::lab::output(ground.netns(), list)?;
    let listed: serde_json::Value = serde_json::from_str(&text).expect("json");
    let mut all = listed["nftables"].as_array().expect("a list").iter();
    let map = all.find_map(|item| item.get("map")).expect("a map");
    Some(map["elem"].as_array().map_or(0, Vec::len))
}

#[test]
fn a_mapping_that_is_given_twice_is_published_once_and_goes_whole() {
    let ground = Ground::new(Guard::On);
    let network = ground.network(1, |config| config);
    let twice = EndpointConfig::new().publish("80").publish("80");
    let one = ground.connect(&network, "C1", twice);
    assert_eq!(host_ports(&one, Kind::Tcp, 80).len(), 1);
    one.unpublish("80").expect("unpublished");
    assert_eq!(led(&ground).unwrap_or(0), 0);
    let same = EndpointConfig::new().publish("8080:80").publish("8080:80");
    let two = ground.connect(&network, "C2", same);
    assert_eq!(host_ports(&two, Kind::Tcp, 80), [8080]);
}

#[test]
fn a_port_is_published_again_at_once_by_another() {
    let world = World::new(Guard::On);
    let (_one, _three) = (world.c1.serve(80), world.c3.serve(80));
    let all = targets(&TRANSPORTS, &world.a.host_addresses(), 8080);
    for round in 0..10 {
        let (place, name) = match round % 2 {
            0 => (&world.c1, "C1"),
            _ => (&world.c3, "C3"),
        };
        place.publish("8080:80/tcp").expect("published");
        place.publish("8080:80/udp").expect("published");
        assert_reaches(&world.a, &all, name);
        place.unpublish("8080:80/tcp").expect("unpublished");
        place.unpublish("8080:80/udp").expect("unpublished");
    }
}

#[test]
fn a_container_that_goes_leaves_its_port_to_the_next_at_once() {
    let ground = Ground::new(Guard::On);
    let network = ground.network(1, |config| config);
    for round in 0..10 {
        let name = format!("C{round}");
        let one = ground.connect(&network, &name, EndpointConfig::new().publish("8080:80"));
        let _server = one.serve(80);
        for at in ground.a.host_addresses() {
            assert_reaches(&ground.a, &[tcp(at, 8080)], &name);
        }
        one.disconnect().expect("the end");
    }
}

/// What a client that asks again and again saw.
#[derive(Debug, Default)]
struct Asked {
    served: usize,
    refused: usize,
    /// The port went while they stood, and nothing came any more.
    left: usize,
    cut: Vec<String>,
}

/// Who asks until then stops, whatever happens.
struct Stopping<'s>(&'s AtomicBool);

impl Drop for Stopping<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn ask_until(stop: &AtomicBool, at: SocketAddr) -> Asked {
    let mut asked = Asked::default();
    while !stop.load(Ordering::Relaxed) {
        match TcpStream::connect_timeout(&at, SHORT) {
            Err(_) => asked.refused += 1,
            Ok(mut stream) => {
                stream.set_read_timeout(Some(SHORT)).expect("a timeout");
                let mut text = String::new();
                match stream.read_to_string(&mut text) {
                    Ok(_) if text.starts_with("C1 ") => asked.served += 1,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => asked.left += 1,
                    other => asked.cut.push(format!("{other:?} {text}")),
                }
            }
        }
    }
    asked
}

#[test]
fn no_connection_is_taken_and_then_cut_while_a_port_comes() {
    let world = World::new(Guard::On);
    let _server = world.c1.serve(80);
    let at = SocketAddr::new(world.a.host_addresses()[0], 8080);
    let stop = AtomicBool::new(false);
    let asked = std::thread::scope(|scope| {
        let inside = || world.a.at().run(|| ask_until(&stop, at)).expect("inside");
        let client = scope.spawn(inside);
        let stopping = Stopping(&stop);
        for _ in 0..10 {
            world.c1.publish("8080:80/tcp").expect("published");
            assert_reaches(&world.a, &[tcp(at.ip(), 8080)], "C1");
            world.c1.unpublish("8080:80/tcp").expect("unpublished");
        }
        drop(stopping);
        client.join().expect("a client")
    });
    assert_eq!(asked.cut, Vec::<String>::new());
    assert!(asked.served + asked.refused > 0, "{asked:?}");
    assert!(
        asked.left <= 10,
        "at most one for each time that the port went: {asked:?}"
    );
}

#[test]
fn a_connection_by_another_port_lives_on() {
    let world = World::publishing(Guard::On, "8080:80");
    let holding = world
        .c1
        .at()
        .run(|| std::net::TcpListener::bind(("0.0.0.0", 80)))
        .expect("inside")
        .expect("a listener");
    let at = SocketAddr::new(world.a.host_addresses()[0], 8080);
    let near = world
        .a
        .at()
        .run(|| TcpStream::connect_timeout(&at, DEADLINE));
    let mut near = near.expect("inside").expect("a connection");
    let (mut far, _) = holding.accept().expect("a client");
    world.c1.publish("8081:81").expect("published");
    world.c1.publish("8082:82/udp").expect("published");
    world.c1.unpublish("8081:81").expect("unpublished");
    let late = world.connect(&world.n1, "late", EndpointConfig::new().publish("8083:80"));
    late.disconnect().expect("the end");
    use std::io::Write;
    far.write_all(b"still here").expect("written");
    near.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    let mut buffer = [0; 10];
    near.read_exact(&mut buffer).expect("read");
    assert_eq!(&buffer, b"still here");
}

#[test]
fn what_was_asked_of_a_port_that_is_gone_is_answered_no_more() {
    let world = World::publishing(Guard::On, "8080:9/udp");
    let steady = {
        let at = world.a.host_addresses().map(|at| SocketAddr::new(at, 8080));
        crate::steady::Steady::start_at(world.a.at(), at.to_vec(), 1)
    };
    let came = || crate::steady::datagrams(world.c1.at());
    let before = came();
    wait_until("a datagram", || came() > before + 10);
    world.c1.unpublish("8080:9/udp").expect("unpublished");
    // what was on its way has come
    let gateway = world.n1.spec().ipv4.as_ref().unwrap().gateway.unwrap();
    assert_eq!(crate::lab::packet::echo(world.c1.at(), gateway), Ok(()));
    steady.await_more(3);
    let after = came();
    steady.await_more(200);
    assert_eq!(came(), after, "though the client never stops");
}
