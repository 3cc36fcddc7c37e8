//! Connecting in two halves, for callers that have no namespace yet or move the link themselves:
//! the wire is made with both ends on the host's side, and joined to its container later.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use crate::addr::{ContainerName, EndpointId, LinkIndex, LinkName};
use crate::config::{EndpointConfig, EndpointRequest, take};
use crate::container::{Container, Identity, ResolvChange};
use crate::driver::{Exit, lead_out};
use crate::error::{Error, Fault, Result};
use crate::plan::{Link, Plan, Side, Step};
use crate::snapshot::LinkState;
use crate::spec::EndpointSpec;
use crate::trace::operation;

use super::Network;
use super::attachment::Attachment;
use super::connect::{ID_TRIES, may_try_again};
use super::detach::{lead_away, tell_disconnected, withdraw};
use super::draft::{FarEnd, check_default, check_families, choose, own_lines};
use super::endpoint::Endpoint;
use super::members::Admission;
use super::memory::remembered;
use super::resolv::rewrite_resolv;
use super::ties::Ties;
use super::wiring::{Place, link_prefix};

/// An endpoint whose container is not there yet: its addresses are held, and both ends of its wire
/// are on the host's side.
///
/// **Dropping it deletes the wire**; what goes wrong then is lost. To hear of it call
/// [`delete`](Self::delete). Move the end called [`link_name`](Self::link_name) into the container's
/// namespace yourself, or leave it to [`join`](Self::join), which finds it in either place.
///
/// ```no_run
/// # fn main() -> Result<(), bridgework::Error> {
/// use bridgework::{Container, EndpointConfig, Host, NetworkConfig};
///
/// let host = Host::isolated()?;
/// let network = host.create_network(NetworkConfig::bridge("web"))?;
/// let staged = network.stage("app", EndpointConfig::new())?;
/// println!("{} will have {:?}", staged.link_name(), staged.spec().ipv4);
/// let endpoint = staged.join(&Container::isolated("app")?)?;
/// let staged = endpoint.leave()?; // back on the host's side, the addresses still held
/// staged.delete()?;
/// # Ok(()) }
/// ```
pub struct StagedEndpoint {
    network: Network,
    spec: EndpointSpec,
    plan: Plan,
    request: EndpointRequest,
    phase: Phase,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Staged,
    HandedOn,
}

impl Network {
    /// Makes an endpoint for a container of that name whose namespace is not there yet, or whose end
    /// of the wire somebody else moves. It counts as an active endpoint; names resolve once it is
    /// [joined](StagedEndpoint::join).
    ///
    /// # Errors
    /// As for [`connect_with`](Self::connect_with); or the network's driver can't do it.
    pub fn stage(&self, container: &str, config: EndpointConfig) -> Result<StagedEndpoint> {
        let staged = self.try_stage(container, &config);
        staged.map_err(|error| {
            let attempt = format!("stage an endpoint for {container} on {}", self.name());
            error.during(attempt)
        })
    }

    fn try_stage(&self, container: &str, config: &EndpointConfig) -> Result<StagedEndpoint> {
        let mut faults = Vec::new();
        let request = config.check(&mut faults);
        check_families(&self.0.spec, &request, &mut faults);
        check_default(&self.0.spec, &request, &mut faults);
        let name: Option<ContainerName> = take(container, &mut faults);
        let admitted = name
            .as_ref()
            .and_then(|name| self.admit(name, &request, &mut faults));
        let (Some(name), Some(admission)) = (name, admitted) else {
            return Err(Error::of("", faults));
        };
        let made = self.make_staged(&name, (&request, &admission));
        if made.is_err() {
            self.0.members.lock().turn_away(&name, &admission);
        }
        let (spec, plan) = made?;
        self.0.members.lock().stage(&spec);
        Ok(StagedEndpoint {
            network: self.clone(),
            spec,
            plan,
            request,
            phase: Phase::Staged,
        })
    }

