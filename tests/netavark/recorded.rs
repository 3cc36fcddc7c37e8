//! What podman 4.3.1 was recorded to ask, in its order; the answers have the form of those that were
//! recorded with it.

use std::collections::BTreeMap;

use bridgework::Netns;
use serde_json::Value;

use crate::ground::Machine;

const RECORDED: &str = include_str!("podman-4.3.1.json");

/// The same with what another run may have otherwise in its place.
fn form(value: &Value) -> Value {
    let mut value = value.clone();
    for network in value.as_object_mut().expect("networks").values_mut() {
        let interfaces = network["interfaces"].as_object_mut().expect("interfaces");
        for interface in interfaces.values_mut() {
            let mac = interface["mac_address"].as_str().expect("a text");
            let octets = mac.split(':').filter(|octet| octet.len() == 2);
            assert_eq!(octets.count(), 6, "{mac}");
            interface["mac_address"] = "any".into();
        }
    }
    value
}

#[test]
fn what_podman_asks_is_answered_in_the_form_that_it_reads() {
    let machine = Machine::new("recorded");
    let recorded: Vec<Value> = serde_json::from_str(RECORDED).expect("json");
    let mut containers = BTreeMap::new();
    for exchange in &recorded {
        let name = exchange["container"].as_str().expect("a name");
        let made = || Netns::create().expect("a namespace");
        let netns = containers.entry(name).or_insert_with(made);
        let asked = &exchange["stdin"];
        if exchange["verb"] == "teardown" {
            machine.teardown(netns, asked);
            continue;
        }
        let answer = machine.setup(netns, asked);
        assert_eq!(form(&answer), form(&exchange["stdout"]), "{asked}");
        for (network, place) in asked["networks"].as_object().expect("networks") {
            let Some(mac) = place.get("static_mac") else {
                continue;
            };
            let interface =
                &answer[network]["interfaces"][place["interface_name"].as_str().unwrap()];
            assert_eq!(&interface["mac_address"], mac, "it is kept");
        }
    }
    machine.is_clean();
}
