//! Ports: one, a run of them, and the transport that they are of.

use std::fmt;
use std::num::NonZeroU16;
use std::str::FromStr;

use super::parse::{ParseError, Reason, ValueKind, parse_number, text_value};

/// A port of TCP, UDP or SCTP: 1 to 65535.
///
/// ```
/// use bridgework::Port;
///
/// assert_eq!("8080".parse::<Port>()?.get(), 8080);
/// assert!(Port::new(0).is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Port(NonZeroU16);

impl Port {
    /// Where name servers are asked (rfc1035 §4.2).
    pub(crate) const DOMAIN: Self = Self(NonZeroU16::MIN.saturating_add(52));

    /// The port of this number.
    ///
    /// # Errors
    /// The number is not from 1 to 65535.
    pub fn new(number: u32) -> Result<Self, ParseError> {
        let checked = u16::try_from(number).ok().and_then(NonZeroU16::new);
        checked.map(Self).ok_or_else(|| {
            let reason = Reason::OutOfRange {
                min: 1,
                max: u16::MAX.into(),
            };
            ParseError::new(ValueKind::Port, &number.to_string(), reason)
        })
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u16 {
        self.0.get()
    }

    #[cfg(feature = "serde")]
    fn number(self) -> u32 {
        self.get().into()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Port {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_number(ValueKind::Port, text, Self::new)
    }
}

text_value!(Port, ValueKind::Port, number number);

/// Ports that follow each other, first and last among them: `8080`, `8080-8090`.
///
/// ```
/// use bridgework::{Port, PortRange};
///
/// let range: PortRange = "8080-8090".parse()?;
/// assert_eq!((range.first().get(), range.last().get(), range.count()), (8080, 8090, 11));
/// assert_eq!(PortRange::new(Port::new(8080)?, Port::new(8090)?), Ok(range));
/// assert_eq!(range.ports().nth(1), Some(Port::new(8081)?));
/// assert_eq!("80-80".parse::<PortRange>()?.to_string(), "80");
/// assert!("90-80".parse::<PortRange>().is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PortRange {
    first: Port,
    last: Port,
}

impl PortRange {
    /// All ports from `first` to `last`.
    ///
    /// # Errors
    /// `last` comes before `first`.
    pub fn new(first: Port, last: Port) -> Result<Self, ParseError> {
        if last < first {
            let text = format!("{first}-{last}");
            return Err(ParseError::new(
                ValueKind::PortRange,
                &text,
                Reason::Backwards,
            ));
        }
        Ok(Self { first, last })
    }

    /// The lowest port.
    #[must_use]
    pub fn first(self) -> Port {
        self.first
    }

    /// The highest port.
    #[must_use]
    pub fn last(self) -> Port {
        self.last
    }

    /// How many ports these are: 1 to 65535.
    #[must_use]
    pub fn count(self) -> u16 {
        self.last.get() - self.first.get() + 1
    }

    /// Each port, from the lowest.
    pub fn ports(self) -> impl Iterator<Item = Port> {
        let numbers = self.first.get()..=self.last.get();
        numbers.filter_map(NonZeroU16::new).map(Port)
    }
}

impl From<Port> for PortRange {
    fn from(port: Port) -> Self {
        Self {
            first: port,
            last: port,
        }
    }
}

impl FromStr for PortRange {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let port = |part: &str| {
            let parsed = part.parse::<Port>();
            parsed.map_err(|error| {
                ParseError::new(ValueKind::PortRange, text, error.reason().clone())
            })
        };
        match text.split_once('-') {
            None => Ok(port(text)?.into()),
            Some((first, last)) => {
                Self::new(port(first)?, port(last)?).map_err(|error| error.quoting(text))
            }
        }
    }
}

impl fmt::Display for PortRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.first, self.last) {
            (first, last) if first == last => first.fmt(f),
            (first, last) => write!(f, "{first}-{last}"),
        }
    }
}

text_value!(PortRange, ValueKind::PortRange);

/// A transport that has ports.
///
/// ```
/// use bridgework::Protocol;
///
/// assert_eq!("UDP".parse::<Protocol>()?, Protocol::Udp);
/// assert_eq!(Protocol::Sctp.as_str(), "sctp");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Protocol {
    /// TCP.
    #[default]
    Tcp,
    /// UDP.
    Udp,
    /// SCTP.
    Sctp,
}

impl Protocol {
    const ALL: [Self; 3] = [Self::Tcp, Self::Udp, Self::Sctp];

    /// Its name, in lower case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
        }
    }
}

impl FromStr for Protocol {
    type Err = ParseError;

    /// Of that name, in any case.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let mut all = Self::ALL.into_iter();
        let found = all.find(|protocol| text.eq_ignore_ascii_case(protocol.as_str()));
        let reason = Reason::Malformed {
            expected: "tcp, udp or sctp",
        };
        found.ok_or_else(|| ParseError::new(ValueKind::Protocol, text, reason))
    }
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

text_value!(Protocol, ValueKind::Protocol);
