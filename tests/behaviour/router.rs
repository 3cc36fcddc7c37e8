//! A container on two networks is a router between them, as the tests' guide says, where the host
//! shows bridged packets to IP filters and where it does not.

use std::fs;
use std::net::IpAddr;

use bridgework::plan::Switch;
use bridgework::{Container, Device, Endpoint, EndpointConfig, Host, NetworkConfig};

use crate::lab::packet::echo;
use crate::lab::{self, tcp_both_ways, udp_both_ways};

const BRIDGED: [&str; 2] = [
    "/proc/sys/net/bridge/bridge-nf-call-iptables",
    "/proc/sys/net/bridge/bridge-nf-call-ip6tables",
];

/// Two machines that know of a router between their networks, `left` and `right`.
struct Scene {
    host: Host,
    a: Endpoint,
    b: Endpoint,
    _router: Vec<Endpoint>,
}

impl Scene {
    /// `bridged` is what the host has of those settings, where the kernel has them.
    fn new(bridged: &str) -> Option<Self> {
        let host = lab::host();
        let is_set = host.netns().run(|| {
            let set = |path| fs::write(path, bridged).is_ok();
            BRIDGED.iter().all(set)
        });
        if !is_set.unwrap() {
            return None;
        }
        let network = |config| host.create_network(config).unwrap();
        let left = NetworkConfig::bridge("left").subnet("10.1.0.0/24");
        let right = NetworkConfig::bridge("right").subnet("10.2.0.0/24");
        let left = network(left.subnet("fd00:1::/64"));
        let right = network(right.subnet("fd00:2::/64"));
        let [a, b, router] = ["a", "b", "router"].map(lab::container);
        let (a, b) = (left.connect(&a).unwrap(), right.connect(&b).unwrap());
        let passing = || {
            EndpointConfig::new()
                .source_guard(Switch::Off) // it sends what others have sent
                .sysctl("net.ipv4.conf.IFNAME.forwarding=1")
                .sysctl("net.ipv6.conf.IFNAME.force_forwarding=1")
        };
        let ways = [(&left, passing()), (&right, passing())];
        let router = host.connect_all(&router, ways).unwrap();
        for (endpoint, by, to) in [(&a, &router[0], [2, 2]), (&b, &router[1], [1, 1])] {
            let device = Device::open(endpoint.container().netns(), "eth0").unwrap();
            let to = [
                format!("10.{}.0.0/24", to[0]),
                format!("fd00:{}::/64", to[1]),
            ];
            for (to, by) in to.iter().zip(by.ips()) {
                device.add_route(to.parse().unwrap(), Some(by)).unwrap();
            }
        }
        Some(Self {
            host,
            a,
            b,
            _router: router,
        })
    }
}

fn pass(client: &Container, server: &Container, at: IpAddr) {
    assert_eq!(echo(client.netns(), at), Ok(()), "{at}");
    udp_both_ways(client, server, at);
    tcp_both_ways(client, server, at);
}

fn passes_both_ways(bridged: &str) {
    let Some(scene) = Scene::new(bridged) else {
        eprintln!("NOT TESTED: this kernel has no br_netfilter");
        return;
    };
    let (a, b) = (scene.a.container(), scene.b.container());
    for (client, server, at) in [(a, b, &scene.b), (b, a, &scene.a)] {
        for at in at.ips() {
            pass(client, server, at);
        }
    }
    assert_eq!(scene.host.check().unwrap(), []);
}

#[test]
fn where_bridged_packets_are_filtered_as_routed_ones() {
    passes_both_ways("1");
}

#[test]
fn where_they_are_not() {
    passes_both_ways("0");
}

/// Who is behind the router is seen by its own address: nothing is translated on the way.
#[test]
fn nothing_that_passes_is_translated() {
    let Some(scene) = Scene::new("1") else {
        return;
    };
    let (a, b) = (scene.a.container(), scene.b.container());
    for (to, from) in scene.b.ips().zip(scene.a.ips()) {
        let listening = b.run(|| std::net::UdpSocket::bind((to, 0)));
        let listening = listening.unwrap().unwrap();
        listening.set_read_timeout(Some(lab::DEADLINE)).unwrap();
        let sending = a.run(|| std::net::UdpSocket::bind((from, 0)));
        let sending = sending.unwrap().unwrap();
        sending
            .send_to(b"?", listening.local_addr().unwrap())
            .unwrap();
        let (_, seen) = listening.recv_from(&mut [0; 1]).unwrap();
        assert_eq!(seen.ip(), from);
    }
}
