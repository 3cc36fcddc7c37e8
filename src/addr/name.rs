//! Names of containers, networks and hosts: all of them can stand in a hosts file, a DNS answer,
//! a path or a log line without quoting, because no separator or control byte gets in.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;
use std::sync::Arc;

use super::parse::{ParseError, Reason, ValueKind, text_value};

/// Checks `text` label by label, and that nobody can take it for an IPv4 address. Labels are 1 to
/// 63 bytes (rfc1035 §2.3.4) of letters, digits, `_` and `-`, joined by single dots.
fn check_labels(kind: ValueKind, text: &str, max_bytes: usize) -> Result<(), ParseError> {
    let error = |reason| Err(ParseError::new(kind, text, reason));
    if text.is_empty() {
        return error(Reason::Empty);
    }
    if text.len() > max_bytes {
        return error(Reason::TooLong { max_bytes });
    }
    let bad = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'));
    if let Some((position, character)) = text.char_indices().find(|&(_, c)| bad(c)) {
        return error(Reason::BadCharacter {
            character,
            position,
        });
    }
    if text.parse::<Ipv4Addr>().is_ok() {
        return error(Reason::Malformed {
            expected: "a name and not an address",
        });
    }
    if text
        .split('.')
        .any(|label| label.is_empty() || label.len() > 63)
    {
        return error(Reason::Malformed {
            expected: "labels of 1 to 63 bytes between the dots",
        });
    }
    Ok(())
}

/// Docker's rule for names of objects: the first character is a letter or a digit.
fn check_first(kind: ValueKind, text: &str) -> Result<(), ParseError> {
    match text.chars().next() {
        Some(character) if !character.is_ascii_alphanumeric() => Err(ParseError::new(
            kind,
            text,
            Reason::BadCharacter {
                character,
                position: 0,
            },
        )),
        _ => Ok(()),
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $kind:expr, max $max_bytes:literal, $($check:ident),*) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $type(Arc<str>);

        impl $type {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $type {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                check_labels($kind, text, $max_bytes)?;
                $($check($kind, text)?;)*
                Ok(Self(text.into()))
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Debug::fmt(&self.0, f)
            }
        }

        text_value!($type, $kind);
    };
}

name! {
    /// The name of a container: up to 128 letters, digits, `_`, `-` and `.`, the first a letter or
    /// a digit, no label between dots longer than 63.
    ///
    /// ```
    /// use bridgework::ContainerName;
    ///
    /// let name: ContainerName = "mysql".parse()?;
    /// assert_eq!(name.as_str(), "mysql");
    /// assert!("my sql".parse::<ContainerName>().is_err());
    /// assert!("../etc".parse::<ContainerName>().is_err());
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    ContainerName, ValueKind::ContainerName, max 128, check_first
}

name! {
    /// The name of a network, of the same form as a [`ContainerName`].
    ///
    /// ```
    /// use bridgework::NetworkName;
    ///
    /// let name: NetworkName = "hmall".parse()?;
    /// assert_eq!(name.as_str(), "hmall");
    /// assert!("".parse::<NetworkName>().is_err());
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    NetworkName, ValueKind::NetworkName, max 128, check_first
}

name! {
    /// A name that resolves to a container: its host name or an alias, up to 253 bytes (rfc1035
    /// §2.3.4 less the wire format's own two).
    ///
    /// Case is kept, and ignored where names are looked up.
    ///
    /// ```
    /// use bridgework::HostName;
    ///
    /// let name: HostName = "DB.internal".parse()?;
    /// assert_eq!(name.as_str(), "DB.internal");
    /// assert!("db\n127.0.0.1 bank".parse::<HostName>().is_err());
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    HostName, ValueKind::HostName, max 253,
}

impl From<&ContainerName> for HostName {
    fn from(name: &ContainerName) -> Self {
        Self(Arc::clone(&name.0))
    }
}
