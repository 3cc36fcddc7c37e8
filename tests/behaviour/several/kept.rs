//! Addresses that are kept: a static one for its container's return, a reserved one for its name.

use std::net::{IpAddr, Ipv6Addr};

use bridgework::{Container, Endpoint, EndpointConfig, Error, Network, NetworkConfig};

use super::link_of;
use crate::lab::{self};

/// Five containers have room on it.
const ROOM: usize = 5;

const STATIC: [u8; 4] = [10, 79, 0, 4];

fn small() -> Network {
    let config = NetworkConfig::bridge("n").subnet("10.79.0.0/29");
    lab::host().create_network(config).unwrap()
}

fn asking() -> EndpointConfig {
    EndpointConfig::new().ip(STATIC)
}

/// As many dynamic containers as there is room for, and what the next one is told.
fn fill(network: &Network) -> (Vec<Endpoint>, Error) {
    let mut endpoints = Vec::new();
    loop {
        let container = lab::container(&format!("dynamic{}", endpoints.len()));
        match network.connect(&container) {
            Ok(endpoint) => endpoints.push(endpoint),
            Err(error) => return (endpoints, error),
        }
    }
}

/// None of them has the static address, which is left over.
fn assert_left_over(network: &Network) {
    let (endpoints, error) = fill(network);
    assert_eq!(endpoints.len(), ROOM - 1);
    assert!(error.is_exhausted(), "{error}");
    let ips: Vec<IpAddr> = endpoints.iter().map(Endpoint::ip).collect();
    assert!(!ips.contains(&STATIC.into()), "{ips:?}");
}

/// Everybody may have it.
fn assert_free(network: &Network) {
    let (endpoints, _) = fill(network);
    assert_eq!(endpoints.len(), ROOM);
    drop(endpoints);
    let other = lab::container("other");
    let endpoint = network.connect_with(&other, asking()).unwrap();
    let found = link_of(other.netns(), STATIC.into());
    assert!(found.is_none_or(|link| link == "eth0"));
    drop(endpoint);
}

/// One that was there with the static address, so many times.
fn gone(network: &Network, times: usize) -> Container {
    let container = lab::container("c");
    for _ in 0..times {
        let endpoint = network.connect_with(&container, asking()).unwrap();
        endpoint.disconnect().unwrap();
    }
    container
}

#[test]
fn a_dynamic_container_never_gets_a_static_address_that_may_return() {
    for times in [1, 2, 3] {
        let network = small();
        let container = gone(&network, times);
        assert_left_over(&network);
        let again = network.connect(&container).unwrap();
        assert_eq!(again.ip(), IpAddr::from(STATIC));
    }
}

#[test]
fn whoever_asks_for_it_gets_it_and_the_one_who_returns_is_told_who_has_it() {
    let network = small();
    let container = gone(&network, 1);
    let other = lab::container("other");
    let at_other = network.connect_with(&other, asking()).unwrap();
    let error = network.connect(&container).unwrap_err();
    assert!(error.is_exists(), "{error}");
    assert_eq!(
        error.to_string(),
        "connect c to n: address 10.79.0.4 is already in use by container other"
    );
    let elsewhere = EndpointConfig::new().ip([10, 79, 0, 5]);
    let at = network.connect_with(&container, elsewhere).unwrap();
    assert_eq!(at.ip(), IpAddr::from([10, 79, 0, 5]));
    drop((at, at_other));
    // the last one who asked for it is the one it is kept for
    let returned = network.connect(&other).unwrap();
    assert_eq!(returned.ip(), IpAddr::from(STATIC));
}

#[test]
fn whoever_asks_for_it_while_the_one_who_returned_has_it_is_told_all_that_is_in_the_way() {
    let config = NetworkConfig::bridge("n").subnet("10.79.0.0/29");
    let config = config.subnet("fd00:79::/125");
    let network = lab::host().create_network(config).unwrap();
    let container = gone(&network, 1);
    let _returned = network.connect(&container).unwrap();
    let gateway: Ipv6Addr = "fd00:79::1".parse().unwrap();
    let other = lab::container("other");
    let error = network.connect_with(&other, asking().ip(gateway));
    assert_eq!(
        error.unwrap_err().to_string(),
        "connect other to n: address 10.79.0.4 is already in use by container c; \
         address fd00:79::1 is already in use by the gateway"
    );
}

#[test]
fn it_is_free_once_the_last_handle_of_the_container_is_dropped() {
    for times in [1, 2, 3] {
        let network = small();
        let container = gone(&network, times);
        let clone = container.clone();
        drop(container);
        assert_left_over(&network);
        drop(clone);
        assert_free(&network);
    }
}

