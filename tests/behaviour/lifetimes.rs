//! What drop does, what persist and remove do, and that many at once do not meet.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Barrier;
use std::thread;

use bridgework::{Container, Endpoint, Fault, Host, HostConfig, Network, NetworkConfig};

use crate::lab::packet::datagram;
use crate::lab::{self, has_link, ip_json};

fn dual(host: &Host, name: &str, number: u8) -> Network {
    let config = NetworkConfig::bridge(name)
        .subnet(format!("10.89.{number}.0/24").as_str())
        .subnet(format!("fd00:89:{number}::/64").as_str());
    host.create_network(config).unwrap()
}

/// Whether the host has the network's bridge, the endpoint's port and the container its link.
fn there(host: &Host, links: &Links) -> Option<[bool; 3]> {
    Some([
        has_link(host.netns(), &links.bridge)?,
        has_link(host.netns(), &links.port)?,
        has_link(links.container.netns(), &links.far)?,
    ])
}

struct Links {
    bridge: String,
    port: String,
    far: String,
    container: Container,
}

impl Links {
    fn of(endpoint: &Endpoint) -> Self {
        let spec = endpoint.spec();
        Self {
            bridge: endpoint.network().spec().link.name.to_string(),
            port: spec.host_link.name.to_string(),
            far: spec.link.name.to_string(),
            container: endpoint.container().clone(),
        }
    }
}

#[test]
fn dropping_an_endpoint_takes_its_link_and_dropping_the_network_its_bridge() {
    let host = lab::host();
    let before = host.snapshot().unwrap();
    let network = dual(&host, "n", 0);
    let container = lab::container("c");
    let endpoint = network.connect(&container).unwrap();
    let links = Links::of(&endpoint);
    let Some(all) = there(&host, &links) else {
        return;
    };
    assert_eq!(all, [true; 3]);
    drop(endpoint);
    assert_eq!(there(&host, &links).unwrap(), [true, false, false]);
    drop(network);
    assert_eq!(there(&host, &links).unwrap(), [false; 3]);
    assert_eq!(host.snapshot().unwrap(), before);
    assert!(host.networks().is_empty());
}

#[test]
fn an_endpoint_holds_its_network_and_its_container() {
    let host = lab::host();
    let container = lab::container("c");
    let endpoint = dual(&host, "n", 0).connect(&container).unwrap();
    let links = Links::of(&endpoint);
    drop(container);
    let Some(all) = there(&host, &links) else {
        return;
    };
    assert_eq!(all, [true; 3]);
    for address in endpoint.ips() {
        let came = datagram(host.netns(), endpoint.container().netns(), address);
        assert_eq!(came, Ok(()));
    }
    assert!(host.network("n").is_ok());
    drop(endpoint);
    assert_eq!(there(&host, &links).unwrap(), [false; 3]);
    assert!(host.network("n").is_err());
}

#[test]
fn handles_hold_the_host_and_a_clone_holds_the_network() {
    let host = lab::host();
    let netns = host.netns().clone();
    let network = dual(&host, "n", 0);
    drop(host);
    let clone = network.clone();
    drop(network);
    let bridge = clone.spec().link.name.to_string();
    let Some(found) = has_link(&netns, &bridge) else {
        return;
    };
    assert!(found);
    drop(clone);
    assert!(!has_link(&netns, &bridge).unwrap());
}

#[test]
fn what_is_persisted_outlives_its_handles_and_another_host_sees_it() {
    let host = lab::host();
    let netns = host.netns().clone();
    let network = dual(&host, "n", 0);
    let container = lab::container("c");
    let endpoint = network.connect(&container).unwrap();
    let links = Links::of(&endpoint);
    let ips: Vec<IpAddr> = endpoint.ips().collect();
    let spec = endpoint.persist().unwrap();
    assert_eq!(spec.link.name.as_str(), "eth0");
    drop((network, host));
    let other = Host::open_with(HostConfig::new().netns(netns)).unwrap();
    let seen = other.snapshot().unwrap();
    let found = |name: &str| seen.link_named(name).is_some();
    assert_eq!([found(&links.bridge), found(&links.port)], [true; 2]);
    for address in ips {
        assert_eq!(datagram(other.netns(), container.netns(), address), Ok(()));
    }
    if let Some(all) = there(&other, &links) {
        assert_eq!(all, [true; 3]);
    }
    let config = NetworkConfig::bridge("m").subnet("10.89.0.0/24");
    let error = other.create_network(config).unwrap_err();
    assert!(error.is_exists(), "{error}");
    assert!(error.to_string().contains(&links.bridge), "{error}");
}

