//! Whom one container knows, and by which names: its private aliases, then the names of its
//! networks. It answers from their [`Records`]; it holds no names of its own and asks nobody else.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use arc_swap::{ArcSwap, Guard};

use super::records::{Answer, Found, Records};
use super::reverse::{parse_reverse_name, without_root};
use crate::addr::{ContainerLink, Family, HostName, NetworkName, Subnet};

/// A network that a container is on, as its view has it.
///
/// ```
/// use std::sync::Arc;
/// use bridgework::resolver::{Membership, Records, View};
///
/// let records = Arc::new(Records::new("shop".parse()?));
/// let mut membership = Membership::from(records);
/// membership.subnets.push("10.89.0.0/24".parse()?); // nobody else is asked who is there
/// let view = View::new([membership]);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Membership {
    /// The network's names.
    pub records: Arc<Records>,
    /// What other containers on this network are called by this one alone (`--link other:alias`).
    pub links: Vec<ContainerLink>,
    /// The network's subnets. Of an address within them that nobody has, no other server is asked
    /// whose it is.
    pub subnets: Vec<Subnet>,
}

impl From<Arc<Records>> for Membership {
    fn from(records: Arc<Records>) -> Self {
        Self {
            records,
            links: Vec::new(),
            subnets: Vec::new(),
        }
    }
}

/// Names as one container sees them: those of its networks, in the order of its interfaces.
///
/// What is asked for is looked for
/// 1. as a private alias on each network in order, which stands for the name of another container
///    there, for as long as somebody on that network has the name;
/// 2. as a name on each network in order;
/// 3. likewise as `name.network`, for each way to read it so, shorter names of networks first, and
///    on networks of that name alone.
///
/// **The first network that knows the name answers alone**, for both families: one that knows it
/// without an address of the family says so, and no other is asked. So a name that several networks
/// know always leads to the same containers. (Docker asks on for the other family, by which IPv4
/// and IPv6 of one name may lead to different ones, and its order is that of gateways.)
///
/// Networks without name resolution, as the default bridge, do not belong in here. Lookups take no
/// lock, and see either all of a [`replace`](Self::replace) or nothing.
///
/// ```
/// use std::sync::Arc;
///
/// use bridgework::resolver::{Answer, Membership, Names, Owner, Records, View};
/// use bridgework::{EndpointId, Family};
///
/// let records = Arc::new(Records::new("hmall".parse()?));
/// let address = "172.18.0.2".parse().unwrap();
/// let names = Names::new("mysql".parse()?, []);
/// records.insert(Owner::new(EndpointId::from_bytes([1; 32]), names, [address]));
///
/// let links = vec!["mysql:db".parse()?];
/// let view = View::new([Membership { links, ..Membership::from(records) }]);
/// assert_eq!(view.lookup("db", Family::V4), Answer::Addresses(vec![address]));
/// assert_eq!(view.lookup("mysql.hmall.", Family::V6), Answer::NoData);
/// assert_eq!(view.reverse(address).as_deref(), Some("mysql.hmall."));
/// assert_eq!(view.reverse_lookup("2.0.18.172.in-addr.arpa"), view.reverse(address));
/// assert_eq!(view.memberships()[0].links.len(), 1);
///
/// view.replace([]);
/// assert_eq!(view.lookup("db", Family::V4), Answer::Unknown);
/// # Ok::<(), bridgework::ParseError>(())
/// ```
#[derive(Default)]
pub struct View(ArcSwap<Vec<Membership>>);

impl View {
    /// The view of a container that is on these networks, in the order of its interfaces.
    #[must_use]
    pub fn new(memberships: impl IntoIterator<Item = Membership>) -> Self {
        Self(ArcSwap::from_pointee(memberships.into_iter().collect()))
    }

    /// Exchanges the networks, when one comes or goes or the order changes, in one store. Of two
    /// calls at the same time, either may be the one that stays.
    pub fn replace(&self, memberships: impl IntoIterator<Item = Membership>) {
        self.0.store(Arc::new(memberships.into_iter().collect()));
    }

