//! What the kernel has of our tables beside what it must have, and the changes that make it so
//! again. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::compare::is_same;
use super::numbers::{
    SET_CONCAT, SET_INTERVAL, SET_MAP, TABLE_F_DORMANT, TABLE_F_PERSIST, VERDICT_TYPE, table_family,
};
use super::read::{BaseState, ChainState, RawRule, RuleState, SetState, TableState};
use super::table::{ACCEPT, hook_number, kind_of, length, set_flags, types};
use super::{Absence, Change, whole};
use crate::plan::nft::{
    Chain, Deviation, Element, Field, Ownership, Part, Set, SetValue, State, Table, TableFamily,
    Value,
};

/// The chain that is the user's, whose rules are nobody's business.
const USER: &str = "user";

/// What the kernel has at one moment.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    /// Of anybody's.
    pub(crate) tables: Vec<TableState>,
    /// Of anybody's.
    pub(crate) chains: Vec<ChainState>,
    /// What is in each of our tables that is there.
    pub(crate) contents: BTreeMap<TableFamily, Contained>,
}

/// What is in one table.
#[derive(Debug, Default)]
pub(crate) struct Contained {
    pub(crate) sets: Vec<SetState>,
    pub(crate) rules: Vec<RuleState>,
    /// Of those sets that were looked into.
    pub(crate) elements: Vec<Element>,
    pub(crate) looked_into: BTreeSet<&'static str>,
}

/// What a kernel tells of chains that were just filled, if that is not what they were filled with.
pub(crate) type Learned = BTreeMap<(TableFamily, &'static str), Vec<RawRule>>;

/// What there must be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    pub(crate) tables: &'a [Table],
    pub(crate) elements: &'a BTreeSet<Element>,
    pub(crate) learned: &'a Learned,
    /// The port of the socket that tables are made with.
    pub(crate) port: u32,
}

/// Whose a table is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Claim {
    /// It is as it must be.
    Kept,
    /// Its owner has gone, and it can be taken over.
    Orphaned,
    /// It can only be made anew.
    Unfit,
    /// Only the socket with that port may change it.
    Foreign(u32),
}

/// Whose the table is, that the kernel tells of so.
pub(crate) fn claim(table: &Table, state: &TableState, port: u32) -> Claim {
    let persists = state.flags & TABLE_F_PERSIST != 0;
    match (table.ownership, state.owner) {
        (Ownership::Exclusive, Some(owner)) if owner == port => Claim::Kept,
        (_, Some(owner)) if owner != port => Claim::Foreign(owner),
        (Ownership::Shared, None) if !persists => Claim::Kept,
        (Ownership::Exclusive, None) if persists => Claim::Orphaned,
        _ => Claim::Unfit,
    }
}

impl Observed {
    pub(crate) fn table(&self, table: &Table) -> Option<&TableState> {
        let family = table_family(table.family);
        let is_it = |state: &&TableState| state.family == family && state.name == table.name;
        self.tables.iter().find(is_it)
    }

    fn chain(&self, table: &Table, chain: &Chain) -> Option<&ChainState> {
        let family = table_family(table.family);
        self.chains.iter().find(|state| {
            state.family == family && state.table == table.name && state.name == chain.name
        })
    }

    fn rules(&self, table: &Table, chain: &str) -> Vec<&RawRule> {
        let contained = self.contents.get(&table.family);
        let rules = contained.into_iter().flat_map(|contained| &contained.rules);
        let of_chain = rules.filter(|rule| rule.chain == chain);
        of_chain.map(|rule| &rule.rule).collect()
    }

    fn set(&self, table: &Table, set: &Set) -> Option<&SetState> {
        let contained = self.contents.get(&table.family)?;
        contained.sets.iter().find(|state| state.name == set.name)
    }
}

