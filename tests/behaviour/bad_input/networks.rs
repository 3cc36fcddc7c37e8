//! Networks that can't be: gateways, ranges, families, names, drivers.

use std::net::IpAddr;

use bridgework::plan::Switch;
use bridgework::{Fault, LinkName, Mtu, NetworkConfig, NetworkName};

use super::{assert_faults, foreseen, ip, net, refused_network};
use crate::lab;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

#[test]
fn a_gateway_outside_of_the_subnet_is_refused() {
    let host = lab::host();
    for (subnet, outside) in [
        ("10.89.0.0/24", "10.90.0.1"),
        ("fd00:89::/64", "fd00:90::1"),
    ] {
        let gateway = address(outside);
        let error = foreseen(&host, &net().subnet(subnet).gateway(gateway));
        assert!(error.is_invalid());
        let subnets = vec![subnet.parse().unwrap()];
        assert_faults(
            &error,
            &[Fault::GatewayOutside { gateway, subnets }],
            &format!(
                "create network net: invalid gateway {outside}: parent subnet {subnet} doesn't \
                 contain this address"
            ),
        );
    }
    let error = foreseen(&host, &net().gateway([10, 89, 0, 1]));
    assert_eq!(
        error.to_string(),
        "create network net: invalid gateway 10.89.0.1: no subnet is given to contain this address"
    );
}

#[test]
fn a_gateway_that_no_host_can_be_is_refused() {
    let host = lab::host();
    for (subnet, gateway, role) in [
        ("10.89.0.0/24", "10.89.0.0", "the network's own address"),
        ("10.89.0.0/24", "10.89.0.255", "the broadcast address"),
        (
            "fd00:89::/64",
            "fd00:89::",
            "the subnet-router anycast address",
        ),
    ] {
        let error = foreseen(&host, &net().subnet(subnet).gateway(address(gateway)));
        assert!(error.is_invalid());
        assert_faults(
            &error,
            &[Fault::AddressReserved {
                address: address(gateway),
                role,
            }],
            &format!("create network net: invalid address {gateway}: it is {role}"),
        );
    }
}

#[test]
fn a_range_or_an_auxiliary_address_outside_of_the_subnet_is_refused() {
    let host = lab::host();
    let subnets = vec!["10.89.0.0/24".parse().unwrap()];
    let base = net().subnet("10.89.0.0/24");
    for range in ["10.90.0.0/28", "10.89.0.0/16", "10.89.0.0/23"] {
        let error = foreseen(&host, &base.clone().ip_range(range));
        assert!(error.is_invalid());
        let fault = Fault::RangeOutside {
            range: range.parse().unwrap(),
            subnets: subnets.clone(),
        };
        let text = format!(
            "create network net: invalid ip-range {range}: parent subnet 10.89.0.0/24 doesn't \
             contain ip-range"
        );
        assert_faults(&error, &[fault], &text);
    }
    let error = foreseen(&host, &base.auxiliary("printer", [10, 88, 0, 9]));
    let (name, address) = ("printer".to_owned(), address("10.88.0.9"));
    assert!(error.is_invalid());
    assert_faults(
        &error,
        &[Fault::AuxiliaryOutside {
            name,
            address,
            subnets,
        }],
        "create network net: invalid auxiliary address printer=10.88.0.9: parent subnet \
         10.89.0.0/24 doesn't contain this address",
    );
}

#[test]
fn an_auxiliary_address_that_is_the_gateway_or_nobodys_is_refused_in_both_families_at_once() {
    let host = lab::host();
    let config = net()
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64")
        .gateway([10, 89, 0, 4])
        .auxiliary("four", [10, 89, 0, 4])
        .auxiliary("own", [10, 89, 0, 0])
        .auxiliary("anycast", address("fd00:89::"));
    let error = foreseen(&host, &config);
    let owner = "auxiliary address four".to_owned();
    let reserved = |text, role| Fault::AddressReserved {
        address: address(text),
        role,
    };
    assert_eq!(
        error.faults(),
        [
            reserved("10.89.0.0", "the network's own address"),
            Fault::AddressInUse {
                address: address("10.89.0.4"),
                owner
            },
            reserved("fd00:89::", "the subnet-router anycast address"),
        ]
    );
}

#[test]
fn a_network_without_a_family_or_with_one_that_is_off_is_refused() {
    let host = lab::host();
    let error = foreseen(&host, &net().ipv4(Switch::Off));
    assert!(error.is_invalid());
    let text = "create network net: IPv4 or IPv6 must be enabled";
    assert_faults(&error, &[Fault::NoFamily], text);
    let error = foreseen(&host, &net().subnet("fd00:89::/64").ipv6(Switch::Off));
    assert!(error.is_invalid());
    let text = "create network net: conflicting options: fd00:89::/64 and its family off";
    assert_eq!(error.to_string(), text);
}

#[test]
fn ipv6_with_a_small_mtu_is_refused_and_ipv4_alone_is_not() {
    let host = lab::host();
    let mtu = Mtu::new(1279).unwrap();
    let error = foreseen(&host, &net().mtu(mtu).subnet("fd00:89::/64"));
    assert!(error.is_invalid());
    let text = "create network net: invalid mtu 1279: ipv6 needs at least 1280 bytes";
    assert_faults(&error, &[Fault::MtuBelowIpv6 { mtu }], text);
    host.create_network(net().mtu(mtu)).unwrap();
}

