//! The kernel settings that a plan may write: a closed list, so that no text of a caller ever
//! becomes a path below `/proc/sys`.

use std::fmt;

use crate::addr::LinkName;

/// Whose setting it is.
///
/// ```
/// use bridgework::plan::{ConfScope, Ipv4Conf, Sysctl};
///
/// let of_link = ConfScope::Link("br0".parse()?);
/// assert_eq!(of_link.directory(), "br0");
/// let key = Sysctl::Ipv4(ConfScope::All, Ipv4Conf::RpFilter);
/// assert_eq!(key.to_string(), "net/ipv4/conf/all/rp_filter");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ConfScope {
    /// Of all links of the namespace.
    All,
    /// Of links that are yet to come.
    Default,
    /// Of one link.
    Link(LinkName),
}

impl ConfScope {
    /// The directory below `conf`.
    #[must_use]
    pub fn directory(&self) -> &str {
        match self {
            Self::All => "all",
            Self::Default => "default",
            Self::Link(name) => name.as_str(),
        }
    }
}

/// A setting below `net/ipv4/conf/<link>` (Documentation/networking/ip-sysctl.rst).
///
/// ```
/// use bridgework::plan::{ConfScope, Ipv4Conf, Side, Step, Sysctl};
///
/// let key = Sysctl::Ipv4(ConfScope::Link("br0".parse()?), Ipv4Conf::Forwarding);
/// let step = Step::SetSysctl { side: Side::Host, key, value: 1 };
/// assert_eq!(step.to_string(), "sysctl -w net/ipv4/conf/br0/forwarding=1");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Ipv4Conf {
    /// Whether ICMP redirects change routes. On a link that does not forward, the kernel takes
    /// them if the link's *or* `all`'s setting is 1.
    AcceptRedirects,
    /// Whether the link's addresses are announced when it comes up or its hardware address is set.
    ArpNotify,
    /// Whether packets that come in by this link are forwarded.
    Forwarding,
    /// Whether addresses of 127.0.0.0/8 may be used on this link.
    RouteLocalnet,
    /// Whether a packet is dropped whose source the routes do not lead back to by this link.
    RpFilter,
    /// Whether the check of the source heeds the packet's mark.
    SrcValidMark,
}

/// A setting below `net/ipv6/conf/<link>` (Documentation/networking/ip-sysctl.rst).
///
/// ```
/// use bridgework::plan::{ConfScope, Ipv6Conf, Side, Step, Sysctl};
///
/// let key = Sysctl::Ipv6(ConfScope::Link("eth0".parse()?), Ipv6Conf::AcceptRa);
/// let step = Step::SetSysctl { side: Side::Host, key, value: 0 };
/// assert_eq!(step.to_string(), "sysctl -w net/ipv6/conf/eth0/accept_ra=0");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Ipv6Conf {
    /// Whether router advertisements change addresses and routes.
    AcceptRa,
    /// Whether ICMPv6 redirects change routes.
    AcceptRedirects,
    /// Whether the link has no IPv6 at all.
    DisableIpv6,
    /// Whether packets that come in by this link are forwarded. The kernel heeds `all` alone.
    Forwarding,
    /// Whether packets that come in by this link are forwarded, whatever `all` says (Linux 6.17).
    /// Older kernels forward IPv6 on all links or none.
    ForceForwarding,
    /// Whether the link's addresses are announced when it comes up or its hardware address is set.
    NdiscNotify,
}

/// One kernel setting.
///
/// ```
/// use bridgework::plan::{ConfScope, Ipv6Conf, Sysctl};
///
/// let key = Sysctl::Ipv6(ConfScope::Default, Ipv6Conf::DisableIpv6);
/// assert_eq!(key.to_string(), "net/ipv6/conf/default/disable_ipv6");
/// assert_eq!((key.scope(), key.file()), (&ConfScope::Default, "disable_ipv6"));
/// assert!(key.is_ipv6());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Sysctl {
    /// `net/ipv4/conf/…`
    Ipv4(ConfScope, Ipv4Conf),
    /// `net/ipv6/conf/…`
    Ipv6(ConfScope, Ipv6Conf),
}

impl Sysctl {
    /// The directory that the setting belongs to, and what all of a namespace's settings share.
    #[must_use]
    pub fn scope(&self) -> &ConfScope {
        match self {
            Self::Ipv4(scope, _) | Self::Ipv6(scope, _) => scope,
        }
    }

    /// The file's name: the last part of the path.
    #[must_use]
    pub fn file(&self) -> &'static str {
        match self {
            Self::Ipv4(_, Ipv4Conf::AcceptRedirects) => "accept_redirects",
            Self::Ipv4(_, Ipv4Conf::ArpNotify) => "arp_notify",
            Self::Ipv4(_, Ipv4Conf::Forwarding) => "forwarding",
            Self::Ipv4(_, Ipv4Conf::RouteLocalnet) => "route_localnet",
            Self::Ipv4(_, Ipv4Conf::RpFilter) => "rp_filter",
            Self::Ipv4(_, Ipv4Conf::SrcValidMark) => "src_valid_mark",
            Self::Ipv6(_, Ipv6Conf::AcceptRa) => "accept_ra",
            Self::Ipv6(_, Ipv6Conf::AcceptRedirects) => "accept_redirects",
            Self::Ipv6(_, Ipv6Conf::DisableIpv6) => "disable_ipv6",
            Self::Ipv6(_, Ipv6Conf::ForceForwarding) => "force_forwarding",
            Self::Ipv6(_, Ipv6Conf::Forwarding) => "forwarding",
            Self::Ipv6(_, Ipv6Conf::NdiscNotify) => "ndisc_notify",
        }
    }

    /// Whether the setting belongs to IPv6.
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        matches!(self, Self::Ipv6(..))
    }
}

impl fmt::Display for Sysctl {
    /// The path below `/proc/sys`. `sysctl` takes slashes too, and only they are right for a link
    /// with a dot in its name.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.is_ipv6() { "ipv6" } else { "ipv4" };
        write!(
            f,
            "net/{family}/conf/{}/{}",
            self.scope().directory(),
            self.file()
        )
    }
}
