//! One change to the kernel or to a file: the closed set of all that a plan can do, with the fate
//! and the inverse of each.
//!
//! A step is plain data. It does nothing; `kernel` performs it and `text` prints it.

use ipnet::IpNet;

use super::file::{FileWrite, HostsEdit};
use super::firewall::{ElementsEdit, HostFirewall};
use super::flow::FlowMatch;
use super::link::{BridgeOptions, Link, PortOptions, Side};
use super::policy::{PolicyRule, Prohibition};
use super::redirect::Redirect;
use super::route::Route;
use super::sysctl::{ConfScope, Sysctl};
use crate::addr::{LinkSysctl, MacAddr, Mtu};

/// What becomes of a step when its plan is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fate {
    /// It is undone by its inverse.
    Undone,
    /// The kernel drops it together with its link; only if the link stays is it undone.
    FallsWithLink,
    /// It stays: a fact that the host must have, never switched off behind someone's back.
    Stays,
}

/// A veth pair, both ends of which are born in one message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VethStep {
    /// The near end.
    pub link: Link,
    /// The near end's hardware address.
    pub mac: MacAddr,
    /// The bridge that the near end is born on, if any.
    pub master: Option<Link>,
    /// The far end.
    pub peer: Link,
    /// The far end's hardware address.
    pub peer_mac: MacAddr,
    /// The MTU of both ends.
    pub mtu: Mtu,
}

