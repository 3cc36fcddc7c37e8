//! On a real kernel, each in a namespace of its own.

mod beside;
mod lingering;
mod pure;

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use socket2::Socket;

use super::{Choice, HeldPort, HostPorts, Wish};
use crate::addr::Protocol;
use crate::errno::Errno;
use crate::error::{Fault, FaultClass, PortFault};
use crate::kernel::{FaultInjector, Kernel, Netns};
use crate::plan::{Link, Plan, Side, Step};

const BOTH: [&str; 2] = ["0.0.0.0", "::"];

/// A host with `lo` alone, up.
fn namespace() -> Netns {
    let netns = Netns::create().expect("a namespace");
    let kernel = Kernel::new(netns.clone()).expect("its kernel");
    let index = crate::addr::LinkIndex::new(1).expect("the index of lo");
    let link = Link::new(Side::Host, "lo".parse().unwrap(), index);
    let plan = Plan::from_iter([Step::SetUp { link }]);
    kernel.apply(&plan, None).expect("lo is up");
    netns
}

fn ports() -> HostPorts {
    HostPorts::new(namespace(), FaultInjector::new())
}

fn wish(addresses: &[&str], protocol: Protocol, ports: Choice) -> Wish {
    let addresses = addresses.iter().map(|text| text.parse().unwrap());
    Wish {
        container: "web".parse().unwrap(),
        addresses: addresses.collect(),
        protocol,
        ports,
    }
}

fn all(range: &str) -> Choice {
    Choice::All(range.parse().unwrap())
}

fn tcp(addresses: &[&str], range: &str) -> Wish {
    wish(addresses, Protocol::Tcp, all(range))
}

fn numbers(held: &[HeldPort]) -> Vec<u16> {
    held.iter().map(|port| port.number().get()).collect()
}

fn hold_one(ports: &HostPorts, wish: Wish) -> Result<Vec<HeldPort>, Vec<Fault>> {
    ports.hold(&[wish]).map(|mut all| all.remove(0))
}

fn fault(ports: &HostPorts, wish: Wish) -> Fault {
    let mut faults = hold_one(ports, wish).expect_err("it is refused");
    assert_eq!(faults.len(), 1, "{faults:?}");
    faults.remove(0)
}

/// What another program inside the namespace gets that binds there with SO_REUSEADDR.
fn bind_inside(netns: &Netns, protocol: Protocol, at: &str) -> Result<Socket, ErrorKind> {
    let at: SocketAddr = at.parse().unwrap();
    let bound = netns.run(|| match protocol {
        Protocol::Tcp => TcpListener::bind(at).map(Socket::from),
        _ => UdpSocket::bind(at).map(Socket::from),
    });
    bound.unwrap().map_err(|error| error.kind())
}

/// As [`bind_inside`], once nobody has it: children of other tests that are just being started have all
/// sockets of this process until they run.
fn bind_when_free(netns: &Netns, protocol: Protocol, at: &str) -> Socket {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        match bind_inside(netns, protocol, at) {
            Err(ErrorKind::AddrInUse) if Instant::now() < deadline => std::thread::yield_now(),
            bound => return bound.expect("it is free"),
        }
    }
}

#[test]
fn a_held_port_is_nobody_elses_and_is_free_once_dropped() {
    let ports = ports();
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let held = hold_one(&ports, wish(&BOTH, protocol, all("8080-8081"))).unwrap();
        assert_eq!(numbers(&held), [8080, 8081]);
        for at in ["127.0.0.1:8080", "0.0.0.0:8081", "[::1]:8080", "[::]:8081"] {
            let bound = bind_inside(&ports.netns, protocol, at);
            assert_eq!(bound.unwrap_err(), ErrorKind::AddrInUse, "{protocol} {at}");
        }
        drop(held);
        for at in ["0.0.0.0:8080", "[::1]:8081"] {
            bind_when_free(&ports.netns, protocol, at);
        }
    }
    assert!(ports.book.lock().is_empty());
}

