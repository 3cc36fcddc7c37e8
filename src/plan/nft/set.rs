//! Sets and maps: what their keys and values are made of.

/// What one part of a key or a value is.
///
/// ```
/// use bridgework::plan::nft::{Field, FieldType};
///
/// let field = Field::from(std::net::IpAddr::from([10, 89, 0, 2]));
/// assert_eq!(field.field_type(), FieldType::Ipv4);
/// assert_eq!(FieldType::Ipv4.as_str(), "ipv4_addr");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FieldType {
    /// An IPv4 address.
    Ipv4,
    /// An IPv6 address.
    Ipv6,
    /// A hardware address.
    Ether,
    /// A transport protocol, by its number.
    Protocol,
    /// A port.
    Port,
    /// IPv4 or IPv6.
    Family,
    /// The name of a link.
    LinkName,
    /// The address that a neighbour advertisement is about. Sets that have it are of links, hardware
    /// addresses and it, since `nft` has no type for it and is told of where it stands.
    Target,
}

impl FieldType {
    /// Its word in `nft`'s language, or that for where it is found if it has none.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Target => "@nh,384,128",
            Self::Ipv4 => "ipv4_addr",
            Self::Ipv6 => "ipv6_addr",
            Self::Ether => "ether_addr",
            Self::Protocol => "inet_proto",
            Self::Port => "inet_service",
            Self::Family => "nf_proto",
            Self::LinkName => "ifname",
        }
    }
}

/// What a key may stand for.
///
/// ```
/// use bridgework::plan::nft::{FieldType, Keys, Set, SetValue};
///
/// let (name, key, value) = ("subnets", vec![FieldType::Ipv4], SetValue::None);
/// let set = Set { name, key, keys: Keys::Prefixes, value };
/// assert!(set.to_string().contains("flags interval"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Keys {
    /// Each for itself: a hash.
    Exact,
    /// An address with the length of a prefix stands for all addresses in it.
    Prefixes,
}

/// What an element of a map leads to.
///
/// ```
/// use bridgework::plan::nft::{FieldType, Keys, Set, SetValue};
///
/// let (name, key, value) = ("ways", vec![FieldType::LinkName], SetValue::Verdict);
/// let map = Set { name, key, keys: Keys::Exact, value };
/// assert!(map.to_string().contains("type ifname : verdict"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetValue {
    /// It is a set: a key is in it or not.
    None,
    /// A verdict.
    Verdict,
    /// Something that a statement takes.
    Fields(Vec<FieldType>),
}

/// A set or a map.
///
/// ```
/// use bridgework::plan::nft::{FieldType, Keys, Set, SetValue};
///
/// let key = vec![FieldType::LinkName, FieldType::Ipv4];
/// let set = Set { name: "guarded", key, keys: Keys::Exact, value: SetValue::None };
/// assert_eq!(set.to_string(), "\tset guarded {\n\t\ttype ifname . ipv4_addr\n\t}\n");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Set {
    /// Its name.
    pub name: &'static str,
    /// What a key is made of.
    pub key: Vec<FieldType>,
    /// What a key may stand for.
    pub keys: Keys,
    /// What an element leads to.
    pub value: SetValue,
}
