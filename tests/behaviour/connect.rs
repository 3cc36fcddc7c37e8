//! Two containers on a network of their own reach each other.

use bridgework::{EndpointConfig, NetworkConfig};

use crate::lab;

#[test]
fn two_containers_reach_each_other_by_udp_and_tcp_in_both_families() {
    let host = lab::host();
    let before = host.snapshot().unwrap();
    let config = NetworkConfig::bridge("hmall")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64");
    let network = host.create_network(config).unwrap();
    let (mysql, dd) = (lab::container("mysql"), lab::container("dd"));
    let at_mysql = network
        .connect_with(&mysql, EndpointConfig::new().alias("db"))
        .unwrap();
    let at_dd = network.connect(&dd).unwrap();
    println!("{}{}", network.plan(), at_dd.plan());
    for address in at_mysql.ips() {
        lab::udp_both_ways(&dd, &mysql, address);
        lab::tcp_both_ways(&dd, &mysql, address);
    }
    for address in at_dd.ips() {
        lab::udp_both_ways(&mysql, &dd, address);
        lab::tcp_both_ways(&mysql, &dd, address);
    }
    at_dd.disconnect().unwrap();
    drop(at_mysql);
    network.remove().unwrap();
    assert_eq!(host.snapshot().unwrap(), before);
}
