//! Elements as messages. Pure.
//!
//! A prefix of one field is two elements of the kernel's: where it begins, and where the next would.
//! In a concatenation it is one element with the first and the last key.

use std::net::IpAddr;

use super::numbers::{
    COMMENT, ELEMENT_F_INTERVAL_END, ELEMENT_FLAGS, ELEMENT_KEY, ELEMENT_KEY_END, ELEMENT_USERDATA,
    ELEMENT_VALUE, FLAGS, LIST_ELEM, OPEN_INTERVAL, VALUE_BYTES, VALUE_VERDICT, VERDICT_CHAIN,
    VERDICT_CODE, family, protocol,
};
use super::write::Writer;
use crate::netlink::bytes::align;
use crate::plan::nft::{Element, Field, Value, Verdict};

/// Longer comments than `nft` takes are cut.
const COMMENT_BYTES: usize = 128;

/// Whether what stands behind the key is said too: to delete an element, the key is enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    Whole,
    Key,
}

/// The element as one or two items of a list.
pub(super) fn write(writer: &mut Writer, element: &Element, extent: Extent) {
    match element.key.as_slice() {
        [Field::Subnet(subnet)] => {
            let after = next(subnet.last());
            write_item(writer, element, extent, after.is_none());
            if let Some(after) = after {
                write_end(writer, after);
            }
        }
        _ => write_item(writer, element, extent, false),
    }
}

fn write_item(writer: &mut Writer, element: &Element, extent: Extent, open: bool) {
    let key = &element.key;
    let ranges = key.len() > 1 && key.iter().any(|field| matches!(field, Field::Subnet(_)));
    writer.nested(LIST_ELEM, |item| {
        write_key(item, ELEMENT_KEY, key, Edge::First);
        if ranges {
            write_key(item, ELEMENT_KEY_END, key, Edge::Last);
        }
        if extent == Extent::Whole {
            write_value(item, &element.value);
            write_userdata(item, &element.comment, open);
        }
    });
}

fn write_end(writer: &mut Writer, after: IpAddr) {
    writer.nested(LIST_ELEM, |item| {
        item.number(ELEMENT_FLAGS, ELEMENT_F_INTERVAL_END);
        write_key(item, ELEMENT_KEY, &[Field::from(after)], Edge::First);
    });
}

fn next(address: IpAddr) -> Option<IpAddr> {
    match address {
        IpAddr::V4(address) => u32::from(address)
            .checked_add(1)
            .map(|next| IpAddr::V4(next.into())),
        IpAddr::V6(address) => u128::from(address)
            .checked_add(1)
            .map(|next| IpAddr::V6(next.into())),
    }
}

fn write_key(writer: &mut Writer, kind: u16, key: &[Field], edge: Edge) {
    writer.nested(kind, |nest| {
        nest.attribute_with(VALUE_BYTES, |bytes| put_fields(bytes, key, edge));
    });
}

fn write_value(writer: &mut Writer, value: &Value) {
    match value {
        Value::None => {}
        Value::Verdict(verdict) => {
            writer.nested(ELEMENT_VALUE, |body| write_verdict(body, *verdict));
        }
        Value::Fields(fields) => writer.nested(ELEMENT_VALUE, |body| {
            body.attribute_with(VALUE_BYTES, |bytes| put_fields(bytes, fields, Edge::First));
        }),
    }
}

/// A verdict, within a value.
pub(super) fn write_verdict(writer: &mut Writer, verdict: Verdict) {
    // uapi/linux/netfilter.h: NF_DROP, NF_ACCEPT; enum nft_verdicts
    let (code, chain) = match verdict {
        Verdict::Drop => (0, None),
        Verdict::Accept => (1, None),
        Verdict::Jump(chain) => (-3i32, Some(chain)),
        Verdict::Goto(chain) => (-4, Some(chain)),
        Verdict::Return => (-5, None),
    };
    writer.nested(VALUE_VERDICT, |verdict| {
        verdict.attribute(VERDICT_CODE, &code.to_be_bytes());
        if let Some(chain) = chain {
            verdict.text(VERDICT_CHAIN, chain);
        }
    });
}

fn write_userdata(writer: &mut Writer, comment: &str, open: bool) {
    if comment.is_empty() && !open {
        return;
    }
    writer.attribute_with(ELEMENT_USERDATA, |bytes| {
        put_comment(bytes, comment);
        if open {
            bytes.extend([FLAGS, 4]);
            bytes.extend(OPEN_INTERVAL.to_ne_bytes());
        }
    });
}

/// A comment as `nft` keeps it; nothing for none.
pub(super) fn put_comment(bytes: &mut Vec<u8>, comment: &str) {
    if comment.is_empty() {
        return;
    }
    let mut end = comment.len().min(COMMENT_BYTES);
    while !comment.is_char_boundary(end) {
        end -= 1;
    }
    let length = u8::try_from(end + 1).unwrap_or(u8::MAX);
    bytes.extend([COMMENT, length]);
    bytes.extend(&comment.as_bytes()[..end]);
    bytes.push(0);
}

/// Which address of a prefix is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Edge {
    First,
    Last,
}

/// The parts of a key or value, each padded to whole registers if there are several.
fn put_fields(bytes: &mut Vec<u8>, fields: &[Field], edge: Edge) {
    let start = bytes.len();
    for field in fields {
        put_field(bytes, field, edge);
        if fields.len() > 1 {
            bytes.resize(start + align(bytes.len() - start), 0);
        }
    }
}

fn put_field(bytes: &mut Vec<u8>, field: &Field, edge: Edge) {
    match field {
        Field::Ipv4(address) => bytes.extend(address.octets()),
        Field::Ipv6(address) | Field::Target(address) => bytes.extend(address.octets()),
        Field::Subnet(subnet) => match (subnet.first(), subnet.last(), edge) {
            (IpAddr::V4(first), _, Edge::First) => bytes.extend(first.octets()),
            (IpAddr::V6(first), _, Edge::First) => bytes.extend(first.octets()),
            (_, IpAddr::V4(last), Edge::Last) => bytes.extend(last.octets()),
            (_, IpAddr::V6(last), Edge::Last) => bytes.extend(last.octets()),
        },
        Field::Ether(mac) => bytes.extend(mac.octets()),
        Field::Protocol(of) => bytes.push(protocol(*of)),
        Field::Port(port) => bytes.extend(port.get().to_be_bytes()),
        Field::Family(of) => bytes.push(family(*of)),
        Field::Link(name) => {
            let mut padded = [0; 16];
            for (place, byte) in padded.iter_mut().zip(name.as_str().bytes()) {
                *place = byte;
            }
            bytes.extend(padded);
        }
    }
}

/// One field for itself, as a register has it.
pub(super) fn field_value(field: &Field) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(16);
    put_field(&mut bytes, field, Edge::First);
    bytes
}
