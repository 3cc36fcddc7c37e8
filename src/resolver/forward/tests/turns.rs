//! Who is asked, when the next one is, and when nobody is left.

use super::packet::{A, Reply, a, ask};
use super::world::{Open, World, servers, world};
use crate::resolver::forward::{Asked, Vantage};
use crate::resolver::query::Transport;

fn good() -> Reply {
    Reply::answer([a("@", 60, 1)])
}

#[test]
fn a_server_that_cannot_answer_is_followed_by_the_next_at_once() {
    for rcode in [1, 2, 4, 5] {
        let mut world = world();
        let (to, _) = world.ask(&ask("a.test", A));
        world.reply(&Reply::code(rcode));
        assert_eq!((world.asked(), world.open.len()), (vec![1, 2], 1));
        assert_ne!(world.log[0].query, world.log[1].query, "under another id");
        world.reply(&good());
        assert_eq!(world.got(to).rcode(), 0);
        world.assert_idle();
    }
}

#[test]
fn a_server_that_does_not_understand_an_extended_query_is_asked_once_more_without_it() {
    for rcode in [1, 4] {
        for transport in [Transport::Udp, Transport::Tcp] {
            let mut world = world();
            world.transport = transport;
            let mut asked = ask("a.test", A);
            asked.edns = Some((1232, 0x8000));
            let (to, _) = world.ask(&asked);
            world.reply(&Reply::code(rcode));
            assert_eq!((world.asked(), world.open.len()), (vec![1, 1], 1));
            let has_opt = |open: &Open| open.query[11] == 1;
            assert_eq!(
                world.log.iter().map(has_opt).collect::<Vec<_>>(),
                [true, false]
            );
            let (extended, plain) = (&world.log[0].query, &world.log[1].query);
            assert_eq!(plain[2..11], extended[2..11]);
            assert_eq!(plain[12..], extended[12..plain.len()]);
            assert_ne!(plain[..2], extended[..2], "under another id");
            world.reply(&good());
            let got = world.got(to);
            assert_eq!((got.rcode(), got.answers.len()), (0, 1));
            world.assert_idle();
        }
    }
}

#[test]
fn a_server_that_does_not_understand_a_plain_query_either_is_followed_by_the_next() {
    let mut world = World::new(&[1, 2]);
    let mut asked = ask("a.test", A);
    asked.edns = Some((1232, 0));
    let (to, _) = world.ask(&asked);
    for servers in [vec![1, 1], vec![1, 1, 2], vec![1, 1, 2, 2]] {
        world.reply(&Reply::code(1));
        assert_eq!((world.asked(), world.open.len()), (servers, 1));
    }
    world.reply(&Reply::code(4));
    assert_eq!(world.got(to).rcode(), 2);
    world.assert_idle();
}

#[test]
fn that_there_is_no_such_name_is_an_answer() {
    let mut world = world();
    assert_eq!(
        world.answered(&ask("a.test", A), &Reply::code(3)).rcode(),
        3
    );
    assert_eq!(world.asked(), [1]);
}

#[test]
fn when_all_have_failed_the_client_is_told_at_once() {
    let mut world = world();
    let (to, _) = world.ask(&ask("a.test", A));
    world.reply(&Reply::code(2));
    let (attempt, _) = world.newest();
    world.fail(attempt);
    assert_eq!(world.sent.len(), 0);
    world.reply(&Reply::code(5));
    let got = world.got(to);
    assert_eq!((got.rcode(), got.flags), (2, 0x8182));
    assert_eq!((world.asked(), world.now), (vec![1, 2, 3], world.start));
    world.assert_idle();
}

#[test]
fn without_a_server_the_client_is_told_at_once() {
    let mut world = World::new(&[]);
    assert_eq!(world.known(&ask("a.test", A)).expect("a reply").rcode(), 2);
    world.assert_idle();
}

#[test]
fn more_than_three_servers_are_not_asked() {
    let mut world = World::new(&[1, 2, 3, 4]);
    let (to, _) = world.ask(&ask("a.test", A));
    for _ in 0..3 {
        world.reply(&Reply::code(2));
    }
    assert_eq!((world.asked(), world.got(to).rcode()), (vec![1, 2, 3], 2));
}

