//! A link by which others are reached is so for every process that comes later, too: the tables say
//! which they are, and no record does.

use bridgework::plan::Switch;
use bridgework::{Container, Host, HostConfig, NetworkConfig, VethConfig, VethPair};

use crate::lab;
use crate::recovered::Ground;

/// A namespace with a link that has addresses, which was there before the networks.
fn with_a_way_out(make: impl FnOnce(&Host)) -> (Ground, impl Sized) {
    let ground = Ground::new();
    let host = ground.open();
    let neighbour = lab::neighbour(&host, "lan0");
    make(&host);
    (ground, neighbour)
}

fn with_a_network(host: &Host) {
    let config = NetworkConfig::bridge("net").subnet("10.89.0.0/24");
    host.create_network(config).unwrap().persist().unwrap();
}

#[test]
fn a_process_that_comes_later_finds_nothing_to_do() {
    let (ground, _neighbour) = with_a_way_out(with_a_network);
    for watch in [Switch::Off, Switch::On] {
        let open = |config: HostConfig| Host::open_with(config.watch(watch)).unwrap();
        let host = open(ground.config());
        assert_eq!(host.check().unwrap(), []);
        let host = open(ground.config());
        assert!(host.recover().unwrap().is_empty());
    }
}

/// It was made a way out after this process had looked for the first time.
#[test]
fn nor_does_one_that_was_there_when_another_made_a_link_a_way_out() {
    let (ground, _neighbour) = with_a_way_out(with_a_network);
    let (first, second) = (ground.open(), ground.open());
    assert_eq!(
        [first.check(), second.check()].map(Result::unwrap),
        [[], []]
    );
    let late = lab::container("late");
    let config = bridgework::VethConfig::new();
    let pair =
        bridgework::VethPair::create((&ground.netns, "lan1"), (late.netns(), "eth0"), config);
    let pair = pair.unwrap();
    pair.near()
        .add_address("203.0.113.1/24".parse().unwrap())
        .unwrap();
    assert_eq!(first.repair().unwrap().len(), 1);
    assert_eq!(second.check().unwrap(), []);
}

/// What keeps the host from forwarding between such links is made again by whoever watches, also by
/// one that has only heard of the network.
#[test]
fn what_keeps_others_out_is_made_again_by_one_that_came_later() {
    let (ground, _neighbour) = with_a_way_out(with_a_network);
    let is_raised = || {
        let listed = lab::output(&ground.netns, "nft list ruleset").unwrap_or_default();
        let raised = listed.split_once("set raised {");
        raised.is_some_and(|(_, rest)| rest.split("set ").next().unwrap().contains("lan0"))
    };
    if lab::output(&ground.netns, "nft list ruleset").is_none() {
        return;
    }
    lab::wait_until("the link among the raised ones", is_raised);
    let later = Host::open_with(ground.config().watch(Switch::On)).unwrap();
    assert_eq!(later.networks().len(), 1);
    lab::output(&ground.netns, "nft delete table inet bridgework").unwrap();
    lab::wait_until("the link among the raised ones again", is_raised);
}

/// One process for each command, and nobody who watches.
#[test]
fn what_keeps_others_out_is_made_again_by_one_that_came_after_a_flush() {
    let (ground, _neighbour) = with_a_way_out(with_a_network);
    let (listing, forwarding) = (
        "nft list set inet bridgework raised",
        "sysctl -n net.ipv4.conf.lan0.forwarding",
    );
    let is_raised = || {
        let listed = lab::output(&ground.netns, listing);
        listed.is_some_and(|listed| listed.contains("lan0"))
    };
    if !is_raised() {
        return;
    }
    lab::output(&ground.netns, "nft delete table inet bridgework").unwrap();
    let one_shot = || Host::open_with(ground.config().watch(Switch::Off)).unwrap();
    one_shot().repair().unwrap();
    assert!(is_raised(), "what comes by it is forwarded to anybody");
    assert_eq!(one_shot().check().unwrap(), []);
    one_shot().network("net").unwrap().remove().unwrap();
    let left = lab::output(&ground.netns, forwarding).unwrap();
    assert_eq!(left.trim(), "0");
    let rules = lab::ip_json(&ground.netns, "rule show").unwrap_or_default();
    assert_eq!(rules.len(), 3, "the kernel's own: {rules:?}");
}

/// Nobody came between the flush and the last network's end.
#[test]
fn what_was_not_forwarded_before_is_not_after_the_last_network_is_gone_behind_a_flush() {
    let (ground, _neighbour) = with_a_way_out(with_a_network);
    let flushed = lab::output(&ground.netns, "nft flush ruleset");
    if flushed.is_none() {
        return;
    }
    let host = Host::open_with(ground.config().watch(Switch::Off)).unwrap();
    host.network("net").unwrap().remove().unwrap();
    let forwarding = "sysctl -n net.ipv4.conf.lan0.forwarding";
    assert_eq!(lab::output(&ground.netns, forwarding).unwrap().trim(), "0");
    let rules = lab::ip_json(&ground.netns, "rule show").unwrap_or_default();
    assert_eq!(rules.len(), 3, "the kernel's own: {rules:?}");
}

/// As [`with_a_way_out`], with a network and a link that has no IPv6 yet.
fn with_ipv4_alone() -> (Ground, (VethPair, Container)) {
    let ground = Ground::new();
    let late = lab::container("late");
    let ends = ((&ground.netns, "lan1"), (late.netns(), "eth0"));
    let pair = VethPair::create(ends.0, ends.1, VethConfig::new()).unwrap();
    let address = "203.0.113.1/24".parse().unwrap();
    pair.near().add_address(address).unwrap();
    with_a_network(&ground.open());
    (ground, (pair, late))
}

fn get_ipv6((pair, _): &(VethPair, Container)) {
    let address = "2001:db8:9::1/64".parse().unwrap();
    pair.near().add_address(address).unwrap();
}

/// Addresses of another family came after it was one: by a router's word, IPv6 comes seconds later.
#[test]
fn a_link_is_a_way_out_in_a_family_that_it_gets_later() {
    let (ground, wired) = with_ipv4_alone();
    let first = ground.open();
    get_ipv6(&wired);
    assert!(!first.repair().unwrap().is_empty());
    assert_eq!(first.check().unwrap(), []);
}

/// One of its families came after this process had looked for the first time.
#[test]
fn nor_does_a_family_go_unlearned_that_such_a_link_got_later() {
    let (ground, wired) = with_ipv4_alone();
    let first = ground.open();
    let second = ground.open();
    assert_eq!(second.check().unwrap(), []);
    get_ipv6(&wired);
    assert!(!first.repair().unwrap().is_empty());
    assert_eq!(second.check().unwrap(), []);
    let is_raised = || {
        let listed = lab::output(&ground.netns, "nft list set inet bridgework raised");
        listed.is_some_and(|listed| listed.contains("ipv6 . \"lan1\""))
    };
    if !is_raised() {
        return;
    }
    drop(first);
    lab::output(&ground.netns, "nft flush set inet bridgework raised").unwrap();
    second.repair().unwrap();
    assert!(is_raised(), "what comes by it is forwarded to anybody");
}
