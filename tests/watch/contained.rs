//! What a container does with its own end of the wire is its own business; what somebody does to the
//! host's end is undone inside it, too.

use bridgework::plan::Switch;
use bridgework::{Container, Endpoint, Host, HostConfig, Netns, Network, NetworkConfig};

use crate::lab;
use crate::links::{difference, dump, shell};

fn host() -> Host {
    let netns = Netns::create().unwrap();
    let host = Host::open_with(HostConfig::new().netns(netns)).unwrap();
    shell(host.netns(), "ip link set lo up");
    host
}

fn network(host: &Host, name: &str, third: u8) -> Network {
    let config = NetworkConfig::bridge(name)
        .subnet(format!("10.89.{third}.0/24").as_str())
        .subnet(format!("fd00:89:{third}::/64").as_str());
    host.create_network(config).unwrap()
}

fn near(endpoint: &Endpoint) -> String {
    endpoint.spec().host_link.name.to_string()
}

fn has_link(host: &Host, name: &str) -> bool {
    host.snapshot().unwrap().link_named(name).is_some()
}

fn is_dumped_again(netns: &Netns, before: &[String]) {
    lab::wait_until("all is as it was", || {
        difference(before, &dump(netns)).is_empty()
    });
}

#[test]
fn what_a_container_does_with_its_own_interface_stays_and_it_disconnects() {
    let host = host();
    let network = network(&host, "web", 1);
    let outside = dump(host.netns());
    let app = lab::container("app");
    let endpoint = network.connect(&app).unwrap();
    let whole = dump(host.netns());
    shell(
        app.netns(),
        "ip addr del 10.89.1.2/24 dev eth0; ip addr add 10.89.1.77/24 dev eth0; ip -6 addr flush eth0; \
         ip link set eth0 down; ip link set eth0 name lan7; ip link set lan7 up mtu 1400",
    );
    lab::wait_until("it is up", || {
        dump(app.netns())
            .iter()
            .any(|line| line.contains("10.89.1.77"))
    });
    let inside = dump(app.netns());
    // something of ours is put right meanwhile, so that all is looked at
    shell(
        host.netns(),
        &format!("ip link set {} down", near(&endpoint)),
    );
    is_dumped_again(host.netns(), &whole);
    assert_eq!(host.check().unwrap(), []);
    assert_eq!(difference(&inside, &dump(app.netns())), "");
    endpoint.disconnect().unwrap();
    assert!(!dump(app.netns()).iter().any(|line| line.contains("lan7")));
    assert_eq!(difference(&outside, &dump(host.netns())), "");
}

#[test]
fn an_interface_that_its_container_moved_elsewhere_is_left_there_and_disconnects() {
    let host = host();
    let network = network(&host, "web", 2);
    let app = lab::container("app");
    let endpoint = network.connect(&app).unwrap();
    let elsewhere = lab::container("elsewhere");
    let index = endpoint.spec().link.index;
    // by the descriptor that this process has of it
    let path = format!("/proc/{}/fd/{}", std::process::id(), fd_of(&elsewhere));
    shell(app.netns(), &format!("ip link set eth0 netns {path}"));
    assert!(
        elsewhere
            .netns()
            .snapshot()
            .unwrap()
            .link_at(index.get())
            .is_some()
    );
    assert_eq!(host.check().unwrap(), []);
    assert_eq!(host.repair().unwrap(), []);
    assert!(app.netns().snapshot().unwrap().link_named("eth0").is_none());
    let name = near(&endpoint);
    endpoint.disconnect().unwrap();
    assert!(!has_link(&host, &name));
    assert!(
        elsewhere
            .netns()
            .snapshot()
            .unwrap()
            .link_at(index.get())
            .is_none()
    );
}

fn fd_of(container: &Container) -> i32 {
    use std::os::fd::{AsFd, AsRawFd};
    container.netns().as_fd().as_raw_fd()
}

#[test]
fn a_wire_that_either_side_deleted_is_there_again_with_all_that_the_container_had_by_it() {
    let host = host();
    let networks = [network(&host, "back", 3), network(&host, "front", 4)];
    let app = lab::container("app");
    let both = networks
        .iter()
        .map(|network| network.connect(&app).unwrap());
    let both: Vec<Endpoint> = both.collect();
    let (outside, inside) = (dump(host.netns()), dump(app.netns()));
    for endpoint in &both {
        shell(host.netns(), &format!("ip link del {}", near(endpoint)));
        is_dumped_again(host.netns(), &outside);
        is_dumped_again(app.netns(), &inside);
    }
    shell(app.netns(), "ip link del eth0; ip link del eth1");
    is_dumped_again(host.netns(), &outside);
    is_dumped_again(app.netns(), &inside);
    Endpoint::disconnect_all(both).unwrap();
    assert_eq!(host.check().unwrap(), []);
}

