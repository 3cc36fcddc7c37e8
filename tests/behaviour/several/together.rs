//! One container on several networks at once: all of them, in the order given, or none.

use std::net::IpAddr;

use bridgework::{Container, EndpointConfig, Fault, Netns, Network};

use super::{Idler, defaults, dual, dual_config, ip, led_by, link_of, seen, still};
use crate::lab::packet::echo;
use crate::lab::{self, addresses, has_link, ip_json};

fn plain() -> EndpointConfig {
    EndpointConfig::new()
}

fn named(name: &str) -> EndpointConfig {
    EndpointConfig::new().link_name(name)
}

/// The links inside but `lo`, by their numbers in their names' order of coming.
fn names_inside(netns: &Netns) -> Option<Vec<String>> {
    let links = ip_json(netns, "link show")?;
    let names = links.iter().filter_map(|link| link["ifname"].as_str());
    let mut names: Vec<String> = names
        .filter(|name| *name != "lo")
        .map(str::to_owned)
        .collect();
    names.sort();
    Some(names)
}

#[test]
fn interfaces_come_in_the_order_given_and_named_ones_have_their_names() {
    let host = lab::host();
    let networks = [
        dual(&host, "z", 0),
        dual(&host, "m", 1),
        dual(&host, "a", 2),
        host.create_network(dual_config("p", 3).container_prefix("net"))
            .unwrap(),
        dual(&host, "k", 4),
    ];
    let configs = [plain(), named("lan0"), plain(), plain(), plain()];
    let container = lab::container("c");
    let endpoints = host
        .connect_all(&container, networks.iter().zip(configs))
        .unwrap();
    let expected = ["eth0", "lan0", "eth1", "net0", "eth2"];
    for ((endpoint, name), number) in endpoints.iter().zip(expected).zip(0..) {
        let address = IpAddr::from([10, 77, number, 2]);
        let Some(found) = link_of(container.netns(), address) else {
            return;
        };
        assert_eq!(
            (found.as_str(), endpoint.link_name().as_str()),
            (name, name)
        );
        for address in endpoint.ips() {
            assert_eq!(echo(host.netns(), address), Ok(()));
        }
    }
}

#[test]
fn thirty_networks_at_once_have_thirty_interfaces_in_their_order() {
    let host = lab::host();
    let before = still(host.netns());
    let networks: Vec<Network> = (0..30)
        .map(|number| dual(&host, &format!("n{number}"), number))
        .collect();
    let container = lab::container("c");
    let configs = std::iter::repeat_with(plain);
    let order = networks.iter().rev();
    let endpoints = host.connect_all(&container, order.zip(configs)).unwrap();
    assert_eq!(endpoints.len(), 30);
    for (at, number) in (0..30u8).rev().enumerate() {
        let address = IpAddr::from([10, 77, number, 2]);
        let Some(found) = link_of(container.netns(), address) else {
            return;
        };
        assert_eq!(found, format!("eth{at}"));
    }
    drop((endpoints, networks));
    assert_eq!(names_inside(container.netns()).unwrap(), [""; 0]);
    assert_eq!(still(host.netns()), before);
}

#[test]
fn a_name_that_a_later_one_asks_for_is_not_given_to_an_earlier_one() {
    let host = lab::host();
    let networks = [
        dual(&host, "a", 0),
        dual(&host, "b", 1),
        dual(&host, "c", 2),
    ];
    let container = lab::container("c");
    let configs = [plain(), named("eth0"), plain()];
    let _endpoints = host
        .connect_all(&container, networks.iter().zip(configs))
        .unwrap();
    for (number, name) in [(0, "eth1"), (1, "eth0"), (2, "eth2")] {
        let address = IpAddr::from([10, 77, number, 2]);
        let Some(found) = link_of(container.netns(), address) else {
            return;
        };
        assert_eq!(found, name);
    }
}

