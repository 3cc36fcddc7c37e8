//! A namespace ends, and the kernel gives its number to a new one: that one has nothing of what the
//! first one had.

use std::collections::BTreeMap;

use bridgework::{Container, ContainerConfig, EndpointConfig, Host, Netns, Network};

use super::{defaults, dual, link_of};
use crate::lab::packet::echo;
use crate::lab::{self, has_link, wait_until};

/// So many are gone, and so many are made at most until one has the number of one of those: the
/// kernel gives the lowest free number out, unless others are faster.
const GONE: usize = 48;
const MOST: usize = 400;

/// Containers that are persisted on `network`, and whose namespaces are gone: their names by their
/// numbers.
fn persisted_and_gone(host: &Host, network: &Network) -> BTreeMap<u64, String> {
    let containers: Vec<Container> = (0..GONE)
        .map(|number| lab::container(&format!("c{number}")))
        .collect();
    let mut ports = Vec::new();
    for container in &containers {
        let preferred = EndpointConfig::new().priority(9);
        let endpoint = network.connect_with(container, preferred).unwrap();
        ports.push(endpoint.persist().unwrap().host_link.name);
    }
    let number_of = |container: &Container| {
        let name = container.name().to_string();
        (container.netns().inode(), name)
    };
    let numbers = containers.iter().map(number_of).collect();
    drop(containers);
    wait_until("the end of the namespaces", || {
        let now = host.snapshot().unwrap();
        ports
            .iter()
            .all(|port| now.link_named(port.as_str()).is_none())
    });
    numbers
}

#[test]
fn a_namespace_with_the_number_of_one_that_is_gone_has_interfaces_and_routes_of_its_own() {
    let host = lab::silent_host();
    let (a, b) = (dual(&host, "a", 0), dual(&host, "b", 1));
    let gone = persisted_and_gone(&host, &a);
    // those that have other numbers stay, so that these are not given out again
    let mut others = Vec::new();
    let reborn = (0..MOST).find_map(|_| {
        let netns = Netns::create().unwrap();
        let is_reborn = gone.contains_key(&netns.inode());
        others.push(netns.clone());
        is_reborn.then_some(netns)
    });
    let Some(netns) = reborn else {
        eprintln!("NOT CHECKED: no namespace of {MOST} had the number of one that was gone");
        return;
    };
    let former = &gone[&netns.inode()];
    let container = Container::open(ContainerConfig::new("d", netns)).unwrap();
    let at_b = b.connect(&container).unwrap();
    let Some(link) = link_of(container.netns(), at_b.ip()) else {
        return;
    };
    assert_eq!(link, "eth0");
    let by_b = [("eth0".to_owned(), "10.77.1.1".to_owned())];
    assert_eq!(defaults(container.netns(), "-4").unwrap(), by_b);
    // the first one's end changes nothing of it
    a.disconnect(former).unwrap();
    assert_eq!(defaults(container.netns(), "-4").unwrap(), by_b);
    assert_eq!(echo(host.netns(), at_b.ip()), Ok(()));
    let at_a = a.connect(&container).unwrap();
    assert_eq!(link_of(container.netns(), at_a.ip()).unwrap(), "eth1");
    at_b.disconnect().unwrap();
    assert_eq!(has_link(container.netns(), "eth0"), Some(false));
    let by_a = [("eth1".to_owned(), "10.77.0.1".to_owned())];
    assert_eq!(defaults(container.netns(), "-4").unwrap(), by_a);
}
