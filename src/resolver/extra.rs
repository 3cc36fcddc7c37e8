//! Names that the caller adds to a container's hosts file, and what they stand for: an address, or
//! the host itself, whose address is only known once there is a bridge. Values alone; the lines are
//! made in `hosts`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::addr::{HostName, ParseError, Reason, ValueKind, text_value};
use crate::error::Fault;

/// The word for the host's own address.
const HOST_GATEWAY: &str = "host-gateway";

/// What an extra host resolves to: an address, or the address by which containers reach the host.
///
/// Its text is the address, or `host-gateway`. An IPv6 address may stand in brackets.
///
/// ```
/// use bridgework::resolver::HostAddress;
///
/// assert_eq!("host-gateway".parse(), Ok(HostAddress::HostGateway));
/// assert_eq!("[fd00::1]".parse::<HostAddress>()?.to_string(), "fd00::1");
/// assert!("gateway".parse::<HostAddress>().is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HostAddress {
    /// This one. An IPv4 address in IPv6 clothes (`::ffff:192.0.2.1`) counts as the IPv4 address.
    Address(IpAddr),
    /// The host's: those of the default bridge, or whatever the caller says that they are.
    HostGateway,
}

macro_rules! from_address {
    ($($type:ty),*) => {
        $(impl From<$type> for HostAddress {
            fn from(address: $type) -> Self {
                Self::Address(address.into())
            }
        })*
    };
}

from_address!(IpAddr, Ipv4Addr, Ipv6Addr, [u8; 4], [u8; 16], [u16; 8]);

impl FromStr for HostAddress {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == HOST_GATEWAY {
            return Ok(Self::HostGateway);
        }
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        let address = match bare {
            Some(bare) => bare.parse().map(IpAddr::V6),
            None => text.parse(),
        };
        let error = |_| {
            let expected = "an address or host-gateway";
            ParseError::new(ValueKind::HostAddress, text, Reason::Malformed { expected })
        };
        address.map(Self::Address).map_err(error)
    }
}

impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::HostGateway => f.pad(HOST_GATEWAY),
        }
    }
}

text_value!(HostAddress, ValueKind::HostAddress);

/// A line that the caller wants in a container's hosts file, as `--add-host` does.
///
/// With a [`HostAddress`] it is what the caller asks for; its text is `name:address`, and
/// `name=address` is read too. With an address it is what the file will say.
///
/// ```
/// use bridgework::resolver::{ExtraHost, HostAddress};
///
/// let asked: ExtraHost<HostAddress> = "host.internal:host-gateway".parse()?;
/// assert_eq!(asked.to_string(), "host.internal:host-gateway");
/// assert_eq!("bank=[fd00::1]".parse::<ExtraHost<HostAddress>>()?.to_string(), "bank:fd00::1");
/// assert!("bank".parse::<ExtraHost<HostAddress>>().is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct ExtraHost<A = IpAddr> {
    /// The name.
    pub name: HostName,
    /// What it resolves to.
    pub address: A,
}

impl ExtraHost<HostAddress> {
    /// The lines that it comes to where the host's addresses are `gateways`: one for an address, one
    /// for each of `gateways` for `host-gateway`.
    ///
    /// ```
    /// use bridgework::resolver::{ExtraHost, HostAddress};
    /// use bridgework::{Fault, FaultClass};
    ///
    /// let asked: ExtraHost<HostAddress> = "host.internal:host-gateway".parse()?;
    /// let gateways = ["172.17.0.1".parse().unwrap(), "fd00::1".parse().unwrap()];
    /// let lines = asked.resolve(&gateways)?;
    /// assert_eq!(lines.iter().map(|line| line.address).collect::<Vec<_>>(), gateways);
    /// assert_eq!(asked.resolve(&[]), Err(Fault::NoHostGateway));
    /// # Ok::<(), Fault>(())
    /// ```
    ///
    /// # Errors
    /// [`Fault::NoHostGateway`] where the host has no address that could be meant.
    pub fn resolve(&self, gateways: &[IpAddr]) -> Result<Vec<ExtraHost>, Fault> {
        let of = |address: IpAddr| ExtraHost {
            name: self.name.clone(),
            address: address.to_canonical(),
        };
        match (self.address, gateways) {
            (HostAddress::Address(address), _) => Ok(vec![of(address)]),
            (HostAddress::HostGateway, []) => Err(Fault::NoHostGateway),
            (HostAddress::HostGateway, gateways) => Ok(gateways.iter().copied().map(of).collect()),
        }
    }
}

impl<A: Into<HostAddress>> From<(HostName, A)> for ExtraHost<HostAddress> {
    fn from((name, address): (HostName, A)) -> Self {
        let address = address.into();
        Self { name, address }
    }
}

impl FromStr for ExtraHost<HostAddress> {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let expected = "name:address";
        // neither separator can stand in a name, so the first one ends it
        let (name, address) = text.split_once([':', '=']).ok_or_else(|| {
            ParseError::new(ValueKind::ExtraHost, text, Reason::Malformed { expected })
        })?;
        Ok(Self {
            name: name.parse()?,
            address: address.parse()?,
        })
    }
}

impl<A: fmt::Display> fmt::Display for ExtraHost<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.address)
    }
}
