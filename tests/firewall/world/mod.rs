//! The world of every test here: a host in a namespace of its own, a machine beside it, and
//! containers on networks of the host's. It runs with the crate's firewall, and without.

mod naive;
mod neighbour;

use std::net::IpAddr;
use std::time::Duration;

use bridgework::plan::Switch;
use bridgework::{
    Endpoint, EndpointConfig, Host, HostConfig, MacAddr, Netns, Network, NetworkConfig,
};

use crate::lab::{self, DEADLINE};
use crate::probe::SHORT;
use crate::serve::Server;
use crate::text::{has_sysctl, ip, set_sysctl};

pub use neighbour::{LINK, Neighbour, Side};

/// With what a world runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The crate's firewall.
    On,
    /// A firewall made by hand with the known faults of others: it forwards and translates, and
    /// keeps nobody out.
    Off,
}

impl Guard {
    /// How long an attack may take to succeed: without the guard all of it must be seen to.
    pub fn patience(self) -> Duration {
        match self {
            Self::On => SHORT,
            Self::Off => DEADLINE,
        }
    }

    pub fn host(self, netns: Netns) -> Host {
        let firewall = match self {
            Self::On => Switch::On,
            Self::Off => Switch::Off,
        };
        let config = HostConfig::new().netns(netns).firewall(firewall);
        Host::open_with(config).expect("a host")
    }
}

/// The host and its neighbour, without networks.
pub struct Ground {
    pub guard: Guard,
    pub host: Host,
    pub a: Neighbour,
}

/// With networks: `c1` and `c2` on `n1`, `c3` on `n2`, `ci` on the internal `ni`.
pub struct World {
    pub c1: Endpoint,
    pub c2: Endpoint,
    pub c3: Endpoint,
    pub ci: Endpoint,
    pub n1: Network,
    pub n2: Network,
    pub ni: Network,
    pub ground: Ground,
}

impl std::ops::Deref for World {
    type Target = Ground;

    fn deref(&self) -> &Ground {
        &self.ground
    }
}

impl Ground {
    pub fn new(guard: Guard) -> Self {
        Self::after(guard, |_| {})
    }

    /// A host of which an operator did something before the crate came to it.
    pub fn after(guard: Guard, before: impl FnOnce(&Netns)) -> Self {
        let netns = Netns::create().expect("a namespace");
        ip(&netns, "link set lo up\n");
        if std::env::var_os("FIREWALL_WITHOUT_BRIDGE_NETFILTER").is_some() {
            without_bridge_netfilter(&netns);
        }
        let a = Neighbour::beside(&netns, Side::A);
        before(&netns);
        let host = guard.host(netns);
        Self { guard, host, a }
    }

    /// With a second neighbour, which was there before the host was opened.
    pub fn between_two(guard: Guard) -> (Self, Neighbour) {
        Self::between_two_on(guard, |_| {})
    }

    pub fn between_two_on(guard: Guard, before: impl FnOnce(&Netns)) -> (Self, Neighbour) {
        let mut b = None;
        let ground = Self::after(guard, |netns| {
            b = Some(Neighbour::beside(netns, Side::B));
            before(netns);
        });
        (ground, b.expect("a neighbour"))
    }

    /// The host's namespace.
    pub fn netns(&self) -> &Netns {
        self.host.netns()
    }

    /// A network with both families: `10.NUMBER.0.0/24` and `fd00:NUMBER::/64`.
    pub fn network(&self, number: u8, change: fn(NetworkConfig) -> NetworkConfig) -> Network {
        let config = change(dual(number));
        self.host.create_network(config).expect("a network")
    }

    /// A new container on `network`.
    pub fn connect(&self, network: &Network, name: &str, config: EndpointConfig) -> Endpoint {
        let container = lab::container(name);
        network
            .connect_with(&container, config)
            .expect("an endpoint")
    }

    /// What is done by hand for the networks and ports that there are now.
    pub fn settle(&self) {
        match self.guard {
            Guard::On => {}
            Guard::Off => naive::raise(&self.host),
        }
    }
}

