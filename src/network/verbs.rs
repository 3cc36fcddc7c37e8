//! What is asked of a network by a container's name: to disconnect it, and to look at all of them.

use std::sync::{Arc, Weak};

use crate::addr::{ContainerId, ContainerName};
use crate::error::{Error, Fault, Result};
use crate::plan::Plan;
use crate::spec::Origin;

use super::attachment::Attachment;
use super::detach::{Departure, detach};
use super::endpoint::Endpoint;
use super::ties::Ties;
use super::unrecalled::Concern;
use super::{Life, Network};

impl Network {
    /// Disconnects the container of that name, whoever has the [`Endpoint`](crate::Endpoint) and
    /// whether it was persisted or not. The handle, if there is one, has nothing left to do. If
    /// another thread is at it already, this waits until it is done.
    ///
    /// Where the host keeps [records](crate::HostConfig::store), it may follow a disconnection that
    /// failed: what that left behind is taken back then. [`Host::recover`](crate::Host::recover) does
    /// the same, and so does a verb that it is in the way of.
    ///
    /// Of a persisted endpoint what is inside the container's namespace, and that its default routes
    /// find another way, is seen to while there is any handle to that namespace that was connected;
    /// without one, the link goes and all that falls with it.
    ///
    /// # Errors
    /// It is not connected ([`Error::is_not_found`]); the network is one that containers belong to
    /// from when they are opened; and as for [`Endpoint::disconnect`](crate::Endpoint::disconnect).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let host = Host::isolated()?;
    /// # let network = host.create_network(NetworkConfig::bridge("web"))?;
    /// let spec = network.connect(&Container::isolated("app")?)?.persist()?;
    /// network.disconnect("app")?;
    /// assert!(network.disconnect("app").unwrap_err().is_not_found());
    /// # Ok(()) }
    /// ```
    pub fn disconnect(&self, container: &str) -> Result<()> {
        let disconnected = self.try_disconnect(container, None);
        disconnected.map_err(|error| self.not_disconnected(container, error))
    }

    /// Only if it is still that container. Another one may have the name by now.
    pub(crate) fn disconnect_that(&self, container: &ContainerName, id: ContainerId) -> Result<()> {
        let disconnected = self.try_disconnect(container.as_str(), Some(id));
        disconnected.map_err(|error| self.not_disconnected(container.as_str(), error))
    }

    fn not_disconnected(&self, container: &str, error: Error) -> Error {
        error.during(format!("disconnect {container} from {}", self.name()))
    }

