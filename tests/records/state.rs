//! A host's records as a whole, and what differs between them and the kernel.

use std::sync::Arc;

use bridgework::plan::Switch;
use bridgework::store::Memory;
use bridgework::{Finding, Host, HostConfig, Netns, NetworkConfig};

use crate::lab;

fn host(netns: &Netns, store: &Memory) -> Host {
    let config = HostConfig::new()
        .netns(netns.clone())
        .store(Arc::new(store.open()));
    Host::open_with(config.watch(Switch::Off)).unwrap()
}

#[test]
fn an_exported_state_is_made_again_elsewhere() {
    let (here, there) = (Netns::create().unwrap(), Netns::create().unwrap());
    let one = host(&here, &Memory::new());
    let config = NetworkConfig::bridge("web")
        .subnet("10.89.0.0/24")
        .label("tier", "front");
    let network = one.create_network(config).unwrap();
    network.persist().unwrap();
    let kept = "10.89.0.77".parse::<std::net::IpAddr>().unwrap();
    network.reserve(&"db".parse().unwrap(), kept).unwrap();
    let state = one.export().unwrap();
    assert_eq!(state.records.len(), 2);

    let other = host(&there, &Memory::new());
    other.import(&state).unwrap();
    assert_eq!(other.export().unwrap().records.len(), 2);
    let bridge = network.spec().link.name.as_str();
    assert_ne!(lab::has_link(&there, bridge), Some(true));
    assert!(!other.recover().unwrap().repaired.is_empty());
    assert_ne!(lab::has_link(&there, bridge), Some(false));
    let same = other.network("web").unwrap();
    assert_eq!(same.spec(), network.spec());
    let at = same.connect(&lab::container("db")).unwrap();
    assert_eq!(at.ip(), kept);
    assert!(other.import(&state).unwrap_err().is_exists());
}

#[test]
fn a_host_without_records_exports_nothing() {
    let host = lab::host();
    let error = host.export().unwrap_err();
    assert!(error.to_string().contains("keeps no records"), "{error}");
}

#[test]
fn what_is_of_no_record_is_found_by_a_check_and_what_a_living_process_has_is_not() {
    let netns = Netns::create().unwrap();
    let (store, other) = (Memory::new(), Memory::new());
    drop(host(&netns, &other));
    {
        let dying = host(&netns, &store);
        let network = dying.create_network(NetworkConfig::bridge("web")).unwrap();
        std::mem::forget(network);
    }
    let next = host(&netns, &store);
    assert_eq!(next.check().unwrap(), []);

    let lost = host(&netns, &other);
    let found = lost.check().unwrap();
    let unowned = |finding: &&Finding| matches!(finding, Finding::Unowned { .. });
    assert!(found.iter().filter(unowned).count() > 3, "{found:?}");
    assert!(
        found[0].to_string().ends_with("call Host::recover"),
        "{}",
        found[0]
    );
    lost.recover().unwrap();
    assert_eq!(lost.check().unwrap(), []);
}
