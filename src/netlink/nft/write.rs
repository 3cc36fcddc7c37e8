//! Messages of netfilter's subsystems, written one attribute after the other. Pure.
//!
//! uapi/linux/netfilter/nfnetlink.h. Numbers in attributes are in network byte order.

use crate::netlink::bytes::align;

const HEADER_BYTES: usize = 16;
const FLAGS_AT: usize = 6;
// uapi/linux/netlink.h
const NLA_F_NESTED: u16 = 0x8000;

/// What a message says before its attributes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    /// `NFPROTO_…`
    pub(super) family: u8,
    /// The subsystem, where a batch begins and ends.
    pub(super) resource: u16,
}

/// Grows by whole messages; all padding is zero.
#[derive(Debug, Default)]
pub(super) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(bytes),
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// One message with what `fill` writes; returns where it begins.
    pub(super) fn message(&mut self, header: Header, fill: impl FnOnce(&mut Self)) -> usize {
        let start = self.bytes.len();
        self.bytes.extend([0; 4]);
        self.bytes.extend(header.kind.to_ne_bytes());
        self.bytes.extend(header.flags.to_ne_bytes());
        self.bytes.extend(header.sequence.to_ne_bytes());
        self.bytes.extend([0; HEADER_BYTES - 12]);
        self.bytes.extend([header.family, 0]);
        self.bytes.extend(header.resource.to_be_bytes());
        fill(self);
        let length = u32::try_from(self.bytes.len() - start).unwrap_or(u32::MAX);
        self.bytes[start..start + 4].copy_from_slice(&length.to_ne_bytes());
        start
    }

    /// Adds flags to the message that begins there.
    pub(super) fn add_flags(&mut self, start: usize, flags: u16) {
        let at = start + FLAGS_AT;
        if let Some([low, high]) = self.bytes.get_mut(at..at + 2) {
            [*low, *high] = (u16::from_ne_bytes([*low, *high]) | flags).to_ne_bytes();
        }
    }

    pub(super) fn attribute(&mut self, kind: u16, value: &[u8]) {
        self.attribute_with(kind, |bytes| bytes.extend(value));
    }

    /// An attribute whose value `fill` appends.
    pub(super) fn attribute_with(&mut self, kind: u16, fill: impl FnOnce(&mut Vec<u8>)) {
        let start = self.begin(kind);
        fill(&mut self.bytes);
        self.end(start);
    }

    pub(super) fn number(&mut self, kind: u16, number: u32) {
        self.attribute(kind, &number.to_be_bytes());
    }

    pub(super) fn text(&mut self, kind: u16, text: &str) {
        self.attribute_with(kind, |bytes| {
            bytes.extend(text.as_bytes());
            bytes.push(0);
        });
    }

    pub(super) fn nested(&mut self, kind: u16, fill: impl FnOnce(&mut Self)) {
        let start = self.begin(kind | NLA_F_NESTED);
        fill(self);
        self.end(start);
    }

    /// Whole attributes as they are.
    pub(super) fn raw(&mut self, attributes: &[u8]) {
        self.bytes.extend(attributes);
    }

    fn begin(&mut self, kind: u16) -> usize {
        let start = self.bytes.len();
        self.bytes.extend([0; 2]);
        self.bytes.extend(kind.to_ne_bytes());
        start
    }

    fn end(&mut self, start: usize) {
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        self.bytes[start..start + 2].copy_from_slice(&length.to_ne_bytes());
        self.bytes.resize(align(self.bytes.len()), 0);
    }
}
