//! What a container was connected with outlives its place: it returns as it was, unless it is asked
//! otherwise.

use std::net::IpAddr;

use bridgework::resolver::Answer;
use bridgework::{Container, Endpoint, EndpointConfig, Family, MacPolicy, Network};

use super::{defaults, dual, dual_config, link_of};
use crate::lab::packet::datagram;
use crate::lab::{self, addresses, ip_json};

/// What `ip` says of one link inside: its hardware address and its addresses.
fn seen(container: &Container, link: &str) -> Option<(String, Vec<String>)> {
    let netns = container.netns();
    let links = ip_json(netns, &format!("link show dev {link}"))?;
    let mac = links[0]["address"].as_str().unwrap().to_owned();
    let texts = addresses(netns, link)?;
    let text =
        |a: &serde_json::Value| format!("{}/{}", a["local"].as_str().unwrap(), a["prefixlen"]);
    let mut texts: Vec<String> = texts.iter().map(text).collect();
    texts.sort();
    Some((mac, texts))
}

fn leads_to(network: &Network, name: &str) -> Option<IpAddr> {
    match network.records().lookup(name, Family::V4) {
        Answer::Addresses(addresses) => addresses.first().copied(),
        _ => None,
    }
}

/// By each of these ways a container leaves.
const WAYS: [fn(Endpoint); 4] = [
    |endpoint| endpoint.disconnect().unwrap(),
    drop,
    |endpoint| {
        let network = endpoint.network().clone();
        network.disconnect("c").unwrap();
    },
    |endpoint| {
        let network = endpoint.network().clone();
        let _spec = endpoint.persist().unwrap();
        network.disconnect("c").unwrap();
    },
];

#[test]
fn all_that_was_asked_for_and_the_addresses_that_were_chosen_are_there_again() {
    for leave in WAYS {
        let host = lab::host();
        let (network, other) = (dual(&host, "n", 0), dual(&host, "other", 1));
        let container = lab::container("c");
        let at_other = other.connect(&container).unwrap();
        let db = lab::container("db");
        let at_db = network.connect(&db).unwrap();
        let config = EndpointConfig::new()
            .ip([10, 77, 0, 77])
            .alias("web")
            .link("db:store")
            .priority(5)
            .link_local([169, 254, 1, 2])
            .sysctl("net.ipv4.conf.IFNAME.log_martians=1")
            .link_name("lan0");
        let endpoint = network.connect_with(&container, config).unwrap();
        let Some(before) = seen(&container, "lan0") else {
            return;
        };
        leave(endpoint);
        assert_eq!(leads_to(&network, "web"), None);
        // others come meanwhile
        let passer = lab::container("passer");
        let _at_passer = network.connect(&passer).unwrap();
        let again = network.connect(&container).unwrap();
        assert_eq!(seen(&container, "lan0").unwrap(), before);
        let address = IpAddr::from([10, 77, 0, 77]);
        assert_eq!(leads_to(&network, "web"), Some(address));
        assert_eq!(datagram(db.netns(), container.netns(), address), Ok(()));
        let store = again.view().lookup("store", Family::V4);
        assert_eq!(store, Answer::Addresses(vec![at_db.ip()]));
        let led = defaults(container.netns(), "-4").unwrap();
        assert_eq!(led, [("lan0".to_owned(), "10.77.0.1".to_owned())]);
        let martians = "/proc/sys/net/ipv4/conf/lan0/log_martians";
        let set = container.run(|| std::fs::read_to_string(martians));
        assert_eq!(set.unwrap().unwrap().trim(), "1");
        // also a second time
        leave(again);
        let _third = network.connect(&container).unwrap();
        assert_eq!(seen(&container, "lan0").unwrap(), before);
        drop(at_other);
    }
}

#[test]
fn an_address_that_was_chosen_returns_unless_somebody_took_it() {
    let host = lab::host();
    let network = dual(&host, "n", 0);
    let (container, other) = (lab::container("c"), lab::container("other"));
    let (v4, v6) = ([10, 77, 0, 2], "fd00:77::2".parse::<IpAddr>().unwrap());
    network.connect(&container).unwrap().disconnect().unwrap();
    let at_other = network.connect(&other).unwrap();
    assert_eq!(at_other.ip(), IpAddr::from([10, 77, 0, 3]));
    let again = network.connect(&container).unwrap();
    let Some(link) = link_of(container.netns(), v4.into()) else {
        return;
    };
    assert_eq!(link, "eth0");
    let mac = seen(&container, "eth0").unwrap().0;
    drop((again, at_other));
    // one of the two is taken
    let taking = EndpointConfig::new().ip(v4);
    let at_other = network.connect_with(&other, taking).unwrap();
    let again = network.connect(&container).unwrap();
    let (mac_now, found) = seen(&container, "eth0").unwrap();
    assert_eq!(mac_now, mac);
    assert!(found.contains(&format!("{v6}/64")), "{found:?}");
    assert!(!found.contains(&"10.77.0.2/24".to_owned()), "{found:?}");
    for address in at_other.ips() {
        let came = datagram(container.netns(), other.netns(), address);
        assert_eq!(came, Ok(()));
    }
    drop(again);
}

