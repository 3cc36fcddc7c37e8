//! The ranges that automatic subnets are cut from, in the order in which they are tried. Which
//! subnet is free is decided next door.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::addr::Subnet;
use crate::error::Fault;

/// A range, and the prefix length of the subnets that it is cut into: an entry of Docker's
/// `default-address-pools`. With the feature `serde` it has their form.
///
/// ```
/// use bridgework::ipam::AddressPool;
///
/// let pool = AddressPool::new("192.168.0.0/16".parse()?, 20)?;
/// assert_eq!((pool.base().prefix_len(), pool.size()), (16, 20));
/// assert!(AddressPool::new("192.168.0.0/16".parse()?, 12).is_err()); // larger than the range
/// assert!(AddressPool::new("192.168.0.0/16".parse()?, 31).is_err()); // no room for a container
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(try_from = "Entry", into = "Entry")
)]
pub struct AddressPool {
    base: Subnet,
    size: u8,
}

impl AddressPool {
    /// Subnets of `size` bits of prefix, from the range `base`.
    ///
    /// # Errors
    /// [`Fault::SubnetUnusable`] if `size` is less than the prefix length of `base`, or more than
    /// 30 in IPv4 or 126 in IPv6, which leaves no room for a gateway and a container.
    pub fn new(base: Subnet, size: u8) -> Result<Self, Fault> {
        let why = if size < base.prefix_len() {
            "the address pool has a smaller prefix than target size"
        } else if size > base.prefix_len() + base.host_bits() - 2 {
            "the address pool would be cut into subnets without room for a container"
        } else {
            return Ok(Self { base, size });
        };
        Err(Fault::SubnetUnusable { subnet: base, why })
    }

    /// The range.
    #[must_use]
    pub fn base(&self) -> Subnet {
        self.base
    }

    /// The prefix length of the subnets.
    #[must_use]
    pub fn size(&self) -> u8 {
        self.size
    }
}

#[cfg(feature = "serde")]
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    base: Subnet,
    size: u8,
}

#[cfg(feature = "serde")]
impl TryFrom<Entry> for AddressPool {
    type Error = Fault;

    fn try_from(entry: Entry) -> Result<Self, Fault> {
        Self::new(entry.base, entry.size)
    }
}

#[cfg(feature = "serde")]
impl From<AddressPool> for Entry {
    fn from(pool: AddressPool) -> Self {
        let AddressPool { base, size } = pool;
        Self { base, size }
    }
}

/// The ranges for automatic subnets, in the order in which they are tried. Unlike Docker's they
/// are neither sorted nor freed of overlaps: what an earlier range gave is in the way of a later
/// one like any other network.
///
/// # The default
/// First Docker's own, so that networks have the addresses that people expect: `172.17.0.0/16` to
/// `172.31.0.0/16`, one network each, and `192.168.0.0/16` in 16 networks of `/20`. With these 31
/// Docker is at its end. Then come 6,144 networks of `/24`, from `10.64.0.0` to `10.87.255.255`. What
/// is wanted there is a part of 10.0.0.0/8 that no common software takes as its own, since an
/// address beyond the host's own routes can not be seen from the host. The lower part of that net
/// is what people number their sites with by hand; OpenVPN's `10.8.0.0/24` and K3s' `10.42.0.0/15`
/// lie there. Above are Podman (`10.88.0.0/16` and on), the service addresses of kubeadm
/// (`10.96.0.0/12`), the subnets of Google's automatic networks and the pods of OpenShift (from
/// `10.128.0.0` on), the nodes of Azure's Kubernetes (`10.224.0.0/16`) and flannel's pods
/// (`10.244.0.0/16`).
///
/// There is no IPv6 range by default, since it has to be the site's own:
/// [`with_ula`](Self::with_ula).
///
/// ```
/// use bridgework::ipam::{AddressPool, AddressPools};
///
/// let own = AddressPool::new("10.200.0.0/16".parse()?, 26)?;
/// let pools = AddressPools::from_iter([own]);
/// assert_eq!(pools.iter().count(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(transparent)
)]
pub struct AddressPools(Vec<AddressPool>);

/// First address, prefix length, prefix length of the subnets.
const DEFAULT: [([u8; 4], u8, u8); 9] = [
    ([172, 17, 0, 0], 16, 16),
    ([172, 18, 0, 0], 16, 16),
    ([172, 19, 0, 0], 16, 16),
    ([172, 20, 0, 0], 14, 16),
    ([172, 24, 0, 0], 14, 16),
    ([172, 28, 0, 0], 14, 16),
    ([192, 168, 0, 0], 16, 20),
    ([10, 64, 0, 0], 12, 24),
    ([10, 80, 0, 0], 13, 24),
];

impl AddressPools {
    /// With 65,536 IPv6 networks of `/64` added, from the site's `/48` of unique local addresses:
    /// `fd`, `global_id` and 16 bits of subnet (rfc4193 §3.1). The id is to be random (§3.2), and
    /// to be the same whenever the host's networks are made.
    ///
    /// ```
    /// use bridgework::Family;
    /// use bridgework::ipam::{AddressPools, Wanted};
    ///
    /// let pools = AddressPools::default().with_ula([0x12, 0x34, 0x56, 0x78, 0x9a]);
    /// let subnet = pools.choose(Wanted::Any(Family::V6), &[])?;
    /// assert_eq!(subnet.to_string(), "fd12:3456:789a::/64");
    /// # Ok::<(), bridgework::Fault>(())
    /// ```
    #[must_use]
    pub fn with_ula(mut self, global_id: [u8; 5]) -> Self {
        let mut octets = [0; 16];
        octets[0] = 0xfd;
        octets[1..6].copy_from_slice(&global_id);
        self.0.push(constant(Ipv6Addr::from(octets).into(), 48, 64));
        self
    }

    /// The ranges, in order.
    pub fn iter(&self) -> impl Iterator<Item = AddressPool> + '_ {
        self.0.iter().copied()
    }
}

impl Default for AddressPools {
    fn default() -> Self {
        let pool = |(first, len, size)| constant(Ipv4Addr::from(first).into(), len, size);
        Self(DEFAULT.map(pool).into())
    }
}

impl FromIterator<AddressPool> for AddressPools {
    fn from_iter<I: IntoIterator<Item = AddressPool>>(pools: I) -> Self {
        Self(pools.into_iter().collect())
    }
}

impl Extend<AddressPool> for AddressPools {
    fn extend<I: IntoIterator<Item = AddressPool>>(&mut self, pools: I) {
        self.0.extend(pools);
    }
}

fn constant(first: IpAddr, prefix_len: u8, size: u8) -> AddressPool {
    let base = Subnet::new(first, prefix_len).expect("no host bits are set in these");
    AddressPool { base, size }
}
