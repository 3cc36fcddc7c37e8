//! The default network: made when it is first used, or adopted, and what it is not for.

use bridgework::inspect::PruneFilter;
use bridgework::plan::PROHIBITION_TABLE;
use bridgework::plan::Switch;
use bridgework::resolver::Answer;
use bridgework::snapshot::Snapshot;
use bridgework::spec::Origin;
use bridgework::{
    ContainerConfig, EndpointConfig, Family, Fault, Host, HostConfig, Mtu, Netns, Network,
    NetworkConfig,
};

use super::{NO_ADDRESS, NO_ALIAS, attach, mode, network_names, user_defined};
use crate::bad_input::{ip, settled};
use crate::{lab, scratch};

fn host_with(default: NetworkConfig) -> Host {
    let config = HostConfig::new().netns(Netns::create().unwrap());
    Host::open_with(config.default_network(default)).unwrap()
}

fn subnets(network: &Network) -> Vec<String> {
    let spec = network.spec();
    let ranges = [&spec.ipv4, &spec.ipv6].into_iter().flatten();
    let text =
        |gateway: Option<std::net::IpAddr>| gateway.map_or("none".to_owned(), |g| g.to_string());
    ranges
        .map(|range| format!("{} {}", range.subnet, text(range.gateway)))
        .collect()
}

/// The addresses of the host's link of that name, without those that the kernel gives itself.
fn addresses(host: &Snapshot, name: &str) -> Vec<String> {
    let link = host.link_named(name).expect("the link is there").index;
    let of_link = host.addresses.iter().filter(|state| state.link == link);
    let texts = of_link.map(|state| state.address.to_string());
    texts.filter(|text| !text.starts_with("fe80")).collect()
}

#[test]
fn it_is_docker_s_and_made_when_it_is_first_used() {
    let host = lab::host();
    let before = settled(host.netns());
    assert_eq!(network_names(&host), [""; 0]);
    let default = host.default_network().unwrap();
    let spec = default.spec();
    assert_eq!(
        (spec.name.as_str(), spec.driver.as_str()),
        ("bridge", "bridge")
    );
    assert_eq!(spec.link.name.as_str(), "docker0");
    assert_eq!(spec.origin, Origin::Builtin);
    assert_eq!(subnets(&default), ["172.17.0.0/16 172.17.0.1"]);
    let now = settled(host.netns());
    assert_eq!(addresses(&now, "docker0"), ["172.17.0.1/16"]);
    assert!(now.link_named("docker0").unwrap().up);
    for again in ["bridge", "default", &default.id().to_string()] {
        assert_eq!(host.network(again).unwrap().id(), default.id());
    }
    drop(default);
    assert_eq!(
        settled(host.netns()),
        now,
        "the host has a handle of its own"
    );
    let netns = host.netns().clone();
    drop(host);
    assert_eq!(settled(&netns), before);
}

#[test]
fn it_takes_the_next_pool_where_something_is_in_the_way() {
    let host = lab::host();
    ip(host.netns(), "link add vpn type bridge");
    ip(host.netns(), "link set vpn up");
    ip(host.netns(), "route add 172.17.42.0/24 dev vpn");
    let default = host.default_network().unwrap();
    assert_eq!(subnets(&default), ["172.18.0.0/16 172.18.0.1"]);
    let host = lab::host();
    let first = host.create_network(NetworkConfig::bridge("first")).unwrap();
    assert_eq!(subnets(&first), ["172.17.0.0/16 172.17.0.1"]);
    let default = host.default_network().unwrap();
    assert_eq!(subnets(&default), ["172.18.0.0/16 172.18.0.1"]);
}

#[test]
fn a_subnet_that_was_asked_for_is_not_exchanged_for_another() {
    let host = host_with(NetworkConfig::bridge("bridge").subnet("10.1.0.0/24"));
    let other = user_defined(&host, "other", "10.1.0.0/16");
    let before = settled(host.netns());
    let error = host.default_network().unwrap_err();
    let text = "make a pre-defined network: subnet 10.1.0.0/24: pool overlaps with other one on \
                this address space: 10.1.0.0/16: network other";
    assert_eq!(error.to_string(), text);
    assert_eq!(settled(host.netns()), before);
    other.remove().unwrap();
    assert_eq!(
        subnets(&host.default_network().unwrap()),
        ["10.1.0.0/24 10.1.0.1"]
    );
}

