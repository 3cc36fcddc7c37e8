//! What a container returns with: the specification of an endpoint outlives its attachment.

use std::sync::{Arc, Weak};

use crate::addr::ContainerName;
use crate::config::{EndpointRequest, MacPolicy, Recollection};
use crate::container::{Container, Memory};
use crate::spec::{EndpointSpec, NetworkSpec};

use super::{Inner, Network};

/// What `spec` would be asked for with: all that was asked for, and the hardware address that was
/// chosen, unless it is made of an address that may be another one then. An address that was chosen
/// returns as long as nobody else has it, without being asked for.
pub(super) fn remembered(network: &NetworkSpec, spec: &EndpointSpec) -> EndpointRequest {
    let chosen_mac = match network.mac_policy {
        MacPolicy::Random => Some(spec.mac),
        MacPolicy::FromIpv4 => None,
    };
    EndpointRequest {
        ipv4: spec.requested.ipv4,
        ipv6: spec.requested.ipv6,
        further: spec.requested.further.clone(),
        link_local: spec.link_local.clone(),
        priority: Some(spec.priority),
        links: spec.links.clone(),
        mac: spec.requested.mac.or(chosen_mac),
        aliases: spec.aliases.clone(),
        link_name: spec.requested.link_name.clone(),
        port: spec.port.clone(),
        sysctls: spec.sysctls.clone(),
        ports: spec.ports.clone(),
        exposed: spec.exposed.clone(),
        source_guard: Some(spec.source_guard),
        leads_out_ipv4: spec.requested.leads_out_ipv4,
        leads_out_ipv6: spec.requested.leads_out_ipv6,
        route_metric: Some(spec.route_metric),
        host_link_name: spec.requested.host_link_name.clone(),
        memory: Recollection::Recalled,
    }
}

/// Addresses that were asked for are given to nobody by chance while this is there.
struct Kept {
    network: Weak<Inner>,
    container: ContainerName,
    generation: u64,
}

impl Network {
    /// The container knows with what to return. `generation` is that of the addresses that are
    /// [kept](super::Members::keep) for it.
    pub(super) fn be_remembered(
        &self,
        spec: &EndpointSpec,
        container: &Container,
        generation: u64,
    ) {
        let kept = Kept {
            network: Arc::downgrade(&self.0),
            container: spec.container.clone(),
            generation,
        };
        let request = remembered(&self.0.spec, spec);
        let _kept = Box::new(kept);
        container.remember(spec.network, Memory { request, _kept });
    }

    /// Forgets what `container` was connected with before: its aliases, links and options, its
    /// hardware address, and the addresses that it had. What was [reserved](Self::reserve) for its
    /// name stays so.
    ///
    /// All is forgotten too when the last handle to the container is dropped, but for an address
    /// that was chosen: the next one of its name gets it, if nobody was given it since.
    ///
    /// ```no_run
    /// # fn main() -> Result<(), bridgework::Error> {
    /// # use bridgework::{Container, EndpointConfig, Host, NetworkConfig};
    /// # let host = Host::isolated()?;
    /// let network = host.create_network(NetworkConfig::bridge("web"))?;
    /// let app = Container::isolated("app")?;
    /// network.connect_with(&app, EndpointConfig::new().alias("api"))?.disconnect()?;
    /// network.forget(&app);
    /// assert!(network.connect(&app)?.spec().aliases.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn forget(&self, container: &Container) {
        container.forget(self.id());
        self.0.members.lock().forget(container.name());
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(network) = self.network.upgrade() {
            let mut members = network.members.lock();
            members.keep_no_longer(&self.container, self.generation);
            drop(members);
            // the last handle may be this one, and is dropped without the lock
        }
    }
}
