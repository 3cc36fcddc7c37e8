//! Requests for what the kernel has, and its answers: tables, chains, rules, sets. Pure; any bytes
//! are survived.

mod element;

pub(crate) use element::{Contents, assemble, entries};

use super::numbers::{
    CHAIN_HOOK, CHAIN_NAME, CHAIN_POLICY, CHAIN_TABLE, CHAIN_TYPE, CHAIN_USERDATA, COMMENT,
    ELEMENTS_SET, ELEMENTS_TABLE, GETCHAIN, GETGEN, GETRULE, GETSET, GETSETELEM, GETTABLE,
    HOOK_NUMBER, HOOK_PRIORITY, NEWCHAIN, NEWGEN, NEWRULE, NEWSET, NEWSETELEM, NEWTABLE, NLM_F_ACK,
    NLM_F_DUMP, NLM_F_REQUEST, SET_FLAGS, SET_KEY_LEN, SET_KEY_TYPE, SET_NAME, SET_TABLE,
    SET_VALUE_LEN, SET_VALUE_TYPE, TABLE_FLAGS, TABLE_NAME, TABLE_USERDATA, table_family,
};
use super::write::{Header, Writer};
use crate::netlink::attribute::find;
use crate::plan::nft::{Set, Table, TableFamily};

const BODY_HEADER_BYTES: usize = 4;
const UNSPECIFIED: u8 = 0;

/// One request, and the kind of message that the answers are.
#[derive(Debug)]
pub(crate) struct Query {
    pub(crate) bytes: Vec<u8>,
    pub(crate) answer: u16,
}

fn query(
    (kind, answer): (u16, u16),
    flags: u16,
    family: u8,
    sequence: u32,
    fill: impl FnOnce(&mut Writer),
) -> Query {
    let mut writer = Writer::with_capacity(64);
    let header = Header {
        kind,
        flags: NLM_F_REQUEST | flags,
        sequence,
        family,
        resource: 0,
    };
    writer.message(header, fill);
    Query {
        bytes: writer.into_bytes(),
        answer,
    }
}

/// The number of the last transaction.
pub(crate) fn generation_query(sequence: u32) -> Query {
    query((GETGEN, NEWGEN), NLM_F_ACK, UNSPECIFIED, sequence, |_| {})
}

/// All tables of all families.
pub(crate) fn tables_query(sequence: u32) -> Query {
    query(
        (GETTABLE, NEWTABLE),
        NLM_F_DUMP,
        UNSPECIFIED,
        sequence,
        |_| {},
    )
}

/// All chains of all tables.
pub(crate) fn chains_query(sequence: u32) -> Query {
    query(
        (GETCHAIN, NEWCHAIN),
        NLM_F_DUMP,
        UNSPECIFIED,
        sequence,
        |_| {},
    )
}

/// `NFPROTO_…`
pub(crate) fn number_of(family: TableFamily) -> u8 {
    table_family(family)
}

/// The rules of one chain, in their order.
pub(crate) fn rules_query(sequence: u32, family: u8, table: &str, chain: &str) -> Query {
    query((GETRULE, NEWRULE), NLM_F_DUMP, family, sequence, |body| {
        body.text(RULE_TABLE, table);
        body.text(RULE_CHAIN, chain);
    })
}

/// The rules of all chains of one table, in their order.
pub(crate) fn all_rules_query(sequence: u32, family: TableFamily, table: &str) -> Query {
    let of = table_family(family);
    query((GETRULE, NEWRULE), NLM_F_DUMP, of, sequence, |body| {
        body.text(RULE_TABLE, table);
    })
}

/// The sets of one table.
pub(crate) fn sets_query(sequence: u32, family: TableFamily, table: &str) -> Query {
    let of = table_family(family);
    query((GETSET, NEWSET), NLM_F_DUMP, of, sequence, |body| {
        body.text(SET_TABLE, table);
    })
}

/// The elements of one set.
pub(crate) fn elements_query(sequence: u32, table: &Table, set: &Set) -> Query {
    let of = table_family(table.family);
    query((GETSETELEM, NEWSETELEM), NLM_F_DUMP, of, sequence, |body| {
        body.text(ELEMENTS_TABLE, table.name);
        body.text(ELEMENTS_SET, set.name);
    })
}

// enum nft_table_attributes
const TABLE_OWNER: u16 = 7;
// enum nft_rule_attributes
const RULE_TABLE: u16 = 1;
const RULE_CHAIN: u16 = 2;
const RULE_HANDLE: u16 = 3;
const RULE_EXPRESSIONS: u16 = 4;
const RULE_USERDATA: u16 = 7;
// enum nft_gen_attributes
const GENERATION_ID: u16 = 1;

/// A table of anybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TableState {
    /// `NFPROTO_…`
    pub(crate) family: u8,
    pub(crate) name: String,
    /// `NFT_TABLE_F_…`
    pub(crate) flags: u32,
    /// The port of the netlink socket that owns it.
    pub(crate) owner: Option<u32>,
    pub(crate) comment: String,
}

/// A chain of anybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ChainState {
    /// `NFPROTO_…`
    pub(crate) family: u8,
    pub(crate) table: String,
    pub(crate) name: String,
    pub(crate) base: Option<BaseState>,
    pub(crate) comment: String,
}

