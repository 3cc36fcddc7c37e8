//! What will be done, as a value: steps in their order, which can be read, printed, tested and
//! taken back before anything is done.
//!
//! A plan knows nothing of sockets or files. Taking it back needs no second description:
//! [`Plan::undo`] derives it from the steps.

mod file;
mod firewall;
mod flow;
mod link;
pub mod nft;
mod policy;
mod redirect;
mod route;
pub(crate) mod shell;
mod step;
mod sysctl;
mod text;

pub use file::{ContainerFile, FileOrigin, FileWrite, HostsEdit, HostsFile, RootFile};
pub use firewall::{ElementsEdit, HostFirewall, Uplink, UplinkFamily};
pub use flow::FlowMatch;
pub(crate) use link::centiseconds;
pub use link::{BridgeOptions, Link, PortOptions, Side, Switch};
pub use policy::{PROHIBITION_TABLE, PolicyAction, PolicyRule, Prohibition};
pub use redirect::Redirect;
pub use route::Route;
pub use step::{Fate, Step, VethStep};
pub use sysctl::{ConfScope, Ipv4Conf, Ipv6Conf, Sysctl};

use crate::addr::ContainerName;

/// The number by which the kernel's routing tables and policy show that a route or a rule is ours
/// (`rtm_protocol`, `FRA_PROTOCOL`; `/etc/iproute2/rt_protos` gives it to nobody).
pub const ROUTE_PROTOCOL: u8 = 98;

/// The word that the alias of each link of ours begins with.
pub const ALIAS_MARK: &str = "bridgework";

/// Steps in the order in which they are performed. It prints as the lines that an operator would
/// type.
///
/// ```
/// use bridgework::plan::{Link, Plan, Side, Step};
/// use bridgework::LinkIndex;
///
/// let link = Link::new(Side::Host, "br0".parse()?, LinkIndex::new(7)?);
/// let plan = Plan::from_iter([
///     Step::SetUp { link: link.clone() },
///     Step::AddAddress { link, address: "10.0.0.1/24".parse().unwrap() },
/// ]);
/// assert_eq!(
///     plan.to_string(),
///     "ip link set dev br0 up\nip addr add 10.0.0.1/24 brd + dev br0\n",
/// );
/// assert_eq!(
///     plan.undo(2).to_string(),
///     "ip addr del 10.0.0.1/24 dev br0\nip link set dev br0 down\n",
/// );
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    container: Option<ContainerName>,
    steps: Vec<Step>,
}

impl Plan {
    /// A plan for the host's side alone, empty.
    ///
    /// ```
    /// use bridgework::plan::Plan;
    ///
    /// let plan = Plan::new(); // of a driver that needs nothing on the host's side
    /// assert!(plan.is_empty() && plan.container().is_none());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A plan for the host's side and `container`, empty.
    ///
    /// ```
    /// use bridgework::plan::{Plan, Side, Step};
    ///
    /// let mut plan = Plan::with_container("web".parse()?);
    /// plan.push(Step::RaiseLoopback { side: Side::Container });
    /// assert_eq!(plan.to_string(), "ip -n web link set dev lo up\n");
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    #[must_use]
    pub fn with_container(container: ContainerName) -> Self {
        Self {
            container: Some(container),
            steps: Vec::new(),
        }
    }

