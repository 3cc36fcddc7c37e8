//! Several sets of ranges, also of one family: an address of each, and what leads there and away.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

use bridgework::Container;
use serde_json::{Value, json};

use crate::ground::{Ask, Machine, Pod, address};
use crate::lab::machine::global_addresses;
use crate::lab::{output, udp_both_ways, wait_for};
use crate::ports::outside;

/// Two sets of either family, not in the order of families.
fn conf(machine: &Machine) -> Value {
    let mut conf = machine.usual();
    conf["isDefaultGateway"] = true.into();
    conf["ipam"] = json!({ "ranges": [
        [{ "subnet": "10.88.0.0/24" }],
        [{ "subnet": "fd00:88::/64" }],
        [{ "subnet": "10.90.0.0/24", "rangeStart": "10.90.0.40", "rangeEnd": "10.90.0.60",
           "gateway": "10.90.0.254" }],
        [{ "subnet": "fd00:90::/64", "gateway": "fd00:90::fe" }],
    ] });
    conf
}

/// The addresses of a result, with their gateways.
fn given(result: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ips = result["ips"].as_array().expect("a list").iter();
    ips.map(|ip| (text(&ip["address"]), text(&ip["gateway"])))
        .collect()
}

fn sorted(mut addresses: Vec<String>) -> Vec<String> {
    addresses.sort();
    addresses
}

/// Whom a datagram of that source comes from, as somebody outside sees it.
fn seen_from(outside: &Container, pod: &Pod, source: IpAddr) -> Option<IpAddr> {
    let far: IpAddr = match source {
        IpAddr::V4(_) => [192, 0, 2, 9].into(),
        IpAddr::V6(_) => "2001:db8::9".parse().expect("it"),
    };
    let at = SocketAddr::new(far, 7);
    let bind = || outside.run(|| UdpSocket::bind(at)).expect("inside").ok();
    let socket = wait_for("a socket", bind);
    let patience = Duration::from_secs(3);
    socket.set_read_timeout(Some(patience)).expect("a timeout");
    let send = || UdpSocket::bind(SocketAddr::new(source, 0))?.send_to(b"?", at);
    pod.container.run(send).expect("inside").expect("it leaves");
    socket.recv_from(&mut [0]).ok().map(|(_, from)| from.ip())
}

#[test]
fn one_address_is_given_of_each_set_in_their_order_and_packets_flow_from_each() {
    let machine = Machine::new("sets");
    let (pair, outside) = outside(&machine);
    let (a, b) = (Pod::new("a"), Pod::new("b"));
    let conf = conf(&machine);
    let at_a = machine.add(&a, &conf);
    let at_b = machine.add(&b, &conf);
    let expected = [
        ("10.88.0.2/24", "10.88.0.1"),
        ("fd00:88::2/64", "fd00:88::1"),
        ("10.90.0.40/24", "10.90.0.254"),
        ("fd00:90::1/64", "fd00:90::fe"),
    ];
    let expected = expected.map(|(address, by)| (address.to_owned(), by.to_owned()));
    assert_eq!(given(&at_a), expected);
    let own = expected.map(|(address, _)| address).to_vec();
    assert_eq!(sorted(a.addresses("eth0")), sorted(own));
    let of_bridge = [
        "10.88.0.1/24",
        "10.90.0.254/24",
        "fd00:88::1/64",
        "fd00:90::fe/64",
    ];
    assert_eq!(
        sorted(global_addresses(&machine.netns, "cni0")),
        of_bridge.map(str::to_owned)
    );
    for index in 0..4 {
        udp_both_ways(&a.container, &b.container, address(&at_b, index));
        udp_both_ways(&b.container, &a.container, address(&at_a, index));
        let own = address(&at_a, index);
        let host: IpAddr = match own {
            IpAddr::V4(_) => [192, 0, 2, 1].into(),
            IpAddr::V6(_) => "2001:db8::1".parse().expect("it"),
        };
        assert_eq!(seen_from(&outside, &a, own), Some(host), "{own}");
    }
    let ping = |by| output(a.container.netns(), &format!("busybox ping -c1 -W2 {by}"));
    assert!(ping("10.90.0.254").is_some() && ping("fd00:90::fe").is_some());
    for family in ["-4", "-6"] {
        let mut routes = a.routes(family);
        routes.retain(|route| route["dst"] == "default");
        assert_eq!(routes.len(), 1, "{routes:?}");
    }
    for pod in [&a, &b] {
        machine.del(pod, &conf);
        assert!(pod.addresses("eth0").is_empty());
    }
    drop(pair);
    machine.assert_clean();
}

