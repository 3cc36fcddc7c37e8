//! Containers that belong to a network without a wire: those with the host's stack, and those with
//! none. They come when they are opened and go with their last handle, unless they are kept.

use std::any::Any;
use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::addr::{ContainerId, ContainerName, EndpointId};
use crate::container::Container;
use crate::error::Result;
use crate::event::{EventEndpoint, EventKind};
use crate::inspect::ContainerEntry;
use crate::kernel::random_bytes;
use crate::record::{ContainerRecord, Residence};

use super::lodging::Lodging;
use super::{Inner, Network};

/// As the network knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resident {
    pub(crate) id: EndpointId,
    pub(crate) container: ContainerName,
    pub(crate) container_id: ContainerId,
}

impl Resident {
    pub(super) fn entry(&self) -> ContainerEntry {
        ContainerEntry::without_wire(self.container.clone(), self.id)
    }

    fn place(&self) -> EventEndpoint {
        EventEndpoint {
            id: self.id,
            container: self.container.clone(),
            container_id: self.container_id,
        }
    }
}

/// A container belongs to the network until this is dropped, or for longer if it is kept.
struct Stay {
    network: Weak<Inner>,
    resident: Resident,
    lodging: Lodging,
}

impl Network {
    /// The container belongs to this network from now on, as long as there is a handle to it or it is
    /// kept.
    pub(crate) fn take_in(&self, container: &Container) -> Result<()> {
        let operation = crate::trace::operation!("connect", self.name(), container);
        let begun = Instant::now();
        let resident = Resident {
            id: EndpointId::from_bytes(random_bytes()?),
            container: container.name().clone(),
            container_id: container.id(),
        };
        operation.concerns(resident.id);
        let residence = Residence {
            network: self.id(),
            endpoint: resident.id,
        };
        let registry = self.0.registered.registry();
        let lodging = registry.lodge(container, Some(residence))?;
        let plan = self.0.driver.open(container.name());
        if !plan.is_empty() {
            self.0.kernel.apply(&plan, Some(container.netns()))?;
        }
        self.0.residents.lock().push(resident.clone());
        self.0.registered.tell(begun, || EventKind::Connect {
            network: (&self.0.spec).into(),
            endpoint: resident.place(),
        });
        let stay: Box<dyn Any + Send + Sync> = Box::new(Stay {
            network: Arc::downgrade(&self.0),
            resident,
            lodging,
        });
        container.hold(stay);
        self.0.registered.know(container);
        Ok(())
    }

    /// A container that another process has taken in.
    pub(super) fn recall_resident(&self, container: &ContainerRecord, id: EndpointId) {
        let mut residents = self.0.residents.lock();
        if residents.iter().all(|resident| resident.id != id) {
            let resident = Resident {
                id,
                container: container.name.clone(),
                container_id: container.id,
            };
            self.0.registered.tell_of_other(|| EventKind::Connect {
                network: (&self.0.spec).into(),
                endpoint: resident.place(),
            });
            residents.push(resident);
        }
    }

    /// Another process has closed it.
    pub(super) fn lose_resident_of_other(&self, id: EndpointId) {
        let mut residents = self.0.residents.lock();
        let at = residents.iter().position(|resident| resident.id == id);
        if let Some(resident) = at.map(|at| residents.remove(at)) {
            self.0.registered.tell_of_other(|| EventKind::Disconnect {
                network: (&self.0.spec).into(),
                endpoint: resident.place(),
            });
        }
    }

    pub(super) fn lose_resident(&self, id: EndpointId) {
        self.0.residents.lock().retain(|resident| resident.id != id);
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let Some(network) = self.network.upgrade().map(Network) else {
            return;
        };
        if self.lodging.is_kept() {
            return;
        }
        let begun = Instant::now();
        network.lose_resident(self.resident.id);
        network.0.registered.tell(begun, || EventKind::Disconnect {
            network: (&network.0.spec).into(),
            endpoint: self.resident.place(),
        });
    }
}