#[test]
fn all_of_it_can_be_something_else() {
    let config = NetworkConfig::bridge("lan")
        .option("com.docker.network.bridge.name", "lan0")
        .subnet("10.1.0.0/24")
        .subnet("fd00:1::/64")
        .gateway([10, 1, 0, 254])
        .ip_range("10.1.0.128/25")
        .auxiliary("printer", [10, 1, 0, 128])
        .mtu(Mtu::new(1400).unwrap())
        .label("of", "the house");
    let host = host_with(config);
    let error = host
        .create_network(NetworkConfig::bridge("lan"))
        .unwrap_err();
    let text = "create network lan: operation is not permitted on predefined lan network";
    assert_eq!(error.to_string(), text);
    let web = attach(&host, "lan", "web");
    let endpoint = web.endpoint.unwrap();
    let default = endpoint.network();
    for name in ["lan", "bridge", "default"] {
        assert_eq!(host.network(name).unwrap().id(), default.id(), "{name}");
    }
    let wanted = ["10.1.0.0/24 10.1.0.254", "fd00:1::/64 fd00:1::1"];
    assert_eq!(subnets(default), wanted);
    assert_eq!(default.spec().labels["of"], "the house");
    assert_eq!(endpoint.ip().to_string(), "10.1.0.129");
    let now = settled(host.netns());
    assert!(now.link_named("docker0").is_none());
    assert_eq!(
        addresses(&now, "lan0")[..2],
        ["10.1.0.254/24", "fd00:1::1/64"]
    );
    let inside = settled(web.container.netns());
    assert_eq!(inside.link_named("eth0").unwrap().mtu_bytes, 1400);
    let error = host.network("lan").unwrap().remove().unwrap_err();
    let text = "remove network lan: lan is a pre-defined network and cannot be removed";
    assert_eq!(error.to_string(), text);
}

#[test]
fn it_cannot_be_called_as_another_or_be_no_bridge() {
    for name in ["host", "none"] {
        let config = HostConfig::new().netns(Netns::create().unwrap());
        let config = config.default_network(NetworkConfig::bridge(name));
        let error = Host::open_with(config).unwrap_err();
        let text = format!("open host: operation is not permitted on predefined {name} network");
        assert_eq!(error.to_string(), text);
    }
    let host = host_with(NetworkConfig::new("vlan", "bridge"));
    let before = settled(host.netns());
    let error = host.default_network().unwrap_err();
    let text = "make a pre-defined network: vlan driver: no driver of that name is registered with \
                this host";
    assert_eq!(error.to_string(), text);
    assert_eq!(settled(host.netns()), before);
    assert_eq!(network_names(&host), [""; 0]);
}

/// A host on which somebody else has made the bridge.
fn host_with_docker0(default: NetworkConfig, commands: &[&str]) -> Host {
    let host = host_with(default);
    ip(host.netns(), "link add docker0 type bridge");
    commands
        .iter()
        .for_each(|command| ip(host.netns(), command));
    host
}

fn bridge() -> NetworkConfig {
    NetworkConfig::bridge("bridge")
}

/// Two containers on the default network talk, by all addresses.
fn they_talk(host: &Host) -> Vec<String> {
    let [a, b] = ["a", "b"].map(|name| attach(host, "bridge", name));
    let at_b = b.endpoint.as_ref().unwrap();
    at_b.ips()
        .for_each(|address| lab::udp_both_ways(&a.container, &b.container, address));
    let at_a = a.endpoint.as_ref().unwrap();
    at_a.ips().map(|address| address.to_string()).collect()
}

#[test]
fn a_bridge_that_is_there_is_adopted_as_it_is_and_stays() {
    let host = host_with_docker0(
        bridge(),
        &[
            "address add 10.5.0.9/24 dev docker0",
            "link set docker0 mtu 1400 up",
        ],
    );
    let netns = host.netns().clone();
    let before = settled(&netns);
    let default = host.default_network().unwrap();
    assert_eq!(subnets(&default), ["10.5.0.0/24 10.5.0.9"]);
    let mut with_it = settled(&netns);
    with_it
        .routes
        .retain(|route| route.table != PROHIBITION_TABLE);
    assert_eq!(with_it, before);
    let mac = before.link_named("docker0").unwrap().mac;
    assert_eq!(Some(default.spec().mac), mac);
    assert_eq!(default.spec().mtu, Mtu::new(1400).unwrap());
    assert_eq!(they_talk(&host), ["10.5.0.1"]);
    drop((default, host));
    assert_eq!(settled(&netns), before);
}

