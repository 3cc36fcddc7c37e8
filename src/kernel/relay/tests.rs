//! On a real kernel, each in a namespace of its own, one at a time: what is left of one is counted
//! in the whole process.

mod datagrams;
mod leftovers;
mod streams;

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::MutexGuard;
use std::time::{Duration, Instant};

use socket2::SockRef;

use super::limits::Limits;
use super::{Relay, RelayScope, Relayed};
use crate::addr::{LinkIndex, Protocol};
use crate::kernel::{Choice, FaultInjector, HeldPort, HostPorts, Kernel, Netns, Wish, alone};
use crate::plan::{Link, Plan, Side, Step};

/// How long anything that comes at all may take to come.
const DEADLINE: Duration = Duration::from_secs(20);

/// How long is waited for what shall not come.
const PATIENCE: Duration = Duration::from_millis(100);

/// A host with a relay and nothing else. Its `lo` has an address that is not the loopback one.
struct Ground {
    netns: Netns,
    ports: HostPorts,
    relay: Relay,
    _turn: MutexGuard<'static, ()>,
}

const FAR_FROM_LOOPBACK: &str = "fd00::1";

/// Each differs from ::1 in another word of 32 bits.
const ALMOST_LOOPBACK: [&str; 3] = ["0:0:1::1", "::1:0:1", "::2"];

impl Ground {
    fn new() -> Self {
        Self::with_limits(Limits::of_process())
    }

    fn with_limits(limits: Limits) -> Self {
        let turn = alone();
        let netns = Netns::create().expect("a namespace");
        let kernel = Kernel::new(netns.clone()).expect("its kernel");
        let index = LinkIndex::new(1).expect("the index of lo");
        let link = Link::new(Side::Host, "lo".parse().unwrap(), index);
        let addresses = ALMOST_LOOPBACK.iter().chain([&FAR_FROM_LOOPBACK]);
        let addresses = addresses.map(|address| Step::AddAddress {
            link: link.clone(),
            address: format!("{address}/128").parse().unwrap(),
        });
        let up = Step::SetUp { link: link.clone() };
        let plan = Plan::from_iter([up].into_iter().chain(addresses));
        kernel.apply(&plan, None).expect("lo is up");
        Self {
            ports: HostPorts::new(netns.clone(), FaultInjector::new()),
            relay: Relay::with_limits(netns.clone(), limits),
            netns,
            _turn: turn,
        }
    }

    fn hold(&self, protocol: Protocol) -> HeldPort {
        let wish = Wish {
            container: "web".parse().unwrap(),
            addresses: vec!["0.0.0.0".parse().unwrap(), "::".parse().unwrap()],
            protocol,
            ports: Choice::All("8080".parse().unwrap()),
        };
        let mut all = self.ports.hold(&[wish]).expect("the port is free");
        all.remove(0).remove(0)
    }

    fn serve(&self, held: &HeldPort, scope: RelayScope, target: SocketAddr) -> Relayed {
        let relayed = self.relay.serve(held, scope, target);
        relayed.expect("it is relayed")
    }

    /// Something that listens inside, and where.
    fn listener(&self) -> (TcpListener, SocketAddr) {
        let listener = self.netns.run(|| TcpListener::bind("127.0.0.1:0"));
        let listener = listener.unwrap().unwrap();
        // accept(2) goes by it as well
        let timeout = SockRef::from(&listener).set_read_timeout(Some(DEADLINE));
        timeout.unwrap();
        let at = listener.local_addr().unwrap();
        (listener, at)
    }

    fn receiver(&self) -> (UdpSocket, SocketAddr) {
        let socket = self.netns.run(|| UdpSocket::bind("127.0.0.1:0"));
        let socket = socket.unwrap().unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let at = socket.local_addr().unwrap();
        (socket, at)
    }

    fn connect(&self, host: &str) -> std::io::Result<TcpStream> {
        let patience = match host {
            "::1" => DEADLINE,
            _ => PATIENCE,
        };
        let at = SocketAddr::new(host.parse().unwrap(), 8080);
        let connected = self
            .netns
            .run(|| TcpStream::connect_timeout(&at, patience))
            .unwrap()?;
        connected.set_read_timeout(Some(DEADLINE))?;
        connected.set_write_timeout(Some(DEADLINE))?;
        Ok(connected)
    }

    /// A socket that talks with the port at `host`.
    fn talker(&self, host: &str) -> UdpSocket {
        let host: std::net::IpAddr = host.parse().unwrap();
        let socket = self.netns.run(|| UdpSocket::bind(SocketAddr::new(host, 0)));
        let socket = socket.unwrap().unwrap();
        socket.connect(SocketAddr::new(host, 8080)).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        socket
    }

    /// The sockets of the namespace that somebody has open.
    fn sockets(&self) -> usize {
        let count = |list: &str| {
            let text = std::fs::read_to_string(format!("/proc/thread-self/net/{list}")).unwrap();
            let inodes = text
                .lines()
                .skip(1)
                .map(|line| line.split_whitespace().nth(9));
            inodes.filter(|inode| *inode != Some("0")).count()
        };
        let lists = ["tcp", "tcp6", "udp", "udp6"];
        self.netns.run(|| lists.map(count).iter().sum()).unwrap()
    }
}

/// A client and the connection that the container got for it.
fn pair(ground: &Ground, listener: &TcpListener) -> (TcpStream, TcpStream) {
    let client = ground.connect("::1").expect("the relay answers");
    let (server, _) = listener.accept().expect("it comes through");
    server.set_read_timeout(Some(DEADLINE)).unwrap();
    server.set_write_timeout(Some(DEADLINE)).unwrap();
    (client, server)
}

fn read_byte(stream: &mut TcpStream) -> u8 {
    let mut byte = [0];
    stream.read_exact(&mut byte).expect("a byte comes");
    byte[0]
}

fn wait_until(what: &str, mut met: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !met() {
        assert!(Instant::now() < deadline, "{what} did not come to be");
        std::thread::yield_now();
    }
}
