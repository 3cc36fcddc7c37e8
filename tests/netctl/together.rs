//! Many commands at once.

use std::collections::BTreeSet;

use crate::ground::{Machine, Said};

#[test]
fn containers_that_begin_at_once_have_addresses_of_their_own() {
    let machine = Machine::new("at_once");
    machine.done("network create web");
    let words = |n: usize| format!("run -d --name c{n} --network web -- sleep 1d");
    let running: Vec<_> = (0..6).map(|n| machine.begin(&words(n))).collect();
    for child in running {
        let said = Said::of(child.wait_with_output().expect("it ends"));
        assert_eq!(said.status, 0, "{said:?}");
    }
    let shown = machine.done("network inspect web");
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("json");
    let containers = shown[0]["Containers"].as_object().expect("containers");
    let addresses = containers.values().map(|c| c["IPv4Address"].to_string());
    assert_eq!(addresses.collect::<BTreeSet<_>>().len(), 6);
    let all: Vec<_> = (0..6)
        .map(|n| machine.begin(&format!("rm -f c{n}")))
        .collect();
    for child in all {
        let said = Said::of(child.wait_with_output().expect("it ends"));
        assert_eq!(said.status, 0, "{said:?}");
    }
    machine.done("network rm web");
    assert_eq!(
        machine
            .links()
            .iter()
            .filter(|l| l.starts_with("veth"))
            .count(),
        0
    );
}

#[test]
fn of_those_that_want_one_name_one_gets_it() {
    let machine = Machine::new("one_name");
    let running: Vec<_> = (0..5)
        .map(|_| machine.begin("run -d --name web -- sleep 1d"))
        .collect();
    let ended = running.into_iter().map(|child| {
        let said = Said::of(child.wait_with_output().expect("it ends"));
        said.status
    });
    let mut statuses: Vec<i32> = ended.collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [0, 125, 125, 125, 125]);
    assert_eq!(machine.done("ps -aq").lines().count(), 1);
}
