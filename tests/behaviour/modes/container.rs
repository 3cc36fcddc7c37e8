//! Mode `container`: all that another container has, for as long as anyone uses it.

use std::net::IpAddr;
use std::sync::Arc;

use bridgework::driver::Stack;
use bridgework::resolver::Answer;
use bridgework::{
    Attached, Container, ContainerConfig, ContainerId, EndpointConfig, Family, Fault, Host, Netns,
    Network,
};

use super::{SHARED, all_of_a_wire, attach, mode, no_wire, refused, refused_connect, user_defined};
use crate::bad_input::settled;
use crate::{lab, scratch};

/// A host with two containers on a network; others will share the stack of `app`.
struct World {
    host: Host,
    net: Network,
    app: Attached,
    db: Attached,
}

fn world() -> World {
    let host = lab::host();
    let net = user_defined(&host, "net", "10.89.0.0/24");
    let [app, db] = ["app", "db"].map(|name| attach(&host, "net", name));
    World { host, net, app, db }
}

impl World {
    fn at_app(&self) -> IpAddr {
        self.app.endpoint.as_ref().unwrap().ip()
    }

    fn on_network(&self) -> Vec<String> {
        let specs = self.net.endpoints().into_iter();
        specs.map(|spec| spec.container.to_string()).collect()
    }
}

#[test]
fn it_has_the_other_s_namespace_addresses_host_name_and_names() {
    let world = world();
    let before = settled(world.host.netns());
    let sidecar = attach(&world.host, "container:app", "sidecar");
    assert!(sidecar.endpoint.is_none());
    let sidecar = sidecar.container;
    assert_eq!(sidecar.netns(), world.app.container.netns());
    assert_eq!(sidecar.hostname(), world.app.container.hostname());
    assert_ne!(sidecar.id(), world.app.container.id());
    assert_eq!(sidecar.stack(), Stack::Shared);
    lab::udp_both_ways(&world.db.container, &sidecar, world.at_app());
    let [own, other] = [&sidecar, &world.app.container].map(|one| world.host.view(one));
    assert!(Arc::ptr_eq(&own, &other));
    assert!(matches!(own.lookup("db", Family::V4), Answer::Addresses(_)));
    assert_eq!(own.lookup("sidecar", Family::V4), Answer::Unknown);
    assert_eq!(world.on_network(), ["app", "db"]);
    assert_eq!(settled(world.host.netns()), before);
}

#[test]
fn the_other_is_meant_by_its_name_its_id_and_the_first_digits_of_it() {
    let host = lab::host();
    let ids = [[0xab; 32], [0xac; 32]].map(ContainerId::from_bytes);
    let [a, _b] = [("a", ids[0]), ("b", ids[1])].map(|(name, id)| {
        let config = ContainerConfig::named(name).id(id);
        host.attach(&mode("none"), config, EndpointConfig::new())
            .unwrap()
    });
    let full = ids[0].to_string();
    for (number, term) in ["a", &full, &full[..12], "ab"].into_iter().enumerate() {
        let text = format!("container:{term}");
        let one = attach(&host, &text, &format!("s{number}"));
        assert_eq!(one.container.netns(), a.container.netns(), "{term}");
    }
    let of_b = attach(&host, "bridge", "ab").container;
    let named = attach(&host, "container:ab", "s").container;
    assert_eq!(
        named.netns(),
        of_b.netns(),
        "a name goes before the first digits of an id"
    );
    for term in ["abc", "bab", "ABAB", &format!("{full}0")[1..]] {
        let config = ContainerConfig::named("x");
        let text = format!("container:{term}");
        let error = refused(&host, &text, config, EndpointConfig::new());
        let nobody = format!("no such container: {term}");
        assert_eq!(
            error.to_string(),
            format!("attach x in network mode {text}: {nobody}")
        );
    }
}

#[test]
fn the_first_digits_of_several_ids_mean_nobody() {
    let host = lab::host();
    let _both = [0xab, 0xac].map(|byte| {
        let config = ContainerConfig::named(format!("c{byte}"));
        let config = config.id(ContainerId::from_bytes([byte; 32]));
        host.attach(&mode("none"), config, EndpointConfig::new())
            .unwrap()
    });
    let config = ContainerConfig::named("x");
    let error = refused(&host, "container:a", config, EndpointConfig::new());
    let text = "attach x in network mode container:a: multiple IDs found with provided prefix: a";
    assert_eq!(error.to_string(), text);
    assert!(error.is_invalid() && !error.is_not_found());
}

