//! Datagrams: every client gets its answers, whoever else sends what.

use super::wire::{FORMERR, NOERROR, SERVFAIL};
use super::*;

#[test]
fn a_query_by_datagram_is_answered_from_where_it_went() {
    for address in ["127.0.0.11", "::1"] {
        let ground = Ground::new();
        let (_seat, at) = ground.serve(address, &client(Forwarding::Nobody));
        let asker = ground.asker(at);
        let reply = ask(&asker, "dB");
        assert_eq!((reply.id, reply.rcode), (7, NOERROR));
        assert!(reply.is_authoritative);
        assert_eq!((reply.name.as_str(), reply.addresses), ("dB", vec![DB]));
        assert_eq!(ask(&asker, "example.com").rcode, SERVFAIL);
    }
}

#[test]
fn of_many_clients_in_many_batches_each_gets_its_own_answer_once() {
    let ground = Ground::new();
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Nobody));
    let askers: Vec<UdpSocket> = (0..8).map(|_| ground.asker(at)).collect();
    for round in 0..10_u16 {
        for (number, asker) in (0..).zip(&askers) {
            for id in 0..10_u16 {
                let id = round * 1000 + number * 100 + id;
                asker.send(&query(id, "db", 1)).unwrap();
            }
        }
        for (number, asker) in (0..).zip(&askers) {
            for id in 0..10_u16 {
                let reply = heard(asker).expect("an answer");
                assert_eq!(reply.id, round * 1000 + number * 100 + id);
                assert_eq!(reply.addresses, [DB]);
            }
        }
    }
    assert!(askers.iter().all(is_silent));
}

#[test]
fn families_that_take_turns_keep_their_addresses() {
    let ground = Ground::new();
    let of_db = client(Forwarding::Nobody);
    let (_v4, at_v4) = ground.serve("127.0.0.11", &of_db);
    let (_v6, at_v6) = ground.serve("::1", &of_db);
    let askers = [at_v4, at_v6].map(|at| ground.asker(at));
    for _ in 0..20 {
        for asker in &askers {
            assert_eq!(ask(asker, "db").addresses, [DB]);
        }
    }
}

#[test]
fn garbage_is_answered_or_passed_over_and_the_next_query_is_answered() {
    let ground = Ground::new();
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Nobody));
    let asker = ground.asker(at);
    let good = query(7, "db", 1);
    let mut answer_of_ours = good.clone();
    answer_of_ours[2] |= 0x80;
    for ignored in [&[][..], &[0; 11], &answer_of_ours] {
        asker.send(ignored).unwrap();
    }
    // longer than any query, and than what is kept of one
    asker.send(&[&good[..], &[0; 9000]].concat()).unwrap();
    assert_eq!(heard(&asker).map(|reply| reply.rcode), Some(FORMERR));
    for cut in 12..good.len() {
        asker.send(&good[..cut]).unwrap();
        assert_eq!(heard(&asker).map(|reply| reply.rcode), Some(FORMERR));
    }
    assert_eq!(ask(&asker, "db").addresses, [DB]);
    assert!(is_silent(&asker));
}

#[test]
fn an_answer_that_can_not_be_sent_takes_no_other_with_it() {
    let ground = Ground::new();
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Nobody));
    let good = ground.asker(at);
    let raw = ground.netns.run(|| {
        let kind = socket2::Type::RAW;
        socket2::Socket::new(socket2::Domain::IPV4, kind, Some(socket2::Protocol::UDP))
    });
    let raw = raw.unwrap().unwrap();
    // from port 0, to which nothing can be sent
    let message = query(1, "db", 1);
    let length = u16::try_from(8 + message.len()).unwrap().to_be_bytes();
    let header = [[0, 0], at.port().to_be_bytes(), length, [0, 0]].concat();
    let packet = [header, message].concat();
    for _ in 0..50 {
        for _ in 0..8 {
            raw.send_to(&packet, &at.into()).unwrap();
        }
        assert_eq!(ask(&good, "db").addresses, [DB]);
    }
}

#[test]
fn neighbours_are_told_by_their_address_and_strangers_hear_nothing() {
    let ground = Ground::new();
    let of_db = client(Forwarding::Nobody);
    let known: IpAddr = "127.0.0.1".parse().unwrap();
    let by_address = Arc::new(move |from| (from == known).then(|| Arc::clone(&of_db)));
    let (_seat, at) = ground.serve_all("127.0.0.11", Audience::Neighbours { by_address });
    let stranger = ground.udp("127.0.0.2:0".parse().unwrap());
    stranger.connect(at).unwrap();
    stranger.send(&query(7, "db", 1)).unwrap();
    assert_eq!(ask(&ground.asker(at), "db").addresses, [DB]);
    assert!(is_silent(&stranger));
}

#[test]
fn a_panic_of_the_callers_closure_ends_nothing() {
    let ground = Ground::new();
    let of_db = client(Forwarding::Nobody);
    let known: IpAddr = "127.0.0.1".parse().unwrap();
    let by_address = Arc::new(move |from| {
        assert_eq!(from, known, "a panic that is part of the test");
        Some(Arc::clone(&of_db))
    });
    let (_seat, at) = ground.serve_all("127.0.0.11", Audience::Neighbours { by_address });
    let other = ground.udp("127.0.0.2:0".parse().unwrap());
    other.connect(at).unwrap();
    other.send(&query(7, "db", 1)).unwrap();
    assert_eq!(ask(&ground.asker(at), "db").addresses, [DB]);
    assert!(is_silent(&other));
}
