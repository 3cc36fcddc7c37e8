//! What a world consists of, as plain data: chosen by chance, and the same again for the same seed.
//! All addresses follow from the numbers of networks, containers and neighbours.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::lab::chance::Chance;

/// One family or the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ip {
    V4,
    V6,
}

pub const BOTH: [Ip; 2] = [Ip::V4, Ip::V6];

impl Ip {
    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() {
            Self::V4
        } else {
            Self::V6
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Nat,
    Unprotected,
    Routed,
    Isolated,
}

/// By which address a network's containers leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leaving {
    Masquerade,
    Own,
    Address,
}

#[derive(Debug, Clone)]
pub struct Net {
    pub number: usize,
    /// The gateway mode of each family that it has.
    pub modes: [Option<Mode>; 2],
    pub internal: bool,
    pub icc: bool,
    /// With [`Leaving::Address`] it is the one of [`Topology::snat`], in each family that has one.
    pub leaving: Leaving,
    /// Neighbours whose link is trusted.
    pub trusted: Vec<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    Tcp,
    Udp,
}

/// A published port.
#[derive(Debug, Clone)]
pub struct Mapping {
    pub address: Option<IpAddr>,
    pub host_port: u16,
    /// How many ports of the host's it may be one of; `None` for as many as the container's.
    pub choice: Option<u16>,
    pub container_port: u16,
    pub count: u16,
    pub transport: Transport,
}

impl fmt::Display for Mapping {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.address {
            Some(IpAddr::V6(address)) => write!(f, "[{address}]:")?,
            Some(address) => write!(f, "{address}:")?,
            None => {}
        }
        let range = |first: u16, count: u16| match count {
            1 => first.to_string(),
            count => format!("{first}-{}", first + count - 1),
        };
        let host = range(self.host_port, self.choice.unwrap_or(self.count));
        let container = range(self.container_port, self.count);
        let transport = match self.transport {
            Transport::Tcp => "tcp",
            Transport::Udp => "udp",
        };
        write!(f, "{host}:{container}/{transport}")
    }
}

#[derive(Debug, Clone)]
pub struct Member {
    pub number: usize,
    /// The numbers of its networks, in the order in which it is connected.
    pub nets: Vec<usize>,
    pub mappings: Vec<Mapping>,
}

/// A machine beside the host, on a link of its own.
#[derive(Debug, Clone)]
pub struct Neighbour {
    pub number: usize,
    pub families: [bool; 2],
}

/// How the host is before the crate comes to it.
#[derive(Debug, Clone)]
pub struct Preset {
    pub rp_filter: u8,
    pub forwards: bool,
    /// `bridge-nf-call-iptables` and its like for IPv6.
    pub filters_frames: bool,
}

#[derive(Debug, Clone)]
pub struct Topology {
    pub seed: u64,
    pub preset: Preset,
    pub neighbours: Vec<Neighbour>,
    pub nets: Vec<Net>,
    pub members: Vec<Member>,
}

impl Net {
    pub fn has(&self, ip: Ip) -> bool {
        self.modes[ip as usize].is_some()
    }

    pub fn gateway(&self, ip: Ip) -> IpAddr {
        self.address(ip, 1)
    }

    pub fn subnet(&self, ip: Ip) -> String {
        match ip {
            Ip::V4 => format!("10.{}.0.0/24", self.number),
            Ip::V6 => format!("fd00:{}::/64", self.number),
        }
    }

    fn address(&self, ip: Ip, last: u8) -> IpAddr {
        let number = self.number as u8;
        match ip {
            Ip::V4 => [10, number, 0, last].into(),
            Ip::V6 => [0xfd00, number.into(), 0, 0, 0, 0, 0, last.into()].into(),
        }
    }

    pub fn address_of(&self, container: &Member, ip: Ip) -> Option<IpAddr> {
        let last = 10 + container.number as u8;
        self.has(ip).then(|| self.address(ip, last))
    }
}

impl Neighbour {
    pub fn link(&self) -> String {
        format!("up{}", self.number)
    }

    pub fn has(&self, ip: Ip) -> bool {
        self.families[ip as usize]
    }

    /// The host's address on the link between.
    pub fn host_address(&self, ip: Ip) -> IpAddr {
        self.address(ip, 1)
    }

    pub fn own_address(&self, ip: Ip) -> IpAddr {
        self.address(ip, 2)
    }

    pub fn address(&self, ip: Ip, last: u8) -> IpAddr {
        let number = self.number as u8;
        match ip {
            Ip::V4 => [172, 31, number, last].into(),
            Ip::V6 => [0xfd01, number.into(), 0, 0, 0, 0, 0, last.into()].into(),
        }
    }
}

