//! The first automatic subnet that nothing is in the way of, and what is in the way of one that was
//! asked for. It sees only the list of obstacles that it is given.

use std::net::IpAddr;

use super::address_pool::{AddressPool, AddressPools};
use crate::addr::{Family, Subnet};
use crate::error::{Fault, Obstacle, Occupant};

/// Which subnet is to be chosen.
///
/// ```
/// use bridgework::Family;
/// use bridgework::ipam::{AddressPools, Wanted};
///
/// let pools = AddressPools::default();
/// let any = pools.choose(Wanted::Any(Family::V4), &[])?;
/// let small = pools.choose(Wanted::SizeOf("0.0.0.0/28".parse()?), &[])?;
/// assert_eq!((any.prefix_len(), small.prefix_len()), (16, 28));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wanted {
    /// Any of the family, of the size that the range is cut in.
    Any(Family),
    /// Any of the family and prefix length of this one, wherever in the ranges it is.
    SizeOf(Subnet),
}

impl Wanted {
    /// What a request for `subnet` leaves open: `0.0.0.0/24` or `::/120` ask for any subnet of that
    /// size, as with Docker. `None` if it asks for just that subnet.
    ///
    /// ```
    /// use bridgework::ipam::{AddressPools, Wanted};
    ///
    /// let wanted = Wanted::open("0.0.0.0/24".parse()?).unwrap();
    /// let subnet = AddressPools::default().choose(wanted, &[])?;
    /// assert_eq!(subnet.to_string(), "172.17.0.0/24");
    /// assert_eq!(Wanted::open("10.0.0.0/24".parse()?), None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn open(subnet: Subnet) -> Option<Self> {
        let is_open = subnet.first().is_unspecified();
        is_open.then_some(Self::SizeOf(subnet))
    }

    fn is_met_by(self, pool: AddressPool) -> bool {
        Family::of_subnet(pool.base()) == self.family()
    }

    fn family(self) -> Family {
        match self {
            Self::Any(family) => family,
            Self::SizeOf(subnet) => Family::of_subnet(subnet),
        }
    }
}

/// Says what is in the way of a subnet that was asked for. Every obstacle counts, a mere route like
/// an address, since the network would take that route's packets; a caller who knows better leaves
/// it out of `obstacles`. Only routes that are [too wide](AddressPools::choose) to mean
/// the subnet are ignored.
///
/// ```
/// use bridgework::ipam::check_subnet;
/// use bridgework::{Obstacle, Occupant};
///
/// let obstacles = ["0.0.0.0/0", "10.8.0.0/16"].map(|subnet| Obstacle {
///     subnet: subnet.parse().unwrap(),
///     occupant: Occupant::Route { device: Some("tun0".into()), table: 254 },
/// });
/// assert!(check_subnet("10.9.0.0/24".parse()?, &obstacles).is_ok());
/// assert_eq!(
///     check_subnet("10.8.1.0/24".parse()?, &obstacles).unwrap_err().to_string(),
///     "subnet 10.8.1.0/24: pool overlaps with other one on this address space: \
///      10.8.0.0/16: route by tun0 in table 254",
/// );
/// # Ok::<(), bridgework::ParseError>(())
/// ```
///
/// # Errors
/// [`Fault::SubnetOverlaps`] with all obstacles that overlap it, in their order.
pub fn check_subnet<'a>(
    subnet: Subnet,
    obstacles: impl IntoIterator<Item = &'a Obstacle>,
) -> Result<(), Fault> {
    let is_in_the_way = |o: &&Obstacle| counts(o) && o.subnet.overlaps(subnet);
    let obstacles: Vec<_> = obstacles
        .into_iter()
        .filter(is_in_the_way)
        .cloned()
        .collect();
    if obstacles.is_empty() {
        return Ok(());
    }
    Err(Fault::SubnetOverlaps { subnet, obstacles })
}

