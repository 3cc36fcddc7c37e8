//! A private nftables table as plain data: fixed chains, and sets and maps whose elements move.
//!
//! It knows only what this crate's own tables are made of. It prints as the lines that `nft` takes
//! and shows; `netlink` has it as messages.

mod deviation;
mod element;
mod rule;
mod set;
mod text;

pub use deviation::{Deviation, Part, State};
pub use element::{Element, Field, Value};
pub use rule::{
    Chain, ChainKind, EtherType, Hook, HookPoint, Icmp4Type, Icmp6Type, Match, PortEnd, Rule,
    Selector, Statement, Verdict,
};
pub use set::{FieldType, Keys, Set, SetValue};

use std::fmt;

/// Which packets a table sees.
///
/// ```
/// use bridgework::plan::nft::TableFamily;
///
/// let line = format!("nft list table {} bridgework", TableFamily::Bridge);
/// assert_eq!(line, "nft list table bridge bridgework");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TableFamily {
    /// IPv4 and IPv6 packets on their way through the host.
    Inet,
    /// Frames on their way through bridges.
    Bridge,
    /// IPv4 packets.
    Ip,
}

impl TableFamily {
    /// Its word in `nft`'s language.
    ///
    /// ```
    /// use bridgework::plan::nft::TableFamily;
    ///
    /// let arguments = ["list", "tables", TableFamily::Inet.as_str()];
    /// assert_eq!(arguments.join(" "), "list tables inet");
    /// ```
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Inet => "inet",
            Self::Bridge => "bridge",
            Self::Ip => "ip",
        }
    }
}

impl fmt::Display for TableFamily {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Who may change a table.
///
/// ```
/// use bridgework::plan::nft::{Ownership, Table, TableFamily};
///
/// let table = Table {
///     family: TableFamily::Inet,
///     name: "mine",
///     comment: "",
///     ownership: Ownership::Exclusive,
///     sets: Vec::new(),
///     chains: Vec::new(),
/// };
/// assert_eq!(table.to_string(), "table inet mine {\n\tflags owner,persist\n}\n");
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Ownership {
    /// Everybody who is privileged, as with any table.
    #[default]
    Shared,
    /// Nobody but the socket that made it, until that is closed; the table stays then
    /// (`NFT_TABLE_F_OWNER`, `NFT_TABLE_F_PERSIST`, Linux 6.9).
    Exclusive,
}

/// A table of ours with all that is in it but the elements.
///
/// ```
/// use bridgework::plan::nft::{Chain, Ownership, Rule, Statement, Table, TableFamily, Verdict};
///
/// let statement = Statement::Verdict(Verdict::Drop);
/// let rules = vec![Rule { matches: Vec::new(), statement }];
/// let table = Table {
///     family: TableFamily::Bridge,
///     name: "mine",
///     comment: "",
///     ownership: Ownership::Shared,
///     sets: Vec::new(),
///     chains: vec![Chain { name: "strays", comment: "", hook: None, rules }],
/// };
/// assert_eq!(table.to_string(), "table bridge mine {\n\tchain strays {\n\t\tdrop\n\t}\n}\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Which packets it sees.
    pub family: TableFamily,
    /// Its name.
    pub name: &'static str,
    /// Whose it is, for those who list it.
    pub comment: &'static str,
    /// Who may change it.
    pub ownership: Ownership,
    /// Its sets and maps.
    pub sets: Vec<Set>,
    /// Its chains. A chain is jumped to only by chains that stand after it.
    pub chains: Vec<Chain>,
}
