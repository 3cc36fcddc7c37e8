//! What goes on while a host is put in order: no datagram of anybody is lost by it, and nothing is
//! written anew. `RECORDS_CONTAINERS` says how many containers there are (default: 20).

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

use bridgework::{Container, EndpointConfig, Netns, NetworkConfig};

use crate::lab::{self, DEADLINE};
use crate::recovered::Ground;

const AT: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// Who answers every datagram, or asks one question after the other, until it is dropped.
struct Busy {
    turns: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Busy {
    /// Does `turn` time and again.
    fn start(mut turn: impl FnMut() + Send + 'static) -> Self {
        let (turns, stop) = (Arc::<AtomicU64>::default(), Arc::<AtomicBool>::default());
        let (count, stopped) = (Arc::clone(&turns), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                turn();
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Self {
            turns,
            stop,
            thread: Some(thread),
        }
    }

    /// Echoes what comes to a port.
    fn echo(netns: &Netns, port: u16) -> Self {
        let socket = open(netns, SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port));
        let mut buffer = [0; 64];
        Self::start(move || {
            if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                socket.send_to(&buffer[..length], from).unwrap();
            }
        })
    }

    /// Asks by one socket: one flow.
    fn ask(from: &Netns, to: SocketAddr) -> Self {
        let socket = open(from, any());
        Self::start(move || ask(&socket, to))
    }

    /// Asks by a new one each time: flows that nobody has seen before.
    fn ask_anew(from: &Netns, to: SocketAddr) -> Self {
        let from = from.clone();
        Self::start(move || ask(&open(&from, any()), to))
    }

    fn turns(&self) -> u64 {
        self.turns.load(Ordering::Relaxed)
    }

    /// Waits until there are so many more.
    fn await_more(&self, count: u64) {
        let before = self.turns();
        lab::wait_until("all goes on", || self.turns() >= before + count);
    }

    /// Panics where a question was not answered.
    fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

fn any() -> SocketAddr {
    SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), 0)
}

fn open(netns: &Netns, at: SocketAddr) -> UdpSocket {
    let socket = netns.run(|| UdpSocket::bind(at)).unwrap().unwrap();
    let patience = DEADLINE / 10;
    socket.set_read_timeout(Some(patience)).unwrap();
    socket
}

/// One question, which is not repeated.
fn ask(socket: &UdpSocket, to: SocketAddr) {
    let mut buffer = [0; 64];
    socket.send_to(b"who is there", to).unwrap();
    let answered = socket.recv_from(&mut buffer);
    assert_eq!(answered.expect("an answer").0, b"who is there".len());
}

/// Containers that a process has left, each with a port.
fn leave_containers(ground: &Ground) -> Vec<Container> {
    let count = std::env::var("RECORDS_CONTAINERS").ok();
    let count = count.map_or(20, |text| text.parse().expect("a number"));
    let containers = (0..count).map(|n| lab::container(&format!("c{n}")));
    let containers: Vec<Container> = containers.collect();
    let wide = NetworkConfig::bridge("web").subnet("10.89.0.0/16");
    ground.die_after(|host| {
        let network = host.create_network(wide).unwrap();
        for (n, container) in containers.iter().enumerate() {
            let port = format!("{}:80/udp", 8_000 + n);
            let config = EndpointConfig::new().publish(port.as_str());
            let endpoint = network.connect_with(container, config).unwrap();
            endpoint.persist().unwrap();
        }
    });
    containers
}

#[test]
fn a_recovery_loses_no_datagram_of_old_and_new_flows_and_changes_nothing() {
    let ground = Ground::new();
    let containers = leave_containers(&ground);
    let host = ground.open();
    let (wire, neighbour) = lab::neighbour(&host, "lan0");
    wire.far()
        .add_address("192.0.2.2/24".parse().unwrap())
        .unwrap();
    host.repair().unwrap();
    let server = host.network("web").unwrap().endpoints();
    let server = server.iter().find(|spec| spec.container.as_str() == "c0");
    let inside = SocketAddr::new(
        server.unwrap().addresses().next().unwrap().address.addr(),
        80,
    );
    let published = SocketAddr::new(AT, 8_000);

    let servers = Busy::echo(containers[0].netns(), 80);
    let flows = [
        Busy::ask(neighbour.netns(), published),
        Busy::ask_anew(neighbour.netns(), published),
        Busy::ask(containers[1].netns(), inside),
        Busy::ask_anew(containers[2].netns(), inside),
    ];
    flows.iter().for_each(|flow| flow.await_more(10));
    // the neighbour's wire is new
    lab::wait_until("all addresses are in service", || {
        !ground.look()[1].contains("tentative")
    });
    let before = ground.look();
    for _ in 0..30 {
        assert!(host.recover().unwrap().is_empty());
    }
    assert_eq!(difference(&ground.look(), &before), None);

    for round in 0..5 {
        ground.die_after(|host| {
            let network = host.network("web").unwrap();
            let port = format!("{}:80/udp", 9_000 + round);
            let config = EndpointConfig::new().publish(port.as_str());
            let dying = lab::container("dying");
            (network.connect_with(&dying, config).unwrap(), dying)
        });
        assert_eq!(host.recover().unwrap().taken_back.len(), 1);
        flows.iter().for_each(|flow| flow.await_more(10));
    }
    assert_eq!(difference(&ground.look(), &before), None);
    flows.into_iter().for_each(Busy::end);
    servers.end();
}

/// Where two looks differ first, with what is around it.
pub fn difference(now: &[String], before: &[String]) -> Option<[String; 2]> {
    let (now, before) = now.iter().zip(before).find(|(now, before)| now != before)?;
    let same = now.bytes().zip(before.bytes()).take_while(|(a, b)| a == b);
    let from = same.count().saturating_sub(200);
    let around = |text: &str| text.chars().skip(from).take(400).collect();
    Some([around(now), around(before)])
}
