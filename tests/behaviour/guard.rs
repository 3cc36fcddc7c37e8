//! Nobody on the wire changes addresses or routes of the host or of a neighbour, and a network
//! without IPv6 has none.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use bridgework::plan::Switch;
use bridgework::{
    Container, Device, Endpoint, EndpointConfig, Host, MacAddr, Netns, Network, NetworkConfig,
};
use serde_json::Value;

use crate::lab::packet::{
    ETHER_IPV6, ROUTER_ADVERTISEMENT, Redirect, Wire, echo, router_advertisement,
};
use crate::lab::{self, addresses, ip_json};

const PREFIX: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0xbad, 0, 0, 0, 0, 0);
const FAR_V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 7);
const FAR_V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 7);

/// A network with a container that means harm and one that means none.
struct Scene {
    host: Host,
    network: Network,
    attacker: Endpoint,
    neighbour: Endpoint,
}

impl Scene {
    fn new(config: NetworkConfig) -> Self {
        let host = lab::host();
        let network = host.create_network(config).unwrap();
        // what the firewall lets pass, or would, must be harmless all the same
        let unguarded = || EndpointConfig::new().source_guard(Switch::Off);
        let connect = |name| {
            let container = lab::container(name);
            network.connect_with(&container, unguarded()).unwrap()
        };
        let (attacker, neighbour) = (connect("attacker"), connect("neighbour"));
        Self {
            host,
            network,
            attacker,
            neighbour,
        }
    }

    fn dual() -> Self {
        Self::new(
            NetworkConfig::bridge("n")
                .subnet("10.89.0.0/24")
                .subnet("fd00:89::/64"),
        )
    }

    fn bridge(&self) -> &str {
        self.network.spec().link.name.as_str()
    }

    /// The host and the neighbour, with the link by which they are on the network.
    fn victims(&self) -> [Victim<'_>; 2] {
        let (network, at) = (self.network.spec(), &self.neighbour);
        let gateway = |range: &Option<bridgework::spec::NetworkRange>| range.as_ref()?.gateway;
        [
            Victim {
                netns: self.host.netns(),
                link: self.bridge(),
                index: network.link.index.get(),
                mac: network.mac,
                addresses: [gateway(&network.ipv4), gateway(&network.ipv6)],
            },
            Victim {
                netns: at.container().netns(),
                link: at.link_name().as_str(),
                index: at.spec().link.index.get(),
                mac: at.mac(),
                addresses: [of(at, IpAddr::is_ipv4), of(at, IpAddr::is_ipv6)],
            },
        ]
    }
}

struct Victim<'s> {
    netns: &'s Netns,
    link: &'s str,
    index: u32,
    mac: MacAddr,
    addresses: [Option<IpAddr>; 2],
}

impl Victim<'_> {
    /// All that somebody else must not change.
    fn state(&self) -> Option<Vec<Vec<Value>>> {
        let read = |file: &str| {
            let path = format!("/proc/sys/net/ipv6/conf/{}/{file}", self.link);
            let text = self.netns.run(|| std::fs::read_to_string(path)).unwrap();
            text.map(Value::from).unwrap_or_default()
        };
        let mut links = ip_json(self.netns, "addr show")?;
        // the kernel says late that a link which is there is up (`linkwatch_run_queue`)
        links
            .iter_mut()
            .for_each(|link| link["operstate"] = Value::Null);
        Some(vec![
            links,
            ip_json(self.netns, "-4 route show table all")?,
            ip_json(self.netns, "-6 route show table all")?,
            vec![
                read("mtu"),
                read("hop_limit"),
                read("base_reachable_time_ms"),
            ],
        ])
    }

    /// By which neighbour what is for `destination` leaves.
    fn next_hop(&self, destination: IpAddr) -> Option<Value> {
        let routes = ip_json(self.netns, &format!("route get {destination}"))?;
        Some(routes[0]["gateway"].clone())
    }

    fn route(&self, destination: &str, gateway: IpAddr) {
        let device = Device::open(self.netns, self.link).unwrap();
        device
            .add_route(destination.parse().unwrap(), Some(gateway))
            .unwrap();
    }
}

fn of(endpoint: &Endpoint, family: fn(&IpAddr) -> bool) -> Option<IpAddr> {
    endpoint.ips().find(family)
}

fn wire(endpoint: &Endpoint) -> Wire {
    Wire::open(
        endpoint.container().netns(),
        endpoint.spec().link.index.get(),
    )
}

