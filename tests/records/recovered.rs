//! What a process leaves that dies, another one puts in order. Here a host dies by being forgotten with
//! all its handles; tests that really kill are elsewhere.

use std::collections::BTreeSet;
use std::sync::Arc;

use bridgework::plan::Switch;
use bridgework::record::{OwnerId, Phase, Revision};
use bridgework::store::{Change, Changes, Memory, Store, StoreError};
use bridgework::{EndpointConfig, Host, HostConfig, Netns, NetworkConfig};
use parking_lot::Mutex;

use crate::in_part::all_but_states;
use crate::lab;
use crate::traffic::difference;

/// An opener that is dead when it is told so.
#[derive(Debug)]
pub(crate) struct Mortal {
    pub(crate) opener: Memory,
    pub(crate) dead: Dead,
    /// Of stores that are somewhere.
    pub(crate) tag: u16,
}

type Dead = Arc<Mutex<BTreeSet<OwnerId>>>;

impl Store for Mortal {
    fn changes(&self, since: Option<Revision>) -> Result<Changes, StoreError> {
        self.opener.changes(since)
    }

    fn commit(&self, change: &Change) -> Result<Revision, StoreError> {
        self.opener.commit(change)
    }

    fn owner(&self) -> OwnerId {
        self.opener.owner()
    }

    fn is_alive(&self, owner: OwnerId) -> Result<bool, StoreError> {
        Ok(!self.dead.lock().contains(&owner) && self.opener.is_alive(owner)?)
    }

    fn tag(&self) -> u16 {
        self.tag
    }
}

/// A namespace and a store that hosts come and go in.
pub(crate) struct Ground {
    pub(crate) netns: Netns,
    store: Memory,
    dead: Dead,
}

impl Ground {
    pub(crate) fn new() -> Self {
        Self {
            netns: Netns::create().unwrap(),
            store: Memory::new(),
            dead: Dead::default(),
        }
    }

    pub(crate) fn open(&self) -> Host {
        Host::open_with(self.config()).unwrap()
    }

    fn mortal(&self) -> Mortal {
        Mortal {
            opener: self.store.open(),
            dead: self.dead.clone(),
            tag: 0,
        }
    }

    pub(crate) fn config(&self) -> HostConfig {
        let store = Arc::new(self.mortal());
        HostConfig::new().netns(self.netns.clone()).store(store)
    }

    /// With the same records, and nothing in the kernel.
    pub(crate) fn rebooted(self) -> Self {
        Self {
            netns: Netns::create().unwrap(),
            ..self
        }
    }

    /// How many records there are.
    pub(crate) fn records(&self) -> usize {
        self.store.changes(None).unwrap().records.len()
    }

    /// What `act` made stays in the kernel, and nobody knows of it but by the store.
    pub(crate) fn die_after<T>(&self, act: impl FnOnce(&Host) -> T) {
        let store = Arc::new(self.mortal());
        let owner = store.owner();
        let config = HostConfig::new().netns(self.netns.clone()).store(store);
        // what watches would go on living
        let host = Host::open_with(config.watch(Switch::Off)).unwrap();
        std::mem::forget(act(&host));
        std::mem::forget(host);
        self.dead.lock().insert(owner);
    }

    pub(crate) fn look(&self) -> Vec<String> {
        look(&self.netns)
    }
}

/// All that `ip` and `nft` list of the namespace.
pub(crate) fn look(netns: &Netns) -> Vec<String> {
    let commands = [
        "ip -j link",
        "ip -j addr",
        "ip -j route show table all",
        "ip -j -6 route show table all",
        "ip -j rule",
        "ip -j -6 rule",
        "nft -j list ruleset",
    ];
    let looked = commands.map(|command| lab::output(netns, command).unwrap_or_default());
    looked.into_iter().collect()
}

pub(crate) fn net(name: &str) -> NetworkConfig {
    NetworkConfig::bridge(name)
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64")
}