#[test]
fn a_network_that_is_persisted_is_removed_on_purpose() {
    let host = lab::host();
    let network = dual(&host, "n", 0);
    let bridge = network.spec().link.name.to_string();
    network.persist().unwrap();
    drop(network);
    let Some(found) = has_link(host.netns(), &bridge) else {
        return;
    };
    assert!(found);
    host.network("n").expect("it is kept").remove().unwrap();
    assert!(!has_link(host.netns(), &bridge).unwrap());
    assert!(host.network("n").is_err());
}

#[test]
fn remove_is_refused_while_endpoints_are_active_and_names_them() {
    let host = lab::host();
    let network = dual(&host, "n", 0);
    let endpoint = network.connect(&lab::container("c1")).unwrap();
    let error = network.remove().unwrap_err();
    assert!(error.is_in_use(), "{error}");
    assert!(
        matches!(error.faults(), [Fault::ActiveEndpoints { .. }]),
        "{error}"
    );
    let expected = format!(
        "has active endpoints (name:\"c1\" id:\"{}\")",
        endpoint.id().short()
    );
    assert!(error.to_string().contains(&expected), "{error}");
    for address in endpoint.ips() {
        let came = datagram(host.netns(), endpoint.container().netns(), address);
        assert_eq!(came, Ok(()), "it still works");
    }
    endpoint.disconnect().unwrap();
    network.remove().unwrap();
    assert_eq!(network.remove(), Ok(()), "gone already is done");
}

#[test]
fn nothing_connects_to_a_network_that_is_removed() {
    let host = lab::host();
    let network = dual(&host, "n", 0);
    let clone = network.clone();
    network.remove().unwrap();
    let container = lab::container("c");
    let error = clone.connect(&container).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert!(error.to_string().contains("network n not found"), "{error}");
    if let Some(links) = ip_json(container.netns(), "link show") {
        assert_eq!(links.len(), 1, "{links:?}");
    }
    // the name and the subnet are free again, and the old handles do not touch the new network
    let again = dual(&host, "n", 0);
    drop((network, clone));
    assert!(again.connect(&container).is_ok());
}

#[test]
fn a_container_whose_namespace_is_gone_is_disconnected_all_the_same() {
    let host = lab::host();
    let before = host.snapshot().unwrap();
    let network = dual(&host, "n", 0);
    let endpoint = network.connect(&lab::container("c")).unwrap();
    let netns = endpoint.container().netns().clone();
    // as if its kernel side had gone first
    let far = bridgework::Device::open(&netns, "eth0").unwrap();
    if let Some(true) = has_link(&netns, "eth0") {
        let delete = || {
            std::process::Command::new("ip")
                .args(["link", "del", "eth0"])
                .status()
        };
        assert!(netns.run(delete).unwrap().unwrap().success());
    }
    drop(far);
    endpoint.disconnect().unwrap();
    network.remove().unwrap();
    assert_eq!(host.snapshot().unwrap(), before);
}

/// All different, and each reached by each of `from`.
fn all_reachable(endpoints: &[Endpoint], from: &[&bridgework::Netns]) {
    let ips: Vec<IpAddr> = endpoints.iter().flat_map(Endpoint::ips).collect();
    let different: BTreeSet<IpAddr> = ips.iter().copied().collect();
    assert_eq!(different.len(), ips.len(), "{ips:?}");
    let macs: BTreeSet<_> = endpoints.iter().map(Endpoint::mac).collect();
    assert_eq!(macs.len(), endpoints.len());
    for endpoint in endpoints {
        for address in endpoint.ips() {
            for from in from {
                let came = datagram(from, endpoint.container().netns(), address);
                assert_eq!(came, Ok(()), "{endpoint:?}");
            }
        }
    }
}

