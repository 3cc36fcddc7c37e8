//! Places that can't be had: addresses, names of interfaces, duplicates.

use std::net::IpAddr;

use bridgework::plan::Switch;
use bridgework::{
    Container, ContainerConfig, EndpointConfig, Fault, HostName, LinkName, MacAddr, Netns,
    NetworkConfig, ParseError,
};

use super::{assert_faults, containers, ip, net, network, refused_connect};
use crate::{lab, scratch};

const START: &str = "connect web to net: ";

fn at(address: &str) -> EndpointConfig {
    EndpointConfig::new().ip(address.parse::<IpAddr>().unwrap())
}

#[test]
fn an_address_outside_of_the_subnets_is_refused() {
    let host = lab::host();
    let net = network(&host, "10.89.0.0/24");
    let web = lab::container("web");
    for outside in ["10.90.0.7", "fd00::7", "0.0.0.0", "255.255.255.255"] {
        let error = refused_connect(&host, &net, &web, at(outside));
        assert!(error.is_invalid());
        let subnets = vec!["10.89.0.0/24".parse().unwrap()];
        let address = outside.parse().unwrap();
        let text = format!(
            "{START}invalid address {outside}: it does not belong to any of this network's subnets \
             (10.89.0.0/24)"
        );
        assert_faults(&error, &[Fault::AddressOutside { address, subnets }], &text);
    }
    assert_eq!(net.connect(&web).unwrap().ip().to_string(), "10.89.0.2");
}

#[test]
fn an_address_that_no_host_can_have_is_refused() {
    let host = lab::host();
    let config = net().subnet("10.89.0.0/24").subnet("fd00:89::/64");
    let net = host.create_network(config).unwrap();
    let web = lab::container("web");
    for (reserved, role) in [
        ("10.89.0.0", "the network's own address"),
        ("10.89.0.255", "the broadcast address"),
        ("fd00:89::", "the subnet-router anycast address"),
    ] {
        let error = refused_connect(&host, &net, &web, at(reserved));
        assert!(error.is_invalid());
        let fault = Fault::AddressReserved {
            address: reserved.parse().unwrap(),
            role,
        };
        let text = format!("{START}invalid address {reserved}: it is {role}");
        assert_faults(&error, &[fault], &text);
    }
    assert_eq!(net.connect(&web).unwrap().ip().to_string(), "10.89.0.2");
}

#[test]
fn an_address_in_use_is_refused_by_its_owners_name() {
    let host = lab::host();
    let config = net()
        .subnet("10.89.0.0/24")
        .auxiliary("printer", [10, 89, 0, 9]);
    let net = host.create_network(config).unwrap();
    net.reserve(&"cache".parse().unwrap(), [10, 89, 0, 8])
        .unwrap();
    let db = lab::container("db");
    let _db = net.connect_with(&db, at("10.89.0.7")).unwrap();
    let web = lab::container("web");
    for (address, owner) in [
        ("10.89.0.1", "the gateway"),
        ("10.89.0.7", "container db"),
        ("10.89.0.8", "container cache"),
        ("10.89.0.9", "auxiliary address printer"),
    ] {
        let error = refused_connect(&host, &net, &web, at(address));
        assert!(error.is_exists());
        let text = format!("{START}address {address} is already in use by {owner}");
        let (address, owner) = (address.parse().unwrap(), owner.to_owned());
        assert_faults(&error, &[Fault::AddressInUse { address, owner }], &text);
    }
    net.connect_with(&web, at("10.89.0.10")).unwrap();
}

#[test]
fn one_bad_address_of_two_leaves_the_other_free() {
    let host = lab::host();
    let config = net().subnet("10.89.0.0/24").subnet("fd00:89::/64");
    let net = host.create_network(config).unwrap();
    let [web, db] = ["web", "db"].map(lab::container);
    let both = at("10.89.0.7").ip("fd00:89::1".parse::<IpAddr>().unwrap());
    let error = refused_connect(&host, &net, &web, both);
    assert!(error.is_exists());
    net.connect_with(&db, at("10.89.0.7")).unwrap();
}