#[test]
fn nothing_is_answered_at_a_held_port() {
    let ports = ports();
    let _tcp = hold_one(&ports, tcp(&BOTH, "80")).unwrap();
    let udp = hold_one(&ports, wish(&BOTH, Protocol::Udp, all("80"))).unwrap();
    for at in ["127.0.0.1:80", "[::1]:80"] {
        let at: SocketAddr = at.parse().unwrap();
        let patience = Duration::from_millis(50);
        let connected = ports
            .netns
            .run(|| TcpStream::connect_timeout(&at, patience));
        assert_eq!(connected.unwrap().unwrap_err().kind(), ErrorKind::TimedOut);
        let local = SocketAddr::new(at.ip(), 0);
        let sender = ports.netns.run(|| UdpSocket::bind(local)).unwrap().unwrap();
        sender.connect(at).unwrap();
        for _ in 0..10 {
            sender.send(b"?").expect("nobody says that it is closed");
        }
    }
    for (_, socket) in udp[0].sockets() {
        socket.set_nonblocking(true).unwrap();
        let piled_up = socket.recv(&mut [std::mem::MaybeUninit::uninit(); 8]);
        assert_eq!(piled_up.unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}

#[test]
fn a_connection_that_was_begun_before_is_made_once_somebody_hears() {
    let ports = ports();
    let held = hold_one(&ports, tcp(&["127.0.0.1"], "80")).unwrap();
    let at = SocketAddr::from(([127, 0, 0, 1], 80));
    let socket = &held[0].sockets()[0].1;
    std::thread::scope(|scope| {
        let netns = &ports.netns;
        let client = scope.spawn(move || netns.run(|| TcpStream::connect(at)).unwrap());
        let begun = || {
            let read = || std::fs::read_to_string("/proc/thread-self/net/tcp");
            // 02 is SYN_SENT
            netns
                .run(read)
                .unwrap()
                .unwrap()
                .contains(" 0100007F:0050 02 ")
        };
        while !begun() && !client.is_finished() {
            std::thread::yield_now();
        }
        assert!(!client.is_finished(), "nobody has answered");
        socket.detach_filter().unwrap();
        client.join().unwrap().expect("it was not refused");
    });
}

#[test]
fn descriptors_are_not_for_programs_that_are_started() {
    let ports = ports();
    let mut held = hold_one(&ports, tcp(&BOTH, "80")).unwrap();
    held.extend(hold_one(&ports, wish(&BOTH, Protocol::Udp, all("80"))).unwrap());
    for (_, socket) in held.iter().flat_map(|port| port.sockets()) {
        let flags = fcntl(socket.as_ref(), FcntlArg::F_GETFD).unwrap();
        assert!(FdFlag::from_bits_retain(flags).contains(FdFlag::FD_CLOEXEC));
    }
}

#[test]
fn an_unspecified_address_is_in_the_way_of_all_of_its_family_and_of_no_other() {
    let ports = ports();
    let any = hold_one(&ports, tcp(&["0.0.0.0"], "80")).unwrap();
    let refused = fault(&ports, tcp(&["127.0.0.1"], "80"));
    assert_eq!(
        refused.to_string(),
        "bind for 127.0.0.1:80: port is already allocated to container web (tcp)"
    );
    assert_eq!(refused.class(), FaultClass::Exists);
    let six = hold_one(&ports, tcp(&["::"], "80")).expect("the other family is free");
    let udp = hold_one(&ports, wish(&BOTH, Protocol::Udp, all("80")));
    udp.expect("the other transport is free");
    drop((any, six));
    let one = hold_one(&ports, tcp(&["127.0.0.1"], "80")).unwrap();
    hold_one(&ports, tcp(&["127.0.0.2"], "80")).expect("another address");
    let refused = fault(&ports, tcp(&["0.0.0.0"], "80"));
    assert!(matches!(refused, Fault::Port(PortFault::Allocated { .. })));
    drop(one);
    hold_one(&ports, tcp(&BOTH, "80")).expect("all of it is free");
}

#[test]
fn two_wishes_of_one_request_are_in_each_others_way() {
    let ports = ports();
    let faults = ports.hold(&[tcp(&["0.0.0.0"], "80-82"), tcp(&["127.0.0.1"], "81-83")]);
    let said: Vec<String> = faults
        .unwrap_err()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        said,
        [
            "bind for 127.0.0.1:81: port is already allocated to container web (tcp)",
            "bind for 127.0.0.1:82: port is already allocated to container web (tcp)"
        ]
    );
    assert!(ports.book.lock().is_empty());
}

#[test]
fn the_holder_of_a_port_is_named() {
    let ports = ports();
    let pid = std::process::id();
    let comm = std::fs::read_to_string("/proc/self/comm").unwrap();
    let (name, places) = (
        format!("{} (pid {pid})", comm.trim_end()),
        ["127.0.0.1:80", "0.0.0.0:80", "[::1]:80", "[::]:80"],
    );
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        for at in places {
            let _foreign = bind_when_free(&ports.netns, protocol, at);
            let address: SocketAddr = at.parse().unwrap();
            for wished in [address.ip().to_string(), any_of(address).to_string()] {
                let refused = fault(&ports, wish(&[&wished], protocol, all("80")));
                let at = SocketAddr::new(wished.parse().unwrap(), 80);
                let expected =
                    format!("bind host port {at}/{protocol}: address already in use by {name}");
                assert_eq!(refused.to_string(), expected);
                assert_eq!(refused.class(), FaultClass::Exists);
                assert_eq!(refused.errno(), Some(Errno::EADDRINUSE));
            }
        }
    }
}

