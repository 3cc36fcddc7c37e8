//! A process that comes, does one thing and goes has to do with one container, and knows of all others what
//! is written down: what it does is right all the same.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use bridgework::{Container, ContainerConfig, EndpointConfig, Host, Netns, NetworkConfig};

use crate::lab::{self, machine::sight};
use crate::residents;
use crate::shared::two_hosts;
use crate::traffic::difference;

fn web() -> NetworkConfig {
    NetworkConfig::bridge("web").subnet("10.89.0.0/24")
}

fn publishing(mapping: &str) -> EndpointConfig {
    EndpointConfig::new().publish(mapping)
}

/// What there is but for the states of bridges, which are those of whom they have had.
pub fn all_but_states(host: &Host) -> Vec<String> {
    let mut lines = sight(host.netns());
    lines.retain(|line| !line.contains("BROADCAST,MULTICAST"));
    let lines = lines.iter().map(|line| line.replace("linkdown ", ""));
    lines.collect()
}

/// The link by which the container's packets leave.
fn way_out(container: &Container) -> String {
    let routes = lab::ip_json(container.netns(), "-4 route show default").unwrap_or_default();
    assert_eq!(routes.len(), 1, "{routes:?}");
    routes[0]["dev"].as_str().unwrap().to_owned()
}

/// Whether a connection to that port of the host's comes to port 80 of the container.
fn leads(host: &Host, port: u16, server: &Container) -> bool {
    let bind = || server.run(|| TcpListener::bind("0.0.0.0:80")).unwrap().ok();
    let listening = lab::wait_for("a listener", bind);
    let at = SocketAddr::from(([10, 89, 0, 1], port));
    let connect = || TcpStream::connect_timeout(&at, Duration::from_secs(2));
    let connected = host.netns().run(connect).unwrap();
    let Ok(connected) = connected else {
        return false;
    };
    let (_far, from) = listening.accept().unwrap();
    from.port() == connected.local_addr().unwrap().port()
}

#[test]
fn what_somebody_else_has_is_refused_in_the_same_words() {
    let [one, passing] = two_hosts();
    let network = one.create_network(web()).unwrap();
    let app = lab::container("app");
    let _app = network.connect_with(&app, publishing("8080:80")).unwrap();
    let same = passing.network("web").unwrap();
    let (again, db) = (lab::container("app"), lab::container("db"));
    for (container, config) in [
        (&again, EndpointConfig::new()),
        (&db, publishing("8080:80")),
        (&db, publishing("127.0.0.1:8080:80")),
        (&db, EndpointConfig::new().ip([10, 89, 0, 2])),
    ] {
        let told = |network: &bridgework::Network| {
            let refused = network.connect_with(container, config.clone());
            refused.unwrap_err().to_string()
        };
        assert_eq!(told(&same), told(&network));
    }
    let next = same.connect_with(&db, publishing("8080-8081:80")).unwrap();
    assert_eq!(next.published()[0].host_port.get(), 8081);
}

#[test]
fn a_container_of_somebody_elses_gets_one_more_network_and_loses_the_first() {
    let [one, passing] = two_hosts();
    let network = one.create_network(web()).unwrap();
    let (app, _made) = residents::opened("app");
    one.keep(&app).unwrap();
    let at_web = network.connect_with(&app, publishing("8080:80")).unwrap();
    at_web.persist().unwrap();
    let before = all_but_states(&passing);
    let first = passing.create_network(NetworkConfig::bridge("first").subnet("10.90.0.0/24"));
    let first = first.unwrap();
    let same = passing.container("app").unwrap();
    let second = first.connect(&same).unwrap();
    assert_eq!(second.link_name().as_str(), "eth1");
    assert_eq!(way_out(&app), "eth1");
    assert!(leads(&passing, 8080, &app));
    second.disconnect().unwrap();
    assert_eq!(way_out(&app), "eth0");
    assert!(leads(&passing, 8080, &app));
    first.remove().unwrap();
    assert_eq!(difference(&all_but_states(&passing), &before), None);
}

#[test]
fn of_somebody_elses_interfaces_the_first_of_those_that_are_left_leads_out() {
    const INTERFACES: usize = 5;
    let [one, passing] = two_hosts();
    let network = one.create_network(web()).unwrap();
    network.persist().unwrap();
    let (_, made) = residents::pinned("all");
    let name = |number| format!("c{number}");
    let mut endpoints = Vec::new();
    for number in 0..INTERFACES {
        let netns = Netns::at(made.path()).unwrap();
        let container = Container::open(ContainerConfig::new(name(number), netns)).unwrap();
        endpoints.push(network.connect(&container).unwrap());
    }
    // whoever reads their records reads them in another order than that of their coming
    while let Some(endpoint) = endpoints.pop() {
        endpoint.persist().unwrap();
    }
    let container = Container::open(ContainerConfig::new("all", made)).unwrap();
    for number in 0..INTERFACES - 1 {
        assert_eq!(way_out(&container), format!("eth{number}"));
        let same = passing.network("web").unwrap();
        same.disconnect(&name(number)).unwrap();
    }
}

#[test]
fn what_somebody_else_has_connected_is_disconnected_and_nothing_of_it_is_left() {
    let [one, passing] = two_hosts();
    let network = one.create_network(web()).unwrap();
    network.persist().unwrap();
    let before = all_but_states(&passing);
    let app = lab::container("app");
    let at_web = network.connect_with(&app, publishing("8080:80")).unwrap();
    at_web.persist().unwrap();
    let same = passing.network("web").unwrap();
    same.disconnect("app").unwrap();
    assert_eq!(difference(&all_but_states(&passing), &before), None);
    assert_eq!((same.endpoints(), network.endpoints()), (vec![], vec![]));
    same.remove().unwrap();
}

#[test]
fn whoever_finds_the_tables_gone_makes_those_of_all_again() {
    let [one, passing] = two_hosts();
    let network = one.create_network(web()).unwrap();
    let app = lab::container("app");
    network
        .connect_with(&app, publishing("8080:80"))
        .unwrap()
        .persist()
        .unwrap();
    network.persist().unwrap();
    // nobody who would see it lives
    drop((network, one));
    lab::output(passing.netns(), "nft flush ruleset").unwrap();
    let db = lab::container("db");
    let same = passing.network("web").unwrap();
    let _db = same.connect_with(&db, publishing("8081:80")).unwrap();
    assert!(leads(&passing, 8081, &db));
    assert!(leads(&passing, 8080, &app));
}

#[test]
fn what_is_shown_of_somebody_elses_container_is_all_that_there_is() {
    let [one, passing] = two_hosts();
    let network = one.create_network(web()).unwrap();
    let (app, _made) = residents::opened("app");
    one.keep(&app).unwrap();
    let config = publishing("8080:80").alias("api");
    let _app = network.connect_with(&app, config).unwrap();
    let same = passing.container("app").unwrap();
    assert_eq!(passing.inspect(&same), one.inspect(&app));
    let same = passing.network("web").unwrap();
    assert_eq!(same.inspect(), network.inspect());
    let found = same.records().lookup("api", bridgework::Family::V4);
    assert_eq!(
        found,
        network.records().lookup("api", bridgework::Family::V4)
    );
}
