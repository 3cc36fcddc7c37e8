//! Connecting in two halves, for callers that have no namespace yet or move the link themselves:
//! the wire is made with both ends on the host's side, and joined to its container later. What
//! joining and leaving do is not said here.

use std::fmt;

use crate::addr::{ContainerName, EndpointId, LinkName};
use crate::config::{EndpointConfig, EndpointRequest, take};
use crate::container::Identity;
use crate::error::{Error, Result};
use crate::plan::Plan;
use crate::spec::EndpointSpec;

use super::Network;
use super::connect::{ID_TRIES, may_try_again};
use super::draft::{FarEnd, asked, check_request, choose};
use super::keeping::Intent;
use super::members::Admission;

/// An endpoint whose container is not there yet: its addresses are held, and both ends of its wire
/// are on the host's side.
///
/// **Dropping it deletes the wire**; what goes wrong then is lost. To hear of it call
/// [`delete`](Self::delete). Move the end called [`link_name`](Self::link_name) into the container's
/// namespace yourself, under whatever name, or leave it to [`join`](Self::join), which finds it in
/// either place.
///
/// ```no_run
/// # fn main() -> Result<(), bridgework::Error> {
/// use bridgework::{Container, EndpointConfig, Host, NetworkConfig};
///
/// let host = Host::isolated()?;
/// let network = host.create_network(NetworkConfig::bridge("web"))?;
/// let staged = network.stage("app", EndpointConfig::new())?;
/// print!("{}", staged.plan()); // what was done so far
/// println!("{} will have {:?}", staged.link_name(), staged.spec().ipv4);
/// let id = staged.id();
/// let endpoint = staged.join(&Container::isolated("app")?)?;
/// assert_eq!(endpoint.id(), id);
/// let staged = endpoint.leave()?; // back on the host's side, the addresses still held
/// staged.delete()?;
/// # Ok(()) }
/// ```
pub struct StagedEndpoint {
    pub(super) network: Network,
    pub(super) spec: EndpointSpec,
    /// What made the wire.
    pub(super) plan: Plan,
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
    ///
    /// ```no_run
    /// # use bridgework::EndpointConfig;
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// # let app = Container::isolated("app")?;
    /// let staged = network.stage("app", EndpointConfig::new())?;
    /// println!("{} is the end to be moved", staged.link_name());
    /// let endpoint = staged.join(&app)?;
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn stage(&self, container: &str, config: EndpointConfig) -> Result<StagedEndpoint> {
        let staged = self.attempt(|| self.try_stage(container, &config));
        staged.map_err(|error| {
            let attempt = format!("stage an endpoint for {container} on {}", self.name());
            error.during(attempt)
        })
    }

    fn try_stage(&self, container: &str, config: &EndpointConfig) -> Result<StagedEndpoint> {
        let mut faults = Vec::from_iter(self.refuses_wires());
        let request = asked(&self.0.spec, config, &mut faults);
        check_request(&self.0.spec, &request, &mut faults);
        let name: Option<ContainerName> = take(container, &mut faults);
        let admitted = name
            .as_ref()
            .and_then(|name| self.admit(name, &request, &mut faults));
        let (Some(name), Some(admission)) = (name, admitted) else {
            return Err(Error::of("", faults));
        };
        let stands = self.stands();
        let made = stands.and_then(|()| self.make_staged(&name, (&request, &admission)));
        if made.is_err() {
            self.0.members.lock().turn_away(&name, &admission);
        }
        let (spec, plan) = made?;
        self.0.members.lock().stage(&spec);
        Ok(StagedEndpoint::new(self.clone(), spec, plan))
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
            let from = spec.link.clone();
            self.intend(Intent::without_container(&spec).staged(&from))?;
            let made = self.0.kernel.apply(&plan, None);
            match made.inspect_err(|error| self.retract(&spec, error)) {
                Ok(()) => return self.confirm_staged(spec, plan),
                Err(error) if tries < ID_TRIES && may_try_again(&error, &spec) => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

impl Network {
    fn confirm_staged(&self, spec: EndpointSpec, plan: Plan) -> Result<(EndpointSpec, Plan)> {
        let Err(error) = self.confirm(spec.id) else {
            return Ok((spec, plan));
        };
        let undo = plan.undo(plan.steps().len());
        let error = match self.kernel().take_back(&undo, None) {
            Ok(()) => error,
            Err(undone) => error.leaving_also(&undone),
        };
        self.retract(&spec, &error);
        Err(error)
    }
}

impl StagedEndpoint {
    pub(super) fn new(network: Network, spec: EndpointSpec, plan: Plan) -> Self {
        Self {
            network,
            spec,
            plan,
            phase: Phase::Staged,
        }
    }

    /// The wire is somebody else's from now on.
    pub(super) fn hand_on(mut self) {
        self.phase = Phase::HandedOn;
    }

    /// Deletes the wire and gives the addresses back.
    ///
    /// # Errors
    /// What could not be taken back is in [`Error::left_behind`], and the addresses are not given to
    /// anybody else.
    ///
    /// ```no_run
    /// # use bridgework::EndpointConfig;
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// # let app = Container::isolated("app")?;
    /// let staged = network.stage("app", EndpointConfig::new())?;
    /// staged.delete()?; // the container never came
    /// assert!(network.endpoints().is_empty());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn delete(mut self) -> Result<()> {
        self.take_back()
    }

    fn take_back(&mut self) -> Result<()> {
        if self.phase == Phase::HandedOn {
            return Ok(());
        }
        self.phase = Phase::HandedOn;
        self.network.write_going(&self.spec);
        let undo = self.plan.undo(self.plan.steps().len());
        let undone = self.network.kernel().take_back(&undo, None);
        let undone = undone.and_then(|()| self.network.strike(&self.spec, None));
        let mut members = self.network.0.members.lock();
        match undone {
            Ok(()) => members.send_away(&self.spec),
            Err(_) => members.lose(&self.spec),
        }
        drop(members);
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
