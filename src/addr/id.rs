//! The 64 hex digits by which networks, endpoints and containers are known.

use std::fmt;
use std::str::FromStr;

use super::link::LinkIndex;
use super::parse::{ParseError, Reason, ValueKind, text_value};

const FORM: &str = "64 lower-case hex digits";

fn parse_hex(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = value_of(pair[0])? << 4 | value_of(pair[1])?;
    }
    Some(bytes)
}

fn value_of(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

/// Ids are written and read for each record of a host: faster than digit by digit.
fn to_hex(bytes: &[u8]) -> String {
    let digit = |value: u8| match value {
        0..=9 => char::from(b'0' + value),
        _ => char::from(b'a' + value - 10),
    };
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    let mut text = String::with_capacity(2 * bytes.len());
    text.extend(digits.map(digit));
    text
}

macro_rules! id {
    ($(#[$doc:meta])* $type:ident) => {
        $(#[$doc])*
        ///
        /// ```
        #[doc = concat!("use bridgework::", stringify!($type), ";")]
        ///
        #[doc = concat!("let id = ", stringify!($type), "::from_bytes([0xab; 32]);")]
        /// assert_eq!(id.to_string(), "ab".repeat(32));
        /// assert_eq!(id.short(), "abababababab");
        /// assert_eq!(id.to_string().parse(), Ok(id));
        /// assert_eq!(id.bytes(), &[0xab; 32]);
        /// ```
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type([u8; 32]);

        impl $type {
            /// The id with these bytes. An id is as unique as the bytes are random.
            #[must_use]
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            #[must_use]
            pub const fn bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The first 12 hex digits, the form that people see.
            #[must_use]
            pub fn short(&self) -> String {
                to_hex(&self.0[..6])
            }
        }

        impl FromStr for $type {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                parse_hex(text).map(Self).ok_or_else(|| {
                    ParseError::new(ValueKind::Id, text, Reason::Malformed { expected: FORM })
                })
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&to_hex(&self.0))
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        text_value!($type, ValueKind::Id);
    };
}

id! {
    /// The id of a network. Its bridge is named `br-` and the first 12 digits.
    NetworkId
}
id! {
    /// The id of an endpoint. Its veth is named `veth` and the first 7 digits.
    EndpointId
}
id! {
    /// The id of a container. Its first 12 digits are one of its names.
    ContainerId
}

/// Where in an id it is told whose store what bears it is of: in the digits that people see, and that are
/// written in the kernel.
const TAG: std::ops::Range<usize> = 4..6;

impl NetworkId {
    /// The same, of that store.
    pub(crate) const fn of_store(mut self, tag: u16) -> Self {
        [self.0[TAG.start], self.0[TAG.start + 1]] = tag.to_be_bytes();
        self
    }

    /// By which its store is told from others.
    pub(crate) const fn store_tag(&self) -> u16 {
        u16::from_be_bytes([self.0[TAG.start], self.0[TAG.start + 1]])
    }

    /// The index that the network's own link gets, known before there is one.
    ///
    /// ```
    /// use bridgework::{LinkIndex, NetworkId};
    ///
    /// let mut bytes = [0; 32];
    /// bytes[31] = 7;
    /// assert_eq!(NetworkId::from_bytes(bytes).link_index(), LinkIndex::private([0, 0, 7]));
    /// ```
    #[must_use]
    pub fn link_index(&self) -> LinkIndex {
        LinkIndex::private([self.0[29], self.0[30], self.0[31]])
    }
}

impl EndpointId {
    /// The same, of the store that the network is of.
    pub(crate) const fn of_store_of(mut self, network: &NetworkId) -> Self {
        [self.0[TAG.start], self.0[TAG.start + 1]] = network.store_tag().to_be_bytes();
        self
    }

    /// By which its store is told from others.
    pub(crate) const fn store_tag(&self) -> u16 {
        u16::from_be_bytes([self.0[TAG.start], self.0[TAG.start + 1]])
    }

    /// The index of the link's end in the host. That of the [other end](Self::container_link_index) is
    /// made of other bytes.
    ///
    /// ```
    /// use bridgework::{EndpointId, LinkIndex};
    ///
    /// let mut bytes = [0; 32];
    /// (bytes[28], bytes[31]) = (8, 7);
    /// let id = EndpointId::from_bytes(bytes);
    /// assert_eq!(id.host_link_index(), LinkIndex::private([0, 0, 7]));
    /// assert_eq!(id.container_link_index(), LinkIndex::private([0, 0, 8]));
    /// ```
    #[must_use]
    pub fn host_link_index(&self) -> LinkIndex {
        LinkIndex::private([self.0[29], self.0[30], self.0[31]])
    }

    /// The index of the link's end in the container.
    #[must_use]
    pub fn container_link_index(&self) -> LinkIndex {
        LinkIndex::private([self.0[26], self.0[27], self.0[28]])
    }
}
