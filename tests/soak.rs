//! A thousand times: nothing of the process or the kernel is used up. Alone in its process, since
//! descriptors and threads are counted.

#[path = "lab/mod.rs"]
mod lab;

use std::collections::BTreeMap;

use bridgework::{Endpoint, Host, Network, NetworkConfig};

fn count(directory: &str) -> usize {
    std::fs::read_dir(directory).unwrap().count()
}

/// What the process holds: descriptors by kind, threads, and the other namespaces that the kernel
/// knows to be connected with the host's. Ways into the host's namespace are not counted: as many are
/// kept as were ever used at once, by this thread and by the one that watches.
#[derive(Debug, PartialEq)]
struct Held {
    descriptors: BTreeMap<String, usize>,
    threads: usize,
    namespaces: Option<usize>,
}

impl Held {
    fn now(host: &Host) -> Self {
        let mut descriptors = BTreeMap::new();
        for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
            let Ok(target) = std::fs::read_link(entry.unwrap().path()) else {
                continue;
            };
            let text = target.to_string_lossy();
            let kind = text.split(":[").next().unwrap_or_default().to_owned();
            *descriptors.entry(kind).or_default() += 1;
        }
        leave_out_doorways(&mut descriptors);
        let namespaces = lab::ip_json(host.netns(), "netns list-id").map(|all| all.len());
        Self {
            descriptors,
            threads: count("/proc/self/task"),
            namespaces,
        }
    }
}

/// Each is a netlink socket and two directories of settings.
fn leave_out_doorways(descriptors: &mut BTreeMap<String, usize>) {
    const WHO_USE_THEM: usize = 2;
    let kinds = ["ipv4", "ipv6"].map(|family| format!("/proc/sys/net/{family}/conf"));
    let counts = kinds.map(|kind| descriptors.remove(&kind).unwrap_or_default());
    assert_eq!(counts[0], counts[1]);
    assert!(counts[0] <= WHO_USE_THEM, "{} ways", counts[0]);
    let sockets = descriptors.get_mut("socket").expect("there are sockets");
    *sockets -= counts[0];
}

/// As it was, once the threads that wait for the kernel have ended and the kernel has taken down
/// namespaces that nobody holds.
fn back_at(host: &Host, before: &Held) {
    let deadline = std::time::Instant::now() + 3 * lab::DEADLINE;
    loop {
        let now = Held::now(host);
        if now == *before {
            return;
        }
        assert!(
            std::time::Instant::now() < deadline,
            "{now:?}\nbefore: {before:?}"
        );
        std::thread::yield_now();
    }
}

fn networks(host: &Host) -> [Network; 2] {
    let v4 = NetworkConfig::bridge("v4").subnet("10.89.0.0/24");
    let dual = NetworkConfig::bridge("dual")
        .subnet("10.89.1.0/24")
        .subnet("fd00:89:1::/64");
    [
        host.create_network(v4).unwrap(),
        host.create_network(dual).unwrap(),
    ]
}

#[test]
fn a_thousand_connects_and_disconnects_leave_everything_as_it_was() {
    // two containers in each
    const CYCLES: usize = 500;
    let alone = [count("/proc/self/task"), count("/proc/self/fd")];
    let host = lab::host();
    let networks = networks(&host);
    // one watches the host's tables
    let threads = alone[0] + 1;
    let lasting = lab::container("lasting");
    // what is kept for the next time is there after the first
    for network in &networks {
        network.connect(&lasting).unwrap().disconnect().unwrap();
    }
    let links = (
        host.snapshot().unwrap(),
        lasting.netns().snapshot().unwrap(),
    );
    let mut baseline = None;
    for cycle in 0..CYCLES {
        let network = &networks[cycle % 2];
        let passing = lab::container("passing");
        let endpoints = [
            network.connect(&lasting).unwrap(),
            network.connect(&passing).unwrap(),
        ];
        match cycle % 3 {
            0 => Endpoint::disconnect_all(endpoints).unwrap(),
            1 => endpoints
                .into_iter()
                .for_each(|endpoint| endpoint.disconnect().unwrap()),
            _ => drop(endpoints),
        }
        drop(passing);
        if baseline.is_none() && cycle == 20 {
            baseline = Some(rest(&host, threads));
        }
    }
    back_at(&host, &baseline.expect("there are more cycles"));
    let now = (
        host.snapshot().unwrap(),
        lasting.netns().snapshot().unwrap(),
    );
    assert_eq!(now, links);
    for network in networks {
        assert!(network.endpoints().is_empty());
        network.remove().unwrap();
    }
    assert_eq!(host.snapshot().unwrap().links.len(), 1, "lo alone");
    drop((host, lasting));
    lab::wait_until_it_is(&alone, || {
        [count("/proc/self/task"), count("/proc/self/fd")]
    });
}

/// What is held once nothing is under way.
fn rest(host: &Host, threads: usize) -> Held {
    lab::wait_until("reapers end", || count("/proc/self/task") == threads);
    let known = || lab::ip_json(host.netns(), "netns list-id").is_none_or(|all| all.len() <= 1);
    lab::wait_until("namespaces that nobody holds go", known);
    Held::now(host)
}
