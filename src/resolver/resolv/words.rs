//! The words of a `resolv.conf` that a caller can choose: each is one word, whatever text it came
//! from, so that none of them can begin a line of its own.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::addr::{HostName, ParseError, Reason, ValueKind, text_value};

/// The longest option.
const MAX_OPTION_BYTES: usize = 255;

/// The address of a name server, for IPv6 with a zone where there is one (`fe80::1%eth0`).
///
/// ```
/// use bridgework::resolver::NameServer;
///
/// let server: NameServer = "fe80::1%eth0".parse()?;
/// assert_eq!(server.address(), "fe80::1".parse::<std::net::IpAddr>().unwrap());
/// assert_eq!(server.zone(), Some("eth0"));
/// assert_eq!(server.to_string(), "fe80::1%eth0");
/// assert!("10.0.0.1%eth0".parse::<NameServer>().is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NameServer {
    address: IpAddr,
    zone: Option<String>,
}

impl NameServer {
    /// The address, without a zone.
    #[must_use]
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// The zone, which is the name or number of a link.
    #[must_use]
    pub fn zone(&self) -> Option<&str> {
        self.zone.as_deref()
    }

    pub(super) fn is_loopback(&self) -> bool {
        self.address.to_canonical().is_loopback()
    }
}

impl From<IpAddr> for NameServer {
    fn from(address: IpAddr) -> Self {
        let zone = None;
        Self { address, zone }
    }
}

impl FromStr for NameServer {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error =
            |expected| ParseError::new(ValueKind::NameServer, text, Reason::Malformed { expected });
        let (address, zone) = match text.split_once('%') {
            Some((address, zone)) => (address, Some(zone)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| error("an address"))?;
        let unfit = |zone: &str| address.is_ipv4() || zone.is_empty() || !zone.chars().all(is_part);
        if zone.is_some_and(unfit) {
            return Err(error("a zone only behind an ipv6 address, in one word"));
        }
        let zone = zone.map(str::to_owned);
        Ok(Self { address, zone })
    }
}

impl fmt::Display for NameServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.zone {
            Some(zone) => write!(f, "{}%{zone}", self.address),
            None => self.address.fmt(f),
        }
    }
}

text_value!(NameServer, ValueKind::NameServer);

/// A domain in which short names are looked for (`--dns-search`).
///
/// ```
/// use bridgework::resolver::SearchDomain;
///
/// assert_eq!("shop.test.".parse::<SearchDomain>()?.to_string(), "shop.test");
/// assert_eq!(".".parse(), Ok(SearchDomain::Root));
/// assert!("shop.test\nnameserver".parse::<SearchDomain>().is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SearchDomain {
    /// `.`, which is never written: alone it takes away the host's domains.
    Root,
    /// Any other.
    Name(HostName),
}

impl From<HostName> for SearchDomain {
    fn from(name: HostName) -> Self {
        Self::Name(name)
    }
}

impl FromStr for SearchDomain {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        if text == "." {
            return Ok(Self::Root);
        }
        let name = text.strip_suffix('.').unwrap_or(text).parse::<HostName>();
        name.map(Self::Name)
            .map_err(|error| ParseError::new(ValueKind::SearchDomain, text, error.reason().clone()))
    }
}

impl fmt::Display for SearchDomain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root => f.pad("."),
            Self::Name(name) => name.fmt(f),
        }
    }
}

text_value!(SearchDomain, ValueKind::SearchDomain);

/// An option of `resolv.conf` (`--dns-option`): one word of printable ASCII, at most 255 bytes, known
/// to us or not.
///
/// ```
/// use bridgework::resolver::DnsOption;
///
/// assert_eq!("ndots:2".parse::<DnsOption>()?.as_str(), "ndots:2");
/// assert!("ndots:2 rotate".parse::<DnsOption>().is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct DnsOption(String);

impl DnsOption {
    /// The option as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DnsOption {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |reason| Err(ParseError::new(ValueKind::DnsOption, text, reason));
        if text.is_empty() {
            return error(Reason::Empty);
        }
        if text.len() > MAX_OPTION_BYTES {
            let max_bytes = MAX_OPTION_BYTES;
            return error(Reason::TooLong { max_bytes });
        }
        match text.char_indices().find(|&(_, c)| !is_part(c)) {
            Some((position, character)) => error(Reason::BadCharacter {
                character,
                position,
            }),
            None => Ok(Self(text.to_owned())),
        }
    }
}

impl fmt::Display for DnsOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

text_value!(DnsOption, ValueKind::DnsOption);

/// Whether a word may have this character: no reader of the file takes it for white space or for
/// the end of the line.
fn is_part(character: char) -> bool {
    character.is_ascii_graphic()
}
