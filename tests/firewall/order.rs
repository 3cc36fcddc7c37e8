//! Connect and disconnect under attack: the first packet out is filtered already, and the last one
//! still is.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use bridgework::{Container, EndpointConfig, MacAddr, Netns};
use nix::net::if_::if_nametoindex;

use crate::attack::{Attack, held};
use crate::frames::{Watch, addresses, in_frame, udp};
use crate::lab::packet::{Frame, Wire};
use crate::lab::{self, wait_until};
use crate::probe::{TRANSPORTS, all_answered, targets};
use crate::steady::{Steady, datagrams};
use crate::text::{ip, run};
use crate::world::{Ground, Guard, Neighbour, Place, World, forward_everything};

const ROUNDS: usize = 10;

/// Sends as fast as it can, from before the container has a link.
struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Flood {
    /// `act` is called again and again inside the namespace, and says whether it has sent.
    fn start(inside: &Netns, acts: Vec<Box<dyn FnMut() -> bool + Send>>) -> Self {
        let (stop, sent) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicU64::new(0)),
        );
        let threads = acts.into_iter().map(|mut act| {
            let (stop, sent, inside) = (Arc::clone(&stop), Arc::clone(&sent), inside.clone());
            let body = move || {
                while !stop.load(Ordering::Relaxed) {
                    if act() {
                        sent.fetch_add(1, Ordering::Relaxed);
                    }
                    // a few thousand a second are enough, and leave something for others
                    std::thread::sleep(Duration::from_micros(400));
                }
            };
            std::thread::spawn(move || inside.run(body).expect("inside the namespace"))
        });
        Self {
            threads: threads.collect(),
            stop,
            sent,
        }
    }

    fn await_more(&self, count: u64) {
        let before = self.sent.load(Ordering::Relaxed);
        wait_until("a flood", || {
            self.sent.load(Ordering::Relaxed) >= before + count
        });
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let ended = thread.join();
            assert!(
                ended.is_ok() || std::thread::panicking(),
                "the flood has failed"
            );
        }
    }
}

/// Datagrams by the kernel's own ways, to all of `to` in turn.
fn datagrams_to(inside: &Netns, to: Vec<IpAddr>) -> Box<dyn FnMut() -> bool + Send> {
    let open = || ["0.0.0.0:0", "[::]:0"].map(|any| UdpSocket::bind(any).unwrap());
    let [ipv4, ipv6] = inside.run(open).expect("inside");
    let mut number = 0;
    Box::new(move || {
        number += 1;
        let to = SocketAddr::new(to[number % to.len()], 9);
        let socket = if to.is_ipv4() { &ipv4 } else { &ipv6 };
        socket.send_to(b"too early", to).is_ok()
    })
}

/// Frames with the source addresses of another, as soon as there is a link.
fn frames_of(inside: &Netns, frames: Vec<Vec<u8>>) -> Box<dyn FnMut() -> bool + Send> {
    let inside = inside.clone();
    let mut wire: Option<(u32, Wire)> = None;
    let mut number = 0;
    Box::new(move || {
        let Ok(index) = if_nametoindex("eth0") else {
            return false;
        };
        if wire.as_ref().is_none_or(|(of, _)| *of != index) {
            wire = Some((index, Wire::open(&inside, index)));
        }
        number += 1;
        let (_, wire) = wire.as_ref().expect("it was opened");
        wire.try_send(&frames[number % frames.len()])
    })
}

/// A round: the container comes and goes while it floods.
fn come_and_go(world: &World, container: &Container, flood: &Flood) {
    let endpoint = world
        .n1
        .connect_with(container, EndpointConfig::new())
        .expect("an endpoint");
    world.settle();
    flood.await_more(20);
    endpoint.disconnect().expect("the end");
}

#[test]
fn a_container_that_floods_as_it_comes_and_goes_reaches_no_other_network() {
    held(|guard| {
        let world = World::new(guard);
        let container = lab::container("flooding");
        let before = datagrams(world.c3.at());
        let act = datagrams_to(container.netns(), world.c3.addresses());
        let flood = Flood::start(container.netns(), vec![act]);
        for _ in 0..ROUNDS {
            come_and_go(&world, &container, &flood);
        }
        drop(flood);
        Attack::of(["a datagram"], |_| datagrams(world.c3.at()) > before)
    });
}

