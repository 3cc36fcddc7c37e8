//! Mode `host`: the host's own stack, and nothing made for it.

use std::net::IpAddr;

use bridgework::driver::Stack;
use bridgework::{ContainerConfig, EndpointConfig, Fault, Netns, NetworkConfig, Warning};

use super::{SHARED, all_of_a_wire, attach, no_wire, refused, refused_connect, user_defined};
use crate::bad_input::settled;
use crate::lab::{self, packet};

const ATTEMPT: &str = "attach web in network mode host";

#[test]
fn a_container_on_the_host_has_what_the_host_has_and_nothing_is_made() {
    let host = lab::host();
    let _net = user_defined(&host, "net", "10.89.0.0/24");
    let before = settled(host.netns());
    let web = attach(&host, "host", "web");
    assert_eq!(settled(host.netns()), before);
    assert_eq!(web.container.netns(), host.netns());
    assert_eq!(web.container.stack(), Stack::Host);
    let addresses = settled(web.container.netns()).addresses;
    assert!(
        addresses
            .iter()
            .any(|state| state.address == "10.89.0.1/24".parse().unwrap())
    );
    assert!(web.endpoint.is_none());
    assert_eq!(web.warnings, []);
    drop(web);
    assert_eq!(settled(host.netns()), before);
}

#[test]
fn it_is_reached_from_a_bridge_at_the_host_s_address_and_reaches_back() {
    let host = lab::host();
    let config = NetworkConfig::bridge("net")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64");
    let net = host.create_network(config).unwrap();
    let web = attach(&host, "host", "web").container;
    let app = lab::container("app");
    let at_app = net.connect(&app).unwrap();
    for gateway in ["10.89.0.1", "fd00:89::1"] {
        let gateway: IpAddr = gateway.parse().unwrap();
        lab::udp_both_ways(&app, &web, gateway);
        lab::tcp_both_ways(&app, &web, gateway);
    }
    for address in at_app.ips() {
        lab::udp_both_ways(&web, &app, address);
        packet::echo(web.netns(), address).unwrap();
    }
}

#[test]
fn published_ports_are_a_warning() {
    let host = lab::host();
    let before = settled(host.netns());
    let endpoint = EndpointConfig::new().publish("8080:80/tcp");
    let config = ContainerConfig::named("web");
    let web = host.attach(&super::mode("host"), config, endpoint).unwrap();
    assert_eq!(web.warnings, [Warning::PortsDiscarded]);
    let text = "published ports are discarded when using host network mode";
    assert_eq!(web.warnings[0].to_string(), text);
    assert_eq!(settled(host.netns()), before);
}

#[test]
fn nothing_of_a_wire_can_be_asked_for_and_all_of_it_is_told_at_once() {
    let host = lab::host();
    let error = refused(
        &host,
        "host",
        ContainerConfig::named("web"),
        all_of_a_wire(),
    );
    assert_eq!(error.to_string(), no_wire(ATTEMPT, "host type networking"));
    assert_eq!(error.faults().len(), 7);
}

#[test]
fn a_namespace_of_its_own_contradicts_the_mode() {
    let host = lab::host();
    let other = Netns::create().unwrap();
    let text = format!(
        "{ATTEMPT}: conflicting options: namespace {} and the network mode",
        other.label()
    );
    let config = ContainerConfig::new("web", other);
    let error = refused(&host, "host", config, EndpointConfig::new());
    assert_eq!(error.to_string(), text);
    let db = attach(&host, "none", "db").container;
    let config = ContainerConfig::sharing("web", &db);
    let error = refused(&host, "host", config, EndpointConfig::new());
    let text =
        format!("{ATTEMPT}: conflicting options: namespace of container db and the network mode");
    assert_eq!(error.to_string(), text);
    let own = ContainerConfig::new("web", host.netns().clone());
    let web = host.attach(&super::mode("host"), own, EndpointConfig::new());
    assert_eq!(web.unwrap().container.stack(), Stack::Host);
}

#[test]
fn nobody_comes_to_the_host_later_and_nobody_leaves_it() {
    let host = lab::host();
    let net = user_defined(&host, "net", "10.89.0.0/24");
    let web = attach(&host, "host", "web").container;
    let hosts = host.network("host").unwrap();
    refused_connect(&net, &web, SHARED);
    let later = "cannot connect container to host network - container must be created in host \
                 network mode";
    refused_connect(&hosts, &lab::container("app"), later);
    let left = hosts.disconnect("web").unwrap_err();
    assert_eq!(left.faults(), [Fault::HostStackLeft]);
    let text = "disconnect web from host: cannot disconnect container from host network - \
                container was created in host network mode";
    assert_eq!(left.to_string(), text);
    assert!(hosts.disconnect("app").unwrap_err().is_not_found());
}

#[test]
fn there_is_one_network_of_the_host_and_one_of_none_and_they_stay() {
    let host = lab::host();
    let before = settled(host.netns());
    for (name, driver) in [("host", "host"), ("none", "null")] {
        let first = host.network(name).unwrap();
        let _two = [attach(&host, name, "a"), attach(&host, name, "b")];
        assert_eq!(host.network(name).unwrap().id(), first.id());
        let all = host.networks();
        assert_eq!(all.iter().filter(|n| n.spec().driver == driver).count(), 1);
        let error = host
            .create_network(NetworkConfig::new(driver, "mine"))
            .unwrap_err();
        let text = format!("only one instance of \"{driver}\" network is allowed");
        assert_eq!(error.to_string(), format!("create network mine: {text}"));
        let error = first.remove().unwrap_err();
        let text = format!("{name} is a pre-defined network and cannot be removed");
        assert_eq!(error.to_string(), format!("remove network {name}: {text}"));
    }
    for name in ["bridge", "host", "none", "default"] {
        let error = host
            .create_network(NetworkConfig::bridge(name))
            .unwrap_err();
        let text = format!("operation is not permitted on predefined {name} network");
        assert_eq!(error.to_string(), format!("create network {name}: {text}"));
    }
    assert_eq!(settled(host.netns()), before);
}
