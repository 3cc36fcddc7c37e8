//! The two families of addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Subnet;

/// IPv4 or IPv6.
///
/// ```
/// use bridgework::{Family, Subnet};
///
/// let subnets: [Subnet; 2] = ["fd00:9::/64".parse()?, "10.89.0.0/24".parse()?];
/// let ipv4 = subnets.iter().find(|&&subnet| Family::of_subnet(subnet) == Family::V4);
/// assert_eq!(ipv4, Some(&subnets[1]));
/// assert_eq!(Family::of([10, 89, 0, 2].into()).digit(), 4);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }

    /// The digit that it is called by: 4 or 6.
    #[must_use]
    pub fn digit(self) -> u8 {
        match self {
            Self::V4 => 4,
            Self::V6 => 6,
        }
    }

    /// The highest address of the family.
    pub(crate) fn highest(self) -> IpAddr {
        match self {
            Self::V4 => IpAddr::V4(Ipv4Addr::BROADCAST),
            Self::V6 => IpAddr::V6(Ipv6Addr::from(u128::MAX)),
        }
    }

    /// The family of a subnet.
    #[must_use]
    pub fn of_subnet(subnet: Subnet) -> Self {
        Self::of(subnet.first())
    }
}
