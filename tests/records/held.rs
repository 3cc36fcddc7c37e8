//! What one process made and holds, and another one uses or makes stay.

use bridgework::{EndpointConfig, NetworkConfig};

use crate::lab::{self, udp_both_ways};
use crate::recovered::Ground;
use crate::residents::opened;
use crate::shared::two_hosts;

fn web() -> NetworkConfig {
    NetworkConfig::bridge("web").subnet("10.89.0.0/24")
}

#[test]
fn a_network_that_another_process_makes_stay_outlives_whoever_made_it() {
    let [one, other] = two_hosts();
    let network = one.create_network(web()).unwrap();
    let same = other.ensure_network(web()).unwrap();
    same.persist().unwrap();
    let bridge = network.spec().link.name.to_string();
    drop(network);
    assert_eq!(lab::has_link(one.netns(), &bridge), Some(true));
    assert_eq!(one.network("web").unwrap().id(), same.id());
    drop(one);
    assert_eq!(other.recover().unwrap().to_string(), "");
    let (a, b) = (lab::container("a"), lab::container("b"));
    let (_at_a, at_b) = (same.connect(&a).unwrap(), same.connect(&b).unwrap());
    udp_both_ways(&a, &b, at_b.ip());
}

#[test]
fn both_may_make_it_stay() {
    let [one, other] = two_hosts();
    let network = one.create_network(web()).unwrap();
    other.network("web").unwrap().persist().unwrap();
    network.persist().unwrap();
    let db = one.create_network(NetworkConfig::bridge("db")).unwrap();
    other.network("db").unwrap().persist().unwrap();
    let (app, _made) = opened("app");
    let at_db = db.connect(&app).unwrap();
    let same = other.network("db").unwrap().endpoint("app").unwrap();
    same.persist().unwrap();
    at_db.persist().unwrap();
    assert_eq!(other.network("db").unwrap().endpoints().len(), 1);
}

#[test]
fn a_network_that_others_are_on_does_not_go_with_whoever_made_it() {
    let [one, other] = two_hosts();
    let network = one.create_network(web()).unwrap();
    let bridge = network.spec().link.name.to_string();
    let (a, b) = (lab::container("a"), lab::container("b"));
    let same = other.network("web").unwrap();
    let at_a = same.connect(&a).unwrap();
    drop(network);
    let at_b = one.network("web").unwrap().connect(&b).unwrap();
    udp_both_ways(&a, &b, at_b.ip());
    drop((at_a, at_b, same));
    one.network("web").unwrap().remove().unwrap();
    assert_eq!(lab::has_link(one.netns(), &bridge), Some(false));
}

#[test]
fn a_network_of_a_dead_process_stays_for_those_who_are_on_it_and_goes_after_them() {
    let ground = Ground::new();
    ground.die_after(|host| host.create_network(web()).unwrap());
    let host = ground.open();
    let network = host.network("web").unwrap();
    let (a, b) = (lab::container("a"), lab::container("b"));
    let (at_a, at_b) = (network.connect(&a).unwrap(), network.connect(&b).unwrap());
    assert_eq!(host.recover().unwrap().to_string(), "");
    udp_both_ways(&a, &b, at_b.ip());
    let bridge = network.spec().link.name.to_string();
    drop((at_a, at_b, network));
    assert_eq!(host.recover().unwrap().taken_back.len(), 1);
    assert_eq!(lab::has_link(&ground.netns, &bridge), Some(false));
}

#[test]
fn an_endpoint_that_another_process_makes_stay_outlives_whoever_made_it() {
    let [one, other] = two_hosts();
    let network = one.create_network(web()).unwrap();
    let ((app, _made), probe) = (opened("app"), lab::container("probe"));
    let at_web = network.connect(&app).unwrap();
    let address = at_web.ip();
    let same = other.network("web").unwrap().endpoint("app");
    same.unwrap().persist().unwrap();
    drop((at_web, network));
    assert_eq!(lab::has_link(app.netns(), "eth0"), Some(true));
    let again = one.network("web").unwrap();
    let _at_probe = again.connect(&probe).unwrap();
    udp_both_ways(&probe, &app, address);
    again.disconnect("app").unwrap();
    assert_eq!(lab::has_link(app.netns(), "eth0"), Some(false));
}

#[test]
fn who_gets_an_address_that_another_process_gave_before_is_reached_at_once() {
    let ground = Ground::new();
    let host = ground.open();
    let network = host.create_network(web()).unwrap();
    let (probe, app, job) = ("probe", "app", "job");
    let [probe, app, job] = [probe, app, job].map(lab::container);
    let _at_probe = network.connect(&probe).unwrap();
    let at = || EndpointConfig::new().ip([10, 89, 0, 9]);
    for container in [&app, &job] {
        // each by a process that knows nothing of the one before
        let passing = ground.open();
        let same = passing.network("web").unwrap();
        let endpoint = same.connect_with(container, at()).unwrap();
        udp_both_ways(&probe, container, endpoint.ip());
        endpoint.disconnect().unwrap();
    }
}

#[test]
fn what_was_found_and_is_gone_is_not_said_to_stay() {
    let [one, other] = two_hosts();
    let network = one.create_network(web()).unwrap();
    let same = other.network("web").unwrap();
    drop(network);
    assert!(same.persist().unwrap_err().is_not_found());
}
