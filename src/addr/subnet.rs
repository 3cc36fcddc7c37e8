//! A network's range of addresses, and the arithmetic on it: 128 bits wide, without overflow from
//! `/0` to `/128`.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use ipnet::IpNet;

use super::parse::{ParseError, Reason, ValueKind, text_value};

/// An IPv4 or IPv6 prefix in canonical form: no host bits are set.
///
/// ```
/// use bridgework::Subnet;
///
/// let subnet: Subnet = "172.18.0.0/16".parse()?;
/// assert!(subnet.contains("172.18.255.254".parse().unwrap()));
/// assert!("172.18.0.1/16".parse::<Subnet>().is_err()); // "it should be 172.18.0.0/16"
/// # Ok::<(), bridgework::ParseError>(())
/// ```
///
/// What it tells:
///
/// ```
/// use std::net::IpAddr;
/// use bridgework::Subnet;
///
/// let subnet = Subnet::new([10, 89, 0, 0].into(), 24)?;
/// assert_eq!((subnet.prefix_len(), subnet.host_bits()), (24, 8));
/// assert!(subnet.is_ipv4() && !subnet.is_ipv6());
/// let [first, host, last] = [0, 7, 255].map(|of_four| IpAddr::from([10, 89, 0, of_four]));
/// assert_eq!((subnet.first(), subnet.last()), (first, last));
/// assert_eq!(subnet.offset_of(host), Some(7));
/// assert_eq!(subnet.interface(host).map(|net| net.to_string()).as_deref(), Some("10.89.0.7/24"));
///
/// let wider: Subnet = "10.88.0.0/15".parse()?;
/// assert!(subnet.overlaps(wider) && wider.covers(subnet) && !subnet.covers(wider));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subnet(IpNet);

const FORM: &str = "an address and a prefix length, as in 10.0.0.0/24";

impl Subnet {
    /// The prefix of `prefix_len` bits that `address` is the first of.
    ///
    /// # Errors
    /// The prefix is longer than the address, or `address` has host bits set.
    pub fn new(address: IpAddr, prefix_len: u8) -> Result<Self, ParseError> {
        let max = if address.is_ipv4() { 32 } else { 128 };
        let text = || format!("{address}/{prefix_len}");
        let net = IpNet::new(address, prefix_len).map_err(|_| {
            ParseError::new(
                ValueKind::Subnet,
                &text(),
                Reason::OutOfRange { min: 0, max },
            )
        })?;
        if net.trunc() != net {
            let reason = Reason::NotCanonical {
                canonical: net.trunc().to_string(),
            };
            return Err(ParseError::new(ValueKind::Subnet, &text(), reason));
        }
        Ok(Self(net))
    }

    /// The subnet that an interface's address lies in.
    ///
    /// ```
    /// use bridgework::Subnet;
    ///
    /// let subnet = Subnet::of("172.18.0.2/16".parse().unwrap());
    /// assert_eq!(subnet.to_string(), "172.18.0.0/16");
    /// ```
    #[must_use]
    pub fn of(interface: IpNet) -> Self {
        Self(interface.trunc())
    }

    /// The first address: the network's own.
    #[must_use]
    pub fn first(self) -> IpAddr {
        self.0.network()
    }

    /// The last address: in IPv4, down to `/30`, the broadcast address.
    #[must_use]
    pub fn last(self) -> IpAddr {
        self.0.broadcast()
    }

    /// The number of leading bits that all its addresses share.
    #[must_use]
    pub fn prefix_len(self) -> u8 {
        self.0.prefix_len()
    }

    /// The number of bits that tell its addresses apart: 0 to 128.
    #[must_use]
    pub fn host_bits(self) -> u8 {
        self.0.max_prefix_len() - self.0.prefix_len()
    }

    /// Whether it is IPv4.
    #[must_use]
    pub fn is_ipv4(self) -> bool {
        matches!(self.0, IpNet::V4(_))
    }

    /// Whether it is IPv6.
    #[must_use]
    pub fn is_ipv6(self) -> bool {
        !self.is_ipv4()
    }

    /// Whether `address` lies in it. An address of the other family does not.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }

    /// Whether all of `other` lies in it.
    #[must_use]
    pub fn covers(self, other: Self) -> bool {
        self.0.contains(&other.0)
    }

    /// Whether any address lies in both.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.covers(other) || other.covers(self)
    }

    /// `address` with this subnet's prefix length, as an interface carries it; `None` if it does
    /// not lie in the subnet.
    #[must_use]
    pub fn interface(self, address: IpAddr) -> Option<IpNet> {
        self.contains(address)
            .then(|| IpNet::new(address, self.prefix_len()).ok())
            .flatten()
    }

    /// The address `offset` places after the first; `None` past the last.
    ///
    /// ```
    /// use bridgework::Subnet;
    ///
    /// let subnet: Subnet = "fd00::/64".parse()?;
    /// assert_eq!(subnet.nth(2).unwrap().to_string(), "fd00::2");
    /// assert_eq!(subnet.nth(1 << 64), None);
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    #[must_use]
    pub fn nth(self, offset: u128) -> Option<IpAddr> {
        if self.host_bits() < 128 && offset >> self.host_bits() != 0 {
            return None;
        }
        Some(match self.first() {
            IpAddr::V4(first) => IpAddr::V4(Ipv4Addr::from(
                first.to_bits() | u32::try_from(offset).ok()?,
            )),
            IpAddr::V6(first) => IpAddr::V6(Ipv6Addr::from(first.to_bits() | offset)),
        })
    }

    /// How many places `address` stands after the first; `None` if it does not lie in the subnet.
    #[must_use]
    pub fn offset_of(self, address: IpAddr) -> Option<u128> {
        if !self.contains(address) {
            return None;
        }
        Some(address_bits(address) - address_bits(self.first()))
    }
}

fn address_bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_bits().into(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl From<Subnet> for IpNet {
    fn from(subnet: Subnet) -> Self {
        subnet.0
    }
}

impl From<IpAddr> for Subnet {
    fn from(address: IpAddr) -> Self {
        Self(IpNet::from(address))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl FromStr for Subnet {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let malformed = || {
            ParseError::new(
                ValueKind::Subnet,
                text,
                Reason::Malformed { expected: FORM },
            )
        };
        let (address, prefix_len) = text.split_once('/').ok_or_else(malformed)?;
        // the standard library's parser refuses 010.0.0.0, which is 8.0.0.0 to inet_aton(3)
        let address = address.parse().map_err(|_| malformed())?;
        let digits = !prefix_len.is_empty() && prefix_len.bytes().all(|b| b.is_ascii_digit());
        if !digits || prefix_len.len() > 1 && prefix_len.starts_with('0') {
            return Err(malformed());
        }
        Self::new(address, prefix_len.parse().unwrap_or(u8::MAX)).map_err(|e| e.quoting(text))
    }
}

text_value!(Subnet, ValueKind::Subnet);
