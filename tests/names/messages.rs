//! Messages that no honest resolver sends: each is answered with the code that is due, or not at
//! all, and the server goes on.

use std::io::Write;
use std::net::TcpStream;

use super::ask::{connect, receive_framed, send_framed};
use super::dns::{self, FORMERR, NOTIMP, QR, REFUSED, query, query_of, wire_name};
use super::ground::{Ground, client};
use super::threads;

/// A container with a peer, and the peer's address.
struct Pair {
    ground: Ground,
    web: bridgework::Container,
    _endpoints: [bridgework::Endpoint; 2],
    peer: String,
}

impl Pair {
    fn new(name: &str) -> Self {
        let ground = Ground::new(name);
        let shop = ground.network("shop");
        let [web, peer] = ["web", "peer"].map(|name| ground.container(name));
        let at = [&web, &peer].map(|one| shop.connect(one).unwrap());
        let peer = at[1].ip().to_string();
        Self {
            ground,
            web,
            _endpoints: at,
            peer,
        }
    }
}

#[test]
fn what_says_that_it_is_a_reply_gets_none() {
    let pair = Pair::new("replies");
    let stub = pair.ground.stub();
    let asker = client(&pair.web);
    // nothing else has come before
    let is_next = || {
        let question = query("peer", dns::A);
        asker.send(&question.bytes);
        let told = asker.receive().unwrap();
        assert_eq!(told.id.to_be_bytes(), question.bytes[..2]);
        assert_eq!(told.says(), [pair.peer.as_str()]);
    };
    for n in 0..1_000_u16 {
        let name = ["peer", "www.outside.test"][usize::from(n % 2)];
        let message = query_of(n, &wire_name(name), dns::A).flag(QR);
        let opcode = (n / 2 % 16) as u8;
        asker.send(&message.opcode(opcode).bytes);
        if n % 100 == 0 {
            // no more of them at once than the server's socket has room for
            is_next();
        }
    }
    for length in 0..12 {
        asker.send(&query("peer", dns::A).bytes[..length]);
    }
    is_next();
    assert_eq!(asker.received(), [[0; 0]; 0]);
    assert_eq!(stub.names(), [""; 0]);
}

#[test]
fn what_is_not_asked_for_an_address_is_refused_and_not_passed_on() {
    let pair = Pair::new("refused");
    let stub = pair.ground.stub();
    let asker = client(&pair.web);
    for name in ["peer", "www.outside.test"] {
        for opcode in 1..16 {
            let told = asker.ask(&query(name, dns::A).opcode(opcode));
            assert_eq!(told.rcode(), NOTIMP, "opcode {opcode}");
        }
        // IXFR, AXFR, MAILB, MAILA; CH, HS, NONE, ANY
        for kind in [251, 252, 253, 254, dns::OPT] {
            assert_eq!(asker.ask_for(name, kind).rcode(), REFUSED, "type {kind}");
            let told = asker.ask_by_tcp(&query(name, kind));
            assert_eq!(told.rcode(), REFUSED, "type {kind}");
        }
        for class in [0, 2, 3, 4, 254, 255] {
            let told = asker.ask(&query(name, dns::A).class(class));
            assert_eq!(told.rcode(), REFUSED, "class {class}");
        }
        let told = asker.ask(&query(name, dns::A).edns(1232, 1));
        assert_eq!(told.rcode(), 0, "the low bits of BADVERS");
        let opt = told.additional.iter().find(|one| one.kind == dns::OPT);
        assert_eq!(opt.unwrap().ttl_s >> 24, 1, "and the high ones");
    }
    assert_eq!(stub.names(), [""; 0]);
    assert_eq!(asker.ask_for("peer", dns::A).says(), [pair.peer]);
}

#[test]
fn pointers_and_what_can_t_be_read_are_form_errors() {
    let pair = Pair::new("pointers");
    let stub = pair.ground.stub();
    let asker = client(&pair.web);
    let long = wire_name(&[&"x".repeat(63)[..]; 5].join("."));
    let names: &[&[u8]] = &[
        b"\xc0\x0c",         // itself
        b"\xc0\x0e\xc0\x0c", // each the other
        b"\xc0\xff",         // forward, beyond the end
        b"\x01a\xc0\x0c",    // its own beginning
        b"\x40aaaa\0",       // no such kind of label
        b"\x81\0",
        b"\x3fshort\0", // longer than the message
        &long,          // longer than 255 bytes
    ];
    for name in names {
        let told = asker.ask(&query_of(0x77, name, dns::A));
        assert_eq!(told.rcode(), FORMERR, "{name:x?}");
        assert!(told.has(QR) && told.answers.is_empty());
    }
    let mut none = query("peer", dns::A).bytes[..12].to_vec();
    for questions in [0_u16, 2, 65_535] {
        none[4..6].copy_from_slice(&questions.to_be_bytes());
        asker.send(&none);
        assert_eq!(asker.receive().unwrap().rcode(), FORMERR, "{questions}");
    }
    assert_eq!(stub.names(), [""; 0]);
    assert_eq!(asker.ask_for("peer", dns::A).says(), [pair.peer]);
}

