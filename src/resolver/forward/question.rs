//! A question as others are asked it: in lower case, with the asker's flags, and nothing else of the
//! asker's. What is left of the asker until the answer comes is here, too. Whom to ask is decided
//! elsewhere.

use std::sync::Arc;

use domain::base::iana::Rtype;

use super::{Servers, Vantage};
use crate::resolver::query::Query;
use crate::resolver::resolv::NameServer;

/// The header of a message.
// rfc1035 §4.1.1
pub(super) const HEADER_BYTES: usize = 12;
/// An OPT without options.
// rfc6891 §6.1.2
pub(super) const OPT_BYTES: usize = 11;

/// What follows the name: its type and its class.
const TYPE_AND_CLASS_BYTES: usize = 4;
/// What passes without fragments nearly everywhere.
const EDNS_BYTES: u16 = 1232;

/// The class of the Internet, which is the only one that a query can have.
const IN: u16 = 1;

/// In a header's third byte and fourth byte, and in the third byte of an OPT's time to live.
const RD: u8 = 0x01;
const CD: u8 = 0x10;
const DO: u8 = 0x80;

/// What is asked and how, the same for all who wait for one answer.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Question {
    /// Name in lower case, type and class, as they stand in a message.
    wire: Box<[u8]>,
    /// The bits of a header's third and fourth byte.
    flags: [u8; 2],
    edns: Edns,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Edns {
    Absent,
    Plain,
    DnssecOk,
}

/// How a server is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// With what the asker said of extensions.
    AsAsked,
    /// Without, since the server does not understand them.
    // rfc6891 §6.2.2
    Plain,
}

/// A question and who is asked, and from where. Answers are the same only if both are.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) question: Question,
    pub(super) vantage: Vantage,
    pub(super) servers: Arc<[NameServer]>,
}

impl Key {
    pub(super) fn of(query: &Query, servers: &Servers) -> Self {
        Self {
            question: Question::of(query),
            vantage: servers.vantage,
            servers: Arc::clone(&servers.addresses),
        }
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.question.wire.len()
    }
}

/// What of a query shows in the reply to it alone.
#[derive(Debug)]
pub(super) struct Asker {
    pub(super) id: u16,
    /// In the asker's case.
    pub(super) name: Box<[u8]>,
    pub(super) limit_bytes: usize,
}

impl Asker {
    pub(super) fn of(query: &Query) -> Self {
        Self {
            id: query.id(),
            name: query.name_wire().into(),
            limit_bytes: query.limit_bytes(),
        }
    }
}

impl Question {
    pub(super) fn of(query: &Query) -> Self {
        let name = query.name_wire().to_ascii_lowercase();
        let rest = [query.record_type(), IN].map(u16::to_be_bytes);
        let wire = [&name, rest.as_flattened()].concat();
        let flag = |is_set, bit| if is_set { bit } else { 0 };
        Self {
            wire: wire.into(),
            flags: [
                flag(query.is_recursion_desired(), RD),
                flag(query.is_checking_disabled(), CD),
            ],
            edns: match query.edns() {
                None => Edns::Absent,
                Some(edns) if edns.dnssec_ok => Edns::DnssecOk,
                Some(_) => Edns::Plain,
            },
        }
    }

    /// As it stands in a message: name, type, class.
    pub(super) fn wire(&self) -> &[u8] {
        &self.wire
    }

    pub(super) fn name(&self) -> &[u8] {
        self.split().0
    }

    pub(super) fn type_and_class(&self) -> &[u8] {
        self.split().1
    }

    /// RD and CD, in their places of a header's third and fourth byte.
    pub(super) fn flags(&self) -> [u8; 2] {
        self.flags
    }

    pub(super) fn has_edns(&self) -> bool {
        self.edns != Edns::Absent
    }

    pub(super) fn is_dnssec_ok(&self) -> bool {
        self.edns == Edns::DnssecOk
    }

    /// Whether records of this type are what is asked for.
    pub(super) fn is_for(&self, rtype: Rtype) -> bool {
        let asked = self.type_and_class().first_chunk();
        let asked = asked.map(|asked| Rtype::from_int(u16::from_be_bytes(*asked)));
        asked == Some(rtype) || asked == Some(Rtype::ANY)
    }

    /// Whether `bytes` begin with this question, in any case.
    pub(super) fn opens(&self, bytes: &[u8]) -> bool {
        let Some((name, rest)) = bytes.split_at_checked(self.name().len()) else {
            return false;
        };
        // a length is no letter, but a type can look like one
        name.eq_ignore_ascii_case(self.name()) && rest.starts_with(self.type_and_class())
    }

    /// The query for a server.
    pub(super) fn write_query(&self, id: u16, form: Form) -> Vec<u8> {
        let mut query = Vec::with_capacity(HEADER_BYTES + self.wire.len() + OPT_BYTES);
        query.extend_from_slice(&id.to_be_bytes());
        query.extend_from_slice(&self.flags);
        let is_extended = self.has_edns() && form == Form::AsAsked;
        let additional = u8::from(is_extended);
        query.extend_from_slice(&[0, 1, 0, 0, 0, 0, 0, additional]);
        query.extend_from_slice(&self.wire);
        if is_extended {
            self.write_opt(&mut query);
        }
        query
    }

    /// Our own OPT, with no option, if the asker had one.
    // rfc6891 §6.1
    pub(super) fn write_opt(&self, message: &mut Vec<u8>) {
        if self.has_edns() {
            let dnssec_ok = if self.is_dnssec_ok() { DO } else { 0 };
            message.extend_from_slice(&[0, 0, 41]);
            message.extend_from_slice(&EDNS_BYTES.to_be_bytes());
            message.extend_from_slice(&[0, 0, dnssec_ok, 0, 0, 0]);
        }
    }

    fn split(&self) -> (&[u8], &[u8]) {
        let name_bytes = self.wire.len().saturating_sub(TYPE_AND_CLASS_BYTES);
        self.wire.split_at(name_bytes)
    }
}
