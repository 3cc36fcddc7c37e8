//! Which packets the kernel routes by which table, and what it prohibits there: the layer that holds
//! without a packet filter.

use std::fmt::{self, Display, Formatter};

use super::ROUTE_PROTOCOL;
use super::shell::quote_link;
use crate::addr::{Family, LinkName, Subnet};

/// The number of the routing table in which the subnets of our networks are prohibited, for what
/// the firewall does not vouch for.
pub const PROHIBITION_TABLE: u32 = 9805;

/// What becomes of a packet that a [`PolicyRule`] is for.
///
/// ```
/// use bridgework::plan::{PROHIBITION_TABLE, PolicyAction};
///
/// assert_eq!(PolicyAction::Lookup(PROHIBITION_TABLE).to_string(), "lookup 9805");
/// assert_eq!(PolicyAction::Goto(32766).to_string(), "goto 32766");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PolicyAction {
    /// It is routed by this table, if that has a route for it; else the next rule has it.
    Lookup(u32),
    /// The next rule for it is the one of this priority, which must be greater than the rule's own.
    /// Until there is such a rule, this one does nothing.
    Goto(u32),
    /// Nothing: the rule is there to be gone to.
    Nop,
}

impl Display for PolicyAction {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lookup(table) => write!(f, "lookup {table}"),
            Self::Goto(priority) => write!(f, "goto {priority}"),
            Self::Nop => f.write_str("nop"),
        }
    }
}

/// A rule of a namespace's routing policy. It does not need its link: it waits for one of that
/// name, and stays when the link goes.
///
/// It prints as it is typed after `ip rule add`.
///
/// ```
/// use bridgework::Family;
/// use bridgework::plan::{PolicyAction, PolicyRule, Step};
///
/// let rule = PolicyRule {
///     family: Family::V4,
///     priority: 9805,
///     by: Some("br0".parse()?),
///     unless_marked: Some(0x0800_0000),
///     action: PolicyAction::Lookup(9805),
/// };
/// assert_eq!(
///     Step::AddPolicyRule(rule).to_string(),
///     "ip -4 rule add pref 9805 iif br0 fwmark 0/0x8000000 lookup 9805 protocol 98",
/// );
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PolicyRule {
    /// Whose packets it is for.
    pub family: Family,
    /// The lower, the earlier. The kernel's own rules have 0, 32766 and 32767.
    pub priority: u32,
    /// The link that the packets come in by, `lo` for what the namespace itself sends; `None` for
    /// all packets.
    pub by: Option<LinkName>,
    /// It is not for packets whose mark has one of these bits. `None` asks for no mark; 0 is the
    /// same.
    pub unless_marked: Option<u32>,
    /// What becomes of them.
    pub action: PolicyAction,
}

impl Display for PolicyRule {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "pref {}", self.priority)?;
        if let Some(link) = &self.by {
            write!(f, " iif {}", quote_link(link))?;
        }
        if let Some(bits) = self.unless_marked {
            write!(f, " fwmark 0/{bits:#x}")?;
        }
        write!(f, " {} protocol {ROUTE_PROTOCOL}", self.action)
    }
}

/// Nothing is routed to the subnet by the table: the sender is told that it is prohibited.
///
/// It prints as it is typed after `ip route add`.
///
/// ```
/// use bridgework::plan::{PROHIBITION_TABLE, Prohibition, Step};
///
/// let subnet = "10.1.0.0/24".parse()?;
/// let prohibition = Prohibition { subnet, table: PROHIBITION_TABLE };
/// assert_eq!(
///     Step::AddProhibition(prohibition).to_string(),
///     "ip route replace prohibit 10.1.0.0/24 table 9805 proto 98",
/// );
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Prohibition {
    /// What can't be reached.
    pub subnet: Subnet,
    /// The table's number, from 1.
    pub table: u32,
}

impl Display for Prohibition {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { subnet, table } = self;
        write!(f, "prohibit {subnet} table {table} proto {ROUTE_PROTOCOL}")
    }
}
