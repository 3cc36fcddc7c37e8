//! When connect returns, the first packet either way gets through.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bridgework::plan::{BridgeOptions, Switch};
use bridgework::{
    Container, Device, Endpoint, EndpointConfig, Host, MacAddr, MacPolicy, Mtu, Netns, Network,
    NetworkConfig, VethConfig, VethPair,
};

use crate::lab::packet::{Frame, Wire, ask_once, datagram, echo};
use crate::lab::{self, addresses, bridge_json, ip_json};

fn dual(host: &Host) -> Network {
    let config = NetworkConfig::bridge("n")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64");
    host.create_network(config).expect("a network")
}

fn wire(endpoint: &Endpoint) -> Wire {
    Wire::open(
        endpoint.container().netns(),
        endpoint.spec().link.index.get(),
    )
}

fn bridge_name(network: &Network) -> &str {
    network.spec().link.name.as_str()
}

fn gateways(network: &Network) -> Vec<IpAddr> {
    let spec = network.spec();
    [&spec.ipv4, &spec.ipv6]
        .into_iter()
        .flatten()
        .filter_map(|range| range.gateway)
        .collect()
}

fn static_place() -> EndpointConfig {
    EndpointConfig::new().ip(REUSED_V4).ip(REUSED_V6)
}

const REUSED_V4: Ipv4Addr = Ipv4Addr::new(10, 89, 0, 77);
const REUSED_V6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0x89, 0, 0, 0, 0, 0, 0x77);

/// Does `act` while others keep the kernel's link lock busy, so that what the kernel puts off is put
/// off for long.
pub(crate) fn under_load<T>(act: impl FnOnce() -> T) -> T {
    let over = AtomicBool::new(false);
    let occupy = || {
        let netns = Netns::create().unwrap();
        while !over.load(Ordering::Relaxed) {
            VethPair::create((&netns, "a"), (&netns, "b"), VethConfig::new()).unwrap();
        }
    };
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(occupy);
        }
        let acted = catch_unwind(AssertUnwindSafe(act));
        over.store(true, Ordering::Relaxed);
        acted.unwrap_or_else(|panic| resume_unwind(panic))
    })
}

#[test]
fn the_first_datagram_and_the_first_echo_get_through_a_hundred_times() {
    let host = lab::host();
    let network = dual(&host);
    ask_once(host.netns(), bridge_name(&network));
    let peer = lab::container("peer");
    let at_peer = network.connect(&peer).unwrap();
    ask_once(peer.netns(), "eth0");
    under_load(|| {
        for round in 0..100 {
            let newcomer = lab::container("newcomer");
            let at = network.connect(&newcomer).unwrap();
            for (address, of_peer) in at.ips().zip(at_peer.ips()) {
                // whoever comes first has to find the other, so the order changes
                let mut ways = [
                    (host.netns(), newcomer.netns(), address),
                    (peer.netns(), newcomer.netns(), address),
                    (newcomer.netns(), peer.netns(), of_peer),
                ];
                ways.rotate_left(round % 3);
                for (from, to, at) in ways {
                    let came = datagram(from, to, at);
                    assert_eq!(came, Ok(()), "round {round}: {from:?} to {at}");
                }
                assert_eq!(echo(host.netns(), address), Ok(()), "round {round}");
                assert_eq!(echo(peer.netns(), address), Ok(()), "round {round}");
            }
            for gateway in gateways(&network) {
                assert_eq!(echo(newcomer.netns(), gateway), Ok(()), "round {round}");
            }
            at.disconnect().unwrap();
        }
    });
}

#[test]
fn a_newcomers_first_own_packet_reaches_its_gateway() {
    let host = lab::host();
    let network = dual(&host);
    under_load(|| {
        for round in 0..20 {
            let newcomer = lab::container("newcomer");
            let _at = network.connect(&newcomer).unwrap();
            ask_once(newcomer.netns(), "eth0");
            for gateway in gateways(&network) {
                let came = datagram(newcomer.netns(), host.netns(), gateway);
                assert_eq!(came, Ok(()), "round {round}");
            }
        }
    });
}

/// Without any port a bridge has no carrier, and drops what the host sends.
#[test]
fn the_hosts_first_packet_reaches_the_only_container_of_a_bridge() {
    let host = lab::host();
    let network = host
        .create_network(NetworkConfig::bridge("n").subnet("10.89.0.0/24"))
        .unwrap();
    ask_once(host.netns(), bridge_name(&network));
    under_load(|| {
        for round in 0..150 {
            let only = lab::container("only");
            let at = network.connect(&only).unwrap();
            let came = datagram(host.netns(), only.netns(), at.ip());
            assert_eq!(came, Ok(()), "round {round}");
        }
    });
}

