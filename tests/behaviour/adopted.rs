//! Networks on bridges that were there before, and that stay as they were.

use std::sync::Arc;

use bridgework::plan::Switch;
use bridgework::store::Memory;
use bridgework::{EndpointConfig, Host, HostConfig, Netns, NetworkConfig};

use crate::lab;

/// A bridge with these addresses.
fn bridge(host: &Host, name: &str, addresses: &[&str]) {
    lab::output(host.netns(), &format!("ip link add {name} type bridge"));
    for address in addresses {
        lab::output(
            host.netns(),
            &format!("ip addr add {address} dev {name} nodad"),
        );
    }
    lab::output(host.netns(), &format!("ip link set {name} up"));
}

/// Its addresses as `ip` has them.
fn addresses(host: &Host, name: &str) -> Vec<String> {
    let all = lab::addresses(host.netns(), name).unwrap_or_default();
    let local = all.iter().map(|a| a["local"].as_str().unwrap().to_owned());
    local
        .filter(|address| !address.starts_with("fe80"))
        .collect()
}

#[test]
fn a_network_takes_its_subnets_of_a_bridge_that_is_there_and_leaves_it_as_it_was() {
    let host = lab::host();
    bridge(&host, "br-lan", &["10.60.0.1/24", "10.60.0.9/24"]);
    let config = || NetworkConfig::bridge("lan").bridge_name("br-lan");
    let lan = host.adopt_network(config().subnet("fd60::/64")).unwrap();
    let (web, app) = (lab::container("web"), lab::container("app"));
    let at_web = lan.connect(&web).unwrap();
    let at_app = lan.connect(&app).unwrap();
    assert_eq!(at_web.ip().to_string(), "10.60.0.2");
    for address in at_web.ips() {
        lab::tcp_both_ways(&app, &web, address);
    }
    assert_eq!(lan.spec().origin, bridgework::spec::Origin::Custom);
    let other = NetworkConfig::bridge("other").bridge_name("br-lan");
    assert!(host.adopt_network(other).unwrap_err().is_exists());
    drop((at_web, at_app));
    lan.remove().unwrap();
    assert_eq!(addresses(&host, "br-lan"), ["10.60.0.1", "10.60.0.9"]);
    host.adopt_network(config()).unwrap().remove().unwrap();
    assert!(lab::has_link(host.netns(), "br-lan").unwrap_or(true));
}

#[test]
fn a_bridge_that_is_not_there_or_is_none_is_said_by_its_name() {
    let host = lab::host();
    let config = |bridge: &str| NetworkConfig::bridge("lan").bridge_name(bridge);
    let missing = host.adopt_network(config("br-lan")).unwrap_err();
    assert!(
        missing.is_not_found() && missing.to_string().contains("br-lan"),
        "{missing}"
    );
    let other = host.adopt_network(config("lo")).unwrap_err();
    assert!(other.to_string().contains("lo is not a bridge"), "{other}");
    let unnamed = host
        .adopt_network(NetworkConfig::bridge("lan"))
        .unwrap_err();
    assert!(unnamed.is_invalid(), "{unnamed}");
    assert!(host.networks().is_empty());
}

/// What a network may have set otherwise for its bridge.
const SETTINGS: [&str; 6] = [
    "ipv4/conf/br-lan/forwarding",
    "ipv4/conf/br-lan/route_localnet",
    "ipv4/conf/br-lan/rp_filter",
    "ipv4/conf/br-lan/src_valid_mark",
    "ipv6/conf/br-lan/disable_ipv6",
    "ipv6/conf/br-lan/force_forwarding",
];

fn setting(netns: &Netns, key: &str) -> Option<String> {
    let path = format!("/proc/sys/net/{key}");
    let read = netns.run(|| std::fs::read_to_string(&path)).unwrap();
    read.ok().map(|text| text.trim().to_owned())
}

