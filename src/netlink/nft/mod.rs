//! nf_tables: changes as one transaction, and tables, chains, rules and elements as the kernel
//! tells of them. Pure: bytes in, bytes out.
//!
//! uapi/linux/netfilter/nf_tables.h

pub(crate) mod audit;
mod batch;
mod compare;
mod element;
mod expression;
pub(crate) mod notice;
mod numbers;
pub(crate) mod read;
mod rule;
mod table;
mod write;

#[cfg(test)]
pub(crate) mod tests;

pub(crate) use batch::{Batch, Place, encode};
pub(crate) use read::RawRule;

use crate::addr::LinkName;
use crate::plan::nft::{
    Chain, Element, Field, Match, Rule, Selector, Set, Statement, Table, TableFamily, Verdict,
};

/// What becomes of a change that would add what is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// The whole transaction is refused: it is somebody else's (`EEXIST`).
    Refused,
    /// Nothing, if it leads to the same; else the transaction is refused (`EBUSY`).
    Accepted,
}

/// What becomes of a change that would delete what is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absence {
    /// The whole transaction is refused (`ENOENT`).
    Refused,
    /// Nothing; Linux 6.3.
    Accepted,
}

/// One change to the kernel's tables. Adding a table, a set or a chain that is there already and is
/// the same changes nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Change<'a> {
    /// The table alone, without what is in it.
    AddTable(&'a Table),
    /// The same; one of that name must not be there yet (`EEXIST`).
    NewTable(&'a Table),
    /// A set or map of the table's, without elements.
    AddSet(&'a Table, &'a Set),
    /// A chain of the table's, without rules.
    AddChain(&'a Table, &'a Chain),
    /// All rules of the chain go.
    FlushChain(&'a Table, &'a Chain),
    /// A rule at the end of the chain.
    AddRule(&'a Table, &'a Chain, &'a Rule),
    /// A rule as the kernel told of it, at the end of the chain of that name.
    AddRawRule(&'a Table, &'a str, &'a RawRule),
    /// All elements of the set go.
    #[cfg_attr(not(test), expect(dead_code, reason = "tests begin anew by it"))]
    FlushSet(&'a Table, &'a Set),
    /// Elements, of whatever sets.
    AddElements(&'a [Element], Presence),
    /// Elements by their keys, of whatever sets.
    DeleteElements(&'a [Element], Absence),
    /// A chain without rules that nothing leads to.
    DeleteChain(&'a Table, &'a Chain),
    /// A table with all that is in it.
    DeleteTable(TableFamily, &'a str, Absence),
}

/// What brings about the table with its sets, chains and rules, whatever of it there is: rules that
/// are not ours go from chains that have rules of ours, and nothing else does.
pub(crate) fn whole(table: &Table) -> Vec<Change<'_>> {
    let mut changes = vec![Change::AddTable(table)];
    changes.extend(table.sets.iter().map(|set| Change::AddSet(table, set)));
    let chains = || table.chains.iter();
    changes.extend(chains().map(|chain| Change::AddChain(table, chain)));
    for chain in chains().filter(|chain| !chain.rules.is_empty()) {
        changes.push(Change::FlushChain(table, chain));
        let rules = chain.rules.iter();
        changes.extend(rules.map(|rule| Change::AddRule(table, chain, rule)));
    }
    changes
}

/// Whether the rule accepts all that comes, or leaves, by the link.
pub(crate) fn accepts(found: &RawRule, way: Selector, link: &LinkName) -> bool {
    let rule = Rule {
        matches: vec![Match::Is(way, Field::Link(link.clone()))],
        statement: Statement::Verdict(Verdict::Accept),
    };
    compare::is_alike(TableFamily::Inet, &rule, found)
}

/// Whatever comes in, for a fuzzer.
#[cfg(any(test, fuzzing))]
pub(crate) fn fuzz(body: &[u8]) {
    let _ = read::generation(body);
    let _ = read::table(body);
    let _ = read::chain(body);
    let _ = read::rule(body);
    let _ = read::set(body);
    for table in crate::firewall::tables(crate::plan::nft::Ownership::Shared) {
        for set in &table.sets {
            let _ = read::assemble(read::entries(body), &table, set);
        }
    }
}
