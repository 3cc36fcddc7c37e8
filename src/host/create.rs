//! Creating a network: what the host already has is read, subnets are chosen, the driver plans, the
//! kernel does it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::addr::{Family, LinkName, MacAddr, Mtu, Subnet};
use crate::config::{FamilyRequest, NetworkConfig, NetworkRequest};
use crate::driver::Driver;
use crate::error::{Error, Fault, Obstacle, Occupant, Result};
use crate::event::EventKind;
use crate::ipam::{Owner, Pool, Wanted, check_subnet};
use crate::kernel::{random_bytes, read_text};
use crate::network::{Draft, Members, Network, Registered};
use crate::plan::{Link, Plan, Side, Switch};
use crate::resolver::nameservers;
use crate::snapshot::Snapshot;
use crate::spec::{NetworkRange, NetworkSpec, Origin};
use crate::trace::operation;

use super::Host;
use super::builtin::{Adopted, check_instance, random_id};

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
        let drafted = self.prepare(config, Kind::Custom).and_then(|prepared| {
            prepared.registered.cancel();
            let spec = prepared.spec()?;
            let plan = prepared
                .driver
                .create(&spec, &prepared.snapshot)
                .map_err(alone)?;
            let members = Members::new(&spec.name, prepared.pools);
            let registry = Arc::clone(&self.0.registry);
            Ok(Draft::new(spec, prepared.driver, plan, members, registry))
        });
        drafted.map_err(|error| error.during(attempt))
    }

    fn try_create(&self, config: &NetworkConfig) -> Result<Network> {
        self.create_prepared(self.prepare(config, Kind::Custom)?)
    }

    /// The default network, on a bridge that is there or on one of its own.
    pub(super) fn create_default(&self, config: &NetworkConfig) -> Result<Network> {
        let adopted = Adopted::find(&self.snapshot()?, config, &self.networks())?;
        let completed = match &adopted {
            Some(adopted) => adopted.complete(config),
            None => config.clone(),
        };
        self.create_prepared(self.prepare(&completed, Kind::Default(adopted))?)
    }

    fn create_prepared(&self, prepared: Prepared) -> Result<Network> {
        let begun = Instant::now();
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
        self.0.registry.tell(begun, || EventKind::Create {
            network: network.spec().into(),
        });
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
    fn prepare(&self, config: &NetworkConfig, kind: Kind) -> Result<Prepared> {
        let mut faults = Vec::new();
        if matches!(kind, Kind::Custom) {
            check_instance(config, &mut faults);
        }
        let driver = self.driver(config.driver()).cloned();
        let keys = driver.as_ref().map(|driver| driver.option_keys());
        let request = config.check(keys, &mut faults);
        if driver.is_none() {
            let why = "no driver of that name is registered with this host".to_owned();
            let driver = config.driver().to_owned();
            faults.push(Fault::Driver { driver, why });
        }
        let (Some(request), snapshot) = (request, self.snapshot()?) else {
            return Err(Error::of("", faults));
        };
        let obstacles = match &kind {
            Kind::Default(Some(adopted)) => self.obstacles(&adopted.take_from(&snapshot)),
            _ => self.obstacles(&snapshot),
        };
        let mut families = Vec::new();
        let registered = self.0.registry.register(&request.name, |networks| {
            let all = in_order(networks, &obstacles);
            families = self.choose_families(&request, &all, &mut faults);
            if faults.is_empty() {
                Ok(families.iter().map(|(range, _)| range.subnet).collect())
            } else {
                Err(faults)
            }
        });
        let registered = registered.map_err(|faults| Error::of("", faults))?;
        let driver = driver.expect("a driver that is not there is a fault");
        let side = (driver, snapshot);
        Ok(Prepared::new(kind, request, side, registered, families))
    }

    /// All but the networks, the caller's own wishes first.
    fn obstacles(&self, snapshot: &Snapshot) -> Vec<Obstacle> {
        let denied = self.0.config.denied.iter().map(|&subnet| Obstacle {
            subnet,
            occupant: Occupant::Denied,
        });
        denied
            .chain(self.nameservers())
            .chain(occupied(snapshot))
            .collect()
    }

    fn nameservers(&self) -> Vec<Obstacle> {
        let text = read_text(&self.0.config.files.resolv_conf).unwrap_or_default();
        let obstacle = |address| Obstacle {
            subnet: address,
            occupant: Occupant::Nameserver,
        };
        nameservers(&text)
            .into_iter()
            .map(Subnet::from)
            .map(obstacle)
            .collect()
    }

    fn choose_families(
        &self,
        request: &NetworkRequest,
        obstacles: &[Obstacle],
        faults: &mut Vec<Fault>,
    ) -> Vec<(NetworkRange, Pool)> {
        let mut families = Vec::new();
        let wanted = [(Family::V4, &request.ipv4), (Family::V6, &request.ipv6)];
        for (family, asked) in wanted {
            let Some(asked) = asked else { continue };
            let chosen = self.choose_subnet(family, asked, obstacles);
            let subnet = chosen.map_err(|fault| faults.push(fault)).ok();
            // what is wrong with the addresses in a subnet does not depend on its being free
            if let Some(subnet) = subnet.or(asked.subnet) {
                families.extend(fill(subnet, asked, faults));
            }
        }
        families
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

/// Who wants a network.
enum Kind {
    /// A caller.
    Custom,
    /// The host itself, on this bridge if it is there.
    Default(Option<Adopted>),
}

/// A network whose name and subnets are taken, and nothing else has been done for.
struct Prepared {
    kind: Kind,
    request: NetworkRequest,
    driver: Arc<dyn Driver>,
    snapshot: Snapshot,
    registered: Registered,
    pools: BTreeMap<Family, Pool>,
    ranges: BTreeMap<Family, NetworkRange>,
}

impl Prepared {
    fn new(
        kind: Kind,
        request: NetworkRequest,
        (driver, snapshot): (Arc<dyn Driver>, Snapshot),
        registered: Registered,
        families: Vec<(NetworkRange, Pool)>,
    ) -> Self {
        let family = |range: &NetworkRange| Family::of_subnet(range.subnet);
        let ranges = families
            .iter()
            .map(|(range, _)| (family(range), range.clone()));
        let ranges = ranges.collect();
        let pools = families
            .into_iter()
            .map(|(range, pool)| (family(&range), pool));
        Self {
            kind,
            request,
            driver,
            snapshot,
            registered,
            pools: pools.collect(),
            ranges,
        }
    }

    fn spec(&self) -> Result<NetworkSpec> {
        let request = &self.request;
        let id = random_id()?;
        let link_name: LinkName = match &request.link_name {
            Some(name) => name.clone(),
            None => format!("br-{}", id.short()).parse()?,
        };
        let adopted = match &self.kind {
            Kind::Default(adopted) => adopted.as_ref(),
            Kind::Custom => None,
        };
        let link = match adopted {
            Some(adopted) => adopted.link.clone(),
            None => Link::new(Side::Host, link_name, id.link_index()),
        };
        let mac = match request
            .mac
            .or(adopted.and_then(|adopted| adopted.state.mac))
        {
            Some(mac) => mac,
            None => MacAddr::locally_administered(random_bytes()?),
        };
        let mtu = adopted.and_then(|adopted| Mtu::new(adopted.state.mtu_bytes).ok());
        Ok(NetworkSpec {
            id,
            name: request.name.clone(),
            driver: request.driver.clone(),
            origin: match self.kind {
                Kind::Custom => Origin::Custom,
                Kind::Default(_) => Origin::Builtin,
            },
            created: SystemTime::now().into(),
            ipv4: self.ranges.get(&Family::V4).cloned(),
            ipv6: self.ranges.get(&Family::V6).cloned(),
            internal: request.internal,
            mtu: request.mtu.or(mtu).unwrap_or_else(|| self.default_mtu()),
            link,
            mac,
            bridge: request.bridge.clone(),
            mac_policy: request.mac_policy,
            hosts: request.hosts,
            labels: request.labels.clone(),
            options: request.options.clone(),
            config_from: request.config_from.clone(),
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
        error.is_exists() && error.left_behind().is_empty() && self.request.link_name.is_none()
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

/// Networks first, since they can be named; without the addresses and routes that lie in them,
/// which are theirs.
fn in_order(networks: &[Obstacle], others: &[Obstacle]) -> Vec<Obstacle> {
    let is_theirs = |other: &Obstacle| networks.iter().any(|n| n.subnet.covers(other.subnet));
    let others = others.iter().filter(|other| !is_theirs(other));
    networks.iter().chain(others).cloned().collect()
}

/// A pool for the subnet, with the gateway and the auxiliary addresses taken out. What the check of
/// the request has refused already is left out and not told again.
fn fill(
    subnet: Subnet,
    asked: &FamilyRequest,
    faults: &mut Vec<Fault>,
) -> Option<(NetworkRange, Pool)> {
    let mut tell = |fault| {
        if !faults.contains(&fault) {
            faults.push(fault);
        }
    };
    let range = asked.range.filter(|range| subnet.covers(*range));
    let mut pool = Pool::new(subnet, range).map_err(&mut tell).ok()?;
    let auxiliary = asked.auxiliary.iter();
    for (name, &address) in auxiliary.filter(|(_, address)| subnet.contains(**address)) {
        let reserved = pool.reserve(address, Owner::Auxiliary(name.clone()));
        let _kept = reserved.map_err(&mut tell);
    }
    let wanted = asked.gateway.filter(|gateway| subnet.contains(*gateway));
    let gateway = match (asked.gateway, asked.gateway_choice) {
        (None, Switch::Off) => None,
        _ => pool.reserve_gateway(wanted).map_err(&mut tell).ok(),
    };
    let range = NetworkRange {
        subnet,
        gateway,
        range,
        auxiliary: asked.auxiliary.clone(),
    };
    Some((range, pool))
}

fn alone(fault: Fault) -> Error {
    Error::of("", vec![fault])
}
