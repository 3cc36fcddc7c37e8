//! Which subnet a network gets, and which address a container.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::process::Command;

use bridgework::ipam::{AddressPool, AddressPools};
use bridgework::plan::Switch;
use bridgework::{
    Container, Endpoint, EndpointConfig, Host, HostConfig, Netns, Network, NetworkConfig,
};

use crate::{lab, scratch};

fn create(host: &Host, name: &str, subnet: &str) -> Network {
    host.create_network(NetworkConfig::bridge(name).subnet(subnet))
        .unwrap()
}

fn subnet_of(network: &Network) -> String {
    let spec = network.spec();
    spec.ipv4
        .as_ref()
        .or(spec.ipv6.as_ref())
        .unwrap()
        .subnet
        .to_string()
}

fn automatic(host: &Host, name: &str) -> Network {
    host.create_network(NetworkConfig::bridge(name)).unwrap()
}

fn ip_of(network: &Network, name: &str) -> (Endpoint, String) {
    let endpoint = network.connect(&lab::container(name)).unwrap();
    let ip = endpoint.ip().to_string();
    (endpoint, ip)
}

fn ips(endpoint: &Endpoint) -> Vec<String> {
    endpoint.ips().map(|ip| ip.to_string()).collect()
}

fn static_ip(address: &str) -> EndpointConfig {
    EndpointConfig::new().ip(address.parse::<IpAddr>().unwrap())
}

/// What the kernel says that `eth0` has, without link-local addresses.
fn kernel_addresses(container: &Container) -> BTreeSet<String> {
    let snapshot = container.netns().snapshot().unwrap();
    let index = snapshot.link_named("eth0").unwrap().index;
    let addresses = snapshot
        .addresses
        .iter()
        .filter(|state| state.link == index);
    let addresses = addresses.map(|state| state.address.to_string());
    addresses
        .filter(|address| !address.starts_with("fe80:"))
        .collect()
}

fn ip(netns: &Netns, arguments: &str) {
    let run = || {
        Command::new("ip")
            .args(arguments.split_whitespace())
            .status()
    };
    assert!(
        netns.run(run).unwrap().expect("iproute2").success(),
        "ip {arguments}"
    );
}

#[test]
fn the_first_container_has_2_and_the_next_ones_what_follows() {
    let host = lab::host();
    let net = create(&host, "net", "10.89.0.0/24");
    let containers = ["a", "b", "c"].map(lab::container);
    let endpoints = net.connect_all(&containers).unwrap();
    for (number, (endpoint, container)) in (2..).zip(endpoints.iter().zip(&containers)) {
        let address = format!("10.89.0.{number}");
        assert_eq!(endpoint.ip().to_string(), address);
        assert_eq!(
            kernel_addresses(container),
            BTreeSet::from([format!("{address}/24")])
        );
    }
}

#[test]
fn a_released_address_is_reused_last() {
    let host = lab::host();
    let net = create(&host, "net", "10.89.0.0/29");
    let (a, _) = ip_of(&net, "a");
    let (b, _) = ip_of(&net, "b");
    b.disconnect().unwrap();
    a.disconnect().unwrap();
    let names = ["c", "d", "e", "f", "g"];
    let (_held, given): (Vec<_>, Vec<_>) = names.map(|name| ip_of(&net, name)).into_iter().unzip();
    let last = [
        "10.89.0.4",
        "10.89.0.5",
        "10.89.0.6",
        "10.89.0.3",
        "10.89.0.2",
    ];
    assert_eq!(given, last);
}

#[test]
fn a_name_that_comes_back_gets_its_former_address_unless_another_has_it() {
    let host = lab::host();
    let net = create(&host, "net", "10.89.0.0/29");
    let (web, former) = ip_of(&net, "web");
    web.disconnect().unwrap();
    let (_db, other) = ip_of(&net, "db");
    assert_eq!(
        (former.as_str(), other.as_str()),
        ("10.89.0.2", "10.89.0.3")
    );
    let (web, again) = ip_of(&net, "web");
    assert_eq!(again, former);
    web.disconnect().unwrap();
    let taken = net
        .connect_with(&lab::container("thief"), static_ip("10.89.0.2"))
        .unwrap();
    let (_web, elsewhere) = ip_of(&net, "web");
    assert_eq!(
        (ips(&taken), elsewhere.as_str()),
        (vec!["10.89.0.2".to_owned()], "10.89.0.4")
    );
}

