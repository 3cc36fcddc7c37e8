//! Elements as the kernel tells of them: from the items of a list back to keys and values. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::{attributes, comment, number, signed_number, until_nul};
use crate::addr::{Family, LinkName, MacAddr, Port, Protocol, Subnet};
use crate::netlink::attribute::{find, walk};
use crate::netlink::bytes::align;
use crate::netlink::nft::numbers::{
    ELEMENT_F_INTERVAL_END, ELEMENT_FLAGS, ELEMENT_KEY, ELEMENT_KEY_END, ELEMENT_USERDATA,
    ELEMENT_VALUE, ELEMENTS_LIST, LIST_ELEM, VALUE_BYTES, VALUE_VERDICT, VERDICT_CHAIN,
    VERDICT_CODE, family, field_bytes, protocol,
};
use crate::plan::nft::{Element, Field, FieldType, Keys, Set, SetValue, Table, Value, Verdict};

/// One item of the kernel's list, not yet understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    key: Vec<u8>,
    /// The last key of a range in a concatenation.
    last: Option<Vec<u8>>,
    /// It stands where an interval ends.
    ends: bool,
    value: RawValue,
    comment: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum RawValue {
    None,
    Bytes(Vec<u8>),
    Verdict(i32, String),
    /// Anything else.
    Unknown,
}

/// What is in a set.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) elements: Vec<Element>,
    /// How many elements there are besides that can't be of ours.
    pub(crate) strange: usize,
}

/// The items of one message, from the body of `NFT_MSG_NEWSETELEM`.
pub(crate) fn entries(body: &[u8]) -> Vec<Entry> {
    let list = attributes(body).and_then(|rest| find(rest, ELEMENTS_LIST));
    let items = walk(list.unwrap_or_default()).filter(|(kind, _)| *kind == LIST_ELEM);
    items.map(|(_, item)| entry(item)).collect()
}

fn entry(item: &[u8]) -> Entry {
    let bytes = |kind| find(item, kind).and_then(|nest| find(nest, VALUE_BYTES));
    let flags = number(item, ELEMENT_FLAGS).unwrap_or_default();
    Entry {
        // a catch-all element has none, and no key of ours is empty
        key: bytes(ELEMENT_KEY).unwrap_or_default().to_vec(),
        last: bytes(ELEMENT_KEY_END).map(<[u8]>::to_vec),
        ends: flags & ELEMENT_F_INTERVAL_END != 0,
        value: find(item, ELEMENT_VALUE).map_or(RawValue::None, raw_value),
        comment: comment(item, ELEMENT_USERDATA),
    }
}

fn raw_value(nest: &[u8]) -> RawValue {
    if let Some(bytes) = find(nest, VALUE_BYTES) {
        return RawValue::Bytes(bytes.to_vec());
    }
    let verdict = find(nest, VALUE_VERDICT);
    match verdict.and_then(|verdict| Some((verdict, signed_number(verdict, VERDICT_CODE)?))) {
        Some((verdict, code)) => {
            let chain = find(verdict, VERDICT_CHAIN).map(until_nul);
            RawValue::Verdict(code, chain.unwrap_or_default())
        }
        None => RawValue::Unknown,
    }
}

/// All items of a set as elements of it.
pub(crate) fn assemble(entries: Vec<Entry>, table: &Table, set: &Set) -> Contents {
    let mut contents = Contents::default();
    let single = set.key.len() == 1;
    let mut ends: Vec<Vec<u8>> = Vec::new();
    let mut begins = Vec::with_capacity(entries.len());
    for entry in entries {
        if entry.ends {
            ends.push(entry.key);
        } else {
            begins.push(entry);
        }
    }
    ends.sort_unstable();
    for entry in begins {
        let key = match set.keys {
            Keys::Exact => fields(&set.key, &entry.key),
            Keys::Prefixes if single => {
                let place = ends.partition_point(|end| *end <= entry.key);
                interval(&set.key, &entry.key, ends.get(place).map(Vec::as_slice))
            }
            Keys::Prefixes => {
                let last = entry.last.as_deref().unwrap_or(&entry.key);
                ranges(&set.key, &entry.key, last)
            }
        };
        let value = value(&entry.value, table, set);
        match key.zip(value) {
            Some((key, value)) => contents.elements.push(Element {
                family: table.family,
                table: table.name,
                set: set.name,
                key,
                value,
                comment: entry.comment,
            }),
            None => contents.strange += 1,
        }
    }
    contents
}

