//! Which network a container's default routes lead by: a table written by hand, and sequences of
//! coming and going against Docker's rule. What `ip` shows counts.

use std::collections::BTreeMap;

use bridgework::{Endpoint, EndpointConfig, Host, Network, NetworkConfig};
use proptest::prelude::*;

use super::{defaults, led_by};
use crate::lab;

/// What a network has to offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    V4,
    V6,
    Dual,
    Internal,
}

use Kind::{Dual, Internal, V4, V6};

fn network(host: &Host, name: &str, kind: Kind, number: usize) -> Network {
    let mut config = NetworkConfig::bridge(name);
    if kind == V6 {
        config = config.ipv4(bridgework::plan::Switch::Off);
    } else {
        config = config.subnet(format!("10.78.{number}.0/24").as_str());
    }
    if kind != V4 {
        config = config.subnet(format!("fd00:78:{number:x}::/64").as_str());
    }
    if kind == Internal {
        config = config.internal();
    }
    host.create_network(config).unwrap()
}

type Row = (
    &'static [(&'static str, Kind, i32)],
    &'static str,
    &'static str,
);

/// Networks in the order in which they are connected, and the ones that lead out in the end.
const TABLE: &[Row] = &[
    (&[("a", Dual, 0)], "a", "a"),
    (&[("a", Internal, 9)], "", ""),
    // the name, in the order of its bytes
    (&[("b", Dual, 0), ("a", Dual, 0)], "a", "a"),
    (&[("a", Dual, 0), ("b", Dual, 0)], "a", "a"),
    (&[("n2", Dual, 0), ("n10", Dual, 0)], "n10", "n10"),
    (&[("a", Dual, 0), ("B", Dual, 0)], "B", "B"),
    // both families before one
    (&[("a", V4, 0), ("b", Dual, 0)], "b", "b"),
    (&[("b", Dual, 0), ("a", V6, 0)], "b", "b"),
    // the priority before all
    (&[("b", Dual, 0), ("a", V4, 1)], "a", "b"),
    (&[("b", Dual, 0), ("a", V6, 1)], "b", "a"),
    (&[("a", Dual, -1), ("b", V4, 0)], "b", "a"),
    (&[("a", Dual, i32::MIN), ("b", Dual, i32::MAX)], "b", "b"),
    // each family by itself
    (&[("a", V4, 0), ("b", V6, 0)], "a", "b"),
    (&[("a", V6, 0), ("b", V4, 0)], "b", "a"),
    (&[("a", V4, 1), ("b", V6, 1), ("c", Dual, 0)], "a", "b"),
    // an internal one never
    (&[("a", Internal, 5), ("b", V4, 0)], "b", ""),
    (&[("b", Dual, -5), ("a", Internal, 5)], "b", "b"),
    (&[("a", Internal, 0), ("b", Internal, 1)], "", ""),
];

#[test]
fn the_default_routes_lead_by_the_networks_of_the_table() {
    for (networks, v4, v6) in TABLE {
        let host = lab::host();
        let container = lab::container("c");
        let (mut endpoints, mut links) = (Vec::new(), BTreeMap::new());
        for (at, &(name, kind, priority)) in networks.iter().enumerate() {
            let network = network(&host, name, kind, at);
            let config = EndpointConfig::new().priority(priority);
            endpoints.push(network.connect_with(&container, config).unwrap());
            links.insert(name, format!("eth{at}"));
        }
        let expected = [v4, v6].map(|name| links.get(name).cloned());
        let Some(found) = led_by(container.netns()) else {
            return;
        };
        assert_eq!(found, expected, "{networks:?}");
    }
}

/// One that is there: its rank, as the rule puts it in words, and what it leads by.
struct There {
    endpoint: Endpoint,
    name: &'static str,
    kind: Kind,
    priority: i32,
    number: usize,
}

const NETWORKS: [(&str, Kind); 7] = [
    ("aa", V4),
    ("ab", Dual),
    ("b", V6),
    ("ba", Internal),
    ("c", Dual),
    ("ca", V6),
    ("d", V4),
];

/// The rule, written without the code that follows it: whoever is beaten by nobody.
fn chosen(there: &[There], wanted: Kind) -> Option<&There> {
    let leads = |one: &&There| one.kind == wanted || one.kind == Dual;
    let candidates: Vec<&There> = there.iter().filter(leads).collect();
    let beats = |one: &There, other: &There| {
        if one.priority != other.priority {
            return one.priority > other.priority;
        }
        if (one.kind == Dual) != (other.kind == Dual) {
            return one.kind == Dual;
        }
        one.name < other.name
    };
    let unbeaten = |one: &&&There| !candidates.iter().any(|other| beats(other, one));
    candidates.iter().find(unbeaten).copied()
}

/// The next hop is the network's own, so both together tell which network it is.
fn expected(there: &[There]) -> [Vec<(String, String)>; 2] {
    let of = |wanted: Kind| {
        let chosen = chosen(there, wanted)?;
        let gateway = match wanted {
            V4 => format!("10.78.{}.1", chosen.number),
            _ => match chosen.number {
                0 => "fd00:78::1".to_owned(),
                number => format!("fd00:78:{number:x}::1"),
            },
        };
        Some((chosen.endpoint.link_name().to_string(), gateway))
    };
    [V4, V6].map(|wanted| Vec::from_iter(of(wanted)))
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 12,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Whatever comes and goes, in whatever order, alone or several together.
    #[test]
    fn the_default_routes_follow_the_rule_at_every_step(
        steps in prop::collection::vec((0..NETWORKS.len(), -1..2i32, 0..4u8), 4..14),
    ) {
        let host = lab::host();
        let container = lab::container("c");
        let networks: Vec<Network> = NETWORKS
            .iter()
            .zip(0..)
            .map(|((name, kind), number)| network(&host, name, *kind, number))
            .collect();
        let mut there: Vec<There> = Vec::new();
        for (number, priority, way) in steps {
            let (name, kind) = NETWORKS[number];
            match (there.iter().position(|one| one.number == number), way) {
                (Some(at), 0) => there.swap_remove(at).endpoint.disconnect().unwrap(),
                (Some(at), 1) => {
                    let one = there.remove(at);
                    networks[number].disconnect("c").unwrap();
                    drop(one);
                }
                (Some(at), _) => {
                    let several = there.split_off(at);
                    let endpoints = several.into_iter().map(|one| one.endpoint);
                    Endpoint::disconnect_all(endpoints).unwrap();
                }
                (None, _) => {
                    let config = EndpointConfig::new().priority(priority);
                    let endpoint = networks[number].connect_with(&container, config).unwrap();
                    there.push(There { endpoint, name, kind, priority, number });
                }
            }
            for (option, expected) in ["-4", "-6"].into_iter().zip(expected(&there)) {
                let Some(found) = defaults(container.netns(), option) else {
                    return Ok(());
                };
                let names: Vec<_> = there.iter().map(|t| (t.name, t.priority)).collect();
                prop_assert_eq!(found, expected, "{} with {:?}", option, names);
            }
        }
    }
}
