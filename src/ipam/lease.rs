//! What a pool hands out and takes back, in words: leases, owners, and whether an address is new.
//! No state and no choice of addresses.

use std::fmt;
use std::net::IpAddr;

use crate::addr::ContainerName;
use crate::spec::History;

/// An address that the caller has until it releases it.
///
/// ```
/// use bridgework::ipam::{History, Pool};
///
/// let mut pool = Pool::new("10.0.0.0/24".parse()?, None)?;
/// let lease = pool.allocate()?;
/// assert_eq!(lease.history, History::Fresh);
/// let carried = pool.subnet().interface(lease.address);
/// assert_eq!(carried.map(|address| address.to_string()).as_deref(), Some("10.0.0.1/24"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[must_use = "the address stays taken until it is released"]
pub struct Lease {
    /// The address. [`Subnet::interface`](crate::Subnet::interface) gives it its prefix length.
    pub address: IpAddr,
    /// Whether it was held before: neighbours may then still know its former MAC address, and the
    /// new holder should announce itself.
    pub history: History,
}

/// Who has an address.
///
/// ```
/// use bridgework::ipam::{Owner, Pool};
///
/// let mut pool = Pool::new("10.0.0.0/24".parse()?, None)?;
/// let printer = [10, 0, 0, 9].into();
/// let lease = pool.reserve(printer, Owner::Auxiliary("printer".to_owned()))?;
/// let owner = pool.owner(lease.address).map(|owner| owner.to_string());
/// assert_eq!(owner.as_deref(), Some("auxiliary address printer"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Owner {
    /// The network's own gateway.
    Gateway,
    /// Something of the caller's outside of the network's containers, by the caller's name for it.
    Auxiliary(String),
    /// A container.
    Container(ContainerName),
    /// A container that takes an address for which it is not known again.
    Unnamed,
}

impl Owner {
    pub(super) fn container(&self) -> Option<&ContainerName> {
        match self {
            Self::Container(name) => Some(name),
            _ => None,
        }
    }
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gateway => f.write_str("the gateway"),
            Self::Auxiliary(name) => write!(f, "auxiliary address {name}"),
            Self::Container(name) => write!(f, "container {name}"),
            Self::Unnamed => f.write_str("a container without a name"),
        }
    }
}

/// What [`Pool::release`](super::Pool::release) found.
///
/// ```
/// use bridgework::ipam::{Pool, Release};
///
/// let mut pool = Pool::new("10.0.0.0/24".parse()?, None)?;
/// let lease = pool.allocate()?;
/// assert_eq!(pool.release(lease.address), Release::Released);
/// assert_eq!(pool.release(lease.address), Release::NotHeld);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Release {
    /// The address was held, and is no more.
    Released,
    /// Nobody held the address; nothing was changed.
    NotHeld,
}
