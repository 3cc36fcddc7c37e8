//! What claims overlap.

use crate::addr::{PublishedPort, Subnet};

use super::Claim;

fn port(at: &str, port: u32) -> Claim {
    let port = PublishedPort {
        host_address: at.parse().expect("an address"),
        host_port: crate::Port::new(port).expect("a port"),
        protocol: crate::Protocol::Tcp,
        container_port: crate::Port::new(80).expect("a port"),
    };
    Claim::port(&port)
}

#[test]
fn a_port_at_all_addresses_is_in_the_way_of_each_of_its_family() {
    assert!(port("0.0.0.0", 80).overlaps(&port("127.0.0.1", 80)));
    assert!(port("192.0.2.1", 80).overlaps(&port("0.0.0.0", 80)));
    assert!(port("::", 80).overlaps(&port("::1", 80)));
    assert!(!port("::", 80).overlaps(&port("0.0.0.0", 80)));
    assert!(!port("127.0.0.1", 80).overlaps(&port("127.0.0.2", 80)));
    assert!(!port("0.0.0.0", 80).overlaps(&port("0.0.0.0", 81)));
}

#[test]
fn subnets_overlap_as_they_do() {
    let claim = |text: &str| Claim::subnet(text.parse::<Subnet>().expect("a subnet"));
    assert!(claim("10.0.0.0/8").overlaps(&claim("10.1.0.0/16")));
    assert!(!claim("10.0.0.0/16").overlaps(&claim("10.1.0.0/16")));
    assert!(!claim("fd00::/64").overlaps(&claim("10.0.0.0/8")));
    assert_eq!(
        claim("10.1.0.0/16").to_string(),
        "subnet 4 10.1.0.0 to 10.1.255.255"
    );
}
