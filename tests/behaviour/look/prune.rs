//! Networks that nobody uses are removed, once, and none else.

use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use bridgework::inspect::PruneFilter;
use bridgework::{Host, Network, NetworkConfig};

use crate::lab;

use super::names;

fn parse(terms: &[&str]) -> PruneFilter {
    PruneFilter::parse(terms).unwrap()
}

fn network(host: &Host, name: &str) -> Network {
    let config = NetworkConfig::bridge(name).label("name", name);
    host.create_network(config.label("shop", "")).unwrap()
}

#[test]
fn only_unused_networks_of_callers_own_are_pruned() {
    let host = lab::host();
    for builtin in ["bridge", "host", "none"] {
        host.network(builtin).unwrap();
    }
    let template = host
        .create_network(NetworkConfig::config_only("template"))
        .unwrap();
    let from = NetworkConfig::bridge("from").config_from("template");
    let _from = host.create_network(from).unwrap();
    let (used, staged) = (network(&host, "used"), network(&host, "staged"));
    let app = lab::container("app");
    let at_app = used.connect(&app).unwrap();
    let later = staged
        .stage("later", bridgework::EndpointConfig::new())
        .unwrap();
    let free = network(&host, "free");
    free.persist().unwrap();
    let pruned = host.prune(&PruneFilter::new()).unwrap();
    assert_eq!(names(&pruned), ["free", "from"]);
    let left = ["bridge", "host", "none", "staged", "template", "used"];
    assert_eq!(names(&host.networks()), left);
    assert_eq!(
        lab::has_link(host.netns(), free.spec().link.name.as_str()),
        Some(false)
    );
    assert_eq!(lab::has_link(host.netns(), "docker0"), Some(true));
    at_app.disconnect().unwrap();
    later.delete().unwrap();
    assert_eq!(
        names(&host.prune(&PruneFilter::new()).unwrap()),
        ["staged", "used"]
    );
    assert!(host.prune(&PruneFilter::new()).unwrap().is_empty());
    template.remove().unwrap();
}

#[test]
fn each_filter_spares_what_it_says() {
    let host = lab::host();
    let made = ["a", "b", "c", "d"].map(|name| network(&host, name));
    let prune = |terms: &[&str]| {
        let pruned = host.prune(&parse(terms)).unwrap();
        pruned
            .iter()
            .map(|n| n.name().to_string())
            .collect::<Vec<_>>()
    };
    assert_eq!(prune(&["until=1h"]), [""; 0]);
    assert_eq!(prune(&["label=other"]), [""; 0]);
    assert_eq!(prune(&["label!=shop"]), [""; 0]);
    assert_eq!(prune(&["label=name=c"]), ["c"]);
    assert_eq!(prune(&["label!=name=a", "label!=name=d"]), ["b"]);
    let moment = format!("until={}", made[0].spec().created);
    assert_eq!(prune(&[&moment]), ["a"]);
    let now = PruneFilter::new().label("shop").until(Duration::ZERO);
    assert_eq!(names(&host.prune(&now).unwrap()), ["d"]);
}

#[test]
fn two_that_prune_at_once_share_the_work() {
    let host = lab::host();
    let before = host.snapshot().unwrap().links;
    for _ in 0..8 {
        let networks: Vec<Network> = (0..8).map(|n| network(&host, &format!("n{n}"))).collect();
        let (barrier, all) = (Barrier::new(3), PruneFilter::new());
        let prune = || {
            barrier.wait();
            host.prune(&all)
        };
        let (first, second) = thread::scope(|scope| {
            let threads = (scope.spawn(prune), scope.spawn(prune));
            barrier.wait();
            (threads.0.join().unwrap(), threads.1.join().unwrap())
        });
        let mut pruned = names(first.as_ref().unwrap());
        pruned.extend(names(second.as_ref().unwrap()));
        pruned.sort_unstable();
        assert_eq!(pruned, names(&networks));
        assert!(host.networks().is_empty());
        assert_eq!(host.snapshot().unwrap().links, before);
    }
}
