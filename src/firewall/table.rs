//! The two tables, whole: all chains and sets that there ever are. What changes are elements.

mod bridge;
mod inet;
mod parts;

use crate::plan::nft::{Ownership, Table};

/// The name of both tables.
pub const TABLE: &str = "bridgework";

/// The bit of a packet's mark by which the firewall vouches for it: it may go where its
/// destination is. Without it the host's routing leads to none of our subnets from outside of it.
pub const VOUCHED_MARK: u32 = 0x0800_0000;

/// The bit of a packet's mark by which the bridge's table says that it came by a port whose
/// [source guard](crate::EndpointConfig::source_guard) is off: within its bridge it may have any source.
pub const UNGUARDED_MARK: u32 = 0x0400_0000;

const COMMENT: &str = "made by bridgework; put rules of your own into the chain user";

/// The tables of a host.
///
/// ```
/// use bridgework::firewall::{TABLE, tables};
/// use bridgework::plan::nft::Ownership;
///
/// let tables = tables(Ownership::Shared);
/// assert!(tables.iter().all(|table| table.name == TABLE));
/// let printed = tables[0].to_string(); // as `nft list table inet bridgework` prints it
/// assert!(printed.starts_with("table inet bridgework {\n"));
/// ```
#[must_use]
pub fn tables(ownership: Ownership) -> Vec<Table> {
    vec![inet::table(ownership), bridge::table(ownership)]
}
