//! Who has the addresses: the crate, with ranges, static ones and both families, or another plugin.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};

use crate::ground::{Ask, Machine, Pod, address};
use crate::lab::udp_both_ways;

#[test]
fn both_families_are_served_and_static_addresses_and_a_mac_are_given() {
    let machine = Machine::new("dual");
    let (a, b) = (Pod::new("a"), Pod::new("b"));
    let mut conf = machine.usual();
    conf["ipam"] = json!({
        "ranges": [[{ "subnet": "10.88.0.0/24" }], [{ "subnet": "fd00:88::/64", "gateway": null }]],
        "routes": [{ "dst": "0.0.0.0/0" }, { "dst": "::/0" }],
    });
    conf["mtu"] = 1400.into();
    conf["dns"] = json!({ "nameservers": ["10.88.0.1"], "search": ["cluster.local"] });
    let mut fixed = conf.clone();
    fixed["runtimeConfig"] = json!({
        "ips": ["10.88.0.77/24", "fd00:88::77"],
        "mac": "02:00:00:00:00:77",
        "aliases": { "web": ["db"], "other": ["elsewhere"] },
    });
    let at_a = machine.add(&a, &conf);
    let at_b = machine.add(&b, &fixed);
    assert_eq!(b.addresses("eth0"), ["10.88.0.77/24", "fd00:88::77/64"]);
    assert_eq!(at_b["interfaces"][2]["mac"], "02:00:00:00:00:77");
    assert_eq!(at_b["ips"][1]["gateway"], "fd00:88::1");
    assert_eq!(at_b["dns"], conf["dns"]);
    for index in [0, 1] {
        udp_both_ways(&a.container, &b.container, address(&at_b, index));
        udp_both_ways(&b.container, &a.container, address(&at_a, index));
    }
    let link = a.container.netns().snapshot().expect("a snapshot");
    assert_eq!(
        link.link_named("eth0").map(|link| link.mtu_bytes),
        Some(1400)
    );
    // by CNI_ARGS it is the same
    machine.del(&b, &fixed);
    let ask = Ask {
        args: "IgnoreUnknown=1;IP=10.88.0.78;MAC=02:00:00:00:00:78;K8S_POD_NAME=db",
        ..Ask::of("ADD", &b)
    };
    let at_b = machine.done(&ask, &conf);
    assert_eq!(at_b["ips"][0]["address"], "10.88.0.78/24");
    assert_eq!(at_b["interfaces"][2]["mac"], "02:00:00:00:00:78");
    machine.del(&a, &conf);
    machine.del(&b, &conf);
    machine.assert_clean();
}

#[test]
fn automatic_addresses_are_of_the_range_and_end_with_it() {
    let machine = Machine::new("range");
    let pods: Vec<Pod> = (0..4).map(|n| Pod::new(&format!("p{n}"))).collect();
    let mut conf = machine.usual();
    conf["ipam"] = json!({
        "subnet": "10.88.0.0/24",
        "rangeStart": "10.88.0.15",
        "rangeEnd": "10.88.0.17",
        "gateway": "10.88.0.254",
    });
    let given = pods[..3].iter().map(|pod| {
        let result = machine.add(pod, &conf);
        assert_eq!(result["ips"][0]["gateway"], "10.88.0.254");
        address(&result, 0).to_string()
    });
    let given: Vec<String> = given.collect();
    assert_eq!(given, ["10.88.0.15", "10.88.0.16", "10.88.0.17"]);
    let (code, words) = machine.refused(&Ask::of("ADD", &pods[3]), &conf);
    assert_eq!(code, 100);
    assert!(words.contains("no available addresses"), "{words}");
    pods[..3].iter().for_each(|pod| machine.del(pod, &conf));
    machine.assert_clean();
}

/// An IPAM plugin that notes what it is asked, and gives one address by the container's id.
const PLUGIN: &str = r#"#!/bin/sh
cat > "$0.stdin"
echo "$CNI_COMMAND $CNI_IFNAME" >> "$0.asked"
case $CNI_COMMAND in
ADD) echo '{"cniVersion":"1.0.0","ips":[{"address":"10.55.0.5/24","gateway":"10.55.0.1"}],
    "routes":[{"dst":"0.0.0.0/0"}],"dns":{"nameservers":["10.55.0.53"]}}' ;;
CHECK) test ! -e "$0.broken" || { echo '{"cniVersion":"1.0.0","code":11,"msg":"later"}'; exit 1; } ;;
esac
"#;

fn install(machine: &Machine, name: &str) {
    fs::create_dir_all(machine.plugins()).expect("a folder");
    let path = machine.plugins().join(name);
    fs::write(&path, PLUGIN).expect("a script");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("it can be run");
}

