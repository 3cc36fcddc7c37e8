//! One client that floods, and another that must not feel it.

use super::super::limits::ServerLimits;
use super::stub::{File, Stub};
use super::wire::NOERROR;
use super::*;

#[test]
fn half_sent_queries_of_one_client_leave_another_all_its_answers() {
    let ground = Ground::new();
    let of_db = client(Forwarding::Nobody);
    let (_bad, at_bad) = ground.serve("127.0.0.11", &of_db);
    let (_good, at_good) = ground.serve("127.0.0.12", &of_db);
    let asker = ground.asker(at_good);
    let inside = ground.netns.clone();
    let flood = std::thread::spawn(move || {
        let connect_all = || {
            let open = |_| {
                let mut stream = TcpStream::connect(at_bad).expect("it connects");
                // reset by then, where it had to make room at once
                let _sent = stream.write_all(&[0]);
                stream
            };
            // as many at once as descriptors allow beside the server's
            for _ in 0..20 {
                drop((0..500).map(open).collect::<Vec<_>>());
            }
        };
        inside.run(connect_all).expect("a thread");
    });
    for id in 0..1000 {
        asker.send(&query(id, "db", 1)).unwrap();
        let reply = heard(&asker).expect("an answer");
        assert_eq!((reply.id, reply.rcode), (id, NOERROR));
        assert_eq!(reply.addresses, [DB]);
        if id % 100 == 0 {
            let mut stream = ground.connect(at_good);
            say(&mut stream, &query(id, "db", 1));
            assert_eq!(listen(&mut stream).addresses, [DB]);
        }
    }
    flood.join().unwrap();
    assert_eq!(ask(&asker, "db").addresses, [DB]);
}

#[test]
fn cut_queries_by_the_thousand_leave_the_thread_at_rest() {
    let ground = Ground::new();
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Nobody));
    let open = || {
        for _ in 0..10_000 {
            let mut stream = TcpStream::connect(at).expect("it connects");
            let _sent = stream.write_all(&[0, 0x3c]);
        }
    };
    ground.netns.run(open).unwrap();
    let mut stream = ground.connect(at);
    say(&mut stream, &query(1, "db", 1));
    assert_eq!(listen(&mut stream).addresses, [DB]);
    drop(stream);
    wait_until("the end of all connections", || ground.sockets() == 2);
    is_at_rest(&ground, &ground.asker(at));
}

/// Whether the thread does nothing in a second in which `silent` hears nothing; a busy one has 100
/// ticks in that.
fn is_at_rest(ground: &Ground, silent: &UdpSocket) {
    let before = ground.ticks();
    silent
        .set_read_timeout(Some(Duration::from_secs(1)))
        .unwrap();
    assert!(heard(silent).is_none());
    let spent = ground.ticks() - before;
    assert!(spent <= 2, "{spent} ticks in an idle second");
}

#[test]
fn who_is_reset_while_it_is_not_read_from_leaves_the_thread_at_rest() {
    let file = File::naming(&["127.0.0.1"]);
    let mut limits = ServerLimits::of_process();
    limits.unanswered_per_connection = 1;
    let config = ServerConfig::new().resolv_conf(file.path()).limits(limits);
    let ground = Ground::with(config);
    let (_seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Host));
    let stub = Stub::at(&ground.netns, "127.0.0.1");
    let mut stream = ground.connect(at);
    say(&mut stream, &query(1, "example.com", 1));
    let _silent = stub.accept();
    let at_once = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
    at_once.unwrap();
    drop(stream);
    is_at_rest(&ground, &ground.asker(at));
}

#[test]
fn datagrams_of_garbage_leave_another_all_its_answers() {
    let ground = Ground::new();
    let of_db = client(Forwarding::Nobody);
    let (_bad, at_bad) = ground.serve("127.0.0.11", &of_db);
    let (_good, at_good) = ground.serve("127.0.0.12", &of_db);
    let (asker, bad) = (ground.asker(at_good), ground.asker(at_bad));
    let (stop, stopped) = channel::<()>();
    let flood = std::thread::spawn(move || {
        let mut byte = 0_u8;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            byte = byte.wrapping_add(1);
            let _sent = bad.send(&[byte; 60]);
        }
    });
    for id in 0..1000 {
        asker.send(&query(id, "db", 1)).unwrap();
        assert_eq!(heard(&asker).map(|reply| reply.id), Some(id));
    }
    drop(stop);
    flood.join().unwrap();
}
