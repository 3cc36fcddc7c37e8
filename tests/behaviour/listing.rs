//! What is read of the kernel is whole, whatever goes on meanwhile.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bridgework::{Bridge, BridgeConfig, Netns, VethConfig, VethPair};

/// A dump that a change disturbs may leave out links that were there all the time; the kernel then
/// says so, and the dump is repeated (`NLM_F_DUMP_INTR`).
#[test]
fn links_that_stay_are_in_every_snapshot_while_others_come_and_go() {
    let netns = Netns::create().unwrap();
    let stable: Vec<VethPair> = (0..100)
        .map(|number| {
            let names = (format!("a{number}"), format!("b{number}"));
            let near = (&netns, names.0.as_str());
            VethPair::create(near, (&netns, names.1.as_str()), VethConfig::new()).unwrap()
        })
        .collect();
    let names = |pair: &VethPair| [pair.near().name().clone(), pair.far().name().clone()];
    let expected: Vec<_> = stable.iter().flat_map(names).collect();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let bridge = Bridge::create(&netns, BridgeConfig::new("passing")).unwrap();
                bridge.delete().unwrap();
            }
        });
        for _ in 0..20 {
            let snapshot = netns.snapshot();
            let missing = snapshot.as_ref().map(|seen| {
                let is_seen =
                    |name: &&bridgework::LinkName| seen.link_named(name.as_str()).is_none();
                expected.iter().filter(is_seen).cloned().collect::<Vec<_>>()
            });
            if missing != Ok(Vec::new()) {
                done.store(true, Ordering::Relaxed);
                panic!("{missing:?}");
            }
        }
        done.store(true, Ordering::Relaxed);
    });
}
