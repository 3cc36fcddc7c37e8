//! What others do at any moment of a recovery is theirs: none of it is taken for nobody's.

use std::fmt;
use std::sync::Arc;

use bridgework::plan::Switch;
use bridgework::record::{Body, OwnerId, Phase, Record, Revision, Tenure};
use bridgework::store::{Change, Changes, Expected, Memory, Store, StoreError};
use bridgework::{ContainerName, Endpoint, EndpointConfig, Host, HostConfig, Netns, NetworkConfig};
use parking_lot::Mutex;

use crate::in_part::all_but_states;
use crate::recovered::net;
use crate::traffic::difference;
use crate::{lab, residents};

type Act = Box<dyn FnOnce() + Send>;

/// Something that happens when somebody has come so far for the n-th time.
#[derive(Default)]
struct Event(Mutex<Option<(usize, Act)>>);

impl Event {
    fn set(&self, nth: usize, act: Act) {
        *self.0.lock() = Some((nth, act));
    }

    fn come_nearer(&self) {
        let mut event = self.0.lock();
        let Some((left, _)) = event.as_mut() else {
            return;
        };
        *left -= 1;
        let due = event.take_if(|(left, _)| *left == 0);
        drop(event);
        if let Some((_, act)) = due {
            act();
        }
    }

    fn forget(&self) {
        *self.0.lock() = None;
    }

    fn has_happened(&self) -> bool {
        self.0.lock().is_none()
    }
}

/// An opener for whom something happens just before it looks or writes, or after it has looked, or as it
/// asks who lives.
struct Eventful {
    store: Memory,
    write: Event,
    look: Event,
    looked: Event,
    question: Event,
}

impl fmt::Debug for Eventful {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Eventful")
    }
}

impl Eventful {
    fn new(store: &Memory) -> Arc<Self> {
        Arc::new(Self {
            store: store.open(),
            write: Event::default(),
            look: Event::default(),
            looked: Event::default(),
            question: Event::default(),
        })
    }
}

impl Store for Eventful {
    fn changes(&self, since: Option<Revision>) -> Result<Changes, StoreError> {
        self.look.come_nearer();
        let changes = self.store.changes(since);
        self.looked.come_nearer();
        changes
    }

    fn commit(&self, change: &Change) -> Result<Revision, StoreError> {
        self.write.come_nearer();
        self.store.commit(change)
    }

    fn owner(&self) -> OwnerId {
        self.store.owner()
    }

    fn is_alive(&self, owner: OwnerId) -> Result<bool, StoreError> {
        self.question.come_nearer();
        self.store.is_alive(owner)
    }
}

fn begin() -> (Netns, Memory, Arc<Eventful>) {
    let store = Memory::new();
    let eventful = Eventful::new(&store);
    (Netns::create().unwrap(), store, eventful)
}

/// One host that recovers, and another one that has a container with a port.
fn at_each_look(act: fn(Endpoint)) {
    for nth in 1.. {
        let (netns, store, eventful) = begin();
        let config = |store: Arc<dyn Store>| HostConfig::new().netns(netns.clone()).store(store);
        let one = Host::open_with(config(Arc::new(store.open()))).unwrap();
        let network = one.create_network(net("web")).unwrap();
        let ports = EndpointConfig::new().publish("8080:80");
        let endpoint = network.connect_with(&lab::container("app"), ports).unwrap();
        let other = Host::open_with(config(eventful.clone())).unwrap();

        eventful.look.set(nth, Box::new(move || act(endpoint)));
        let recovered = other.recover().unwrap();
        if !eventful.look.has_happened() {
            assert!(nth > 3, "it looks {nth} times");
            return;
        }
        assert_eq!(recovered.orphans, [], "at look {nth}: {recovered}");
        let tables = || lab::output(&netns, "nft -j list ruleset");
        let before = tables();
        assert!(other.recover().unwrap().is_empty());
        assert!(tables() == before, "at look {nth}");
        assert!(one.check().unwrap().is_empty());
    }
}

#[test]
fn what_somebody_disconnects_meanwhile_is_not_nobodys() {
    at_each_look(|endpoint| endpoint.disconnect().unwrap());
}

pub fn unwatched(netns: &Netns, store: Arc<dyn Store>) -> Host {
    let config = HostConfig::new().netns(netns.clone()).store(store);
    Host::open_with(config.watch(Switch::Off)).unwrap()
}

