//! Any bytes as what a server says to the question that stands in them, for a fuzzer and for tests:
//! whatever they are, clients are sent what can be read, and no more than they take.

use domain::base::Message;

use super::kept::Kept;
use super::question::{Asker, HEADER_BYTES, Question};
use super::reply::{self, Heard};
use crate::resolver::query::{Query, Transport};

/// Returns whether the bytes were an answer.
pub(crate) fn fuzz(bytes: &[u8]) -> bool {
    let Some((&choice, message)) = bytes.split_first() else {
        return false;
    };
    let Some(query) = query(choice, message) else {
        return false;
    };
    let mut message = message.to_vec();
    // what has another id or no QR is passed over, of which there is little to learn
    if let [high, low, flags, ..] = message.as_mut_slice() {
        [*high, *low] = query.id().to_be_bytes();
        *flags = *flags & 0x07 | 0x80;
    }
    let question = Question::of(&query);
    let Heard::Answer(kept) = reply::read(&message, query.id(), &question) else {
        return false;
    };
    for limit_bytes in [512, 513, 1232, query.limit_bytes()] {
        check(
            &kept,
            &question,
            Asker {
                limit_bytes,
                ..Asker::of(&query)
            },
        );
    }
    true
}

/// The query that asks what the message's question does.
fn query(choice: u8, message: &[u8]) -> Option<Query> {
    let behind = message.get(HEADER_BYTES..)?;
    let name_bytes = behind.iter().take(255).position(|byte| *byte == 0)? + 1;
    let additional = choice & 1;
    let mut query = vec![
        0x12,
        0x34,
        choice & 0x01,
        0,
        0,
        1,
        0,
        0,
        0,
        0,
        0,
        additional,
    ];
    query.extend_from_slice(behind.get(..name_bytes + 4)?);
    if additional > 0 {
        query.extend_from_slice(&[0, 0, 41, 4, 208, 0, 0, choice & 0x80, 0, 0, 0]);
    }
    let transport = if choice & 2 == 0 {
        Transport::Udp
    } else {
        Transport::Tcp
    };
    Query::parse(&query, transport).ok()
}

fn check(kept: &Kept, question: &Question, asker: Asker) {
    let mut reply = Vec::new();
    for age_s in [0, 1, u32::MAX] {
        kept.write(question, &asker, age_s, &mut reply);
        assert!(
            reply.len() <= asker.limit_bytes.max(512),
            "{} bytes",
            reply.len()
        );
        let message = Message::from_octets(reply.as_slice()).expect("it has a header");
        let mut records = message.into_iter();
        assert!(records.by_ref().all(|record| record.is_ok()), "{reply:x?}");
        let additional = message.additional().expect("the sections can be read");
        let rest = additional.pos() + if question.has_edns() { 11 } else { 0 };
        assert_eq!(rest, reply.len(), "nothing stands behind them");
        let names = message.answer().expect("it was read before").flatten();
        let long = names.filter(|record| record.ttl().as_secs() > i32::MAX as u32);
        assert_eq!(long.count(), 0);
    }
}
