//! What one container sees, by hand and against a naive reading of the same rules.

use std::net::IpAddr;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{address, endpoint, owner};
use crate::addr::Family;
use crate::resolver::{Answer, Membership, Names, Owner, Records, View};

fn records(network: &str, owners: &[(u32, &[&str], &[&str])]) -> Arc<Records> {
    let records = Records::new(network.parse().unwrap());
    for (number, names, addresses) in owners {
        records.insert(owner(*number, names, addresses));
    }
    Arc::new(records)
}

fn linked(records: &Arc<Records>, links: &[&str]) -> Membership {
    Membership {
        links: links.iter().map(|link| link.parse().unwrap()).collect(),
        ..Membership::from(Arc::clone(records))
    }
}

fn only(text: &str) -> Answer {
    Answer::Addresses(vec![address(text)])
}

#[test]
fn the_first_network_that_knows_the_name_answers_alone() {
    let first = records("n1", &[(1, &["db"], &["10.1.0.2"])]);
    let second = records(
        "n2",
        &[
            (2, &["db"], &["10.2.0.2", "fd02::2"]),
            (3, &["web"], &["10.2.0.3"]),
        ],
    );
    let view = View::new([first.clone().into(), second.clone().into()]);
    assert_eq!(view.lookup("db", Family::V4), only("10.1.0.2"));
    assert_eq!(view.lookup("db", Family::V6), Answer::NoData);
    assert_eq!(view.lookup("web", Family::V4), only("10.2.0.3"));
    view.replace([second.into(), first.into()]);
    assert_eq!(view.lookup("db", Family::V4), only("10.2.0.2"));
    assert_eq!(view.lookup("db", Family::V6), only("fd02::2"));
}

#[test]
fn a_name_with_its_network_leads_to_that_network_alone() {
    let first = records("n1", &[(1, &["db"], &["10.1.0.2"])]);
    let second = records("n2", &[(2, &["db", "x"], &["10.2.0.2"])]);
    let view = View::new([first.into(), second.into()]);
    assert_eq!(view.lookup("db.N2.", Family::V4), only("10.2.0.2"));
    assert_eq!(view.lookup("x.n1", Family::V4), Answer::Unknown);
    assert_eq!(view.lookup("db.n3", Family::V4), Answer::Unknown);
    for nothing in ["", ".", ".n1", "db.", "db..n1", "n1", "db.n1.n2"] {
        let expected = if nothing == "db." {
            only("10.1.0.2")
        } else {
            Answer::Unknown
        };
        assert_eq!(view.lookup(nothing, Family::V4), expected, "{nothing}");
    }
}

#[test]
fn a_whole_name_on_a_later_network_comes_before_a_name_in_a_network() {
    let first = records("x", &[(1, &["a"], &["10.1.0.2"])]);
    let second = records("y", &[(2, &["a.x"], &["10.2.0.2"])]);
    let view = View::new([first.into(), second.into()]);
    assert_eq!(view.lookup("a.x", Family::V4), only("10.2.0.2"));
}

#[test]
fn a_name_in_a_network_is_read_with_the_shortest_name_of_a_network_first() {
    let long = records("b.c", &[(1, &["a"], &["10.1.0.2"])]);
    let short = records("c", &[(2, &["a.b"], &["10.2.0.2"])]);
    let view = View::new([long.into(), short.into()]);
    assert_eq!(view.lookup("a.b.c", Family::V4), only("10.2.0.2"));
}

#[test]
fn a_private_alias_comes_before_every_name_and_stays_on_its_network() {
    let first = records("n1", &[(1, &["db"], &["10.1.0.2"])]);
    let second = records("n2", &[(2, &["mysql"], &["10.2.0.2"])]);
    let view = View::new([linked(&first, &[]), linked(&second, &["mysql:DB"])]);
    assert_eq!(view.lookup("db", Family::V4), only("10.2.0.2"));
    assert_eq!(view.lookup("db.n2", Family::V4), only("10.2.0.2"));
    assert_eq!(view.lookup("db.n1", Family::V4), only("10.1.0.2"));
    let other = View::new([linked(&first, &[]), linked(&second, &[])]);
    assert_eq!(other.lookup("db", Family::V4), only("10.1.0.2"));
}

#[test]
fn an_alias_whose_target_is_gone_gives_way_until_it_returns_elsewhere() {
    let first = records("n1", &[(1, &["db"], &["10.1.0.2"])]);
    let second = records("n2", &[]);
    let view = View::new([linked(&second, &["mysql:db"]), linked(&first, &[])]);
    assert_eq!(view.lookup("db", Family::V4), only("10.1.0.2"));
    second.insert(owner(2, &["mysql"], &["10.2.0.7"]));
    assert_eq!(view.lookup("db", Family::V4), only("10.2.0.7"));
}

#[test]
fn an_alias_is_no_way_to_another_alias() {
    let records = records("n1", &[(1, &["mysql"], &["10.1.0.2"])]);
    let view = View::new([linked(&records, &["mysql:db", "db:store"])]);
    assert_eq!(view.lookup("store", Family::V4), Answer::Unknown);
}

#[test]
fn an_address_leads_to_the_first_network_that_knows_it() {
    let first = records("n1", &[(1, &["db"], &["10.1.0.2"])]);
    let second = records("n2", &[(2, &["web"], &["10.1.0.2", "10.2.0.2"])]);
    let view = View::new([first.into(), second.into()]);
    let reverse = |text| view.reverse(address(text));
    assert_eq!(reverse("10.1.0.2").as_deref(), Some("db.n1."));
    assert_eq!(reverse("10.2.0.2").as_deref(), Some("web.n2."));
    assert_eq!(reverse("10.3.0.2"), None);
    let asked = view.reverse_lookup("2.0.2.10.in-addr.arpa.");
    assert_eq!(asked.as_deref(), Some("web.n2."));
}