/// Two threads that connect ten containers each, starting together.
fn connect_in_two_threads(networks: [&Network; 2]) -> Vec<Vec<Endpoint>> {
    let start = Barrier::new(2);
    let connect = |number: usize| {
        start.wait();
        let name = |index| lab::container(&format!("c{number}-{index}"));
        (0..10)
            .map(|index| networks[number].connect(&name(index)).unwrap())
            .collect()
    };
    thread::scope(|scope| {
        let connect = &connect;
        let threads: Vec<_> = (0..2)
            .map(|number| scope.spawn(move || connect(number)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn two_threads_connect_to_one_network_and_all_are_reachable() {
    let host = lab::host();
    let network = dual(&host, "n", 0);
    let endpoints: Vec<Endpoint> = connect_in_two_threads([&network, &network])
        .into_iter()
        .flatten()
        .collect();
    let first = endpoints[0].container().netns().clone();
    all_reachable(&endpoints, &[host.netns()]);
    all_reachable(&endpoints[1..], &[&first]);
}

#[test]
fn two_threads_connect_to_two_networks_and_all_are_reachable() {
    let host = lab::host();
    let networks = [dual(&host, "n", 0), dual(&host, "m", 1)];
    let endpoints = connect_in_two_threads([&networks[0], &networks[1]]);
    for of_network in &endpoints {
        all_reachable(of_network, &[host.netns()]);
        let first = of_network[0].container().netns().clone();
        all_reachable(&of_network[1..], &[&first]);
    }
}

#[test]
fn two_threads_that_connect_and_disconnect_leave_nothing() {
    let host = lab::host();
    let before = host.snapshot().unwrap();
    let network = dual(&host, "n", 0);
    thread::scope(|scope| {
        for number in 0..4 {
            let network = &network;
            scope.spawn(move || {
                let container = lab::container(&format!("c{number}"));
                for _ in 0..10 {
                    network.connect(&container).unwrap().disconnect().unwrap();
                }
            });
        }
    });
    assert!(network.endpoints().is_empty());
    network.remove().unwrap();
    assert_eq!(host.snapshot().unwrap(), before);
}

#[test]
fn fifty_are_disconnected_at_once() {
    let host = lab::host();
    let network = dual(&host, "n", 0);
    let bystander = network.connect(&lab::container("bystander")).unwrap();
    let before = host.snapshot().unwrap();
    let containers: Vec<Container> = (0..50)
        .map(|number| lab::container(&format!("c{number}")))
        .collect();
    let endpoints = network.connect_all(&containers).unwrap();
    assert_eq!(
        host.snapshot().unwrap().links.len(),
        before.links.len() + 50
    );
    Endpoint::disconnect_all(endpoints).unwrap();
    assert_eq!(host.snapshot().unwrap(), before);
    assert_eq!(network.endpoints().len(), 1);
    for container in &containers {
        let Some(links) = ip_json(container.netns(), "link show") else {
            return;
        };
        assert_eq!(links.len(), 1, "only lo: {links:?}");
    }
    for address in bystander.ips() {
        let came = datagram(host.netns(), bystander.container().netns(), address);
        assert_eq!(came, Ok(()));
    }
    // they can come back
    assert_eq!(network.connect_all(&containers).unwrap().len(), 50);
}

#[test]
fn every_handle_may_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<bridgework::Host>();
    shared::<bridgework::Network>();
    shared::<bridgework::Endpoint>();
    shared::<bridgework::Container>();
    shared::<bridgework::Netns>();
    shared::<bridgework::Bridge>();
    shared::<bridgework::VethPair>();
    shared::<bridgework::Device>();
    shared::<bridgework::Draft>();
    shared::<bridgework::kernel::Kernel>();
    shared::<bridgework::Error>();
}