/// One change. See the [module](crate::plan) for how steps make a plan.
///
/// ```
/// use bridgework::LinkIndex;
/// use bridgework::plan::{Fate, Link, Side, Step};
///
/// let link = Link::new(Side::Host, "br0".parse()?, LinkIndex::new(7)?);
/// let step = Step::SetUp { link: link.clone() };
/// assert_eq!(step.to_string(), "ip link set dev br0 up");
/// assert_eq!((step.side(), step.link()), (Some(Side::Host), Some(&link)));
/// assert_eq!(step.inverse(), Some(Step::SetDown { link }));
/// assert_eq!(step.fate(), Fate::FallsWithLink); // so that the inverse is seldom asked for
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// A new bridge, down.
    AddBridge {
        /// The bridge.
        link: Link,
        /// Its hardware address. It is set, so that it does not follow those of its ports.
        mac: MacAddr,
        /// Its MTU.
        mtu: Mtu,
        /// Its options.
        options: BridgeOptions,
    },
    /// A new veth pair, both ends down.
    AddVeth(VethStep),
    /// The link goes, and all that falls with it. If it is gone already, that is done.
    DeleteLink {
        /// The link.
        link: Link,
    },
    /// The text by which `ip link` shows whose link it is.
    SetAlias {
        /// The link.
        link: Link,
        /// At most 255 bytes (`IFALIASZ`).
        alias: String,
    },
    /// A link that somebody has renamed gets its name back.
    SetName {
        /// The link, by the name that it shall have.
        link: Link,
        /// The name that it has.
        found: String,
    },
    /// The MTU.
    SetMtu {
        /// The link.
        link: Link,
        /// Its MTU.
        mtu: Mtu,
    },
    /// No link-local IPv6 address of the kernel's own making.
    SetNoAutoAddress {
        /// The link.
        link: Link,
    },
    /// The bridge that the link is a port of, or none.
    SetMaster {
        /// The link.
        link: Link,
        /// The bridge.
        master: Option<Link>,
    },
    /// Options of the port that the link is.
    SetPort {
        /// The link.
        link: Link,
        /// The options.
        options: PortOptions,
    },
    /// The loopback link goes up, which every namespace has with index 1.
    RaiseLoopback {
        /// Whose it is.
        side: Side,
    },
    /// The link goes up.
    SetUp {
        /// The link.
        link: Link,
    },
    /// The link goes down.
    SetDown {
        /// The link.
        link: Link,
    },
    /// An address, usable at once (no duplicate address detection).
    AddAddress {
        /// The link.
        link: Link,
        /// The address and the length of its subnet's prefix.
        address: IpNet,
    },
    /// The address goes. If it is gone already, that is done.
    DeleteAddress {
        /// The link.
        link: Link,
        /// The address and the length of its subnet's prefix.
        address: IpNet,
    },
    /// The route to an address's subnet that the kernel itself makes with the address, where somebody
    /// has deleted that alone.
    AddSubnetRoute {
        /// The link.
        link: Link,
        /// The address and the length of its subnet's prefix.
        address: IpNet,
    },
    /// A route. It must not be there yet.
    AddRoute(Route),
    /// The route goes. If it is gone already, that is done.
    DeleteRoute(Route),
    /// Where a route leads, from one moment to the next: at none is there no route.
    ReplaceRoute {
        /// What it was. Both have the same destination; one of another metric goes after the other came.
        from: Route,
        /// What it is.
        to: Route,
    },
    /// A rule of the host's routing policy. It must not be there yet.
    AddPolicyRule(PolicyRule),
    /// The rule goes. If it is gone already, that is done.
    DeletePolicyRule(PolicyRule),
    /// A subnet that a routing table of the host's prohibits. It must not be there yet.
    AddProhibition(Prohibition),
    /// The prohibition goes. If it is gone already, that is done.
    DeleteProhibition(Prohibition),
    /// Queries of the container's come to other ports. One that was there before is replaced.
    AddRedirect(Redirect),
    /// They come to where they are sent again. If they do already, that is done.
    DeleteRedirect(Redirect),
    /// A link goes from one namespace to the other, down, without its addresses and routes.
    MoveLink {
        /// As it was.
        from: Link,
        /// As it is.
        to: Link,
    },
    /// A kernel setting.
    SetSysctl {
        /// Whose setting it is.
        side: Side,
        /// Which one.
        key: Sysctl,
        /// Its new value.
        value: u32,
    },
    /// Nothing is changed; the setting is this again once the plan is taken back.
    KeepSysctl {
        /// Whose setting it is.
        side: Side,
        /// Which one.
        key: Sysctl,
        /// What it was before.
        value: u32,
    },
    /// A kernel setting of one link, as a caller wrote it.
    SetLinkSysctl {
        /// The link.
        link: Link,
        /// The setting and its new value.
        setting: LinkSysctl,
    },
    /// Nothing is changed; the plan goes on once the bridge forwards what this port sends.
    AwaitForwarding {
        /// The port.
        link: Link,
    },
    /// The link's addresses are announced to the neighbours: the hardware address is set to what
    /// it is, which makes the kernel send a gratuitous ARP (`arp_notify`) and an unsolicited
    /// neighbour advertisement (`ndisc_notify`) for each. A bridge keeps it from then on, whatever
    /// ports come and go.
    Announce {
        /// The link.
        link: Link,
        /// Its hardware address.
        mac: MacAddr,
    },
    /// What all networks of a host share is there, if it was not yet.
    RaiseFirewall(HostFirewall),
    /// What all networks of a host share goes, if it is none's any more and the user has put no rules
    /// of their own there.
    RetireFirewall(HostFirewall),
    /// Elements of the firewall's sets go and come in one transaction. One that goes may be gone.
    EditElements(ElementsEdit),
    /// Tracked connections are forgotten: the next packet of each begins a new one.
    ForgetFlows(Vec<FlowMatch>),
    /// Lines of a hosts file.
    EditHosts(HostsEdit),
    /// The whole text of a container's file, unless its user wrote another.
    WriteFile(FileWrite),
}

