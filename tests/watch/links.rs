//! Whatever somebody does to links, addresses and routes of ours on the host's side is found, and put
//! right when asked; what is not ours stays. `ip` is the outsider, and what it lists is what counts.

use std::process::Command;

use bridgework::plan::{PortOptions, Switch};
use bridgework::{
    Container, Endpoint, EndpointConfig, Finding, Host, HostConfig, Netns, Network, NetworkConfig,
};
use serde_json::Value;

use crate::lab;

/// A host with one dual-stack network and two containers on it, and somebody else's things beside it.
pub struct Land {
    pub host: Host,
    pub network: Network,
    pub endpoints: Vec<Endpoint>,
    pub containers: [Container; 2],
}

pub fn land(watch: Switch) -> Land {
    let netns = Netns::create().unwrap();
    let host = Host::open_with(HostConfig::new().netns(netns).watch(watch)).unwrap();
    land_on(host)
}

pub fn land_on(host: Host) -> Land {
    shell(host.netns(), "ip link set lo up");
    for line in [
        "ip link add lan type bridge; ip link set lan addrgenmode none",
        "ip addr add 192.0.2.1/24 dev lan",
        "ip addr add 2001:db8::1/64 dev lan nodad",
        "ip link set lan up",
        "ip link add theirs type bridge; ip link set theirs addrgenmode none",
        "ip link set theirs address 02:22:22:22:22:22",
        "ip addr add 172.31.0.1/24 dev theirs",
        "ip addr add fd31::1/64 dev theirs nodad",
        "ip link set theirs up",
        "ip link add end0 type veth peer name end1",
        "ip link set end0 addrgenmode none; ip link set end1 addrgenmode none",
        "ip link set end0 master theirs up; ip link set end1 up",
        "ip route add 172.30.0.0/16 via 192.0.2.9",
    ] {
        shell(host.netns(), line);
    }
    let config = NetworkConfig::bridge("web").subnet("10.89.0.0/24");
    let network = host.create_network(config.subnet("fd00:89::/64"));
    let network = network.unwrap();
    let containers = ["one", "two"].map(lab::container);
    let port = EndpointConfig::new().port_options(PortOptions::new().learning(Switch::Off));
    let endpoints = containers
        .iter()
        .map(|container| network.connect_with(container, port.clone().publish("80")))
        .collect::<Result<_, _>>()
        .unwrap();
    Land {
        host,
        network,
        endpoints,
        containers,
    }
}

impl Land {
    pub fn netns(&self) -> &Netns {
        self.host.netns()
    }

    pub fn bridge(&self) -> String {
        self.network.spec().link.name.to_string()
    }

    pub fn port(&self, number: usize) -> String {
        self.endpoints[number].spec().host_link.name.to_string()
    }

    /// Packets go from container to container, and from the host.
    pub fn assert_works(&self) {
        for address in self.endpoints[0].ips() {
            lab::udp_both_ways(&self.containers[1], &self.containers[0], address);
            assert!(lab::udp_arrives(
                self.netns(),
                self.containers[0].netns(),
                address,
                lab::DEADLINE
            ));
        }
        let port = self.endpoints[0].published()[0].host_port.get();
        let listening = self.containers[0].run(|| std::net::TcpListener::bind("0.0.0.0:80"));
        let listening = listening.unwrap().unwrap();
        let connect = || std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        self.netns().run(connect).unwrap();
        listening.accept().unwrap();
    }
}

/// What somebody types.
pub fn shell(netns: &Netns, line: &str) {
    let run = || Command::new("sh").args(["-ec", line]).output();
    let output = netns.run(run).unwrap().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{line}: {errors}");
}

/// All that `ip` tells of links, addresses, routes and rules, but for what differs from time to time.
pub fn dump(netns: &Netns) -> Vec<String> {
    let mut all = Vec::new();
    for question in [
        "addr show",
        "-4 route show table all",
        "-6 route show table all",
        "-4 rule show",
        "-6 rule show",
    ] {
        for mut told in lab::ip_json(netns, question).unwrap() {
            settle(&mut told);
            // comes with the first carrier
            if told["dst"] == "ff00::/8" {
                continue;
            }
            all.push(format!("{question}: {told}"));
        }
    }
    for mut told in lab::bridge_json(netns, "-d link show").unwrap() {
        let port = told.as_object_mut().unwrap();
        port.retain(|key, _| {
            ["ifname", "master", "hairpin", "isolated", "learning"].contains(&key.as_str())
        });
        all.push(format!("port: {told}"));
    }
    all.sort();
    all
}

