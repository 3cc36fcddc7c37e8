//! The pools of a network's subnets.

use std::net::IpAddr;

use crate::addr::Family;
use crate::ipam::Pool;

/// That of IPv4, that of IPv6, and those of further subnets: as far as it has them, in this order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pools(pub(super) Vec<Pool>);

impl Pools {
    /// That of the subnet which the address lies in, or else the family's first one, by which it is
    /// refused.
    pub(super) fn of(&self, address: IpAddr) -> Option<&Pool> {
        self.0.get(self.at(address)?)
    }

    pub(super) fn of_mut(&mut self, address: IpAddr) -> Option<&mut Pool> {
        let at = self.at(address)?;
        self.0.get_mut(at)
    }

    fn at(&self, address: IpAddr) -> Option<usize> {
        let subnets = || self.0.iter().map(Pool::subnet);
        let around = subnets().position(|subnet| subnet.contains(address));
        let family = Family::of(address);
        around.or_else(|| subnets().position(|subnet| Family::of_subnet(subnet) == family))
    }
}

impl FromIterator<Pool> for Pools {
    fn from_iter<I: IntoIterator<Item = Pool>>(pools: I) -> Self {
        Self(pools.into_iter().collect())
    }
}
