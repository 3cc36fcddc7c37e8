//! The same asked twice, out of order, of what is gone, of what was killed, and by many at once.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use bridgework::{ContainerName, Netns};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::asked::{network, publishing, request};
use crate::ground::{Machine, addresses_of, finish, pings, reaches};
use crate::lab::chance::Chance;
use crate::lab::example::kill_at_some_moment;

fn netns() -> Netns {
    Netns::create().expect("a namespace")
}

#[test]
fn what_is_set_up_or_taken_down_already_stays_so() {
    let machine = Machine::new("twice");
    let (one, net) = (netns(), network(74, json!({})));
    let asked = publishing(
        request(1, &net, &["10.74.0.2"], json!({})),
        &[("", 8080, 80, 1)],
    );
    machine.teardown(&one, &asked);
    assert!(
        !machine.state().join("bridgework").exists(),
        "nothing was made"
    );
    let first = machine.setup(&one, &asked);
    assert_eq!(machine.setup(&one, &asked), first, "nothing is made anew");
    assert!(pings(&one, "10.74.0.1"));
    assert!(reaches(
        &machine.netns,
        ("127.0.0.1", 8080),
        &one,
        ("0.0.0.0", 80)
    ));
    for _ in 0..2 {
        machine.teardown(&one, &asked);
        machine.is_clean();
    }
    machine.setup(&one, &asked);
    assert!(pings(&one, "10.74.0.1"));
    machine.teardown(&one, &asked);
    machine.is_clean();
}

#[test]
fn a_container_in_a_new_namespace_takes_its_place_and_one_without_any_leaves() {
    let machine = Machine::new("gone");
    let net = network(75, json!({}));
    let asked = publishing(
        request(1, &net, &["10.75.0.2"], json!({})),
        &[("", 8080, 80, 1)],
    );
    let names = ["gone-1", "gone-2"].map(|name| name.parse::<ContainerName>().expect("a name"));
    let [first, second] = names.each_ref().map(pinned);
    machine.setup(&first, &asked);
    drop(first);
    Netns::unpin(&names[0]).expect("it was there");
    machine.setup(&second, &asked);
    assert!(pings(&second, "10.75.0.1"));
    assert!(reaches(
        &machine.netns,
        ("127.0.0.1", 8080),
        &second,
        ("0.0.0.0", 80)
    ));
    let gone = second.path();
    drop(second);
    Netns::unpin(&names[1]).expect("it was there");
    assert!(!gone.exists());
    let verb = ["teardown", gone.to_str().expect("text")];
    let said = machine.run(&verb, asked.to_string().as_bytes());
    assert_eq!((said.status, said.out.as_str()), (0, ""), "{said:?}");
    machine.is_clean();
}

/// One that is found by its name, which no other file has after it.
fn pinned(name: &ContainerName) -> Netns {
    let path = netns().pin(name).expect("a name that is free");
    Netns::at(path).expect("it is there")
}

#[test]
fn what_was_asked_for_otherwise_is_otherwise_then() {
    let machine = Machine::new("otherwise");
    let (one, net) = (netns(), network(76, json!({})));
    machine.setup(&one, &request(1, &net, &["10.76.0.2"], json!({})));
    let mac = json!({"static_mac": "02-00-00-00-4c-01"});
    let asked = request(1, &net, &["10.76.0.9"], mac);
    let answer = machine.setup(&one, &asked);
    let interface = &answer["net76"]["interfaces"]["eth0"];
    assert_eq!(interface["subnets"][0]["ipnet"], "10.76.0.9/24");
    assert_eq!(interface["mac_address"], "02:00:00:00:4c:01");
    assert_eq!(addresses_of(&one, "10.76.0.1", "c1"), ["10.76.0.9"]);
    machine.teardown(&one, &asked);
    machine.is_clean();
}

/// At moments that a seed chooses, so that a failure can be repeated.
#[test]
fn a_verb_that_was_killed_is_asked_for_again() {
    let machine = Machine::new("killed");
    let net = network(77, json!({}));
    let (one, stays) = (netns(), netns());
    let other = request(2, &net, &["10.77.0.3"], json!({}));
    let asked = publishing(
        request(1, &net, &["10.77.0.2"], json!({})),
        &[("", 8080, 80, 1)],
    );
    let mut chance = Chance::new(77);
    for round in 0..12 {
        if round % 2 == 0 {
            machine.setup(&stays, &other);
        }
        let child = match round % 3 {
            0 => {
                machine.setup(&one, &asked);
                machine.begin_teardown(&one, &asked)
            }
            _ => machine.begin_setup(&one, &asked),
        };
        kill_at_some_moment(child, &mut chance, Duration::from_millis(25));
        if round % 4 < 2 {
            machine.setup(&one, &asked);
            assert!(pings(&one, "10.77.0.1"), "round {round}");
            assert_eq!(addresses_of(&one, "10.77.0.1", "c1"), ["10.77.0.2"]);
        }
        machine.teardown(&one, &asked);
        machine.teardown(&stays, &other);
        machine.is_clean();
    }
}