#[test]
fn what_a_dead_process_held_for_itself_is_taken_back() {
    let ground = Ground::new();
    let before = ground.look();
    ground.die_after(|host| {
        let network = host.create_network(net("web")).unwrap();
        let app = lab::container("app");
        let config = EndpointConfig::new().publish("8080:80");
        (network.connect_with(&app, config).unwrap(), app, network)
    });
    assert_ne!(ground.look(), before);
    let host = ground.open();
    let recovered = host.recover().unwrap();
    assert_eq!(recovered.taken_back.len(), 2, "{recovered}");
    assert!(ground.look() == before, "{recovered}\n{:#?}", ground.look());
    assert!(host.recover().unwrap().is_empty());
    assert_eq!(ground.store.changes(None).unwrap().records.len(), 1);
}

#[test]
fn what_a_dead_process_persisted_stays_as_it_was() {
    let ground = Ground::new();
    let app = lab::container("app");
    ground.die_after(|host| {
        let network = host.create_network(net("web")).unwrap();
        let config = EndpointConfig::new().publish("8080:80").alias("api");
        network
            .connect_with(&app, config)
            .unwrap()
            .persist()
            .unwrap();
    });
    let before = ground.look();
    let host = ground.open();
    let recovered = host.recover().unwrap();
    assert!(recovered.is_empty(), "{recovered}");
    assert_eq!(ground.look(), before);
    let network = host.network("web").unwrap();
    assert_eq!(network.endpoints()[0].aliases[0].as_str(), "api");
    network.disconnect("app").unwrap();
    network.remove().unwrap();
    assert_eq!(ground.look()[6], Ground::new().look()[6]);
}

#[test]
fn what_bears_our_mark_and_is_of_no_record_is_removed() {
    let ground = Ground::new();
    let before = ground.look();
    let other = Ground {
        netns: ground.netns.clone(),
        ..Ground::new()
    };
    drop(other.open());
    ground.die_after(|host| {
        let network = host.create_network(net("web")).unwrap();
        let app = lab::container("app");
        let config = EndpointConfig::new().publish("8080:80");
        (network.connect_with(&app, config).unwrap(), app, network)
    });
    let host = other.open();
    let recovered = host.recover().unwrap();
    assert!(recovered.orphans.len() > 2, "{recovered}");
    assert!(ground.look() == before, "{recovered}\n{:#?}", ground.look());
}

#[test]
fn records_that_are_lost_are_made_again_also_if_somebody_did_something_before() {
    let ground = Ground::new();
    let (app, late) = (lab::container("app"), lab::container("late"));
    ground.die_after(|host| {
        let network = host.create_network(net("web")).unwrap();
        let connected = network.connect(&app).unwrap();
        connected.persist().unwrap();
    });
    let lost = Ground {
        netns: ground.netns.clone(),
        ..Ground::new()
    };
    let host = lost.open();
    assert!(host.has_lost_records().unwrap());
    let other = host.create_network(NetworkConfig::bridge("db")).unwrap();
    let taken = host.create_network(NetworkConfig::bridge("cut")).unwrap();
    taken.connect(&late).unwrap().persist().unwrap();
    other.persist().unwrap();
    taken.persist().unwrap();
    assert!(host.has_lost_records().unwrap(), "these are others");
    let before = all_but_states(&host);
    let recovered = host.recover().unwrap();
    assert!(!host.has_lost_records().unwrap());
    assert_eq!(recovered.rebuilt.len(), 3, "{recovered}");
    assert!(recovered.orphans.is_empty(), "{recovered}");
    assert_eq!(
        difference(&all_but_states(&host), &before),
        None,
        "{recovered}"
    );
    let web = host.network("web").unwrap();
    assert_eq!(web.endpoints()[0].container.as_str(), "app");
    let again = host.recover().unwrap();
    assert!(again.is_empty(), "{again}");
}

/// The kinds of what is written down of it.
fn kinds(host: &Host, container: &str) -> Vec<String> {
    let records = host.records_of(container).unwrap();
    let kinds = records.iter().map(|record| record.key().kind().to_owned());
    kinds.collect()
}