/// Three times, since the kernel may hold one back, and until all have come.
fn advertise(scene: &Scene, watched: &[Wire]) {
    let attacker = wire(&scene.attacker);
    let frame = router_advertisement(scene.attacker.mac(), PREFIX);
    for _ in 0..3 {
        attacker.send(&frame);
    }
    for watch in watched {
        let mut missing = 3;
        watch.until("three router advertisements", |frame| {
            missing -= usize::from(frame.is_icmpv6(ROUTER_ADVERTISEMENT));
            missing == 0
        });
    }
}

#[test]
fn router_advertisements_change_nothing_on_host_or_neighbour() {
    let scene = Scene::dual();
    let victims = scene.victims();
    let before = victims.each_ref().map(Victim::state);
    if before[0].is_none() {
        return;
    }
    let watched = victims
        .each_ref()
        .map(|victim| Wire::open(victim.netns, victim.index));
    advertise(&scene, &watched);
    // what came before the answer has been dealt with
    for victim in &victims {
        for address in scene.attacker.ips() {
            assert_eq!(echo(victim.netns, address), Ok(()));
        }
    }
    let after = victims.each_ref().map(Victim::state);
    assert_eq!(after, before);
}

#[test]
fn router_advertisements_bring_no_ipv6_to_a_network_without_it() {
    let scene = Scene::new(NetworkConfig::bridge("n").subnet("10.89.0.0/24"));
    let victims = scene.victims();
    let before = victims.each_ref().map(Victim::state);
    if before[0].is_none() {
        return;
    }
    let watched = victims
        .each_ref()
        .map(|victim| Wire::open(victim.netns, victim.index));
    advertise(&scene, &watched);
    for victim in &victims {
        assert_eq!(echo(victim.netns, scene.attacker.ip()), Ok(()));
    }
    assert_eq!(victims.each_ref().map(Victim::state), before);
}

#[test]
fn ipv4_redirects_change_no_way_of_host_or_neighbour() {
    let scene = Scene::dual();
    let router = scene.network.connect(&lab::container("router")).unwrap();
    let attacker = wire(&scene.attacker);
    let v4 = |address: Option<IpAddr>| match address {
        Some(IpAddr::V4(address)) => address,
        other => panic!("{other:?}"),
    };
    let better = v4(of(&scene.attacker, IpAddr::is_ipv4));
    for victim in scene.victims() {
        let by = v4(of(&router, IpAddr::is_ipv4));
        victim.route("192.0.2.0/24", by.into());
        // a redirect to a neighbour that is not known yet is not taken at once
        assert_eq!(echo(victim.netns, better.into()), Ok(()));
        let Some(before) = victim.next_hop(FAR_V4.into()) else {
            return;
        };
        assert_eq!(before, by.to_string());
        let redirect = Redirect {
            from: scene.attacker.mac(),
            router: by,
            victim: (victim.mac, v4(victim.addresses[0])),
            destination: FAR_V4,
            better,
        };
        for _ in 0..3 {
            attacker.send(&redirect.frame());
        }
        assert_eq!(echo(victim.netns, better.into()), Ok(()));
        assert_eq!(
            victim.next_hop(FAR_V4.into()).unwrap(),
            before,
            "{}",
            victim.link
        );
        assert_eq!(
            ip_json(victim.netns, "-4 route show cache").unwrap(),
            Vec::<Value>::new()
        );
    }
}

#[test]
fn ipv6_redirects_change_no_way_of_host_or_neighbour() {
    let scene = Scene::dual();
    let router = scene.network.connect(&lab::container("router")).unwrap();
    let attacker = wire(&scene.attacker);
    let better = scene.attacker.mac().link_local();
    let at_attacker = of(&scene.attacker, IpAddr::is_ipv6).unwrap();
    for victim in scene.victims() {
        // only a router that is known by its link-local address may redirect (rfc4861 §8.1)
        let by = router.mac().link_local();
        victim.route("2001:db8::/32", by.into());
        let Some(before) = victim.next_hop(FAR_V6.into()) else {
            return;
        };
        assert_eq!(before, by.to_string());
        let redirect = Redirect {
            from: scene.attacker.mac(),
            router: by,
            victim: (victim.mac, victim.mac.link_local()),
            destination: FAR_V6,
            better,
        };
        for _ in 0..3 {
            attacker.send(&redirect.frame(scene.attacker.mac()));
        }
        assert_eq!(echo(victim.netns, at_attacker), Ok(()));
        assert_eq!(
            victim.next_hop(FAR_V6.into()).unwrap(),
            before,
            "{}",
            victim.link
        );
        assert_eq!(
            ip_json(victim.netns, "-6 route show cache").unwrap(),
            Vec::<Value>::new()
        );
    }
}

