//! Replies, byte by byte: each is the header, the question as it was asked, records, and what EDNS
//! needs, and never longer than the client takes. What is replied is decided in the room above.

use std::net::IpAddr;

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::{Header, HeaderSection, Message};

use super::Manner;
use crate::addr::{HostName, NetworkName};
use crate::resolver::query::{Edns, HEADER_BYTES, MAX_NAME_BYTES, MAX_UDP_BYTES, Query, Refusal};

/// An OPT record without options (rfc6891 §6.1.2).
const OPT_BYTES: usize = 11;
/// A record up to its contents: a pointer to its owner, type, class, time to live, length.
const PREAMBLE_BYTES: usize = 12;
const MAX_TTL_S: u32 = i32::MAX as u32;

/// How a pointer begins (rfc1035 §4.1.4).
const POINTER: u16 = 0xc000;
/// Where the name of the question stands.
const QUESTION_AT: u16 = HEADER_BYTES as u16;

/// When a secondary would ask: there is none, but the numbers have to be there.
const SOA_SERIAL: u32 = 1;
const SOA_REFRESH_S: u32 = 3600;
const SOA_RETRY_S: u32 = 600;
const SOA_EXPIRE_S: u32 = 86_400;

/// A reply to a query, under way: records are added as long as there is room.
pub(super) struct Draft<'a> {
    query: &'a Query,
    section: HeaderSection,
    answers: u16,
    /// Where records must end, so that what EDNS needs still fits.
    end: usize,
    target: &'a mut Vec<u8>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(query: &'a Query, target: &'a mut Vec<u8>) -> Self {
        let mut section = HeaderSection::new();
        *section.header_mut() = answering(query.header());
        section.counts_mut().set_qdcount(1);
        target.clear();
        target.extend_from_slice(section.as_slice());
        target.extend_from_slice(query.name_wire());
        target.extend_from_slice(&query.record_type().to_be_bytes());
        target.extend_from_slice(&Class::IN.to_int().to_be_bytes());
        let opt_bytes = query.edns().map_or(0, |_| OPT_BYTES);
        Self {
            query,
            section,
            answers: 0,
            end: query.limit_bytes() - opt_bytes,
            target,
        }
    }

    /// As many of these as fit, from the one on whose turn it is.
    pub(super) fn push_addresses(
        &mut self,
        addresses: impl Iterator<Item = IpAddr> + Clone,
        manner: Manner,
    ) {
        let turn = usize::try_from(manner.turn).unwrap_or_default();
        let Some(first) = turn.checked_rem(addresses.clone().count()) else {
            return;
        };
        let turned = addresses.clone().skip(first).chain(addresses.take(first));
        for address in turned {
            let pushed = match address {
                IpAddr::V4(address) => self.push(Rtype::A, manner, &address.octets()),
                IpAddr::V6(address) => self.push(Rtype::AAAA, manner, &address.octets()),
            };
            if pushed.is_err() {
                self.section.header_mut().set_tc(true);
                return;
            }
        }
    }

    /// `name.network`, or `name` alone where both are too long for one name.
    pub(super) fn push_pointer(&mut self, name: &HostName, network: &NetworkName, manner: Manner) {
        let mut wire = Wire::new();
        let whole = wire.push_labels(name.as_str());
        if whole
            .and_then(|()| wire.push_labels(network.as_str()))
            .is_err()
        {
            wire = Wire::new();
            wire.push_labels(name.as_str())
                .expect("a host name is 1 to 253 bytes");
        }
        let pushed = self.push(Rtype::PTR, manner, wire.finish());
        pushed.expect("the question is 78 bytes at most, and the record 267");
    }

    /// Completes a reply to a name that is known: without answers it says so (rfc2308 §2.2).
    pub(super) fn finish_known(mut self, manner: Manner) {
        if self.answers == 0 {
            self.push_soa(QUESTION_AT, manner);
        }
        self.section.header_mut().set_aa(true);
        self.finish(Rcode::NOERROR);
    }

    /// Completes a reply to a name that nobody has, but that only clients of ours could have.
    pub(super) fn finish_nobody(mut self, manner: Manner) {
        let first = self.query.name_wire().first();
        let label_bytes = first.map_or(0, |length| u16::from(*length));
        self.push_soa(QUESTION_AT + 1 + label_bytes, manner);
        self.section.header_mut().set_aa(true);
        self.finish(Rcode::NXDOMAIN);
    }

    /// Completes a reply.
    pub(super) fn finish(mut self, rcode: Rcode) {
        self.section.header_mut().set_rcode(rcode);
        self.section.counts_mut().set_ancount(self.answers);
        close(self.section, self.query.edns(), 0, self.target);
    }

    /// The authority of whatever the name at `owner` is, by which the client knows how long it may
    /// keep that there is nothing: a domain without a server that could be asked, or a mailbox.
    fn push_soa(&mut self, owner: u16, manner: Manner) {
        let ttl_s = manner.ttl_s.min(MAX_TTL_S);
        let numbers = [SOA_SERIAL, SOA_REFRESH_S, SOA_RETRY_S, SOA_EXPIRE_S, ttl_s];
        let preamble = preamble(owner, Rtype::SOA, ttl_s, 3 + 4 * numbers.len());
        self.target.extend_from_slice(&preamble);
        self.target
            .extend_from_slice(&(POINTER | owner).to_be_bytes());
        self.target.push(0);
        for number in numbers {
            self.target.extend_from_slice(&number.to_be_bytes());
        }
        self.section.counts_mut().set_nscount(1);
    }

    fn push(&mut self, rtype: Rtype, manner: Manner, contents: &[u8]) -> Result<(), Full> {
        if self.target.len() + PREAMBLE_BYTES + contents.len() > self.end {
            return Err(Full);
        }
        let ttl_s = manner.ttl_s.min(MAX_TTL_S);
        let preamble = preamble(QUESTION_AT, rtype, ttl_s, contents.len());
        self.target.extend_from_slice(&preamble);
        self.target.extend_from_slice(contents);
        self.answers += 1;
        Ok(())
    }
}

