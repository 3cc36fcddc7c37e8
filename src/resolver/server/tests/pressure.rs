//! Many questions to others at once: what is kept to, and what is left of them.

use super::super::limits::ServerLimits;
use super::stub::{File, Stub};
use super::wire::{SERVFAIL, reply_to};
use super::*;

const FAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);

#[test]
fn an_answer_overtakes_the_one_that_is_still_asked_for() {
    let file = File::naming(&["127.0.0.1"]);
    let ground = Ground::with(ServerConfig::new().resolv_conf(file.path()));
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Host));
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let mut stream = ground.connect(at);
    say(&mut stream, &query(1, "example.com", 1));
    say(&mut stream, &query(2, "db", 1));
    assert_eq!(listen(&mut stream).id, 2);
    let mut upstream = stub.accept();
    let question = listen_bytes(&mut upstream);
    say(&mut upstream, &reply_to(&question, &[FAR]));
    assert_eq!(listen(&mut stream).id, 1);
}

#[test]
fn a_connection_is_not_read_on_while_too_many_of_its_queries_wait() {
    let file = File::naming(&["127.0.0.1"]);
    let mut limits = ServerLimits::of_process();
    limits.unanswered_per_connection = 3;
    let config = ServerConfig::new().resolv_conf(file.path()).limits(limits);
    let ground = Ground::with(config);
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Host));
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let mut stream = ground.connect(at);
    for id in 0..10 {
        say(&mut stream, &query(id, &format!("n{id}.example"), 1));
    }
    let mut waiting: Vec<TcpStream> = (0..3).map(|_| stub.accept()).collect();
    assert!(stub.is_silent());
    let mut heard = Vec::new();
    for next in 0..10 {
        let mut upstream = waiting.remove(0);
        let question = listen_bytes(&mut upstream);
        say(&mut upstream, &reply_to(&question, &[FAR]));
        heard.push(listen(&mut stream).id);
        if next < 7 {
            waiting.push(stub.accept());
        }
    }
    heard.sort_unstable();
    assert_eq!(heard, (0..10).collect::<Vec<u16>>());
}

#[test]
fn where_no_more_sockets_may_be_opened_the_question_fails() {
    let file = File::naming(&["127.0.0.1"]);
    let mut limits = ServerLimits::of_process();
    limits.outside = 2;
    let config = ServerConfig::new().resolv_conf(file.path()).limits(limits);
    let ground = Ground::with(config);
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Host));
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let asker = ground.asker(at);
    for id in 0..2 {
        asker
            .send(&query(id, &format!("n{id}.example"), 1))
            .unwrap();
    }
    let waiting: Vec<_> = (0..2).map(|_| stub.heard()).collect();
    assert_eq!(ask(&asker, "third.example").rcode, SERVFAIL);
    for (question, from) in waiting {
        stub.say(&reply_to(&question, &[FAR]), from);
        assert_eq!(heard(&asker).unwrap().addresses, [FAR]);
    }
    asker.send(&query(7, "third.example", 1)).unwrap();
    stub.answer(&[FAR]);
    assert_eq!(heard(&asker).unwrap().addresses, [FAR]);
}

#[test]
fn who_has_all_sockets_gives_way_to_who_has_none() {
    let file = File::naming(&["127.0.0.1"]);
    let mut limits = ServerLimits::of_process();
    limits.outside = 4;
    let config = ServerConfig::new().resolv_conf(file.path()).limits(limits);
    let ground = Ground::with(config);
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Host));
    let (_other, at_other) = ground.serve("127.0.0.12", &client(Forwarding::Host));
    let (greedy, modest) = (ground.asker(at), ground.asker(at_other));
    for id in 0..4 {
        let name = format!("n{id}.example");
        greedy.send(&query(id, &name, 1)).unwrap();
        stub.heard();
    }
    modest.send(&query(7, "modest.example", 1)).unwrap();
    let (question, from) = stub.heard_of("modest.example");
    stub.say(&reply_to(&question, &[FAR]), from);
    assert_eq!(heard(&modest).unwrap().addresses, [FAR]);
    assert_eq!(heard(&greedy).unwrap().rcode, SERVFAIL);
}

#[test]
fn a_client_with_too_many_questions_fails_alone() {
    let file = File::naming(&["127.0.0.1"]);
    let mut limits = ServerLimits::of_process();
    limits.questions_per_client = 4;
    let config = ServerConfig::new().resolv_conf(file.path()).limits(limits);
    let ground = Ground::with(config);
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let clients = ["127.0.0.1", "127.0.0.2"].map(|at| {
        let at: IpAddr = at.parse().unwrap();
        (at, client(Forwarding::Host))
    });
    let by_address = Arc::new(move |from| {
        let found = clients.iter().find(|(at, _)| *at == from);
        found.map(|(_, client)| Arc::clone(client))
    });
    let (_seat, at) = ground.serve_all("127.0.0.11", Audience::Neighbours { by_address });
    let asker = ground.asker(at);
    for id in 0..4 {
        asker
            .send(&query(id, &format!("n{id}.example"), 1))
            .unwrap();
        stub.heard();
    }
    assert_eq!(ask(&asker, "fifth.example").rcode, SERVFAIL);
    let other = ground.udp("127.0.0.2:0".parse().unwrap());
    other.connect(at).unwrap();
    other.send(&query(7, "fifth.example", 1)).unwrap();
    stub.answer(&[FAR]);
    assert_eq!(heard(&other).unwrap().addresses, [FAR]);
}

#[test]
fn a_seat_that_goes_while_others_are_asked_for_it_hears_nothing_and_leaves_no_socket() {
    let file = File::naming(&["127.0.0.1"]);
    let ground = Ground::with(ServerConfig::new().resolv_conf(file.path()));
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let before = ground.sockets();
    let (seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Host));
    let asker = ground.asker(at);
    let mut stream = ground.connect(at);
    asker.send(&query(7, "one.example", 1)).unwrap();
    let (question, from) = stub.heard();
    say(&mut stream, &query(7, "two.example", 1));
    let mut upstream = stub.accept();
    let second = listen_bytes(&mut upstream);
    drop(seat);
    stub.say(&reply_to(&question, &[FAR]), from);
    let _gone = upstream.write_all(&reply_to(&second, &[FAR]));
    assert!(is_silent(&asker));
    assert!(is_closed(&mut stream));
    drop((asker, stream, upstream));
    wait_until("the end of all sockets", || ground.sockets() == before);
}
