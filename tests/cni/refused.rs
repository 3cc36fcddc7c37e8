//! What is refused: by which of the spec's codes, in which words, and with nothing changed.

use std::fs;

use serde_json::{Value, json};

use crate::ground::{Ask, Machine, Pod, refusal};
use crate::lab::chance::{Chance, seed};

/// Keys on top of the usual ones, the code, and a part of the words.
fn cases() -> Vec<(Value, u64, &'static str)> {
    let ipam = |range: Value| json!({ "ipam": range });
    vec![
        (json!({ "cniVersion": "0.2.0" }), 1, "0.2.0"),
        (json!({ "cniVersion": "2.0.0" }), 1, "2.0.0"),
        (json!({ "cniVersion": null }), 1, "0.1.0"),
        (json!({ "promiscMode": true }), 2, "promiscMode: true"),
        (json!({ "vlan": 7 }), 2, "vlan: 7"),
        (
            json!({ "vlanTrunk": [{ "id": 3 }] }),
            2,
            "vlanTrunk: [{\"id\":3}]",
        ),
        (json!({ "cniVersion": 1 }), 6, "cniVersion"),
        (json!({ "mtu": "large" }), 6, "large"),
        (json!({ "name": "" }), 7, "no name"),
        (json!({ "name": "../up" }), 7, "../up"),
        (
            json!({ "bridge": "a name that is much too long" }),
            7,
            "a name that is",
        ),
        (json!({ "mtu": 1 }), 7, "mtu"),
        (
            ipam(json!({ "subnet": "10.88.0.0/32" })),
            100,
            "10.88.0.0/32",
        ),
        (
            ipam(json!({ "subnet": "10.88.0.0/24", "gateway": "10.89.0.1" })),
            7,
            "10.89.0.1",
        ),
        (
            ipam(json!({ "subnet": "10.88.0.0/24", "rangeStart": "10.9.0.1" })),
            7,
            "10.9.0.1",
        ),
        (ipam(json!({ "rangeStart": "10.88.0.4" })), 7, "no subnet"),
        (
            ipam(json!({ "type": "nobody" })),
            7,
            "nobody is not in CNI_PATH",
        ),
        (ipam(json!({ "type": "../sh" })), 7, "../sh"),
        (
            ipam(json!({ "ranges": [[{ "subnet": "10.1.0.0/24" }, { "subnet": "10.2.0.0/24" }]] })),
            7,
            "multiple subnets",
        ),
        (
            ipam(
                json!({ "ranges": [[{ "subnet": "10.1.0.0/24" }], [{ "subnet": "10.1.0.0/16" }]] }),
            ),
            7,
            "10.1.0.0/16",
        ),
        (ipam(json!({ "ranges": [[]] })), 7, "empty"),
        (
            json!({ "runtimeConfig": { "ips": ["10.88.1.5"] } }),
            7,
            "10.88.1.5",
        ),
        (
            json!({ "runtimeConfig": { "ips": ["nowhere"] } }),
            7,
            "nowhere",
        ),
        (json!({ "runtimeConfig": { "mac": "one" } }), 7, "one"),
        (
            json!({ "runtimeConfig": { "portMappings": [{ "hostPort": 70000, "containerPort": 1 }] } }),
            7,
            "70000",
        ),
    ]
}

#[test]
fn what_can_not_be_met_is_refused_by_the_spec_s_codes_and_changes_nothing() {
    let machine = Machine::new("refused");
    let pod = Pod::new("pod");
    for (more, code, part) in cases() {
        let mut conf = machine.usual();
        for (key, value) in more.as_object().expect("an object") {
            conf[key] = value.clone();
        }
        let (said, words) = machine.refused(&Ask::of("ADD", &pod), &conf);
        assert_eq!(said, code, "{more}: {words}");
        assert!(words.contains(part), "{more}: {words}");
        machine.assert_clean();
    }
    assert!(pod.addresses("eth0").is_empty());
}

/// An environment, the code, and a part of the words.
type Case<'c> = (&'c [(&'c str, &'c str)], u64, &'c str);

#[test]
fn an_environment_that_says_too_little_is_refused() {
    let machine = Machine::new("environment");
    let pod = Pod::new("pod");
    let path = pod.path();
    let (id, netns) = (
        ("CNI_CONTAINERID", pod.id.as_str()),
        ("CNI_NETNS", path.as_str()),
    );
    let (add, ifname) = (("CNI_COMMAND", "ADD"), ("CNI_IFNAME", "eth0"));
    let host = machine.netns.path().display().to_string();
    let cases: [Case<'_>; 10] = [
        (&[], 4, "CNI_COMMAND"),
        (&[("CNI_COMMAND", "JUMP")], 4, "JUMP"),
        (&[add, netns, ifname], 4, "CNI_CONTAINERID"),
        (&[add, id, ifname], 4, "CNI_NETNS"),
        (&[add, id, netns], 4, "CNI_IFNAME"),
        (
            &[add, ("CNI_CONTAINERID", "../x"), netns, ifname],
            4,
            "../x",
        ),
        (&[add, id, netns, ("CNI_IFNAME", "a/b")], 4, "a/b"),
        (
            &[add, id, netns, ifname, ("CNI_ARGS", "COLOUR=red")],
            4,
            "COLOUR",
        ),
        (
            &[add, id, ("CNI_NETNS", "/proc/self/no"), ifname],
            3,
            "/proc/self/no",
        ),
        (
            &[add, id, ("CNI_NETNS", &host), ifname],
            7,
            "the host's own namespace",
        ),
    ];
    for (environment, code, part) in cases {
        let said = machine.call_raw(environment, machine.usual().to_string().as_bytes());
        let (found, words) = refusal(&said);
        assert_eq!(found, code, "{environment:?}: {words}");
        assert!(words.contains(part), "{environment:?}: {words}");
    }
    let said = machine.call_raw(&[add, id, netns, ifname], b"{");
    assert_eq!(refusal(&said).0, 6);
    machine.assert_clean();
}

