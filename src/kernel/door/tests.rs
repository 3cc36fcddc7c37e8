//! On a real kernel, each in namespaces of its own.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};

use super::{Door, FIRST_PORT, LAST_PORT};
use crate::addr::{LinkIndex, Protocol};
use crate::errno::Errno;
use crate::error::{Fault, PortFault};
use crate::kernel::{FaultInjector, Kernel, Netns};
use crate::plan::{Link, Plan, Redirect, Side, Step};

const SERVER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const DEADLINE: Duration = Duration::from_secs(10);

/// A host, and a container with `lo` alone, down.
struct Ground {
    kernel: Kernel,
    injector: FaultInjector,
    container: Netns,
}

impl Ground {
    fn new() -> Self {
        let injector = FaultInjector::new();
        let host = Netns::create().expect("a host");
        let kernel = Kernel::with_injector(host, injector.clone()).expect("its kernel");
        Self {
            kernel,
            injector,
            container: Netns::create().expect("a container"),
        }
    }

    fn open(&self) -> Door {
        self.apply(vec![raise()]).expect("lo is up");
        let opened = self.kernel.open_door(&self.container, SERVER);
        opened.expect("a door")
    }

    fn apply(&self, steps: Vec<Step>) -> crate::error::Result<()> {
        let plan = Plan::from_iter(steps);
        self.kernel.apply(&plan, Some(&self.container))
    }

    fn redirect(&self, door: &Door) {
        let redirect = Redirect {
            server: SERVER,
            port: door.port,
        };
        let added = self.apply(vec![raise(), Step::AddRedirect(redirect)]);
        added.expect("a redirect");
    }

    fn inside<T: Send>(&self, act: impl FnOnce() -> T + Send) -> T {
        self.container.enter(act).expect("inside")
    }
}

fn raise() -> Step {
    let side = Side::Container;
    Step::RaiseLoopback { side }
}

fn lo() -> Link {
    let index = LinkIndex::new(1).expect("the index of lo");
    Link::new(Side::Container, "lo".parse().expect("a name"), index)
}

fn at(port: u32) -> SocketAddr {
    SocketAddr::from((SERVER, u16::try_from(port).expect("a port")))
}

fn assert_at(door: &Door, port: u32) {
    let found = [door.udp.local_addr(), door.tcp.local_addr()];
    assert_eq!(found.map(|at| at.expect("bound")), [at(port), at(port)]);
    assert_eq!(u32::from(door.port.get()), port);
}

/// Tries until it comes to something. What was closed is open yet in children of other tests that are
/// just being started.
fn at_last<T>(mut attempt: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + DEADLINE;
    loop {
        if let Some(value) = attempt() {
            return value;
        }
        assert!(Instant::now() < deadline, "it is still open");
        std::thread::yield_now();
    }
}

/// The port is the first one that is free, now or soon.
fn assert_opens_at(ground: &Ground, port: u32) {
    let is_there = |door: &Door| u32::from(door.port.get()) == port;
    let door = at_last(|| Some(ground.open()).filter(is_there));
    assert_at(&door, port);
}

#[test]
fn a_door_has_both_sockets_at_the_first_port_and_they_neither_block_nor_are_inherited() {
    let ground = Ground::new();
    let door = ground.open();
    assert_at(&door, FIRST_PORT);
    let empty = door.udp.recv(&mut [0]).expect_err("nobody has asked");
    assert_eq!(empty.kind(), ErrorKind::WouldBlock);
    let alone = door.tcp.accept().expect_err("nobody has come");
    assert_eq!(alone.kind(), ErrorKind::WouldBlock);
    for descriptor in [door.udp.as_fd(), door.tcp.as_fd()] {
        let flags = fcntl(descriptor, FcntlArg::F_GETFD).expect("flags");
        assert!(FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC));
    }
}

#[test]
fn who_asks_at_a_door_is_answered_from_where_he_asked() {
    let ground = Ground::new();
    let door = ground.open();
    ground.redirect(&door);
    let answered = ground.inside(|| ask(&door));
    assert_eq!(answered, b"pong");
}

