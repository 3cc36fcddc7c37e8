//! A bridge has 1023 ports: the next one is refused, whoever has the others.

use std::io::Write;
use std::process::{Command, Stdio};

use bridgework::{
    Container, ContainerConfig, Endpoint, EndpointConfig, Error, Fault, Host, Netns, Network,
};

use super::{net, refused_connect};
use crate::lab;

const PORTS_MAX: u32 = 1023;

fn assert_full(error: &Error, bridge: &str) {
    assert!(error.is_exhausted(), "{error}");
    let fault = Fault::BridgeFull {
        bridge: bridge.parse().unwrap(),
        limit: PORTS_MAX,
    };
    assert_eq!(error.faults(), [fault]);
    let text =
        "connect web to net: bridge br-full is full: the kernel allows 1023 ports on a bridge";
    assert_eq!(error.to_string(), text);
}

fn full_network(host: &Host) -> Network {
    let config = net()
        .subnet("10.89.0.0/16")
        .internal()
        .bridge_name("br-full");
    host.create_network(config).unwrap()
}

/// Ports that are not ours.
fn add_foreign_ports(host: &Host, count: u32) {
    let script: String = (0..count)
        .map(|n| format!("link add f{n} master br-full type veth peer name g{n}\n"))
        .collect();
    let run = || {
        let mut child = Command::new("ip")
            .args(["-batch", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(script.as_bytes())
            .unwrap();
        child.wait().unwrap()
    };
    assert!(host.netns().run(run).unwrap().success());
}

#[test]
fn the_1024th_port_of_a_bridge_is_refused_before_any_link_is_made() {
    let host = lab::host();
    let net = full_network(&host);
    let crowd = Netns::create().unwrap();
    let connect = |n: u32| {
        let name = format!("c{n}");
        let container = Container::open(ContainerConfig::new(&*name, crowd.clone())).unwrap();
        net.connect_with(&container, EndpointConfig::new().link_name(&*name))
            .unwrap()
    };
    let mut endpoints: Vec<Endpoint> = (0..PORTS_MAX).map(connect).collect();
    let web = lab::container("web");
    let planned = net.plan_connect(&web, &EndpointConfig::new()).unwrap_err();
    let error = refused_connect(&host, &net, &web, EndpointConfig::new());
    assert_eq!(planned.faults(), error.faults());
    assert_full(&error, "br-full");
    endpoints.pop().unwrap().disconnect().unwrap();
    net.connect(&web).unwrap().disconnect().unwrap();
    Endpoint::disconnect_all(endpoints).unwrap();
}

#[test]
fn a_bridge_that_others_have_filled_is_full_too_and_nothing_is_left() {
    let host = lab::host();
    let net = full_network(&host);
    add_foreign_ports(&host, PORTS_MAX);
    let web = lab::container("web");
    let error = refused_connect(&host, &net, &web, EndpointConfig::new());
    assert_full(&error, "br-full");
    super::ip(host.netns(), "link delete f0");
    assert_eq!(net.connect(&web).unwrap().ip().to_string(), "10.89.0.2");
}
