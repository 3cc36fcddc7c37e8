//! The network that a container is on: made where it is not there, gone with its last container where
//! a hook has made it.

use bridgework::{Host, Network};

use crate::Outcome;
use crate::wish::Wish;

/// The label of networks that a hook has made.
pub(crate) const MADE: &str = "oci_hook.made";

pub(crate) fn get_or_create(host: &Host, wish: &Wish) -> Outcome<Network> {
    let network = host.ensure_network(wish.network_config())?;
    let _spec = network.persist()?;
    Ok(network)
}

/// It goes unless somebody is on it, or somebody else has made it.
pub(crate) fn remove_unused(network: &Network) -> Outcome {
    if network.spec().labels.contains_key(MADE) {
        network.remove_unused()?;
    }
    Ok(())
}
