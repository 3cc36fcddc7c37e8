//! Which networks a host has: names and subnets that are taken from the moment they are chosen.
//! Its lock is held for memory only, never while the kernel is asked.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::{Instant, SystemTime};

use parking_lot::Mutex;

use crate::addr::{ContainerId, NetworkName, Subnet};
use crate::config::NetworkRequest;
use crate::container::{self, Container, HostFiles};
use crate::error::{Fault, Obstacle, Occupant};
use crate::event::{Event, EventKind};
use crate::events::EventHub;

use super::wiring::Wirings;
use super::{Inner, Network};

pub(crate) struct Registry {
    host_files: HostFiles,
    entries: Mutex<BTreeMap<NetworkName, Entry>>,
    wirings: Wirings,
    events: EventHub,
    /// Those that were connected or opened by the host, while there is a handle to them.
    containers: Mutex<HashMap<ContainerId, Weak<container::Inner>>>,
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
    name: NetworkName,
    /// The template stays as long as a network that depends on it.
    _template: Option<Network>,
}

/// A configuration-only network, and what it gives.
pub(crate) struct Template {
    network: Network,
    pub(crate) request: Arc<NetworkRequest>,
}

impl Registry {
    pub(crate) fn new(host_files: HostFiles) -> Self {
        Self {
            host_files,
            entries: Mutex::default(),
            wirings: Wirings::default(),
            events: EventHub::default(),
            containers: Mutex::default(),
        }
    }

    /// Where the host's own files are.
    pub(crate) fn host_files(&self) -> &HostFiles {
        &self.host_files
    }

    /// Takes `name`, and the subnets that `choose` picks while no other can take any.
    pub(crate) fn register(
        self: &Arc<Self>,
        (name, template): (&NetworkName, Option<&Template>),
        choose: impl FnOnce(&[Obstacle]) -> Result<Vec<Subnet>, Vec<Fault>>,
    ) -> Result<Registered, Vec<Fault>> {
        let mut entries = self.entries.lock();
        let mut faults = Vec::new();
        if entries.contains_key(name) {
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
        entries.insert(name.clone(), entry);
        let registered = Registered {
            registry: Arc::clone(self),
            name: name.clone(),
            _template: template.map(|template| template.network.clone()),
        };
        Ok(registered)
    }

    /// The network of that name is a template from now on.
    pub(crate) fn offer(&self, request: NetworkRequest) {
        if let Some(entry) = self.entries.lock().get_mut(&request.name) {
            entry.offered = Some(Arc::new(request));
        }
    }

    /// The template of that name.
    pub(crate) fn template(&self, name: &NetworkName) -> Option<Template> {
        let entries = self.entries.lock();
        let entry = entries.get(name)?;
        let request = entry.offered.clone()?;
        let network = entry.network.upgrade().map(Network)?;
        Some(Template { network, request })
    }

    /// The network that was registered is there.
    pub(crate) fn announce(&self, network: &Network) {
        if let Some(entry) = self.entries.lock().get_mut(network.name()) {
            entry.network = Arc::downgrade(&network.0);
        }
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
    fn missing_from(&self, entries: &BTreeMap<NetworkName, Entry>) -> Option<Fault> {
        let name = self.network.name();
        let offered = entries.get(name).and_then(|entry| entry.offered.as_ref());
        match offered {
            Some(request) if Arc::ptr_eq(request, &self.request) => None,
            _ => Some(Fault::TemplateNotFound { name: name.clone() }),
        }
    }
}

impl Registered {
    /// Nobody can depend on it from now on, unless somebody does.
    pub(super) fn withdraw_offer(&self) -> Result<(), Fault> {
        let name = &self.name;
        let mut entries = self.registry.entries.lock();
        if entries
            .values()
            .any(|entry| entry.depends_on.as_ref() == Some(name))
        {
            return Err(Fault::TemplateInUse { name: name.clone() });
        }
        if let Some(entry) = entries.get_mut(name) {
            entry.offered = None;
        }
        Ok(())
    }

    pub(super) fn registry(&self) -> &Arc<Registry> {
        &self.registry
    }

    /// Whoever subscribed is told of something that was begun then.
    pub(super) fn tell(&self, begun: Instant, kind: impl FnOnce() -> EventKind) {
        self.registry.tell(begun, kind);
    }

    pub(super) fn wirings(&self) -> &Wirings {
        self.registry.wirings()
    }

    /// The container of that id, if there is a handle to it.
    pub(super) fn container(&self, id: ContainerId) -> Option<Container> {
        let containers = self.registry.containers();
        containers
            .into_iter()
            .find(|container| container.id() == id)
    }

    pub(super) fn know(&self, container: &Container) {
        self.registry.know(container);
    }

    /// The name and the subnets are free again.
    pub(crate) fn cancel(&self) {
        self.registry.entries.lock().remove(&self.name);
    }
}

fn obstacles((name, entry): (&NetworkName, &Entry)) -> Vec<Obstacle> {
    let obstacle = |&subnet| Obstacle {
        subnet,
        occupant: Occupant::Network(name.clone()),
    };
    entry.subnets.iter().map(obstacle).collect()
}

impl fmt::Debug for Registered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registered({})", self.name)
    }
}
