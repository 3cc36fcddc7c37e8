//! A forwarder, and all that is around it.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::packet::{self, Ask, Got, Reply};
use crate::resolver::forward::{
    Asked, AttemptId, ForwardLimits, Forwarder, Order, Servers, Vantage, Waiter,
};
use crate::resolver::query::{Query, Transport};

/// An attempt that is open.
#[derive(Debug, Clone)]
pub(super) struct Open {
    pub(super) vantage: Vantage,
    /// The last byte of its address.
    pub(super) server: u8,
    pub(super) transport: Transport,
    pub(super) query: Vec<u8>,
}

pub(super) struct World {
    pub(super) forwarder: Forwarder<u32>,
    pub(super) now: Instant,
    pub(super) start: Instant,
    pub(super) open: BTreeMap<AttemptId, Open>,
    /// All that were ever opened, in order.
    pub(super) log: Vec<Open>,
    /// What was sent, and to whom.
    pub(super) sent: Vec<(u32, Vec<u8>)>,
    /// When each of these was.
    pub(super) sent_at: Vec<Instant>,
    pub(super) servers: Servers,
    pub(super) client: u64,
    pub(super) transport: Transport,
    pub(super) seed: u64,
    next: u32,
}

pub(super) fn servers(vantage: Vantage, numbers: &[u8]) -> Servers {
    let address = |number: &u8| std::net::IpAddr::from([10, 0, 0, *number]).into();
    Servers {
        vantage,
        addresses: numbers.iter().map(address).collect(),
    }
}

/// A random source for tests: splitmix64.
pub(super) fn draw(seed: &mut u64) -> u16 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z >> 48) as u16
}

pub(super) fn world() -> World {
    World::new(&[1, 2, 3])
}

impl World {
    pub(super) fn new(numbers: &[u8]) -> Self {
        Self::with(numbers, ForwardLimits::default())
    }

    pub(super) fn with(numbers: &[u8], limits: ForwardLimits) -> Self {
        let start = Instant::now();
        Self {
            forwarder: Forwarder::new(limits),
            now: start,
            start,
            open: BTreeMap::new(),
            log: Vec::new(),
            sent: Vec::new(),
            sent_at: Vec::new(),
            servers: servers(Vantage::Host, numbers),
            client: 1,
            transport: Transport::Udp,
            seed: 7,
            next: 0,
        }
    }

    /// Asks, and does what is ordered then. What is known is among the sent at once.
    pub(super) fn ask(&mut self, ask: &Ask) -> (u32, Asked) {
        let query = Query::parse(&ask.bytes(), self.transport).unwrap();
        self.next += 1;
        let waiter = Waiter {
            client: self.client,
            to: self.next,
        };
        let mut reply = b"stale".to_vec();
        let seed = &mut self.seed;
        let asked = self.forwarder.ask(
            &query,
            &self.servers,
            waiter,
            self.now,
            &mut || draw(seed),
            &mut reply,
        );
        if asked == Asked::Reply {
            self.sent.push((self.next, reply));
            self.sent_at.push(self.now);
        }
        self.obey();
        (self.next, asked)
    }

    /// The reply that is there at once.
    pub(super) fn known(&mut self, ask: &Ask) -> Option<Got> {
        let before = self.sent.len();
        let (_, asked) = self.ask(ask);
        (asked == Asked::Reply).then(|| packet::read(&self.sent[before].1))
    }

    /// Asks, has it answered by the only server that is listened to, and reads what is sent.
    pub(super) fn answered(&mut self, ask: &Ask, reply: &Reply) -> Got {
        let (to, asked) = self.ask(ask);
        assert_eq!(asked, Asked::Waiting);
        self.reply(reply);
        self.got(to)
    }

    pub(super) fn got(&self, to: u32) -> Got {
        let mut sent = self.sent.iter().filter(|(found, _)| *found == to);
        let got = packet::read(&sent.next().expect("a reply was sent").1);
        assert!(sent.next().is_none(), "one reply each");
        got
    }

    /// The newest attempt.
    pub(super) fn newest(&self) -> (AttemptId, Open) {
        let newest = self.open.iter().next_back().expect("somebody is asked");
        (*newest.0, newest.1.clone())
    }

    pub(super) fn reply(&mut self, reply: &Reply) {
        let (attempt, open) = self.newest();
        self.hear(attempt, &reply.to(&open.query));
    }

    pub(super) fn hear(&mut self, attempt: AttemptId, bytes: &[u8]) {
        let seed = &mut self.seed;
        self.forwarder
            .heard(attempt, bytes, self.now, &mut || draw(seed));
        self.obey();
    }

    pub(super) fn fail(&mut self, attempt: AttemptId) {
        self.open.remove(&attempt);
        let seed = &mut self.seed;
        self.forwarder.failed(attempt, self.now, &mut || draw(seed));
        self.obey();
    }

    pub(super) fn crowd_out(&mut self, attempt: AttemptId) {
        self.open.remove(&attempt);
        self.forwarder.crowded_out(attempt);
        self.obey();
    }

    /// Lets time pass, and wakes the forwarder whenever it wants that.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.forwarder.next_wake().filter(|wake| *wake <= end) {
            assert!(wake >= self.now, "nothing is overdue");
            self.now = wake;
            let seed = &mut self.seed;
            self.forwarder.wake(wake, &mut || draw(seed));
            self.obey();
        }
        self.now = end;
    }

    pub(super) fn pass_ms(&mut self, ms: u64) {
        self.pass(Duration::from_millis(ms));
    }

    pub(super) fn pass_s(&mut self, s: u64) {
        self.pass(Duration::from_secs(s));
    }

    /// The servers that were asked, in order, by the last byte of their address.
    pub(super) fn asked(&self) -> Vec<u8> {
        self.log.iter().map(|open| open.server).collect()
    }

    /// That no question is left over, nor anything of one.
    pub(super) fn assert_idle(&self) {
        assert_eq!(self.open.len(), 0, "no socket is left");
        assert_eq!(self.forwarder.next_wake(), None, "nothing is due");
        assert!(self.forwarder.flights.is_idle(), "no flight is left");
    }

    pub(super) fn obey(&mut self) {
        let mut reply = b"stale".to_vec();
        while let Some(order) = self.forwarder.next_order(&mut reply) {
            match order {
                Order::Open {
                    attempt,
                    vantage,
                    server,
                    transport,
                    query,
                    ..
                } => {
                    let std::net::IpAddr::V4(address) = server.address() else {
                        panic!("no such server")
                    };
                    let open = Open {
                        vantage,
                        server: address.octets()[3],
                        transport,
                        query,
                    };
                    self.log.push(open.clone());
                    assert!(self.open.insert(attempt, open).is_none(), "a number twice");
                }
                Order::Close(attempt) => {
                    assert!(self.open.remove(&attempt).is_some(), "it was open");
                }
                Order::Reply(to) => {
                    self.sent.push((to, reply.clone()));
                    self.sent_at.push(self.now);
                }
            }
        }
    }
}