#[test]
fn a_small_subnet_runs_out_in_either_family() {
    for (subnet, gateway, room) in [
        ("10.89.0.0/30", "10.89.0.1", 1),
        ("10.89.0.0/31", "10.89.0.0", 1),
        ("10.89.0.5/32", "10.89.0.5", 0),
        ("fd00:89::/126", "fd00:89::1", 2),
        ("fd00:89::/127", "fd00:89::", 1),
        ("fd00:89::5/128", "fd00:89::5", 0),
    ] {
        let host = lab::host();
        let config = net().subnet(subnet);
        let config = if subnet.contains(':') {
            config.ipv4(Switch::Off)
        } else {
            config
        };
        let net = host.create_network(config).unwrap();
        let spec = net.spec();
        let range = spec.ipv4.as_ref().or(spec.ipv6.as_ref()).unwrap();
        assert_eq!(range.gateway, Some(gateway.parse().unwrap()), "{subnet}");
        let others = containers(["a", "b"]);
        let endpoints = net.connect_all(&others[..room]).unwrap();
        let web = lab::container("web");
        let error = refused_connect(&host, &net, &web, EndpointConfig::new());
        assert!(error.is_exhausted());
        let text = format!("{START}no available addresses on subnet {subnet}");
        assert_faults(
            &error,
            &[Fault::AddressesExhausted {
                subnet: subnet.parse().unwrap(),
            }],
            &text,
        );
        if !endpoints.is_empty() {
            drop(endpoints);
            net.connect(&web).unwrap();
        }
    }
}

#[test]
fn a_container_that_is_connected_is_not_connected_again() {
    let host = lab::host();
    let net = network(&host, "10.89.0.0/24");
    let web = lab::container("web");
    let first = net.connect(&web).unwrap();
    for again in [web.clone(), lab::container("web")] {
        let error = refused_connect(&host, &net, &again, EndpointConfig::new());
        assert!(error.is_exists());
        assert!(matches!(error.faults(), [Fault::EndpointExists { .. }]));
        let text = "connect web to net: endpoint with name web already exists in network net";
        assert_eq!(error.to_string(), text);
    }
    first.disconnect().unwrap();
    assert_eq!(net.connect(&web).unwrap().link_name().as_str(), "eth0");
}

#[test]
fn an_interface_that_is_there_already_is_left_alone() {
    let host = lab::host();
    let net = network(&host, "10.89.0.0/24");
    let web = lab::container("web");
    ip(web.netns(), "link add eth0 type bridge");
    for (config, name) in [
        (EndpointConfig::new().link_name("eth0"), "eth0"),
        (EndpointConfig::new().link_name("lo"), "lo"),
    ] {
        let error = refused_connect(&host, &net, &web, config);
        assert!(error.is_exists());
        let namespace = Some("web".to_owned());
        let fault = Fault::LinkExists {
            name: name.parse().unwrap(),
            namespace,
        };
        let text = format!("{START}link {name} is already there in the namespace of web");
        assert_faults(&error, &[fault], &text);
    }
    let elsewhere = EndpointConfig::new().link_name("eth1");
    assert_eq!(
        net.connect_with(&web, elsewhere).unwrap().ip().to_string(),
        "10.89.0.2"
    );
}

#[test]
fn an_interface_of_another_network_is_left_alone() {
    let host = lab::host();
    let net = network(&host, "10.89.0.0/24");
    let other = host.create_network(NetworkConfig::bridge("other")).unwrap();
    let web = lab::container("web");
    let _first = other.connect(&web).unwrap();
    let error = refused_connect(&host, &net, &web, EndpointConfig::new().link_name("eth0"));
    assert!(error.is_exists());
    let text = format!("{START}link eth0 is already there in the namespace of web");
    assert_eq!(error.to_string(), text);
    assert_eq!(net.connect(&web).unwrap().link_name().as_str(), "eth1");
}

#[test]
fn all_that_is_wrong_with_a_place_is_in_one_answer() {
    let host = lab::host();
    let net = network(&host, "10.89.0.0/24");
    let other = host.create_network(NetworkConfig::bridge("other")).unwrap();
    let web = lab::container("web");
    let _there = (net.connect(&web).unwrap(), other.connect(&web).unwrap());
    let config = EndpointConfig::new()
        .alias("a b")
        .mac("01:00:5e:00:00:01")
        .link_name("eth1")
        .ip([10, 90, 0, 1])
        .ip([10, 90, 0, 2])
        .ip("fd00::7".parse::<IpAddr>().unwrap());
    let planned = net.plan_connect(&web, &config).unwrap_err();
    let error = refused_connect(&host, &net, &web, config);
    assert_eq!(planned.faults(), error.faults());
    let text: Vec<String> = error.faults().iter().map(ToString::to_string).collect();
    for part in [
        "invalid host name \"a b\"",
        "invalid mac address \"01:00:5e:00:00:01\": no interface can have it",
        "link eth1 is already there in the namespace of web",
        "conflicting options: address 10.90.0.1 and address 10.90.0.2",
        "invalid address 10.90.0.1",
        "invalid address fd00::7",
        "endpoint with name web already exists in network net",
    ] {
        let count = text.iter().filter(|text| text.contains(part)).count();
        assert_eq!(count, 1, "{part}: {text:?}");
    }
    assert_eq!(text.len(), 7, "{text:?}");
}

