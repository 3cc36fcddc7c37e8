//! What no two records may have at once: names, subnets, addresses, ports, as ranges of one kind.
//! That they do not overlap is a constraint of the store, and no check that somebody can overtake.

use std::fmt;
use std::net::IpAddr;

use crate::addr::{ContainerName, Family, MacAddr, NetworkId, NetworkName, PublishedPort, Subnet};

/// A range of values of one kind, both ends of it included. Two overlap if they are of the same
/// [space](Space) and have a value in common, in the order of bytes.
///
/// ```
/// use bridgework::record::{Claim, Space};
///
/// let claim = |first: u8, last: u8| Claim {
///     space: Space::new("a space"),
///     first: vec![first],
///     last: vec![last],
/// };
/// assert!(claim(1, 3).overlaps(&claim(3, 9)));
/// assert!(!claim(1, 2).overlaps(&claim(3, 9)));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Claim {
    /// What kind of values.
    pub space: Space,
    /// The first one. In one space all values that are no names have as many bytes.
    pub first: Vec<u8>,
    /// The last one.
    pub last: Vec<u8>,
}

/// A kind of values that claims are about, as text: `network name`, `subnet 4`, `port tcp 4 80`.
///
/// ```
/// assert_eq!(bridgework::record::Space::new("subnet 4").as_str(), "subnet 4");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Space(String);

impl Space {
    /// The kind of that name.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Claim {
    fn one(space: String, value: Vec<u8>) -> Self {
        Self {
            space: Space(space),
            first: value.clone(),
            last: value,
        }
    }

    fn range(space: String, first: IpAddr, last: IpAddr) -> Self {
        Self {
            space: Space(space),
            first: bytes(first),
            last: bytes(last),
        }
    }

    /// Whether both can't be.
    #[must_use]
    pub fn overlaps(&self, other: &Self) -> bool {
        self.space == other.space && self.first <= other.last && other.first <= self.last
    }

    pub(super) fn network_name(name: &NetworkName) -> Self {
        Self::one("network name".to_owned(), name.as_str().into())
    }

    pub(super) fn container_name(name: &ContainerName) -> Self {
        Self::one("container name".to_owned(), name.as_str().into())
    }

    /// One container has one place on a network.
    pub(super) fn place(network: &NetworkId, container: &ContainerName) -> Self {
        let name = container.as_str();
        Self {
            space: Self::places(network),
            first: name.into(),
            last: name.into(),
        }
    }

    /// Names have no byte as high as the last one.
    pub(super) fn all_places(network: &NetworkId) -> Self {
        Self {
            space: Self::places(network),
            first: Vec::new(),
            last: vec![u8::MAX],
        }
    }

    fn places(network: &NetworkId) -> Space {
        Space(format!("place {}", network.short()))
    }

    pub(super) fn mac(network: &NetworkId, mac: MacAddr) -> Self {
        Self::one(format!("mac {}", network.short()), mac.octets().into())
    }

    pub(super) fn address(network: &NetworkId, address: IpAddr) -> Self {
        let space = format!(
            "address {} {}",
            network.short(),
            Family::of(address).digit()
        );
        Self::range(space, address, address)
    }

    /// Reserved addresses do not stand in the way of their own containers, which claim them too.
    pub(super) fn reservation(network: &NetworkId, address: IpAddr) -> Self {
        let space = format!(
            "reservation {} {}",
            network.short(),
            Family::of(address).digit()
        );
        Self::range(space, address, address)
    }

    pub(super) fn subnet(subnet: Subnet) -> Self {
        let family = Family::of_subnet(subnet).digit();
        Self::range(format!("subnet {family}"), subnet.first(), subnet.last())
    }

    /// `0.0.0.0` and `::` stand for all addresses of their family.
    pub(super) fn port(port: &PublishedPort) -> Self {
        let family = Family::of(port.host_address);
        let (protocol, number) = (port.protocol, port.host_port);
        let space = format!("port {protocol} {} {number}", family.digit());
        match port.host_address.is_unspecified() {
            true => Self::range(space, port.host_address, family.highest()),
            false => Self::range(space, port.host_address, port.host_address),
        }
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.space.as_str())?;
        let value = |f: &mut fmt::Formatter<'_>, bytes: &[u8]| match address(&self.space, bytes) {
            Some(address) => write!(f, " {address}"),
            None => write!(f, " {}", String::from_utf8_lossy(bytes)),
        };
        value(f, &self.first)?;
        if self.last != self.first {
            f.write_str(" to")?;
            value(f, &self.last)?;
        }
        Ok(())
    }
}

fn bytes(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().into(),
        IpAddr::V6(address) => address.octets().into(),
    }
}

/// A value as an address, where that is what the space has.
fn address(space: &Space, bytes: &[u8]) -> Option<IpAddr> {
    let has_addresses = ["address ", "subnet ", "port ", "reservation "];
    if !has_addresses.iter().any(|kind| space.0.starts_with(kind)) {
        return None;
    }
    match bytes.len() {
        4 => Some(IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?)),
        16 => Some(IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?)),
        _ => None,
    }
}
