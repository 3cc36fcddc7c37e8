//! By what a record is found, who has written it, and when.

use std::fmt;

/// By which a record is found: its kind and its id, as text.
///
/// ```
/// use bridgework::record::Key;
///
/// let key = Key::new("network", "abab");
/// assert_eq!((key.kind(), key.id()), ("network", "abab"));
/// assert_eq!(key.to_string(), "network/abab");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Key {
    kind: &'static str,
    id: String,
}

impl Key {
    /// That of the record of that kind and id.
    #[must_use]
    pub fn new(kind: &'static str, id: impl Into<String>) -> Self {
        let id = id.into();
        Self { kind, id }
    }

    /// That of a record of a kind that is known by name.
    #[cfg(feature = "store")]
    pub(crate) fn of_known_kind(kind: &str, id: String) -> Option<Self> {
        let kind = super::body::KINDS.iter().find(|known| **known == kind)?;
        Some(Self { kind, id })
    }

    /// What kind of thing it is.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Which one of its kind.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.id)
    }
}

/// One that has a store open. No other has the same number as long as it lives.
///
/// ```
/// use bridgework::record::OwnerId;
///
/// let owner = OwnerId::new(7);
/// assert_eq!(OwnerId::new(owner.number()), owner);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct OwnerId(u64);

impl OwnerId {
    /// What is of no process.
    pub(crate) const NOBODY: Self = Self(0);

    /// The one with that number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}

/// How often a store has been changed: each change has a higher one than those before it. Where it
/// begins is the store's business.
///
/// ```
/// use bridgework::record::Revision;
///
/// assert!(Revision::new(8) > Revision::new(7));
/// assert_eq!(Revision::default().number(), 0);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Revision(u64);

impl Revision {
    /// After so many changes.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number of changes.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }
}
