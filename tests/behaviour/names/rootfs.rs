//! A hosts file inside a container's root directory, which the container can arrange as it likes:
//! nothing outside is ever touched.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use bridgework::{Container, Errno, Fault, HostsScope, NetworkConfig};

use super::{config, text};
use crate::{lab, scratch};

const CANARY: &str = "127.0.0.1 localhost\n";

#[test]
fn the_file_in_the_root_is_kept_like_any_other() {
    let root = scratch::Directory::new("root");
    fs::create_dir(root.path().join("etc")).unwrap();
    let web = Container::open(config("web", 0xab).rootfs(root.path())).unwrap();
    let path = root.path().join("etc/hosts");
    let network = lab::host()
        .create_network(NetworkConfig::bridge("net"))
        .unwrap();
    let at = network.connect(&web).unwrap();
    assert!(text(&path).ends_with("172.17.0.2\tabababababab\n"));
    at.disconnect().unwrap();
    drop(web);
    assert!(!path.exists());
}

#[test]
fn a_root_whose_file_leads_elsewhere_is_refused_when_the_container_is_opened() {
    let elsewhere = scratch::Directory::new("canary");
    let canary = elsewhere.path().join("hosts");
    fs::write(&canary, CANARY).unwrap();
    let absolute = |root: &Path| {
        fs::create_dir(root.join("etc")).unwrap();
        symlink(&canary, root.join("etc/hosts")).unwrap();
    };
    let directory = |root: &Path| symlink(elsewhere.path(), root.join("etc")).unwrap();
    type Arrange<'a> = &'a dyn Fn(&Path);
    let arrangements: [(&str, Arrange<'_>); 2] = [("file", &absolute), ("etc", &directory)];
    for (name, arrange) in arrangements {
        let root = scratch::Directory::new(name);
        arrange(root.path());
        let error = Container::open(config("web", 0xab).rootfs(root.path())).unwrap_err();
        assert!(
            matches!(error.faults(), [Fault::Kernel { .. }]) && error.errno() == Some(eloop()),
            "{error}"
        );
        let shown = format!("{}/etc/hosts", root.path().display());
        assert!(error.to_string().contains(&shown), "{error}");
        assert_eq!(text(&canary), CANARY);
        assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 1);
    }
}

#[test]
fn a_file_that_becomes_a_link_is_not_followed_and_nothing_is_connected() {
    let elsewhere = scratch::Directory::new("canary");
    let canary = elsewhere.path().join("hosts");
    fs::write(&canary, CANARY).unwrap();
    let root = scratch::Directory::new("root");
    fs::create_dir(root.path().join("etc")).unwrap();
    let path = root.path().join("etc/hosts");
    let web = Container::open(config("web", 0xab).rootfs(root.path())).unwrap();
    let host = lab::host();
    let network = host.create_network(NetworkConfig::bridge("net")).unwrap();
    let states = || (host.snapshot().unwrap(), web.netns().snapshot().unwrap());
    let before = states();

    fs::rename(&path, root.path().join("etc/former")).unwrap();
    symlink(&canary, &path).unwrap();
    let error = network.connect(&web).unwrap_err();
    assert_eq!(error.errno(), Some(eloop()), "{error}");
    assert!(error.to_string().contains("/etc/hosts"), "{error}");
    assert!(error.left_behind().is_empty(), "{error}");
    assert_eq!(text(&canary), CANARY);
    // the loopback link of a container stays up: it is a fact that every container needs
    let after = states();
    assert_eq!(after.0, before.0);
    assert_eq!(after.1.links.len(), before.1.links.len());
    assert!(network.endpoints().is_empty());
    assert!(network.records().owners().is_empty());

    fs::remove_file(&path).unwrap();
    fs::rename(root.path().join("etc/former"), &path).unwrap();
    network.connect(&web).unwrap().disconnect().unwrap();
}

#[test]
fn a_peer_s_file_that_became_a_link_keeps_nobody_out_of_it_and_nothing_halfway() {
    let elsewhere = scratch::Directory::new("canary");
    let canary = elsewhere.path().join("hosts");
    fs::write(&canary, CANARY).unwrap();
    let root = scratch::Directory::new("root");
    fs::create_dir(root.path().join("etc")).unwrap();
    let path = root.path().join("etc/hosts");
    let rogue = Container::open(config("rogue", 0xaa).rootfs(root.path())).unwrap();
    let host = lab::host();
    let config = NetworkConfig::bridge("net").hosts(HostsScope::Everyone);
    let network = host.create_network(config).unwrap();
    let at_rogue = network.connect(&rogue).unwrap();
    fs::remove_file(&path).unwrap();
    symlink(&canary, &path).unwrap();

    let links = || host.snapshot().unwrap().links.len();
    let before = links();
    let web = lab::container("web");
    let error = network.connect(&web).unwrap_err();
    assert_eq!(error.errno(), Some(eloop()), "{error}");
    assert_eq!(text(&canary), CANARY);
    assert_eq!(links(), before);
    assert_eq!(network.endpoints().len(), 1);
    assert_eq!(network.records().owners().len(), 1);
    let _lost = at_rogue.disconnect();
    assert_eq!(text(&canary), CANARY);
}

fn eloop() -> Errno {
    Errno::from_raw(nix::libc::ELOOP)
}
