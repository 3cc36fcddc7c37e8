//! Names that others are asked for: whom, from where, and which of their answers are believed.

use super::stub::{File, Stub};
use super::wire::{NOERROR, SERVFAIL, asked, reply_to};
use super::*;
use crate::resolver::NameServer;

const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

/// A host that asks these, a container on it, and where that asks.
fn asking(servers: &[&str]) -> (File, Ground, Seat, SocketAddr) {
    let file = File::naming(servers);
    let ground = Ground::with(ServerConfig::new().resolv_conf(file.path()));
    let (seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Host));
    (file, ground, seat, at)
}

#[test]
fn what_is_not_known_is_asked_under_another_id_from_another_port_each_time() {
    let (_file, ground, _seat, at) = asking(&["127.0.0.1"]);
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let asker = ground.asker(at);
    let mut seen = Vec::new();
    for number in 0..8 {
        let name = format!("Host{number}.Example");
        asker.send(&query(7, &name, 1)).unwrap();
        let (question, from) = stub.heard();
        assert_eq!(asked(&question), (name.to_lowercase(), 1));
        seen.push((question[..2].to_vec(), from.port()));
        stub.say(&reply_to(&question, &[FAR]), from);
        let reply = heard(&asker).expect("an answer");
        assert_eq!((reply.id, reply.rcode, &reply.name), (7, NOERROR, &name));
        assert_eq!(reply.addresses, [FAR]);
        assert!(!reply.is_authoritative);
    }
    let is_new = |n: usize| {
        !seen[..n]
            .iter()
            .any(|(id, port)| *id == seen[n].0 || *port == seen[n].1)
    };
    // of 8 numbers out of 28,000 two are the same once in a thousand times
    assert!((1..8).filter(|n| is_new(*n)).count() >= 5, "{seen:?}");
    assert!(seen.iter().filter(|(id, _)| *id == [0, 7]).count() <= 1);
}

#[test]
fn replies_from_elsewhere_or_under_another_id_are_passed_over() {
    let (_file, ground, _seat, at) = asking(&["127.0.0.1"]);
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let others = ["127.0.0.2:53", "127.0.0.1:5353"].map(|at| ground.udp(at.parse().unwrap()));
    let asker = ground.asker(at);
    asker.send(&query(7, "example.com", 1)).unwrap();
    let (question, from) = stub.heard();
    let lie = reply_to(&question, &[Ipv4Addr::new(203, 0, 113, 1)]);
    for other in &others {
        other.send_to(&lie, from).unwrap();
    }
    // by the right server, but not to that question
    let id = u16::from_be_bytes([question[0], question[1]]);
    for wrong in 1..100 {
        let mut lie = lie.clone();
        lie[..2].copy_from_slice(&id.wrapping_add(wrong).to_be_bytes());
        stub.say(&lie, from);
    }
    stub.say(&reply_to(&query(id, "example.org", 1), &[FAR]), from);
    stub.say(&reply_to(&question, &[FAR]), from);
    assert_eq!(heard(&asker).unwrap().addresses, [FAR]);
    assert!(is_silent(&asker));
    assert!(stub.is_silent());
}

#[test]
fn where_nobody_is_the_next_is_asked_and_after_the_last_it_fails() {
    let (_file, ground, _seat, at) = asking(&["127.0.0.8", "127.0.0.9", "127.0.0.1"]);
    let asker = ground.asker(at);
    assert_eq!(ask(&asker, "example.com").rcode, SERVFAIL);
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    asker.send(&query(7, "example.com", 1)).unwrap();
    stub.answer(&[FAR]);
    assert_eq!(heard(&asker).unwrap().addresses, [FAR]);
}

#[test]
fn while_a_server_is_silent_names_of_containers_are_answered_and_then_it_fails() {
    let (_file, ground, seat, at) = asking(&["127.0.0.1"]);
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let (asker, other) = (ground.asker(at), ground.asker(at));
    asker.send(&query(7, "example.com", 1)).unwrap();
    stub.heard();
    for _ in 0..100 {
        assert_eq!(ask(&other, "db").addresses, [DB]);
    }
    assert_eq!(heard(&asker).unwrap().rcode, SERVFAIL);
    drop((seat, stub, asker, other));
    assert_eq!(ground.sockets(), 0);
}

