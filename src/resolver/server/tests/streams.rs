//! Connections: many queries on one, whole or in pieces, and clients that do not behave.

use std::net::Shutdown;

use super::super::limits::ServerLimits;
use super::wire::{FORMERR, NOERROR};
use super::*;
use crate::addr::EndpointId;

/// By which nothing is closed for being idle.
fn patient() -> ServerLimits {
    let mut limits = ServerLimits::of_process();
    limits.idle = Duration::from_secs(3600);
    limits
}

#[test]
fn a_query_by_stream_is_answered_and_the_connection_stays() {
    for address in ["127.0.0.11", "::1"] {
        let ground = Ground::new();
        let (_seat, at) = ground.serve(address, &client(Forwarding::Nobody));
        let mut stream = ground.connect(at);
        for id in 0..3 {
            say(&mut stream, &query(id, "db", 1));
            let reply = listen(&mut stream);
            assert_eq!((reply.id, reply.rcode), (id, NOERROR));
            assert_eq!(reply.addresses, [DB]);
        }
    }
}

#[test]
fn queries_sent_together_are_all_answered() {
    const MANY: u16 = 5000;
    let ground = Ground::new();
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Nobody));
    let mut stream = ground.connect(at);
    let mut writing = stream.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        (0..MANY).for_each(|id| say(&mut writing, &query(id, "db", 1)));
        // what has no more to say still wants its answers
        writing.shutdown(Shutdown::Write).unwrap();
    });
    for id in 0..MANY {
        assert_eq!(listen(&mut stream).id, id);
    }
    writer.join().unwrap();
    assert!(is_closed(&mut stream));
}

#[test]
fn a_query_in_single_bytes_is_answered() {
    let ground = Ground::new();
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Nobody));
    let mut stream = ground.connect(at);
    stream.set_nodelay(true).unwrap();
    let message = query(9, "db", 1);
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    for byte in [&length, &message[..]].concat() {
        stream.write_all(&[byte]).unwrap();
    }
    assert_eq!(listen(&mut stream).addresses, [DB]);
}

#[test]
fn a_query_that_is_too_long_is_malformed_and_the_next_one_is_read_where_it_begins() {
    let ground = Ground::new();
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Nobody));
    let mut stream = ground.connect(at);
    for excess in [2048, 60_000] {
        let mut long = query(1, "db", 1);
        long.resize(excess, 0);
        say(&mut stream, &long);
        say(&mut stream, &query(2, "db", 1));
        assert_eq!(listen(&mut stream).rcode, FORMERR);
        assert_eq!(listen(&mut stream).addresses, [DB]);
    }
}

#[test]
fn what_is_no_query_ends_the_connection() {
    let ground = Ground::with(ServerConfig::new().limits(patient()));
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Nobody));
    for message in [&[][..], &[0; 11]] {
        let mut stream = ground.connect(at);
        say(&mut stream, message);
        assert!(is_closed(&mut stream));
    }
}

#[test]
fn a_cut_query_ends_the_connection_when_its_client_does() {
    let ground = Ground::with(ServerConfig::new().limits(patient()));
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Nobody));
    let before = ground.sockets();
    let mut stream = ground.connect(at);
    stream.write_all(&[0, 0x3c]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert!(is_closed(&mut stream));
    drop(stream);
    wait_until("the end of all", || ground.sockets() == before);
}

#[test]
fn who_does_not_finish_a_query_is_given_up_though_bytes_come() {
    let mut limits = ServerLimits::of_process();
    limits.idle = Duration::from_millis(400);
    let ground = Ground::with(ServerConfig::new().limits(limits));
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Nobody));
    let mut stream = ground.connect(at);
    stream.write_all(&u16::MAX.to_be_bytes()).unwrap();
    stream
        .set_read_timeout(Some(Duration::from_millis(1)))
        .unwrap();
    wait_until("the end", || {
        // one byte a millisecond, for less than a minute
        stream.write_all(&[0]).is_err() || is_closed(&mut stream)
    });
}

#[test]
fn the_idlest_of_a_listener_makes_room_and_no_others_does() {
    let mut limits = patient();
    limits.connections_per_listener = 3;
    let ground = Ground::with(ServerConfig::new().limits(limits));
    let of_db = client(Forwarding::Nobody);
    let (_seat, at) = ground.serve("127.0.0.11", &of_db);
    let (_other, at_other) = ground.serve("127.0.0.12", &of_db);
    let mut talk = |stream: &mut TcpStream| {
        say(stream, &query(1, "db", 1));
        assert_eq!(listen(stream).addresses, [DB]);
    };
    let mut bystander = ground.connect(at_other);
    talk(&mut bystander);
    let mut guests: Vec<TcpStream> = (0..3).map(|_| ground.connect(at)).collect();
    guests.iter_mut().for_each(&mut talk);
    talk(&mut guests[0]);
    let mut fourth = ground.connect(at);
    talk(&mut fourth);
    assert!(is_closed(&mut guests[1]));
    for index in [0, 2] {
        talk(&mut guests[index]);
    }
    talk(&mut bystander);
}

