//! The container's default routes, as the network that is joined and left comes and goes; hosts
//! files; the built-in network.

use std::net::IpAddr;

use bridgework::{Container, ContainerConfig, EndpointConfig, Netns};

use crate::by_hand::default_gateways;
use crate::{lab, scratch};

use super::{Street, dual};

fn ips(texts: [&str; 2]) -> Vec<IpAddr> {
    texts.map(|text| text.parse().unwrap()).into()
}

#[test]
fn default_routes_move_to_the_network_that_is_joined_and_back_when_it_is_left() {
    let street = Street::new();
    let first = dual(&street.host, "first", 1);
    let (web, other) = (
        ips(["10.89.0.1", "fd00:89::1"]),
        ips(["10.89.1.1", "fd00:89:1::1"]),
    );
    let app = lab::container("app");
    let at_first = first.connect(&app).unwrap();
    assert_eq!(default_gateways(app.netns()), other);
    let config = EndpointConfig::new().priority(7);
    let staged = street.network.stage("app", config).unwrap();
    assert_eq!(default_gateways(app.netns()), other);
    let endpoint = staged.join(&app).unwrap();
    assert_eq!(endpoint.link_name().as_str(), "eth1");
    assert_eq!(default_gateways(app.netns()), web);
    street.assert_reachable(&endpoint);
    let staged = endpoint.leave().unwrap();
    assert_eq!(default_gateways(app.netns()), other);
    let endpoint = staged.join(&app).unwrap();
    assert_eq!(default_gateways(app.netns()), web);
    at_first.disconnect().unwrap();
    assert_eq!(default_gateways(app.netns()), web);
    let staged = endpoint.leave().unwrap();
    assert!(default_gateways(app.netns()).is_empty());
    let endpoint = staged.join(&app).unwrap();
    assert_eq!(default_gateways(app.netns()), web);
    drop(endpoint);
    first.remove().unwrap();
    street.assert_all_goes();
}

#[test]
fn routes_stay_where_they_lead_when_a_lesser_network_is_joined_and_left() {
    let street = Street::new();
    let first = dual(&street.host, "first", 1);
    let other = ips(["10.89.1.1", "fd00:89:1::1"]);
    let app = lab::container("app");
    let at_first = first.connect(&app).unwrap();
    let config = EndpointConfig::new().priority(-7);
    let endpoint = street
        .network
        .stage("app", config)
        .unwrap()
        .join(&app)
        .unwrap();
    assert_eq!(default_gateways(app.netns()), other);
    let staged = endpoint.leave().unwrap();
    assert_eq!(default_gateways(app.netns()), other);
    let endpoint = staged.join(&app).unwrap();
    at_first.disconnect().unwrap();
    assert_eq!(
        default_gateways(app.netns()),
        ips(["10.89.0.1", "fd00:89::1"])
    );
    street.assert_reachable(&endpoint);
}

#[test]
fn lines_of_the_hosts_file_come_with_joining_and_go_with_leaving() {
    let street = Street::new();
    let directory = scratch::Directory::new("staged");
    let file = directory.path().join("hosts");
    let config = ContainerConfig::new("app", Netns::create().unwrap());
    let config = config.hostname("app-host").hosts_file(&file);
    let app = Container::open(config).unwrap();
    let text = || std::fs::read_to_string(&file).unwrap();
    let before = text();
    let staged = street.stage();
    assert_eq!(text(), before);
    let own = "10.89.0.3\tapp-host\nfd00:89::3\tapp-host\n";
    let endpoint = staged.join(&app).unwrap();
    assert_eq!(text(), format!("{before}{own}"));
    let staged = endpoint.leave().unwrap();
    assert_eq!(text(), before);
    let endpoint = staged.join(&app).unwrap();
    assert_eq!(text(), format!("{before}{own}"));
    endpoint.disconnect().unwrap();
    assert_eq!(text(), before);
}

#[test]
fn on_the_default_network_too() {
    let street = Street::new();
    let network = street.host.default_network().unwrap();
    let app = lab::container("app");
    let staged = network.stage("app", EndpointConfig::new()).unwrap();
    let endpoint = staged.join(&app).unwrap();
    let other = network.connect(&lab::container("other")).unwrap();
    lab::udp_both_ways(other.container(), &app, endpoint.ip());
    let endpoint = endpoint.leave().unwrap().join(&app).unwrap();
    lab::udp_both_ways(other.container(), &app, endpoint.ip());
}
