//! What is shown of a network, and who keeps it from being removed. Memory only: the kernel is not
//! asked.

use crate::addr::{ContainerId, ContainerName, EndpointId, PortMapping};
use crate::inspect::{EndpointSettings, NetworkInspect};
use crate::spec::EndpointSpec;

use super::Network;

impl Network {
    /// What `docker network inspect` shows of it: how it was made, the containers that are on it,
    /// and how full its subnets are. Endpoints that are staged are not among the containers, since
    /// there are none yet; their addresses are in use. A network without subnets has no status.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// let host = Host::isolated()?;
    /// let network = host.create_network(NetworkConfig::bridge("web").subnet("10.89.0.0/24"))?;
    /// let app = Container::isolated("app")?;
    /// let _at_app = network.connect(&app)?;
    /// let shown = network.inspect();
    /// assert_eq!(shown.containers[&app.id()].name.as_str(), "app");
    /// let status = shown.status.unwrap().ipam.subnets[&"10.89.0.0/24".parse()?];
    /// assert_eq!((status.in_use, status.available), (4, 252)); // .0, .1, .2 and .255
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn inspect(&self) -> NetworkInspect {
        let members = self.0.members.lock();
        let (specs, status) = (members.specs(), members.status());
        drop(members);
        let residents = self.0.residents.lock();
        let residents: Vec<_> = residents
            .iter()
            .map(|r| (r.container_id, r.entry()))
            .collect();
        let shown = NetworkInspect::of(&self.0.spec, &specs).with_containers(residents);
        match status.is_empty() {
            true => shown,
            false => shown.with_status(status),
        }
    }

    /// The container's place on it, as `docker inspect` shows it.
    pub(crate) fn place_of(&self, container: ContainerId) -> Option<EndpointSettings> {
        let place = |spec: &EndpointSpec| EndpointSettings::of(&self.0.spec, spec);
        let wired = self.0.members.lock().of_container(container).map(place);
        wired.or_else(|| {
            let residents = self.0.residents.lock();
            let resident = residents.iter().find(|r| r.container_id == container)?;
            Some(EndpointSettings::without_wire(self.id(), resident.id))
        })
    }

    /// The ports that the container listens on, as it was connected here.
    pub(crate) fn exposed_of(&self, container: ContainerId) -> Vec<PortMapping> {
        let members = self.0.members.lock();
        let exposed = members.of_container(container).map(|spec: &EndpointSpec| {
            let both = spec.exposed.iter().chain(&spec.ports);
            both.copied().collect()
        });
        exposed.unwrap_or_default()
    }

    /// Who belongs to it or is on the way.
    pub(super) fn active(&self) -> Vec<(ContainerName, EndpointId)> {
        let mut active = self.0.members.lock().active();
        let residents = self.0.residents.lock();
        active.extend(residents.iter().map(|r| (r.container.clone(), r.id)));
        active
    }

    /// How many those are.
    pub(crate) fn active_count(&self) -> usize {
        self.active().len()
    }
}
