//! Namespaces that are made anew where others were: the kernel gives them the numbers of those that are
//! gone.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;

use bridgework::plan::Switch;
use bridgework::record::{Body, Namespace, Record};
use bridgework::store::{Change, Expected, Memory, Store};
use bridgework::{Container, ContainerConfig, Host, HostConfig, NamespaceId, Netns, NetworkConfig};

use crate::lab::{self, machine::Folder};

fn open_at(place: &Path, name: &str) -> Container {
    Container::open(ContainerConfig::new(name, Netns::at(place).unwrap())).unwrap()
}

/// The only container of the records is of a namespace that had the numbers of that one: it can't be
/// waited for until the kernel has given them again, since others are given numbers, too.
fn had_the_numbers_of(store: &Memory, netns: &Netns) {
    let records = store.changes(None).unwrap().records;
    let is_container = |record: &Record| matches!(record.body, Body::Container(_));
    let mut found = records.into_iter().map(|(_, record)| record);
    let mut record = found.find(is_container).unwrap();
    let Body::Container(container) = &mut record.body else {
        unreachable!()
    };
    let Namespace { identity, .. } = &mut Arc::make_mut(container).namespace;
    *identity = NamespaceId::new(
        netns.identity().device(),
        netns.identity().inode(),
        identity.cookie(),
    );
    store
        .commit(&Change::new().put(record, Expected::Anything))
        .unwrap();
}

#[test]
fn a_namespace_of_the_same_place_and_number_is_another_one() {
    let (netns, store) = (Netns::create().unwrap(), Memory::new());
    let open = || {
        let config = HostConfig::new().netns(netns.clone()).watch(Switch::Off);
        Host::open_with(config.store(Arc::new(store.open()))).unwrap()
    };
    let folder = Folder::new("records", "made-anew");
    let (place, made) = (folder.join("netns"), Netns::create().unwrap());
    symlink(made.path(), &place).unwrap();
    let host = open();
    let network = host.create_network(NetworkConfig::bridge("web")).unwrap();
    network.persist().unwrap();
    let app = open_at(&place, "app");
    network.connect(&app).unwrap().persist().unwrap();
    let wire = network.endpoints()[0].host_link.name.clone();
    drop((app, made, network, host));
    let is_gone = || lab::has_link(&netns, wire.as_str()) == Some(false);
    lab::wait_until("the wire goes with its namespace", is_gone);

    let made = Netns::create().unwrap();
    fs::remove_file(&place).unwrap();
    symlink(made.path(), &place).unwrap();
    had_the_numbers_of(&store, &made);
    let host = open();
    assert!(host.container("app").unwrap_err().is_not_found());
    let job = open_at(&place, "job");
    let at_web = host.network("web").unwrap().connect(&job).unwrap();
    assert_eq!(at_web.spec().link.name.as_str(), "eth0");
    assert_eq!(host.recover().unwrap().dead[0].as_str(), "app");
    assert_eq!(host.prune_containers().unwrap()[0].as_str(), "app");
    assert_eq!(lab::has_link(&made, "eth0"), Some(true));
    assert_eq!(lab::has_link(&made, "eth1"), Some(false));
}

#[test]
fn no_two_namespaces_have_the_same_cookie() {
    let first = Netns::create().unwrap().identity();
    let second = Netns::create().unwrap().identity();
    assert_ne!(first.cookie(), second.cookie());
    assert_ne!(first.cookie(), 0);
    let made = Netns::create().unwrap();
    assert_eq!(Netns::at(made.path()).unwrap().identity(), made.identity());
}
