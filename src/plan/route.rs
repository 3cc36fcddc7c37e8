//! A route that a plan may make.

use std::net::IpAddr;

use ipnet::IpNet;

use super::link::Link;

/// A route to `destination`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where it leads: `0.0.0.0/0` or `::/0` for the default route.
    pub destination: IpNet,
    /// The next hop; `None` where the destination is on the link itself.
    pub gateway: Option<IpAddr>,
    /// The link that it leaves by.
    pub link: Link,
    /// The lower, the better. 0 leaves it to the kernel: 0 for IPv4, 1024 for IPv6.
    pub metric: u32,
}

impl Route {
    /// A route to what is on the link itself.
    ///
    /// ```
    /// use bridgework::plan::{Link, Route, Side, Step};
    /// use bridgework::{LinkIndex, Subnet};
    ///
    /// let link = Link::new(Side::Host, "veth0".parse()?, LinkIndex::new(7)?);
    /// let route = Route::new("10.89.0.2/32".parse::<Subnet>()?, &link);
    /// assert_eq!(Step::AddRoute(route).to_string(), "ip route add 10.89.0.2/32 dev veth0 proto 98");
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    #[must_use]
    pub fn new(destination: impl Into<IpNet>, link: &Link) -> Self {
        Self {
            destination: destination.into(),
            gateway: None,
            link: link.clone(),
            metric: 0,
        }
    }

    /// What the kernel makes of its metric.
    pub(crate) fn kernel_metric(&self) -> u32 {
        // include/net/ip6_route.h: IP6_RT_PRIO_USER
        const IPV6_DEFAULT: u32 = 1024;
        match (self.metric, self.destination.addr().is_ipv6()) {
            (0, true) => IPV6_DEFAULT,
            (metric, _) => metric,
        }
    }

    /// The default route of the gateway's family.
    ///
    /// ```
    /// use bridgework::LinkIndex;
    /// use bridgework::plan::{Link, Route, Side, Step};
    ///
    /// let link = Link::new(Side::Host, "eth0".parse()?, LinkIndex::new(7)?);
    /// let route = Route::default_by([10, 89, 0, 1], &link);
    /// assert_eq!(
    ///     Step::AddRoute(route).to_string(),
    ///     "ip route add default via 10.89.0.1 dev eth0 proto 98",
    /// );
    /// # Ok::<(), bridgework::ParseError>(())
    /// ```
    #[must_use]
    pub fn default_by(gateway: impl Into<IpAddr>, link: &Link) -> Self {
        let gateway = gateway.into();
        let everything = match gateway {
            IpAddr::V4(_) => IpNet::V4(ipnet::Ipv4Net::default()),
            IpAddr::V6(_) => IpNet::V6(ipnet::Ipv6Net::default()),
        };
        Self {
            gateway: Some(gateway),
            ..Self::new(everything, link)
        }
    }
}
