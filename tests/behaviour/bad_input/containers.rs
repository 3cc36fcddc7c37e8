//! Containers that can't be: names, host names, namespaces that are gone or are none.

use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};

use bridgework::{Container, ContainerConfig, ContainerName, Errno, Fault, HostName, Netns};

use crate::{lab, scratch};

#[test]
fn a_container_name_with_separators_or_control_bytes_is_refused() {
    for name in [
        "",
        "a/b",
        "../a",
        ".a",
        "a b",
        "a\nb",
        "a\0b",
        "a:b",
        "ä",
        &"x".repeat(129),
    ] {
        let error = Container::isolated(name).unwrap_err();
        assert!(error.is_invalid());
        let fault = Fault::Value(name.parse::<ContainerName>().unwrap_err());
        assert_eq!(error.faults(), [fault]);
        assert!(
            error.to_string().contains(": invalid container name "),
            "{error}"
        );
        assert!(
            !error.to_string().chars().any(char::is_control),
            "{error:?}"
        );
    }
}

#[test]
fn all_that_is_wrong_with_a_container_is_in_one_answer_and_no_file_is_made() {
    let directory = scratch::Directory::new("container");
    let hosts = directory.path().join("hosts");
    let error = Container::open(
        ContainerConfig::new("a/b", Netns::create().unwrap())
            .hostname("web\n127.0.0.1 bank")
            .domain("a b")
            .extra_host("c\td", [10, 0, 0, 1])
            .hosts_file(&hosts),
    )
    .unwrap_err();
    assert!(error.is_invalid());
    let host_name = |text: &str| Fault::Value(text.parse::<HostName>().unwrap_err());
    let name = Fault::Value("a/b".parse::<ContainerName>().unwrap_err());
    let expected = [
        host_name("web\n127.0.0.1 bank"),
        host_name("a b"),
        host_name("c\td"),
        name,
    ];
    assert_eq!(error.faults(), expected);
    assert_eq!(error.attempt(), "open container a/b");
    assert!(!hosts.exists());
}

#[test]
fn the_namespace_of_a_process_that_is_gone_is_not_found() {
    let mut child = Command::new("sleep")
        .arg("1000")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    let pid = child.id();
    Container::of_pid("web", pid).unwrap();
    child.kill().unwrap();
    let stat = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    lab::wait_until("a zombie", || stat().contains(") Z "));
    let zombie = Container::of_pid("web", pid).unwrap_err();
    child.wait().unwrap();
    let gone = Container::of_pid("web", pid).unwrap_err();
    for error in [zombie, gone] {
        assert!(error.is_not_found(), "{error}");
        let namespace = format!("process {pid}");
        assert_eq!(
            error.faults(),
            [Fault::NamespaceNotFound {
                namespace,
                errno: Errno::ENOENT
            }]
        );
        let text = format!("network namespace process {pid} not found: ");
        assert!(error.to_string().contains(&text), "{error}");
    }
}

#[test]
fn a_namespace_that_is_nowhere_is_not_found() {
    let path = "/run/netns/nowhere";
    for error in [
        Netns::at(path).unwrap_err(),
        Netns::named(&"nowhere".parse().unwrap()).unwrap_err(),
        Netns::of_pid(u32::MAX).unwrap_err(),
    ] {
        assert!(error.is_not_found(), "{error}");
        assert!(
            matches!(error.faults(), [Fault::NamespaceNotFound { .. }]),
            "{error}"
        );
    }
}

#[test]
fn a_name_whose_namespace_was_unmounted_is_no_namespace() {
    let name: ContainerName = "unmounted".parse().unwrap();
    let netns = Netns::create().unwrap();
    let path = netns.pin(&name).unwrap();
    assert_eq!(Netns::named(&name).unwrap(), netns);
    // a child that another test has forked may still hold a descriptor of it
    nix::mount::umount2(&path, nix::mount::MntFlags::MNT_DETACH).unwrap();
    let error = Netns::named(&name).unwrap_err();
    assert!(error.is_invalid());
    let fault = Fault::NotANamespace {
        namespace: "unmounted".to_owned(),
    };
    assert_eq!(error.faults(), [fault]);
    Netns::unpin(&name).unwrap();
    assert!(Netns::named(&name).unwrap_err().is_not_found());
}

#[test]
fn what_is_no_network_namespace_is_refused() {
    for path in [
        "/proc/self/ns/uts",
        "/proc/self/ns/mnt",
        "/proc/self/status",
        "/dev/null",
        "/",
    ] {
        let error = Netns::at(path).unwrap_err();
        assert!(error.is_invalid(), "{error}");
        assert_eq!(
            error.faults(),
            [Fault::NotANamespace {
                namespace: path.to_owned()
            }]
        );
        let text = format!("open network namespace: {path} is not a network namespace");
        assert_eq!(error.to_string(), text);
        let descriptor = OwnedFd::from(std::fs::File::open(path).unwrap());
        let error = Netns::from_fd(descriptor).unwrap_err();
        assert!(
            matches!(error.faults(), [Fault::NotANamespace { .. }]),
            "{error}"
        );
    }
}