/// All that is not as it must be: tables, their sets, chains and rules, then elements.
pub(crate) fn deviations(observed: &Observed, expected: &Expected<'_>) -> Vec<Deviation> {
    let tables = expected.tables.iter();
    tables
        .flat_map(|table| deviations_of(table, observed, expected))
        .collect()
}

fn deviations_of(table: &Table, observed: &Observed, expected: &Expected<'_>) -> Vec<Deviation> {
    let deviation = |part, state| Deviation {
        family: table.family,
        table: table.name,
        part,
        state,
    };
    let Some(state) = observed.table(table) else {
        return vec![deviation(Part::Table, State::Missing)];
    };
    let mut found = Vec::new();
    if claim(table, state, expected.port) != Claim::Kept || state.flags & TABLE_F_DORMANT != 0 {
        found.push(deviation(Part::Table, State::Altered));
    }
    for set in &table.sets {
        let fit = observed.set(table, set).map(|state| is_fit(set, state));
        found.extend(fault(fit).map(|state| deviation(Part::Set(set.name), state)));
    }
    for chain in &table.chains {
        let fit = observed
            .chain(table, chain)
            .map(|state| Fit::of(chain, state));
        let fault = fault(fit.map(|fit| fit == Fit::Same));
        found.extend(fault.map(|state| deviation(Part::Chain(chain.name), state)));
    }
    for chain in table.chains.iter().filter(|chain| chain.name != USER) {
        let rules = observed.rules(table, chain.name);
        if !is_filled(table, chain, &rules, expected.learned) {
            let state = match rules.is_empty() {
                true => State::Missing,
                false => State::Altered,
            };
            found.push(deviation(Part::Rules(chain.name), state));
        }
    }
    let elements = elements_of(table, observed, expected.elements);
    let element = |(element, state): (&Element, State)| {
        deviation(Part::Element(Box::new(element.clone())), state)
    };
    found.extend(elements.into_iter().map(element));
    found
}

fn fault(fit: Option<bool>) -> Option<State> {
    match fit {
        None => Some(State::Missing),
        Some(false) => Some(State::Altered),
        Some(true) => None,
    }
}

fn is_fit(set: &Set, state: &SetState) -> bool {
    let flags = SET_INTERVAL | SET_MAP | SET_CONCAT;
    let value = match &set.value {
        SetValue::None => (None, 0),
        SetValue::Verdict => (Some(VERDICT_TYPE), 0),
        SetValue::Fields(fields) => (Some(types(fields)), length(fields)),
    };
    let state_bytes = match &set.value {
        SetValue::Fields(_) => state.value_bytes,
        _ => 0,
    };
    state.flags & flags == set_flags(set)
        && (state.key_type, state.key_bytes) == (types(&set.key), length(&set.key))
        && (
            state.value_type.filter(|_| state.flags & SET_MAP != 0),
            state_bytes,
        ) == value
}

/// How far a chain is what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Same,
    /// What its rules leave over is dropped.
    Drops,
    /// It stands elsewhere.
    Elsewhere,
}

impl Fit {
    fn of(chain: &Chain, state: &ChainState) -> Self {
        let place = chain
            .hook
            .map(|hook| (kind_of(hook).to_owned(), hook_number(hook), hook.priority));
        let base = |base: &BaseState| (base.kind.clone(), base.hook, base.priority);
        let policy = state.base.as_ref().map(|base| base.policy);
        match state.base.as_ref().map(base) == place {
            false => Self::Elsewhere,
            true if policy.is_some_and(|policy| policy != ACCEPT) => Self::Drops,
            true => Self::Same,
        }
    }
}

fn is_filled(table: &Table, chain: &Chain, found: &[&RawRule], learned: &Learned) -> bool {
    if chain.rules.len() != found.len() {
        return false;
    }
    let mut pairs = chain.rules.iter().zip(found);
    if pairs.all(|(rule, found)| is_same(table.family, rule, found)) {
        return true;
    }
    let learned = learned.get(&(table.family, chain.name));
    learned.is_some_and(|rules| rules.iter().eq(found.iter().copied()))
}

