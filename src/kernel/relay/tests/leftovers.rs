//! What is left when nothing is relayed any more: nothing.

use super::*;
use crate::kernel::watch_descriptors;

/// The threads that are inside the namespace.
fn threads_in(netns: &Netns) -> usize {
    let name = format!("net:[{}]", netns.inode());
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    let namespaces = tasks.filter_map(|task| {
        let path = task.unwrap().path().join("ns/net");
        std::fs::read_link(path).ok()
    });
    namespaces
        .filter(|target| target.to_string_lossy() == name)
        .count()
}

/// Waits for so many threads. Who has been joined is among them for a moment yet (kernel/exit.c,
/// `exit_notify`).
fn assert_threads(ground: &Ground, threads: usize) {
    wait_until("those threads alone", || {
        threads_in(&ground.netns) == threads
    });
    assert_eq!(watch_descriptors(), 2 * threads);
}

#[test]
fn the_thread_comes_with_the_first_port_and_goes_with_the_last() {
    let ground = Ground::new();
    assert_threads(&ground, 0);
    for _ in 0..3 {
        let (tcp, udp) = (ground.hold(Protocol::Tcp), ground.hold(Protocol::Udp));
        let (_listener, target) = ground.listener();
        let first = ground.serve(&tcp, RelayScope::Near, target);
        let second = ground.serve(&udp, RelayScope::Near, target);
        assert_threads(&ground, 1);
        drop(first);
        assert_threads(&ground, 1);
        drop(second);
        assert_threads(&ground, 0);
    }
    assert_eq!(ground.sockets(), 0);
}

#[test]
fn stopping_resets_what_is_open_and_leaves_no_descriptor_and_no_thread() {
    let ground = Ground::new();
    let (tcp, udp) = (ground.hold(Protocol::Tcp), ground.hold(Protocol::Udp));
    let (listener, target) = ground.listener();
    let (receiver, datagrams) = ground.receiver();
    let before = ground.sockets();
    let relayed = [
        ground.serve(&tcp, RelayScope::Near, target),
        ground.serve(&udp, RelayScope::Near, datagrams),
    ];
    let mut pairs: Vec<_> = (0..20).map(|_| pair(&ground, &listener)).collect();
    let talkers = [(); 5].map(|()| ground.talker("::1"));
    for talker in &talkers {
        talker.send(b"?").unwrap();
        receiver.recv(&mut [0; 8]).unwrap();
    }
    assert_eq!(ground.sockets(), before + 4 * 20 + 2 * 5);
    drop(relayed);
    for (client, server) in &mut pairs {
        for end in [client, server] {
            let error = end.read(&mut [0]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        }
    }
    drop((pairs, talkers));
    assert_eq!(ground.sockets(), before);
    assert_threads(&ground, 0);
}

#[test]
fn one_port_that_stops_leaves_the_others_alone() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Tcp);
    let wish = Wish {
        container: "web".parse().unwrap(),
        addresses: vec!["::1".parse().unwrap()],
        protocol: Protocol::Tcp,
        ports: Choice::All("9090".parse().unwrap()),
    };
    let other = ground.ports.hold(&[wish]).unwrap().remove(0).remove(0);
    let (listener, target) = ground.listener();
    let _stays = ground.serve(&held, RelayScope::Near, target);
    let goes = ground.serve(&other, RelayScope::Near, target);
    let (mut client, mut server) = pair(&ground, &listener);
    drop(goes);
    client.write_all(&[1]).unwrap();
    assert_eq!(read_byte(&mut server), 1);
    pair(&ground, &listener);
}

#[test]
fn nothing_is_answered_once_it_is_stopped_and_another_target_gets_only_what_comes_later() {
    let ground = Ground::new();
    let (tcp, udp) = (ground.hold(Protocol::Tcp), ground.hold(Protocol::Udp));
    let (listener, target) = ground.listener();
    let (_receiver, datagrams) = ground.receiver();
    let talker = ground.talker("::1");
    let early = [
        ground.serve(&tcp, RelayScope::Anyone, target),
        ground.serve(&udp, RelayScope::Anyone, datagrams),
    ];
    for _ in 0..500 {
        talker.send(b"early").unwrap();
    }
    drop(early);
    let error = ground.connect(FAR_FROM_LOOPBACK).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    talker.send(b"early").unwrap();
    drop(listener);
    let (listener, target) = ground.listener();
    let (receiver, datagrams) = ground.receiver();
    let _relayed = [
        ground.serve(&tcp, RelayScope::Near, target),
        ground.serve(&udp, RelayScope::Near, datagrams),
    ];
    talker.send(b"late").unwrap();
    let mut heard = [0; 8];
    let length = receiver.recv(&mut heard).unwrap();
    assert_eq!(&heard[..length], b"late");
    pair(&ground, &listener);
}

#[test]
fn clients_that_wait_in_the_queue_are_reset_as_well() {
    let limits = Limits {
        connections: 1,
        ..Limits::of_process()
    };
    let ground = Ground::with_limits(limits);
    let held = ground.hold(Protocol::Tcp);
    let (listener, target) = ground.listener();
    let relayed = ground.serve(&held, RelayScope::Near, target);
    let _open = pair(&ground, &listener);
    let mut waiting: Vec<_> = (0..5).map(|_| ground.connect("::1").unwrap()).collect();
    drop(relayed);
    for client in &mut waiting {
        let error = client.read(&mut [0]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn a_port_of_sctp_is_refused_and_nothing_is_started() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Sctp);
    let target = "127.0.0.1:1".parse().unwrap();
    let refused = ground.relay.serve(&held, RelayScope::Anyone, target);
    assert!(refused.unwrap_err().is_unsupported());
    assert_threads(&ground, 0);
}