    fn make_staged(
        &self,
        name: &ContainerName,
        asked: (&EndpointRequest, &Admission),
    ) -> Result<(EndpointSpec, Plan)> {
        let identity = Identity::random(name)?;
        let mut tries = 1;
        loop {
            let spec = choose(&self.0.spec, &identity, asked, FarEnd::Staged)?;
            let planned = self.0.driver.stage(&self.0.spec, &spec);
            let plan = planned.map_err(|fault| Error::of("", vec![fault]))?;
            match self.0.kernel.apply(&plan, None) {
                Ok(()) => return Ok((spec, plan)),
                Err(error) if tries < ID_TRIES && may_try_again(&error, &spec) => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

impl StagedEndpoint {
    /// Puts the container's end into service inside its namespace: it is moved there, unless it is
    /// there already, and gets its addresses; names and default routes follow as with
    /// [`Network::connect_with`]. An end that is there already keeps its name.
    ///
    /// # Errors
    /// The container has another name; its end of the wire is in neither namespace; and as for
    /// [`Network::connect_with`]. The endpoint is then gone, as if it was dropped.
    pub fn join(self, container: &Container) -> Result<Endpoint> {
        let operation = operation!("connect", self.network.name(), container);
        operation.concerns(self.spec.id);
        let begun = Instant::now();
        let network = self.network.clone();
        let joined = self.try_join(container);
        let introduced =
            joined.and_then(|attachment| network.introduce(Endpoint::new(attachment), begun));
        introduced.map_err(|error| {
            let attempt = format!("join {} to {}", container.name(), network.name());
            operation.refused(error.during(attempt))
        })
    }

    fn try_join(mut self, container: &Container) -> Result<Arc<Attachment>> {
        let mut faults = Vec::from_iter(self.network.refuses(container));
        if *container.name() != self.spec.container {
            let names = (container.name(), &self.spec.container);
            let why = format!(
                "container {} and an endpoint staged for {}",
                names.0, names.1
            );
            faults.push(Fault::Conflicting(why));
        }
        let found = self.find_in(container)?;
        let found_name = found.as_ref().map(|link| &link.name);
        let wanted = found_name.or(self.request.link_name.as_ref());
        let wiring = self.network.0.registered.wirings().of(container.netns());
        let prefix = link_prefix(&self.network.0.spec);
        let placed = wiring.take_place((wanted, prefix), container.name(), &mut faults);
        let (Some(place), true) = (placed, faults.is_empty()) else {
            return Err(Error::of("", faults));
        };
        let _turn = wiring.take_turn();
        let spec = self.joined_spec(container, found.as_ref(), &place);
        let (plan, begin) = self.joining(container, &spec, found.is_some())?;
        let exit = Exit::new(self.network.name(), &spec, &plan);
        let mut whole = plan;
        let own = lead_out(&mut whole, &spec.link, wiring.moves_with(&exit));
        let resolv = self.network.resolv_with(container, &spec);
        whole.extend(resolv.as_ref().and_then(ResolvChange::step));
        let mut performed = Plan::with_container(container.name().clone());
        performed.extend(whole.steps().iter().skip(begin).cloned());
        let kernel = self.network.kernel();
        kernel.apply(&performed, Some(container.netns()))?;
        wiring.enter(spec.id, exit);
        resolv.into_iter().for_each(ResolvChange::settle);
        self.phase = Phase::HandedOn;
        let ties = Ties {
            spec,
            plan: whole,
            own,
            staged: self.plan.steps().len(),
            hosts: container.hosts_file().cloned(),
            place,
            told: AtomicBool::default(),
        };
        Ok(Attachment::new(
            ties,
            self.network.clone(),
            container.clone(),
        ))
    }

    /// All steps of the endpoint, and the first of them that is still to be done.
    fn joining(
        &self,
        container: &Container,
        spec: &EndpointSpec,
        is_moved: bool,
    ) -> Result<(Plan, usize)> {
        let mut plan = Plan::with_container(container.name().clone());
        plan.extend(self.plan.steps().iter().cloned());
        let begin = plan.steps().len() + usize::from(is_moved);
        plan.push(Step::MoveLink {
            from: self.spec.link.clone(),
            to: spec.link.clone(),
        });
        let joined = self.network.0.driver.join(&self.network.0.spec, spec);
        let joined = joined.map_err(|fault| Error::of("", vec![fault]))?;
        plan.extend(joined.steps().iter().cloned());
        plan.extend(own_lines(container, spec));
        Ok((plan, begin))
    }

    /// The container's end, if somebody has moved it there: it is known by its hardware address.
    fn find_in(&self, container: &Container) -> Result<Option<Link>> {
        let snapshot = container.netns().snapshot()?;
        let is_ours = |state: &&LinkState| state.kind == "veth" && state.mac == Some(self.spec.mac);
        let Some(state) = snapshot.links.iter().find(is_ours) else {
            return Ok(None);
        };
        let (name, index) = (state.name.parse()?, LinkIndex::new(state.index)?);
        Ok(Some(Link::new(Side::Container, name, index)))
    }

    fn joined_spec(
        &self,
        container: &Container,
        found: Option<&Link>,
        place: &Place,
    ) -> EndpointSpec {
        let index = found.map_or(self.spec.link.index, |link| link.index);
        EndpointSpec {
            container_id: container.id(),
            hostname: container.hostname().clone(),
            link: Link::new(Side::Container, place.name.clone(), index),
            ..self.spec.clone()
        }
    }

    /// Deletes the wire and gives the addresses back.
    ///
    /// # Errors
    /// What could not be taken back is in [`Error::left_behind`].
    pub fn delete(mut self) -> Result<()> {
        self.take_back()
    }

    fn take_back(&mut self) -> Result<()> {
        if self.phase == Phase::HandedOn {
            return Ok(());
        }
        self.phase = Phase::HandedOn;
        let undo = self.plan.undo(self.plan.steps().len());
        let undone = self.network.kernel().take_back(&undo, None);
        if undone.is_ok() {
            self.network.0.members.lock().send_away(&self.spec);
        }
        undone.map_err(|error| {
            let (container, network) = (&self.spec.container, self.network.name());
            error.during(format!("delete the endpoint of {container} on {network}"))
        })
    }

    /// Everything that was chosen for it.
    #[must_use]
    pub fn spec(&self) -> &EndpointSpec {
        &self.spec
    }

    /// The steps that made it.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> EndpointId {
        self.spec.id
    }

    /// The name, on the host's side, of the end that belongs into the container.
    #[must_use]
    pub fn link_name(&self) -> &LinkName {
        &self.spec.link.name
    }
}

impl Endpoint {
    /// The first half of disconnecting, for an endpoint that was staged: names and routes go, the
    /// container's end is moved back to the host's side, the addresses stay held.
    ///
    /// # Errors
    /// It was not staged; or something could not be taken back
    /// ([`Error::left_behind`]), and it is gone, as if it was dropped.
    pub fn leave(self) -> Result<StagedEndpoint> {
        let begun = Instant::now();
        let (network, container) = (self.network().clone(), self.container().clone());
        let attempt = || format!("leave {} from {}", container.name(), network.name());
        let ties = Arc::clone(&self.attachment.ties);
        if ties.staged == 0 {
            let why = "leaving and an endpoint that was not staged".to_owned();
            return Err(Error::of(attempt(), vec![Fault::Conflicting(why)]));
        }
        let Some(from) = ties.staged_link() else {
            let why = "leaving and an endpoint that was not moved".to_owned();
            return Err(Error::of(attempt(), vec![Fault::Conflicting(why)]));
        };
        network.0.attached.lock().remove(&ties.spec.container);
        withdraw(&network, &ties).map_err(|error| error.during(attempt()))?;
        let wiring = ties.place.wiring();
        let turn = wiring.take_turn();
        rewrite_resolv(&network, &ties, Some(&container))
            .map_err(|error| error.during(attempt()))?;
        let going = [ties.spec.id];
        lead_away(&self.attachment.departure(), &going).map_err(|error| error.during(attempt()))?;
        let undo = ties.undo_joining();
        let undone = network.kernel().take_back(&undo, Some(container.netns()));
        wiring.leave(&ties.spec.id);
        drop(turn);
        undone.map_err(|error| error.during(attempt()))?;
        self.attachment.let_go();
        self.attachment.end();
        network.0.members.lock().step_back(&ties.spec.id);
        tell_disconnected(&network, &ties, begun);
        Ok(StagedEndpoint {
            spec: EndpointSpec {
                link: from,
                ..ties.spec.clone()
            },
            plan: Plan::from_iter(ties.plan.steps().iter().take(ties.staged).cloned()),
            request: remembered(&network.0.spec, &ties.spec),
            network,
            phase: Phase::Staged,
        })
    }
}

impl Drop for StagedEndpoint {
    fn drop(&mut self) {
        let _lost = self.take_back();
    }
}

impl fmt::Debug for StagedEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (container, network) = (&self.spec.container, self.network.name());
        write!(
            f,
            "StagedEndpoint({container} on {network}, {})",
            self.id().short()
        )
    }
}