#[test]
fn what_is_written_down_of_a_container_is_also_what_a_dead_process_has_left_and_nobody_else_s() {
    let ground = Ground::new();
    let (app, db) = (lab::container("app"), lab::container("db"));
    let reader = ground.open();
    assert!(kinds(&reader, "app").is_empty());
    ground.die_after(|host| {
        let data = NetworkConfig::bridge("data").subnet("10.90.0.0/24");
        let data = host.create_network(data).unwrap();
        data.persist().unwrap();
        data.connect(&db).unwrap().persist().unwrap();
        data.reserve(&"late".parse().unwrap(), [10, 90, 0, 9])
            .unwrap();
        let web = host.create_network(net("web")).unwrap();
        (web.connect(&app).unwrap(), web)
    });
    for term in ["app".to_owned(), app.id().to_string()] {
        assert_eq!(kinds(&reader, &term), ["container", "endpoint", "network"]);
    }
    let of_app = reader.records_of("app").unwrap();
    assert!(of_app.iter().all(|record| record.phase == Phase::There));
    assert_eq!(kinds(&reader, "db").len(), 3);
    assert!(kinds(&reader, "web").is_empty(), "it is a network");
    assert!(kinds(&reader, "late").is_empty(), "it is on no network");
    reader.recover().unwrap();
    assert!(kinds(&reader, "app").is_empty());
    assert_eq!(kinds(&reader, "db").len(), 3);
    assert!(kinds(&lab::silent_host(), "db").is_empty());
}

#[test]
fn further_subnets_and_their_addresses_are_known_to_the_next_one_also_where_records_were_lost() {
    let ground = Ground::new();
    let (app, late) = (lab::container("app"), lab::container("late"));
    ground.die_after(|host| {
        let web = net("web")
            .further_subnet("10.90.0.0/24")
            .further_subnet("10.91.0.0/24");
        let web = host.create_network(web).unwrap();
        web.connect(&app).unwrap().persist().unwrap();
        web.persist().unwrap();
    });
    let addresses = |host: &Host| {
        let web = host.network("web").unwrap();
        let spec = web
            .endpoints()
            .into_iter()
            .find(|e| e.container.as_str() == "app");
        let spec = spec.unwrap();
        let own = spec.addresses().map(|own| own.address.to_string());
        own.collect::<Vec<_>>()
    };
    let lost = Ground {
        netns: ground.netns.clone(),
        ..Ground::new()
    };
    let expected = addresses(&ground.open());
    for (ground, last) in [(&ground, "10.91.0.3"), (&lost, "10.91.0.3")] {
        let host = ground.open();
        let before = all_but_states(&host);
        let recovered = host.recover().unwrap();
        assert!(
            recovered.orphans.is_empty() && recovered.repaired.is_empty(),
            "{recovered}"
        );
        assert_eq!(difference(&all_but_states(&host), &before), None);
        assert_eq!(addresses(&host), expected);
        let web = host.network("web").unwrap();
        assert_eq!(web.spec().further.len(), 2);
        let at_late = web.connect(&late).unwrap();
        assert_eq!(at_late.ips().last().unwrap().to_string(), last);
        at_late.disconnect().unwrap();
        web.forget(&late);
    }
}

#[test]
fn a_host_of_which_nothing_was_ever_written_down_has_lost_nothing() {
    let ground = Ground::new();
    assert!(!ground.open().has_lost_records().unwrap());
    let silent = lab::silent_host();
    let _network = silent.create_network(net("web")).unwrap();
    assert!(!silent.has_lost_records().unwrap(), "it keeps no records");
}

