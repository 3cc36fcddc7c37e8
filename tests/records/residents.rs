//! Containers without a wire of their own, as other processes know them: with the host's stack, with
//! none, with another container's.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::path::Path;

use bridgework::driver::Stack;
use bridgework::inspect::NetworkInspect;
use bridgework::{Attached, Container, ContainerConfig, EndpointConfig, Host, Netns, NetworkMode};

use crate::lab::machine::Folder;
use crate::recovered::Ground;
use crate::shared::two_hosts;

fn attach(host: &Host, mode: &str, config: ContainerConfig) -> Attached {
    let mode: NetworkMode = mode.parse().unwrap();
    host.attach(&mode, config, EndpointConfig::new()).unwrap()
}

/// One that others can find by a file, as long as what is returned with it is there.
pub fn pinned(name: &str) -> (ContainerConfig, Netns) {
    let made = Netns::create().unwrap();
    let netns = Netns::at(made.path()).unwrap();
    (ContainerConfig::new(name, netns), made)
}

/// As [`pinned`], opened.
pub fn opened(name: &str) -> (Container, Netns) {
    let (config, made) = pinned(name);
    (Container::open(config).unwrap(), made)
}

fn names(shown: &NetworkInspect) -> Vec<&str> {
    let containers = shown.containers.values();
    containers.map(|entry| entry.name.as_str()).collect()
}

#[test]
fn a_container_of_each_mode_is_found_by_another_process_until_its_last_handle_goes() {
    let [one, other] = two_hosts();
    let (batch, _made) = pinned("batch");
    let proxy = attach(&one, "host", ContainerConfig::named("proxy"));
    let batch = attach(&one, "none", batch);
    let side = attach(&one, "container:batch", ContainerConfig::named("side"));

    let found = [
        (&proxy, Stack::Host),
        (&batch, Stack::Private),
        (&side, Stack::Shared),
    ];
    for (attached, stack) in found {
        let container = &attached.container;
        let same = other.container(container.name().as_str()).unwrap();
        assert_eq!((same.id(), same.stack()), (container.id(), stack));
        assert_eq!(same.netns(), container.netns());
    }
    for (network, name) in [("host", "proxy"), ("none", "batch")] {
        let network = other.network(network).unwrap();
        assert_eq!(names(&network.inspect()), [name]);
        assert!(network.disconnect(name).is_err());
    }
    assert_eq!(other.containers().len(), 3);
    drop((proxy, side, batch));
    assert!(other.containers().is_empty());
    for network in ["host", "none"] {
        let shown = other.network(network).unwrap().inspect();
        assert_eq!(names(&shown), [""; 0]);
    }
}

#[test]
fn another_process_connects_no_container_that_has_no_stack_of_its_own_for_it() {
    let [one, other] = two_hosts();
    let (batch, _made) = pinned("batch");
    let _proxy = attach(&one, "host", ContainerConfig::named("proxy"));
    let _batch = attach(&one, "none", batch);
    let _side = attach(&one, "container:batch", ContainerConfig::named("side"));
    let web = bridgework::NetworkConfig::bridge("web");
    let web = other.create_network(web).unwrap();
    for name in ["proxy", "batch", "side"] {
        let container = other.container(name).unwrap();
        let refused = web.connect(&container).unwrap_err();
        assert!(refused.faults().len() == 1, "{refused}");
    }
    assert_eq!(web.endpoints(), []);
}

#[test]
fn nobody_else_has_the_name_of_a_container_without_a_wire() {
    let [one, other] = two_hosts();
    let proxy = attach(&one, "host", ContainerConfig::named("proxy"));
    let mode = NetworkMode::Host;
    let again = || {
        let config = ContainerConfig::named("proxy");
        other.attach(&mode, config, EndpointConfig::new())
    };
    assert!(again().unwrap_err().is_exists());
    let shown = other.network("host").unwrap().inspect();
    assert_eq!(names(&shown), ["proxy"]);
    drop(proxy);
    again().unwrap();
}

