//! A `resolv.conf` follows the networks of its container, until its user edits it.

use std::fs;

use bridgework::{Container, Endpoint, EndpointConfig, NetworkConfig};

use super::files::BASE;
use super::ground::{Ground, HOST_RESOLV};
use crate::lab;

#[test]
fn the_text_follows_the_networks_as_they_come_and_go() {
    let ground = Ground::new("follows");
    let [front, back] = ["front", "back"].map(|name| ground.user_defined(name));
    let default = ground.host.default_network().unwrap();
    let web = Container::open(ground.config()).unwrap();
    let (direct, internal) = (ground.direct(), ground.internal());
    assert_eq!(ground.resolv(), "");
    let at_default = default.connect(&web).unwrap();
    assert_eq!(ground.resolv(), direct);
    let at_front = front.connect(&web).unwrap();
    assert_eq!(ground.resolv(), internal);
    let at_back = back.connect(&web).unwrap();
    at_front.disconnect().unwrap();
    assert_eq!(ground.resolv(), internal);
    at_back.disconnect().unwrap();
    assert_eq!(ground.resolv(), direct);
    let at_front = front.connect(&web).unwrap();
    at_default.disconnect().unwrap();
    assert_eq!(ground.resolv(), internal);
    at_front.disconnect().unwrap();
    assert_eq!(ground.resolv(), "");
    drop(web);
    assert!(!ground.path("resolv").exists());
}

#[test]
fn it_follows_when_many_leave_together_and_when_an_endpoint_is_joined_and_left() {
    let ground = Ground::new("together");
    let front = ground.user_defined("front");
    let default = ground.host.default_network().unwrap();
    let web = Container::open(ground.config()).unwrap();
    let staged = front.stage("web", EndpointConfig::new()).unwrap();
    let at_default = default.connect(&web).unwrap();
    assert_eq!(ground.resolv(), ground.direct());
    let joined = staged.join(&web).unwrap();
    assert_eq!(ground.resolv(), ground.internal());
    let staged = joined.leave().unwrap();
    assert_eq!(ground.resolv(), ground.direct());
    let joined = staged.join(&web).unwrap();
    assert_eq!(ground.resolv(), ground.internal());
    Endpoint::disconnect_all([joined, at_default]).unwrap();
    assert_eq!(ground.resolv(), "");
}

#[test]
fn a_change_of_the_host_s_file_is_seen_at_the_next_network() {
    let ground = Ground::new("host-changes");
    let [front, back] = ["front", "back"].map(|name| ground.user_defined(name));
    let web = Container::open(ground.config()).unwrap();
    let _front = front.connect(&web).unwrap();
    let before = ground.internal();
    fs::write(
        ground.path("host-resolv"),
        HOST_RESOLV.replace("shop", "other"),
    )
    .unwrap();
    assert_eq!(ground.resolv(), before);
    let _back = back.connect(&web).unwrap();
    assert_eq!(ground.resolv(), before.replace("shop", "other"));
}

#[test]
fn a_plan_shows_the_change_and_a_container_without_the_file_has_none() {
    let ground = Ground::new("plan");
    let network = ground.user_defined("hmall");
    let web = Container::open(ground.config()).unwrap();
    let shown = |container: &Container| {
        let plan = network.plan_connect(container, &EndpointConfig::new());
        let plan = plan.unwrap().to_string();
        let path = ground.path("resolv").display().to_string();
        let of_resolv = plan.lines().filter(|line| line.contains(&path));
        of_resolv.map(str::to_owned).collect::<Vec<_>>()
    };
    let lines = shown(&web);
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("nameserver 127.0.0.11"), "{lines:?}");
    assert_eq!(ground.resolv(), "");
    assert_eq!(shown(&lab::container("other")), [""; 0]);
    let at = network.connect(&web).unwrap();
    let performed = at.plan().to_string();
    assert!(performed.contains(&lines[0]), "{performed}");
}

#[test]
fn a_file_that_its_user_edited_is_not_overwritten() {
    let ground = Ground::new("edited");
    let front = ground.user_defined("front");
    let default = ground.host.default_network().unwrap();
    let web = Container::open(ground.config()).unwrap();
    let at_default = default.connect(&web).unwrap();
    let theirs = format!("{}nameserver 192.0.2.1\n", ground.resolv());
    fs::write(ground.path("resolv"), &theirs).unwrap();
    let hosts = format!("# mine\n{}192.0.2.1\tbank\n", ground.hosts());
    fs::write(ground.path("hosts"), &hosts).unwrap();
    let at_front = front.connect(&web).unwrap();
    let own = format!("{}\tabababababab\n", at_front.ip());
    assert_eq!(ground.resolv(), theirs);
    assert_eq!(ground.hosts(), format!("{hosts}{own}"));
    at_front.disconnect().unwrap();
    assert_eq!(ground.resolv(), theirs);
    assert_eq!(ground.hosts(), hosts);
    at_default.disconnect().unwrap();
    assert_eq!(ground.hosts(), format!("# mine\n{BASE}192.0.2.1\tbank\n"));
    drop(web);
    assert_eq!(ground.resolv(), theirs);
}

#[test]
fn a_file_that_says_something_already_is_its_users() {
    let ground = Ground::new("found");
    fs::write(ground.path("resolv"), "nameserver 192.0.2.1\n").unwrap();
    for mode in ["bridge", "host", "none"] {
        drop(ground.attach(mode, ground.config()));
        assert_eq!(ground.resolv(), "nameserver 192.0.2.1\n", "{mode}");
    }
}

#[test]
fn a_file_of_what_was_persisted_outlives_the_handles() {
    let ground = Ground::new("persisted");
    let default = ground.host.default_network().unwrap();
    let web = Container::open(ground.config()).unwrap();
    let _spec = default.connect(&web).unwrap().persist().unwrap();
    drop(web);
    assert_eq!(ground.resolv(), ground.direct());
    let own = "172.17.0.2\tabababababab\n";
    assert_eq!(ground.hosts(), format!("{BASE}{own}"));
    default.disconnect("web").unwrap();
}

#[test]
fn two_hosts_networks_of_one_container_are_in_one_file() {
    let ground = Ground::new("two-hosts");
    let other = lab::host();
    let front = other
        .create_network(NetworkConfig::bridge("front").internal())
        .unwrap();
    let web = Container::open(ground.config()).unwrap();
    let default = ground.host.default_network().unwrap();
    let at_front = front.connect(&web).unwrap();
    let config = EndpointConfig::new().link_name("lan0");
    let at_default = default.connect_with(&web, config).unwrap();
    assert!(ground.resolv().contains("\nnameserver 127.0.0.11\n"));
    at_front.disconnect().unwrap();
    assert_eq!(ground.resolv(), ground.direct());
    at_default.disconnect().unwrap();
    assert_eq!(ground.resolv(), "");
}
