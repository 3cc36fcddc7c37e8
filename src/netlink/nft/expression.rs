//! The kernel's expressions: what a rule is made of there. Pure.
//!
//! uapi/linux/netfilter/nf_tables.h

use super::element::write_verdict;
use super::numbers::{LIST_ELEM, VALUE_BYTES};
use super::write::Writer;
use crate::plan::nft::Verdict;

const EXPR_NAME: u16 = 1;
const EXPR_BODY: u16 = 2;

/// A place in the register file, in words of 4 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Register(u32);

impl Register {
    pub(super) const FIRST: Self = Self(0);

    /// The register that many bytes behind.
    pub(super) fn after(self, bytes: usize) -> Self {
        let words = u32::try_from(bytes.div_ceil(4)).unwrap_or(u32::MAX);
        Self(self.0.saturating_add(words))
    }

    /// `NFT_REG_1` and on are four words each, `NFT_REG32_00` and on one.
    fn number(self) -> u32 {
        match self.0 % 4 {
            0 => 1 + self.0 / 4,
            _ => 8 + self.0,
        }
    }
}

/// Where a packet's bytes are counted from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    Link,
    Network,
    Transport,
}

/// What the kernel knows of a packet beside its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meta {
    Protocol,
    Mark,
    LinkOutIndex,
    LinkIn,
    LinkOut,
    Family,
    TransportProtocol,
}

/// Something that is loaded into a register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Load {
    Meta(Meta),
    Payload {
        base: Base,
        offset: u32,
        length: u32,
    },
    /// The bit that stands for how far its flow has come.
    FlowState,
    /// The bits that stand for what became of its flow.
    FlowStatus,
    /// Whether its destination is the host's: `fib daddr type`.
    DestinationType,
}

/// How a register is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
}

/// What is looked up in a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// The rule goes on if it is there.
    In,
    /// The rule goes on if it is not there.
    NotIn,
    /// What it leads to comes into the first register.
    Value,
    /// What it leads to is the verdict.
    Verdict,
}

/// Which addresses a packet gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Nat {
    /// The source address in the first register.
    Source,
    /// The destination address in the first register, and the port in this one.
    Destination(Register),
}

/// Bytes of a packet that are written, and the checksum over them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Store {
    pub(super) base: Base,
    pub(super) offset: u32,
    pub(super) length: u32,
    pub(super) checksum: Checksum,
    /// Where the checksum stands, from the same base.
    pub(super) checksum_offset: u32,
}

/// `enum nft_payload_csum_types`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checksum {
    Inet = 1,
    Sctp = 2,
}

/// A list of expressions that grows.
#[derive(Debug)]
pub(super) struct Expressions<'a> {
    writer: &'a mut Writer,
}

impl<'a> Expressions<'a> {
    pub(super) fn new(writer: &'a mut Writer) -> Self {
        Self { writer }
    }

    fn push(&mut self, name: &str, fill: impl FnOnce(&mut Writer)) {
        self.writer.nested(LIST_ELEM, |item| {
            item.text(EXPR_NAME, name);
            item.nested(EXPR_BODY, fill);
        });
    }

    pub(super) fn load(&mut self, what: Load, into: Register) {
        match what {
            Load::Meta(key) => self.push("meta", |body| {
                body.number(1, into.number());
                body.number(2, meta_key(key));
            }),
            Load::Payload {
                base,
                offset,
                length,
            } => self.push("payload", |body| {
                body.number(1, into.number());
                body.number(2, base as u32);
                body.number(3, offset);
                body.number(4, length);
            }),
            Load::FlowState => self.load_flow(into, 0),
            Load::FlowStatus => self.load_flow(into, 2),
            Load::DestinationType => self.push("fib", |body| {
                const ADDRTYPE: u32 = 3;
                const DADDR: u32 = 2;
                body.number(1, into.number());
                body.number(2, ADDRTYPE);
                body.number(3, DADDR);
            }),
        }
    }

    fn load_flow(&mut self, into: Register, key: u32) {
        self.push("ct", |body| {
            body.number(1, into.number());
            body.number(2, key);
        });
    }

