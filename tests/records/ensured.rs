//! A network that many want: made by who comes first, and gone with who leaves last.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use bridgework::plan::Switch;
use bridgework::store::Memory;
use bridgework::{Container, Endpoint, Host, HostConfig, Netns, Network, NetworkConfig};

use crate::lab::machine::sight;
use crate::lab::{self, udp_both_ways};

const PROCESSES: usize = 6;
const ROUNDS: usize = 12;

fn web() -> NetworkConfig {
    NetworkConfig::bridge("web").subnet("10.89.0.0/24")
}

/// Another one may remove it before it is used.
fn join(host: &Host, container: &Container) -> (Network, Endpoint) {
    loop {
        let network = host.ensure_network(web()).unwrap();
        match network.connect(container) {
            Ok(endpoint) => return (network, endpoint),
            Err(error) if error.is_not_found() => {}
            Err(error) => panic!("{error}"),
        }
    }
}

#[test]
fn many_that_come_and_go_have_one_network_as_long_as_one_of_them_is_there() {
    let (netns, store) = (Netns::create().unwrap(), Memory::new());
    let before = sight(&netns);
    let hosts: Vec<Host> = (0..PROCESSES)
        .map(|number| {
            let watch = [Switch::On, Switch::Off][number % 2];
            let config = HostConfig::new().netns(netns.clone()).watch(watch);
            let config = config.store(Arc::new(store.open())).resolver(watch);
            Host::open_with(config).unwrap()
        })
        .collect();
    let ended = AtomicUsize::new(0);
    thread::scope(|scope| {
        for (number, host) in hosts.iter().enumerate() {
            let ended = &ended;
            scope.spawn(move || {
                let container = lab::container(&format!("c{number}"));
                for _ in 0..ROUNDS {
                    let (network, endpoint) = join(host, &container);
                    network.persist().unwrap();
                    assert!(!network.remove_unused().unwrap());
                    udp_both_ways(&container, &container, endpoint.ip());
                    endpoint.disconnect().unwrap();
                    let removed = network.remove_unused().unwrap();
                    ended.fetch_add(usize::from(removed), Ordering::Relaxed);
                }
            });
        }
    });
    let ended = ended.into_inner();
    assert!((1..=PROCESSES * ROUNDS).contains(&ended), "{ended}");
    assert!(hosts.iter().all(|host| host.network_named("web").is_none()));
    assert_eq!(sight(&netns), before);
}

#[test]
fn who_finds_a_network_of_that_name_has_it_as_it_is() {
    let host = lab::host();
    let made = host.ensure_network(web()).unwrap();
    let other = NetworkConfig::bridge("web").subnet("10.90.0.0/24");
    assert_eq!(host.ensure_network(other).unwrap().spec(), made.spec());
    let wrong = host.ensure_network(NetworkConfig::bridge("db").subnet("10.89.0.0/25"));
    assert!(wrong.unwrap_err().is_exists());
    let longer = NetworkConfig::bridge(&made.id().to_string()[..12]);
    let own = host.ensure_network(longer).unwrap();
    assert_ne!(own.id(), made.id());
}
