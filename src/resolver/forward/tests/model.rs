//! Any order of questions, replies, failures and time: each who asks is told once, in time, and what
//! was asked for.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use super::packet::{A, Reply, a, ask, cname, read, soa};
use super::world::{World, servers};
use crate::resolver::forward::{Asked, ForwardLimits, Vantage};
use crate::resolver::query::Transport;

#[derive(Debug, Clone)]
enum Event {
    Ask {
        client: u64,
        name: u8,
        own: bool,
        tcp: bool,
        edns: bool,
    },
    Reply {
        attempt: prop::sample::Index,
        kind: u8,
    },
    Fail {
        attempt: prop::sample::Index,
    },
    CrowdOut {
        attempt: prop::sample::Index,
    },
    Pass {
        ms: u64,
    },
    Forget {
        client: u64,
    },
}

fn event() -> impl Strategy<Value = Event> {
    let flags = any::<(bool, bool, bool)>();
    prop_oneof![
        6 => (0..4_u64, 0..5_u8, flags).prop_map(|(client, name, (own, tcp, edns))| {
            Event::Ask { client, name, own, tcp, edns }
        }),
        4 => (any::<prop::sample::Index>(), 0..9_u8)
            .prop_map(|(attempt, kind)| Event::Reply { attempt, kind }),
        1 => any::<prop::sample::Index>().prop_map(|attempt| Event::Fail { attempt }),
        1 => any::<prop::sample::Index>().prop_map(|attempt| Event::CrowdOut { attempt }),
        3 => prop_oneof![0..50_u64, 900..1_100_u64, 0..5_000_u64]
            .prop_map(|ms| Event::Pass { ms }),
        1 => (0..4_u64).prop_map(|client| Event::Forget { client }),
    ]
}

struct Pending {
    client: u64,
    id: u16,
    name: String,
    value: u8,
    since: Instant,
    limit_bytes: usize,
}

#[derive(Default)]
struct Model {
    pending: HashMap<u32, Pending>,
    read: usize,
    ids: u16,
}

const LIMITS: ForwardLimits = ForwardLimits {
    in_flight: 12,
    in_flight_per_client: 5,
    cache_bytes: 2_000,
};

/// What is true of a name as it is seen from there, and from nowhere else.
fn value(name: u8, vantage: Vantage) -> u8 {
    let place = match vantage {
        Vantage::Host => 0,
        Vantage::Client(client) => client as u8 + 1,
    };
    name * 10 + place
}

impl Model {
    fn ask(&mut self, world: &mut World, event: &Event) {
        let Event::Ask {
            client,
            name,
            own,
            tcp,
            edns,
        } = *event
        else {
            return;
        };
        self.ids += 1;
        let mut asked = ask(&format!("N{name}.a.test"), A);
        asked.id = self.ids;
        asked.edns = edns.then_some((1232, 0));
        let vantage = if own {
            Vantage::Client(client)
        } else {
            Vantage::Host
        };
        world.servers = servers(vantage, &[1, 2, 3][..1 + usize::from(name) % 3]);
        world.client = client;
        world.transport = if tcp { Transport::Tcp } else { Transport::Udp };
        let waiting = self.waiting();
        let of_client = waiting.get(&client).copied().unwrap_or(0);
        let has_room =
            self.pending.len() < LIMITS.in_flight && of_client < LIMITS.in_flight_per_client;
        let since = world.now;
        let (to, outcome) = world.ask(&asked);
        let limit_bytes = match (tcp, edns) {
            (true, _) => 65_535,
            (false, true) => 1_232,
            (false, false) => 512,
        };
        let (name, value) = (asked.name, value(name, vantage));
        let id = asked.id;
        self.pending.insert(
            to,
            Pending {
                client,
                id,
                name,
                value,
                since,
                limit_bytes,
            },
        );
        if outcome == Asked::Waiting {
            assert!(has_room, "it is beyond the limits");
        }
        let known = world.sent.len() > self.read;
        assert_eq!(known, outcome == Asked::Reply);
        if known && has_room {
            assert_ne!(read(&world.sent[self.read].1).rcode(), 2, "there was room");
        }
    }

