//! A name that two processes take, one after the other, while neither knows all of it.

use std::sync::Arc;

use crate::addr::NetworkId;
use crate::error::Fault;
use crate::network::follow::tests::two_hosts;
use crate::network::{Members, Network, Pools};
use crate::plan::Plan;
use crate::record::{NetworkRecord, Phase, Tenure};
use crate::{Host, NetworkConfig};

use super::{Registered, Registry};

/// Two processes that know each other by one store, one of which has a network.
struct Two {
    one: Host,
    other: Host,
    web: Network,
    /// That of the other one.
    registry: Arc<Registry>,
}

impl Two {
    fn new() -> Self {
        let [one, other] = two_hosts();
        let web = one.create_network(NetworkConfig::bridge("web")).unwrap();
        let same = other.network("web").unwrap();
        let registry = Arc::clone(same.0.registered.registry());
        Self {
            one,
            other,
            web,
            registry,
        }
    }

    fn take_name(&self) -> Result<Registered, Vec<Fault>> {
        let names = (self.web.name(), None);
        self.registry.register(names, |_| Ok(Vec::new()))
    }

    /// A network for what was taken, of which nothing is in the kernel.
    fn settle(&self, registered: Registered) -> Network {
        let mut spec = self.web.spec().clone();
        spec.id = NetworkId::from_bytes([7; 32]);
        let driver = self.registry.foundation().driver("bridge").unwrap();
        let members = Members::new(&spec.name, Pools::default());
        let record = NetworkRecord { spec, found: None };
        let kernel = self.registry.foundation().kernel.clone();
        let driver = Arc::clone(driver);
        let network = Network::new(record, driver, Plan::new(), kernel, members, registered);
        self.registry.announce(&network);
        network
    }
}

#[test]
fn a_name_that_was_taken_before_it_was_heard_that_its_former_network_is_gone_stays_taken() {
    let two = Two::new();
    two.web.write(Phase::Going, Tenure::Held).unwrap();
    two.registry.catch_up().unwrap();
    let taken = two.take_name().unwrap();
    let former = two.web.0.registered.registry();
    former.strike_network(two.web.spec()).unwrap();

    two.registry.catch_up().unwrap();
    assert!(two.take_name().is_err());
    let network = two.settle(taken);
    let found = two.other.network_named("web").map(|found| found.id());
    assert_eq!(found, Some(network.id()));
}

#[test]
fn a_name_that_was_taken_before_another_processs_network_was_heard_of_is_given_up_alone() {
    let two = Two::new();
    two.web.remove().unwrap();
    two.registry.catch_up().unwrap();
    let taken = two.take_name().unwrap();
    let again = two.one.create_network(NetworkConfig::bridge("web"));
    let again = again.unwrap();

    two.registry.catch_up().unwrap();
    taken.cancel(); // the records say that it is another's
    let found = two.other.network_named("web").map(|found| found.id());
    assert_eq!(found, Some(again.id()));
    assert!(two.take_name().is_err());
}

#[test]
fn a_name_that_another_process_gives_up_is_free() {
    let two = Two::new();
    assert!(two.take_name().is_err());
    two.web.remove().unwrap();
    two.registry.catch_up().unwrap();
    two.take_name().unwrap().cancel();
    two.take_name().unwrap();
}
