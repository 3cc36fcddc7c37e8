//! Which networks a host has: names and subnets that are taken from the moment they are chosen.
//! Its lock is held for memory only, never while the kernel is asked.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use crate::addr::{ContainerId, NetworkId, NetworkName, Subnet};
use crate::config::NetworkRequest;
use crate::container::{self, Container, HostFiles};
use crate::driver::Driver;
use crate::error::{Fault, Obstacle, Occupant};
use crate::event::{Event, EventKind};
use crate::events::EventHub;
use crate::kernel::{HostPorts, Kernel, Relay};
use crate::spec::NetworkSpec;

use super::in_hand::InHand;
use super::ledger::Ledger;
use super::names::NameService;
use super::unrecalled::Unrecalled;
use super::upkeep::Upkeep;
use super::wiring::Wirings;
use super::{Inner, Network};

pub(crate) struct Registry {
    host_files: HostFiles,
    host_ports: HostPorts,
    relay: Option<Relay>,
    names: Option<NameService>,
    entries: Mutex<BTreeMap<Place, Entry>>,
    /// How many were registered here.
    registered: AtomicU64,
    wirings: Wirings,
    upkeep: Upkeep,
    events: EventHub,
    /// Those that were connected or opened by the host, while there is a handle to them.
    containers: Mutex<HashMap<ContainerId, Weak<container::Inner>>>,
    foundation: Foundation,
    /// Those that are there whether there is another handle or not.
    kept: Mutex<BTreeMap<NetworkId, Network>>,
    /// Held while the news of other processes are taken account of.
    pub(super) following: Mutex<Unrecalled>,
    /// What is taken back at the moment for its record's sake.
    pub(super) in_hand: InHand,
    /// Whether all that others have connected is somebody's concern here: it is watched, or answered.
    pub(super) attends_to_all: AtomicBool,
}

/// What a host's networks stand on.
#[derive(Debug)]
pub(crate) struct Foundation {
    pub(crate) kernel: Kernel,
    pub(crate) drivers: Vec<Arc<dyn Driver>>,
    /// Where they are kept for other processes, if they are.
    pub(crate) ledger: Option<Ledger>,
}

/// What a host does for its containers in this process.
#[derive(Debug)]
pub(crate) struct Services {
    /// The host's ports that they have.
    pub(crate) host_ports: HostPorts,
    /// What carries over what the kernel can't lead to them.
    pub(crate) relay: Option<Relay>,
    /// What answers them.
    pub(crate) names: Option<NameService>,
}

/// Of one name there are several for as long as one process does not know yet what another has done:
/// whoever goes takes its own away, and nobody else's.
type Place = (NetworkName, Whose);

/// Who has taken a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Whose {
    /// This process, the so manieth time that it took one.
    Own(u64),
    /// Another one, for the network of that id.
    Foreign(NetworkId),
}

struct Entry {
    subnets: Vec<Subnet>,
    network: Weak<Inner>,
    /// What others can be completed with.
    offered: Option<Arc<NetworkRequest>>,
    depends_on: Option<NetworkName>,
}

/// A name and subnets that are taken until it is cancelled.
pub(crate) struct Registered {
    registry: Arc<Registry>,
    place: Place,
    /// The template stays as long as a network that depends on it.
    _template: Option<Network>,
}

/// A configuration-only network, and what it gives.
pub(crate) struct Template {
    network: Network,
    pub(crate) request: Arc<NetworkRequest>,
}

impl Foundation {
    /// The driver of that name.
    pub(crate) fn driver(&self, name: &str) -> Option<&Arc<dyn Driver>> {
        self.drivers.iter().find(|driver| driver.name() == name)
    }
}

impl Registry {
    pub(crate) fn new(host_files: HostFiles, services: Services, foundation: Foundation) -> Self {
        let Services {
            host_ports,
            relay,
            names,
        } = services;
        let attends_to_all = AtomicBool::new(names.is_some());
        Self {
            host_files,
            host_ports,
            relay,
            names,
            entries: Mutex::default(),
            registered: AtomicU64::default(),
            wirings: Wirings::default(),
            upkeep: Upkeep::default(),
            events: EventHub::default(),
            containers: Mutex::default(),
            foundation,
            kept: Mutex::default(),
            following: Mutex::default(),
            in_hand: InHand::default(),
            attends_to_all,
        }
    }

    pub(crate) fn foundation(&self) -> &Foundation {
        &self.foundation
    }

    /// What is written down for other processes, if anything is.
    pub(crate) fn ledger(&self) -> Option<&Ledger> {
        self.foundation.ledger.as_ref()
    }

    /// The network is there from now on, whether there is another handle or not.
    pub(crate) fn keep(&self, network: &Network) {
        self.kept.lock().insert(network.id(), network.clone());
    }

