//! Networks that can't be removed or made, in the words that people search for.

use bridgework::{ContainerConfig, EndpointConfig, Fault, NetworkConfig, NetworkMode};

use crate::lab;

use super::refused;

#[test]
fn a_network_with_containers_is_not_removed_and_says_whose_they_are() {
    let host = lab::host();
    let web = host.create_network(NetworkConfig::bridge("web")).unwrap();
    let (c1, c2) = (lab::container("c1"), lab::container("c2"));
    let at_c1 = web.connect(&c1).unwrap();
    let text = format!(
        "remove network web: network web has active endpoints (name:\"c1\" id:\"{}\")",
        at_c1.id().short()
    );
    let error = refused(&host, &text, || web.remove());
    assert!(error.is_in_use());
    let at_c2 = web.connect(&c2).unwrap();
    let kept = at_c1.persist().unwrap();
    let text = format!(
        "remove network web: network web has active endpoints (name:\"c1\" id:\"{}\", \
         name:\"c2\" id:\"{}\")",
        kept.id.short(),
        at_c2.id().short()
    );
    refused(&host, &text, || web.remove());
    web.disconnect("c1").unwrap();
    at_c2.disconnect().unwrap();
    web.remove().unwrap();
    assert!(host.networks().is_empty());
}

#[test]
fn a_staged_endpoint_keeps_its_network() {
    let host = lab::host();
    let web = host.create_network(NetworkConfig::bridge("web")).unwrap();
    let staged = web.stage("c1", EndpointConfig::new()).unwrap();
    let text = format!(
        "remove network web: network web has active endpoints (name:\"c1\" id:\"{}\")",
        staged.id().short()
    );
    refused(&host, &text, || web.remove());
    let c1 = lab::container("c1");
    let endpoint = staged.join(&c1).unwrap();
    refused(&host, &text, || web.remove());
    let staged = endpoint.leave().unwrap();
    refused(&host, &text, || web.remove());
    staged.delete().unwrap();
    web.remove().unwrap();
}

#[test]
fn what_every_host_has_is_not_removed_whoever_is_on_it() {
    let host = lab::host();
    for name in ["bridge", "host", "none"] {
        let mode: NetworkMode = name.parse().unwrap();
        let batch = ContainerConfig::named("batch");
        let attached = host.attach(&mode, batch, EndpointConfig::new()).unwrap();
        let network = host.network(name).unwrap();
        let text =
            format!("remove network {name}: {name} is a pre-defined network and cannot be removed");
        refused(&host, &text, || network.remove());
        drop(attached);
        let error = refused(&host, &text, || network.remove());
        let name = network.name().clone();
        assert_eq!(error.faults(), [Fault::Predefined { name }]);
    }
}

#[test]
fn no_network_has_the_name_of_one_that_every_host_has() {
    let host = lab::host();
    for name in ["bridge", "host", "none", "default"] {
        for config in [
            NetworkConfig::bridge(name),
            NetworkConfig::config_only(name),
        ] {
            let what = format!("operation is not permitted on predefined {name} network");
            let create = || host.create_network(config.clone());
            refused(&host, &format!("create network {name}: {what}"), create);
            let draft = || host.draft_network(&config);
            refused(&host, &format!("draft network {name}: {what}"), draft);
        }
    }
}

#[test]
fn of_some_drivers_there_is_one_network() {
    let host = lab::host();
    host.network("host").unwrap();
    for driver in ["host", "null", "container"] {
        let text =
            format!("create network mine: only one instance of \"{driver}\" network is allowed");
        let create = || host.create_network(NetworkConfig::new(driver, "mine"));
        refused(&host, &text, create);
    }
}

#[test]
fn a_network_that_is_removed_stays_so_for_all_of_its_handles() {
    let host = lab::host();
    let before = host.snapshot().unwrap();
    let web = host.create_network(NetworkConfig::bridge("web")).unwrap();
    let other = web.clone();
    web.remove().unwrap();
    other.remove().unwrap();
    let again = host.create_network(NetworkConfig::bridge("web")).unwrap();
    other.remove().unwrap();
    assert_eq!(host.network("web").unwrap().id(), again.id());
    again.remove().unwrap();
    assert_eq!(host.snapshot().unwrap().links, before.links);
}