#[test]
fn what_belongs_to_the_other_cannot_be_asked_for_and_all_of_it_is_told_at_once() {
    let world = world();
    let directory = scratch::Directory::new("sharing");
    let hosts = directory.path().join("hosts");
    let config = ContainerConfig::named("sidecar")
        .hostname("www")
        .extra_host("bank", [192, 0, 2, 1])
        .hosts_file(&hosts);
    let endpoint = all_of_a_wire().publish("80");
    let error = refused(&world.host, "container:app", config, endpoint);
    let attempt = "attach sidecar in network mode container:app: conflicting options: hostname \
                   and the network mode; conflicting options: custom host-to-IP mapping and the \
                   network mode; conflicting options: hosts file and the network mode";
    let wire = no_wire("", "container type network");
    let wire = wire.strip_prefix(": ").unwrap();
    let ports = "conflicting options: port publishing and the container type network mode";
    assert_eq!(error.to_string(), format!("{attempt}; {wire}; {ports}"));
    assert!(!hosts.exists());
    let other = Netns::create().unwrap();
    let text = format!(
        "attach sidecar in network mode container:app: conflicting options: namespace {} and the \
         network mode",
        other.label()
    );
    let config = ContainerConfig::new("sidecar", other);
    let error = refused(&world.host, "container:app", config, EndpointConfig::new());
    assert_eq!(error.to_string(), text);
    let config = ContainerConfig::sharing("sidecar", &world.db.container);
    let error = refused(&world.host, "container:app", config, EndpointConfig::new());
    let text = "attach sidecar in network mode container:app: conflicting options: namespace of \
                container db and the network mode";
    assert_eq!(error.to_string(), text);
    let same = ContainerConfig::sharing("sidecar", &world.app.container);
    world
        .host
        .attach(&mode("container:app"), same, EndpointConfig::new())
        .unwrap();
}

#[test]
fn nobody_joins_itself_or_somebody_who_is_not_there() {
    let world = world();
    let config = || ContainerConfig::named("app").hostname("www");
    let hostname = "conflicting options: hostname and the network mode";
    let own = "cannot join own network namespace";
    for (term, fault) in [
        ("app", own),
        ("nobody", "no such container: nobody"),
        (
            &"0".repeat(64),
            &format!("no such container: {}", "0".repeat(64)),
        ),
    ] {
        let mode = format!("container:{term}");
        let error = refused(&world.host, &mode, config(), EndpointConfig::new());
        let text = format!("attach app in network mode {mode}: {fault}; {hostname}");
        assert_eq!(error.to_string(), text);
        assert_eq!(error.is_not_found(), term != "app");
    }
    let id = ContainerId::from_bytes([7; 32]);
    let config = ContainerConfig::named("new").id(id);
    let mode = format!("container:{id}");
    let error = refused(&world.host, &mode, config, EndpointConfig::new());
    assert_eq!(error.faults(), [Fault::OwnNamespace]);
    let fresh = lab::host();
    let config = ContainerConfig::named("app");
    let error = refused(&fresh, "container:app", config, EndpointConfig::new());
    assert_eq!(error.faults(), [Fault::OwnNamespace]);
}

#[test]
fn it_is_connected_to_nothing_of_its_own_and_disconnected_from_nothing() {
    let world = world();
    let sidecar = attach(&world.host, "container:app", "sidecar").container;
    let other = user_defined(&world.host, "other", "10.90.0.0/24");
    refused_connect(&other, &sidecar, SHARED);
    let default = world.host.default_network().unwrap();
    refused_connect(&default, &sidecar, SHARED);
    assert!(world.net.disconnect("sidecar").unwrap_err().is_not_found());
    let staged = other.stage("sidecar", EndpointConfig::new()).unwrap();
    let error = staged.join(&sidecar).unwrap_err();
    assert_eq!(error.error().faults(), [Fault::SharedStack]);
    assert!(other.endpoints().is_empty());
}

#[test]
fn the_host_s_stack_and_the_one_with_nothing_are_shared_too() {
    let host = lab::host();
    for name in ["host", "none"] {
        let first = attach(&host, name, "first").container;
        let second = attach(&host, "container:first", "second").container;
        assert_eq!(second.netns(), first.netns(), "{name}");
        let net = user_defined(&host, "net", "10.89.0.0/24");
        let error = net.connect(&second).unwrap_err();
        assert_eq!(error.faults()[0], Fault::SharedStack);
    }
}