#[test]
fn a_container_that_forges_as_it_comes_and_goes_is_never_taken_for_another() {
    held(|guard| {
        let world = World::new(guard);
        let container = lab::container("forging");
        let spec = world.n1.spec();
        let own = MacAddr::new([2, 0, 0, 0, 9, 9]).unwrap();
        let at = |address| SocketAddr::new(address, 9);
        let lan = Neighbour::addresses(&world.a);
        let pairs = [
            (world.c2.ipv4(), world.c1.ipv4(), world.c1.mac()),
            (world.c2.ipv6(), world.c1.ipv6(), world.c1.mac()),
            (world.c2.ipv4(), lan[0], spec.mac),
            (world.c2.ipv6(), lan[1], spec.mac),
        ];
        let frame = |(from, to, mac): (IpAddr, IpAddr, MacAddr)| {
            in_frame(own, mac.octets(), &udp(at(from), at(to), b"forged"))
        };
        let act = frames_of(container.netns(), pairs.map(frame).to_vec());
        let forged = |frame: &Frame| frame.has_udp_payload(b"forged");
        let (near, far) = (Watch::at(&world.c1, forged), Watch::at(&world.a, forged));
        let flood = Flood::start(container.netns(), vec![act]);
        for _ in 0..ROUNDS {
            come_and_go(&world, &container, &flood);
        }
        drop(flood);
        let came = [("a container", near.end()), ("the lan", far.end())];
        let through = came.iter().filter(|(_, count)| *count > 0);
        Attack {
            through: through.map(|(place, _)| *place).collect(),
            tried: came.iter().map(|(place, _)| *place).collect(),
        }
    });
}

/// Whether a frame bears an address of a container's network, from it or to it.
fn is_of_a_container(frame: &Frame) -> bool {
    let of = |address: IpAddr| match address {
        IpAddr::V4(address) => address.octets()[..2] == [10, 1],
        IpAddr::V6(address) => address.octets()[..4] == [0xfd, 0, 0, 1],
    };
    addresses(frame).is_some_and(|(from, to)| of(from) || of(to))
}

#[test]
fn the_lan_never_sees_a_containers_address_while_it_comes_and_goes() {
    held(|guard| {
        let ground = Ground::new(guard);
        let network = ground.network(1, |config| config);
        if guard == Guard::Off {
            // a router that translates nothing
            forward_everything(ground.netns());
        }
        let container = lab::container("flooding");
        let act = datagrams_to(container.netns(), Place::addresses(&ground.a));
        let watch = Watch::at(&ground.a, is_of_a_container);
        let before = datagrams(ground.a.at());
        let flood = Flood::start(container.netns(), vec![act]);
        for _ in 0..ROUNDS {
            let endpoint = network.connect(&container).expect("an endpoint");
            if guard == Guard::On {
                ground.settle();
            }
            flood.await_more(20);
            endpoint.disconnect().expect("the end");
        }
        drop(flood);
        assert!(datagrams(ground.a.at()) > before, "something came at all");
        let leaked = watch.end();
        Attack::of(["a frame"], |_| leaked > 0)
    });
}

/// The host's default route leads to the lan: what is still translated when the way to the
/// container is gone would go there.
#[test]
fn what_comes_to_a_published_port_never_goes_astray_when_the_container_goes() {
    held(|guard| {
        let (ground, b) = Ground::between_two(guard);
        let [ipv4, ipv6] = Neighbour::addresses(&ground.a);
        ip(
            ground.netns(),
            &format!("route add default via {ipv4}\nroute add default via {ipv6}\n"),
        );
        let watch = Watch::at(&ground.a, is_of_a_container);
        let at = b
            .host_addresses()
            .map(|at| SocketAddr::new(at, 8080))
            .to_vec();
        let mut probes = None;
        for round in 0..3 {
            let network = ground.network(1, |config| config);
            let config = EndpointConfig::new().publish("8080:9/udp");
            let endpoint = ground.connect(&network, &format!("C{round}"), config);
            ground.settle();
            let before = datagrams(endpoint.at());
            let probes = probes.get_or_insert_with(|| Steady::start_at(b.at(), at.clone(), 1));
            wait_until("a published port", || datagrams(endpoint.at()) > before);
            match guard {
                Guard::On => endpoint.disconnect().expect("the end"),
                // the link first, and the port after
                Guard::Off => run(ground.netns(), "ip", &["link", "del", "br1"], "").clear(),
            }
            probes.await_more(20);
            if guard == Guard::On {
                network.remove().expect("the end");
                probes.await_more(20);
            } else {
                break;
            }
        }
        drop(probes);
        let astray = watch.end();
        Attack::of(["a frame"], |_| astray > 0)
    });
}

#[test]
fn a_container_that_has_come_is_reached_at_once() {
    let world = World::new(Guard::On);
    for round in 0..3 {
        let config = EndpointConfig::new().publish("8080:80");
        let endpoint = world.connect(&world.n1, &format!("D{round}"), config);
        world.settle();
        let _server = endpoint.serve(80);
        all_answered(
            world.a.at(),
            &targets(&TRANSPORTS[..1], &world.a.host_addresses(), 8080),
        );
        endpoint.disconnect().expect("the end");
    }
}
