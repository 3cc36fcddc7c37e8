//! What is left of a seat, and of a server, when it is gone: nothing.

use super::super::Turn;
use super::*;
use crate::kernel::watch_descriptors;

/// The process's descriptors of sockets.
fn socket_descriptors() -> usize {
    let entries = std::fs::read_dir("/proc/self/fd").unwrap();
    let targets = entries.filter_map(|entry| std::fs::read_link(entry.unwrap().path()).ok());
    targets
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}

#[test]
fn a_server_leaves_no_thread_no_watch_and_no_socket() {
    {
        let _turn = alone();
        assert_eq!(watch_descriptors(), 0);
    }
    let ground = Ground::new();
    assert_eq!((watch_descriptors(), ground.sockets()), (2, 0));
    let (seat, at) = ground.serve("127.0.0.11", &client(Forwarding::Nobody));
    let mut stream = ground.connect(at);
    say(&mut stream, &query(1, "db", 1));
    listen(&mut stream);
    assert_eq!(ground.sockets(), 4);
    drop(seat);
    drop(stream);
    assert_eq!(ground.sockets(), 0);
    let task = format!("/proc/self/task/{}", ground.task);
    assert!(std::path::Path::new(&task).exists());
    drop(ground);
    // who has been joined is there for a moment yet (kernel/exit.c, `exit_notify`)
    wait_until("the thread's end", || !std::path::Path::new(&task).exists());
    let _turn = alone();
    assert_eq!(watch_descriptors(), 0);
}

#[test]
fn when_a_seat_is_dropped_under_load_nothing_is_answered_any_more() {
    let ground = Ground::new();
    let of_db = client(Forwarding::Nobody);
    for _ in 0..20 {
        let (seat, at) = ground.serve("127.0.0.11", &of_db);
        let asker = ground.asker(at);
        let mut stream = ground.connect(at);
        for id in 0..200 {
            asker.send(&query(id, "db", 1)).unwrap();
            say(&mut stream, &query(id, "db", 1));
        }
        assert!(heard(&asker).is_some());
        drop(seat);
        // what had been sent before
        asker.set_nonblocking(true).unwrap();
        while heard(&asker).is_some() {}
        asker.set_nonblocking(false).unwrap();
        assert!(is_silent(&asker));
        let mut rest = Vec::new();
        let _reset = stream.read_to_end(&mut rest);
        assert!(is_closed(&mut stream));
    }
}

#[test]
fn a_seat_that_goes_leaves_the_others_theirs() {
    let ground = Ground::new();
    let of_db = client(Forwarding::Nobody);
    let (first, _) = ground.serve("127.0.0.11", &of_db);
    let (_second, at) = ground.serve("127.0.0.12", &of_db);
    let mut stream = ground.connect(at);
    drop(first);
    assert_eq!(ask(&ground.asker(at), "db").addresses, [DB]);
    say(&mut stream, &query(1, "db", 1));
    assert_eq!(listen(&mut stream).addresses, [DB]);
}

#[test]
fn a_server_is_of_use_as_long_as_a_handle_or_a_seat_is_there() {
    let _turn = alone();
    let netns = loopback();
    let (mut server, handle) = Server::new(ServerConfig::new()).unwrap();
    let address = "127.0.0.11".parse().unwrap();
    let (sockets, at) = netns.run(|| listeners(address)).unwrap();
    let audience = Audience::Container {
        client: client(Forwarding::Nobody),
        netns: None,
    };
    let seat = handle.serve(sockets, audience).unwrap();
    drop(handle.clone());
    drop(handle);
    assert_eq!(server.turn(Duration::ZERO), Ok(Turn::Open));
    let asker = netns
        .run(|| UdpSocket::bind("127.0.0.1:0"))
        .unwrap()
        .unwrap();
    asker.set_read_timeout(Some(DEADLINE)).unwrap();
    asker.connect(at).unwrap();
    asker.send(&query(7, "db", 1)).unwrap();
    assert_eq!(server.turn(DEADLINE), Ok(Turn::Open));
    assert_eq!(heard(&asker).unwrap().addresses, [DB]);
    // on the thread that takes the turns
    drop(seat);
    assert_eq!(server.turn(DEADLINE), Ok(Turn::Ended));
}

#[test]
fn a_server_that_is_dropped_serves_no_more() {
    let _turn = alone();
    let netns = loopback();
    let (server, handle) = Server::new(ServerConfig::new()).unwrap();
    let address = "127.0.0.11".parse().unwrap();
    let audience = || Audience::Container {
        client: client(Forwarding::Nobody),
        netns: None,
    };
    let (sockets, at) = netns.run(|| listeners(address)).unwrap();
    let seat = handle.serve(sockets, audience()).unwrap();
    drop(server);
    let gone = netns.run(|| TcpStream::connect(at)).unwrap();
    assert!(gone.is_err());
    let (sockets, _) = netns.run(|| listeners(address)).unwrap();
    assert!(handle.serve(sockets, audience()).is_err());
    drop(seat);
}

#[test]
fn a_thousand_idle_seats_have_less_than_4_kib_each_and_the_last_is_served() {
    let ground = Ground::new();
    let of_db = client(Forwarding::Nobody);
    let before = socket_descriptors();
    let seats: Vec<(Seat, SocketAddr)> = (0..1000)
        .map(|n| ground.serve(&format!("127.0.{}.{}", 1 + n / 250, 1 + n % 250), &of_db))
        .collect();
    assert_eq!(socket_descriptors() - before, 2000);
    let (_, at) = seats.last().unwrap();
    assert_eq!(ask(&ground.asker(*at), "db").addresses, [DB]);
    drop(seats);
    assert_eq!(socket_descriptors(), before);
}
