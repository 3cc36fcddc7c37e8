//! What a container returns with: the specification of an endpoint outlives its attachment.

use std::sync::{Arc, Weak};

use crate::addr::ContainerName;
use crate::config::EndpointRequest;
use crate::container::{Container, Memory};
use crate::spec::EndpointSpec;

use super::{Inner, Network};

/// What `spec` would be asked for with: all that was asked for, and the hardware address that was
/// chosen. An address that was chosen returns as long as nobody else has it, without being asked for.
pub(super) fn remembered(spec: &EndpointSpec) -> EndpointRequest {
    EndpointRequest {
        ipv4: spec.requested.ipv4,
        ipv6: spec.requested.ipv6,
        link_local: spec.link_local.clone(),
        priority: Some(spec.priority),
        links: spec.links.clone(),
        mac: Some(spec.mac),
        aliases: spec.aliases.clone(),
        link_name: spec.requested.link_name.clone(),
        port: spec.port.clone(),
        sysctls: spec.sysctls.clone(),
        ports: spec.ports.clone(),
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
        let request = remembered(spec);
        let _kept = Box::new(kept);
        container.remember(spec.network, Memory { request, _kept });
    }

    /// Forgets what `container` was connected with before: its aliases, its hardware address and
    /// its place in the order of addresses. It is forgotten too when the last handle to the
    /// container is dropped.
    pub fn forget(&self, container: &Container) {
        container.forget(self.id());
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