fn settle(told: &mut Value) {
    let Some(object) = told.as_object_mut() else {
        return;
    };
    for changing in ["operstate", "txqlen", "link_netnsid", "flags"] {
        object.remove(changing);
    }
    if let Some(addresses) = object.get_mut("addr_info").and_then(Value::as_array_mut) {
        addresses.sort_by_key(Value::to_string);
    }
}

/// All kinds of damage, by what somebody types, and what is said of them.
pub fn damages(land: &Land) -> Vec<(String, String)> {
    let (bridge, port) = (land.bridge(), land.port(0));
    let all = [
        ("ip link set BR down", "BR is down: ip link set"),
        (
            "ip link set BR name odd",
            "BR is called odd: ip link set dev odd name",
        ),
        ("ip link set BR down; ip link set BR name odd", "BR is down"),
        (
            "ip link set BR address 02:11:11:11:11:11",
            "BR has another hardware address",
        ),
        (
            "ip link set BR mtu 1400",
            "BR has another MTU: ip link set dev BR mtu 1500",
        ),
        ("ip link set BR alias mine", "BR does not say whose it is"),
        (
            "ip addr del 10.89.0.1/24 dev BR",
            "BR does not have 10.89.0.1/24",
        ),
        (
            "ip -6 addr del fd00:89::1/64 dev BR",
            "BR does not have fd00:89::1/64",
        ),
        ("ip -6 addr flush dev BR", "BR does not have fe80::"),
        ("ip addr flush dev BR", "BR does not have 10.89.0.1/24"),
        (
            "ip route del 10.89.0.0/24 dev BR",
            "no route leads to 10.89.0.0/24 by BR",
        ),
        (
            "ip -6 route del fd00:89::/64 dev BR",
            "no route leads to fd00:89::/64 by BR",
        ),
        ("ip route flush dev BR", "no route leads to 10.89.0.0/24"),
        (
            "ip link del BR",
            "the bridge BR is gone: ip link add name BR",
        ),
        ("ip link set PORT down", "PORT is down"),
        ("ip link set PORT name odd", "PORT is called odd"),
        (
            "ip link set PORT address 02:11:11:11:11:11",
            "PORT has another hardware",
        ),
        ("ip link set PORT mtu 1400", "PORT has another MTU"),
        (
            "ip link set PORT nomaster",
            "PORT is no port of BR: ip link set dev PORT master BR",
        ),
        ("ip link set PORT master theirs", "PORT is no port of BR"),
        (
            "ip link del PORT",
            "PORT is gone, and eth0 at its other end",
        ),
        ("ip link del PORT; ip link del BR", "the bridge BR is gone"),
        (
            "ip rule del pref 9800",
            "a rule of the routing policy is missing",
        ),
        (
            "ip -6 rule flush; ip -6 rule add pref 32766 lookup main",
            "ip -6 rule add pref 9805",
        ),
        (
            "ip route flush table 9805",
            "ip route replace prohibit 10.89.0.0/24",
        ),
        (
            "ip -6 route flush table 9805",
            "ip -6 route replace prohibit fd00:89::/64",
        ),
    ];
    let named = |text: &str| text.replace("BR", &bridge).replace("PORT", &port);
    let all = all.into_iter();
    all.map(|(line, said)| (named(line), named(said))).collect()
}

/// What is there now is what was there before, but for the order.
pub fn difference(before: &[String], now: &[String]) -> String {
    let count = |of: &[String], line: &String| of.iter().filter(|other| *other == line).count();
    let fewer = |line: &&String| count(now, line) < count(before, line);
    let more = |line: &&String| count(now, line) > count(before, line);
    let missing: Vec<&String> = before.iter().filter(fewer).collect();
    let strange: Vec<&String> = now.iter().filter(more).collect();
    match missing.is_empty() && strange.is_empty() {
        true => String::new(),
        false => format!("missing: {missing:#?}\nnot there before: {strange:#?}"),
    }
}

#[test]
fn all_that_somebody_does_to_links_is_found_and_put_right_when_asked() {
    let land = land(Switch::Off);
    let netns = land.netns();
    let before = dump(netns);
    let mut wrong = Vec::new();
    for (damage, said) in damages(&land) {
        shell(netns, &damage);
        let found = land.host.check().unwrap();
        let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert!(
            texts.iter().any(|text| text.contains(&said)),
            "{damage}: {texts:#?}"
        );
        assert!(found.iter().all(Finding::is_ours), "{damage}: {texts:#?}");
        land.host.repair().unwrap();
        assert_eq!(land.host.check().unwrap(), [], "{damage}");
        let now = dump(netns);
        let difference = difference(&before, &now);
        if !difference.is_empty() {
            wrong.push(format!("{damage}: {difference}"));
        }
        if damage.contains("del") || damage.contains("master") {
            land.assert_works();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
