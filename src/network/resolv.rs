//! How a container's `resolv.conf`, and the server that it names, follow the networks that it is on.

use crate::container::{Container, ResolvChange, ResolvSource};
use crate::error::Result;
use crate::kernel::Claim;
use crate::plan::Plan;
use crate::resolver::{ResolvMode, ResolvOverrides};
use crate::spec::{EndpointSpec, NetworkSpec};

use super::Network;
use super::names::{NameService, NamesChange, Outlook, answers_inside, resolve_on};
use super::registry::Registry;
use super::ties::Ties;
use super::wiring::Wiring;

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

    /// What an endpoint brings into its container's file.
    pub(super) fn resolv_source(&self, endpoint: &EndpointSpec) -> ResolvSource {
        source((&self.0.spec, self.0.registered.registry()), endpoint)
    }

    /// The container's stack is answered from now on, if the names of this network resolve. If that
    /// can't be, what `done` says is taken back, by which the stack has come to have the network:
    /// sockets are opened when their address is there. Where others answer it, `claim` says whether they
    /// go on.
    pub(super) fn answer(
        &self,
        (wiring, container): (&Wiring, &Container),
        claim: Claim,
        done: &Plan,
    ) -> Result<NamesChange> {
        let begun = self
            .names_with((wiring, container), claim)
            .and_then(|names| {
                let mut plan = Plan::with_container(container.name().clone());
                plan.extend(names.step());
                match plan.is_empty() {
                    true => Ok(()),
                    false => self.kernel().apply(&plan, Some(container.netns())),
                }
                .map(|()| names)
            });
        begun.map_err(|error| {
            let undo = done.undo(done.steps().len());
            match self.kernel().take_back(&undo, Some(container.netns())) {
                Ok(()) => error,
                Err(undone) => error.leaving_also(&undone),
            }
        })
    }

    /// What a container with these wants of who answers it.
    pub(super) fn outlook(&self, overrides: &ResolvOverrides) -> Outlook {
        let registry = self.0.registered.registry();
        let domain = registry.names().and_then(NameService::domain);
        let search = registry.host_files().search(overrides);
        Outlook::new(overrides, search, domain.cloned())
    }

    fn names_with(
        &self,
        (wiring, container): (&Wiring, &Container),
        claim: Claim,
    ) -> Result<NamesChange> {
        let registry = self.0.registered.registry();
        let Some(service) = registry.names() else {
            // whoever serves leads its questions somewhere, and that ends with what is made here
            if registry.ledger().is_some() && answers_inside(&self.0.spec) {
                wiring.recall_names();
            }
            return Ok(NamesChange::None);
        };
        let outlook = self.outlook(container.overrides());
        let network = (&self.0.spec, (container.netns(), claim));
        wiring.names_with((service, self.kernel()), network, outlook)
    }
}

/// As [`Network::resolv_with`], of a network that may be on paper.
pub(super) fn resolv_with<'c>(
    network: (&NetworkSpec, &Registry),
    container: &'c Container,
    endpoint: &EndpointSpec,
) -> Option<ResolvChange<'c>> {
    let resolv = container.resolv()?;
    Some(resolv.with(source(network, endpoint)))
}

fn source((network, registry): (&NetworkSpec, &Registry), endpoint: &EndpointSpec) -> ResolvSource {
    ResolvSource {
        endpoint: endpoint.id,
        mode: mode(network),
        files: registry.host_files().clone(),
    }
}

/// Where names resolve, it is by a name server of ours.
fn mode(network: &NetworkSpec) -> ResolvMode {
    match (resolve_on(network), &network.ipv6) {
        (true, _) => ResolvMode::Internal,
        (false, None) => ResolvMode::DirectV4,
        (false, Some(_)) => ResolvMode::DirectDual,
    }
}

/// It does without an endpoint that goes.
pub(super) fn rewrite_resolv(
    network: &Network,
    ties: &Ties,
    container: Option<&Container>,
) -> Result<()> {
    let Some((container, resolv)) = container.and_then(|of| Some((of, of.resolv()?))) else {
        return Ok(());
    };
    let change = resolv.without(&ties.spec.id);
    let plan = Plan::from_iter(change.step());
    if plan.is_empty() {
        change.settle();
        return Ok(());
    }
    let rewritten = network.kernel().take_back(&plan, None);
    change.settle();
    let wiring = ties.place.wiring();
    if wiring.is_answered() {
        // the domains that the file says now, for the networks that are left
        wiring.renew(network.outlook(container.overrides()));
    }
    rewritten
}