    /// The networks, in order, as of one moment.
    #[must_use]
    pub fn memberships(&self) -> Arc<Vec<Membership>> {
        self.0.load_full()
    }

    /// The addresses of `name` in one family, by the order that the [type](Self) tells of.
    ///
    /// Case does not matter, and one final dot is no part of the name. Any bytes may be asked for.
    #[must_use]
    pub fn lookup(&self, name: impl AsRef<[u8]>, family: Family) -> Answer {
        let name = without_root(name.as_ref());
        let known = find(&self.0.load(), name, |found| found.answer(family));
        known.unwrap_or(Answer::Unknown)
    }

    /// The name of whoever has `address`, `name.network.`, from the first network that knows it.
    #[must_use]
    pub fn reverse(&self, address: IpAddr) -> Option<String> {
        find_reverse(&self.0.load(), address, |name, network| {
            format!("{name}.{network}.")
        })
    }

    /// As [`reverse`](Self::reverse), for the name that DNS asks for: `2.0.18.172.in-addr.arpa`.
    #[must_use]
    pub fn reverse_lookup(&self, name: impl AsRef<[u8]>) -> Option<String> {
        self.reverse(parse_reverse_name(name)?)
    }

    /// As [`memberships`](Self::memberships), for a moment.
    pub(super) fn load(&self) -> Guard<Arc<Vec<Membership>>> {
        self.0.load()
    }
}

impl Membership {
    fn is_called(&self, network: &[u8]) -> bool {
        let name = self.records.network().as_str().as_bytes();
        name.eq_ignore_ascii_case(network)
    }

    /// Whom `name` stands for on this network as a private alias.
    fn targets<'a>(&'a self, name: &'a [u8]) -> impl Iterator<Item = &'a [u8]> {
        let links = self.links.iter();
        let called = links.filter(|l| l.alias().as_str().as_bytes().eq_ignore_ascii_case(name));
        called.map(|link| link.container().as_str().as_bytes())
    }
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let memberships = self.memberships();
        let network = |one: &Membership| (one.records.network().clone(), one.links.clone());
        f.debug_map()
            .entries(memberships.iter().map(network))
            .finish()
    }
}

/// Hands those who have `name` to `read`, by the order that [`View`] tells of. It is called once,
/// or not at all where nobody has the name. Nothing is allocated.
pub(super) fn find<R>(
    memberships: &[Membership],
    name: &[u8],
    mut read: impl FnMut(Found<'_>) -> R,
) -> Option<R> {
    find_among(memberships.iter(), name, &mut read).or_else(|| {
        splits(name).find_map(|(name, network)| {
            let named = memberships.iter().filter(|one| one.is_called(network));
            find_among(named, name, &mut read)
        })
    })
}

/// Hands the first name of whoever has `address` to `read`, and its network's.
pub(super) fn find_reverse<R>(
    memberships: &[Membership],
    address: IpAddr,
    mut read: impl FnMut(&HostName, &NetworkName) -> R,
) -> Option<R> {
    let mut records = memberships.iter().map(|one| &one.records);
    records.find_map(|records| records.find_reverse(address, &mut read))
}

/// Whom the first of `memberships` that knows `name` knows: by an alias, else by a name.
fn find_among<'a, R>(
    mut memberships: impl Iterator<Item = &'a Membership> + Clone,
    name: &[u8],
    read: &mut impl FnMut(Found<'_>) -> R,
) -> Option<R> {
    let aliased = memberships.clone().find_map(|one| {
        let mut targets = one.targets(name);
        targets.find_map(|target| one.records.find(target, &mut *read))
    });
    aliased.or_else(|| memberships.find_map(|one| one.records.find(name, &mut *read)))
}

/// Every way to read `name` as one in a network, the shortest name of a network first.
fn splits(name: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    let dots = name
        .iter()
        .enumerate()
        .rev()
        .filter(|(_, byte)| **byte == b'.');
    dots.filter_map(|(position, _)| {
        let (name, network) = name.split_at_checked(position)?;
        Some((name, network.strip_prefix(b".")?))
    })
}
