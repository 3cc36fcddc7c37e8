//! Who answers without having been asked, or more than was asked, is not believed.

use std::collections::BTreeSet;
use std::net::{SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use bridgework::{Container, Endpoint};

use super::dns::{self, A, Message, SERVFAIL, Section, query};
use super::ground::{Ground, STUB, client};
use super::lab::wait_until;
use super::upstream::{Asked, OUTSIDE, Upstream, outside};

const FORGED: [u8; 4] = [6, 6, 6, 6];

struct One {
    ground: Ground,
    web: Container,
    _at: Endpoint,
}

impl One {
    fn new(name: &str) -> Self {
        let ground = Ground::new(name);
        let shop = ground.network("shop");
        let web = ground.container("web");
        let _at = shop.connect(&web).unwrap();
        Self { ground, web, _at }
    }

    fn upstream(
        &self,
        script: impl Fn(&Asked) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> Upstream {
        Upstream::start(self.ground.host.netns(), STUB, script)
    }
}

fn message(asked: &Asked) -> &Message {
    asked.message.as_ref().expect("a message")
}

/// The answer that a forger would have believed.
fn forged(asked: &Asked) -> dns::Writing {
    dns::reply(message(asked)).a(asked.name(), 3600, FORGED)
}

/// For each of so many questions a sixteenth of all ids: with the right one among them from a wrong
/// place, or all but that from the right place.
const ROUNDS: u16 = 256;

#[test]
fn of_a_million_forged_replies_none_is_taken_and_the_true_one_is_told() {
    let one = One::new("million");
    let stub = one.upstream(|_| Vec::new());
    let open = || UdpSocket::bind("127.0.0.1:0").unwrap();
    let stranger = one.ground.host.netns().run(open).unwrap();
    let asker = client(&one.web);
    let (mut sent, mut round, mut given_up) = (0, 0, 0);
    while round < ROUNDS {
        let since = Instant::now();
        stub.forget();
        let asked_for = query(&format!("bank{round}.outside.test"), A);
        asker.send(&asked_for.bytes);
        let asked = stub.first();
        let right = message(&asked).id;
        let ids = (0..=u16::MAX >> 4).map(|id| id | round << 12);
        sent += match round & 16 {
            0 => spray(&stranger, &asked, ids.chain([right])),
            _ => spray(stub.socket(), &asked, ids.filter(|id| *id != right)),
        };
        let told = loop {
            // while its buffer is full of the others' this one is lost, too
            for again in stub.asked() {
                let _closed = stub.socket().send_to(&outside(&again), again.from);
            }
            if let Some(told) = asker.poll() {
                break told;
            }
        };
        if told.rcode() == SERVFAIL {
            // where the processor is others', all of that may take longer than anybody waits
            assert!(since.elapsed() > Duration::from_secs(1), "{told:?}");
            given_up += 1;
            continue;
        }
        assert_eq!(told.says(), ["198.51.100.7"]);
        assert_eq!(told.answers.len(), 1);
        let again = asker.ask_for(&format!("bank{round}.outside.test"), A);
        assert_eq!(again.says(), ["198.51.100.7"], "nor kept for later");
        round += 1;
    }
    assert!(sent >= 1_000_000, "{sent}");
    assert!(given_up < ROUNDS / 4, "{given_up}");
}

/// As fast as the kernel takes them.
fn spray(from: &UdpSocket, asked: &Asked, ids: impl Iterator<Item = u16>) -> usize {
    let mut bytes = forged(asked).bytes;
    let mut sent = 0;
    for id in ids {
        bytes[..2].copy_from_slice(&id.to_be_bytes());
        // ICMP says that the stranger's were not taken
        let _refused = from.send_to(&bytes, asked.from);
        sent += 1;
    }
    sent
}

#[test]
fn a_wrong_answer_before_the_right_one_ends_nothing() {
    let one = One::new("wrong-first");
    let stub = one.upstream(|asked| {
        let wrong_question = query("other.outside.test", A).id(message(asked).id).bytes;
        let other = Message::read(&wrong_question).unwrap();
        vec![
            forged(asked).id(message(asked).id ^ 1).bytes,
            dns::reply(&other).a("other.outside.test", 60, FORGED).bytes,
            message(asked).bytes.clone(),
            forged(asked).opcode(4).bytes,
            outside(asked),
        ]
    });
    let asker = client(&one.web);
    for n in 0..20 {
        let told = asker.ask_for(&format!("www{n}.outside.test"), A);
        assert_eq!(told.says(), ["198.51.100.7"], "{n}");
    }
    assert!(stub.count() >= 20);
}

#[test]
fn records_of_names_that_were_not_asked_for_are_neither_told_nor_kept() {
    let one = One::new("extra");
    let stub = one.upstream(|asked| {
        let name = asked.name().to_owned();
        if !name.starts_with("www") {
            return vec![outside(asked)];
        }
        let target = dns::wire_name("cdn.outside.test");
        let reply = dns::reply(message(asked))
            .a("bank.outside.test", 3600, FORGED)
            .record(Section::Answer, &name, 5, 60, &target)
            .a("cdn.outside.test", 60, OUTSIDE)
            .a("db.shop", 3600, FORGED)
            .record(
                Section::Authority,
                "outside.test",
                2,
                3600,
                &dns::wire_name("ns.evil.test"),
            )
            .record(Section::Additional, "ns.evil.test", A, 3600, &FORGED)
            .record(Section::Additional, "bank.outside.test", A, 3600, &FORGED);
        vec![reply.bytes]
    });
    let asker = client(&one.web);
    for _ in 0..2 {
        let told = asker.ask(&query("www.outside.test", A).edns(4096, 0));
        assert_eq!(told.says(), ["198.51.100.7", "cdn.outside.test"]);
        let text = format!("{told:?}");
        assert!(
            !text.contains("6.6.6.6") && !text.contains("evil"),
            "{text}"
        );
        assert_eq!(told.edns_bytes(), Some(1232));
    }
    for name in ["bank.outside.test", "cdn.outside.test"] {
        assert_eq!(asker.ask_for(name, A).says(), ["198.51.100.7"]);
    }
    assert_eq!(stub.count(), 3, "{:?}", stub.names());
    assert_eq!(asker.ask_for("web", A).says(), [one._at.ip().to_string()]);
}

#[test]
fn ids_and_ports_can_t_be_foretold_and_are_not_the_client_s() {
    const COUNT: usize = 2_048;
    let one = One::new("foretold");
    let stub = one.ground.stub();
    let asker = client(&one.web);
    let mut same = 0;
    for n in 0..COUNT {
        let query = query(&format!("n{n}.outside.test"), A).id(7);
        asker.ask(&query);
    }
    let asked = stub.asked();
    assert_eq!(asked.len(), COUNT);
    let ids: Vec<u16> = asked.iter().map(|asked| message(asked).id).collect();
    same += ids.iter().filter(|id| **id == 7).count();
    assert!(same <= 3, "the client's own id, {same} times");
    for shift in [0, 4, 8, 12] {
        let kinds = ids.iter().map(|id| usize::from(id >> shift & 15));
        assert!(chi_square(kinds) < 50.0, "bits {shift} and on of the ids");
    }
    let steps = ids
        .windows(2)
        .map(|pair| usize::from(pair[1].wrapping_sub(pair[0]) >> 12));
    assert!(chi_square(steps) < 50.0, "from one id to the next");
    // the kernel chooses ports, from a range that is no power of two
    let ports: BTreeSet<u16> = asked.iter().map(|asked| asked.from.port()).collect();
    assert!(ports.len() > COUNT / 2, "{} ports", ports.len());
    let low = asked
        .iter()
        .map(|asked| usize::from(asked.from.port() >> 1 & 15));
    assert!(chi_square(low) < 50.0, "ports");
}

/// Of 16 kinds: with 15 degrees of freedom, more than 50 comes once in 100,000 times.
fn chi_square(kinds: impl Iterator<Item = usize>) -> f64 {
    let mut counts = [0_u32; 16];
    kinds.for_each(|kind| counts[kind] += 1);
    let expected = f64::from(counts.iter().sum::<u32>()) / 16.0;
    let off = counts
        .iter()
        .map(|count| (f64::from(*count) - expected).powi(2) / expected);
    off.sum()
}

#[test]
fn whatever_an_upstream_says_the_server_goes_on() {
    let one = One::new("garbage");
    let stub = one.upstream(|asked| {
        let n: usize = asked.name()[1..]
            .split('.')
            .next()
            .unwrap()
            .parse()
            .unwrap();
        let good = outside(asked);
        // cut, flipped, counts that lie, pointers to themselves
        let mut bad = good.clone();
        match n % 4 {
            0 => bad.truncate(n % good.len()),
            1 => bad[12 + n % (good.len() - 12)] ^= 0xff,
            2 => bad[4 + n / 4 % 8] = 0xff,
            _ => bad.extend([0xc0, 0x0c, 0xc0, 0xff].repeat(n % 300)),
        }
        vec![bad, good]
    });
    let asker = client(&one.web);
    for n in 0..2_000 {
        asker.send(&query(&format!("n{n}.outside.test"), A).bytes);
        if n % 100 == 0 {
            assert_eq!(asker.ask_for("web", A).rcode(), dns::NOERROR);
        }
    }
    assert_eq!(asker.ask_for("web", A).says(), [one._at.ip().to_string()]);
    assert!(stub.count() > 100);
}

#[test]
fn a_socket_that_was_answered_is_closed() {
    let one = One::new("closed");
    let stub = one.ground.stub();
    let asker = client(&one.web);
    asker.ask_for("www.outside.test", A);
    let from: SocketAddr = stub.first().from;
    let _sent = stub.socket().send_to(b"late", from);
    let netns = one.ground.host.netns();
    // but what other tests are just starting
    wait_until("nobody has it any more", || {
        netns.run(|| UdpSocket::bind(from)).unwrap().is_ok()
    });
}