/// Writes the reply to what is no proper query. It is 282 bytes at most.
pub(super) fn refuse(query: &[u8], refusal: Refusal, reply: &mut Vec<u8>) {
    let Ok(message) = Message::from_slice(query) else {
        return;
    };
    let question = HEADER_BYTES..HEADER_BYTES + refusal.question_bytes;
    let question = query.get(question).unwrap_or_default();
    let asked = message.header();
    let mut section = HeaderSection::new();
    *section.header_mut() = answering(asked);
    section.header_mut().set_rcode(refusal.rcode.rcode());
    section
        .counts_mut()
        .set_qdcount(u16::from(!question.is_empty()));
    reply.extend_from_slice(section.as_slice());
    reply.extend_from_slice(question);
    close(section, refusal.edns, refusal.rcode.ext(), reply);
}

/// The header of an answer to what has this header.
fn answering(asked: Header) -> Header {
    let mut header = Header::new();
    header.set_id(asked.id());
    header.set_qr(true);
    header.set_opcode(asked.opcode());
    header.set_rd(asked.rd());
    header.set_ra(true);
    header.set_cd(asked.cd());
    header
}

/// Adds what EDNS needs to what stands in `reply`, and puts the header before all.
fn close(mut section: HeaderSection, edns: Option<Edns>, rcode_high: u8, reply: &mut Vec<u8>) {
    if let Some(edns) = edns {
        let [high, low] = MAX_UDP_BYTES.to_be_bytes();
        let [type_high, type_low] = Rtype::OPT.to_int().to_be_bytes();
        // rfc3225 §3: the bit comes back
        let flags = if edns.dnssec_ok { 0x80 } else { 0 };
        let opt: [u8; OPT_BYTES] = [
            0, type_high, type_low, high, low, rcode_high, 0, flags, 0, 0, 0,
        ];
        reply.extend_from_slice(&opt);
        section.counts_mut().set_arcount(1);
    }
    if let Some(header) = reply.get_mut(..HEADER_BYTES) {
        header.copy_from_slice(section.as_slice());
    }
}

fn preamble(owner: u16, rtype: Rtype, ttl_s: u32, bytes: usize) -> [u8; PREAMBLE_BYTES] {
    let [o0, o1] = (POINTER | owner).to_be_bytes();
    let [r0, r1] = rtype.to_int().to_be_bytes();
    let [c0, c1] = Class::IN.to_int().to_be_bytes();
    let [t0, t1, t2, t3] = ttl_s.to_be_bytes();
    let bytes = u16::try_from(bytes).expect("no contents are longer than a name");
    let [b0, b1] = bytes.to_be_bytes();
    [o0, o1, r0, r1, c0, c1, t0, t1, t2, t3, b0, b1]
}

/// There is no room for more.
#[derive(Debug)]
struct Full;

/// A name in wire form, under way.
struct Wire {
    bytes: [u8; MAX_NAME_BYTES],
    /// Where the next label begins; there is always room for the root.
    at: usize,
}

impl Wire {
    fn new() -> Self {
        Self {
            bytes: [0; MAX_NAME_BYTES],
            at: 0,
        }
    }

    fn push_labels(&mut self, name: &str) -> Result<(), Full> {
        for label in name.split('.') {
            let end = self.at + 1 + label.len();
            let place = self.bytes.get_mut(self.at..end).ok_or(Full)?;
            let (length, place) = place.split_first_mut().ok_or(Full)?;
            *length = u8::try_from(label.len()).map_err(|_| Full)?;
            place.copy_from_slice(label.as_bytes());
            self.at = end;
        }
        if self.at < MAX_NAME_BYTES {
            Ok(())
        } else {
            Err(Full)
        }
    }

    /// All of it, with the root.
    fn finish(&self) -> &[u8] {
        self.bytes.get(..=self.at).unwrap_or(&[0])
    }
}
