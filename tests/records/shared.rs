//! What one makes, the other finds, uses and takes away.

use std::sync::Arc;

use bridgework::plan::Switch;
use bridgework::store::Memory;
use bridgework::{
    Container, ContainerConfig, EndpointConfig, Host, HostConfig, Netns, NetworkConfig,
};

use crate::lab::{self, udp_both_ways};

/// Two hosts that have a store in common: one that keeps an eye on all containers, and one of a process
/// that only comes and goes, to which others' containers are records.
pub(crate) fn two_hosts() -> [Host; 2] {
    let netns = Netns::create().unwrap();
    let store = Memory::new();
    [Switch::On, Switch::Off].map(|watch| {
        let config = HostConfig::new().netns(netns.clone()).watch(watch);
        let config = config.store(Arc::new(store.open())).resolver(watch);
        Host::open_with(config).unwrap()
    })
}

fn net(name: &str) -> NetworkConfig {
    NetworkConfig::bridge(name)
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64")
}

#[test]
fn a_network_that_one_makes_is_found_by_the_other_and_removed_there() {
    let [one, other] = two_hosts();
    let network = one.create_network(net("web")).unwrap();
    network.persist().unwrap();
    let same = other.network("web").unwrap();
    assert_eq!(same.spec(), network.spec());
    assert_eq!(same.plan().to_string(), network.plan().to_string());
    same.remove().unwrap();
    assert!(one.network("web").unwrap_err().is_not_found());
    assert_eq!(
        lab::has_link(one.netns(), network.spec().link.name.as_str()),
        Some(false)
    );
    one.create_network(net("web")).unwrap();
}

/// Links that are ways out, of both kinds and in either family, and some that are none.
fn somebody_elses_links(netns: &Netns) {
    for command in [
        "ip link set lo up",
        "ip link add up0 type veth peer name up1",
        "ip addr add 192.0.2.1/24 dev up0",
        "ip link add six0 type veth peer name six1",
        "ip addr add 2001:db8::1/64 dev six0 nodad",
        "ip addr add 169.254.3.1/16 dev six1",
        "ip link add br-lan type bridge",
        "ip addr add 10.60.0.1/24 dev br-lan",
        "ip link add br-bare type bridge",
        "ip link set br-bare up",
    ] {
        let _said = lab::output(netns, command);
    }
}

#[test]
fn what_was_done_for_a_network_is_known_to_the_other_beside_somebody_elses_links() {
    let [one, other] = two_hosts();
    somebody_elses_links(one.netns());
    let made = one.create_network(net("web")).unwrap();
    let adopted = NetworkConfig::bridge("lan").bridge_name("br-lan");
    let adopted = adopted.subnet("10.60.0.0/24");
    let adopted = one.adopt_network(adopted).unwrap();
    for network in [made, adopted] {
        let same = other.network(network.name().as_str()).unwrap();
        assert_eq!(same.plan(), network.plan(), "{}", network.plan());
    }
}

#[test]
fn names_and_subnets_that_the_other_has_are_taken() {
    let [one, other] = two_hosts();
    let _web = one.create_network(net("web")).unwrap();
    assert!(other.create_network(net("web")).unwrap_err().is_exists());
    let overlap = NetworkConfig::bridge("db").subnet("10.89.0.0/16");
    assert!(other.create_network(overlap).unwrap_err().is_exists());
    let free = other.create_network(NetworkConfig::bridge("db")).unwrap();
    let again = one.create_network(NetworkConfig::bridge("app")).unwrap();
    assert_ne!(free.spec().ipv4, again.spec().ipv4);
}

#[test]
fn containers_that_two_connect_to_one_network_reach_each_other_and_share_no_address() {
    let [one, other] = two_hosts();
    let network = one.create_network(net("web")).unwrap();
    let same = other.network("web").unwrap();
    let containers: Vec<Container> = (0..6).map(|n| lab::container(&format!("c{n}"))).collect();
    let mut endpoints = Vec::new();
    for (at, container) in containers.iter().enumerate() {
        let network = [&network, &same][at % 2];
        endpoints.push(network.connect(container).unwrap());
    }
    let mut addresses: Vec<_> = endpoints.iter().map(|at| at.ip()).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), containers.len());
    assert_eq!(network.endpoints().len(), containers.len());
    udp_both_ways(&containers[0], &containers[1], endpoints[1].ip());
    drop(endpoints);
    assert_eq!((network.endpoints(), same.endpoints()), (vec![], vec![]));
}

