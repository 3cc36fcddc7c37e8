//! For how long, for whom and how much of what was heard is known.

use super::packet::{A, AAAA, NS, Reply, TXT, a, ask, cname, rr, soa, wire};
use super::world::{World, servers, world};
use crate::resolver::forward::{Asked, ForwardLimits, Vantage};

#[test]
fn times_to_live_count_down_and_nothing_is_answered_past_them() {
    let mut world = world();
    let asked = ask("a.test", A);
    let reply = Reply::answer([cname("@", 300, "b.test"), a("b.test", 5, 1)]);
    let got = world.answered(&asked, &reply);
    assert_eq!(
        got.answers,
        ["a.test 300 CNAME b.test", "b.test 5 A 192.0.2.1"]
    );
    let expected = [
        (0, 300, 5),
        (1, 299, 4),
        (999, 299, 4),
        (1, 298, 3),
        (3_000, 295, 0),
    ];
    for (ms, alias_s, address_s) in expected {
        world.pass_ms(ms);
        let got = world.known(&asked).expect("it is known");
        let alias = format!("a.test {alias_s} CNAME b.test");
        assert_eq!(
            got.answers,
            [alias, format!("b.test {address_s} A 192.0.2.1")]
        );
    }
    world.pass_ms(999);
    let got = world.answered(&asked, &Reply::answer([a("@", 5, 2)]));
    assert_eq!(
        got.answers,
        ["a.test 5 A 192.0.2.2"],
        "the answer has changed"
    );
    world.pass_ms(4_999);
    assert_eq!(
        world.known(&asked).expect("known").answers,
        ["a.test 0 A 192.0.2.2"]
    );
    world.pass_ms(1);
    assert_eq!(world.ask(&asked).1, Asked::Waiting);
}

#[test]
fn no_answer_is_known_for_more_than_an_hour_whatever_it_says() {
    for ttl_s in [3_601, 604_800, i32::MAX as u32] {
        let mut world = world();
        let asked = ask("a.test", A);
        let got = world.answered(&asked, &Reply::answer([a("@", ttl_s, 1)]));
        assert_eq!(got.answers, [format!("a.test {ttl_s} A 192.0.2.1")]);
        world.pass_ms(3_599_999);
        assert!(world.known(&asked).is_some());
        world.pass_ms(1);
        assert_eq!(world.ask(&asked).1, Asked::Waiting);
    }
}

#[test]
fn a_time_to_live_with_the_highest_bit_is_none() {
    for ttl_s in [1 << 31, u32::MAX, 0] {
        let mut world = world();
        let asked = ask("a.test", A);
        let got = world.answered(&asked, &Reply::answer([a("@", ttl_s, 1), a("@", 60, 2)]));
        assert_eq!(
            got.answers,
            ["a.test 0 A 192.0.2.1", "a.test 60 A 192.0.2.2"]
        );
        assert_eq!(world.forwarder.cache.bytes(), 0, "it takes no room");
        assert_eq!(world.ask(&asked).1, Asked::Waiting);
    }
}

#[test]
fn that_there_is_none_is_known_for_as_long_as_the_soa_says() {
    // its own time to live, MINIMUM, and for how long it is known
    for (ttl_s, minimum_s, known_s) in [(60, 30, 30), (30, 60, 30), (86_400, 86_400, 300)] {
        for rcode in [0, 3] {
            let mut world = world();
            let asked = ask("x.a.test", AAAA);
            let reply = Reply::code(rcode).authority([soa("a.test", ttl_s, minimum_s)]);
            let got = world.answered(&asked, &reply);
            let told_s = ttl_s.min(minimum_s);
            assert!(got.authorities[0].starts_with(&format!("a.test {told_s} SOA")));
            world.pass_s(known_s - 1);
            let got = world.known(&asked).expect("it is known");
            assert_eq!(got.rcode(), rcode);
            let left_s = u64::from(told_s) - (known_s - 1);
            assert!(got.authorities[0].starts_with(&format!("a.test {left_s} SOA")));
            world.pass_s(1);
            assert_eq!(world.ask(&asked).1, Asked::Waiting);
        }
    }
}

#[test]
fn that_there_is_none_is_not_kept_without_an_soa_of_the_zone() {
    let ns = rr("test", NS, 1, 60, &wire("ns.test"));
    let alias = cname("@", 60, "b.example");
    let replies = [
        Reply::code(3),
        Reply::code(0).authority([ns]),
        Reply::code(0).authority([soa("other.test", 60, 60)]),
        Reply::code(0).authority([soa("test", 60, 0)]),
        Reply::code(3).authority([soa("test", u32::MAX, 60)]),
        Reply::answer([alias]),
    ];
    for reply in replies {
        let mut world = world();
        let asked = ask("a.test", A);
        let got = world.answered(&asked, &reply);
        assert_eq!(got.rcode(), reply.flags);
        assert_eq!(world.ask(&asked).1, Asked::Waiting, "{:?}", got.authorities);
    }
}

#[test]
fn the_end_of_an_alias_that_is_not_there_is_known_by_its_own_zone() {
    let mut world = world();
    let asked = ask("a.test", A);
    let reply = Reply::answer([cname("@", 20, "b.example")]).authority([soa("example", 60, 60)]);
    world.answered(&asked, &reply);
    world.pass_s(19);
    assert_eq!(
        world.known(&asked).expect("known").answers,
        ["a.test 1 CNAME b.example"]
    );
    world.pass_s(1);
    assert_eq!(
        world.ask(&asked).1,
        Asked::Waiting,
        "the alias has ended before"
    );
}

