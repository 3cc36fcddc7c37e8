//! What of others' tables keeps packets from our networks.

use crate::addr::LinkName;

/// A base chain of somebody else's that drops what is forwarded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ForwardDrop {
    /// `ip`, `ip6` or `inet`.
    pub(crate) family: &'static str,
    pub(crate) table: String,
    pub(crate) chain: String,
    /// Links that it has rules for which accept all that comes by them and leaves by them.
    pub(crate) accepted: Vec<LinkName>,
}
