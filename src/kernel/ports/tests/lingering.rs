//! Sockets that are closed and not gone yet.

use std::io::IoSlice;
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixDatagram;

use nix::sys::socket::{ControlMessage, MsgFlags, UnixAddr, sendmsg};

use super::{hold_one, namespace, tcp};
use crate::error::{Fault, PortFault};
use crate::kernel::ports::{BETWEEN_LOOKS, HostPorts, LINGERING};
use crate::kernel::{FaultInjector, Netns};

/// A listener that no process has: it is on its way from one to another, until the way is closed.
fn on_its_way(netns: &Netns) -> [UnixDatagram; 2] {
    on_its_way_at(netns, 8080)
}

fn on_its_way_at(netns: &Netns, port: u16) -> [UnixDatagram; 2] {
    let listener = netns.enter(|| TcpListener::bind(("0.0.0.0", port)));
    let listener = OwnedFd::from(listener.expect("inside").expect("a listener"));
    let (from, to) = UnixDatagram::pair().expect("a pair");
    let rights = [listener.as_raw_fd()];
    let message = [ControlMessage::ScmRights(&rights)];
    let bytes = [IoSlice::new(b"x")];
    let none: Option<&UnixAddr> = None;
    sendmsg(from.as_raw_fd(), &bytes, &message, MsgFlags::empty(), none).expect("sent");
    [from, to]
}

#[test]
fn a_port_whose_last_socket_is_on_its_way_out_is_had_as_soon_as_it_is_gone() {
    let (netns, injector) = (namespace(), FaultInjector::new());
    let ports = HostPorts::new(netns.clone(), injector.clone());
    let way = on_its_way(&netns);
    let closer = std::thread::spawn(move || {
        // both families together and each by itself have been refused, and it looks again
        while injector.calls() < 4 {
            std::thread::yield_now();
        }
        drop(way);
    });
    let held = hold_one(&ports, tcp(&["0.0.0.0", "::"], "8080"));
    assert!(held.is_ok(), "{held:?}");
    closer.join().expect("closed");
}

/// A program that was being started has the listener until it runs; this one never closes it.
#[test]
fn a_child_that_keeps_what_it_inherited_is_named_in_the_end() {
    let netns = namespace();
    let ports = HostPorts::new(netns.clone(), FaultInjector::new());
    let listener = netns.enter(|| TcpListener::bind("0.0.0.0:8080"));
    let listener = OwnedFd::from(listener.expect("inside").expect("a listener"));
    let mut child = std::process::Command::new("cat")
        .stdin(std::process::Stdio::piped())
        .stdout(listener)
        .spawn()
        .expect("a child");
    let faults = hold_one(&ports, tcp(&["0.0.0.0"], "8080")).expect_err("it is in use");
    let [Fault::Port(PortFault::InUse { holder, .. })] = faults.as_slice() else {
        panic!("{faults:?}");
    };
    assert!(holder.contains(&child.id().to_string()), "{holder}");
    child.kill().expect("killed");
    child.wait().expect("its end");
    assert!(hold_one(&ports, tcp(&["0.0.0.0"], "8080")).is_ok());
}

#[test]
fn a_port_that_nobody_to_be_seen_has_is_somebodys_in_the_end() {
    let netns = namespace();
    let ports = HostPorts::new(netns.clone(), FaultInjector::new());
    let _way = on_its_way(&netns);
    let faults = hold_one(&ports, tcp(&["0.0.0.0"], "8080")).expect_err("it is in use");
    let [Fault::Port(PortFault::InUse { holder, .. })] = faults.as_slice() else {
        panic!("{faults:?}");
    };
    assert_eq!(holder, "somebody");
}

/// How often one port is looked at shows how long it was waited for.
#[test]
fn a_range_of_ports_that_nobody_to_be_seen_has_is_waited_for_as_long_as_one() {
    const COUNT: u64 = 40;
    let (netns, injector) = (namespace(), FaultInjector::new());
    let ports = HostPorts::new(netns.clone(), injector.clone());
    let last = 8000 + COUNT as u16 - 1;
    let _ways: Vec<_> = (8000..=last).map(|at| on_its_way_at(&netns, at)).collect();
    let wish = tcp(&["0.0.0.0"], &format!("8000-{last}"));
    let faults = hold_one(&ports, wish).expect_err("they are in use");
    assert_eq!(faults.len() as u64, COUNT, "each is told of");
    // each once, and then as often as the time between two looks goes into all of it
    let looks = LINGERING.as_millis() / BETWEEN_LOOKS.as_millis();
    let most = COUNT + u64::try_from(looks).expect("few") + 1;
    assert!(injector.calls() <= most, "{} of {most}", injector.calls());
}
