//! Mode `none`: a stack of its own with `lo` in it, and nothing else for as long as it is there.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use bridgework::driver::Stack;
use bridgework::{Container, ContainerConfig, EndpointConfig, Host, Netns, Network, Warning};

use super::{
    PRIVATE, SHARED, all_of_a_wire, attach, mode, no_wire, refused, refused_connect, user_defined,
};
use crate::bad_input::settled;
use crate::lab::{self, packet};

const ATTEMPT: &str = "attach batch in network mode none";

fn in_namespace(name: &str, netns: &Netns) -> Container {
    Container::open(ContainerConfig::new(name, netns.clone())).unwrap()
}

#[test]
fn it_has_a_namespace_of_its_own_with_lo_up_and_nothing_else() {
    let host = lab::host();
    let before = settled(host.netns());
    let batch = attach(&host, "none", "batch");
    let netns = batch.container.netns();
    assert_ne!(netns, host.netns());
    assert_eq!(batch.container.stack(), Stack::Private);
    let inside = settled(netns);
    let links: Vec<_> = inside
        .links
        .iter()
        .map(|l| (l.name.as_str(), l.up))
        .collect();
    assert_eq!(links, [("lo", true)]);
    for own in [
        IpAddr::from(Ipv4Addr::LOCALHOST),
        Ipv6Addr::LOCALHOST.into(),
    ] {
        packet::echo(netns, own).unwrap();
    }
    for outside in ["192.0.2.1", "2001:db8::1"] {
        let error = packet::echo(netns, outside.parse().unwrap()).unwrap_err();
        assert!(error.contains("unreachable"), "{error}");
    }
    assert!(batch.endpoint.is_none());
    assert_eq!(settled(host.netns()), before);
}

#[test]
fn it_is_on_no_other_network_and_nobody_comes_to_none_later() {
    let host = lab::host();
    let net = user_defined(&host, "net", "10.89.0.0/24");
    let batch = attach(&host, "none", "batch").container;
    refused_connect(&net, &batch, PRIVATE);
    let none = host.network("none").unwrap();
    let app = lab::container("app");
    refused_connect(&none, &app, PRIVATE);
    let at_app = net.connect(&app).unwrap();
    refused_connect(&none, &app, PRIVATE);
    lab::udp_both_ways(&app, &app, at_app.ip());
}

#[test]
fn nothing_of_a_wire_can_be_asked_for_and_ports_are_a_warning() {
    let host = lab::host();
    let config = ContainerConfig::named("batch");
    let error = refused(&host, "none", config, all_of_a_wire());
    assert_eq!(error.to_string(), no_wire(ATTEMPT, "none type networking"));
    let endpoint = EndpointConfig::new().publish("80");
    let config = ContainerConfig::named("batch");
    let batch = host.attach(&mode("none"), config, endpoint).unwrap();
    assert_eq!(batch.warnings, [Warning::PortsUnreachable]);
    let text = "published ports are discarded when using none network mode";
    assert_eq!(batch.warnings[0].to_string(), text);
}

/// A namespace that others have connected, and may connect again.
struct Connected {
    host: Host,
    net: Network,
    netns: Netns,
}

fn connected() -> Connected {
    let host = lab::host();
    let net = user_defined(&host, "net", "10.89.0.0/24");
    let netns = Netns::create().unwrap();
    Connected { host, net, netns }
}

#[test]
fn a_namespace_that_is_connected_is_not_private_until_it_is_disconnected() {
    let Connected { host, net, netns } = connected();
    let app = in_namespace("app", &netns);
    let at_app = net.connect(&app).unwrap();
    let inside = settled(&netns);
    let config = ContainerConfig::new("batch", netns.clone());
    let error = refused(&host, "none", config.clone(), EndpointConfig::new());
    assert_eq!(error.to_string(), format!("{ATTEMPT}: {PRIVATE}"));
    assert_eq!(settled(&netns), inside);
    packet::echo(host.netns(), at_app.ip()).unwrap();
    at_app.disconnect().unwrap();
    host.attach(&mode("none"), config, EndpointConfig::new())
        .unwrap();
}

#[test]
fn no_other_handle_connects_the_namespace_while_the_container_or_a_sharer_is_there() {
    let Connected { host, net, netns } = connected();
    let config = ContainerConfig::new("batch", netns.clone());
    let batch = host.attach(&mode("none"), config, EndpointConfig::new());
    let batch = batch.unwrap().container;
    let other = in_namespace("other", &netns);
    refused_connect(&net, &other, PRIVATE);
    let sidecar = attach(&host, "container:batch", "sidecar").container;
    assert_eq!(sidecar.netns(), &netns);
    let error = net.connect(&sidecar).unwrap_err();
    let faults = format!("connect sidecar to net: {SHARED}; {PRIVATE}");
    assert_eq!(error.to_string(), faults);
    drop(batch);
    refused_connect(&net, &other, PRIVATE);
    drop(sidecar);
    net.connect(&other).unwrap();
}

#[test]
fn the_host_s_own_namespace_is_nobody_s_private_one() {
    let host = lab::host();
    let config = ContainerConfig::new("batch", host.netns().clone());
    let error = refused(&host, "none", config, EndpointConfig::new());
    let text = format!("{ATTEMPT}: conflicting options: batch has the host's own namespace");
    assert_eq!(error.to_string(), text);
}

#[test]
fn another_container_s_namespace_is_joined_in_its_own_mode_alone() {
    let host = lab::host();
    let net = user_defined(&host, "net", "10.89.0.0/24");
    let app = lab::container("app");
    let config = ContainerConfig::sharing("batch", &app);
    let error = refused(&host, "none", config.clone(), EndpointConfig::new());
    let text =
        format!("{ATTEMPT}: conflicting options: namespace of container app and the network mode");
    assert_eq!(error.to_string(), text);
    let error = refused(&host, "net", config.clone(), EndpointConfig::new());
    assert_eq!(
        error.to_string(),
        format!("attach batch in network mode net: {SHARED}")
    );
    let error = refused(&host, "bridge", config, EndpointConfig::new());
    assert_eq!(
        error.to_string(),
        format!("attach batch in network mode bridge: {SHARED}")
    );
    let at_app = net.connect(&app).unwrap();
    drop((at_app, app));
    assert!(
        net.endpoints().is_empty(),
        "nobody who was refused holds it"
    );
}
