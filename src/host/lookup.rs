//! Finding: networks and containers by what a user types, networks by filters, and those that
//! nobody uses.

use std::time::SystemTime;

use crate::addr::{ContainerId, ContainerName};
use crate::container::Container;
use crate::error::{Error, Fault, Result};
use crate::inspect::{NetworkFilter, PruneFilter, find};
use crate::network::Network;

use super::Host;

impl Host {
    /// The network that `term` means: the one with that id, else the one with that name, else the
    /// only one whose id begins so. The pre-defined networks, `bridge` (or `default`), `host` and
    /// `none`, are made when they are first asked for by their names.
    ///
    /// # Errors
    /// There is none ([`Error::is_not_found`]), or the ids of several begin so; or as for
    /// [`default_network`](Self::default_network).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Host, NetworkConfig};
    /// let host = Host::isolated()?;
    /// let web = host.create_network(NetworkConfig::bridge("web"))?;
    /// assert_eq!(host.network("web")?.id(), web.id());
    /// assert!(host.network("wbe").unwrap_err().is_not_found());
    /// # Ok(()) }
    /// ```
    pub fn network(&self, term: &str) -> Result<Network> {
        let networks = self.networks();
        let ids = networks
            .iter()
            .map(|network| (network.id(), network.name()));
        match (find(ids, term), self.builtin_named(term)) {
            (Err(Fault::NetworkNotFound { .. }), Some(builtin)) => self.builtin(builtin),
            (Err(fault), _) => Err(Error::of(format!("look up network {term}"), vec![fault])),
            (Ok(id), _) => {
                let found = networks.into_iter().find(|network| network.id() == id);
                found.ok_or_else(|| {
                    let name = term.to_owned();
                    Error::of("look up network", vec![Fault::NetworkNotFound { name }])
                })
            }
        }
    }

    /// The networks that this host has handles to and that `filter` lets through, by name.
    ///
    /// ```no_run
    /// use bridgework::inspect::NetworkFilter;
    /// use bridgework::{Host, NetworkConfig};
    ///
    /// let host = Host::isolated()?;
    /// let web = host.create_network(NetworkConfig::bridge("web").label("project", "shop"))?;
    /// let _lab = host.create_network(NetworkConfig::bridge("lab"))?;
    /// let of_shop = host.networks_matching(&NetworkFilter::new().label("project=shop"));
    /// assert_eq!(of_shop.len(), 1);
    /// assert_eq!(of_shop[0].id(), web.id());
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    #[must_use]
    pub fn networks_matching(&self, filter: &NetworkFilter) -> Vec<Network> {
        let mut networks = self.networks();
        networks.retain(|network| filter.matches(network.spec(), network.active_count()));
        networks
    }

    /// Removes the user-defined networks that nobody is connected to and that `filter` lets
    /// through, and returns them. One that a container is connected to meanwhile is left, and so
    /// are configuration-only networks. Two that prune at the same time share the work.
    ///
    /// # Errors
    /// The kernel refused; all that could be removed are.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Host, NetworkConfig};
    /// use bridgework::inspect::PruneFilter;
    ///
    /// let host = Host::isolated()?;
    /// let web = host.create_network(NetworkConfig::bridge("web"))?;
    /// let pruned = host.prune(&PruneFilter::new())?;
    /// assert_eq!(pruned[0].id(), web.id());
    /// # Ok(()) }
    /// ```
    pub fn prune(&self, filter: &PruneFilter) -> Result<Vec<Network>> {
        let now = SystemTime::now().into();
        let mut networks = self.networks();
        networks.retain(|network| filter.matches(network.spec(), network.active_count(), now));
        let mut errors = Vec::new();
        networks.retain(|network| match network.remove_once() {
            Ok(was_there) => was_there,
            Err(error) if error.is_in_use() => false,
            Err(error) => {
                errors.push(error);
                false
            }
        });
        match errors.into_iter().next() {
            Some(error) => Err(error),
            None => Ok(networks),
        }
    }
}

impl Host {
    /// The container of that full id, else the one with that name, else the only one whose id
    /// begins so.
    pub(super) fn find_container(&self, term: &str) -> std::result::Result<Container, Fault> {
        let mut containers = self.0.registry.containers();
        let at = find_one(term, &containers, |c| (c.id(), c.name()))?;
        Ok(containers.swap_remove(at))
    }
}

/// Where the one is of that full id, else the one with that name, else the only one whose id begins so.
pub(super) fn find_one<T>(
    term: &str,
    all: &[T],
    named: impl Fn(&T) -> (ContainerId, &ContainerName),
) -> std::result::Result<usize, Fault> {
    let exact = all.iter().position(|one| named(one).1.as_str() == term);
    let begins = |one: &&T| !term.is_empty() && named(one).0.to_string().starts_with(term);
    let mut begun = all.iter().filter(begins);
    let first = all.iter().position(|one| begins(&one));
    let term = term.to_owned();
    // no name has the 64 digits of a full id
    match (exact, first, begun.nth(1)) {
        (Some(at), _, _) | (None, Some(at), None) => Ok(at),
        (None, Some(_), Some(_)) => Err(Fault::ContainerAmbiguous { term }),
        (None, None, _) => Err(Fault::ContainerNotFound { name: term }),
    }
}
