//! What another process does is told to whoever subscribed here, with the next look: each thing once.

use std::time::Duration;

use bridgework::{Container, ContainerConfig, EndpointConfig, NetworkConfig, NetworkMode};

use crate::lab;
use crate::shared::two_hosts;

/// A line for each event that is to be read; nobody here knows how long it took.
fn told(events: &bridgework::Subscription) -> Vec<String> {
    let events = std::iter::from_fn(|| events.try_recv().ok());
    let lines = events.map(|event| {
        assert_eq!(event.took, Duration::ZERO, "{event}");
        assert!(!event.to_string().contains("took="), "{event}");
        lab::words_of(&event)
    });
    lines.collect()
}

#[test]
fn what_another_process_does_with_networks_and_containers_is_told_once() {
    let [one, other] = two_hosts();
    let events = one.subscribe();
    let expect = |expected: &[&str]| {
        let _look = one.networks();
        assert_eq!(told(&events), expected);
        let _again = one.networks();
        assert_eq!(told(&events), [""; 0]);
    };
    let network = other.create_network(NetworkConfig::bridge("web")).unwrap();
    network.persist().unwrap();
    expect(&["create web"]);
    let app = Container::isolated("app").unwrap();
    network.connect(&app).unwrap().persist().unwrap();
    expect(&["connect web app"]);
    other.network("web").unwrap().disconnect("app").unwrap();
    expect(&["disconnect web app"]);
    let gone_again = network.connect(&app).unwrap();
    expect(&["connect web app"]);
    drop(gone_again);
    expect(&["disconnect web app"]);
    network.remove().unwrap();
    expect(&["destroy web"]);
}

#[test]
fn one_without_a_wire_is_told_of_as_well() {
    let [one, other] = two_hosts();
    let events = one.subscribe();
    let config = ContainerConfig::named("batch");
    let batch = other.attach(&NetworkMode::None, config, EndpointConfig::new());
    let batch = batch.unwrap();
    let _look = one.networks();
    assert_eq!(told(&events), ["create none", "connect none batch"]);
    drop(batch);
    let _look = one.networks();
    assert_eq!(told(&events), ["disconnect none batch"]);
}

#[test]
fn what_was_there_before_is_news_to_nobody() {
    let [one, other] = two_hosts();
    let network = other.create_network(NetworkConfig::bridge("web")).unwrap();
    network.persist().unwrap();
    let app = lab::container("app");
    network.connect(&app).unwrap().persist().unwrap();
    let _look = one.networks();
    let events = one.subscribe();
    let _containers = one.network("web").unwrap().endpoints();
    one.check().unwrap();
    assert_eq!(told(&events), [""; 0]);
}