#[test]
fn a_neighbour_with_many_connections_makes_room_itself_and_no_other_one_does() {
    let mut limits = patient();
    limits.connections_per_listener = 4;
    let ground = Ground::with(ServerConfig::new().limits(limits));
    let clients = ["127.0.0.1", "127.0.0.2"].map(|at| {
        let at: IpAddr = at.parse().unwrap();
        (at, client(Forwarding::Nobody))
    });
    let by_address = Arc::new(move |from| {
        let found = clients.iter().find(|(at, _)| *at == from);
        found.map(|(_, client)| Arc::clone(client))
    });
    let (_seat, at) = ground.serve_all("127.0.0.11", Audience::Neighbours { by_address });
    let talk = |stream: &mut TcpStream| {
        say(stream, &query(1, "db", 1));
        assert_eq!(listen(stream).addresses, [DB]);
    };
    let mut modest = ground.connect_from("127.0.0.2", at);
    talk(&mut modest);
    let mut greedy: Vec<TcpStream> = Vec::new();
    for _ in 0..12 {
        let mut stream = ground.connect(at);
        talk(&mut stream);
        greedy.push(stream);
    }
    talk(&mut modest);
    assert!(is_closed(&mut greedy[8]));
    // who comes is not made to go either
    let mut second = ground.connect_from("127.0.0.2", at);
    talk(&mut second);
    assert!(is_closed(&mut greedy[9]));
    [modest, second].iter_mut().for_each(talk);
    greedy[10..].iter_mut().for_each(talk);
}

#[test]
fn a_listener_without_connections_gets_one_from_the_fullest() {
    let mut limits = patient();
    limits.connections = 4;
    let ground = Ground::with(ServerConfig::new().limits(limits));
    let of_db = client(Forwarding::Nobody);
    let (_seat, at) = ground.serve("127.0.0.11", &of_db);
    let (_other, at_other) = ground.serve("127.0.0.12", &of_db);
    let mut guests: Vec<TcpStream> = (0..4).map(|_| ground.connect(at)).collect();
    for stream in &mut guests {
        say(stream, &query(1, "db", 1));
        listen(stream);
    }
    let mut late = ground.connect(at_other);
    say(&mut late, &query(1, "db", 1));
    assert_eq!(listen(&mut late).addresses, [DB]);
    assert!(is_closed(&mut guests[0]));
}

/// A container that knows `many`, with as many addresses as a stream can take.
fn client_of_many() -> Arc<Client> {
    let records = Arc::new(Records::new("hmall".parse().unwrap()));
    let addresses = (0..4000_u32).map(|n| IpAddr::from(Ipv4Addr::from(0x0a00_0000 + n)));
    let names = Names::new("many".parse().unwrap(), []);
    let owner = Owner::new(EndpointId::from_bytes([2; 32]), names, addresses);
    records.insert(owner);
    let view = Arc::new(View::new([Membership::from(records)]));
    let (forwarding, search) = (Forwarding::Nobody, vec![]);
    Arc::new(Client::new(
        view,
        ClientTerms {
            forwarding,
            search,
            domain: None,
        },
    ))
}

#[test]
fn who_reads_slowly_gets_all_and_who_never_does_is_given_up() {
    const QUERIES: u16 = 300;
    let mut limits = ServerLimits::of_process();
    limits.idle = Duration::from_secs(1);
    let ground = Ground::with(ServerConfig::new().limits(limits));
    let (_seat, at) = ground.serve("127.0.0.11", &client_of_many());
    let mut never = ground.connect(at);
    let mut writing = never.try_clone().unwrap();
    let mut slow = ground.connect(at);
    for id in 0..QUERIES {
        say(&mut slow, &query(id, "many", 1));
    }
    // more than the kernel holds for it
    let writer = std::thread::spawn(move || {
        let message = query(1, "many", 1);
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        let message = [&length, &message[..]].concat();
        while writing.write_all(&message).is_ok() {}
    });
    for id in 0..QUERIES {
        let (bytes, id) = (listen_bytes(&mut slow), id.to_be_bytes());
        assert_eq!(
            (&bytes[..2], &bytes[6..8]),
            (&id[..], &4000_u16.to_be_bytes()[..])
        );
    }
    writer.join().unwrap();
    never.set_nonblocking(false).unwrap();
    let mut rest = Vec::new();
    let _reset = never.read_to_end(&mut rest);
    assert!(is_closed(&mut never));
}
