//! A network: a group of containers that can talk, as a handle.

mod arrival;
mod attachment;
mod connect;
mod detach;
mod draft;
mod endpoint;
mod inspect;
mod join;
mod leave;
mod members;
mod memory;
mod registry;
mod residents;
mod resolv;
mod staged;
mod ties;
mod verbs;
mod wiring;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::Mutex;

use crate::addr::{ContainerName, NetworkId, NetworkName};
use crate::driver::Driver;
use crate::error::{Error, Fault, Result};
use crate::event::EventKind;
use crate::kernel::Kernel;
use crate::plan::Plan;
use crate::resolver::Records;
use crate::spec::{EndpointSpec, NetworkSpec, Origin};
use crate::trace::operation;
pub(crate) use arrival::connect_in_order;
use attachment::Attachment;
pub use draft::Draft;
pub use endpoint::Endpoint;
pub(crate) use members::Members;
pub(crate) use registry::{Registered, Registry, Template};
use residents::Resident;
pub use staged::StagedEndpoint;
use ties::Ties;

/// A group of containers that can talk.
///
/// **Dropping the last handle removes the network**; what goes wrong then is lost. Every
/// [`Endpoint`] holds a handle, so a network never goes under its containers. To remove it on
/// purpose and hear of it, call [`remove`](Self::remove); to let it outlive the process,
/// [`persist`](Self::persist). A clone is another handle to the same.
///
/// Threads that connect to different networks do not wait for each other, and threads that connect
/// to the same one only while an address is chosen and, where
/// [everyone's names](crate::HostsScope::Everyone) stand in hosts files, while those are written.
///
/// ```no_run
/// # fn main() -> Result<(), bridgework::Error> {
/// use bridgework::{Container, EndpointConfig, Host, NetworkConfig};
///
/// let host = Host::isolated()?;
/// let network = host.create_network(NetworkConfig::bridge("hmall").subnet("10.89.0.0/24"))?;
/// let mysql = Container::isolated("mysql")?;
/// println!("{}", network.plan_connect(&mysql, &EndpointConfig::new())?); // changes nothing
/// let at = network.connect_with(&mysql, EndpointConfig::new().alias("db"))?;
/// assert_eq!(at.ip().to_string(), "10.89.0.2");
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Network(Arc<Inner>);

pub(crate) struct Inner {
    spec: NetworkSpec,
    driver: Arc<dyn Driver>,
    /// What the kernel has done for the network itself.
    plan: Plan,
    kernel: Kernel,
    members: Mutex<Members>,
    records: Arc<Records>,
    /// The attachments of its containers, whoever holds them.
    attached: Mutex<BTreeMap<ContainerName, Weak<Attachment>>>,
    /// Those that nobody holds, since they shall outlive the process.
    persisted: Mutex<BTreeMap<ContainerName, Arc<Ties>>>,
    /// Those that belong to it without a wire.
    residents: Mutex<Vec<Resident>>,
    /// Held while lines of several containers' hosts files are brought in step.
    introductions: Mutex<()>,
    life: Mutex<Life>,
    registered: Registered,
}

/// Whether the network is there, and what becomes of it with its last handle.
enum Life {
    /// It goes with the last handle.
    Owned,
    /// It stays: it has a handle to itself.
    Kept { _by: Network },
    /// It stays likewise while containers are on it that were persisted: nobody could remove it.
    Lent { _by: Network },
    /// It is gone.
    Removed,
}

impl Network {
    pub(crate) fn new(
        spec: NetworkSpec,
        driver: Arc<dyn Driver>,
        plan: Plan,
        kernel: Kernel,
        members: Members,
        registered: Registered,
    ) -> Self {
        let records = Arc::new(Records::new(spec.name.clone()));
        Self(Arc::new(Inner {
            spec,
            driver,
            plan,
            kernel,
            members: Mutex::new(members),
            records,
            attached: Mutex::default(),
            persisted: Mutex::default(),
            residents: Mutex::default(),
            introductions: Mutex::new(()),
            life: Mutex::new(Life::Owned),
            registered,
        }))
    }

    pub(crate) fn kernel(&self) -> &Kernel {
        &self.0.kernel
    }

