//! Where a record of a message stands, and that it can be read: no name in it is malformed, leads
//! into the header or goes round in circles. What it means is decided in `reply`.

use domain::base::iana::{Class, Rtype};
use domain::base::name::ParsedName;
use domain::dep::octseq::Parser;

pub(super) const TYPE_AND_CLASS_BYTES: usize = 4;
pub(super) const TTL_BYTES: usize = 4;
pub(super) const LENGTH_BYTES: usize = 2;
const POINTER_BYTES: usize = 2;

/// How many labels and pointers of a message are looked at. Names can lead through one another, so
/// that its length alone does not bound them.
const MAX_STEPS: usize = 65_536;

/// The first byte of a pointer is no less.
// rfc1035 §4.1.4
const POINTER: u8 = 0xc0;

/// A record, by its places in the message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) start: usize,
    pub(super) ttl_at: usize,
    pub(super) end: usize,
    pub(super) rtype: Rtype,
    pub(super) class: Class,
}

/// The records of a message, one after the other.
pub(super) struct Records<'a> {
    parser: Parser<'a, [u8]>,
    /// What may still be looked at.
    steps: usize,
    /// The owner of the last record, if it is no more than a pointer.
    last_pointer: &'a [u8],
}

impl<'a> Records<'a> {
    pub(super) fn new(message: &'a [u8], start: usize) -> Option<Self> {
        let mut parser = Parser::from_ref(message);
        parser.seek(start).ok()?;
        Some(Self {
            parser,
            steps: MAX_STEPS,
            last_pointer: &[],
        })
    }

    /// The next one; `None` if it can't be read, as nothing can behind it.
    pub(super) fn read(&mut self) -> Option<Record> {
        let record = self.read_next();
        if record.is_none() {
            self.parser.advance_to_end();
        }
        record
    }

    fn read_next(&mut self) -> Option<Record> {
        let start = self.parser.pos();
        self.pass_owner()?;
        let rtype = Rtype::parse(&mut self.parser).ok()?;
        let class = Class::parse(&mut self.parser).ok()?;
        let ttl_at = self.parser.pos();
        self.parser.advance(TTL_BYTES).ok()?;
        let length = self.parser.parse_u16_be().ok()?;
        let mut rdata = self.parser.parse_parser(usize::from(length)).ok()?;
        if let Some(shape) = Shape::of(rtype) {
            shape.check(&mut rdata, &mut self.steps)?;
        }
        Some(Record {
            start,
            ttl_at,
            end: self.parser.pos(),
            rtype,
            class,
        })
    }

    fn pass_owner(&mut self) -> Option<()> {
        let (message, start) = (self.parser.octets_ref(), self.parser.pos());
        let is_same = !self.last_pointer.is_empty()
            && message.get(start..start + POINTER_BYTES) == Some(self.last_pointer);
        if is_same {
            // it was read for the record before
            return self.parser.advance(POINTER_BYTES).ok();
        }
        pass_name(&mut self.parser, &mut self.steps)?;
        let raw = message.get(start..self.parser.pos())?;
        let is_pointer = raw.len() == POINTER_BYTES && raw.first() >= Some(&POINTER);
        self.last_pointer = if is_pointer { raw } else { &[] };
        Some(())
    }
}

/// Checks a name, if that takes no more than `steps`, of which it takes away what it takes.
fn pass_name(parser: &mut Parser<'_, [u8]>, steps: &mut usize) -> Option<()> {
    let (message, mut at) = (parser.octets_ref(), parser.pos());
    loop {
        *steps = steps.checked_sub(1)?;
        let first = *message.get(at)?;
        at = match first {
            0 => break,
            POINTER.. => {
                let second = *message.get(at + 1)?;
                usize::from(u16::from_be_bytes([first & !POINTER, second]))
            }
            _ => at + 1 + usize::from(first),
        };
    }
    ParsedName::parse_ref(parser).ok().map(drop)
}

impl Record {
    /// The bytes of its owner, as they stand there. Where they are the same, so is the name.
    pub(super) fn raw_owner<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        let end = self.ttl_at.saturating_sub(TYPE_AND_CLASS_BYTES);
        message.get(self.start..end).unwrap_or_default()
    }

    pub(super) fn owner<'a>(&self, message: &'a [u8]) -> Option<ParsedName<&'a [u8]>> {
        name_at(message, self.start)
    }

    /// The name that its data begin with.
    pub(super) fn target<'a>(&self, message: &'a [u8]) -> Option<ParsedName<&'a [u8]>> {
        name_at(message, self.ttl_at + TTL_BYTES + LENGTH_BYTES)
    }

    /// In seconds. With its highest bit set it is none.
    // rfc2181 §8
    pub(super) fn ttl_s(&self, message: &[u8]) -> u32 {
        let ttl_s = u32_at(message, self.ttl_at);
        if ttl_s > i32::MAX as u32 { 0 } else { ttl_s }
    }

    /// The number that its data end with, which is MINIMUM for an SOA.
    // rfc1035 §3.3.13
    pub(super) fn last_number(&self, message: &[u8]) -> u32 {
        u32_at(message, self.end.saturating_sub(4))
    }
}

fn name_at(message: &[u8], at: usize) -> Option<ParsedName<&[u8]>> {
    let mut parser = Parser::from_ref(message);
    parser.seek(at).ok()?;
    ParsedName::parse_ref(&mut parser).ok()
}

fn u32_at(message: &[u8], at: usize) -> u32 {
    let bytes = message.get(at..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u32::from_be_bytes(*bytes))
}

/// The data of a type in which names are compressed, or that are of one length: so many bytes, so
/// many names, so many bytes.
// rfc3597 §4
pub(super) struct Shape {
    pub(super) before: usize,
    pub(super) names: usize,
    after: usize,
}

impl Shape {
    /// `None` for data that mean the same wherever they stand.
    pub(super) fn of(rtype: Rtype) -> Option<Self> {
        let (before, names, after) = match rtype {
            Rtype::A => (4, 0, 0),
            Rtype::AAAA => (16, 0, 0),
            Rtype::CNAME | Rtype::DNAME | Rtype::NS | Rtype::PTR => (0, 1, 0),
            Rtype::MB | Rtype::MD | Rtype::MF | Rtype::MG | Rtype::MR => (0, 1, 0),
            Rtype::MINFO | Rtype::RP => (0, 2, 0),
            Rtype::MX => (2, 1, 0),
            Rtype::SRV => (6, 1, 0),
            Rtype::SOA => (0, 2, 20),
            _ => return None,
        };
        Some(Self {
            before,
            names,
            after,
        })
    }

    fn check(&self, rdata: &mut Parser<'_, [u8]>, steps: &mut usize) -> Option<()> {
        rdata.advance(self.before).ok()?;
        for _ in 0..self.names {
            pass_name(rdata, steps)?;
        }
        rdata.advance(self.after).ok()?;
        (rdata.remaining() == 0).then_some(())
    }
}
