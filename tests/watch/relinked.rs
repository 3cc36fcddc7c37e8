//! What somebody else does to links, addresses and routes of ours is noticed and undone, without being
//! asked.

use std::time::{Duration, Instant};

use bridgework::plan::Switch;
use bridgework::snapshot::Snapshot;
use bridgework::{EventKind, Finding, RepairScope};

use crate::lab;
use crate::links::{Land, damages, difference, dump, land, shell};

/// What there is of links, addresses, routes and rules.
pub struct Before {
    snapshot: Snapshot,
    dump: Vec<String>,
}

impl Before {
    pub fn of(land: &Land) -> Self {
        Self {
            snapshot: land.host.snapshot().unwrap(),
            dump: dump(land.netns()),
        }
    }

    /// All is as it was, sooner or later. What the kernel makes by itself of links that are right again
    /// may come later: it looks after carrier once a second (`linkwatch`).
    pub fn is_back(&self, land: &Land, what: &str) {
        let begun = Instant::now();
        while begun.elapsed() < lab::DEADLINE {
            if land.host.snapshot().unwrap() == self.snapshot && dump(land.netns()) == self.dump {
                return;
            }
        }
        let now = dump(land.netns());
        let states = |snapshot: &Snapshot| {
            let links = snapshot.links.iter().map(|link| format!("{link:?}"));
            let addresses = snapshot
                .addresses
                .iter()
                .map(|address| format!("{address:?}"));
            let routes = snapshot.routes.iter().map(|route| format!("{route:?}"));
            links
                .chain(addresses)
                .chain(routes)
                .collect::<Vec<String>>()
        };
        let snapshot = land.host.snapshot().unwrap();
        panic!(
            "{what}: {} {}",
            difference(&self.dump, &now),
            difference(&states(&self.snapshot), &states(&snapshot))
        );
    }
}

/// Nothing is wrong any more, sooner or later; returns after how long.
pub fn until_right(land: &Land, what: &str) -> Duration {
    let begun = Instant::now();
    loop {
        let found = land.host.check().unwrap();
        if found.is_empty() {
            return begun.elapsed();
        }
        assert!(begun.elapsed() < lab::DEADLINE, "{what}: {found:#?}");
    }
}

pub fn print(what: &str, times: &mut [Duration]) {
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    eprintln!(
        "{what}: median {:?}, p99 {:?}, longest {:?}, of {}",
        at(50),
        at(99),
        at(100),
        times.len()
    );
}

#[test]
fn all_that_somebody_does_to_links_is_undone() {
    let land = land(Switch::On);
    let before = Before::of(&land);
    let mut times = Vec::new();
    for (damage, _) in damages(&land) {
        shell(land.netns(), &damage);
        times.push(until_right(&land, &damage));
        before.is_back(&land, &damage);
        if damage.contains("del") || damage.contains("master") {
            land.assert_works();
        }
    }
    print("from an act to all there again", &mut times);
    assert_eq!(land.host.check().unwrap(), []);
}

#[test]
fn subscribers_are_told_that_links_were_put_right() {
    let land = land(Switch::On);
    let before = Before::of(&land);
    let events = land.host.subscribe();
    shell(land.netns(), &format!("ip link set {} down", land.port(1)));
    let event = events.recv_timeout(lab::DEADLINE).unwrap();
    let EventKind::Repair { scope, parts, by } = &event.kind else {
        panic!("{event}");
    };
    assert_eq!((*scope, *parts, by), (RepairScope::Links, 1, &None));
    assert!(
        event
            .to_string()
            .contains("network repair (parts=1, scope=links, took="),
        "{event}"
    );
    before.is_back(&land, "a port that was set down");
}

#[test]
fn without_the_watch_no_link_is_put_right_until_asked() {
    let land = land(Switch::Off);
    let before = Before::of(&land);
    shell(land.netns(), &format!("ip link del {}", land.bridge()));
    // whoever watched would have been done by the time that others' links came and went
    for _ in 0..20 {
        shell(land.netns(), "ip link add odd type bridge; ip link del odd");
    }
    assert!(
        land.host
            .snapshot()
            .unwrap()
            .link_named(&land.bridge())
            .is_none()
    );
    assert!(!land.host.repair().unwrap().is_empty());
    before.is_back(&land, "a bridge that was deleted");
}

#[test]
fn links_of_others_in_the_place_of_ours_are_told_of_and_left_alone() {
    let land = land(Switch::On);
    let bridge = land.bridge();
    let index = land.network.spec().link.index.get();
    // in one batch; whoever watches may be quicker all the same
    let batch = format!("link del {bridge}\\nlink add name {bridge} type bridge\\n");
    let is_taken = (0..100).any(|_| {
        shell(
            land.netns(),
            &format!("printf '{batch}' | ip -force -batch - || :"),
        );
        let snapshot = land.host.snapshot().unwrap();
        let found = snapshot.link_named(&bridge);
        found.is_some_and(|link| link.index != index)
    });
    if !is_taken {
        eprintln!("NOT CHECKED: the watch was quicker than two lines of one batch");
        return;
    }
    land.host.repair().unwrap();
    let found = land.host.check().unwrap();
    let texts: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert!(
        texts
            .iter()
            .any(|text| text.contains("of somebody else's has its")),
        "{texts:#?}"
    );
    assert!(!found.iter().all(Finding::is_ours));
    let theirs = dump(land.netns());
    let theirs = theirs
        .iter()
        .find(|line| line.contains(&format!("\"ifname\":\"{bridge}\"")));
    assert!(!theirs.unwrap().contains("10.89.0.1"), "{theirs:?}");
    // and once it is gone ours is there
    shell(land.netns(), &format!("ip link del {bridge}"));
    lab::wait_until("our bridge is back", || {
        let snapshot = land.host.snapshot().unwrap();
        snapshot
            .link_named(&bridge)
            .is_some_and(|link| link.index == index && link.up)
    });
    lab::wait_until("nothing is wrong", || land.host.check().unwrap().is_empty());
    land.assert_works();
}
