//! Disconnecting by a container's name, whatever has become of the container.

use std::fs;
use std::sync::Barrier;
use std::thread;

use bridgework::resolver::Answer;
use bridgework::{
    Container, ContainerConfig, EndpointConfig, Errno, Error, Family, FaultInjector, Host,
    HostConfig, HostsScope, Netns, Network,
};

use super::{Idler, dual, dual_config, ip, led_by, link_of, still};
use crate::lab::packet::{datagram, echo};
use crate::lab::{self, has_link, wait_until};
use crate::scratch;

fn asking() -> EndpointConfig {
    EndpointConfig::new().ip([10, 77, 0, 9])
}

fn not_connected(error: &Error, attempt: &str) {
    assert!(
        error.is_not_found() && error.left_behind().is_empty(),
        "{error}"
    );
    let text = "container c is not connected to network n";
    assert_eq!(error.to_string(), format!("{attempt}: {text}"));
}

fn both_refused(network: &Network) {
    not_connected(&network.disconnect("c").unwrap_err(), "disconnect c from n");
    let forced = network.disconnect_by_force("c").unwrap_err();
    not_connected(&forced, "disconnect c from n by force");
}

#[test]
fn who_is_not_connected_cannot_be_disconnected_and_nobody_twice() {
    let host = lab::host();
    let (network, other) = (dual(&host, "n", 0), dual(&host, "other", 1));
    both_refused(&network);
    let container = lab::container("c");
    let at_other = other.connect(&container).unwrap();
    both_refused(&network);
    let before = still(host.netns());
    let leave: [fn(&Network); 2] = [
        |network| network.disconnect("c").unwrap(),
        |network| assert!(network.disconnect_by_force("c").unwrap().is_empty()),
    ];
    for leave in leave {
        let endpoint = network.connect(&container).unwrap();
        leave(&network);
        both_refused(&network);
        // the handle has nothing left to do
        assert_ne!(has_link(container.netns(), "eth1"), Some(true));
        let again = network.connect(&container).unwrap();
        endpoint.disconnect().unwrap();
        assert_eq!(echo(host.netns(), again.ip()), Ok(()));
        let _spec = again.persist().unwrap();
        leave(&network);
        both_refused(&network);
        assert_eq!(still(host.netns()), before);
    }
    for strange in ["", "c d", "../c", "C", &"c".repeat(1000)] {
        let error = network.disconnect(strange).unwrap_err();
        assert!(error.is_not_found(), "{error}");
        assert!(network.disconnect_by_force(strange).is_err());
    }
    assert_eq!(echo(host.netns(), at_other.ip()), Ok(()));
}

#[test]
fn by_name_by_force_and_by_dropping_the_handle_at_once_it_goes_once() {
    let host = lab::host();
    let network = dual(&host, "n", 0);
    let before = still(host.netns());
    for _ in 0..25 {
        let container = lab::container("c");
        let endpoint = network.connect_with(&container, asking()).unwrap();
        let start = Barrier::new(4);
        let (start, network) = (&start, &network);
        let results = thread::scope(|scope| {
            let by_name = [0; 2].map(|_| {
                scope.spawn(move || {
                    start.wait();
                    network.disconnect("c")
                })
            });
            let by_force = scope.spawn(move || {
                start.wait();
                network.disconnect_by_force("c").map(drop)
            });
            start.wait();
            drop(endpoint);
            let mut results = by_name.map(|thread| thread.join().unwrap()).to_vec();
            results.push(by_force.join().unwrap());
            results
        });
        let refused: Vec<&Error> = results.iter().filter_map(|r| r.as_ref().err()).collect();
        assert!(refused.len() >= 2, "{results:?}");
        assert!(refused.iter().all(|e| e.is_not_found()), "{results:?}");
        assert_eq!(still(host.netns()), before);
        let other = lab::container("other");
        network.connect_with(&other, asking()).unwrap();
    }
}

/// Whoever comes second waits for the first.
#[test]
fn when_the_verb_returns_the_link_is_gone_whoever_took_it() {
    let host = lab::host();
    let network = dual(&host, "n", 0);
    for _ in 0..25 {
        let container = lab::container("c");
        let endpoint = network.connect(&container).unwrap();
        let start = Barrier::new(4);
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    start.wait();
                    let result = network.disconnect("c");
                    let seen = container.netns().snapshot().unwrap();
                    assert!(seen.link_named("eth0").is_none(), "{result:?}");
                });
            }
        });
        drop(endpoint);
    }
}

