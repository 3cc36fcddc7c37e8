//! The records that are kept, as bytes for behind the question. Where all of the first ones are
//! kept, they stay as they stand; else each is written anew, since a pointer may have led to one
//! that is not kept. Either takes time by the length alone.

use domain::base::name::ParsedName;
use domain::dep::octseq::Parser;

use super::name::WireName;
use super::question::HEADER_BYTES;
use super::record::{LENGTH_BYTES, Record, Shape, TTL_BYTES, TYPE_AND_CLASS_BYTES};

/// The longest message that TCP's length can say.
const MESSAGE_MAX_BYTES: usize = 65_535;
/// To how many owners pointers are written, and from where on they reach.
// rfc1035 §4.1.4
const MAX_POINTED: usize = 16;
const POINTER: u16 = 0xc000;

/// The bytes of all of them, and where each has its time to live, both from `start` on, which is the
/// end of the question. `None` if they can't be written.
pub(super) fn lay_out(
    records: &[Record],
    asked: WireName,
    start: usize,
    message: &[u8],
) -> Option<(Vec<u8>, Vec<u16>)> {
    let ends = records.iter().map(|record| record.end);
    let expected = std::iter::once(start).chain(ends);
    if !records
        .iter()
        .map(|record| record.start)
        .eq(expected.take(records.len()))
    {
        return Writing::new(asked, start).write_all(records, message);
    }
    let end = records.last().map_or(start, |record| record.end);
    let offset = |record: &Record| u16::try_from(record.ttl_at - start).ok();
    let ttls_at = records.iter().map(offset).collect::<Option<_>>()?;
    Some((message.get(start..end)?.to_vec(), ttls_at))
}

/// Records that are written anew.
struct Writing<'a> {
    start: usize,
    bytes: Vec<u8>,
    ttls_at: Vec<u16>,
    /// The names that pointers can lead to.
    pointed: Vec<(WireName, u16)>,
    /// The owner of the last record, as it stood, and where it stands now.
    last: (&'a [u8], u16),
}

impl<'a> Writing<'a> {
    fn new(asked: WireName, start: usize) -> Self {
        Self {
            start,
            bytes: Vec::new(),
            ttls_at: Vec::new(),
            pointed: vec![(asked, HEADER_BYTES as u16)],
            last: (&[], POINTER),
        }
    }

    fn write_all(mut self, records: &[Record], message: &'a [u8]) -> Option<(Vec<u8>, Vec<u16>)> {
        for record in records {
            self.write(record, message)?;
            if self.start + self.bytes.len() > MESSAGE_MAX_BYTES {
                return None;
            }
        }
        Some((self.bytes, self.ttls_at))
    }

    fn write(&mut self, record: &Record, message: &'a [u8]) -> Option<()> {
        let raw = record.raw_owner(message);
        match self.last {
            (last, at) if last == raw && at & POINTER == 0 => self.write_pointer(at),
            _ => self.last = (raw, self.write_owner(&record.owner(message)?)),
        }
        let mut parser = Parser::from_ref(message);
        parser.seek(record.ttl_at - TYPE_AND_CLASS_BYTES).ok()?;
        let head = parser.parse_octets(TYPE_AND_CLASS_BYTES + TTL_BYTES).ok()?;
        self.bytes.extend_from_slice(head);
        self.ttls_at
            .push(u16::try_from(self.bytes.len() - TTL_BYTES).ok()?);
        let length = parser.parse_u16_be().ok()?;
        let mut rdata = parser.parse_parser(usize::from(length)).ok()?;
        let length_at = self.bytes.len();
        self.bytes.extend_from_slice(&[0; LENGTH_BYTES]);
        self.write_rdata(Shape::of(record.rtype), &mut rdata)?;
        let written = self.bytes.len() - length_at - LENGTH_BYTES;
        let place = self.bytes.get_mut(length_at..)?.first_chunk_mut()?;
        *place = u16::try_from(written).ok()?.to_be_bytes();
        Some(())
    }

    /// Returns where the name stands.
    fn write_owner(&mut self, owner: &ParsedName<&[u8]>) -> u16 {
        if let Some((_, at)) = self.pointed.iter().find(|(name, _)| name.is(owner)) {
            let at = *at;
            self.write_pointer(at);
            return at;
        }
        let at = u16::try_from(self.start + self.bytes.len()).unwrap_or(u16::MAX);
        if at & POINTER == 0 && self.pointed.len() < MAX_POINTED {
            self.pointed.push((WireName::of_parsed(owner), at));
        }
        self.write_name(owner);
        at
    }

    fn write_pointer(&mut self, at: u16) {
        self.bytes.extend_from_slice(&(POINTER | at).to_be_bytes());
    }

    /// Names in the data are written in full.
    fn write_rdata(&mut self, shape: Option<Shape>, rdata: &mut Parser<'_, [u8]>) -> Option<()> {
        if let Some(shape) = shape {
            let before = rdata.parse_octets(shape.before).ok()?;
            self.bytes.extend_from_slice(before);
            for _ in 0..shape.names {
                let name = ParsedName::parse_ref(rdata).ok()?;
                self.write_name(&name);
            }
        }
        let rest = rdata.parse_octets(rdata.remaining()).ok()?;
        self.bytes.extend_from_slice(rest);
        Some(())
    }

    fn write_name(&mut self, name: &ParsedName<&[u8]>) {
        for label in name.iter() {
            // a label has at most 63 bytes
            self.bytes.push(label.len() as u8);
            self.bytes.extend_from_slice(label.as_slice());
        }
    }
}
