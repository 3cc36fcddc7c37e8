//! Bridges and veth pairs alone, as a test harness wires its own topology with them.

use std::net::IpAddr;
use std::time::Duration;

use bridgework::plan::{BridgeOptions, PortOptions, Switch};
use bridgework::{Bridge, BridgeConfig, Device, MacAddr, Mtu, Netns, VethConfig, VethPair};
use serde_json::Value;

use crate::lab::packet::{Frame, Wire, datagram, echo};
use crate::lab::{self, addresses, bridge_json, has_link, ip_json};

/// A bridge with nodes, each at the far end of a cable.
struct Star {
    switch: Netns,
    bridge: Bridge,
    nodes: Vec<Node>,
}

struct Node {
    netns: Netns,
    pair: VethPair,
    ips: [IpAddr; 2],
}

impl Star {
    fn new(nodes: u8) -> Self {
        let switch = Netns::create().unwrap();
        let bridge = Bridge::create(&switch, BridgeConfig::new("br0")).unwrap();
        bridge
            .device()
            .add_address("10.0.0.254/24".parse().unwrap())
            .unwrap();
        bridge
            .device()
            .add_address("fd00::fe/64".parse().unwrap())
            .unwrap();
        bridge.device().set_up().unwrap();
        let nodes = (1..=nodes)
            .map(|number| Node::new(number, &switch, &bridge))
            .collect();
        let star = Self {
            switch,
            bridge,
            nodes,
        };
        star.await_forwarding();
        star
    }

    /// The devices alone wait for nothing.
    fn await_forwarding(&self) {
        let forwards = |port: Value| port["state"] == "forwarding";
        lab::wait_until("all ports forward", || {
            let ports = bridge_json(&self.switch, "link show");
            ports.is_none_or(|ports| ports.into_iter().all(forwards))
        });
        lab::wait_until("the bridge runs", || {
            let links = ip_json(&self.switch, "link show dev br0");
            links.is_none_or(|links| links[0]["operstate"] == "UP")
        });
    }
}

impl Node {
    fn new(number: u8, switch: &Netns, bridge: &Bridge) -> Self {
        let netns = Netns::create().unwrap();
        let port = format!("port{number}");
        let pair = VethPair::create((switch, port.as_str()), (&netns, "eth0"), VethConfig::new());
        let pair = pair.unwrap();
        bridge.attach(pair.near()).unwrap();
        pair.near().set_up().unwrap();
        let ips = [
            IpAddr::from([10, 0, 0, number]),
            format!("fd00::{number}").parse().unwrap(),
        ];
        for (ip, prefix_len) in ips.iter().zip([24, 64]) {
            pair.far()
                .add_address(format!("{ip}/{prefix_len}").parse().unwrap())
                .unwrap();
        }
        pair.far().set_up().unwrap();
        Self { netns, pair, ips }
    }

    fn wire(&self) -> Wire {
        Wire::open(&self.netns, self.pair.far().index().get())
    }

    /// A broadcast that only this text tells apart.
    fn shout(&self, wire: &Wire, text: &str) {
        let mac = self.pair.far().state().unwrap().mac.unwrap();
        let mut frame = vec![0xff; 6];
        frame.extend(mac.octets());
        // a type for experiments (IEEE 802)
        frame.extend([0x88, 0xb5]);
        frame.extend([0; 46]);
        frame.extend(text.as_bytes());
        wire.send(&frame);
    }
}

fn says(text: &'static str) -> impl Fn(&Frame) -> bool {
    move |frame| frame.0.ends_with(text.as_bytes())
}

#[test]
fn a_switch_and_three_nodes_reach_each_other() {
    let star = Star::new(3);
    for from in &star.nodes {
        for to in &star.nodes {
            if from.netns == to.netns {
                continue;
            }
            for ip in to.ips {
                assert_eq!(datagram(&from.netns, &to.netns, ip), Ok(()));
            }
        }
        for gateway in ["10.0.0.254", "fd00::fe"] {
            assert_eq!(echo(&from.netns, gateway.parse().unwrap()), Ok(()));
        }
        for ip in from.ips {
            assert_eq!(echo(&star.switch, ip), Ok(()));
        }
    }
}

#[test]
fn a_port_that_is_detached_hears_nothing_until_it_is_attached_again() {
    let star = Star::new(3);
    let [first, second, third] = &star.nodes[..] else {
        panic!()
    };
    let wires = [first.wire(), second.wire(), third.wire()];
    star.bridge.detach(third.pair.near()).unwrap();
    let master = |port| {
        let links = ip_json(&star.switch, &format!("link show dev {port}"))?;
        Some(links[0]["master"].clone())
    };
    assert!(master("port3").is_none_or(|master| master.is_null()));
    first.shout(&wires[0], "while detached");
    wires[1].until("the shout", says("while detached"));
    star.bridge.attach(third.pair.near()).unwrap();
    assert!(master("port3").is_none_or(|master| master == "br0"));
    star.await_forwarding();
    first.shout(&wires[0], "when attached again");
    let heard = wires[2].until("the shout", says("when attached again"));
    assert!(!heard.iter().any(says("while detached")), "{heard:?}");
}