#[test]
fn what_is_asked_for_again_wins_and_the_rest_is_as_it_was() {
    let host = lab::host();
    let network = dual(&host, "n", 0);
    let container = lab::container("c");
    let config = EndpointConfig::new()
        .ip([10, 77, 0, 77])
        .ip("fd00:77::77".parse::<IpAddr>().unwrap())
        .mac("02:00:00:00:00:01")
        .alias("old");
    let endpoint = network.connect_with(&container, config).unwrap();
    endpoint.disconnect().unwrap();
    let config = EndpointConfig::new().ip([10, 77, 0, 78]).alias("new");
    let endpoint = network.connect_with(&container, config).unwrap();
    let Some((mac, found)) = seen(&container, "eth0") else {
        return;
    };
    assert_eq!(mac, "02:00:00:00:00:01");
    let expected = ["10.77.0.78/24", "fd00:77::77/64", "fe80::ff:fe00:1/64"];
    assert_eq!(found, expected);
    assert_eq!(leads_to(&network, "old"), None);
    assert_eq!(leads_to(&network, "new"), Some([10, 77, 0, 78].into()));
    // and is what is remembered next
    endpoint.disconnect().unwrap();
    let _endpoint = network.connect(&container).unwrap();
    assert_eq!(seen(&container, "eth0").unwrap(), (mac, found));
}

/// A network of both, and a container that was on it with all that can be asked for.
fn gone(name: &str) -> (Network, Container, Option<(String, Vec<String>)>) {
    let network = dual(&lab::host(), name, 0);
    let container = lab::container("c");
    let config = EndpointConfig::new()
        .ip([10, 77, 0, 77])
        .alias("web")
        .priority(5)
        .link_name("lan0");
    let endpoint = network.connect_with(&container, config).unwrap();
    let before = seen(&container, "lan0");
    endpoint.disconnect().unwrap();
    (network, container, before)
}

#[test]
fn whoever_connects_anew_or_is_forgotten_has_nothing_of_what_it_had() {
    let forgets: [fn(&Network, &Container) -> EndpointConfig; 2] = [
        |_, _| EndpointConfig::new().anew(),
        |network, container| {
            network.forget(container);
            EndpointConfig::new()
        },
    ];
    for forget in forgets {
        let (network, container, before) = gone("n");
        let Some((former_mac, former)) = before else {
            return;
        };
        let config = forget(&network, &container);
        let endpoint = network.connect_with(&container, config).unwrap();
        let (mac, found) = seen(&container, "eth0").unwrap();
        assert_ne!(mac, former_mac);
        assert!(
            !found.iter().any(|address| former.contains(address)),
            "{found:?}"
        );
        assert_eq!(leads_to(&network, "web"), None);
        // what it had is anybody's
        let other = lab::container("other");
        let config = EndpointConfig::new().ip([10, 77, 0, 77]);
        let _at_other = network.connect_with(&other, config).unwrap();
        // and what it has now is what it returns with
        endpoint.disconnect().unwrap();
        let _again = network.connect(&container).unwrap();
        assert_eq!(seen(&container, "eth0").unwrap(), (mac, found));
    }
}

#[test]
fn an_attempt_to_connect_anew_that_fails_forgets_nothing() {
    let (network, container, before) = gone("n");
    let Some(before) = before else { return };
    let bad = EndpointConfig::new().anew().ip([192, 0, 2, 1]);
    let error = network.connect_with(&container, bad).unwrap_err();
    assert!(error.is_invalid(), "{error}");
    let _again = network.connect(&container).unwrap();
    assert_eq!(seen(&container, "lan0").unwrap(), before);
}

/// One that is made of the IPv4 address is as new as that.
#[test]
fn no_two_containers_have_the_same_hardware_address_made_of_one_ipv4_address() {
    let host = lab::host();
    let config = dual_config("n", 0).mac_policy(MacPolicy::FromIpv4);
    let network = host.create_network(config).unwrap();
    let (container, other) = (lab::container("c"), lab::container("other"));
    let first = network.connect(&container).unwrap();
    let Some((mac, _)) = seen(&container, "eth0") else {
        return;
    };
    assert_eq!(mac, "02:42:0a:4d:00:02");
    first.disconnect().unwrap();
    let taking = EndpointConfig::new().ip([10, 77, 0, 2]);
    let at_other = network.connect_with(&other, taking).unwrap();
    let _again = network.connect(&container).unwrap();
    assert_eq!(seen(&other, "eth0").unwrap().0, mac);
    assert_eq!(seen(&container, "eth0").unwrap().0, "02:42:0a:4d:00:03");
    for address in at_other.ips() {
        let came = datagram(container.netns(), other.netns(), address);
        assert_eq!(came, Ok(()));
    }
}

#[test]
fn the_plan_of_a_return_is_what_returning_does() {
    let host = lab::host();
    let network = dual(&host, "n", 0);
    let container = lab::container("c");
    let config = EndpointConfig::new()
        .ip([10, 77, 0, 77])
        .mac("02:42:00:00:00:77")
        .link_name("lan7");
    let endpoint = network.connect_with(&container, config).unwrap();
    endpoint.disconnect().unwrap();
    let planned = |config: &EndpointConfig| {
        let plan = network.plan_connect(&container, config).unwrap();
        let text = plan.to_string();
        ["10.77.0.77/", " 02:42:00:00:00:77 ", " lan7"].map(|what| text.contains(what))
    };
    assert_eq!(planned(&EndpointConfig::new()), [true; 3]);
    assert_eq!(planned(&EndpointConfig::new().anew()), [false; 3]);
    network.connect(&container).unwrap();
}