#[test]
fn ten_thousand_connections_that_end_within_a_message_leave_a_server_that_answers() {
    let pair = Pair::new("half");
    let asker = client(&pair.web);
    let address: std::net::SocketAddr = super::ask::SERVER.parse().unwrap();
    let open_and_leave = || {
        for n in 0..2_500 {
            let mut stream = TcpStream::connect(address).unwrap();
            // rfc1035 §4.2.2: 60 bytes are announced
            let cut: &[u8] = [&b"\x00\x3c"[..], b"\x00", b"\x00\x3cabc", b"\xff\xff"][n % 4];
            let _room_was_made = stream.write_all(cut);
            if n % 25 == 0 {
                // no more of them at once than the kernel lets wait
                let mut whole = connect(pair.web.netns()).unwrap();
                let sent = send_framed(&mut whole, &query("peer", dns::A).bytes);
                let _room_was_made = sent.and_then(|()| receive_framed(&mut whole));
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| pair.web.run(open_and_leave).unwrap());
        }
    });
    assert_eq!(asker.ask_for("peer", dns::A).says(), [pair.peer.as_str()]);
    let told = asker.ask_by_tcp(&query("peer", dns::A));
    assert_eq!(told.says(), [pair.peer]);
    threads::at_rest(pair.ground.host.netns());
}

#[test]
fn one_connection_carries_many_questions_in_one_segment_or_byte_by_byte() {
    let pair = Pair::new("stream");
    let mut stream = connect(pair.web.netns()).unwrap();
    let mut all = Vec::new();
    let ids: Vec<u16> = (1..=16).collect();
    for id in &ids {
        send_framed(&mut all, &query_of(*id, &wire_name("peer"), dns::A).bytes).unwrap();
    }
    stream.write_all(&all).unwrap();
    let mut told: Vec<u16> = Vec::new();
    for _ in &ids {
        let one = receive_framed(&mut stream).unwrap();
        assert_eq!(one.says(), [pair.peer.as_str()]);
        told.push(one.id);
    }
    told.sort_unstable();
    assert_eq!(told, ids);
    for byte in &all[..all.len() / 8] {
        stream.write_all(&[*byte]).unwrap();
    }
    for _ in 0..2 {
        let one = receive_framed(&mut stream).unwrap();
        assert_eq!(one.says(), [pair.peer.as_str()]);
    }
}

#[test]
fn what_is_too_long_or_has_more_behind_it_is_a_form_error_and_the_next_is_answered() {
    let pair = Pair::new("too-long");
    let asker = client(&pair.web);
    let mut stream = connect(pair.web.netns()).unwrap();
    let question = query("peer", dns::A).bytes;
    let mut ask = |bytes: &[u8]| {
        send_framed(&mut stream, bytes).unwrap();
        receive_framed(&mut stream).unwrap()
    };
    for extra in [1, 11, 500, 2_000, 2_048, 10_000, 65_535 - question.len()] {
        let long = [&question[..], &vec![0xa5; extra]].concat();
        assert_eq!(ask(&long).rcode(), FORMERR, "{extra} bytes more");
        assert_eq!(ask(&question).says(), [pair.peer.as_str()], "after {extra}");
        if long.len() <= 65_507 {
            asker.send(&long);
            assert_eq!(
                asker.receive().unwrap().rcode(),
                FORMERR,
                "{extra} bytes more"
            );
        }
    }
    assert_eq!(asker.ask_for("peer", dns::A).says(), [pair.peer]);
}

#[test]
fn whichever_address_of_its_own_a_program_asks_from_the_answer_comes_from_where_it_asked() {
    let pair = Pair::new("from");
    let own = pair._endpoints[0].ip().to_string();
    for from in [
        own.as_str(),
        "0.0.0.0",
        "127.0.0.1",
        "127.0.0.11",
        "127.9.9.9",
    ] {
        let open = || std::net::UdpSocket::bind((from, 0)).unwrap();
        let socket = pair.web.run(open).unwrap();
        socket.set_read_timeout(Some(super::lab::DEADLINE)).unwrap();
        let question = query("peer", dns::A).bytes;
        socket.send_to(&question, super::ask::SERVER).unwrap();
        let mut buffer = [0; 600];
        let (length, by) = super::ask::retry(|| socket.recv_from(&mut buffer)).expect(from);
        let told = dns::Message::read(&buffer[..length]).unwrap();
        assert_eq!(told.says(), [pair.peer.as_str()], "{from}");
        assert_eq!(by.to_string(), super::ask::SERVER, "{from}");
    }
}
