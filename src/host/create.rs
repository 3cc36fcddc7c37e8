//! Creating a network: what the host already has is read, subnets are chosen, the driver plans, the
//! kernel does it.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::addr::{Family, LinkName, MacAddr, Mtu, NetworkId, Subnet};
use crate::config::{FamilyRequest, NetworkConfig, NetworkRequest};
use crate::driver::Driver;
use crate::error::{Error, Fault, Obstacle, Occupant, Result};
use crate::ipam::{Owner, Pool, Wanted, check_subnet};
use crate::kernel::{random_bytes, read_nameservers};
use crate::network::{Draft, Members, Network, Registered};
use crate::plan::{Link, Plan, Side};
use crate::snapshot::Snapshot;
use crate::spec::{NetworkRange, NetworkSpec};
use crate::trace::operation;

use super::Host;

/// A bridge is named by the network's id; if that name is taken, another id is tried this often.
const ID_TRIES: usize = 4;

impl Host {
    /// Creates a network: all of it, or nothing. Needs `CAP_NET_ADMIN`.
    ///
    /// # Errors
    /// All that is wrong with the request; or what the kernel refused, and then everything is as it
    /// was, unless [`Error::left_behind`] says otherwise. [`Error::is_exists`]: the name, the
    /// bridge's name or a part of the subnet is taken, and the error names what takes it.
    /// [`Error::is_exhausted`]: no automatic subnet is left.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Host, NetworkConfig};
    /// let host = Host::isolated()?;
    /// let network = host.create_network(NetworkConfig::bridge("web").subnet("10.89.0.0/24"))?;
    /// assert_eq!(network.spec().ipv4.as_ref().unwrap().gateway, Some([10, 89, 0, 1].into()));
    /// # Ok(()) }
    /// ```
    pub fn create_network(&self, config: NetworkConfig) -> Result<Network> {
        let operation = operation!("create network", config.name());
        self.try_create(&config).map_err(|error| {
            operation.refused(error.during(format!("create network {}", config.name())))
        })
    }

    /// The network on paper: the plans of [`create_network`](Self::create_network) and of
    /// connecting, of which nothing is performed. The name and the subnets stay free.
    ///
    /// # Errors
    /// As for [`create_network`](Self::create_network), as far as the kernel need only be read.
    pub fn draft_network(&self, config: &NetworkConfig) -> Result<Draft> {
        let attempt = format!("draft network {}", config.name());
        let drafted = self.prepare(config).and_then(|prepared| {
            prepared.registered.cancel();
            let spec = prepared.spec()?;
            let plan = prepared
                .driver
                .create(&spec, &prepared.snapshot)
                .map_err(alone)?;
            let members = Members::new(&spec.name, prepared.pools);
            Ok(Draft::new(spec, prepared.driver, plan, members))
        });
        drafted.map_err(|error| error.during(attempt))
    }

    fn try_create(&self, config: &NetworkConfig) -> Result<Network> {
        let prepared = self.prepare(config)?;
        let made = self.make(&prepared);
        if made.is_err() {
            prepared.registered.cancel();
        }
        let (spec, plan) = made?;
        let members = Members::new(&spec.name, prepared.pools);
        let kernel = self.kernel().clone();
        let network = Network::new(
            spec,
            prepared.driver,
            plan,
            kernel,
            members,
            prepared.registered,
        );
        self.0.registry.announce(&network);
        Ok(network)
    }

