//! Tables, chains and sets as messages. Pure.

use super::element::put_comment;
use super::numbers::{
    CHAIN_HOOK, CHAIN_NAME, CHAIN_POLICY, CHAIN_TABLE, CHAIN_TYPE, CHAIN_USERDATA, HOOK_NUMBER,
    HOOK_PRIORITY, LIST_ELEM, SET_CONCAT, SET_FLAGS, SET_INTERVAL, SET_KEY_LEN, SET_KEY_TYPE,
    SET_MAP, SET_NAME, SET_TABLE, SET_VALUE_LEN, SET_VALUE_TYPE, TABLE_F_OWNER, TABLE_F_PERSIST,
    TABLE_FLAGS, TABLE_NAME, TABLE_USERDATA, VERDICT_TYPE, field_bytes, field_type,
};
use super::write::Writer;
use crate::netlink::bytes::align;
use crate::plan::nft::{
    Chain, ChainKind, FieldType, Hook, HookPoint, Keys, Ownership, Set, SetValue, Table,
};

pub(super) const ACCEPT: u32 = 1;
// enum nft_set_attributes
const SET_DESC: u16 = 9;
const SET_ID: u16 = 10;
const SET_USERDATA: u16 = 13;
const DESC_CONCAT: u16 = 2;
const FIELD_LEN: u16 = 1;

// libnftnl's udata.h, and the byte orders of nftables' datatype.h
const UDATA_KEY_BYTE_ORDER: u8 = 0;
const UDATA_VALUE_BYTE_ORDER: u8 = 1;
const UDATA_KEY_TYPEOF: u8 = 3;
const HOST_ORDER: u32 = 1;
const NETWORK_ORDER: u32 = 2;
/// How far the types of a concatenation are shifted against each other.
const TYPE_BITS: u32 = 6;

pub(super) fn write_table(writer: &mut Writer, table: &Table) {
    let flags = match table.ownership {
        Ownership::Shared => 0,
        Ownership::Exclusive => TABLE_F_OWNER | TABLE_F_PERSIST,
    };
    writer.text(TABLE_NAME, table.name);
    writer.number(TABLE_FLAGS, flags);
    write_comment(writer, TABLE_USERDATA, table.comment);
}

pub(super) fn write_chain(writer: &mut Writer, table: &Table, chain: &Chain) {
    writer.text(CHAIN_TABLE, table.name);
    writer.text(CHAIN_NAME, chain.name);
    if let Some(hook) = chain.hook {
        write_hook(writer, hook);
    }
    write_comment(writer, CHAIN_USERDATA, chain.comment);
}

fn write_hook(writer: &mut Writer, hook: Hook) {
    writer.text(CHAIN_TYPE, kind_of(hook));
    writer.number(CHAIN_POLICY, ACCEPT);
    writer.nested(CHAIN_HOOK, |nest| {
        nest.number(HOOK_NUMBER, hook_number(hook));
        nest.attribute(HOOK_PRIORITY, &hook.priority.to_be_bytes());
    });
}

/// uapi/linux/netfilter.h: enum nf_inet_hooks; the bridge's are the same
pub(super) fn hook_number(hook: Hook) -> u32 {
    match hook.point {
        HookPoint::Prerouting => 0,
        HookPoint::Input => 1,
        HookPoint::Forward => 2,
        HookPoint::Output => 3,
        HookPoint::Postrouting => 4,
    }
}

pub(super) fn kind_of(hook: Hook) -> &'static str {
    match hook.kind {
        ChainKind::Filter => "filter",
        ChainKind::Nat => "nat",
    }
}

fn write_comment(writer: &mut Writer, kind: u16, comment: &str) {
    if !comment.is_empty() {
        writer.attribute_with(kind, |bytes| put_comment(bytes, comment));
    }
}

/// `id` is the set's among those of the same transaction.
pub(super) fn write_set(writer: &mut Writer, table: &Table, set: &Set, id: u32) {
    let flags = set_flags(set);
    writer.text(SET_TABLE, table.name);
    writer.text(SET_NAME, set.name);
    writer.number(SET_FLAGS, flags);
    writer.number(SET_KEY_TYPE, types(&set.key));
    writer.number(SET_KEY_LEN, length(&set.key));
    match &set.value {
        SetValue::None => {}
        SetValue::Verdict => {
            writer.number(SET_VALUE_TYPE, VERDICT_TYPE);
            writer.number(SET_VALUE_LEN, 0);
        }
        SetValue::Fields(fields) => {
            writer.number(SET_VALUE_TYPE, types(fields));
            writer.number(SET_VALUE_LEN, length(fields));
        }
    }
    writer.number(SET_ID, id);
    if flags & SET_CONCAT != 0 {
        write_description(writer, &set.key);
    }
    writer.attribute_with(SET_USERDATA, |bytes| {
        put_byte_orders(bytes, set);
        if set.key.contains(&FieldType::Target) {
            bytes.extend(places(&set.key));
        }
    });
}