#[test]
fn a_kept_container_without_a_wire_stays_until_it_is_forgotten() {
    let [one, other] = two_hosts();
    let proxy = attach(&one, "host", ContainerConfig::named("proxy"));
    one.keep(&proxy.container).unwrap();
    drop(proxy);
    for host in [&one, &other] {
        let shown = host.network("host").unwrap().inspect();
        assert_eq!(names(&shown), ["proxy"]);
        assert_eq!(host.container("proxy").unwrap().stack(), Stack::Host);
    }
    other.forget("proxy").unwrap();
    for host in [&one, &other] {
        let shown = host.network("host").unwrap().inspect();
        assert_eq!(names(&shown), [""; 0]);
        assert!(host.container("proxy").unwrap_err().is_not_found());
    }
}

#[test]
fn one_that_is_open_and_not_kept_any_more_goes_with_its_last_handle() {
    let [one, other] = two_hosts();
    let proxy = attach(&one, "host", ContainerConfig::named("proxy"));
    one.keep(&proxy.container).unwrap();
    one.forget("proxy").unwrap();
    assert_eq!(other.container("proxy").unwrap().stack(), Stack::Host);
    drop(proxy);
    assert!(other.container("proxy").unwrap_err().is_not_found());
}

#[test]
fn what_another_process_keeps_stays_when_whoever_opened_it_goes() {
    let [one, other] = two_hosts();
    let proxy = attach(&one, "host", ContainerConfig::named("proxy"));
    let same = other.container("proxy").unwrap();
    other.keep(&same).unwrap();
    drop((proxy, same));
    assert_eq!(other.container("proxy").unwrap().stack(), Stack::Host);
    one.forget("proxy").unwrap();
    assert!(other.container("proxy").unwrap_err().is_not_found());
}

#[test]
fn what_another_process_forgets_stays_as_long_as_it_is_open() {
    let [one, other] = two_hosts();
    let proxy = attach(&one, "host", ContainerConfig::named("proxy"));
    one.keep(&proxy.container).unwrap();
    other.forget("proxy").unwrap();
    let mode = "host".parse().unwrap();
    let taken = ContainerConfig::named("proxy");
    let taken = other.attach(&mode, taken, EndpointConfig::new());
    assert!(taken.unwrap_err().is_exists());
    drop(proxy);
    assert!(other.container("proxy").unwrap_err().is_not_found());
    attach(&other, "host", ContainerConfig::named("proxy"));
}

#[test]
fn what_a_dead_process_had_without_a_wire_is_nobodys() {
    let ground = Ground::new();
    ground.die_after(|host| attach(host, "host", ContainerConfig::named("proxy")));
    let host = ground.open();
    let shown = host.network("host").unwrap().inspect();
    assert_eq!(names(&shown), ["proxy"]);
    assert_eq!(host.recover().unwrap().taken_back.len(), 1);
    let shown = host.network("host").unwrap().inspect();
    assert_eq!(names(&shown), [""; 0]);
    assert!(host.recover().unwrap().is_empty());
}

#[test]
fn a_kept_container_whose_file_is_gone_or_stands_for_something_else_is_pruned() {
    let others: [fn(&Path) -> io::Result<()>; 7] = [
        |_| Ok(()),
        |at| File::create(at).map(drop),
        |at| fs::create_dir(at),
        |at| UnixListener::bind(at).map(drop),
        |at| symlink(at, at.with_extension("nowhere")),
        |at| symlink("/proc/self/ns/mnt", at),
        |at| symlink(Netns::current().unwrap().path(), at),
    ];
    for (number, put) in others.into_iter().enumerate() {
        let [one, other] = two_hosts();
        let folder = Folder::new("records", &format!("elsewhere-{number}"));
        let (place, made) = (folder.join("netns"), Netns::create().unwrap());
        symlink(made.path(), &place).unwrap();
        let config = ContainerConfig::new("batch", Netns::at(&place).unwrap());
        let batch = attach(&one, "none", config);
        one.keep(&batch.container).unwrap();
        assert!(other.prune_containers().unwrap().is_empty());
        fs::remove_file(&place).unwrap();
        put(&place).unwrap();
        assert!(other.prune_containers().unwrap().is_empty());
        drop((batch, made));
        assert!(other.container("batch").unwrap_err().is_not_found());
        assert_eq!(other.recover().unwrap().dead[0].as_str(), "batch");
        assert_eq!(other.prune_containers().unwrap()[0].as_str(), "batch");
        assert!(other.prune_containers().unwrap().is_empty());
        assert!(other.recover().unwrap().is_empty());
    }
}
