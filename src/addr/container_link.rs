//! What `--link` says: another container, and what it is called here.

use std::fmt;
use std::str::FromStr;

use super::name::{ContainerName, HostName};
use super::parse::ValueKind;
use super::parse::{ParseError, text_value};

/// Another container and the name by which one container alone knows it: `other:alias`, or `other`
/// by its own name.
///
/// ```
/// use bridgework::ContainerLink;
///
/// let link: ContainerLink = "mysql:db".parse()?;
/// assert_eq!((link.container().as_str(), link.alias().as_str()), ("mysql", "db"));
/// assert_eq!(ContainerLink::new("mysql".parse()?, "db".parse()?), link);
/// assert_eq!("mysql".parse::<ContainerLink>()?.to_string(), "mysql:mysql");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContainerLink {
    container: ContainerName,
    alias: HostName,
}

impl ContainerLink {
    /// `container`, called `alias`.
    #[must_use]
    pub fn new(container: ContainerName, alias: HostName) -> Self {
        Self { container, alias }
    }

    /// The other container.
    #[must_use]
    pub fn container(&self) -> &ContainerName {
        &self.container
    }

    /// What it is called here.
    #[must_use]
    pub fn alias(&self) -> &HostName {
        &self.alias
    }
}

impl FromStr for ContainerLink {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let (container, alias) = text.split_once(':').unwrap_or((text, text));
        Ok(Self::new(container.parse()?, alias.parse()?))
    }
}

impl fmt::Display for ContainerLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.container, self.alias)
    }
}

text_value!(ContainerLink, ValueKind::ContainerLink);
