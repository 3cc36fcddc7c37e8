//! The networks that every host has: `bridge`, `host` and `none`, each made when it is first asked
//! for.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use ipnet::IpNet;

use crate::addr::{Family, LinkIndex, MacAddr, Mtu, NetworkId, NetworkName, Subnet};
use crate::config::{
    Firewall, HostsScope, MacPolicy, NetworkConfig, NetworkOptions, ResolverScope,
};
use crate::driver::{Driver, HostDriver, NoneDriver, settings_of};
use crate::error::{Error, Fault, Result};
use crate::event::EventKind;
use crate::firewall::{bare_firewall, raised_settings};
use crate::kernel::random_bytes;
use crate::network::{Members, Network, Pools, Registered};
use crate::plan::{BridgeOptions, Ipv4Conf, Ipv6Conf, Link, Plan, Side, Switch, Sysctl};
use crate::record::{FoundLink, NetworkRecord};
use crate::snapshot::{LinkState, Snapshot};
use crate::spec::{NetworkSpec, Origin};

use super::Host;

/// The bridge of the default network, unless the host was opened with another one.
const DEFAULT_BRIDGE: &str = "docker0";

/// One of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Builtin {
    Bridge,
    Host,
    None,
}

impl Builtin {
    /// The one of that name. `default` is the bridge too.
    fn named(name: &str) -> Option<Self> {
        match name {
            "bridge" | "default" => Some(Self::Bridge),
            "host" => Some(Self::Host),
            "none" => Some(Self::None),
            _ => None,
        }
    }
}

impl Host {
    /// The one that `name` means on this host, on which the default network may be called as the
    /// caller likes.
    pub(super) fn builtin_named(&self, name: &str) -> Option<Builtin> {
        let is_default = name == self.0.config.default_network.name();
        is_default
            .then_some(Builtin::Bridge)
            .or_else(|| Builtin::named(name))
    }

    /// What there is one of already.
    pub(super) fn check_instance(&self, config: &NetworkConfig, faults: &mut Vec<Fault>) {
        let is_single = ["host", "null", "container"].contains(&config.driver());
        if is_single && !config.is_template() {
            let driver = config.driver().to_owned();
            faults.push(Fault::OnlyInstance { driver });
        }
        let is_builtin = self.builtin_named(config.name()).is_some();
        if let (true, Ok(name)) = (is_builtin, config.name().parse()) {
            faults.push(Fault::PredefinedName { name });
        }
    }
}

/// The default network is not called as another one of the three.
pub(super) fn check_default_name(config: &NetworkConfig, faults: &mut Vec<Fault>) {
    let others = [Some(Builtin::Host), Some(Builtin::None)];
    let name = config.name().parse::<NetworkName>();
    if let (true, Ok(name)) = (others.contains(&Builtin::named(config.name())), name) {
        faults.push(Fault::PredefinedName { name });
    }
}

impl Host {
    /// The default network: `bridge` on `docker0`, with `172.17.0.0/16` if that is free, unless the
    /// host was [opened with another](crate::HostConfig::default_network).
    ///
    /// It is made when it is first asked for. If there is a bridge of that name already it is
    /// adopted as it is, with its addresses, its hardware address and its MTU, and stays when the
    /// host goes. Its addresses decide the subnets that were left open; none of them is given to a
    /// container. Containers that others have connected to it are not known, so that the caller has
    /// to see to it that addresses do not collide. Its hardware address stays from then on what it
    /// is, where a bridge that was not told its own takes its ports'.
    ///
    /// It cannot be removed; it goes with the last handle to the host and to its containers.
    ///
    /// On it no names resolve, and no address or alias can be asked for; a container finds another
    /// by a [link](crate::EndpointConfig::link).
    ///
    /// # Errors
    /// As for [`create_network`](Self::create_network); or the link of that name is no bridge.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Container, EndpointConfig, Host};
    /// let host = Host::isolated()?;
    /// let network = host.default_network()?;
    /// let db = network.connect(&Container::isolated("mysql")?)?;
    /// let app = Container::isolated("app")?;
    /// let at_app = network.connect_with(&app, EndpointConfig::new().link("mysql:db"))?;
    /// # Ok(()) }
    /// ```
    pub fn default_network(&self) -> Result<Network> {
        self.builtin(Builtin::Bridge)
    }

    /// The one of them, if it was asked for before, here or by another process.
    pub(super) fn made(&self, which: Builtin) -> Result<Option<Network>> {
        let known = self.0.builtins.lock().get(&which).cloned();
        match known.filter(|network| !network.is_removed()) {
            Some(network) => Ok(Some(network)),
            None => self.kept_builtin(which),
        }
    }

