//! Creating a network: what the host already has is read, subnets are chosen, the driver plans, the
//! kernel does it.

use std::sync::Arc;
use std::time::Instant;

use crate::config::NetworkConfig;
use crate::error::{Error, Fault, Result};
use crate::event::EventKind;
use crate::network::{Concern, Draft, Members, Network};
use crate::plan::Plan;
use crate::record::{NetworkRecord, Phase, Tenure};
use crate::spec::Origin;
use crate::trace::operation;

use super::Host;
use super::prepared::{Kind, Prepared};
use super::subnets::in_order;

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

    /// A network on a bridge that is there already, which the config
    /// [names](NetworkConfig::bridge_name), and that stays when the network goes: with its hardware
    /// address, its MTU and its addresses, which decide the subnets that were left open. What it lacks,
    /// a gateway's address say, it has as long as the network is there. None of its addresses is given
    /// to a container; which addresses others on it have is for the caller to say
    /// ([`NetworkConfig::auxiliary`]).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Host, NetworkConfig};
    /// let host = Host::open()?;
    /// let network = host.adopt_network(NetworkConfig::bridge("lan").bridge_name("br-lan"))?;
    /// network.remove()?; // br-lan is as it was
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`create_network`](Self::create_network); or no link of that name is there
    /// ([`Error::is_not_found`]), or it is no bridge, or another network's.
    pub fn adopt_network(&self, config: NetworkConfig) -> Result<Network> {
        let operation = operation!("adopt network", config.name());
        let begun = Instant::now();
        let adopted = self.0.registry.attempt(|| {
            let adopted = self.find_adopted(&config)?;
            let adopted = adopted.ok_or_else(|| alone(no_bridge(&config)))?;
            let completed = adopted.complete(&config);
            self.create_prepared(self.prepare(&completed, Kind::On(adopted))?, begun)
        });
        adopted.map_err(|error| {
            operation.refused(error.during(format!("adopt network {}", config.name())))
        })
    }

    /// The network on paper: the plans of [`create_network`](Self::create_network) and of
    /// connecting, of which nothing is performed. The name and the subnets stay free.
    ///
    /// ```no_run
    /// use bridgework::{Host, NetworkConfig};
    ///
    /// let host = Host::isolated()?;
    /// let draft = host.draft_network(&NetworkConfig::bridge("web"))?;
    /// println!("# of {:?}\n{}", draft.spec().ipv4, draft.plan());
    /// assert!(host.networks().is_empty());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`create_network`](Self::create_network), as far as the kernel need only be read.
    pub fn draft_network(&self, config: &NetworkConfig) -> Result<Draft> {
        let attempt = format!("draft network {}", config.name());
        if config.is_template() {
            let drafted = self.draft_template(config);
            return drafted.map_err(|error| error.during(attempt));
        }
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
        let begun = Instant::now();
        if config.is_template() {
            self.0.registry.catch_up()?;
            return self.create_template(config, begun);
        }
        self.0.registry.attempt_on(Concern::None, || {
            self.create_prepared(self.prepare(config, Kind::Custom)?, begun)
        })
    }

    /// The default network, on a bridge that is there or on one of its own.
    pub(super) fn create_default(&self, config: &NetworkConfig) -> Result<Network> {
        let begun = Instant::now();
        if config.is_template() {
            let why = "the default network and a configuration-only network".to_owned();
            return Err(alone(Fault::Conflicting(why)));
        }
        let adopted = self.find_adopted(config)?;
        let completed = match &adopted {
            Some(adopted) => adopted.complete(config),
            None => config.clone(),
        };
        self.create_prepared(self.prepare(&completed, Kind::Default(adopted))?, begun)
    }

    fn create_prepared(&self, prepared: Prepared, begun: Instant) -> Result<Network> {
        let made = self.make(&prepared);
        if made.is_err() {
            prepared.registered.cancel();
        }
        let (record, plan) = made?;
        let members = Members::new(&record.spec.name, prepared.pools);
        let kernel = self.kernel().clone();
        let network = Network::new(
            record,
            prepared.driver,
            plan,
            kernel,
            members,
            prepared.registered,
        );
        // what it fails by takes the network back
        network.open_gateway()?;
        // before anybody can find it and remove it
        self.0.registry.tell(begun, || EventKind::Create {
            network: network.spec().into(),
        });
        self.0.registry.announce(&network);
        // what others may remove from then on is known here by then
        network.be_kept()?;
        Ok(network)
    }

    fn make(&self, prepared: &Prepared) -> Result<(NetworkRecord, Plan)> {
        let registry = &self.0.registry;
        let mut tries = 1;
        loop {
            let spec = prepared.spec()?;
            let plan = prepared
                .driver
                .create(&spec, &prepared.snapshot)
                .map_err(alone)?;
            let record = prepared.record(spec);
            registry.write_network(&record, (Phase::Coming, Tenure::Held))?;
            let made = self.kernel().apply(&plan, None).inspect_err(|error| {
                if error.left_behind().is_empty() {
                    let _left_to_recovery = registry.strike_network(&record.spec);
                }
                if record.found.is_some() {
                    let _left_to_repair = registry.lead_by(&record.spec);
                }
            });
            match made {
                Ok(()) => return Ok((record, plan)),
                Err(error) if tries < ID_TRIES && prepared.may_try_again(&error) => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Everything that is decided before the kernel is changed.
    fn prepare(&self, config: &NetworkConfig, kind: Kind) -> Result<Prepared> {
        let mut faults = Vec::new();
        if kind.origin() == Origin::Custom {
            self.check_instance(config, &mut faults);
        }
        let driver = self.driver(config.driver()).cloned();
        let keys = driver.as_ref().map(|driver| driver.option_keys());
        let request = config.check(keys, &mut faults);
        if driver.is_none() && faults.iter().all(|fault| !is_only_instance(fault)) {
            let why = "no driver of that name is registered with this host".to_owned();
            let driver = config.driver().to_owned();
            faults.push(Fault::Driver { driver, why });
        }
        let (Some(request), mut snapshot) = (request, self.snapshot()?) else {
            return Err(Error::of("", faults));
        };
        let adopted = kind.adopted();
        snapshot.settings = adopted.map_or(Vec::new(), |adopted| adopted.settings.clone());
        let (request, template) = self.complete(request, keys, &mut faults);
        let obstacles = match adopted {
            Some(adopted) => self.obstacles(&adopted.take_from(&snapshot)),
            None => self.obstacles(&snapshot),
        };
        let mut families = Vec::new();
        let names = (&request.name, template.as_ref());
        let registered = self.0.registry.register(names, |networks| {
            let all = in_order(networks, &obstacles);
            families = self.choose_families(&request, &all, &mut faults);
            if faults.is_empty() {
                Ok(families.iter().map(|(range, _)| range.subnet).collect())
            } else {
                Err(faults)
            }
        });
        let registered = registered.map_err(|faults| Error::of("", told_once(faults)))?;
        let driver = driver.expect("a driver that is not there is a fault");
        let side = (driver, snapshot);
        Ok(Prepared::new(
            (kind, self.0.config.firewall),
            request,
            side,
            registered,
            families,
        ))
    }
}

fn no_bridge(config: &NetworkConfig) -> Fault {
    match config.link_name() {
        Some(name) => Fault::LinkNotFound {
            name,
            namespace: None,
        },
        None => Fault::Conflicting("a bridge that is there and no name for it".to_owned()),
    }
}

/// That a pre-defined network is there is no news.
fn told_once(mut faults: Vec<Fault>) -> Vec<Fault> {
    let is_predefined = |fault: &Fault| matches!(fault, Fault::PredefinedName { .. });
    if faults.iter().any(is_predefined) {
        faults.retain(|fault| !matches!(fault, Fault::NetworkExists { .. }));
    }
    faults
}

fn is_only_instance(fault: &Fault) -> bool {
    matches!(fault, Fault::OnlyInstance { .. })
}

pub(super) fn alone(fault: Fault) -> Error {
    Error::of("", vec![fault])
}
