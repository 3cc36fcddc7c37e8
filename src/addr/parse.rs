//! Why a text is not the value it was taken for. One error for all values, so that a caller who
//! parses a whole request can collect them.

use std::fmt;

/// What a text was parsed as.
///
/// ```
/// use bridgework::Subnet;
/// use bridgework::addr::ValueKind;
///
/// let error = "10.0.0.0".parse::<Subnet>().unwrap_err();
/// assert_eq!(error.kind(), ValueKind::Subnet);
/// assert_eq!(error.kind().to_string(), "subnet");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ValueKind {
    /// [`Subnet`](super::Subnet)
    Subnet,
    /// [`MacAddr`](super::MacAddr)
    MacAddr,
    /// [`LinkName`](super::LinkName)
    LinkName,
    /// [`LinkPrefix`](super::LinkPrefix)
    LinkPrefix,
    /// [`LinkSysctl`](super::LinkSysctl)
    LinkSysctl,
    /// [`LinkIndex`](super::LinkIndex)
    LinkIndex,
    /// [`Mtu`](super::Mtu)
    Mtu,
    /// [`ContainerName`](super::ContainerName)
    ContainerName,
    /// [`NetworkName`](super::NetworkName)
    NetworkName,
    /// [`HostName`](super::HostName)
    HostName,
    /// [`NetworkId`](super::NetworkId), [`EndpointId`](super::EndpointId) or
    /// [`ContainerId`](super::ContainerId)
    Id,
    /// [`Port`](super::Port)
    Port,
    /// [`PortRange`](super::PortRange)
    PortRange,
    /// [`Protocol`](super::Protocol)
    Protocol,
    /// [`PortMapping`](super::PortMapping)
    PortMapping,
    /// [`ContainerLink`](super::ContainerLink)
    ContainerLink,
    /// [`Timestamp`](super::Timestamp)
    Timestamp,
    /// [`HostAddress`](crate::resolver::HostAddress)
    HostAddress,
    /// [`ExtraHost`](crate::resolver::ExtraHost)
    ExtraHost,
    /// [`NameServer`](crate::resolver::NameServer)
    NameServer,
    /// [`SearchDomain`](crate::resolver::SearchDomain)
    SearchDomain,
    /// [`DnsOption`](crate::resolver::DnsOption)
    DnsOption,
    /// [`NetworkMode`](crate::NetworkMode)
    NetworkMode,
    /// A term of a filter
    Filter,
}

impl fmt::Display for ValueKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subnet => "subnet",
            Self::MacAddr => "mac address",
            Self::LinkName => "link name",
            Self::LinkPrefix => "link prefix",
            Self::LinkSysctl => "sysctl",
            Self::LinkIndex => "link index",
            Self::Mtu => "mtu",
            Self::ContainerName => "container name",
            Self::NetworkName => "network name",
            Self::HostName => "host name",
            Self::Id => "id",
            Self::Port => "port",
            Self::PortRange => "port range",
            Self::Protocol => "protocol",
            Self::PortMapping => "published port",
            Self::ContainerLink => "link",
            Self::Timestamp => "time",
            Self::HostAddress => "host address",
            Self::ExtraHost => "extra host",
            Self::NameServer => "name server",
            Self::SearchDomain => "search domain",
            Self::DnsOption => "dns option",
            Self::NetworkMode => "network mode",
            Self::Filter => "filter",
        })
    }
}

/// What is wrong with the text.
///
/// ```
/// use bridgework::Subnet;
/// use bridgework::addr::Reason;
///
/// let error = "10.0.0.1/24".parse::<Subnet>().unwrap_err();
/// match error.reason() {
///     Reason::NotCanonical { canonical } => assert_eq!(canonical, "10.0.0.0/24"),
///     other => panic!("{other}"),
/// }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reason {
    /// The text is empty.
    Empty,
    /// The text has more bytes than the value may have.
    TooLong {
        /// The most bytes that are allowed.
        max_bytes: usize,
    },
    /// A character that the value may not contain; the position is in bytes.
    BadCharacter {
        /// The character.
        character: char,
        /// Where it stands, in bytes from the start.
        position: usize,
    },
    /// The text is not UTF-8.
    NotUtf8,
    /// The text is reserved (`.` and `..`, say).
    Reserved,
    /// The text does not have the form of the value.
    Malformed {
        /// The form that was expected.
        expected: &'static str,
    },
    /// An address with host bits set, where the network's address belongs.
    NotCanonical {
        /// What it should be.
        canonical: String,
    },
    /// A number outside of what is allowed.
    OutOfRange {
        /// The least allowed.
        min: u64,
        /// The most allowed.
        max: u64,
    },
    /// An address that no interface can have (multicast, all zero).
    NotUnicast,
    /// A range whose last comes before its first.
    Backwards,
    /// Several ports of a container, and not as many of the host's.
    CountsDiffer {
        /// How many of the host's.
        host: u16,
        /// How many of the container's.
        container: u16,
    },
    /// Something that has its form, and that nothing here can do.
    Unsupported {
        /// What it belongs to.
        what: &'static str,
    },
    /// A network mode that is another container's and does not say whose.
    NoContainer,
    /// A key that nobody knows.
    UnknownKey {
        /// The keys that there are.
        known: &'static [&'static str],
    },
    /// A word in a place where only certain ones can stand.
    UnknownWord {
        /// The words that there are.
        known: &'static [&'static str],
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("it is empty"),
            Self::TooLong { max_bytes } => write!(f, "it is longer than {max_bytes} bytes"),
            Self::BadCharacter {
                character,
                position,
            } => {
                write!(f, "{character:?} at byte {position} is not allowed")
            }
            Self::NotUtf8 => f.write_str("it is not utf-8"),
            Self::Reserved => f.write_str("it is reserved"),
            Self::Malformed { expected } => write!(f, "expected {expected}"),
            Self::NotCanonical { canonical } => write!(f, "it should be {canonical}"),
            Self::OutOfRange { min, max } => write!(f, "it must be from {min} to {max}"),
            Self::NotUnicast => f.write_str("no interface can have it"),
            Self::UnknownKey { known } => write!(f, "the key is none of {}", known.join(", ")),
            Self::UnknownWord { known } => write!(f, "the value is none of {}", known.join(", ")),
            Self::Backwards => f.write_str("it ends before it begins"),
            Self::CountsDiffer { host, container } => {
                write!(
                    f,
                    "{host} of the host's ports for {container} of the container's"
                )
            }
            Self::Unsupported { what } => write!(f, "{what} is not supported"),
            Self::NoContainer => f.write_str("invalid container format container:<name|id>"),
        }
    }
}

