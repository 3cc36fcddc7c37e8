//! What each option is in the tables. The plain network is shown whole, in each family and in both;
//! all others by what they have otherwise: options of a container than that one, options of a network
//! than one whose container publishes ports.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use bridgework::plan::Switch;
use bridgework::{EndpointConfig, Family, GatewayMode, NetworkConfig};

use crate::golden::{check, directory};
use crate::listing::bare_table;
use crate::world::{FAMILIES, Families, World, config, netns};

struct Case {
    name: &'static str,
    network: fn(NetworkConfig) -> NetworkConfig,
    endpoint: fn() -> EndpointConfig,
}

fn ports() -> EndpointConfig {
    EndpointConfig::new()
        .publish("8080:80")
        .publish("8053:53/udp")
}

fn both(config: NetworkConfig, mode: GatewayMode) -> NetworkConfig {
    let config = config.gateway_mode(Family::V4, mode);
    config.gateway_mode(Family::V6, mode)
}

fn of_networks() -> Vec<Case> {
    let case = |name, network| Case {
        name,
        network,
        endpoint: ports,
    };
    vec![
        case("internal", |config| config.internal()),
        case("icc-off", |config| config.icc(Switch::Off)),
        case("masquerade-off", |config| config.masquerade(Switch::Off)),
        case("source-address", |config| {
            let config = config.source_address([192, 0, 2, 1]);
            config.source_address([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1])
        }),
        case("nat-unprotected", |config| {
            both(config, GatewayMode::NatUnprotected)
        }),
        case("routed", |config| both(config, GatewayMode::Routed)),
        case("isolated", |config| {
            both(config.internal(), GatewayMode::Isolated)
        }),
        case("trusted-link", |config| {
            config.trusted_host_interface("up0")
        }),
        case("host-binding", |config| config.host_binding([192, 0, 2, 1])),
    ]
}

fn of_endpoints() -> Vec<Case> {
    let case = |name, endpoint| Case {
        name,
        network: |config| config,
        endpoint,
    };
    vec![
        case("ports-of-any-address", ports),
        case("ports-of-one-address", || {
            let config = EndpointConfig::new().publish("192.0.2.1:8080-8081:80-81");
            config.publish("[2001:db8::1]:8080:80")
        }),
        case("ports-of-loopback", || {
            let config = EndpointConfig::new().publish("127.0.0.1:8080:80");
            config.publish("[::1]:8081:80/udp")
        }),
        case("source-guard-off", || {
            EndpointConfig::new().source_guard(Switch::Off)
        }),
    ]
}

fn elements(families: Families, case: &Case) -> Vec<String> {
    let network = (case.network)(config(families));
    World::new(netns(), network, (case.endpoint)()).elements()
}

fn plain(endpoint: fn() -> EndpointConfig) -> Case {
    Case {
        name: "plain",
        network: |config| config,
        endpoint,
    }
}

/// What `ours` has otherwise than `plain`: lines that are not there with `-`, others with `+`.
fn difference(plain: &[String], ours: &[String]) -> String {
    let [before, after] = [plain, ours].map(|lines| lines.iter().collect::<BTreeSet<_>>());
    let mut text = String::new();
    for line in before.difference(&after) {
        let _written = writeln!(text, "- {line}");
    }
    for line in after.difference(&before) {
        let _written = writeln!(text, "+ {line}");
    }
    text
}

fn check_all(cases: &[Case], plain: &Case) {
    let plain = FAMILIES.map(|families| elements(families, plain));
    for case in cases {
        let mut text = String::new();
        for (families, plain) in FAMILIES.into_iter().zip(&plain) {
            let _written = writeln!(text, "[{families:?}]");
            text += &difference(plain, &elements(families, case));
        }
        check(case.name, &text);
    }
}

#[test]
fn a_plain_network_and_a_container_are_these_elements() {
    let mut text = String::new();
    for families in FAMILIES {
        let _written = writeln!(text, "[{families:?}]");
        for line in elements(families, &plain(EndpointConfig::new)) {
            let _written = writeln!(text, "{line}");
        }
    }
    check("plain", &text);
}

#[test]
fn every_option_of_a_container_is_these_elements_more_and_less() {
    check_all(&of_endpoints(), &plain(EndpointConfig::new));
}

#[test]
fn every_option_of_a_network_is_these_elements_more_and_less() {
    check_all(&of_networks(), &plain(ports));
}

#[test]
fn the_tables_without_their_elements_are_always_the_same() {
    for case in of_networks() {
        let network = (case.network)(config(Families::Both));
        let world = World::new(netns(), network, (case.endpoint)());
        for family in ["inet", "bridge"] {
            let table = bare_table(world.host.netns(), family);
            check(&format!("table-{family}"), &table);
        }
    }
}

#[test]
fn the_tables_go_with_the_last_network_and_nothing_of_them_stays() {
    let World {
        endpoint,
        network,
        host,
    } = World::new(netns(), config(Families::Both), ports());
    endpoint.disconnect().expect("the end");
    network.remove().expect("the end");
    assert_eq!(crate::listing::nft(host.netns(), "list ruleset", ""), "");
}

#[test]
fn every_golden_file_belongs_to_a_case() {
    let cases = of_networks().into_iter().chain(of_endpoints());
    let mut names: BTreeSet<String> = cases.map(|case| case.name.to_owned()).collect();
    names.extend(["plain", "table-inet", "table-bridge"].map(str::to_owned));
    let files = std::fs::read_dir(directory()).expect("the golden files");
    let stem = |file: std::fs::DirEntry| {
        let path = file.path();
        path.file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    let files: BTreeSet<String> = files.map(|file| stem(file.expect("a file"))).collect();
    assert_eq!(files, names);
}
