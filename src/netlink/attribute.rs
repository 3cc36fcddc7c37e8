//! Attributes, written, and a walk over them: type and value of each, until the bytes end or make
//! no sense. Pure.
//!
//! rfc3549 §2.3.1, uapi/linux/netlink.h: `struct nlattr`

use super::bytes::{align, u16_at};

const HEADER_BYTES: usize = 4;
// NLA_F_NESTED and NLA_F_NET_BYTEORDER are flags, not part of the type
const NESTED: u16 = 0x8000;
const TYPE_MASK: u16 = 0x3fff;

/// Adds an attribute, and the padding behind it. The value is shorter than 64 KiB.
pub(crate) fn put(bytes: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(HEADER_BYTES + value.len()).unwrap_or(u16::MAX);
    bytes.extend(length.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend(value);
    bytes.resize(align(bytes.len()), 0);
}

/// Adds an attribute that holds those that `fill` adds.
pub(crate) fn nest(bytes: &mut Vec<u8>, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
    let mut inside = Vec::new();
    fill(&mut inside);
    put(bytes, kind | NESTED, &inside);
}

/// The attributes in `bytes`, in their order.
pub(crate) fn walk(bytes: &[u8]) -> Attributes<'_> {
    Attributes { rest: bytes }
}

/// The value of the first attribute of that type.
pub(crate) fn find(bytes: &[u8], kind: u16) -> Option<&[u8]> {
    walk(bytes)
        .find(|&(of_kind, _)| of_kind == kind)
        .map(|(_, value)| value)
}

#[derive(Debug)]
pub(crate) struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let length = usize::from(u16_at(self.rest, 0)?);
        let kind = u16_at(self.rest, 2)? & TYPE_MASK;
        let value = self.rest.get(HEADER_BYTES..length)?;
        self.rest = self.rest.get(align(length)..).unwrap_or_default();
        Some((kind, value))
    }
}