    /// The rule goes on only if the first register compares so with `value`.
    pub(super) fn compare(&mut self, comparison: Comparison, value: &[u8]) {
        self.push("cmp", |body| {
            body.number(1, Register::FIRST.number());
            body.number(2, comparison as u32);
            body.nested(3, |value_of| value_of.attribute(VALUE_BYTES, value));
        });
    }

    /// The first register becomes `(itself & mask) ^ flip`.
    pub(super) fn bitwise(&mut self, mask: &[u8], flip: &[u8]) {
        let length = u32::try_from(mask.len()).unwrap_or(u32::MAX);
        self.push("bitwise", |body| {
            body.number(1, Register::FIRST.number());
            body.number(2, Register::FIRST.number());
            body.number(3, length);
            body.nested(4, |value| value.attribute(VALUE_BYTES, mask));
            body.nested(5, |value| value.attribute(VALUE_BYTES, flip));
        });
    }

    /// Looks for what is in the registers from the first on.
    pub(super) fn look_up(&mut self, lookup: Lookup, set: &str) {
        const INVERTED: u32 = 1;
        const VERDICT_REGISTER: u32 = 0;
        self.push("lookup", |body| {
            body.text(1, set);
            body.number(2, Register::FIRST.number());
            match lookup {
                Lookup::In => {}
                Lookup::NotIn => body.number(5, INVERTED),
                Lookup::Value => body.number(3, Register::FIRST.number()),
                Lookup::Verdict => body.number(3, VERDICT_REGISTER),
            }
        });
    }

    pub(super) fn verdict(&mut self, verdict: Verdict) {
        const VERDICT_REGISTER: u32 = 0;
        self.push("immediate", |body| {
            body.number(1, VERDICT_REGISTER);
            body.nested(2, |value| write_verdict(value, verdict));
        });
    }

    /// The packet's mark becomes what is in the first register.
    pub(super) fn set_mark(&mut self) {
        self.push("meta", |body| {
            body.number(2, meta_key(Meta::Mark));
            body.number(3, Register::FIRST.number());
        });
    }

    /// The connection is not tracked. It has no attributes, and the kernel shows it with no list.
    pub(super) fn untrack(&mut self) {
        self.writer
            .nested(LIST_ELEM, |item| item.text(EXPR_NAME, "notrack"));
    }

    /// The first register becomes `value`.
    pub(super) fn immediate(&mut self, value: &[u8]) {
        self.push("immediate", |body| {
            body.number(1, Register::FIRST.number());
            body.nested(2, |value_of| value_of.attribute(VALUE_BYTES, value));
        });
    }

    /// The packet's bytes become what is in the first register.
    pub(super) fn store(&mut self, store: Store) {
        self.push("payload", |body| {
            body.number(5, Register::FIRST.number());
            body.number(2, store.base as u32);
            body.number(3, store.offset);
            body.number(4, store.length);
            body.number(6, store.checksum as u32);
            body.number(7, store.checksum_offset);
        });
    }

    /// `family` is `NFPROTO_…`; packets of the other one are left alone.
    pub(super) fn nat(&mut self, nat: Nat, family: u8) {
        // uapi/linux/netfilter/nf_nat.h; the kernel adds the first by itself
        const MAP_ADDRESS: u32 = 1;
        const PROTO_SPECIFIED: u32 = 2;
        let (kind, port) = match nat {
            Nat::Source => (0, None),
            Nat::Destination(port) => (1, Some(port.number())),
        };
        self.push("nat", |body| {
            body.number(1, kind);
            body.number(2, family.into());
            body.number(3, Register::FIRST.number());
            body.number(4, Register::FIRST.number());
            let mut flags = MAP_ADDRESS;
            if let Some(port) = port {
                body.number(5, port);
                body.number(6, port);
                flags |= PROTO_SPECIFIED;
            }
            body.number(7, flags);
        });
    }

    pub(super) fn masquerade(&mut self) {
        self.push("masq", |_| {});
    }
}

/// `enum nft_meta_keys`
fn meta_key(key: Meta) -> u32 {
    match key {
        Meta::Protocol => 1,
        Meta::Mark => 3,
        Meta::LinkOutIndex => 5,
        Meta::LinkIn => 6,
        Meta::LinkOut => 7,
        Meta::Family => 15,
        Meta::TransportProtocol => 16,
    }
}