#[test]
fn a_silent_server_is_followed_by_the_next_after_a_second_and_still_listened_to() {
    let mut world = world();
    let (to, _) = world.ask(&ask("a.test", A));
    let (first, open) = world.newest();
    world.pass_ms(999);
    assert_eq!(world.asked(), [1]);
    world.pass_ms(1);
    assert_eq!((world.asked(), world.open.len()), (vec![1, 2], 2));
    world.pass_ms(500);
    world.hear(first, &good().to(&open.query));
    assert_eq!(world.got(to).rcode(), 0);
    world.assert_idle();
    // that it answered at last makes it no faster
    world.ask(&ask("b.test", A));
    assert_eq!(world.asked(), [1, 2, 2]);
}

#[test]
fn all_are_asked_in_turn_until_four_seconds_are_over() {
    for (numbers, asked) in [
        (&[1, 2, 3][..], vec![1, 2, 3, 1]),
        (&[1, 2], vec![1, 2, 1, 2]),
        (&[1], vec![1, 1, 1, 1]),
    ] {
        let mut world = World::new(numbers);
        let (to, _) = world.ask(&ask("a.test", A));
        world.pass_ms(3_999);
        assert_eq!((world.asked(), world.sent.len()), (asked, 0));
        world.pass_ms(1);
        assert_eq!(world.got(to).rcode(), 2);
        world.assert_idle();
    }
}

#[test]
fn who_has_failed_is_not_asked_again() {
    let mut world = world();
    let (to, _) = world.ask(&ask("a.test", A));
    world.reply(&Reply::code(2));
    world.pass_ms(3_999);
    assert_eq!(world.asked(), [1, 2, 3, 2, 3]);
    world.pass_ms(1);
    assert_eq!(world.got(to).rcode(), 2);
    world.assert_idle();
}

#[test]
fn the_failure_of_one_that_was_silent_hurries_nobody() {
    let mut world = world();
    world.ask(&ask("a.test", A));
    let (first, _) = world.newest();
    world.pass_ms(1_500);
    world.fail(first);
    assert_eq!(world.asked(), [1, 2], "the second still has its time");
    world.pass_ms(500);
    assert_eq!(world.asked(), [1, 2, 3]);
    world.pass_ms(1_000);
    assert_eq!(world.asked(), [1, 2, 3, 2]);
}

#[test]
fn where_there_is_no_socket_for_the_next_server_the_one_that_was_asked_is_still_listened_to() {
    let mut world = world();
    let (to, _) = world.ask(&ask("a.test", A));
    let (first, open) = world.newest();
    for asked in [vec![1, 2], vec![1, 2, 3]] {
        world.pass_s(1);
        assert_eq!(world.asked(), asked);
        let (next, _) = world.newest();
        world.crowd_out(next);
        assert_eq!((world.asked(), world.sent.len()), (asked, 0));
    }
    // none of them is out of the question
    world.pass_s(1);
    assert_eq!(world.asked(), [1, 2, 3, 1]);
    world.hear(first, &good().to(&open.query));
    assert_eq!(world.got(to).rcode(), 0);
    world.assert_idle();
}

#[test]
fn where_there_is_no_socket_and_nobody_is_listened_to_the_client_is_told_at_once() {
    let mut world = world();
    let (to, _) = world.ask(&ask("a.test", A));
    let (attempt, _) = world.newest();
    world.crowd_out(attempt);
    assert_eq!((world.got(to).rcode(), world.asked()), (2, vec![1]));
    world.assert_idle();
}

#[test]
fn a_slow_server_comes_last_for_ten_seconds() {
    let mut world = world();
    let next = |world: &mut World, number: u32| {
        world.ask(&ask(&format!("n{number}.test"), A));
        world.log.last().expect("asked").server
    };
    world.ask(&ask("a.test", A));
    world.pass_s(1);
    world.reply(&good());
    assert_eq!(next(&mut world, 1), 2);
    world.reply(&good());
    world.pass_ms(9_999);
    assert_eq!(next(&mut world, 2), 2);
    world.reply(&good());
    world.pass_ms(1);
    assert_eq!(next(&mut world, 3), 1);
    // two slow ones keep their order behind the third
    world.pass_s(2);
    assert_eq!(world.log.last().expect("asked").server, 3);
    world.reply(&good());
    assert_eq!(next(&mut world, 4), 3);
    world.reply(&Reply::code(2));
    assert_eq!(world.log.last().expect("asked").server, 1);
}