/// Where a base chain stands and what it does with what its rules leave over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BaseState {
    /// `filter`, `nat` or `route`
    pub(crate) kind: String,
    /// `NF_INET_…`
    pub(crate) hook: u32,
    pub(crate) priority: i32,
    /// It is 0 for drop and 1 for accept.
    pub(crate) policy: u32,
}

/// A rule of anybody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RuleState {
    /// The name of its chain.
    pub(crate) chain: String,
    pub(crate) handle: u64,
    pub(crate) rule: RawRule,
}

/// A rule as bytes that the kernel takes again, as long as what it names is there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RawRule {
    /// The list of expressions.
    pub(crate) expressions: Vec<u8>,
    /// What its maker keeps with it, a comment for one.
    pub(crate) userdata: Vec<u8>,
}

/// A set or map of one table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SetState {
    pub(crate) name: String,
    /// `NFT_SET_…`
    pub(crate) flags: u32,
    pub(crate) key_type: u32,
    pub(crate) key_bytes: u32,
    pub(crate) value_type: Option<u32>,
    pub(crate) value_bytes: u32,
}

pub(super) fn attributes(body: &[u8]) -> Option<&[u8]> {
    body.get(BODY_HEADER_BYTES..)
}

pub(super) fn number(attributes: &[u8], kind: u16) -> Option<u32> {
    let bytes = <[u8; 4]>::try_from(find(attributes, kind)?).ok()?;
    Some(u32::from_be_bytes(bytes))
}

fn signed_number(attributes: &[u8], kind: u16) -> Option<i32> {
    Some(i32::from_be_bytes(find(attributes, kind)?.try_into().ok()?))
}

pub(super) fn text(attributes: &[u8], kind: u16) -> Option<String> {
    find(attributes, kind).map(until_nul)
}

fn until_nul(value: &[u8]) -> String {
    let text = value.split(|&byte| byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

/// What stands under that type among what a user keeps with an object: type, length, value.
fn user_field(attributes: &[u8], kind: u16, of_type: u8) -> Option<&[u8]> {
    let mut rest = find(attributes, kind)?;
    while let [found, length, tail @ ..] = rest {
        let (value, after) = tail.split_at_checked((*length).into())?;
        if *found == of_type {
            return Some(value);
        }
        rest = after;
    }
    None
}

fn comment(attributes: &[u8], kind: u16) -> String {
    user_field(attributes, kind, COMMENT)
        .map(until_nul)
        .unwrap_or_default()
}

/// The number of the last transaction, from the body of `NFT_MSG_NEWGEN`.
pub(crate) fn generation(body: &[u8]) -> Option<u32> {
    number(attributes(body)?, GENERATION_ID)
}

/// A table, from the body of `NFT_MSG_NEWTABLE`.
pub(crate) fn table(body: &[u8]) -> Option<TableState> {
    let rest = attributes(body)?;
    Some(TableState {
        family: *body.first()?,
        name: text(rest, TABLE_NAME)?,
        flags: number(rest, TABLE_FLAGS).unwrap_or_default(),
        owner: number(rest, TABLE_OWNER),
        comment: comment(rest, TABLE_USERDATA),
    })
}

/// A chain, from the body of `NFT_MSG_NEWCHAIN`.
pub(crate) fn chain(body: &[u8]) -> Option<ChainState> {
    let rest = attributes(body)?;
    Some(ChainState {
        family: *body.first()?,
        table: text(rest, CHAIN_TABLE)?,
        name: text(rest, CHAIN_NAME)?,
        base: find(rest, CHAIN_HOOK).and_then(|hook| base(rest, hook)),
        comment: comment(rest, CHAIN_USERDATA),
    })
}

fn base(chain: &[u8], hook: &[u8]) -> Option<BaseState> {
    Some(BaseState {
        kind: text(chain, CHAIN_TYPE)?,
        hook: number(hook, HOOK_NUMBER)?,
        priority: signed_number(hook, HOOK_PRIORITY)?,
        policy: number(chain, CHAIN_POLICY)?,
    })
}

/// A rule, from the body of `NFT_MSG_NEWRULE`.
pub(crate) fn rule(body: &[u8]) -> Option<RuleState> {
    let rest = attributes(body)?;
    let bytes = |kind| find(rest, kind).unwrap_or_default().to_vec();
    let handle = <[u8; 8]>::try_from(find(rest, RULE_HANDLE)?).ok()?;
    Some(RuleState {
        chain: text(rest, RULE_CHAIN)?,
        handle: u64::from_be_bytes(handle),
        rule: RawRule {
            expressions: bytes(RULE_EXPRESSIONS),
            userdata: bytes(RULE_USERDATA),
        },
    })
}

/// A set, from the body of `NFT_MSG_NEWSET`.
pub(crate) fn set(body: &[u8]) -> Option<SetState> {
    let rest = attributes(body)?;
    Some(SetState {
        name: text(rest, SET_NAME)?,
        flags: number(rest, SET_FLAGS).unwrap_or_default(),
        key_type: number(rest, SET_KEY_TYPE).unwrap_or_default(),
        key_bytes: number(rest, SET_KEY_LEN)?,
        value_type: number(rest, SET_VALUE_TYPE),
        value_bytes: number(rest, SET_VALUE_LEN).unwrap_or_default(),
    })
}