#[test]
fn addresses_can_be_bound_at_once_and_none_is_tentative() {
    let host = lab::host();
    let network = dual(&host);
    let container = lab::container("c");
    let endpoint = network.connect(&container).unwrap();
    for address in endpoint.ips() {
        let bound = container
            .run(|| UdpSocket::bind(SocketAddr::new(address, 0)))
            .unwrap();
        assert!(bound.is_ok(), "{address}: {bound:?}");
    }
    let sides = [
        (container.netns(), "eth0"),
        (host.netns(), bridge_name(&network)),
    ];
    for (netns, link) in sides {
        let Some(found) = addresses(netns, link) else {
            return;
        };
        let has = |local: String| found.iter().any(|address| address["local"] == local);
        for address in found.iter().filter(|address| address["family"] == "inet6") {
            assert!(address["tentative"].is_null(), "{address}");
            assert!(address["dadfailed"].is_null(), "{address}");
        }
        let mac = if link == "eth0" {
            endpoint.mac()
        } else {
            network.spec().mac
        };
        assert!(has(mac.link_local().to_string()), "{link} has {found:?}");
    }
}

#[test]
fn the_port_forwards_when_connect_returns() {
    let host = lab::host();
    let network = dual(&host);
    for _ in 0..20 {
        let container = lab::container("c");
        let endpoint = network.connect(&container).unwrap();
        let port = &endpoint.spec().host_link.name;
        let Some(links) = bridge_json(host.netns(), &format!("link show dev {port}")) else {
            return;
        };
        assert_eq!(links[0]["state"], "forwarding", "{links:?}");
    }
}

#[test]
fn with_spanning_tree_connect_does_not_wait_for_the_port() {
    let host = lab::host();
    let options = BridgeOptions::new().stp(Switch::On);
    let network = host
        .create_network(NetworkConfig::bridge("tree").bridge_options(options))
        .unwrap();
    let container = lab::container("c");
    let endpoint = network.connect(&container).unwrap();
    let port = &endpoint.spec().host_link.name;
    let Some(links) = bridge_json(host.netns(), &format!("link show dev {port}")) else {
        return;
    };
    assert_ne!(links[0]["state"], "forwarding", "{links:?}");
}

/// What `ip neigh` knows of an address.
fn neighbour(netns: &Netns, link: &str, address: IpAddr) -> Option<String> {
    let all = ip_json(netns, &format!("neigh show dev {link}"))?;
    let found = all
        .iter()
        .find(|entry| entry["dst"] == address.to_string())?;
    Some(found["lladdr"].as_str()?.to_owned())
}

#[test]
fn an_address_that_returns_with_a_new_mac_is_reached_by_the_next_packet() {
    let host = lab::host();
    let network = dual(&host);
    let bridge = bridge_name(&network);
    let peer = lab::container("peer");
    let _at_peer = network.connect(&peer).unwrap();
    for family in [IpAddr::V4(REUSED_V4), IpAddr::V6(REUSED_V6)] {
        let mut former: Option<MacAddr> = None;
        for name in ["a", "b", "c"] {
            let container = lab::container(name);
            let at = network.connect_with(&container, static_place()).unwrap();
            assert_ne!(former, Some(at.mac()));
            let both = [(host.netns(), bridge), (peer.netns(), "eth0")];
            if former.is_some() {
                for (netns, link) in both {
                    let known = neighbour(netns, link, family);
                    assert_eq!(known, Some(at.mac().to_string()), "{name} on {link}");
                }
            }
            for (netns, link) in both {
                let came = datagram(netns, container.netns(), family);
                assert_eq!(came, Ok(()), "{name} from {link}");
                assert_eq!(echo(netns, family), Ok(()), "{name} from {link}");
            }
            former = Some(at.mac());
            at.disconnect().unwrap();
        }
    }
}

/// What passes by `watch` until a datagram of `from`'s comes there.
fn passed(watch: &Wire, from: &Container, to: IpAddr) -> Vec<Frame> {
    // with its own words, since an answer that nobody listens would quote them
    let mark = format!("the end of what {} did", from.name());
    let sending = from.run(|| UdpSocket::bind("0.0.0.0:0")).unwrap().unwrap();
    sending.send_to(mark.as_bytes(), (to, 9)).unwrap();
    watch.until("the mark", |frame| frame.has_udp_payload(mark.as_bytes()))
}

fn announced(frames: &[Frame], mac: MacAddr) -> (Vec<Ipv4Addr>, Vec<Ipv6Addr>) {
    let own = || frames.iter().filter(|frame| frame.source() == Some(mac));
    let ipv4 = own().filter_map(Frame::gratuitous_arp).collect();
    (
        ipv4,
        own().filter_map(Frame::unsolicited_advertisement).collect(),
    )
}