#[test]
fn the_gateway_keeps_its_hardware_address_whatever_ports_come_and_go() {
    let host = host_with_docker0(bridge(), &["link set docker0 up"]);
    let mac = || settled(host.netns()).link_named("docker0").unwrap().mac;
    let before = mac();
    assert!(before.is_some());
    let containers = ["a", "b", "c", "d"].map(|name| attach(&host, "bridge", name));
    assert_eq!(mac(), before);
    drop(containers);
    assert_eq!(mac(), before);
}

#[test]
fn what_a_bridge_that_is_there_lacks_is_added_and_taken_away_again() {
    let host = host_with_docker0(bridge(), &[]);
    let netns = host.netns().clone();
    let before = settled(&netns);
    assert_eq!(they_talk(&host), ["172.17.0.2"]);
    let now = settled(&netns);
    assert_eq!(addresses(&now, "docker0"), ["172.17.0.1/16"]);
    assert!(now.link_named("docker0").unwrap().up);
    drop(host);
    assert_eq!(settled(&netns), before);
}

#[test]
fn no_container_gets_an_address_that_the_bridge_has() {
    let commands = [
        "address add 10.5.0.2/24 dev docker0",
        "address add 10.5.0.3/24 dev docker0",
        "link set docker0 up",
    ];
    let host = host_with_docker0(bridge(), &commands);
    assert_eq!(
        subnets(&host.default_network().unwrap()),
        ["10.5.0.0/24 10.5.0.2"]
    );
    assert_eq!(they_talk(&host), ["10.5.0.1"]);
    let [_, third] = ["a", "b"].map(|name| attach(&host, "bridge", name));
    assert_eq!(third.endpoint.unwrap().ip().to_string(), "10.5.0.4");

    let host = host_with_docker0(bridge().subnet("10.5.0.0/24"), &commands);
    let default = host.default_network().unwrap();
    assert_eq!(
        subnets(&default),
        ["10.5.0.0/24 10.5.0.2"],
        "it has one in the subnet"
    );

    let asked = bridge().subnet("10.5.0.0/24").gateway([10, 5, 0, 9]);
    let host = host_with_docker0(asked, &commands);
    let default = host.default_network().unwrap();
    assert_eq!(subnets(&default), ["10.5.0.0/24 10.5.0.9"]);
    let [first, second] = ["a", "b"].map(|name| attach(&host, "bridge", name).endpoint);
    let both = [first, second].map(|endpoint| endpoint.unwrap().ip().to_string());
    assert_eq!(both, ["10.5.0.1", "10.5.0.4"]);
}

#[test]
fn a_gateway_alone_is_asked_of_the_bridge_that_is_there() {
    let commands = ["address add 10.5.0.2/24 dev docker0", "link set docker0 up"];
    let host = host_with_docker0(bridge().gateway([10, 5, 0, 9]), &commands);
    let netns = host.netns().clone();
    let before = settled(&netns);
    assert_eq!(
        subnets(&host.default_network().unwrap()),
        ["10.5.0.0/24 10.5.0.9"]
    );
    let now = settled(&netns);
    assert_eq!(addresses(&now, "docker0"), ["10.5.0.2/24", "10.5.0.9/24"]);
    drop(host);
    assert_eq!(settled(&netns), before);
}

#[test]
fn ipv6_of_a_bridge_that_is_there_is_taken_on_unless_it_is_not_wanted() {
    let commands = [
        "address add 10.5.0.1/24 dev docker0",
        "address add fd00:5::1/64 dev docker0 nodad",
        "link set docker0 up",
    ];
    let host = host_with_docker0(bridge(), &commands);
    let both = ["10.5.0.0/24 10.5.0.1", "fd00:5::/64 fd00:5::1"];
    assert_eq!(subnets(&host.default_network().unwrap()), both);
    assert_eq!(they_talk(&host), ["10.5.0.2", "fd00:5::2"]);
    for config in [
        bridge().ipv6(Switch::Off),
        bridge().option("com.docker.network.enable_ipv6", "false"),
    ] {
        let host = host_with_docker0(config, &commands);
        assert_eq!(subnets(&host.default_network().unwrap()), both[..1]);
        assert_eq!(they_talk(&host), ["10.5.0.2"]);
    }
    let host = host_with_docker0(bridge().ipv4(Switch::Off), &commands);
    assert_eq!(subnets(&host.default_network().unwrap()), both[1..]);
}

#[test]
fn ipv6_comes_to_a_bridge_that_has_it_switched_off() {
    let host = host_with_docker0(bridge().subnet("fd00:5::/64"), &[]);
    let off = || std::fs::write("/proc/sys/net/ipv6/conf/docker0/disable_ipv6", "1");
    host.netns().run(off).unwrap().unwrap();
    assert_eq!(they_talk(&host), ["172.17.0.2", "fd00:5::2"]);
}

