//! Answers off the wire, read by a reader that is not ours.

mod known;
mod limits;
mod malformed;

use std::fmt::Write;
use std::sync::Arc;

use domain::base::iana::{Opcode, Rtype};
use domain::base::{Message, MessageBuilder, Name};
use domain::rdata::AllRecordData;

use super::owner;
use crate::resolver::{
    Client, ClientTerms, Forwarding, Manner, Membership, Owner, Records, Transport, Verdict, View,
    answer,
};

const MANNER: Manner = Manner { ttl_s: 3, turn: 0 };

fn network(name: &str, owners: impl IntoIterator<Item = Owner>, links: &[&str]) -> Membership {
    let records = Records::new(name.parse().unwrap());
    for owner in owners {
        records.insert(owner);
    }
    Membership {
        links: links.iter().map(|link| link.parse().unwrap()).collect(),
        ..Membership::from(Arc::new(records))
    }
}

fn client(memberships: impl IntoIterator<Item = Membership>, forwarding: Forwarding) -> Client {
    let search = ["corp.example", ".", "Lan"].map(|domain| domain.parse().unwrap());
    let terms = ClientTerms {
        forwarding,
        search: search.to_vec(),
        domain: None,
    };
    Client::new(Arc::new(View::new(memberships)), terms)
}

/// The query of a plain client.
fn query(name: &str, rtype: Rtype) -> Vec<u8> {
    let mut builder = MessageBuilder::new_vec();
    builder.header_mut().set_id(0xabcd);
    builder.header_mut().set_rd(true);
    let mut builder = builder.question();
    builder
        .push((Name::vec_from_str(name).unwrap(), rtype))
        .unwrap();
    builder.finish()
}

/// `query` with an OPT record of a client that takes so much by UDP.
fn with_edns(mut query: Vec<u8>, udp_bytes: u16) -> Vec<u8> {
    query[11] += 1;
    query.extend_from_slice(&[0, 0, 41]);
    query.extend_from_slice(&udp_bytes.to_be_bytes());
    query.extend_from_slice(&[0; 6]);
    query
}

/// What comes of `query`: `forward`, `ignore`, or a reply in words.
fn outcome(client: &Client, query: &[u8], transport: Transport) -> String {
    let mut reply = b"what was here before".to_vec();
    match answer(query, transport, client, MANNER, &mut reply) {
        Verdict::Reply => words(query, &reply),
        Verdict::Forward(..) => "forward".to_owned(),
        Verdict::Ignore => "ignore".to_owned(),
    }
}

/// The outcome of a plain question by UDP.
fn ask(client: &Client, name: &str, rtype: Rtype) -> String {
    outcome(client, &query(name, rtype), Transport::Udp)
}

/// A reply to `query`: its code, its flags, then its records by sections.
fn words(query: &[u8], reply: &[u8]) -> String {
    let asked = Message::from_octets(query).unwrap();
    let message = Message::from_octets(reply).unwrap();
    let (asked, header) = (asked.header(), message.header());
    assert!(header.qr() && header.ra() && !header.ad() && !header.z());
    assert_eq!(header.id(), asked.id());
    assert_eq!((header.rd(), header.cd()), (asked.rd(), asked.cd()));
    assert_eq!(header.opcode(), asked.opcode());
    if header.opcode() == Opcode::QUERY && message.header_counts().qdcount() == 1 {
        assert!(
            message
                .question()
                .into_iter()
                .all(|question| question.is_ok())
        );
        let bytes = &reply[12..message.answer().unwrap().pos()];
        assert!(query[12..].starts_with(bytes), "the question is echoed");
    }
    let mut text = message.opt_rcode().to_string();
    for (flag, set) in [("aa", header.aa()), ("tc", header.tc())] {
        if set {
            write!(text, " {flag}").unwrap();
        }
    }
    for (section, title) in [
        (message.answer(), ":"),
        (message.authority(), "; authority:"),
        (message.additional(), "; additional:"),
    ] {
        let records = section.unwrap().limit_to::<AllRecordData<_, _>>();
        let records: Vec<String> = records
            .map(|record| {
                let record = record.unwrap();
                match record.rtype() {
                    Rtype::OPT => format!("OPT {}", record.class().to_int()),
                    rtype => format!(
                        "{} {} {rtype} {}",
                        record.owner(),
                        record.ttl().as_secs(),
                        record.data()
                    ),
                }
            })
            .collect();
        if !records.is_empty() {
            write!(text, "{title} {}", records.join(", ")).unwrap();
        }
    }
    text
}