fn set(netns: &Netns, key: &str, value: &str) {
    let path = format!("/proc/sys/net/{key}");
    netns.run(|| std::fs::write(&path, value)).unwrap().unwrap();
}

fn settings(netns: &Netns) -> Vec<(&'static str, Option<String>)> {
    let all = SETTINGS.into_iter();
    all.map(|key| (key, setting(netns, key))).collect()
}

fn lan() -> NetworkConfig {
    NetworkConfig::bridge("lan").bridge_name("br-lan")
}

/// What `nft` lists of a set of ours.
fn listed(host: &Host, set: &str) -> String {
    lab::output(host.netns(), &format!("nft list {set}")).unwrap_or_default()
}

#[test]
fn a_bridge_has_its_settings_back_when_its_network_goes() {
    let host = lab::host();
    let netns = host.netns();
    bridge(&host, "br-lan", &["10.60.0.1/24"]);
    set(netns, "ipv6/conf/br-lan/disable_ipv6", "1");
    let before = settings(netns);
    for _ in 0..2 {
        let network = host.adopt_network(lan().subnet("fd60::/64")).unwrap();
        let web = lab::container("web");
        let published = EndpointConfig::new().publish("8080:80");
        let at_web = network.connect_with(&web, published).unwrap();
        let local = setting(netns, "ipv4/conf/br-lan/route_localnet");
        assert_eq!(local.as_deref(), Some("1"));
        assert_eq!(host.check().unwrap(), []);
        at_web.disconnect().unwrap();
        network.remove().unwrap();
        assert_eq!(settings(netns), before);
    }
}

#[test]
fn a_bridge_has_its_settings_back_by_whoever_removes_its_network() {
    let (netns, store) = (Netns::create().unwrap(), Memory::new());
    let open = || {
        let config = HostConfig::new().netns(netns.clone());
        Host::open_with(config.store(Arc::new(store.open()))).unwrap()
    };
    let before = {
        let host = open();
        bridge(&host, "br-lan", &["10.60.0.1/24"]);
        let before = settings(&netns);
        host.adopt_network(lan()).unwrap().persist().unwrap();
        before
    };
    assert_ne!(settings(&netns), before);
    open().network("lan").unwrap().remove().unwrap();
    assert_eq!(settings(&netns), before);
}

#[test]
fn a_bridge_by_which_other_networks_are_reached_is_adopted_and_is_such_a_way_again() {
    let host = lab::host();
    let netns = host.netns();
    bridge(&host, "br-lan", &["10.60.0.1/24"]);
    let before = settings(netns);
    let shop = host.create_network(NetworkConfig::bridge("shop")).unwrap();
    let ways = "set inet bridgework uplinks";
    let is_way = listed(&host, ways).contains("br-lan");
    let raised = settings(netns);
    let network = host.adopt_network(lan()).unwrap();
    let late = host.create_network(NetworkConfig::bridge("late")).unwrap();
    for set in [ways, "set inet bridgework raised"] {
        assert!(!listed(&host, set).contains("br-lan"), "{set}");
    }
    assert_eq!(host.check().unwrap(), []);
    late.remove().unwrap();
    network.remove().unwrap();
    assert_eq!(listed(&host, ways).contains("br-lan"), is_way);
    assert_eq!(settings(netns), raised);
    assert_eq!(host.check().unwrap(), []);
    shop.remove().unwrap();
    assert_eq!(settings(netns), before);
}

#[test]
fn a_network_that_comes_later_leaves_an_adopted_one_closed() {
    let host = lab::host();
    bridge(&host, "br-lan", &["10.60.0.1/24"]);
    let closed = lan().internal().icc(Switch::Off);
    let network = host.adopt_network(closed).unwrap();
    let late = host.create_network(NetworkConfig::bridge("late")).unwrap();
    let forwards = setting(host.netns(), "ipv4/conf/br-lan/forwarding");
    assert_eq!(forwards.as_deref(), Some("0"));
    late.remove().unwrap();
    network.remove().unwrap();
}