    /// The one of that id, if it is there on its own.
    pub(super) fn kept_at(&self, id: NetworkId) -> Option<Network> {
        self.kept.lock().get(&id).cloned()
    }

    /// It is there as long as other handles.
    pub(super) fn keep_no_longer(&self, id: NetworkId) {
        let kept = self.kept.lock().remove(&id);
        drop(kept);
    }

    /// None is there any more for the host's sake.
    pub(crate) fn let_go(&self) {
        let kept = std::mem::take(&mut *self.kept.lock());
        drop(kept);
    }

    /// A name and subnets that another process has. One that is taken here at the same time stays so until
    /// the records have said whose it is.
    pub(super) fn register_foreign(
        self: &Arc<Self>,
        spec: &NetworkSpec,
        subnets: Vec<Subnet>,
    ) -> Registered {
        let entry = Entry {
            subnets,
            network: Weak::new(),
            offered: None,
            depends_on: None,
        };
        let place = foreign(spec);
        self.entries.lock().insert(place.clone(), entry);
        Registered {
            registry: Arc::clone(self),
            place,
            _template: None,
        }
    }

    /// The name and the subnets that another process had are free again, whoever has them here by now.
    pub(super) fn unregister_foreign(&self, spec: &NetworkSpec) {
        self.entries.lock().remove(&foreign(spec));
    }

    /// Where the host's own files are.
    pub(crate) fn host_files(&self) -> &HostFiles {
        &self.host_files
    }

    /// The host's ports that containers have.
    pub(crate) fn host_ports(&self) -> &HostPorts {
        &self.host_ports
    }

    /// What carries over what the kernel can't lead to a container, unless nothing shall.
    pub(crate) fn relay(&self) -> Option<&Relay> {
        self.relay.as_ref()
    }

    /// What answers containers, unless nothing shall.
    pub(crate) fn names(&self) -> Option<&NameService> {
        self.names.as_ref()
    }

    /// Takes `name`, and the subnets that `choose` picks while no other can take any.
    pub(crate) fn register(
        self: &Arc<Self>,
        (name, template): (&NetworkName, Option<&Template>),
        choose: impl FnOnce(&[Obstacle]) -> Result<Vec<Subnet>, Vec<Fault>>,
    ) -> Result<Registered, Vec<Fault>> {
        let mut entries = self.entries.lock();
        let mut faults = Vec::new();
        if of_name(&entries, name).next().is_some() {
            faults.push(Fault::NetworkExists { name: name.clone() });
        }
        faults.extend(template.and_then(|template| template.missing_from(&entries)));
        let taken: Vec<Obstacle> = entries.iter().flat_map(obstacles).collect();
        let chosen = choose(&taken).map_err(|found| faults.extend(found));
        let (Ok(subnets), true) = (chosen, faults.is_empty()) else {
            return Err(faults);
        };
        let entry = Entry {
            subnets,
            network: Weak::new(),
            offered: None,
            depends_on: template.map(|template| template.network.name().clone()),
        };
        let nth = self.registered.fetch_add(1, Ordering::Relaxed);
        let place = (name.clone(), Whose::Own(nth));
        entries.insert(place.clone(), entry);
        let registered = Registered {
            registry: Arc::clone(self),
            place,
            _template: template.map(|template| template.network.clone()),
        };
        Ok(registered)
    }

    /// The network is a template from now on.
    pub(crate) fn offer(&self, network: &Network, request: NetworkRequest) {
        let place = &network.0.registered.place;
        if let Some(entry) = self.entries.lock().get_mut(place) {
            entry.offered = Some(Arc::new(request));
        }
    }

    /// The template of that name.
    pub(crate) fn template(&self, name: &NetworkName) -> Option<Template> {
        let entries = self.entries.lock();
        of_name(&entries, name).find_map(|entry| {
            let request = entry.offered.clone()?;
            let network = entry.network.upgrade().map(Network)?;
            Some(Template { network, request })
        })
    }

    /// The network that was registered is there.
    pub(crate) fn announce(&self, network: &Network) {
        let place = &network.0.registered.place;
        if let Some(entry) = self.entries.lock().get_mut(place) {
            entry.network = Arc::downgrade(&network.0);
        }
        self.upkeep.begin_network(network);
    }

    /// What must be there on the host's side.
    pub(crate) fn upkeep(&self) -> &Upkeep {
        &self.upkeep
    }

    pub(crate) fn events(&self) -> &EventHub {
        &self.events
    }

    pub(crate) fn tell(&self, begun: Instant, kind: impl FnOnce() -> EventKind) {
        self.events.publish(|| Event {
            at: SystemTime::now().into(),
            took: begun.elapsed(),
            kind: kind(),
        });
    }

