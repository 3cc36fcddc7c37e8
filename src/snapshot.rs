//! What a namespace has at one moment: links, addresses, routes. Plain data, read by drivers and
//! compared by tests; reading it from the kernel is the business of `kernel`.

use ipnet::IpNet;
use std::net::IpAddr;

use crate::addr::{MacAddr, Mtu};
use crate::plan::{PolicyRule, Sysctl};

/// A link as it is. The name is what the kernel says, which may be more than a
/// [`LinkName`](crate::LinkName) allows.
///
/// ```
/// use bridgework::snapshot::LinkState;
///
/// let mut port = LinkState::new(4, "veth0", "veth");
/// port.master = Some(3);
/// assert_eq!((port.mtu_bytes, port.up), (1500, false));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LinkState {
    /// Its number in its namespace.
    pub index: u32,
    /// Its name.
    pub name: String,
    /// `bridge`, `veth`, …; empty for hardware and `lo`.
    pub kind: String,
    /// Its hardware address, if it has one of six bytes.
    pub mac: Option<MacAddr>,
    /// The MTU in bytes.
    pub mtu_bytes: u32,
    /// The bridge that it is a port of.
    pub master: Option<u32>,
    /// The index of a veth's other end, in the namespace that it is in.
    pub peer: Option<u32>,
    /// Whether it is set up.
    pub up: bool,
    /// The text that says whose it is, empty if there is none.
    pub alias: String,
}

impl LinkState {
    /// A link that is down and has nothing: what a test of a driver begins with.
    ///
    /// ```
    /// use bridgework::snapshot::{LinkState, Snapshot};
    ///
    /// let mut host = Snapshot::default();
    /// host.links.push(LinkState::new(3, "docker0", "bridge"));
    /// assert_eq!(host.link_named("docker0").map(|link| link.up), Some(false));
    /// ```
    #[must_use]
    pub fn new(index: u32, name: impl Into<String>, kind: impl Into<String>) -> Self {
        Self {
            index,
            name: name.into(),
            kind: kind.into(),
            mac: None,
            mtu_bytes: Mtu::ETHERNET.bytes(),
            master: None,
            peer: None,
            up: false,
            alias: String::new(),
        }
    }
}

/// An address of a link.
///
/// ```
/// use bridgework::Subnet;
/// use bridgework::snapshot::{AddressState, Snapshot};
///
/// let shop: Subnet = "10.89.0.0/24".parse()?;
/// let mut host = Snapshot::default();
/// host.addresses.push(AddressState::new(3, shop.interface([10, 89, 0, 1].into()).unwrap()));
/// let is_taken = |at: &AddressState| shop.contains(at.address.addr());
/// assert!(host.addresses.iter().any(is_taken));
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct AddressState {
    /// The link's index.
    pub link: u32,
    /// The address, with the length of its subnet's prefix.
    pub address: IpNet,
}

impl AddressState {
    /// An address of the link with that index.
    ///
    /// ```
    /// use bridgework::Subnet;
    /// use bridgework::snapshot::AddressState;
    ///
    /// let address = AddressState::new(3, "10.89.0.1/32".parse::<Subnet>()?);
    /// assert_eq!((address.link, address.address.prefix_len()), (3, 32));
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    #[must_use]
    pub fn new(link: u32, address: impl Into<IpNet>) -> Self {
        let address = address.into();
        Self { link, address }
    }

    /// Whether nobody reaches the host by it from further than the link itself.
    pub(crate) fn is_near(&self) -> bool {
        match self.address {
            IpNet::V4(net) => net.addr().is_link_local() || net.addr().is_loopback(),
            IpNet::V6(net) => net.addr().is_unicast_link_local() || net.addr().is_loopback(),
        }
    }
}

/// How much of a namespace is looked at. To list the links of many containers takes milliseconds.
///
/// ```
/// use bridgework::driver::{BridgeDriver, Driver};
/// use bridgework::snapshot::View;
///
/// assert_eq!(BridgeDriver.view(), View::Uplinks);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum View {
    /// All links, addresses and routes.
    Whole,
    /// All addresses, and of the links those that have one by which others reach the host: one that is
    /// neither loopback nor link-local. No routes.
    Uplinks,
}