#[test]
fn an_endpoint_that_another_process_made_is_opened_again_and_stays_when_it_is_dropped() {
    let [one, other] = two_hosts();
    let network = one.create_network(net("web")).unwrap();
    let app = lab::container("app");
    one.keep(&app).unwrap();
    let spec = network.connect(&app).unwrap().persist().unwrap();
    assert!(
        other
            .network("web")
            .unwrap()
            .endpoint("ap")
            .unwrap_err()
            .is_not_found()
    );
    let same = network.endpoint("app").unwrap();
    assert_eq!(same.spec(), &spec);
    let port = same.publish("8080:80").unwrap();
    drop(same);
    let wire = spec.host_link.name.as_str();
    assert_ne!(lab::has_link(one.netns(), wire), Some(false));
    assert_eq!(network.endpoint("app").unwrap().published(), port);
    network.endpoint("app").unwrap().disconnect().unwrap();
    assert_eq!(other.network("web").unwrap().endpoints(), []);
    assert!(network.endpoint("app").unwrap_err().is_not_found());
}

#[test]
fn what_one_has_connected_the_other_disconnects() {
    let [one, other] = two_hosts();
    let network = one.create_network(net("web")).unwrap();
    let app = lab::container("app");
    let config = EndpointConfig::new().alias("api").publish("8080:80");
    let spec = network
        .connect_with(&app, config)
        .unwrap()
        .persist()
        .unwrap();
    let same = other.network("web").unwrap();
    assert_eq!(same.endpoints(), std::slice::from_ref(&spec));
    assert!(same.remove().unwrap_err().is_in_use());
    let taken = lab::container("other");
    let port = EndpointConfig::new().publish("8080:80");
    assert!(
        same.connect_with(&taken, port.clone())
            .unwrap_err()
            .is_exists()
    );
    same.disconnect("app").unwrap();
    assert_eq!(
        lab::has_link(one.netns(), spec.host_link.name.as_str()),
        Some(false)
    );
    assert!(network.disconnect("app").unwrap_err().is_not_found());
    let _free = same.connect_with(&taken, port).unwrap();
}

#[test]
fn ports_that_one_has_closed_are_not_opened_again_by_the_other() {
    let [one, other] = two_hosts();
    let networks = [net("web"), NetworkConfig::bridge("db")];
    let [web, db] = networks.map(|config| one.create_network(config).unwrap());
    let app = lab::container("app");
    let port = EndpointConfig::new().publish("8080:80");
    for network in [&web, &db] {
        network.persist().unwrap();
        let endpoint = network.connect_with(&app, port.clone()).unwrap();
        endpoint.persist().unwrap();
    }
    assert_eq!(other.check().unwrap(), []);
    let leads = || lab::output(one.netns(), "nft list ruleset").unwrap_or("8080".to_owned());
    for (network, is_open) in [(&web, true), (&db, false)] {
        network.disconnect("app").unwrap();
        let before = leads();
        assert_eq!(other.repair().unwrap(), []);
        assert_eq!(leads(), before);
        assert_eq!(before.contains("8080"), is_open);
    }
}

#[test]
fn a_container_of_another_process_is_linked_to_and_shared() {
    let [one, other] = two_hosts();
    let db = Container::isolated("db").unwrap();
    db.netns().pin(db.name()).unwrap();
    let pinned = Netns::named(db.name()).unwrap();
    let db = Container::open(ContainerConfig::new("db", pinned)).unwrap();
    let _at_db = one.default_network().unwrap().connect(&db).unwrap();

    let attach = |mode: &str, endpoint| {
        let mode = mode.parse().unwrap();
        other.attach(&mode, ContainerConfig::named("app"), endpoint)
    };
    let linked = attach("bridge", EndpointConfig::new().link("db:sql")).unwrap();
    drop(linked);
    let error = attach("bridge", EndpointConfig::new().link("nobody:sql")).unwrap_err();
    assert!(
        error.to_string().contains("cannot link to nobody"),
        "{error}"
    );
    for term in ["db".to_owned(), db.id().to_string()] {
        let beside = attach(&format!("container:{term}"), EndpointConfig::new()).unwrap();
        assert_eq!(beside.container.netns(), db.netns());
    }
    Netns::unpin(db.name()).unwrap();
}