/// An outsider has deleted its link, which is made again as it leaves.
#[test]
fn the_wire_of_who_leaves_meanwhile_is_not_made_again() {
    for nth in 1.. {
        let (netns, store, eventful) = begin();
        let one = unwatched(&netns, Arc::new(store.open()));
        let network = one.create_network(net("web")).unwrap();
        let (app, _made) = residents::opened("app");
        let endpoint = network.connect(&app).unwrap();
        let wire = endpoint.spec().host_link.name.to_string();
        let other = unwatched(&netns, eventful.clone());
        lab::output(&netns, &format!("ip link del {wire}")).unwrap();

        let act = move || endpoint.disconnect().unwrap();
        eventful.looked.set(nth, Box::new(act));
        let repaired = other.repair();
        if !eventful.looked.has_happened() {
            assert!(nth > 3, "it looks {nth} times");
            assert_eq!(lab::has_link(&netns, &wire), Some(true));
            return;
        }
        assert_eq!(
            lab::has_link(&netns, &wire),
            Some(false),
            "at look {nth}: {repaired:?}"
        );
    }
}

/// An outsider has deleted its bridge, which is made again as it is removed.
#[test]
fn a_network_that_is_removed_meanwhile_is_not_made_again() {
    for nth in 1.. {
        let (netns, store, eventful) = begin();
        let one = unwatched(&netns, Arc::new(store.open()));
        let _stays = one.create_network(NetworkConfig::bridge("db")).unwrap();
        let before = all_but_states(&one);
        let network = one.create_network(net("web")).unwrap();
        let bridge = network.spec().link.name.to_string();
        let other = unwatched(&netns, eventful.clone());
        lab::output(&netns, &format!("ip link del {bridge}")).unwrap();

        let act = move || network.remove().unwrap();
        eventful.looked.set(nth, Box::new(act));
        let repaired = other.repair();
        if !eventful.looked.has_happened() {
            assert!(nth > 3, "it looks {nth} times");
            assert_eq!(lab::has_link(&netns, &bridge), Some(true));
            return;
        }
        assert_eq!(lab::has_link(&netns, &bridge), Some(false), "at look {nth}");
        let left = difference(&all_but_states(&one), &before);
        assert_eq!(left, None, "at look {nth}: {repaired:?}");
    }
}

/// The container is on another network by another process, which publishes a port of it.
#[test]
fn who_leaves_while_another_process_changes_its_container_has_left() {
    for nth in 1.. {
        let (netns, store, eventful) = begin();
        let one = unwatched(&netns, eventful.clone());
        let network = one.create_network(net("web")).unwrap();
        let (app, _made) = residents::opened("app");
        let endpoint = network.connect(&app).unwrap();
        let other = unwatched(&netns, Arc::new(store.open()));
        let db = other.create_network(NetworkConfig::bridge("db")).unwrap();
        let elsewhere = db.connect(&other.container("app").unwrap()).unwrap();

        let elsewhere = Arc::new(elsewhere);
        let same = Arc::clone(&elsewhere);
        let act = move || drop(same.publish("8080:80").unwrap());
        eventful.write.set(nth, Box::new(act));
        endpoint.disconnect().unwrap();
        if !eventful.write.has_happened() {
            assert!(nth > 2, "it writes {nth} times");
            eventful.write.forget();
            elsewhere.publish("8080:80").unwrap();
            return;
        }
        assert!(other.network("web").unwrap().endpoints().is_empty());
        assert!(!elsewhere.published().is_empty());
        // a port that was published as it left may lead to where it was
        other.recover().unwrap();
        let recovered = other.recover().unwrap();
        assert!(recovered.is_empty(), "at write {nth}: {recovered}");
        network.connect(&app).unwrap();
    }
}

#[test]
fn a_port_that_somebody_closes_meanwhile_is_not_nobodys() {
    at_each_look(|endpoint| {
        endpoint.unpublish("8080:80").unwrap();
        std::mem::forget(endpoint);
    });
}

#[test]
fn a_port_that_changes_hands_meanwhile_leads_to_who_has_it_then() {
    at_each_look(|endpoint| {
        let network = endpoint.network().clone();
        endpoint.disconnect().unwrap();
        let ports = EndpointConfig::new().publish("8080:80");
        let next = network.connect_with(&lab::container("next"), ports);
        std::mem::forget(next.unwrap());
    });
}

