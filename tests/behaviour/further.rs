//! Further subnets of a family: an address of each, and what leads by which.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use bridgework::resolver::Answer;
use bridgework::{
    Container, Device, Endpoint, EndpointConfig, Family, Fault, GatewayMode, Host, Network,
    NetworkConfig, Subnet,
};

use crate::lab::machine::global_addresses;
use crate::lab::{self, udp_both_ways};

fn config(name: &str) -> NetworkConfig {
    NetworkConfig::bridge(name)
        .bridge_name(format!("br-{name}").as_str())
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64")
        .further_subnet("10.90.0.0/24")
        .further_subnet("fd00:90::/64")
        .gateway([10, 90, 0, 254])
        .ip_range("10.90.0.128/25")
        .auxiliary("printer", [10, 90, 0, 128])
}

fn ips(endpoint: &Endpoint) -> Vec<String> {
    endpoint.ips().map(|ip| ip.to_string()).collect()
}

fn connect(network: &Network, name: &str) -> (Container, Endpoint) {
    let container = lab::container(name);
    let endpoint = network.connect(&container).unwrap();
    (container, endpoint)
}

#[test]
fn a_container_has_an_address_of_each_subnet_by_which_it_is_reached_and_known() {
    let host = lab::host();
    let network = host.create_network(config("web")).unwrap();
    let subnets = network
        .spec()
        .ranges()
        .map(|range| range.subnet.to_string());
    let expected = [
        "10.89.0.0/24",
        "fd00:89::/64",
        "10.90.0.0/24",
        "fd00:90::/64",
    ];
    assert_eq!(subnets.collect::<Vec<_>>(), expected);
    let (a, at_a) = connect(&network, "a");
    let (b, at_b) = connect(&network, "b");
    assert_eq!(
        ips(&at_a),
        ["10.89.0.2", "fd00:89::2", "10.90.0.129", "fd00:90::2"]
    );
    assert_eq!(
        ips(&at_b),
        ["10.89.0.3", "fd00:89::3", "10.90.0.130", "fd00:90::3"]
    );
    let mut own = global_addresses(a.netns(), "eth0");
    own.sort();
    let expected = [
        "10.89.0.2/24",
        "10.90.0.129/24",
        "fd00:89::2/64",
        "fd00:90::2/64",
    ];
    assert_eq!(own, expected);
    let mut of_bridge = global_addresses(host.netns(), "br-web");
    of_bridge.sort();
    let expected = [
        "10.89.0.1/24",
        "10.90.0.254/24",
        "fd00:89::1/64",
        "fd00:90::1/64",
    ];
    assert_eq!(of_bridge, expected);
    for ip in at_b.ips() {
        udp_both_ways(&a, &b, ip);
    }
    for (family, places) in [(Family::V4, [0, 2]), (Family::V6, [1, 3])] {
        let known: Vec<IpAddr> = at_b.ips().collect();
        let known = places.map(|place| known[place]);
        match network.records().lookup("b", family) {
            Answer::Addresses(found) => assert_eq!(found, known),
            other => panic!("{other:?}"),
        }
    }
    assert!(host.check().unwrap().is_empty());
    at_a.disconnect().unwrap();
    assert!(global_addresses(a.netns(), "eth0").is_empty());
    let (_c, at_c) = connect(&network, "c");
    assert_eq!(ips(&at_c)[2], "10.90.0.131");
}

#[test]
fn addresses_are_asked_for_in_each_subnet_and_returned_with() {
    let host = lab::host();
    let network = host.create_network(config("web")).unwrap();
    let a = lab::container("a");
    let asked = EndpointConfig::new().ip([10, 90, 0, 7]).ip([10, 89, 0, 7]);
    let at_a = network.connect_with(&a, asked.clone()).unwrap();
    let expected = ["10.89.0.7", "fd00:89::2", "10.90.0.7", "fd00:90::2"];
    assert_eq!(ips(&at_a), expected);
    let taken = network
        .connect_with(&lab::container("b"), asked)
        .unwrap_err();
    let words = taken.to_string();
    assert!(
        words.contains("10.90.0.7") && words.contains("10.89.0.7"),
        "{words}"
    );
    at_a.disconnect().unwrap();
    assert_eq!(ips(&network.connect(&a).unwrap()), expected);
    for [first, second] in [
        [[10, 89, 0, 8], [10, 89, 0, 9]],
        [[10, 90, 0, 8], [10, 90, 0, 9]],
    ] {
        let twice = EndpointConfig::new().ip(first).ip(second);
        let refused = network
            .connect_with(&lab::container("c"), twice)
            .unwrap_err();
        let (first, second) = (IpAddr::from(first), IpAddr::from(second));
        let why = format!("address {first} and address {second}");
        assert_eq!(refused.faults(), [Fault::Conflicting(why)]);
    }
}