/// A dual-stack network of the number, its bridge `brNUMBER`.
pub fn dual(number: u8) -> NetworkConfig {
    NetworkConfig::bridge(format!("n{number}"))
        .bridge_name(format!("br{number}").as_str())
        .subnet(format!("10.{number}.0.0/24").as_str())
        .subnet(format!("fd00:{number}::/64").as_str())
}

impl World {
    pub fn new(guard: Guard) -> Self {
        Self::with(Ground::new(guard), EndpointConfig::new())
    }

    /// Without the guard, one that forwards and translates nothing.
    pub fn untranslated(guard: Guard) -> Self {
        let ground = Ground::new(guard);
        let world = Self::unsettled(ground, EndpointConfig::new());
        match guard {
            Guard::On => world.settle(),
            Guard::Off => forward_everything(world.netns()),
        }
        world
    }

    /// One in which `c1` publishes a port.
    pub fn publishing(guard: Guard, mapping: &str) -> Self {
        Self::with(Ground::new(guard), EndpointConfig::new().publish(mapping))
    }

    /// One on a ground of the caller's, `c1` having the caller's config.
    pub fn with(ground: Ground, c1: EndpointConfig) -> Self {
        let world = Self::unsettled(ground, c1);
        world.settle();
        world
    }

    fn unsettled(ground: Ground, c1: EndpointConfig) -> Self {
        let n1 = ground.network(1, |config| config);
        let n2 = ground.network(2, |config| config);
        let ni = ground.network(9, NetworkConfig::internal);
        Self {
            c1: ground.connect(&n1, "C1", c1),
            c2: ground.connect(&n1, "C2", EndpointConfig::new()),
            c3: ground.connect(&n2, "C3", EndpointConfig::new()),
            ci: ground.connect(&ni, "CI", EndpointConfig::new()),
            n1,
            n2,
            ni,
            ground,
        }
    }
}

/// Somewhere that packets come from and go to.
pub trait Place {
    fn name(&self) -> &str;
    fn at(&self) -> &Netns;
    fn addresses(&self) -> Vec<IpAddr>;
    /// The index of its link, and that link's hardware address.
    fn link(&self) -> (u32, MacAddr);

    /// A server at one port of all its addresses.
    fn serve(&self, port: u16) -> Server {
        Server::open(self.at(), self.name(), &self.addresses(), port)
    }

    fn ipv4(&self) -> IpAddr {
        let mut addresses = self.addresses().into_iter();
        addresses.find(IpAddr::is_ipv4).expect("IPv4")
    }

    fn ipv6(&self) -> IpAddr {
        let mut addresses = self.addresses().into_iter();
        addresses.find(IpAddr::is_ipv6).expect("IPv6")
    }
}

impl Place for Endpoint {
    fn name(&self) -> &str {
        self.container().name().as_str()
    }

    fn at(&self) -> &Netns {
        self.container().netns()
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.ips().collect()
    }

    fn link(&self) -> (u32, MacAddr) {
        (self.spec().link.index.get(), self.mac())
    }
}

impl Place for Neighbour {
    fn name(&self) -> &str {
        self.container.name().as_str()
    }

    fn at(&self) -> &Netns {
        self.netns()
    }

    fn addresses(&self) -> Vec<IpAddr> {
        Neighbour::addresses(self).to_vec()
    }

    fn link(&self) -> (u32, MacAddr) {
        (LINK, self.mac())
    }
}

/// Switches on what a careless operator switches on to have a router.
pub fn forward_everything(netns: &Netns) {
    set_sysctl(netns, "ipv4.ip_forward", "1");
    set_sysctl(netns, "ipv6.conf.all.forwarding", "1");
}

/// Bridged packets are no business of the IP filters from now on; where the kernel has
/// br_netfilter they are, as it starts.
pub fn without_bridge_netfilter(netns: &Netns) {
    for key in ["bridge-nf-call-iptables", "bridge-nf-call-ip6tables"] {
        if has_sysctl(netns, &format!("bridge.{key}")) {
            set_sysctl(netns, &format!("bridge.{key}"), "0");
        }
    }
}
