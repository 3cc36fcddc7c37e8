//! Ports at further addresses than those that they are held at.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::{bind_inside, fault, hold_one, namespace, tcp, wish};
use crate::addr::Protocol;
use crate::error::{Fault, PortFault};
use crate::kernel::ports::{Choice, HeldPort, HostPorts};
use crate::kernel::{FaultInjector, Netns};

fn ips(texts: &[&str]) -> Vec<IpAddr> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

/// What another program of this user gets that lets others in.
fn bind_sharing(netns: &Netns, at: &str) -> std::io::Result<Socket> {
    let at: SocketAddr = at.parse().unwrap();
    let bound = netns.run(|| {
        let socket = Socket::new(Domain::for_address(at), Type::DGRAM, None)?;
        socket.set_reuse_port(true)?;
        socket.bind(&at.into())?;
        Ok(socket)
    });
    bound.unwrap()
}

fn beside(
    ports: &HostPorts,
    own: &[HeldPort],
    addresses: &[&str],
) -> Result<Vec<HeldPort>, Vec<Fault>> {
    let all: Vec<&HeldPort> = own.iter().collect();
    ports.hold_beside(own, &all, &ips(addresses))
}

#[test]
fn a_port_is_had_at_all_addresses_besides_one_of_them_and_then_by_nobody_else() {
    let netns = namespace();
    let ports = HostPorts::new(netns.clone(), FaultInjector::new());
    for protocol in [Protocol::Tcp, Protocol::Udp] {
        let choice = || Choice::All("8080-8081".parse().unwrap());
        let own = hold_one(&ports, wish(&["127.0.0.1"], protocol, choice())).unwrap();
        let further = beside(&ports, &own, &["0.0.0.0", "::"]).unwrap();
        assert!(further.iter().all(HeldPort::is_held));
        for at in [
            "127.0.0.1:8080",
            "127.0.0.2:8081",
            "0.0.0.0:8080",
            "[::]:8081",
        ] {
            assert!(bind_inside(&netns, protocol, at).is_err(), "{at}");
            let shares = protocol == Protocol::Udp && bind_sharing(&netns, at).is_ok();
            assert!(!shares, "{at}");
        }
        drop(own);
        let one = Choice::All("8080".parse().unwrap());
        let refused = fault(&ports, wish(&["127.0.0.1"], protocol, one));
        assert!(
            matches!(refused, Fault::Port(PortFault::Allocated { .. })),
            "{refused:?}"
        );
        drop(further);
        hold_one(&ports, wish(&["127.0.0.1"], protocol, choice())).unwrap();
    }
}

#[test]
fn a_port_that_somebody_has_at_another_address_is_not_had_at_all() {
    let netns = namespace();
    let ports = HostPorts::new(netns.clone(), FaultInjector::new());
    let own = hold_one(&ports, tcp(&["127.0.0.1"], "8080")).unwrap();
    let stranger = hold_one(&ports, tcp(&["127.0.0.3"], "8080")).unwrap();
    let refused = beside(&ports, &own, &["0.0.0.0"]).expect_err("a container has it");
    assert!(
        matches!(refused[..], [Fault::Port(PortFault::Allocated { .. })]),
        "{refused:?}"
    );
    drop(stranger);
    let others = netns
        .run(|| std::net::TcpListener::bind("127.0.0.2:8080"))
        .unwrap()
        .unwrap();
    let refused = beside(&ports, &own, &["0.0.0.0"]).expect_err("a program has it");
    assert!(
        matches!(refused[..], [Fault::Port(PortFault::InUse { .. })]),
        "{refused:?}"
    );
    drop(others);
    assert!(own.iter().all(HeldPort::is_held), "it has what it had");
}

#[test]
fn what_another_process_holds_is_left_to_it_where_that_is_in_the_way() {
    let netns = namespace();
    let [one, other] = [(); 2].map(|()| HostPorts::new(netns.clone(), FaultInjector::new()));
    let theirs = hold_one(&other, tcp(&["127.0.0.1"], "8080")).unwrap();
    let number = (Protocol::Tcp, theirs[0].number());
    let own = [one
        .recall(&"web".parse().unwrap(), number, &ips(&["127.0.0.1"]))
        .unwrap()];
    let further = beside(&one, &own, &["0.0.0.0", "::"]).unwrap();
    assert!(!further[0].is_held());
    drop(theirs);
    let all: Vec<&HeldPort> = own.iter().chain(&further).collect();
    // a socket that was closed lives on in programs that were being started meanwhile
    let deadline = Instant::now() + Duration::from_secs(10);
    let hold = || {
        all.iter()
            .try_for_each(|port| one.hold_recalled(port, &all))
    };
    while let Err(faults) = hold() {
        assert!(Instant::now() < deadline, "{faults:?}");
        std::thread::yield_now();
    }
    assert!(all.iter().all(|port| port.is_held()));
}
