//! The names that a question leads to: its own, and from alias to alias those that the reply says
//! stand for it. Only these may an answer speak of.

use domain::base::iana::{Class, Rtype};
use domain::base::name::ParsedName;

use super::name::WireName;
use super::record::Record;

/// A chain of more aliases is not followed, and neither is one among more.
const MAX_LINKS: usize = 16;
const MAX_ALIASES: usize = 48;

/// The names from the question's on, and the owners of the DNAMEs that led from one to the next.
pub(super) struct Chain {
    names: Vec<WireName>,
    substituted: Vec<WireName>,
}

/// What a name is to the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// One of the chain.
    Named,
    /// Its DNAME led on.
    Substituted,
    Foreign,
}

impl Place {
    /// Whether an answer may have a record of that type there.
    pub(super) fn has(self, rtype: Rtype) -> bool {
        match self {
            Self::Named => true,
            Self::Substituted => rtype == Rtype::DNAME || rtype == Rtype::RRSIG,
            Self::Foreign => false,
        }
    }
}

/// One alias of the reply.
struct Alias {
    rtype: Rtype,
    owner: WireName,
    target: WireName,
}

impl Chain {
    /// The chain through these records of the answer; `None` if it is too long, as a circle is.
    // rfc1034 §3.6.2, rfc6672 §3.4
    pub(super) fn follow(asked: WireName, answers: &[Record], message: &[u8]) -> Option<Self> {
        let aliases = aliases(answers, message)?;
        let mut chain = Self {
            names: vec![asked],
            substituted: Vec::new(),
        };
        while let Some(next) = chain.next(&aliases)? {
            if chain.names.len() > MAX_LINKS {
                return None;
            }
            chain.names.push(next);
        }
        Some(chain)
    }

    pub(super) fn place(&self, owner: &ParsedName<&[u8]>) -> Place {
        let is_among = |names: &[WireName]| names.iter().any(|name| name.is(owner));
        if is_among(&self.names) {
            Place::Named
        } else if is_among(&self.substituted) {
            Place::Substituted
        } else {
            Place::Foreign
        }
    }

    /// Whether one of the names is in that zone.
    pub(super) fn is_within(&self, zone: &WireName) -> bool {
        self.names.iter().any(|name| name.is_within(zone))
    }

    /// What the last name stands for. A CNAME says it itself, and is made of the DNAME where there
    /// is one. `None` if that has no end.
    fn next(&mut self, aliases: &[Alias]) -> Option<Option<WireName>> {
        let Some(last) = self.names.last() else {
            return Some(None);
        };
        let of = |rtype| aliases.iter().filter(move |alias| alias.rtype == rtype);
        let above = of(Rtype::DNAME).find(|alias| {
            let is_above = last.is_within(&alias.owner);
            is_above && *last != alias.owner
        });
        if let Some(alias) = above {
            self.substituted.push(alias.owner);
        }
        if let Some(alias) = of(Rtype::CNAME).find(|alias| alias.owner == *last) {
            return Some(Some(alias.target));
        }
        match above {
            None => Some(None),
            Some(alias) => last.substitute(&alias.owner, &alias.target).map(Some),
        }
    }
}

/// The aliases among `answers`; `None` if there are too many to look at.
fn aliases(answers: &[Record], message: &[u8]) -> Option<Vec<Alias>> {
    let is_alias = |record: &&Record| {
        record.class == Class::IN && matches!(record.rtype, Rtype::CNAME | Rtype::DNAME)
    };
    let found = answers.iter().filter(is_alias);
    if found.clone().count() > MAX_ALIASES {
        return None;
    }
    let read = |record: &Record| {
        Some(Alias {
            rtype: record.rtype,
            owner: WireName::of_parsed(&record.owner(message)?),
            target: WireName::of_parsed(&record.target(message)?),
        })
    };
    found.map(read).collect()
}
