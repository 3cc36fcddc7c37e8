//! What names and sizes an interface: its name, its index, its MTU.

use std::fmt;
use std::num::NonZeroI32;
use std::str::FromStr;
use std::sync::Arc;

use super::parse::{ParseError, Reason, ValueKind, parse_number, text_value};

/// The name of an interface: 1 to 15 bytes without `/`, `:`, `%`, white space or control
/// characters, and none of `.`, `..`, `all` and `default`.
///
/// That is what `dev_valid_name` in the kernel takes, but for `%`, which would be a template. The
/// kernel takes bytes for Latin-1, where 0xa0 is a space, so `à` (0xc3 0xa0) is out too. `all` and
/// `default` are the directories below `net/ipv4/conf` that belong to no link.
///
/// ```
/// use bridgework::LinkName;
///
/// let name: LinkName = "eth0".parse()?;
/// assert_eq!(name.as_str(), "eth0");
/// assert_eq!(LinkName::numbered("eth", 0)?, name);
/// assert!("sixteen-bytes-xx".parse::<LinkName>().is_err());
/// assert!("a/b".parse::<LinkName>().is_err());
/// assert!("all".parse::<LinkName>().is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkName(Arc<str>);

// uapi/linux/if.h: IFNAMSIZ counts the final NUL
const LINK_NAME_MAX_BYTES: usize = 15;

// net/core/sysctl_net_core.c: sysctl_dev_name_is_allowed refuses the last two
const RESERVED: [&str; 4] = [".", "..", "all", "default"];

impl LinkName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `prefix` followed by `number`, as in `eth0`.
    ///
    /// # Errors
    /// The whole is not a link name.
    pub fn numbered(prefix: &str, number: u32) -> Result<Self, ParseError> {
        format!("{prefix}{number}").parse()
    }
}

impl FromStr for LinkName {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |reason| Err(ParseError::new(ValueKind::LinkName, text, reason));
        if text.is_empty() {
            return error(Reason::Empty);
        }
        if text.len() > LINK_NAME_MAX_BYTES {
            return error(Reason::TooLong {
                max_bytes: LINK_NAME_MAX_BYTES,
            });
        }
        if RESERVED.contains(&text) {
            return error(Reason::Reserved);
        }
        let bad = |c: char| {
            matches!(c, '/' | ':' | '%') || c.is_whitespace() || c.is_control() || has_nbsp_byte(c)
        };
        match text.char_indices().find(|&(_, c)| bad(c)) {
            Some((position, character)) => error(Reason::BadCharacter {
                character,
                position,
            }),
            None => Ok(Self(text.into())),
        }
    }
}

// lib/ctype.c: isspace(0xa0), whatever character the byte is a part of
fn has_nbsp_byte(character: char) -> bool {
    character
        .encode_utf8(&mut [0; 4])
        .as_bytes()
        .contains(&0xa0)
}

impl fmt::Display for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for LinkName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

text_value!(LinkName, ValueKind::LinkName);

/// What the names of links begin with that differ in a number behind it: 1 to 14 bytes of a
/// [`LinkName`].
///
/// ```
/// use bridgework::LinkPrefix;
///
/// let prefix: LinkPrefix = "lan".parse()?;
/// assert_eq!(prefix.as_str(), "lan");
/// assert_eq!(prefix.numbered(1)?.as_str(), "lan1");
/// assert!("fourteen-bytes-x".parse::<LinkPrefix>().is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkPrefix(Arc<str>);

impl LinkPrefix {
    /// The prefix as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The prefix followed by `number`.
    ///
    /// # Errors
    /// The whole is longer than a link name may be.
    pub fn numbered(&self, number: u32) -> Result<LinkName, ParseError> {
        LinkName::numbered(&self.0, number)
    }
}

