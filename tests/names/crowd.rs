//! One container does its worst, and the others are served.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use bridgework::{Container, Endpoint};

use super::ask::{SERVER, connect, receive_framed, send_framed};
use super::dns::{self, query};
use super::ground::{Ground, client};
use super::lab::wait_until;

/// Two that have nothing to do with each other but their server.
struct Two {
    ground: Ground,
    bad: Container,
    good: Container,
    at: [Endpoint; 2],
}

impl Two {
    fn new(name: &str) -> Self {
        let ground = Ground::new(name);
        let [bad, good] = ["bad", "good"].map(|name| ground.container(name));
        let at = [&bad, &good].map(|one| {
            let network = ground.network(&format!("{}-net", one.name()));
            network.connect(one).unwrap()
        });
        Self {
            ground,
            bad,
            good,
            at,
        }
    }

    fn good_is_served(&self, count: usize) {
        let asker = client(&self.good);
        let own = self.at[1].ip().to_string();
        for n in 0..count {
            assert_eq!(asker.ask_for("good", dns::A).says(), [own.as_str()]);
            if n % 10 == 0 {
                let told = asker.ask_by_tcp(&query("good", dns::A));
                assert_eq!(told.says(), [own.as_str()]);
            }
        }
    }
}

/// Whatever comes of it, those that wait for it end.
struct End<'a>(&'a AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn server() -> SocketAddr {
    SERVER.parse().unwrap()
}

/// Garbage, half of which looks like questions.
fn flood(bad: &Container, ended: &AtomicBool, sent: &AtomicUsize) {
    let socket = bad.run(|| UdpSocket::bind("127.0.0.1:0")).unwrap().unwrap();
    let question = query("www.outside.test", dns::A).bytes;
    let mut bytes = [0_u8; 48];
    while !ended.load(Ordering::Relaxed) {
        let n = sent.fetch_add(1, Ordering::Relaxed);
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = (n.wrapping_mul(2_654_435_761) >> (at % 24)) as u8;
        }
        if n.is_multiple_of(2) {
            bytes[..question.len().min(48)].copy_from_slice(&question[..question.len().min(48)]);
            bytes[13 + n % 8] = n as u8;
        }
        let _full = socket.send_to(&bytes, server());
    }
}

#[test]
fn ten_thousand_half_connections_and_a_flood_of_garbage_keep_nobody_else_waiting() {
    let two = Two::new("flood");
    let (ended, sent, opened) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    let half = || half_connections(&opened, &ended);
    thread::scope(|scope| {
        let _at_the_latest = End(&ended);
        scope.spawn(|| flood(&two.bad, &ended, &sent));
        let halves = [(); 4].map(|()| scope.spawn(|| two.bad.run(half).unwrap()));
        wait_until("a crowd", || {
            opened.load(Ordering::Relaxed) > 1_000 && sent.load(Ordering::Relaxed) > 1_000
        });
        two.good_is_served(1_000);
        while !halves.iter().all(thread::ScopedJoinHandle::is_finished) {
            two.good_is_served(10);
        }
    });
    assert!(opened.load(Ordering::Relaxed) >= 10_000);
    // and so is the bad one, when it asks for something
    let own = two.at[0].ip().to_string();
    let told = client(&two.bad).ask_by_tcp(&query("bad", dns::A));
    assert_eq!(told.says(), [own.as_str()]);
    let asker = client(&two.bad);
    wait_until("an answer to the bad one", || {
        // what comes while its garbage is still waiting is lost
        asker.send(&query("bad", dns::A).bytes);
        let told = asker.poll();
        told.is_some_and(|told| told.says() == [own.as_str()])
    });
    super::threads::at_rest(two.ground.host.netns());
}

/// Together 10,000 of them. As many are kept open as descriptors allow beside what the other tests
/// have.
fn half_connections(opened: &AtomicUsize, ended: &AtomicBool) {
    let mut kept = std::collections::VecDeque::new();
    for n in 0_usize.. {
        if opened.fetch_add(1, Ordering::Relaxed) >= 10_000 || ended.load(Ordering::Relaxed) {
            return;
        }
        let Ok(mut stream) = TcpStream::connect_timeout(&server(), super::lab::DEADLINE) else {
            continue;
        };
        if n.is_multiple_of(25) {
            // no more of them at once than the kernel lets wait
            let sent = send_framed(&mut stream, &query("bad", dns::A).bytes);
            let _room_was_made = sent.and_then(|()| receive_framed(&mut stream));
        }
        let _room_was_made = stream.write_all(b"\0");
        kept.push_back(stream);
        if kept.len() > 75 {
            kept.pop_front();
        }
    }
}

#[test]
fn who_opens_more_connections_than_there_are_loses_the_idlest_of_its_own() {
    let two = Two::new("idlest");
    let mut others = connect(two.good.netns()).unwrap();
    let own = two.at[1].ip().to_string();
    let ask = |stream: &mut TcpStream| {
        send_framed(stream, &query("good", dns::A).bytes).unwrap();
        assert_eq!(receive_framed(stream).unwrap().says(), [own.as_str()]);
    };
    ask(&mut others);
    let mut first = connect(two.bad.netns()).unwrap();
    first.write_all(b"\0").unwrap();
    let crowd: Vec<TcpStream> = (0..200)
        .map(|_| connect(two.bad.netns()).unwrap())
        .collect();
    // the first has made room
    assert!(matches!(first.read(&mut [0; 1]), Ok(0) | Err(_)));
    ask(&mut others);
    let mut last = crowd.into_iter().next_back().unwrap();
    send_framed(&mut last, &query("bad", dns::A).bytes).unwrap();
    assert_eq!(
        receive_framed(&mut last).unwrap().says(),
        [two.at[0].ip().to_string()]
    );
}

#[test]
fn who_never_reads_its_answers_holds_up_nobody() {
    let two = Two::new("never-reads");
    let mut deaf = connect(two.bad.netns()).unwrap();
    deaf.set_nonblocking(true).unwrap();
    let mut all = Vec::new();
    for _ in 0..1_000 {
        send_framed(&mut all, &query("bad", dns::ANY).bytes).unwrap();
    }
    let mut taken = 0;
    for _ in 0..300 {
        match deaf.write(&all) {
            Ok(count) => taken += count,
            Err(_full_or_closed) => two.good_is_served(1),
        }
    }
    assert!(taken > 0);
    two.good_is_served(100);
}

#[test]
fn questions_that_nobody_answers_use_up_only_one_s_own_share() {
    let two = Two::new("share");
    let stub =
        super::upstream::Upstream::start(two.ground.host.netns(), super::ground::STUB, |asked| {
            match asked.name().starts_with("lost") {
                true => Vec::new(),
                false => vec![super::upstream::outside(asked)],
            }
        });
    let bad = client(&two.bad);
    let mut failed = 0;
    for n in 0..5_000 {
        bad.send(&query(&format!("lost{n}.outside.test"), dns::A).bytes);
        failed += bad.received().len();
    }
    stub.first();
    let mut more = 5_000..;
    wait_until("more than its share is refused", || {
        let name = format!("lost{}.outside.test", more.next().expect("a number"));
        bad.send(&query(&name, dns::A).bytes);
        failed += bad.received().len();
        failed > 0
    });
    let good = client(&two.good);
    for n in 0..200 {
        let told = good.ask_for(&format!("www{n}.outside.test"), dns::A);
        assert_eq!(told.says(), ["198.51.100.7"]);
    }
    two.good_is_served(100);
}
