//! The files of a container in every network mode, to the byte.

use std::fs;
use std::net::IpAddr;
use std::path::Path;

use bridgework::{Container, ContainerConfig, EndpointConfig, Fault, NetworkConfig};

use super::files::BASE;
use super::ground::{Ground, HEADER, HOST_HOSTS, HOST_RESOLV};

#[test]
fn on_the_default_bridge_the_host_s_servers_but_the_loopback_ones() {
    let ground = Ground::new("bridge");
    let web = ground.attach("bridge", ground.config());
    assert_eq!(ground.hosts(), format!("{BASE}172.17.0.2\tabababababab\n"));
    assert_eq!(ground.resolv(), ground.direct());
    assert_eq!(web.warnings, []);
    drop(web);
    assert!(!ground.path("hosts").exists());
    assert!(!ground.path("resolv").exists());
}

#[test]
fn on_a_default_bridge_with_ipv6_those_of_ipv6_too() {
    let dual = NetworkConfig::bridge("bridge").subnet("10.1.0.0/24");
    let dual = dual.subnet("fd01::/64");
    let ground = Ground::with("dual", |config| config.default_network(dual));
    let _web = ground.attach("bridge", ground.config());
    let own = "10.1.0.2\tabababababab\nfd01::2\tabababababab\n";
    assert_eq!(ground.hosts(), format!("{BASE}{own}"));
    let v4 = "nameserver 10.9.9.9\n";
    let both = ground
        .direct()
        .replace(v4, &format!("{v4}nameserver fd09::9\n"));
    assert_eq!(ground.resolv(), both);
}

#[test]
fn on_a_user_defined_network_its_own_server() {
    let ground = Ground::new("user");
    let _network = ground.user_defined("hmall");
    let config = ground.config().hostname("www").domain("shop.test");
    let web = ground.attach("hmall", config);
    let ip = web.endpoint.as_ref().unwrap().ip();
    assert_eq!(ground.hosts(), format!("{BASE}{ip}\twww.shop.test www\n"));
    assert_eq!(ground.resolv(), ground.internal());
}

#[test]
fn with_the_host_s_stack_copies_of_the_host_s_files() {
    let ground = Ground::new("host");
    let web = ground.attach("host", ground.config());
    assert_eq!(ground.hosts(), HOST_HOSTS);
    let conf = HOST_RESOLV.strip_prefix("# by hand\n").unwrap();
    let trailer = ground.trailer("", "# Overrides: []\n");
    assert_eq!(ground.resolv(), format!("{HEADER}{conf}{trailer}"));
    drop(web);
    assert!(!ground.path("hosts").exists());
    assert!(!ground.path("resolv").exists());
}

#[test]
fn with_the_host_s_stack_and_extra_hosts_no_copy() {
    let ground = Ground::new("host-extra");
    let _web = ground.attach("host", ground.config().extra_host("laptop", "192.0.2.1"));
    assert_eq!(ground.hosts(), format!("{BASE}192.0.2.1\tlaptop\n"));
}

#[test]
fn where_the_host_has_no_files_docker_s_first_lines_and_google_s_servers() {
    let ground = Ground::new("without");
    fs::remove_file(ground.path("host-hosts")).unwrap();
    fs::remove_file(ground.path("host-resolv")).unwrap();
    let host = ground.attach("host", ground.config());
    assert_eq!(ground.hosts(), BASE);
    drop(host);
    let _none = ground.attach("none", ground.config());
    let rest = "# Used default nameservers.\n# Overrides: []\n";
    let trailer = ground.trailer(" (legacy)", rest);
    let servers = "nameserver 8.8.8.8\nnameserver 8.8.4.4\n";
    assert_eq!(ground.resolv(), format!("{HEADER}{servers}{trailer}"));
}

#[test]
fn without_a_network_the_first_lines_and_the_host_s_servers() {
    let ground = Ground::new("none");
    let web = ground.attach("none", ground.config().extra_host("bank", "192.0.2.1"));
    assert_eq!(ground.hosts(), format!("{BASE}192.0.2.1\tbank\n"));
    assert_eq!(ground.resolv(), ground.direct());
    let networks = ground.host.networks();
    assert_eq!(networks.len(), 1, "nobody asked for another: {networks:?}");
    drop((web, networks));
    assert!(!ground.path("resolv").exists());
}

