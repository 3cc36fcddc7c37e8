//! Replies that somebody has tampered with.

use proptest::collection::vec;
use proptest::prelude::*;

use super::packet::{MX, Reply, SOA, a, ask, cname, rr, soa, wire};
use crate::resolver::forward::fuzz::fuzz;

/// Replies that have something of everything.
fn replies() -> Vec<Vec<u8>> {
    let query = ask("www.a.test", 255).bytes();
    let mx = rr("b.test", MX, 1, 60, &[&[0, 5][..], &wire("mx.@")].concat());
    let aliases = Reply::answer([cname("@", 60, "b.test"), a("b.test", 60, 1), mx]);
    let foreign = Reply::answer([a("x.test", 60, 1), a("@", 60, 2), cname("@", 60, "y.@")]);
    let none = Reply::code(3).authority([soa("a.test", 60, 60), rr("test", 2, 1, 9, &[0xc0, 16])]);
    let all = [
        aliases.clone(),
        foreign.clone().authority([soa("test", 60, 60)]),
        foreign.extra([super::packet::opt(1232, 0, 0)]),
        none.clone(),
        none.truncated(),
        aliases.truncated(),
        Reply::answer((0..60).map(|n| a("@", 1 << 31 | u32::from(n), n))),
    ];
    all.map(|reply| reply.to(&query)).to_vec()
}

#[test]
fn every_reply_is_an_answer_before_it_is_tampered_with() {
    for reply in replies() {
        for choice in [0, 1, 2, 0x81] {
            assert!(fuzz(&[&[choice][..], &reply].concat()), "{reply:x?}");
        }
    }
    assert_eq!(SOA, 6);
}

#[test]
fn a_reply_cut_anywhere_or_with_any_byte_changed_does_no_harm() {
    let mut answers = [0_u32; 2];
    for reply in replies() {
        for at in 0..reply.len() {
            let cut = [&[0][..], &reply[..at]].concat();
            answers[usize::from(fuzz(&cut))] += 1;
            for byte in [
                0,
                1,
                0x3f,
                0x40,
                0x80,
                0xc0,
                0xff,
                reply[at] ^ 1,
                reply[at].wrapping_add(1),
            ] {
                let mut changed = [&[0x81][..], &reply].concat();
                changed[at + 1] = byte;
                answers[usize::from(fuzz(&changed))] += 1;
            }
        }
    }
    assert!(
        answers.iter().all(|count| *count > 500),
        "both happen: {answers:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn a_reply_with_many_bytes_changed_does_no_harm(
        which in 0..7_usize,
        choice: u8,
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        copied in any::<(prop::sample::Index, prop::sample::Index, u8)>(),
    ) {
        let mut reply = replies()[which].clone();
        for (at, byte) in &changes {
            let at = at.index(reply.len());
            reply[at] = *byte;
        }
        let (from, to, len) = (copied.0.index(reply.len()), copied.1.index(reply.len()), copied.2);
        let end = (from + usize::from(len)).min(reply.len());
        let slice = reply[from..end].to_vec();
        reply.splice(to..to, slice);
        reply.insert(0, choice);
        fuzz(&reply);
    }
}
