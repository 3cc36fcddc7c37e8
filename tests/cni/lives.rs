//! An earlier life of a container that nobody has ended, and others' troubles that are not a
//! container's own.

use std::process::Command;

use serde_json::{Value, json};

use crate::ground::{Ask, Machine, Pod, address};
use crate::lab::udp_both_ways;

#[test]
fn a_container_whose_earlier_life_nobody_has_ended_is_added_anew() {
    let machine = Machine::new("lives");
    let (first, peer) = (Pod::new("first"), Pod::new("peer"));
    let conf = machine.usual();
    let mut published = conf.clone();
    published["runtimeConfig"] = json!({
        "portMappings": [{ "hostPort": 8080, "containerPort": 80, "protocol": "tcp" }],
    });
    machine.add(&first, &published);
    machine.add(&peer, &conf);
    let id = first.id.clone();
    // without a DEL, as after a crash of the runtime's
    drop(first);
    let second = Pod {
        id,
        ..Pod::new("second")
    };
    let result = machine.add(&second, &published);
    udp_both_ways(&peer.container, &second.container, address(&result, 0));
    let (code, _) = machine.refused(&Ask::of("ADD", &second), &published);
    assert_eq!(code, 100);
    machine.del(&second, &conf);
    machine.del(&peer, &conf);
    machine.assert_clean();
}

/// A container of another network, inside of which somebody else's interface has taken the place of ours:
/// its wire is missing, and can't be made again.
fn one_that_can_not_be_repaired(machine: &Machine) -> (Pod, Value) {
    let aside = Pod::new("aside");
    let other = machine.conf(
        "1.1.0",
        json!({ "name": "other", "bridge": "cni1", "ipam": { "subnet": "10.89.0.0/24" } }),
    );
    machine.add(&aside, &other);
    let usurp = "ip link del eth0; ip link add eth0 type bridge";
    let run = || Command::new("sh").args(["-euc", usurp]).status();
    let status = aside.container.run(run).expect("inside").expect("a shell");
    assert!(status.success());
    (aside, other)
}

#[test]
fn what_is_wrong_with_another_network_keeps_nobody_from_going() {
    let machine = Machine::new("troubles");
    let (pod, peer) = (Pod::new("pod"), Pod::new("peer"));
    let conf = machine.usual();
    machine.add(&pod, &conf);
    machine.add(&peer, &conf);
    let (aside, other) = one_that_can_not_be_repaired(&machine);
    for _ in 0..3 {
        machine.del(&pod, &conf);
    }
    assert!(pod.addresses("eth0").is_empty());
    assert_eq!(peer.addresses("eth0").len(), 1);
    machine.del(&peer, &conf);
    machine.del(&aside, &other);
    machine.assert_clean();
}

#[test]
fn what_is_wrong_with_another_network_is_said_when_all_that_could_be_collected_is() {
    let machine = Machine::new("collected");
    let (pod, peer) = (Pod::new("pod"), Pod::new("peer"));
    let mut conf = machine.usual();
    conf["cniVersion"] = "1.1.0".into();
    machine.add(&pod, &conf);
    machine.add(&peer, &conf);
    let (aside, other) = one_that_can_not_be_repaired(&machine);
    conf["cni.dev/valid-attachments"] = json!([{ "containerID": peer.id, "ifname": "eth0" }]);
    let (code, words) = machine.refused(&Ask::alone("GC"), &conf);
    assert_eq!(code, 100);
    assert!(words.contains("eth0"), "{words}");
    assert!(pod.addresses("eth0").is_empty());
    assert_eq!(peer.addresses("eth0").len(), 1);
    machine.del(&peer, &conf);
    machine.del(&aside, &other);
    machine.assert_clean();
}
