//! Elements: what moves.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::rule::Verdict;
use super::{FieldType, TableFamily};
use crate::addr::{Family, LinkName, MacAddr, Port, Protocol, Subnet};

/// One part of a key or a value.
///
/// ```
/// use bridgework::plan::nft::{Field, FieldType};
///
/// let key = [Field::Link("br0".parse()?), Field::Ipv4([10, 89, 0, 2].into())];
/// assert_eq!(key.each_ref().map(Field::field_type), [FieldType::LinkName, FieldType::Ipv4]);
/// assert_eq!(key[0].to_string(), "\"br0\"");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address.
    Ipv6(Ipv6Addr),
    /// All addresses of a subnet, in a set that has [`Keys::Prefixes`](super::Keys::Prefixes).
    Subnet(Subnet),
    /// A hardware address.
    Ether(MacAddr),
    /// A transport protocol.
    Protocol(Protocol),
    /// A port.
    Port(Port),
    /// IPv4 or IPv6.
    Family(Family),
    /// The name of a link.
    Link(LinkName),
    /// The address that a neighbour advertisement is about.
    Target(Ipv6Addr),
}

impl Field {
    /// What it is.
    #[must_use]
    pub fn field_type(&self) -> FieldType {
        match self {
            Self::Ipv4(_) => FieldType::Ipv4,
            Self::Ipv6(_) => FieldType::Ipv6,
            Self::Subnet(subnet) => match Family::of_subnet(*subnet) {
                Family::V4 => FieldType::Ipv4,
                Family::V6 => FieldType::Ipv6,
            },
            Self::Ether(_) => FieldType::Ether,
            Self::Protocol(_) => FieldType::Protocol,
            Self::Port(_) => FieldType::Port,
            Self::Family(_) => FieldType::Family,
            Self::Link(_) => FieldType::LinkName,
            Self::Target(_) => FieldType::Target,
        }
    }
}

impl From<std::net::IpAddr> for Field {
    fn from(address: std::net::IpAddr) -> Self {
        match address {
            std::net::IpAddr::V4(address) => Self::Ipv4(address),
            std::net::IpAddr::V6(address) => Self::Ipv6(address),
        }
    }
}

/// What an element leads to.
///
/// ```
/// use bridgework::plan::nft::{Element, Field, TableFamily, Value, Verdict};
///
/// let element = Element {
///     family: TableFamily::Inet,
///     table: "mine",
///     set: "fates",
///     key: vec![Field::Ipv4([10, 89, 0, 2].into())],
///     value: Value::Verdict(Verdict::Drop),
///     comment: String::new(),
/// };
/// assert_eq!(element.to_string(), "nft 'add element inet mine fates { 10.89.0.2 : drop }'");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Value {
    /// Nothing: it is an element of a set.
    None,
    /// What becomes of the packet.
    Verdict(Verdict),
    /// Something that a statement takes.
    Fields(Vec<Field>),
}

/// One element of a set or map of ours. Its key is nobody else's in the set.
///
/// ```
/// use bridgework::plan::nft::{Element, Field, TableFamily, Value};
///
/// let element = Element {
///     family: TableFamily::Inet,
///     table: "mine",
///     set: "known",
///     key: vec![Field::Ipv4([10, 89, 0, 2].into())],
///     value: Value::None,
///     comment: String::new(),
/// };
/// assert_eq!(element.to_string(), "nft 'add element inet mine known { 10.89.0.2 }'");
/// assert_eq!(element.to_delete(), "nft 'delete element inet mine known { 10.89.0.2 }'");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Element {
    /// The table's family.
    pub family: TableFamily,
    /// The table's name.
    pub table: &'static str,
    /// The set's name.
    pub set: &'static str,
    /// Its key.
    pub key: Vec<Field>,
    /// What it leads to.
    pub value: Value,
    /// Whose it is, for those who list it; at most 128 bytes, and empty for none.
    pub comment: String,
}
