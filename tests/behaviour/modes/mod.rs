//! Every network mode on a real host: what a container has in it, what it can be asked, and what is
//! left when it goes.

mod container;
mod default;
mod host;
mod matrix;
mod none;
mod wired;

use bridgework::{
    Attached, Container, ContainerConfig, EndpointConfig, Error, Host, Network, NetworkConfig,
    NetworkMode,
};

use crate::bad_input::settled;

fn mode(text: &str) -> NetworkMode {
    text.parse().unwrap()
}

/// A container of that name in that mode, with all defaults.
fn attach(host: &Host, text: &str, name: &str) -> Attached {
    let config = ContainerConfig::named(name);
    host.attach(&mode(text), config, EndpointConfig::new())
        .unwrap_or_else(|error| panic!("{error}"))
}

fn user_defined(host: &Host, name: &str, subnet: &str) -> Network {
    let config = NetworkConfig::bridge(name).subnet(subnet);
    host.create_network(config).unwrap()
}

fn network_names(host: &Host) -> Vec<String> {
    let names = host.networks().into_iter();
    names.map(|network| network.name().to_string()).collect()
}

/// It is refused: the host is as it was, no network was made for it, nothing is left behind.
fn refused(host: &Host, text: &str, container: ContainerConfig, endpoint: EndpointConfig) -> Error {
    let before = (settled(host.netns()), network_names(host));
    let error = host
        .attach(&mode(text), container, endpoint)
        .expect_err("it is bad input");
    let after = (settled(host.netns()), network_names(host));
    assert_eq!(after, before, "{error}");
    assert!(error.left_behind().is_empty(), "{error}");
    error
}

/// Connecting is refused with this text: host, container and network are as they were.
fn refused_connect(network: &Network, container: &Container, text: &str) {
    let state = || {
        (
            settled(container.netns()),
            network.endpoints(),
            network.records().owners(),
        )
    };
    let before = state();
    let error = network.connect(container).expect_err("it has no place");
    let attempt = format!("connect {} to {}", container.name(), network.name());
    assert_eq!(error.to_string(), format!("{attempt}: {text}"));
    let planned = network.plan_connect(container, &EndpointConfig::new());
    let planned = planned.expect_err("it has no place on paper either");
    assert_eq!(planned.faults(), error.faults());
    assert_eq!(state(), before, "{error}");
}

/// All that can be asked of a wire.
fn all_of_a_wire() -> EndpointConfig {
    EndpointConfig::new()
        .link("db:store")
        .ip([10, 89, 0, 7])
        .alias("www")
        .mac("02:42:ac:11:00:07")
        .link_name("lan0")
        .sysctl("net.ipv4.conf.IFNAME.log_martians=1")
        .port_options(bridgework::plan::PortOptions::new().hairpin(bridgework::plan::Switch::On))
}

const NO_ADDRESS: &str = "user-specified IP address is supported on user-defined networks only";
const NO_ALIAS: &str = "network-scoped aliases are only supported for user-defined networks";
const SHARED: &str = "container sharing network namespace with another container or host cannot \
                      be connected to any other network";
const PRIVATE: &str = "container cannot be connected to multiple networks with one of the \
                       networks in private (none) mode";

/// What [`all_of_a_wire`] is told in a mode without one.
fn no_wire(attempt: &str, mode: &str) -> String {
    format!(
        "{attempt}: conflicting options: {mode} can't be used with links. This would result in \
         undefined behavior; {NO_ADDRESS}; {NO_ALIAS}; conflicting options: mac-address and the \
         network mode; conflicting options: interface name and the network mode; conflicting \
         options: interface settings and the network mode; conflicting options: port options and \
         the network mode"
    )
}
