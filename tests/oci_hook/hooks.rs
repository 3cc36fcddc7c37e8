//! Containers that begin and end.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::ground::{Begun, Machine};
use crate::lab::chance::{Chance, seed};
use crate::lab::example::{Said, kill_at_some_moment};
use crate::lab::{DEADLINE, udp_both_ways};

const RECORDED: [(&str, &str); 3] = [
    ("runc", include_str!("recorded/runc.json")),
    ("crun", include_str!("recorded/crun.json")),
    ("youki", include_str!("recorded/youki.json")),
];

#[test]
fn containers_of_the_recorded_runtimes_reach_one_another_and_leave_nothing() {
    for (name, text) in RECORDED {
        let recorded: Value = serde_json::from_str(text).expect("json");
        let machine = Machine::new(name);
        let mut begun: BTreeMap<String, (Begun, Value)> = BTreeMap::new();
        for exchange in recorded["exchanges"].as_array().expect("a list") {
            let mut state = exchange["state"].clone();
            let id = state["id"].as_str().expect("an id").to_owned();
            let asked = json!({
                "bridgework.network": state["annotations"]["docknet.network"],
                "bridgework.ip": state["annotations"]["docknet.ip"],
                "somebody.else": "7",
            });
            state["annotations"] = asked;
            match exchange["phase"].as_str().expect("a phase") {
                "createRuntime" => {
                    let container = Begun::new(&id);
                    state["pid"] = container.state(json!({}))["pid"].clone();
                    machine.done("createRuntime", &state);
                    begun.insert(id, (container, state));
                }
                "poststop" => {
                    // by then its process has ended
                    drop(begun.remove(&id));
                    machine.done("poststop", &state);
                }
                _ => reach_one_another(&begun),
            }
        }
        for (_, (container, state)) in begun {
            drop(container);
            machine.done("poststop", &state);
        }
        machine.assert_clean();
    }
}

fn reach_one_another(begun: &BTreeMap<String, (Begun, Value)>) {
    if let [Some((one, _)), Some((two, _))] = ["hk1", "hk2"].map(|id| begun.get(id)) {
        assert_eq!(one.addresses(), ["10.98.0.2/24"]);
        udp_both_ways(&one.container, &two.container, [10, 98, 0, 3].into());
    }
}

#[test]
fn all_that_annotations_ask_for_is_there() {
    let machine = Machine::new("asked");
    // as podman's and containerd's ids are
    let web = Begun::new(&"0123456789abcdef".repeat(4));
    let state = web.state(json!({
        "bridgework.network": "web",
        "bridgework.subnet": "10.98.0.0/24, fd00:98::/64",
        "bridgework.ip": "10.98.0.9,fd00:98::9",
        "bridgework.aliases": "db,store",
        "bridgework.publish": "8080:80,127.0.0.1:8081:80/tcp",
        "bridgework.mac": "02:00:00:00:00:09",
        "bridgework.interface": "eth0",
    }));
    machine.done("createRuntime", &state);
    assert_eq!(web.addresses(), ["10.98.0.9/24", "fd00:98::9/64"]);
    let now = web.container.netns().snapshot().expect("a snapshot");
    let mac = now
        .link_named("eth0")
        .and_then(|link| link.mac)
        .expect("it has one");
    assert_eq!(mac.to_string(), "02:00:00:00:00:09");
    let bind = || TcpListener::bind("0.0.0.0:80");
    let listener = web.container.run(bind).expect("inside").expect("port 80");
    for port in [8080, 8081] {
        let at = SocketAddr::new([127, 0, 0, 1].into(), port);
        let connect = || TcpStream::connect_timeout(&at, DEADLINE);
        let mut near = machine
            .netns
            .run(connect)
            .expect("inside")
            .expect("it is published");
        let (mut far, _) = listener.accept().expect("a connection");
        far.write_all(b"!").expect("it is open");
        let mut byte = [0];
        near.read_exact(&mut byte).expect("a byte");
        assert_eq!(&byte, b"!");
    }
    machine.done("poststop", &state);
    machine.assert_clean();
}