#[test]
fn what_is_truncated_is_told_so_and_asked_by_stream_by_who_asks_by_stream() {
    let (_file, ground, _seat, at) = asking(&["127.0.0.1"]);
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let asker = ground.asker(at);
    asker.send(&query(7, "big.example", 1)).unwrap();
    let (question, from) = stub.heard();
    let mut truncated = reply_to(&question, &[]);
    truncated[2] |= 2;
    stub.say(&truncated, from);
    assert!(heard(&asker).unwrap().is_truncated);

    let mut stream = ground.connect(at);
    say(&mut stream, &query(8, "big.example", 1));
    let mut upstream = stub.accept();
    let question = listen_bytes(&mut upstream);
    assert_eq!(asked(&question), ("big.example".to_owned(), 1));
    let addresses: Vec<Ipv4Addr> = (0..3000).map(Ipv4Addr::from).collect();
    let reply = reply_to(&question, &addresses);
    // in pieces, since it is a stream
    let length = u16::try_from(reply.len()).unwrap().to_be_bytes();
    upstream.write_all(&length[..1]).unwrap();
    upstream.write_all(&length[1..]).unwrap();
    for piece in reply.chunks(10_000) {
        upstream.write_all(piece).unwrap();
    }
    let reply = listen(&mut stream);
    assert_eq!((reply.id, reply.addresses.len()), (8, 3000));
    assert!(is_closed(&mut upstream));
}

#[test]
fn a_stream_of_empty_messages_is_given_up_with_the_first_and_the_next_server_is_asked() {
    let (_file, ground, _seat, at) = asking(&["127.0.0.1", "127.0.0.2"]);
    let bad = Stub::at(&ground.netns, "127.0.0.1");
    let good = Stub::at(&ground.netns, "127.0.0.2");
    let mut stream = ground.connect(at);
    say(&mut stream, &query(8, "example.com", 1));
    let mut endless = bad.accept();
    listen_bytes(&mut endless);
    // more than anybody would take in
    let writer =
        std::thread::spawn(move || (0..4096).all(|_| endless.write_all(&[0; 1 << 16]).is_ok()));
    assert!(!writer.join().unwrap(), "nobody hears all of it");
    let mut upstream = good.accept();
    let question = listen_bytes(&mut upstream);
    say(&mut upstream, &reply_to(&question, &[FAR]));
    assert_eq!(listen(&mut stream).addresses, [FAR]);
}

#[test]
fn a_stream_that_ends_without_an_answer_is_a_server_that_failed() {
    let (_file, ground, _seat, at) = asking(&["127.0.0.1", "127.0.0.2"]);
    let bad = Stub::at(&ground.netns, "127.0.0.1");
    let good = Stub::at(&ground.netns, "127.0.0.2");
    let mut stream = ground.connect(at);
    say(&mut stream, &query(8, "example.com", 1));
    let mut upstream = bad.accept();
    listen_bytes(&mut upstream);
    upstream.write_all(&[0, 60, 1, 2, 3]).unwrap();
    drop(upstream);
    let mut upstream = good.accept();
    let question = listen_bytes(&mut upstream);
    say(&mut upstream, &reply_to(&question, &[FAR]));
    assert_eq!(listen(&mut stream).addresses, [FAR]);
}

#[test]
fn when_the_hosts_file_is_replaced_the_new_server_is_asked() {
    let (file, ground, _seat, at) = asking(&["127.0.0.1"]);
    let stubs = ["127.0.0.1", "127.0.0.2"].map(|at| Stub::at(&ground.netns, at));
    let asker = ground.asker(at);
    asker.send(&query(7, "before.example", 1)).unwrap();
    stubs[0].answer(&[FAR]);
    heard(&asker).expect("an answer");
    file.replace(&["127.0.0.2"]);
    stubs[0].udp.set_nonblocking(true).unwrap();
    stubs[1].udp.set_nonblocking(true).unwrap();
    let mut number = 0;
    wait_until("a question to the new server", || {
        number += 1;
        asker
            .send(&query(7, &format!("n{number}.example"), 1))
            .unwrap();
        let mut buffer = [0; 512];
        let came = |stub: &Stub, buffer: &mut [u8]| {
            let (length, from) = stub.udp.recv_from(buffer).ok()?;
            stub.say(&reply_to(&buffer[..length], &[FAR]), from);
            Some(())
        };
        loop {
            if came(&stubs[0], &mut buffer).is_some() {
                heard(&asker).expect("an answer");
                return false;
            }
            if came(&stubs[1], &mut buffer).is_some() {
                heard(&asker).expect("an answer");
                return true;
            }
        }
    });
    asker.send(&query(7, "after.example", 1)).unwrap();
    stubs[1].udp.set_nonblocking(false).unwrap();
    stubs[1].answer(&[FAR]);
    assert_eq!(heard(&asker).unwrap().addresses, [FAR]);
}

#[test]
fn where_systemds_stub_is_the_only_server_those_that_it_asks_are_asked() {
    let (conf, stub_conf) = (File::naming(&["127.0.0.53"]), File::naming(&["127.0.0.2"]));
    let config = ServerConfig::new().resolv_conf(conf.path());
    let ground = Ground::with(config.stub_resolv_conf(stub_conf.path()));
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Host));
    let stub = Stub::at(&ground.netns, "127.0.0.2");
    let asker = ground.asker(at);
    asker.send(&query(7, "example.com", 1)).unwrap();
    stub.answer(&[FAR]);
    assert_eq!(heard(&asker).unwrap().addresses, [FAR]);
}