    /// As [`disconnect`](Self::disconnect), whatever becomes of it: the address, the names and the
    /// place are free when it returns. What the kernel did not take back is returned as the steps
    /// that would; there is nothing where all is gone. It may follow a disconnection that failed:
    /// what that left behind is the caller's, and the address is free now. Where the host keeps
    /// [records](crate::HostConfig::store), there is none of it any more, and what is left behind is
    /// nobody's, until somebody [recovers](crate::Host::recover).
    ///
    /// # Errors
    /// The container is not connected ([`Error::is_not_found`]), or the network is one that
    /// containers belong to from when they are opened; or the host's records can't be written, and it
    /// may be repeated.
    ///
    /// ```no_run
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let network = Host::isolated()?.create_network(NetworkConfig::bridge("web"))?;
    /// # let app = Container::isolated("app")?;
    /// let endpoint = network.connect(&app)?;
    /// let left = network.disconnect_by_force("app")?;
    /// print!("{left}"); // the steps that the kernel still owes; none as a rule
    /// assert!(network.endpoints().is_empty());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    pub fn disconnect_by_force(&self, container: &str) -> Result<Plan> {
        let Err(error) = self.try_disconnect(container, None) else {
            return Ok(Plan::new());
        };
        let attempt = || format!("disconnect {container} from {} by force", self.name());
        let given_up = self.give_up_left(container).map_err(|unwritten| {
            let unwritten = unwritten.during(attempt());
            unwritten.leaving(error.left_behind().clone())
        })?;
        let written_off = self.0.members.lock().write_off(container);
        let was_there = given_up || written_off > 0 || !error.left_behind().is_empty();
        if !was_there {
            return Err(error.during(attempt()));
        }
        Ok(error.left_behind().clone())
    }

    fn try_disconnect(&self, container: &str, only: Option<ContainerId>) -> Result<()> {
        self.catch_up_on(Concern::Named(container))?;
        let residents = self.0.residents.lock();
        if residents.iter().any(|r| r.container.as_str() == container) {
            return Err(Error::of("", vec![self.never_left()]));
        }
        drop(residents);
        let Ok(name) = container.parse() else {
            return Err(Error::of("", vec![self.not_connected(container)]));
        };
        let is_it = |ties: &Ties| only.is_none_or(|id| ties.spec.container_id == id);
        let attached = self.0.attached.lock().get(&name).and_then(Weak::upgrade);
        if let Some(attached) = attached.filter(|attached| is_it(&attached.ties)) {
            match attached.let_go() {
                true => return attached.take_back(),
                false => attached.await_end(),
            }
        }
        let mut persisted = self.0.persisted.lock();
        let is_there = persisted.get(&name).is_some_and(|ties| is_it(ties));
        let ties = is_there.then(|| persisted.remove(&name)).flatten();
        drop(persisted);
        match ties {
            Some(ties) => {
                let container = self.0.registered.container(ties.spec.container_id);
                let detached = detach(&Departure {
                    network: self,
                    ties: &ties,
                    container: container.as_ref(),
                });
                self.keep_no_longer();
                detached
            }
            None => {
                let not_connected = || Err(Error::of("", vec![self.not_connected(container)]));
                self.take_back_left(container).unwrap_or_else(not_connected)
            }
        }
    }

    /// The endpoint of the container of that name, also where it was persisted, by this process or by
    /// another one. Such an endpoint stays when the handle is dropped; a handle of this process's own is
    /// the same once more, which goes with the last.
    ///
    /// # Errors
    /// It is not connected, or its namespace can't be found ([`Error::is_not_found`]).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// # let host = Host::isolated()?;
    /// # let network = host.create_network(NetworkConfig::bridge("web"))?;
    /// # let app = Container::isolated("app")?;
    /// let spec = network.connect(&app)?.persist()?;
    /// let again = network.endpoint("app")?;
    /// again.publish("8080:80")?;
    /// drop(again); // it stays
    /// network.endpoint("app")?.disconnect()?;
    /// # Ok(()) }
    /// ```
    pub fn endpoint(&self, container: &str) -> Result<Endpoint> {
        let attempt = || format!("look up {container} on {}", self.name());
        let found = self.catch_up().and_then(|()| self.find_endpoint(container));
        found.map_err(|error| error.during(attempt()))
    }

    fn find_endpoint(&self, container: &str) -> Result<Endpoint> {
        let gone = || Error::of("", vec![self.not_connected(container)]);
        let name = container.parse().map_err(|_| gone())?;
        let attached = self.0.attached.lock().get(&name).and_then(Weak::upgrade);
        if let Some(attached) = attached.filter(|attached| attached.is_held()) {
            return Ok(Endpoint::new(attached));
        }
        let ties = self.0.persisted.lock().get(&name).cloned();
        let ties = ties.ok_or_else(gone)?;
        let container = self.0.registered.container(ties.spec.container_id);
        let container = container.ok_or_else(|| {
            let name = name.to_string();
            Error::of("", vec![Fault::ContainerNotFound { name }])
        })?;
        let network = self.clone();
        Ok(Endpoint::new(Attachment::reopened(
            ties, network, container,
        )))
    }

    /// A persisted wire is the caller's to take back, if it is there.
    pub(super) fn hand_over(&self, ties: &Arc<Ties>) -> bool {
        let mut persisted = self.0.persisted.lock();
        let name = &ties.spec.container;
        let is_it = persisted
            .get(name)
            .is_some_and(|kept| Arc::ptr_eq(kept, ties));
        if is_it {
            persisted.remove(name);
        }
        is_it
    }

    /// Both are kept for other processes.
    pub(super) fn persist_with(&self, ties: &Ties) -> Result<()> {
        let (is_owned, is_found) = match *self.0.life.lock() {
            Life::Owned => (true, false),
            Life::Recorded => (false, true),
            _ => (false, false),
        };
        if is_owned {
            self.keep_made()?;
        }
        if is_found {
            self.keep_found()?;
        }
        self.write_kept(ties.spec.id)
    }

    /// The wiring stays, and the network with it, unless it is being taken back: whoever does that finds
    /// it held or persisted.
    pub(super) fn keep_wiring(&self, attachment: &Attachment) -> bool {
        let mut persisted = self.0.persisted.lock();
        if !attachment.let_go() {
            return false;
        }
        let ties = &attachment.ties;
        persisted.insert(ties.spec.container.clone(), Arc::clone(ties));
        let mut life = self.0.life.lock();
        if matches!(*life, Life::Owned) {
            let _by = self.clone();
            *life = match (self.ledger(), self.0.spec.origin) {
                (Some(_), _) => self.kept(),
                (None, Origin::Builtin) => Life::Lent { _by },
                (None, Origin::Custom) => Life::Kept { _by },
            };
        }
        true
    }

    /// A network that was kept for its containers' sake goes as its handles do, once they are gone.
    fn keep_no_longer(&self) {
        let persisted = self.0.persisted.lock();
        let mut life = self.0.life.lock();
        if !persisted.is_empty() || !matches!(*life, Life::Lent { .. }) {
            return;
        }
        let former = std::mem::replace(&mut *life, Life::Owned);
        drop((life, persisted));
        drop(former);
    }

    fn not_connected(&self, container: &str) -> Fault {
        Fault::NotConnected {
            container: container.to_owned(),
            network: self.name().clone(),
        }
    }

    fn never_left(&self) -> Fault {
        match self.0.driver.stack() {
            crate::driver::Stack::Host => Fault::HostStackLeft,
            _ => Fault::PrivateStack,
        }
    }
}