#[test]
fn each_has_its_own_hardware_address_link_local_addresses_and_priority() {
    let host = lab::host();
    let networks = [dual(&host, "a", 0), dual(&host, "b", 1)];
    let configs = [
        plain().mac("02:00:00:00:00:0a").ip([10, 77, 0, 9]),
        plain()
            .mac("02:00:00:00:00:0b")
            .link_local([169, 254, 7, 7])
            .link_local([0xfe80, 0, 0, 0, 0, 0, 0, 7])
            .priority(3),
    ];
    let container = lab::container("c");
    let _endpoints = host
        .connect_all(&container, networks.iter().zip(configs))
        .unwrap();
    let netns = container.netns();
    let Some(links) = ip_json(netns, "link show") else {
        return;
    };
    let mac = |name: &str| {
        let link = links.iter().find(|link| link["ifname"] == name).unwrap();
        link["address"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        [mac("eth0"), mac("eth1")],
        ["02:00:00:00:00:0a", "02:00:00:00:00:0b"]
    );
    let local = |link: &str| {
        let mut found: Vec<(String, String)> = addresses(netns, link)
            .unwrap()
            .iter()
            .map(|a| {
                (
                    a["local"].as_str().unwrap().to_owned(),
                    a["prefixlen"].to_string(),
                )
            })
            .collect();
        found.sort();
        found
    };
    let pair = |address: &str, length: &str| (address.to_owned(), length.to_owned());
    assert_eq!(
        local("eth0"),
        [
            pair("10.77.0.9", "24"),
            pair("fd00:77::2", "64"),
            pair("fe80::ff:fe00:a", "64"),
        ]
    );
    assert_eq!(
        local("eth1"),
        [
            pair("10.77.1.2", "24"),
            pair("169.254.7.7", "16"),
            pair("fd00:77:1::2", "64"),
            pair("fe80::7", "64"),
            pair("fe80::ff:fe00:b", "64"),
        ]
    );
    let eth1 = Some("eth1".to_owned());
    assert_eq!(led_by(netns), Some([eth1.clone(), eth1]));
}

#[test]
fn all_that_is_wrong_with_any_of_them_is_reported_at_once_and_nothing_is_changed() {
    let (host, other) = (lab::host(), lab::host());
    let networks = [
        dual(&host, "a", 0),
        dual(&host, "b", 1),
        dual(&host, "a2", 2),
        dual(&other, "elsewhere", 3),
    ];
    let [a, b, c, elsewhere] = &networks;
    let container = lab::container("c");
    let before = seen(&host, container.netns());
    let wrong = [
        (a, plain().ip([192, 0, 2, 1])),
        (b, plain().alias("bad alias")),
        (a, plain()),
        (c, named("x")),
        (b, named("x")),
        (elsewhere, plain()),
    ];
    let error = host.connect_all(&container, wrong).unwrap_err();
    let texts: Vec<String> = error.faults().iter().map(Fault::to_string).collect();
    let expected = [
        "network elsewhere not found",
        "invalid address 192.0.2.1: it does not belong to any of this network's subnets \
         (10.77.0.0/24)",
        "invalid host name \"bad alias\": ' ' at byte 3 is not allowed",
        "link x is already there in the namespace of c",
    ];
    assert_eq!(texts, expected);
    assert!(
        error
            .to_string()
            .starts_with("connect c to a, b, a, a2, b, elsewhere: "),
        "{error}"
    );
    let twice = [(a, plain()), (b, plain()), (a, plain())];
    let error = host.connect_all(&container, twice).unwrap_err();
    assert!(error.is_exists(), "{error}");
    assert_eq!(
        error.to_string(),
        "connect c to a, b, a: endpoint with name c already exists in network a"
    );
    assert_eq!(seen(&host, container.netns()), before);
    let none: [(&Network, EndpointConfig); 0] = [];
    assert!(host.connect_all(&container, none).unwrap().is_empty());
    let endpoints = host.connect_all(&container, [(b, plain()), (a, plain())]);
    let ips: Vec<IpAddr> = endpoints.unwrap().iter().map(|e| e.ip()).collect();
    assert_eq!(ips, [[10, 77, 1, 2], [10, 77, 0, 2]].map(IpAddr::from));
}

#[test]
fn if_the_kernel_refuses_one_those_before_it_are_taken_back() {
    let host = lab::host();
    let networks = [
        dual(&host, "a", 0),
        dual(&host, "b", 1),
        dual(&host, "c", 2),
    ];
    let container = lab::container("c");
    // only the kernel knows of it
    let Some(()) = ip(container.netns(), "link add lan0 type bridge") else {
        return;
    };
    let before = seen(&host, container.netns());
    let configs = || [plain().priority(1).alias("db"), plain(), named("lan0")];
    let refused = host.connect_all(&container, networks.iter().zip(configs()));
    let error = refused.unwrap_err();
    assert!(
        error.is_exists() && error.left_behind().is_empty(),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "connect c to c: link lan0 is already there in the namespace of c"
    );
    // its loopback is up, and stays so
    let after = seen(&host, container.netns());
    assert_eq!(after[0], before[0]);
    assert_eq!(names_inside(container.netns()).unwrap(), ["lan0"]);
    assert_eq!(led_by(container.netns()), Some([None, None]));
    assert!(
        networks
            .iter()
            .all(|network| network.endpoints().is_empty())
    );
    let Some(()) = ip(container.netns(), "link delete lan0") else {
        return;
    };
    let endpoints = host
        .connect_all(&container, networks.iter().zip(configs()))
        .unwrap();
    let names: Vec<&str> = endpoints.iter().map(|e| e.link_name().as_str()).collect();
    assert_eq!(names, ["eth0", "eth1", "lan0"]);
    // the addresses of the first attempt are the container's still
    for (endpoint, number) in endpoints.iter().zip(0..) {
        assert_eq!(endpoint.ip(), IpAddr::from([10, 77, number, 2]));
    }
}

#[test]
fn an_interface_of_somebody_elses_that_has_the_next_name_is_passed_over() {
    let host = lab::host();
    let networks = [dual(&host, "a", 0), dual(&host, "b", 1)];
    let container = lab::container("c");
    let netns = container.netns();
    let foreign = "link add eth0 address 02:00:00:00:00:99 type bridge";
    let Some(()) = ip(netns, foreign) else { return };
    ip(netns, "link add eth2 type bridge").unwrap();
    ip(netns, "link add other type bridge").unwrap();
    ip(netns, "link property add dev other altname eth3").unwrap();
    let configs = [plain(), plain()];
    let endpoints = host
        .connect_all(&container, networks.iter().zip(configs))
        .unwrap();
    let found = [0, 1].map(|number| link_of(netns, [10, 77, number, 2].into()).unwrap());
    assert_eq!(found, ["eth1", "eth4"]);
    for endpoint in &endpoints {
        assert_eq!(echo(host.netns(), endpoint.ip()), Ok(()));
    }
    // what is asked for by name is not passed over
    let third = dual(&host, "c", 2);
    let error = third.connect_with(&container, named("eth0")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "connect c to c: link eth0 is already there in the namespace of c"
    );
    drop(endpoints);
    assert_eq!(names_inside(netns).unwrap(), ["eth0", "eth2", "other"]);
    let links = ip_json(netns, "link show eth0").unwrap();
    assert_eq!(links[0]["address"], "02:00:00:00:00:99");
    // and a name that has come free is taken again
    ip(netns, "link delete eth0").unwrap();
    let again = networks[0].connect(&container).unwrap();
    assert_eq!(again.link_name().as_str(), "eth0");
}

#[test]
fn two_handles_that_were_opened_apart_share_one_stack() {
    let host = lab::host();
    let (a, b) = (dual(&host, "a", 0), dual(&host, "b", 1));
    let c = dual(&host, "c", 2);
    let netns = Netns::create().unwrap();
    let idler = Idler::start(&netns);
    let pid = idler.0.id();
    drop(netns);
    let one = Container::of_pid("app", pid).unwrap();
    let two = Netns::at(format!("/proc/{pid}/ns/net")).unwrap();
    let two = Container::open(bridgework::ContainerConfig::new("app", two)).unwrap();
    let three = Container::of_pid("other", pid).unwrap();
    let at_b = b.connect(&two).unwrap();
    let at_a = a.connect_with(&one, plain().priority(1)).unwrap();
    let at_c = c.connect_with(&three, plain().priority(2)).unwrap();
    let names = [&at_b, &at_a, &at_c].map(|endpoint| endpoint.link_name().to_string());
    assert_eq!(names, ["eth0", "eth1", "eth2"]);
    let taken = b.connect_with(&three, named("eth1")).unwrap_err();
    assert!(taken.is_exists(), "{taken}");
    let netns = one.netns().clone();
    let by = |name: &str| Some([Some(name.to_owned()), Some(name.to_owned())]);
    let Some(led) = led_by(&netns) else { return };
    assert_eq!(Some(led), by("eth2"));
    drop((at_c, three));
    assert_eq!(led_by(&netns), by("eth1"));
    drop((at_a, one));
    assert_eq!(led_by(&netns), by("eth0"));
    assert_eq!(
        defaults(&netns, "-4").unwrap(),
        [("eth0".to_owned(), "10.77.1.1".to_owned())]
    );
    // a handle that is opened now still finds the same stack
    let four = Container::of_pid("late", pid).unwrap();
    let at_a = a.connect(&four).unwrap();
    assert_eq!(at_a.link_name().as_str(), "eth1");
    assert_eq!(led_by(&netns), by("eth1"));
    drop((at_a, at_b));
    assert_eq!(has_link(&netns, "eth0"), Some(false));
}
