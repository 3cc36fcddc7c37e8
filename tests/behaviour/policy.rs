//! The routing policy on a real kernel: rules and prohibitions as `ip` sees them, and packets that
//! they stop.

use bridgework::kernel::Kernel;
use bridgework::plan::{PROHIBITION_TABLE, Plan, PolicyAction, PolicyRule, Prohibition, Step};
use bridgework::{Family, Netns, NetworkConfig};
use serde_json::{Value, json};

use crate::by_hand::ip;
use crate::lab;

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];
const VOUCHED: u32 = 0x0800_0000;

fn rule(family: Family, priority: u32, by: Option<&str>, action: PolicyAction) -> Step {
    Step::AddPolicyRule(PolicyRule {
        family,
        priority,
        by: by.map(|name| name.parse().unwrap()),
        unless_marked: matches!(action, PolicyAction::Lookup(_)).then_some(VOUCHED),
        action,
    })
}

fn prohibition(family: Family) -> Step {
    let subnet = match family {
        Family::V4 => "10.1.0.0/24",
        Family::V6 => "fd01::/64",
    };
    Step::AddProhibition(Prohibition {
        subnet: subnet.parse().unwrap(),
        table: PROHIBITION_TABLE,
    })
}

/// What `ip -4` or `ip -6` shows.
fn show(netns: &Netns, family: Family, arguments: &str) -> Vec<Value> {
    let flag = match family {
        Family::V4 => "-4",
        Family::V6 => "-6",
    };
    lab::ip_json(netns, &format!("{flag} {arguments}")).unwrap_or_default()
}

/// The rules that are not the kernel's own.
fn rules(netns: &Netns, family: Family) -> Vec<Value> {
    let mut rules = show(netns, family, "-d rule show");
    rules.retain(|rule| rule["protocol"] != "kernel");
    rules
}

fn prohibited(netns: &Netns, family: Family) -> Vec<Value> {
    show(netns, family, "-d route show table 9805")
}

fn policy() -> Plan {
    let of = |family| {
        [
            prohibition(family),
            rule(family, 9809, None, PolicyAction::Nop),
            rule(family, 9800, Some("lo"), PolicyAction::Goto(9809)),
            rule(family, 9805, Some("br0"), PolicyAction::Lookup(9805)),
        ]
    };
    Plan::from_iter(FAMILIES.into_iter().flat_map(of))
}

#[test]
fn rules_and_prohibitions_are_as_ip_shows_them_and_go_as_they_came() {
    let kernel = Kernel::new(Netns::create().unwrap()).unwrap();
    let (host, plan) = (kernel.namespace(), policy());
    ip(host, "link add br0 type bridge");
    kernel.apply(&plan, None).unwrap();
    for family in FAMILIES {
        let expected = json!([
            {"priority": 9800, "src": "all", "iif": "lo", "goto": 9809, "protocol": "98"},
            {"priority": 9805, "src": "all", "iif": "br0", "fwmark": "0", "fwmask": "0x8000000",
             "table": "9805", "protocol": "98"},
            {"priority": 9809, "src": "all", "nop": null, "protocol": "98"},
        ]);
        assert_eq!(json!(rules(host, family)), expected, "{family:?}");
        let routes = prohibited(host, family);
        let of_route = |key: &str| routes.iter().map(|r| r[key].clone()).collect::<Vec<_>>();
        assert_eq!(of_route("type"), ["prohibit"], "{family:?}");
        assert_eq!(of_route("protocol"), ["98"], "{family:?}");
    }
    let undo = plan.undo(usize::MAX);
    kernel.take_back(&undo, None).unwrap();
    for family in FAMILIES {
        assert_eq!(rules(host, family), [] as [Value; 0]);
        assert_eq!(prohibited(host, family), [] as [Value; 0]);
    }
    // what is gone already counts as done
    kernel.take_back(&undo, None).unwrap();
}

#[test]
fn typed_lines_make_the_same_policy_and_take_it_back() {
    let [made, typed] = [(); 2].map(|()| Netns::create().unwrap());
    let kernel = Kernel::new(made.clone()).unwrap();
    let plan = policy();
    kernel.apply(&plan, None).unwrap();
    let type_all = |plan: &Plan| {
        let text = plan.to_string();
        text.lines().for_each(|line| ip(&typed, &line[3..]));
    };
    type_all(&plan);
    for family in FAMILIES {
        assert_eq!(rules(&made, family).len(), 3);
        assert_eq!(rules(&made, family), rules(&typed, family));
        assert_eq!(prohibited(&made, family), prohibited(&typed, family));
    }
    type_all(&plan.undo(usize::MAX));
    for family in FAMILIES {
        assert_eq!(rules(&typed, family), [] as [Value; 0]);
        assert_eq!(prohibited(&typed, family), [] as [Value; 0]);
    }
}