#[test]
fn it_is_free_once_it_is_forgotten() {
    let network = small();
    let container = gone(&network, 2);
    network.forget(&container);
    assert_free(&network);
    let container = gone(&network, 2);
    let anew = EndpointConfig::new().anew();
    let endpoint = network.connect_with(&container, anew).unwrap();
    assert_ne!(endpoint.ip(), IpAddr::from(STATIC));
    let (others, _) = fill(&network);
    let ips: Vec<IpAddr> = others.iter().map(Endpoint::ip).collect();
    assert!(ips.contains(&STATIC.into()), "{ips:?}");
}

#[test]
fn a_request_for_it_that_fails_takes_it_from_nobody() {
    let network = small();
    let container = gone(&network, 1);
    let other = lab::container("other");
    let outside = asking().ip("fd00::7".parse::<IpAddr>().unwrap());
    let error = network.connect_with(&other, outside).unwrap_err();
    assert!(error.is_invalid(), "{error}");
    // by the kernel, too
    let far = lab::container("far");
    let taken = "link add lan0 type bridge";
    let Some(()) = super::ip(far.netns(), taken) else {
        return;
    };
    let error = network
        .connect_with(&far, asking().link_name("lan0"))
        .unwrap_err();
    assert!(error.is_exists(), "{error}");
    assert_left_over(&network);
    let again = network.connect(&container).unwrap();
    assert_eq!(again.ip(), IpAddr::from(STATIC));
}

#[test]
fn a_reserved_address_stays_reserved_whatever_is_remembered_and_forgotten() {
    let network = small();
    let container = gone(&network, 1);
    network.reserve(container.name(), STATIC).unwrap();
    let other = lab::container("other");
    let refused = || {
        let error = network.connect_with(&other, asking()).unwrap_err();
        assert_eq!(
            error.to_string(),
            "connect other to n: address 10.79.0.4 is already in use by container c"
        );
    };
    refused();
    let returns = |config: EndpointConfig| {
        let endpoint = network.connect_with(&container, config).unwrap();
        assert_eq!(endpoint.ip(), IpAddr::from(STATIC));
        endpoint.disconnect().unwrap();
        refused();
    };
    returns(EndpointConfig::new());
    returns(asking());
    returns(EndpointConfig::new().anew());
    returns(asking().anew());
    network.forget(&container);
    refused();
    returns(EndpointConfig::new());
    drop(container);
    refused();
    assert_left_over(&network);
    // and is its name's, whoever has that
    let namesake = lab::container("c");
    let endpoint = network.connect(&namesake).unwrap();
    assert_eq!(endpoint.ip(), IpAddr::from(STATIC));
    endpoint.disconnect().unwrap();
    network.unreserve(namesake.name()).unwrap();
    drop(namesake);
    assert_free(&network);
}

#[test]
fn another_address_can_be_reserved_for_one_who_may_return() {
    let network = small();
    let container = gone(&network, 1);
    network.reserve(container.name(), [10, 79, 0, 6]).unwrap();
    let other = lab::container("other");
    let at_other = network.connect_with(&other, asking()).unwrap();
    network.forget(&container);
    let endpoint = network.connect(&container).unwrap();
    assert_eq!(endpoint.ip(), IpAddr::from([10, 79, 0, 6]));
    drop(at_other);
}

#[test]
fn what_cannot_be_reserved_takes_nothing_from_one_who_may_return() {
    let network = small();
    let container = gone(&network, 1);
    let gateway = network.reserve(container.name(), [10, 79, 0, 1]);
    assert!(gateway.unwrap_err().is_exists());
    assert_left_over(&network);
    let again = network.connect(&container).unwrap();
    assert_eq!(again.ip(), IpAddr::from(STATIC));
}

/// A persisted place is left by name; the handle to the container remembers.
#[test]
fn a_static_address_of_a_persisted_place_is_kept_as_long_as_there_is_a_handle() {
    let network = small();
    let container = lab::container("c");
    for _ in 0..2 {
        let endpoint = network.connect_with(&container, asking()).unwrap();
        let _spec = endpoint.persist().unwrap();
        network.disconnect("c").unwrap();
        assert_left_over(&network);
    }
    let endpoint = network.connect(&container).unwrap();
    assert_eq!(
        endpoint.persist().unwrap().ipv4.unwrap().address.addr(),
        IpAddr::from(STATIC)
    );
    drop(container);
    network.disconnect("c").unwrap();
    assert_free(&network);
}
