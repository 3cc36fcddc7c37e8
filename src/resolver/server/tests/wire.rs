//! Messages as tests write and read them.

use std::net::{IpAddr, Ipv4Addr};

use domain::base::iana::Rcode;
use domain::base::{Message, Name, Rtype, ToName};
use domain::rdata::A;

pub(super) const NOERROR: u8 = 0;
pub(super) const FORMERR: u8 = 1;
pub(super) const SERVFAIL: u8 = 2;

/// A query with RD set.
pub(super) fn query(id: u16, name: &str, rtype: u16) -> Vec<u8> {
    let mut message = id.to_be_bytes().to_vec();
    message.extend([1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
    for label in name.split('.').filter(|label| !label.is_empty()) {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(rtype.to_be_bytes());
    message.extend([0, 1]);
    message
}

/// The answer of a server to `query`: these addresses, for a minute.
pub(super) fn reply_to(query: &[u8], addresses: &[Ipv4Addr]) -> Vec<u8> {
    let mut message = query.to_vec();
    message[2..4].copy_from_slice(&[0x81, 0x80]);
    message[6..8].copy_from_slice(&u16::try_from(addresses.len()).unwrap().to_be_bytes());
    for address in addresses {
        message.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        message.extend(address.octets());
    }
    message
}

/// What tests look at of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) id: u16,
    pub(super) rcode: u8,
    pub(super) is_authoritative: bool,
    pub(super) is_truncated: bool,
    pub(super) name: String,
    pub(super) addresses: Vec<IpAddr>,
}

impl Reply {
    pub(super) fn read(bytes: &[u8]) -> Self {
        let message = Message::from_octets(bytes).expect("a header");
        let header = message.header();
        assert!(header.qr(), "it is no answer");
        let question = message.first_question();
        let name = question.map(|question| question.qname().to_vec());
        let answer = message.answer().expect("answers that can be read");
        let records = answer.limit_to::<A>().map(|record| record.unwrap());
        Self {
            id: header.id(),
            rcode: Rcode::to_int(header.rcode()),
            is_authoritative: header.aa(),
            is_truncated: header.tc(),
            name: name.map_or_else(String::new, |name: Name<Vec<u8>>| name.to_string()),
            addresses: records.map(|a| a.data().addr().into()).collect(),
        }
    }
}

/// The name and the type that a query asks for.
pub(super) fn asked(bytes: &[u8]) -> (String, u16) {
    let message = Message::from_octets(bytes).expect("a header");
    let question = message.first_question().expect("a question");
    (
        question.qname().to_string(),
        Rtype::to_int(question.qtype()),
    )
}