/// The process that answers is killed: the next verb begins another one.
#[test]
fn whoever_answers_names_may_be_killed() {
    let machine = Machine::new("responder");
    let net = network(78, json!({}));
    let [one, two] = [netns(), netns()];
    let first = request(1, &net, &["10.78.0.2"], json!({}));
    let second = request(2, &net, &["10.78.0.3"], json!({}));
    machine.setup(&one, &first);
    let [responder] = machine.processes()[..] else {
        panic!("{:?}", machine.processes());
    };
    kill(Pid::from_raw(responder), Signal::SIGKILL).expect("it is there");
    crate::lab::wait_until("it is gone", || machine.processes().is_empty());
    machine.setup(&two, &second);
    assert_eq!(addresses_of(&two, "10.78.0.1", "c1"), ["10.78.0.2"]);
    machine.teardown(&one, &first);
    machine.teardown(&two, &second);
    machine.is_clean();
}

const AT_ONCE: u8 = 8;

/// `BRIDGEWORK_ROUNDS` says how often; 3 times unless it does.
#[test]
fn eight_at_once_leave_what_should_be_there_and_nothing_else() {
    let rounds = std::env::var("BRIDGEWORK_ROUNDS");
    let rounds = rounds.map_or(3, |rounds| rounds.parse().expect("a number"));
    let machine = Machine::new("at_once");
    let containers: Vec<(Netns, Value)> = (0..AT_ONCE).map(one_of_many).collect();
    for round in 0..rounds {
        let setups = containers
            .iter()
            .map(|(netns, asked)| machine.begin_setup(netns, asked));
        for child in setups.collect::<Vec<_>>() {
            let said = finish(child);
            assert_eq!(said.status, 0, "round {round}: {said:?}");
        }
        is_each_there_once(&machine, &containers);
        let teardowns = containers
            .iter()
            .map(|(n, asked)| machine.begin_teardown(n, asked));
        for child in teardowns.collect::<Vec<_>>() {
            let said = finish(child);
            assert_eq!(
                (said.status, said.out.as_str()),
                (0, ""),
                "round {round}: {said:?}"
            );
        }
        machine.is_clean();
    }
}

fn one_of_many(number: u8) -> (Netns, Value) {
    let net = network(79, json!({}));
    let address = format!("10.79.0.{}", 10 + number);
    let asked = request(number + 1, &net, &[&address], json!({}));
    let port = 8080 + u16::from(number);
    (netns(), publishing(asked, &[("", port, 80, 1)]))
}

fn is_each_there_once(machine: &Machine, containers: &[(Netns, Value)]) {
    let links = crate::lab::ip_json(&machine.netns, "link show master podman79");
    let names: Option<Vec<String>> = links.map(|links| {
        let names = links.iter().map(|link| link["ifname"].to_string());
        names.collect()
    });
    let is_whole = names
        .as_ref()
        .is_none_or(|names| names.len() == usize::from(AT_ONCE));
    assert!(
        is_whole,
        "{names:?} {:?}",
        crate::lab::output(&machine.netns, "ip -d link show")
    );
    let last = &containers[usize::from(AT_ONCE) - 1].0;
    let mut found = BTreeSet::new();
    for number in 0..AT_ONCE {
        let name = format!("c{}", number + 1);
        found.extend(addresses_of(last, "10.79.0.1", &name));
        let (netns, _) = &containers[usize::from(number)];
        assert!(pings(netns, "10.79.0.1"), "{name}");
    }
    assert_eq!(found.len(), usize::from(AT_ONCE), "{found:?}");
    let first = &containers[0].0;
    assert!(reaches(
        &machine.netns,
        ("127.0.0.1", 8080),
        first,
        ("0.0.0.0", 80)
    ));
    assert_eq!(machine.processes().len(), 1);
}

#[test]
fn whoever_comes_to_a_network_whose_bridge_somebody_has_removed_finds_it_and_all_others_again() {
    let machine = Machine::new("rebuilt");
    let [one, two] = [netns(), netns()];
    let net = network(79, json!({}));
    let first = request(1, &net, &["10.79.0.2"], json!({}));
    let second = request(2, &net, &["10.79.0.3"], json!({}));
    machine.setup(&one, &first);
    let bridge = net["network_interface"].as_str().expect("a name");
    let remove = || Command::new("ip").args(["link", "del", bridge]).status();
    let removed = machine.netns.run(remove).expect("inside").expect("ip");
    assert!(removed.success());
    machine.setup(&two, &second);
    assert!(pings(&two, "10.79.0.2") && pings(&one, "10.79.0.1"));
    assert_eq!(addresses_of(&two, "10.79.0.1", "c1"), ["10.79.0.2"]);
    machine.teardown(&one, &first);
    machine.teardown(&two, &second);
    machine.is_clean();
}

/// Inside of another container, somebody else's interface has taken the place of ours: its wire is missing,
/// and can't be made again.
#[test]
fn what_is_wrong_with_another_container_keeps_nobody_from_going() {
    let machine = Machine::new("troubles");
    let [one, aside] = [netns(), netns()];
    let (net, other) = (network(72, json!({})), network(73, json!({})));
    let asked = request(1, &net, &["10.72.0.2"], json!({}));
    let broken = request(2, &other, &["10.73.0.2"], json!({}));
    machine.setup(&one, &asked);
    machine.setup(&aside, &broken);
    let usurp = "ip link del eth0; ip link add eth0 type bridge";
    let run = || Command::new("sh").args(["-euc", usurp]).status();
    assert!(aside.run(run).expect("inside").expect("a shell").success());
    for _ in 0..2 {
        machine.teardown(&one, &asked);
    }
    assert!(!pings(&one, "10.72.0.1"));
    machine.teardown(&aside, &broken);
    machine.is_clean();
}
