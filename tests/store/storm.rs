//! Many processes and threads that want the same things, and some that are killed meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use bridgework::record::{Body, OwnerId};
use bridgework::store::{Change, Expected, Sqlite, Store, StoreError};

use crate::child::{Other, Part};
use crate::records::container;
use crate::scratch::Scratch;

const PROCESSES: u32 = 4;
const THREADS: u32 = 8;
const PORTS: u32 = 64;

/// Each thread wants each port once, in an order of its own.
#[test]
fn a_process_of_these_tests_does_its_part() {
    let Some(part) = Part::of_this_process() else {
        return;
    };
    match part.name.as_str() {
        "storm" => storm(&part),
        "hold" => hold(&part),
        "commit and say" => crate::power::commit_and_say(&part),
        "bare" => crate::modes::open_without_umask(&part),
        other => panic!("{other}"),
    }
}

pub const CHILD: &str = "storm::a_process_of_these_tests_does_its_part";

fn storm(part: &Part) {
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || want_all_ports(part, part.number * THREADS + thread));
        }
    });
}

fn want_all_ports(part: &Part, wanting: u32) {
    let store = Sqlite::open(&part.directory).expect("a store");
    let owner = store.owner().number();
    for step in 0..PORTS {
        let port = (step * 13 + wanting * 7) % PORTS;
        let id = wanting * PORTS + port;
        let mut record = container(id, &format!("c{id}"), &[("0.0.0.0", 1000 + port)]);
        record.owner = store.owner();
        match store.commit(&Change::new().put(record, Expected::Absent)) {
            Ok(_) => part.say(&format!("{port} {owner}")),
            Err(StoreError::Claimed { .. }) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// Holds what it has committed until it is killed, in the middle of further commits.
fn hold(part: &Part) {
    let store = Sqlite::open(&part.directory).expect("a store");
    part.say(&store.owner().number().to_string());
    for port in (0..PORTS).cycle() {
        let mut record = container(port, &format!("c{port}"), &[("0.0.0.0", 1000 + port)]);
        record.owner = store.owner();
        let put = Change::new().put(record, Expected::Anything);
        store.commit(&put).expect("a commit");
    }
}

/// Which port is whose, by the store; panics if one is somebody's twice.
fn held(store: &Sqlite) -> BTreeMap<u32, u64> {
    let mut held = BTreeMap::new();
    for (_, record) in store.changes(None).expect("a view").records {
        let owner = record.owner.number();
        let Body::Container(container) = record.body else {
            panic!("a container");
        };
        for port in container.published.values().flatten() {
            let port = port.host_port.get().into();
            assert_eq!(held.insert(port, owner), None, "{port} is there twice");
        }
    }
    held
}

fn said(line: &str) -> (u32, u64) {
    let (port, owner) = line.split_once(' ').expect("two numbers");
    (1000 + port.parse::<u32>().unwrap(), owner.parse().unwrap())
}

#[test]
fn what_many_want_each_gets_once_and_nothing_is_lost() {
    let scratch = Scratch::new();
    let start = |number| Other::start(CHILD, "storm", &scratch.store(), number);
    let others: Vec<Other> = (0..PROCESSES).map(start).collect();
    let got: Vec<(u32, u64)> = others
        .into_iter()
        .flat_map(Other::finish)
        .map(|line| said(&line))
        .collect();
    assert_eq!(got.len(), PORTS as usize, "each was got once");
    let store = Sqlite::open(scratch.store()).expect("a store");
    assert_eq!(held(&store), BTreeMap::from_iter(got.iter().copied()));
    for (_, owner) in got {
        assert!(!store.is_alive(OwnerId::new(owner)).unwrap());
    }
}

#[test]
fn who_is_killed_loses_nothing_and_is_in_nobody_s_way() {
    let scratch = Scratch::new();
    let start = |number| Other::start(CHILD, "storm", &scratch.store(), number);
    let mut others: Vec<Other> = (0..PROCESSES).map(start).collect();
    let mut got = BTreeSet::new();
    // each of two is killed after as many words as it is told
    for (victim, words) in [(0, 1), (1, 5)] {
        let lines = (0..words).map_while(|_| others[victim].hear());
        got.extend(lines.map(|line| said(&line)));
        others[victim].kill();
        got.extend(std::iter::from_fn(|| others[victim].hear()).map(|line| said(&line)));
    }
    let survivors = others.split_off(2);
    got.extend(
        survivors
            .into_iter()
            .flat_map(Other::finish)
            .map(|line| said(&line)),
    );
    let store = Sqlite::open(scratch.store()).expect("a store");
    assert_eq!(store.damaged(), None);
    let held = held(&store);
    assert_eq!(
        held.len(),
        PORTS as usize,
        "the survivors have asked for all"
    );
    for (port, owner) in got {
        assert_eq!(held.get(&port), Some(&owner), "what was committed stays");
    }
}

#[test]
fn who_is_killed_is_known_to_be_dead() {
    let scratch = Scratch::new();
    let store = Sqlite::open(scratch.store()).expect("a store");
    for round in 0..5 {
        let mut other = Other::start(CHILD, "hold", &scratch.store(), round);
        let owner = other.hear().expect("its number").parse().unwrap();
        assert!(store.is_alive(OwnerId::new(owner)).unwrap());
        let before = store.changes(None).unwrap().revision;
        crate::lab::wait_until("it commits", || {
            !store.changes(Some(before)).unwrap().records.is_empty()
        });
        other.kill();
        assert!(!store.is_alive(OwnerId::new(owner)).unwrap());
        let key = container(1, "c1", &[]).key();
        let delete = Change::new().delete(key, Expected::Anything);
        store.commit(&delete).expect("nobody is in the way");
    }
}
