//! What is in a verb's way: what the living have is theirs, and what the dead have left is taken back
//! without anybody's asking for it.

use std::sync::Arc;

use bridgework::record::{Body, Phase, Record};
use bridgework::store::{Change, Expected, Memory, Store};
use bridgework::{EndpointConfig, Host, HostConfig, Netns, NetworkConfig};

use crate::lab::{self, udp_both_ways};
use crate::recovered::{Ground, net};

/// A network that stays, and on it a container of a process that has died.
fn ground_with_a_dead_one() -> Ground {
    let ground = Ground::new();
    ground.die_after(|host| {
        let network = host.create_network(net("web")).unwrap();
        network.persist().unwrap();
        let app = lab::container("app");
        (network.connect(&app).unwrap(), app)
    });
    ground
}

fn asked() -> EndpointConfig {
    EndpointConfig::new().ip([10, 89, 0, 77]).publish("8080:80")
}

#[test]
fn a_networks_name_and_subnets_that_a_dead_process_had_are_anybodys() {
    let ground = Ground::new();
    ground.die_after(|host| host.create_network(net("web")).unwrap());
    let host = ground.open();
    let network = host.create_network(net("web")).unwrap();
    let containers = ["app", "db"].map(lab::container);
    let [_app, db] = containers.each_ref().map(|c| network.connect(c).unwrap());
    udp_both_ways(&containers[0], &containers[1], db.ip());
}

/// A host with the network `web`, and records of `app` on it in that phase, by somebody who has not
/// done it yet, or not quite undone it.
fn with_records_of_another(phase: Phase) -> (Host, Memory, Memory) {
    let store = Memory::new();
    let config = HostConfig::new().store(Arc::new(store.open()));
    let host = Host::open_with(config.netns(Netns::create().unwrap())).unwrap();
    let network = host.create_network(net("web")).unwrap();
    network.persist().unwrap();
    let app = network.connect_with(&lab::container("app"), asked());
    let mut records = store.changes(None).unwrap().records;
    records.retain(|(_, r)| matches!(r.body, Body::Endpoint(_) | Body::Container(_)));
    assert_eq!(records.len(), 2);
    app.unwrap().disconnect().unwrap();

    let other = store.open();
    let mut change = Change::new();
    for (_, record) in records {
        let owner = other.owner();
        let record = Record {
            phase,
            owner,
            ..record
        };
        change = change.put(record, Expected::Absent);
    }
    other.commit(&change).unwrap();
    (host, store, other)
}

#[test]
fn a_name_an_address_and_a_port_that_a_dead_process_had_are_whoevers_asks_for_them() {
    for phase in [Phase::Coming, Phase::There, Phase::Going] {
        let (host, _, other) = with_records_of_another(phase);
        let network = host.network("web").unwrap();
        let app = lab::container("app");
        assert!(network.connect_with(&app, asked()).unwrap_err().is_exists());
        drop(other);
        let _again = network.connect_with(&app, asked()).unwrap();
        assert_eq!(network.endpoints().len(), 1);
        assert!(host.recover().unwrap().is_empty());
    }
}

#[test]
fn a_port_that_a_dead_process_had_is_published_of_a_running_container() {
    let (host, _, other) = with_records_of_another(Phase::There);
    let network = host.network("web").unwrap();
    let endpoint = network.connect(&lab::container("db")).unwrap();
    let refused = endpoint.publish("8080:80").unwrap_err();
    assert!(refused.is_exists(), "{refused}");
    let text = refused.to_string();
    assert!(
        text.contains("already allocated to container app"),
        "{text}"
    );
    drop(other);
    endpoint.publish("8080:80").unwrap();
    assert_eq!(network.endpoints().len(), 1);
}

#[test]
fn a_container_is_kept_by_a_name_that_a_dead_processes_had() {
    let ground = ground_with_a_dead_one();
    let host = ground.open();
    let app = lab::container("app");
    host.keep(&app).unwrap();
    assert_eq!(host.container("app").unwrap().id(), app.id());
}

#[test]
fn a_network_that_only_the_dead_are_on_is_removed() {
    let ground = ground_with_a_dead_one();
    let host = ground.open();
    let before = Ground::new().look();
    host.network("web").unwrap().remove().unwrap();
    assert_eq!(ground.look()[6], before[6]);
    assert!(host.recover().unwrap().is_empty());
}

#[test]
fn a_network_that_a_living_process_is_connecting_to_is_in_use_until_that_has_died() {
    let (host, store, other) = with_records_of_another(Phase::Coming);
    let network = host.network("web").unwrap();
    let error = network.remove().unwrap_err();
    assert!(
        error.is_in_use() && error.to_string().contains("app"),
        "{error}"
    );
    drop(other);
    network.remove().unwrap();
    assert_eq!(store.changes(None).unwrap().records.len(), 1, "the host's");
}

#[test]
fn what_another_process_publishes_as_it_connects_stays_when_other_networks_are_left() {
    let (store, app) = (Memory::new(), lab::container("app"));
    let config = HostConfig::new().store(Arc::new(store.open()));
    let host = Host::open_with(config.netns(Netns::create().unwrap())).unwrap();
    let networks = [net("web"), NetworkConfig::bridge("db")];
    let [web, db] = networks.map(|config| host.create_network(config).unwrap());
    let _stays = db.connect(&app).unwrap().persist().unwrap();
    let at_web = web.connect_with(&app, asked()).unwrap();
    let is_of_web = |record: &Record| match &record.body {
        Body::Endpoint(endpoint) => endpoint.spec.network == web.id(),
        Body::Container(_) => true,
        _ => false,
    };
    let records = store.changes(None).unwrap().records.into_iter();
    let records = records.map(|(_, record)| record).filter(is_of_web);
    let records: Vec<_> = records.collect();
    at_web.disconnect().unwrap();

    let other = store.open();
    let coming = records.into_iter().fold(Change::new(), |change, record| {
        let (owner, mut record) = (other.owner(), record);
        if matches!(record.body, Body::Endpoint(_)) {
            record = Record {
                owner,
                phase: Phase::Coming,
                ..record
            };
        }
        change.put(record, Expected::Anything)
    });
    other.commit(&coming).unwrap();
    db.disconnect("app").unwrap();
    let records = store.changes(None).unwrap().records;
    let mut published = records.iter().filter_map(|(_, record)| match &record.body {
        Body::Container(container) => Some(container.published.len()),
        _ => None,
    });
    assert_eq!(published.next(), Some(1));
}

#[test]
fn a_host_is_opened_where_somebody_else_has_put_a_link_in_a_bridges_place() {
    let ground = Ground::new();
    ground.die_after(|host| {
        let named = net("web").option("com.docker.network.bridge.name", "web0");
        host.create_network(named).unwrap().persist().unwrap();
    });
    for act in ["ip link del web0", "ip link add web0 type bridge"] {
        lab::output(&ground.netns, act).unwrap();
    }
    let host = ground.open();
    let network = host.network("web").unwrap();
    assert!(!host.check().unwrap().is_empty());
    network.remove().unwrap();
    assert_eq!(lab::has_link(&ground.netns, "web0"), Some(true));
    let free = NetworkConfig::bridge("db").subnet("10.89.0.0/24");
    host.create_network(free).unwrap();
}