    pub(super) fn builtin(&self, which: Builtin) -> Result<Network> {
        let mut builtins = self.0.builtins.lock();
        let known = builtins.get(&which);
        if let Some(network) = known.filter(|network| !network.is_removed()) {
            return Ok(network.clone());
        }
        if let Some(network) = self.kept_builtin(which)? {
            builtins.insert(which, network.clone());
            return Ok(network);
        }
        let made = match which {
            Builtin::Bridge => {
                let config = &self.0.config.default_network;
                self.create_default(&config.clone().or_bridge_name(DEFAULT_BRIDGE))
            }
            Builtin::Host => self.create_linkless("host", Arc::new(HostDriver)),
            Builtin::None => self.create_linkless("none", Arc::new(NoneDriver)),
        };
        let attempt = "make a pre-defined network";
        let network = made.map_err(|error| error.during(attempt))?;
        builtins.insert(which, network.clone());
        Ok(network)
    }
}

impl Host {
    /// The bridge of that name, if there is one.
    pub(super) fn find_adopted(&self, config: &NetworkConfig) -> Result<Option<Adopted>> {
        let snapshot = self.snapshot()?;
        let Some(mut adopted) = Adopted::find(&snapshot, config, &self.networks())? else {
            return Ok(None);
        };
        let name = adopted.link.name.clone();
        let found = self.kernel().settings(&settings_of(&name))?.into_iter();
        adopted.settings = found
            .filter_map(|(key, value)| Some((key, value?)))
            .collect();
        if self.0.config.firewall.is_on() {
            // that it forwards since other networks are reached by it is their doing
            let there = self.kernel().elements(&bare_firewall(&snapshot))?;
            let raised = raised_settings(&there, &self.kernel().policy()?, &name);
            let all = adopted.settings.iter_mut();
            let lifted = all.filter(|(key, _)| raised.contains(key));
            lifted.for_each(|(_, value)| *value = 0);
        }
        Ok(Some(adopted))
    }

    /// The one of them that another process has made.
    fn kept_builtin(&self, which: Builtin) -> Result<Option<Network>> {
        self.0.registry.catch_up()?;
        let driver = match which {
            Builtin::Bridge => "bridge",
            Builtin::Host => HostDriver.name(),
            Builtin::None => NoneDriver.name(),
        };
        let mut networks = self.0.registry.networks().into_iter();
        Ok(networks.find(|network| {
            let spec = network.spec();
            spec.origin == Origin::Builtin && spec.driver == driver
        }))
    }

    fn create_linkless(&self, name: &str, driver: Arc<dyn Driver>) -> Result<Network> {
        let begun = Instant::now();
        let spec = linkless(name.parse()?, driver.name())?;
        let registered = self
            .0
            .registry
            .register((&spec.name, None), |_| Ok(Vec::new()));
        let registered = registered.map_err(|faults| Error::of("", faults))?;
        self.settle_linkless(spec, driver, registered, begun)
    }

    /// The network of a spec of which nothing is in the kernel.
    pub(super) fn settle_linkless(
        &self,
        spec: NetworkSpec,
        driver: Arc<dyn Driver>,
        registered: Registered,
        begun: Instant,
    ) -> Result<Network> {
        let members = Members::new(&spec.name, Pools::default());
        let (plan, kernel) = (Plan::new(), self.kernel().clone());
        let found = None;
        let record = NetworkRecord { spec, found };
        let network = Network::new(record, driver, plan, kernel, members, registered);
        // before anybody can find it and remove it
        self.0.registry.tell(begun, || EventKind::Create {
            network: network.spec().into(),
        });
        self.0.registry.announce(&network);
        // what others may remove from then on is known here by then
        network.be_kept()?;
        Ok(network)
    }
}

/// A network of which nothing is in the kernel.
pub(super) fn linkless(name: NetworkName, driver: &str) -> Result<NetworkSpec> {
    Ok(NetworkSpec {
        id: random_id()?,
        name,
        driver: driver.to_owned(),
        origin: Origin::Builtin,
        created: SystemTime::now().into(),
        ipv4: None,
        ipv6: None,
        further: Vec::new(),
        internal: Switch::Off,
        mtu: Mtu::ETHERNET,
        link: Link::new(Side::Host, "lo".parse()?, LinkIndex::new(1)?),
        mac: MacAddr::locally_administered(random_bytes()?),
        bridge: BridgeOptions::new(),
        mac_policy: MacPolicy::default(),
        hosts: HostsScope::default(),
        resolver: ResolverScope::default(),
        labels: BTreeMap::new(),
        options: NetworkOptions::default(),
        config_from: None,
        firewall: Firewall::Off,
        config_only: Switch::Off,
    })
}

