//! Whom containers may ask, by where their networks lead.

use super::*;

fn outlook(servers: &[&str]) -> Outlook {
    let servers = servers
        .iter()
        .map(|server| server.parse().expect("a server"));
    Outlook {
        servers: servers.collect(),
        search: Vec::new(),
        domain: None,
    }
}

fn inside(subnet: &str) -> Reach {
    Reach::Inside(vec![subnet.parse().expect("a subnet")])
}

fn own(servers: &[&str]) -> Forwarding {
    Forwarding::Own(outlook(servers).servers.into())
}

#[test]
fn the_host_s_servers_are_asked_where_a_network_leads_out() {
    let reaches = [inside("10.0.0.0/24"), Reach::Outside];
    assert_eq!(outlook(&[]).forwarding(&reaches), Forwarding::Host);
}

#[test]
fn nobody_is_asked_where_no_network_leads_out() {
    assert_eq!(outlook(&[]).forwarding(&[]), Forwarding::Nobody);
    let reaches = [inside("10.0.0.0/24"), inside("fd00::/64")];
    assert_eq!(outlook(&[]).forwarding(&reaches), Forwarding::Nobody);
    let own = outlook(&["192.0.2.1", "10.0.1.1"]);
    assert_eq!(own.forwarding(&reaches), Forwarding::Nobody);
}

#[test]
fn a_server_on_an_internal_network_itself_may_be_asked() {
    let reaches = [inside("10.0.0.0/24")];
    let asked = outlook(&["192.0.2.1", "10.0.0.53"]).forwarding(&reaches);
    assert_eq!(asked, own(&["10.0.0.53"]));
}

#[test]
fn chosen_servers_take_the_place_of_the_host_s() {
    let asked = outlook(&["192.0.2.1", "127.0.0.1"]).forwarding(&[Reach::Outside]);
    assert_eq!(asked, own(&["192.0.2.1", "127.0.0.1"]));
}

#[test]
fn nobody_asks_itself() {
    let asked = outlook(&["127.0.0.11", "192.0.2.1"]).forwarding(&[Reach::Outside]);
    assert_eq!(asked, own(&["192.0.2.1"]));
    let asked = outlook(&["127.0.0.11"]).forwarding(&[Reach::Outside]);
    assert_eq!(asked, own(&[]));
}