impl Topology {
    pub fn by_chance(seed: u64) -> Self {
        let chance = &mut Chance::new(seed);
        let preset = Preset {
            rp_filter: chance.below(3) as u8,
            forwards: chance.happens(50),
            filters_frames: chance.happens(50),
        };
        let neighbours = 1 + chance.below(2);
        let neighbours: Vec<_> = (0..neighbours).map(|n| neighbour(n, chance)).collect();
        let nets = 1 + chance.below(4);
        let net = |number| net(number, neighbours.len(), chance);
        let nets: Vec<_> = (1..=nets).map(net).collect();
        let mut topology = Self {
            seed,
            preset,
            neighbours,
            nets,
            members: Vec::new(),
        };
        topology.fill(chance);
        topology
    }

    fn fill(&mut self, chance: &mut Chance) {
        for net in 0..self.nets.len() {
            for _ in 0..=chance.below(3) {
                let mut nets = vec![self.nets[net].number];
                let second = 1 + chance.below(self.nets.len());
                if chance.happens(30) && !nets.contains(&second) {
                    nets.push(second);
                }
                let number = self.members.len();
                let mappings = (0..chance.below(5)).map(|n| self.mapping(number, n, chance));
                let mappings = mappings.collect();
                self.members.push(Member {
                    number,
                    nets,
                    mappings,
                });
            }
        }
    }

    pub fn mapping(&self, container: usize, number: usize, chance: &mut Chance) -> Mapping {
        let mut addresses = vec![None, None, None];
        addresses.extend(self.uplink_addresses().into_iter().map(Some));
        addresses.push(Some(Ipv4Addr::LOCALHOST.into()));
        addresses.push(Some(Ipv6Addr::LOCALHOST.into()));
        let count = chance.one_of(&[1, 1, 1, 2, 3]);
        Mapping {
            address: chance.one_of(&addresses),
            host_port: (20_000 + 100 * container + 10 * number) as u16,
            choice: (count == 1 && chance.happens(20)).then_some(3),
            container_port: (1_000 + 10 * number) as u16,
            count,
            transport: chance.one_of(&[Transport::Tcp, Transport::Udp]),
        }
    }

    /// The host's addresses on links to neighbours.
    pub fn uplink_addresses(&self) -> Vec<IpAddr> {
        let links = self.neighbours.iter();
        let mut addresses: Vec<IpAddr> = links
            .flat_map(|link| {
                let has = BOTH.into_iter().filter(|ip| link.has(*ip));
                has.map(|ip| link.host_address(ip))
            })
            .collect();
        addresses.extend(BOTH.into_iter().filter_map(|ip| self.snat(ip)));
        addresses
    }

    /// A further address of the host's, for containers to leave by.
    pub fn snat(&self, ip: Ip) -> Option<IpAddr> {
        let first = self.neighbours.iter().find(|link| link.has(ip))?;
        Some(first.address(ip, 9))
    }

    pub fn net(&self, number: usize) -> &Net {
        &self.nets[number - 1]
    }
}

fn neighbour(number: usize, chance: &mut Chance) -> Neighbour {
    let families = chance.one_of(&[[true, true], [true, true], [true, false], [false, true]]);
    Neighbour { number, families }
}

fn net(number: usize, neighbours: usize, chance: &mut Chance) -> Net {
    let internal = chance.happens(25);
    let has = chance.one_of(&[[true, true], [true, true], [true, false], [false, true]]);
    let mode = |chance: &mut Chance| match internal {
        true => chance.one_of(&[Mode::Nat, Mode::Nat, Mode::Isolated, Mode::Routed]),
        false => chance.one_of(&[Mode::Nat, Mode::Nat, Mode::Unprotected, Mode::Routed]),
    };
    let modes = has.map(|has| has.then(|| mode(chance)));
    let trusted = (0..neighbours).filter(|_| chance.happens(15)).collect();
    Net {
        number,
        modes,
        internal,
        icc: chance.happens(70),
        leaving: chance.one_of(&[
            Leaving::Masquerade,
            Leaving::Masquerade,
            Leaving::Own,
            Leaving::Address,
        ]),
        trusted,
    }
}

/// One line for each thing.
impl fmt::Display for Topology {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:?}", self.preset)?;
        for neighbour in &self.neighbours {
            writeln!(f, "{neighbour:?}")?;
        }
        for net in &self.nets {
            writeln!(f, "{net:?}")?;
        }
        for member in &self.members {
            let mappings: Vec<String> = member.mappings.iter().map(Mapping::to_string).collect();
            let Member { number, nets, .. } = member;
            writeln!(f, "c{number} on {nets:?} publishes {mappings:?}")?;
        }
        Ok(())
    }
}
