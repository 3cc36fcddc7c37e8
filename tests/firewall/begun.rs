//! What begins while somebody has removed the rules goes by them once they are back, as long as it
//! may last: the kernel leads each packet of a flow as it led the first.

use std::net::SocketAddr;

use bridgework::plan::Switch;
use bridgework::{Endpoint, EndpointConfig, Host, HostConfig};

use crate::publishing::moves::Client;
use crate::world::{Ground, Guard, Place, dual};

/// A host where nobody watches, and a container with a port.
fn scene(ground: &Ground) -> (Host, Endpoint) {
    let config = HostConfig::new().netns(ground.netns().clone());
    let host = Host::open_with(config.watch(Switch::Off)).expect("a host");
    let network = host.create_network(dual(1)).expect("a network");
    let one = crate::lab::container("C1");
    let ports = EndpointConfig::new().publish("8053:53/udp");
    let one = network.connect_with(&one, ports).expect("an endpoint");
    (host, one)
}

/// As who reloads a firewall that knows connections, and only its own rules.
fn reload(ground: &Ground) {
    crate::text::nft(
        ground.netns(),
        "flush ruleset\ntable inet filter { chain forward { \
         type filter hook forward priority 0; policy accept; ct state established accept; }; \
         chain input { type filter hook input priority 0; policy accept; ct state new accept; }; }\n",
    );
}

#[test]
fn a_client_that_asked_while_the_rules_were_flushed_is_answered_once_they_are_back() {
    let ground = Ground::new(Guard::On);
    let (host, one) = scene(&ground);
    let _server = one.serve(53);
    for at in ground.a.host_addresses() {
        reload(&ground);
        let client = Client::of(&ground.a, SocketAddr::new(at, 8053));
        client.tell();
        assert!(!host.repair().expect("repaired").is_empty());
        assert_eq!(client.ask(), "C1");
    }
}

#[test]
fn a_container_that_asked_meanwhile_is_seen_by_an_address_of_the_hosts_from_then_on() {
    let ground = Ground::new(Guard::On);
    let (host, one) = scene(&ground);
    let _server = ground.a.serve(53);
    let pairs = Place::addresses(&ground.a).into_iter();
    for (at, seen) in pairs.zip(ground.a.host_addresses()) {
        reload(&ground);
        let client = Client::of(&one, SocketAddr::new(at, 53));
        client.tell();
        assert!(!host.repair().expect("repaired").is_empty());
        assert_eq!(client.last_seen(), seen);
    }
}

/// As it is with who watches: it takes moments, and some clients begin in them.
#[test]
fn of_clients_that_begin_all_the_time_each_is_answered_once_the_rules_are_back() {
    const CLIENTS: usize = 400;
    let ground = Ground::new(Guard::On);
    let network = ground.network(1, |config| config);
    let ports = EndpointConfig::new().publish("8053:53/udp");
    let one = ground.connect(&network, "C1", ports);
    let _server = one.serve(53);
    let [at, _] = ground.a.host_addresses();
    let begin = || {
        let begin = |_| {
            let client = Client::of(&ground.a, SocketAddr::new(at, 8053));
            client.tell();
            client
        };
        (0..CLIENTS).map(begin).collect::<Vec<Client>>()
    };
    let clients = std::thread::scope(|scope| {
        let clients = scope.spawn(begin);
        while !clients.is_finished() {
            reload(&ground);
        }
        clients.join().expect("clients")
    });
    crate::lab::wait_until("the rules are back", || {
        ground.host.check().expect("looked at").is_empty()
    });
    for client in &clients {
        assert_eq!(client.ask(), "C1");
    }
}
