//! Anything at any moment: whatever somebody does to what is ours on the host's side, and however much
//! of it at once, all is as it was soon after; and nothing is done where nothing is wrong.

use std::time::{Duration, Instant};

use bridgework::plan::Switch;
use bridgework::{EventKind, Host, HostConfig, Netns};

use crate::lab;
use crate::links::{Land, damages, dump, land, land_on, shell};
use crate::relinked::{Before, print, until_right};
use crate::speed::busy;

/// Numbers that are the same each time for the same seed (xorshift64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }
}

/// Of others, and nothing of ours.
const STRANGE: [&str; 5] = [
    "ip link add odd9 type bridge; ip link set odd9 up; ip link del odd9",
    "ip addr add 192.0.2.77/24 dev lan; ip addr del 192.0.2.77/24 dev lan",
    "ip route add 172.29.0.0/16 via 192.0.2.8; ip route del 172.29.0.0/16",
    "ip rule add pref 77 lookup 77; ip rule del pref 77",
    "ip link set end1 down; ip link set end1 up",
];

/// Acts of which each is undone before the next; returns how long that took.
fn suffer(land: &Land, acts: usize, seed: u64) -> Vec<Duration> {
    let mut chance = Chance(seed);
    let before = Before::of(land);
    let all: Vec<String> = damages(land).into_iter().map(|(line, _)| line).collect();
    let other = [(land.port(0), land.port(1))];
    let mut times = Vec::new();
    for act in 0..acts {
        let mut lines = Vec::new();
        for _ in 0..=chance.below(3) {
            let mut line = all[chance.below(all.len())].clone();
            if chance.below(2) == 0 {
                line = line.replace(&other[0].0, &other[0].1);
            }
            lines.push(line);
        }
        // of a link that has lost its name and its mark nobody knows whose it is
        if lines.iter().any(|line| line.contains(" alias ")) {
            lines.retain(|line| !line.contains(" name odd"));
        }
        lines.push(STRANGE[chance.below(STRANGE.len())].to_owned());
        // what an act before has removed can't be acted on
        let lines: Vec<String> = lines.iter().map(|line| format!("({line}) || :")).collect();
        let lines = lines.join("; ");
        shell(land.netns(), &lines);
        let what = format!("act {act} of seed {seed}: {lines}");
        times.push(until_right(land, &what));
        if act % 20 == 0 {
            before.is_back(land, &what);
        }
    }
    before.is_back(land, "after all acts");
    assert_eq!(land.host.check().unwrap(), []);
    land.assert_works();
    times
}

#[test]
fn sixty_random_acts_are_each_undone() {
    let mut times = suffer(&land(Switch::On), 60, 0x5eed);
    print("from random acts to all there again", &mut times);
}

#[test]
#[ignore = "takes minutes"]
fn two_thousand_random_acts_are_each_undone_within_a_second() {
    let mut times = suffer(&land(Switch::On), 2_000, 0x5eed_2000);
    print("from random acts to all there again", &mut times);
    assert!(times.iter().all(|took| *took <= Duration::from_secs(1)));
}

#[test]
fn whoever_changes_it_back_each_time_is_answered_at_a_pace() {
    let land = land(Switch::On);
    let before = Before::of(&land);
    let port = land.port(0);
    let begun = (Instant::now(), busy("bridgework"));
    let mut turns = 0;
    while begun.0.elapsed() < Duration::from_secs(1) {
        shell(land.netns(), &format!("ip link set {port} down"));
        turns += 1;
    }
    eprintln!(
        "of {turns} turns of a fight in {:?} we were busy for {:?}",
        begun.0.elapsed(),
        busy("bridgework").saturating_sub(begun.1)
    );
    before.is_back(&land, "a fight");
}

#[test]
fn what_we_do_ourselves_causes_no_work() {
    let netns = Netns::create().unwrap();
    let land = land_on(Host::open_with(HostConfig::new().netns(netns)).unwrap());
    let before = dump(land.netns());
    let events = land.host.subscribe();
    let begun = busy("bridgework");
    for _ in 0..20 {
        let some = ["a", "b", "c"].map(lab::container);
        let endpoints = land.network.connect_all(&some).unwrap();
        drop(endpoints);
    }
    eprintln!(
        "while 60 containers came and went the watch was busy for {:?}",
        busy("bridgework").saturating_sub(begun)
    );
    let told = std::iter::from_fn(|| events.try_recv().ok());
    let repairs = told.filter(|event| matches!(event.kind, EventKind::Repair { .. }));
    assert_eq!(repairs.count(), 0);
    assert_eq!(dump(land.netns()), before);
}