fn shown(netns: &Netns, link: &str) -> Option<Value> {
    Some(ip_json(netns, &format!("-d link show dev {link}"))?.remove(0))
}

#[test]
fn the_options_of_a_bridge_are_those_that_the_kernel_has() {
    let netns = Netns::create().unwrap();
    let mac: MacAddr = "02:00:00:00:00:42".parse().unwrap();
    let options = BridgeOptions::new()
        .stp(Switch::On)
        .ageing(Duration::from_secs(60))
        .forward_delay(Duration::from_secs(4))
        .multicast_snooping(Switch::Off);
    let config = BridgeConfig::new("br0")
        .mac(mac)
        .mtu(Mtu::new(9000).unwrap())
        .options(options);
    let _bridge = Bridge::create(&netns, config).unwrap();
    let _plain = Bridge::create(&netns, BridgeConfig::new("br1")).unwrap();
    let Some(found) = shown(&netns, "br0") else {
        return;
    };
    assert_eq!(found["linkinfo"]["info_kind"], "bridge");
    assert_eq!(found["address"], "02:00:00:00:00:42");
    assert_eq!(found["mtu"], 9000);
    let options = &found["linkinfo"]["info_data"];
    assert_eq!(options["stp_state"], 1);
    assert_eq!(options["ageing_time"], 6000);
    assert_eq!(options["forward_delay"], 400);
    assert_eq!(options["mcast_snooping"], 0);
    let plain = shown(&netns, "br1").unwrap();
    let options = &plain["linkinfo"]["info_data"];
    assert_eq!(options["stp_state"], 0);
    assert_eq!(options["ageing_time"], 30000);
    assert_eq!(options["forward_delay"], 1500);
    assert_eq!(options["mcast_snooping"], 1);
    assert_eq!(plain["mtu"], 1500);
}

#[test]
fn the_opposite_options_of_a_bridge_are_those_that_the_kernel_has() {
    let netns = Netns::create().unwrap();
    let options = BridgeOptions::new()
        .stp(Switch::Off)
        .multicast_snooping(Switch::On);
    let _bridge = Bridge::create(&netns, BridgeConfig::new("br0").options(options)).unwrap();
    let Some(found) = shown(&netns, "br0") else {
        return;
    };
    assert_eq!(found["linkinfo"]["info_data"]["stp_state"], 0);
    assert_eq!(found["linkinfo"]["info_data"]["mcast_snooping"], 1);
}

#[test]
fn a_fixed_hardware_address_does_not_follow_the_ports() {
    let star = Star::new(1);
    let low = VethConfig::new().near_mac("00:00:00:00:00:01".parse().unwrap());
    let pair = VethPair::create((&star.switch, "low"), (&star.nodes[0].netns, "low"), low).unwrap();
    let Some(before) = shown(&star.switch, "br0") else {
        return;
    };
    star.bridge.attach(pair.near()).unwrap();
    assert_eq!(
        shown(&star.switch, "br0").unwrap()["address"],
        before["address"]
    );
}

#[test]
fn the_options_of_a_port_are_those_that_the_kernel_has() {
    let star = Star::new(1);
    let port = star.nodes[0].pair.near();
    let show = || Some(bridge_json(&star.switch, "-d link show dev port1")?.remove(0));
    let Some(plain) = show() else { return };
    let three = |port: &Value| ["hairpin", "isolated", "learning"].map(|key| port[key].clone());
    assert_eq!(three(&plain), [false, false, true]);
    let all = |switch| {
        PortOptions::new()
            .hairpin(switch)
            .isolated(switch)
            .learning(switch)
    };
    star.bridge.set_port(port, &all(Switch::On)).unwrap();
    assert_eq!(three(&show().unwrap()), [true, true, true]);
    star.bridge.set_port(port, &all(Switch::Off)).unwrap();
    assert_eq!(three(&show().unwrap()), [false, false, false]);
    let only = PortOptions::new().hairpin(Switch::On);
    star.bridge.set_port(port, &only).unwrap();
    assert_eq!(three(&show().unwrap()), [true, false, false]);
}