impl Step {
    /// What becomes of it when the plan is taken back.
    #[must_use]
    pub fn fate(&self) -> Fate {
        match self {
            Self::AddBridge { .. }
            | Self::AddVeth(_)
            | Self::ReplaceRoute { .. }
            | Self::RaiseFirewall(_)
            | Self::EditElements(_)
            | Self::AddPolicyRule(_)
            | Self::AddProhibition(_)
            | Self::AddRedirect(_)
            | Self::EditHosts(_)
            | Self::WriteFile(_) => Fate::Undone,
            Self::SetAlias { .. }
            | Self::SetName { .. }
            | Self::SetMtu { .. }
            | Self::SetNoAutoAddress { .. }
            | Self::SetMaster { .. }
            | Self::SetPort { .. }
            | Self::SetUp { .. }
            | Self::AddAddress { .. }
            | Self::AddSubnetRoute { .. }
            | Self::AddRoute(_)
            | Self::MoveLink { .. }
            | Self::SetLinkSysctl { .. }
            | Self::AwaitForwarding { .. }
            | Self::Announce { .. } => Fate::FallsWithLink,
            Self::KeepSysctl { key, .. } => match key.scope() {
                ConfScope::Link(_) => Fate::FallsWithLink,
                ConfScope::All | ConfScope::Default => Fate::Undone,
            },
            Self::SetSysctl { key, .. } => match key.scope() {
                ConfScope::Link(_) => Fate::FallsWithLink,
                ConfScope::All | ConfScope::Default => Fate::Stays,
            },
            Self::DeleteLink { .. }
            | Self::RaiseLoopback { .. }
            | Self::SetDown { .. }
            | Self::DeleteAddress { .. }
            | Self::DeleteRoute(_)
            | Self::RetireFirewall(_)
            | Self::ForgetFlows(_)
            | Self::DeletePolicyRule(_)
            | Self::DeleteProhibition(_)
            | Self::DeleteRedirect(_) => Fate::Stays,
        }
    }

    /// The step that takes this one back, made of nothing but the step itself. `None` where the
    /// former state is not known or nothing was changed.
    #[must_use]
    pub fn inverse(&self) -> Option<Step> {
        match self {
            Self::AddBridge { link, .. } => Some(Self::DeleteLink { link: link.clone() }),
            Self::AddVeth(veth) => Some(Self::DeleteLink {
                link: veth.link.clone(),
            }),
            Self::SetMaster {
                link,
                master: Some(_),
            } => Some(Self::SetMaster {
                link: link.clone(),
                master: None,
            }),
            Self::SetUp { link } => Some(Self::SetDown { link: link.clone() }),
            Self::AddAddress { link, address } => Some(Self::DeleteAddress {
                link: link.clone(),
                address: *address,
            }),
            Self::AddRoute(route) => Some(Self::DeleteRoute(route.clone())),
            Self::ReplaceRoute { from, to } => Some(Self::ReplaceRoute {
                from: to.clone(),
                to: from.clone(),
            }),
            Self::RaiseFirewall(firewall) => Some(Self::RetireFirewall(firewall.clone())),
            Self::EditElements(edit) => Some(Self::EditElements(edit.inverse())),
            Self::AddPolicyRule(rule) => Some(Self::DeletePolicyRule(rule.clone())),
            Self::AddProhibition(prohibition) => Some(Self::DeleteProhibition(*prohibition)),
            Self::AddRedirect(redirect) => Some(Self::DeleteRedirect(*redirect)),
            Self::MoveLink { from, to } => Some(Self::MoveLink {
                from: to.clone(),
                to: from.clone(),
            }),
            Self::EditHosts(edit) => Some(Self::EditHosts(HostsEdit {
                file: edit.file.clone(),
                remove: edit.add.clone(),
                add: edit.remove.clone(),
            })),
            Self::WriteFile(write) => Some(Self::WriteFile(write.inverse())),
            Self::KeepSysctl { side, key, value } => Some(Self::SetSysctl {
                side: *side,
                key: key.clone(),
                value: *value,
            }),
            Self::DeleteLink { .. }
            | Self::SetAlias { .. }
            | Self::SetName { .. }
            | Self::SetMtu { .. }
            | Self::AddSubnetRoute { .. }
            | Self::SetNoAutoAddress { .. }
            | Self::SetMaster { master: None, .. }
            | Self::SetPort { .. }
            | Self::RaiseLoopback { .. }
            | Self::SetDown { .. }
            | Self::DeleteAddress { .. }
            | Self::DeleteRoute(_)
            | Self::RetireFirewall(_)
            | Self::ForgetFlows(_)
            | Self::DeletePolicyRule(_)
            | Self::DeleteProhibition(_)
            | Self::DeleteRedirect(_)
            | Self::SetSysctl { .. }
            | Self::SetLinkSysctl { .. }
            | Self::AwaitForwarding { .. }
            | Self::Announce { .. } => None,
        }
    }