    /// Removes the network: its bridge and all that falls with it. A network that is removed
    /// already stays so; its other handles can connect nothing any more.
    ///
    /// # Errors
    /// Containers are still connected or other networks depend on it ([`Error::is_in_use`]); every
    /// host has it; or the kernel refused. What could not be taken back is then in
    /// [`Error::left_behind`], and the network can be removed again.
    pub fn remove(&self) -> Result<()> {
        self.remove_once().map(|_was_there| ())
    }

    /// Whether it was there until now.
    pub(crate) fn remove_once(&self) -> Result<bool> {
        let operation = operation!("remove network", self.name());
        self.try_remove().map_err(|error| {
            operation.refused(error.during(format!("remove network {}", self.name())))
        })
    }

    fn try_remove(&self) -> Result<bool> {
        if self.0.spec.origin == Origin::Builtin {
            let name = self.name().clone();
            return Err(Error::of("", vec![Fault::Predefined { name }]));
        }
        let mut life = self.0.life.lock();
        if matches!(*life, Life::Removed) {
            return Ok(false);
        }
        let endpoints = self.active();
        if !endpoints.is_empty() {
            let (name, id) = (self.name().clone(), self.id());
            let fault = Fault::ActiveEndpoints {
                name,
                id,
                endpoints,
            };
            return Err(Error::of("", vec![fault]));
        }
        let withdrawn = self.0.registered.withdraw_offer();
        withdrawn.map_err(|fault| Error::of("", vec![fault]))?;
        let former = std::mem::replace(&mut *life, Life::Removed);
        drop(life);
        let taken_back = self.0.take_back().inspect_err(|_| {
            *self.0.life.lock() = former;
        });
        taken_back.map(|()| true)
    }

    /// Leaves the network as it is when the process ends, and returns what was chosen. It then ends
    /// by [`remove`](Self::remove) alone.
    pub fn persist(&self) -> NetworkSpec {
        let mut life = self.0.life.lock();
        let former = match *life {
            Life::Owned | Life::Lent { .. } => {
                std::mem::replace(&mut *life, Life::Kept { _by: self.clone() })
            }
            Life::Kept { .. } | Life::Removed => Life::Removed,
        };
        drop(life);
        drop(former);
        self.0.spec.clone()
    }

    /// Everything that was chosen for it.
    #[must_use]
    pub fn spec(&self) -> &NetworkSpec {
        &self.0.spec
    }

    /// The steps that made it, which print as the lines that an operator would type.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.0.plan
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &NetworkName {
        &self.0.spec.name
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> NetworkId {
        self.0.spec.id
    }

    /// The records of its containers' names. Lookups in it never wait.
    #[must_use]
    pub fn records(&self) -> &Arc<Records> {
        &self.0.records
    }

    /// The containers that are connected, in the order in which they came.
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointSpec> {
        self.0.members.lock().specs()
    }

    /// Keeps an address for a container of that name: it gets it whenever it connects, and nobody
    /// else does, whether it is connected or not.
    ///
    /// # Errors
    /// The address is in use, reserved, or in none of the network's subnets.
    pub fn reserve(
        &self,
        container: &ContainerName,
        address: impl Into<std::net::IpAddr>,
    ) -> Result<()> {
        let address = address.into();
        let reserved = self.0.members.lock().reserve(container, address);
        let attempt = || format!("reserve {address} for {container} on {}", self.name());
        reserved.map_err(|fault| Error::of(attempt(), vec![fault]))
    }

    /// Keeps no address for that name any more.
    pub fn unreserve(&self, container: &ContainerName) {
        self.0.members.lock().unreserve(container);
    }
}

impl Inner {
    fn take_back(&self) -> Result<()> {
        let undo = self.plan.undo(self.plan.steps().len());
        let begun = Instant::now();
        let result = self.kernel.take_back(&undo, None);
        if result.is_ok() {
            self.registered.cancel();
            self.registered.tell(begun, || EventKind::Destroy {
                network: (&self.spec).into(),
            });
        }
        result
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if matches!(self.life.get_mut(), Life::Owned) {
            let _lost = self.take_back();
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({}, {})", self.name(), self.id().short())
    }
}
