//! Two programs that keep their records apart, on one machine.

use std::sync::Arc;

use bridgework::plan::Switch;
use bridgework::store::{Change, Memory, Store};
use bridgework::{Container, EndpointConfig, Host, HostConfig, Netns, Network, NetworkConfig};

use crate::in_part::all_but_states;
use crate::lab::{self, udp_both_ways};
use crate::recovered::Mortal;
use crate::traffic::difference;

fn open(netns: &Netns, store: &Memory, tag: u16) -> Host {
    let store = Arc::new(Mortal {
        opener: store.open(),
        dead: Default::default(),
        tag,
    });
    let config = HostConfig::new().netns(netns.clone()).watch(Switch::Off);
    Host::open_with(config.store(store)).unwrap()
}

/// What stays when the process has ended.
fn persisted(host: &Host, name: &str, port: &str) -> (Network, Container, Container) {
    let network = host.create_network(NetworkConfig::bridge(name)).unwrap();
    let containers = ["a", "b"].map(|one| lab::container(&format!("{one}-{name}")));
    for (container, ports) in containers.iter().zip([Some(port), None]) {
        let config = EndpointConfig::new();
        let config = ports.into_iter().fold(config, EndpointConfig::publish);
        let endpoint = network.connect_with(container, config).unwrap();
        endpoint.persist().unwrap();
    }
    let [a, b] = containers;
    (network, a, b)
}

fn reach_each_other((network, a, b): &(Network, Container, Container)) {
    let endpoints = network.endpoints();
    let of_b = endpoints.iter().find(|one| one.container == *b.name());
    let address = of_b.unwrap().addresses().next().unwrap().address.addr();
    udp_both_ways(a, b, address);
}

#[test]
fn neither_removes_or_takes_over_what_the_other_has() {
    let netns = Netns::create().unwrap();
    let stores = [Memory::new(), Memory::new()];
    let (one, other) = (open(&netns, &stores[0], 1), open(&netns, &stores[1], 2));
    let (of_one, of_other) = (
        persisted(&one, "pods", "8080:80"),
        persisted(&other, "podman", "8081:80"),
    );
    let before = all_but_states(&one);
    for host in [&one, &other] {
        assert_eq!(host.recover().unwrap().to_string(), "");
        assert_eq!(host.check().unwrap(), []);
    }
    assert_eq!(difference(&all_but_states(&one), &before), None);
    reach_each_other(&of_one);
    reach_each_other(&of_other);
}

#[test]
fn whoever_loses_its_records_has_its_own_made_again_alone() {
    let netns = Netns::create().unwrap();
    let stores = [Memory::new(), Memory::new()];
    let one = open(&netns, &stores[0], 1);
    let _of_one = persisted(&one, "pods", "8080:80");
    let other = open(&netns, &stores[1], 2);
    let of_other = persisted(&other, "podman", "8081:80");
    drop(one);
    let again = open(&netns, &Memory::new(), 1);
    let before = all_but_states(&again);
    let recovered = again.recover().unwrap();
    assert_eq!(
        (recovered.rebuilt.len(), recovered.orphans.len()),
        (5, 0),
        "{recovered}"
    );
    assert_eq!(difference(&all_but_states(&again), &before), None);
    assert!(again.network("podman").unwrap_err().is_not_found());
    let pods = again.network("pods").unwrap();
    for container in ["a-pods", "b-pods"] {
        pods.disconnect(container).unwrap();
    }
    pods.remove().unwrap();
    reach_each_other(&of_other);
}

#[test]
fn what_a_dead_process_left_goes_beside_another_store_too() {
    let netns = Netns::create().unwrap();
    let stores = [Memory::new(), Memory::new()];
    let other = open(&netns, &stores[1], 2);
    let of_other = persisted(&other, "podman", "8081:80");
    let one = open(&netns, &stores[0], 1);
    let (network, a, _b) = persisted(&one, "pods", "8080:80");
    let wire = network.endpoints()[0].host_link.name.to_string();
    // as if the records had never been written
    for (_, record) in stores[0].changes(None).unwrap().records {
        let strike = Change::new().delete(record.key(), bridgework::store::Expected::Anything);
        if !matches!(record.body, bridgework::record::Body::Host(_)) {
            stores[0].commit(&strike).unwrap();
        }
    }
    std::mem::forget((network, one));
    let again = open(&netns, &stores[0], 1);
    assert_eq!(again.recover().unwrap().orphans.len(), 3);
    assert_eq!(lab::has_link(&netns, &wire), Some(false));
    assert_eq!(lab::has_link(a.netns(), "eth0"), Some(false));
    reach_each_other(&of_other);
}
