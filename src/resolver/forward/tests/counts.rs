//! What counts as a reply to a question, and what is passed over.

use super::packet::{A, AAAA, Reply, TXT, a, ask, opt, question_bytes, read};
use super::world::{World, draw, world};
use crate::resolver::forward::Asked;
use crate::resolver::query::Transport;

/// That `spoil` makes of the right reply one that is passed over, and that the right one counts.
fn is_passed_over(spoil: impl Fn(&mut Vec<u8>)) {
    let mut world = world();
    let (to, _) = world.ask(&ask("www.a.test", A));
    let (attempt, open) = world.newest();
    let right = Reply::answer([a("@", 60, 1)]).to(&open.query);
    let mut wrong = Reply::answer([a("@", 60, 66)]).to(&open.query);
    spoil(&mut wrong);
    world.hear(attempt, &wrong);
    assert_eq!(
        (world.sent.len(), world.asked()),
        (0, vec![1]),
        "{wrong:x?}"
    );
    world.hear(attempt, &right);
    assert_eq!(world.got(to).answers, ["www.a.test 60 A 192.0.2.1"]);
    world.assert_idle();
}

#[test]
fn a_reply_with_another_id_question_opcode_or_without_qr_is_passed_over() {
    is_passed_over(|reply| reply[0] ^= 1);
    is_passed_over(|reply| reply[1] ^= 0x80);
    is_passed_over(|reply| reply[2] &= 0x7f);
    is_passed_over(|reply| reply[2] |= 0x08);
    is_passed_over(|reply| reply[13] = b'v');
    is_passed_over(|reply| reply[5] = 0);
    is_passed_over(|reply| reply[5] = 2);
    let type_at = 12 + wire_bytes("www.a.test");
    is_passed_over(|reply| reply[type_at + 1] = 28);
    // a type that would be the same letter in another case
    is_passed_over(|reply| reply[type_at + 1] ^= 0x20);
    is_passed_over(|reply| reply[type_at + 3] = 3);
    is_passed_over(|reply| reply.truncate(20));
    is_passed_over(|reply| reply.truncate(11));
    is_passed_over(Vec::clear);
    // with another question even a refusal says nothing
    is_passed_over(|reply| (reply[3], reply[13]) = (0x82, b'v'));
    is_passed_over(|reply| (reply[3], reply[1]) = (0x82, reply[1] ^ 1));
}

fn wire_bytes(name: &str) -> usize {
    super::packet::wire(name).len()
}

#[test]
fn a_type_that_looks_like_a_letter_has_no_other_case() {
    let mut world = world();
    // 0x41 is `A`, and 0x61 is `a`
    world.ask(&ask("a.test", 0x41));
    let (attempt, open) = world.newest();
    let mut reply = Reply::default().to(&open.query);
    let type_at = 12 + wire_bytes("a.test");
    reply[type_at + 1] = 0x61;
    world.hear(attempt, &reply);
    assert_eq!(world.sent.len(), 0);
}

#[test]
fn the_question_of_a_reply_may_stand_in_another_case() {
    let mut world = world();
    let (to, _) = world.ask(&ask("wWw.a.TEST", A));
    let (attempt, open) = world.newest();
    assert_eq!(
        &open.query[12..24],
        super::packet::wire("www.a.test"),
        "asked in lower case"
    );
    let mut reply = Reply::answer([a("@", 60, 1)]).to(&open.query);
    reply[12..22].make_ascii_uppercase();
    world.hear(attempt, &reply);
    let got = world.got(to);
    assert_eq!(
        got.answers,
        ["wWw.a.TEST 60 A 192.0.2.1"],
        "answered in the asker's case"
    );
    let cached = world
        .known(&ask("WWW.a.test", A))
        .expect("it is known in every case");
    assert_eq!(cached.answers, ["WWW.a.test 60 A 192.0.2.1"]);
}

#[test]
fn of_a_million_made_up_replies_only_one_with_the_right_id_is_taken() {
    let mut taken = 0;
    let mut seed = 99;
    for round in 0..16_u32 {
        let mut world = World::new(&[1]);
        let (to, _) = world.ask(&ask("bank.test", A));
        let (attempt, open) = world.newest();
        let id = u16::from_be_bytes([open.query[0], open.query[1]]);
        let mut made_up = Reply::answer([a("@", 60, 66)]).to(&open.query);
        let first = draw(&mut seed);
        for step in 0..=u16::MAX {
            let tried = first.wrapping_add(step);
            if tried == id {
                continue;
            }
            made_up[..2].copy_from_slice(&tried.to_be_bytes());
            world.hear(attempt, &made_up);
            taken += world.sent.len();
        }
        world.reply(&Reply::answer([a("@", 60, round as u8)]));
        let expected = format!("bank.test 60 A 192.0.2.{round}");
        assert_eq!(
            world.got(to).answers,
            [expected],
            "the real answer is delivered"
        );
    }
    assert_eq!(taken, 0);
}