#[test]
fn equal_questions_at_the_same_time_are_one() {
    const MANY: u16 = 200;
    let (_file, ground, _seat, at) = asking(&["127.0.0.1"]);
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let asker = ground.asker(at);
    for id in 0..MANY {
        asker.send(&query(id, "example.com", 1)).unwrap();
    }
    // the last has been looked at, too
    ask(&ground.asker(at), "db");
    stub.answer(&[FAR]);
    let mut ids: Vec<u16> = (0..MANY).map(|_| heard(&asker).unwrap().id).collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..MANY).collect::<Vec<u16>>());
    assert!(stub.is_silent());
    // and later ones are answered from what was heard
    assert_eq!(ask(&asker, "example.com").addresses, [FAR]);
    assert!(stub.is_silent());
}

#[test]
fn a_container_on_internal_networks_makes_nobody_ask() {
    let file = File::naming(&["127.0.0.1"]);
    let ground = Ground::with(ServerConfig::new().resolv_conf(file.path()));
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Nobody));
    let (asker, mut stream) = (ground.asker(at), ground.connect(at));
    for number in 0..500 {
        let name = format!("n{number}.example");
        assert_eq!(ask(&asker, &name).rcode, SERVFAIL);
        say(&mut stream, &query(1, &name, 28));
        assert_eq!(listen(&mut stream).rcode, SERVFAIL);
    }
    assert!(stub.is_silent());
}

#[test]
fn servers_of_its_own_are_asked_from_the_containers_namespace() {
    let ground = Ground::new();
    let inside = loopback();
    let stub = Stub::at(&inside, "127.0.0.1");
    let server: NameServer = "127.0.0.1".parse().unwrap();
    let audience = Audience::Container {
        client: client(Forwarding::Own(Arc::from([server]))),
        netns: Some(inside.clone()),
    };
    let (seat, at) = ground.serve_all("127.0.0.11", audience);
    let asker = ground.asker(at);
    for number in 0..10 {
        asker
            .send(&query(7, &format!("n{number}.example"), 1))
            .unwrap();
        stub.answer(&[FAR]);
        assert_eq!(heard(&asker).unwrap().addresses, [FAR]);
    }
    let mut stream = ground.connect(at);
    say(&mut stream, &query(8, "example.com", 1));
    let mut upstream = stub.accept();
    let question = listen_bytes(&mut upstream);
    say(&mut upstream, &reply_to(&question, &[FAR]));
    assert_eq!(listen(&mut stream).addresses, [FAR]);
    asker.send(&query(7, "last.example", 1)).unwrap();
    stub.heard();
    drop((stub, upstream));
    // one is under way, and some are spare
    assert!(sockets_in(&inside) > 0);
    drop(seat);
    assert_eq!(sockets_in(&inside), 0);
}

#[test]
fn a_server_on_a_link_is_asked_by_its_zone() {
    let ground = Ground::new();
    ground.add_address("fe80::53/64");
    let stub = Stub::at(&ground.netns, "fe80::53%1");
    for zone in ["lo", "1"] {
        let server: NameServer = format!("fe80::53%{zone}").parse().unwrap();
        let forwarding = Forwarding::Own(Arc::from([server]));
        let (_seat, at) = ground.serve("127.0.0.11", &client(forwarding));
        let asker = ground.asker(at);
        asker.send(&query(7, "example.com", 1)).unwrap();
        stub.answer(&[FAR]);
        assert_eq!(heard(&asker).unwrap().addresses, [FAR]);
    }
}

#[test]
fn the_server_never_asks_itself() {
    let file = File::naming(&["127.0.0.3", "127.0.0.1"]);
    let ground = Ground::with(ServerConfig::new().resolv_conf(file.path()));
    let of_db = client(Forwarding::Host);
    let inside = || {
        let (udp, tcp) = (
            UdpSocket::bind("127.0.0.3:53"),
            TcpListener::bind("127.0.0.3:53"),
        );
        let (udp, tcp) = (vec![udp.unwrap()], vec![tcp.unwrap()]);
        Listeners { udp, tcp }
    };
    let listeners = ground.netns.run(inside).unwrap();
    let by_address = Arc::new(move |_| Some(Arc::clone(&of_db)));
    let audience = Audience::Neighbours { by_address };
    let _seat = ground.handle().serve(listeners, audience).unwrap();
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let asker = ground.asker("127.0.0.3:53".parse().unwrap());
    asker.send(&query(7, "example.com", 1)).unwrap();
    stub.answer(&[FAR]);
    assert_eq!(heard(&asker).unwrap().addresses, [FAR]);

    // by the address that a container knows it by, whatever the port
    let server: NameServer = "127.0.0.12".parse().unwrap();
    let of_loop = client(Forwarding::Own(Arc::from([server])));
    let (_seat, at) = ground.serve("127.0.0.12", &of_loop);
    let lurker = ground.udp("127.0.0.12:53".parse().unwrap());
    assert_eq!(ask(&ground.asker(at), "example.com").rcode, SERVFAIL);
    assert!(is_silent(&lurker));
}