#[test]
fn with_another_container_s_stack_its_files_and_none_of_one_s_own() {
    let ground = Ground::new("shared");
    let web = ground.attach("bridge", ground.config());
    let before = (ground.hosts(), ground.resolv());
    let sidecar = ground.attach("container:web", ContainerConfig::named("sidecar"));
    drop(web);
    assert_eq!((ground.hosts(), ground.resolv()), before);
    let entries = fs::read_dir(ground.directory.path()).unwrap().count();
    assert_eq!(entries, 4);
    drop(sidecar);
    assert!(!ground.path("hosts").exists() && !ground.path("resolv").exists());
}

#[test]
fn files_of_one_s_own_and_another_container_s_stack_contradict_each_other() {
    let ground = Ground::new("refused");
    let _web = ground.attach("bridge", ContainerConfig::named("web"));
    let config = ContainerConfig::named("sidecar")
        .hosts_file(ground.path("hosts"))
        .resolv_conf(ground.path("resolv"))
        .dns("10.0.0.2")
        .dns_search("shop.test")
        .dns_option("rotate")
        .extra_host("up", "host-gateway");
    let mode = "container:web".parse().unwrap();
    let attached = ground.host.attach(&mode, config, EndpointConfig::new());
    let error = attached.unwrap_err();
    let conflict = |what| Fault::Conflicting(format!("{what} and the network mode"));
    let all = [
        "custom host-to-IP mapping",
        "hosts file",
        "resolv.conf",
        "dns",
        "dns-search",
        "dns-option",
    ];
    assert_eq!(error.faults(), all.map(conflict));
    let words = "conflicting options: dns and the network mode";
    assert!(error.to_string().contains(words), "{error}");
    assert!(!ground.path("hosts").exists() && !ground.path("resolv").exists());
}

#[test]
fn what_was_asked_for_takes_the_place_of_what_the_host_says() {
    let ground = Ground::new("asked");
    let config = || {
        let config = ground
            .config()
            .dns("10.0.0.2")
            .dns(IpAddr::from([127, 0, 0, 1]));
        config.dns_search(".").dns_option("ndots:3")
    };
    let overridden = "# Overrides: [nameservers search options]\n# Option ndots from: override\n";
    let direct = "nameserver 10.0.0.2\nnameserver 127.0.0.1\noptions ndots:3\n";
    for (mode, note) in [("bridge", " (legacy)"), ("none", " (legacy)"), ("host", "")] {
        let _web = ground.attach(mode, config());
        let trailer = ground.trailer(note, overridden);
        assert_eq!(
            ground.resolv(),
            format!("{HEADER}{direct}{trailer}"),
            "{mode}"
        );
    }
    let _network = ground.user_defined("hmall");
    let _web = ground.attach("hmall", config());
    let internal = "nameserver 127.0.0.11\noptions ndots:3\n";
    let rest = format!("# ExtServers: [10.0.0.2 127.0.0.1]\n{overridden}");
    let trailer = ground.trailer(" (internal resolver)", &rest);
    assert_eq!(ground.resolv(), format!("{HEADER}{internal}{trailer}"));
}

#[test]
fn what_is_no_name_server_domain_or_option_is_refused_and_no_file_is_made() {
    let ground = Ground::new("words");
    let config = ground
        .config()
        .dns("10.0.0.2\nnameserver 10.0.0.3")
        .dns_search("a b")
        .dns_option("ndots:1 rotate")
        .extra_host("up", "gateway");
    let error = Container::open(config).unwrap_err();
    assert_eq!(error.faults().len(), 4, "{error}");
    assert!(
        error
            .faults()
            .iter()
            .all(|fault| matches!(fault, Fault::Value(_)))
    );
    assert!(!ground.path("hosts").exists() && !ground.path("resolv").exists());
}

/// Where systemd-resolved would write; the laboratory has a `/run` of its own.
const UPSTREAM: &str = "/run/systemd/resolve/resolv.conf";

#[test]
fn a_stub_that_answers_the_host_alone_is_none_for_containers() {
    let ground = Ground::new("stub");
    fs::write(ground.path("host-resolv"), "nameserver 127.0.0.53\n").unwrap();
    fs::create_dir_all(Path::new(UPSTREAM).parent().unwrap()).unwrap();
    fs::write(UPSTREAM, "nameserver 10.9.9.8\n").unwrap();
    let web = ground.attach("bridge", ground.config());
    let based = format!("\n# Based on host file: '{UPSTREAM}' (legacy)\n# Overrides: []\n");
    assert_eq!(
        ground.resolv(),
        format!("{HEADER}nameserver 10.9.9.8\n{based}")
    );
    drop(web);
    let _host = ground.attach("host", ground.config());
    assert!(
        ground.resolv().contains("\nnameserver 127.0.0.53\n"),
        "{}",
        ground.resolv()
    );
}
