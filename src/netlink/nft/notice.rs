//! What the kernel tells everybody who listens of the changes that somebody makes. Pure; any bytes
//! are survived.
//!
//! uapi/linux/netfilter/nfnetlink.h: `NFNLGRP_NFTABLES`

use std::collections::BTreeSet;

use super::numbers::{
    DELCHAIN, DELRULE, DELSET, DELSETELEM, DELTABLE, ELEMENTS_SET, NEWCHAIN, NEWGEN, NEWRULE,
    NEWSET, NEWTABLE, table_family,
};
use super::read::{assemble, attributes, entries, number, text};
use crate::plan::nft::{Element, Keys, Table};

/// The multicast group of all changes to tables.
pub(crate) const GROUP: u32 = 7;

// enum nft_gen_attributes
const PROCESS_ID: u16 = 2;
const PROCESS_NAME: u16 = 3;
/// Of a table it is its name, of all else the table's.
const TABLE: u16 = 1;

/// What one notice means to whoever has tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Nothing of these tables can be worse than before.
    Harmless,
    /// Something of these tables may be missing or changed.
    Suspicious,
    /// The transaction that the notices before were about was that process's.
    By { pid: u32, name: String },
}

/// What a notice of that kind and body means to whoever has these tables and elements. It is one of
/// somebody else's transaction.
pub(crate) fn judge(
    (kind, body): (u16, &[u8]),
    tables: &[Table],
    elements: &BTreeSet<Element>,
) -> Notice {
    match kind {
        NEWGEN => by(body),
        DELSETELEM => match table_of(body, tables) {
            Some(table) if takes_element(body, table, elements) => Notice::Suspicious,
            _ => Notice::Harmless,
        },
        // elements that come are not ours: no key of ours is free
        NEWTABLE | DELTABLE | NEWCHAIN | DELCHAIN | NEWRULE | DELRULE | NEWSET | DELSET => {
            match table_of(body, tables) {
                Some(_) => Notice::Suspicious,
                None => Notice::Harmless,
            }
        }
        _ => Notice::Harmless,
    }
}

fn by(body: &[u8]) -> Notice {
    let process = attributes(body).and_then(|rest| {
        let pid = number(rest, PROCESS_ID)?;
        let name = text(rest, PROCESS_NAME)?;
        Some(Notice::By { pid, name })
    });
    process.unwrap_or(Notice::Harmless)
}

fn table_of<'t>(body: &[u8], tables: &'t [Table]) -> Option<&'t Table> {
    let name = text(attributes(body)?, TABLE)?;
    let family = *body.first()?;
    let is_it = |table: &&Table| table.name == name && table_family(table.family) == family;
    tables.iter().find(is_it)
}

/// Of a set of ranges a message may have but one end, so that any of its elements could be meant.
fn takes_element(body: &[u8], table: &Table, elements: &BTreeSet<Element>) -> bool {
    let name = attributes(body).and_then(|rest| text(rest, ELEMENTS_SET));
    let set = table
        .sets
        .iter()
        .find(|set| Some(set.name) == name.as_deref());
    let Some(set) = set else {
        return false;
    };
    if set.keys == Keys::Prefixes {
        return true;
    }
    let gone = assemble(entries(body), table, set).elements;
    gone.iter().any(|gone| has_key(elements, gone))
}

/// Whether one of the elements has the key of that one, whatever it leads to.
fn has_key(elements: &BTreeSet<Element>, other: &Element) -> bool {
    // elements are ordered by their keys before all else that may differ
    let least = Element {
        value: crate::plan::nft::Value::None,
        comment: String::new(),
        ..other.clone()
    };
    let is_it = |found: &Element| {
        (found.family, found.table, found.set, &found.key)
            == (other.family, other.table, other.set, &other.key)
    };
    elements.range(least..).next().is_some_and(is_it)
}
