//! Each thing that happens is told once, in order, with who it was and how long it took.

use std::time::Duration;

use bridgework::inspect::PruneFilter;
use bridgework::{
    Container, ContainerConfig, Endpoint, EndpointConfig, EndpointId, Errno, Event, EventKind,
    FaultInjector, Host, HostConfig, Netns, NetworkConfig, NetworkMode, Subscription,
};

use crate::lab;
use crate::scratch::Directory;

/// The events that wait to be read, each as `verb network [container]`, once all that must be in
/// each of them is found to be there.
fn told(events: &Subscription) -> Vec<String> {
    std::iter::from_fn(|| events.try_recv().ok())
        .map(|event| line(&event))
        .collect()
}

fn line(event: &Event) -> String {
    assert!(event.took > Duration::ZERO, "{event}");
    assert!(
        event.at > "2000-01-01T00:00:00Z".parse().unwrap(),
        "{event}"
    );
    lab::words_of(event)
}

fn bridge(name: &str) -> NetworkConfig {
    NetworkConfig::bridge(name)
}

#[test]
fn events_name_the_network_the_endpoint_and_the_container() {
    let host = lab::host();
    let events = host.subscribe();
    let web = host.create_network(bridge("web")).unwrap();
    let app = lab::container("app");
    let endpoint = web.connect(&app).unwrap();
    let place = (endpoint.id(), app.name().clone(), app.id());
    endpoint.disconnect().unwrap();
    web.remove().unwrap();
    let all: Vec<Event> = std::iter::from_fn(|| events.try_recv().ok()).collect();
    let lines: Vec<String> = all.iter().map(line).collect();
    assert_eq!(
        lines,
        [
            "create web",
            "connect web app",
            "disconnect web app",
            "destroy web"
        ]
    );
    for event in &all {
        let (network, endpoint) = match &event.kind {
            EventKind::Create { network } | EventKind::Destroy { network } => (network, None),
            EventKind::Connect { network, endpoint }
            | EventKind::Disconnect { network, endpoint } => (network, Some(endpoint)),
            other => panic!("{other:?}"),
        };
        assert_eq!((network.id, network.driver.as_str()), (web.id(), "bridge"));
        let found = endpoint.map(|e| (e.id, e.container.clone(), e.container_id));
        assert!(found.is_none_or(|found| found == place), "{event}");
    }
    assert!(all.windows(2).all(|two| two[0].at <= two[1].at));
}

#[test]
fn every_way_of_leaving_is_told_once() {
    let host = lab::host();
    let web = host.create_network(bridge("web")).unwrap();
    let [a, b] = ["a", "b"].map(lab::container);
    let events = host.subscribe();
    let expect = |expected: &[&str], how: &str| assert_eq!(told(&events), expected, "{how}");
    let both = ["connect web a", "disconnect web a"];
    web.connect(&a).unwrap().disconnect().unwrap();
    expect(&both, "on purpose");
    drop(web.connect(&a).unwrap());
    expect(&both, "by drop");
    let held = web.connect(&a).unwrap();
    web.disconnect("a").unwrap();
    assert!(web.disconnect("a").is_err());
    held.disconnect().unwrap();
    expect(&both, "by name, and again by the handle");
    let spec = web.connect(&a).unwrap().persist().unwrap();
    expect(&["connect web a"], "persisted: nothing has happened");
    assert_eq!(spec.container.as_str(), "a");
    web.disconnect("a").unwrap();
    expect(&["disconnect web a"], "persisted, by name");
    let held = web.connect(&a).unwrap();
    web.disconnect_by_force("a").unwrap();
    drop(held);
    expect(&both, "by force");
    let pair = web.connect_all([&a, &b]).unwrap();
    Endpoint::disconnect_all(pair).unwrap();
    let together = [
        "connect web a",
        "connect web b",
        "disconnect web a",
        "disconnect web b",
    ];
    expect(&together, "together");
    let gone = Container::isolated("gone").unwrap();
    let _spec = web.connect(&gone).unwrap().persist().unwrap();
    drop(gone);
    let _left = web.disconnect_by_force("gone").unwrap();
    expect(
        &["connect web gone", "disconnect web gone"],
        "with its namespace gone",
    );
}

#[test]
fn every_way_of_coming_and_going_of_networks_is_told_once() {
    let host = lab::host();
    let events = host.subscribe();
    let expect = |expected: &[&str], how: &str| assert_eq!(told(&events), expected, "{how}");
    let web = host.create_network(bridge("web")).unwrap();
    web.remove().unwrap();
    web.remove().unwrap();
    drop(web);
    expect(&["create web", "destroy web"], "on purpose, and again");
    drop(host.create_network(bridge("web")).unwrap());
    expect(&["create web", "destroy web"], "by drop");
    let web = host.create_network(bridge("web")).unwrap();
    let app = lab::container("app");
    let endpoint = web.connect(&app).unwrap();
    drop(web);
    drop(endpoint);
    let all = [
        "create web",
        "connect web app",
        "disconnect web app",
        "destroy web",
    ];
    expect(&all, "with its last endpoint");
    host.create_network(bridge("web"))
        .unwrap()
        .persist()
        .unwrap();
    assert_eq!(host.prune(&PruneFilter::new()).unwrap().len(), 1);
    expect(&["create web", "destroy web"], "by a prune");
    let template = host
        .create_network(NetworkConfig::config_only("t"))
        .unwrap();
    template.remove().unwrap();
    expect(&["create t", "destroy t"], "a template");
    let _draft = host.draft_network(&bridge("paper")).unwrap();
    assert!(
        host.create_network(bridge("bad").subnet("10.0.0.1/24"))
            .is_err()
    );
    expect(&[], "what did not happen");
}

