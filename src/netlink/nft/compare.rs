//! Whether a rule that the kernel tells of is the one that was written. Pure.
//!
//! The kernel tells of more than it was told: what is left out has its default then, which is zero
//! for all expressions of ours. So a rule is the same if it has all that was written, and nothing
//! else but zeros.

use super::read::RawRule;
use super::rule;
use super::write::Writer;
use crate::netlink::attribute::{find, walk};
use crate::netlink::bytes::u16_at;
use crate::plan::nft::{Rule, TableFamily};

const NESTED: u16 = 0x8000;
const TYPE_MASK: u16 = 0x3fff;
/// Expressions are nested in a list, their attributes in them, and values in these.
const DEPTH_MAX: usize = 8;
// enum nft_expr_attributes
const NAME: u16 = 1;
const PARTS: u16 = 2;

/// The rule as the kernel would be told of it.
pub(super) fn written(table: TableFamily, rule: &Rule) -> Vec<u8> {
    let mut writer = Writer::with_capacity(256);
    rule::write(&mut writer, table, rule);
    writer.into_bytes()
}

/// Whether the kernel has this rule there.
pub(super) fn is_same(table: TableFamily, rule: &Rule, found: &RawRule) -> bool {
    is_list_same(&written(table, rule), &found.expressions)
}

/// As [`is_same`], of a rule of anybody's, who may count its packets too, and compare a name without
/// what stands behind its end.
pub(super) fn is_alike(table: TableFamily, rule: &Rule, found: &RawRule) -> bool {
    let written = written(table, rule);
    let counts = |item: &&[u8]| find(item, NAME) == Some(b"counter\0");
    let items = walk(&found.expressions).map(|(_, item)| item);
    let found: Vec<&[u8]> = items.filter(|item| !counts(item)).collect();
    let own: Vec<&[u8]> = walk(&written).map(|(_, item)| item).collect();
    own.len() == found.len()
        && own
            .iter()
            .zip(&found)
            .all(|(own, found)| is_item_alike(own, found))
}

fn is_item_alike(own: &[u8], found: &[u8]) -> bool {
    let name = find(own, NAME);
    if name != find(found, NAME) {
        return false;
    }
    if name != Some(b"cmp\0") {
        return is_nest_same(own, found, 0);
    }
    // how it is compared, and with what
    let part = |item, kind| find(item, PARTS).and_then(|nest| find(nest, kind));
    let value = |item| part(item, 3).and_then(|nest| find(nest, 1));
    let same = |kind| part(own, kind) == part(found, kind);
    same(1) && same(2) && value(own).map(until_zeros) == value(found).map(until_zeros)
}

fn until_zeros(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|&byte| byte != 0);
    value.get(..end.map_or(0, |last| last + 1)).unwrap_or(value)
}

/// Lists of the same length, item by item.
fn is_list_same(own: &[u8], found: &[u8]) -> bool {
    let (mut own, mut found) = (walk(own), walk(found));
    loop {
        match (own.next(), found.next()) {
            (None, None) => return true,
            (Some((_, own)), Some((_, found))) if is_nest_same(own, found, 0) => {}
            _ => return false,
        }
    }
}

fn is_nest_same(own: &[u8], found: &[u8], depth: usize) -> bool {
    let has_own = kinds(own).all(|(kind, value)| match find(found, kind & TYPE_MASK) {
        Some(other) if kind & NESTED != 0 => {
            depth < DEPTH_MAX && is_nest_same(value, other, depth + 1)
        }
        Some(other) => value == other,
        None => false,
    });
    let is_default = |value: &[u8]| value.iter().all(|&byte| byte == 0);
    let mut others = walk(found).filter(|(kind, _)| find(own, *kind).is_none());
    has_own && others.all(|(_, value)| is_default(value))
}

/// As `walk`, with the flags of the types.
fn kinds(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let mut at = 0;
    walk(bytes).map(move |(_, value)| {
        let kind = u16_at(bytes, at + 2).unwrap_or_default();
        at += crate::netlink::bytes::align(4 + value.len());
        (kind, value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Redirect;
    use crate::plan::nft::{Ownership, Table};

    /// Those of a host and that of a container.
    fn tables() -> Vec<Table> {
        let redirect = Redirect {
            server: [127, 0, 0, 11].into(),
            port: crate::addr::Port::new(65_053).expect("a port"),
        };
        let mut tables = crate::firewall::tables(Ownership::Shared);
        tables.push(redirect.table());
        tables
    }

    /// An attribute as the kernel adds it to an expression.
    fn with_extra(expressions: &[u8], value: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (_, item) in walk(expressions) {
            let name = find(item, NAME).unwrap();
            let inner = find(item, PARTS);
            crate::netlink::attribute::nest(&mut bytes, 1, |item| {
                crate::netlink::attribute::put(item, NAME, name);
                // one without attributes has no list of them
                let Some(inner) = inner else { return };
                crate::netlink::attribute::nest(item, PARTS, |nest| {
                    nest.extend(inner);
                    crate::netlink::attribute::put(nest, 99, &value.to_be_bytes());
                });
            });
        }
        bytes
    }

    #[test]
    fn a_rule_with_defaults_that_nobody_wrote_is_the_same_and_with_anything_else_it_is_not() {
        for table in tables() {
            let rules = table.chains.iter().flat_map(|chain| &chain.rules);
            for rule in rules {
                let found = |expressions| RawRule {
                    expressions,
                    userdata: Vec::new(),
                };
                let own = written(table.family, rule);
                assert!(is_same(table.family, rule, &found(own.clone())));
                assert!(is_same(table.family, rule, &found(with_extra(&own, 0))));
                assert!(!is_same(table.family, rule, &found(with_extra(&own, 1))));
                assert!(!is_same(table.family, rule, &found(Vec::new())));
                let twice = [own.clone(), own].concat();
                assert!(!is_same(table.family, rule, &found(twice)));
            }
        }
    }

    #[test]
    fn no_two_rules_of_ours_that_differ_are_taken_for_each_other() {
        for table in tables() {
            let rules: Vec<&Rule> = table.chains.iter().flat_map(|chain| &chain.rules).collect();
            for one in &rules {
                for other in &rules {
                    let found = RawRule {
                        expressions: written(table.family, other),
                        userdata: Vec::new(),
                    };
                    assert_eq!(
                        is_same(table.family, one, &found),
                        one == other,
                        "{one:?} {other:?}"
                    );
                }
            }
        }
    }
}