#[test]
fn a_reused_address_is_announced_on_the_wire_and_a_fresh_one_is_not() {
    let host = lab::host();
    let network = dual(&host);
    let peer = lab::container("peer");
    let at_peer = network.connect(&peer).unwrap();
    let watch = wire(&at_peer);
    let connect = |name| {
        let container = lab::container(name);
        let at = network.connect_with(&container, static_place()).unwrap();
        let frames = passed(&watch, &container, at_peer.ip());
        announced(&frames, at.mac())
    };
    assert_eq!(connect("first"), (vec![], vec![]));
    let (ipv4, ipv6) = connect("second");
    assert!(ipv4.contains(&REUSED_V4), "{ipv4:?}");
    assert!(ipv6.contains(&REUSED_V6), "{ipv6:?}");
}

fn mac_of(netns: &Netns, link: &str) -> Option<String> {
    let links = ip_json(netns, &format!("link show dev {link}"))?;
    Some(links[0]["address"].as_str()?.to_owned())
}

fn mac(text: &str) -> MacAddr {
    text.parse().unwrap()
}

#[test]
fn hardware_addresses_are_those_that_were_configured() {
    let host = lab::host();
    let wanted = mac("02:00:00:00:89:01");
    let config = NetworkConfig::bridge("n")
        .subnet("10.89.0.0/24")
        .bridge_mac(wanted);
    let network = host.create_network(config).unwrap();
    let (given, chosen) = (lab::container("given"), lab::container("chosen"));
    let own = EndpointConfig::new().mac("02:00:00:00:89:02");
    let at_given = network.connect_with(&given, own).unwrap();
    let at_chosen = network.connect(&chosen).unwrap();
    let Some(of_bridge) = mac_of(host.netns(), bridge_name(&network)) else {
        return;
    };
    assert_eq!(of_bridge, "02:00:00:00:89:01");
    assert_eq!(mac_of(given.netns(), "eth0").unwrap(), "02:00:00:00:89:02");
    let spec = at_chosen.spec();
    assert_eq!(
        mac_of(chosen.netns(), "eth0").unwrap(),
        spec.mac.to_string()
    );
    for endpoint in [&at_given, &at_chosen] {
        let spec = endpoint.spec();
        let near = mac_of(host.netns(), spec.host_link.name.as_str()).unwrap();
        assert_eq!(near, spec.host_mac.to_string());
        assert_ne!(near, spec.mac.to_string());
    }
    for random in [spec.mac, spec.host_mac] {
        assert_eq!(
            random.octets()[0] & 0b11,
            0b10,
            "{random} is local and unicast"
        );
    }
}

#[test]
fn hardware_addresses_follow_the_ipv4_address_where_that_is_the_policy() {
    let host = lab::host();
    let config = NetworkConfig::bridge("n")
        .subnet("172.17.0.0/16")
        .mac_policy(MacPolicy::FromIpv4);
    let network = host.create_network(config).unwrap();
    let container = lab::container("c");
    let _at = network.connect(&container).unwrap();
    let Some(found) = mac_of(container.netns(), "eth0") else {
        return;
    };
    assert_eq!(found, "02:42:ac:11:00:02");
}

#[test]
fn the_bridges_hardware_address_does_not_follow_its_ports() {
    let host = lab::host();
    let network = dual(&host);
    let before = mac_of(host.netns(), bridge_name(&network));
    assert_eq!(
        before.is_none(),
        ip_json(host.netns(), "link show").is_none()
    );
    // a bridge without an address of its own takes the lowest of its ports
    let low = VethConfig::new().near_mac(mac("00:00:00:00:00:01"));
    let elsewhere = lab::container("elsewhere");
    let pair = VethPair::create((host.netns(), "low"), (elsewhere.netns(), "low"), low).unwrap();
    let bridge = bridgework::Bridge::open(host.netns(), bridge_name(&network)).unwrap();
    bridge.attach(pair.near()).unwrap();
    assert_eq!(mac_of(host.netns(), bridge_name(&network)), before);
    let container = lab::container("c");
    let at = network.connect(&container).unwrap();
    assert_eq!(mac_of(host.netns(), bridge_name(&network)), before);
    bridge.detach(pair.near()).unwrap();
    at.disconnect().unwrap();
    assert_eq!(mac_of(host.netns(), bridge_name(&network)), before);
}

fn mtus(host: &Host, endpoint: &Endpoint) -> Option<[u64; 3]> {
    let spec = endpoint.spec();
    let of = |netns, link: &str| {
        let links = ip_json(netns, &format!("link show dev {link}"))?;
        links[0]["mtu"].as_u64()
    };
    Some([
        of(host.netns(), endpoint.network().spec().link.name.as_str())?,
        of(host.netns(), spec.host_link.name.as_str())?,
        of(endpoint.container().netns(), spec.link.name.as_str())?,
    ])
}