#[test]
fn it_keeps_the_stack_and_its_wiring_when_the_first_container_goes() {
    let mut world = world();
    let at_app = world.at_app();
    let host_before = settled(world.host.netns());
    let sidecar = attach(&world.host, "container:app", "sidecar").container;
    let third = attach(&world.host, "container:sidecar", "third").container;
    let inside = settled(sidecar.netns());
    world.app.endpoint = None;
    lab::udp_both_ways(&world.db.container, &sidecar, at_app);
    let World { host, net, app, db } = world;
    let view = host.view(&app.container);
    drop(app);
    assert_eq!(settled(sidecar.netns()), inside);
    assert_eq!(settled(host.netns()), host_before);
    for one in [&sidecar, &third] {
        lab::udp_both_ways(&db.container, one, at_app);
        lab::tcp_both_ways(one, &db.container, db.endpoint.as_ref().unwrap().ip());
    }
    assert_eq!(
        net.records().lookup("app", Family::V4),
        Answer::Addresses(vec![at_app])
    );
    assert!(Arc::ptr_eq(&host.view(&sidecar), &view));
    let error = net.connect(&lab::container("app")).unwrap_err();
    assert!(
        error.is_exists(),
        "its name and address are still taken: {error}"
    );
    drop(sidecar);
    lab::udp_both_ways(&db.container, &third, at_app);
    let netns = third.netns().clone();
    drop(third);
    let left: Vec<_> = net
        .endpoints()
        .into_iter()
        .map(|spec| spec.container)
        .collect();
    assert_eq!(left, ["db".parse().unwrap()]);
    assert_eq!(net.records().lookup("app", Family::V4), Answer::Unknown);
    assert_eq!(settled(&netns).links.len(), 1, "only lo");
    assert_eq!(
        settled(host.netns()).links.len(),
        host_before.links.len() - 1
    );
    net.connect(&lab::container("app")).unwrap();
}

#[test]
fn what_the_first_container_is_connected_to_meanwhile_stays_too() {
    let world = world();
    let sidecar = attach(&world.host, "container:app", "sidecar").container;
    let other = user_defined(&world.host, "other", "10.90.0.0/24");
    let at_other = other.connect(&world.app.container).unwrap().ip();
    drop(world.app);
    lab::udp_both_ways(&world.db.container, &sidecar, [10, 89, 0, 2].into());
    let peer = lab::container("peer");
    let _peer = other.connect(&peer).unwrap();
    lab::udp_both_ways(&peer, &sidecar, at_other);
    drop(sidecar);
    assert_eq!(other.endpoints().len(), 1);
    assert_eq!(world.net.endpoints().len(), 1);
}

#[test]
fn the_network_itself_stays_with_the_last_who_uses_it() {
    let World { host, net, app, db } = world();
    let sidecar = attach(&host, "container:app", "sidecar").container;
    drop((net, app, db));
    let bridge = |host: &Host| {
        settled(host.netns())
            .links
            .iter()
            .any(|l| l.kind == "bridge")
    };
    assert!(bridge(&host));
    let net = host.network("net").unwrap();
    lab::udp_both_ways(&sidecar, &sidecar, [10, 89, 0, 2].into());
    drop(net);
    drop(sidecar);
    assert!(!bridge(&host));
    assert_eq!(settled(host.netns()).links.len(), 1);
}

#[test]
fn disconnecting_on_purpose_takes_the_wire_from_all() {
    let mut world = world();
    let sidecar = attach(&world.host, "container:app", "sidecar").container;
    world.app.endpoint.take().unwrap().disconnect().unwrap();
    assert_eq!(settled(sidecar.netns()).links.len(), 1, "only lo");
    assert_eq!(world.on_network(), ["db"]);
    let _again = world.net.connect(&world.app.container).unwrap();
    drop(world.app);
    lab::udp_both_ways(&world.db.container, &sidecar, [10, 89, 0, 2].into());
    world.net.disconnect("app").unwrap();
    assert_eq!(settled(sidecar.netns()).links.len(), 1, "only lo");
    let none = world.net.disconnect("app").unwrap_err();
    assert!(none.is_not_found());
    drop(sidecar);
    assert_eq!(world.net.endpoints().len(), 1);
}

#[test]
fn the_hosts_file_is_the_other_s_and_goes_with_the_last_who_uses_it() {
    let host = lab::host();
    let net = user_defined(&host, "net", "10.89.0.0/24");
    let directory = scratch::Directory::new("shared");
    let path = directory.path().join("hosts");
    let config = ContainerConfig::named("app")
        .hostname("www")
        .hosts_file(&path);
    let app = host
        .attach(&mode("net"), config, EndpointConfig::new())
        .unwrap();
    let sidecar = attach(&host, "container:app", "sidecar").container;
    drop(app);
    let text = || std::fs::read_to_string(&path).unwrap();
    assert!(text().ends_with("\n10.89.0.2\twww\n"), "{}", text());
    net.disconnect("app").unwrap();
    assert!(text().ends_with("ip6-allrouters\n"), "{}", text());
    drop(sidecar);
    assert!(!path.exists());
}

#[test]
fn sharers_that_come_and_go_at_once_leave_nothing_when_the_last_is_gone() {
    let World { host, net, app, db } = world();
    let first = attach(&host, "container:app", "first").container;
    let share = |number: u32| {
        for _ in 0..8 {
            let config = ContainerConfig::sharing(format!("s{number}"), &first);
            let one: Container = Container::open(config).unwrap();
            lab::udp_both_ways(&db.container, &one, [10, 89, 0, 2].into());
        }
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| scope.spawn(move || share(number)))
            .collect();
        drop(app);
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
    assert_eq!(net.endpoints().len(), 2);
    drop(first);
    assert_eq!(net.endpoints().len(), 1);
}