#[test]
fn failures_are_not_kept() {
    let mut world = World::new(&[1]);
    let asked = ask("a.test", A);
    for rcode in [1, 2, 4, 5, 9, 15] {
        let got = world.answered(&asked, &Reply::code(rcode).authority([soa("test", 60, 60)]));
        assert_eq!(got.rcode(), 2);
    }
    // a name that a DNAME made too long is an answer, and lasts no longer
    let got = world.answered(&asked, &Reply::code(6).authority([soa("test", 60, 60)]));
    assert_eq!(got.rcode(), 6);
    assert_eq!(world.ask(&asked).1, Asked::Waiting);
}

#[test]
fn what_was_heard_from_elsewhere_or_from_others_is_not_known() {
    let mut world = world();
    let asked = ask("a.test", A);
    let reply = Reply::answer([a("@", 60, 1)]);
    world.answered(&asked, &reply);
    world.client = 2;
    assert!(
        world.known(&asked).is_some(),
        "all who ask from the host share"
    );
    let elsewhere = [
        servers(Vantage::Client(1), &[1, 2, 3]),
        servers(Vantage::Client(2), &[1, 2, 3]),
        servers(Vantage::Host, &[1, 2]),
        servers(Vantage::Host, &[2, 1, 3]),
    ];
    for servers in elsewhere {
        world.servers = servers;
        world.answered(&asked, &reply);
        assert!(world.known(&asked).is_some());
    }
    let mut other = ask("a.test", A);
    other.flags = 0;
    assert_eq!(world.ask(&other).1, Asked::Waiting, "nor for other flags");
    (other.flags, other.edns) = (0x0100, Some((1232, 0x8000)));
    assert_eq!(world.ask(&other).1, Asked::Waiting);
    assert_eq!(world.ask(&ask("a.test", AAAA)).1, Asked::Waiting);
}

#[test]
fn a_client_that_is_gone_takes_what_was_heard_at_its_place_with_it() {
    let mut world = world();
    let asked = ask("a.test", A);
    let reply = Reply::answer([a("@", 60, 1)]);
    world.answered(&asked, &reply);
    for client in [1, 2] {
        world.servers = servers(Vantage::Client(client), &[1]);
        world.answered(&asked, &reply);
    }
    let before = world.forwarder.cache.bytes();
    world.forwarder.forget(1);
    let after = world.forwarder.cache.bytes();
    assert_eq!(after * 3, before * 2, "one of three alike is gone");
    assert!(world.known(&asked).is_some(), "the other client's is there");
    world.servers = servers(Vantage::Client(1), &[1]);
    assert_eq!(world.ask(&asked).1, Asked::Waiting);
    world.servers = servers(Vantage::Host, &[1, 2, 3]);
    assert!(world.known(&asked).is_some(), "the host's is there");
}

#[test]
fn a_hundred_thousand_names_take_no_more_bytes_than_are_allowed() {
    let limits = ForwardLimits {
        cache_bytes: 1 << 20,
        ..ForwardLimits::default()
    };
    let mut world = World::with(&[1], limits);
    let popular = ask("popular.test", A);
    world.answered(&popular, &Reply::answer([a("@", 3_600, 7)]));
    let mut most = 0;
    for number in 0..100_000_u32 {
        let asked = ask(&format!("n{number}.test"), A);
        world.answered(&asked, &Reply::answer([a("@", 3_600, 1)]));
        world.sent.clear();
        world.log.clear();
        most = most.max(world.forwarder.cache.bytes());
        if number % 100 == 0 {
            assert!(world.known(&popular).is_some(), "what is asked for stays");
        }
    }
    assert!(most <= 1 << 20, "{most}");
    assert!(most > (1 << 20) - 1_000, "and it is used");
    assert!(world.known(&ask("n99999.test", A)).is_some());
    assert_eq!(
        world.ask(&ask("n5.test", A)).1,
        Asked::Waiting,
        "the oldest is gone"
    );
}

#[test]
fn the_same_name_again_and_again_takes_the_room_of_one() {
    let mut world = World::new(&[1]);
    let asked = ask("a.test", A);
    world.answered(&asked, &Reply::answer([a("@", 1, 1)]));
    let bytes = world.forwarder.cache.bytes();
    for _ in 0..1_000 {
        world.pass_s(1);
        world.answered(&asked, &Reply::answer([a("@", 1, 1)]));
        world.sent.clear();
    }
    assert_eq!(world.forwarder.cache.bytes(), bytes);
}

#[test]
fn an_answer_that_takes_too_much_room_is_passed_on_and_not_kept() {
    let mut world = World::new(&[1]);
    world.transport = crate::resolver::query::Transport::Tcp;
    let text = |n: u8| rr("@", TXT, 1, 60, &[&[255][..], &[n; 255]].concat());
    let asked = ask("a.test", TXT);
    let got = world.answered(&asked, &Reply::answer((0..40).map(text)));
    assert_eq!(got.answers.len(), 40);
    assert_eq!(world.ask(&asked).1, Asked::Waiting);
}
