//! A `resolv.conf` below a container's root, where an image often has a symbolic link.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use bridgework::{Container, ContainerConfig, Errno, Warning};

use super::ground::{Ground, HOST_RESOLV};
use super::text;

fn root(ground: &Ground) -> PathBuf {
    let root = ground.path("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    root
}

#[test]
fn below_a_root_the_two_files_are_asked_for_one_by_one() {
    let ground = Ground::new("root");
    let root = root(&ground);
    let names = || {
        let entries = fs::read_dir(root.join("etc")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let config = || ContainerConfig::named("web");
    let web = ground.attach("bridge", config().rootfs(&root));
    assert_eq!(names(), ["hosts"]);
    drop(web);
    let web = ground.attach("bridge", config().rootfs(&root).rootfs_resolv_conf(&root));
    assert_eq!(names(), ["hosts", "resolv.conf"]);
    assert_eq!(text(&root.join("etc/resolv.conf")), ground.direct());
    drop(web);
    assert!(names().is_empty());
}

#[test]
fn a_link_in_an_image_is_left_alone_with_a_warning_and_keeps_nobody_out() {
    let ground = Ground::new("link");
    let root = root(&ground);
    let (path, canary) = (root.join("etc/resolv.conf"), ground.path("canary"));
    for target in [
        canary.as_path(),
        Path::new("../run/systemd/resolve/stub-resolv.conf"),
    ] {
        fs::write(&canary, "").unwrap();
        symlink(target, &path).unwrap();
        for mode in ["bridge", "host", "none"] {
            let config = ContainerConfig::named("web").rootfs_resolv_conf(&root);
            let web = ground.attach(mode, config);
            let warning = Warning::ResolvConfIsLink { path: path.clone() };
            let words = format!("{} is a symbolic link and is left alone", path.display());
            assert_eq!(warning.to_string(), words);
            assert_eq!(web.warnings, [warning], "{mode}");
        }
        assert_eq!(text(&canary), "");
        assert_eq!(fs::read_link(&path).unwrap(), target);
        fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_file_that_becomes_a_link_is_left_alone_and_keeps_nobody_in_or_out() {
    let ground = Ground::new("becomes");
    let root = root(&ground);
    let (path, canary) = (root.join("etc/resolv.conf"), ground.path("canary"));
    let [front, back] = ["front", "back"].map(|name| ground.user_defined(name));
    let config = ContainerConfig::named("web").rootfs_resolv_conf(&root);
    let web = Container::open(config).unwrap();
    let at_front = front.connect(&web).unwrap();
    // with the very text that we would take away
    fs::rename(&path, &canary).unwrap();
    symlink(&canary, &path).unwrap();
    back.connect(&web).unwrap().disconnect().unwrap();
    at_front.disconnect().unwrap();
    drop(web);
    assert_eq!(text(&canary), ground.internal());
    assert!(path.is_symlink());
}

#[test]
fn a_path_of_the_host_s_that_is_a_link_is_refused() {
    let ground = Ground::new("refused-link");
    symlink(ground.path("host-resolv"), ground.path("resolv")).unwrap();
    let error = Container::open(ground.config()).unwrap_err();
    assert_eq!(
        error.errno(),
        Some(Errno::from_raw(nix::libc::ELOOP)),
        "{error}"
    );
    let path = ground.path("resolv").display().to_string();
    assert!(error.to_string().contains(&path), "{error}");
    assert_eq!(text(&ground.path("host-resolv")), HOST_RESOLV);
    assert!(
        !ground.path("hosts").exists(),
        "what was made before is gone"
    );
}
