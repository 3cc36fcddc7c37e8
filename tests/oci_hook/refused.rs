//! What is refused, in words, with nothing changed.

use serde_json::{Value, json};

use crate::ground::{Begun, Machine};
use crate::lab::chance::{Chance, seed};

fn with(more: Value) -> Value {
    let mut all = json!({ "bridgework.network": "web", "bridgework.subnet": "10.98.0.0/24" });
    for (key, value) in more.as_object().expect("an object") {
        all[format!("bridgework.{key}")] = value.clone();
    }
    all
}

#[test]
fn what_can_not_be_met_is_refused_and_changes_nothing() {
    let machine = Machine::new("refused");
    let app = Begun::new("app");
    let cases = [
        (json!({ "network": "../up" }), "../up"),
        (
            json!({ "colour": "red" }),
            "unknown annotation bridgework.colour",
        ),
        (json!({ "ip": "10.99.0.2" }), "10.99.0.2"),
        (json!({ "ip": "nowhere" }), "nowhere"),
        (json!({ "subnet": "10.98.0.1/24" }), "10.98.0.1/24"),
        (json!({ "internal": "maybe" }), "maybe"),
        (json!({ "publish": "80:80:80:80" }), "80:80:80"),
        (json!({ "mac": "one" }), "one"),
        (json!({ "interface": "a/b" }), "a/b"),
        (json!({ "name": "a b" }), "a b"),
    ];
    for (more, part) in cases {
        let words = machine.refused("createRuntime", &app.state(with(more)));
        assert!(words.contains(part), "{words}");
        machine.assert_clean();
    }
    let mut state = app.state(with(json!({})));
    let words = machine.refused("startContainer", &state);
    assert!(words.contains("startContainer"), "{words}");
    state["pid"] = Value::Null;
    assert!(machine.refused("createRuntime", &state).contains("no pid"));
    state["pid"] = 4_194_304.into();
    assert!(machine.refused("createRuntime", &state).contains("4194304"));
    assert!(app.addresses().is_empty());
    machine.assert_clean();
}

#[test]
fn a_network_that_was_there_stays() {
    use bridgework::plan::Switch;
    use bridgework::{Host, HostConfig, NetworkConfig};
    let machine = Machine::new("stays");
    let config = HostConfig::new().netns(machine.netns.clone());
    let config = config.state_dir(machine.records()).watch(Switch::Off);
    let host = Host::open_with(config).expect("a host");
    let network = host
        .create_network(NetworkConfig::bridge("web"))
        .expect("a network");
    let _spec = network.persist().expect("it is kept");
    let app = Begun::new("app");
    let state = app.state(json!({ "bridgework.network": "web" }));
    machine.done("createRuntime", &state);
    assert_eq!(network.endpoints().len(), 1);
    machine.done("poststop", &state);
    assert_eq!(network.endpoints().len(), 0);
    network.remove().expect("it is there");
    machine.assert_clean();
}

#[test]
fn whatever_is_on_stdin_changes_nothing_but_what_it_asks_for() {
    let machine = Machine::new("fuzzed");
    let app = Begun::new("app");
    let state = app.state(with(json!({ "ip": "10.98.0.9", "publish": "8080:80" })));
    let right = state.to_string();
    // a damaged pid may be that of somebody else's process
    let (before, after) = right.split_once("\"pid\":").expect("a pid");
    let (pid, rest) = after.split_once('}').expect("an end");
    let mut chance = Chance::new(seed());
    let mut refused = 0;
    for _ in 0..30 {
        let mut wrong = chance.damage(before.as_bytes());
        if String::from_utf8_lossy(&wrong).contains("pid") {
            continue;
        }
        wrong.extend(format!("\"pid\":{pid}}}{rest}").as_bytes());
        let said = machine.hook_raw("createRuntime", &wrong);
        assert!([0, 1].contains(&said.status), "{said:?}");
        assert_eq!(said.status == 0, said.err.is_empty(), "{said:?}");
        refused += said.status;
        let undone = machine.hook_raw("poststop", &wrong);
        assert!([0, 1].contains(&undone.status), "{undone:?}");
        machine.assert_clean();
    }
    assert!(refused > 5, "{refused}");
}
