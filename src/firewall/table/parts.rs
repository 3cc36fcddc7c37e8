//! The words that both tables are written in.

use crate::plan::nft::{
    Chain, ChainKind, FieldType, Hook, HookPoint, Keys, Match, Rule, Set, SetValue, Statement,
    Verdict,
};

pub(super) fn chain(name: &'static str, comment: &'static str, rules: Vec<Rule>) -> Chain {
    Chain {
        name,
        comment,
        hook: None,
        rules,
    }
}

pub(super) fn base(
    name: &'static str,
    hook: (ChainKind, HookPoint, i32),
    rules: Vec<Rule>,
) -> Chain {
    let (kind, point, priority) = hook;
    let hook = Hook {
        kind,
        point,
        priority,
    };
    Chain {
        name,
        comment: "",
        hook: Some(hook),
        rules,
    }
}

pub(super) fn set(name: &'static str, key: Vec<FieldType>) -> Set {
    map(name, key, SetValue::None)
}

pub(super) fn map(name: &'static str, key: Vec<FieldType>, value: SetValue) -> Set {
    Set {
        name,
        key,
        keys: Keys::Exact,
        value,
    }
}

pub(super) fn prefixes(set: Set) -> Set {
    Set {
        keys: Keys::Prefixes,
        ..set
    }
}

pub(super) fn verdict(matches: Vec<Match>, verdict: Verdict) -> Rule {
    Rule {
        matches,
        statement: Statement::Verdict(verdict),
    }
}

pub(super) fn accept(matches: Vec<Match>) -> Rule {
    verdict(matches, Verdict::Accept)
}

pub(super) fn drop(matches: Vec<Match>) -> Rule {
    verdict(matches, Verdict::Drop)
}