#[test]
fn a_static_address_is_left_out_of_the_automatic_ones() {
    let host = lab::host();
    let net = create(&host, "net", "10.89.0.0/24");
    let fixed = lab::container("fixed");
    let at = net.connect_with(&fixed, static_ip("10.89.0.3")).unwrap();
    assert_eq!(ips(&at), ["10.89.0.3"]);
    assert_eq!(
        kernel_addresses(&fixed),
        BTreeSet::from(["10.89.0.3/24".to_owned()])
    );
    let (_a, first) = ip_of(&net, "a");
    let (_b, second) = ip_of(&net, "b");
    assert_eq!([first, second], ["10.89.0.2", "10.89.0.4"]);
}

#[test]
fn a_kept_address_outlives_disconnecting_and_nobody_else_gets_it() {
    let host = lab::host();
    let net = create(&host, "net", "10.89.0.0/29");
    let db = "db".parse().unwrap();
    net.reserve(&db, [10, 89, 0, 2]).unwrap();
    let (_a, first) = ip_of(&net, "a");
    assert_eq!(first, "10.89.0.3");
    for _ in 0..2 {
        let (at, address) = ip_of(&net, "db");
        assert_eq!(address, "10.89.0.2");
        at.disconnect().unwrap();
    }
    let (_rest, given): (Vec<_>, Vec<_>) = ["b", "c", "d"]
        .map(|name| ip_of(&net, name))
        .into_iter()
        .unzip();
    assert_eq!(given, ["10.89.0.4", "10.89.0.5", "10.89.0.6"]);
    assert!(
        net.connect(&lab::container("e"))
            .unwrap_err()
            .is_exhausted()
    );
    assert!(
        net.connect_with(&lab::container("e"), static_ip("10.89.0.2"))
            .unwrap_err()
            .is_exists()
    );
    net.unreserve(&db).unwrap();
    assert_eq!(ip_of(&net, "e").1, "10.89.0.2");
}

#[test]
fn automatic_addresses_come_from_the_range_and_static_ones_from_anywhere() {
    let host = lab::host();
    let config = NetworkConfig::bridge("net")
        .subnet("10.89.0.0/16")
        .ip_range("10.89.4.0/30")
        .auxiliary("printer", [10, 89, 4, 2]);
    let net = host.create_network(config).unwrap();
    let gateway = net.spec().ipv4.as_ref().unwrap().gateway;
    assert_eq!(gateway, Some([10, 89, 4, 0].into()));
    let (_a, first) = ip_of(&net, "a");
    let (_b, second) = ip_of(&net, "b");
    assert_eq!([first, second], ["10.89.4.1", "10.89.4.3"]);
    assert!(
        net.connect(&lab::container("c"))
            .unwrap_err()
            .is_exhausted()
    );
    let outside = net
        .connect_with(&lab::container("c"), static_ip("10.89.200.7"))
        .unwrap();
    assert_eq!(ips(&outside), ["10.89.200.7"]);
}

#[test]
fn the_gateway_is_the_first_address_that_is_not_auxiliary_or_the_one_asked_for() {
    let host = lab::host();
    let base = NetworkConfig::bridge("net").subnet("10.89.0.0/24");
    for (config, gateway, first) in [
        (base.clone(), "10.89.0.1", "10.89.0.2"),
        (
            base.clone().gateway([10, 89, 0, 2]),
            "10.89.0.2",
            "10.89.0.1",
        ),
        (
            base.clone().gateway([10, 89, 0, 254]),
            "10.89.0.254",
            "10.89.0.1",
        ),
        (
            base.clone().auxiliary("router", [10, 89, 0, 1]),
            "10.89.0.2",
            "10.89.0.3",
        ),
    ] {
        let net = host.create_network(config).unwrap();
        let spec = net.spec().ipv4.clone().unwrap();
        assert_eq!(spec.gateway.unwrap().to_string(), gateway);
        let addresses = host.snapshot().unwrap().addresses;
        let bridge = format!("{gateway}/24");
        assert!(
            addresses.iter().any(|a| a.address.to_string() == bridge),
            "{addresses:?}"
        );
        let web = lab::container("web");
        let at = net.connect(&web).unwrap();
        assert_eq!(at.ip().to_string(), first);
        let routes = web.netns().snapshot().unwrap().routes;
        let default = routes
            .iter()
            .find(|route| route.destination.prefix_len() == 0)
            .unwrap();
        assert_eq!(default.gateway.unwrap().to_string(), gateway);
        at.disconnect().unwrap();
        net.remove().unwrap();
    }
}

