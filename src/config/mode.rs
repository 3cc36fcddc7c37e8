//! What `--network` says: where a container gets its network from. Whether what it names is there
//! is for those who hold it to find out.

use std::fmt;
use std::str::FromStr;

use crate::addr::{
    ContainerId, ContainerName, NetworkId, NetworkName, ParseError, Reason, ValueKind, text_value,
};

/// Where a container gets its network from.
///
/// ```
/// use bridgework::NetworkMode;
///
/// assert_eq!("host".parse(), Ok(NetworkMode::Host));
/// assert_eq!("default".parse(), Ok(NetworkMode::Bridge));
/// assert_eq!("container:web".parse(), Ok(NetworkMode::Container("web".parse()?)));
/// assert_eq!("hmall".parse(), Ok(NetworkMode::Network("hmall".parse()?)));
///
/// let error = "container:".parse::<NetworkMode>().unwrap_err();
/// assert!(error.to_string().ends_with("invalid container format container:<name|id>"));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NetworkMode {
    /// `bridge` or `default`: the bridge that every host has.
    #[default]
    Bridge,
    /// `host`: the host's own network.
    Host,
    /// `none`: a network with nothing in it but `lo`.
    None,
    /// `container:` and a name or an id: the network of another container.
    Container(ContainerTerm),
    /// Anything else: the name or the id of a user-defined network.
    Network(NetworkTerm),
}

const CONTAINER: &str = "container";

impl FromStr for NetworkMode {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let refuse = |reason| Err(ParseError::new(ValueKind::NetworkMode, text, reason));
        match text {
            "" => refuse(Reason::Empty),
            "bridge" | "default" => Ok(Self::Bridge),
            "host" => Ok(Self::Host),
            "none" => Ok(Self::None),
            // without a colon too: no network can be called that
            CONTAINER | "container:" => refuse(Reason::NoContainer),
            _ => match text.split_once(':') {
                Some((CONTAINER, term)) => term.parse().map(Self::Container),
                _ => text.parse().map(Self::Network),
            },
        }
    }
}

impl fmt::Display for NetworkMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bridge => f.pad("bridge"),
            Self::Host => f.pad("host"),
            Self::None => f.pad("none"),
            Self::Container(term) => write!(f, "{CONTAINER}:{term}"),
            Self::Network(term) => write!(f, "{term}"),
        }
    }
}

text_value!(NetworkMode, ValueKind::NetworkMode);

macro_rules! term {
    ($(#[$doc:meta])* $type:ident, $name:ident, $id:ident, $kind:expr) => {
        $(#[$doc])*
        ///
        /// ```
        #[doc = concat!("use bridgework::", stringify!($type), ";")]
        ///
        #[doc = concat!("let short: ", stringify!($type), " = \"0123456789ab\".parse()?;")]
        #[doc = concat!("assert!(matches!(short, ", stringify!($type), "::Name(_)));")]
        #[doc = concat!("let full: ", stringify!($type), " = \"ab\".repeat(32).parse()?;")]
        #[doc = concat!("assert!(matches!(full, ", stringify!($type), "::Id(_)));")]
        /// # Ok::<(), bridgework::ParseError>(())
        /// ```
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub enum $type {
            /// All 64 digits of an id.
            Id($id),
            /// A name, or the first digits of an id: which of the two, only a look-up can tell.
            Name($name),
        }

        impl FromStr for $type {
            type Err = ParseError;

            fn from_str(text: &str) -> Result<Self, ParseError> {
                match text.parse() {
                    Ok(id) => Ok(Self::Id(id)),
                    Err(_) => text.parse().map(Self::Name),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    Self::Id(id) => id.fmt(f),
                    Self::Name(name) => name.fmt(f),
                }
            }
        }

        text_value!($type, $kind);
    };
}

term! {
    /// How a caller refers to a container: by its name or its id.
    ContainerTerm, ContainerName, ContainerId, ValueKind::ContainerName
}
term! {
    /// How a caller refers to a network: by its name or its id.
    NetworkTerm, NetworkName, NetworkId, ValueKind::NetworkName
}
