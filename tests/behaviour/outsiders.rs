//! Others change things too: what is gone already when we come to take it back counts as taken
//! back, and what was renamed is found by its number.

#![allow(clippy::unwrap_used)]

use std::process::{Command, Stdio};

use bridgework::plan::{PortOptions, Switch};
use bridgework::{
    Bridge, BridgeConfig, Container, Device, Endpoint, Host, HostConfig, Netns, Network,
    NetworkConfig, VethConfig, VethPair,
};

use crate::lab;

/// One that nobody watches: what somebody does stays done.
fn host() -> Host {
    let config = HostConfig::new().netns(Netns::create().unwrap());
    Host::open_with(config.watch(Switch::Off)).unwrap()
}

fn network(host: &Host) -> Network {
    let config = NetworkConfig::bridge("hmall").subnet("10.89.0.0/24");
    host.create_network(config.subnet("fd00:89::/64")).unwrap()
}

/// Somebody else's `ip`. `None`, loudly, where iproute2 is missing.
fn outsider(netns: &Netns, arguments: &str) -> Option<()> {
    let words = arguments.split(' ');
    let ran = netns
        .run(|| Command::new("ip").args(words).output())
        .unwrap();
    let output = match ran {
        Ok(output) => output,
        Err(error) => {
            eprintln!("NOT CHECKED: ip {arguments}: {error}: install iproute2");
            assert!(std::env::var_os("CI").is_none(), "iproute2 is missing");
            return None;
        }
    };
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "ip {arguments}: {errors}");
    Some(())
}

fn links(netns: &Netns) -> Vec<String> {
    let links = netns.snapshot().unwrap().links;
    links.into_iter().map(|link| link.name).collect()
}

/// The network works as before, and is gone when it is removed.
fn assert_intact(host: &Host, network: Network) {
    let containers = ["a", "b"].map(lab::container);
    let endpoints = network.connect_all(&containers).unwrap();
    for address in endpoints[0].ips() {
        lab::udp_both_ways(&containers[1], &containers[0], address);
    }
    drop(endpoints);
    network.remove().unwrap();
    assert_eq!(links(host.netns()), ["lo"]);
}

#[test]
fn a_veth_that_somebody_deleted_in_the_host_is_disconnected_all_the_same() {
    let host = host();
    let network = network(&host);
    let app = lab::container("app");
    let endpoint = network.connect(&app).unwrap();
    let name = endpoint.spec().host_link.name.clone();
    let Some(()) = outsider(host.netns(), &format!("link del dev {name}")) else {
        return;
    };
    endpoint.disconnect().unwrap();
    assert_eq!(links(app.netns()), ["lo"]);
    assert!(network.endpoints().is_empty());
    assert_intact(&host, network);
}

#[test]
fn an_interface_that_its_container_deleted_is_disconnected_all_the_same() {
    let host = host();
    let network = network(&host);
    let (app, other) = (lab::container("app"), lab::container("other"));
    let endpoints = network.connect_all([&app, &other]).unwrap();
    let Some(()) = outsider(app.netns(), "link del dev eth0") else {
        return;
    };
    Endpoint::disconnect_all(endpoints).unwrap();
    assert_intact(&host, network);
}

#[test]
fn a_link_that_was_renamed_on_either_side_is_disconnected() {
    let host = host();
    let network = network(&host);
    let app = lab::container("app");
    let endpoint = network.connect(&app).unwrap();
    let near = endpoint.spec().host_link.name.clone();
    let renamed = outsider(app.netns(), "link set dev eth0 name lan7")
        .and_then(|()| outsider(host.netns(), &format!("link set dev {near} name port7")));
    let Some(()) = renamed else { return };
    assert_eq!(links(app.netns()), ["lo", "lan7"]);
    endpoint.disconnect().unwrap();
    assert_eq!(links(app.netns()), ["lo"]);
    assert_intact(&host, network);
}

#[test]
fn a_link_that_took_the_name_of_one_that_is_gone_is_left_alone() {
    let host = host();
    let network = network(&host);
    let endpoint = network.connect(&lab::container("app")).unwrap();
    let name = endpoint.spec().host_link.name.clone();
    let taken = outsider(host.netns(), &format!("link del dev {name}"))
        .and_then(|()| outsider(host.netns(), &format!("link add name {name} type bridge")));
    let Some(()) = taken else { return };
    endpoint.disconnect().unwrap();
    assert!(links(host.netns()).contains(&name.to_string()));
}