fn any_of(address: SocketAddr) -> IpAddr {
    match address.is_ipv4() {
        true => "0.0.0.0".parse().unwrap(),
        false => "::".parse().unwrap(),
    }
}

#[test]
fn a_socket_of_both_families_is_found_in_the_way_of_the_other() {
    let ports = ports();
    let _foreign = bind_when_free(&ports.netns, Protocol::Tcp, "[::]:80");
    let refused = fault(&ports, tcp(&["127.0.0.1"], "80"));
    let pid = format!("(pid {})", std::process::id());
    assert!(refused.to_string().ends_with(&pid), "{refused}");
}

#[test]
fn a_holder_who_is_not_in_the_kernels_lists_is_somebody() {
    let ports = ports();
    // bound, but neither listening nor connected: in no list
    let foreign = ports.netns.run(|| {
        let socket = Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        let at: SocketAddr = "127.0.0.1:80".parse().unwrap();
        socket.bind(&at.into()).unwrap();
        socket
    });
    let refused = fault(&ports, tcp(&["0.0.0.0"], "80"));
    assert_eq!(
        refused.to_string(),
        "bind host port 0.0.0.0:80/tcp: address already in use by somebody"
    );
    drop(foreign);
}

#[test]
fn one_port_that_is_refused_gives_back_all() {
    let ports = ports();
    let _foreign = bind_when_free(&ports.netns, Protocol::Tcp, "[::1]:82");
    let wishes = [
        tcp(&BOTH, "80-82"),
        wish(&BOTH, Protocol::Udp, Choice::Ephemeral(3)),
        tcp(&["10.9.9.9"], "90"),
    ];
    let faults = ports.hold(&wishes).unwrap_err();
    assert_eq!(faults.len(), 2, "{faults:?}");
    assert_eq!(faults[0].class(), FaultClass::Exists);
    assert_eq!(
        faults[1].to_string(),
        "bind host port 90/tcp: the host does not have the address 10.9.9.9"
    );
    assert_eq!(faults[1].class(), FaultClass::NotFound);
    assert_eq!(faults[1].errno(), Some(Errno::EADDRNOTAVAIL));
    assert!(ports.book.lock().is_empty());
    bind_when_free(&ports.netns, Protocol::Tcp, "0.0.0.0:80");
}

#[test]
fn of_a_range_the_first_free_port_is_taken_for_all_addresses() {
    let ports = ports();
    let _own = hold_one(&ports, tcp(&["127.0.0.1"], "80")).unwrap();
    let _foreign = bind_when_free(&ports.netns, Protocol::Tcp, "[::1]:81");
    let first = |range: &str| Choice::FirstOf(range.parse().unwrap());
    let held = hold_one(&ports, wish(&BOTH, Protocol::Tcp, first("80-83"))).unwrap();
    assert_eq!(numbers(&held), [82]);
    assert_eq!(held[0].sockets().len(), 2);
    let refused = fault(&ports, wish(&BOTH, Protocol::Tcp, first("80-82")));
    assert_eq!(
        refused.to_string(),
        "all ports are allocated: none of 80-82/tcp is free"
    );
    assert_eq!(refused.class(), FaultClass::Exhausted);
    let refused = fault(&ports, wish(&["10.9.9.9"], Protocol::Tcp, first("80-82")));
    assert_eq!(refused.class(), FaultClass::NotFound, "no other port helps");
}

#[test]
fn a_wish_for_one_port_leaves_it_to_the_one_that_can_have_no_other() {
    let ports = ports();
    let first = Choice::FirstOf("80-81".parse().unwrap());
    let wishes = [wish(&BOTH, Protocol::Tcp, first), tcp(&BOTH, "80")];
    let held = ports.hold(&wishes).unwrap();
    assert_eq!((numbers(&held[0]), numbers(&held[1])), (vec![81], vec![80]));
}

fn set(netns: &Netns, name: &str, value: &str) {
    let path = format!("/proc/sys/net/ipv4/{name}");
    netns.run(|| std::fs::write(path, value)).unwrap().unwrap();
}

#[test]
fn automatic_ports_follow_the_last_one_given_and_are_never_reserved_ones() {
    let ports = ports();
    set(&ports.netns, "ip_local_port_range", "40000 40009");
    set(&ports.netns, "ip_local_reserved_ports", "40001,40003-40004");
    let ephemeral = |count| wish(&BOTH, Protocol::Tcp, Choice::Ephemeral(count));
    let first = hold_one(&ports, ephemeral(3)).unwrap();
    assert_eq!(numbers(&first), [40000, 40002, 40005]);
    drop(first);
    let second = hold_one(&ports, ephemeral(5)).unwrap();
    assert_eq!(numbers(&second), [40006, 40007, 40008, 40009, 40000]);
    let _foreign = bind_when_free(&ports.netns, Protocol::Tcp, "[::]:40002");
    let third = hold_one(&ports, ephemeral(1)).unwrap();
    assert_eq!(numbers(&third), [40005]);
    let refused = fault(&ports, ephemeral(1));
    assert_eq!(
        refused.to_string(),
        "all ports are allocated: none of 40000-40009/tcp is free"
    );
    let asked_for = hold_one(&ports, tcp(&BOTH, "40003")).expect("though it is reserved");
    assert_eq!(numbers(&asked_for), [40003]);
}