#[test]
fn what_is_missing_of_any_set_is_said_by_check() {
    let machine = Machine::new("sets_checked");
    let pod = Pod::new("pod");
    let conf = conf(&machine);
    let mut with = conf.clone();
    with["prevResult"] = machine.add(&pod, &conf);
    let check = Ask::of("CHECK", &pod);
    machine.done(&check, &with);
    let mut less = with.clone();
    less["prevResult"]["ips"]
        .as_array_mut()
        .expect("a list")
        .pop();
    let (code, words) = machine.refused(&check, &less);
    assert_eq!(code, 101);
    assert!(words.contains("fd00:90::1/64"), "{words}");
    let breaks = [
        (&machine.netns, "10.90.0.254/24 dev cni0"),
        (&machine.netns, "fd00:90::fe/64 dev cni0"),
        (pod.container.netns(), "10.90.0.40/24 dev eth0"),
    ];
    for (netns, what) in breaks {
        output(netns, &format!("ip addr del {what}"));
        let (code, words) = machine.refused(&check, &with);
        assert_eq!(code, 101);
        let address = what.split_once('/').expect("a length").0;
        assert!(words.contains(address), "{what}: {words}");
        output(netns, &format!("ip addr add {what}"));
        machine.done(&check, &with);
    }
    machine.del(&pod, &conf);
    machine.assert_clean();
}

#[test]
fn addresses_of_each_set_are_asked_for_and_free_again_after_del_and_after_gc() {
    let machine = Machine::new("sets_asked");
    let (a, b) = (Pod::new("a"), Pod::new("b"));
    let mut conf = conf(&machine);
    conf["cniVersion"] = "1.1.0".into();
    let mut fixed = conf.clone();
    fixed["runtimeConfig"] = json!({ "ips": ["10.90.0.77/24", "10.88.0.77", "fd00:90::77"] });
    let wanted = ["10.88.0.77", "fd00:88::2", "10.90.0.77", "fd00:90::77"];
    let addresses = |result: &Value| [0, 1, 2, 3].map(|at| address(result, at).to_string());
    assert_eq!(addresses(&machine.add(&a, &fixed)), wanted);
    let (code, words) = machine.refused(&Ask::of("ADD", &b), &fixed);
    assert_eq!(code, 100);
    assert!(words.contains("10.90.0.77 is already in use"), "{words}");
    machine.del(&a, &fixed);
    machine.add(&b, &conf);
    let mut again = fixed.clone();
    again["runtimeConfig"]["ips"] = json!(["10.90.0.77", "10.90.0.78"]);
    let (code, words) = machine.refused(&Ask::of("ADD", &a), &again);
    assert_eq!(code, 7);
    assert!(words.contains("10.90.0.78"), "{words}");
    machine.add(&a, &fixed);
    let mut valid = conf.clone();
    valid["cni.dev/valid-attachments"] = json!([{ "containerID": b.id, "ifname": "eth0" }]);
    machine.done(&Ask::alone("GC"), &valid);
    assert!(a.addresses("eth0").is_empty());
    assert_eq!(addresses(&machine.add(&a, &fixed))[2..], wanted[2..]);
    machine.del(&a, &conf);
    machine.del(&b, &conf);
    machine.assert_clean();
}

#[test]
fn a_set_that_is_full_is_named_also_by_status() {
    let machine = Machine::new("sets_full");
    let (a, b) = (Pod::new("a"), Pod::new("b"));
    let ranges = json!([[{ "subnet": "10.88.0.0/24" }], [{ "subnet": "10.90.0.0/30" }]]);
    let conf = machine.conf("1.1.0", json!({ "ipam": { "ranges": ranges } }));
    machine.done(&Ask::alone("STATUS"), &conf);
    machine.add(&a, &conf);
    let (code, words) = machine.refused(&Ask::alone("STATUS"), &conf);
    assert!(code == 50 && words.contains("10.90.0.0/30"), "{words}");
    let (code, words) = machine.refused(&Ask::of("ADD", &b), &conf);
    assert!(code == 100 && words.contains("10.90.0.0/30"), "{words}");
    machine.del(&a, &conf);
    assert_eq!(address(&machine.add(&b, &conf), 1).to_string(), "10.90.0.2");
    machine.del(&b, &conf);
    machine.assert_clean();
}

#[test]
fn what_the_runtime_gives_comes_first_and_then_the_range_beside_the_sets() {
    let machine = Machine::new("sets_order");
    let pod = Pod::new("pod");
    let mut conf = machine.usual();
    conf["ipam"]["ranges"] =
        json!([[{ "subnet": "fd00:88::/64" }], [{ "subnet": "10.90.0.0/24" }]]);
    conf["runtimeConfig"] = json!({ "ipRanges": [[{ "subnet": "10.91.0.0/24" }]] });
    let result = machine.add(&pod, &conf);
    let addresses = [0, 1, 2, 3].map(|at| address(&result, at).to_string());
    assert_eq!(
        addresses,
        ["10.91.0.2", "10.88.0.2", "fd00:88::2", "10.90.0.2"]
    );
    let default = pod.routes("-4");
    let default = default.iter().find(|route| route["dst"] == "default");
    assert_eq!(default.expect("a route")["gateway"], "10.91.0.1");
    machine.del(&pod, &conf);
    machine.assert_clean();
}
