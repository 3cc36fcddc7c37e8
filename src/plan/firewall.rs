//! Changes to the packet filter, as plain data: what all networks of a host share, and what moves.

use super::nft::{Element, Table};
use super::policy::{PolicyAction, PolicyRule};
use super::sysctl::{ConfScope, Ipv4Conf, Ipv6Conf, Sysctl};
use crate::addr::{Family, LinkName};

/// What all networks of a host share: there once one of them is, and gone with the last.
///
/// ```
/// use bridgework::Family;
/// use bridgework::plan::{HostFirewall, PolicyAction, PolicyRule};
///
/// let (family, action) = (Family::V4, PolicyAction::Nop);
/// let barrier = PolicyRule { family, priority: 9000, by: None, unless_marked: None, action };
/// let (tables, rules, uplinks) = (Vec::new(), Vec::new(), Vec::new());
/// let firewall = HostFirewall { tables, rules, barriers: vec![barrier], uplinks };
/// let eth0 = "eth0".parse()?;
/// let links: Vec<_> = firewall.barriers_of(&eth0).map(|barrier| barrier.by).collect();
/// assert_eq!(links, [Some(eth0)]);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFirewall {
    /// The tables, whose sets are empty at first.
    pub tables: Vec<Table>,
    /// The rules of the routing policy that are there once.
    pub rules: Vec<PolicyRule>,
    /// The rules that are there once for every link, without its name.
    pub barriers: Vec<PolicyRule>,
    /// The links by which others are reached.
    pub uplinks: Vec<Uplink>,
}

/// A link of the host's by which others reach its containers, and are reached.
///
/// ```
/// use bridgework::plan::{HostFirewall, Uplink};
///
/// fn names(firewall: &HostFirewall) -> Vec<&str> {
///     firewall.uplinks.iter().map(|uplink: &Uplink| uplink.link.as_str()).collect()
/// }
/// let (tables, rules, barriers, uplinks) = Default::default();
/// assert!(names(&HostFirewall { tables, rules, barriers, uplinks }).is_empty());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// The link.
    pub link: LinkName,
    /// By which the filter knows that it is one.
    pub element: Element,
    /// The families that it has addresses of.
    pub families: Vec<UplinkFamily>,
}

/// What comes in by an uplink in one family is forwarded from now on. If it was not before, it is
/// only to containers.
///
/// ```
/// use bridgework::Family;
/// use bridgework::plan::UplinkFamily;
/// # use bridgework::plan::nft::{Element, Field, TableFamily, Value};
/// # let element = Element {
/// #     family: TableFamily::Inet,
/// #     table: "bridgework",
/// #     set: "uplinks",
/// #     key: vec![Field::Link("eth0".parse()?)],
/// #     value: Value::None,
/// #     comment: String::new(),
/// # };
///
/// let family = UplinkFamily { family: Family::V4, raised: element, passing: Vec::new() };
/// let setting = family.setting(&"eth0".parse()?);
/// assert_eq!(setting.to_string(), "net/ipv4/conf/eth0/forwarding");
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UplinkFamily {
    /// Which.
    pub family: Family,
    /// By which the filter knows that nothing was forwarded before.
    pub raised: Element,
    /// What passes all the same, since it is not forwarded but only shown to the filter.
    pub passing: Vec<Element>,
}

/// Where reminders stand among the rules.
const REMINDER: u32 = 9806;

impl UplinkFamily {
    /// The setting by which what comes in by `link` is forwarded.
    #[must_use]
    pub fn setting(&self, link: &LinkName) -> Sysctl {
        Self::setting_of(self.family, link)
    }

    /// The settings of which one is not 0 where what comes in by `link` is forwarded. IPv6 is where it is
    /// on for all, whatever the link's own setting says (`ip6_forward`).
    pub(crate) fn says_whether_forwarded(
        &self,
        link: &LinkName,
    ) -> impl Iterator<Item = Sysctl> + use<> {
        let all = Sysctl::Ipv6(ConfScope::All, Ipv6Conf::Forwarding);
        let all = (self.family == Family::V6).then_some(all);
        all.into_iter().chain([self.setting(link)])
    }

    /// The rule of the routing policy that says, once somebody has flushed the tables, that nothing was
    /// forwarded before. It does nothing else.
    pub(crate) fn reminder(&self, link: &LinkName) -> PolicyRule {
        Self::reminder_of(self.family, link)
    }

    pub(crate) fn reminder_of(family: Family, link: &LinkName) -> PolicyRule {
        PolicyRule {
            family,
            priority: REMINDER,
            by: Some(link.clone()),
            unless_marked: None,
            action: PolicyAction::Nop,
        }
    }

    /// What the rule is a reminder of, if it is one.
    pub(crate) fn reminded_of(rule: &PolicyRule) -> Option<(&LinkName, Family)> {
        let link = rule.by.as_ref()?;
        (*rule == Self::reminder_of(rule.family, link)).then_some((link, rule.family))
    }

    pub(crate) fn setting_of(family: Family, link: &LinkName) -> Sysctl {
        let scope = ConfScope::Link(link.clone());
        match family {
            Family::V4 => Sysctl::Ipv4(scope, Ipv4Conf::Forwarding),
            Family::V6 => Sysctl::Ipv6(scope, Ipv6Conf::ForceForwarding),
        }
    }
}

impl HostFirewall {
    /// The rules of the routing policy that are about one link.
    pub fn barriers_of<'a>(&'a self, link: &'a LinkName) -> impl Iterator<Item = PolicyRule> + 'a {
        self.barriers.iter().map(|barrier| PolicyRule {
            by: Some(link.clone()),
            ..barrier.clone()
        })
    }
}

/// Elements that go and elements that come, in one transaction: there is no moment between.
///
/// ```
/// use bridgework::plan::ElementsEdit;
/// # use bridgework::plan::nft::{Element, Field, TableFamily, Value};
/// # let element = Element {
/// #     family: TableFamily::Inet,
/// #     table: "bridgework",
/// #     set: "uplinks",
/// #     key: vec![Field::Link("eth0".parse()?)],
/// #     value: Value::None,
/// #     comment: String::new(),
/// # };
///
/// let edit = ElementsEdit::adding(vec![element]);
/// assert_eq!(edit.inverse().remove, edit.add);
/// assert!(edit.inverse().add.is_empty() && !edit.is_empty());
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ElementsEdit {
    /// Those that go for good, whatever becomes of the rest, if they are there.
    pub superseded: Vec<Element>,
    /// Those that go.
    pub remove: Vec<Element>,
    /// Those that come. None of their keys may be there yet, but for those that go.
    pub add: Vec<Element>,
}

impl ElementsEdit {
    /// Elements that come.
    #[must_use]
    pub fn adding(add: Vec<Element>) -> Self {
        Self {
            add,
            ..Self::default()
        }
    }

    /// Both in one transaction.
    pub(crate) fn extend(&mut self, other: &Self) {
        self.superseded.extend(other.superseded.iter().cloned());
        self.remove.extend(other.remove.iter().cloned());
        self.add.extend(other.add.iter().cloned());
    }

    /// What takes it back, but for what was superseded.
    #[must_use]
    pub fn inverse(&self) -> Self {
        Self {
            superseded: Vec::new(),
            remove: self.add.clone(),
            add: self.remove.clone(),
        }
    }

    /// Whether nothing goes or comes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.superseded.is_empty() && self.remove.is_empty() && self.add.is_empty()
    }
}
