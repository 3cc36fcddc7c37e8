//! What an outsider breaks is said by `CHECK`, and only of whom it concerns; an `ADD` that fails half way
//! leaves nothing.

use std::process::Command;

use bridgework::Netns;
use serde_json::json;

use crate::ground::{Ask, Machine, Pod, refusal};

/// As an outsider would, inside a namespace.
fn run(netns: &Netns, command: &str) {
    let status = || Command::new("sh").args(["-euc", command]).status();
    let status = netns.run(status).expect("inside").expect("a shell");
    assert!(status.success(), "{command}");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Inside,
    Host,
}

/// What is broken, what `CHECK` says of it, and whether it concerns the other container, too.
const BREAKS: [(Where, &str, &str, bool); 11] = [
    (Where::Inside, "ip link del eth0", "eth0 is gone", false),
    (
        Where::Inside,
        "ip link set eth0 down",
        "eth0 is down",
        false,
    ),
    (
        Where::Inside,
        "ip addr flush dev eth0",
        "address 10.88.0.2/24 of eth0 is gone",
        false,
    ),
    (
        Where::Inside,
        "ip route del default",
        "the default route of IPv4 is gone",
        false,
    ),
    (
        Where::Inside,
        "ip link set eth0 address 02:00:00:00:00:01",
        "has not the address",
        false,
    ),
    (Where::Host, "ip link set VETH down", "VETH is down", false),
    (Where::Host, "ip link set VETH nomaster", "VETH", false),
    (Where::Host, "ip link del cni0", "cni0", true),
    (Where::Host, "ip addr flush dev cni0", "10.88.0.1/24", true),
    (Where::Host, "nft flush ruleset", "table", true),
    (
        Where::Host,
        "nft 'add table ip x; add chain ip x f { type filter hook forward priority 0; policy drop; }'",
        "chain f of table ip x drops",
        true,
    ),
];

#[test]
fn what_somebody_has_broken_is_said_and_only_of_whom_it_concerns() {
    let machine = Machine::new("broken");
    let (a, b) = (Pod::new("a"), Pod::new("b"));
    for (place, command, part, concerns_all) in BREAKS {
        let conf = machine.usual();
        let results = [&a, &b].map(|pod| machine.add(pod, &conf));
        let veth = results[0]["interfaces"][1]["name"]
            .as_str()
            .expect("a name")
            .to_owned();
        let check = |pod, result: &serde_json::Value| {
            let mut with = conf.clone();
            with["prevResult"] = result.clone();
            machine.call(&Ask::of("CHECK", pod), &with)
        };
        let netns = match place {
            Where::Inside => a.container.netns(),
            Where::Host => &machine.netns,
        };
        run(netns, &command.replace("VETH", &veth));
        let (code, words) = refusal(&check(&a, &results[0]));
        assert_eq!(code, 101, "{command}: {words}");
        let said = check(&a, &results[0]).out;
        assert!(
            said.contains(&part.replace("VETH", &veth)),
            "{command}: {said}"
        );
        let other = check(&b, &results[1]);
        assert_eq!(other.status != 0, concerns_all, "{command}: {other:?}");
        machine.del(&a, &conf);
        machine.del(&b, &conf);
        run(&machine.netns, "nft delete table ip x 2>/dev/null || true");
        machine.assert_clean();
    }
}

/// The tables say which links have rules of the routing policy; they are known without them.
#[test]
fn the_last_leaves_no_rule_for_a_way_out_where_somebody_has_flushed_the_tables() {
    let machine = Machine::new("flushed");
    let uplink = "ip link add near type bridge; ip addr add 192.0.2.1/24 dev near; \
                  ip link set near up";
    run(&machine.netns, uplink);
    let (a, b) = (Pod::new("a"), Pod::new("b"));
    let mut other = machine.usual();
    other["name"] = "other".into();
    other["bridge"] = "cni1".into();
    other["ipam"]["subnet"] = "10.89.0.0/24".into();
    machine.add(&a, &machine.usual());
    machine.add(&b, &other);
    run(&machine.netns, "nft flush ruleset");
    machine.del(&b, &other);
    run(&machine.netns, "ip rule | grep 'iif near'");
    machine.del(&a, &machine.usual());
    run(&machine.netns, "! ip rule | grep 'proto 98'");
    run(&machine.netns, "! ip -6 rule | grep 'proto 98'");
    run(&machine.netns, "ip link del near");
    machine.assert_clean();
}

#[test]
fn what_the_runtime_remembers_otherwise_is_said() {
    let machine = Machine::new("remembered");
    let pod = Pod::new("pod");
    let mut conf = machine.usual();
    let result = machine.add(&pod, &conf);
    conf["prevResult"] = result.clone();
    conf["prevResult"]["ips"][0]["address"] = "10.88.0.99/24".into();
    let (code, words) = machine.refused(&Ask::of("CHECK", &pod), &conf);
    assert_eq!(code, 101);
    assert!(
        words.contains("prevResult has not the address 10.88.0.2/24"),
        "{words}"
    );
    conf["prevResult"] = result;
    conf["prevResult"]["interfaces"][2]["mac"] = "02:00:00:00:00:01".into();
    assert_eq!(machine.refused(&Ask::of("CHECK", &pod), &conf).0, 101);
    machine.del(&pod, &conf);
    machine.assert_clean();
}

#[test]
fn an_add_that_fails_half_way_leaves_nothing() {
    let machine = Machine::new("half_way");
    let pod = Pod::new("pod");
    let inside = pod.container.netns();
    // somebody else's interface has the name
    run(inside, "ip link add eth0 type bridge");
    let (code, words) = machine.refused(&Ask::of("ADD", &pod), &machine.usual());
    assert_eq!(code, 100);
    assert!(words.contains("link eth0 is already there"), "{words}");
    machine.assert_clean();
    run(inside, "ip link del eth0");
    // the last step: a route by a gateway that nobody can reach
    let mut conf = machine.usual();
    conf["ipam"]["routes"] = json!([{ "dst": "198.51.100.0/24", "gw": "203.0.113.1" }]);
    let (code, words) = machine.refused(&Ask::of("ADD", &pod), &conf);
    assert_eq!(code, 100);
    assert!(words.contains("203.0.113.1"), "{words}");
    assert!(pod.addresses("eth0").is_empty());
    machine.assert_clean();
    // a default route of somebody else's
    run(
        inside,
        "ip link add x type bridge; ip link set x up; ip addr add 10.1.0.2/24 dev x; \
                 ip route add default via 10.1.0.1",
    );
    let (code, words) = machine.refused(&Ask::of("ADD", &pod), &machine.usual());
    assert_eq!(code, 100);
    assert!(words.contains("default"), "{words}");
    machine.assert_clean();
}

#[test]
fn whoever_comes_to_a_network_whose_bridge_somebody_has_removed_finds_it_and_all_others_again() {
    let machine = Machine::new("rebuilt");
    let (a, b) = (Pod::new("a"), Pod::new("b"));
    let conf = machine.usual();
    let result = machine.add(&a, &conf);
    run(&machine.netns, "ip link del cni0");
    machine.add(&b, &conf);
    run(b.container.netns(), "busybox ping -c1 -W2 10.88.0.2");
    run(a.container.netns(), "busybox ping -c1 -W2 10.88.0.1");
    let mut with = conf.clone();
    with["prevResult"] = result;
    machine.done(&Ask::of("CHECK", &a), &with);
    machine.del(&a, &conf);
    machine.del(&b, &conf);
    machine.assert_clean();
}
