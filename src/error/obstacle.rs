//! What stands in the way of a subnet.

use std::fmt;

use crate::addr::{NetworkName, Subnet};

/// Something that already uses addresses, with the range that it uses.
///
/// ```
/// use bridgework::{Obstacle, Occupant};
///
/// let obstacle = Obstacle {
///     subnet: "10.8.0.0/16".parse()?,
///     occupant: Occupant::Route { device: Some("tun0".into()), table: 52 },
/// };
/// assert_eq!(obstacle.to_string(), "10.8.0.0/16: route by tun0 in table 52");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Obstacle {
    /// The range.
    pub subnet: Subnet,
    /// Who uses it.
    pub occupant: Occupant,
}

/// Who uses a range of addresses.
///
/// ```
/// use bridgework::Occupant;
///
/// let route = Occupant::Route { device: None, table: 254 };
/// assert_eq!(route.to_string(), "route in table 254");
/// assert_eq!(Occupant::Network("shop".parse()?).to_string(), "network shop");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Occupant {
    /// Another network of this host.
    Network(NetworkName),
    /// A route of the host, in whichever table.
    Route {
        /// The device that it leaves by, if it names one.
        device: Option<String>,
        /// The table's number; 254 is `main`, 255 `local`.
        table: u32,
    },
    /// An address of the host.
    Address {
        /// The link that has it.
        device: String,
    },
    /// A name server of the host's `resolv.conf`.
    Nameserver,
    /// The caller's own list of ranges to keep clear of.
    Denied,
}

impl Obstacle {
    /// The link by which it is in the way, if it is by one.
    pub(crate) fn device(&self) -> Option<&str> {
        match &self.occupant {
            Occupant::Address { device } => Some(device),
            Occupant::Route { device, .. } => device.as_deref(),
            Occupant::Network(_) | Occupant::Nameserver | Occupant::Denied => None,
        }
    }
}

impl fmt::Display for Occupant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(name) => write!(f, "network {name}"),
            Self::Route {
                device: Some(device),
                table,
            } => {
                write!(f, "route by {device} in table {table}")
            }
            Self::Route {
                device: None,
                table,
            } => write!(f, "route in table {table}"),
            Self::Address { device } => write!(f, "address of {device}"),
            Self::Nameserver => f.write_str("name server in resolv.conf"),
            Self::Denied => f.write_str("denied by the caller"),
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.subnet, self.occupant)
    }
}
