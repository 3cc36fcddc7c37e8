//! Kernel settings of a container's interface: what was asked for holds there and nowhere else.

use std::fs;

use bridgework::{Container, EndpointConfig, Family, GatewayMode, Mtu, NetworkConfig};

use crate::lab;
use crate::ready::under_load;

/// What the kernel shows inside the container, of the setting at `path` below `/proc/sys/net`.
fn shown(container: &Container, path: &str) -> String {
    let read = container.run(|| fs::read_to_string(format!("/proc/sys/net/{path}")));
    read.unwrap().expect(path).trim().to_owned()
}

const SETTINGS: [(&str, &str); 7] = [
    ("ipv4/conf/lan0/log_martians", "1"),
    ("ipv4/conf/lan0/accept_redirects", "1"),
    ("ipv4/neigh/lan0/gc_stale_time", "31"),
    ("ipv6/conf/lan0/accept_ra", "2"),
    ("ipv6/conf/lan0/mtu", "1281"),
    (
        "ipv6/conf/lan0/stable_secret",
        "2001:0db8:0000:0000:0000:0000:0000:0001",
    ),
    ("ipv6/neigh/lan0/gc_stale_time", "32"),
];

const TEXT: &str = "net.ipv4.conf.IFNAME.log_martians=1,\
                    net.ipv4.conf.IFNAME.accept_redirects=1,\
                    net.ipv4.neigh.IFNAME.gc_stale_time=31,\
                    net.ipv6.conf.IFNAME.accept_ra=2,\
                    net.ipv6.conf.IFNAME.mtu=1281,\
                    net.ipv6.conf.IFNAME.stable_secret=2001:db8::1,\
                    net.ipv6.neigh.IFNAME.gc_stale_time=32";

fn config() -> NetworkConfig {
    NetworkConfig::bridge("net")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64")
}

#[test]
fn settings_by_key_hold_in_the_container_for_its_interface_alone() {
    let host = lab::host();
    let network = host.create_network(config()).unwrap();
    let [web, db] = ["web", "db"].map(lab::container);
    let by_key = EndpointConfig::new()
        .option("com.docker.network.endpoint.ifname", "lan0")
        .option("com.docker.network.endpoint.sysctls", TEXT);
    let endpoint = network.connect_with(&web, by_key).unwrap();
    assert_eq!(endpoint.link_name().as_str(), "lan0");
    for (path, value) in SETTINGS {
        assert_eq!(shown(&web, path), value, "{path}");
    }
    let texts: Vec<String> = endpoint
        .spec()
        .sysctls
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(texts.join(","), TEXT);
    let other = EndpointConfig::new().link_name("lan0");
    let _at_db = network.connect_with(&db, other).unwrap();
    for (path, value) in SETTINGS
        .into_iter()
        .filter(|(path, _)| !path.contains("secret"))
    {
        assert_ne!(shown(&db, path), value, "{path}");
    }
    for path in [
        "ipv4/conf/default/log_martians",
        "ipv4/conf/all/log_martians",
    ] {
        assert_eq!(shown(&web, path), "0", "{path}");
    }
    lab::udp_both_ways(&db, &web, endpoint.ip());
}

#[test]
fn typed_settings_are_the_last_word_on_an_address_that_is_announced_too() {
    let host = lab::host();
    let network = host.create_network(config()).unwrap();
    let web = lab::container("web");
    let config = || {
        EndpointConfig::new()
            .ip([10, 89, 0, 9])
            .sysctl("net.ipv4.conf.IFNAME.arp_notify=0")
            .sysctl("net.ipv4.conf.IFNAME.arp_notify=0")
    };
    network
        .connect_with(&web, config())
        .unwrap()
        .disconnect()
        .unwrap();
    let endpoint = network.connect_with(&web, config()).unwrap();
    let notify = "net/ipv4/conf/eth0/arp_notify";
    let lines = endpoint.plan().to_string();
    let values: Vec<&str> = lines.split(&format!("{notify}=")).skip(1).collect();
    let values: Vec<&str> = values.iter().map(|rest| &rest[..1]).collect();
    assert_eq!(values, ["0", "1", "0"], "{lines}");
    assert_eq!(shown(&web, "ipv4/conf/eth0/arp_notify"), "0");
}

/// The kernel looks at a new port's carrier when it gets to it, which is late on a busy machine, and
/// the far end's MTU for IPv6 is the link's again then.
#[test]
fn an_mtu_for_ipv6_alone_is_not_forgotten_when_the_kernel_looks_at_the_link_later() {
    let host = lab::host();
    let isolated =
        |config: NetworkConfig, family| config.gateway_mode(family, GatewayMode::Isolated);
    // nothing else is waited for that comes after the carrier
    let no_gateway = isolated(isolated(config().internal(), Family::V4), Family::V6);
    let network = host.create_network(no_gateway).unwrap();
    let mtu = |container: &Container| shown(container, "ipv6/conf/eth0/mtu");
    let mut connected = Vec::new();
    under_load(|| {
        for round in 0..30 {
            let container = lab::container(&format!("c{round}"));
            let config = EndpointConfig::new().sysctl("net.ipv6.conf.IFNAME.mtu=1280");
            let endpoint = network.connect_with(&container, config).unwrap();
            assert_eq!(mtu(&container), "1280", "round {round}");
            connected.push((container, endpoint));
        }
    });
    for (round, (container, _)) in connected.iter().enumerate() {
        assert_eq!(mtu(container), "1280", "round {round}, afterwards");
    }
}

#[test]
fn a_setting_that_the_kernel_refuses_undoes_the_whole_connect() {
    let host = lab::host();
    let small = config().mtu(Mtu::new(1300).unwrap());
    let network = host.create_network(small).unwrap();
    let web = lab::container("web");
    // what a container keeps of its first connect: lo is up
    network.connect(&web).unwrap().disconnect().unwrap();
    // the bridge's own addresses come into service with its first carrier, some time after that
    let own_addresses_are_delivered = || {
        let host = host.snapshot().unwrap();
        let bridge = network.spec().link.index.get();
        let own = host.addresses.iter().filter(|held| held.link == bridge);
        let mut own = own.map(|held| held.address.addr());
        own.all(|own| {
            host.routes
                .iter()
                .any(|route| route.destination == own.into())
        })
    };
    lab::wait_until("the bridge's addresses", own_addresses_are_delivered);
    let before = (host.snapshot().unwrap(), web.netns().snapshot().unwrap());
    for (setting, words) in [
        (
            "net.ipv4.conf.IFNAME.no_such=1",
            "the interface has no such setting",
        ),
        (
            "net.ipv6.neigh.IFNAME.no_such=1",
            "the interface has no such setting",
        ),
        (
            "net.ipv4.conf.IFNAME.log_martians=many",
            "the setting can't have this value",
        ),
        (
            "net.ipv6.conf.IFNAME.mtu=1301",
            "the setting can't have this value",
        ),
        (
            "net.ipv6.conf.IFNAME.mc_forwarding=1",
            "the setting can only be read",
        ),
    ] {
        let error = network
            .connect_with(&web, EndpointConfig::new().sysctl(setting))
            .expect_err(setting);
        assert!(error.to_string().ends_with(words), "{error}");
        assert!(error.left_behind().is_empty(), "{error}");
        lab::wait_until("what was there before", || {
            (host.snapshot().unwrap(), web.netns().snapshot().unwrap()) == before
        });
        assert!(network.endpoints().is_empty());
    }
    network.connect(&web).unwrap();
}