impl FromStr for LinkPrefix {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let error = |reason| Err(ParseError::new(ValueKind::LinkPrefix, text, reason));
        if text.is_empty() {
            return error(Reason::Empty);
        }
        match LinkName::numbered(text, 0) {
            Ok(_) => Ok(Self(text.into())),
            Err(whole) => error(match whole.reason().clone() {
                Reason::TooLong { max_bytes } => Reason::TooLong {
                    max_bytes: max_bytes - 1,
                },
                reason => reason,
            }),
        }
    }
}

impl fmt::Display for LinkPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for LinkPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

text_value!(LinkPrefix, ValueKind::LinkPrefix);

/// The number of an interface in its namespace: 1 to 2³¹ − 1.
///
/// ```
/// use bridgework::LinkIndex;
///
/// let lo: LinkIndex = "1".parse()?;
/// assert_eq!(lo.get(), 1);
/// assert!(LinkIndex::private([0, 0, 7]) > lo);
/// assert!(LinkIndex::new(0).is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LinkIndex(NonZeroI32);

impl LinkIndex {
    /// The index with this number.
    ///
    /// # Errors
    /// The number is 0 or does not fit in 31 bits.
    pub fn new(number: u32) -> Result<Self, ParseError> {
        let checked = i32::try_from(number).ok().and_then(NonZeroI32::new);
        checked.map(Self).ok_or_else(|| {
            let reason = Reason::OutOfRange {
                min: 1,
                max: u64::from(i32::MAX.unsigned_abs()),
            };
            ParseError::new(ValueKind::LinkIndex, &number.to_string(), reason)
        })
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0.get().unsigned_abs()
    }

    /// An index far above those that the kernel gives out, made of 24 bits of `entropy`. A link
    /// that is born with it can be named by later messages of the same batch.
    #[must_use]
    pub fn private(entropy: [u8; 3]) -> Self {
        const FIRST: NonZeroI32 = NonZeroI32::new(0x0100_0000).expect("it is not zero");
        let [a, b, c] = entropy;
        Self(FIRST | i32::from_be_bytes([0, a, b, c]))
    }
}

impl fmt::Display for LinkIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for LinkIndex {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_number(ValueKind::LinkIndex, text, Self::new)
    }
}

text_value!(LinkIndex, ValueKind::LinkIndex, number get);

/// The largest packet of a link, in bytes without the Ethernet header: 68 to 65535.
///
/// IPv6 needs at least 1280 (rfc8200 §5); a network with IPv6 refuses less.
///
/// ```
/// use bridgework::Mtu;
///
/// let tunnelled = Mtu::new(Mtu::ETHERNET.bytes() - 50)?;
/// assert!(tunnelled >= Mtu::IPV6_MIN);
/// assert!("67".parse::<Mtu>().is_err());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mtu(u16);

impl Mtu {
    /// 1500 bytes, Ethernet's own.
    pub const ETHERNET: Self = Self(1500);
    /// 1280 bytes, the least that IPv6 works with (rfc8200 §5).
    pub const IPV6_MIN: Self = Self(1280);

    // rfc791 §3.2: every module must be able to forward 68 octets; the kernel's ETH_MIN_MTU
    const MIN_BYTES: u16 = 68;

    /// The MTU of this many bytes.
    ///
    /// # Errors
    /// The number is not from 68 to 65535.
    pub fn new(bytes: u32) -> Result<Self, ParseError> {
        match u16::try_from(bytes) {
            Ok(bytes) if bytes >= Self::MIN_BYTES => Ok(Self(bytes)),
            _ => {
                let reason = Reason::OutOfRange {
                    min: u64::from(Self::MIN_BYTES),
                    max: u16::MAX.into(),
                };
                Err(ParseError::new(ValueKind::Mtu, &bytes.to_string(), reason))
            }
        }
    }

    /// The number of bytes.
    #[must_use]
    pub fn bytes(self) -> u32 {
        self.0.into()
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Mtu {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        parse_number(ValueKind::Mtu, text, Self::new)
    }
}

text_value!(Mtu, ValueKind::Mtu, number bytes);