#[test]
fn a_port_that_was_just_used_can_be_held_at_once() {
    let ports = ports();
    let at: SocketAddr = "127.0.0.1:80".parse().unwrap();
    let server = bind_when_free(&ports.netns, Protocol::Tcp, "127.0.0.1:80");
    let client = ports.netns.run(|| TcpStream::connect(at)).unwrap().unwrap();
    let (accepted, _) = server.accept().unwrap();
    // who closes first waits in TIME_WAIT
    drop((accepted, server));
    drop(client);
    hold_one(&ports, tcp(&BOTH, "80")).expect("nobody listens");
}

#[test]
fn sctp_is_held_against_others_of_ours_whether_or_not_the_kernel_has_it() {
    let ports = ports();
    let sctp = |range: &str| wish(&BOTH, Protocol::Sctp, all(range));
    let held = hold_one(&ports, sctp("80")).unwrap();
    let refused = fault(&ports, sctp("80"));
    assert!(matches!(refused, Fault::Port(PortFault::Allocated { .. })));
    drop(held);
    hold_one(&ports, sctp("80")).expect("it was given back");
}

#[test]
fn a_call_that_fails_at_any_moment_leaves_nothing() {
    let injector = FaultInjector::new();
    let ports = HostPorts::new(namespace(), injector.clone());
    let wishes = [
        tcp(&BOTH, "80-81"),
        wish(&BOTH, Protocol::Udp, Choice::Ephemeral(2)),
    ];
    for lost in [false, true] {
        for call in 1..=4 {
            match lost {
                false => injector.fail_nth(call, Errno::ENOMEM),
                true => injector.lose_nth_answer(call, Errno::ENOMEM),
            }
            let before = injector.calls();
            let faults = ports.hold(&wishes).unwrap_err();
            assert_eq!(faults.len(), 1, "{faults:?}");
            assert_eq!(faults[0].errno(), Some(Errno::ENOMEM));
            assert!(injector.calls() >= before + call);
            assert!(ports.book.lock().is_empty());
            drop(ports.hold(&wishes).expect("nothing is in the way"));
            assert!(injector.calls() >= before + 4);
        }
    }
}

#[test]
fn both_unspecified_addresses_take_one_descriptor() {
    let ports = ports();
    let held = hold_one(&ports, tcp(&["0.0.0.0", "::"], "80")).unwrap();
    let [(four, one), (six, other)] = &held[0].sockets() else {
        panic!("one for each address: {held:?}");
    };
    assert!(Arc::ptr_eq(one, other));
    assert_eq!(
        [four.to_string(), six.to_string()],
        ["0.0.0.0:80", "[::]:80"]
    );
    let held = hold_one(&ports, tcp(&["127.0.0.1", "::1"], "81")).unwrap();
    let [(_, one), (_, other)] = &held[0].sockets() else {
        panic!("one for each address: {held:?}");
    };
    assert!(!Arc::ptr_eq(one, other));
}

#[test]
fn of_both_families_the_one_that_is_taken_is_named() {
    let ports = ports();
    for (foreign, named) in [("127.0.0.1:80", "0.0.0.0:80"), ("[::1]:80", "[::]:80")] {
        let _foreign = bind_when_free(&ports.netns, Protocol::Udp, foreign);
        let refused = fault(&ports, wish(&BOTH, Protocol::Udp, all("80")));
        let expected = format!("bind host port {named}/udp: address already in use by ");
        assert!(refused.to_string().starts_with(&expected), "{refused}");
    }
}

#[test]
fn threads_that_hold_at_once_get_ports_of_their_own() {
    let ports = ports();
    set(&ports.netns, "ip_local_port_range", "40000 40079");
    let gate = std::sync::Barrier::new(8);
    let got = std::thread::scope(|scope| {
        let hold = || {
            gate.wait();
            let ephemeral = wish(&BOTH, Protocol::Tcp, Choice::Ephemeral(10));
            hold_one(&ports, ephemeral).unwrap()
        };
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(hold)).collect();
        let each = threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap());
        each.collect::<Vec<HeldPort>>()
    });
    let mut given = numbers(&got);
    given.sort_unstable();
    assert_eq!(given, (40000..40080).collect::<Vec<u16>>());
}
