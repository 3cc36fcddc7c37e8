//! The numbers that more than one kind of message needs. Pure.
//!
//! uapi/linux/netfilter.h, uapi/linux/netfilter/nf_tables.h; the types of keys are those of
//! nftables' own `datatype.h`, which the kernel keeps for `nft` without a look at them.

use crate::addr::{Family, Protocol};
use crate::plan::nft::{FieldType, TableFamily};

const SUBSYSTEM: u16 = 10;

pub(super) const NEWTABLE: u16 = SUBSYSTEM << 8;
pub(super) const GETTABLE: u16 = NEWTABLE + 1;
pub(super) const DELTABLE: u16 = NEWTABLE + 2;
pub(super) const NEWCHAIN: u16 = NEWTABLE + 3;
pub(super) const GETCHAIN: u16 = NEWTABLE + 4;
pub(super) const DELCHAIN: u16 = NEWTABLE + 5;
pub(super) const NEWRULE: u16 = NEWTABLE + 6;
pub(super) const GETRULE: u16 = NEWTABLE + 7;
pub(super) const DELRULE: u16 = NEWTABLE + 8;
pub(super) const NEWSET: u16 = NEWTABLE + 9;
pub(super) const GETSET: u16 = NEWTABLE + 10;
pub(super) const DELSET: u16 = NEWTABLE + 11;
pub(super) const NEWSETELEM: u16 = NEWTABLE + 12;
pub(super) const GETSETELEM: u16 = NEWTABLE + 13;
pub(super) const DELSETELEM: u16 = NEWTABLE + 14;
pub(super) const NEWGEN: u16 = NEWTABLE + 15;
pub(super) const GETGEN: u16 = NEWTABLE + 16;
/// Linux 6.3, as is the next.
pub(super) const DESTROYTABLE: u16 = NEWTABLE + 26;
pub(super) const DESTROYSETELEM: u16 = NEWTABLE + 30;

// enum nft_table_attributes
pub(super) const TABLE_NAME: u16 = 1;
pub(super) const TABLE_FLAGS: u16 = 2;
pub(super) const TABLE_USERDATA: u16 = 6;
// enum nft_chain_attributes, nft_hook_attributes
pub(super) const CHAIN_TABLE: u16 = 1;
pub(super) const CHAIN_NAME: u16 = 3;
pub(super) const CHAIN_HOOK: u16 = 4;
pub(super) const CHAIN_POLICY: u16 = 5;
pub(super) const CHAIN_TYPE: u16 = 7;
pub(super) const CHAIN_USERDATA: u16 = 12;
pub(super) const HOOK_NUMBER: u16 = 1;
pub(super) const HOOK_PRIORITY: u16 = 2;
// enum nft_set_attributes
pub(super) const SET_TABLE: u16 = 1;
pub(super) const SET_NAME: u16 = 2;
pub(super) const SET_FLAGS: u16 = 3;
pub(super) const SET_KEY_TYPE: u16 = 4;
pub(super) const SET_KEY_LEN: u16 = 5;
pub(super) const SET_VALUE_TYPE: u16 = 6;
pub(super) const SET_VALUE_LEN: u16 = 7;

pub(super) const RESOURCE: u16 = SUBSYSTEM;
pub(super) const BATCH_BEGIN: u16 = 0x10;
pub(super) const BATCH_END: u16 = 0x11;

pub(super) const NLM_F_REQUEST: u16 = 0x1;
pub(super) const NLM_F_ACK: u16 = 0x4;
pub(super) const NLM_F_DUMP: u16 = 0x300;
pub(super) const NLM_F_EXCL: u16 = 0x200;
pub(super) const NLM_F_CREATE: u16 = 0x400;
pub(super) const NLM_F_APPEND: u16 = 0x800;

pub(super) const TABLE_F_DORMANT: u32 = 0x1;
pub(super) const TABLE_F_OWNER: u32 = 0x2;
pub(super) const TABLE_F_PERSIST: u32 = 0x4;

pub(super) const SET_INTERVAL: u32 = 0x4;
pub(super) const SET_MAP: u32 = 0x8;
pub(super) const SET_CONCAT: u32 = 0x80;

pub(super) const LIST_ELEM: u16 = 1;
pub(super) const VALUE_BYTES: u16 = 1;
pub(super) const VALUE_VERDICT: u16 = 2;
pub(super) const VERDICT_CODE: u16 = 1;
pub(super) const VERDICT_CHAIN: u16 = 2;
/// The type of a map's values that are verdicts.
pub(super) const VERDICT_TYPE: u32 = 0xffff_ff00;

pub(super) const ELEMENTS_TABLE: u16 = 1;
pub(super) const ELEMENTS_SET: u16 = 2;
pub(super) const ELEMENTS_LIST: u16 = 3;
pub(super) const ELEMENT_KEY: u16 = 1;
pub(super) const ELEMENT_VALUE: u16 = 2;
pub(super) const ELEMENT_FLAGS: u16 = 3;
pub(super) const ELEMENT_USERDATA: u16 = 6;
pub(super) const ELEMENT_KEY_END: u16 = 10;
pub(super) const ELEMENT_F_INTERVAL_END: u32 = 1;

/// The type of a comment among what a user may keep with a table, a chain or an element.
pub(super) const COMMENT: u8 = 0;
/// The type of an element's flags among the same, and the flag of an interval without an end.
pub(super) const FLAGS: u8 = 1;
pub(super) const OPEN_INTERVAL: u32 = 1;

pub(super) fn table_family(family: TableFamily) -> u8 {
    match family {
        TableFamily::Inet => 1,
        TableFamily::Ip => 2,
        TableFamily::Bridge => 7,
    }
}

/// `NFPROTO_…`
pub(super) fn family(family: Family) -> u8 {
    match family {
        Family::V4 => 2,
        Family::V6 => 10,
    }
}

/// `IPPROTO_…`
pub(super) fn protocol(protocol: Protocol) -> u8 {
    match protocol {
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        Protocol::Sctp => 132,
    }
}

/// The length without padding.
pub(super) fn field_bytes(field: FieldType) -> usize {
    match field {
        FieldType::Ipv4 => 4,
        FieldType::Ipv6 | FieldType::LinkName | FieldType::Target => 16,
        FieldType::Ether => 6,
        FieldType::Port => 2,
        FieldType::Protocol | FieldType::Family => 1,
    }
}

pub(super) fn field_type(field: FieldType) -> u32 {
    match field {
        FieldType::Family => 2,
        FieldType::Target => 4,
        FieldType::Ipv4 => 7,
        FieldType::Ipv6 => 8,
        FieldType::Ether => 9,
        FieldType::Protocol => 12,
        FieldType::Port => 13,
        FieldType::LinkName => 41,
    }
}
