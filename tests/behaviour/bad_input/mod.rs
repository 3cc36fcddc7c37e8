//! Bad input gets a typed error; nothing is changed, nothing is left, and the verb works afterwards.

mod containers;
mod endpoint_options;
mod endpoints;
mod full;
mod kernel;
mod networks;
mod options;
mod subnets;

use bridgework::snapshot::{AddressState, Snapshot};
use bridgework::{
    Container, EndpointConfig, Error, Fault, Host, HostConfig, Netns, Network, NetworkConfig,
};
use ipnet::IpNet;
use std::process::Command;

use crate::lab;

/// A network by the name that every test here uses.
fn net() -> NetworkConfig {
    NetworkConfig::bridge("net")
}

/// The config is refused, by the plan like by the deed; the host is as it was, and the name free.
fn refused_network(host: &Host, config: &NetworkConfig) -> Error {
    let before = settled(host.netns());
    let known: Vec<String> = host
        .networks()
        .iter()
        .map(|n| n.name().to_string())
        .collect();
    let error = host
        .create_network(config.clone())
        .expect_err("it is bad input");
    assert_eq!(settled(host.netns()), before, "{error}");
    let left: Vec<String> = host
        .networks()
        .iter()
        .map(|n| n.name().to_string())
        .collect();
    assert_eq!(left, known, "{error}");
    assert!(error.left_behind().is_empty(), "{error}");
    if !known.iter().any(|name| name == "net") {
        let good = host.create_network(net().subnet("203.0.113.0/24")).unwrap();
        good.remove().unwrap();
        assert_eq!(settled(host.netns()), before, "{error}");
    }
    error
}

/// As [`refused_network`], for what can be known without asking the kernel to do it.
fn foreseen(host: &Host, config: &NetworkConfig) -> Error {
    let error = refused_network(host, config);
    let planned = host
        .draft_network(config)
        .expect_err("the plan is refused too");
    assert_eq!(planned.faults(), error.faults());
    error
}

/// What a namespace has once the kernel is done with IPv6 addresses that it was given: it adds the
/// local route of each in a worker of its own.
pub(crate) fn settled(netns: &Netns) -> Snapshot {
    let mut now = netns.snapshot().unwrap();
    lab::wait_until("the local routes of all addresses", || {
        now = netns.snapshot().unwrap();
        let is_local = |address: &AddressState| {
            let alone = IpNet::from(address.address.addr());
            let mut routes = now.routes.iter();
            routes.any(|route| route.destination == alone && route.table == 255)
        };
        let mut ipv6 = now.addresses.iter().filter(|a| a.address.addr().is_ipv6());
        ipv6.all(is_local)
    });
    now
}

/// The config is refused; host, container and members are as they were, and `container` can be
/// connected to another network.
fn refused_connect(
    host: &Host,
    network: &Network,
    container: &Container,
    config: EndpointConfig,
) -> Error {
    let state = || {
        let inside = settled(container.netns());
        (
            settled(host.netns()),
            inside,
            network.endpoints(),
            network.records().owners(),
        )
    };
    let before = state();
    let error = network
        .connect_with(container, config)
        .expect_err("it is bad input");
    assert_eq!(state(), before, "{error}");
    assert!(error.left_behind().is_empty(), "{error}");
    error
}

/// Exactly these faults, in this order, and this text for the whole.
fn assert_faults(error: &Error, faults: &[Fault], text: &str) {
    assert_eq!(error.faults(), faults);
    assert_eq!(error.to_string(), text);
}

fn ip(netns: &bridgework::Netns, arguments: &str) {
    let run = || {
        Command::new("ip")
            .args(arguments.split_whitespace())
            .output()
    };
    let output = netns.run(run).unwrap().expect("iproute2 is installed");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {errors}");
}

fn host_with(config: HostConfig) -> Host {
    Host::open_with(config.netns(bridgework::Netns::create().unwrap())).unwrap()
}

fn network(host: &Host, subnet: &str) -> Network {
    host.create_network(net().subnet(subnet)).unwrap()
}

fn containers(names: impl IntoIterator<Item = &'static str>) -> Vec<Container> {
    names.into_iter().map(lab::container).collect()
}
