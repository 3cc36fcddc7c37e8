//! A namespace ends, and the kernel gives its number to a new one: that one has nothing of what the
//! first one had.

use bridgework::{Container, ContainerConfig, EndpointConfig, Host, Netns, Network};

use super::{defaults, dual, link_of};
use crate::lab::packet::echo;
use crate::lab::{self, has_link, wait_until};

/// So many are made at most until one has the number.
const MOST: usize = 100;

/// A new namespace that has the number of one that is gone. The number that is free and lowest is
/// given out, so that it comes soon unless others are faster.
fn reborn(inode: u64) -> Option<Netns> {
    let mut others = Vec::new();
    for _ in 0..MOST {
        let netns = Netns::create().unwrap();
        if netns.inode() == inode {
            return Some(netns);
        }
        others.push(netns);
    }
    None
}

/// A container `c` that is persisted on `network`, and whose namespace is gone. Its number.
fn persisted_and_gone(host: &Host, network: &Network) -> u64 {
    let container = lab::container("c");
    let inode = container.netns().inode();
    let preferred = EndpointConfig::new().priority(9);
    let endpoint = network.connect_with(&container, preferred).unwrap();
    let spec = endpoint.persist();
    drop(container);
    let port = spec.host_link.name.as_str();
    wait_until("the end of the namespace", || {
        host.snapshot().unwrap().link_named(port).is_none()
    });
    inode
}

#[test]
fn a_namespace_with_the_number_of_one_that_is_gone_has_interfaces_and_routes_of_its_own() {
    const TRIES: usize = 5;
    let host = lab::host();
    let (a, b) = (dual(&host, "a", 0), dual(&host, "b", 1));
    let found = (0..TRIES).find_map(|_| {
        let found = reborn(persisted_and_gone(&host, &a));
        if found.is_none() {
            a.disconnect_by_force("c").unwrap();
        }
        found
    });
    let Some(netns) = found else {
        eprintln!("NOT CHECKED: no namespace of the {MOST} had the number of one that was gone");
        return;
    };
    let container = Container::open(ContainerConfig::new("d", netns)).unwrap();
    let at_b = b.connect(&container).unwrap();
    let Some(link) = link_of(container.netns(), at_b.ip()) else {
        return;
    };
    assert_eq!(link, "eth0");
    let by_b = [("eth0".to_owned(), "10.77.1.1".to_owned())];
    assert_eq!(defaults(container.netns(), "-4").unwrap(), by_b);
    // the first one's end changes nothing of it
    a.disconnect("c").unwrap();
    assert_eq!(defaults(container.netns(), "-4").unwrap(), by_b);
    assert_eq!(echo(host.netns(), at_b.ip()), Ok(()));
    let at_a = a.connect(&container).unwrap();
    assert_eq!(link_of(container.netns(), at_a.ip()).unwrap(), "eth1");
    at_b.disconnect().unwrap();
    assert_eq!(has_link(container.netns(), "eth0"), Some(false));
    let by_a = [("eth1".to_owned(), "10.77.0.1".to_owned())];
    assert_eq!(defaults(container.netns(), "-4").unwrap(), by_a);
}