#[test]
fn a_staged_endpoint_is_told_of_when_it_joins_and_leaves() {
    let host = lab::host();
    let web = host.create_network(bridge("web")).unwrap();
    let app = lab::container("app");
    let events = host.subscribe();
    let staged = web.stage("app", EndpointConfig::new()).unwrap();
    let id = staged.id();
    assert!(told(&events).is_empty());
    let endpoint = staged.join(&app).unwrap();
    assert_eq!(told(&events), ["connect web app"]);
    let staged = endpoint.leave().unwrap();
    let left = events.try_recv().unwrap();
    assert_eq!(line(&left), "disconnect web app");
    let EventKind::Disconnect { endpoint, .. } = left.kind else {
        panic!("{left}")
    };
    assert_eq!((endpoint.id, endpoint.container_id), (id, app.id()));
    staged.join(&app).unwrap().disconnect().unwrap();
    assert_eq!(told(&events), ["connect web app", "disconnect web app"]);
    web.stage("app", EndpointConfig::new())
        .unwrap()
        .delete()
        .unwrap();
    drop(web.stage("app", EndpointConfig::new()).unwrap());
    assert!(told(&events).is_empty());
}

#[test]
fn in_every_mode_a_container_comes_and_goes_once() {
    let host = lab::host();
    let _web = host.create_network(bridge("web")).unwrap();
    let events = host.subscribe();
    let attach = |mode: &str, name: &str| {
        let mode: NetworkMode = mode.parse().unwrap();
        let config = ContainerConfig::named(name);
        host.attach(&mode, config, EndpointConfig::new()).unwrap()
    };
    for (mode, created) in [
        ("bridge", Some("create bridge")),
        ("host", Some("create host")),
        ("none", Some("create none")),
        ("web", None),
        ("host", None),
    ] {
        let attached = attach(mode, "app");
        let mut expected = Vec::from_iter(created.map(str::to_owned));
        expected.push(format!("connect {mode} app"));
        assert_eq!(told(&events), expected);
        drop(attached);
        assert_eq!(told(&events), [format!("disconnect {mode} app")]);
    }
    let app = attach("web", "app");
    let sidecar = attach("container:app", "sidecar");
    assert_eq!(told(&events), ["connect web app"]);
    drop(app);
    assert!(told(&events).is_empty(), "the sidecar holds the wire");
    drop(sidecar);
    assert_eq!(told(&events), ["disconnect web app"]);
}

#[test]
fn what_the_modes_tell_is_what_inspect_shows() {
    let host = lab::host();
    let events = host.subscribe();
    let config = ContainerConfig::named("app");
    let attached = host
        .attach(&NetworkMode::Host, config, EndpointConfig::new())
        .unwrap();
    let _created = events.try_recv().unwrap();
    let EventKind::Connect { network, endpoint } = events.try_recv().unwrap().kind else {
        panic!("it is connected after the network was made")
    };
    let shown = &host.inspect(&attached.container).networks["host"];
    assert_eq!(shown.network_id, Some(network.id));
    assert_eq!(shown.endpoint_id, Some(endpoint.id));
    assert_ne!(endpoint.id, EndpointId::from_bytes([0; 32]));
}

#[test]
fn a_late_subscriber_sees_only_what_follows() {
    let host = lab::host();
    let early = host.subscribe();
    let web = host.create_network(bridge("web")).unwrap();
    let app = lab::container("app");
    let late = host.subscribe();
    let endpoint = web.connect(&app).unwrap();
    let latest = host.subscribe();
    endpoint.disconnect().unwrap();
    assert_eq!(
        told(&early),
        ["create web", "connect web app", "disconnect web app"]
    );
    assert_eq!(told(&late), ["connect web app", "disconnect web app"]);
    assert_eq!(told(&latest), ["disconnect web app"]);
    web.remove().unwrap();
    drop(web);
    drop(app);
    drop(host);
    let rest: Vec<Event> = latest.collect();
    assert_eq!(rest.len(), 1, "it ends with the host: {rest:?}");
}

#[test]
fn a_connect_that_fails_half_way_is_not_told() {
    let scratch = Directory::new("events");
    let injector = FaultInjector::new();
    let config = HostConfig::new().netns(Netns::create().unwrap());
    let host = Host::open_with(config.fault_injector(injector.clone())).unwrap();
    let everyone = bridge("web").hosts(bridgework::HostsScope::Everyone);
    let web = host.create_network(everyone).unwrap();
    let with_hosts = |name: &str| {
        let config = ContainerConfig::named(name).hosts_file(scratch.path().join(name));
        Container::open(config).unwrap()
    };
    let (a, b) = (with_hosts("a"), with_hosts("b"));
    let _at_a = web.connect(&a).unwrap();
    let events = host.subscribe();
    // who returns is announced, which takes more calls
    web.connect(&b).unwrap().disconnect().unwrap();
    assert_eq!(told(&events), ["connect web b", "disconnect web b"]);
    let begun = injector.calls();
    let endpoint = web.connect(&b).unwrap();
    let calls = injector.calls() - begun;
    endpoint.disconnect().unwrap();
    assert_eq!(told(&events), ["connect web b", "disconnect web b"]);
    for nth in 1..=calls {
        injector.fail_nth(nth, Errno::ENOMEM);
        let error = web.connect(&b).expect_err("a call of it failed");
        assert!(error.left_behind().is_empty(), "call {nth}: {error}");
        assert_eq!(told(&events), [""; 0], "call {nth}");
    }
    web.connect(&b).unwrap().disconnect().unwrap();
    assert_eq!(told(&events), ["connect web b", "disconnect web b"]);
}