#[test]
fn lost_records_of_a_name_that_somebody_has_taken_since_leave_the_rest_to_be_made_again() {
    let ground = Ground::new();
    let (app, db) = (lab::container("app"), lab::container("db"));
    ground.die_after(|host| {
        let web = host.create_network(net("web")).unwrap();
        web.connect(&app).unwrap().persist().unwrap();
        let data = NetworkConfig::bridge("data").subnet("10.90.0.0/24");
        let data = host.create_network(data).unwrap();
        data.connect(&db).unwrap().persist().unwrap();
    });
    let lost = Ground {
        netns: ground.netns.clone(),
        ..Ground::new()
    };
    let host = lost.open();
    let web = NetworkConfig::bridge("web").subnet("10.91.0.0/24");
    let web = host.create_network(web).unwrap();
    web.persist().unwrap();
    let recovered = host.recover().unwrap();
    let data = host.network("data").unwrap();
    assert_eq!(data.endpoints()[0].container.as_str(), "db", "{recovered}");
    assert!(host.network("web").unwrap().endpoints().is_empty());
    assert_eq!(lab::has_link(db.netns(), "eth0"), Some(true));
    let again = host.recover().unwrap();
    assert!(again.is_empty(), "{again}");
}

#[test]
fn records_that_are_lost_are_made_again_of_what_the_kernel_has() {
    let ground = Ground::new();
    let empty = ground.look();
    let (app, late) = (lab::container("app"), lab::container("late"));
    ground.die_after(|host| {
        let network = host.create_network(net("web")).unwrap();
        let config = EndpointConfig::new()
            .publish("8080:80")
            .publish("5353:53/udp");
        network
            .connect_with(&app, config)
            .unwrap()
            .persist()
            .unwrap();
        let closed = NetworkConfig::bridge("in")
            .subnet("10.90.0.0/24")
            .internal();
        let closed = host.create_network(closed).unwrap();
        closed.connect(&app).unwrap().persist().unwrap();
    });
    let before = ground.look();
    let lost = Ground {
        netns: ground.netns.clone(),
        ..Ground::new()
    };
    let host = lost.open();
    let recovered = host.recover().unwrap();
    assert_eq!(recovered.rebuilt.len(), 5, "{recovered}");
    assert_eq!(
        (recovered.orphans.len(), recovered.repaired.len()),
        (0, 0),
        "{recovered}"
    );
    assert!(ground.look() == before, "{recovered}");
    let network = host.network("web").unwrap();
    let known = &network.endpoints()[0];
    let at = |spec: &bridgework::spec::EndpointSpec| {
        spec.addresses()
            .map(|a| a.address.to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (known.container.as_str(), at(known)),
        (
            "app",
            vec!["10.89.0.2/24".to_owned(), "fd00:89::2/64".to_owned()]
        )
    );
    let next = network.connect(&late).unwrap();
    assert_eq!(next.ip().to_string(), "10.89.0.3");
    next.disconnect().unwrap();
    for name in ["web", "in"] {
        let network = host.network(name).unwrap();
        network.disconnect("app").unwrap();
        network.remove().unwrap();
    }
    assert!(ground.look() == empty, "{:#?}", ground.look());
    let left = lost.store.changes(None).unwrap().records;
    assert_eq!(left.len(), 1, "the host's alone: {left:#?}");
}

#[test]
fn after_a_reboot_networks_are_made_again_leases_are_gone_and_reservations_stay() {
    let ground = Ground::new();
    let app = lab::container("app");
    ground.die_after(|host| {
        let network = host.create_network(net("web")).unwrap();
        network.persist().unwrap();
        let kept = "10.89.0.9".parse::<std::net::IpAddr>().unwrap();
        let db = "db".parse().unwrap();
        network.reserve(&db, kept).unwrap();
        network.reserve(&db, kept).unwrap(); // changes nothing
        network.connect(&app).unwrap().persist().unwrap();
    });
    let host = ground.rebooted().open();
    let recovered = host.recover().unwrap();
    assert_eq!(recovered.forgotten.len(), 2, "{recovered}");
    assert!(!recovered.repaired.is_empty(), "{recovered}");
    let network = host.network("web").unwrap();
    assert_eq!(network.endpoints(), []);
    let bridge = network.spec().link.name.as_str();
    assert_ne!(lab::has_link(host.netns(), bridge), Some(false));
    let at = |name| network.connect(&lab::container(name)).unwrap();
    let (first, db) = (at("app"), at("db"));
    assert_eq!(first.ip().to_string(), "10.89.0.2");
    assert_eq!(db.ip().to_string(), "10.89.0.9");
    assert!(host.recover().unwrap().is_empty());
}
