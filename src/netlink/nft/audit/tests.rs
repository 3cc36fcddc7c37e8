//! What is judged of a kernel that tells of rules in its own way.

use super::*;
use crate::firewall::tables;
use crate::netlink::nft::compare::written;
use crate::plan::nft::Keys;

/// Both tables as a kernel has them, whose word for each rule is what `tell` makes of it.
fn observed(all: &[Table], tell: impl Fn(Vec<u8>) -> Vec<u8>) -> Observed {
    let mut observed = Observed::default();
    for table in all {
        let family = table_family(table.family);
        observed.tables.push(TableState {
            family,
            name: table.name.to_owned(),
            flags: 0,
            owner: None,
            comment: table.comment.to_owned(),
        });
        observed
            .chains
            .extend(table.chains.iter().map(|chain| ChainState {
                family,
                table: table.name.to_owned(),
                name: chain.name.to_owned(),
                base: chain.hook.map(|hook| BaseState {
                    kind: kind_of(hook).to_owned(),
                    hook: hook_number(hook),
                    priority: hook.priority,
                    policy: ACCEPT,
                }),
                comment: chain.comment.to_owned(),
            }));
        let rules = table.chains.iter().flat_map(|chain| {
            let rules = chain.rules.iter();
            rules.map(|rule| (chain.name, written(table.family, rule)))
        });
        let rules = rules.map(|(chain, expressions)| RuleState {
            chain: chain.to_owned(),
            handle: 1,
            rule: RawRule {
                expressions: tell(expressions),
                userdata: Vec::new(),
            },
        });
        let contained = Contained {
            rules: rules.collect(),
            sets: table.sets.iter().map(set_state).collect(),
            ..Contained::default()
        };
        observed.contents.insert(table.family, contained);
    }
    observed
}

fn set_state(set: &Set) -> SetState {
    SetState {
        name: set.name.to_owned(),
        flags: set_flags(set),
        key_type: types(&set.key),
        key_bytes: length(&set.key),
        value_type: match &set.value {
            SetValue::None => None,
            SetValue::Verdict => Some(VERDICT_TYPE),
            SetValue::Fields(fields) => Some(types(fields)),
        },
        value_bytes: match &set.value {
            SetValue::Fields(fields) => length(fields),
            _ => 16,
        },
    }
}

fn judge(observed: &Observed, all: &[Table], learned: &Learned) -> Vec<Deviation> {
    let expected = Expected {
        tables: all,
        elements: &BTreeSet::new(),
        learned,
        port: 7,
    };
    deviations(observed, &expected)
}

#[test]
fn what_was_written_is_as_it_must_be() {
    let all = tables(Ownership::Shared);
    let observed = observed(&all, |rule| rule);
    assert_eq!(judge(&observed, &all, &Learned::new()), []);
    assert!(learn(&observed, &all).is_empty());
}

#[test]
fn a_kernel_that_tells_of_rules_in_its_own_way_is_learned_once() {
    let all = tables(Ownership::Shared);
    let own_way = observed(&all, |mut rule| {
        crate::netlink::attribute::put(&mut rule, 1, b"more");
        rule
    });
    let found = judge(&own_way, &all, &Learned::new());
    let filled = all.iter().flat_map(|table| &table.chains);
    assert_eq!(
        found.len(),
        filled.filter(|chain| !chain.rules.is_empty()).count()
    );
    let learned = learn(&own_way, &all);
    assert_eq!(judge(&own_way, &all, &learned), []);
    // and what is altered is told even so
    let altered = observed(&all, |mut rule| {
        crate::netlink::attribute::put(&mut rule, 1, b"less");
        rule
    });
    assert_eq!(judge(&altered, &all, &learned), found);
}

#[test]
fn a_set_of_any_other_kind_is_told() {
    let all = tables(Ownership::Shared);
    for place in 0..all[0].sets.len() {
        let set = &all[0].sets[place];
        let mut observed = observed(&all, |rule| rule);
        let contained = observed.contents.get_mut(&TableFamily::Inet).unwrap();
        let other = match set.keys {
            Keys::Exact => SET_INTERVAL,
            Keys::Prefixes => 0,
        };
        contained.sets[place].flags = other | (set_flags(set) & SET_MAP);
        let found = judge(&observed, &all, &Learned::new());
        assert_eq!(found.len(), 1, "{set:?}");
        assert_eq!(
            (&found[0].part, found[0].state),
            (&Part::Set(set.name), State::Altered)
        );
    }
}

#[test]
fn whose_a_table_is_decides_who_may_have_it() {
    let table = |ownership| tables(ownership).remove(0);
    let state = |flags, owner| TableState {
        family: 1,
        name: String::new(),
        flags,
        owner,
        comment: String::new(),
    };
    let (shared, exclusive) = (table(Ownership::Shared), table(Ownership::Exclusive));
    let (owned, persists) = (2 | TABLE_F_PERSIST, TABLE_F_PERSIST);
    for (table, flags, owner, expected) in [
        (&shared, 0, None, Claim::Kept),
        (&shared, owned, Some(8), Claim::Foreign(8)),
        (&shared, persists, None, Claim::Unfit),
        (&exclusive, owned, Some(7), Claim::Kept),
        (&exclusive, owned, Some(8), Claim::Foreign(8)),
        (&exclusive, persists, None, Claim::Orphaned),
        (&exclusive, 0, None, Claim::Unfit),
    ] {
        assert_eq!(
            claim(table, &state(flags, owner), 7),
            expected,
            "{flags} {owner:?}"
        );
    }
}
