//! A walk over attributes: type and value of each, until the bytes end or make no sense. Pure.
//!
//! rfc3549 §2.3.1, uapi/linux/netlink.h: `struct nlattr`

use super::bytes::{align, u16_at};

const HEADER_BYTES: usize = 4;
// NLA_F_NESTED and NLA_F_NET_BYTEORDER are flags, not part of the type
const TYPE_MASK: u16 = 0x3fff;

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
