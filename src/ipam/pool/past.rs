//! Pools of networks that others have had before.

use super::{History, Pool};

impl Pool {
    /// Any of its addresses may have been somebody's before: nobody wrote down whose.
    pub(crate) fn of_unknown_past(mut self) -> Self {
        self.places.forget_all();
        self.outside = History::Reused;
        self
    }
}
