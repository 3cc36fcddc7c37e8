//! Verbs that are repeated, come in another order, die in the middle or come many at once.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::ground::{Ask, Machine, Pod, address, refusal};
use crate::lab::chance::{Chance, seed};
use crate::lab::example::{Said, kill_at_some_moment};
use crate::lab::udp_both_ways;

#[test]
fn adding_twice_is_refused_and_the_first_stays_as_it_was() {
    let machine = Machine::new("twice");
    let (a, b) = (Pod::new("a"), Pod::new("b"));
    let conf = machine.usual();
    let mut result = machine.add(&a, &conf);
    let at_b = machine.add(&b, &conf);
    let before = machine.left();
    let (code, words) = machine.refused(&Ask::of("ADD", &a), &conf);
    assert_eq!(code, 100);
    assert!(words.contains("is on network web already"), "{words}");
    assert_eq!(machine.left(), before);
    let mut with = conf.clone();
    with["prevResult"] = result.take();
    machine.done(&Ask::of("CHECK", &a), &with);
    udp_both_ways(&a.container, &b.container, address(&at_b, 0));
    machine.del(&a, &conf);
    machine.del(&a, &conf);
    machine.del(&b, &conf);
    machine.assert_clean();
}

#[test]
fn what_was_never_added_is_gone_and_nothing_is_made_for_it() {
    let machine = Machine::new("never");
    let pod = Pod::new("pod");
    machine.del(&pod, &machine.usual());
    assert!(!machine.state().exists());
    let keeper = Pod::new("keeper");
    machine.add(&keeper, &machine.usual());
    machine.del(&pod, &machine.usual());
    machine.done(&Ask::of("CHECK", &keeper), &machine.usual());
    let (code, _) = machine.refused(&Ask::of("CHECK", &pod), &machine.usual());
    assert_eq!(code, 3);
    machine.del(&keeper, &machine.usual());
    machine.assert_clean();
}

/// As containerd asks a second time: without a namespace.
fn del_without_namespace(machine: &Machine, id: &str, conf: &Value) {
    let environment = [
        ("CNI_COMMAND", "DEL"),
        ("CNI_CONTAINERID", id),
        ("CNI_NETNS", ""),
        ("CNI_IFNAME", "eth0"),
    ];
    let said = machine.call_raw(&environment, conf.to_string().as_bytes());
    assert_eq!((said.status, said.out.as_str()), (0, ""), "{said:?}");
}

#[test]
fn a_container_goes_without_its_namespace_being_named_or_being_there() {
    let machine = Machine::new("gone");
    let (named, gone) = (Pod::new("named"), Pod::new("gone"));
    let conf = machine.usual();
    machine.add(&named, &conf);
    machine.add(&gone, &conf);
    let id = gone.id.clone();
    drop(gone);
    del_without_namespace(&machine, &named.id, &conf);
    assert!(named.addresses("eth0").is_empty());
    del_without_namespace(&machine, &id, &conf);
    del_without_namespace(&machine, &id, &conf);
    machine.assert_clean();
}

#[test]
fn what_the_runtime_does_not_know_of_is_collected() {
    let machine = Machine::new("gc");
    let pods: Vec<Pod> = (0..3).map(|n| Pod::new(&format!("p{n}"))).collect();
    let mut conf = machine.usual();
    conf["cniVersion"] = "1.1.0".into();
    for pod in &pods {
        machine.add(pod, &conf);
    }
    let other = machine.conf("1.1.0", json!({ "name": "other" }));
    let aside = Pod::new("aside");
    machine.add(&aside, &other);
    let valid = |pods: &[&Pod]| {
        let mut conf = conf.clone();
        let list = pods
            .iter()
            .map(|pod| json!({ "containerID": pod.id, "ifname": "eth0" }));
        conf["cni.dev/valid-attachments"] = list.collect();
        // the reference library says it twice: the second is the spec's former name
        conf["cni.dev/attachments"] = conf["cni.dev/valid-attachments"].clone();
        conf
    };
    machine.done(&Ask::alone("GC"), &valid(&[&pods[0], &pods[2]]));
    machine.done(&Ask::of("CHECK", &pods[0]), &conf);
    machine.done(&Ask::of("CHECK", &pods[2]), &conf);
    assert!(pods[1].addresses("eth0").is_empty());
    assert_eq!(machine.refused(&Ask::of("CHECK", &pods[1]), &conf).0, 3);
    // a list that is not there keeps nobody
    machine.done(&Ask::alone("GC"), &conf);
    assert_eq!(machine.refused(&Ask::of("CHECK", &pods[0]), &conf).0, 3);
    machine.done(&Ask::of("CHECK", &aside), &other);
    machine.del(&aside, &other);
    machine.assert_clean();
}