#[test]
fn who_connects_to_a_network_whose_bridge_somebody_deleted_finds_it_and_all_others_again() {
    let host = host();
    let network = network(&host);
    let app = lab::container("app");
    let endpoint = network.connect(&app).unwrap();
    let bridge = network.spec().link.name.clone();
    let Some(()) = outsider(host.netns(), &format!("link del dev {bridge}")) else {
        return;
    };
    let late = lab::container("late");
    let at_late = network.connect(&late).unwrap();
    lab::udp_both_ways(&app, &late, at_late.ip());
    lab::udp_both_ways(&late, &app, endpoint.ip());
    drop((at_late, endpoint));
    network.remove().unwrap();
    assert_eq!(links(host.netns()), ["lo"]);
}

#[test]
fn what_was_on_a_bridge_that_somebody_deleted_is_disconnected_and_removed() {
    let host = host();
    let Some(()) = outsider(host.netns(), "link add name br-lan type bridge") else {
        return;
    };
    let lan = NetworkConfig::bridge("lan").bridge_name("br-lan");
    let network = host.adopt_network(lan.subnet("10.88.0.0/24")).unwrap();
    let app = lab::container("app");
    let endpoint = network.connect(&app).unwrap();
    outsider(host.netns(), "link del dev br-lan").unwrap();
    // nobody connects to what is not there and is not ours, and nothing is left of the attempt
    let before = host.snapshot().unwrap();
    let late = lab::container("late");
    let error = network.connect(&late).unwrap_err();
    assert!(error.left_behind().is_empty(), "{error}");
    assert_eq!(host.snapshot().unwrap(), before);
    assert_eq!(links(late.netns()), ["lo"]);
    endpoint.disconnect().unwrap();
    network.remove().unwrap();
    assert_eq!(links(host.netns()), ["lo"]);
    assert_eq!(links(app.netns()), ["lo"]);
    host.create_network(NetworkConfig::bridge("hmall")).unwrap();
}

#[test]
fn a_container_of_which_the_process_is_gone_is_disconnected() {
    let host = host();
    let network = network(&host);
    let netns = Netns::create().unwrap();
    let asleep = || {
        Command::new("sleep")
            .arg("600")
            .stdin(Stdio::null())
            .spawn()
    };
    let mut process = netns.run(asleep).unwrap().unwrap();
    let app = Container::of_pid("app", process.id()).unwrap();
    drop(netns);
    let endpoint = network.connect(&app).unwrap();
    process.kill().unwrap();
    process.wait().unwrap();
    endpoint.disconnect().unwrap();
    drop(app);
    assert_intact(&host, network);
}

#[test]
fn a_container_that_went_with_all_its_handles_leaves_nothing_in_the_host() {
    let host = lab::silent_host();
    let network = network(&host);
    let app = lab::container("app");
    let spec = network.connect(&app).unwrap().persist().unwrap();
    drop(app);
    // the namespace goes, and with it the pair: the kernel does that in its own time
    let name = spec.host_link.name.as_str();
    lab::wait_until("the veth is gone", || {
        host.snapshot().unwrap().link_named(name).is_none()
    });
}

#[test]
fn addresses_that_somebody_took_away_are_no_reason_to_fail() {
    let host = host();
    let network = network(&host);
    let app = lab::container("app");
    let endpoint = network.connect(&app).unwrap();
    let flushed = outsider(app.netns(), "addr flush dev eth0")
        .and_then(|()| outsider(app.netns(), "link set dev eth0 down"));
    let Some(()) = flushed else { return };
    endpoint.disconnect().unwrap();
    assert_intact(&host, network);
}

#[test]
fn options_of_a_port_reach_the_kernel_and_are_refused_for_a_link_that_is_none() {
    let (switch, node) = (Netns::create().unwrap(), Netns::create().unwrap());
    let bridge = Bridge::create(&switch, BridgeConfig::new("br0")).unwrap();
    let pair = VethPair::create((&switch, "port"), (&node, "eth0"), VethConfig::new()).unwrap();
    let port = Device::open(&switch, "port").unwrap();
    let options = PortOptions::new().isolated(Switch::On).hairpin(Switch::On);
    assert!(
        bridge.set_port(&port, &options).is_err(),
        "it is no port yet"
    );
    bridge.attach(&port).unwrap();
    bridge.set_port(&port, &options).unwrap();
    if let Some(links) = lab::ip_json(&switch, "-d link show dev port") {
        let port = &links[0]["linkinfo"]["info_slave_data"];
        assert_eq!(
            (&port["isolated"], &port["hairpin"]),
            (&true.into(), &true.into())
        );
    }
    let Some(()) = outsider(&switch, "link set dev port nomaster") else {
        return;
    };
    assert!(
        bridge.set_port(&port, &options).is_err(),
        "it is no port any more"
    );
    pair.delete().unwrap();
}