#[test]
fn ids_are_as_random_as_their_source_and_not_the_clients() {
    const BINS: usize = 256;
    let (mut high, mut low) = ([0_u32; BINS], [0_u32; BINS]);
    let mut world = World::new(&[1]);
    let count = 40_000_u32;
    for number in 0..count {
        let mut ask = ask(&format!("n{number}.test"), A);
        ask.id = number as u16;
        world.ask(&ask);
        let (_, open) = world.newest();
        assert_ne!(&open.query[..2], ask.id.to_be_bytes());
        high[usize::from(open.query[0])] += 1;
        low[usize::from(open.query[1])] += 1;
        world.reply(&Reply::code(3));
    }
    let expected = f64::from(count) / BINS as f64;
    for bins in [high, low] {
        let squares = bins
            .iter()
            .map(|found| (f64::from(*found) - expected).powi(2));
        let chi_square = squares.sum::<f64>() / expected;
        // 255 degrees of freedom: beyond these once in a hundred thousand
        assert!((170.0..360.0).contains(&chi_square), "{chi_square}");
    }
}

#[test]
fn an_id_that_is_the_clients_is_drawn_again() {
    let mut world = World::new(&[1]);
    let mut seed = world.seed;
    let mut ask = ask("a.test", A);
    ask.id = draw(&mut seed);
    world.ask(&ask);
    let (_, open) = world.newest();
    assert_eq!(&open.query[..2], draw(&mut seed).to_be_bytes());
}