#[test]
fn isolated_ports_do_not_hear_each_other_and_both_reach_the_bridge() {
    let star = Star::new(3);
    let [first, second, open] = &star.nodes[..] else {
        panic!()
    };
    let isolated = PortOptions::new().isolated(Switch::On);
    for node in [first, second] {
        star.bridge.set_port(node.pair.near(), &isolated).unwrap();
    }
    let wires = [first.wire(), second.wire(), open.wire()];
    first.shout(&wires[0], "between isolated ones");
    wires[2].until("the shout", says("between isolated ones"));
    open.shout(&wires[2], "to all");
    let heard = wires[1].until("the shout", says("to all"));
    assert!(
        !heard.iter().any(says("between isolated ones")),
        "{heard:?}"
    );
    for node in [first, second] {
        for address in ["10.0.0.254", "fd00::fe"] {
            assert_eq!(echo(&node.netns, address.parse().unwrap()), Ok(()));
        }
        for address in open.ips {
            assert_eq!(datagram(&node.netns, &open.netns, address), Ok(()));
        }
    }
}

#[test]
fn a_frame_comes_back_by_its_own_port_with_hairpin_alone() {
    let star = Star::new(1);
    let node = &star.nodes[0];
    let wire = node.wire();
    node.shout(&wire, "without");
    // it has passed the bridge before the next is sent: both go the same way
    let hairpin = PortOptions::new().hairpin(Switch::On);
    assert_eq!(echo(&node.netns, "10.0.0.254".parse().unwrap()), Ok(()));
    star.bridge.set_port(node.pair.near(), &hairpin).unwrap();
    node.shout(&wire, "with");
    // a socket does not hear what itself has sent
    let heard = wire.until("it, come back", says("with"));
    assert!(!heard.iter().any(says("without")), "{heard:?}");
}

#[test]
fn a_bridge_that_is_dropped_goes_and_one_that_is_persisted_or_opened_stays() {
    let netns = Netns::create().unwrap();
    let make = |name: &str| Bridge::create(&netns, BridgeConfig::new(name)).unwrap();
    let (dropped, deleted, persisted) = (make("dropped"), make("deleted"), make("persisted"));
    if has_link(&netns, "dropped").is_none() {
        return;
    }
    let there = |name| has_link(&netns, name).unwrap();
    assert_eq!(["dropped", "deleted", "persisted"].map(there), [true; 3]);
    drop(dropped);
    deleted.delete().unwrap();
    persisted.persist();
    assert_eq!(
        ["dropped", "deleted", "persisted"].map(there),
        [false, false, true]
    );
    drop(Bridge::open(&netns, "persisted").unwrap());
    drop(Device::open(&netns, "persisted").unwrap());
    assert!(there("persisted"));
    let again = Bridge::open(&netns, "persisted").unwrap();
    let twice = Bridge::open(&netns, "persisted").unwrap();
    again.delete().unwrap();
    assert!(!there("persisted"));
    assert_eq!(twice.delete(), Ok(()), "gone already is done");
}

#[test]
fn a_pair_that_is_dropped_goes_at_both_ends_and_one_that_is_persisted_stays() {
    let (near, far) = (Netns::create().unwrap(), Netns::create().unwrap());
    let make = |name: &str| VethPair::create((&near, name), (&far, name), VethConfig::new());
    let (dropped, deleted) = (make("dropped").unwrap(), make("deleted").unwrap());
    let persisted = make("persisted").unwrap();
    if has_link(&near, "dropped").is_none() {
        return;
    }
    let there = |name| {
        (
            has_link(&near, name).unwrap(),
            has_link(&far, name).unwrap(),
        )
    };
    assert_eq!(
        ["dropped", "deleted", "persisted"].map(there),
        [(true, true); 3]
    );
    drop(dropped);
    deleted.delete().unwrap();
    persisted.persist();
    assert_eq!(there("dropped"), (false, false));
    assert_eq!(there("deleted"), (false, false));
    assert_eq!(there("persisted"), (true, true));
}

#[test]
fn a_pair_has_the_addresses_and_the_mtu_of_its_config_also_within_one_namespace() {
    let netns = Netns::create().unwrap();
    let config = VethConfig::new()
        .near_mac("02:00:00:00:00:01".parse().unwrap())
        .far_mac("02:00:00:00:00:02".parse().unwrap())
        .mtu(Mtu::new(1400).unwrap());
    let _pair = VethPair::create((&netns, "a"), (&netns, "b"), config).unwrap();
    let Some(a) = shown(&netns, "a") else { return };
    let b = shown(&netns, "b").unwrap();
    assert_eq!(
        (&a["address"], &a["mtu"]),
        (&"02:00:00:00:00:01".into(), &1400.into())
    );
    assert_eq!(
        (&b["address"], &b["mtu"]),
        (&"02:00:00:00:00:02".into(), &1400.into())
    );
    assert_eq!((&a["link"], &b["link"]), (&"b".into(), &"a".into()));
}

