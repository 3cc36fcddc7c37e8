//! Default routes that somebody else has made in a container: they are never changed.

use bridgework::{EndpointConfig, NetworkConfig};

use super::{defaults, dual, dual_config, ip, seen};
use crate::lab::{self, ip_json};

fn pair(link: &str, gateway: &str) -> (String, String) {
    (link.to_owned(), gateway.to_owned())
}

const FOREIGN_LINK: [&str; 7] = [
    "link add vpn0 type veth peer name vpn1",
    "link set vpn0 addrgenmode none",
    "link set vpn1 addrgenmode none",
    "link set vpn1 up",
    "link set vpn0 up",
    "addr add 198.51.100.2/24 dev vpn0",
    "addr add 2001:db8:51::2/64 dev vpn0 nodad",
];

const FOREIGN: [(&str, &str, &str); 2] = [
    ("-4", "198.51.100.1", "route add default via 198.51.100.1"),
    (
        "-6",
        "2001:db8:51::1",
        "-6 route add default via 2001:db8:51::1",
    ),
];

#[test]
fn where_somebody_else_has_made_the_default_route_connecting_is_refused_and_changes_nothing() {
    for (option, gateway, add) in FOREIGN {
        let host = lab::host();
        let network = dual(&host, "n", 0);
        let container = lab::container("c");
        let netns = container.netns();
        for line in FOREIGN_LINK.into_iter().chain([add, "link set lo up"]) {
            let Some(()) = ip(netns, line) else { return };
        }
        let before = seen(&host, netns);
        let error = network.connect(&container).unwrap_err();
        assert!(
            error.is_exists() && error.left_behind().is_empty(),
            "{error}"
        );
        let text = error.to_string();
        assert!(
            text.starts_with("connect c to n: ip -n c ")
                && text.contains("route add default via")
                && text.contains("EEXIST"),
            "{text}"
        );
        assert_eq!(seen(&host, netns), before);
        assert_eq!(defaults(netns, option).unwrap(), [pair("vpn0", gateway)]);
        // what leads nowhere is in nobody's way
        let config = NetworkConfig::bridge("inside").internal();
        let inside = host.create_network(config).unwrap();
        let at = inside.connect(&container).unwrap();
        assert_eq!(defaults(netns, option).unwrap(), [pair("vpn0", gateway)]);
        at.disconnect().unwrap();
        // and once it is gone the network leads out
        let gone = add.replace(" add ", " delete ");
        ip(netns, &gone).unwrap();
        let _at = network.connect(&container).unwrap();
        assert_eq!(defaults(netns, option).unwrap()[0].0, "eth0");
    }
}

#[test]
fn a_default_route_of_another_metric_stays_beside_ours() {
    let host = lab::host();
    let networks = [dual(&host, "a", 0), dual(&host, "b", 1)];
    let container = lab::container("c");
    let netns = container.netns();
    for line in FOREIGN_LINK {
        let Some(()) = ip(netns, line) else { return };
    }
    for (_, _, add) in FOREIGN {
        ip(netns, &format!("{add} metric 77")).unwrap();
    }
    let foreign = |option: &str| {
        let routes = ip_json(netns, &format!("{option} route show default")).unwrap();
        let of_vpn = routes.into_iter().filter(|route| route["dev"] == "vpn0");
        of_vpn.collect::<Vec<_>>()
    };
    let before = ["-4", "-6"].map(foreign);
    assert!(before.iter().all(|routes| routes.len() == 1));
    let configs = [0, 1].map(|priority| EndpointConfig::new().priority(priority));
    let endpoints = host
        .connect_all(&container, networks.iter().zip(configs))
        .unwrap();
    for (option, gateways) in [("-4", "10.77.1.1"), ("-6", "fd00:77:1::1")] {
        let found = defaults(netns, option).unwrap();
        assert!(found.contains(&pair("eth1", gateways)), "{found:?}");
        assert_eq!(found.len(), 2, "{found:?}");
    }
    for endpoint in endpoints.into_iter().rev() {
        endpoint.disconnect().unwrap();
        assert_eq!(["-4", "-6"].map(foreign), before);
    }
}

/// Somebody takes our default route away and puts their own there, while we think it is ours.
#[test]
fn a_default_route_that_somebody_else_has_put_in_place_of_ours_is_not_replaced() {
    for (option, gateway, add) in FOREIGN {
        let host = lab::host();
        let a = dual(&host, "a", 0);
        let b = host.create_network(dual_config("b", 1)).unwrap();
        let container = lab::container("c");
        let netns = container.netns();
        let at_a = a.connect(&container).unwrap();
        let theirs = [format!("{option} route delete default"), add.to_owned()];
        let lines = FOREIGN_LINK.iter().map(|line| (*line).to_owned());
        for line in lines.chain(theirs) {
            let Some(()) = ip(netns, &line) else { return };
        }
        let before = seen(&host, netns);
        let preferred = EndpointConfig::new().priority(1);
        let error = b.connect_with(&container, preferred.clone()).unwrap_err();
        assert!(
            error.is_exists() && error.left_behind().is_empty(),
            "{error}"
        );
        assert!(
            error
                .to_string()
                .ends_with("a route of somebody else's is in its place"),
            "{error}"
        );
        assert_eq!(seen(&host, netns), before);
        // one that is not preferred comes, and theirs stays when ours goes
        let at_b = b
            .connect_with(&container, EndpointConfig::new().priority(-1))
            .unwrap();
        assert_eq!(defaults(netns, option).unwrap(), [pair("vpn0", gateway)]);
        at_a.disconnect().unwrap();
        assert_eq!(defaults(netns, option).unwrap(), [pair("vpn0", gateway)]);
        at_b.disconnect().unwrap();
        assert_eq!(defaults(netns, option).unwrap(), [pair("vpn0", gateway)]);
    }
}

/// What somebody only took away is there again when it is ours to change.
#[test]
fn a_default_route_that_somebody_has_deleted_comes_back_with_the_next_change() {
    let host = lab::host();
    let (a, b) = (dual(&host, "a", 0), dual(&host, "b", 1));
    let container = lab::container("c");
    let netns = container.netns();
    let _at_a = a.connect(&container).unwrap();
    for option in ["-4", "-6"] {
        let Some(()) = ip(netns, &format!("{option} route delete default")) else {
            return;
        };
    }
    let preferred = EndpointConfig::new().priority(1);
    let at_b = b.connect_with(&container, preferred).unwrap();
    let expect = |link: &str, number: &str| {
        assert_eq!(
            ["-4", "-6"].map(|option| defaults(netns, option).unwrap()),
            [
                vec![pair(link, &format!("10.77.{number}.1"))],
                vec![pair(
                    link,
                    &format!("fd00:77{}::1", ["", ":1"][usize::from(number == "1")])
                )],
            ]
        );
    };
    expect("eth1", "1");
    at_b.disconnect().unwrap();
    expect("eth0", "0");
}