#[test]
fn both_families_are_given_and_returned_together() {
    let host = lab::host();
    let config = NetworkConfig::bridge("net")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64");
    let net = host.create_network(config).unwrap();
    let web = lab::container("web");
    let at = net.connect(&web).unwrap();
    assert_eq!(ips(&at), ["10.89.0.2", "fd00:89::2"]);
    let expected = ["10.89.0.2/24", "fd00:89::2/64"].map(str::to_owned);
    assert_eq!(kernel_addresses(&web), BTreeSet::from(expected));
    at.disconnect().unwrap();
    let db = net.connect(&lab::container("db")).unwrap();
    assert_eq!(ips(&db), ["10.89.0.3", "fd00:89::3"]);
    let v6 = static_ip("fd00:89::7");
    let half = net.connect_with(&lab::container("half"), v6).unwrap();
    assert_eq!(ips(&half), ["10.89.0.4", "fd00:89::7"]);
}

#[test]
fn a_network_of_ipv6_alone_has_ipv6_alone_and_packets_flow() {
    let host = lab::host();
    let config = NetworkConfig::bridge("net")
        .ipv4(Switch::Off)
        .ipv6(Switch::On);
    let net = host.create_network(config).unwrap();
    assert_eq!(net.spec().ipv4, None);
    let subnet = net.spec().ipv6.as_ref().unwrap().subnet;
    assert!(subnet.to_string().starts_with("fd"), "{subnet}");
    let [web, db] = ["web", "db"].map(lab::container);
    let [_web, at_db] = [&web, &db].map(|container| net.connect(container).unwrap());
    assert_eq!(at_db.ips().collect::<Vec<_>>(), [subnet.nth(3).unwrap()]);
    lab::udp_both_ways(&web, &db, at_db.ip());
}

#[test]
fn two_addresses_are_enough_for_a_gateway_and_a_container() {
    for (subnet, gateway, address) in [
        ("10.89.0.0/31", "10.89.0.0", "10.89.0.1"),
        ("fd00:89::/127", "fd00:89::", "fd00:89::1"),
    ] {
        let host = lab::host();
        let switch = if subnet.contains(':') {
            Switch::Off
        } else {
            Switch::On
        };
        let config = NetworkConfig::bridge("net").subnet(subnet).ipv4(switch);
        let net = host.create_network(config).unwrap();
        let web = lab::container("web");
        let at = net.connect(&web).unwrap();
        assert_eq!(ips(&at), [address]);
        let gateway: IpAddr = gateway.parse().unwrap();
        assert!(
            lab::udp_arrives(web.netns(), host.netns(), gateway, lab::DEADLINE),
            "{subnet}"
        );
        assert!(
            lab::udp_arrives(host.netns(), web.netns(), at.ip(), lab::DEADLINE),
            "{subnet}"
        );
    }
}

#[test]
fn automatic_subnets_are_docker_s_in_their_order_and_go_on_beyond() {
    let host = lab::host();
    let networks: Vec<Network> = (0..40)
        .map(|n| automatic(&host, &format!("n{n}")))
        .collect();
    let given: Vec<String> = networks.iter().map(subnet_of).collect();
    let first = (17..32).map(|n| format!("172.{n}.0.0/16"));
    let second = (0..16).map(|n| format!("192.168.{}.0/20", 16 * n));
    let beyond = (0..9).map(|n| format!("10.64.{n}.0/24"));
    let expected: Vec<String> = first.chain(second).chain(beyond).collect();
    assert_eq!(given, expected);
}

#[test]
fn automatic_subnets_keep_clear_of_all_that_is_there() {
    let directory = scratch::Directory::new("clear");
    let resolv_conf = directory.path().join("resolv.conf");
    std::fs::write(
        &resolv_conf,
        "nameserver 172.19.0.53\nnameserver fd00::53\n",
    )
    .unwrap();
    let config = HostConfig::new().netns(Netns::create().unwrap());
    let config = config.resolv_conf(&resolv_conf).deny("172.20.0.0/16");
    let host = Host::open_with(config).unwrap();
    ip(host.netns(), "link add d0 type bridge");
    ip(host.netns(), "link set d0 up");
    ip(host.netns(), "route add 172.17.128.0/17 dev d0 table 100");
    ip(host.netns(), "addr add 172.18.255.254/32 dev d0");
    let _other = create(&host, "other", "172.21.4.0/24");
    assert_eq!(subnet_of(&automatic(&host, "first")), "172.22.0.0/16");
    ip(host.netns(), "route del 172.17.128.0/17 dev d0 table 100");
    assert_eq!(subnet_of(&automatic(&host, "second")), "172.17.0.0/16");
}