#[test]
fn each_phase_may_be_repeated_and_another_life_of_the_container_takes_its_place() {
    let machine = Machine::new("repeated");
    let asked = json!({ "bridgework.network": "web", "bridgework.subnet": "10.98.0.0/24" });
    let first = Begun::new("app");
    let peer = Begun::new("peer");
    machine.done("createRuntime", &peer.state(asked.clone()));
    for _ in 0..2 {
        machine.done("createRuntime", &first.state(asked.clone()));
    }
    udp_both_ways(&first.container, &peer.container, [10, 98, 0, 2].into());
    // without a word of the first's end, which is still there
    let second = Begun::new("app");
    let state = second.state(asked.clone());
    machine.done("createRuntime", &state);
    udp_both_ways(&second.container, &peer.container, [10, 98, 0, 2].into());
    for _ in 0..2 {
        machine.done("poststop", &state);
        machine.done("poststop", &peer.state(asked.clone()));
    }
    machine.assert_clean();
}

#[test]
fn a_container_that_names_no_network_is_left_alone() {
    let machine = Machine::new("alone");
    let app = Begun::new("app");
    for annotations in [json!({}), Value::Null, json!({ "somebody.else": "7" })] {
        let state = app.state(annotations);
        machine.done("createRuntime", &state);
        machine.done("poststop", &state);
    }
    let named = app.state(json!({ "bridgework.network": "web" }));
    machine.done("poststop", &named);
    assert!(!machine.records().exists());
}

#[test]
fn a_hook_that_dies_in_the_middle_is_in_nobody_s_way() {
    let machine = Machine::new("killed");
    let asked = json!({ "bridgework.network": "web" });
    let app = Begun::new("app");
    let state = app.state(asked);
    let mut chance = Chance::new(seed());
    for round in 0..6 {
        for phase in ["createRuntime", "poststop"] {
            let child = machine.begin(phase, &state);
            kill_at_some_moment(child, &mut chance, Duration::from_millis(30));
        }
        if round % 2 == 0 {
            machine.done("createRuntime", &state);
            assert_eq!(app.addresses().len(), 1);
        }
        machine.done("poststop", &state);
        machine.assert_clean();
    }
}

#[test]
fn eight_at_once_are_all_attached_and_leave_nothing() {
    let machine = Machine::new("eight");
    let asked = json!({ "bridgework.network": "web" });
    let all: Vec<Begun> = (0..8).map(|n| Begun::new(&format!("app{n}"))).collect();
    let at_once = |phase: &str| {
        let begin = |app: &Begun| machine.begin(phase, &app.state(asked.clone()));
        let running: Vec<_> = all.iter().map(begin).collect();
        for said in running.into_iter().map(Said::at_the_end_of) {
            assert_eq!((said.status, &*said.err), (0, ""), "{said:?}");
        }
    };
    at_once("createRuntime");
    let mut addresses: Vec<_> = all.iter().flat_map(Begun::addresses).collect();
    addresses.sort();
    addresses.dedup();
    assert_eq!(addresses.len(), 8);
    at_once("poststop");
    machine.assert_clean();
}

#[test]
fn whoever_comes_to_a_network_whose_bridge_somebody_has_removed_finds_it_and_all_others_again() {
    let machine = Machine::new("rebuilt");
    let [one, two] = ["one", "two"].map(Begun::new);
    let [first, second] = [(&one, "10.98.0.2/24"), (&two, "10.98.0.3/24")]
        .map(|(begun, ip)| begun.state(json!({ "bridgework.network": "hk", "bridgework.ip": ip })));
    machine.done("createRuntime", &first);
    let remove = "ip link del $(ip -o link show type bridge | cut -d: -f2)";
    let removed = machine
        .netns
        .run(|| Command::new("sh").args(["-euc", remove]).status());
    assert!(removed.expect("inside").expect("a shell").success());
    machine.done("createRuntime", &second);
    udp_both_ways(&two.container, &one.container, [10, 98, 0, 2].into());
    machine.done("poststop", &first);
    machine.done("poststop", &second);
    machine.assert_clean();
}
