//! How many wait, and for what.

use super::packet::{A, AAAA, Reply, a, ask, read};
use super::world::{World, servers, world};
use crate::resolver::forward::{Asked, ForwardLimits, Vantage};
use crate::resolver::query::Transport;

fn few() -> ForwardLimits {
    ForwardLimits {
        in_flight: 10,
        in_flight_per_client: 4,
        ..ForwardLimits::default()
    }
}

#[test]
fn two_hundred_equal_questions_are_one_query() {
    let mut world = world();
    for number in 0..200_u16 {
        let mut asked = ask(if number % 2 == 0 { "a.test" } else { "A.TEST" }, A);
        asked.id = number;
        world.client = u64::from(number % 7);
        assert_eq!(world.ask(&asked).1, Asked::Waiting);
    }
    assert_eq!(world.log.len(), 1);
    world.reply(&Reply::answer([a("@", 60, 1)]));
    assert_eq!(world.sent.len(), 200);
    for (number, (to, bytes)) in (0..200_u16).zip(&world.sent) {
        let got = read(bytes);
        assert_eq!((u32::from(number) + 1, number), (*to, got.id));
        let name = if number % 2 == 0 { "a.test" } else { "A.TEST" };
        assert_eq!(got.answers, [format!("{name} 60 A 192.0.2.1")]);
    }
    world.assert_idle();
}

#[test]
fn questions_that_differ_in_anything_are_not_joined() {
    let mut world = world();
    let asked = ask("a.test", A);
    world.ask(&asked);
    world.ask(&ask("b.test", A));
    world.ask(&ask("a.test", AAAA));
    let mut other = asked.clone();
    other.flags = 0;
    world.ask(&other);
    other.flags = 0x0110;
    world.ask(&other);
    (other.flags, other.edns) = (0x0100, Some((1232, 0)));
    world.ask(&other);
    other.edns = Some((1232, 0x8000));
    world.ask(&other);
    world.transport = Transport::Tcp;
    world.ask(&asked);
    world.servers = servers(Vantage::Client(1), &[1, 2, 3]);
    world.ask(&asked);
    world.servers = servers(Vantage::Client(2), &[1, 2, 3]);
    world.ask(&asked);
    world.servers = servers(Vantage::Host, &[1, 3]);
    world.ask(&asked);
    assert_eq!((world.log.len(), world.open.len()), (11, 11));
    // a size that another client takes is no other question
    other.edns = Some((4096, 0x8000));
    (world.transport, world.servers) = (Transport::Udp, servers(Vantage::Host, &[1, 2, 3]));
    world.ask(&other);
    assert_eq!(world.log.len(), 11);
}

#[test]
fn who_asks_for_too_much_fails_at_once_and_others_do_not() {
    let mut world = World::with(&[1], few());
    let asked = |number: u32| ask(&format!("n{number}.test"), A);
    for number in 0..4 {
        assert_eq!(world.ask(&asked(number)).1, Asked::Waiting);
    }
    let got = world.known(&asked(4)).expect("a reply");
    assert_eq!((got.rcode(), got.id), (2, 0x1234));
    assert_eq!(
        world.known(&asked(0)).map(|got| got.rcode()),
        Some(2),
        "joined ones count"
    );
    world.client = 2;
    assert_eq!(world.ask(&asked(5)).1, Asked::Waiting);
    world.reply(&Reply::code(3));
    world.client = 1;
    assert_eq!(world.known(&asked(6)).map(|got| got.rcode()), Some(2));
    world.reply(&Reply::code(3));
    assert_eq!(
        world.ask(&asked(7)).1,
        Asked::Waiting,
        "there is room again"
    );
}

#[test]
fn no_more_wait_in_all_than_may() {
    let mut world = World::with(&[1], few());
    for number in 0..10 {
        world.client = number / 3;
        assert_eq!(
            world.ask(&ask(&format!("n{number}.test"), A)).1,
            Asked::Waiting
        );
    }
    world.client = 99;
    let asked = ask("x.test", A);
    assert_eq!(world.known(&asked).map(|got| got.rcode()), Some(2));
    world.pass_s(4);
    assert_eq!(world.sent.len(), 11);
    assert_eq!(world.ask(&asked).1, Asked::Waiting);
    world.pass_s(4);
    world.assert_idle();
}

#[test]
fn what_is_known_is_answered_whoever_waits() {
    let mut world = World::with(&[1], few());
    world.answered(&ask("a.test", A), &Reply::answer([a("@", 60, 1)]));
    for number in 0..4 {
        world.ask(&ask(&format!("n{number}.test"), A));
    }
    assert_eq!(
        world.known(&ask("a.test", A)).map(|got| got.rcode()),
        Some(0)
    );
}

#[test]
fn a_client_that_is_gone_is_sent_nothing_and_nobody_is_asked_for_it() {
    let mut world = world();
    let asked = ask("a.test", A);
    world.ask(&asked);
    world.client = 2;
    let (other, _) = world.ask(&asked);
    world.client = 1;
    world.ask(&ask("b.test", A));
    assert_eq!(world.open.len(), 2);
    world.forwarder.forget(1);
    world.obey();
    assert_eq!(world.open.len(), 1, "nobody waits for the other");
    world.reply(&Reply::answer([a("@", 60, 1)]));
    assert_eq!(world.sent.len(), 1);
    assert_eq!(world.got(other).rcode(), 0);
    world.forwarder.forget(1);
    world.assert_idle();
}

#[test]
fn a_reply_that_is_not_yet_sent_goes_with_its_client() {
    let mut world = world();
    let asked = ask("a.test", A);
    world.ask(&asked);
    world.client = 2;
    let (other, _) = world.ask(&asked);
    let (attempt, open) = world.newest();
    let reply = Reply::answer([a("@", 60, 1)]).to(&open.query);
    world.forwarder.heard(attempt, &reply, world.now, &mut || 1);
    world.forwarder.forget(1);
    world.obey();
    assert_eq!(
        world.sent.iter().map(|(to, _)| *to).collect::<Vec<_>>(),
        [other]
    );
    world.assert_idle();
}

#[test]
fn a_client_that_is_gone_has_room_when_it_comes_again() {
    let mut world = World::with(&[1], few());
    for _ in 0..3 {
        for number in 0..4 {
            let (_, asked) = world.ask(&ask(&format!("n{number}.test"), A));
            assert_eq!(asked, Asked::Waiting);
        }
        world.forwarder.forget(1);
        world.obey();
    }
    world.assert_idle();
}
