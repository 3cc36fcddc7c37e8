//! A network: a group of containers that can talk, as a handle.

mod abandoned;
mod arrival;
mod attachment;
mod connect;
mod detach;
mod draft;
mod endpoint;
mod follow;
mod found;
mod held;
mod in_hand;
mod inspect;
mod join;
mod keeping;
mod leave;
mod ledger;
mod lodging;
mod members;
mod memory;
mod names;
mod overtaken;
mod ports;
mod publish;
mod recall;
mod registry;
mod reserve;
mod residents;
mod resolv;
mod serving;
mod staged;
mod ties;
mod unfinished;
mod unrecalled;
mod upkeep;
mod verbs;
mod wiring;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};

use crate::addr::{ContainerName, NetworkId, NetworkName};
use crate::driver::Driver;
use crate::error::{Error, Fault, Result};
use crate::event::EventKind;
use crate::kernel::Kernel;
use crate::plan::Plan;
use crate::record::{FoundLink, NetworkRecord, Phase, Tenure};
use crate::resolver::Records;
use crate::spec::{EndpointSpec, NetworkSpec, Origin};
use crate::trace::operation;
pub(crate) use arrival::connect_in_order;
use attachment::Attachment;
pub(crate) use detach::join;
pub use draft::Draft;
pub use endpoint::Endpoint;
pub(crate) use ledger::{Ledger, is_overtaken};
pub(crate) use members::{Members, Pools};
use names::Gateway;
pub(crate) use names::{Company, NameService};
pub(crate) use registry::{Foundation, Registered, Registry, Services, Template};
use residents::Resident;
pub use staged::StagedEndpoint;
use ties::Ties;
pub(crate) use unrecalled::Concern;
pub(crate) use upkeep::HostKeeper;

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
/// use bridgework::resolver::Answer;
/// use bridgework::{Container, EndpointConfig, Family, Host, NetworkConfig};
///
/// let host = Host::isolated()?;
/// let network = host.create_network(NetworkConfig::bridge("hmall").subnet("10.89.0.0/24"))?;
/// assert_eq!(network.name().as_str(), "hmall");
/// assert_eq!(host.network("hmall")?.id(), network.id());
/// let mysql = Container::isolated("mysql")?;
/// println!("{}", network.plan_connect(&mysql, &EndpointConfig::new())?); // changes nothing
/// let at = network.connect_with(&mysql, EndpointConfig::new().alias("db"))?;
/// assert_eq!(at.ip().to_string(), "10.89.0.2");
/// let found = network.records().lookup("db", Family::V4);
/// assert_eq!(found, Answer::Addresses(vec![at.ip()]));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Network(Arc<Inner>);

pub(crate) struct Inner {
    spec: NetworkSpec,
    /// Its link as it was before.
    found: Option<FoundLink>,
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
    /// Its gateway, where that is asked for names.
    gateway: Mutex<Option<Gateway>>,
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
    /// It stays: its record has it stay.
    Recorded,
    /// It is gone.
    Removed,
}

impl Network {
    pub(crate) fn new(
        NetworkRecord { spec, found }: NetworkRecord,
        driver: Arc<dyn Driver>,
        plan: Plan,
        kernel: Kernel,
        members: Members,
        registered: Registered,
    ) -> Self {
        let records = Arc::new(Records::new(spec.name.clone()));
        Self(Arc::new(Inner {
            spec,
            found,
            driver,
            plan,
            kernel,
            members: Mutex::new(members),
            records,
            attached: Mutex::default(),
            persisted: Mutex::default(),
            residents: Mutex::default(),
            gateway: Mutex::default(),
            introductions: Mutex::new(()),
            life: Mutex::new(Life::Owned),
            registered,
        }))
    }

    /// Its names are answered at its gateway, where that was asked for.
    pub(crate) fn open_gateway(&self) -> Result<()> {
        let registry = self.0.registered.registry();
        let Some(service) = registry.names() else {
            return Ok(());
        };
        if self.0.spec.resolver.is_at_gateway() {
            let host = (service, self.kernel());
            let gateway = Gateway::open(host, &self.0.spec, &self.0.records)?;
            *self.0.gateway.lock() = Some(gateway);
        }
        Ok(())
    }