#[test]
fn a_door_is_opened_where_the_loopback_link_has_no_address_and_works_once_it_has() {
    let ground = Ground::new();
    let address = "127.0.0.1/8".parse().expect("an address");
    let lost = Step::DeleteAddress {
        link: lo(),
        address,
    };
    ground.apply(vec![raise(), lost]).expect("it has none");
    let bound = ground.inside(|| UdpSocket::bind(at(53)));
    let refused = bound.expect_err("it has no addresses");
    assert_eq!(refused.kind(), ErrorKind::AddrNotAvailable);
    let door = ground.open();
    assert_at(&door, FIRST_PORT);
    ground.redirect(&door);
    let found = Step::AddAddress {
        link: lo(),
        address,
    };
    ground.apply(vec![found]).expect("it has one");
    assert_eq!(ground.inside(|| ask(&door)), b"pong");
}

/// A question to the server's own port, and what comes back from there.
fn ask(door: &Door) -> Vec<u8> {
    let client = UdpSocket::bind("127.0.0.1:0").expect("a client");
    client.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    client.connect(at(53)).expect("the server's address");
    client.send(b"ping").expect("sent");
    door.udp.set_nonblocking(false).expect("it waits");
    door.udp
        .set_read_timeout(Some(DEADLINE))
        .expect("a timeout");
    let mut buffer = [0; 16];
    let (length, asker) = door.udp.recv_from(&mut buffer).expect("a question");
    assert_eq!(&buffer[..length], b"ping");
    door.udp.send_to(b"pong", asker).expect("answered");
    let length = client.recv(&mut buffer).expect("an answer");
    buffer[..length].to_vec()
}

#[test]
fn a_port_that_one_of_the_two_does_not_get_is_passed_over_by_both() {
    let ground = Ground::new();
    let [of_udp, of_tcp] = [FIRST_PORT, FIRST_PORT + 1];
    let udp = ground.inside(|| UdpSocket::bind(at(of_udp)).expect("free"));
    let tcp = ground.inside(|| TcpListener::bind(("0.0.0.0", at(of_tcp).port())).expect("free"));
    assert_at(&ground.open(), FIRST_PORT + 2);
    // nothing of what was tried is still open
    ground.inside(|| {
        at_last(|| TcpListener::bind(at(of_udp)).ok());
        at_last(|| UdpSocket::bind(at(of_tcp)).ok());
    });
    drop((udp, tcp));
    assert_opens_at(&ground, FIRST_PORT);
}

#[test]
fn where_all_ports_are_taken_the_error_names_them() {
    let ground = Ground::new();
    let taken: Vec<UdpSocket> = ground.inside(|| {
        let ports = FIRST_PORT..=LAST_PORT;
        ports
            .map(|port| UdpSocket::bind(at(port)).expect("free"))
            .collect()
    });
    let error = ground.kernel.open_door(&ground.container, SERVER);
    let error = error.expect_err("all are taken");
    let [Fault::Port(PortFault::Exhausted { ports, protocol })] = error.faults() else {
        panic!("{error}");
    };
    assert_eq!(
        (ports.to_string().as_str(), *protocol),
        ("65053-65068", Protocol::Udp)
    );
    assert!(
        error
            .to_string()
            .starts_with("listen at 127.0.0.11 in the namespace of ")
    );
    drop(taken);
}

#[test]
fn connections_that_a_door_has_ended_are_not_in_the_way_of_the_next() {
    let ground = Ground::new();
    let door = ground.open();
    ground.redirect(&door);
    let mut client = ground.inside(|| TcpStream::connect(at(53)).expect("connected"));
    door.tcp.set_nonblocking(false).expect("it waits");
    let (mut served, _) = door.tcp.accept().expect("accepted");
    // who closes first waits for a minute
    served.write_all(b"bye").expect("written");
    drop(served);
    let mut words = String::new();
    client.read_to_string(&mut words).expect("read to the end");
    assert_eq!(words, "bye");
    drop((client, door));
    let bound = ground.inside(|| {
        let kind = socket2::Type::STREAM;
        let socket = socket2::Socket::new(socket2::Domain::IPV4, kind, None).expect("a socket");
        socket.bind(&at(FIRST_PORT).into())
    });
    let refused = bound.expect_err("the connection is still known");
    assert_eq!(refused.kind(), ErrorKind::AddrInUse);
    assert_opens_at(&ground, FIRST_PORT);
}