#[test]
fn a_link_of_another_kind_is_left_alone() {
    let host = lab::host();
    ip(host.netns(), "link add docker0 type veth peer name other");
    let before = settled(host.netns());
    let error = host.default_network().unwrap_err();
    let text = "make a pre-defined network: existing interface docker0 is not a bridge";
    assert_eq!(error.to_string(), text);
    assert!(error.is_invalid());
    assert_eq!(settled(host.netns()), before);
    assert_eq!(network_names(&host), [""; 0]);
    ip(host.netns(), "link del docker0");
    assert_eq!(they_talk(&host), ["172.17.0.2"]);
}

#[test]
fn the_bridge_of_a_user_defined_network_is_not_taken_for_it() {
    let host = lab::host();
    let config = NetworkConfig::bridge("mine").bridge_name("docker0");
    let mine = host.create_network(config).unwrap();
    let before = settled(host.netns());
    let error = host.default_network().unwrap_err();
    let text = "make a pre-defined network: link docker0 is already there";
    assert_eq!(error.to_string(), text);
    assert_eq!(settled(host.netns()), before);
    mine.remove().unwrap();
    host.default_network().unwrap();
}

#[test]
fn it_can_not_be_removed_or_pruned() {
    let host = lab::host();
    let default = host.default_network().unwrap();
    let before = settled(host.netns());
    let error = default.remove().unwrap_err();
    assert!(matches!(error.faults(), [Fault::Predefined { .. }]));
    let text = "remove network bridge: bridge is a pre-defined network and cannot be removed";
    assert_eq!(error.to_string(), text);
    assert!(host.prune(&PruneFilter::new()).unwrap().is_empty());
    assert_eq!(settled(host.netns()), before);
}

#[test]
fn static_addresses_and_aliases_are_for_user_defined_networks() {
    let host = lab::host();
    let default = host.default_network().unwrap();
    let web = lab::container("web");
    for (config, text) in [
        (EndpointConfig::new().ip([172, 17, 0, 9]), NO_ADDRESS),
        (EndpointConfig::new().alias("www"), NO_ALIAS),
        (
            EndpointConfig::new().ip([172, 17, 0, 9]).alias("www"),
            &format!("{NO_ADDRESS}; {NO_ALIAS}"),
        ),
    ] {
        let state = || {
            (
                settled(host.netns()),
                settled(web.netns()),
                default.endpoints(),
            )
        };
        let before = state();
        let error = default.connect_with(&web, config.clone()).unwrap_err();
        assert_eq!(error.to_string(), format!("connect web to bridge: {text}"));
        let planned = default.plan_connect(&web, &config).unwrap_err();
        assert_eq!(planned.faults(), error.faults());
        let staged = default.stage("web", config).unwrap_err();
        assert_eq!(staged.faults(), error.faults());
        assert_eq!(state(), before);
    }
    assert_eq!(
        default.connect(&web).unwrap().ip().to_string(),
        "172.17.0.2"
    );
}

#[test]
fn no_names_resolve_on_it_and_nobody_is_in_another_s_hosts_file() {
    let host = lab::host();
    let directory = scratch::Directory::new("default");
    let open = |name: &str| {
        let config = ContainerConfig::named(name).hosts_file(directory.path().join(name));
        host.attach(&mode("bridge"), config, EndpointConfig::new())
            .unwrap()
    };
    let both = ["a", "b"].map(open);
    let default = host.default_network().unwrap();
    assert!(default.records().owners().is_empty());
    for (own, other) in [(0, 1), (1, 0)] {
        let [own, other] = [own, other].map(|number: usize| &both[number].container);
        let view = host.view(own);
        for name in [
            own.name().as_str(),
            other.name().as_str(),
            other.hostname().as_str(),
        ] {
            assert_eq!(view.lookup(name, Family::V4), Answer::Unknown, "{name}");
        }
        let path = directory.path().join(own.name().as_str());
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(own.hostname().as_str()), "{text}");
        assert!(!text.contains(other.hostname().as_str()), "{text}");
    }
}

#[test]
fn all_who_ask_for_it_at_once_get_the_same_one() {
    let host = lab::host();
    let ask = || host.default_network().unwrap().id();
    let ids: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(ids.iter().all(|id| *id == ids[0]));
    let bridges = settled(host.netns()).links;
    assert_eq!(
        bridges.iter().filter(|link| link.kind == "bridge").count(),
        1
    );
    assert_eq!(host.networks().len(), 1);
}
