//! Messages of DNS, written and read by a few lines that are not the crate's nor those of the
//! library that it uses (rfc1035 §4.1): what is sent may be as wrong as a test likes.

#![allow(dead_code)]

pub const A: u16 = 1;
pub const SOA: u16 = 6;
pub const PTR: u16 = 12;
pub const MX: u16 = 15;
pub const TXT: u16 = 16;
pub const AAAA: u16 = 28;
pub const OPT: u16 = 41;
pub const ANY: u16 = 255;

pub const NOERROR: u8 = 0;
pub const FORMERR: u8 = 1;
pub const SERVFAIL: u8 = 2;
pub const NXDOMAIN: u8 = 3;
pub const NOTIMP: u8 = 4;
pub const REFUSED: u8 = 5;

/// The flags' place in the header (rfc1035 §4.1.1).
pub const QR: u16 = 0x8000;
pub const AUTHORITATIVE: u16 = 0x0400;
pub const TRUNCATED: u16 = 0x0200;
pub const RECURSION_DESIRED: u16 = 0x0100;
pub const RECURSION_AVAILABLE: u16 = 0x0080;

const IN: u16 = 1;

/// A message that is being written.
#[derive(Clone)]
pub struct Writing {
    pub bytes: Vec<u8>,
}

impl Writing {
    fn begin(id: u16, flags: u16) -> Self {
        let mut bytes = vec![0; 12];
        bytes[..2].copy_from_slice(&id.to_be_bytes());
        bytes[2..4].copy_from_slice(&flags.to_be_bytes());
        Self { bytes }
    }

    /// Of the sections: questions, answers, authority, additional.
    fn count(&mut self, section: usize) {
        let at = 4 + 2 * section;
        let count = u16::from_be_bytes([self.bytes[at], self.bytes[at + 1]]) + 1;
        self.bytes[at..at + 2].copy_from_slice(&count.to_be_bytes());
    }

    fn number(&mut self, number: u16) {
        self.bytes.extend(number.to_be_bytes());
    }

    pub fn class(mut self, class: u16) -> Self {
        let end = self.bytes.len();
        self.bytes[end - 2..].copy_from_slice(&class.to_be_bytes());
        self
    }

    pub fn opcode(mut self, opcode: u8) -> Self {
        self.bytes[2] = self.bytes[2] & 0x87 | opcode << 3;
        self
    }

    pub fn flag(mut self, flag: u16) -> Self {
        let flags = u16::from_be_bytes([self.bytes[2], self.bytes[3]]) | flag;
        self.bytes[2..4].copy_from_slice(&flags.to_be_bytes());
        self
    }

    pub fn rcode(mut self, rcode: u8) -> Self {
        self.bytes[3] = self.bytes[3] & 0xf0 | rcode;
        self
    }

    pub fn id(mut self, id: u16) -> Self {
        self.bytes[..2].copy_from_slice(&id.to_be_bytes());
        self
    }

    /// rfc6891 §6.1.2
    pub fn edns(mut self, udp_bytes: u16, version: u8) -> Self {
        self.count(3);
        self.bytes.push(0);
        self.number(OPT);
        self.number(udp_bytes);
        self.bytes.extend([0, version, 0, 0, 0, 0]);
        self
    }

    pub fn record(
        mut self,
        section: Section,
        name: &str,
        kind: u16,
        ttl_s: u32,
        rest: &[u8],
    ) -> Self {
        self.count(section as usize);
        self.bytes.extend(wire_name(name));
        self.number(kind);
        self.number(IN);
        self.bytes.extend(ttl_s.to_be_bytes());
        self.number(u16::try_from(rest.len()).expect("a short record"));
        self.bytes.extend(rest);
        self
    }

    pub fn a(self, name: &str, ttl_s: u32, address: [u8; 4]) -> Self {
        self.record(Section::Answer, name, A, ttl_s, &address)
    }

    /// rfc2308 §2: by its last number a name that is not there stays so for that long.
    pub fn soa(self, zone: &str, minimum_s: u32) -> Self {
        let mut rest = wire_name("ns.test");
        rest.extend(wire_name("who.test"));
        for number in [1, 3600, 600, 86_400, minimum_s] {
            rest.extend(number.to_be_bytes());
        }
        self.record(Section::Authority, zone, SOA, minimum_s, &rest)
    }
}

#[derive(Clone, Copy)]
pub enum Section {
    Answer = 1,
    Authority = 2,
    Additional = 3,
}

/// A question as a stub resolver asks it.
pub fn query(name: &str, kind: u16) -> Writing {
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0x4242);
    let id = NEXT.fetch_add(7, std::sync::atomic::Ordering::Relaxed);
    query_of(id, &wire_name(name), kind)
}

pub fn query_of(id: u16, name: &[u8], kind: u16) -> Writing {
    let mut writing = Writing::begin(id, RECURSION_DESIRED);
    writing.count(0);
    writing.bytes.extend(name);
    writing.number(kind);
    writing.number(IN);
    writing
}

/// An answer to that query: its id and its question.
pub fn reply(query: &Message) -> Writing {
    let mut writing = Writing::begin(query.id, QR | RECURSION_DESIRED | RECURSION_AVAILABLE);
    for question in &query.questions {
        writing.count(0);
        writing.bytes.extend(wire_name(&question.name));
        writing.number(question.kind);
        writing.number(question.class);
    }
    writing
}

