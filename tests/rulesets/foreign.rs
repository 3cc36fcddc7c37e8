//! Rule sets as others make them, on the same host: they are, byte by byte, what they were, before,
//! while and after the crate is there.

use bridgework::{EndpointConfig, NetworkConfig};

use crate::listing::nft;
use crate::world::{Families, World, config, netns};

const OTHERS: [(&str, &str); 4] = [
    ("ufw", include_str!("foreign/ufw.nft")),
    ("firewalld", include_str!("foreign/firewalld.nft")),
    ("docker", include_str!("foreign/docker.nft")),
    ("libvirt", include_str!("foreign/libvirt.nft")),
];

/// All that is not in a table of ours, with its handles, but without what counts packets.
fn theirs(netns: &bridgework::Netns) -> String {
    let tables = nft(netns, "list tables", "");
    let foreign = tables.lines().filter(|line| !line.ends_with(" bridgework"));
    let list = |line: &str| {
        let name = line.strip_prefix("table ").expect("a table");
        nft(netns, &format!("-a -s list table {name}"), "")
    };
    foreign.map(list).collect()
}

fn busy() -> EndpointConfig {
    let config = EndpointConfig::new().publish("8080:80");
    config.publish("127.0.0.1:8081:80/udp")
}

#[test]
fn foreign_rule_sets_are_byte_for_byte_the_same_before_while_and_after() {
    for (who, rules) in OTHERS {
        let netns = netns();
        nft(&netns, "-f -", rules);
        let before = theirs(&netns);
        assert!(before.lines().count() > 20, "{who}: {before}");
        let World {
            endpoint,
            network,
            host,
        } = World::new(netns.clone(), config(Families::Both), busy());
        let second = NetworkConfig::bridge("second").internal();
        let second = host.create_network(second).expect("a network");
        assert_eq!(theirs(&netns), before, "{who}: while there are networks");
        endpoint.publish("9090:90").expect("one more port");
        endpoint.unpublish("8080:80").expect("one less");
        assert_eq!(theirs(&netns), before, "{who}: while ports come and go");
        endpoint.disconnect().expect("the end");
        second.remove().expect("the end");
        network.remove().expect("the end");
        assert_eq!(theirs(&netns), before, "{who}: afterwards");
        let left = nft(&netns, "list tables", "");
        assert!(!left.contains("bridgework"), "{who}: {left}");
    }
}
