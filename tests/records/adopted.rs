//! Networks on bridges that were there before, after a reboot: links have other numbers then, and what
//! has the bridge's former number is somebody else's.

use bridgework::{EndpointConfig, Finding, Host, Netns, NetworkConfig};

use crate::lab;
use crate::recovered::Ground;

/// What others make of the host's links in each boot.
fn links(netns: &Netns, commands: &[&str]) {
    for command in commands {
        lab::output(netns, command);
    }
}

const BRIDGE: [&str; 3] = [
    "ip link add br-lan index 5 type bridge",
    "ip addr add 10.60.0.1/24 dev br-lan",
    "ip link set br-lan up",
];

/// After a boot with a network that stays, on a bridge with the number 5, the next one.
fn rebooted(before: &[&str], after: &[&str]) -> Ground {
    let ground = Ground::new();
    links(&ground.netns, before);
    ground.die_after(|host| {
        let config = NetworkConfig::bridge("lan").bridge_name("br-lan");
        let lan = host.adopt_network(config.subnet("10.60.0.0/24")).unwrap();
        let kept = "10.60.0.9".parse::<std::net::IpAddr>().unwrap();
        lan.reserve(&"db".parse().unwrap(), kept).unwrap();
        lan.persist().unwrap();
    });
    let rebooted = ground.rebooted();
    links(&rebooted.netns, after);
    rebooted
}

/// A bridge of somebody else's has the number that was the network's.
fn after_another_boot() -> Ground {
    let after = [
        "ip link add br-other index 5 type bridge",
        "ip link set br-other up",
        "ip link add br-lan index 7 type bridge",
        "ip addr add 10.60.0.1/24 dev br-lan",
        "ip link set br-lan up",
    ];
    rebooted(&BRIDGE, &after)
}

/// The names of those that are ports of that bridge.
fn ports(netns: &Netns, bridge: &str) -> usize {
    let links = lab::ip_json(netns, &format!("link show master {bridge}"));
    links.unwrap_or_default().len()
}

fn connects(host: &Host) {
    let lan = host.network("lan").unwrap();
    let (db, app) = (lab::container("db"), lab::container("app"));
    let at_db = lan.connect(&db).unwrap();
    let at_app = lan.connect(&app).unwrap();
    assert_eq!(ports(host.netns(), "br-lan"), 2);
    assert_eq!(ports(host.netns(), "br-other"), 0);
    assert_eq!(at_db.ip().to_string(), "10.60.0.9");
    lab::tcp_both_ways(&app, &db, at_db.ip());
    at_app.disconnect().unwrap();
    at_db.disconnect().unwrap();
}

#[test]
fn after_a_reboot_a_network_is_on_the_bridge_of_its_name() {
    let ground = after_another_boot();
    let host = ground.open();
    let recovered = host.recover().unwrap();
    connects(&host);
    let again = host.recover().unwrap();
    assert!(again.is_empty(), "{recovered}\n{again}");
    host.network("lan").unwrap().remove().unwrap();
    assert!(lab::has_link(host.netns(), "br-lan").unwrap_or(true));
}

/// Both have known it as it was before.
#[test]
fn after_a_reboot_that_one_process_puts_in_order_another_one_is_on_that_bridge_too() {
    let ground = after_another_boot();
    let (host, other) = (ground.open(), ground.open());
    assert_eq!(other.networks().len(), 1);
    host.recover().unwrap();
    connects(&other);
    connects(&host);
}

#[test]
fn nobody_is_connected_to_what_has_the_number_of_a_networks_bridge() {
    let ground = after_another_boot();
    let host = ground.open();
    let lan = host.network("lan").unwrap();
    let before = ground.look();
    let error = lan.connect(&lab::container("app")).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert!(error.to_string().contains("br-lan"), "{error}");
    let error = lan.stage("app", EndpointConfig::new()).unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert_eq!(ground.look()[0], before[0]);
    let found = host.check().unwrap();
    assert!(found.iter().any(is_missing), "{found:?}");
    assert_eq!(lan.endpoints(), []);
}

fn is_missing(finding: &Finding) -> bool {
    matches!(finding, Finding::BridgeMissing { .. })
}

#[test]
fn a_bridge_that_is_not_there_after_a_reboot_is_told_as_missing() {
    let other = ["ip link add br-other index 5 type bridge"];
    let ground = rebooted(&BRIDGE, &other);
    let host = ground.open();
    host.recover().unwrap();
    let found = host.check().unwrap();
    assert!(found.iter().any(is_missing), "{found:?}");
    let lan = host.network("lan").unwrap();
    assert!(lan.connect(&lab::container("app")).is_err());
    lan.remove().unwrap();
    assert!(lab::has_link(host.netns(), "br-other").unwrap_or(true));
}

/// It was down when it was found, and goes down again with its network.
#[test]
fn what_has_the_number_of_a_networks_bridge_stays_up_when_the_network_goes() {
    let other = [
        "ip link add br-other index 5 type bridge",
        "ip addr add 10.60.0.1/24 dev br-other",
        "ip link set br-other up",
    ];
    let ground = rebooted(&BRIDGE[..1], &other);
    let host = ground.open();
    host.network("lan").unwrap().remove().unwrap();
    let left = lab::addresses(host.netns(), "br-other").unwrap_or_default();
    let local = |address: &&serde_json::Value| address["local"] == "10.60.0.1";
    assert_eq!(left.iter().filter(local).count(), 1, "{left:?}");
    let up = lab::ip_json(host.netns(), "link show up").unwrap_or_default();
    assert!(up.iter().any(|link| link["ifname"] == "br-other"), "{up:?}");
}

#[test]
fn after_a_reboot_the_default_network_is_on_the_bridge_of_its_name() {
    let ground = Ground::new();
    links(&ground.netns, &["ip link add docker0 index 5 type bridge"]);
    ground.die_after(|host| host.default_network().unwrap());
    let ground = ground.rebooted();
    let after = [
        "ip link add br-other index 5 type bridge",
        "ip link add docker0 index 7 type bridge",
    ];
    links(&ground.netns, &after);
    let host = ground.open();
    let app = lab::container("app");
    let stale = host.default_network().unwrap();
    assert!(stale.connect(&app).is_err_and(|error| error.is_not_found()));
    host.recover().unwrap();
    let _endpoint = host.default_network().unwrap().connect(&app).unwrap();
    assert_eq!(ports(host.netns(), "docker0"), 1);
    assert_eq!(ports(host.netns(), "br-other"), 0);
}