/// A route of any table.
///
/// ```no_run
/// use bridgework::Host;
/// use bridgework::plan::ROUTE_PROTOCOL;
///
/// let mut routes = Host::isolated()?.snapshot()?.routes;
/// routes.retain(|route| route.protocol == ROUTE_PROTOCOL); // those that are ours
/// for route in routes {
///     println!("{} in table {}", route.destination, route.table);
/// }
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct RouteState {
    /// Where it leads.
    pub destination: IpNet,
    /// The next hop, if there is one.
    pub gateway: Option<IpAddr>,
    /// The index of the link that it leaves by, if it names one alone.
    pub link: Option<u32>,
    /// The lower, the better.
    pub metric: u32,
    /// The table's number; 254 is `main`, 255 `local`.
    pub table: u32,
    /// Who made it (`rtm_protocol`).
    pub protocol: u8,
}

/// One thing of a namespace that is otherwise than before, as the kernel tells whoever listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Change {
    /// A link came, or is so now.
    Link(LinkState),
    /// The link of that number is gone.
    LinkGone(u32),
    /// An address came, or is so now.
    Address(AddressState),
    AddressGone(AddressState),
    /// A route came, maybe in the place of another one.
    Route(RouteState),
    RouteGone(RouteState),
    /// A rule of the routing policy that bears our mark.
    Rule(PolicyRule),
    RuleGone(PolicyRule),
}

/// All links, addresses and routes of one namespace, each sorted.
///
/// Each of the three is as it was at one moment. Only where changes never pause for 50 ms it is
/// everything that was there all the while, and maybe something that has gone since.
///
/// ```no_run
/// use bridgework::{Host, NetworkConfig};
///
/// let host = Host::isolated()?;
/// let before = host.snapshot()?;
/// host.create_network(NetworkConfig::bridge("shop"))?.remove()?;
/// assert_eq!(host.snapshot()?, before); // nothing is left
/// # Ok::<(), bridgework::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Snapshot {
    /// The links, by index.
    pub links: Vec<LinkState>,
    /// The addresses, by link.
    pub addresses: Vec<AddressState>,
    /// The routes of all tables, IPv4 before IPv6.
    pub routes: Vec<RouteState>,
    /// Settings of the link that a network is going to be on, where that is there already; else none.
    pub settings: Vec<(Sysctl, u32)>,
}

impl Snapshot {
    /// The link of that name.
    ///
    /// ```
    /// use bridgework::snapshot::{LinkState, Snapshot};
    ///
    /// let mut host = Snapshot::default();
    /// host.links.push(LinkState::new(3, "br0", "bridge"));
    /// let bridges = host.link_named("br0").filter(|link| link.kind == "bridge");
    /// assert_eq!(bridges.map(|bridge| bridge.index), Some(3));
    /// assert_eq!(host.link_named("br1"), None);
    /// ```
    #[must_use]
    pub fn link_named(&self, name: &str) -> Option<&LinkState> {
        self.links.iter().find(|link| link.name == name)
    }

    /// The link of that index.
    ///
    /// ```
    /// use bridgework::snapshot::{LinkState, Snapshot};
    ///
    /// let mut host = Snapshot::default();
    /// let mut port = LinkState::new(4, "veth0", "veth");
    /// port.master = Some(3);
    /// host.links = vec![LinkState::new(3, "br0", "bridge"), port];
    /// let bridge = host.links[1].master.and_then(|master| host.link_at(master));
    /// assert_eq!(bridge.map(|bridge| bridge.name.as_str()), Some("br0"));
    /// ```
    #[must_use]
    pub fn link_at(&self, index: u32) -> Option<&LinkState> {
        self.links.iter().find(|link| link.index == index)
    }

    /// The MTU of the link that the default route leaves by, IPv4 first; the lowest metric counts.
    ///
    /// ```
    /// use bridgework::Mtu;
    /// use bridgework::snapshot::Snapshot;
    ///
    /// let nowhere = Snapshot::default(); // a new namespace has no routes
    /// let mtu = nowhere.default_route_mtu().unwrap_or(Mtu::ETHERNET);
    /// assert_eq!(mtu.bytes(), 1500);
    /// ```
    #[must_use]
    pub fn default_route_mtu(&self) -> Option<Mtu> {
        let default = |route: &&RouteState| {
            route.destination.prefix_len() == 0 && route.link.is_some() && route.gateway.is_some()
        };
        let ipv6 = |route: &RouteState| matches!(route.destination, IpNet::V6(_));
        let best = self
            .routes
            .iter()
            .filter(default)
            .min_by_key(|r| (ipv6(r), r.metric))?;
        let link = self.link_at(best.link?)?;
        Mtu::new(link.mtu_bytes).ok()
    }
}