pub(super) const NETWORKS: [&str; 4] = ["n", "N.m", "m", "o"];
pub(super) const NAMES: [&str; 7] = ["a", "A", "b", "a.n", "a.b", "b.N.m", "m"];

#[derive(Debug, Clone)]
pub(super) struct Part {
    network: &'static str,
    owners: Vec<Owner>,
    links: Vec<(&'static str, &'static str)>,
}

pub(super) fn parts() -> impl Strategy<Value = Vec<Part>> {
    let names = || vec(select(&NAMES[..]), 1..3);
    let owners = (names(), vec((0_u8..5, any::<bool>()), 0..3)).prop_map(|(names, addresses)| {
        let mut names = names.into_iter().map(|name| name.parse().unwrap());
        let names = Names::new(names.next().unwrap(), names);
        let addresses = addresses.into_iter().map(|(last, v4)| match v4 {
            true => IpAddr::from([10, 0, 0, last]),
            false => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, u16::from(last)]),
        });
        (names, addresses.collect::<Vec<_>>())
    });
    let links = vec((select(&NAMES[..]), select(&NAMES[..])), 0..3);
    let part = (select(&NETWORKS[..]), vec(owners, 0..3), links);
    let part = part.prop_map(|(network, owners, links)| Part {
        network,
        owners: (0..)
            .zip(owners)
            .map(|(number, (names, addresses))| Owner::new(endpoint(number), names, addresses))
            .collect(),
        links,
    });
    vec(part, 0..4)
}

pub(super) fn membership(part: &Part) -> Membership {
    let records = Records::new(part.network.parse().unwrap());
    for owner in &part.owners {
        records.insert(owner.clone());
    }
    let links = part
        .links
        .iter()
        .map(|(target, alias)| format!("{target}:{alias}"));
    Membership {
        links: links.map(|link| link.parse().unwrap()).collect(),
        ..Membership::from(Arc::new(records))
    }
}

/// What one network says of exactly this name.
fn ask(part: &Part, name: &str, family: Family) -> Answer {
    let called = |owner: &&Owner| {
        owner
            .names()
            .iter()
            .any(|held| held.as_str().to_lowercase() == name)
    };
    let owners: Vec<&Owner> = part.owners.iter().filter(called).collect();
    let addresses: Vec<IpAddr> = owners
        .iter()
        .flat_map(|owner| owner.addresses().iter().copied())
        .filter(|address| address.is_ipv4() == (family == Family::V4))
        .collect();
    match (owners.is_empty(), addresses.is_empty()) {
        (true, _) => Answer::Unknown,
        (false, true) => Answer::NoData,
        (false, false) => Answer::Addresses(addresses),
    }
}

fn expect(parts: &[Part], name: &str, family: Family) -> Answer {
    let name = name.strip_suffix('.').unwrap_or(name).to_lowercase();
    let labels: Vec<&str> = name.split('.').collect();
    let mut answers = Vec::new();
    for count in (1..=labels.len()).rev() {
        let (name, network) = (labels[..count].join("."), labels[count..].join("."));
        let here = |part: &&Part| {
            network.is_empty() && count == labels.len() || part.network.to_lowercase() == network
        };
        for part in parts.iter().filter(here) {
            for (target, alias) in &part.links {
                if alias.to_lowercase() == name {
                    answers.push(ask(part, &target.to_lowercase(), family));
                }
            }
        }
        for part in parts.iter().filter(here) {
            answers.push(ask(part, &name, family));
        }
    }
    answers.retain(|answer| *answer != Answer::Unknown);
    answers.into_iter().next().unwrap_or(Answer::Unknown)
}

proptest! {
    #[test]
    fn a_view_answers_as_its_rules_read_aloud(before in parts(), parts in parts()) {
        let view = View::new(before.iter().map(membership));
        view.replace(parts.iter().map(membership));
        for name in NAMES {
            let qualified = NETWORKS.iter().map(|network| format!("{name}.{network}"));
            for name in qualified.chain([name.to_owned(), format!("{name}."), format!(".{name}")]) {
                for family in [Family::V4, Family::V6] {
                    let expected = expect(&parts, &name, family);
                    prop_assert_eq!(view.lookup(&name, family), expected, "{}", name);
                }
            }
        }
        for last in 0..5 {
            let address = IpAddr::from([10, 0, 0, last]);
            let holds = |part: &&Part| part.owners.iter().any(|o| o.addresses().contains(&address));
            let network = view.reverse(address).map(|name| {
                let (_, network) = name.trim_end_matches('.').split_once('.').unwrap_or_default();
                network.to_owned()
            });
            let first = parts.iter().find(holds).map(|part| part.network);
            prop_assert!(network.is_none() == first.is_none());
            prop_assert!(network.unwrap_or_default().ends_with(first.unwrap_or_default()));
        }
    }

    #[test]
    fn any_bytes_may_be_asked_of_a_view(name in vec(any::<u8>(), 0..300), parts in parts()) {
        let view = View::new(parts.iter().map(membership));
        let _any = view.lookup(&name, Family::V4);
        prop_assert_eq!(view.reverse_lookup(&name), None);
    }
}