/// The endpoint as somebody has it who is still making it.
fn unfinished(store: &Memory) -> (Record, Memory) {
    let records = store.changes(None).unwrap().records.into_iter();
    let mut records = records.map(|(_, record)| record);
    let made = records.find(|record| matches!(record.body, Body::Endpoint(_)));
    let maker = store.open();
    let coming = Record {
        phase: Phase::Coming,
        tenure: Tenure::Held,
        owner: maker.owner(),
        ..made.unwrap()
    };
    let change = Change::new().put(coming.clone(), Expected::Anything);
    maker.commit(&change).unwrap();
    (coming, maker)
}

#[test]
fn who_is_done_and_ends_when_it_is_asked_who_lives_has_left_nothing() {
    for nth in 1..=6 {
        let (netns, store, eventful) = begin();
        let config = |store: Arc<dyn Store>| HostConfig::new().netns(netns.clone()).store(store);
        let app = lab::container("app");
        {
            let one = Host::open_with(config(Arc::new(store.open()))).unwrap();
            let network = one.create_network(net("web")).unwrap();
            network.connect(&app).unwrap().persist().unwrap();
        }
        let (coming, maker) = unfinished(&store);
        let other = Host::open_with(config(eventful.clone())).unwrap();
        let tables = || lab::output(&netns, "nft -j list ruleset");
        let before = tables();

        let done = Record {
            phase: Phase::There,
            tenure: Tenure::Kept,
            ..coming
        };
        let end = move || {
            let change = Change::new().put(done, Expected::Anything);
            maker.commit(&change).unwrap();
        };
        eventful.question.set(nth, Box::new(end));
        let recovered = other.recover().unwrap();
        assert!(eventful.question.has_happened());
        assert!(recovered.is_empty(), "at question {nth}: {recovered}");
        assert!(tables() == before, "at question {nth}");
        assert_eq!(other.network("web").unwrap().endpoints().len(), 1);
    }
}

/// Somebody else prunes it, too, and another one of its name is connected.
#[test]
fn who_has_the_name_of_a_dead_container_by_now_is_not_pruned() {
    for nth in 1.. {
        let (netns, store, eventful) = begin();
        let one = unwatched(&netns, Arc::new(store.open()));
        let network = one.create_network(net("web")).unwrap();
        network.persist().unwrap();
        let (app, made) = residents::opened("app");
        network.connect(&app).unwrap().persist().unwrap();
        drop((app, made));
        let (again, _made) = residents::opened("app");
        let other = unwatched(&netns, eventful.clone());

        let living = (network.clone(), again.clone());
        let act = move || {
            let (network, again) = living;
            lab::wait_until("it is pruned", || {
                one.prune_containers().unwrap();
                network.endpoints().is_empty()
            });
            network.connect(&again).unwrap().persist().unwrap();
        };
        eventful.look.set(nth, Box::new(act));
        lab::wait_until("it is pruned, too", || {
            !other.prune_containers().unwrap().is_empty() || eventful.look.has_happened()
        });
        if !eventful.look.has_happened() {
            assert!(nth > 2, "it looks {nth} times");
            return;
        }
        let left = network.endpoints();
        assert_eq!(left.len(), 1, "at look {nth}");
        assert_eq!(left[0].container_id, again.id(), "at look {nth}");
    }
}

#[test]
fn an_address_that_another_one_reserves_meanwhile_for_the_same_name_is_reserved() {
    let (netns, store, eventful) = begin();
    let one = unwatched(&netns, Arc::new(store.open()));
    let network = one.create_network(net("web")).unwrap();
    network.persist().unwrap();
    let other = unwatched(&netns, eventful.clone());
    let there = other.network("web").unwrap();
    let kept = there.connect(&lab::container("app")).unwrap().ip();
    let db = "db".parse().unwrap();
    let act = {
        let db = ContainerName::clone(&db);
        move || network.reserve(&db, kept).unwrap()
    };
    eventful.write.set(1, Box::new(act));
    there.reserve(&db, kept).unwrap();
    assert!(eventful.write.has_happened());
    let app = there.connect(&lab::container("app")).unwrap();
    assert_ne!(app.ip(), kept);
    let db = there.connect(&lab::container("db")).unwrap();
    assert_eq!(db.ip(), kept);
}
