//! Which records of a reply belong to its question.

use super::packet::{
    A, AAAA, ANY, CNAME, DNAME, MX, NS, NSEC, RRSIG, Reply, SOA, TXT, a, ask, cname, rr, soa, wire,
};
use super::world::{World, world};
use crate::resolver::forward::Asked;
use crate::resolver::query::Transport;

fn dname(owner: &str, ttl: u32, target: &str) -> Vec<u8> {
    rr(owner, DNAME, 1, ttl, &wire(target))
}

fn answers(name: &str, rtype: u16, records: impl IntoIterator<Item = Vec<u8>>) -> Vec<String> {
    world()
        .answered(&ask(name, rtype), &Reply::answer(records))
        .answers
}

#[test]
fn records_of_other_names_are_never_passed_on_nor_kept() {
    let mut world = world();
    let poison = a("bank.test", 3600, 66);
    let reply = Reply::answer([a("@", 60, 1), poison.clone(), a("www.a.test", 60, 2)])
        .authority([
            poison.clone(),
            rr("bank.test", NS, 1, 60, &wire("evil.test")),
        ])
        .extra([poison.clone()]);
    let got = world.answered(&ask("www.a.test", A), &reply);
    assert_eq!(
        got.answers,
        ["www.a.test 60 A 192.0.2.1", "www.a.test 60 A 192.0.2.2"]
    );
    assert!(got.authorities.is_empty() && got.additional.is_empty());
    let known = world.known(&ask("www.a.test", A)).expect("it is known");
    assert_eq!(
        (known.answers, known.authorities),
        (got.answers, got.authorities)
    );
    let (_, asked) = world.ask(&ask("bank.test", A));
    assert_eq!(asked, Asked::Waiting, "nobody knows anything of it");
}

#[test]
fn a_chain_of_aliases_is_kept_in_whatever_order_it_comes() {
    let chain = [
        cname("@", 60, "b.test"),
        cname("b.test", 50, "C.test"),
        a("c.test", 40, 1),
        a("c.TEST", 40, 2),
    ];
    let expected = [
        "www.a.test 60 CNAME b.test",
        "b.test 50 CNAME C.test",
        "c.test 40 A 192.0.2.1",
    ];
    let got = answers("www.a.test", A, chain.clone());
    assert_eq!(got[..3], expected);
    assert_eq!(got.len(), 4);
    let backwards = answers("www.a.test", A, chain.iter().rev().cloned());
    assert_eq!(backwards.len(), 4);
    assert_eq!(backwards[3], expected[0]);
    // what stands between does not belong there
    let between = [
        chain[0].clone(),
        a("x.test", 1, 66),
        chain[1].clone(),
        chain[2].clone(),
    ];
    assert_eq!(answers("www.a.test", A, between), expected);
    // and one that nobody leads to leads nowhere
    let stray = [
        a("@", 60, 1),
        cname("x.test", 60, "y.test"),
        a("y.test", 60, 66),
    ];
    assert_eq!(
        answers("www.a.test", A, stray),
        ["www.a.test 60 A 192.0.2.1"]
    );
}

#[test]
fn a_dname_above_the_name_leads_on() {
    let records = [
        dname("a.test", 60, "b.example"),
        cname("@", 60, "www.b.example"),
        a("www.b.example", 60, 1),
    ];
    assert_eq!(answers("www.a.test", A, records.clone()).len(), 3);
    // also where the alias made of it is left out
    let without = [records[0].clone(), records[2].clone()];
    assert_eq!(answers("www.a.test", A, without).len(), 2);
    // it does not stand for its own name, nor for names that end in the same letters
    let led = [
        records[0].clone(),
        a("b.example", 60, 66),
        records[2].clone(),
    ];
    assert_eq!(
        answers("a.test", A, led.clone()),
        ["a.test 60 DNAME b.example"]
    );
    assert_eq!(answers("xa.test", A, led.clone()), Vec::<String>::new());
    // nor for one of which a label has a length within
    assert_eq!(answers("x\u{1}a.test", A, led), Vec::<String>::new());
}

#[test]
fn a_chain_that_is_a_circle_or_longer_than_sixteen_is_no_answer() {
    let chain = |links: u8| -> Vec<Vec<u8>> {
        let name = |n: u8| format!("n{n}.test");
        let aliases = (0..links).map(|n| cname(&name(n), 60, &name(n + 1)));
        aliases.chain([a(&name(links), 60, 1)]).collect()
    };
    assert_eq!(answers("n0.test", A, chain(16)).len(), 17);
    let is_refused = |records: Vec<Vec<u8>>| {
        let mut world = world();
        world.ask(&ask("n0.test", A));
        world.reply(&Reply::answer(records));
        assert_eq!(world.asked(), [1, 2], "the next server is asked");
    };
    is_refused(chain(17));
    is_refused(chain(200));
    is_refused(vec![
        cname("@", 60, "n1.test"),
        cname("n1.test", 60, "n0.test"),
    ]);
    is_refused(vec![cname("@", 60, "n0.test")]);
    is_refused(vec![dname("test", 60, "test")]);
    // a name that grows too long has no end, either
    let long = format!("{0}.{0}.{0}.{0}", "x".repeat(60));
    is_refused(vec![dname("test", 60, &format!("{long}.test"))]);
}

