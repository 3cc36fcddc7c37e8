//! What of a table is not as it was made.

use std::fmt;

use super::{Element, TableFamily};

/// One thing of a table of ours that somebody else has removed or changed.
///
/// ```
/// use bridgework::plan::nft::{Deviation, Part, State, TableFamily};
///
/// let deviation = Deviation {
///     family: TableFamily::Inet,
///     table: "bridgework",
///     part: Part::Rules("forward"),
///     state: State::Altered,
/// };
/// assert_eq!(
///     deviation.to_string(),
///     "the rules of chain forward of table inet bridgework were changed",
/// );
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Deviation {
    /// The table's family.
    pub family: TableFamily,
    /// The table's name.
    pub table: &'static str,
    /// What of it.
    pub part: Part,
    /// What has become of that.
    pub state: State,
}

/// A part of a table.
///
/// ```
/// use bridgework::plan::nft::{Deviation, Part, State, TableFamily};
///
/// let (family, state) = (TableFamily::Inet, State::Missing);
/// let deviation = Deviation { family, table: "bridgework", part: Part::Chain("user"), state };
/// assert_eq!(deviation.to_string(), "chain user of table inet bridgework is missing");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Part {
    /// The table with all that is in it if it is missing, and itself if it was changed.
    Table,
    /// A set or a map.
    Set(&'static str),
    /// A chain, without its rules.
    Chain(&'static str),
    /// The rules of a chain.
    Rules(&'static str),
    /// An element.
    Element(Box<Element>),
}

/// What has become of something.
///
/// ```
/// use bridgework::plan::nft::{Deviation, Part, State, TableFamily};
///
/// let (family, state) = (TableFamily::Bridge, State::Altered);
/// let deviation = Deviation { family, table: "bridgework", part: Part::Table, state };
/// assert_eq!(deviation.to_string(), "table bridge bridgework was changed");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// It is not there.
    Missing,
    /// It is there, and not as it was made.
    Altered,
}

impl fmt::Display for Deviation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { family, table, .. } = self;
        match &self.part {
            Part::Table => {}
            Part::Set(name) => write!(f, "set {name} of ")?,
            Part::Chain(name) => write!(f, "chain {name} of ")?,
            Part::Rules(chain) => write!(f, "the rules of chain {chain} of ")?,
            Part::Element(element) => {
                let whose = element.comment.escape_debug();
                write!(f, "an element ({whose}) of set {} of ", element.set)?;
            }
        }
        let verb = match &self.part {
            Part::Rules(_) => ["are", "were"],
            _ => ["is", "was"],
        };
        write!(f, "table {family} {table} ")?;
        match self.state {
            State::Missing => write!(f, "{} missing", verb[0]),
            State::Altered => write!(f, "{} changed", verb[1]),
        }
    }
}
