//! Each call of the store fails in turn, before it has done anything and after it has done all of it:
//! a verb is done or undone, and whoever recovers leaves nothing in between.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bridgework::plan::Switch;
use bridgework::record::{OwnerId, Revision};
use bridgework::store::{Change, Changes, Memory, Store, StoreError};
use bridgework::{EndpointConfig, Errno, Host, HostConfig, Netns, NetworkConfig, Result};

use crate::lab;
use crate::recovered::look;

/// When a call fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Moment {
    Before,
    After,
}

/// An opener whose n-th call fails.
#[derive(Debug)]
struct Failing {
    store: Memory,
    left: AtomicUsize,
    moment: Moment,
}

impl Failing {
    fn strike<T>(
        &self,
        call: impl FnOnce() -> std::result::Result<T, StoreError>,
    ) -> std::result::Result<T, StoreError> {
        let is_it = self.left.fetch_sub(1, Ordering::Relaxed) == 0;
        let refused = StoreError::File {
            doing: "write",
            path: "store".into(),
            errno: Errno::ENOSPC,
            words: None,
        };
        match (is_it, self.moment) {
            (false, _) => call(),
            (true, Moment::Before) => Err(refused),
            (true, Moment::After) => call().and(Err(refused)),
        }
    }
}

impl Store for Failing {
    fn changes(&self, since: Option<Revision>) -> std::result::Result<Changes, StoreError> {
        self.strike(|| self.store.changes(since))
    }

    fn commit(&self, change: &Change) -> std::result::Result<Revision, StoreError> {
        self.strike(|| self.store.commit(change))
    }

    fn owner(&self) -> OwnerId {
        self.store.owner()
    }

    fn is_alive(&self, owner: OwnerId) -> std::result::Result<bool, StoreError> {
        self.store.is_alive(owner)
    }
}

/// Whose next write is refused.
fn failing_next(netns: &Netns, store: &Memory) -> (Host, Arc<Failing>) {
    let store = Arc::new(Failing {
        store: store.open(),
        left: AtomicUsize::new(usize::MAX),
        moment: Moment::Before,
    });
    let config = HostConfig::new().netns(netns.clone()).watch(Switch::Off);
    let config = config.store(Arc::clone(&store) as Arc<dyn Store>);
    (
        Host::open_with(config.resolver(Switch::Off)).unwrap(),
        store,
    )
}

#[test]
fn a_reservation_that_cannot_be_written_takes_no_other_from_its_name() {
    let (host, store) = failing_next(&Netns::create().unwrap(), &Memory::new());
    let config = NetworkConfig::bridge("web")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64");
    let network = host.create_network(config).unwrap();
    let db = "db".parse().unwrap();
    network.reserve(&db, [10, 89, 0, 9]).unwrap();
    let second = "fd00:89::9".parse::<std::net::IpAddr>().unwrap();
    // to catch up, and to write
    store.left.store(1, Ordering::Relaxed);
    assert!(network.reserve(&db, second).is_err());
    let endpoint = network.connect(&lab::container("db")).unwrap();
    assert_eq!(endpoint.ip().to_string(), "10.89.0.9");
    assert!(!endpoint.ips().any(|ip| ip == second));
}

fn play(host: &Host) -> Result<()> {
    let config = NetworkConfig::bridge("web")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64");
    let network = host.create_network(config)?;
    let app = lab::container("app");
    let at = network.connect_with(&app, EndpointConfig::new().publish("8080:80"))?;
    at.publish("8081:81")?;
    at.unpublish("8080:80")?;
    let _spec = at.persist()?;
    let staged = network.stage("late", EndpointConfig::new())?;
    let joined = staged
        .join(&lab::container("late"))
        .map_err(|back| back.into_parts().0)?;
    joined
        .leave()
        .map_err(|back| back.into_parts().0)?
        .delete()?;
    network.disconnect("app")?;
    network.persist()?;
    network.remove()
}

fn play_with(nth: usize, moment: Moment) -> bool {
    let netns = Netns::create().unwrap();
    let before = look(&netns);
    let store = Memory::new();
    let failing = Failing {
        store: store.open(),
        left: AtomicUsize::new(nth),
        moment,
    };
    let failing = Arc::new(failing);
    let config = HostConfig::new()
        .netns(netns.clone())
        .store(failing.clone());
    let played = Host::open_with(config.watch(Switch::Off)).and_then(|host| play(&host));
    let was_struck = failing.left.load(Ordering::Relaxed) > nth;
    drop(failing);
    let config = HostConfig::new()
        .netns(netns.clone())
        .store(Arc::new(store.open()));
    let next = Host::open_with(config.watch(Switch::Off)).unwrap();
    let recovered = next.recover().unwrap();
    next.prune_containers().unwrap();
    for network in next.networks() {
        network.disconnect("app").ok();
        network.remove().unwrap();
    }
    let after = look(&netns);
    assert!(
        before == after,
        "{nth} {moment:?}: {played:?}\n{recovered}\n{after:#?}"
    );
    let left = store.changes(None).unwrap().records;
    assert_eq!(left.len(), 1, "{nth} {moment:?}: {left:#?}");
    was_struck
}

#[test]
fn each_call_that_fails_leaves_all_or_nothing() {
    // all of them take half a minute
    let step = match std::env::var("STORE_CALLS").as_deref() {
        Ok("all") => 1,
        _ => 5,
    };
    for (first, moment) in [(0, Moment::Before), (3, Moment::After)] {
        let mut nth = first;
        while play_with(nth, moment) {
            nth += step;
        }
        assert!(nth > 20, "{nth} calls");
    }
}