#[test]
fn addresses_and_routes_come_and_go_and_links_go_up_and_down() {
    let (near, far) = (Netns::create().unwrap(), Netns::create().unwrap());
    let pair = VethPair::create((&near, "a"), (&far, "b"), VethConfig::new()).unwrap();
    let device = Device::open(&near, "a").unwrap();
    let is_up = || {
        let flags = shown(&near, "a")?["flags"].as_array()?.clone();
        Some(flags.contains(&"UP".into()))
    };
    let Some(up) = is_up() else { return };
    assert!(!up);
    device.set_up().unwrap();
    pair.far().set_up().unwrap();
    assert_eq!(is_up(), Some(true));
    for (address, destination, gateway) in [
        ("10.1.0.1/24", "192.0.2.0/24", "10.1.0.9"),
        ("fd01::1/64", "2001:db8::/32", "fd01::9"),
    ] {
        let has_address = || {
            let local = address.split('/').next().unwrap();
            addresses(&near, "a")
                .unwrap()
                .iter()
                .any(|found| found["local"] == local)
        };
        device.add_address(address.parse().unwrap()).unwrap();
        assert!(has_address());
        let again = device.add_address(address.parse().unwrap()).unwrap_err();
        assert!(again.is_exists(), "{again}");
        let subnet = destination.parse().unwrap();
        device
            .add_route(subnet, Some(gateway.parse().unwrap()))
            .unwrap();
        let family = if gateway.contains(':') { "-6" } else { "-4" };
        let routes = ip_json(&near, &format!("{family} route show {destination}")).unwrap();
        assert_eq!(
            (&routes[0]["gateway"], &routes[0]["dev"]),
            (&gateway.into(), &"a".into())
        );
        assert!(
            device
                .add_route(subnet, Some(gateway.parse().unwrap()))
                .unwrap_err()
                .is_exists()
        );
        device.delete_address(address.parse().unwrap()).unwrap();
        assert!(!has_address());
        assert_eq!(device.delete_address(address.parse().unwrap()), Ok(()));
    }
    device.set_down().unwrap();
    assert_eq!(is_up(), Some(false));
}

#[test]
fn an_address_on_a_link_without_neighbours_is_there_at_once() {
    let netns = Netns::create().unwrap();
    let lo = Device::open(&netns, "lo").unwrap();
    lo.set_up().unwrap();
    for address in ["10.9.9.9/32", "fd99::9/128"] {
        lo.add_address(address.parse().unwrap()).unwrap();
        let ip = address.split('/').next().unwrap().parse().unwrap();
        assert_eq!(datagram(&netns, &netns, ip), Ok(()));
    }
}

#[test]
fn what_can_not_be_is_refused_with_its_reason() {
    let (netns, other) = (Netns::create().unwrap(), Netns::create().unwrap());
    let bridge = Bridge::create(&netns, BridgeConfig::new("br0")).unwrap();
    let taken = Bridge::create(&netns, BridgeConfig::new("br0")).unwrap_err();
    assert!(taken.is_exists(), "{taken}");
    let pair = VethPair::create((&netns, "a"), (&other, "b"), VethConfig::new()).unwrap();
    let far_taken = VethPair::create((&netns, "c"), (&other, "b"), VethConfig::new()).unwrap_err();
    assert!(far_taken.is_exists(), "{far_taken}");
    let no_bridge = Bridge::open(&netns, "a").unwrap_err();
    assert!(no_bridge.is_invalid(), "{no_bridge}");
    assert!(Bridge::open(&netns, "none").unwrap_err().is_not_found());
    assert!(Device::open(&netns, "none").unwrap_err().is_not_found());
    let elsewhere = bridge.attach(pair.far()).unwrap_err();
    assert!(elsewhere.is_invalid(), "{elsewhere}");
    let gone = pair.near().clone();
    pair.delete().unwrap();
    assert!(gone.state().unwrap_err().is_not_found());
    assert!(gone.addresses().unwrap_err().is_not_found());
    assert!(gone.set_up().unwrap_err().is_not_found());
    assert!(bridge.attach(&gone).unwrap_err().is_not_found());
    let names = VethPair::create((&netns, "a/b"), (&other, "c:d"), VethConfig::new());
    assert_eq!(names.unwrap_err().faults().len(), 2);
    let Some(links) = ip_json(&netns, "link show") else {
        return;
    };
    assert_eq!(links.len(), 2, "lo and br0: {links:?}");
}

#[test]
fn a_link_that_is_down_takes_an_ipv6_address() {
    let netns = Netns::create().unwrap();
    let bridge = Bridge::create(&netns, BridgeConfig::new("br0")).unwrap();
    let address = "fd00::1/64".parse().unwrap();
    bridge.device().add_address(address).unwrap();
    assert!(bridge.device().addresses().unwrap().contains(&address));
}