    /// It is there for other processes, too. One that every host has stays from then on.
    pub(crate) fn be_kept(&self) -> Result<()> {
        let tenure = match self.0.spec.origin {
            Origin::Builtin => Tenure::Kept,
            Origin::Custom => Tenure::Held,
        };
        let mut life = self.0.life.lock();
        // whoever has found it by now may have persisted or removed it
        if !matches!(*life, Life::Owned) {
            return Ok(());
        }
        self.write(Phase::There, tenure)?;
        if self.ledger().is_some() && tenure == Tenure::Kept {
            *life = self.kept();
        }
        Ok(())
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
    ///
    /// ```no_run
    /// use bridgework::{Container, Host, NetworkConfig};
    ///
    /// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// let endpoint = network.connect(&Container::isolated("app")?)?;
    /// assert!(network.remove().is_err_and(|error| error.is_in_use()));
    /// endpoint.disconnect()?;
    /// network.remove()?;
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn remove(&self) -> Result<()> {
        self.remove_once().map(|_was_there| ())
    }

    /// [Removes](Self::remove) the network unless somebody is on it or depends on it. Returns whether it
    /// was there until now, and is gone. Of several that do so at once, one removes it. Needs
    /// `CAP_NET_ADMIN`.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// let host = Host::isolated()?;
    /// let network = host.create_network(NetworkConfig::bridge("web"))?;
    /// let app = Container::isolated("app")?;
    /// let at_web = network.connect(&app)?;
    /// assert!(!network.remove_unused()?);
    /// at_web.disconnect()?;
    /// assert!(network.remove_unused()?);
    /// assert!(!network.remove_unused()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`remove`](Self::remove), but for those who use it.
    pub fn remove_unused(&self) -> Result<bool> {
        if !self.endpoints().is_empty() {
            return Ok(false);
        }
        match self.remove_once() {
            Err(error) if error.is_in_use() || error.is_not_found() => Ok(false),
            removed => removed,
        }
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
        self.attempt_on(Concern::None, || self.remove_unless_used())
    }

    fn remove_unless_used(&self) -> Result<bool> {
        let life = self.0.life.lock();
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
        // nobody else can connect to it from now on, unless somebody just did
        self.write(Phase::Going, Tenure::Kept)?;
        self.end_of(life).map(|()| true)
    }

    /// It is gone, whoever thought it was there.
    pub(super) fn end(&self) -> Result<()> {
        let life = self.0.life.lock();
        match *life {
            Life::Removed => Ok(()),
            _ => self.end_of(life),
        }
    }

    /// What could not be taken back lives as before, and can be taken back again.
    fn end_of(&self, mut life: MutexGuard<'_, Life>) -> Result<()> {
        let former = std::mem::replace(&mut *life, Life::Removed);
        drop(life);
        let taken_back = self.0.take_back();
        taken_back.inspect_err(|_| *self.0.life.lock() = former)
    }

    /// Leaves the network as it is when the process ends, and returns what was chosen. It then ends
    /// by [`remove`](Self::remove) alone.
    ///
    /// Where the host keeps [records](crate::HostConfig::store), other processes find it there from now
    /// on, and the next one.
    ///
    /// # Errors
    /// The record can't be written; the network is as it was. Or it is another process's, and that has
    /// removed it ([`Error::is_not_found`]).
    ///
    /// ```no_run
    /// # use bridgework::{Host, NetworkConfig};
    /// let host = Host::isolated()?;
    /// let network = host.create_network(NetworkConfig::bridge("web"))?;
    /// let spec = network.persist()?;
    /// drop(network); // the bridge stays
    /// assert!(host.snapshot()?.link_named(spec.link.name.as_str()).is_some());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn persist(&self) -> Result<NetworkSpec> {
        let attempt = || format!("persist network {}", self.name());
        let mut life = self.0.life.lock();
        if matches!(*life, Life::Owned | Life::Lent { .. }) {
            let kept = self.keep_made();
            kept.map_err(|error| error.during(attempt()))?;
            let former = std::mem::replace(&mut *life, self.kept());
            drop(life);
            drop(former);
        } else if matches!(*life, Life::Recorded) {
            drop(life);
            let kept = self.keep_found();
            kept.map_err(|error| error.during(attempt()))?;
        }
        Ok(self.0.spec.clone())
    }

    /// It stays, with nobody else to hold it.
    fn kept(&self) -> Life {
        let registry = self.0.registered.registry();
        match registry.ledger() {
            Some(_) => {
                registry.keep(self);
                Life::Recorded
            }
            None => Life::Kept { _by: self.clone() },
        }
    }

    /// Everything that was chosen for it.
    #[must_use]
    pub fn spec(&self) -> &NetworkSpec {
        &self.0.spec
    }

    /// The steps that made it, which print as the lines that an operator would type.
    ///
    /// ```no_run
    /// # use bridgework::{Host, NetworkConfig};
    /// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// print!("{}", network.plan()); // as an operator would have typed it
    /// # Ok::<(), bridgework::Error>(())
    /// ```
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

    /// The records of its containers' names. Lookups in it never wait. They are those of all that was
    /// known when any verb was asked for last.
    #[must_use]
    pub fn records(&self) -> &Arc<Records> {
        self.0.registered.registry().attend_to_all();
        // what can't be read is as it was
        let _known = self.catch_up();
        &self.0.records
    }

    /// The containers that are connected, in the order in which they came.
    ///
    /// ```no_run
    /// use bridgework::{Container, Host, NetworkConfig};
    ///
    /// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// let endpoint = network.connect(&Container::isolated("app")?)?;
    /// for spec in network.endpoints() {
    ///     println!("{} {:?}", spec.container, spec.ipv4);
    /// }
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn endpoints(&self) -> Vec<EndpointSpec> {
        // what can't be read is as it was
        let _known = self.catch_up_on(Concern::None);
        self.0.members.lock().specs()
    }
}

impl Inner {
    fn record(&self) -> NetworkRecord {
        NetworkRecord {
            spec: self.spec.clone(),
            found: self.found.clone(),
        }
    }

    fn take_back(&self) -> Result<()> {
        self.registered
            .registry()
            .upkeep()
            .end_network(self.spec.id);
        let begun = Instant::now();
        let undo = found::undo(&self.kernel, &self.record(), &self.plan);
        let result = undo.and_then(|undo| self.kernel.take_back(&undo, None));
        if result.is_ok() {
            let registry = self.registered.registry();
            registry.keep_no_longer(self.spec.id);
            if self.found.is_some() {
                let _left_to_repair = registry.lead_by(&self.spec);
            }
            // it is taken back once more, which is done at once, by whoever recovers
            let _left_to_recovery = registry.strike_network(&self.spec);
            let silent = self.gateway.lock().take();
            drop(silent);
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
            let _lost = self.may_go().then(|| self.take_back());
        }
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Network({}, {})", self.name(), self.id().short())
    }
}
