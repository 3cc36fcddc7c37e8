//! What can't be done, or not be understood: it is said on standard output, and all is as it was.

use std::net::{TcpListener, UdpSocket};

use bridgework::Netns;
use serde_json::{Value, json};

use crate::asked::{merge, network, publishing, request};
use crate::ground::{Machine, error_of, pings};
use crate::lab::chance::Chance;

fn netns() -> Netns {
    Netns::create().expect("a namespace")
}

#[test]
fn a_setup_that_can_t_be_done_leaves_nothing() {
    let machine = Machine::new("refused");
    let one = netns();
    let net = network(80, json!({}));
    let asked = |more| request(1, &net, &["10.80.0.2"], more);
    let port = |host_ip, number| publishing(asked(json!({})), &[(host_ip, number, 80, 1)]);
    let second = |more: Value| {
        // a network that can be made, and one that can't
        let mut both = asked(json!({}));
        let definition = network(81, more);
        both["networks"]["net81"] = json!({"interface_name": "eth1", "static_ips": ["10.81.0.2"]});
        both["network_info"]["net81"] = definition;
        both
    };
    let with = |more| request(1, &network(80, more), &["10.80.0.2"], json!({}));
    let cases: Vec<(Value, &str)> = vec![
        (port("nowhere", 8080), "invalid host ip"),
        (port("", 0), "0"),
        (request(1, &net, &["10.99.0.2"], json!({})), "10.99.0.2"),
        (request(1, &net, &["10.80.0.1"], json!({})), "10.80.0.1"),
        (
            asked(json!({"static_mac": "01:00:00:00:00:01"})),
            "01:00:00:00:00:01",
        ),
        (asked(json!({"interface_name": "lo"})), "lo"),
        (
            second(json!({"subnets": [{"subnet": "10.80.0.0/16"}]})),
            "10.8",
        ),
        (second(json!({"network_interface": "podman80"})), "podman80"),
        (second(json!({"driver": "macvlan"})), "macvlan"),
        (with(json!({"options": {"mtu": "many"}})), "mtu"),
        (with(json!({"options": {"vlan": "7"}})), "vlan"),
        (with(json!({"options": {"isolate": "perhaps"}})), "isolate"),
        (with(json!({"ipam_options": {"driver": "dhcp"}})), "dhcp"),
    ];
    for (case, word) in cases {
        let words = machine.refuses(&one, &case);
        assert!(words.contains(word), "{words}\n{case}");
        machine.is_clean();
        let links = crate::lab::ip_json(&one, "link show").unwrap_or_default();
        assert!(links.len() <= 1, "{links:?}");
    }
    // what is right is done after all of these
    machine.setup(&one, &asked(json!({})));
    assert!(pings(&one, "10.80.0.1"));
    machine.teardown(&one, &asked(json!({})));
    machine.is_clean();
}

#[test]
fn what_others_have_stays_theirs() {
    let machine = Machine::new("taken");
    let [one, two] = [netns(), netns()];
    let net = network(82, json!({}));
    let asked = |container, address: &str| {
        let request = request(container, &net, &[address], json!({}));
        publishing(request, &[("", 8080, 80, 1)])
    };
    machine.setup(&one, &asked(1, "10.82.0.2"));
    let words = machine.refuses(&two, &asked(2, "10.82.0.3"));
    assert!(words.contains("8080"), "{words}");
    let mut same = request(2, &net, &["10.82.0.2"], json!({}));
    let words = machine.refuses(&two, &same);
    assert!(words.contains("10.82.0.2"), "{words}");
    merge(&mut same, json!({"container_name": "c1"}));
    same["networks"]["net82"]["static_ips"] = json!(["10.82.0.3"]);
    let words = machine.refuses(&two, &same);
    assert!(words.contains("c1"), "{words}");
    assert!(pings(&one, "10.82.0.1"));
    machine.teardown(&two, &asked(2, "10.82.0.3"));
    assert!(pings(&one, "10.82.0.1"));
    machine.teardown(&one, &asked(1, "10.82.0.2"));
    machine.is_clean();
}

/// Podman itself has the ports of a container that is running, and asks for them again.
#[test]
fn a_port_that_is_listened_on_is_published_and_a_gateway_that_is_asked_by_others_is_not() {
    let machine = Machine::new("held");
    let one = netns();
    let net = network(83, json!({}));
    let asked = publishing(
        request(1, &net, &["10.83.0.2"], json!({})),
        &[("", 8080, 80, 1)],
    );
    let held = machine
        .netns
        .run(|| TcpListener::bind("0.0.0.0:8080"))
        .expect("inside");
    machine.setup(&one, &asked);
    machine.teardown(&one, &asked);
    machine.is_clean();
    drop(held);
    let other = machine
        .netns
        .run(|| UdpSocket::bind("0.0.0.0:53"))
        .expect("inside");
    let words = machine.refuses(&one, &asked);
    assert!(words.contains("53"), "{words}");
    machine.is_clean();
    drop(other);
}

#[test]
fn whatever_is_on_standard_input_is_answered_by_one_error_and_changes_nothing() {
    let machine = Machine::new("fuzzed");
    let one = netns();
    let path = one.path().display().to_string();
    let net = network(84, json!({}));
    let right = publishing(
        request(1, &net, &["10.84.0.2"], json!({})),
        &[("", 8080, 80, 1)],
    );
    let right = right.to_string().into_bytes();
    let mut chance = Chance::new(84);
    let mut refused = 0;
    for round in 0..80 {
        let wrong = chance.damage(&right);
        let said = machine.run(&["setup", &path], &wrong);
        if said.status == 0 {
            // it was harmless; what it asked for is taken down by the same
            let undone = machine.run(&["teardown", &path], &wrong);
            assert_eq!(undone.status, 0, "{undone:?}");
        } else {
            assert_eq!(said.status, 1, "{said:?}");
            error_of(&said);
            refused += 1;
        }
        if round % 8 == 0 || said.status == 0 {
            machine.is_clean();
        }
        let verb = ["teardown", "update", "create"][round % 3];
        let rest: &[&str] = match verb {
            "teardown" => &["teardown", &path],
            "update" => &["update", "net84", "--network-dns-servers", "10.0.0.1"],
            _ => &["create"],
        };
        let said = machine.run(rest, &wrong);
        if said.status != 0 {
            error_of(&said);
        }
    }
    assert!(refused > 40, "{refused} of 80");
    machine.is_clean();
}