#[test]
fn an_end_that_somebody_moved_away_from_the_host_is_there_again() {
    let host = host();
    let network = network(&host, "web", 5);
    let app = lab::container("app");
    let endpoint = network.connect(&app).unwrap();
    let (outside, inside) = (dump(host.netns()), dump(app.netns()));
    let elsewhere = lab::container("elsewhere");
    let path = format!("/proc/{}/fd/{}", std::process::id(), fd_of(&elsewhere));
    shell(
        host.netns(),
        &format!("ip link set {} netns {path}", near(&endpoint)),
    );
    is_dumped_again(host.netns(), &outside);
    is_dumped_again(app.netns(), &inside);
    lab::wait_until("nothing is left elsewhere", || {
        elsewhere.netns().snapshot().unwrap().links.len() == 1
    });
}

#[test]
fn a_container_that_has_put_something_else_in_its_interfaces_place_keeps_it() {
    let host = host();
    let network = network(&host, "web", 6);
    let app = lab::container("app");
    let endpoint = network.connect(&app).unwrap();
    let index = endpoint.spec().link.index.get();
    let batch = "link del eth0\\nlink add name eth0 type bridge\\n";
    let is_own = (0..100).any(|_| {
        shell(
            app.netns(),
            &format!("printf '{batch}' | ip -force -batch - || :"),
        );
        let snapshot = app.netns().snapshot().unwrap();
        snapshot
            .link_named("eth0")
            .is_some_and(|link| link.index != index)
    });
    if !is_own {
        eprintln!("NOT CHECKED: the watch was quicker than two lines of one batch");
        return;
    }
    let found = host.check().unwrap();
    assert!(
        found
            .iter()
            .any(|finding| finding.to_string().contains("is gone, and eth0")),
        "{found:?}"
    );
    host.repair().unwrap_err();
    endpoint.disconnect().unwrap();
    assert!(app.netns().snapshot().unwrap().link_named("eth0").is_some());
    assert_eq!(host.check().unwrap(), []);
}

#[test]
fn a_container_whose_namespace_is_gone_is_not_missed_and_disconnects() {
    let netns = Netns::create().unwrap();
    let config = HostConfig::new().netns(netns).resolver(Switch::Off);
    let host = Host::open_with(config).unwrap();
    let network = network(&host, "web", 7);
    let app = lab::container("app");
    let spec = network.connect(&app).unwrap().persist().unwrap();
    let name = spec.host_link.name.to_string();
    assert!(has_link(&host, &name));
    drop(app);
    lab::wait_until("the kernel has taken it down", || !has_link(&host, &name));
    assert_eq!(host.check().unwrap(), []);
    assert_eq!(host.repair().unwrap(), []);
    assert!(!has_link(&host, &name));
    network.disconnect("app").unwrap();
    network.remove().unwrap();
}

#[test]
fn a_persisted_endpoint_and_a_host_without_a_firewall_are_looked_after_too() {
    let netns = Netns::create().unwrap();
    let config = HostConfig::new().netns(netns).firewall(Switch::Off);
    let host = Host::open_with(config).unwrap();
    let network = network(&host, "web", 8);
    let app = lab::container("app");
    let spec = network.connect(&app).unwrap().persist().unwrap();
    let (outside, inside) = (dump(host.netns()), dump(app.netns()));
    let (port, bridge) = (&spec.host_link.name, &network.spec().link.name);
    for damage in [
        format!("ip link del {port}"),
        format!("ip link del {bridge}"),
        format!("ip link set {port} nomaster"),
    ] {
        shell(host.netns(), &damage);
        is_dumped_again(host.netns(), &outside);
        is_dumped_again(app.netns(), &inside);
    }
    network.disconnect("app").unwrap();
    network.remove().unwrap();
}

#[test]
fn an_endpoint_that_was_staged_is_made_again_in_its_container() {
    let host = host();
    let network = network(&host, "web", 9);
    let staged = network
        .stage("app", bridgework::EndpointConfig::new())
        .unwrap();
    let app = lab::container("app");
    let endpoint = staged.join(&app).unwrap();
    let (outside, inside) = (dump(host.netns()), dump(app.netns()));
    shell(host.netns(), &format!("ip link del {}", near(&endpoint)));
    is_dumped_again(host.netns(), &outside);
    is_dumped_again(app.netns(), &inside);
    endpoint.disconnect().unwrap();
}
