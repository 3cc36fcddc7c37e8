//! Networks that several processes want at once, and that go with the last who does. No lock is held for
//! it: that a name is one network's is a constraint of the records.

use std::thread;
use std::time::{Duration, Instant};

use crate::config::NetworkConfig;
use crate::error::{Error, Fault, Obstacle, Result, StoreTrouble};
use crate::network::Network;
use crate::plan::ALIAS_MARK;

use super::Host;

/// So long others may take to make or remove a network of the same name.
const PATIENCE: Duration = Duration::from_secs(5);
const BETWEEN_LOOKS: Duration = Duration::from_millis(2);

impl Host {
    /// The network of that name, and never one whose id merely begins so; those that every host has are
    /// not made for it, as they are for [`network`](Self::network).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Host, NetworkConfig};
    /// let host = Host::isolated()?;
    /// let web = host.create_network(NetworkConfig::bridge("web"))?;
    /// assert_eq!(host.network_named("web").map(|found| found.id()), Some(web.id()));
    /// assert!(host.network_named("we").is_none());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn network_named(&self, name: &str) -> Option<Network> {
        let mut networks = self.networks().into_iter();
        networks.find(|network| network.name().as_str() == name)
    }

    /// The network of the name that `config` has: as it is if it is there, made as `config` says if it is
    /// not. Of several processes that want it at once, one makes it, and the others wait for that, up to
    /// 5 s. It goes as one that was [created](Self::create_network): who wants it to stay
    /// [persists](Network::persist) it. Needs `CAP_NET_ADMIN` to make it.
    ///
    /// Somebody else may [remove](Network::remove_unused) it before a container is connected to it:
    /// that fails then ([`Error::is_not_found`]), and may be tried again from here.
    ///
    /// # Errors
    /// As for [`create_network`](Self::create_network).
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Host, NetworkConfig};
    /// let host = Host::isolated()?;
    /// let web = host.ensure_network(NetworkConfig::bridge("web"))?;
    /// let same = host.ensure_network(NetworkConfig::bridge("web").internal())?;
    /// assert_eq!(web.id(), same.id());
    /// assert!(web.remove_unused()?);
    /// # Ok(()) }
    /// ```
    pub fn ensure_network(&self, config: NetworkConfig) -> Result<Network> {
        let begun = Instant::now();
        loop {
            if let Some(network) = self.network_named(config.name()) {
                return Ok(network);
            }
            match self.create_network(config.clone()) {
                Err(error) if is_in_others_hands(&error) && begun.elapsed() < PATIENCE => {
                    thread::sleep(BETWEEN_LOOKS);
                }
                Err(error)
                    if begun.elapsed() < PATIENCE && self.is_in_its_own_way(&error, &config)? =>
                {
                    thread::sleep(BETWEEN_LOOKS);
                }
                done => return done,
            }
        }
    }

    /// Whether the subnet overlaps with a bridge of that very network, or its name is taken by it, which
    /// another process is making or removing: its record was read before or after, and may be of no network
    /// any more.
    fn is_in_its_own_way(&self, error: &Error, config: &NetworkConfig) -> Result<bool> {
        let obstacles = error.faults().iter().flat_map(|fault| match fault {
            Fault::SubnetOverlaps { obstacles, .. } => obstacles.as_slice(),
            _ => &[],
        });
        let taken = error.faults().iter().filter_map(|fault| match fault {
            Fault::LinkExists { name, .. } if error.left_behind().is_empty() => Some(name.as_str()),
            _ => None,
        });
        let obstacles = obstacles.filter_map(Obstacle::device);
        let devices: Vec<&str> = obstacles.chain(taken).collect();
        if devices.is_empty() {
            return Ok(false);
        }
        let snapshot = self.snapshot()?;
        let mark = format!("{ALIAS_MARK} network {} ", config.name());
        Ok(devices
            .iter()
            .any(|device| match snapshot.link_named(device) {
                Some(link) => link.alias.starts_with(&mark),
                None => true,
            }))
    }
}

/// Whether somebody is making or removing it at the moment.
fn is_in_others_hands(error: &Error) -> bool {
    let is_it = |fault: &Fault| match fault {
        Fault::NetworkExists { .. } => true,
        Fault::Store { trouble, .. } => *trouble == StoreTrouble::Taken,
        _ => false,
    };
    error.left_behind().is_empty() && error.faults().iter().any(is_it)
}
