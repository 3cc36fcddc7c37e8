//! A machine beside the host: a namespace on a veth pair of its own to the host, made by `ip`, so
//! that nothing of it bears a mark of the crate under test.

use std::net::IpAddr;

use bridgework::{Container, MacAddr, Netns};

use crate::lab;
use crate::text::{ip, set_sysctl};

/// One of two places beside the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    A,
    B,
}

#[derive(Clone)]
pub struct Neighbour {
    pub container: Container,
    pub side: Side,
}

/// The index of a neighbour's link, at both ends.
pub const LINK: u32 = 71;

impl Neighbour {
    /// Beside the host, with routes through it to every container's network.
    pub fn beside(host: &Netns, side: Side) -> Self {
        let container = lab::container(if side == Side::A { "A" } else { "B" });
        let neighbour = Self { container, side };
        let (netns, path) = (neighbour.netns(), neighbour.netns().path());
        let (link, index) = (neighbour.host_link(), neighbour.host_index());
        let (host_mac, mac) = (neighbour.host_mac(), neighbour.mac());
        let [host_ipv4, host_ipv6] = neighbour.host_addresses();
        let [ipv4, ipv6] = neighbour.addresses();
        let path = path.display();
        for netns in [host, netns] {
            // its link-local address comes at once, and not a second later
            set_sysctl(netns, "ipv6.conf.default.accept_dad", "0");
        }
        ip(
            host,
            &format!(
                "link add {link} index {index} address {host_mac} type veth \
                 peer name lan index {LINK} address {mac} netns {path}\n\
                 addr add {host_ipv4}/24 dev {link}\n\
                 addr add {host_ipv6}/64 dev {link} nodad\n\
                 link set {link} up\n"
            ),
        );
        ip(
            netns,
            &format!(
                "addr add {ipv4}/24 dev lan\n\
                 addr add {ipv6}/64 dev lan nodad\n\
                 link set lo up\n\
                 link set lan up\n\
                 route add 10.0.0.0/8 via {host_ipv4}\n\
                 route add fd00::/16 via {host_ipv6}\n"
            ),
        );
        neighbour
    }

    fn number(&self) -> u8 {
        match self.side {
            Side::A => 1,
            Side::B => 2,
        }
    }

    pub fn netns(&self) -> &Netns {
        self.container.netns()
    }

    /// The host's end.
    pub fn host_link(&self) -> &'static str {
        match self.side {
            Side::A => "ha",
            Side::B => "hb",
        }
    }

    pub fn host_index(&self) -> u32 {
        LINK + u32::from(self.number())
    }

    pub fn mac(&self) -> MacAddr {
        MacAddr::new([2, 0, 0, 0, self.number(), 2]).unwrap()
    }

    pub fn host_mac(&self) -> MacAddr {
        MacAddr::new([2, 0, 0, 0, self.number(), 1]).unwrap()
    }

    /// Those of the host on this side, IPv4 first.
    pub fn host_addresses(&self) -> [IpAddr; 2] {
        self.of(1)
    }

    /// Its own, IPv4 first.
    pub fn addresses(&self) -> [IpAddr; 2] {
        self.of(2)
    }

    fn of(&self, last: u8) -> [IpAddr; 2] {
        let number = self.number();
        let ipv4 = [192, 0, 2 + 100 * (number - 1), last];
        let ipv6 = [0x2001, 0xdb8, u16::from(number), 0, 0, 0, 0, last.into()];
        [ipv4.into(), ipv6.into()]
    }
}