#[test]
fn each_call_can_be_struck_and_then_nothing_is_open() {
    let ground = Ground::new();
    drop(ground.open());
    let before = ground.injector.calls();
    let opened = ground.kernel.open_door(&ground.container, SERVER);
    drop(opened.expect("a door"));
    ground.container.take_nft();
    assert_eq!(ground.injector.calls() - before, 2);
    let bind = |protocol: Protocol| format!("bind 127.0.0.11:{FIRST_PORT}/{protocol}: ");
    let calls = [bind(Protocol::Udp), bind(Protocol::Tcp)];
    for (nth, call) in (1..).zip(calls) {
        for strike in [FaultInjector::fail_nth, FaultInjector::lose_nth_answer] {
            for errno in [Errno::ENOMEM, Errno::EADDRINUSE] {
                strike(&ground.injector, nth, errno);
                let error = ground.kernel.open_door(&ground.container, SERVER);
                let error = error.expect_err("struck");
                assert_eq!(error.faults()[0].errno(), Some(errno));
                assert!(error.to_string().contains(&call), "{error}");
                assert!(ground.container.take_nft().is_none());
                assert_opens_at(&ground, FIRST_PORT);
                assert!(ground.container.take_nft().is_some());
            }
        }
    }
}

#[test]
fn a_redirect_behind_a_door_is_made_by_what_the_door_has_opened() {
    let ground = Ground::new();
    let door = ground.open();
    let kept = ground.container.take_nft();
    assert!(kept.is_some());
    ground.container.keep_nft(kept);
    ground.redirect(&door);
    assert!(ground.container.take_nft().is_none());
}

#[test]
fn a_plan_that_fails_before_its_redirect_leaves_nothing_open() {
    let ground = Ground::new();
    let door = ground.open();
    let redirect = Redirect {
        server: SERVER,
        port: door.port,
    };
    ground.injector.fail_nth(1, Errno::ENOMEM);
    let failed = ground.apply(vec![raise(), Step::AddRedirect(redirect)]);
    assert!(failed.is_err());
    assert!(ground.container.take_nft().is_none());
}

#[test]
#[ignore = "it measures"]
fn figures() {
    let ways: [Way; 5] = [
        ("both sockets alone", |ground| {
            let pair = ground.inside(|| {
                let udp = UdpSocket::bind(at(FIRST_PORT)).expect("free");
                (udp, TcpListener::bind(at(FIRST_PORT)).expect("free"))
            });
            std::mem::forget(pair);
        }),
        ("lo alone", |ground| {
            ground.apply(vec![raise()]).expect("up")
        }),
        ("door", |ground| std::mem::forget(ground.open())),
        ("door and redirect", |ground| {
            let door = ground.open();
            ground.redirect(&door);
            std::mem::forget(door);
        }),
        ("lo and redirect, no door", |ground| {
            ground.apply(vec![raise(), add()]).expect("added");
        }),
    ];
    // the first table of a kernel switches the filter on, in all namespaces
    let another = Ground::new();
    another.apply(vec![add()]).expect("added");
    let mut spent = vec![Vec::new(); ways.len() + 1];
    for _ in 0..200 {
        for ((_, way), spent) in ways.iter().zip(&mut spent) {
            let ground = Ground::new();
            spent.push(timed(|| way(&ground)));
        }
        let ground = Ground::new();
        ground.apply(vec![add()]).expect("added");
        let undo = Plan::from_iter([add()]).undo(1);
        let delete = || ground.kernel.take_back(&undo, Some(&ground.container));
        spent[ways.len()].push(timed(|| delete().expect("gone")));
    }
    let names = ways.iter().map(|(name, _)| *name);
    for (name, mut spent) in names.chain(["redirect deleted"]).zip(spent) {
        spent.sort();
        let [few, half] = [spent.len() / 10, spent.len() / 2].map(|at| spent[at]);
        println!("{name}: p10 {few:?} p50 {half:?}");
    }
}

type Way = (&'static str, fn(&Ground));

fn add() -> Step {
    let port = crate::addr::Port::new(FIRST_PORT).expect("a port");
    Step::AddRedirect(Redirect {
        server: SERVER,
        port,
    })
}

fn timed(act: impl FnOnce()) -> Duration {
    let begin = Instant::now();
    act();
    begin.elapsed()
}