impl AddressPools {
    /// The first subnet that overlaps no obstacle: by the order of the ranges, and from the lowest
    /// address up in each. It takes the time to sort the obstacles, whatever the number of subnets.
    ///
    /// # Routes that are no obstacle
    /// Default routes say nothing about where a subnet may be, nor do the pairs of `/1` by which
    /// VPNs outdo them; with these as obstacles every range would be closed while a VPN is up. In
    /// IPv6 the same is done with prefixes of up to 7 bits (`2000::/3` for all of the internet,
    /// `fc00::/7` for all unique local addresses), which no site has as its own. Only routes are
    /// ignored like that: a range that is denied or used counts at any width.
    ///
    /// # Errors
    /// [`Fault::PoolsExhausted`] with the obstacles that overlap the ranges of that family.
    pub fn choose<'a>(
        &self,
        wanted: Wanted,
        obstacles: impl IntoIterator<Item = &'a Obstacle>,
    ) -> Result<Subnet, Fault> {
        let ranges: Vec<_> = self.iter().filter(|pool| wanted.is_met_by(*pool)).collect();
        let spans: Vec<_> = ranges.iter().map(|pool| interval(pool.base())).collect();
        let (mut taken, mut in_the_way) = (Vec::new(), Vec::new());
        for obstacle in obstacles {
            let (first, last) = interval(obstacle.subnet);
            let is_in_one = |span: &Interval| first <= span.1 && span.0 <= last;
            let is_family = Family::of_subnet(obstacle.subnet) == wanted.family();
            if is_family && spans.iter().any(is_in_one) && counts(obstacle) {
                taken.push((first, last));
                in_the_way.push(obstacle);
            }
        }
        let taken = merge(taken);
        ranges
            .iter()
            .find_map(|range| match wanted {
                Wanted::Any(_) => first_free(range.base(), range.size(), &taken),
                Wanted::SizeOf(subnet) => first_free(range.base(), subnet.prefix_len(), &taken),
            })
            .ok_or_else(|| Fault::PoolsExhausted {
                obstacles: in_the_way.into_iter().cloned().collect(),
            })
    }
}

/// Whether an obstacle says anything about where a subnet may be.
fn counts(obstacle: &Obstacle) -> bool {
    let widest_route = if obstacle.subnet.is_ipv4() { 2 } else { 8 };
    match obstacle.occupant {
        Occupant::Route { .. } => obstacle.subnet.prefix_len() >= widest_route,
        _ => true,
    }
}

/// First and last address, as numbers.
type Interval = (u128, u128);

fn interval(subnet: Subnet) -> Interval {
    let bits = |address| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    (bits(subnet.first()), bits(subnet.last()))
}

/// The intervals without those that lie in one before them, so that both ends ascend.
fn merge(mut intervals: Vec<Interval>) -> Vec<Interval> {
    intervals.sort_unstable();
    intervals.dedup_by(|next, kept| next.1 <= kept.1);
    intervals
}

/// The first subnet of `base` that overlaps none of `taken`, whose ends ascend.
fn first_free(base: Subnet, prefix_len: u8, taken: &[Interval]) -> Option<Subnet> {
    let free_bits = (base.prefix_len() + base.host_bits()).checked_sub(prefix_len)?;
    if prefix_len < base.prefix_len() {
        return None;
    }
    let mask = u128::MAX
        .checked_shl(free_bits.into())
        .map_or(u128::MAX, |high| !high);
    let (base_first, base_last) = interval(base);
    let mut first = base_first;
    let mut ahead = &taken[taken.partition_point(|&(_, last)| last < first)..];
    while let Some((&(start, last), rest)) = ahead.split_first() {
        if start > first | mask {
            break;
        }
        if last >= first {
            first = (last | mask).checked_add(1)?;
        }
        ahead = rest;
    }
    if first > base_last {
        return None;
    }
    Subnet::new(base.nth(first - base_first)?, prefix_len).ok()
}
