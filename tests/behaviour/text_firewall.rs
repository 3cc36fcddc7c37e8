//! The lines of firewalled networks and of published ports, typed into a shell: they make the tables,
//! rules, routes and settings that the crate makes, and take them back.

#![allow(clippy::unwrap_used)]

use std::process::Command;

use bridgework::plan::{Plan, Switch};
use bridgework::{
    Endpoint, EndpointConfig, Family, GatewayMode, Host, HostConfig, Netns, Network, NetworkConfig,
};

use crate::cases;
use crate::lab;
use crate::ruleset;
use crate::text::{Pinned, assert_alike, has_tools, type_lines};

/// As `has_tools`, with those of the firewall.
fn has_all_tools() -> bool {
    let missing = ["nft", "conntrack"].map(|tool| {
        let run = Command::new(tool).arg("--version").output();
        run.err().map(|error| format!("{tool}: {error}"))
    });
    let missing: Vec<String> = missing.into_iter().flatten().collect();
    if missing.is_empty() {
        return has_tools();
    }
    let what = missing.join(", ");
    eprintln!("NOT CHECKED: the firewall's plans as lines: {what}");
    assert!(std::env::var_os("CI").is_none(), "{what}");
    false
}

/// A namespace with an uplink that is the same in all of them.
fn ground() -> Netns {
    let netns = Netns::create().unwrap();
    for line in [
        "link add up0 address 02:00:00:00:00:01 type veth peer name far0 address 02:00:00:00:00:02",
        "addr add 192.0.2.1/24 dev up0",
        "addr add 2001:db8::1/64 dev up0 nodad",
        "link set lo up",
        "link set far0 up",
        "link set up0 up",
    ] {
        lab::ip_json(&netns, line);
    }
    netns
}

/// A host that the crate works on, and one that its lines are typed into.
struct Both {
    host: Host,
    typed: Netns,
}

impl Both {
    fn new() -> Self {
        let config = HostConfig::new().netns(ground());
        let typed = ground();
        let host = Host::open_with(config).unwrap();
        Self { host, typed }
    }

    fn type_plan(&self, plan: &Plan, when: &str) {
        type_lines(&self.typed, &plan.to_string(), when);
    }

    fn check(&self, when: &str) {
        assert_alike(self.host.netns(), &self.typed, when);
        let [made, typed] = [self.host.netns(), &self.typed].map(|netns| {
            let tables = ["inet", "bridge"].map(|family| {
                let there = ruleset::nft(netns, "list tables", "");
                let is_there = there.contains(&format!("table {family} bridgework"));
                is_there.then(|| ruleset::bare_table(netns, family))
            });
            let is_there = tables.iter().all(Option::is_some);
            (is_there.then(|| ruleset::elements(netns)), tables)
        });
        assert_eq!(made, typed, "{when}");
    }
}

struct Case {
    name: &'static str,
    network: fn(NetworkConfig) -> NetworkConfig,
}

fn both(config: NetworkConfig, mode: GatewayMode) -> NetworkConfig {
    let config = config.gateway_mode(Family::V4, mode);
    config.gateway_mode(Family::V6, mode)
}

fn networks() -> [Case; 8] {
    let case = |name, network| Case { name, network };
    [
        case("plain", |config| config),
        case("internal", |config| config.internal()),
        case("icc off", |config| config.icc(Switch::Off)),
        case("no masquerade", |config| config.masquerade(Switch::Off)),
        case("source address", |config| {
            config.source_address([192, 0, 2, 1])
        }),
        case("unprotected", |config| {
            both(config, GatewayMode::NatUnprotected)
        }),
        case("routed, trusted", |config| {
            both(config, GatewayMode::Routed).trusted_host_interface("up0")
        }),
        case("isolated", |config| {
            both(config.internal(), GatewayMode::Isolated)
        }),
    ]
}

fn ports() -> EndpointConfig {
    let config = EndpointConfig::new().publish("8080-8081:80-81");
    let config = config.publish("127.0.0.1:8053:53/udp");
    config.publish("[2001:db8::1]:9090:90/sctp")
}

fn check_case(case: &Case) {
    let (both, name) = (Both::new(), case.name);
    let config = NetworkConfig::bridge("walled").subnet("10.89.0.0/24");
    let network = both
        .host
        .create_network((case.network)(config.subnet("fd00:89::/64")));
    let network = network.unwrap();
    both.type_plan(network.plan(), name);
    both.check(&format!("{name}: network"));
    let container = lab::container("walled-box");
    let inside = Pinned::new(container.name());
    let endpoint = network.connect_with(&container, ports()).unwrap();
    both.type_plan(endpoint.plan(), name);
    both.check(&format!("{name}: endpoint"));
    assert_alike(container.netns(), &inside.netns, name);
    take_back(&both, (endpoint, network), name);
}

fn take_back(both: &Both, (endpoint, network): (Endpoint, Network), name: &str) {
    let undo = cases::undo(endpoint.plan());
    endpoint.disconnect().unwrap();
    both.type_plan(&undo, name);
    both.check(&format!("{name}: disconnected"));
    let undo = cases::undo(network.plan());
    network.remove().unwrap();
    both.type_plan(&undo, name);
    both.check(&format!("{name}: removed"));
    let left = ruleset::nft(&both.typed, "list ruleset", "");
    assert_eq!(left, "", "{name}");
}

#[test]
fn lines_of_a_firewalled_network_and_of_its_ports_make_what_the_crate_makes_and_take_it_back() {
    if has_all_tools() {
        networks().iter().for_each(check_case);
    }
}

#[test]
fn the_tables_that_lines_make_stay_until_the_last_networks_lines_are_taken_back() {
    if !has_all_tools() {
        return;
    }
    let both = Both::new();
    let create = |name: &str, subnet: &str| {
        let config = NetworkConfig::bridge(name).subnet(subnet);
        let network = both.host.create_network(config).unwrap();
        both.type_plan(network.plan(), name);
        both.check(name);
        network
    };
    let (one, two) = (create("one", "10.1.0.0/24"), create("two", "10.2.0.0/24"));
    for network in [one, two] {
        assert_ne!(ruleset::nft(&both.typed, "list tables", ""), "");
        let undo = cases::undo(network.plan());
        network.remove().unwrap();
        both.type_plan(&undo, "undo");
        both.check("undo");
    }
    assert_eq!(ruleset::nft(&both.typed, "list tables", ""), "");
}
