//! Connections.

use socket2::{Domain, Socket, Type};

use super::*;

#[test]
fn bytes_go_both_ways_and_each_way_ends_by_itself() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Tcp);
    let (listener, target) = ground.listener();
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    let (mut client, mut server) = pair(&ground, &listener);
    server.write_all(b"first").unwrap();
    let mut heard = [0; 5];
    client.read_exact(&mut heard).unwrap();
    assert_eq!(&heard, b"first");
    client.write_all(b"all that I have").unwrap();
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    server.read_to_end(&mut heard).expect("it ends");
    assert_eq!(heard, b"all that I have");
    server.write_all(b"and still an answer").unwrap();
    drop(server);
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).expect("it ends");
    assert_eq!(heard, b"and still an answer");
}

/// Bytes that repeat nowhere near.
fn bytes(seed: u32, count: usize) -> Vec<u8> {
    let step = |state: &mut u32| {
        *state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        Some((*state >> 24) as u8)
    };
    std::iter::repeat_n((), count)
        .scan(seed, |state, ()| step(state))
        .collect()
}

#[test]
fn megabytes_arrive_as_they_were_sent_in_both_directions_at_once() {
    const COUNT: usize = 4 << 20;
    let ground = Ground::new();
    let held = ground.hold(Protocol::Tcp);
    let (listener, target) = ground.listener();
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    let (client, server) = pair(&ground, &listener);
    let (outwards, inwards) = (bytes(1, COUNT), bytes(2, COUNT));
    let send = |mut stream: &TcpStream, bytes: &[u8]| {
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    };
    let hear = |mut stream: &TcpStream| {
        let mut heard = Vec::new();
        stream.read_to_end(&mut heard).unwrap();
        heard
    };
    std::thread::scope(|scope| {
        scope.spawn(|| send(&client, &outwards));
        scope.spawn(|| send(&server, &inwards));
        let at_client = scope.spawn(|| hear(&client));
        assert!(hear(&server) == outwards);
        assert!(at_client.join().unwrap() == inwards);
    });
}

#[test]
fn a_thousand_connections_in_turn_are_all_carried() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Tcp);
    let (listener, target) = ground.listener();
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    let before = ground.sockets();
    for number in 0..1000_u32 {
        let (mut client, mut server) = pair(&ground, &listener);
        let byte = number.to_le_bytes()[0];
        client.write_all(&[byte]).unwrap();
        assert_eq!(read_byte(&mut server), byte);
        server.write_all(&[!byte]).unwrap();
        assert_eq!(read_byte(&mut client), !byte);
        if number % 2 == 0 {
            drop(client);
            assert_eq!(server.read(&mut [0]).unwrap(), 0);
        } else {
            drop(server);
            assert_eq!(client.read(&mut [0]).unwrap(), 0);
        }
    }
    wait_until("all sockets closed", || ground.sockets() == before);
}

#[test]
fn many_connections_at_once_do_not_mix() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Tcp);
    let (listener, target) = ground.listener();
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    let mut pairs: Vec<_> = (0..100).map(|_| pair(&ground, &listener)).collect();
    for (number, (client, _)) in (0..).zip(&mut pairs) {
        client.write_all(&[number]).unwrap();
    }
    for (number, (_, server)) in (0..100).zip(&mut pairs).rev() {
        assert_eq!(read_byte(server), number);
        server.write_all(&[!number]).unwrap();
    }
    for (number, (client, _)) in (0_u8..).zip(&mut pairs) {
        assert_eq!(read_byte(client), !number);
    }
}

#[test]
fn who_finds_nobody_at_the_target_is_reset() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Tcp);
    let (listener, target) = ground.listener();
    drop(listener);
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    let before = ground.sockets();
    for _ in 0..50 {
        // the kernel answers before the relay knows
        let read = ground
            .connect("::1")
            .and_then(|mut client| client.read(&mut [0]));
        assert_eq!(read.unwrap_err().kind(), ErrorKind::ConnectionReset);
    }
    wait_until("all sockets closed", || ground.sockets() == before);
}

#[test]
fn an_end_that_is_reset_is_not_taken_for_a_good_end() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Tcp);
    let (listener, target) = ground.listener();
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    let (mut client, server) = pair(&ground, &listener);
    super::super::stream::reset(&socket2::SockRef::from(&server));
    drop(server);
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    let (client, mut server) = pair(&ground, &listener);
    super::super::stream::reset(&socket2::SockRef::from(&client));
    drop(client);
    let error = server.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[test]
fn a_client_that_never_reads_stops_the_sender_and_nobody_else() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Tcp);
    let (listener, target) = ground.listener();
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    let (client, mut server) = pair(&ground, &listener);
    server.set_write_timeout(Some(PATIENCE)).unwrap();
    let chunk = vec![7; 1 << 20];
    let mut sent = 0;
    let stopped = loop {
        match server.write(&chunk) {
            Ok(length) => sent += length,
            Err(error) => break error,
        }
        // the kernel's own buffers for four sockets take a part of that
        assert!(sent < 128 << 20, "{sent} bytes went nowhere");
    };
    assert_eq!(stopped.kind(), ErrorKind::WouldBlock);
    let (mut other, mut its_server) = pair(&ground, &listener);
    other.write_all(&[1]).unwrap();
    assert_eq!(read_byte(&mut its_server), 1);
    drop(server);
    let mut heard = Vec::new();
    (&client).read_to_end(&mut heard).expect("all of it");
    assert_eq!(heard.len(), sent);
}

#[test]
fn of_the_loopback_scope_nobody_else_is_answered() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Tcp);
    let (listener, target) = ground.listener();
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    for other in [FAR_FROM_LOOPBACK, "127.0.0.1"] {
        let error = ground.connect(other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{other}");
    }
    for source in ALMOST_LOOPBACK {
        let source = SocketAddr::new(source.parse().unwrap(), 0);
        let connected = ground.netns.run(|| {
            let client = Socket::new(Domain::IPV6, Type::STREAM, None)?;
            client.bind(&source.into())?;
            let to = SocketAddr::new(FAR_FROM_LOOPBACK.parse().unwrap(), 8080);
            client.connect_timeout(&to.into(), PATIENCE)
        });
        let error = connected.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut, "{source}");
    }
    pair(&ground, &listener);
}

#[test]
fn of_the_wide_scope_all_of_ipv6_is_answered_and_ipv4_is_not() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Tcp);
    let (listener, target) = ground.listener();
    let _relayed = ground.serve(&held, RelayScope::Anyone, target);
    let error = ground.connect("127.0.0.1").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TimedOut);
    let mut client = ground.connect(FAR_FROM_LOOPBACK).expect("it is answered");
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(&[5]).unwrap();
    assert_eq!(read_byte(&mut server), 5);
}

#[test]
fn more_clients_than_there_is_room_for_wait_their_turn() {
    let limits = Limits {
        connections: 2,
        ..Limits::of_process()
    };
    let ground = Ground::with_limits(limits);
    let held = ground.hold(Protocol::Tcp);
    let (listener, target) = ground.listener();
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    let first = pair(&ground, &listener);
    let mut second = pair(&ground, &listener);
    let mut third = ground.connect("::1").expect("the kernel answers");
    third.write_all(&[3]).unwrap();
    for _ in 0..2 {
        // by then the third has been seen
        second.0.write_all(&[2]).unwrap();
        assert_eq!(read_byte(&mut second.1), 2);
    }
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(first);
    listener.set_nonblocking(false).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    server.set_read_timeout(Some(DEADLINE)).unwrap();
    assert_eq!(read_byte(&mut server), 3);
}
