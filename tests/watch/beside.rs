//! Several handles to one host, as several processes would have: they mend together, and none of
//! them undoes what another one does.

use bridgework::plan::Switch;
use bridgework::{EndpointConfig, Host, HostConfig, Netns};

use crate::ground::{flush_without_a_pause, ground_on, is_back, nft, own, ruleset};
use crate::lab;

fn two_hosts() -> [Host; 2] {
    let netns = Netns::create().unwrap();
    [(); 2].map(|()| Host::open_with(HostConfig::new().netns(netns.clone())).unwrap())
}

#[test]
fn two_hosts_mend_together_and_come_to_rest() {
    let hosts = two_hosts();
    let [one, other] = [(&hosts[0], "one"), (&hosts[1], "other")]
        .map(|(host, name)| ground_on(host.clone(), name));
    let netns = &one.host.netns().clone();
    let before = ruleset(netns);
    for _ in 0..20 {
        nft(netns, "flush ruleset");
        is_back(netns, &before);
    }
    let events = [one.host.subscribe(), other.host.subscribe()];
    nft(netns, "flush ruleset");
    is_back(netns, &before);
    // whoever answered would have answered by the time that many others' tables came and went
    for _ in 0..50 {
        nft(netns, "add table ip theirs; delete table ip theirs");
    }
    for events in &events {
        // at most one repair each: none answers the other's
        let told = std::iter::from_fn(|| events.try_recv().ok());
        assert!(told.count() <= 1);
    }
    drop(one);
    nft(netns, "flush ruleset");
    lab::wait_until("the other's network is back", || !own(netns).is_empty());
    drop(other);
    lab::wait_until("nothing is left", || own(netns).is_empty());
}

#[test]
fn whoever_has_no_network_any_more_makes_no_tables() {
    let hosts = two_hosts();
    let one = ground_on(hosts[0].clone(), "one");
    let other = ground_on(hosts[1].clone(), "other");
    let netns = hosts[0].netns().clone();
    drop(one);
    drop(other);
    assert_eq!(own(&netns), [""; 0]);
    let once_more = ground_on(hosts[1].clone(), "other");
    let before = ruleset(&netns);
    nft(&netns, "flush ruleset");
    is_back(&netns, &before);
    drop(once_more);
    assert_eq!(own(&netns), [""; 0]);
}

#[test]
fn what_one_has_switched_on_is_kept_in_by_the_other_when_the_first_is_gone() {
    let hosts = two_hosts();
    let netns = hosts[0].netns().clone();
    let (wired, _neighbour) = lab::neighbour(&hosts[0], "lan");
    let one = ground_on(hosts[0].clone(), "one");
    let other = ground_on(hosts[1].clone(), "other");
    drop(one);
    let before = ruleset(&netns);
    let is_kept = |line: &String| line.contains("\"raised\"") && line.contains("lan");
    assert!(
        before.iter().any(is_kept),
        "what comes by it goes to containers only"
    );
    nft(&netns, "flush ruleset");
    is_back(&netns, &before);
    drop((other, wired));
    assert_eq!(own(&netns), [""; 0]);
}

#[test]
fn a_hundred_flushes_while_networks_and_ports_come_and_go() {
    let host = lab::host();
    let lasting = ground_on(host.clone(), "lasting");
    let netns = host.netns().clone();
    let before = ruleset(&netns);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..100 {
                nft(&netns, "flush ruleset");
            }
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        for name in ["a", "b"] {
            let (host, over) = (&host, &over);
            scope.spawn(move || {
                while !over.load(std::sync::atomic::Ordering::Relaxed) {
                    let passing = ground_on(host.clone(), name);
                    passing.endpoint.publish("77").unwrap();
                    passing.endpoint.unpublish("77").unwrap();
                }
            });
        }
        let mapping = |port: usize| format!("{}:90", 20_000 + port);
        for port in 0.. {
            if over.load(std::sync::atomic::Ordering::Relaxed) {
                break;
            }
            lasting.endpoint.publish(mapping(port).as_str()).unwrap();
            lasting.endpoint.unpublish(mapping(port).as_str()).unwrap();
        }
    });
    is_back(&netns, &before);
    drop(lasting);
    assert_eq!(own(&netns), [""; 0]);
}

#[test]
fn what_is_published_while_somebody_flushes_without_a_pause_is_published() {
    let ground = ground_on(lab::host(), "web");
    let netns = ground.host.netns().clone();
    let before = ruleset(&netns);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            flush_without_a_pause(&netns, 2_000);
            over.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        while !over.load(std::sync::atomic::Ordering::Relaxed) {
            ground.endpoint.publish("20000:90").unwrap();
            ground.endpoint.unpublish("20000:90").unwrap();
        }
    });
    is_back(&netns, &before);
}

#[test]
fn a_host_that_does_not_watch_is_mended_by_one_that_does() {
    let netns = Netns::create().unwrap();
    let config = HostConfig::new().netns(netns.clone());
    let watching = ground_on(Host::open_with(config.clone()).unwrap(), "watching");
    let other = ground_on(Host::open_with(config.watch(Switch::Off)).unwrap(), "other");
    nft(&netns, "flush ruleset");
    lab::wait_until("the tables are back", || !own(&netns).is_empty());
    let more = EndpointConfig::new().publish("9999:99");
    let more = other
        .network
        .connect_with(&lab::container("more"), more)
        .unwrap();
    drop((more, watching, other));
    assert_eq!(own(&netns), [""; 0]);
}
