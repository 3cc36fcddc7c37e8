//! Containers of the same name, one after the other or at once, and others' troubles that are not a
//! container's own.

use std::process::Command;

use serde_json::{Value, json};

use crate::ground::{Begun, Machine};
use crate::lab::udp_both_ways;

fn named(network: &str, address: &str) -> Value {
    json!({
        "bridgework.network": network,
        "bridgework.ip": address,
        "bridgework.name": "db",
    })
}

#[test]
fn a_container_that_lives_keeps_its_name_and_is_not_cut_off_by_another_s_end() {
    let machine = Machine::new("lives");
    let [one, two, peer] = ["one", "two", "peer"].map(Begun::new);
    let asked = json!({ "bridgework.network": "web", "bridgework.ip": "10.98.0.9/24" });
    let at_peer = peer.state(asked);
    machine.done("createRuntime", &at_peer);
    let first = one.state(named("web", "10.98.0.2/24"));
    machine.done("createRuntime", &first);
    for (network, address) in [("web", "10.98.0.3/24"), ("other", "10.99.0.3/24")] {
        let second = two.state(named(network, address));
        let words = machine.refused("createRuntime", &second);
        assert!(words.contains("db"), "{words}");
        // a runtime ends what it could not begin
        machine.done("poststop", &second);
        assert!(two.addresses().is_empty());
        udp_both_ways(&peer.container, &one.container, [10, 98, 0, 2].into());
    }
    machine.done("poststop", &first);
    machine.done("poststop", &at_peer);
    machine.assert_clean();
}

#[test]
fn a_name_is_free_when_its_container_has_died_whose_end_comes_too_late() {
    let machine = Machine::new("late");
    let [two, peer] = ["two", "peer"].map(Begun::new);
    let asked = json!({ "bridgework.network": "web", "bridgework.ip": "10.98.0.9/24" });
    let at_peer = peer.state(asked);
    machine.done("createRuntime", &at_peer);
    for (network, address, then) in [
        ("web", "10.98.0.2/24", [10, 98, 0, 2]),
        ("other", "10.99.0.2/24", [10, 98, 0, 3]),
    ] {
        let one = Begun::new("one");
        let first = one.state(named(network, address));
        machine.done("createRuntime", &first);
        drop(one);
        let then = std::net::IpAddr::from(then);
        let second = two.state(named("web", &then.to_string()));
        machine.done("createRuntime", &second);
        machine.done("poststop", &first);
        udp_both_ways(&peer.container, &two.container, then);
        machine.done("poststop", &second);
    }
    machine.done("poststop", &at_peer);
    machine.assert_clean();
}

#[test]
fn a_container_goes_whose_records_were_lost() {
    let machine = Machine::new("lost");
    let app = Begun::new("app");
    let state = app.state(named("web", "10.98.0.2/24"));
    machine.done("createRuntime", &state);
    for file in std::fs::read_dir(machine.records()).expect("a folder") {
        std::fs::remove_file(file.expect("a file").path()).expect("it is there");
    }
    machine.done("poststop", &state);
    assert!(app.addresses().is_empty());
}

/// Inside of another container, somebody else's interface has taken the place of ours: its wire is missing,
/// and can't be made again.
#[test]
fn what_is_wrong_with_another_container_keeps_nobody_from_going() {
    let machine = Machine::new("troubles");
    let [app, aside] = ["app", "aside"].map(Begun::new);
    let state = app.state(json!({ "bridgework.network": "web" }));
    let broken = aside.state(json!({ "bridgework.network": "other" }));
    machine.done("createRuntime", &state);
    machine.done("createRuntime", &broken);
    let usurp = "ip link del eth0; ip link add eth0 type bridge";
    let run = || Command::new("sh").args(["-euc", usurp]).status();
    let status = aside.container.run(run).expect("inside");
    assert!(status.expect("a shell").success());
    for _ in 0..2 {
        machine.done("poststop", &state);
    }
    assert!(app.addresses().is_empty());
    machine.done("poststop", &broken);
    machine.assert_clean();
}
