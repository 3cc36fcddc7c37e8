//! Connecting: hold addresses, choose names, let the driver plan, let the kernel do it, and only
//! then tell anybody.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::addr::ContainerName;
use crate::config::{EndpointConfig, EndpointRequest};
use crate::container::{Container, ResolvChange, Wire};
use crate::driver::{Exit, Stack, lead_out};
use crate::errno::Errno;
use crate::error::{Error, Fault, Result};
use crate::event::EventKind;
use crate::kernel::Claim;
use crate::plan::Plan;
use crate::resolver::Membership;
use crate::spec::EndpointSpec;

use super::attachment::Attachment;
use super::draft::{Draft, FarEnd, choose, introductions, owner, plan_endpoint};
use super::endpoint::Endpoint;
use super::keeping::Intent;
use super::members::Admission;
use super::names::{resolve_on, subnets};
use super::ties::Ties;
use super::unrecalled::Concern;
use super::wiring::{Place, link_prefix};
use super::{Life, Network};

/// An id, and so a name or an index, that is taken already is chosen anew this many times.
pub(super) const ID_TRIES: usize = 4;

/// So many interfaces of somebody else's may have names that would have been chosen.
pub(super) const NAME_TRIES: usize = 256;

impl Network {
    /// Connects `container` with all defaults; see [`connect_with`](Self::connect_with).
    ///
    /// # Errors
    /// As for [`connect_with`](Self::connect_with).
    ///
    /// ```no_run
    /// use bridgework::{Container, Host, NetworkConfig};
    ///
    /// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// let at_app = network.connect(&Container::isolated("app")?)?;
    /// println!("app is at {}", at_app.ip());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn connect(&self, container: &Container) -> Result<Endpoint> {
        self.connect_with(container, EndpointConfig::new())
    }

    /// Connects `container`: all of it, or nothing.
    ///
    /// When it returns, the first packet either way gets through: addresses are usable (no
    /// duplicate address detection), the bridge forwards, neighbours that knew an address by
    /// another hardware address have been told, and the names resolve. Where another process answers the
    /// container (see [`HostConfig::resolver`](crate::HostConfig::resolver)), they do once that one knows
    /// of it: 20 ms later where it [serves](crate::Host::serve). Needs `CAP_NET_ADMIN` in both namespaces.
    ///
    /// An interface that is given no name gets the next free one, `eth0`, `eth1`…, whoever else has
    /// interfaces inside. What is left open is as it was when the container was on this network
    /// before: see [`EndpointConfig::anew`]. An address that was asked for is kept for its return
    /// as long as there is a handle to the container: nobody gets it by chance, but whoever asks for
    /// it does.
    ///
    /// The container has one default route for each family, by the network that leads out in that
    /// family and has the highest [priority](EndpointConfig::priority), then both families, then the
    /// first name in the order of bytes, then the interface that comes first. As networks come and go it leads elsewhere from one moment
    /// to the next. A default route of somebody else's is never changed: where one of the same
    /// metric is there already (0 for IPv4, 1024 for IPv6), a network that would lead out is refused
    /// ([`Error::is_exists`]); one of another metric stays beside ours.
    ///
    /// Where somebody has removed the network's own link, it is made again first, with all who were on it.
    ///
    /// # Errors
    /// All that is wrong with the request; or what the kernel refused, and then everything is as it
    /// was, unless [`Error::left_behind`] says otherwise. [`Error::is_exists`]: the container is
    /// connected already, the address is in use, the link name that was asked for is taken, a
    /// default route is there that is somebody else's. [`Error::is_exhausted`]:
    /// no address is left, or the bridge is full (1023 ports).
    pub fn connect_with(&self, container: &Container, config: EndpointConfig) -> Result<Endpoint> {
        self.observe_connect(container, |begun| {
            self.try_connect(container, &config, begun)
        })
    }

    /// Connects all of `containers` with all defaults, in their order, or none of them.
    ///
    /// ```no_run
    /// use bridgework::{Container, Host, NetworkConfig};
    ///
    /// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// let (app, db) = (Container::isolated("app")?, Container::isolated("db")?);
    /// let endpoints = network.connect_all([&app, &db])?;
    /// assert_eq!(endpoints[1].container().name().as_str(), "db");
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`connect_with`](Self::connect_with), of the first that failed.
    pub fn connect_all<'c>(
        &self,
        containers: impl IntoIterator<Item = &'c Container>,
    ) -> Result<Vec<Endpoint>> {
        let mut endpoints = Vec::new();
        for container in containers {
            match self.connect(container) {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(error) => return Err(retreat(error, endpoints)),
            }
        }
        Ok(endpoints)
    }

    /// What [`connect_with`](Self::connect_with) would do, as steps that print as the lines an
    /// operator would type. Nothing is changed and no address is held; ids are random, so that
    /// names derived from them come out otherwise the next time.
    ///
    /// # Errors
    /// As for [`connect_with`](Self::connect_with), as far as the kernel need not be asked.
    ///
    /// ```no_run
    /// # use bridgework::EndpointConfig;
    /// use bridgework::{Container, Host, NetworkConfig};
    ///
    /// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// let app = Container::isolated("app")?;
    /// print!("{}", network.plan_connect(&app, &EndpointConfig::new())?); // nothing is done
    /// assert!(network.endpoints().is_empty());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn plan_connect(&self, container: &Container, config: &EndpointConfig) -> Result<Plan> {
        if let Some(gone) = self.gone(&self.0.life.lock()) {
            let (container, network) = (container.name(), self.name());
            let attempt = format!("plan to connect {container} to {network}");
            return Err(Error::of(attempt, vec![gone]));
        }
        let faults = Vec::from_iter(self.refuses(container));
        self.draft().plan_after(faults, container, config)
    }

    /// The network on paper, as it is now: plans for several containers that would come, of which
    /// nothing is done.
    ///
    /// ```no_run
    /// use bridgework::{Container, EndpointConfig, Host, NetworkConfig};
    ///
    /// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// let mut draft = network.draft();
    /// assert_eq!(draft.spec(), network.spec());
    /// for container in [Container::isolated("app")?, Container::isolated("db")?] {
    ///     print!("{}", draft.plan_connect(&container, &EndpointConfig::new())?);
    /// }
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn draft(&self) -> Draft {
        let members = self.0.members.lock().clone();
        Draft::new(
            self.0.spec.clone(),
            self.0.driver.clone(),
            self.0.plan.clone(),
            members,
            Arc::clone(self.0.registered.registry()),
        )
    }

    fn tell_connected(&self, begun: Instant, ties: &Ties) {
        ties.told.store(true, Ordering::Relaxed);
        self.0.registered.tell(begun, || EventKind::Connect {
            network: (&self.0.spec).into(),
            endpoint: (&ties.spec).into(),
        });
    }

    fn try_connect(
        &self,
        container: &Container,
        config: &EndpointConfig,
        begun: Instant,
    ) -> Result<Endpoint> {
        self.on_firm_ground(|| {
            self.attempt_on(Concern::Container(container), || {
                let mut faults = Vec::new();
                match self.expect(container, config, &mut faults) {
                    Some(arrival) => arrival.enter(begun),
                    None => Err(Error::of("", faults)),
                }
            })
        })
    }

    /// Why a container of that kind can't be on a network of this kind.
    pub(super) fn refuses(&self, container: &Container) -> Option<Fault> {
        if self.0.spec.config_only.is_on() {
            return None;
        }
        self.refuses_wires().or_else(|| match container.stack() {
            Stack::Private => Some(Fault::PrivateStack),
            Stack::Shared | Stack::Host => Some(Fault::SharedStack),
            Stack::Own if container.netns() == self.0.kernel.namespace() => {
                let why = format!("{} has the host's own namespace", container.name());
                Some(Fault::Conflicting(why))
            }
            Stack::Own => None,
        })
    }

    /// Why no container can be connected to a network of this kind.
    pub(super) fn refuses_wires(&self) -> Option<Fault> {
        match self.0.driver.stack() {
            // that it is no network is told with the rest of the request
            _ if self.0.spec.config_only.is_on() => None,
            Stack::Host => Some(Fault::HostStackLater),
            Stack::Private => Some(Fault::PrivateStack),
            Stack::Shared => Some(Fault::SharedStack),
            Stack::Own => None,
        }
    }

    pub(super) fn gone(&self, life: &Life) -> Option<Fault> {
        let name = self.name().to_string();
        matches!(life, Life::Removed).then_some(Fault::NetworkNotFound { name })
    }

    pub(super) fn admit(
        &self,
        container: &ContainerName,
        request: &EndpointRequest,
        faults: &mut Vec<Fault>,
    ) -> Option<Admission> {
        let life = self.0.life.lock();
        faults.extend(self.gone(&life));
        let mut members = self.0.members.lock();
        members.admit(container, request, &self.0.spec, faults)
    }

    /// The kernel's part. Links are named and numbered by the endpoint's id; if one of those is
    /// taken, another id is tried. Where the name that was chosen for the container's end is taken
    /// by somebody else, the next one is.
    pub(super) fn wire(
        &self,
        container: &Container,
        (request, admission): (&EndpointRequest, &Admission),
        mut place: Place,
    ) -> Result<Arc<Attachment>> {
        let wiring = Arc::clone(place.wiring());
        let _turn = wiring.take_turn();
        let (mut tries, mut foreign) = (1, Vec::new());
        let record = self.ledger().map(|_| container.record());
        loop {
            let far = FarEnd::Joined(place.name.clone());
            let identity = container.identity();
            let spec = choose(&self.0.spec, identity, (request, admission), far)?;
            let mut plan = plan_endpoint((&self.0.spec, self.0.driver.as_ref()), container, &spec)?;
            let exit = Exit::new(&self.0.spec, &spec, &plan);
            let own = lead_out(&mut plan, &spec.link, wiring.moves_with(&exit));
            let resolv = self.resolv_with(container, &spec);
            plan.extend(resolv.as_ref().and_then(ResolvChange::step));
            let ports = self.ports_with(&wiring, (&spec, &exit))?;
            plan.extend(ports.steps().iter().cloned());
            if let Some(record) = &record {
                let text = resolv.as_ref().map(ResolvChange::text);
                let intent = Intent::new(&spec, record, (wiring.outcome(&ports), text));
                self.intend(intent)?;
            }
            let applied = self.0.kernel.apply(&plan, Some(container.netns()));
            let answered =
                applied.and_then(|()| self.answer((&wiring, container), Claim::Vacant, &plan));
            let answered = answered.inspect_err(|error| self.retract(&spec, error));
            match answered {
                Ok(names) => {
                    plan.extend(names.step());
                    wiring.settle_names(names);
                    wiring.enter(spec.id, &self.0.spec, exit);
                    let _came = wiring.settle_ports(self.kernel(), ports);
                    resolv.into_iter().for_each(ResolvChange::settle);
                    let ties = Ties {
                        spec,
                        plan,
                        own,
                        staged: 0,
                        hosts: container.hosts_file().cloned(),
                        place,
                        told: AtomicBool::default(),
                    };
                    return Ok(Attachment::new(ties, self.clone(), container.clone()));
                }
                Err(error) if tries < ID_TRIES && may_try_again(&error, &spec) => tries += 1,
                Err(error)
                    if request.link_name.is_none()
                        && foreign.len() < NAME_TRIES
                        && is_name_taken(&error, &spec) =>
                {
                    let next = wiring.take_next(link_prefix(&self.0.spec));
                    let next = next.map_err(|fault| Error::of("", vec![fault]))?;
                    // it stays held until another one is found
                    foreign.push(std::mem::replace(&mut place, next));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Names are published once the address works, and cannot fail but for hosts files. The
    /// endpoint is a member then all the same, until it is taken back.
    pub(super) fn introduce(&self, endpoint: &Endpoint, begun: Instant) -> Result<()> {
        let newcomer = endpoint.attachment.ties.member();
        let _in_step = self.0.introductions.lock();
        let steps = introductions(&self.0.spec, &self.0.members.lock(), &newcomer);
        let introduced = match steps.as_slice() {
            [] => Ok(()),
            _ => self.0.kernel.apply(&Plan::from_iter(steps), None),
        };
        self.0.members.lock().welcome(newcomer);
        introduced?;
        self.carry_over(endpoint.attachment.ties.place.wiring())?;
        self.settle(endpoint, begun);
        // what others may take back from then on is known here by then
        self.confirm(endpoint.id())
    }

    /// It is one of this process's, and can be found.
    fn settle(&self, endpoint: &Endpoint, begun: Instant) {
        let ties = &endpoint.attachment.ties;
        if resolve_on(&self.0.spec) {
            self.publish_names(ties);
        }
        let upkeep = self.0.registered.registry().upkeep();
        upkeep.begin(self, ties, Some(endpoint.container().netns()));
        self.0.registered.know(endpoint.container());
        let wire: Arc<Wire> = endpoint.attachment.clone();
        endpoint.container().add_wire(&wire);
        // before anybody can find it and disconnect it
        self.tell_connected(begun, ties);
        let name = endpoint.container().name().clone();
        let attachment = Arc::downgrade(&endpoint.attachment);
        self.0.attached.lock().insert(name, attachment);
    }
}

impl Network {
    /// The others know it by its names, and it knows theirs.
    pub(super) fn publish_names(&self, ties: &Ties) {
        self.0.records.insert(owner(&ties.spec));
        let membership = Membership {
            records: Arc::clone(&self.0.records),
            links: ties.spec.links.clone(),
            subnets: subnets(&self.0.spec),
        };
        let wiring = ties.place.wiring();
        wiring.publish(&ties.spec.id, membership);
        if let Some(gateway) = self.0.gateway.lock().as_ref() {
            gateway.welcome(&ties.spec, &wiring.client());
        }
    }
}

/// Takes back what came before an error, and adds to the error what could not be.
pub(super) fn retreat(error: Error, endpoints: Vec<Endpoint>) -> Error {
    match Endpoint::disconnect_all(endpoints) {
        Ok(()) => error,
        Err(undone) => error.leaving_also(&undone),
    }
}

/// Whether it is the host's name or one of the indexes, all derived from the id, that is taken, and
/// nothing is left of the attempt.
pub(super) fn may_try_again(error: &Error, spec: &EndpointSpec) -> bool {
    let is_taken = |fault: &Fault| match fault {
        Fault::LinkExists { name, namespace } => {
            namespace.is_none() && *name == spec.host_link.name
        }
        // an index that is taken is EEXIST for the near end and EBUSY for the far one
        Fault::Kernel { errno, doing, .. } => {
            [Errno::EEXIST, Errno::EBUSY].contains(errno) && doing.contains(" type veth ")
        }
        _ => false,
    };
    error.left_behind().is_empty() && error.faults().iter().any(is_taken)
}

/// Whether a link of somebody else's has the name of the container's end, and nothing is left of
/// the attempt.
pub(super) fn is_name_taken(error: &Error, spec: &EndpointSpec) -> bool {
    let is_taken = |fault: &Fault| {
        matches!(
            fault,
            Fault::LinkExists { name, namespace: Some(_) } if *name == spec.link.name
        )
    };
    error.left_behind().is_empty() && error.faults().iter().any(is_taken)
}