/// Those that are missing from sets that are there, or lead elsewhere.
fn elements_of<'a>(
    table: &Table,
    observed: &Observed,
    wanted: &'a BTreeSet<Element>,
) -> Vec<(&'a Element, State)> {
    let Some(contained) = observed.contents.get(&table.family) else {
        return Vec::new();
    };
    let found: HashMap<(&str, &[Field]), &Value> = contained
        .elements
        .iter()
        .map(|element| ((element.set, element.key.as_slice()), &element.value))
        .collect();
    let judge = |element: &'a Element| match found.get(&(element.set, element.key.as_slice())) {
        None => Some((element, State::Missing)),
        Some(value) if **value != element.value => Some((element, State::Altered)),
        Some(_) => None,
    };
    let looked_into = |element: &&Element| contained.looked_into.contains(element.set);
    of_table(table, wanted)
        .filter(looked_into)
        .filter_map(judge)
        .collect()
}

fn of_table<'a>(
    table: &Table,
    elements: &'a BTreeSet<Element>,
) -> impl Iterator<Item = &'a Element> {
    let whole = (table.family, table.name);
    elements
        .iter()
        .filter(move |element| (element.family, element.table) == whole)
}

/// What makes all as it must be.
#[derive(Debug, Default)]
pub(crate) struct Remedy<'a> {
    /// Tables, sets, chains and rules, in their order.
    pub(crate) structure: Vec<Change<'a>>,
    /// Elements that lead elsewhere.
    pub(crate) remove: Vec<Element>,
    /// Elements that come after that.
    pub(crate) add: Vec<Element>,
}

/// What undoes these deviations of ours, and leaves all that is not ours as it is.
pub(crate) fn remedy<'a>(
    deviations: &[Deviation],
    observed: &'a Observed,
    expected: &Expected<'a>,
) -> Remedy<'a> {
    let mut remedy = Remedy::default();
    for table in expected.tables {
        let of_table = deviations
            .iter()
            .filter(|deviation| deviation.family == table.family);
        let own: Vec<&Deviation> = of_table.collect();
        if own.is_empty() {
            continue;
        }
        match observed.table(table) {
            None => remedy.make(table, expected),
            Some(state) if is_beyond_repair(table, state, &own, expected.port) => {
                remedy.make_anew(table, observed, expected);
            }
            Some(_) => remedy.repair(table, &own, observed, expected),
        }
    }
    remedy
}

/// Whether the table is there, and only another one can be as it must be.
pub(crate) fn is_made_anew(
    table: &Table,
    observed: &Observed,
    deviations: &[Deviation],
    port: u32,
) -> bool {
    let of_table = deviations
        .iter()
        .filter(|deviation| deviation.family == table.family);
    let own: Vec<&Deviation> = of_table.collect();
    let state = observed.table(table);
    state.is_some_and(|state| is_beyond_repair(table, state, &own, port))
}

/// A set of another kind can't be changed, nor can a table's owner.
fn is_beyond_repair(table: &Table, state: &TableState, own: &[&Deviation], port: u32) -> bool {
    let is_set = |deviation: &&&Deviation| {
        matches!(
            (&deviation.part, deviation.state),
            (Part::Set(_), State::Altered)
        )
    };
    claim(table, state, port) == Claim::Unfit || own.iter().any(|own| is_set(&own))
}