fn ipv6_of(netns: &Netns, link: &str) -> Option<Vec<String>> {
    let all = addresses(netns, link)?.into_iter();
    let ipv6 = all.filter(|address| address["family"] == "inet6");
    Some(
        ipv6.map(|address| address["local"].as_str().unwrap().to_owned())
            .collect(),
    )
}

#[test]
fn a_network_without_ipv6_has_none_in_its_containers_and_on_its_ports() {
    let scene = Scene::new(NetworkConfig::bridge("n").subnet("10.89.0.0/24"));
    for endpoint in [&scene.attacker, &scene.neighbour] {
        let netns = endpoint.container().netns();
        let Some(found) = ipv6_of(netns, "eth0") else {
            return;
        };
        assert_eq!(found, Vec::<String>::new());
        let routes = ip_json(netns, "-6 route show table all dev eth0").unwrap();
        assert_eq!(routes, Vec::<Value>::new());
        let port = endpoint.spec().host_link.name.as_str();
        assert_eq!(
            ipv6_of(scene.host.netns(), port).unwrap(),
            Vec::<String>::new()
        );
        assert_eq!(groups(netns, "eth0"), Vec::<String>::new());
    }
    assert_eq!(
        ipv6_of(scene.host.netns(), scene.bridge()).unwrap(),
        Vec::<String>::new()
    );
}

/// The IPv6 groups of a link but all-nodes, which the kernel itself puts every link into when it is
/// born, also where IPv6 is off, and of which it tells nobody (`ipv6_add_dev`).
fn groups(netns: &Netns, link: &str) -> Vec<String> {
    let links = ip_json(netns, &format!("maddr show dev {link}")).unwrap();
    let all = links
        .iter()
        .filter_map(|link| link["maddr"].as_array())
        .flatten();
    let ipv6 = all.filter(|group| group["family"] == "inet6");
    let names = ipv6.map(|group| group["address"].as_str().unwrap().to_owned());
    names
        .filter(|name| name != "ff02::1" && name != "ff01::1")
        .collect()
}

#[test]
fn a_network_with_ipv6_is_in_the_groups_that_one_without_is_not_in() {
    let scene = Scene::dual();
    if ip_json(scene.host.netns(), "link show").is_none() {
        return;
    }
    let at = scene.neighbour.container().netns();
    assert!(
        groups(at, "eth0")
            .iter()
            .any(|group| group.starts_with("ff02::1:ff"))
    );
}

#[test]
fn on_a_network_without_ipv6_no_ipv6_frame_is_ever_seen() {
    let host = lab::host();
    let network = host
        .create_network(NetworkConfig::bridge("n").subnet("10.89.0.0/24"))
        .unwrap();
    let first = network.connect(&lab::container("first")).unwrap();
    let watch = wire(&first);
    let newcomer: Container = lab::container("newcomer");
    let at = network.connect(&newcomer).unwrap();
    let sending = newcomer
        .run(|| UdpSocket::bind("0.0.0.0:0"))
        .unwrap()
        .unwrap();
    sending.send_to(b"the mark", (first.ip(), 9)).unwrap();
    let frames = watch.until("the mark", |frame| frame.has_udp_payload(b"the mark"));
    assert!(frames.iter().any(|frame| frame.source() == Some(at.mac())));
    let ipv6: Vec<_> = frames
        .iter()
        .filter(|frame| frame.ether_type() == ETHER_IPV6)
        .collect();
    assert!(ipv6.is_empty(), "{ipv6:?}");
}

#[test]
fn a_network_with_ipv6_has_only_the_addresses_that_were_chosen() {
    let scene = Scene::dual();
    for victim in scene.victims() {
        let Some(mut found) = ipv6_of(victim.netns, victim.link) else {
            return;
        };
        let mut chosen = vec![
            victim.addresses[1].unwrap().to_string(),
            victim.mac.link_local().to_string(),
        ];
        found.sort();
        chosen.sort();
        assert_eq!(found, chosen);
    }
    for endpoint in [&scene.attacker, &scene.neighbour] {
        let port = endpoint.spec().host_link.name.as_str();
        assert_eq!(
            ipv6_of(scene.host.netns(), port).unwrap(),
            Vec::<String>::new()
        );
    }
}
