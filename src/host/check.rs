//! What keeps a host's networks from working, and what can be done about it.

use crate::audit::Finding;
use crate::error::Result;

use super::Host;

impl Host {
    /// All that is wrong with what the networks of this handle and their containers have in the host:
    /// what of ours is missing or was changed, links that have got addresses since, and what of
    /// others' is in the way. Each finding prints with its remedy. Nothing is changed.
    ///
    /// Where the host keeps [records](crate::HostConfig::store), that is all that they are about, and
    /// every difference between them and the kernel: what was not finished by a process that has died,
    /// and what bears our mark and is of none of them.
    ///
    /// A link is known to be ours by its number together with its name or its alias. What is inside a
    /// container's namespace is its own business, and not looked at.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Host, NetworkConfig};
    /// let host = Host::open()?;
    /// let network = host.create_network(NetworkConfig::bridge("web"))?;
    /// for finding in host.check()? {
    ///     eprintln!("{finding}");
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// The kernel refused to tell.
    pub fn check(&self) -> Result<Vec<Finding>> {
        let found = self.0.registry.catch_up().and_then(|()| {
            let mut found = self.0.registry.check()?;
            found.extend(self.check_records()?);
            Ok(found)
        });
        found.map_err(|error| error.during("check host"))
    }

    /// Puts right what is ours: links, their addresses and routes, with all that fell with them;
    /// tables, chains, rules and elements, rules of the routing policy, routes that prohibit, settings;
    /// and makes links that have got addresses since ways to the networks. Returns what it has put
    /// right. What is others' is as it was, and [`check`](Self::check) goes on telling of it.
    ///
    /// Where the host's end of a container's wire is gone, both ends are made again, with the
    /// addresses and the default routes that the container had by it. A container whose namespace
    /// can't be reached any more is left alone.
    ///
    /// A host that is [watched](crate::HostConfig::watch) needs it for new links and for settings
    /// alone.
    ///
    /// ```no_run
    /// use bridgework::plan::Switch;
    /// use bridgework::{Device, Host, HostConfig, Netns, NetworkConfig};
    ///
    /// let config = HostConfig::new().netns(Netns::create()?).watch(Switch::Off);
    /// let host = Host::open_with(config)?;
    /// let network = host.create_network(NetworkConfig::bridge("web").bridge_name("br-web"))?;
    /// Device::open(host.netns(), "br-web")?.set_down()?; // somebody's doing
    /// assert!(!host.repair()?.is_empty());
    /// assert!(Device::open(host.netns(), "br-web")?.state()?.up);
    /// # Ok::<(), bridgework::Error>(())
    /// ```
    ///
    /// # Errors
    /// The kernel refused; some may have been put right then. It may be repeated.
    pub fn repair(&self) -> Result<Vec<Finding>> {
        let mended = self.0.registry.repair();
        mended.map_err(|error| error.during("repair host"))
    }
}
