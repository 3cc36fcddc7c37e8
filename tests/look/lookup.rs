//! Which network a term means.

use bridgework::inspect::find;
use bridgework::{Fault, FaultClass, NetworkId, NetworkName};
use proptest::prelude::*;

fn id(text: &str) -> NetworkId {
    format!("{text:0<64}").parse().unwrap()
}

fn networks(names: &[(&str, &str)]) -> Vec<(NetworkId, NetworkName)> {
    let of = |(prefix, name): &(&str, &str)| (id(prefix), name.parse().unwrap());
    names.iter().map(of).collect()
}

fn find_in(networks: &[(NetworkId, NetworkName)], term: &str) -> Result<NetworkId, Fault> {
    find(networks.iter().map(|(id, name)| (*id, name)), term)
}

#[test]
fn a_name_is_preferred_to_the_beginning_of_an_id_and_a_full_id_to_both() {
    let all = networks(&[("abc1", "web"), ("abd2", "abc"), ("cafe", "abc1")]);
    assert_eq!(find_in(&all, "web"), Ok(id("abc1")));
    assert_eq!(
        find_in(&all, "abc"),
        Ok(id("abd2")),
        "its name, another's digits"
    );
    assert_eq!(find_in(&all, "abc1"), Ok(id("cafe")));
    assert_eq!(find_in(&all, "abc10"), Ok(id("abc1")));
    assert_eq!(find_in(&all, &id("abc1").to_string()), Ok(id("abc1")));
}

#[test]
fn the_beginning_of_several_ids_is_ambiguous_in_docker_s_words() {
    let all = networks(&[("abc1", "web"), ("abd2", "db"), ("cafe", "x")]);
    let fault = find_in(&all, "ab").unwrap_err();
    let words = "network ab is ambiguous (2 matches found based on ID prefix)";
    assert_eq!(fault.to_string(), words);
    assert_eq!(fault.class(), FaultClass::Invalid);
    assert_eq!(find_in(&all, "c"), Ok(id("cafe")));
}

#[test]
fn what_is_neither_a_name_nor_a_beginning_is_not_found() {
    let all = networks(&[("abc1", "web")]);
    for term in ["", "we", "webs", "WEB", "ABC1", "bc1", "abc1x", "é"] {
        let fault = find_in(&all, term).expect_err(term);
        assert_eq!(fault.to_string(), format!("network {term} not found"));
        assert_eq!(fault.class(), FaultClass::NotFound);
    }
    let long = format!("{}0", id("abc1"));
    assert!(find_in(&all, &long).is_err());
}

/// Three walks, one for each rule.
fn model(networks: &[(NetworkId, NetworkName)], term: &str) -> Result<NetworkId, Fault> {
    let text = |id: &NetworkId| id.to_string();
    if let Some((id, _)) = networks.iter().find(|(id, _)| text(id) == term) {
        return Ok(*id);
    }
    if let Some((id, _)) = networks.iter().find(|(_, name)| name.as_str() == term) {
        return Ok(*id);
    }
    let begins = |(id, _): &&(NetworkId, NetworkName)| text(id).starts_with(term);
    let found: Vec<_> = networks.iter().filter(begins).collect();
    match (&found[..], term) {
        ([], _) | (_, "") => Err(Fault::NetworkNotFound {
            name: term.to_owned(),
        }),
        ([(id, _)], _) => Ok(*id),
        (many, _) => Err(Fault::NetworkAmbiguous {
            term: term.to_owned(),
            matches: many.len(),
        }),
    }
}

/// Few digits, so that names, beginnings and whole ids meet.
fn few_networks() -> impl Strategy<Value = Vec<(NetworkId, NetworkName)>> {
    let one = ("[ab]{1,4}", "[ab]{1,4}");
    proptest::collection::btree_map(one.0, one.1, 0..8).prop_map(|map| {
        let of = |(prefix, name): (String, String)| (id(&prefix), name.parse().unwrap());
        map.into_iter().map(of).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn look_up_means_what_the_three_rules_mean(
        all in few_networks().prop_shuffle(),
        term in prop_oneof!["[ab0]{0,5}", "[ab]{1,3}0{0,3}", any::<String>()],
        pick in any::<prop::sample::Index>(),
        len in 0..=64_usize,
    ) {
        prop_assert_eq!(find_in(&all, &term), model(&all, &term));
        if !all.is_empty() {
            let digits = pick.get(&all).0.to_string();
            let term = &digits[..len];
            prop_assert_eq!(find_in(&all, term), model(&all, term));
        }
    }
}
