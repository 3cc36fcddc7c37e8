//! The verbs, asked for one after the other as a runtime does.

use serde_json::{Value, json};

use crate::ground::{Ask, Machine, Pod, address};
use crate::lab::{tcp_both_ways, udp_both_ways};

#[test]
fn two_containers_are_added_reach_one_another_and_go() {
    let machine = Machine::new("two");
    let (a, b) = (Pod::new("a"), Pod::new("b"));
    let conf = machine.usual();
    let at_a = machine.add(&a, &conf);
    let at_b = machine.add(&b, &conf);
    assert_eq!(a.addresses("eth0"), ["10.88.0.2/24"]);
    udp_both_ways(&a.container, &b.container, address(&at_b, 0));
    tcp_both_ways(&b.container, &a.container, address(&at_a, 0));
    for (pod, result) in [(&a, &at_a), (&b, &at_b)] {
        let mut with = conf.clone();
        with["prevResult"] = result.clone();
        assert_eq!(machine.done(&Ask::of("CHECK", pod), &with), Value::Null);
    }
    machine.del(&a, &conf);
    assert!(a.addresses("eth0").is_empty());
    udp_both_ways(&b.container, &b.container, address(&at_b, 0));
    machine.del(&b, &conf);
    machine.del(&b, &conf);
    machine.assert_clean();
}

#[test]
fn a_result_is_of_the_version_that_was_asked_for() {
    let machine = Machine::new("versions");
    for version in ["0.3.1", "0.4.0", "1.0.0", "1.1.0"] {
        let pod = Pod::new("pod");
        let mut conf = machine.usual();
        conf["cniVersion"] = version.into();
        let result = machine.add(&pod, &conf);
        assert_eq!(result["cniVersion"], version);
        let interfaces = result["interfaces"].as_array().expect("a list");
        assert_eq!(interfaces.len(), 3);
        assert_eq!(interfaces[0]["name"], "cni0");
        assert_eq!(interfaces[2]["name"], "eth0");
        assert_eq!(interfaces[2]["sandbox"], pod.path());
        let ip = &result["ips"][0];
        assert_eq!(
            (&ip["interface"], &ip["gateway"]),
            (&json!(2), &json!("10.88.0.1"))
        );
        let is_old = version.starts_with("0.");
        assert_eq!(ip.get("version"), is_old.then_some(&json!("4")));
        assert_eq!(result["routes"], json!([{ "dst": "0.0.0.0/0" }]));
        machine.del(&pod, &conf);
    }
    machine.assert_clean();
}

#[test]
fn version_answers_without_a_look_at_anything() {
    let machine = Machine::new("version");
    let probe = [
        ("CNI_COMMAND", "VERSION"),
        ("CNI_NETNS", "dummy"),
        ("CNI_PATH", "dummy"),
        ("CNI_IFNAME", "dummy"),
    ];
    let said = machine.call_raw(&probe, br#"{"cniVersion":"1.0.0"}"#);
    let answer: Value = serde_json::from_str(&said.out).expect("json");
    let versions = ["0.3.1", "0.4.0", "1.0.0", "1.1.0"];
    assert_eq!(
        (said.status, answer),
        (
            0,
            json!({ "cniVersion": "1.0.0", "supportedVersions": versions })
        )
    );
    assert!(!machine.state().exists());
}

#[test]
fn one_container_has_several_interfaces_and_each_goes_by_itself() {
    let machine = Machine::new("several");
    let (pod, peer) = (Pod::new("pod"), Pod::new("peer"));
    let first = machine.usual();
    let second = machine.conf(
        "1.0.0",
        json!({
            "name": "storage",
            "isGateway": true,
            "ipam": { "subnet": "10.99.0.0/24", "routes": [{ "dst": "198.51.100.0/24" }] },
        }),
    );
    let by = |ifname: &'static str, verb| Ask {
        ifname,
        ..Ask::of(verb, &pod)
    };
    machine.done(&by("net2", "ADD"), &second);
    let default = |pod: &Pod| -> Vec<String> {
        let mut routes = pod.routes("-4");
        routes.retain(|route| route["dst"] == "default");
        let links = routes.iter().map(|route| route["dev"].to_string());
        links.collect()
    };
    assert_eq!(default(&pod), Vec::<String>::new());
    machine.done(&by("eth0", "ADD"), &first);
    machine.done(&by("eth1", "ADD"), &first);
    machine.add(&peer, &first);
    assert_eq!(default(&pod).len(), 1);
    assert_eq!(pod.addresses("eth0"), ["10.88.0.2/24"]);
    assert_eq!(pod.addresses("eth1"), ["10.88.0.3/24"]);
    assert_eq!(pod.addresses("net2"), ["10.99.0.2/24"]);
    let led = pod.routes("-4");
    let way = led.iter().find(|route| route["dst"] == "198.51.100.0/24");
    let way = way.expect("a route");
    assert_eq!(
        (&way["gateway"], &way["dev"]),
        (&json!("10.99.0.1"), &json!("net2"))
    );
    udp_both_ways(&peer.container, &pod.container, [10, 88, 0, 2].into());
    for name in ["eth0", "eth1", "net2"] {
        let conf = if name == "net2" { &second } else { &first };
        machine.done(&by(name, "CHECK"), conf);
    }
    machine.done(&by("eth0", "DEL"), &first);
    assert_eq!(default(&pod), ["\"eth1\""]);
    machine.done(&by("eth1", "CHECK"), &first);
    machine.done(&by("eth1", "DEL"), &first);
    assert_eq!(default(&pod), Vec::<String>::new());
    machine.done(&by("net2", "DEL"), &second);
    machine.del(&peer, &first);
    machine.assert_clean();
}
