//! Which families' default routes lead by an interface: what is asked for of each, and no more.

use bridgework::{Container, VethConfig, VethPair};
use serde_json::{Value, json};

use crate::ground::{Ask, Machine, Pod, address};
use crate::lab::machine::global_addresses;
use crate::lab::packet::echo;
use crate::lab::{container, output, udp_both_ways};

fn conf(machine: &Machine, routes: &Value) -> Value {
    let mut conf = machine.usual();
    conf["ipam"] = json!({
        "ranges": [[{ "subnet": "10.88.0.0/24" }], [{ "subnet": "fd00:88::/64" }]],
        "routes": routes,
    });
    conf
}

/// By which interface a family's default route leads.
fn default(pod: &Pod, family: &str) -> Option<String> {
    let routes = pod.routes(family).into_iter();
    let mut default = routes.filter(|route| route["dst"] == "default");
    let link = default.next().map(|route| route["dev"].clone());
    assert!(default.next().is_none());
    link.and_then(|link| link.as_str().map(str::to_owned))
}

fn led(pod: &Pod) -> [bool; 2] {
    ["-4", "-6"].map(|family| default(pod, family).is_some())
}

/// The destinations of a result's routes.
fn told(result: &Value) -> Vec<String> {
    let routes = result["routes"].as_array().expect("a list").iter();
    let told = routes.map(|route| route["dst"].as_str().unwrap_or_default().to_owned());
    told.collect()
}

#[test]
fn a_default_route_of_one_family_brings_none_of_the_other() {
    let machine = Machine::new("families");
    let peer = Pod::new("peer");
    let (v4, v6) = (json!({ "dst": "0.0.0.0/0" }), json!({ "dst": "::/0" }));
    let at_peer = machine.add(&peer, &conf(&machine, &Value::Null));
    assert_eq!(led(&peer), [false, false]);
    let cases = [
        (json!([v4]), [true, false]),
        (json!([v6]), [false, true]),
        (json!([v4, v6]), [true, true]),
        (json!([{ "dst": "198.51.100.0/24" }]), [false, false]),
    ];
    for (routes, expected) in cases {
        let pod = Pod::new("pod");
        let mut conf = conf(&machine, &routes);
        let result = machine.add(&pod, &conf);
        assert_eq!(led(&pod), expected, "{routes}");
        assert_eq!(result["routes"], routes);
        for index in [0, 1] {
            udp_both_ways(&pod.container, &peer.container, address(&at_peer, index));
        }
        for gateway in ["10.88.0.1", "fd00:88::1"] {
            let ping = format!("busybox ping -c1 -W2 {gateway}");
            assert!(output(pod.container.netns(), &ping).is_some(), "{gateway}");
        }
        conf["prevResult"] = result;
        machine.done(&Ask::of("CHECK", &pod), &conf);
        machine.del(&pod, &conf);
    }
    machine.del(&peer, &conf(&machine, &Value::Null));
    machine.assert_clean();
}

#[test]
fn a_default_gateway_is_one_of_both_families_whatever_routes_there_are() {
    let machine = Machine::new("both");
    let pod = Pod::new("pod");
    let mut conf = conf(&machine, &json!([{ "dst": "0.0.0.0/0" }]));
    conf["isDefaultGateway"] = true.into();
    let result = machine.add(&pod, &conf);
    assert_eq!(led(&pod), [true, true]);
    assert_eq!(told(&result), ["0.0.0.0/0", "::/0"]);
    machine.del(&pod, &conf);
    machine.assert_clean();
}

#[test]
fn each_family_leads_out_by_the_network_that_it_is_asked_for_on() {
    let machine = Machine::new("crossed");
    let pod = Pod::new("pod");
    let first = conf(&machine, &json!([{ "dst": "0.0.0.0/0" }]));
    let mut second = conf(&machine, &json!([{ "dst": "::/0" }]));
    second["name"] = "other".into();
    second["bridge"] = "cni1".into();
    second["ipam"]["ranges"] =
        json!([[{ "subnet": "10.89.0.0/24" }], [{ "subnet": "fd00:89::/64" }]]);
    let other = |verb| Ask {
        ifname: "net1",
        ..Ask::of(verb, &pod)
    };
    machine.done(&other("ADD"), &second);
    machine.add(&pod, &first);
    let both = ["-4", "-6"].map(|family| default(&pod, family));
    assert_eq!(both, [Some("eth0".to_owned()), Some("net1".to_owned())]);
    machine.done(&other("CHECK"), &second);
    machine.done(&Ask::of("CHECK", &pod), &first);
    machine.del(&pod, &first);
    assert_eq!(led(&pod), [false, true]);
    machine.done(&other("DEL"), &second);
    machine.assert_clean();
}

/// Somebody else's machine on the bridge, which has the gateways' addresses, and one behind them.
fn router(machine: &Machine) -> (VethPair, Container) {
    let router = container("router");
    let near = (&machine.netns, "near");
    let pair = VethPair::create(near, (router.netns(), "eth0"), VethConfig::new()).expect("a pair");
    let run = |netns, command: &str| assert!(output(netns, command).is_some(), "{command}");
    run(&machine.netns, "ip link set near master cni0 up");
    run(router.netns(), "ip link set eth0 up");
    for (address, link) in [
        ("10.88.0.1/24", "eth0"),
        ("fd00:88::1/64", "eth0"),
        ("203.0.113.9/32", "lo"),
        ("2001:db8:9::9/128", "lo"),
    ] {
        run(router.netns(), &format!("ip addr add {address} dev {link}"));
    }
    run(router.netns(), "ip link set lo up");
    (pair, router)
}

#[test]
fn where_another_machine_is_the_gateway_each_family_leads_out_by_it_as_asked_for() {
    let machine = Machine::new("another");
    let (v4, v6) = (json!({ "dst": "0.0.0.0/0" }), json!({ "dst": "::/0" }));
    let cases = [
        (json!([v4]), [true, false]),
        (json!([v6]), [false, true]),
        (json!([v4, v6]), [true, true]),
    ];
    for (routes, expected) in cases {
        let pod = Pod::new("pod");
        let mut conf = conf(&machine, &routes);
        conf["isGateway"] = false.into();
        conf["ipMasq"] = false.into();
        conf["prevResult"] = machine.add(&pod, &conf);
        let (pair, router) = router(&machine);
        assert_eq!(led(&pod), expected, "{routes}");
        assert!(global_addresses(&machine.netns, "cni0").is_empty());
        let reaches = ["203.0.113.9", "2001:db8:9::9"].map(|far| {
            let far = far.parse().expect("an address");
            (0..5).any(|_| echo(pod.container.netns(), far).is_ok())
        });
        assert_eq!(reaches, expected, "{routes}");
        machine.done(&Ask::of("CHECK", &pod), &conf);
        drop((pair, router));
        machine.del(&pod, &conf);
        machine.assert_clean();
    }
}