    fn make(&self, prepared: &Prepared) -> Result<(NetworkSpec, Plan)> {
        let mut tries = 1;
        loop {
            let spec = prepared.spec()?;
            let plan = prepared
                .driver
                .create(&spec, &prepared.snapshot)
                .map_err(alone)?;
            match self.kernel().apply(&plan, None) {
                Ok(()) => return Ok((spec, plan)),
                Err(error) if tries < ID_TRIES && prepared.may_try_again(&error) => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Everything that is decided before the kernel is changed.
    fn prepare(&self, config: &NetworkConfig) -> Result<Prepared> {
        let request = config.check().map_err(|faults| Error::of("", faults))?;
        let Some(driver) = self.driver(&request.driver).cloned() else {
            let why = "no driver of that name is registered with this host".to_owned();
            return Err(alone(Fault::Driver {
                driver: request.driver,
                why,
            }));
        };
        let snapshot = self.snapshot()?;
        let mut obstacles = occupied(&snapshot);
        obstacles.extend(self.nameservers());
        let denied = self.0.config.denied.iter();
        obstacles.extend(denied.map(|&subnet| Obstacle {
            subnet,
            occupant: Occupant::Denied,
        }));
        let chosen = self.0.registry.register(&request.name, |networks| {
            let all: Vec<Obstacle> = obstacles.iter().chain(networks).cloned().collect();
            self.choose_subnets(&request, &all)
        });
        let (registered, subnets) = chosen.map_err(|faults| Error::of("", faults))?;
        let mut prepared = Prepared {
            request,
            driver,
            snapshot,
            registered,
            pools: BTreeMap::new(),
            ranges: BTreeMap::new(),
        };
        for subnet in subnets {
            if let Err(faults) = prepared.add_family(subnet) {
                prepared.registered.cancel();
                return Err(Error::of("", faults));
            }
        }
        Ok(prepared)
    }

    fn nameservers(&self) -> Vec<Obstacle> {
        let servers = read_nameservers(&self.0.config.resolv_conf);
        let obstacle = |address| Obstacle {
            subnet: address,
            occupant: Occupant::Nameserver,
        };
        servers
            .into_iter()
            .map(Subnet::from)
            .map(obstacle)
            .collect()
    }

    fn choose_subnets(
        &self,
        request: &NetworkRequest,
        obstacles: &[Obstacle],
    ) -> std::result::Result<Vec<Subnet>, Vec<Fault>> {
        let mut faults = Vec::new();
        let mut subnets = Vec::new();
        let families = [(Family::V4, &request.ipv4), (Family::V6, &request.ipv6)];
        for (family, wanted) in families {
            let Some(wanted) = wanted else { continue };
            match self.choose_subnet(family, wanted, obstacles) {
                Ok(subnet) => subnets.push(subnet),
                Err(fault) => faults.push(fault),
            }
        }
        if faults.is_empty() {
            Ok(subnets)
        } else {
            Err(faults)
        }
    }

    fn choose_subnet(
        &self,
        family: Family,
        wanted: &FamilyRequest,
        obstacles: &[Obstacle],
    ) -> std::result::Result<Subnet, Fault> {
        let Some(subnet) = wanted.subnet else {
            return self.0.pools.choose(Wanted::Any(family), obstacles);
        };
        match Wanted::open(subnet) {
            Some(open) => self.0.pools.choose(open, obstacles),
            None => check_subnet(subnet, obstacles).map(|()| subnet),
        }
    }
}

/// A network whose name and subnets are taken, and nothing else has been done for.
struct Prepared {
    request: NetworkRequest,
    driver: Arc<dyn Driver>,
    snapshot: Snapshot,
    registered: Registered,
    pools: BTreeMap<Family, Pool>,
    ranges: BTreeMap<Family, NetworkRange>,
}

impl Prepared {
    /// A pool for the subnet, with the gateway and the auxiliary addresses taken out.
    fn add_family(&mut self, subnet: Subnet) -> std::result::Result<(), Vec<Fault>> {
        let family = Family::of_subnet(subnet);
        let asked = match family {
            Family::V4 => &self.request.ipv4,
            Family::V6 => &self.request.ipv6,
        };
        let Some(asked) = asked else { return Ok(()) };
        let mut faults = Vec::new();
        let mut pool = Pool::new(subnet, asked.range).map_err(|fault| vec![fault])?;
        for (name, &address) in &asked.auxiliary {
            let reserved = pool.reserve(address, Owner::Auxiliary(name.clone()));
            faults.extend(reserved.err());
        }
        let gateway = pool
            .reserve_gateway(asked.gateway)
            .map_err(|fault| faults.push(fault))
            .ok();
        if !faults.is_empty() {
            return Err(faults);
        }
        let (range, auxiliary) = (asked.range, asked.auxiliary.clone());
        self.ranges.insert(
            family,
            NetworkRange {
                subnet,
                gateway,
                range,
                auxiliary,
            },
        );
        self.pools.insert(family, pool);
        Ok(())
    }

    fn spec(&self) -> Result<NetworkSpec> {
        let request = &self.request;
        let id = NetworkId::from_bytes(random_bytes()?);
        let link_name: LinkName = match &request.link_name {
            Some(name) => name.clone(),
            None => format!("br-{}", id.short()).parse()?,
        };
        let mac = match request.mac {
            Some(mac) => mac,
            None => MacAddr::locally_administered(random_bytes()?),
        };
        Ok(NetworkSpec {
            id,
            name: request.name.clone(),
            driver: request.driver.clone(),
            ipv4: self.ranges.get(&Family::V4).cloned(),
            ipv6: self.ranges.get(&Family::V6).cloned(),
            internal: request.internal,
            mtu: request.mtu.unwrap_or_else(|| self.default_mtu()),
            link: Link::new(Side::Host, link_name, id.link_index()),
            mac,
            bridge: request.bridge.clone(),
            mac_policy: request.mac_policy,
            hosts: request.hosts,
            labels: request.labels.clone(),
        })
    }

    fn default_mtu(&self) -> Mtu {
        let outside = self.snapshot.default_route_mtu().unwrap_or(Mtu::ETHERNET);
        let mtu = outside.min(Mtu::ETHERNET);
        if self.ranges.contains_key(&Family::V6) {
            mtu.max(Mtu::IPV6_MIN)
        } else {
            mtu
        }
    }

    /// Whether it was a name or index derived from the id that is taken.
    fn may_try_again(&self, error: &Error) -> bool {
        error.is_exists() && self.request.link_name.is_none()
    }
}

/// Ranges that the host's own routes and addresses lie in.
fn occupied(snapshot: &Snapshot) -> Vec<Obstacle> {
    let device = |index: u32| snapshot.link_at(index).map(|link| link.name.clone());
    let addresses = snapshot.addresses.iter().map(|state| Obstacle {
        subnet: Subnet::of(state.address),
        occupant: Occupant::Address {
            device: device(state.link).unwrap_or_default(),
        },
    });
    let routes = snapshot.routes.iter().map(|state| Obstacle {
        subnet: Subnet::of(state.destination),
        occupant: Occupant::Route {
            device: state.link.and_then(device),
            table: state.table,
        },
    });
    addresses.chain(routes).collect()
}

fn alone(fault: Fault) -> Error {
    Error::of("", vec![fault])
}
