//! What is shown of a container, over all of its networks of one host.

use crate::addr::PortMapping;
use crate::container::Container;
use crate::driver::Stack;
use crate::error::Result;
use crate::inspect::NetworkSettings;
use crate::network::Concern;

use super::Host;

impl Host {
    /// What `docker inspect` shows of a container's networks, under `NetworkSettings`: its place in
    /// each network of this host. In the modes `host` and `none` that is the network of that name,
    /// with an endpoint and nothing else; a container with another one's stack has nothing of its
    /// own to show, not even a namespace.
    ///
    /// Its ports are those that it listens on, each with the addresses of the host that lead there.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Container, Host, NetworkConfig};
    /// let host = Host::isolated()?;
    /// let network = host.create_network(NetworkConfig::bridge("web"))?;
    /// let app = Container::isolated("app")?;
    /// let at_app = network.connect(&app)?;
    /// let settings = host.inspect(&app);
    /// assert_eq!(settings.networks["web"].ipv4, Some(at_app.ip()));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn inspect(&self, container: &Container) -> NetworkSettings {
        if container.stack() == Stack::Shared {
            return NetworkSettings::default();
        }
        // what can't be read is as it was
        let _known = self.know_all_of(container);
        let netns = container.netns();
        let sandbox = format!("net:[{}]", netns.inode());
        let path = netns.path().display().to_string();
        let networks = self.networks();
        let places = networks
            .iter()
            .filter_map(|network| Some((network.name(), network.place_of(container.id())?)));
        let settings = places.fold(
            NetworkSettings::of(sandbox, path, []),
            |settings, (name, place)| settings.with_place(name, place),
        );
        let exposed = networks
            .iter()
            .flat_map(|network| network.exposed_of(container.id()));
        let exposed: Vec<PortMapping> = exposed.collect();
        let published = self.0.registry.wirings().of(netns).published();
        settings.with_ports(&exposed, &published)
    }

    /// All that others have done for the container is known.
    pub(super) fn know_all_of(&self, container: &Container) -> Result<()> {
        let registry = &self.0.registry;
        registry.catch_up_on(Concern::Container(container))
    }
}