#[test]
fn verbs_are_there_from_their_version_on() {
    let machine = Machine::new("verbs_since");
    let pod = Pod::new("pod");
    let mut conf = machine.usual();
    assert_eq!(machine.refused(&Ask::alone("GC"), &conf).0, 1);
    assert_eq!(machine.refused(&Ask::alone("STATUS"), &conf).0, 1);
    conf["cniVersion"] = "0.3.1".into();
    assert_eq!(machine.refused(&Ask::of("CHECK", &pod), &conf).0, 1);
}

#[test]
fn status_says_whether_a_container_could_be_added() {
    let machine = Machine::new("status");
    let mut conf = machine.usual();
    conf["cniVersion"] = "1.1.0".into();
    machine.done(&Ask::alone("STATUS"), &conf);
    let other = Pod::new("other");
    let taken = machine.conf("1.1.0", json!({ "name": "other", "ipam": conf["ipam"] }));
    machine.add(&other, &taken);
    let (code, words) = machine.refused(&Ask::alone("STATUS"), &conf);
    assert_eq!(code, 50);
    assert!(
        words.contains("10.88.0.0/24") && words.contains("network other"),
        "{words}"
    );
    machine.done(&Ask::alone("STATUS"), &taken);
    machine.del(&other, &taken);
    let one = json!({ "subnet": "10.88.0.0/30" });
    let small = machine.conf("1.1.0", json!({ "name": "small", "ipam": one }));
    machine.add(&other, &small);
    let (code, words) = machine.refused(&Ask::alone("STATUS"), &small);
    assert_eq!(code, 50);
    assert!(words.contains("10.88.0.0/30"), "{words}");
    machine.del(&other, &small);
    machine.done(&Ask::alone("STATUS"), &small);
    fs::remove_dir_all(machine.state()).expect("it is there");
    fs::write(machine.state(), "a file").expect("it can be written");
    assert_eq!(machine.refused(&Ask::alone("STATUS"), &conf).0, 50);
}

/// Whether it can be read, and has records kept elsewhere than on the test's machine.
fn is_elsewhere(conf: &[u8], state: &str) -> bool {
    let Ok(Value::Object(fields)) = serde_json::from_slice(conf) else {
        return false;
    };
    let mut given = fields
        .iter()
        .filter(|(key, _)| key.to_lowercase() == "statedir");
    !given.all(|(_, value)| value == state) || !fields.contains_key("stateDir")
}

#[test]
fn whatever_is_on_stdin_is_answered_by_one_error_and_changes_nothing() {
    let machine = Machine::new("fuzzed");
    let pod = Pod::new("pod");
    let mut right = machine.usual();
    let mapping = json!({ "hostPort": 8080, "containerPort": 80, "protocol": "tcp" });
    right["runtimeConfig"] = json!({ "portMappings": [mapping], "ips": ["10.88.0.9/24"] });
    let state = machine.state().display().to_string();
    let right = right.to_string();
    let mut chance = Chance::new(seed());
    let mut refused = 0;
    for round in 0..40 {
        let wrong = chance.damage(right.as_bytes());
        let path = pod.path();
        let environment = |verb| {
            let netns = ("CNI_NETNS", path.as_str());
            let id = ("CNI_CONTAINERID", pod.id.as_str());
            [("CNI_COMMAND", verb), id, netns, ("CNI_IFNAME", "eth0")]
        };
        if is_elsewhere(&wrong, &state) {
            continue;
        }
        let said = machine.call_raw(&environment("ADD"), &wrong);
        if said.status == 0 {
            let undone = machine.call_raw(&environment("DEL"), &wrong);
            assert_eq!(undone.status, 0, "{undone:?}");
        } else {
            refusal(&said);
            refused += 1;
        }
        for verb in ["CHECK", "DEL", "GC", "STATUS", "VERSION"] {
            if (round + verb.len()) % 4 == 0 {
                let said = machine.call_raw(&environment(verb), &wrong);
                assert!(said.status == 0 || refusal(&said).0 > 0);
            }
        }
        if round % 4 == 0 {
            machine.assert_clean();
        }
    }
    machine.assert_clean();
    assert!(refused > 10, "{refused}");
}