    /// The side whose kernel state it changes; `None` for a step on a file.
    #[must_use]
    pub fn side(&self) -> Option<Side> {
        match self {
            Self::SetSysctl { side, .. }
            | Self::KeepSysctl { side, .. }
            | Self::RaiseLoopback { side } => Some(*side),
            Self::RaiseFirewall(_)
            | Self::RetireFirewall(_)
            | Self::EditElements(_)
            | Self::ForgetFlows(_)
            | Self::AddPolicyRule(_)
            | Self::DeletePolicyRule(_)
            | Self::AddProhibition(_)
            | Self::DeleteProhibition(_) => Some(Side::Host),
            Self::AddRedirect(_) | Self::DeleteRedirect(_) => Some(Side::Container),
            Self::EditHosts(_) | Self::WriteFile(_) => None,
            other => other.link().map(|link| link.side),
        }
    }

    /// The link that it is about, if it is about one.
    #[must_use]
    pub fn link(&self) -> Option<&Link> {
        match self {
            Self::AddBridge { link, .. }
            | Self::DeleteLink { link }
            | Self::SetAlias { link, .. }
            | Self::SetName { link, .. }
            | Self::SetMtu { link, .. }
            | Self::AddSubnetRoute { link, .. }
            | Self::SetNoAutoAddress { link }
            | Self::SetMaster { link, .. }
            | Self::SetPort { link, .. }
            | Self::SetUp { link }
            | Self::SetDown { link }
            | Self::AddAddress { link, .. }
            | Self::DeleteAddress { link, .. }
            | Self::SetLinkSysctl { link, .. }
            | Self::AwaitForwarding { link }
            | Self::Announce { link, .. } => Some(link),
            Self::AddVeth(veth) => Some(&veth.link),
            Self::AddRoute(route) | Self::DeleteRoute(route) => Some(&route.link),
            Self::ReplaceRoute { to, .. } => Some(&to.link),
            Self::MoveLink { from, .. } => Some(from),
            Self::SetSysctl { .. }
            | Self::KeepSysctl { .. }
            | Self::RaiseLoopback { .. }
            | Self::RaiseFirewall(_)
            | Self::RetireFirewall(_)
            | Self::EditElements(_)
            | Self::ForgetFlows(_)
            | Self::AddPolicyRule(_)
            | Self::DeletePolicyRule(_)
            | Self::AddProhibition(_)
            | Self::DeleteProhibition(_)
            | Self::AddRedirect(_)
            | Self::DeleteRedirect(_)
            | Self::EditHosts(_)
            | Self::WriteFile(_) => None,
        }
    }

    /// Whether `link` is there because of this step.
    pub(crate) fn brings(&self, link: &Link) -> bool {
        self.brought()
            .into_iter()
            .flatten()
            .any(|brought| brought == link)
    }

    fn brought(&self) -> [Option<&Link>; 2] {
        match self {
            Self::AddBridge { link, .. } => [Some(link), None],
            Self::AddVeth(veth) => [Some(&veth.link), Some(&veth.peer)],
            Self::MoveLink { to, .. } => [Some(to), None],
            _ => [None, None],
        }
    }

    /// Whether this step brings the link that `other` needs.
    pub(crate) fn bears(&self, other: &Step) -> bool {
        self.brought()
            .into_iter()
            .flatten()
            .any(|link| match other {
                Self::SetSysctl { side, key, .. } | Self::KeepSysctl { side, key, .. } => {
                    *side == link.side && *key.scope() == ConfScope::Link(link.name.clone())
                }
                _ => other.link() == Some(link),
            })
    }
}