impl<'a> Remedy<'a> {
    pub(crate) fn changes(&'a self) -> Vec<Change<'a>> {
        let mut changes = self.structure.clone();
        changes.push(Change::DeleteElements(&self.remove, Absence::Accepted));
        changes.push(Change::AddElements(&self.add, super::Presence::Accepted));
        changes
    }

    /// Whether chains are filled by it.
    pub(crate) fn fills(&self) -> bool {
        let mut structure = self.structure.iter();
        structure.any(|change| matches!(change, Change::AddRule(..)))
    }

    fn make(&mut self, table: &'a Table, expected: &Expected<'a>) {
        self.structure.extend(whole(table));
        self.add.extend(of_table(table, expected.elements).cloned());
    }

    /// With what others have put into it: rules into the user's chain, and elements.
    fn make_anew(&mut self, table: &'a Table, observed: &'a Observed, expected: &Expected<'a>) {
        self.structure.push(Change::DeleteTable(
            table.family,
            table.name,
            Absence::Accepted,
        ));
        self.make(table, expected);
        let rules = observed.rules(table, USER).into_iter();
        self.structure
            .extend(rules.map(|rule| Change::AddRawRule(table, USER, rule)));
        let own: BTreeSet<(&str, &[Field])> = of_table(table, expected.elements)
            .map(|element| (element.set, element.key.as_slice()))
            .collect();
        let contained = observed.contents.get(&table.family);
        let found = contained
            .into_iter()
            .flat_map(|contained| &contained.elements);
        let others = found.filter(|other| !own.contains(&(other.set, other.key.as_slice())));
        self.add.extend(others.cloned());
    }

    fn repair(
        &mut self,
        table: &'a Table,
        own: &[&Deviation],
        observed: &Observed,
        expected: &Expected<'a>,
    ) {
        for deviation in own {
            match &deviation.part {
                Part::Table => self.structure.push(Change::AddTable(table)),
                Part::Set(name) => {
                    let set = table.sets.iter().find(|set| set.name == *name);
                    let change = set.map(|set| Change::AddSet(table, set));
                    self.structure.extend(change);
                    let lost = of_table(table, expected.elements).filter(|lost| lost.set == *name);
                    self.add.extend(lost.cloned());
                }
                Part::Chain(name) => {
                    let chain = table.chains.iter().find(|chain| chain.name == *name);
                    let Some(chain) = chain else { continue };
                    let state = observed.chain(table, chain);
                    if state.is_some_and(|state| Fit::of(chain, state) == Fit::Elsewhere) {
                        self.structure.push(Change::FlushChain(table, chain));
                        self.structure.push(Change::DeleteChain(table, chain));
                    }
                    self.structure.push(Change::AddChain(table, chain));
                }
                Part::Rules(_) => {}
                Part::Element(element) => {
                    if deviation.state == State::Altered {
                        self.remove.push((**element).clone());
                    }
                    self.add.push((**element).clone());
                }
            }
        }
        self.fill(table, own, observed);
    }

    /// Chains whose rules are not as they must be, and those that were made anew.
    fn fill(&mut self, table: &'a Table, own: &[&Deviation], observed: &Observed) {
        let is_elsewhere = |chain: &Chain| {
            let state = observed.chain(table, chain);
            state.is_some_and(|state| Fit::of(chain, state) == Fit::Elsewhere)
        };
        for chain in &table.chains {
            let rules = Part::Rules(chain.name);
            if own.iter().any(|own| own.part == rules) || is_elsewhere(chain) {
                self.structure.push(Change::FlushChain(table, chain));
                let rules = chain.rules.iter();
                self.structure
                    .extend(rules.map(|rule| Change::AddRule(table, chain, rule)));
            }
        }
    }
}

/// What the kernel tells of each chain that is filled, where that is not what it was filled with.
pub(crate) fn learn(observed: &Observed, tables: &[Table]) -> Learned {
    let none = Learned::new();
    let mut learned = Learned::new();
    for table in tables {
        for chain in table.chains.iter().filter(|chain| chain.name != USER) {
            let found = observed.rules(table, chain.name);
            if !is_filled(table, chain, &found, &none) {
                let rules = found.into_iter().cloned().collect();
                learned.insert((table.family, chain.name), rules);
            }
        }
    }
    learned
}

#[cfg(test)]
mod tests;
