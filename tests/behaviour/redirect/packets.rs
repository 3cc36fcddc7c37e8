//! Datagrams and streams: where they arrive, who answers, and what the kernel remembers of them.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use bridgework::NetworkConfig;

use super::{Both, Ground, any4, ask, assert_answered, at};
use crate::by_hand::ip;
use crate::{lab, ruleset};

const STREAM_BYTES: usize = 100 << 20;

/// What is tracked; `None`, and loudly, where that can't be seen.
fn tracked(ground: &Ground) -> Option<Vec<String>> {
    let listed = lab::output(&ground.container, "conntrack -L")?;
    Some(listed.lines().map(str::to_owned).collect())
}

#[track_caller]
fn assert_tracked(ground: &Ground, count: usize) {
    let found = tracked(ground);
    assert!(
        found.as_ref().is_none_or(|found| found.len() == count),
        "{found:?}"
    );
}

/// A table by which the kernel tracks connections in the namespace, and refuses those that it
/// takes for invalid.
const TRACKING: &str = "table inet own { chain in { type filter hook input priority filter; \
                        ct state invalid counter drop; ct state new counter accept; }; }";

#[test]
fn a_datagram_and_its_answer_pass_and_are_not_tracked() {
    let ground = Ground::new();
    ruleset::nft(&ground.container, "-f -", TRACKING);
    let server = ground.inside(|| Both::bind(at(65_053))).unwrap();
    ground.lead_to(65_053);
    assert_answered(&ground, any4(), at(53), &server.udp);
    assert_tracked(&ground, 0);
    // what is not redirected is tracked
    let other = ground.inside(|| Both::bind(at(5353))).unwrap();
    assert_answered(&ground, any4(), at(5353), &other.udp);
    assert_tracked(&ground, 1);
}

#[test]
fn a_long_stream_passes_both_ways_at_once_and_is_not_tracked() {
    let ground = Ground::new();
    ruleset::nft(&ground.container, "-f -", TRACKING);
    let server = ground.inside(|| Both::bind(at(65_053))).unwrap();
    ground.lead_to(65_053);
    let client = ground.inside(|| TcpStream::connect(at(53))).unwrap();
    assert_eq!(client.peer_addr().unwrap(), at(53));
    let (served, peer) = server.tcp.accept().unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
    thread::scope(|scope| {
        let ends = [(&client, 1), (&served, 2)];
        let writers = ends.map(|(end, seed)| scope.spawn(move || send(end, seed)));
        let readers = [(&client, 2), (&served, 1)];
        let readers = readers.map(|(end, seed)| scope.spawn(move || assert_received(end, seed)));
        assert_tracked(&ground, 0);
        writers
            .into_iter()
            .for_each(|writer| writer.join().unwrap());
        readers
            .into_iter()
            .for_each(|reader| reader.join().unwrap());
    });
    assert_tracked(&ground, 0);
}

/// Bytes that no piece of is like another for long.
fn pattern(seed: u8) -> Vec<u8> {
    let numbers = (0..65_521u32).map(|number| number.wrapping_mul(2_654_435_761));
    numbers.map(|n| n.to_le_bytes()[3] ^ seed).collect()
}

fn send(mut end: &TcpStream, seed: u8) {
    let pattern = pattern(seed);
    let mut left = STREAM_BYTES;
    while left > 0 {
        let length = left.min(pattern.len());
        end.write_all(&pattern[..length]).unwrap();
        left -= length;
    }
    end.shutdown(Shutdown::Write).unwrap();
}