#[test]
fn a_rule_that_is_there_already_is_refused_and_what_was_done_before_is_taken_back() {
    let kernel = Kernel::new(Netns::create().unwrap()).unwrap();
    let host = kernel.namespace();
    let twice = rule(Family::V4, 9809, None, PolicyAction::Nop);
    kernel
        .apply(&Plan::from_iter([twice.clone()]), None)
        .unwrap();
    let plan = Plan::from_iter([prohibition(Family::V4), twice]);
    let error = kernel.apply(&plan, None).unwrap_err();
    assert!(error.is_exists(), "{error}");
    assert_eq!(prohibited(host, Family::V4), [] as [Value; 0]);
    assert_eq!(rules(host, Family::V4).len(), 1);
}

#[test]
fn a_rule_and_a_prohibition_of_somebody_elses_stay() {
    let kernel = Kernel::new(Netns::create().unwrap()).unwrap();
    let host = kernel.namespace();
    let foreign = policy().to_string().replace("proto 98", "proto 99");
    let foreign = foreign.replace("protocol 98", "protocol 99");
    foreign.lines().for_each(|line| ip(host, &line[3..]));
    kernel.take_back(&policy().undo(usize::MAX), None).unwrap();
    for family in FAMILIES {
        assert_eq!(rules(host, family).len(), 3);
        assert_eq!(prohibited(host, family).len(), 1);
    }
}

#[test]
fn what_comes_by_the_link_unmarked_is_told_that_it_is_prohibited() {
    let host = Netns::create().unwrap();
    let kernel = Kernel::new(host.clone()).unwrap();
    for line in [
        "link set lo up",
        "link add br0 type bridge",
        "link add eth1 type veth peer name eth1p",
        "addr add 10.1.0.1/24 dev br0",
        "addr add 10.2.0.1/24 dev eth1",
        "link set br0 up",
        "link set eth1 up",
        "link set eth1p up",
    ] {
        ip(&host, line);
    }
    let route_of = |mark: u32| {
        let asked = format!("route get 10.1.0.2 from 10.2.0.2 iif eth1 mark {mark:#x}");
        host.run(|| {
            let mut command = std::process::Command::new("ip");
            command.args(asked.split_whitespace()).output()
        })
        .unwrap()
        .unwrap()
    };
    let setting = || std::fs::write("/proc/sys/net/ipv4/ip_forward", "1");
    host.run(setting).unwrap().unwrap();
    assert!(route_of(0).status.success(), "{:?}", route_of(0));
    let plan = Plan::from_iter([
        prohibition(Family::V4),
        rule(Family::V4, 9805, Some("eth1"), PolicyAction::Lookup(9805)),
    ]);
    kernel.apply(&plan, None).unwrap();
    let refused = String::from_utf8(route_of(0).stderr).unwrap();
    assert!(refused.contains("Permission denied"), "{refused}");
    assert!(
        route_of(VOUCHED).status.success(),
        "{:?}",
        route_of(VOUCHED)
    );
    kernel.take_back(&plan.undo(usize::MAX), None).unwrap();
    assert!(route_of(0).status.success(), "{:?}", route_of(0));
}

#[test]
fn a_prohibition_of_ours_is_in_no_networks_way_but_one_of_somebody_elses_is() {
    let host = lab::host();
    ip(
        host.netns(),
        "route add prohibit 10.1.0.0/24 table 9805 proto 98",
    );
    ip(
        host.netns(),
        "-6 route add prohibit fd01::/64 table 9805 proto 98",
    );
    let config = NetworkConfig::bridge("net").subnet("10.1.0.0/24");
    let network = host
        .create_network(config.clone().subnet("fd01::/64"))
        .unwrap();
    network.remove().unwrap();
    for foreign in [
        "route add prohibit 10.1.0.0/16 table 9805 proto 99",
        "route add prohibit 10.1.0.0/16 table 9806 proto 98",
    ] {
        ip(host.netns(), foreign);
        let error = host.create_network(config.clone()).unwrap_err();
        assert!(error.is_exists(), "{foreign}: {error}");
        ip(host.netns(), &foreign.replace(" add ", " del "));
    }
}