/// The prefix from `first` to just before `end`, or to the last of all addresses.
fn interval(types: &[FieldType], first: &[u8], end: Option<&[u8]>) -> Option<Vec<Field>> {
    let mut last = match end {
        Some(end) => end.to_vec(),
        None => vec![0; first.len()],
    };
    if last.len() != first.len() {
        return None;
    }
    // one less, with borrowing: before all zeros comes the last of all
    for byte in last.iter_mut().rev() {
        let (less, borrowed) = byte.overflowing_sub(1);
        *byte = less;
        if !borrowed {
            break;
        }
    }
    ranges(types, first, &last)
}

/// Each address with the length of the prefix that it and the last one have in common.
fn ranges(types: &[FieldType], first: &[u8], last: &[u8]) -> Option<Vec<Field>> {
    let first = fields(types, first)?;
    let last = fields(types, last)?;
    let pairs = first.into_iter().zip(last);
    pairs.map(|(first, last)| range(first, &last)).collect()
}

fn range(first: Field, last: &Field) -> Option<Field> {
    let (first_address, last_address): (IpAddr, IpAddr) = match (&first, last) {
        (Field::Ipv4(first), Field::Ipv4(last)) => ((*first).into(), (*last).into()),
        (Field::Ipv6(first), Field::Ipv6(last)) => ((*first).into(), (*last).into()),
        (first_other, last) => return (*first_other == *last).then_some(first),
    };
    let common = match (first_address, last_address) {
        (IpAddr::V4(first), IpAddr::V4(last)) => {
            (u32::from(first) ^ u32::from(last)).leading_zeros()
        }
        (first, last) => (bits(first) ^ bits(last)).leading_zeros(),
    };
    let subnet = Subnet::new(first_address, u8::try_from(common).ok()?).ok()?;
    (subnet.last() == last_address).then_some(Field::Subnet(subnet))
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u32::from(address).into(),
        IpAddr::V6(address) => address.into(),
    }
}

/// The parts of a key or value, of which there are as many bytes as the types need.
fn fields(types: &[FieldType], bytes: &[u8]) -> Option<Vec<Field>> {
    let mut rest = bytes;
    let mut fields = Vec::with_capacity(types.len());
    for of_type in types {
        let length = field_bytes(*of_type);
        fields.push(field(*of_type, rest.get(..length)?)?);
        let whole = if types.len() > 1 {
            align(length)
        } else {
            length
        };
        rest = rest.get(whole..)?;
    }
    rest.is_empty().then_some(fields)
}

fn field(of_type: FieldType, bytes: &[u8]) -> Option<Field> {
    Some(match of_type {
        FieldType::Ipv4 => Field::Ipv4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        FieldType::Ipv6 => Field::Ipv6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        FieldType::Target => Field::Target(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        FieldType::Ether => Field::Ether(MacAddr::new(bytes.try_into().ok()?).ok()?),
        FieldType::Protocol => {
            let all = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];
            Field::Protocol(all.into_iter().find(|of| [protocol(*of)] == bytes)?)
        }
        FieldType::Port => {
            let number = u16::from_be_bytes(bytes.try_into().ok()?);
            Field::Port(Port::new(number.into()).ok()?)
        }
        FieldType::Family => {
            let both = [Family::V4, Family::V6];
            Field::Family(both.into_iter().find(|of| [family(*of)] == bytes)?)
        }
        FieldType::LinkName => Field::Link(link_name(bytes)?),
    })
}

fn link_name(bytes: &[u8]) -> Option<LinkName> {
    let end = bytes.iter().position(|&byte| byte == 0)?;
    let (name, padding) = bytes.split_at(end);
    if padding.iter().any(|&byte| byte != 0) {
        return None;
    }
    std::str::from_utf8(name).ok()?.parse().ok()
}

fn value(raw: &RawValue, table: &Table, set: &Set) -> Option<Value> {
    match (&set.value, raw) {
        (SetValue::None, RawValue::None) => Some(Value::None),
        (SetValue::Fields(types), RawValue::Bytes(bytes)) => {
            Some(Value::Fields(fields(types, bytes)?))
        }
        (SetValue::Verdict, RawValue::Verdict(code, chain)) => {
            Some(Value::Verdict(verdict(*code, chain, table)?))
        }
        _ => None,
    }
}

fn verdict(code: i32, chain: &str, table: &Table) -> Option<Verdict> {
    let mut chains = table.chains.iter().map(|chain| chain.name);
    match code {
        0 => Some(Verdict::Drop),
        1 => Some(Verdict::Accept),
        -3 => Some(Verdict::Jump(chains.find(|name| *name == chain)?)),
        -4 => Some(Verdict::Goto(chains.find(|name| *name == chain)?)),
        -5 => Some(Verdict::Return),
        _ => None,
    }
}