#[test]
fn records_of_another_type_or_class_are_no_answer() {
    let text = |class| rr("@", TXT, class, 60, &[1, b'x']);
    let records = [a("@", 60, 1), text(1), rr("@", A, 3, 60, &[1, 2, 3, 4])];
    assert_eq!(
        answers("a.test", A, records.clone()),
        ["a.test 60 A 192.0.2.1"]
    );
    assert_eq!(answers("a.test", ANY, records.clone()).len(), 2);
    assert_eq!(answers("a.test", TXT, records), ["a.test 60 TXT \"x\""]);
}

#[test]
fn authorities_are_kept_where_the_name_is_theirs() {
    let ns = |zone: &str| rr(zone, NS, 1, 60, &wire("ns.test"));
    let reply = Reply::code(3).authority([
        soa("a.test", 60, 60),
        soa("aa.test", 60, 60),
        ns("test"),
        ns("b.test"),
        ns("x.www.a.test"),
        a("a.test", 60, 66),
        rr("a.test", TXT, 1, 60, &[1, b'x']),
    ]);
    let got = world().answered(&ask("www.a.test", A), &reply);
    let expected = [
        "a.test 60 SOA ns.test root.test 1 2 3 4 60",
        "test 60 NS ns.test",
    ];
    assert_eq!(got.authorities.len(), 2, "{:?}", got.authorities);
    assert_eq!(got.authorities[1], expected[1]);
    assert!(got.authorities[0].starts_with("a.test 60 SOA ns.test"));
}

#[test]
fn signatures_are_kept_for_who_asks_for_them() {
    let nsec = rr(
        "x.a.test",
        NSEC,
        1,
        60,
        &[wire("y.a.test"), vec![0, 1, 0x40]].concat(),
    );
    let signature = |owner: &str| {
        let rdata = [&[0, 1, 8, 2][..], &[0; 14], &wire("a.test"), &[1, 2]].concat();
        rr(owner, RRSIG, 1, 60, &rdata)
    };
    let reply = Reply::answer([a("@", 60, 1), signature("@"), signature("x.test")])
        .authority([nsec, signature("x.a.test")]);
    let mut asked = ask("a.test", A);
    let got = world().answered(&asked, &reply);
    assert_eq!((got.answers.len(), got.authorities.len()), (2, 0));
    asked.edns = Some((1232, 0x8000));
    let got = world().answered(&asked, &reply);
    assert_eq!((got.answers.len(), got.authorities.len()), (2, 2));
}

#[test]
fn names_in_the_records_are_the_same_after_a_record_between_is_gone() {
    let mut world = world();
    let (to, _) = world.ask(&ask("a.test", MX));
    let (attempt, open) = world.newest();
    // the name of the third record's data is in the second, which is another's
    let first = rr(
        "@",
        MX,
        1,
        60,
        &[&[0, 10][..], &wire("Mail.a.test")].concat(),
    );
    let other = rr(
        "b.test",
        MX,
        1,
        60,
        &[&[0, 10][..], &wire("mx.far.test")].concat(),
    );
    let start = 12 + super::packet::question_bytes(&open.query);
    let other_name_at = start + first.len() + other.len() - wire("mx.far.test").len();
    let pointer = (0xc000 | u16::try_from(other_name_at).unwrap()).to_be_bytes();
    let third = rr("a.test", MX, 1, 60, &[&[0, 20][..], &pointer].concat());
    let service = rr(
        "a.test",
        MX,
        1,
        60,
        &[&[0, 30, 1, b'z'][..], &[0xc0, 12]].concat(),
    );
    let reply = Reply::answer([first, other, third, service]);
    world.hear(attempt, &reply.to(&open.query));
    let got = world.got(to);
    let expected = [
        "a.test 60 MX 10 Mail.a.test",
        "a.test 60 MX 20 mx.far.test",
        "a.test 60 MX 30 z.a.test",
    ];
    assert_eq!(got.answers, expected);
}

