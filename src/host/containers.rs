//! Containers by their names, whoever opened them: found, kept in the host's records, forgotten, taken
//! off all networks. Connecting them is the networks' business.

use std::sync::Arc;

use crate::addr::{ContainerId, ContainerName};
use crate::container::Container;
use crate::error::{Error, Fault, Result};
use crate::network::{Concern, Ledger, join};
use crate::record::ContainerRecord;
use crate::spec::EndpointSpec;

use super::Host;
use super::lookup::find_one;

impl Host {
    /// The container of that id or name, or whose id begins so, among those that this host attached
    /// or connected and that there is a handle to, and those that another process has
    /// [connected](crate::Network::connect) or [kept](Self::keep) in the host's
    /// [records](crate::HostConfig::store). Such a one is opened again, by the file that its
    /// namespace was opened by: a process's, or where it was [pinned](crate::Netns::pin) before it was
    /// connected or kept.
    ///
    /// # Errors
    /// There is none, or its namespace is gone ([`Error::is_not_found`]); or there are several.
    pub fn container(&self, term: &str) -> Result<Container> {
        let attempt = || format!("look up container {term}");
        let found = self.known_container(term);
        found.map_err(|error| error.during(attempt()))
    }

    /// One of this process's own, or of another's.
    pub(super) fn known_container(&self, term: &str) -> Result<Container> {
        match self.find_container(term) {
            Err(Fault::ContainerNotFound { .. }) => self.reopen(term),
            found => found.map_err(|fault| Error::of("", vec![fault])),
        }
    }

    /// Writes the container down in the host's records, whether it is on a network or not, until it is
    /// [forgotten](Self::forget), and leaves its hosts file and `resolv.conf` where they are when its
    /// last handle is dropped. Other processes then find it by [`container`](Self::container).
    ///
    /// ```no_run
    /// # use std::sync::Arc;
    /// # use bridgework::{Container, Host, HostConfig, store::Memory};
    /// let host = Host::open_with(HostConfig::new().store(Arc::new(Memory::new())))?;
    /// host.keep(&Container::of_pid("web", 4711)?)?;
    /// assert_eq!(host.container("web")?.name().as_str(), "web");
    /// host.forget("web")?;
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// Another container has the name ([`Error::is_exists`]), or the records can't be written.
    pub fn keep(&self, container: &Container) -> Result<()> {
        let attempt = || format!("keep container {}", container.name());
        let registry = &self.0.registry;
        let kept = registry.attempt(|| {
            registry.know(container);
            registry.keep_container(container)
        });
        kept.map_err(|error| error.during(attempt()))
    }

    /// The container of that id or name is in the host's records only as long as it is on a network.
    /// If it is not kept, that is done.
    ///
    /// # Errors
    /// The records can't be written.
    pub fn forget(&self, term: &str) -> Result<()> {
        let registry = &self.0.registry;
        let forgotten = registry.attempt(|| match self.kept(term) {
            Ok(record) => registry.keep_container_no_longer(&record),
            Err(_) => Ok(()),
        });
        forgotten.map_err(|error| error.during(format!("forget container {term}")))
    }

    /// The container of that id or name is on no network any more, and is forgotten. Its hosts file and
    /// `resolv.conf` are left to whoever made them. It may be gone already, with its namespace or
    /// without.
    ///
    /// ```no_run
    /// use bridgework::{Container, Host, NetworkConfig};
    ///
    /// let host = Host::isolated()?;
    /// let network = host.create_network(NetworkConfig::bridge("web"))?;
    /// let app = Container::isolated("app")?;
    /// let endpoint = network.connect(&app)?;
    /// assert_eq!(host.containers()[0].id(), app.id());
    ///
    /// host.remove_container("app")?;
    /// assert!(network.endpoints().is_empty());
    /// host.remove_container("app")?; // it is gone
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for [`Network::disconnect`](crate::Network::disconnect); it is disconnected wherever it could be.
    pub fn remove_container(&self, term: &str) -> Result<()> {
        let attempt = || format!("remove container {term}");
        let registry = &self.0.registry;
        registry
            .catch_up()
            .map_err(|error| error.during(attempt()))?;
        let name = match (self.kept(term), self.find_container(term)) {
            (Ok(record), _) => record.name.clone(),
            (Err(_), Ok(container)) => container.name().clone(),
            (Err(_), Err(_)) => return Ok(()),
        };
        let results = [self.disconnect_everywhere(&name, None), self.forget(term)];
        join(results).map_err(|error| error.during(attempt()))
    }

    /// The containers that this host attached, connected or was asked to [keep](Self::keep), and those
    /// of its records, by name. One whose namespace is gone is not among them.
    #[must_use]
    pub fn containers(&self) -> Vec<Container> {
        let registry = &self.0.registry;
        // what can't be read is as it was
        let _known = registry.catch_up_on(Concern::None);
        let mut containers = registry.containers();
        let mut records = registry
            .ledger()
            .map(Ledger::containers)
            .unwrap_or_default();
        records.retain(|record| containers.iter().all(|known| known.id() != record.id));
        let reopened = records.iter().map(|record| registry.reopen_as(record));
        containers.extend(reopened.filter_map(Result::ok));
        containers.sort_by(|a, b| a.name().cmp(b.name()));
        containers
    }

    /// Those of the host's records.
    fn kept(&self, term: &str) -> std::result::Result<Arc<ContainerRecord>, Fault> {
        let ledger = self.0.registry.ledger();
        let mut records = ledger.map(Ledger::containers).unwrap_or_default();
        let at = find_one(term, &records, |record| (record.id, &record.name))?;
        Ok(records.swap_remove(at))
    }

    fn reopen(&self, term: &str) -> Result<Container> {
        let registry = &self.0.registry;
        registry.catch_up_on(Concern::None)?;
        let record = self.kept(term);
        let record = record.map_err(|fault| Error::of("", vec![fault]))?;
        registry.reopen_as(&record)
    }

    /// Whoever has that name, or only that container. What is gone already is done.
    pub(super) fn disconnect_everywhere(
        &self,
        name: &ContainerName,
        only: Option<ContainerId>,
    ) -> Result<()> {
        let is_it = |spec: &EndpointSpec| {
            spec.container == *name && only.is_none_or(|id| spec.container_id == id)
        };
        let mut networks = self.0.registry.networks();
        networks.retain(|network| network.endpoints().iter().any(is_it));
        join(networks.iter().map(|network| {
            let disconnected = match only {
                Some(id) => network.disconnect_that(name, id),
                None => network.disconnect(name.as_str()),
            };
            disconnected.or_else(|error| match error.is_not_found() {
                true => Ok(()),
                false => Err(error),
            })
        }))
    }
}