#[test]
fn a_server_that_answers_others_meanwhile_is_not_slow_for_a_name_that_it_says_nothing_to() {
    let mut world = World::new(&[1, 2]);
    world.ask(&ask("dead.test", A));
    world.pass_ms(500);
    world.ask(&ask("live.test", A));
    world.reply(&good());
    world.pass_ms(500);
    assert_eq!(
        world.asked(),
        [1, 1, 2],
        "the silent name goes on to the next"
    );
    world.reply(&good());
    world.ask(&ask("other.test", A));
    world.reply(&good());
    assert_eq!(world.asked(), [1, 1, 2, 1]);
    // what it has answered before says nothing of now
    world.pass_ms(100);
    world.ask(&ask("later.test", A));
    world.pass_s(1);
    world.ask(&ask("last.test", A));
    assert_eq!(world.log.last().expect("asked").server, 2);
}

#[test]
fn a_server_that_answers_all_too_late_is_slow() {
    let mut world = World::new(&[1, 2]);
    let mut late = Vec::new();
    for number in 0..3 {
        world.ask(&ask(&format!("n{number}.test"), A));
        late.push(world.newest());
        world.pass_ms(400);
    }
    // after 1.2 s the first, which comes within the second of the other two
    let (attempt, open) = late.remove(0);
    world.hear(attempt, &good().to(&open.query));
    world.pass_ms(1_000);
    world.ask(&ask("next.test", A));
    assert_eq!(world.log.last().expect("asked").server, 2);
}

#[test]
fn who_answers_in_time_again_is_slow_no_more() {
    let mut world = World::new(&[1, 2]);
    world.ask(&ask("a.test", A));
    world.pass_s(1);
    world.reply(&Reply::code(2));
    assert_eq!(world.asked(), [1, 2, 1]);
    world.pass_ms(999);
    world.reply(&good());
    world.ask(&ask("b.test", A));
    assert_eq!(world.asked(), [1, 2, 1, 1]);
}

#[test]
fn a_server_is_slow_to_those_who_ask_from_there() {
    let mut world = world();
    world.ask(&ask("a.test", A));
    world.pass_s(1);
    world.servers = servers(Vantage::Client(1), &[1, 2, 3]);
    world.ask(&ask("a.test", A));
    let last = world.log.last().expect("asked");
    assert_eq!((last.server, last.vantage), (1, Vantage::Client(1)));
}

#[test]
fn a_reply_that_cannot_be_read_is_the_servers_failure() {
    let mut world = world();
    world.ask(&ask("a.test", A));
    let (attempt, open) = world.newest();
    let mut reply = good().to(&open.query);
    reply.truncate(reply.len() - 1);
    world.hear(attempt, &reply);
    assert_eq!(
        (world.asked(), world.open.len(), world.sent.len()),
        (vec![1, 2], 1, 0)
    );
}

#[test]
fn by_a_connection_what_is_no_reply_to_the_question_is_the_servers_failure() {
    for (transport, asked) in [(Transport::Udp, vec![1]), (Transport::Tcp, vec![1, 2])] {
        for strange in 0..3 {
            let mut world = world();
            world.transport = transport;
            let (to, _) = world.ask(&ask("a.test", A));
            let (attempt, open) = world.newest();
            let mut reply = good().to(&open.query);
            match strange {
                0 => reply.clear(),
                1 => reply[0] ^= 1,
                _ => reply[14] ^= 1,
            }
            world.hear(attempt, &reply);
            assert_eq!((world.asked(), world.open.len()), (asked.clone(), 1));
            world.reply(&good());
            assert_eq!(world.got(to).rcode(), 0);
            world.assert_idle();
        }
    }
}

#[test]
fn what_comes_for_an_attempt_that_is_over_is_nobodys() {
    let mut world = world();
    let (to, _) = world.ask(&ask("a.test", A));
    let (attempt, open) = world.newest();
    world.reply(&good());
    world.hear(attempt, &Reply::code(3).to(&open.query));
    world.fail(attempt);
    assert_eq!(world.got(to).rcode(), 0);
    assert_eq!((world.sent.len(), world.asked()), (1, vec![1]));
    world.assert_idle();
}

#[test]
fn one_who_comes_late_waits_four_seconds_too_and_few_sockets_are_open_at_once() {
    let mut world = World::new(&[1]);
    let asked = ask("a.test", A);
    let mut last = 0;
    for _ in 0..8 {
        let (to, asked) = world.ask(&asked);
        assert_eq!(asked, Asked::Waiting);
        last = to;
        world.pass_ms(1_000);
        assert!(world.open.len() <= 4);
    }
    assert_eq!((world.log.len(), world.sent.len()), (9, 5));
    world.pass_ms(2_999);
    assert_eq!(world.sent.len(), 7);
    world.pass_ms(1);
    assert_eq!(world.got(last).rcode(), 2);
    world.assert_idle();
}