#[test]
fn the_mtu_is_that_of_the_config_on_the_bridge_and_on_both_ends() {
    let host = lab::host();
    for (number, bytes) in [(2, 1280), (3, 1500), (4, 9000), (5, 65535)] {
        let config = NetworkConfig::bridge(format!("n{number}")).mtu(Mtu::new(bytes).unwrap());
        let network = host.create_network(config).unwrap();
        let container = lab::container("c");
        let endpoint = network.connect(&container).unwrap();
        let Some(found) = mtus(&host, &endpoint) else {
            return;
        };
        assert_eq!(found, [u64::from(bytes); 3]);
    }
}

/// A host whose way out has this MTU.
fn host_behind(bytes: u32, gateway: &str) -> (Host, VethPair) {
    let (host, outside) = (lab::host(), lab::container("outside"));
    let config = VethConfig::new().mtu(Mtu::new(bytes).unwrap());
    let pair = VethPair::create((host.netns(), "up0"), (outside.netns(), "down0"), config);
    let pair = pair.unwrap();
    let gateway: IpAddr = gateway.parse().unwrap();
    let (address, everywhere) = match gateway {
        IpAddr::V4(_) => ("192.0.2.2/24", "0.0.0.0/0"),
        IpAddr::V6(_) => ("2001:db8::2/64", "::/0"),
    };
    let uplink: &Device = pair.near();
    uplink.set_up().unwrap();
    uplink.add_address(address.parse().unwrap()).unwrap();
    uplink
        .add_route(everywhere.parse().unwrap(), Some(gateway))
        .unwrap();
    (host, pair)
}

#[test]
fn the_default_mtu_is_that_of_the_default_routes_link_and_at_most_1500() {
    for (outside, gateway, inside) in [
        (1400, "192.0.2.1", 1400),
        (9000, "192.0.2.1", 1500),
        (1300, "2001:db8::1", 1300),
    ] {
        let (host, _uplink) = host_behind(outside, gateway);
        let network = host.create_network(NetworkConfig::bridge("n")).unwrap();
        let container = lab::container("c");
        let endpoint = network.connect(&container).unwrap();
        let Some(found) = mtus(&host, &endpoint) else {
            return;
        };
        assert_eq!(found, [inside; 3]);
    }
    let host = lab::host();
    let network = host.create_network(NetworkConfig::bridge("n")).unwrap();
    let container = lab::container("c");
    let endpoint = network.connect(&container).unwrap();
    assert_eq!(mtus(&host, &endpoint).unwrap(), [1500; 3]);
}

#[test]
fn a_full_sized_datagram_passes_at_the_configured_mtu_and_a_larger_one_goes_in_pieces() {
    const HEADERS: [(usize, &str); 2] = [(28, "0.0.0.0:0"), (48, "[::]:0")];
    let host = lab::host();
    let config = NetworkConfig::bridge("n")
        .subnet("10.89.0.0/24")
        .subnet("fd00:89::/64");
    let network = host
        .create_network(config.mtu(Mtu::new(1300).unwrap()))
        .unwrap();
    let (near, far) = (lab::container("near"), lab::container("far"));
    let _near = network.connect(&near).unwrap();
    let at_far = network.connect(&far).unwrap();
    for (address, (header_bytes, any)) in at_far.ips().zip(HEADERS) {
        let listening = far
            .run(|| UdpSocket::bind(SocketAddr::new(address, 0)))
            .unwrap()
            .unwrap();
        listening.set_read_timeout(Some(lab::DEADLINE)).unwrap();
        let watch = wire(&at_far);
        let sending = near.run(|| UdpSocket::bind(any)).unwrap().unwrap();
        let full = vec![b'x'; 1300 - header_bytes];
        sending
            .send_to(&full, listening.local_addr().unwrap())
            .unwrap();
        let mut buffer = vec![0; 2000];
        assert_eq!(listening.recv(&mut buffer).unwrap(), full.len());
        let frames = watch.until("it in one piece", |frame| frame.has_udp_payload(&full));
        assert_eq!(frames.last().unwrap().0.len(), 14 + 1300);
        // one byte more goes in two pieces
        let larger = vec![b'y'; 1301 - header_bytes];
        sending
            .send_to(&larger, listening.local_addr().unwrap())
            .unwrap();
        assert_eq!(listening.recv(&mut buffer).unwrap(), larger.len());
        let frames = watch.until("its last piece", |frame| frame.0.len() < 14 + 80);
        assert!(frames.iter().all(|frame| frame.0.len() <= 14 + 1300));
    }
}
