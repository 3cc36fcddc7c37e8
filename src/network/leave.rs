//! The way back from a container to the host's side, for wires that were staged. What can't go back
//! goes away: nothing stays in between.

use std::time::Instant;

use crate::error::{Error, Fault, HandBack, Result};
use crate::plan::Plan;
use crate::spec::EndpointSpec;
use crate::trace::operation;

use super::detach::{dismiss, take_down, tell_disconnected};
use super::endpoint::Endpoint;
use super::staged::StagedEndpoint;

impl Endpoint {
    /// The first half of disconnecting, for an endpoint that was staged: names and routes go, the
    /// container's end is moved back to the host's side, the addresses stay held.
    ///
    /// ```no_run
    /// use bridgework::{Container, EndpointConfig, Host, NetworkConfig};
    ///
    /// let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// let (old, new) = (Container::isolated("app")?, Container::isolated("app")?);
    /// let endpoint = network.stage("app", EndpointConfig::new())?.join(&old)?;
    /// let ip = endpoint.ip();
    /// let endpoint = endpoint.leave()?.join(&new)?; // the same wire, in another namespace
    /// assert_eq!(endpoint.ip(), ip);
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// It was not staged, and then it is handed back as it was. Or something could not be taken
    /// back, and then it is disconnected all the same, as by [`disconnect`](Self::disconnect): what
    /// is left of it is in [`Error::left_behind`], and what is handed back has nothing left to do.
    pub fn leave(self) -> std::result::Result<StagedEndpoint, HandBack<Self>> {
        let operation = operation!("disconnect", self.network().name(), self.container());
        operation.concerns(self.id());
        self.try_leave().map_err(|error| {
            let (container, network) = (self.container().name(), self.network().name());
            let error = error.during(format!("leave {network} with {container}"));
            HandBack::new(operation.refused(error), self)
        })
    }

    fn try_leave(&self) -> Result<StagedEndpoint> {
        let (network, ties) = (self.network(), &self.attachment.ties);
        let Some(link) = ties.staged_link() else {
            let why = "leaving and an endpoint that was not staged".to_owned();
            return Err(Error::of("", vec![Fault::Conflicting(why)]));
        };
        if !self.attachment.let_go() {
            self.attachment.await_end();
            let container = ties.spec.container.to_string();
            let network = network.name().clone();
            let fault = Fault::NotConnected { container, network };
            return Err(Error::of("", vec![fault]));
        }
        let begun = Instant::now();
        network.write_going(&ties.spec);
        let left = take_down(&self.attachment.departure(), ties.undo_joining());
        let left = left
            .map(|()| self.go_back())
            .map_err(|error| self.give_up(error));
        tell_disconnected(network, ties, begun);
        self.attachment.end();
        left?;
        let spec = EndpointSpec {
            link,
            ..ties.spec.clone()
        };
        let staging = ties.plan.steps().iter().take(ties.staged).cloned();
        let mut plan = Plan::with_container(ties.spec.container.clone());
        plan.extend(staging);
        Ok(StagedEndpoint::new(network.clone(), spec, plan))
    }

    /// It is on its way again, as it was staged.
    fn go_back(&self) {
        let (network, ties) = (self.network(), &self.attachment.ties);
        ties.place.give_up();
        network.0.attached.lock().remove(&ties.spec.container);
        network.0.members.lock().step_back(&ties.spec.id);
        if let Some(link) = ties.staged_link() {
            let spec = EndpointSpec {
                link,
                ..ties.spec.clone()
            };
            network.write_staged(&spec, spec.container_id);
        }
    }

    /// The wire can't go back as it should, so it goes; with it most of what was in the way. What is
    /// left of the error then is in what this returns.
    fn give_up(&self, error: Error) -> Error {
        let (network, ties) = (self.network(), &self.attachment.ties);
        let mut rest = Plan::with_container(ties.spec.container.clone());
        rest.extend(ties.undo_staging().steps().iter().cloned());
        rest.extend(error.left_behind().steps().iter().cloned());
        let namespace = Some(self.container().netns());
        let gone = network.kernel().take_back(&rest, namespace);
        let departure = self.attachment.departure();
        let gone = gone.and_then(|()| network.strike(&ties.spec, Some(&departure)));
        dismiss(&departure, &gone);
        match gone {
            Ok(()) => error.leaving(Plan::new()),
            Err(still) => error.leaving(still.left_behind().clone()),
        }
    }

    /// A wire that was joined by its steps from `first` on, and that nobody came to know, is as it was
    /// staged. The error says why, and has in the end what could not be taken back.
    pub(super) fn step_back(self, first: usize, error: Error) -> Error {
        self.attachment.let_go();
        let undo = self.attachment.ties.undo_from(first);
        let left = take_down(&self.attachment.departure(), undo);
        self.go_back();
        self.attachment.end();
        match left {
            Ok(()) => error,
            Err(undone) => error.leaving_also(&undone),
        }
    }
}