/// `db.shop` as labels with their lengths before them.
pub fn wire_name(name: &str) -> Vec<u8> {
    let mut wire = Vec::new();
    for label in name.split('.').filter(|label| !label.is_empty()) {
        wire.push(u8::try_from(label.len()).expect("a short label"));
        wire.extend(label.as_bytes());
    }
    wire.push(0);
    wire
}

/// `4.3.2.1.in-addr.arpa` or nibbles in `ip6.arpa`.
pub fn reverse_of(address: std::net::IpAddr) -> String {
    match address {
        std::net::IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        std::net::IpAddr::V6(v6) => {
            let nibbles = v6.octets().into_iter().rev();
            let nibbles = nibbles.map(|byte| format!("{:x}.{:x}.", byte & 15, byte >> 4));
            nibbles.collect::<String>() + "ip6.arpa"
        }
    }
}

/// A message that was read.
#[derive(Debug, Clone)]
pub struct Message {
    pub id: u16,
    pub flags: u16,
    pub questions: Vec<Question>,
    pub answers: Vec<Record>,
    pub authority: Vec<Record>,
    pub additional: Vec<Record>,
    pub bytes: Vec<u8>,
}

/// Its name in the case in which it came, without the last dot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    pub name: String,
    pub kind: u16,
    pub class: u16,
}

/// What it says, as text: an address, a name, or else bytes in hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    pub name: String,
    pub kind: u16,
    pub class: u16,
    pub ttl_s: u32,
    pub says: String,
}

impl Message {
    /// `None`: it is no message of DNS, or something is left behind it.
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let mut reading = Reading { bytes, at: 0 };
        let (id, flags) = (reading.number()?, reading.number()?);
        let mut counts = [0; 4];
        for count in &mut counts {
            *count = reading.number()?;
        }
        let mut questions = Vec::new();
        for _ in 0..counts[0] {
            let (name, kind, class) = (reading.name()?, reading.number()?, reading.number()?);
            questions.push(Question { name, kind, class });
        }
        let [answers, authority, additional] = [
            reading.records(counts[1])?,
            reading.records(counts[2])?,
            reading.records(counts[3])?,
        ];
        (reading.at == bytes.len()).then(|| Self {
            id,
            flags,
            questions,
            answers,
            authority,
            additional,
            bytes: bytes.to_vec(),
        })
    }

    pub fn rcode(&self) -> u8 {
        (self.flags & 15) as u8
    }

    pub fn has(&self, flag: u16) -> bool {
        self.flags & flag != 0
    }

    /// What the answers say, sorted.
    pub fn says(&self) -> Vec<String> {
        let mut says: Vec<String> = self.answers.iter().map(|one| one.says.clone()).collect();
        says.sort();
        says
    }

    /// The size that its EDNS record gives.
    pub fn edns_bytes(&self) -> Option<u16> {
        let opt = self.additional.iter().find(|one| one.kind == OPT)?;
        Some(opt.class)
    }
}

struct Reading<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reading<'_> {
    fn take(&mut self, count: usize) -> Option<&[u8]> {
        let taken = self.bytes.get(self.at..self.at + count)?;
        self.at += count;
        Some(taken)
    }

    fn number(&mut self) -> Option<u16> {
        let taken = self.take(2)?;
        Some(u16::from_be_bytes([taken[0], taken[1]]))
    }

    fn name(&mut self) -> Option<String> {
        let (mut labels, mut at, mut end) = (Vec::new(), self.at, None);
        for _ in 0..128 {
            let length = usize::from(*self.bytes.get(at)?);
            match length {
                0 => {
                    self.at = end.unwrap_or(at + 1);
                    return Some(labels.join("."));
                }
                1..64 => {
                    let label = self.bytes.get(at + 1..at + 1 + length)?;
                    labels.push(String::from_utf8_lossy(label).into_owned());
                    at += 1 + length;
                }
                192.. => {
                    end = end.or(Some(at + 2));
                    at = (length & 63) << 8 | usize::from(*self.bytes.get(at + 1)?);
                }
                _ => return None,
            }
        }
        None
    }

    fn records(&mut self, count: u16) -> Option<Vec<Record>> {
        (0..count).map(|_| self.record()).collect()
    }

    fn record(&mut self) -> Option<Record> {
        let (name, kind, class) = (self.name()?, self.number()?, self.number()?);
        let ttl_s = u32::from(self.number()?) << 16 | u32::from(self.number()?);
        let length = usize::from(self.number()?);
        let start = self.at;
        let rest = self.take(length)?.to_vec();
        let says = match (kind, rest.len()) {
            (A, 4) => std::net::Ipv4Addr::from([rest[0], rest[1], rest[2], rest[3]]).to_string(),
            (AAAA, 16) => {
                let octets: [u8; 16] = rest.as_slice().try_into().ok()?;
                std::net::Ipv6Addr::from(octets).to_string()
            }
            (PTR | 5, _) => {
                let (bytes, at) = (self.bytes, start);
                Reading { bytes, at }.name()?
            }
            _ => rest.iter().map(|byte| format!("{byte:02x}")).collect(),
        };
        Some(Record {
            name,
            kind,
            class,
            ttl_s,
            says,
        })
    }
}
