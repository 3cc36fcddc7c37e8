//! Containers that belong to a network without a wire: those with the host's stack, and those with
//! none. They come when they are opened and go with their last handle.

use std::any::Any;
use std::sync::{Arc, Weak};
use std::time::Instant;

use crate::addr::{ContainerId, ContainerName, EndpointId};
use crate::container::Container;
use crate::error::Result;
use crate::event::{EventEndpoint, EventKind};
use crate::inspect::ContainerEntry;
use crate::kernel::random_bytes;

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

/// A container belongs to the network until this is dropped.
struct Residence {
    network: Weak<Inner>,
    resident: Resident,
}

impl Network {
    /// The container belongs to this network from now on, as long as there is a handle to it.
    pub(crate) fn take_in(&self, container: &Container) -> Result<()> {
        let operation = crate::trace::operation!("connect", self.name(), container);
        let begun = Instant::now();
        let plan = self.0.driver.open(container.name());
        if !plan.is_empty() {
            self.0.kernel.apply(&plan, Some(container.netns()))?;
        }
        let resident = Resident {
            id: EndpointId::from_bytes(random_bytes()?),
            container: container.name().clone(),
            container_id: container.id(),
        };
        operation.concerns(resident.id);
        self.0.residents.lock().push(resident.clone());
        self.0.registered.tell(begun, || EventKind::Connect {
            network: (&self.0.spec).into(),
            endpoint: resident.place(),
        });
        let network = Arc::downgrade(&self.0);
        let residence: Box<dyn Any + Send + Sync> = Box::new(Residence { network, resident });
        container.hold(residence);
        self.0.registered.know(container);
        Ok(())
    }
}

impl Drop for Residence {
    fn drop(&mut self) {
        let Some(network) = self.network.upgrade() else {
            return;
        };
        let begun = Instant::now();
        let mut residents = network.residents.lock();
        residents.retain(|resident| resident.id != self.resident.id);
        drop(residents);
        network.registered.tell(begun, || EventKind::Disconnect {
            network: (&network.spec).into(),
            endpoint: self.resident.place(),
        });
    }
}
