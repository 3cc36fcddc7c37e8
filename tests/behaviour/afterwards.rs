//! What comes after what: a request that was refused has changed nothing for those that follow, and
//! what was kept for a while goes when that is over.

use bridgework::kernel::Kernel;
use bridgework::{ContainerConfig, EndpointConfig, Fault, Network, NetworkConfig, NetworkMode};

use crate::lab;

fn next_address(network: &Network, name: &str) -> String {
    let endpoint = network.connect(&lab::container(name)).unwrap();
    endpoint
        .persist()
        .unwrap()
        .ipv4
        .unwrap()
        .address
        .addr()
        .to_string()
}

#[test]
fn the_default_network_goes_with_its_host_once_nothing_on_it_is_persisted() {
    let host = lab::host();
    let eye = Kernel::new(host.netns().clone()).unwrap();
    let has_bridge = || eye.snapshot().unwrap().link_named("docker0").is_some();
    let containers = [lab::container("a"), lab::container("b")];
    for container in &containers {
        let endpoint = host.default_network().unwrap().connect(container).unwrap();
        let _spec = endpoint.persist().unwrap();
    }
    host.default_network().unwrap().disconnect("a").unwrap();
    drop(host);
    assert!(has_bridge(), "one is on it still");

    let host = lab::host();
    let eye = Kernel::new(host.netns().clone()).unwrap();
    let has_bridge = || eye.snapshot().unwrap().link_named("docker0").is_some();
    let network = host.default_network().unwrap();
    for container in &containers[..1] {
        let _spec = network.connect(container).unwrap().persist().unwrap();
    }
    network.disconnect("a").unwrap();
    drop((network, host));
    assert!(!has_bridge());
}

#[test]
fn a_default_network_that_was_persisted_on_purpose_stays() {
    let host = lab::host();
    let eye = Kernel::new(host.netns().clone()).unwrap();
    let network = host.default_network().unwrap();
    let _spec = network
        .connect(&lab::container("a"))
        .unwrap()
        .persist()
        .unwrap();
    network.persist().unwrap();
    network.disconnect("a").unwrap();
    drop((network, host));
    assert!(eye.snapshot().unwrap().link_named("docker0").is_some());
}

#[test]
fn a_request_that_is_refused_does_not_change_who_gets_which_address() {
    let host = lab::host();
    let network = NetworkConfig::bridge("n").subnet("10.89.0.0/24");
    let network = host.create_network(network).unwrap();
    let app = lab::container("app");
    let refused = EndpointConfig::new().ip([10, 89, 0, 2]).alias("no name");
    assert!(
        network
            .connect_with(&app, refused)
            .unwrap_err()
            .is_invalid()
    );
    assert_eq!(next_address(&network, "first"), "10.89.0.2");
    let refused = EndpointConfig::new().ip([10, 89, 0, 9]).alias("no name");
    assert!(
        network
            .connect_with(&app, refused)
            .unwrap_err()
            .is_invalid()
    );
    assert_eq!(next_address(&network, "app"), "10.89.0.3");
}

#[test]
fn where_one_family_has_none_left_no_address_of_the_other_is_used_up() {
    let host = lab::host();
    let network = NetworkConfig::bridge("n")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/126");
    let network = host.create_network(network).unwrap();
    for name in ["a", "b"] {
        next_address(&network, name);
    }
    let refused = network.connect(&lab::container("c")).unwrap_err();
    assert!(refused.is_exhausted(), "{refused}");
    network.disconnect("a").unwrap();
    assert_eq!(next_address(&network, "d"), "10.89.0.4");
}

#[test]
fn who_begins_anew_gets_its_own_address_where_no_other_is_left() {
    let host = lab::host();
    let network = NetworkConfig::bridge("n").subnet("10.89.0.0/30");
    let network = host.create_network(network).unwrap();
    let app = lab::container("app");
    let asked = EndpointConfig::new().ip([10, 89, 0, 2]);
    network
        .connect_with(&app, asked)
        .unwrap()
        .disconnect()
        .unwrap();
    let anew = network
        .connect_with(&app, EndpointConfig::new().anew())
        .unwrap();
    assert_eq!(anew.ip().to_string(), "10.89.0.2");
    assert_eq!(anew.spec().requested.ipv4, None);
    anew.disconnect().unwrap();
    assert_eq!(
        next_address(&network, "other"),
        "10.89.0.2",
        "it waits for nobody"
    );
}

#[test]
fn attaching_tells_all_that_is_wrong_with_the_config_and_on_the_network() {
    let host = lab::host();
    let custom = NetworkConfig::bridge("n").subnet("10.89.0.0/24");
    let custom = host.create_network(custom).unwrap();
    for (network, mode) in [(custom, "n"), (host.default_network().unwrap(), "bridge")] {
        next_address(&network, "app");
        let endpoint = EndpointConfig::new().ip([10, 0, 0, 1]).mac("zz");
        let container = ContainerConfig::named("app");
        let mode: NetworkMode = mode.parse().unwrap();
        let error = host.attach(&mode, container, endpoint).unwrap_err();
        let has = |is_meant: fn(&Fault) -> bool| error.faults().iter().any(is_meant);
        assert!(has(|fault| matches!(fault, Fault::Value(_))), "{error}");
        assert!(
            has(|fault| matches!(fault, Fault::AddressOutside { .. })),
            "{error}"
        );
        assert!(
            has(|fault| matches!(fault, Fault::EndpointExists { .. })),
            "{error}"
        );
        assert_eq!(network.endpoints().len(), 1);
    }
}