#[test]
fn a_published_port_and_the_default_route_lead_by_the_first_subnet_of_a_family() {
    let host = lab::host();
    let network = host.create_network(config("web")).unwrap();
    let a = lab::container("a");
    let publish = EndpointConfig::new().publish("8080:80");
    let _at_a = network.connect_with(&a, publish).unwrap();
    let rules = lab::output(host.netns(), "nft list ruleset").unwrap_or_default();
    assert!(
        rules.contains("10.89.0.2 . 80") && !rules.contains("10.90.0.129 . 80"),
        "{rules}"
    );
    let default = lab::ip_json(a.netns(), "-4 route show default").unwrap_or_default();
    assert_eq!(default[0]["gateway"], "10.89.0.1");
}

#[test]
fn where_containers_are_reached_by_their_own_addresses_each_of_them_is_open_where_a_port_is() {
    let host = lab::host();
    let routed = config("web").gateway_mode(Family::V4, GatewayMode::Routed);
    let (outside_wire, outside) = lab::neighbour(&host, "outside");
    let network = host.create_network(routed).unwrap();
    let far = Device::open(outside.netns(), "eth0").unwrap();
    far.add_address("192.0.2.9/24".parse().unwrap()).unwrap();
    for subnet in ["10.89.0.0/24", "10.90.0.0/24"] {
        let subnet: Subnet = subnet.parse().unwrap();
        far.add_route(subnet, Some([192, 0, 2, 1].into())).unwrap();
    }
    let a = lab::container("a");
    let publish = EndpointConfig::new().publish("80/udp");
    let at_a = network.connect_with(&a, publish).unwrap();
    let patience = Duration::from_millis(700);
    for own in at_a.ips().filter(IpAddr::is_ipv4) {
        for (port, expected) in [(80, true), (81, false)] {
            let at = SocketAddr::new(own, port);
            let socket = a.run(|| UdpSocket::bind(at)).unwrap().unwrap();
            socket.set_read_timeout(Some(patience)).unwrap();
            let send = || UdpSocket::bind("192.0.2.9:0")?.send_to(b"?", at);
            outside.run(send).unwrap().unwrap();
            assert_eq!(socket.recv(&mut [0]).is_ok(), expected, "{at}");
        }
    }
    drop(outside_wire);
}

fn refused(host: &Host, config: NetworkConfig) -> String {
    host.create_network(config).unwrap_err().to_string()
}

#[test]
fn a_further_subnet_stands_beside_one_of_its_family_and_overlaps_with_none() {
    let host = lab::host();
    let net = || NetworkConfig::bridge("net");
    let cases = [
        (net().further_subnet("10.1.0.0/24"), "left open"),
        (
            net().subnet("10.1.0.0/24").further_subnet("fd00:1::/64"),
            "left open",
        ),
        (
            net().subnet("10.1.0.0/24").further_subnet("0.0.0.0/24"),
            "left open",
        ),
        (
            net().subnet("10.1.0.0/24").further_subnet("10.1.0.0/16"),
            "subnet 10.1.0.0/24 and further subnet 10.1.0.0/16",
        ),
        (
            net().subnet("10.1.0.0/24").further_subnet("224.1.0.0/16"),
            "multicast",
        ),
        (
            net()
                .subnet("10.1.0.0/24")
                .further_subnet("10.2.0.0/24")
                .gateway([10, 3, 0, 1]),
            "invalid gateway 10.3.0.1",
        ),
        (
            net().config_from("template").further_subnet("10.2.0.0/24"),
            "further subnet",
        ),
    ];
    for (config, part) in cases {
        let words = refused(&host, config);
        assert!(words.contains(part), "{part}: {words}");
    }
    let _web = host.create_network(config("web")).unwrap();
    let words = refused(&host, net().subnet("10.90.0.0/16"));
    assert!(words.contains("network web"), "{words}");
    let words = refused(
        &host,
        net().subnet("10.1.0.0/24").further_subnet("10.89.0.0/24"),
    );
    assert!(words.contains("network web"), "{words}");
}