    /// Of what another process did nobody here knows how long it took.
    pub(super) fn tell_of_other(&self, kind: impl FnOnce() -> EventKind) {
        self.events.publish(|| Event {
            at: SystemTime::now().into(),
            took: Duration::ZERO,
            kind: kind(),
        });
    }

    pub(crate) fn wirings(&self) -> &Wirings {
        &self.wirings
    }

    /// The container can be looked up from now on.
    pub(crate) fn know(&self, container: &Container) {
        let mut containers = self.containers.lock();
        // so seldom that it costs each only a little
        if containers.len() == containers.capacity() {
            containers.retain(|_, inner| inner.strong_count() > 0);
        }
        containers.insert(container.id(), Arc::downgrade(container.inner()));
    }

    pub(crate) fn containers(&self) -> Vec<Container> {
        let containers = self.containers.lock();
        let inners: Vec<_> = containers.values().filter_map(Weak::upgrade).collect();
        // the last handle of a container may be dropped by whoever looks through them
        drop(containers);
        inners.into_iter().map(Container::of_inner).collect()
    }

    pub(crate) fn networks(&self) -> Vec<Network> {
        let entries = self.entries.lock();
        let inners: Vec<_> = entries
            .values()
            .filter_map(|e| e.network.upgrade())
            .collect();
        // the last handle of a network may be dropped here, which takes the lock again
        drop(entries);
        inners.into_iter().map(Network).collect()
    }
}

impl Template {
    /// Somebody may have removed it since it was looked up.
    fn missing_from(&self, entries: &BTreeMap<Place, Entry>) -> Option<Fault> {
        let name = self.network.name();
        let entry = entries.get(&self.network.0.registered.place);
        match entry.and_then(|entry| entry.offered.as_ref()) {
            Some(request) if Arc::ptr_eq(request, &self.request) => None,
            _ => Some(Fault::TemplateNotFound { name: name.clone() }),
        }
    }
}

impl Registered {
    /// Nobody can depend on it from now on, unless somebody does.
    pub(super) fn withdraw_offer(&self) -> Result<(), Fault> {
        let (name, _) = &self.place;
        let mut entries = self.registry.entries.lock();
        if entries
            .values()
            .any(|entry| entry.depends_on.as_ref() == Some(name))
        {
            return Err(Fault::TemplateInUse { name: name.clone() });
        }
        if let Some(entry) = entries.get_mut(&self.place) {
            entry.offered = None;
        }
        Ok(())
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// By which what this host's store is about is told from what other stores are about.
    pub(crate) fn store_tag(&self) -> u16 {
        self.registry.store_tag()
    }

    /// Whoever subscribed is told of something that was begun then.
    pub(super) fn tell(&self, begun: Instant, kind: impl FnOnce() -> EventKind) {
        self.registry.tell(begun, kind);
    }

    /// Whoever subscribed is told of what another process did.
    pub(super) fn tell_of_other(&self, kind: impl FnOnce() -> EventKind) {
        self.registry.tell_of_other(kind);
    }

    pub(super) fn wirings(&self) -> &Wirings {
        self.registry.wirings()
    }

    /// The container of that id, if there is a handle to it.
    pub(super) fn handle(&self, id: ContainerId) -> Option<Container> {
        let mut containers = self.registry.containers().into_iter();
        containers.find(|container| container.id() == id)
    }

    /// The container of that id, if there is a handle to it, or it can be opened again.
    pub(super) fn container(&self, id: ContainerId) -> Option<Container> {
        self.handle(id).or_else(|| self.registry.reopen(id).ok()?)
    }

    pub(super) fn know(&self, container: &Container) {
        self.registry.know(container);
    }

    /// The name and the subnets are free again.
    pub(crate) fn cancel(&self) {
        self.registry.entries.lock().remove(&self.place);
    }
}

fn foreign(spec: &NetworkSpec) -> Place {
    (spec.name.clone(), Whose::Foreign(spec.id))
}

fn of_name<'e>(
    entries: &'e BTreeMap<Place, Entry>,
    name: &'e NetworkName,
) -> impl Iterator<Item = &'e Entry> {
    let named = entries.iter().filter(move |((one, _), _)| one == name);
    named.map(|(_, entry)| entry)
}

fn obstacles(((name, _), entry): (&Place, &Entry)) -> Vec<Obstacle> {
    let obstacle = |&subnet| Obstacle {
        subnet,
        occupant: Occupant::Network(name.clone()),
    };
    entry.subnets.iter().map(obstacle).collect()
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registered({})", self.place.0)
    }
}

#[cfg(test)]
mod tests;
