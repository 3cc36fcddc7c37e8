//! Devices as handles of their own, for those who want only the parts: a bridge, a veth pair, and
//! what both are made of. No networks, no names, no allocator.

mod bridge;
mod veth;

use std::fmt;
use std::net::IpAddr;

use ipnet::IpNet;

pub use bridge::{Bridge, BridgeConfig};
pub use veth::{VethConfig, VethPair};

use crate::addr::{LinkIndex, LinkName, MacAddr, Subnet};
use crate::error::{Error, Fault, Result};
use crate::kernel::{Kernel, Netns, random_bytes};
use crate::plan::{ALIAS_MARK, Link, Plan, Route, Side, Step};
use crate::snapshot::{LinkState, Snapshot};

/// A link in a namespace, whoever made it: addresses, routes, up and down.
///
/// Dropping it changes nothing. What it adds falls with the link.
///
/// ```no_run
/// # fn main() -> Result<(), bridgework::Error> {
/// use bridgework::{Device, Netns};
///
/// let netns = Netns::create()?;
/// let lo = Device::open(&netns, "lo")?;
/// assert_eq!((lo.name().as_str(), lo.index().get(), lo.netns()), ("lo", 1, &netns));
/// lo.set_up()?;
///
/// let address = "10.0.0.1/32".parse().unwrap();
/// lo.add_address(address)?;
/// assert!(lo.addresses()?.contains(&address));
/// lo.add_route("10.1.0.0/16".parse()?, None)?;
///
/// lo.delete_address(address)?;
/// lo.set_down()?; // the route goes with that
/// assert!(!lo.state()?.up);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Device {
    kernel: Kernel,
    link: Link,
}

impl Device {
    /// The link of that name. Needs `CAP_NET_ADMIN` in the namespace.
    ///
    /// # Errors
    /// There is none of that name ([`Error::is_not_found`]).
    pub fn open<V>(netns: &Netns, name: V) -> Result<Self>
    where
        V: TryInto<LinkName>,
        V::Error: Into<Fault>,
    {
        let attempt = "open link";
        let name = name
            .try_into()
            .map_err(|error| Error::of(attempt, vec![error.into()]))?;
        let kernel = Kernel::new(netns.clone())?;
        let state = find(&kernel.snapshot()?, &name, netns)?;
        let index = LinkIndex::new(state.index)?;
        Ok(Self {
            kernel,
            link: Link::new(Side::Host, name, index),
        })
    }

    fn new(kernel: Kernel, link: Link) -> Self {
        Self { kernel, link }
    }

    /// Its name, as it was when it was opened or made.
    #[must_use]
    pub fn name(&self) -> &LinkName {
        &self.link.name
    }

    /// Its index.
    #[must_use]
    pub fn index(&self) -> LinkIndex {
        self.link.index
    }

    /// Its namespace.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        self.kernel.namespace()
    }

    /// What the kernel says of it now.
    ///
    /// # Errors
    /// It is gone ([`Error::is_not_found`]).
    pub fn state(&self) -> Result<LinkState> {
        self.state_in(&self.kernel.snapshot()?).cloned()
    }

    /// Its addresses now.
    ///
    /// # Errors
    /// It is gone ([`Error::is_not_found`]).
    pub fn addresses(&self) -> Result<Vec<IpNet>> {
        let snapshot = self.kernel.snapshot()?;
        self.state_in(&snapshot)?;
        let mine = snapshot
            .addresses
            .iter()
            .filter(|state| state.link == self.link.index.get());
        Ok(mine.map(|state| state.address).collect())
    }

    /// Sets it up.
    ///
    /// # Errors
    /// It is gone, or `CAP_NET_ADMIN` is missing.
    pub fn set_up(&self) -> Result<()> {
        self.perform(
            "set link up",
            Step::SetUp {
                link: self.link.clone(),
            },
        )
    }

    /// Sets it down. Its routes go with that, and its IPv6 addresses.
    ///
    /// # Errors
    /// It is gone, or `CAP_NET_ADMIN` is missing.
    pub fn set_down(&self) -> Result<()> {
        self.perform(
            "set link down",
            Step::SetDown {
                link: self.link.clone(),
            },
        )
    }

    /// Adds an address, usable at once.
    ///
    /// # Errors
    /// It has that address already ([`Error::is_exists`]).
    pub fn add_address(&self, address: IpNet) -> Result<()> {
        self.perform(
            "add address",
            Step::AddAddress {
                link: self.link.clone(),
                address,
            },
        )
    }

    /// Takes an address away. If it is gone already, that is done.
    ///
    /// # Errors
    /// `CAP_NET_ADMIN` is missing.
    pub fn delete_address(&self, address: IpNet) -> Result<()> {
        let step = Step::DeleteAddress {
            link: self.link.clone(),
            address,
        };
        self.kernel.take_back(&Plan::from_iter([step]), None)
    }

    /// Adds a route that leaves by it, with the kernel's own metric: 0 for IPv4, 1024 for IPv6. Without
    /// a gateway, `destination` is on the link itself.
    ///
    /// # Errors
    /// There is such a route already ([`Error::is_exists`]), or the next hop can't be reached.
    pub fn add_route(&self, destination: Subnet, gateway: Option<IpAddr>) -> Result<()> {
        let link = self.link.clone();
        let route = Route {
            destination: destination.into(),
            gateway,
            link,
            metric: 0,
        };
        self.perform("add route", Step::AddRoute(route))
    }

    fn perform(&self, attempt: &str, step: Step) -> Result<()> {
        let performed = self.kernel.apply(&Plan::from_iter([step]), None);
        performed.map_err(|error| error.during(format!("{attempt} {}", self.link.name)))
    }

    fn state_in<'s>(&self, snapshot: &'s Snapshot) -> Result<&'s LinkState> {
        let state = snapshot.link_at(self.link.index.get());
        state.ok_or_else(|| self.gone())
    }

    fn gone(&self) -> Error {
        let namespace = Some(self.netns().label().to_owned());
        let fault = Fault::LinkNotFound {
            name: self.link.name.clone(),
            namespace,
        };
        Error::of(format!("look at link {}", self.link.name), vec![fault])
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Device({} in {:?})", self.link.name, self.netns())
    }
}

/// What becomes of a device that we made when its handle is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    Delete,
    Nothing,
}

fn find(snapshot: &Snapshot, name: &LinkName, netns: &Netns) -> Result<LinkState> {
    snapshot.link_named(name.as_str()).cloned().ok_or_else(|| {
        let namespace = Some(netns.label().to_owned());
        let fault = Fault::LinkNotFound {
            name: name.clone(),
            namespace,
        };
        Error::of(format!("open link {name}"), vec![fault])
    })
}

fn delete(kernel: &Kernel, link: &Link) -> Result<()> {
    let undo = Plan::from_iter([Step::DeleteLink { link: link.clone() }]);
    let deleted = kernel.take_back(&undo, None);
    deleted.map_err(|error| error.during(format!("delete link {}", link.name)))
}

fn mark(link: &Link) -> Step {
    Step::SetAlias {
        link: link.clone(),
        alias: format!("{ALIAS_MARK} device"),
    }
}

fn new_link(side: Side, name: LinkName) -> Result<Link> {
    Ok(Link::new(side, name, LinkIndex::private(random_bytes()?)))
}

fn choose_mac(wanted: Option<MacAddr>) -> Result<MacAddr> {
    match wanted {
        Some(mac) => Ok(mac),
        None => Ok(MacAddr::locally_administered(random_bytes()?)),
    }
}
