//! Two containers and the host: who reaches whom, by address, by name and by published ports.

use bridgework::Netns;
use serde_json::json;

use crate::asked::{network, publishing, request};
use crate::dns::A;
use crate::ground::{Machine, addresses_of, ask, pings, reaches};
use crate::lab::output;

/// rfc1035 §4.1.1
const NXDOMAIN: u8 = 3;

#[test]
fn two_containers_reach_each_other_by_address_and_by_name_until_they_are_taken_down() {
    let machine = Machine::new("reach");
    let [one, two] = [(); 2].map(|()| Netns::create().expect("a namespace"));
    let net = network(71, json!({}));
    let alias = json!({"aliases": ["web", "0123456789ab"]});
    let first = request(1, &net, &["10.71.0.2"], alias);
    let second = request(2, &net, &["10.71.0.3"], json!({}));
    machine.setup(&one, &first);
    machine.setup(&two, &second);
    assert!(pings(&one, "10.71.0.3") && pings(&two, "10.71.0.2"));
    assert!(reaches(&two, ("10.71.0.2", 80), &one, ("10.71.0.2", 80)));
    for name in [
        "c1",
        "C1",
        "web",
        "0123456789ab",
        "c1.dns.podman",
        "web.dns.podman",
    ] {
        assert_eq!(
            addresses_of(&two, "10.71.0.1", name),
            ["10.71.0.2"],
            "{name}"
        );
    }
    assert_eq!(addresses_of(&one, "10.71.0.1", "c2"), ["10.71.0.3"]);
    let host = &machine.netns;
    for name in ["c2", "c2.dns.podman"] {
        assert_eq!(addresses_of(host, "10.71.0.1", name), ["10.71.0.3"]);
    }
    // the name servers of the machine hear of none of these
    for (asker, name) in [
        (&one, "c3.dns.podman"),
        (&one, "x.c1.dns.podman"),
        (host, "c3.dns.podman"),
    ] {
        let told = ask(asker, "10.71.0.1", name, A).expect("an answer");
        assert_eq!((told.rcode(), told.says()), (NXDOMAIN, vec![]), "{name}");
    }
    machine.teardown(&one, &first);
    assert!(addresses_of(&two, "10.71.0.1", "c1").is_empty());
    assert!(pings(&two, "10.71.0.1") && !pings(&two, "10.71.0.2"));
    machine.teardown(&two, &second);
    machine.is_clean();
}

#[test]
fn published_ports_lead_to_the_container_by_the_host_s_address_and_by_ranges() {
    let machine = Machine::new("ports");
    let [web, app] = [(); 2].map(|()| Netns::create().expect("a namespace"));
    let ports = [
        ("", 8080, 80, 1),
        ("127.0.0.1", 5353, 53, 0),
        ("0.0.0.0", 9000, 9100, 3),
    ];
    let net = network(72, json!({}));
    let first = publishing(request(1, &net, &["10.72.0.2"], json!({})), &ports);
    let second = request(2, &network(73, json!({})), &["10.73.0.2"], json!({}));
    machine.setup(&web, &first);
    machine.setup(&app, &second);
    let host = &machine.netns;
    let at = |port| ("10.72.0.2", port);
    assert!(reaches(host, ("127.0.0.1", 8080), &web, at(80)));
    assert!(reaches(host, ("10.72.0.1", 8080), &web, at(80)));
    assert!(reaches(host, ("127.0.0.1", 5353), &web, at(53)));
    assert!(
        !reaches(host, ("10.72.0.1", 5353), &web, at(53)),
        "it is bound to loopback"
    );
    for (by, port) in [(9000, 9100), (9001, 9101), (9002, 9102)] {
        assert!(reaches(host, ("127.0.0.1", by), &web, at(port)), "{by}");
    }
    // from a container of another network, by its own gateway
    assert!(reaches(&app, ("10.73.0.1", 8080), &web, at(80)));
    assert!(
        !reaches(&app, ("10.72.0.2", 80), &web, at(80)),
        "not published so"
    );
    machine.teardown(&web, &first);
    let is_open = machine
        .netns
        .run(|| std::net::TcpStream::connect("127.0.0.1:8080").is_ok());
    assert!(!is_open.expect("inside"));
    machine.teardown(&app, &second);
    machine.is_clean();
}

/// As one that moves from machine to machine. Podman itself refuses one that is not there, unless it is
/// told not to reserve ports (`enable_port_reservation` in containers.conf(5)).
#[test]
fn a_port_at_an_address_that_the_host_gets_later_leads_to_the_container_from_then_on() {
    let machine = Machine::new("later");
    let web = Netns::create().expect("a namespace");
    let asked = request(1, &network(74, json!({})), &["10.74.0.2"], json!({}));
    let asked = publishing(asked, &[("192.0.2.77", 8080, 80, 1)]);
    machine.setup(&web, &asked);
    let host = &machine.netns;
    let is_there = || reaches(host, ("192.0.2.77", 8080), &web, ("10.74.0.2", 80));
    assert!(!is_there());
    output(host, "ip addr add 192.0.2.77/32 dev lo");
    assert!(is_there());
    output(host, "ip addr del 192.0.2.77/32 dev lo");
    machine.teardown(&web, &asked);
    machine.is_clean();
}
