//! Names looked up in this process.

use std::net::IpAddr;

use bridgework::resolver::{Answer, reverse_name};
use bridgework::{Container, EndpointConfig, Family, Network, NetworkConfig};

use super::config;
use crate::lab;

fn dual() -> Network {
    let config = NetworkConfig::bridge("hmall")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64");
    lab::host().create_network(config).unwrap()
}

fn addresses(texts: &[&str]) -> Answer {
    Answer::Addresses(texts.iter().map(|text| text.parse().unwrap()).collect())
}

#[test]
fn every_name_of_a_container_leads_to_its_addresses_in_both_families() {
    let network = dual();
    let mysql = Container::open(config("mysql", 0xab).hostname("Sql-1")).unwrap();
    let config = EndpointConfig::new().alias("db").alias("primary.db");
    let _at = network.connect_with(&mysql, config).unwrap();
    let records = network.records();
    for name in ["mysql", "db", "primary.db", "abababababab", "sql-1"] {
        let spellings = [
            name.to_owned(),
            name.to_uppercase(),
            format!("{name}."),
            format!("{name}.hmall"),
        ];
        for spelling in spellings {
            let v4 = records.lookup(&spelling, Family::V4);
            assert_eq!(v4, addresses(&["10.89.0.2"]), "{spelling}");
            let v6 = records.lookup(&spelling, Family::V6);
            assert_eq!(v6, addresses(&["fd00:89::2"]), "{spelling}");
        }
    }
    for stranger in [
        "",
        ".",
        "hmall",
        "mysq",
        "mysql.other",
        "mysql.hmall.hmall",
        "ababab",
    ] {
        assert_eq!(
            records.lookup(stranger, Family::V4),
            Answer::Unknown,
            "{stranger}"
        );
    }
}

#[test]
fn an_address_leads_back_to_the_first_name() {
    let network = dual();
    let mysql = Container::open(config("mysql", 0xab)).unwrap();
    let at = network
        .connect_with(&mysql, EndpointConfig::new().alias("db"))
        .unwrap();
    let records = network.records();
    for address in at.ips() {
        assert_eq!(records.reverse(address).as_deref(), Some("mysql.hmall."));
        let question = reverse_name(address);
        assert_eq!(
            records.reverse_lookup(question).as_deref(),
            Some("mysql.hmall.")
        );
    }
    assert_eq!(records.reverse([10, 89, 0, 3].into()), None);
    let gone: Vec<IpAddr> = at.ips().collect();
    at.disconnect().unwrap();
    assert!(
        gone.into_iter()
            .all(|address| records.reverse(address).is_none())
    );
}

#[test]
fn a_name_without_an_address_of_the_family_is_known_all_the_same() {
    let host = lab::host();
    let config = NetworkConfig::bridge("v4").subnet("10.89.0.0/24");
    let network = host.create_network(config).unwrap();
    let _at = network.connect(&lab::container("web")).unwrap();
    let records = network.records();
    assert_eq!(records.lookup("web", Family::V4), addresses(&["10.89.0.2"]));
    assert_eq!(records.lookup("web", Family::V6), Answer::NoData);
    assert_eq!(records.lookup("web.v4", Family::V6), Answer::NoData);
    assert_eq!(records.lookup("db", Family::V6), Answer::Unknown);
}

#[test]
fn an_alias_of_several_leads_to_all_of_them_in_the_order_in_which_they_came() {
    let network = dual();
    let connect = |name| {
        let config = EndpointConfig::new().alias("pool");
        network.connect_with(&lab::container(name), config).unwrap()
    };
    let [a, b, c] = ["a", "b", "c"].map(connect);
    let pool = || network.records().lookup("pool", Family::V4);
    assert_eq!(pool(), addresses(&["10.89.0.2", "10.89.0.3", "10.89.0.4"]));
    b.disconnect().unwrap();
    assert_eq!(pool(), addresses(&["10.89.0.2", "10.89.0.4"]));
    drop((a, c));
    assert_eq!(pool(), Answer::Unknown);
}

#[test]
fn a_name_is_there_when_connect_returns_and_gone_when_disconnect_does() {
    let network = dual();
    let records = network.records().clone();
    let web = lab::container("web");
    for _ in 0..20 {
        let at = network.connect(&web).unwrap();
        assert_eq!(
            records.lookup("web", Family::V4),
            Answer::Addresses(vec![at.ip()])
        );
        at.disconnect().unwrap();
        assert_eq!(records.lookup("web", Family::V4), Answer::Unknown);
        assert!(records.owners().is_empty());
    }
}

#[test]
fn a_connection_that_was_refused_left_no_name() {
    let network = dual();
    let web = lab::container("web");
    let config = EndpointConfig::new().alias("www").ip([10, 90, 0, 1]);
    network.connect_with(&web, config).unwrap_err();
    for name in ["web", "www"] {
        assert_eq!(network.records().lookup(name, Family::V4), Answer::Unknown);
    }
}

#[test]
fn names_of_one_network_are_not_known_on_another() {
    let host = lab::host();
    let [front, back] =
        ["front", "back"].map(|name| host.create_network(NetworkConfig::bridge(name)).unwrap());
    let web = lab::container("web");
    let _at_front = front
        .connect_with(&web, EndpointConfig::new().alias("www"))
        .unwrap();
    let at_back = back.connect(&web).unwrap();
    let lookup = |name: &str| back.records().lookup(name, Family::V4);
    assert_eq!(lookup("web"), Answer::Addresses(vec![at_back.ip()]));
    assert_eq!(lookup("www"), Answer::Unknown);
    assert_eq!(lookup("web.front"), Answer::Unknown);
}