/// A text that is not the value it was taken for.
///
/// ```
/// use bridgework::Subnet;
/// use bridgework::addr::{Reason, ValueKind};
///
/// let error = "10.0.0.1/24".parse::<Subnet>().unwrap_err();
/// assert_eq!(error.to_string(), "invalid subnet \"10.0.0.1/24\": it should be 10.0.0.0/24");
///
/// // and for programs
/// assert_eq!((error.kind(), error.text()), (ValueKind::Subnet, "10.0.0.1/24"));
/// assert!(matches!(error.reason(), Reason::NotCanonical { canonical } if canonical == "10.0.0.0/24"));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ParseError {
    kind: ValueKind,
    text: String,
    reason: Reason,
}

/// An error quotes at most this many characters of a text, whoever wrote it.
const MAX_QUOTED_CHARS: usize = 64;

impl ParseError {
    pub(crate) fn new(kind: ValueKind, text: &str, reason: Reason) -> Self {
        let text = text.chars().take(MAX_QUOTED_CHARS).collect();
        Self { kind, text, reason }
    }

    /// The same error, of the text that the caller gave.
    pub(super) fn quoting(self, text: &str) -> Self {
        Self::new(self.kind, text, self.reason)
    }

    /// What the text was parsed as.
    #[must_use]
    pub fn kind(&self) -> ValueKind {
        self.kind
    }

    /// The text, cut after 64 characters.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is wrong with it.
    #[must_use]
    pub fn reason(&self) -> &Reason {
        &self.reason
    }
}

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid {} {:?}: {}", self.kind, self.text, self.reason)
    }
}

impl std::error::Error for ParseError {}

/// A number in decimal digits, made into a value by `new`. One too large for 32 bits counts as the
/// largest of them, so that it is `new` that says what the range is.
pub(super) fn parse_number<T>(
    kind: ValueKind,
    text: &str,
    new: fn(u32) -> Result<T, ParseError>,
) -> Result<T, ParseError> {
    let error = |reason| ParseError::new(kind, text, reason);
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(error(Reason::Malformed {
            expected: "a number",
        }));
    }
    new(text.parse().unwrap_or(u32::MAX)).map_err(|e| e.quoting(text))
}

/// `TryFrom` of text and of bytes for a value that has `FromStr` and `Display`; with the feature
/// `serde` also its form there, which is its text, or for a number the number.
macro_rules! text_value {
    ($type:ident, $kind:expr) => {
        crate::addr::text_value!(conversions $type, $kind);

        #[cfg(feature = "serde")]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text =
                    <std::borrow::Cow<'de, str> as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
    ($type:ident, $kind:expr, number $number:ident) => {
        crate::addr::text_value!(conversions $type, $kind);

        #[cfg(feature = "serde")]
        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_u32(self.$number())
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let number = <u32 as serde::Deserialize>::deserialize(deserializer)?;
                Self::new(number).map_err(serde::de::Error::custom)
            }
        }
    };
    (conversions $type:ident, $kind:expr) => {
        impl TryFrom<&[u8]> for $type {
            type Error = crate::addr::ParseError;

            fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
                match std::str::from_utf8(bytes) {
                    Ok(text) => text.parse(),
                    Err(_) => Err(crate::addr::ParseError::new(
                        $kind,
                        &String::from_utf8_lossy(bytes),
                        crate::addr::Reason::NotUtf8,
                    )),
                }
            }
        }

        impl TryFrom<&str> for $type {
            type Error = crate::addr::ParseError;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl TryFrom<&String> for $type {
            type Error = crate::addr::ParseError;

            fn try_from(text: &String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl TryFrom<String> for $type {
            type Error = crate::addr::ParseError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }
    };
}
pub(crate) use text_value;