#[test]
fn whoever_dies_in_the_middle_of_a_verb_is_in_nobody_s_way() {
    let machine = Machine::new("killed");
    let (pod, peer) = (Pod::new("pod"), Pod::new("peer"));
    let conf = machine.usual();
    let mut chance = Chance::new(seed());
    for round in 0..6 {
        for verb in ["ADD", "DEL"] {
            let child = machine.begin(&Ask::of(verb, &pod), &conf);
            kill_at_some_moment(child, &mut chance, Duration::from_millis(30));
        }
        if round % 2 == 0 {
            machine.del(&pod, &conf);
            machine.assert_clean();
        }
        let added = machine.call(&Ask::of("ADD", &pod), &conf);
        if added.status != 0 {
            // its ADD was done before it died, and its DEL not begun
            let (_, words) = refusal(&added);
            assert!(words.contains("is on network web already"), "{words}");
        }
        let at_peer = machine.add(&peer, &conf);
        udp_both_ways(&pod.container, &peer.container, address(&at_peer, 0));
        machine.del(&peer, &conf);
        machine.del(&pod, &conf);
        machine.assert_clean();
    }
}

/// How many rounds; more where somebody has the time.
fn rounds() -> usize {
    let rounds = std::env::var("BRIDGEWORK_ROUNDS");
    rounds.map_or(2, |rounds| rounds.parse().expect("a number"))
}

#[test]
fn eight_at_once_have_addresses_of_their_own_and_leave_nothing() {
    let machine = Machine::new("eight");
    let pods: Vec<Pod> = (0..8).map(|n| Pod::new(&format!("p{n}"))).collect();
    let conf = machine.usual();
    let all = |verb: &'static str| -> Vec<Said> {
        let begin = |pod| machine.begin(&Ask::of(verb, pod), &conf);
        let running: Vec<_> = pods.iter().map(begin).collect();
        running.into_iter().map(Said::at_the_end_of).collect()
    };
    for _ in 0..rounds() {
        let mut addresses = BTreeSet::new();
        for said in all("ADD") {
            assert_eq!(said.status, 0, "{said:?}");
            let result: Value = serde_json::from_str(&said.out).expect("json");
            addresses.insert(address(&result, 0));
        }
        assert_eq!(addresses.len(), 8);
        let last = addresses.last().expect("an address");
        let whose = pods
            .iter()
            .find(|pod| pod.addresses("eth0")[0].starts_with(&format!("{last}/")));
        let (to, from) = (whose.expect("it is there"), &pods[0]);
        udp_both_ways(&from.container, &to.container, *last);
        for said in all("DEL") {
            assert_eq!(said.status, 0, "{said:?}");
        }
        machine.assert_clean();
    }
}

#[test]
fn a_container_goes_whose_records_were_lost() {
    let machine = Machine::new("lost");
    let pod = Pod::new("pod");
    let conf = machine.usual();
    machine.add(&pod, &conf);
    for file in std::fs::read_dir(machine.state()).expect("a folder") {
        std::fs::remove_file(file.expect("a file").path()).expect("it is there");
    }
    machine.del(&pod, &conf);
    assert!(pod.addresses("eth0").is_empty());
    // that the plugin had made the network was lost, too
    let added = machine.add(&pod, &conf);
    assert_eq!(added["ips"][0]["gateway"], "10.88.0.1");
    machine.del(&pod, &conf);
    assert!(pod.addresses("eth0").is_empty());
}

#[test]
fn who_puts_things_in_order_is_in_nobody_s_way_who_adds_at_the_same_time() {
    let machine = Machine::new("order");
    let pods: Vec<Pod> = (0..6).map(|n| Pod::new(&format!("p{n}"))).collect();
    let conf = machine.usual();
    for round in 0..rounds() * 4 {
        let comes = |index: usize| index % 2 == round % 2;
        let begin = |(index, pod): (usize, &Pod)| match comes(index) {
            true => vec![machine.begin(&Ask::of("ADD", pod), &conf)],
            // the second one finds nothing, and looks for what the dead have left
            false => [0, 1]
                .map(|_| machine.begin(&Ask::of("DEL", pod), &conf))
                .into(),
        };
        let running: Vec<_> = pods.iter().enumerate().flat_map(begin).collect();
        for said in running.into_iter().map(Said::at_the_end_of) {
            assert_eq!(said.status, 0, "round {round}: {said:?}");
        }
        for (index, pod) in pods.iter().enumerate() {
            let count = pod.addresses("eth0").len();
            assert_eq!(count, usize::from(comes(index)), "round {round}: {index}");
            if comes(index) {
                machine.done(&Ask::of("CHECK", pod), &conf);
            }
        }
    }
    pods.iter().for_each(|pod| machine.del(pod, &conf));
    machine.assert_clean();
}