#[test]
fn a_default_route_is_in_nobodys_way() {
    let host = lab::host();
    ip(host.netns(), "link add d0 type bridge");
    ip(host.netns(), "addr add 192.0.2.2/24 dev d0");
    ip(host.netns(), "link set d0 up");
    ip(host.netns(), "route add default via 192.0.2.1");
    assert_eq!(subnet_of(&automatic(&host, "net")), "172.17.0.0/16");
}

#[test]
fn the_subnet_of_a_network_that_is_gone_is_free_again() {
    let host = lab::host();
    let first = automatic(&host, "first");
    let second = automatic(&host, "second");
    assert_eq!(subnet_of(&second), "172.18.0.0/16");
    first.remove().unwrap();
    let third = automatic(&host, "third");
    assert_eq!(subnet_of(&third), "172.17.0.0/16");
    drop(third);
    assert_eq!(
        subnet_of(&create(&host, "fourth", "172.17.9.0/24")),
        "172.17.9.0/24"
    );
}

#[test]
fn replaced_pools_are_the_only_ones() {
    let pool = |base: &str, size| AddressPool::new(base.parse().unwrap(), size).unwrap();
    let pools = AddressPools::from_iter([pool("10.201.0.0/24", 25), pool("fd99::/48", 64)]);
    let config = HostConfig::new()
        .netns(Netns::create().unwrap())
        .address_pools(pools);
    let host = Host::open_with(config).unwrap();
    let config = NetworkConfig::bridge("dual").ipv6(Switch::On);
    let dual = host.create_network(config).unwrap();
    assert_eq!(
        dual.spec().ipv6.as_ref().unwrap().subnet.to_string(),
        "fd99::/64"
    );
    assert_eq!(subnet_of(&dual), "10.201.0.0/25");
    let _second = automatic(&host, "second");
    let error = host
        .create_network(NetworkConfig::bridge("third"))
        .unwrap_err();
    assert!(error.is_exhausted());
}

#[test]
fn any_subnet_of_a_size_can_be_asked_for() {
    let host = lab::host();
    let config = NetworkConfig::bridge("small")
        .subnet("0.0.0.0/28")
        .subnet("::/120");
    let small = host.create_network(config).unwrap();
    assert_eq!(subnet_of(&small), "172.17.0.0/28");
    let ipv6 = small.spec().ipv6.as_ref().unwrap().subnet;
    assert_eq!(ipv6.prefix_len(), 120);
    assert_eq!(ipv6.first().to_string().get(..2), Some("fd"));
    assert_eq!(
        subnet_of(&create(&host, "next", "0.0.0.0/28")),
        "172.17.0.16/28"
    );
    assert_eq!(ip_of(&small, "web").1, "172.17.0.2");
}

#[test]
fn eight_threads_on_one_network_never_get_the_same_address() {
    const THREADS: usize = 8;
    const EACH: usize = 12;
    let host = lab::host();
    let config = NetworkConfig::bridge("net")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64");
    let net = host.create_network(config).unwrap();
    let start = std::sync::Barrier::new(THREADS);
    let connect_some = |thread: usize| {
        start.wait();
        let connect = |n| {
            net.connect(&lab::container(&format!("c{thread}-{n}")))
                .unwrap()
        };
        let mut endpoints: Vec<Endpoint> = (0..EACH).map(connect).collect();
        endpoints.pop().unwrap().disconnect().unwrap();
        endpoints
    };
    let endpoints: Vec<Endpoint> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                scope.spawn({
                    let connect_some = &connect_some;
                    move || connect_some(thread)
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let unique: BTreeSet<IpAddr> = endpoints.iter().flat_map(Endpoint::ips).collect();
    assert_eq!(unique.len(), 2 * THREADS * (EACH - 1));
    Endpoint::disconnect_all(endpoints).unwrap();
}

#[test]
fn eight_threads_creating_networks_never_get_the_same_subnet() {
    let host = lab::host();
    let start = std::sync::Barrier::new(8);
    let create_one = |thread: usize| {
        start.wait();
        automatic(&host, &format!("n{thread}"))
    };
    let networks: Vec<Network> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| {
                scope.spawn({
                    let create_one = &create_one;
                    move || create_one(thread)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    let given: BTreeSet<String> = networks.iter().map(subnet_of).collect();
    let expected: BTreeSet<String> = (17..25).map(|n| format!("172.{n}.0.0/16")).collect();
    assert_eq!(given, expected);
}
