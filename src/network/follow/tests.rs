//! What was read by one process before it changed the same itself.

use std::sync::Arc;

use crate::addr::EndpointId;
use crate::kernel::Netns;
use crate::network::Network;
use crate::network::ledger::News;
use crate::plan::Switch;
use crate::store::{Memory, Store};
use crate::{Container, ContainerConfig, EndpointConfig, Host, HostConfig, NetworkConfig};

/// Two processes that know each other by one store.
pub(crate) fn two_hosts() -> [Host; 2] {
    let (netns, store) = (Netns::create().unwrap(), Memory::new());
    [(); 2].map(|()| {
        let store: Arc<dyn Store> = Arc::new(store.open());
        let config = HostConfig::new().netns(netns.clone()).store(store);
        Host::open_with(config.watch(Switch::Off)).unwrap()
    })
}

/// What two processes know of one network.
struct Two {
    one: Host,
    other: Host,
    network: Network,
    same: Network,
    /// Its namespace is found by a file, by who has no handle to it.
    app: Container,
    _made: Netns,
}

impl Two {
    fn new() -> Self {
        let [one, other] = two_hosts();
        let network = one.create_network(NetworkConfig::bridge("web")).unwrap();
        let same = other.network("web").unwrap();
        let made = Netns::create().unwrap();
        let app = ContainerConfig::new("app", Netns::at(made.path()).unwrap());
        Self {
            one,
            other,
            network,
            same,
            app: Container::open(app).unwrap(),
            _made: made,
        }
    }

    /// An endpoint that the other one knows, and of which there is news.
    fn known_and_changed(&self) -> EndpointId {
        let endpoint = self.network.connect_with(&self.app, EndpointConfig::new());
        let endpoint = endpoint.unwrap();
        let id = endpoint.id();
        self.other.repair().unwrap();
        assert!(self.same.knows(&id));
        endpoint.persist().unwrap();
        id
    }

    /// What the other one has read by now, and has made nothing of.
    fn read(&self) -> News {
        let registry = self.same.0.registered.registry();
        registry.ledger().unwrap().news().unwrap()
    }

    fn follow(&self, news: &News) {
        let registry = self.same.0.registered.registry();
        let ledger = registry.ledger().unwrap();
        let mut following = registry.following.lock();
        registry.follow(ledger, news, &mut following).unwrap();
        drop(following);
        registry.catch_up().unwrap();
    }
}

#[test]
fn who_goes_after_news_that_could_not_be_taken_account_of_is_not_known_any_more() {
    let two = Two::new();
    let id = two.known_and_changed();
    let registry = two.same.0.registered.registry();
    registry.ledger().unwrap().tell_again(two.read());

    two.one.network("web").unwrap().disconnect("app").unwrap();
    registry.catch_up().unwrap();
    assert!(!two.same.knows(&id));
}

#[test]
fn who_was_disconnected_here_since_that_was_read_is_not_known_again() {
    let two = Two::new();
    let id = two.known_and_changed();
    let news = two.read();
    assert!(!news.changed.is_empty());
    two.same.disconnect("app").unwrap();

    two.follow(&news);
    assert!(!two.same.knows(&id));
    assert_eq!(two.other.repair().unwrap(), []);
    assert!(two.one.networks()[0].endpoints().is_empty());
}

#[test]
fn a_network_that_was_removed_here_since_that_was_read_is_not_known_again() {
    let two = Two::new();
    two.network.persist().unwrap();
    let news = two.read();
    assert!(!news.changed.is_empty());
    let before = two.other.snapshot().unwrap().links.len();
    two.same.remove().unwrap();

    two.follow(&news);
    assert!(two.other.network("web").is_err());
    assert_eq!(two.other.repair().unwrap(), []);
    assert_eq!(two.other.snapshot().unwrap().links.len(), before - 1);
}