#[test]
fn values_that_do_not_have_their_form_are_refused() {
    let host = lab::host();
    let net = network(&host, "10.89.0.0/24");
    let web = lab::container("web");
    let new = EndpointConfig::new;
    let value = |error: ParseError| Fault::Value(error);
    for (config, fault, why) in [
        (
            new().alias("db\n127.0.0.1"),
            value("db\n127.0.0.1".parse::<HostName>().unwrap_err()),
            "invalid host name \"db\\n127.0.0.1\": '\\n' at byte 2 is not allowed",
        ),
        (
            new().alias("a..b"),
            value("a..b".parse::<HostName>().unwrap_err()),
            "invalid host name \"a..b\": expected labels of 1 to 63 bytes between the dots",
        ),
        (
            new().link_name("sixteen-bytes-xx"),
            value("sixteen-bytes-xx".parse::<LinkName>().unwrap_err()),
            "invalid link name \"sixteen-bytes-xx\": it is longer than 15 bytes",
        ),
        (
            new().mac("02:42"),
            value("02:42".parse::<MacAddr>().unwrap_err()),
            "invalid mac address \"02:42\": expected six pairs of hex digits, joined by colons",
        ),
    ] {
        let error = refused_connect(&host, &net, &web, config);
        assert!(error.is_invalid());
        assert_faults(&error, &[fault], &format!("{START}{why}"));
    }
}

#[test]
fn a_network_that_is_removed_takes_nobody() {
    let host = lab::host();
    let net = network(&host, "10.89.0.0/24");
    net.remove().unwrap();
    let error = refused_connect(&host, &net, &lab::container("web"), EndpointConfig::new());
    assert!(error.is_not_found());
    let fault = Fault::NetworkNotFound {
        name: "net".to_owned(),
    };
    assert_faults(
        &error,
        &[fault],
        "connect web to net: network net not found",
    );
    let planned = net.plan_connect(&lab::container("web"), &EndpointConfig::new());
    assert_eq!(planned.unwrap_err().faults(), error.faults());
}

#[test]
fn an_address_that_can_not_be_kept_is_refused() {
    let host = lab::host();
    let net = network(&host, "10.89.0.0/24");
    let (db, web) = ("db".parse().unwrap(), "web".parse().unwrap());
    net.reserve(&db, [10, 89, 0, 7]).unwrap();
    for (address, text) in [
        (
            [10, 89, 0, 7],
            "address 10.89.0.7 is already in use by container db",
        ),
        (
            [10, 89, 0, 1],
            "address 10.89.0.1 is already in use by the gateway",
        ),
        (
            [10, 89, 0, 255],
            "invalid address 10.89.0.255: it is the broadcast address",
        ),
        (
            [10, 90, 0, 1],
            "invalid address 10.90.0.1: it does not belong to any of this network's subnets \
             (10.89.0.0/24)",
        ),
    ] {
        let error = net.reserve(&web, address).unwrap_err();
        let address = IpAddr::from(address);
        assert_eq!(
            error.to_string(),
            format!("reserve {address} for web on net: {text}")
        );
    }
    assert_eq!(
        net.connect(&lab::container("web"))
            .unwrap()
            .ip()
            .to_string(),
        "10.89.0.2"
    );
}

#[test]
fn a_refused_connection_leaves_the_hosts_file_as_it_was() {
    let directory = scratch::Directory::new("refused");
    let file = directory.path().join("hosts");
    let host = lab::host();
    let net = network(&host, "10.89.0.0/24");
    let netns = Netns::create().unwrap();
    ip(&netns, "link add eth0 type bridge");
    let web = Container::open(ContainerConfig::new("web", netns).hosts_file(&file)).unwrap();
    let before = std::fs::read(&file).unwrap();
    refused_connect(
        &host,
        &net,
        &web,
        EndpointConfig::new().link_name("eth0").link_name("eth0"),
    );
    refused_connect(&host, &net, &web, at("10.90.0.7"));
    assert_eq!(std::fs::read(&file).unwrap(), before);
}
