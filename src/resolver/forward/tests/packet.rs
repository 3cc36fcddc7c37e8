//! Messages as the tests write and read them. A name `@` is written as a pointer to the question's.

use domain::base::iana::Rtype;
use domain::base::name::ParsedName;
use domain::base::{Message, ParsedRecord};
use domain::rdata::AllRecordData;

pub(super) const A: u16 = 1;
pub(super) const NS: u16 = 2;
pub(super) const CNAME: u16 = 5;
pub(super) const SOA: u16 = 6;
pub(super) const MX: u16 = 15;
pub(super) const TXT: u16 = 16;
pub(super) const AAAA: u16 = 28;
pub(super) const DNAME: u16 = 39;
pub(super) const OPT: u16 = 41;
pub(super) const RRSIG: u16 = 46;
pub(super) const NSEC: u16 = 47;
pub(super) const ANY: u16 = 255;

pub(super) fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        if label == "@" {
            bytes.extend_from_slice(&[0xc0, 12]);
            return bytes;
        }
        bytes.push(u8::try_from(label.len()).unwrap());
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// What a client asks.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) id: u16,
    pub(super) name: String,
    pub(super) rtype: u16,
    /// RD is 0x0100, CD is 0x0010.
    pub(super) flags: u16,
    /// The size, and the flags, of which DO is 0x8000.
    pub(super) edns: Option<(u16, u16)>,
}

pub(super) fn ask(name: &str, rtype: u16) -> Ask {
    Ask {
        id: 0x1234,
        name: name.to_owned(),
        rtype,
        flags: 0x0100,
        edns: None,
    }
}

impl Ask {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let arcount = u16::from(self.edns.is_some());
        for number in [self.id, self.flags, 1, 0, 0, arcount] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&wire(&self.name));
        bytes.extend_from_slice(&[self.rtype, 1].map(u16::to_be_bytes).concat());
        if let Some((size, flags)) = self.edns {
            bytes.extend_from_slice(&opt(size, 0, flags));
        }
        bytes
    }
}

pub(super) fn opt(size: u16, extended_rcode: u8, flags: u16) -> Vec<u8> {
    let ttl = u32::from(extended_rcode) << 24 | u32::from(flags);
    rr("", OPT, size, ttl, &[])
}

pub(super) fn rr(owner: &str, rtype: u16, class: u16, ttl: u32, rdata: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rdata.len()).unwrap();
    let head = [rtype, class].map(u16::to_be_bytes).concat();
    let ttl = ttl.to_be_bytes();
    [&wire(owner)[..], &head, &ttl, &length.to_be_bytes(), rdata].concat()
}

pub(super) fn a(owner: &str, ttl: u32, last: u8) -> Vec<u8> {
    rr(owner, A, 1, ttl, &[192, 0, 2, last])
}

pub(super) fn cname(owner: &str, ttl: u32, target: &str) -> Vec<u8> {
    rr(owner, CNAME, 1, ttl, &wire(target))
}

pub(super) fn soa(zone: &str, ttl: u32, minimum: u32) -> Vec<u8> {
    let numbers = [1, 2, 3, 4, minimum].map(u32::to_be_bytes).concat();
    let rdata = [wire("ns.test"), wire("root.test"), numbers].concat();
    rr(zone, SOA, 1, ttl, &rdata)
}

/// A reply to a query that came in.
#[derive(Clone, Default)]
pub(super) struct Reply {
    /// Of the third and fourth byte; QR and RA are set.
    pub(super) flags: u16,
    pub(super) answers: Vec<Vec<u8>>,
    pub(super) authorities: Vec<Vec<u8>>,
    pub(super) additional: Vec<Vec<u8>>,
}

impl Reply {
    pub(super) fn code(rcode: u16) -> Self {
        Self {
            flags: rcode,
            ..Self::default()
        }
    }

    pub(super) fn answer(answers: impl IntoIterator<Item = Vec<u8>>) -> Self {
        Self {
            answers: answers.into_iter().collect(),
            ..Self::default()
        }
    }

    pub(super) fn authority(mut self, authorities: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.authorities.extend(authorities);
        self
    }

    pub(super) fn extra(mut self, additional: impl IntoIterator<Item = Vec<u8>>) -> Self {
        self.additional.extend(additional);
        self
    }

    pub(super) fn truncated(mut self) -> Self {
        self.flags |= 0x0200;
        self
    }

    pub(super) fn to(&self, query: &[u8]) -> Vec<u8> {
        let question_end = 12 + question_bytes(query);
        let sections = [&self.answers, &self.authorities, &self.additional];
        let mut bytes = query[..2].to_vec();
        bytes.extend_from_slice(&(self.flags | 0x8080).to_be_bytes());
        bytes.extend_from_slice(&[0, 1]);
        for section in sections {
            let count = u16::try_from(section.len()).unwrap();
            bytes.extend_from_slice(&count.to_be_bytes());
        }
        bytes.extend_from_slice(&query[12..question_end]);
        bytes.extend(sections.into_iter().flatten().flatten());
        bytes
    }
}

pub(super) fn question_bytes(message: &[u8]) -> usize {
    let mut at = 12;
    while message[at] != 0 {
        at += 1 + usize::from(message[at]);
    }
    at + 5 - 12
}

/// What a client was sent, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Got {
    pub(super) id: u16,
    pub(super) flags: u16,
    pub(super) question: Vec<u8>,
    /// Each as `owner ttl type data`.
    pub(super) answers: Vec<String>,
    pub(super) authorities: Vec<String>,
    pub(super) additional: Vec<String>,
}

impl Got {
    pub(super) fn rcode(&self) -> u16 {
        self.flags & 0x000f
    }

    pub(super) fn is_truncated(&self) -> bool {
        self.flags & 0x0200 != 0
    }
}

pub(super) fn read(bytes: &[u8]) -> Got {
    let message = Message::from_octets(bytes).unwrap();
    assert_eq!(message.header_counts().qdcount(), 1);
    let (_, answers, authorities, additional) = message.sections().unwrap();
    let mut end = 0;
    let mut texts = |section: domain::base::message::RecordSection<'_, &[u8]>| {
        let mut section = section;
        let texts: Vec<String> = section
            .by_ref()
            .map(|record| text(record.unwrap()))
            .collect();
        end = section.pos();
        texts
    };
    let got = Got {
        id: message.header().id(),
        flags: u16::from_be_bytes([bytes[2], bytes[3]]),
        question: bytes[12..12 + question_bytes(bytes)].to_vec(),
        answers: texts(answers),
        authorities: texts(authorities),
        additional: texts(additional),
    };
    assert_eq!(end, bytes.len(), "nothing stands behind the records");
    got
}

fn text(record: ParsedRecord<'_, &[u8]>) -> String {
    let (owner, rtype, ttl, class) = (record.owner(), record.rtype(), record.ttl(), record.class());
    let owner = owner.to_string();
    if rtype == Rtype::OPT {
        let (ttl, class) = (ttl.as_secs(), class.to_int());
        return format!("OPT {class} {ttl:#x}");
    }
    let record = record.into_any_record::<AllRecordData<&[u8], ParsedName<&[u8]>>>();
    let text = record.unwrap().data().to_string();
    // without a root label, as the owner
    let text = text.strip_suffix('.').unwrap_or(&text);
    format!("{owner} {} {rtype} {text}", ttl.as_secs())
}
