//! What one process has just connected another one disconnects at once: it is gone, and whoever had
//! connected it does not make it again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use bridgework::store::Memory;
use bridgework::{Netns, Network};

use crate::meanwhile::unwatched;
use crate::recovered::net;
use crate::{lab, residents};

const ROUNDS: usize = 300;

/// The others end when it goes.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn ports(netns: &Netns, network: &Network) -> usize {
    let on_bridge = format!("link show master {}", network.spec().link.name);
    lab::ip_json(netns, &on_bridge).unwrap_or_default().len()
}

#[test]
fn what_is_disconnected_elsewhere_as_soon_as_it_is_there_stays_gone() {
    let (netns, store) = (Netns::create().unwrap(), Memory::new());
    let [one, other] = [(); 2].map(|()| unwatched(&netns, Arc::new(store.open())));
    let network = one.create_network(net("web")).unwrap();
    let same = other.network("web").unwrap();
    let (app, _made) = residents::opened("app");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let _unless_not_there = same.disconnect("app");
            }
        });
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                one.check().unwrap();
            }
        });
        let _over = Over(&is_over);
        for _ in 0..ROUNDS {
            lab::wait_until("it is connected again", || match network.connect(&app) {
                Ok(endpoint) => {
                    let _unless_it_has_gone = endpoint.persist();
                    true
                }
                Err(error) => {
                    assert!(error.is_exists(), "{error:?}");
                    false
                }
            });
        }
    });
    let _unless_not_there = same.disconnect("app");
    let repaired = one.repair().unwrap();
    assert_eq!(ports(&netns, &network), 0, "{repaired:?}");
    assert_eq!(one.check().unwrap(), []);
}
