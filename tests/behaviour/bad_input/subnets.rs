//! Subnets that can't be had: the text says what is in the way, or what is wrong with them.

use bridgework::ipam::{AddressPool, AddressPools};
use bridgework::{Fault, HostConfig, Network, NetworkConfig, Obstacle, Occupant, Subnet};

use super::{assert_faults, foreseen, host_with, ip, net, refused_network};
use crate::{lab, scratch};

fn subnet(text: &str) -> Subnet {
    text.parse().unwrap()
}

#[test]
fn a_text_that_is_no_subnet_is_refused_as_such() {
    let host = lab::host();
    let form = "expected an address and a prefix length, as in 10.0.0.0/24";
    for text in ["", "10.0.0/24", "10.0.0.0/-1", "10.0.0.0/24 ", "a\n"] {
        let error = foreseen(&host, &net().subnet(text));
        assert!(error.is_invalid());
        let fault = Fault::Value(text.parse::<Subnet>().unwrap_err());
        assert_faults(
            &error,
            &[fault],
            &format!("create network net: invalid subnet {text:?}: {form}"),
        );
    }
}

#[test]
fn a_prefix_longer_than_the_address_is_refused_with_the_range() {
    let host = lab::host();
    for (text, max) in [("10.0.0.0/33", 32), ("::/129", 128)] {
        let error = foreseen(&host, &net().subnet(text));
        let expected =
            format!("create network net: invalid subnet {text:?}: it must be from 0 to {max}");
        assert_eq!(error.to_string(), expected);
    }
}