#[test]
fn a_bridge_name_that_is_taken_is_refused() {
    let host = lab::host();
    ip(host.netns(), "link add mine type bridge");
    ip(
        host.netns(),
        "link property add dev mine altname other-name",
    );
    for name in ["mine", "lo"] {
        let error = foreseen(&host, &net().bridge_name(name));
        assert!(error.is_exists());
        let fault = Fault::LinkExists {
            name: name.parse().unwrap(),
            namespace: None,
        };
        let text = format!("create network net: link {name} is already there");
        assert_faults(&error, &[fault], &text);
    }
    let error = refused_network(&host, &net().bridge_name("other-name"));
    assert!(error.is_exists());
    assert_eq!(
        error.to_string(),
        "create network net: link other-name is already there"
    );
}

#[test]
fn a_bridge_name_that_no_link_can_have_is_refused() {
    let host = lab::host();
    for (name, why) in [
        ("", "it is empty"),
        ("sixteen-bytes-xx", "it is longer than 15 bytes"),
        ("..", "it is reserved"),
        ("br/0", "'/' at byte 2 is not allowed"),
        ("br 0", "' ' at byte 2 is not allowed"),
        ("br\n0", "'\\n' at byte 2 is not allowed"),
        ("br\0", "'\\0' at byte 2 is not allowed"),
        ("br%d", "'%' at byte 2 is not allowed"),
    ] {
        let error = foreseen(&host, &net().bridge_name(name));
        assert!(error.is_invalid());
        let fault = Fault::Value(name.parse::<LinkName>().unwrap_err());
        let text = format!("create network net: invalid link name {name:?}: {why}");
        assert_faults(&error, &[fault], &text);
    }
}

#[test]
fn a_network_name_with_separators_or_control_bytes_is_refused() {
    let host = lab::host();
    let long = "x".repeat(129);
    for name in [
        "", "a/b", "../a", ".a", "-a", "a b", "a\tb", "a\nb", "a\0b", "a:b", "ä", &long,
    ] {
        let error = foreseen(&host, &NetworkConfig::bridge(name));
        assert!(error.is_invalid());
        let fault = Fault::Value(name.parse::<NetworkName>().unwrap_err());
        assert_eq!(error.faults(), [fault]);
        assert!(
            error.to_string().contains(": invalid network name "),
            "{error}"
        );
        let raw = error.to_string().chars().any(char::is_control);
        assert!(!raw, "control bytes of a caller's text stand in {error:?}");
    }
}

#[test]
fn a_second_network_of_a_name_is_refused() {
    let host = lab::host();
    let first = host.create_network(net().subnet("10.1.0.0/24")).unwrap();
    let error = foreseen(&host, &net().subnet("10.2.0.0/24"));
    assert!(error.is_exists());
    let fault = Fault::NetworkExists {
        name: "net".parse().unwrap(),
    };
    assert_faults(
        &error,
        &[fault],
        "create network net: network with name net already exists",
    );
    first.remove().unwrap();
    host.create_network(net().subnet("10.2.0.0/24")).unwrap();
}

#[test]
fn an_unknown_driver_is_refused_by_its_name() {
    let host = lab::host();
    let error = foreseen(&host, &NetworkConfig::new("macvlan", "net"));
    assert!(error.is_invalid());
    assert!(matches!(error.faults(), [Fault::Driver { driver, .. }] if driver == "macvlan"));
    assert_eq!(
        error.to_string(),
        "create network net: macvlan driver: no driver of that name is registered with this host"
    );
}

#[test]
fn all_that_is_wrong_with_a_network_is_in_one_answer() {
    let host = lab::host();
    let _net = host.create_network(net().subnet("10.1.0.0/24")).unwrap();
    let config = NetworkConfig::new("macvlan", "net")
        .subnet("10.1.0.0/16")
        .subnet("fd00::1/64")
        .gateway([10, 2, 0, 1])
        .ip_range("10.3.0.0/24")
        .auxiliary("a", [10, 4, 0, 1])
        .bridge_name("no/name");
    let error = foreseen(&host, &config);
    let text: Vec<String> = error.faults().iter().map(ToString::to_string).collect();
    for part in [
        "it should be fd00::/64",
        "invalid link name",
        "invalid gateway",
        "invalid ip-range",
        "invalid auxiliary",
        "macvlan driver",
        "network with name net already exists",
        "pool overlaps",
    ] {
        let count = text.iter().filter(|text| text.contains(part)).count();
        assert_eq!(count, 1, "{part}: {text:?}");
    }
    assert_eq!(text.len(), 8, "{text:?}");
    assert!(error.is_invalid() && error.is_exists());
}

#[test]
fn a_network_with_containers_is_not_removed() {
    let host = lab::host();
    let network = host.create_network(net()).unwrap();
    let web = network.connect(&lab::container("web")).unwrap();
    let before = host.snapshot().unwrap();
    let error = network.remove().unwrap_err();
    assert!(error.is_in_use());
    assert!(matches!(error.faults(), [Fault::ActiveEndpoints { .. }]));
    let text = format!(
        "remove network net: network net has active endpoints (name:\"web\" id:\"{}\")",
        web.id().short()
    );
    assert_eq!(error.to_string(), text);
    assert_eq!(host.snapshot().unwrap(), before);
    web.disconnect().unwrap();
    network.remove().unwrap();
    network.remove().unwrap();
}