    /// One more step, after all others.
    ///
    /// ```
    /// use bridgework::LinkIndex;
    /// use bridgework::plan::{Link, Plan, Side, Step};
    ///
    /// let link = Link::new(Side::Host, "br0".parse()?, LinkIndex::new(7)?);
    /// let mut plan = Plan::from_iter([Step::SetDown { link: link.clone() }]);
    /// plan.push(Step::DeleteLink { link });
    /// assert_eq!(plan.to_string(), "ip link set dev br0 down\nip link del dev br0\n");
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    pub fn push(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// More steps, right after the one that sets `link` up and the routes by it that they may need;
    /// at the end if there is none.
    pub(crate) fn insert_after_up(&mut self, link: &Link, steps: Vec<Step>) {
        let leads_there = |step: &Step| match step {
            Step::SetUp { link: up } => up == link,
            Step::AddRoute(route) => route.link == *link,
            _ => false,
        };
        let at = self.steps.iter().rposition(leads_there);
        let at = at.map_or(self.steps.len(), |at| at + 1);
        self.steps.splice(at..at, steps);
    }

    /// The steps, in order.
    ///
    /// ```
    /// use bridgework::plan::{Plan, Side, Step};
    ///
    /// let plan = Plan::from_iter([Step::RaiseLoopback { side: Side::Container }]);
    /// let on_host = plan.steps().iter().filter(|step| step.side() == Some(Side::Host));
    /// assert_eq!(on_host.count(), 0);
    /// ```
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The name of the container's side, if there is one.
    ///
    /// ```
    /// use bridgework::plan::Plan;
    ///
    /// let plan = Plan::with_container("web".parse()?);
    /// assert_eq!(plan.container().map(|name| name.as_str()), Some("web"));
    /// // what takes it back is of the same container
    /// assert_eq!(plan.undo(0).container(), plan.container());
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    #[must_use]
    pub fn container(&self) -> Option<&ContainerName> {
        self.container.as_ref()
    }

    /// Whether there is nothing to do.
    ///
    /// ```
    /// use bridgework::plan::{Plan, Side, Step};
    ///
    /// let plan = Plan::from_iter([Step::RaiseLoopback { side: Side::Host }]);
    /// assert!(!plan.is_empty());
    /// assert!(plan.undo(1).is_empty()); // such a step stays
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The plan that takes back the first `done` steps of this one, last first.
    ///
    /// A step that falls with its link is left out where the link itself is taken back; a step that
    /// stays is left out always. All of it accepts absence, so it may be performed again.
    ///
    /// ```
    /// use bridgework::LinkIndex;
    /// use bridgework::plan::{Link, Plan, Side, Step};
    ///
    /// let link = Link::new(Side::Host, "br0".parse()?, LinkIndex::new(7)?);
    /// let address = "10.0.0.1/24".parse()?;
    /// let plan = Plan::from_iter([
    ///     Step::SetUp { link: link.clone() },
    ///     Step::AddAddress { link, address },
    /// ]);
    /// assert_eq!(plan.undo(1).to_string(), "ip link set dev br0 down\n");
    /// assert_eq!(plan.undo(2).steps().len(), 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn undo(&self, done: usize) -> Plan {
        let done: Vec<usize> = (0..done.min(self.steps.len())).collect();
        self.undo_only(&done)
    }

    /// As [`undo`](Self::undo), for a batch in which some steps failed while later ones were done:
    /// `done` names those that were, in ascending order.
    #[must_use]
    pub(crate) fn undo_only(&self, done: &[usize]) -> Plan {
        let done: Vec<&Step> = done
            .iter()
            .filter_map(|&index| self.steps.get(index))
            .collect();
        let falls = |step: &Step| done.iter().any(|other| other.bears(step));
        let inverse = |step: &&Step| match step.fate() {
            Fate::Undone => step.inverse(),
            Fate::FallsWithLink if !falls(step) => step.inverse(),
            Fate::FallsWithLink | Fate::Stays => None,
        };
        Plan {
            container: self.container.clone(),
            steps: done.iter().rev().filter_map(inverse).collect(),
        }
    }
}

impl Extend<Step> for Plan {
    fn extend<I: IntoIterator<Item = Step>>(&mut self, steps: I) {
        self.steps.extend(steps);
    }
}

impl FromIterator<Step> for Plan {
    fn from_iter<I: IntoIterator<Item = Step>>(steps: I) -> Self {
        Self {
            container: None,
            steps: steps.into_iter().collect(),
        }
    }
}