#[test]
fn where_the_namespace_is_gone_all_is_freed() {
    for waits in [true, false] {
        let host = lab::silent_host();
        let before = still(host.netns());
        let config = dual_config("n", 0).hosts(HostsScope::Everyone);
        let network = host.create_network(config).unwrap();
        let directory = scratch::Directory::new("force");
        let path = directory.path().join("hosts");
        let other = ContainerConfig::new("other", Netns::create().unwrap()).hosts_file(&path);
        let other = Container::open(other).unwrap();
        let _at_other = network.connect(&other).unwrap();
        let alone = (fs::read_to_string(&path).unwrap(), still(host.netns()));
        let container = lab::container("c");
        let endpoint = network
            .connect_with(&container, asking().alias("web"))
            .unwrap();
        assert!(fs::read_to_string(&path).unwrap().contains("10.77.0.9\t"));
        let spec = endpoint.persist().unwrap();
        // with the last descriptor and no process the namespace goes
        drop(container);
        if waits {
            let port = spec.host_link.name.as_str();
            wait_until("the end of the namespace", || {
                host.snapshot().unwrap().link_named(port).is_none()
            });
        }
        let error = network.remove().unwrap_err();
        assert!(error.is_in_use(), "{error}");
        let left = network.disconnect_by_force("c").unwrap();
        assert!(left.is_empty(), "{left}");
        assert_eq!(fs::read_to_string(&path).unwrap(), alone.0);
        assert_eq!(still(host.netns()), alone.1);
        for name in ["c", "web"] {
            let found = network.records().lookup(name, Family::V4);
            assert_eq!(found, Answer::Unknown, "{name}");
        }
        both_refused(&network);
        // its name and its address are anybody's
        let namesake = lab::container("c");
        let at = network.connect_with(&namesake, asking()).unwrap();
        assert_eq!(echo(other.netns(), at.ip()), Ok(()));
        if let Some(link) = link_of(namesake.netns(), at.ip()) {
            assert_eq!(link, "eth0");
        }
        drop((at, _at_other));
        network.remove().unwrap();
        assert_eq!(still(host.netns()), before);
    }
}

/// What could not be taken back keeps its address until somebody insists.
#[test]
fn by_force_an_address_is_freed_that_was_left_behind_before() {
    let injector = FaultInjector::new();
    let config = HostConfig::new()
        .netns(Netns::create().unwrap())
        .fault_injector(injector.clone());
    let host = Host::open_with(config).unwrap();
    let network = dual(&host, "n", 0);
    let leave: [fn(&Network) -> bool; 2] = [
        |network| {
            !network
                .disconnect("c")
                .unwrap_err()
                .left_behind()
                .is_empty()
        },
        |network| !network.disconnect_by_force("c").unwrap().is_empty(),
    ];
    for (leave, is_held) in leave.into_iter().zip([true, false]) {
        let container = lab::container("c");
        let endpoint = network.connect_with(&container, asking()).unwrap();
        injector.fail_nth(1, Errno::ENOMEM);
        assert!(leave(&network));
        drop((endpoint, container));
        let other = lab::container("other");
        let taken = network.connect_with(&other, asking());
        assert_eq!(taken.is_err_and(|error| error.is_exists()), is_held);
        if is_held {
            network.disconnect_by_force("c").unwrap();
            let at = network.connect_with(&other, asking()).unwrap();
            assert_eq!(echo(host.netns(), at.ip()), Ok(()));
        }
        both_refused(&network);
    }
}

/// Nobody has the handles any more that the container was connected by, but its namespace is open.
#[test]
fn default_routes_find_another_way_where_only_another_handle_is_left() {
    let host = lab::host();
    let (a, b) = (dual(&host, "a", 0), dual(&host, "b", 1));
    let netns = Netns::create().unwrap();
    let idler = Idler::start(&netns);
    let pid = idler.0.id();
    drop(netns);
    let container = Container::of_pid("c", pid).unwrap();
    let preferred = EndpointConfig::new().priority(1);
    let at = host.connect_all(&container, [(&a, preferred), (&b, EndpointConfig::new())]);
    let specs = at.unwrap().into_iter().map(bridgework::Endpoint::persist);
    assert_eq!(specs.count(), 2);
    drop(container);
    let late = Container::of_pid("late", pid).unwrap();
    let inside = dual_config("inside", 2).internal();
    let inside = host.create_network(inside).unwrap();
    let at_inside = inside.connect(&late).unwrap();
    assert_eq!(at_inside.link_name().as_str(), "eth2");
    let by = |name: &str| Some([Some(name.to_owned()), Some(name.to_owned())]);
    let Some(led) = led_by(late.netns()) else {
        return;
    };
    assert_eq!(Some(led), by("eth0"));
    a.disconnect("c").unwrap();
    assert_eq!(led_by(late.netns()), by("eth1"));
    assert_eq!(has_link(late.netns(), "eth0"), Some(false));
    let address = "192.0.2.7".parse().unwrap();
    ip(host.netns(), "link set lo up").unwrap();
    ip(host.netns(), "addr add 192.0.2.7 dev lo").unwrap();
    assert_eq!(datagram(late.netns(), host.netns(), address), Ok(()));
    b.disconnect_by_force("c").unwrap();
    assert_eq!(led_by(late.netns()), Some([None, None]));
}