fn assert_received(mut end: &TcpStream, seed: u8) {
    let pattern = pattern(seed);
    let mut buffer = vec![0; pattern.len()];
    let mut left = STREAM_BYTES;
    while left > 0 {
        let length = left.min(pattern.len());
        end.read_exact(&mut buffer[..length]).unwrap();
        assert!(
            buffer[..length] == pattern[..length],
            "{left} bytes before the end"
        );
        left -= length;
    }
    assert_eq!(end.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_program_has_port_53_of_every_other_address_before_and_after() {
    for is_before in [true, false] {
        let ground = Ground::new();
        ip(&ground.container, "addr add 10.9.9.9/32 dev lo");
        let bind = || {
            let v4 = Both::bind("0.0.0.0:53".parse().unwrap()).unwrap();
            (v4, only_v6(53))
        };
        let early = is_before.then(|| ground.inside(bind));
        let server = ground.inside(|| Both::bind(at(65_053))).unwrap();
        ground.lead_to(65_053);
        let (v4, v6) = early.unwrap_or_else(|| ground.inside(bind));
        assert_answered(&ground, any4(), at(53), &server.udp);
        for address in ["127.0.0.1:53", "10.9.9.9:53"] {
            let address = address.parse().unwrap();
            assert_answered(&ground, any4(), address, &v4.udp);
            assert_connected(&ground, address, &v4.tcp);
        }
        let loopback = SocketAddr::from((Ipv6Addr::LOCALHOST, 53));
        assert_answered(&ground, "[::]:0".parse().unwrap(), loopback, &v6.udp);
        assert_connected(&ground, loopback, &v6.tcp);
        assert_connected(&ground, at(53), &server.tcp);
        assert_connected(&ground, "127.0.0.12:53".parse().unwrap(), &v4.tcp);
    }
}

/// As a name server binds them.
fn only_v6(port: u16) -> Both {
    let at = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let [udp, tcp] = [socket2::Type::DGRAM, socket2::Type::STREAM].map(|kind| {
        let socket = socket2::Socket::new(socket2::Domain::IPV6, kind, None).unwrap();
        socket.set_only_v6(true).unwrap();
        socket.bind(&at.into()).unwrap();
        socket
    });
    tcp.listen(8).unwrap();
    udp.set_read_timeout(Some(lab::DEADLINE)).unwrap();
    Both {
        udp: udp.into(),
        tcp: tcp.into(),
    }
}

#[track_caller]
fn assert_connected(ground: &Ground, to: SocketAddr, listener: &TcpListener) {
    let mut client = ground.inside(|| TcpStream::connect(to)).unwrap();
    let (mut served, _) = listener.accept().unwrap();
    served.write_all(b"!").unwrap();
    let mut byte = [0];
    client.read_exact(&mut byte).unwrap();
    assert_eq!((&byte, client.peer_addr().unwrap()), (b"!", to));
}

#[test]
fn who_asks_from_another_address_of_the_containers_is_answered_there() {
    let ground = Ground::new();
    ip(&ground.container, "addr add 10.9.9.9/32 dev lo");
    let server = ground.inside(|| Both::bind(at(65_053))).unwrap();
    ground.lead_to(65_053);
    let from = "10.9.9.9:0".parse().unwrap();
    assert_answered(&ground, from, at(53), &server.udp);
}

#[test]
fn a_container_with_ipv6_alone_reaches_its_name_server() {
    let host = lab::silent_host();
    let config = NetworkConfig::bridge("six")
        .ipv4(bridgework::plan::Switch::Off)
        .subnet("fd00:89::/64");
    let network = host.create_network(config).unwrap();
    let container = lab::container("box");
    let _endpoint = network.connect(&container).unwrap();
    let ground = Ground::of(container.netns().clone());
    let server = ground.inside(|| Both::bind(at(65_053))).unwrap();
    ground.lead_to(65_053);
    assert_answered(&ground, any4(), at(53), &server.udp);
    assert_connected(&ground, at(53), &server.tcp);
}

#[test]
fn once_it_is_taken_back_who_asks_is_refused() {
    let ground = Ground::new();
    let server = ground.inside(|| Both::bind(at(65_053))).unwrap();
    ground.lead_to(65_053);
    assert_answered(&ground, any4(), at(53), &server.udp);
    ground.take_back(65_053);
    let client = ground.inside(|| ask(any4(), at(53)));
    let refused = client.recv(&mut [0]).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    let refused = ground.inside(|| TcpStream::connect(at(53))).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    // whoever names the other port is not kept from it
    assert_answered(&ground, any4(), at(65_053), &server.udp);
}
