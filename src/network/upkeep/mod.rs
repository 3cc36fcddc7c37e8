//! What must be there on the host's side for the networks of a host and the containers on them: each
//! is here from when a verb has made it until one begins to take it back. It is compared with what
//! there is when somebody asks, or when the kernel tells of a change; what is inside a container is
//! its own business.

mod keeper;
mod mend;
mod remake;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;

use crate::addr::{EndpointId, LinkName, NetworkId};
use crate::audit::{Expected, Made, Present, Subject, Verdict};
use crate::kernel::{Netns, WeakNetns};
use crate::plan::{Plan, Switch};
use crate::snapshot::{Change, LinkState};
use crate::spec::NetworkSpec;

use super::ties::Ties;
use super::{Network, Registry};
pub(crate) use keeper::HostKeeper;
pub(crate) use mend::Extent;

/// All that must be there.
#[derive(Debug, Default)]
pub(crate) struct Upkeep {
    standing: Mutex<Standing>,
    /// The same, for changes to be judged one by one.
    expected: Mutex<Expected>,
    /// Whether links of others were in the place of ours when it was looked last.
    is_blocked: AtomicBool,
    /// Held while something is put right.
    mending: Mutex<()>,
}

/// What must be there at one moment.
#[derive(Debug, Clone, Default)]
struct Standing {
    networks: BTreeMap<NetworkId, Arc<Base>>,
    wires: BTreeMap<EndpointId, Wire>,
}

/// A network itself.
#[derive(Debug)]
struct Base {
    spec: NetworkSpec,
    plan: Plan,
}

/// A container on a network.
#[derive(Debug, Clone)]
struct Wire {
    network: NetworkId,
    ties: Arc<Ties>,
    /// Of the handle by which it was connected, if it was by one.
    netns: Option<WeakNetns>,
}

impl Upkeep {
    /// The network is there.
    pub(super) fn begin_network(&self, network: &Network) {
        if network.plan().is_empty() {
            return;
        }
        let base = Base {
            spec: network.spec().clone(),
            plan: network.plan().clone(),
        };
        self.expected.lock().add(&base.plan);
        let firewall = base.spec.firewall.is_on();
        let mut standing = self.standing.lock();
        standing.networks.insert(network.id(), Arc::new(base));
        drop(standing);
        let tables = if firewall { Switch::On } else { Switch::Off };
        // what can't be watched is there all the same
        let _watched = network.kernel().start_watching(tables);
    }

    /// It is about to go. Whoever puts it right is waited for.
    pub(super) fn end_network(&self, network: NetworkId) {
        let ended = self.standing.lock().networks.remove(&network);
        if let Some(ended) = ended {
            self.expected.lock().remove(&ended.plan);
            drop(self.mending.lock());
        }
    }

    /// The container is connected.
    pub(super) fn begin(&self, network: &Network, ties: &Arc<Ties>, netns: Option<&Netns>) {
        let wire = Wire {
            network: network.id(),
            ties: Arc::clone(ties),
            netns: netns.map(Netns::downgrade),
        };
        self.expected.lock().add(&ties.plan);
        self.standing.lock().wires.insert(ties.spec.id, wire);
    }

    /// It is about to go. Whoever puts its wire right does so in its stack's turn.
    pub(super) fn end(&self, endpoint: &EndpointId) {
        let ended = self.standing.lock().wires.remove(endpoint);
        if let Some(ended) = ended {
            self.expected.lock().remove(&ended.ties.plan);
        }
    }

    /// What a change means for what must be there.
    fn judge(&self, change: &Change) -> Option<(Subject, Verdict)> {
        let judged = self.expected.lock().judge(change);
        match change {
            Change::Link(LinkState { index, .. }) | Change::LinkGone(index)
                if judged.is_none() && self.is_blocked.load(Ordering::Relaxed) =>
            {
                Some((Subject::Link(*index), Verdict::Wrong))
            }
            _ => judged,
        }
    }

    fn now(&self) -> Standing {
        self.standing.lock().clone()
    }

    fn has_network(&self, network: &NetworkId) -> bool {
        self.standing.lock().networks.contains_key(network)
    }

    fn has_wire(&self, endpoint: &EndpointId) -> bool {
        self.standing.lock().wires.contains_key(endpoint)
    }
}

impl Standing {
    /// Without what a verb has begun to take back since.
    fn retain_still(&mut self, upkeep: &Upkeep) {
        let now = upkeep.standing.lock();
        self.networks.retain(|id, _| now.networks.contains_key(id));
        self.wires.retain(|id, _| now.wires.contains_key(id));
    }

    /// Of the wires that are gone, those alone whose containers can be reached: without its namespace one
    /// is gone for good.
    fn retain_within_reach(&mut self, host: &Present<'_>, registry: &Registry) {
        self.wires.retain(|_, wire| {
            let index = wire.ties.spec.host_link.index.get();
            host.link_at(index).is_some() || registry.reach(wire).is_some()
        });
    }

    fn made(&self) -> Vec<Made<'_>> {
        let networks = self.networks.iter();
        let made = networks.map(|(id, base)| Made {
            spec: &base.spec,
            plan: &base.plan,
            wires: self.plans_on(id),
        });
        made.collect()
    }

    fn plans_on(&self, network: &NetworkId) -> Vec<&Plan> {
        let wires = self.wires.values();
        let on_it = wires.filter(|wire| wire.network == *network);
        on_it.map(|wire| &wire.ties.plan).collect()
    }

    /// The bridges of those that have a packet filter.
    fn bridges(&self) -> Vec<LinkName> {
        let bases = self.networks.values();
        let filtered = bases.filter(|base| base.spec.firewall.is_on());
        let mut bridges: Vec<LinkName> = filtered.map(|base| base.spec.link.name.clone()).collect();
        bridges.sort();
        bridges.dedup();
        bridges
    }
}

impl Registry {
    /// The namespace of a wire's container: by a handle to it, or as another process has kept it.
    fn reach(&self, wire: &Wire) -> Option<Netns> {
        let of_handle = wire.netns.as_ref().and_then(WeakNetns::upgrade);
        let known = of_handle.or_else(|| wire.ties.place.wiring().netns());
        known.or_else(|| {
            let container = self.reopen(wire.ties.spec.container_id).ok()??;
            Some(container.netns().clone())
        })
    }
}
