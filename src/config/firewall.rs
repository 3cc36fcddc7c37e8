//! Whether a host's networks are filtered and translated, and who may change how.

use crate::plan::Switch;
use crate::plan::nft::Ownership;

/// Whether a host's networks are filtered and translated.
///
/// ```
/// use bridgework::plan::Switch;
/// use bridgework::{Firewall, HostConfig};
///
/// assert_eq!(Firewall::from(Switch::On), Firewall::Shared);
/// assert!(!Firewall::from(Switch::Off).is_on());
/// let config = HostConfig::new().firewall(Firewall::Exclusive);
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Firewall {
    /// They are not: containers are reached by whoever routes to them and reach nobody outside,
    /// nothing is published, and the kernel needs no nftables.
    Off,
    /// They are, by tables that several processes may use at once, and that whoever is privileged may
    /// change.
    #[default]
    Shared,
    /// They are, by tables that only this process may change while it lives: no foreign `nft flush
    /// ruleset` removes them (Linux 6.9). No other process can have networks on the host meanwhile. When
    /// it ends, the tables stay, and another one can take them over.
    Exclusive,
}

impl Firewall {
    /// Whether there are any tables.
    #[must_use]
    pub fn is_on(self) -> bool {
        self != Self::Off
    }

    pub(crate) fn ownership(self) -> Ownership {
        match self {
            Self::Off | Self::Shared => Ownership::Shared,
            Self::Exclusive => Ownership::Exclusive,
        }
    }
}

impl From<Switch> for Firewall {
    fn from(switch: Switch) -> Self {
        match switch {
            Switch::On => Self::Shared,
            Switch::Off => Self::Off,
        }
    }
}
