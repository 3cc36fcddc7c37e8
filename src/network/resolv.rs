//! How a container's `resolv.conf` follows the networks that it is on.

use crate::container::{Container, ResolvChange, ResolvSource};
use crate::error::Result;
use crate::plan::Plan;
use crate::resolver::ResolvMode;
use crate::spec::{EndpointSpec, NetworkSpec, Origin};

use super::Network;
use super::registry::Registry;
use super::ties::Ties;

impl Network {
    /// The change by which it takes account of an endpoint that comes. `None` for a container that
    /// has no such file.
    pub(super) fn resolv_with<'c>(
        &self,
        container: &'c Container,
        endpoint: &EndpointSpec,
    ) -> Option<ResolvChange<'c>> {
        let registry = self.0.registered.registry();
        resolv_with((&self.0.spec, registry), container, endpoint)
    }
}

/// As [`Network::resolv_with`], of a network that may be on paper.
pub(super) fn resolv_with<'c>(
    (network, registry): (&NetworkSpec, &Registry),
    container: &'c Container,
    endpoint: &EndpointSpec,
) -> Option<ResolvChange<'c>> {
    let resolv = container.resolv()?;
    Some(resolv.with(ResolvSource {
        endpoint: endpoint.id,
        mode: mode(network),
        files: registry.host_files().clone(),
    }))
}

/// Where names resolve, it is by a name server of ours.
fn mode(network: &NetworkSpec) -> ResolvMode {
    match (network.origin, &network.ipv6) {
        (Origin::Custom, _) => ResolvMode::Internal,
        (Origin::Builtin, None) => ResolvMode::DirectV4,
        (Origin::Builtin, Some(_)) => ResolvMode::DirectDual,
    }
}

/// It does without an endpoint that goes.
pub(super) fn rewrite_resolv(
    network: &Network,
    ties: &Ties,
    container: Option<&Container>,
) -> Result<()> {
    let Some(resolv) = container.and_then(Container::resolv) else {
        return Ok(());
    };
    let change = resolv.without(&ties.spec.id);
    let plan = Plan::from_iter(change.step());
    let rewritten = match plan.is_empty() {
        true => Ok(()),
        false => network.kernel().take_back(&plan, None),
    };
    change.settle();
    rewritten
}