/// `NFT_SET_…`
pub(super) fn set_flags(set: &Set) -> u32 {
    let ranges = set.keys == Keys::Prefixes;
    let mut flags = 0;
    if ranges {
        flags |= SET_INTERVAL;
    }
    if set.value != SetValue::None {
        flags |= SET_MAP;
    }
    if ranges && set.key.len() > 1 {
        flags |= SET_CONCAT;
    }
    flags
}

fn write_description(writer: &mut Writer, key: &[FieldType]) {
    writer.nested(SET_DESC, |description| {
        description.nested(DESC_CONCAT, |list| {
            for field in key {
                list.nested(LIST_ELEM, |item| {
                    item.number(FIELD_LEN, whole_number(field_bytes(*field)));
                });
            }
        });
    });
}

fn put_byte_orders(bytes: &mut Vec<u8>, set: &Set) {
    let mut put = |kind, number: u32| {
        bytes.extend([kind, 4]);
        bytes.extend(number.to_ne_bytes());
    };
    put(UDATA_KEY_BYTE_ORDER, byte_order(&set.key));
    match &set.value {
        SetValue::None => {}
        SetValue::Verdict => put(UDATA_VALUE_BYTE_ORDER, 0),
        SetValue::Fields(fields) => put(UDATA_VALUE_BYTE_ORDER, byte_order(fields)),
    }
}

/// Where each part of the key stands, as `nft` writes down what it is told by `typeof`.
fn places(key: &[FieldType]) -> Vec<u8> {
    // nftables' expression.h, proto.h
    const META: u32 = 9;
    const PAYLOAD: u32 = 7;
    const CONCAT: u32 = 13;
    const META_IIFNAME: u32 = 6;
    const PROTO_ETHER: u32 = 17;
    const ETHER_SADDR: u32 = 2;
    const NETWORK_BASE: u32 = 2;
    const TARGET_BITS: [u32; 2] = [384, 128];
    let place = |of_type: &FieldType| match of_type {
        FieldType::LinkName => expression(META, &numbers(&[META_IIFNAME])),
        FieldType::Ether => expression(PAYLOAD, &numbers(&[PROTO_ETHER, ETHER_SADDR])),
        _ => {
            let [offset, length] = TARGET_BITS;
            expression(PAYLOAD, &numbers(&[0, 0, NETWORK_BASE, offset, length]))
        }
    };
    let parts = key.iter().enumerate();
    let parts = parts.map(|(index, of_type)| user_value(index, &place(of_type)));
    user_value(
        UDATA_KEY_TYPEOF.into(),
        &expression(CONCAT, &parts.collect::<Vec<_>>().concat()),
    )
}

fn expression(kind: u32, value: &[u8]) -> Vec<u8> {
    [numbers(&[kind]), user_value(1, value)].concat()
}

fn numbers(numbers: &[u32]) -> Vec<u8> {
    let all = numbers.iter().enumerate();
    all.flat_map(|(index, number)| user_value(index, &number.to_ne_bytes()))
        .collect()
}

fn user_value(kind: usize, value: &[u8]) -> Vec<u8> {
    let byte = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    [&[byte(kind), byte(value.len())], value].concat()
}

/// None for concatenations, and for what is one byte long.
fn byte_order(fields: &[FieldType]) -> u32 {
    match fields {
        [FieldType::LinkName] => HOST_ORDER,
        [FieldType::Ipv4 | FieldType::Ipv6 | FieldType::Ether | FieldType::Port] => NETWORK_ORDER,
        _ => 0,
    }
}

pub(super) fn types(fields: &[FieldType]) -> u32 {
    fields
        .iter()
        .fold(0, |types, field| types << TYPE_BITS | field_type(*field))
}

/// The length of the key or value, whose parts are padded if there are several.
pub(super) fn length(fields: &[FieldType]) -> u32 {
    let bytes = match fields {
        [field] => field_bytes(*field),
        fields => fields.iter().map(|field| align(field_bytes(*field))).sum(),
    };
    whole_number(bytes)
}

fn whole_number(bytes: usize) -> u32 {
    u32::try_from(bytes).unwrap_or(u32::MAX)
}
