//! Networks on bridges that were there before, and that stay as they were.

use bridgework::{Host, NetworkConfig};

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