fn asked(machine: &Machine, name: &str) -> Vec<String> {
    let asked = fs::read_to_string(machine.plugins().join(format!("{name}.asked")));
    asked
        .unwrap_or_default()
        .lines()
        .map(str::to_owned)
        .collect()
}

#[test]
fn another_plugin_hears_that_an_earlier_life_has_ended_before_it_gives_addresses_again() {
    let machine = Machine::new("heard");
    install(&machine, "delegate");
    let mut conf = machine.usual();
    conf["ipam"] = json!({ "type": "delegate" });
    let first = Pod::new("first");
    machine.add(&first, &conf);
    let id = first.id.clone();
    drop(first);
    let second = Pod {
        id,
        ..Pod::new("second")
    };
    machine.add(&second, &conf);
    assert_eq!(second.addresses("eth0"), ["10.55.0.5/24"]);
    let asked = asked(&machine, "delegate");
    assert_eq!(asked, ["ADD eth0", "DEL eth0", "ADD eth0"]);
    machine.del(&second, &conf);
    machine.assert_clean();
}

#[test]
fn another_plugin_gives_addresses_and_hears_of_all_that_becomes_of_them() {
    let machine = Machine::new("delegated");
    install(&machine, "host-local");
    let (pod, second) = (Pod::new("pod"), Pod::new("second"));
    let mut conf = machine.usual();
    conf["cniVersion"] = "1.1.0".into();
    conf["ipam"] = json!({ "type": "host-local", "of its own": 7 });
    let result = machine.add(&pod, &conf);
    assert_eq!(result["ips"][0]["address"], "10.55.0.5/24");
    assert_eq!(result["dns"]["nameservers"], json!(["10.55.0.53"]));
    assert_eq!(result["routes"], json!([{ "dst": "0.0.0.0/0" }]));
    assert_eq!(pod.addresses("eth0"), ["10.55.0.5/24"]);
    let stdin = fs::read_to_string(machine.plugins().join("host-local.stdin"));
    let stdin: Value = serde_json::from_str(&stdin.expect("it was told")).expect("json");
    assert_eq!(stdin, conf);
    machine.done(&Ask::of("CHECK", &pod), &conf);
    fs::write(machine.plugins().join("host-local.broken"), "").expect("a file");
    let (code, words) = machine.refused(&Ask::of("CHECK", &pod), &conf);
    assert_eq!(
        (code, words.as_str()),
        (11, "IPAM plugin host-local: later")
    );
    // what was given for nothing is given back, and what the first one has is not
    let (code, words) = machine.refused(&Ask::of("ADD", &second), &conf);
    assert_eq!(code, 100);
    assert!(words.contains("10.55.0.5 is already in use"), "{words}");
    machine.done(&Ask::alone("STATUS"), &conf);
    machine.refused(&Ask::of("ADD", &pod), &conf);
    machine.del(&pod, &conf);
    machine.del(&pod, &conf);
    machine.done(&Ask::alone("GC"), &conf);
    let verbs = [
        "ADD eth0",
        "CHECK eth0",
        "CHECK eth0",
        "ADD eth0",
        "DEL eth0",
        "STATUS ",
        "DEL eth0",
        "DEL eth0",
        "GC ",
    ];
    assert_eq!(asked(&machine, "host-local"), verbs);
    machine.assert_clean();
}

#[test]
fn behind_another_plugin_its_result_is_handed_on_with_ours() {
    let machine = Machine::new("chained");
    let pod = Pod::new("pod");
    let mut conf = machine.usual();
    conf["prevResult"] = json!({
        "cniVersion": "1.0.0",
        "interfaces": [{ "name": "lo", "sandbox": pod.path() }],
        "ips": [{ "address": "127.0.0.1/8", "interface": 0 }],
        "dns": { "nameservers": ["192.0.2.53"] },
        "of its own": 1,
    });
    let result = machine.add(&pod, &conf);
    assert_eq!(result["interfaces"][0], conf["prevResult"]["interfaces"][0]);
    assert_eq!(result["ips"][0], conf["prevResult"]["ips"][0]);
    assert_eq!(result["ips"][1]["interface"], 3);
    assert_eq!(result["interfaces"][3]["name"], "eth0");
    assert_eq!(result["dns"], conf["prevResult"]["dns"]);
    assert_eq!(result["of its own"], 1);
    conf["prevResult"] = result;
    machine.done(&Ask::of("CHECK", &pod), &conf);
    machine.del(&pod, &conf);
    machine.assert_clean();
}
