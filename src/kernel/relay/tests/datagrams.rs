//! Datagrams.

use super::*;

fn hear(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = vec![0; 1 << 16];
    let (length, from) = socket.recv_from(&mut buffer).expect("it comes");
    buffer.truncate(length);
    (buffer, from)
}

#[test]
fn each_client_gets_its_own_answers_from_the_address_that_it_asked() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Udp);
    let (server, target) = ground.receiver();
    let _relayed = ground.serve(&held, RelayScope::Anyone, target);
    let mut clients = ["::1", "::1", FAR_FROM_LOOPBACK].map(|host| ground.talker(host));
    // left to itself the kernel would answer from the client's own address
    let [.., last] = &mut clients;
    let asked = SocketAddr::new(ALMOST_LOOPBACK[0].parse().unwrap(), 8080);
    last.connect(asked).unwrap();
    let mut froms = Vec::new();
    for (number, client) in (0_u8..).zip(&clients) {
        client.send(&[number]).unwrap();
        let (heard, from) = hear(&server);
        assert_eq!(heard, [number]);
        froms.push(from);
    }
    for (number, (client, from)) in (10_u8..13).zip(clients.iter().zip(&froms)).rev() {
        server.send_to(&[number], from).unwrap();
        server.send_to(&[number, 1], from).unwrap();
        // a connected socket hears its peer alone
        assert_eq!(hear(client).0, [number]);
        assert_eq!(hear(client).0, [number, 1]);
    }
    clients[0].send(b"again").unwrap();
    assert_eq!(hear(&server), (b"again".to_vec(), froms[0]));
}

#[test]
fn the_longest_and_the_shortest_datagram_come_through() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Udp);
    let (server, target) = ground.receiver();
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    let client = ground.talker("::1");
    // what IPv4 has room for: 65,535 octets with both headers
    let longest: Vec<u8> = (0..65_507_u32).map(|at| at.to_le_bytes()[0]).collect();
    for datagram in [&longest[..], &[]] {
        client.send(datagram).unwrap();
        let (heard, from) = hear(&server);
        assert!(heard == datagram);
        server.send_to(&heard, from).unwrap();
        assert!(hear(&client).0 == datagram);
    }
}

#[test]
fn of_the_loopback_scope_no_other_datagram_gets_in() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Udp);
    let (server, target) = ground.receiver();
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    for (host, byte) in [(FAR_FROM_LOOPBACK, 1), ("127.0.0.1", 2), ("::1", 3)] {
        ground.talker(host).send(&[byte]).unwrap();
    }
    assert_eq!(hear(&server).0, [3]);
}

#[test]
fn a_target_where_nobody_listens_yet_is_reached_once_somebody_does() {
    let ground = Ground::new();
    let held = ground.hold(Protocol::Udp);
    let (server, target) = ground.receiver();
    drop(server);
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    let client = ground.talker("::1");
    for _ in 0..100 {
        client.send(b"?").unwrap();
    }
    let server = ground
        .netns
        .run(|| UdpSocket::bind(target))
        .unwrap()
        .unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let deadline = Instant::now() + DEADLINE;
    while server.recv(&mut [0; 8]).is_err() {
        assert!(Instant::now() < deadline, "nothing comes");
        client.send(b"?").unwrap();
    }
}

#[test]
fn the_idlest_client_makes_room_for_a_new_one() {
    let limits = Limits {
        clients: 2,
        ..Limits::of_process()
    };
    let ground = Ground::with_limits(limits);
    let held = ground.hold(Protocol::Udp);
    let (server, target) = ground.receiver();
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    let before = ground.sockets();
    let [one, two, three] = [(); 3].map(|()| ground.talker("::1"));
    let seen_from = |client: &UdpSocket| {
        client.send(b"?").unwrap();
        hear(&server).1
    };
    let (first, second) = (seen_from(&one), seen_from(&two));
    assert_eq!(seen_from(&one), first);
    seen_from(&three);
    assert_eq!(seen_from(&one), first, "it was used since");
    assert_eq!(ground.sockets(), before + 3 + 2);
    assert_ne!(seen_from(&two), second, "it was the idlest");
}

#[test]
fn an_idle_client_is_forgotten() {
    let limits = Limits {
        idle: Duration::from_millis(20),
        ..Limits::of_process()
    };
    let ground = Ground::with_limits(limits);
    let held = ground.hold(Protocol::Udp);
    let (server, target) = ground.receiver();
    let _relayed = ground.serve(&held, RelayScope::Near, target);
    let before = ground.sockets();
    let client = ground.talker("::1");
    client.send(b"?").unwrap();
    hear(&server);
    wait_until("it is forgotten", || ground.sockets() == before + 1);
    client.send(b"!").unwrap();
    assert_eq!(hear(&server).0, b"!");
}
