//! Elements by the names of their sets.

use super::TABLE;
use crate::addr::{Family, LinkName};
use crate::plan::nft::{Element, Field, TableFamily, Value, Verdict};

/// `nft` takes no more (`NFTNL_UDATA_COMMENT_MAXLEN`).
const COMMENT_BYTES_MAX: usize = 128;

/// Elements of one table for one purpose.
pub(super) struct Words {
    pub(super) family: TableFamily,
    pub(super) comment: String,
}

impl Words {
    pub(super) fn new(family: TableFamily, comment: impl Into<String>) -> Self {
        let mut comment = comment.into();
        let fits = (0..=COMMENT_BYTES_MAX.min(comment.len())).rev();
        let end = fits.into_iter().find(|&end| comment.is_char_boundary(end));
        comment.truncate(end.unwrap_or_default());
        Self { family, comment }
    }

    pub(super) fn member<const N: usize>(&self, set: &'static str, key: [Field; N]) -> Element {
        self.element(set, key, Value::None)
    }

    pub(super) fn verdict<const N: usize>(
        &self,
        map: &'static str,
        key: [Field; N],
        verdict: Verdict,
    ) -> Element {
        self.element(map, key, Value::Verdict(verdict))
    }

    pub(super) fn element<const N: usize>(
        &self,
        set: &'static str,
        key: [Field; N],
        value: Value,
    ) -> Element {
        Element {
            family: self.family,
            table: TABLE,
            set,
            key: key.to_vec(),
            value,
            comment: self.comment.clone(),
        }
    }
}

/// The one of two sets that is of this family.
pub(super) fn of(family: Family, [v4, v6]: [&'static str; 2]) -> &'static str {
    match family {
        Family::V4 => v4,
        Family::V6 => v6,
    }
}

pub(super) fn link(name: &LinkName) -> Field {
    Field::Link(name.clone())
}