/// A bridge that is there already and becomes the default network's.
#[derive(Debug, Clone)]
pub(super) struct Adopted {
    pub(super) link: Link,
    pub(super) state: LinkState,
    pub(super) addresses: Vec<IpNet>,
    /// What a network on it may change.
    pub(super) settings: Vec<(Sysctl, u32)>,
}

impl Adopted {
    /// The link of that name, if there is one.
    pub(super) fn find(
        snapshot: &Snapshot,
        config: &NetworkConfig,
        networks: &[Network],
    ) -> Result<Option<Self>> {
        let Some(name) = config.link_name() else {
            return Ok(None);
        };
        let Some(state) = snapshot.link_named(name.as_str()) else {
            return Ok(None);
        };
        if state.kind != "bridge" {
            let (name, expected) = (name.clone(), "bridge");
            return Err(Error::of("", vec![Fault::LinkKind { name, expected }]));
        }
        let index = LinkIndex::new(state.index)?;
        if networks
            .iter()
            .any(|network| network.spec().link.index == index)
        {
            let namespace = None;
            return Err(Error::of("", vec![Fault::LinkExists { name, namespace }]));
        }
        let of_link = snapshot.addresses.iter().filter(|a| a.link == state.index);
        let is_link_local = |address: &IpNet| match address {
            IpNet::V4(_) => false,
            IpNet::V6(net) => net.addr().is_unicast_link_local(),
        };
        let addresses = of_link.map(|a| a.address).filter(|a| !is_link_local(a));
        Ok(Some(Self {
            link: Link::new(Side::Host, name.clone(), index),
            state: state.clone(),
            addresses: addresses.collect(),
            settings: Vec::new(),
        }))
    }

    /// As it is kept for those who take the network back.
    pub(super) fn found(&self) -> FoundLink {
        FoundLink {
            up: match self.state.up {
                true => Switch::On,
                false => Switch::Off,
            },
            addresses: self.addresses.clone(),
            ipv4: self.settings.iter().filter_map(of_ipv4).collect(),
            ipv6: self.settings.iter().filter_map(of_ipv6).collect(),
        }
    }

    /// The host without it: what is left stands in the way of subnets.
    pub(super) fn take_from(&self, snapshot: &Snapshot) -> Snapshot {
        let mut rest = snapshot.clone();
        let index = self.state.index;
        rest.addresses.retain(|address| address.link != index);
        rest.routes.retain(|route| route.link != Some(index));
        rest
    }

    /// What is asked for, with what the bridge has where that is left open.
    pub(super) fn complete(&self, config: &NetworkConfig) -> NetworkConfig {
        let mut config = config.clone();
        for family in [Family::V4, Family::V6] {
            if !config.is_off(family) {
                config = self.complete_family(family, config);
            }
        }
        config
    }

    /// The gateway is an address that the bridge has, if it has one in the subnet; no container
    /// gets another one of them.
    fn complete_family(&self, family: Family, config: NetworkConfig) -> NetworkConfig {
        let of_family = self.addresses.iter();
        let mut own = of_family.filter(|address| Family::of(address.addr()) == family);
        let (mut config, subnet) = match config.subnet_of(family) {
            Some(subnet) => (config, Some(subnet)),
            None => match own.clone().next() {
                Some(first) => (config.subnet(Subnet::of(*first)), Some(Subnet::of(*first))),
                None => (config, None),
            },
        };
        let is_inside = |address: &IpAddr| subnet.is_some_and(|subnet| subnet.contains(*address));
        let mut inside = own.by_ref().map(IpNet::addr).filter(is_inside);
        let gateway = match config.gateway_of(family) {
            Some(gateway) => Some(gateway),
            None => inside.next().inspect(|first| {
                config = config.clone().gateway(*first);
            }),
        };
        let others = inside.filter(|address| Some(*address) != gateway);
        others.fold(config.clone(), |config, address| {
            let name = format!("{} {address}", self.link.name);
            config.auxiliary(name, address)
        })
    }
}

fn of_ipv4((key, value): &(Sysctl, u32)) -> Option<(Ipv4Conf, u32)> {
    match key {
        Sysctl::Ipv4(_, conf) => Some((*conf, *value)),
        Sysctl::Ipv6(..) => None,
    }
}

fn of_ipv6((key, value): &(Sysctl, u32)) -> Option<(Ipv6Conf, u32)> {
    match key {
        Sysctl::Ipv6(_, conf) => Some((*conf, *value)),
        Sysctl::Ipv4(..) => None,
    }
}

/// Networks without links of their own have an id like all others.
pub(super) fn random_id() -> Result<NetworkId> {
    Ok(NetworkId::from_bytes(random_bytes()?))
}
