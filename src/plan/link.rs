//! What a step says of a link: which one it is, and the options that it is born with or gets.

use std::time::Duration;

use crate::addr::{LinkIndex, LinkName};

/// The two sides of a plan. Every plan touches one namespace or two.
///
/// ```
/// use bridgework::plan::{Side, Step};
///
/// let step = Step::RaiseLoopback { side: Side::Container };
/// assert_eq!(step.to_string(), "ip -n container link set dev lo up");
/// assert_eq!(step.side(), Some(Side::Container));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Side {
    /// The namespace with the bridges.
    Host,
    /// The container's namespace.
    Container,
}

/// A link on one side: the index for the kernel, the name for people.
///
/// ```
/// use bridgework::LinkIndex;
/// use bridgework::plan::{Link, Side, Step};
///
/// let link = Link::new(Side::Container, "eth0".parse()?, LinkIndex::new(7)?);
/// assert_eq!(Step::SetUp { link }.to_string(), "ip -n container link set dev eth0 up");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(deny_unknown_fields))]
pub struct Link {
    /// Which namespace it is in.
    pub side: Side,
    /// Its name there.
    pub name: LinkName,
    /// Its index there.
    pub index: LinkIndex,
}

impl Link {
    /// The link `name` with `index` on `side`.
    #[must_use]
    pub fn new(side: Side, name: LinkName, index: LinkIndex) -> Self {
        Self { side, name, index }
    }
}

/// On or off, where a `bool` would not say which.
///
/// ```
/// use bridgework::NetworkConfig;
/// use bridgework::plan::Switch;
///
/// let config = NetworkConfig::bridge("web").ipv6(Switch::On);
/// assert!(Switch::On.is_on());
/// assert_eq!((Switch::On.number(), Switch::Off.word()), (1, "off"));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "lowercase"))]
pub enum Switch {
    /// It is done.
    On,
    /// It is not done.
    Off,
}

impl Switch {
    /// What holds where a text written before there was the question says nothing.
    #[cfg(feature = "serde")]
    pub(crate) fn on() -> Self {
        Self::On
    }

    /// 1 for on, 0 for off: what the kernel and `ip` take.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Self::On => 1,
            Self::Off => 0,
        }
    }

    /// `on` or `off`: what `bridge link set` takes.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
        }
    }

    /// Whether it is on.
    #[must_use]
    pub fn is_on(self) -> bool {
        self == Self::On
    }

    /// The other: what the kernel takes where its setting is the negation of ours.
    pub(crate) fn opposite(self) -> Self {
        match self {
            Self::On => Self::Off,
            Self::Off => Self::On,
        }
    }
}

/// Options of a bridge. What is not set is left as the kernel has it.
///
/// ```
/// use bridgework::plan::{BridgeOptions, Switch};
/// use std::time::Duration;
///
/// let options = BridgeOptions::new()
///     .stp(Switch::On)
///     .forward_delay(Duration::from_secs(4))
///     .ageing(Duration::from_secs(60))
///     .multicast_snooping(Switch::Off)
///     .reserved_learning(Switch::Off);
/// assert_eq!((options.stp, options.multicast_snooping), (Some(Switch::On), Some(Switch::Off)));
/// assert_eq!(options.forward_delay, Some(Duration::from_secs(4)));
/// assert_eq!(BridgeOptions::new().reserved_learning, None); // as the kernel has it
/// ```
// uapi/linux/if_link.h: IFLA_BR_*
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct BridgeOptions {
    /// Spanning tree: the kernel's default is off.
    pub stp: Option<Switch>,
    /// How long a learnt hardware address lives: the kernel's default is 300 s, its unit 10 ms.
    pub ageing: Option<Duration>,
    /// Multicast only to ports that asked for it: the kernel's default is on.
    pub multicast_snooping: Option<Switch>,
    /// How long a port listens and learns before it forwards, with spanning tree on: 2 to 30 s.
    pub forward_delay: Option<Duration>,
    /// Whether hardware addresses are learnt from frames that a bridge keeps to itself, such as
    /// LLDP's, too: the kernel's default is on. No filter sees those frames.
    pub reserved_learning: Option<Switch>,
}

impl BridgeOptions {
    /// The kernel's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Spanning tree.
    #[must_use]
    pub fn stp(self, stp: Switch) -> Self {
        Self {
            stp: Some(stp),
            ..self
        }
    }

    /// How long a learnt hardware address lives, in steps of 10 ms.
    #[must_use]
    pub fn ageing(self, ageing: Duration) -> Self {
        Self {
            ageing: Some(ageing),
            ..self
        }
    }

    /// Multicast only to ports that asked for it.
    #[must_use]
    pub fn multicast_snooping(self, snooping: Switch) -> Self {
        Self {
            multicast_snooping: Some(snooping),
            ..self
        }
    }

    /// How long a port listens and learns before it forwards, with spanning tree on.
    #[must_use]
    pub fn forward_delay(self, delay: Duration) -> Self {
        Self {
            forward_delay: Some(delay),
            ..self
        }
    }

    /// Whether hardware addresses are learnt from frames that a bridge keeps to itself, too.
    #[must_use]
    pub fn reserved_learning(self, learning: Switch) -> Self {
        Self {
            reserved_learning: Some(learning),
            ..self
        }
    }
}

/// Bridge options count time in hundredths of a second (`USER_HZ`).
pub(crate) fn centiseconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis() / 10).unwrap_or(u32::MAX)
}

/// Options of a bridge's port. What is not set is left as the kernel has it.
///
/// ```
/// use bridgework::plan::{PortOptions, Switch};
///
/// let options = PortOptions::new().isolated(Switch::On).hairpin(Switch::On).learning(Switch::Off);
/// assert_eq!((options.hairpin, options.learning), (Some(Switch::On), Some(Switch::Off)));
/// assert!(!options.is_default() && PortOptions::new().is_default());
/// ```
// uapi/linux/if_link.h: IFLA_BRPORT_*
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
#[non_exhaustive]
pub struct PortOptions {
    /// Frames may leave by the port that they came in by.
    pub hairpin: Option<Switch>,
    /// No frames between this port and other isolated ones; the bridge itself is reached.
    pub isolated: Option<Switch>,
    /// The bridge learns hardware addresses from this port.
    pub learning: Option<Switch>,
}

impl PortOptions {
    /// The kernel's defaults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Frames may leave by the port that they came in by.
    #[must_use]
    pub fn hairpin(self, hairpin: Switch) -> Self {
        Self {
            hairpin: Some(hairpin),
            ..self
        }
    }

    /// No frames between this port and other isolated ones.
    #[must_use]
    pub fn isolated(self, isolated: Switch) -> Self {
        Self {
            isolated: Some(isolated),
            ..self
        }
    }

    /// The bridge learns hardware addresses from this port.
    #[must_use]
    pub fn learning(self, learning: Switch) -> Self {
        Self {
            learning: Some(learning),
            ..self
        }
    }

    /// Whether no option is set.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