#[test]
fn a_query_is_built_anew_with_the_flags_of_the_client_alone() {
    let mut world = world();
    let mut asked = ask("a.test", A);
    world.ask(&asked);
    let plain = world.newest().1.query;
    assert_eq!(plain[2..12], [1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    assert_eq!(plain.len(), 12 + question_bytes(&plain));
    // AD is nobody's, CD and DO are the client's, and the size is ours
    asked.flags = 0x0030;
    asked.edns = Some((4096, 0x8000));
    world.ask(&asked);
    let query = world.newest().1.query;
    assert_eq!(query[2..12], [0, 0x10, 0, 1, 0, 0, 0, 0, 0, 1]);
    assert_eq!(query[12 + question_bytes(&query)..], opt(1232, 0, 0x8000));
    asked.edns = Some((4096, 0));
    world.ask(&asked);
    let query = world.newest().1.query;
    assert_eq!(query[12 + question_bytes(&query)..], opt(1232, 0, 0));
    assert_eq!(world.log.len(), 3, "each is a question of its own");
}

#[test]
fn a_reply_has_the_id_and_the_flags_of_the_client_and_never_aa_or_ad() {
    let mut world = world();
    let mut asked = ask("a.test", A);
    (asked.id, asked.flags) = (0xbeef, 0x0110);
    let mut reply = Reply::answer([a("@", 60, 1)]);
    reply.flags = 0x0420;
    let got = world.answered(&asked, &reply);
    assert_eq!((got.id, got.flags), (0xbeef, 0x8190));
    assert_eq!(got.additional, Vec::<String>::new());
    asked.flags = 0;
    let got = world.answered(&asked, &reply);
    assert_eq!(got.flags, 0x8080);
}

#[test]
fn a_client_with_edns_gets_our_own_opt_and_one_without_gets_none() {
    let mut world = world();
    let mut asked = ask("a.test", A);
    let reply = Reply::answer([a("@", 60, 1)]).extra([opt(4096, 0, 0x8000), a("x.test", 60, 2)]);
    assert_eq!(
        world.answered(&asked, &reply).additional,
        Vec::<String>::new()
    );
    asked.edns = Some((4096, 0));
    assert_eq!(world.answered(&asked, &reply).additional, ["OPT 1232 0x0"]);
    asked.edns = Some((4096, 0x8000));
    assert_eq!(
        world.answered(&asked, &reply).additional,
        ["OPT 1232 0x8000"]
    );
    let known = world.known(&asked).expect("it is known");
    assert_eq!(known.additional, ["OPT 1232 0x8000"]);
}

#[test]
fn what_says_itself_that_it_is_cut_off_is_passed_on_so_and_not_kept() {
    let mut world = world();
    let asked = ask("a.test", TXT);
    let text = |n: u8| super::packet::rr("@", TXT, 1, 60, &[1, n]);
    let reply = Reply::answer([text(b'x'), text(b'y')]).truncated();
    let got = world.answered(&asked, &reply);
    assert!(got.is_truncated());
    assert_eq!(got.answers.len(), 2, "what there is of it may do");
    // and if it is cut within a record
    let (to, again) = world.ask(&asked);
    assert_eq!(again, Asked::Waiting, "it is not kept");
    let (attempt, open) = world.newest();
    let whole = reply.to(&open.query);
    world.hear(attempt, &whole[..whole.len() - 1]);
    let got = world.got(to);
    assert!(got.is_truncated());
    assert_eq!(got.answers, ["a.test 60 TXT \"x\""]);
    world.assert_idle();
}

#[test]
fn what_was_asked_by_tcp_is_asked_by_tcp_and_known_to_both() {
    let mut world = world();
    let asked = ask("a.test", TXT);
    world.transport = Transport::Tcp;
    let answers = (0..200).map(|n| super::packet::rr("@", TXT, 1, 60, &[1, n]));
    let got = world.answered(&asked, &Reply::answer(answers));
    assert_eq!(world.log[0].transport, Transport::Tcp);
    assert_eq!((got.answers.len(), got.is_truncated()), (200, false));
    world.transport = Transport::Udp;
    let got = world.known(&asked).expect("it is known");
    assert!(got.is_truncated());
    let (_, bytes) = world.sent.last().expect("sent");
    assert!(
        (512 - 14..=512).contains(&bytes.len()),
        "{} bytes",
        bytes.len()
    );
    assert!(!got.answers.is_empty());
}

#[test]
fn no_reply_is_longer_than_its_client_takes() {
    let mut world = world();
    world.transport = Transport::Tcp;
    let answers = (0..200).map(|n| super::packet::rr("@", TXT, 1, 60, &[1, n]));
    let reply = Reply::answer(answers).authority([super::packet::soa("test", 60, 60)]);
    let mut asked = ask("a.test", TXT);
    asked.edns = Some((512, 0));
    world.answered(&asked, &reply);
    world.transport = Transport::Udp;
    let mut lengths = Vec::new();
    for size in [0, 512, 513, 700, 1231, 1232, 1233, 65_535] {
        asked.edns = Some((size, 0));
        let got = world.known(&asked).expect("it is known");
        let sent = world.sent.last().expect("sent").1.len();
        assert!(
            sent <= usize::from(size.clamp(512, 1232)),
            "{sent} of {size}"
        );
        assert!(got.is_truncated());
        assert_eq!(got.additional.len(), 1, "the OPT is never cut");
        lengths.push(got.answers.len());
    }
    assert!(lengths.is_sorted(), "{lengths:?}");
    assert!(
        lengths[0] < lengths[3] && lengths[3] < lengths[7],
        "{lengths:?}"
    );
}

#[test]
fn authorities_alone_that_do_not_fit_cut_no_answer_off() {
    let mut world = world();
    let asked = ask("a.test", A);
    let answers = (0..30).map(|n| a("@", 60, n));
    let zone = super::packet::rr(
        "test",
        super::packet::NS,
        1,
        60,
        &super::packet::wire("ns.test"),
    );
    let got = world.answered(&asked, &Reply::answer(answers).authority([zone]));
    assert_eq!((got.answers.len(), got.authorities.len()), (30, 0));
    assert!(!got.is_truncated());
}

#[test]
fn a_server_that_could_not_read_the_question_need_not_repeat_it() {
    let mut world = world();
    world.ask(&ask("a.test", AAAA));
    let (attempt, open) = world.newest();
    let mut reply = Reply::code(1).to(&open.query);
    reply[5] = 0;
    reply.truncate(12);
    world.hear(attempt, &reply);
    assert_eq!(world.asked(), [1, 2]);
    // but an answer without a question is none
    let (attempt, open) = world.newest();
    let mut reply = Reply::code(0).to(&open.query);
    reply[5] = 0;
    reply.truncate(12);
    world.hear(attempt, &reply);
    assert_eq!((world.asked(), world.sent.len()), (vec![1, 2], 0));
    assert!(read(&Reply::code(0).to(&open.query)).answers.is_empty());
}