#[test]
fn a_subnet_with_host_bits_is_refused_and_told_what_it_should_be() {
    let host = lab::host();
    for (text, canonical) in [
        ("10.89.0.1/24", "10.89.0.0/24"),
        ("fd00::1/64", "fd00::/64"),
    ] {
        let error = foreseen(&host, &net().subnet(text));
        assert!(error.is_invalid());
        assert!(matches!(error.faults(), [Fault::Value(_)]));
        let text = format!("create network net: invalid subnet {text:?}: it should be {canonical}");
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_subnet_with_addresses_that_no_interface_can_have_is_refused() {
    let host = lab::host();
    let multicast = "multicast addresses are in it";
    let loopback = "loopback addresses are in it";
    let link_local = "it clashes with the Link-Local prefix 'fe80::/10'";
    for (text, why) in [
        ("224.0.0.0/24", multicast),
        ("192.0.0.0/2", multicast),
        ("ff05::/64", multicast),
        ("127.8.0.0/16", loopback),
        ("126.0.0.0/7", loopback),
        ("::1/128", loopback),
        ("fe80::/64", link_local),
        ("fe00::/8", link_local),
    ] {
        let error = foreseen(&host, &net().subnet(text));
        assert!(error.is_invalid());
        assert_faults(
            &error,
            &[Fault::SubnetUnusable {
                subnet: subnet(text),
                why,
            }],
            &format!("create network net: invalid subnet {text}: {why}"),
        );
    }
}

#[test]
fn two_subnets_of_one_family_are_refused() {
    let host = lab::host();
    for [a, b] in [["10.1.0.0/24", "10.2.0.0/24"], ["fd01::/64", "fd02::/64"]] {
        let error = foreseen(&host, &net().subnet(a).subnet(b));
        assert!(error.is_invalid());
        let subnets = vec![subnet(a), subnet(b)];
        assert_faults(
            &error,
            &[Fault::MultipleSubnets {
                driver: "bridge".to_owned(),
                subnets,
            }],
            &format!(
                "create network net: bridge driver doesn't support multiple subnets: {a}, {b}"
            ),
        );
    }
}

fn overlap(config: HostConfig, prepare: &str, wanted: &str) -> (Vec<Obstacle>, String) {
    let host = host_with(config);
    ip(host.netns(), "link add d0 type bridge");
    ip(host.netns(), "link set d0 up");
    ip(host.netns(), prepare);
    let error = foreseen(&host, &net().subnet(wanted));
    assert!(error.is_exists());
    let [Fault::SubnetOverlaps { obstacles, .. }] = error.faults() else {
        panic!("{error}");
    };
    (obstacles.clone(), error.to_string())
}

#[test]
fn a_subnet_that_another_network_has_is_refused_by_that_networks_name() {
    let host = lab::host();
    let _other = host
        .create_network(NetworkConfig::bridge("other").subnet("10.5.0.0/16"))
        .unwrap();
    for wanted in ["10.5.0.0/16", "10.5.7.0/24", "10.0.0.0/8"] {
        let error = foreseen(&host, &net().subnet(wanted));
        assert!(error.is_exists());
        let text = error.to_string();
        let start = format!("create network net: subnet {wanted}: pool overlaps with other one on");
        assert!(text.starts_with(&start), "{text}");
        assert!(text.contains("10.5.0.0/16: network other"), "{text}");
    }
}

#[test]
fn a_subnet_that_a_route_leads_to_is_refused_with_device_and_table() {
    let prepare = "route add 10.6.0.0/16 dev d0 table 100";
    let (obstacles, text) = overlap(HostConfig::new(), prepare, "10.6.3.0/24");
    let occupant = Occupant::Route {
        device: Some("d0".to_owned()),
        table: 100,
    };
    assert_eq!(
        obstacles,
        [Obstacle {
            subnet: subnet("10.6.0.0/16"),
            occupant
        }]
    );
    assert_eq!(
        text,
        "create network net: subnet 10.6.3.0/24: pool overlaps with other one on this address \
         space: 10.6.0.0/16: route by d0 in table 100"
    );
}

#[test]
fn a_route_without_a_device_is_in_the_way_too() {
    let prepare = "route add blackhole fd07::/32 table 100";
    let (_, text) = overlap(HostConfig::new(), prepare, "fd07::/64");
    assert!(text.contains("fd07::/32: route"), "{text}");
    assert!(text.contains("in table 100"), "{text}");
}

#[test]
fn a_subnet_with_an_address_of_the_host_is_refused_with_its_link() {
    let prepare = "addr add 10.7.0.9/32 dev d0";
    let (obstacles, text) = overlap(HostConfig::new(), prepare, "10.7.0.0/24");
    let occupant = Occupant::Address {
        device: "d0".to_owned(),
    };
    assert_eq!(
        obstacles[0],
        Obstacle {
            subnet: subnet("10.7.0.9/32"),
            occupant
        }
    );
    assert!(text.contains("10.7.0.9/32: address of d0"), "{text}");
}

#[test]
fn a_subnet_with_a_name_server_or_a_denied_range_in_it_is_refused_by_that() {
    let directory = scratch::Directory::new("nameserver");
    let resolv_conf = directory.path().join("resolv.conf");
    std::fs::write(&resolv_conf, "search x\nnameserver 10.8.0.53\n").unwrap();
    let prepare = "link set d0 up";
    let config = HostConfig::new().resolv_conf(&resolv_conf);
    let (_, text) = overlap(config, prepare, "10.8.0.0/16");
    assert!(
        text.ends_with("space: 10.8.0.53/32: name server in resolv.conf"),
        "{text}"
    );
    let (_, text) = overlap(
        HostConfig::new().deny("10.9.0.0/16"),
        prepare,
        "10.9.1.0/24",
    );
    assert!(
        text.ends_with("space: 10.9.0.0/16: denied by the caller"),
        "{text}"
    );
}

#[test]
fn a_denied_range_that_is_no_subnet_is_refused_when_the_host_is_opened() {
    let config = HostConfig::new().deny("10.0.0.1/8").deny("x");
    let error = bridgework::Host::open_with(config).unwrap_err();
    assert!(error.is_invalid());
    assert_eq!(error.faults().len(), 2);
    assert!(
        error
            .to_string()
            .starts_with("open host: invalid subnet \"10.0.0.1/8\": it should")
    );
}

#[test]
fn pools_that_run_out_say_who_has_them() {
    let pool = AddressPool::new(subnet("10.200.0.0/24"), 26).unwrap();
    let pools = AddressPools::from_iter([pool]);
    let host = host_with(
        HostConfig::new()
            .address_pools(pools)
            .deny("10.200.0.128/25"),
    );
    let create = |name| host.create_network(NetworkConfig::bridge(name)).unwrap();
    let networks: Vec<Network> = ["one", "two"].map(create).into();
    let before = host.snapshot().unwrap();
    let error = host.create_network(net()).unwrap_err();
    assert_eq!(host.snapshot().unwrap(), before);
    assert!(error.is_exhausted());
    assert!(matches!(error.faults(), [Fault::PoolsExhausted { .. }]));
    let text = error.to_string();
    assert!(text.starts_with("create network net: all predefined address pools have been fully"));
    for obstacle in [
        "10.200.0.128/25: denied by the caller",
        "10.200.0.0/26: network one",
        "10.200.0.64/26: network two",
    ] {
        assert!(text.contains(obstacle), "{text}");
    }
    networks[0].remove().unwrap();
    let net = host.create_network(net()).unwrap();
    assert_eq!(
        net.spec().ipv4.as_ref().unwrap().subnet,
        subnet("10.200.0.0/26")
    );
}

#[test]
fn a_size_that_no_pool_has_names_no_obstacles() {
    let host = lab::host();
    let error = refused_network(&host, &net().subnet("0.0.0.0/4"));
    assert!(error.is_exhausted());
    let text = "create network net: all predefined address pools have been fully subnetted";
    assert_faults(
        &error,
        &[Fault::PoolsExhausted {
            obstacles: Vec::new(),
        }],
        text,
    );
}
