//! Extra hosts that lead to the host itself.

use std::net::IpAddr;

use bridgework::{Container, EndpointConfig, Fault, NetworkConfig, NetworkMode};

use super::files::BASE;
use super::ground::Ground;
use crate::lab;

#[test]
fn host_gateway_is_the_default_network_s_gateway_in_every_mode() {
    let dual = NetworkConfig::bridge("bridge").subnet("10.1.0.0/24");
    let dual = dual.subnet("fd01::/64");
    let ground = Ground::with("gateway", |config| config.default_network(dual));
    let _network = ground.user_defined("hmall");
    let config = || {
        let config = ground.config().extra_host("bank", [192, 0, 2, 1]);
        config.extra_host("host.internal", "host-gateway")
    };
    let lines = "192.0.2.1\tbank\n10.1.0.1\thost.internal\nfd01::1\thost.internal\n";
    for mode in ["hmall", "bridge", "none", "host"] {
        let _web = ground.attach(mode, config());
        let expected = format!("{BASE}{lines}");
        assert!(
            ground.hosts().starts_with(&expected),
            "{mode}: {}",
            ground.hosts()
        );
    }
}

#[test]
fn the_network_that_host_gateway_stands_for_stays_as_long_as_the_container() {
    let ground = Ground::new("gateway-stays");
    let config = ground.config().extra_host("up", "host-gateway");
    let web = ground.attach("none", config);
    let netns = ground.host.netns().clone();
    let docker0 = || {
        let snapshot = netns.snapshot().unwrap();
        let has = |address: IpAddr| {
            snapshot
                .addresses
                .iter()
                .any(|a| a.address.addr() == address)
        };
        has(IpAddr::from([172, 17, 0, 1]))
    };
    drop(ground.host);
    assert!(docker0());
    drop(web);
    lab::wait_until("the end of docker0", || !docker0());
}

#[test]
fn host_gateway_is_what_the_host_was_opened_with() {
    let ground = Ground::with("given", |config| {
        config
            .host_gateway([192, 0, 2, 9])
            .host_gateway("2001:db8::9".parse::<IpAddr>().unwrap())
    });
    let _web = ground.attach("none", ground.config().extra_host("up", "host-gateway"));
    assert_eq!(
        ground.hosts(),
        format!("{BASE}192.0.2.9\tup\n2001:db8::9\tup\n")
    );
    let names: Vec<String> = ground
        .host
        .networks()
        .iter()
        .map(|n| n.name().to_string())
        .collect();
    assert_eq!(names, ["none"], "no default network was needed");
}

#[test]
fn host_gateway_is_refused_where_no_host_tells_what_it_is() {
    let ground = Ground::with("no-gateway", |config| {
        let isolated = NetworkConfig::bridge("bridge").internal();
        let isolated = isolated.option("com.docker.network.bridge.gateway_mode_ipv4", "isolated");
        config.default_network(isolated)
    });
    let config = ground.config().extra_host("up", "host-gateway");
    let alone = Container::open(config.clone()).unwrap_err();
    let mode = NetworkMode::None;
    let attached = ground.host.attach(&mode, config, EndpointConfig::new());
    let attached = attached.unwrap_err();
    for error in [alone, attached] {
        assert_eq!(error.faults(), [Fault::NoHostGateway]);
        let words = "unable to derive the IP value for host-gateway";
        assert!(error.to_string().ends_with(words), "{error}");
    }
    assert!(!ground.path("hosts").exists() && !ground.path("resolv").exists());
}

#[test]
fn a_request_that_is_refused_makes_no_network_for_host_gateway() {
    let ground = Ground::new("refused-gateway");
    let config = ground
        .config()
        .extra_host("up", "host-gateway")
        .hostname("a b");
    for mode in ["none", "host"] {
        let mode = mode.parse().unwrap();
        let attached = ground
            .host
            .attach(&mode, config.clone(), EndpointConfig::new());
        assert!(matches!(attached.unwrap_err().faults(), [Fault::Value(_)]));
    }
    assert!(ground.host.networks().is_empty());
}