#[test]
fn a_name_that_leads_into_the_header_or_around_is_no_answer() {
    let is_refused = |record: &dyn Fn(u16) -> Vec<u8>| {
        let mut world = world();
        world.ask(&ask("a.test", NS));
        let (attempt, open) = world.newest();
        let start = 12 + super::packet::question_bytes(&open.query);
        let reply = Reply::answer([record(u16::try_from(start).unwrap())]);
        world.hear(attempt, &reply.to(&open.query));
        assert_eq!((world.asked(), world.sent.len()), (vec![1, 2], 0));
    };
    let pointer = |at: u16| (0xc000 | at).to_be_bytes();
    for at in [0, 2, 4, 11] {
        is_refused(&|_| rr("@", NS, 1, 60, &pointer(at)));
    }
    let rdata_at = |start: u16| start + 2 + 10;
    is_refused(&|start| rr("@", NS, 1, 60, &pointer(rdata_at(start))));
    is_refused(&|start| rr("@", NS, 1, 60, &pointer(rdata_at(start) + 2)));
    is_refused(&|start| {
        rr(
            "@",
            NS,
            1,
            60,
            &[&[1, b'x'][..], &pointer(rdata_at(start))].concat(),
        )
    });
    is_refused(&|_| rr("@", NS, 1, 60, &[0x40, 0]));
    is_refused(&|_| rr("@", NS, 1, 60, &[&wire("x.test")[..], &[0]].concat()));
    is_refused(&|_| rr("@", A, 1, 60, &[1, 2, 3]));
    is_refused(&|_| rr("@", AAAA, 1, 60, &[0; 15]));
    is_refused(&|_| rr("@", SOA, 1, 60, &[0; 21]));
}

#[test]
fn an_error_of_which_the_upper_bits_stand_in_the_opt_is_no_answer() {
    let mut world = world();
    let mut asked = ask("a.test", A);
    asked.edns = Some((1232, 0));
    world.ask(&asked);
    world.reply(&Reply::code(0).extra([super::packet::opt(1232, 1, 0)]));
    assert_eq!((world.asked(), world.sent.len()), (vec![1, 2], 0));
    world.reply(&Reply::code(0).extra([super::packet::opt(1232, 0, 0)]));
    assert_eq!(world.sent.len(), 1);
}

#[test]
fn five_thousand_labels_are_read_and_answered_once_each() {
    let mut world = World::new(&[1]);
    world.transport = Transport::Tcp;
    let names = (0..2_900).map(|n| a(&format!("n{n}"), 60, 66));
    let reply = Reply::answer(names.chain([a("@", 60, 1)]));
    let got = world.answered(&ask("a.test", A), &reply);
    assert_eq!(got.answers, ["a.test 60 A 192.0.2.1"]);
    // more records than could be asked for spoil the reply, and so do too many aliases
    let many = (0..5_000).map(|_| rr("", TXT, 1, 60, &[0]));
    let aliases = (0..1_000).map(|n| cname(&format!("n{n}"), 60, "x"));
    for reply in [Reply::answer(many), Reply::answer(aliases)] {
        let got = world.answered(&ask("b.test", A), &reply);
        assert_eq!((got.rcode(), got.answers.len()), (2, 0));
    }
    assert_eq!(
        answers("a.test", CNAME, [cname("@", 60, "b.test")]).len(),
        1
    );
}

#[test]
fn names_that_lead_through_one_another_without_end_are_no_answer() {
    let read = |pointers: u16, owners: u16| {
        let mut world = World::new(&[1]);
        let (to, _) = world.ask(&ask("a.test", TXT));
        let (attempt, open) = world.newest();
        let first = u16::try_from(12 + super::packet::question_bytes(&open.query) + 11).unwrap();
        let pointer = |at: u16| (0xc000 | at).to_be_bytes();
        // each leads to the one before, and the first to the question
        let step = |n: u16| pointer(if n == 0 { 12 } else { first + 2 * (n - 1) });
        let ladder: Vec<u8> = (0..pointers).flat_map(step).collect();
        let own = |n: u16| {
            let owner = pointer(first + 2 * (pointers - 1 - n % 2));
            [&owner[..], &[0, 16, 0, 1, 0, 0, 0, 60, 0, 2, 1, b'x']].concat()
        };
        let all = [rr("", TXT, 1, 60, &ladder)]
            .into_iter()
            .chain((0..owners).map(own));
        let reply = Reply::answer(all);
        world.hear(attempt, &reply.to(&open.query));
        let got = world.sent.first().map(|_| world.got(to));
        got.map(|got| (got.rcode(), got.answers.len(), got.is_truncated()))
    };
    assert_eq!(read(200, 20), Some((0, 20, false)));
    assert_eq!(read(200, 300), Some((0, 34, true)), "as many as fit");
    assert_eq!(read(200, 400), Some((2, 0, false)), "too much to look at");
}