    fn waiting(&self) -> BTreeMap<u64, usize> {
        let mut waiting = BTreeMap::new();
        for pending in self.pending.values() {
            *waiting.entry(pending.client).or_default() += 1;
        }
        waiting
    }

    /// Reads what was sent since.
    fn check(&mut self, world: &World) {
        let times = &world.sent_at[self.read..];
        for ((to, bytes), at) in world.sent[self.read..].iter().zip(times) {
            let asked = self.pending.remove(to).expect("it waits, and is told once");
            let got = read(bytes);
            assert_eq!((got.id, got.question), {
                let question = ask(&asked.name, A).bytes()[12..].to_vec();
                (asked.id, question)
            });
            assert!(bytes.len() <= asked.limit_bytes);
            assert!(*at - asked.since <= Duration::from_secs(4), "in time");
            for answer in got.answers.iter().filter(|answer| answer.contains(" A ")) {
                assert!(
                    answer.ends_with(&format!(" A 192.0.2.{}", asked.value)),
                    "{answer}"
                );
            }
        }
        self.read = world.sent.len();
        assert!(world.forwarder.cache.bytes() <= LIMITS.cache_bytes);
        assert!(world.open.len() <= 4 * LIMITS.in_flight);
        let overdue = world
            .forwarder
            .next_wake()
            .is_some_and(|wake| wake <= world.now);
        assert!(!overdue);
        assert_eq!(
            self.pending.is_empty(),
            world.forwarder.next_wake().is_none()
        );
    }
}

fn reply(world: &mut World, index: prop::sample::Index, kind: u8) {
    if world.open.is_empty() {
        return;
    }
    let number = index.index(world.open.len());
    let (attempt, open) = world.open.iter().nth(number).expect("it is one of them");
    let (attempt, open) = (*attempt, open.clone());
    let name = open.query[14] - b'0';
    let right = value(name, open.vantage);
    let mut bytes = match kind {
        0 | 1 => Reply::answer([a("@", 3, right), a("x.test", 3, 66)]),
        2 => Reply::answer([cname("@", 3, "c.test"), a("c.test", 2, right)]),
        3 => Reply::code(3).authority([soa("test", 2, 2)]),
        4 => Reply::code(2),
        5 => Reply::answer([a("@", 3, right)]).truncated(),
        8 => Reply::code(1),
        _ => Reply::answer([a("@", 3, 66)]),
    }
    .to(&open.query);
    match kind {
        6 => bytes[0] ^= 1,
        7 => bytes[14] ^= 1,
        _ => {}
    }
    world.hear(attempt, &bytes);
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn whoever_asks_is_told_once_and_in_time_and_no_flight_is_left(
        seed: u64,
        events in vec(event(), 1..120),
    ) {
        let mut world = World::with(&[1], LIMITS);
        world.seed = seed;
        let mut model = Model::default();
        for event in &events {
            match event {
                Event::Ask { .. } => model.ask(&mut world, event),
                Event::Reply { attempt, kind } => reply(&mut world, *attempt, *kind),
                Event::Fail { attempt } if !world.open.is_empty() => {
                    let number = attempt.index(world.open.len());
                    let attempt = *world.open.keys().nth(number).expect("it is one of them");
                    world.fail(attempt);
                }
                Event::CrowdOut { attempt } if !world.open.is_empty() => {
                    let number = attempt.index(world.open.len());
                    let attempt = *world.open.keys().nth(number).expect("it is one of them");
                    world.crowd_out(attempt);
                }
                Event::Fail { .. } | Event::CrowdOut { .. } => {}
                Event::Pass { ms } => world.pass_ms(*ms),
                Event::Forget { client } => {
                    model.pending.retain(|_, pending| pending.client != *client);
                    world.forwarder.forget(*client);
                    world.obey();
                }
            }
            model.check(&world);
        }
        world.pass_ms(4_000);
        model.check(&world);
        prop_assert!(model.pending.is_empty(), "all were told");
        world.assert_idle();
    }
}
